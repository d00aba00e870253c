//! Objects to add, and calls of what is in them.

use jitlink::base::ExecutorAddr;
use jitlink::session::{Jit, JitDylib, ObjectBuffer};
use jitlink_test_support::arch::Arch;
use jitlink_test_support::cache;
use jitlink_test_support::process::{run, show};
use jitlink_test_support::toolchain::Compiler;
use std::ffi::c_void;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The directory with `NAME.o`, compiled from C (or from C++, if the name says so).
pub(crate) fn compiled(name: &str, text: &str) -> PathBuf {
    compiled_with(name, text, &[])
}

/// A Mach-O object for this machine's architecture.
pub(crate) fn mach_object(name: &str, text: &str) -> ObjectBuffer {
    let triple = if Arch::host() == Arch::Aarch64 { "arm64-apple-macos13" } else { "x86_64-apple-macos13" };
    let dir = compiled_with(name, text, &["-target", triple]);
    ObjectBuffer::new(format!("{name}.o"), std::fs::read(dir.join("object.o")).expect("an object"))
}

pub(crate) fn compiled_with(name: &str, text: &str, flags: &[&str]) -> PathBuf {
    let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join("sessions");
    let source = if name.contains('.') { name.to_owned() } else { format!("{name}.c") };
    let dir = cache::filled(&root, name, &(text, flags), |dir| {
        std::fs::write(dir.join(&source), text).map_err(|error| error.to_string())?;
        let mut command = Compiler::Clang.for_source(Arch::host(), Path::new(&source));
        command.current_dir(dir).args(["-O1", "-c", &source, "-o", "object.o"]);
        command.args(flags);
        run(&mut command, b"")?.success().map(drop).map_err(|what| format!("{}\n{what}", show(&command)))
    });
    dir.expect("the source compiles")
}

/// An object, called `NAME.o`.
pub(crate) fn object(name: &str, text: &str) -> ObjectBuffer {
    let bytes = std::fs::read(compiled(name, text).join("object.o")).expect("an object");
    ObjectBuffer::new(format!("{name}.o"), bytes)
}

/// An object compiled with flags of its own.
pub(crate) fn object_with(name: &str, text: &str, flags: &[&str]) -> ObjectBuffer {
    let dir = compiled_with(name, text, flags);
    ObjectBuffer::new(format!("{name}.o"), std::fs::read(dir.join("object.o")).expect("an object"))
}

/// The return addresses that the unwinder finds on this thread's stack, innermost first.
pub(crate) fn return_addresses() -> Vec<u64> {
    unsafe extern "C" {
        fn _Unwind_Backtrace(trace: extern "C" fn(*mut c_void, *mut c_void) -> i32, data: *mut c_void)
        -> i32;
        fn _Unwind_GetIP(context: *mut c_void) -> usize;
    }
    extern "C" fn note(context: *mut c_void, data: *mut c_void) -> i32 {
        // SAFETY: the data is the vector below, and the context the unwinder's.
        unsafe { (*data.cast::<Vec<u64>>()).push(_Unwind_GetIP(context) as u64) };
        0
    }
    let mut list: Vec<u64> = Vec::new();
    // SAFETY: the callback takes a vector of this type.
    unsafe { _Unwind_Backtrace(note, (&raw mut list).cast()) };
    list
}

/// A façade with these objects in its main dylib.
pub(crate) fn jit(objects: &[(&str, &str)]) -> Jit {
    let jit = Jit::new().expect("address space");
    for (name, text) in objects {
        jit.main().add_object(object(name, text)).expect("the object can be added");
    }
    jit
}

/// Calls the `int f(int)` at an address.
pub(crate) fn call_at(address: ExecutorAddr, argument: i32) -> i32 {
    let pointer = std::ptr::with_exposed_provenance::<()>(address.0 as usize);
    // SAFETY: the tests call functions of this type only, which are not freed meanwhile.
    let function: extern "C" fn(i32) -> i32 = unsafe { std::mem::transmute(pointer) };
    function(argument)
}

/// Calls `int name(int)` of a dylib.
pub(crate) fn call(dylib: &JitDylib, name: &str, argument: i32) -> i32 {
    call_at(dylib.lookup(name).unwrap_or_else(|error| panic!("{name}: {error}")).address, argument)
}

/// For tests that look at the whole process.
pub(crate) fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}
