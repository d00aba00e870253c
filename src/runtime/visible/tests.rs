//! What `dladdr` and `dl_iterate_phdr` say, and what the dynamic loader is told.

use super::*;
use crate::sys::dl;

struct Two;

// Addresses that no other test uses.
const BASE: u64 = 0x6f00_0000_0000;

fn symbol(name: &str, offset: u64) -> VisibleSymbol {
    VisibleSymbol {
        name: name.into(),
        object: Some("first.o".into()),
        address: ExecutorAddr(BASE + offset),
        size: 16,
        callable: true,
    }
}

impl VisibleSymbols for Two {
    fn symbol_before(&self, address: ExecutorAddr) -> Option<VisibleSymbol> {
        self.all().into_iter().rfind(|symbol| symbol.address <= address)
    }

    fn all(&self) -> Vec<VisibleSymbol> {
        vec![symbol("visible_test_first", 0x10), symbol("visible_test_second", 0x40)]
    }
}

fn segment(start: u64, end: u64, writable: bool) -> VisibleSegment {
    let range = AddrRange { start: ExecutorAddr(BASE + start), end: ExecutorAddr(BASE + end) };
    VisibleSegment { range, writable, executable: !writable }
}

fn ask(offset: u64) -> Option<(String, Option<String>, u64)> {
    // SAFETY: the structure consists of pointers.
    let mut info: libc::Dl_info = unsafe { std::mem::zeroed() };
    // SAFETY: `info` takes the answer.
    let found = unsafe { dladdr(std::ptr::without_provenance((BASE + offset) as usize), &raw mut info) };
    // SAFETY: what is not null in an answer is a C string.
    let text = |text: *const c_char| unsafe { CStr::from_ptr(text) }.to_str().unwrap().to_owned();
    let name = (!info.dli_sname.is_null()).then_some(info.dli_sname);
    (found != 0).then(|| (text(info.dli_fname), name.map(text), info.dli_saddr.addr() as u64))
}

unsafe extern "C-unwind" fn note(info: *mut libc::dl_phdr_info, _: usize, data: *mut c_void) -> c_int {
    // SAFETY: an entry, and the list below.
    let (info, list) = unsafe { (&*info, &mut *data.cast::<Vec<(String, u64, u16, u64)>>()) };
    // SAFETY: an entry's name is a C string.
    let name = unsafe { CStr::from_ptr(info.dlpi_name) }.to_str().unwrap().to_owned();
    list.push((name, info.dlpi_addr, info.dlpi_phnum, info.dlpi_adds));
    0
}

fn listed() -> Vec<(String, u64, u16, u64)> {
    let mut list = Vec::new();
    // SAFETY: the callback takes a list of this type.
    unsafe { dl_iterate_phdr(note, (&raw mut list).cast()) };
    list
}

#[test]
fn images_are_described_until_they_go() {
    let before = listed();
    let segments = [segment(0, 0x100, false), segment(0x1000, 0x1010, true)];
    let visible = show("an image", &segments, Arc::new(Two));
    let first = Some("visible_test_first".to_owned());
    assert_eq!(ask(0x1f), Some(("first.o".into(), first, BASE + 0x10)));
    assert_eq!(ask(0x20), Some(("first.o".into(), None, 0)));
    assert_eq!(ask(0), Some(("an image".into(), None, 0)));
    assert_eq!(ask(0x1000).unwrap().1, None);
    assert_eq!((ask(0x100), ask(0x1010)), (None, None));
    let during = listed();
    let own = during.iter().find(|entry| entry.0 == "an image").unwrap();
    assert_eq!((own.1, own.2), (BASE, 2));
    assert!(during.iter().all(|entry| entry.3 > before[0].3 && entry.3 == own.3));
    drop(visible);
    assert_eq!(ask(0x1f), None);
    assert!(listed().iter().all(|entry| entry.0 != "an image"));
}

#[test]
fn what_images_export_is_published_until_they_go() {
    struct One;
    impl VisibleSymbols for One {
        fn symbol_before(&self, _: ExecutorAddr) -> Option<VisibleSymbol> {
            None
        }

        fn all(&self) -> Vec<VisibleSymbol> {
            vec![symbol("visible_test_published", 0x77)]
        }
    }
    let visible = show("published", &[segment(0x2000, 0x3000, false)], Arc::new(One));
    assert_eq!(dl::lookup(b"visible_test_published"), None);
    publish().unwrap();
    publish().unwrap();
    assert_eq!(dl::lookup(b"visible_test_published"), Some(ExecutorAddr(BASE + 0x77)));
    drop(visible);
    assert_eq!(dl::lookup(b"visible_test_published"), None);
}

#[test]
fn what_the_loader_knows_is_asked_of_it() {
    // SAFETY: the structure consists of pointers.
    let mut info: libc::Dl_info = unsafe { std::mem::zeroed() };
    let malloc = dl::lookup(b"malloc").unwrap().0 as usize;
    // SAFETY: `info` takes the answer.
    let found = unsafe { dladdr(std::ptr::without_provenance(malloc), &raw mut info) };
    assert_ne!(found, 0);
    // SAFETY: a library's name.
    assert!(unsafe { CStr::from_ptr(info.dli_fname) }.to_str().unwrap().contains("libc"));
}
