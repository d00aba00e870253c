//! The order of initialisers and finalisers, and running them.
//!
//! # Safety
//!
//! Runs linked code: an address in an [`InitPlan`] must be that of a function, or of an array of addresses of
//! functions, that has been finalized and stays mapped until it has run. The functions that run a plan are unsafe and
//! ask their caller for this.
#![allow(unsafe_code)]

use crate::base::{AddrRange, ExecutorAddr};
use std::ffi::{c_char, c_int};

/// An initialiser, as glibc calls it.
type InitFn =
    unsafe extern "C-unwind" fn(argc: c_int, argv: *const *const c_char, envp: *const *const c_char);

/// A finaliser.
type FiniFn = unsafe extern "C-unwind" fn();

/// Functions to be run one after the other, all of one priority.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InitStep {
    /// Initialisers of a lower number run earlier, finalisers later, where images are initialised together.
    pub priority: u16,
    /// Which functions.
    pub functions: Functions,
}

/// One function, or an array of them.
///
/// In arrays, entries that are null or all ones are passed over: the latter stands at the head of `.ctors`. The array
/// is read when it is run, not before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Functions {
    /// The function at this address: the pieces of `.init` or `.fini`, joined.
    Call(ExecutorAddr),
    /// Functions whose addresses stand in this range, first to last: `.preinit_array`, `.init_array`, `.fini_array`.
    Array(AddrRange),
    /// Functions whose addresses stand in this range, last to first: `.ctors`, `.dtors`.
    ReversedArray(AddrRange),
}

/// What one image runs before `main`, and after it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InitPlan {
    /// Run first, in order: `.preinit_array`.
    pub preinit: Vec<InitStep>,
    /// Run next, in order: `.init`, then `.ctors` and `.init_array`.
    pub init: Vec<InitStep>,
    /// Run at the end, all in *reverse* order, last entry of the last step first: `.fini`, then `.dtors` and
    /// `.fini_array`.
    pub fini: Vec<InitStep>,
}

impl InitPlan {
    /// Whether there is nothing to run, neither before nor after.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.preinit.is_empty() && self.init.is_empty() && self.fini.is_empty()
    }

    /// Runs the initialisers on the calling thread; what they throw passes through.
    ///
    /// # Safety
    /// Every address in `preinit` and `init` is that of a finalized initialiser (an array's range: of their
    /// addresses) that has not run yet; `argv` and `envp` end with null and stay, since linked code may keep them.
    pub unsafe fn run_initializers(
        &self,
        argc: c_int,
        argv: *const *const c_char,
        envp: *const *const c_char,
    ) {
        for step in self.preinit.iter().chain(&self.init) {
            // SAFETY: the caller's promise.
            unsafe { step.run_initializers(argc, argv, envp) };
        }
    }
}

impl InitStep {
    /// Runs initialisers, first to last.
    ///
    /// # Safety
    /// As for [`InitPlan::run_initializers`].
    pub(super) unsafe fn run_initializers(
        &self,
        argc: c_int,
        argv: *const *const c_char,
        envp: *const *const c_char,
    ) {
        self.functions.for_each(Direction::Forward, |address| {
            let address = std::ptr::with_exposed_provenance::<()>(address);
            // SAFETY: the caller gives addresses of initialisers.
            let function: InitFn = unsafe { std::mem::transmute(address) };
            // SAFETY: the caller promises that it may run now.
            unsafe { function(argc, argv, envp) };
        });
    }

