//! The memory of what was linked together, and what keeps it alive.
//!
//! # Safety
//! Finalisers of linked code run only if its initialisers have run, for which somebody vouched.
#![allow(unsafe_code)]

use super::thread_locals::ThreadLocals;
use crate::alloc::FinalizedAllocation;
use crate::base::{ExecutorAddr, Result};
use crate::link::{Linked, LinkedSymbols, WritableMemory};
use crate::runtime::exit_handlers::has_thread_handlers;
use crate::runtime::owners::{OwnedImage, Owner};
use crate::runtime::snapshot::Snapshot;
use crate::runtime::update::{self, Member};
use crate::runtime::visible::Visible;
use crate::runtime::{InitPlan, thread_locals};
use std::any::Any;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

/// The memory of units that were linked together. It is freed when nobody needs it any more: its units, what refers to
/// it, and typed symbols each hold it.
pub(crate) struct Image {
    allocation: Option<Box<dyn FinalizedAllocation>>,
    /// What it refers to: freed after it.
    needs: Vec<Arc<Image>>,
    plan: InitPlan,
    dso_handle: ExecutorAddr,
    pub(super) thread_locals: Option<ThreadLocals>,
    /// What the process sees of it.
    visible: Option<Visible>,
    /// Whether code of it may have registered exit handlers.
    runs: bool,
    initialized: AtomicBool,
    memory: OwnMemory,
    /// What `memory` held before it was initialised, of images that can be initialised again.
    initial: Mutex<Option<Snapshot>>,
    /// It was finalized after it had been initialised: it is as it was left.
    is_spent: AtomicBool,
    /// Makes it known whose it is.
    owner: Option<OwnedImage>,
    /// Images are numbered in the order of linking.
    pub(super) sequence: u64,
    /// What is known of its addresses, if that was kept.
    symbols: Option<Arc<LinkedSymbols<'static>>>,
    /// The number of the first of its units, which are numbered in the order in which they were added.
    pub(super) first_unit: u64,
    /// What else goes when the image goes.
    owned: Option<Arc<dyn Any + Send + Sync>>,
    /// Who leads calls into the image, and has to know when it goes: by address and number.
    callers: Mutex<HashMap<(usize, u32), Weak<dyn ImageCaller>>>,
}

/// Leads calls into images.
pub(crate) trait ImageCaller: Send + Sync {
    /// The image that entry `number` may lead into goes.
    fn image_goes(&self, number: u32, image: ImageId);
}

/// What tells an image from all others of its session.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct ImageId(u64);

impl ImageId {
    /// That of the image with this sequence number.
    pub(super) fn of(sequence: u64) -> Self {
        Self(sequence)
    }
}

impl std::fmt::Debug for Image {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Image")
            .field("dso_handle", &self.dso_handle)
            .field("needs", &self.needs.len())
            .finish_non_exhaustive()
    }
}

/// What an [`Image`] is made of.
pub(super) struct ImageParts {
    pub(super) allocation: Box<dyn FinalizedAllocation>,
    pub(super) needs: Vec<Arc<Image>>,
    pub(super) plan: InitPlan,
    pub(super) dso_handle: ExecutorAddr,
    pub(super) thread_locals: Option<ThreadLocals>,
    pub(super) visible: Option<Visible>,
    pub(super) runs: bool,
    pub(super) sequence: u64,
    pub(super) symbols: Option<Arc<LinkedSymbols<'static>>>,
    pub(super) first_unit: u64,
    pub(super) memory: OwnMemory,
    pub(super) owner: Weak<dyn Owner>,
    /// The number of the dylib that it is of, or the first of them.
    pub(super) dylib: u64,
}

/// What an image's code can change.
#[derive(Debug, Default)]
pub(super) struct OwnMemory {
    pub(super) writable: WritableMemory,
    /// Module and offset of its thread-local variables.
    pub(super) thread_locals: Option<(u64, u64)>,
}

impl OwnMemory {
    pub(super) fn of(linked: &Linked<'_>) -> Self {
        let start = linked.symbols.thread_home.map(|home| home.start());
        Self {
            writable: linked.writable_memory().clone(),
            thread_locals: start.map(|first| (first.module, first.offset)),
        }
    }
}

impl Image {
    pub(super) fn new(parts: ImageParts) -> Self {
        let ImageParts { allocation, needs, plan, dso_handle, sequence, .. } = parts;
        let runs = parts.runs && !dso_handle.is_null();
        let owner = runs.then(|| OwnedImage::new(dso_handle, parts.owner, parts.dylib));
        let symbols = parts.symbols;
        Self {
            symbols,
            owned: None,
            callers: Mutex::default(),
            allocation: Some(allocation),
            needs,
            plan,
            dso_handle,
            thread_locals: parts.thread_locals,
            visible: parts.visible,
            runs,
            initialized: AtomicBool::new(false),
            memory: parts.memory,
            initial: Mutex::default(),
            is_spent: AtomicBool::new(false),
            owner,
            sequence,
            first_unit: parts.first_unit,
        }
    }

