use super::super::init::Functions;
use super::*;
use std::sync::atomic::{AtomicUsize, Ordering};

static TRACE: Mutex<Vec<usize>> = Mutex::new(Vec::new());

/// One test at a time notes what runs.
static ONE: Mutex<()> = Mutex::new(());

fn one() -> MutexGuard<'static, ()> {
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

unsafe extern "C-unwind" fn note(data: *mut c_void) {
    TRACE.lock().unwrap().push(data.addr());
}

unsafe extern "C-unwind" fn note_one(_: *mut c_void) {
    TRACE.lock().unwrap().push(1000);
}

fn trace() -> Vec<usize> {
    std::mem::take(&mut TRACE.lock().unwrap())
}

/// A handle that is no image's.
fn handle() -> ExecutorAddr {
    static NEXT: AtomicUsize = AtomicUsize::new(0x6000_0000_0000_0000);
    ExecutorAddr(NEXT.fetch_add(16, Ordering::Relaxed) as u64)
}

fn at_exit(value: usize, handle: ExecutorAddr) {
    let (data, handle) = (std::ptr::without_provenance_mut(value), pointer(handle.0));
    // SAFETY: the handler notes its argument.
    assert_eq!(unsafe { register_at_exit(note, data, handle) }, 0);
}

fn at_thread_exit(value: usize, handle: ExecutorAddr) {
    let object = std::ptr::without_provenance_mut(value);
    // SAFETY: as above.
    assert_eq!(unsafe { register_at_thread_exit(note, object, pointer(handle.0)) }, 0);
}

fn finalize_all(handles: &[ExecutorAddr]) {
    // SAFETY: what is registered under these handles is the test's own.
    unsafe { finalize(handles, Manner::Close) };
}

#[test]
fn images_are_finalized_as_one_in_reverse_order() {
    let _one = one();
    let [a, b, c] = [handle(), handle(), handle()];
    let step =
        InitStep { priority: 0, functions: Functions::Call(ExecutorAddr(note_one as *const () as u64)) };
    // SAFETY: the finaliser notes that it ran.
    unsafe { add_finalizers(step, a, false) }.unwrap();
    for (value, handle) in [(1, a), (2, b), (3, c), (4, a), (5, b)] {
        at_exit(value, handle);
    }
    finalize_all(&[a, b]);
    assert_eq!(trace(), [5, 4, 2, 1, 1000]);
    finalize_all(&[a, b]);
    assert!(trace().is_empty(), "nothing runs twice");
    finalize_all(&[c]);
    assert_eq!(trace(), [3]);
}

#[test]
fn finalisers_without_a_priority_come_first_where_a_library_is_closed() {
    let _one = one();
    for (manner, order) in [(Manner::Close, [1000, 1]), (Manner::Exit, [1, 1000])] {
        let a = handle();
        let functions = Functions::Call(ExecutorAddr(note_one as *const () as u64));
        // SAFETY: the finaliser notes that it ran.
        unsafe { add_finalizers(InitStep { priority: u16::MAX, functions }, a, false) }.unwrap();
        at_exit(1, a);
        // SAFETY: what is registered under the handle is the test's own.
        unsafe { finalize(&[a], manner) };
        assert_eq!(trace(), order);
    }
}

#[test]
fn what_a_handler_registers_runs_next() {
    let _one = one();
    static HANDLE: AtomicUsize = AtomicUsize::new(0);
    unsafe extern "C-unwind" fn registers(_: *mut c_void) {
        TRACE.lock().unwrap().push(7);
        at_exit(8, ExecutorAddr(HANDLE.load(Ordering::Relaxed) as u64));
    }
    let a = handle();
    HANDLE.store(a.0 as usize, Ordering::Relaxed);
    at_exit(1, a);
    // SAFETY: the handler is the one above.
    assert_eq!(unsafe { register_at_exit(registers, std::ptr::null_mut(), pointer(a.0)) }, 0);
    finalize_all(&[a]);
    assert_eq!(trace(), [7, 8, 1]);
}

#[test]
fn a_finaliser_of_what_failed_does_not_run() {
    let _one = one();
    let a = handle();
    let step =
        InitStep { priority: 0, functions: Functions::Call(ExecutorAddr(note_one as *const () as u64)) };
    let first = latest();
    // SAFETY: the finaliser notes that it ran, if it does.
    unsafe { add_finalizers(step, a, false) }.unwrap();
    at_exit(1, a);
    forget_finalizers(&[a], first);
    finalize_all(&[a]);
    assert_eq!(trace(), [1]);
}

#[test]
fn destructors_run_when_their_thread_ends_or_the_image_is_finalized_by_it() {
    let _one = one();
    let [a, b] = [handle(), handle()];
    std::thread::spawn(move || {
        at_thread_exit(1, a);
        at_thread_exit(2, b);
        at_thread_exit(3, a);
        assert!(has_thread_handlers(a) && has_thread_handlers(b));
        finalize_all(&[a]);
        assert_eq!(trace(), [3, 1]);
        assert!(!has_thread_handlers(a));
    })
    .join()
    .unwrap();
    assert_eq!(trace(), [2], "the thread has ended");
}

#[test]
fn destructors_of_an_image_that_has_gone_are_not_called() {
    let _one = one();
    let a = handle();
    let (to_thread, from_test) = std::sync::mpsc::channel::<()>();
    let (to_test, from_thread) = std::sync::mpsc::channel();
    let thread = std::thread::spawn(move || {
        at_thread_exit(1, a);
        to_test.send(()).unwrap();
        from_test.recv().unwrap();
    });
    from_thread.recv().unwrap();
    finalize_all(&[a]);
    assert!(trace().is_empty(), "another thread's objects are not this one's to destroy");
    forget(a);
    to_thread.send(()).unwrap();
    thread.join().unwrap();
    assert!(trace().is_empty());
}

#[test]
fn handlers_of_memory_that_goes_are_forgotten() {
    let _one = one();
    let a = handle();
    at_exit(1, a);
    forget(a);
    finalize_all(&[a]);
    assert!(trace().is_empty());
}

#[test]
fn the_names_are_found() {
    for name in ["__cxa_atexit", "__cxa_finalize", "__cxa_thread_atexit", "__cxa_thread_atexit_impl"] {
        assert!(lookup(name.as_bytes()).is_some(), "{name}");
    }
    assert!(lookup(b"__cxa_atexi").is_none());
}
