//! Each scenario runs in a child process, this test program itself, whose trace and status are compared.

use super::super::exit_handlers;
use super::super::init::{Functions, InitStep};
use super::*;
use crate::base::AddrRange;
use jitlink_test_support::arch::Arch;
use std::ffi::CStr;

const SCENARIO: &str = "JITLINK_TEST_PROGRAM_SCENARIO";

/// Writes a line that [`trace_of`] finds again, by the C library alone.
fn say(text: &str) {
    let line = format!("\n@{text}\n");
    // SAFETY: the pointer and length are those of `line`.
    assert_eq!(unsafe { libc::write(1, line.as_ptr().cast(), line.len()) }, line.len() as isize);
}

/// Runs `scenario` in a child; gives what it said, and its exit status or, negative, its signal.
fn trace_of(scenario: &str) -> (Vec<String>, i32) {
    use std::os::unix::process::ExitStatusExt;
    let output = Arch::host()
        .command(std::env::current_exe().unwrap())
        .args(["--exact", "runtime::program::tests::scenario_of_the_environment"])
        .arg("--nocapture")
        .env(SCENARIO, scenario)
        .output()
        .unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    let lines = stdout.lines().filter_map(|line| line.strip_prefix('@')).map(str::to_owned).collect();
    let status = output.status.code().or_else(|| output.status.signal().map(|signal| -signal));
    (lines, status.unwrap())
}

fn check(scenario: &str, trace: &[&str], status: i32) {
    assert_eq!(
        trace_of(scenario),
        (trace.iter().map(|line| (*line).to_owned()).collect(), status),
        "{scenario}"
    );
}

macro_rules! handler {
    ($name:ident, $text:expr) => {
        unsafe extern "C-unwind" fn $name(_: *mut c_void) {
            say($text);
        }
    };
}
handler!(handler_of_initialiser, "handler of initialiser");
handler!(handler_of_main, "handler of main");
handler!(handler_of_process, "handler of process");

/// Its address is the `__dso_handle` of the scenarios' image.
static HANDLE: u8 = 0;

fn at_exit(handler: OutermostFn, dso_handle: *const u8) {
    let handle = dso_handle.cast_mut().cast();
    // SAFETY: the handlers above take nothing.
    assert_eq!(unsafe { exit_handlers::register_at_exit(handler, std::ptr::null_mut(), handle) }, 0);
}

extern "C-unwind" fn preinitialise() {
    say("preinitialiser");
}

extern "C-unwind" fn initialise(argc: c_int, argv: *const *const c_char, _: *const *const c_char) {
    // SAFETY: the scenarios give one argument.
    say(&format!("initialiser {argc} {:?}", unsafe { CStr::from_ptr(*argv) }));
    at_exit(handler_of_initialiser, &raw const HANDLE);
}

extern "C-unwind" fn exits_at_once() {
    // SAFETY: linked code may do this anywhere.
    unsafe { libc::exit(9) };
}

extern "C-unwind" fn finalise_last() {
    say("last finaliser");
}

extern "C-unwind" fn finalise() {
    say("finaliser");
}

static FINI: [extern "C-unwind" fn(); 2] = [finalise_last, finalise];

fn step(functions: Functions) -> InitStep {
    InitStep { priority: u16::MAX, functions }
}

fn call(function: *const ()) -> InitStep {
    step(Functions::Call(ExecutorAddr(function as u64)))
}

fn program(main: *const ()) -> Program {
    let fini = AddrRange::from_size(ExecutorAddr((&raw const FINI) as u64), size_of_val(&FINI) as u64);
    Program {
        plan: InitPlan {
            preinit: vec![call(preinitialise as *const ())],
            init: vec![call(initialise as *const ())],
            fini: vec![step(Functions::Array(fini))],
        },
        main: ExecutorAddr(main as u64),
        dso_handle: ExecutorAddr((&raw const HANDLE) as u64),
    }
}

fn name() -> Vec<CString> {
    vec![c"dir/name.o".to_owned()]
}

