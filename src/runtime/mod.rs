//! What happens in the executing process: unwind registration, indirect functions, initialisers and finalisers,
//! running a program, and the parts of the C library that only static linking gives.
//!
//! Work that belongs to an allocation is given as [allocation actions](crate::base::ActionPair): the controller encodes
//! what is to be done into bytes, the executor decodes and does it. The codes they return are in [`status`].
//!
//! # What the start files of a static link would give, and where it comes from here
//!
//! | name | here |
//! |---|---|
//! | `_start`, `__libc_start_main` | [`program`]: the process has started already |
//! | `_init`, `_fini` | pieces of `.init` and `.fini` are steps of an [`InitPlan`] |
//! | `__dso_handle` | made by the link driver, one in each image |
//! | `atexit` and what else glibc keeps in its static part | [`static_libc`] |
//! | `__cxa_atexit`, `__cxa_finalize`, `__cxa_thread_atexit` | [`exit_handlers`], by image |
//! | `environ`, `__progname`, `program_invocation_name` | the C library of this process |
//! | `__libc_csu_init`, `__libc_csu_fini` | not given: they are called by old start files alone |
//! | `__data_start`, `data_start`, `_IO_stdin_used`, `__gmon_start__` | not given: weak or unused outside of start files |
//!
//! What linked code asks of whoever linked it goes up through [`owners`]: `dlopen` and its kin ([`dlfcn`]), callbacks and
//! dispatch ([`callbacks`]).
//!
//! # Panics
//!
//! What linked code calls here never panics, and what calls linked code lets its exceptions pass.

mod action;
#[cfg(target_arch = "aarch64")]
#[path = "aarch64/mod.rs"]
mod arch;
#[cfg(target_arch = "x86_64")]
#[path = "x86_64/mod.rs"]
mod arch;
pub mod builtins;
pub mod callbacks;
mod catch;
pub mod copy;
pub mod crash;
pub mod darwin;
pub mod debugger;
pub mod dlfcn;
pub mod exit_handlers;
pub mod ifunc;
pub mod images;
pub mod init;
pub mod owners;
pub mod perf;
pub mod program;
pub mod promise;
pub mod reentry;
pub mod snapshot;
pub mod static_libc;
pub mod thread_locals;
pub mod unwind;
pub mod update;
pub mod visible;

pub use action::{ActionFn, status};
pub use init::{Functions, InitPlan, InitStep};
pub use program::{Program, Running, exit};
