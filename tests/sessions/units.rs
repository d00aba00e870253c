//! Units of the user's, and plugins.

use crate::support::{call, jit, object};
use jitlink::base::{Error, Result};
use jitlink::graph::LinkGraph;
use jitlink::link::Plugin;
use jitlink::session::{
    EmittedInfo, ExecutorSymbol, JitDylib, JitSymbolFlags, LinkInfo, MaterializationRequest,
    MaterializationUnit, Materialized, ResourceKey, SessionPlugin,
};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

/// A compiler that makes one function at a time.
struct Functions {
    names: Vec<String>,
    made: Arc<Mutex<Vec<String>>>,
}

impl MaterializationUnit for Functions {
    fn name(&self) -> &str {
        "functions"
    }

    fn symbols(&self) -> Vec<(Vec<u8>, JitSymbolFlags)> {
        self.names.iter().map(|name| (name.as_bytes().to_vec(), JitSymbolFlags::FUNCTION)).collect()
    }

    fn materialize(self: Box<Self>, request: &MaterializationRequest<'_>) -> Result<Materialized> {
        let mut wanted: Vec<String> =
            request.wanted().iter().map(|name| String::from_utf8_lossy(name).into_owned()).collect();
        wanted.sort();
        self.made.lock().unwrap().push(wanted.join("+"));
        let rest: Vec<String> = self.names.iter().filter(|name| !wanted.contains(name)).cloned().collect();
        let text = wanted.iter().map(|name| format!("int {name}(int x) {{ return {}; }}\n", name.len()));
        let text: String = text.collect();
        let rest = (!rest.is_empty()).then(|| {
            Box::new(Functions { names: rest, made: self.made.clone() }) as Box<dyn MaterializationUnit>
        });
        let objects = vec![object(&format!("made_{}", wanted.join("_")), &text)];
        Ok(Materialized { objects, rest, ..Materialized::default() })
    }
}

#[test]
fn a_unit_is_asked_for_what_is_wanted_and_keeps_the_rest() {
    let jit =
        jit(&[("wants", "int bb(int); int ccc(int); int wants(int x) { return bb(x) * 10 + ccc(x); }")]);
    let made = Arc::new(Mutex::new(Vec::new()));
    let names = ["a", "bb", "ccc", "dddd"].map(str::to_owned).to_vec();
    jit.main().define(Functions { names, made: made.clone() }).unwrap();
    assert!(made.lock().unwrap().is_empty());
    assert_eq!(call(jit.main(), "wants", 0), 23);
    assert_eq!(*made.lock().unwrap(), ["bb+ccc"]);
    assert_eq!(call(jit.main(), "dddd", 0), 4);
    assert_eq!(*made.lock().unwrap(), ["bb+ccc", "dddd"]);
}

#[test]
fn a_unit_may_look_up_what_it_needs_and_give_plain_symbols() {
    let jit = jit(&[("helper", "int helper(int x) { return 6; }")]);
    let names = [("constant", JitSymbolFlags::EXPORTED), ("effect", JitSymbolFlags::SIDE_EFFECTS_ONLY)];
    jit.main()
        .define_with("constants", names, |request| {
            let helper = request.dylib().lookup("helper")?.address;
            let constant = ExecutorSymbol::function(helper);
            Ok(Materialized { absolute: vec![(b"constant".to_vec(), constant)], ..Materialized::default() })
        })
        .unwrap();
    assert_eq!(call(jit.main(), "constant", 0), 6);
    assert!(jit.main().lookup("effect").unwrap_err().to_string().contains("effect has no address"));
}

#[test]
fn what_a_unit_makes_besides_is_defined_too() {
    let jit = jit(&[]);
    let made = object("besides", "int promised(int x) { return 1; } int besides(int x) { return 2; }");
    let names = [("promised", JitSymbolFlags::FUNCTION)];
    jit.main().define_with("generous", names, move |_| Ok(Materialized::object(made))).unwrap();
    assert!(jit.main().lookup("besides").is_err());
    assert_eq!(call(jit.main(), "promised", 0), 1);
    assert_eq!(call(jit.main(), "besides", 0), 2);
}

#[derive(Default)]
struct Watch {
    events: Mutex<Vec<String>>,
    blocks: AtomicUsize,
    refuse: std::sync::atomic::AtomicBool,
}

impl SessionPlugin for Watch {
    fn link_plugin(&self, info: &LinkInfo<'_>) -> Result<Option<Box<dyn Plugin>>> {
        struct Count(Arc<AtomicUsize>);
        impl Plugin for Count {
            fn pre_fixup(&mut self, graph: &mut LinkGraph<'_>) -> Result<()> {
                self.0.fetch_add(graph.blocks().count(), Relaxed);
                Ok(())
            }
        }
        self.events.lock().unwrap().push(format!("link {}", info.units.join("+")));
        self.blocks.fetch_add(1, Relaxed);
        Ok(Some(Box::new(Count(Arc::default()))))
    }

    fn emitted(&self, info: &EmittedInfo<'_>) -> Result<()> {
        assert!(!info.segments.is_empty());
        self.events.lock().unwrap().push("emitted".to_owned());
        if self.refuse.load(Relaxed) { Err(Error::invalid("refused", None)) } else { Ok(()) }
    }

    fn failed(&self, _: &LinkInfo<'_>, error: &Error) {
        self.events.lock().unwrap().push(format!("failed {error}"));
    }

    fn removing(&self, dylib: &JitDylib, _: ResourceKey) {
        self.events.lock().unwrap().push(format!("removing from {}", dylib.name()));
    }

    fn transferred(&self, _: &JitDylib, target: ResourceKey, source: ResourceKey) {
        assert_ne!(target, source);
        self.events.lock().unwrap().push("transferred".to_owned());
    }
}

#[test]
fn plugins_see_every_link_and_what_becomes_of_it() {
    let jit = jit(&[("seen1", "int seen2(int); int seen1(int x) { return seen2(x); }")]);
    let watch = Arc::new(Watch::default());
    jit.session().add_plugin(watch.clone());
    jit.main().add_object(object("seen2", "int seen2(int x) { return 2; }")).unwrap();
    assert_eq!(call(jit.main(), "seen1", 0), 2);
    let tracker = jit.create_tracker();
    tracker.add_object(object("seen3", "int seen3(int x) { return 3; }")).unwrap();
    watch.refuse.store(true, Relaxed);
    let error = jit.main().lookup("seen3").unwrap_err().to_string();
    assert_eq!(error, "refused (materializing seen3.o, for seen3)");
    let other = jit.create_tracker();
    tracker.transfer_to(&other).unwrap();
    other.remove().unwrap();
    let events = watch.events.lock().unwrap().join(", ");
    let expected = "link seen1.o+seen2.o, emitted, link seen3.o, emitted, failed refused, transferred, removing from main";
    assert_eq!(events, expected);
}