    /// Memory that is no link's.
    pub(super) fn of_owner(owned: Arc<dyn Any + Send + Sync>, sequence: u64) -> Self {
        Self {
            allocation: None,
            needs: Vec::new(),
            plan: InitPlan::default(),
            dso_handle: ExecutorAddr::NULL,
            thread_locals: None,
            visible: None,
            runs: false,
            initialized: AtomicBool::new(false),
            memory: OwnMemory::default(),
            initial: Mutex::default(),
            is_spent: AtomicBool::new(false),
            owner: None,
            sequence,
            symbols: None,
            first_unit: 0,
            owned: Some(owned),
            callers: Mutex::default(),
        }
    }

    /// What tells it from others.
    pub(crate) fn id(&self) -> ImageId {
        ImageId(self.sequence)
    }

    /// What is known of its addresses, if that was kept.
    pub(super) fn symbols(&self) -> Option<&Arc<LinkedSymbols<'static>>> {
        self.symbols.as_ref()
    }

    /// Has a caller told when the image goes.
    pub(crate) fn add_caller(&self, caller: &Arc<dyn ImageCaller>, number: u32) {
        let key = (Arc::as_ptr(caller).addr(), number);
        let mut callers = self.callers.lock().unwrap_or_else(PoisonError::into_inner);
        callers.insert(key, Arc::downgrade(caller));
    }

    /// Tells those who lead calls here.
    fn leave_callers(&mut self) {
        let callers = std::mem::take(self.callers.get_mut().unwrap_or_else(PoisonError::into_inner));
        for ((_, number), caller) in callers {
            if let Some(caller) = caller.upgrade() {
                caller.image_goes(number, self.id());
            }
        }
    }

    /// Whether it is still to be initialised; that is the caller's to do then.
    pub(super) fn claim(&self) -> bool {
        self.runs && !self.initialized.swap(true, Relaxed)
    }

    /// Whether it is initialised.
    pub(super) fn is_initialized(&self) -> bool {
        self.initialized.load(Relaxed) && !self.is_spent.load(Relaxed)
    }

    /// Whether it has been initialised and finalized, and cannot be initialised again: nobody has kept what it was.
    pub(super) fn is_used_up(&self) -> bool {
        self.is_spent.load(Relaxed) && self.initial().is_none()
    }

    fn initial(&self) -> MutexGuard<'_, Option<Snapshot>> {
        self.initial.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has it be possible to initialise the image again: keeps what its memory holds, unless that has been done.
    ///
    /// # Safety
    /// Nobody writes to the memory meanwhile.
    pub(super) unsafe fn keep_initial(&self) {
        let WritableMemory { content, zero_fill } = &self.memory.writable;
        let mut initial = self.initial();
        if self.runs && initial.is_none() && !self.is_spent.load(Relaxed) {
            // SAFETY: the image is mapped; the rest is the caller's promise.
            *initial = Some(unsafe { Snapshot::take(content, zero_fill) });
        }
    }

    /// Makes the memory of an image that was finalized what it was before it was initialised.
    ///
    /// # Errors
    /// Initial contents of thread-local variables cannot be written.
    ///
    /// # Safety
    /// Nobody uses the image.
    pub(super) unsafe fn reset(&self) -> Result<()> {
        let initial = self.initial();
        let Some(initial) = initial.as_ref().filter(|_| self.is_spent.swap(false, Relaxed)) else {
            return Ok(());
        };
        // SAFETY: the image is mapped; the rest is the caller's promise.
        unsafe { initial.restore() };
        self.memory.thread_locals.map_or(Ok(()), |(module, offset)| thread_locals::reset(module, offset))
    }

    /// It was finalized, or is about to be: it can be initialised again, once it is reset.
    pub(super) fn spend(&self) {
        let is_kept = self.initial().is_some();
        if is_kept || self.initialized.load(Relaxed) {
            self.is_spent.store(true, Relaxed);
        }
        if is_kept {
            self.initialized.store(false, Relaxed);
        }
    }

    /// Whether threads have destructors of its objects to run when they end.
    pub(super) fn is_needed_by_threads(&self) -> bool {
        self.runs && has_thread_handlers(self.dso_handle)
    }

    /// What is initialised of it.
    pub(super) fn member(&self, of_program: bool) -> Member<'_> {
        Member { plan: &self.plan, dso_handle: self.dso_handle, of_program }
    }

    /// Runs exit handlers and finalisers; they do not run again.
    fn finalize(&self) {
        if self.runs {
            // SAFETY: the image is mapped as long as it is borrowed. Only code that was called has registered anything,
            // and for such calls somebody has vouched.
            unsafe { update::finalize(&[self.dso_handle]) };
        }
    }

    /// The same for several, as if they were one.
    pub(super) fn finalize_all(images: &[Arc<Self>]) {
        let handles: Vec<_> =
            images.iter().filter(|image| image.runs).map(|image| image.dso_handle).collect();
        // SAFETY: as in `finalize`.
        unsafe { update::finalize(&handles) };
    }
}

impl Drop for Image {
    /// Chains of images are freed one by one: each may be the last to need the next, to any depth.
    fn drop(&mut self) {
        self.leave_callers();
        self.finalize();
        drop(self.visible.take());
        // Once the memory is gone, another image may have the same handle.
        drop(self.owner.take());
        drop(self.allocation.take());
        drop(self.owned.take());
        let mut rest = std::mem::take(&mut self.needs);
        while let Some(image) = rest.pop() {
            if let Some(mut image) = Arc::into_inner(image) {
                rest.append(&mut image.needs);
            }
        }
    }
}