extern "C-unwind" fn main_returns(argc: c_int, argv: *mut *mut c_char, envp: *mut *mut c_char) -> c_int {
    // SAFETY: `argv` and `envp` end with null.
    unsafe {
        let first = CStr::from_ptr(*argv);
        let ended = (*argv.add(argc as usize)).is_null();
        say(&format!("main {argc} {first:?} {ended} {}", std::ptr::eq(envp, environ)));
    }
    at_exit(handler_of_main, &raw const HANDLE);
    7
}

extern "C-unwind" fn main_exits(_: c_int, _: *mut *mut c_char, _: *mut *mut c_char) -> c_int {
    say("main");
    at_exit(handler_of_main, &raw const HANDLE);
    // SAFETY: linked code may do this anywhere.
    unsafe { libc::exit(8) }
}

extern "C-unwind" fn main_ends_its_thread(_: c_int, _: *mut *mut c_char, _: *mut *mut c_char) -> c_int {
    say("main");
    // SAFETY: no frame between here and the outermost one has anything to drop.
    unsafe { libc::pthread_exit(std::ptr::null_mut()) }
}

extern "C-unwind" fn main_throws(_: c_int, _: *mut *mut c_char, _: *mut *mut c_char) -> c_int {
    #[repr(C, align(16))]
    struct Exception([u64; 8]);
    unsafe extern "C-unwind" {
        fn _Unwind_RaiseException(exception: *mut Exception) -> c_int;
    }
    let mut exception = Exception([0; 8]);
    exception.0[0] = u64::from_be_bytes(*b"JITLTEST");
    // SAFETY: an exception object without a function that deletes it.
    let reason = unsafe { _Unwind_RaiseException(&raw mut exception) };
    // On AArch64 libgcc 12 loses the reason (GCC bug 114843): that it returns at all is what can be told.
    say(&format!("raised: {}", if cfg!(target_arch = "aarch64") { 5 } else { reason }));
    6
}

extern "C-unwind" fn main_looks_around(_: c_int, _: *mut *mut c_char, _: *mut *mut c_char) -> c_int {
    for signal in [libc::SIGPIPE, libc::SIGSEGV, libc::SIGBUS] {
        // SAFETY: only asks; all-zero is a valid sigaction.
        let action = unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            assert_eq!(libc::sigaction(signal, std::ptr::null(), &raw mut action), 0);
            action
        };
        say(&format!("default: {}", action.sa_sigaction == libc::SIG_DFL));
    }
    0
}

#[cfg(target_env = "gnu")]
extern "C-unwind" fn main_tells_its_name(_: c_int, _: *mut *mut c_char, _: *mut *mut c_char) -> c_int {
    unsafe extern "C" {
        static program_invocation_name: *const c_char;
        static program_invocation_short_name: *const c_char;
    }
    // SAFETY: the C library's own strings.
    let names =
        unsafe { [program_invocation_name, program_invocation_short_name].map(|name| CStr::from_ptr(name)) };
    say(&format!("{names:?}"));
    0
}

fn run(program: Program) -> ! {
    // SAFETY: the addresses are those of the functions above.
    exit(unsafe { program.run(name()) }.unwrap())
}

fn start(program: Program) -> Running {
    // SAFETY: as in `run`.
    unsafe { program.start(name()) }.unwrap()
}

#[test]
fn scenario_of_the_environment() {
    let Ok(scenario) = std::env::var(SCENARIO) else { return };
    let returns = program(main_returns as *const ());
    match scenario.as_str() {
        "returns" => run(returns),
        "exits" => run(program(main_exits as *const ())),
        "exits in an initialiser" => {
            let mut program = returns;
            program.plan.init.push(call(exits_at_once as *const ()));
            run(program)
        }
        "ends its thread" => in_only_thread(|| run(program(main_ends_its_thread as *const ()))),
        "throws" => run(program(main_throws as *const ())),
        "looks around" => {
            prepare_process();
            run(program(main_looks_around as *const ()))
        }
        #[cfg(target_env = "gnu")]
        "tells its name" => run(program(main_tells_its_name as *const ())),
        "buffered" => {
            print!("\n@buffered");
            run(returns)
        }
        "finishes" => finishes(returns),
        "finishes without a handle" => finishes(Program { dso_handle: ExecutorAddr::NULL, ..returns }),
        "two" => {
            let (first, second) =
                (start(returns.clone()), start(Program { dso_handle: ExecutorAddr::NULL, ..returns }));
            // SAFETY: the program's own functions.
            unsafe { first.finish() };
            say("finished the first");
            drop(second);
            exit(0)
        }
        _ => panic!("no scenario {scenario}"),
    }
}

