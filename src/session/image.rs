//! The memory of what was linked together, and what keeps it alive.
//!
//! # Safety
//! Finalisers of linked code run only if its initialisers have run, for which somebody vouched.
#![allow(unsafe_code)]

use crate::alloc::FinalizedAllocation;
use crate::base::{ExecutorAddr, Result};
use crate::runtime::program::{finalize_image, initialize_image};
use crate::runtime::{self, InitPlan};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

/// The memory of units that were linked together. It is freed when nobody needs it any more: its units, what refers to
/// it, and typed symbols each hold it.
pub(super) struct Image {
    allocation: Option<Box<dyn FinalizedAllocation>>,
    /// What it refers to: freed after it.
    needs: Vec<Arc<Image>>,
    plan: Mutex<InitPlan>,
    dso_handle: ExecutorAddr,
    /// Whether code of it may have registered exit handlers.
    runs: bool,
    initialized: AtomicBool,
    /// Images are numbered in the order of linking.
    pub(super) sequence: u64,
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
    pub(super) runs: bool,
    pub(super) sequence: u64,
}

impl Image {
    pub(super) fn new(parts: ImageParts) -> Self {
        let ImageParts { allocation, needs, plan, dso_handle, runs, sequence } = parts;
        Self {
            allocation: Some(allocation),
            needs,
            plan: Mutex::new(plan),
            dso_handle,
            runs: runs && !dso_handle.is_null(),
            initialized: AtomicBool::new(false),
            sequence,
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
        self.finalize();
        drop(self.allocation.take());
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
