//! How a process with a session ends: each scenario runs in a child, which is this test program itself.

use crate::support::{call, object};
use jitlink::session::Jit;
use jitlink::session::generators::LibraryGenerator;
use jitlink_test_support::arch::Arch;
use jitlink_test_support::process::{Outcome, run};
use jitlink_test_support::toolchain::libstdcxx;

const SCENARIO: &str = "JITLINK_TEST_END";

fn outcome_of(scenario: &str) -> Outcome {
    let mut command = Arch::host().command(std::env::current_exe().unwrap());
    command.args(["--exact", "ends::scenario_of_the_environment", "--nocapture"]).env(SCENARIO, scenario);
    run(&mut command, b"").unwrap()
}

/// Threads that run linked code and link-time thread-locals, and a timer whose handler is linked code.
const BUSY: &str = "
    #include <pthread.h>
    #include <signal.h>
    #include <stdlib.h>
    #include <sys/time.h>
    static __thread unsigned long count;
    static volatile int running, rang;
    static void on_alarm(int number) { rang++; }
    static void *spin(void *unused) {
        __atomic_add_fetch(&running, 1, __ATOMIC_RELAXED);
        for (;;)
            free(malloc(++count % 1000));
    }
    int busy(int threads) {
        signal(SIGALRM, on_alarm);
        struct itimerval often = {{0, 50}, {0, 50}};
        setitimer(ITIMER_REAL, &often, 0);
        for (int i = 0; i < threads; i++) {
            pthread_t thread;
            pthread_create(&thread, 0, spin, 0);
            pthread_detach(thread);
        }
        while (running < threads || !rang) {}
        return 0;
    }
    int leave(int status) { exit(status); }
";

#[test]
fn scenario_of_the_environment() {
    let Ok(scenario) = std::env::var(SCENARIO) else { return };
    let jit = Jit::new().unwrap();
    jit.main().add_object(object("busy", BUSY)).unwrap();
    match scenario.as_str() {
        "the host exits" => {
            call(jit.main(), "busy", 3);
            // The session is not dropped, since threads are in its code.
            std::process::exit(17);
        }
        "linked code exits" => {
            call(jit.main(), "busy", 3);
            call(jit.main(), "leave", 18);
        }
        "an initialiser throws" => {
            jit.main().add_generator(LibraryGenerator::open(libstdcxx(Arch::host())).unwrap());
            let text = "
                #include <stdexcept>
                static int early() { throw std::runtime_error(\"too early\"); }
                int value = early();
                extern \"C\" int thrown(int x) { return value; }";
            jit.main().add_object(object("throws.cpp", text)).unwrap();
            // SAFETY: the initialiser is the one above.
            let outcome = unsafe { jit.main().initialize() };
            panic!("the initialiser was left: {outcome:?}");
        }
        other => panic!("no scenario is called {other}"),
    }
}

/// Often on a machine of its own; emulated processes take long to start.
const ROUNDS: usize = if cfg!(target_arch = "x86_64") { 100 } else { 4 };

#[test]
fn a_process_whose_threads_are_in_linked_code_ends_with_its_own_status() {
    for (scenario, status) in [("the host exits", 17), ("linked code exits", 18)] {
        for _ in 0..ROUNDS {
            let outcome = outcome_of(scenario);
            assert_eq!(outcome.status, status, "{scenario}: {outcome}");
        }
    }
}

#[test]
fn an_initialiser_that_throws_ends_the_process_through_terminate() {
    let outcome = outcome_of("an initialiser throws");
    assert_eq!(outcome.status, 128 + libc::SIGABRT, "{outcome}");
    let text = "terminate called after throwing an instance of 'std::runtime_error'\n  what():  too early\n";
    assert!(outcome.stderr_text().contains(text), "{outcome}");
}
