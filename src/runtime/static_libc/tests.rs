use super::super::exit_handlers::{self, Manner};
use super::super::{action, images};
use super::*;
use crate::base::AddrRange;
use std::ffi::{CString, c_int};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Registering an image for this program's own code would change what tests at the same time see: one at a time.
static IMAGE: Mutex<()> = Mutex::new(());

fn address(name: &[u8]) -> usize {
    lookup(name).unwrap().0 as usize
}

/// Runs `work` while the code at `start` is an image whose handle is at `handle`.
fn with_image(start: usize, handle: usize, work: impl FnOnce()) {
    let _one = IMAGE.lock().unwrap();
    let range = AddrRange::from_size(ExecutorAddr(start as u64), 1);
    let pair = images::image_actions(range, ExecutorAddr(handle as u64));
    assert_eq!(action::tests::run(&pair.finalize.unwrap()), action::status::OK);
    work();
    assert_eq!(action::tests::run(&pair.deallocate.unwrap()), action::status::OK);
}

fn finalize(handle: usize) {
    assert_ne!(handle, 0);
    // SAFETY: the handle is an address of this test's, under which only its own handlers are registered.
    unsafe { exit_handlers::finalize(&[ExecutorAddr(handle as u64)], Manner::Close) };
}

#[test]
fn handlers_run_when_the_image_that_holds_them_is_finalized() {
    static RUNS: AtomicUsize = AtomicUsize::new(0);
    extern "C" fn handler() {
        RUNS.fetch_add(1, Ordering::Relaxed);
    }
    // SAFETY: atexit's type.
    let atexit: extern "C" fn(extern "C" fn()) -> c_int = unsafe { std::mem::transmute(address(b"atexit")) };
    let handle = (&raw const RUNS).expose_provenance();
    with_image(handler as *const () as usize, handle, || {
        assert_eq!((atexit(handler), atexit(handler)), (0, 0));
        assert_eq!(RUNS.load(Ordering::Relaxed), 0);
        finalize(handle);
        assert_eq!(RUNS.load(Ordering::Relaxed), 2);
        finalize(handle);
        assert_eq!(RUNS.load(Ordering::Relaxed), 2);
        assert_eq!(atexit(handler), 0);
    });
    finalize(handle);
    assert_eq!(RUNS.load(Ordering::Relaxed), 2, "what lies in an image that has gone is not called");
}

/// Code that calls its second argument with the first, and the offset that the call returns to.
#[cfg(target_arch = "x86_64")]
const CALL: (&[u8], usize) = {
    // sub rsp, 8; mov rax, rsi; call rax; add rsp, 8; ret
    (&[0x48, 0x83, 0xec, 8, 0x48, 0x89, 0xf0, 0xff, 0xd0, 0x48, 0x83, 0xc4, 8, 0xc3], 9)
};
#[cfg(target_arch = "aarch64")]
const CALL: (&[u8], usize) = {
    // stp x29, x30, [sp, #-16]!; blr x1; ldp x29, x30, [sp], #16; ret
    (&[0xfd, 0x7b, 0xbf, 0xa9, 0x20, 0, 0x3f, 0xd6, 0xfd, 0x7b, 0xc1, 0xa8, 0xc0, 0x03, 0x5f, 0xd6], 8)
};

/// Gives `around` a function that calls `register(handler)` from code elsewhere, and the return address there.
fn call_from_page(register: usize, handler: usize, around: impl FnOnce(usize, &dyn Fn() -> c_int)) {
    const SIZE: usize = 1 << 16;
    // SAFETY: a fresh mapping, written before it is made executable; the code is a function of this type.
    unsafe {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        let page = libc::mmap(std::ptr::null_mut(), SIZE, libc::PROT_READ | libc::PROT_WRITE, flags, -1, 0);
        assert_ne!(page, libc::MAP_FAILED);
        page.cast::<u8>().copy_from_nonoverlapping(CALL.0.as_ptr(), CALL.0.len());
        assert_eq!(libc::mprotect(page, SIZE, libc::PROT_READ | libc::PROT_EXEC), 0);
        crate::sys::icache::flush(page as u64..page as u64 + SIZE as u64);
        let function: extern "C" fn(usize, usize) -> c_int = std::mem::transmute(page);
        around(page as usize + CALL.1, &|| function(handler, register));
    }
}

#[test]
fn handlers_from_elsewhere_belong_to_the_image_that_registers_them() {
    static RUNS: AtomicUsize = AtomicUsize::new(0);
    extern "C" fn handler() {
        RUNS.fetch_add(1, Ordering::Relaxed);
    }
    let handle = (&raw const RUNS).expose_provenance();
    call_from_page(address(b"atexit"), handler as *const () as usize, |return_address, call| {
        with_image(return_address, handle, || {
            assert_eq!(call(), 0);
            finalize(handle);
        });
    });
    assert_eq!(RUNS.load(Ordering::Relaxed), 1);
}

