//! The memory of what was linked together, and what keeps it alive.
//!
//! # Safety
//! Finalisers of linked code run only if its initialisers have run, for which somebody vouched.
#![allow(unsafe_code)]

use super::thread_locals::ThreadLocals;
use crate::alloc::FinalizedAllocation;
use crate::base::{ExecutorAddr, Result};
use crate::link::LinkedSymbols;
use crate::runtime::program::{finalize_image, initialize_image};
use crate::runtime::visible::Visible;
use crate::runtime::{self, InitPlan};
use std::any::Any;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// The memory of units that were linked together. It is freed when nobody needs it any more: its units, what refers to
/// it, and typed symbols each hold it.
pub(crate) struct Image {
    allocation: Option<Box<dyn FinalizedAllocation>>,
    /// What it refers to: freed after it.
    needs: Vec<Arc<Image>>,
    plan: Mutex<InitPlan>,
    dso_handle: ExecutorAddr,
    pub(super) thread_locals: Option<ThreadLocals>,
    /// What the process sees of it.
    visible: Option<Visible>,
    /// Whether code of it may have registered exit handlers.
    runs: bool,
    initialized: AtomicBool,
    /// Images are numbered in the order of linking.
    pub(super) sequence: u64,
    /// What is known of its addresses, if that was kept.
    symbols: Option<Arc<LinkedSymbols<'static>>>,
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
}

impl Image {
    pub(super) fn new(parts: ImageParts) -> Self {
        let ImageParts {
            allocation,
            needs,
            plan,
            dso_handle,
            thread_locals,
            visible,
            runs,
            sequence,
            symbols,
        } = parts;
        Self {
            symbols,
            owned: None,
            callers: Mutex::default(),
            allocation: Some(allocation),
            needs,
            plan: Mutex::new(plan),
            dso_handle,
            thread_locals,
            visible,
            runs: runs && !dso_handle.is_null(),
            initialized: AtomicBool::new(false),
            sequence,
        }
    }

    /// Memory that is no link's.
    pub(super) fn of_owner(owned: Arc<dyn Any + Send + Sync>, sequence: u64) -> Self {
        Self {
            allocation: None,
            needs: Vec::new(),
            plan: Mutex::default(),
            dso_handle: ExecutorAddr::NULL,
            thread_locals: None,
            visible: None,
            runs: false,
            initialized: AtomicBool::new(false),
            sequence,
            symbols: None,
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

    /// Runs the initialisers, unless they have run.
    ///
    /// # Safety
    /// They may run now.
    pub(super) unsafe fn initialize(&self) -> Result<()> {
        if !self.runs || self.initialized.swap(true, Relaxed) {
            return Ok(());
        }
        let plan = std::mem::take(&mut *self.plan.lock().unwrap_or_else(PoisonError::into_inner));
        if plan.is_empty() {
            return Ok(());
        }
        // SAFETY: the image is finalized and has not been initialised; dropping it finalizes it first. The rest is the
        // caller's promise.
        unsafe { initialize_image(plan, self.dso_handle) }
    }

    /// Runs exit handlers and finalisers; they do not run again.
    pub(super) fn finalize(&self) {
        if self.runs {
            // SAFETY: the image is mapped as long as it is borrowed. Only code that was called has registered anything,
            // and for such calls somebody has vouched.
            unsafe { finalize_image(self.dso_handle) };
        }
    }
}

impl Drop for Image {
    /// Chains of images are freed one by one: each may be the last to need the next, to any depth.
    fn drop(&mut self) {
        self.leave_callers();
        self.finalize();
        drop(self.visible.take());
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

/// The plan of a linked image's initialisers.
pub(super) fn plan_of(functions: &crate::link::InitFunctions) -> InitPlan {
    use crate::link::InitStep;
    let convert = |steps: &[InitStep]| {
        let step = |step: &InitStep| match *step {
            InitStep::Call(address) => runtime::InitStep::Call(address),
            InitStep::Array(range) => runtime::InitStep::Array(range),
            InitStep::ReversedArray(range) => runtime::InitStep::ReversedArray(range),
        };
        steps.iter().map(step).collect()
    };
    InitPlan {
        preinit: convert(&functions.preinit),
        init: convert(&functions.init),
        fini: convert(&functions.fini),
    }
}