    /// Runs finalisers on the calling thread, last to first; what they throw passes through.
    ///
    /// # Safety
    /// The address is that of a finalized finaliser (an array's range: of their addresses) that has not run yet, and the
    /// initialisers have run.
    pub(super) unsafe fn run_finalizers(&self) {
        self.functions.for_each(Direction::Backward, |address| {
            let address = std::ptr::with_exposed_provenance::<()>(address);
            // SAFETY: the caller gives addresses of finalisers.
            let function: FiniFn = unsafe { std::mem::transmute(address) };
            // SAFETY: the caller promises that it may run now.
            unsafe { function() };
        });
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    Forward,
    Backward,
}

impl Functions {
    /// Calls `run` for each function. Private: reads the arrays that the callers above vouch for.
    fn for_each(self, direction: Direction, mut run: impl FnMut(usize)) {
        let (range, ascending) = match self {
            Self::Call(address) => return run(address.0 as usize),
            Self::Array(range) => (range, direction == Direction::Forward),
            Self::ReversedArray(range) => (range, direction == Direction::Backward),
        };
        let count = range.size() as usize / size_of::<usize>();
        let array = std::ptr::with_exposed_provenance::<usize>(range.start.0 as usize);
        for index in 0..count {
            let index = if ascending { index } else { count - 1 - index };
            // SAFETY: the callers of `InitPlan`'s functions vouch for the range; an initialiser may write to it.
            let entry = unsafe { array.add(index).read_volatile() };
            if entry != 0 && entry != usize::MAX {
                run(entry);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    thread_local! {
        static TRACE: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
    }

    fn note(text: String) {
        TRACE.with_borrow_mut(|trace| trace.push(text));
    }

    macro_rules! function {
        ($name:ident) => {
            extern "C-unwind" fn $name(argc: c_int, argv: *const *const c_char, envp: *const *const c_char) {
                note(format!("{} {argc} {} {}", stringify!($name), argv.addr(), envp.addr()));
            }
        };
    }
    macro_rules! finaliser {
        ($name:ident) => {
            extern "C-unwind" fn $name() {
                note(stringify!($name).to_owned());
            }
        };
    }
    function!(first);
    function!(second);
    function!(third);
    finaliser!(last);
    finaliser!(before_last);
    finaliser!(leave_early);

    extern "C-unwind" fn throws(_: c_int, _: *const *const c_char, _: *const *const c_char) {
        std::panic::resume_unwind(Box::new("thrown"));
    }

    fn range(array: &[usize]) -> AddrRange {
        AddrRange::from_size(ExecutorAddr(array.as_ptr() as u64), size_of_val(array) as u64)
    }

    fn call(function: *const ()) -> InitStep {
        step(Functions::Call(ExecutorAddr(function as u64)))
    }

    fn step(functions: Functions) -> InitStep {
        InitStep { priority: u16::MAX, functions }
    }

    fn trace() -> Vec<String> {
        TRACE.take()
    }

    #[test]
    fn initialisers_run_in_order_with_the_arguments() {
        let ctors = [usize::MAX, third as *const () as usize, second as *const () as usize, 0];
        let array = [first as *const () as usize, 0, third as *const () as usize];
        let plan = InitPlan {
            preinit: vec![call(first as *const ())],
            init: vec![
                call(second as *const ()),
                step(Functions::ReversedArray(range(&ctors))),
                step(Functions::Array(range(&array))),
                step(Functions::Array(AddrRange::default())),
            ],
            fini: Vec::new(),
        };
        let (argv, envp) = ([std::ptr::null::<c_char>()], [std::ptr::null::<c_char>()]);
        // SAFETY: the functions are those above.
        unsafe { plan.run_initializers(3, argv.as_ptr(), envp.as_ptr()) };
        let with_arguments = |name| format!("{name} 3 {} {}", argv.as_ptr().addr(), envp.as_ptr().addr());
        assert_eq!(trace(), ["first", "second", "second", "third", "first", "third"].map(with_arguments));
    }

    #[test]
    fn finalisers_run_in_reverse_order() {
        let array = [before_last as *const () as usize, leave_early as *const () as usize];
        let dtors = [usize::MAX, leave_early as *const () as usize, before_last as *const () as usize];
        let plan = InitPlan {
            fini: vec![
                call(last as *const ()),
                step(Functions::ReversedArray(range(&dtors))),
                step(Functions::Array(range(&array))),
            ],
            ..InitPlan::default()
        };
        // SAFETY: the functions are those above.
        plan.fini.iter().rev().for_each(|step| unsafe { step.run_finalizers() });
        assert_eq!(trace(), ["leave_early", "before_last", "leave_early", "before_last", "last"]);
    }

    #[test]
    fn what_an_initialiser_throws_reaches_the_caller() {
        let steps = [first as *const (), throws as *const (), second as *const ()];
        let plan = InitPlan { init: steps.map(call).to_vec(), ..InitPlan::default() };
        let run = || {
            // SAFETY: the functions are those above.
            unsafe { plan.run_initializers(0, std::ptr::null(), std::ptr::null()) }
        };
        let thrown = catch_unwind(AssertUnwindSafe(run)).unwrap_err();
        assert_eq!(thrown.downcast_ref(), Some(&"thrown"));
        assert_eq!(trace(), ["first 0 0 0"]);
    }
}
