//! Images that were linked at once, as definitions of a dylib.

use crate::support::{call, object};
use jitlink::alloc::InProcessManager;
use jitlink::base::Error;
use jitlink::host::{HostActions, ProcessSymbols};
use jitlink::link::{Batch, LinkContext, LinkOptions, Linked, link};
use jitlink::session::{ExecutionSession, Jit, JitDylib, ObjectBuffer, SessionOptions};

/// A session, and what links at once into its memory.
struct World {
    manager: &'static InProcessManager,
    jit: Jit,
}

impl World {
    fn new() -> Self {
        let manager: &'static InProcessManager = Box::leak(Box::new(InProcessManager::new().unwrap()));
        let options = SessionOptions { manager: Box::new(manager), ..SessionOptions::new().unwrap() };
        Self { manager, jit: Jit::with_options(options).unwrap() }
    }

    fn linked(&self, name: &str, text: &str) -> Linked<'static> {
        let object: &'static ObjectBuffer = Box::leak(Box::new(object(name, text)));
        let mut batch = Batch::new();
        batch.add_object(name, object.bytes()).unwrap();
        let process = ProcessSymbols::new();
        let mut context = LinkContext {
            manager: self.manager,
            resolver: &process,
            actions: Some(&HostActions),
            plugins: &mut [],
        };
        link(batch, &mut context, &LinkOptions::default()).unwrap()
    }
}

fn names(dylib: &JitDylib) -> Vec<String> {
    dylib.symbols().into_iter().map(|(name, _)| String::from_utf8(name).unwrap()).collect()
}

const BASE: &str = "int base(int x) { return x + 1; }
    __attribute__((visibility(\"hidden\"))) int secret(int x) { return x + 2; }
    int uses(int x) { return secret(x); }
    volatile int counter;
    __attribute__((constructor)) static void start(void) { counter = 5; }";

#[test]
fn later_objects_and_lookups_find_what_was_adopted() {
    let world = World::new();
    let main = world.jit.main();
    main.adopt(world.linked("adopted", BASE)).unwrap();
    assert!(names(main).is_empty(), "names are entered when they are asked for");
    main.add_object(object("later", "int base(int); int later(int x) { return base(x) * 10; }")).unwrap();
    assert_eq!(call(world.jit.main(), "later", 4), 50);
    assert_eq!(names(main), ["base", "later"]);

    let other = world.jit.create_dylib("other").unwrap();
    other.add_to_link_order(main);
    assert!(other.lookup("uses").is_ok());
    let Err(Error::NotFound(missing)) = other.lookup("secret") else { panic!("it is hidden") };
    assert_eq!(missing.symbols[0].name, "secret");
    assert!(main.lookup("secret").is_ok(), "the dylib's own code may see it");
    let Err(Error::NotFound(missing)) = main.lookup("bases") else { panic!("nothing defines it") };
    assert_eq!(missing.symbols[0].near_misses, ["base"]);
}

#[test]
fn what_the_dylib_defines_itself_comes_first() {
    let world = World::new();
    let main = world.jit.main();
    main.add_object(object("own", "int base(int x) { return -x; }")).unwrap();
    main.adopt(world.linked("adopted", BASE)).unwrap();
    assert_eq!(call(world.jit.main(), "base", 4), -4);
}

#[test]
fn adopted_initialisers_run_with_the_dylibs() {
    let world = World::new();
    let main = world.jit.main();
    main.adopt(world.linked("adopted", BASE)).unwrap();
    // SAFETY: this is the variable's type.
    let counter = unsafe { main.get::<*const i32>("counter") }.unwrap();
    // SAFETY: the symbol keeps the variable's memory.
    assert_eq!(unsafe { **counter }, 0);
    // SAFETY: the initialiser above.
    unsafe { main.initialize() }.unwrap();
    // SAFETY: as above.
    assert_eq!(unsafe { **counter }, 5);
}

#[test]
fn an_adopted_image_is_freed_when_nothing_refers_to_it() {
    let world = World::new();
    let main = world.jit.main();
    let tracker = main.create_tracker();
    tracker.adopt(world.linked("adopted", BASE)).unwrap();
    let user = main.create_tracker();
    user.add_object(object("later", "int base(int); int later(int x) { return base(x) * 10; }")).unwrap();
    assert_eq!(call(world.jit.main(), "later", 4), 50);
    let removed = tracker.remove().unwrap();
    assert_eq!((removed.freed, removed.in_use), (0, 1));
    assert!(main.lookup("base").is_err(), "its names are gone");
    assert_eq!(call(world.jit.main(), "later", 5), 60, "its memory is not");
    assert_eq!(user.remove().unwrap().freed, 1);
}

#[test]
fn a_session_alone_can_adopt() {
    let world = World::new();
    let session = ExecutionSession::new().unwrap();
    let dylib = session.create_dylib("alone").unwrap();
    dylib.adopt(world.linked("adopted", BASE)).unwrap();
    let base = dylib.lookup("base").unwrap().address;
    drop((dylib, session));
    // The memory was given back, and is used again by the next link of the same objects.
    let again = world.linked("adopted", BASE);
    assert_eq!(again.lookup(b"base"), Some(base));
}

#[test]
fn thread_local_variables_of_what_was_adopted_are_shared() {
    let world = World::new();
    let main = world.jit.main();
    let text = "__thread int counter = 40; __thread int zeros[100]; int own(int x) { return counter += x; }";
    main.adopt(world.linked("adopted_thread_locals", text)).unwrap();
    let text = "extern __thread int counter, zeros[100];
        int later(int x) { zeros[99] += x; return counter * 100 + zeros[99]; }";
    main.add_object(object("later_thread_locals", text)).unwrap();
    assert_eq!((call(main, "own", 2), call(main, "later", 5)), (42, 4205));
    // SAFETY: a variable of this type, and this thread's.
    let read = || unsafe { **main.get::<*mut i32>("counter").unwrap() };
    assert_eq!((read(), std::thread::scope(|scope| scope.spawn(read).join().unwrap())), (42, 40));
}