#[test]
fn fork_handlers_run_until_their_image_is_finalized() {
    static RUNS: AtomicUsize = AtomicUsize::new(0);
    extern "C" fn prepare() {
        RUNS.fetch_add(1, Ordering::Relaxed);
    }
    type Handler = Option<extern "C" fn()>;
    // SAFETY: pthread_atfork's type.
    let register: extern "C" fn(Handler, Handler, Handler) -> c_int =
        unsafe { std::mem::transmute(address(b"pthread_atfork")) };
    let fork = || {
        // SAFETY: the child does nothing but end.
        unsafe {
            let child = libc::fork();
            if child == 0 {
                libc::_exit(0);
            }
            assert_eq!(libc::waitpid(child, std::ptr::null_mut(), 0), child);
        }
    };
    let handle = (&raw const RUNS).expose_provenance();
    with_image(prepare as *const () as usize, handle, || assert_eq!(register(Some(prepare), None, None), 0));
    fork();
    let while_registered = RUNS.load(Ordering::Relaxed);
    assert!(while_registered >= 1);
    finalize(handle);
    let before = RUNS.load(Ordering::Relaxed);
    fork();
    assert_eq!(RUNS.load(Ordering::Relaxed), before);
}

#[test]
fn quick_exit_handlers_run_at_quick_exit() {
    extern "C" fn handler() {
        // SAFETY: ends the child of the test below.
        unsafe { libc::_exit(43) };
    }
    // SAFETY: at_quick_exit's type.
    let register: extern "C" fn(extern "C" fn()) -> c_int =
        unsafe { std::mem::transmute(address(b"at_quick_exit")) };
    unsafe extern "C" {
        fn quick_exit(status: c_int) -> !;
    }
    // SAFETY: the child calls only functions that may be called after fork, on the C library's side; at_quick_exit's
    // lock is taken by no other test.
    let status = unsafe {
        let child = libc::fork();
        if child == 0 {
            if register(handler) != 0 {
                libc::_exit(1);
            }
            quick_exit(2);
        }
        let mut status = 0;
        assert_eq!(libc::waitpid(child, &raw mut status, 0), child);
        status
    };
    assert_eq!((libc::WIFEXITED(status), libc::WEXITSTATUS(status)), (true, 43));
}

#[test]
fn names_that_only_a_static_link_gives_are_found() {
    for name in ["atexit", "at_quick_exit", "pthread_atfork", "__pthread_atfork", "__stack_chk_fail_local"] {
        assert!(lookup(name.as_bytes()).is_some(), "{name}");
    }
    for name in ["", "exit", "atexi", "atexit\0", "zzz", "__cxa_atexit"] {
        assert!(lookup(name.as_bytes()).is_none(), "{name}");
    }
}

#[test]
fn the_stat_family_is_left_to_a_c_library_that_has_it() {
    for name in ["stat", "lstat64", "fstat", "fstatat", "mknod", "mknodat"] {
        let exported = crate::sys::dl::lookup(name.as_bytes()).is_some();
        assert_eq!(lookup(name.as_bytes()).is_none(), exported, "{name}");
    }
}

#[test]
fn the_table_is_sorted() {
    assert!(glibc::TABLE.is_sorted_by(|a, b| a.0 < b.0));
}

#[test]
fn the_stat_family_agrees_with_the_c_library() {
    let directory = tempfile::tempdir().unwrap();
    let (file, link, fifo) =
        (directory.path().join("file"), directory.path().join("link"), directory.path().join("fifo"));
    std::fs::write(&file, "twelve bytes").unwrap();
    std::os::unix::fs::symlink(&file, &link).unwrap();
    let c_path = |path: &std::path::Path| CString::new(path.as_os_str().as_bytes()).unwrap();
    // SAFETY: all-zero is a valid stat.
    let mut out: libc::stat = unsafe { std::mem::zeroed() };
    let key =
        |out: &libc::stat| (out.st_ino, out.st_mode, out.st_size as u64, out.st_mtime, out.st_mtime_nsec);
    let expected =
        |meta: std::fs::Metadata| (meta.ino(), meta.mode(), meta.size(), meta.mtime(), meta.mtime_nsec());
    // SAFETY: the paths end with zero, and `out` is a stat.
    unsafe {
        assert_eq!(stat::stat(c_path(&link).as_ptr(), &raw mut out), 0);
        assert_eq!(key(&out), expected(std::fs::metadata(&file).unwrap()));
        assert_eq!(stat::lstat(c_path(&link).as_ptr(), &raw mut out), 0);
        assert_eq!(key(&out), expected(std::fs::symlink_metadata(&link).unwrap()));
        let open = std::fs::File::open(&file).unwrap();
        assert_eq!(stat::fstat(std::os::fd::AsRawFd::as_raw_fd(&open), &raw mut out), 0);
        assert_eq!(key(&out), expected(open.metadata().unwrap()));
        assert_eq!(stat::mknod(c_path(&fifo).as_ptr(), libc::S_IFIFO | 0o600, 0), 0);
        assert_eq!(stat::stat(c_path(&fifo).as_ptr(), &raw mut out), 0);
        assert_eq!(out.st_mode & libc::S_IFMT, libc::S_IFIFO);
        assert_eq!(stat::mknod(c_path(&fifo).as_ptr(), libc::S_IFCHR, 1 << 32), -1);
        assert_eq!(std::io::Error::last_os_error().raw_os_error(), Some(libc::EINVAL));
        assert_eq!(stat::stat(c"/no/such/file".as_ptr(), &raw mut out), -1);
        assert_eq!(std::io::Error::last_os_error().raw_os_error(), Some(libc::ENOENT));
    }
}
