//! Thread-local variables of images that come and go while threads run.
//!
//! # Safety
//! Calls functions of objects that the tests compile; they are what their casts say.
#![allow(unsafe_code)]

use jitlink::base::{ExecutorAddr, Result};
use jitlink::host::{HostLinker, enter_thread};
use jitlink::link::{Batch, LinkOptions, Linked};
use jitlink_test_support::arch::Arch;
use jitlink_test_support::cache;
use jitlink_test_support::process::{run, show};
use jitlink_test_support::toolchain::{Compiler, libstdcxx};
use std::path::Path;
use std::sync::mpsc;

fn compile(name: &str, flags: &[&str], text: &str) -> Vec<u8> {
    let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join("thread_locals");
    let dir = cache::filled(&root, name, &(text, flags), |dir| {
        std::fs::write(dir.join(name), text).map_err(|error| error.to_string())?;
        let mut command = Compiler::Clang.for_source(Arch::host(), Path::new(name));
        command.current_dir(dir).args(flags).args(["-c", name, "-o", "object.o"]);
        run(&mut command, b"")?.success().map(drop).map_err(|what| format!("{}\n{what}", show(&command)))
    });
    std::fs::read(dir.expect("the source compiles").join("object.o")).expect("an object")
}

fn image<'data>(linker: &HostLinker, objects: &[&'data [u8]]) -> Result<Linked<'data>> {
    let mut batch = Batch::new();
    for (index, object) in objects.iter().enumerate() {
        batch.add_object(format!("{index}.o"), object)?;
    }
    linker.link(batch, &LinkOptions::default())
}

type Function = extern "C" fn(i32) -> i32;

fn function(image: &Linked<'_>, name: &str) -> Function {
    let address: ExecutorAddr = image.lookup(name.as_bytes()).expect("the image defines the function");
    // SAFETY: the tests look up functions of this type only.
    unsafe { std::mem::transmute(std::ptr::with_exposed_provenance::<()>(address.0 as usize)) }
}

const COUNTER: &str = "__thread int counter = 40;\n\
    static __thread char zeros[256];\n\
    int add(int n) { counter += n; zeros[n]++; return counter + zeros[n]; }\n";

const MODELS: [&[&str]; 3] = [
    &["-O1", "-fPIC"],
    &["-O1", "-fPIC", "-ftls-model=initial-exec"],
    &["-O1", "-fPIC", "-ftls-model=local-dynamic"],
];

#[test]
fn every_image_starts_with_fresh_variables_and_gives_their_place_back() {
    let linker = HostLinker::new().unwrap();
    for flags in MODELS {
        let object = compile("counter.c", flags, COUNTER);
        // More than the place for initial exec would take, if it were not given back.
        for round in 0..2000 {
            let image = image(&linker, &[&object]).unwrap();
            let add = function(&image, "add");
            assert_eq!((add(1), add(2)), (42, 44), "{flags:?} {round}");
        }
    }
}

#[test]
fn threads_made_before_and_after_have_variables_of_their_own() {
    let linker = HostLinker::new().unwrap();
    for flags in MODELS {
        let (sender, receiver) = mpsc::channel::<Function>();
        let before = std::thread::spawn(move || {
            let add = receiver.recv().unwrap();
            enter_thread();
            (add(1), add(1))
        });
        let object = compile("counter.c", flags, COUNTER);
        let image = image(&linker, &[&object]).unwrap();
        let add = function(&image, "add");
        assert_eq!(add(5), 46);
        sender.send(add).unwrap();
        assert_eq!(before.join().unwrap(), (42, 44), "{flags:?}");
        let after = std::thread::spawn(move || (add(1), add(1)));
        assert_eq!(after.join().unwrap(), (42, 44), "{flags:?}");
        assert_eq!(add(5), 52);
    }
}

#[test]
fn what_does_not_fit_is_refused_and_leaves_nothing_behind() {
    let linker = HostLinker::new().unwrap();
    let large = "__thread char large[60000]; int get(int n) { return large[n]; }\n";
    let object = compile("large.c", &["-O1", "-ftls-model=local-exec"], large);
    let first = image(&linker, &[&object]).unwrap();
    for _ in 0..3 {
        let error = image(&linker, &[&object]).unwrap_err().to_string();
        assert!(error.contains("no room for 60000 bytes of thread-local variables"), "{error}");
    }
    drop(first);
    assert_eq!(function(&image(&linker, &[&object]).unwrap(), "get")(59_999), 0);
}

/// Threads that use one image's variables, by each model, while images are added and removed.
#[test]
fn sixty_four_threads_while_images_come_and_go() {
    const THREADS: i32 = 64;
    let linker = HostLinker::new().unwrap();
    let text = "__thread int mine = -1; static __thread long sum;\n\
        int use(int n) { if (mine == -1) mine = n; sum += n; return mine == n && sum % n == 0; }\n";
    let stay: Vec<_> = MODELS.map(|flags| compile("stay.c", flags, text)).to_vec();
    let come: Vec<_> = MODELS.map(|flags| compile("counter.c", flags, COUNTER)).to_vec();
    let stay: Vec<_> = stay.iter().map(|object| image(&linker, &[object]).unwrap()).collect();
    let functions: Vec<_> = stay.iter().map(|image| function(image, "use")).collect();
    std::thread::scope(|scope| {
        for number in 1..=THREADS {
            let (functions, linker, come) = (&functions, &linker, &come);
            scope.spawn(move || {
                for round in 0..50 {
                    assert!(functions.iter().all(|function| function(number) == 1), "thread {number}");
                    if round % 10 == number % 10 {
                        let object = &come[number as usize % come.len()];
                        let image = image(linker, &[object]).unwrap();
                        let add = function(&image, "add");
                        assert_eq!((add(1), add(number)), (42, 42 + number + i32::from(number == 1)));
                    }
                }
            });
        }
    });
}

/// Destructors of C++ variables run when a thread ends, before its variables go.
#[test]
fn destructors_run_at_thread_exit() {
    let mut linker = HostLinker::new().unwrap();
    linker.symbols_mut().load(&libstdcxx(Arch::host())).unwrap();
    let text = "extern \"C\" { int ended; int start(int n); int count(int) { return ended; } }\n\
        struct Noted { int value = 1; ~Noted() { ended += value; } };\n\
        static thread_local Noted first, second;\n\
        int start(int n) { first.value = n; second.value = 10 * n; return n; }\n";
    for flags in MODELS {
        let object = compile("destructors.cpp", flags, text);
        let image = image(&linker, &[&object]).unwrap();
        let (start, count) = (function(&image, "start"), function(&image, "count"));
        std::thread::spawn(move || start(2)).join().unwrap();
        assert_eq!(count(0), 22, "{flags:?}");
        std::thread::spawn(move || start(3)).join().unwrap();
        assert_eq!(count(0), 55, "{flags:?}");
    }
}