/// Runs `work` in a child that has but this thread, and ends with its status.
fn in_only_thread(work: impl FnOnce()) {
    // SAFETY: the other thread is libtest's, which waits for this one.
    unsafe {
        let child = libc::fork();
        if child == 0 {
            work();
        }
        let mut status = 0;
        assert_eq!(libc::waitpid(child, &raw mut status, 0), child);
        libc::_exit(if libc::WIFEXITED(status) { libc::WEXITSTATUS(status) } else { 255 });
    }
}

fn finishes(program: Program) -> ! {
    at_exit(handler_of_process, std::ptr::null());
    let running = start(program);
    // SAFETY: the program's own functions.
    let status = unsafe {
        let status = running.call_main();
        running.finish();
        status
    };
    say("finished");
    exit(status)
}

const MAIN: &str = "main 1 \"dir/name.o\" true true";
const BEFORE: [&str; 2] = ["preinitialiser", "initialiser 1 \"dir/name.o\""];
const AFTER: [&str; 3] = ["handler of initialiser", "finaliser", "last finaliser"];

#[test]
fn finalisers_run_after_all_handlers_when_main_returns() {
    check("returns", &[&BEFORE[..], &[MAIN, "handler of main"], &AFTER].concat(), 7);
}

#[test]
fn finalisers_run_after_all_handlers_when_main_exits() {
    check("exits", &[&BEFORE[..], &["main", "handler of main"], &AFTER].concat(), 8);
}

#[test]
fn finalisers_run_when_an_initialiser_exits() {
    check("exits in an initialiser", &[&BEFORE[..], &AFTER].concat(), 9);
}

#[test]
fn the_end_of_the_main_thread_is_the_end_of_the_process() {
    check("ends its thread", &[&BEFORE[..], &["main"], &AFTER].concat(), 0);
}

#[test]
fn nothing_of_the_host_seems_to_catch_what_main_throws() {
    // _URC_END_OF_STACK, upon which a C++ program calls std::terminate.
    check("throws", &[&BEFORE[..], &["raised: 5"], &AFTER].concat(), 6);
}

#[test]
fn signals_have_their_default_meaning() {
    check("looks around", &[&BEFORE[..], &["default: true"; 3], &AFTER].concat(), 0);
}

#[test]
#[cfg(target_env = "gnu")]
fn messages_of_the_c_library_name_the_program() {
    check("tells its name", &[&BEFORE[..], &["[\"dir/name.o\", \"name.o\"]"], &AFTER].concat(), 0);
}

#[test]
fn buffered_output_of_the_host_comes_first() {
    check("buffered", &[&["buffered"], &BEFORE[..], &[MAIN, "handler of main"], &AFTER].concat(), 7);
}

#[test]
fn a_finished_program_is_not_finalized_again_at_exit() {
    let trace =
        [&BEFORE[..], &[MAIN, "handler of main"], &AFTER, &["finished", "handler of process"]].concat();
    check("finishes", &trace, 7);
}

#[test]
fn an_image_without_a_handle_is_finished_alone() {
    let finish = ["finaliser", "last finaliser", "finished"];
    let rest = ["handler of main", "handler of initialiser", "handler of process"];
    check("finishes without a handle", &[&BEFORE[..], &[MAIN], &finish, &rest].concat(), 7);
}

#[test]
fn finishing_one_program_leaves_the_other_running() {
    let finish = ["handler of initialiser", "handler of initialiser", "finaliser", "last finaliser"];
    let rest = ["finished the first", "finaliser", "last finaliser"];
    check("two", &[&BEFORE[..], &BEFORE, &finish, &rest].concat(), 0);
}

#[test]
fn programs_can_be_sent_to_other_threads() {
    fn sendable<T: Send + Sync>() {}
    sendable::<Program>();
    sendable::<Running>();
}
