//! From addresses to symbols, objects and lines.

use crate::support::{compiled, object};
use jitlink::base::ExecutorAddr;
use jitlink::debug::{self, Location};
use jitlink::host::{self, HostLinker};
use jitlink::link::{Batch, LinkOptions};
use jitlink::session::{Jit, ObjectBuffer};

const TEXT: &str = "__attribute__((noinline)) static int hidden_helper(int x) {
    return x * 3;
}
int visible(int x) {
    return hidden_helper(x) + 1;
}
int (*helper(void))(int) { return hidden_helper; }
";

fn helper_of(jit: &Jit) -> ExecutorAddr {
    // SAFETY: the function's type.
    let helper = unsafe { jit.get::<extern "C" fn() -> usize>("helper").unwrap() };
    ExecutorAddr(helper() as u64)
}

fn symbol(location: Option<Location>) -> Option<(String, u64, String)> {
    location.map(|Location { object, symbol, offset, .. }| (symbol, offset, object))
}

#[test]
fn objects_with_debug_information_are_known_whole_until_they_are_removed() {
    let jit = Jit::new().unwrap();
    let tracker = jit.create_tracker();
    let object = std::fs::read(compiled_with_lines().join("object.o")).unwrap();
    tracker.add_object(ObjectBuffer::new("lines.o", object)).unwrap();
    let helper = helper_of(&jit);
    let location = jit.session().symbolize(ExecutorAddr(helper.0 + 1)).unwrap();
    assert_eq!(symbol(Some(location.clone())), Some(("hidden_helper".into(), 1, "lines.o".into())));
    let [line] = &location.source[..] else { panic!("{location:?}") };
    assert!(line.file.ends_with("lines.c") && line.line < 3 && line.function == "hidden_helper", "{line:?}");
    assert_eq!(location.to_string(), format!("hidden_helper + 1 (lines.o) at {}:{}", line.file, line.line));
    let visible = jit.main().lookup("visible").unwrap().address;
    assert_eq!(host::symbolize(visible).map(|found| found.symbol), Some("visible".to_owned()));
    tracker.remove().unwrap();
    assert_eq!(jit.session().symbolize(helper), None);
    assert_eq!(host::symbolize(helper), None);
}

fn compiled_with_lines() -> std::path::PathBuf {
    crate::support::compiled_with("lines", TEXT, &["-g"])
}

#[test]
fn without_debug_information_names_that_others_see_are_known() {
    let jit = Jit::new().unwrap();
    jit.main().add_object(object("plain", TEXT)).unwrap();
    let visible = jit.main().lookup("visible").unwrap();
    let at = |offset| symbol(jit.session().symbolize(ExecutorAddr(visible.address.0 + offset)));
    assert_eq!(at(2), Some(("visible".into(), 2, "plain.o".into())));
    assert_eq!(at(visible.size - 1), Some(("visible".into(), visible.size - 1, "plain.o".into())));
    assert_eq!(symbol(jit.session().symbolize(ExecutorAddr(16))), None);
    assert_eq!(host::symbolize(visible.address), None);
}

#[test]
fn images_are_known_with_their_static_functions() {
    let linker = HostLinker::new().unwrap();
    for (name, dir) in [("plain.o", compiled("plain", TEXT)), ("lines.o", compiled_with_lines())] {
        let bytes: &'static [u8] = std::fs::read(dir.join("object.o")).unwrap().leak();
        let mut batch = Batch::new();
        batch.add_object(name, bytes).unwrap();
        let options = LinkOptions { debugger: false, ..LinkOptions::default() };
        let linked = linker.link(batch, &options).unwrap();
        let visible = linked.lookup(b"visible").unwrap();
        // SAFETY: the function's type; the image is there.
        let helper: extern "C" fn() -> u64 =
            unsafe { std::mem::transmute(linked.lookup(b"helper").unwrap().0 as usize) };
        let helper = ExecutorAddr(helper());
        let found = |address| symbol(debug::symbolize(&linked, address));
        assert_eq!(found(visible), Some(("visible".into(), 0, name.into())));
        assert_eq!(found(ExecutorAddr(helper.0 + 1)), Some(("hidden_helper".into(), 1, name.into())));
        assert_eq!(found(ExecutorAddr(16)), None);
        let lines = debug::symbolize(&linked, helper).unwrap().source;
        assert_eq!(lines.len(), usize::from(name == "lines.o"), "{lines:?}");
        let jit = Jit::new().unwrap();
        jit.main().adopt(linked).unwrap();
        assert_eq!(symbol(jit.session().symbolize(helper)), Some(("hidden_helper".into(), 0, name.into())));
    }
}
