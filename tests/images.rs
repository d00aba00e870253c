//! Images made through the library, several in one process: side by side, one after the other, and failed.
//!
//! # Safety
//! Calls functions of objects that the tests compile; they are what their casts say.
#![allow(unsafe_code)]

use jitlink::alloc::{
    CallbackManager, InProcessManager, MemoryManager, SectionAllocator, SectionKind, SectionRequest,
};
use jitlink::base::{Action, ActionPair, AddrRange, Error, ExecutorAddr, Result};
use jitlink::graph::{
    Architecture, Lifetime, LinkGraph, NewBlock, NewSymbol, Permissions, Section, SectionFlags,
};
use jitlink::host::{HostActions, ProcessSymbols};
use jitlink::link::{
    Batch, DataCopy, ImageActions, IndirectSlot, LinkContext, LinkOptions, Linked, Plugin, ResolvedSymbol,
    Resolver, SymbolQuery, link,
};
use jitlink_test_support::arch::Arch;
use jitlink_test_support::cache;
use jitlink_test_support::process::{run, show};
use jitlink_test_support::toolchain::{Compiler, libstdcxx};
use std::collections::HashMap;
use std::ffi::c_void;
use std::path::Path;
use std::ptr::NonNull;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The tests look at the mappings of the whole process, so each has the process for itself.
fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn mappings() -> usize {
    std::fs::read_to_string("/proc/self/maps").expect("Linux lists mappings").lines().count()
}

/// Compiles `text`, whose name says what language it is in.
fn compile(name: &str, flags: &[&str], text: &str) -> Vec<u8> {
    let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join("images");
    // There clang has that model for code that is not position-independent alone.
    let non_pic = Arch::host() == Arch::Aarch64 && flags.contains(&"-mcmodel=large");
    let flags = [flags, if non_pic { &["-fno-pic"] } else { &[] }].concat();
    let dir = cache::filled(&root, name, &(text, &flags), |dir| {
        std::fs::write(dir.join(name), text).map_err(|error| error.to_string())?;
        let mut command = Compiler::Clang.for_source(Arch::host(), Path::new(name));
        command.current_dir(dir).args(&flags).args(["-c", name, "-o", "object.o"]);
        run(&mut command, b"")?.success().map(drop).map_err(|what| format!("{}\n{what}", show(&command)))
    });
    std::fs::read(dir.expect("the source compiles").join("object.o")).expect("an object")
}

/// Knows what earlier images define, and then what this process does.
struct Known {
    process: ProcessSymbols,
    images: HashMap<Vec<u8>, ExecutorAddr>,
}

impl Known {
    fn new() -> Self {
        Self { process: ProcessSymbols::new(), images: HashMap::new() }
    }

    fn learn(&mut self, image: &Linked<'_>, names: &[&str]) {
        for name in names {
            let address = image.lookup(name.as_bytes()).expect("the image defines the name");
            self.images.insert(name.as_bytes().to_vec(), address);
        }
    }
}

impl Resolver for Known {
    fn resolve(&self, queries: &[SymbolQuery<'_>]) -> Result<Vec<Option<ResolvedSymbol>>> {
        let mut answers = self.process.resolve(queries)?;
        for (answer, query) in answers.iter_mut().zip(queries) {
            if let Some(&address) = self.images.get(query.name) {
                *answer = Some(ResolvedSymbol { address, size: 0, callable: true });
            }
        }
        Ok(answers)
    }
}

/// Links objects into an image of their own, with host actions.
fn image<'data>(
    objects: &[&'data [u8]],
    manager: &dyn MemoryManager,
    resolver: &dyn Resolver,
) -> Result<Linked<'data>> {
    let mut context = LinkContext { manager, resolver, actions: Some(&HostActions), plugins: &mut [] };
    link(batch(objects)?, &mut context, &LinkOptions::default())
}

fn batch<'data>(objects: &[&'data [u8]]) -> Result<Batch<'data>> {
    let mut batch = Batch::new();
    for (index, object) in objects.iter().enumerate() {
        batch.add_object(format!("{index}.o"), object)?;
    }
    Ok(batch)
}

/// Calls `int name(int)` of an image.
fn call(image: &Linked<'_>, name: &str, argument: i32) -> i32 {
    let address = image.lookup(name.as_bytes()).expect("the image defines the function");
    let pointer = std::ptr::with_exposed_provenance::<()>(address.0 as usize);
    // SAFETY: the tests call functions of this type only, of images that are not yet freed.
    let function: extern "C" fn(i32) -> i32 = unsafe { std::mem::transmute(pointer) };
    function(argument)
}

/// Whether the unwinder has a record for the code at an address.
fn unwinds(address: ExecutorAddr) -> bool {
    #[repr(C)]
    struct Bases([*const c_void; 3]);
    unsafe extern "C" {
        fn _Unwind_Find_FDE(pc: *const c_void, bases: *mut Bases) -> *const c_void;
    }
    let mut bases = Bases([std::ptr::null(); 3]);
    let pc = std::ptr::with_exposed_provenance(address.0 as usize);
    // SAFETY: looks the address up in tables, and writes to `bases` alone.
    !unsafe { _Unwind_Find_FDE(pc, &raw mut bases) }.is_null()
}

#[test]
fn ten_thousand_objects_one_by_one_leave_few_mappings() {
    let _alone = alone();
    let text = "int previous(int); int count = 1; const char *const text = \"text\"; static int zero[100];\n\
                int next(int n) { zero[n]++; return previous(n) + count + !text; }\n";
    let object = compile("next.c", &["-O1"], text);
    let first = compile("first.c", &["-O1"], "int next(int n) { return n; }\n");
    let manager = InProcessManager::new().unwrap();
    let mut known = Known::new();
    let before = mappings();
    let mut images = vec![image(&[&first], &manager, &known).unwrap()];
    for _ in 0..10_000 {
        let last = images.last().unwrap();
        known.images.insert(b"previous".to_vec(), last.lookup(b"next").unwrap());
        images.push(image(&[&object], &manager, &known).unwrap());
    }
    let more = mappings() - before;
    assert!(more < 100, "{more} more mappings");
    assert_eq!(call(images.last().unwrap(), "next", 5), 10_005);
}

const THROWS: &str = "int other(int);\n\
    struct Sentinel { int *at; ~Sentinel() { ++*at; } };\n\
    extern \"C\" int unwound; int unwound;\n\
    extern \"C\" int thrower(int n) { Sentinel sentinel{&unwound}; if (n > 5) throw n; return n; }\n";
const CATCHES: &str = "extern \"C\" int thrower(int), unwound;\n\
    extern \"C\" int catcher(int n) { try { return thrower(n); } catch (int what) { return what * 10 + unwound; } }\n";

#[test]
fn exceptions_pass_between_images_and_records_go_with_their_image() {
    let _alone = alone();
    let (throws, catches) =
        (compile("throws.cpp", &["-O1"], THROWS), compile("catches.cpp", &["-O1"], CATCHES));
    let manager = InProcessManager::new().unwrap();
    let mut known = Known::new();
    known.process.load(&libstdcxx(Arch::host())).unwrap();
    let thrower = image(&[&throws], &manager, &known).unwrap();
    known.learn(&thrower, &["thrower", "unwound"]);
    let catcher = image(&[&catches], &manager, &known).unwrap();
    assert_eq!(call(&catcher, "catcher", 3), 3);
    assert_eq!(call(&catcher, "catcher", 7), 72);

    let inside = |image: &Linked<'_>, name: &[u8]| ExecutorAddr(image.lookup(name).unwrap().0 + 1);
    let (throwing, catching) = (inside(&thrower, b"thrower"), inside(&catcher, b"catcher"));
    assert!(unwinds(throwing) && unwinds(catching));
    catcher.deallocate().unwrap();
    assert!(unwinds(throwing) && !unwinds(catching));
    drop(thrower);
    assert!(!unwinds(throwing));
}

/// Host actions, the last of which fails.
#[derive(Default)]
struct FailsLast {
    code: Mutex<Vec<AddrRange>>,
}

unsafe extern "C" fn fail(_: *const u8, _: usize) -> u32 {
    77
}

impl ImageActions for FailsLast {
    fn register_eh_frame(&self, records: AddrRange) -> Option<ActionPair> {
        HostActions.register_eh_frame(records)
    }

    fn resolve_indirect(&self, slots: &[IndirectSlot]) -> Action {
        HostActions.resolve_indirect(slots)
    }

    fn copy_data(&self, copies: &[DataCopy]) -> ActionPair {
        HostActions.copy_data(copies)
    }

    fn register_image(&self, code: AddrRange, _: ExecutorAddr) -> Option<ActionPair> {
        self.code.lock().unwrap().push(code);
        let address = fail as unsafe extern "C" fn(*const u8, usize) -> u32;
        let call = ExecutorAddr((address as *const ()).expose_provenance() as u64);
        Some(ActionPair { finalize: Some(Action { call, bytes: Default::default() }), deallocate: None })
    }
}

/// Fails in the phase of this number.
struct FailsIn(u32);

impl FailsIn {
    fn fail_in(&self, phase: u32) -> Result<()> {
        if self.0 == phase { Err(Error::invalid("the plugin does not like it", None)) } else { Ok(()) }
    }
}

impl Plugin for FailsIn {
    fn pre_prune(&mut self, _: &mut LinkGraph<'_>) -> Result<()> {
        self.fail_in(0)
    }

    fn post_prune(&mut self, _: &mut LinkGraph<'_>) -> Result<()> {
        self.fail_in(1)
    }

    fn pre_fixup(&mut self, _: &mut LinkGraph<'_>) -> Result<()> {
        self.fail_in(2)
    }

    fn post_fixup(&mut self, _: &jitlink::link::LinkView<'_, '_>) -> Result<()> {
        self.fail_in(3)
    }
}

/// Code with call frames, an indirect function and, as it is not position-independent, a copy of a library's variable.
const EVERYTHING: &str = "extern char **environ;\n\
    static int chosen(int n) { return n + 1; }\n\
    static int (*resolve(void))(int) { return chosen; }\n\
    int indirect(int) __attribute__((ifunc(\"resolve\")));\n\
    int start(int n) { return indirect(n) + (environ != 0); }\n";

#[test]
fn failed_links_leave_nothing_behind() {
    let _alone = alone();
    let good = compile("everything.c", &["-O1", "-fno-pic"], EVERYTHING);
    let undefined =
        compile("undefined.c", &[], "int nowhere(int); int start(int n) { return nowhere(n); }\n");
    let overflow = compile("overflow.s", &[], ".globl start, half\nstart: ret\n.data\nhalf: .short start\n");
    let manager = InProcessManager::new().unwrap();
    let known = Known::new();
    let works = || {
        let image = image(&[&good], &manager, &known).unwrap();
        assert_eq!(call(&image, "start", 1), 3);
        image.segments().to_vec()
    };
    let fails = |objects: &[&[u8]], actions: &dyn ImageActions, phase: u32| {
        let mut plugin = FailsIn(phase);
        let plugins: &mut [&mut dyn Plugin] = &mut [&mut plugin];
        let mut context =
            LinkContext { manager: &manager, resolver: &known, actions: Some(actions), plugins };
        let linked = batch(objects).and_then(|batch| link(batch, &mut context, &LinkOptions::default()));
        linked.expect_err("the link fails").to_string()
    };
    let (before, place) = (mappings(), works());
    for _ in 0..50 {
        assert!(fails(&[&undefined], &HostActions, 9).contains("nowhere"));
        assert!(fails(&[&good, &good], &HostActions, 9).contains("duplicate"));
        assert!(fails(&[&overflow], &HostActions, 9).contains("start"));
        for phase in 0..4 {
            assert!(fails(&[&good], &HostActions, phase).contains("plugin"));
        }
        let actions = FailsLast::default();
        assert!(fails(&[&good], &actions, 9).contains("77"));
        let code = actions.code.lock().unwrap()[0];
        assert!(!code.is_empty() && !unwinds(ExecutorAddr(code.start.0 + 1)));
    }
    // Other tests' threads come and go meanwhile.
    let more = mappings().saturating_sub(before);
    assert!(more < 50, "{more} more mappings");
    assert_eq!(works(), place, "all that the failed links took is free again");
}

/// Memory for sections, a page or more for each, from one region.
struct Region {
    memory: memmap2::MmapMut,
    used: usize,
    sections: Vec<(SectionKind, usize, usize)>,
    log: Arc<Mutex<Vec<String>>>,
}

// SAFETY: pages of a region that lives as long as this value, each given out once, and writable at first.
unsafe impl SectionAllocator for Region {
    fn allocate_section(&mut self, section: &SectionRequest<'_>) -> Option<NonNull<u8>> {
        let SectionRequest { kind, name, size, alignment, .. } = *section;
        let (page, start) = (region::page::size(), self.used);
        let length = size.max(1).next_multiple_of(page);
        self.used += length;
        self.log.lock().unwrap().push(format!("{name} {kind:?}"));
        self.sections.push((kind, start, length));
        let fits = alignment <= page && self.used <= self.memory.len();
        fits.then(|| NonNull::new(self.memory.as_mut_ptr().wrapping_add(start))).flatten()
    }

    fn apply_permissions(&mut self) -> std::result::Result<(), String> {
        for &(kind, start, length) in &self.sections {
            let protection = match kind {
                SectionKind::Code => region::Protection::READ_EXECUTE,
                SectionKind::ReadOnlyData => region::Protection::READ,
                SectionKind::Data => region::Protection::READ_WRITE,
            };
            let at = self.memory.as_ptr().wrapping_add(start);
            // SAFETY: whole pages of this region, into which nothing in this test writes any more.
            unsafe { region::protect(at, length, protection) }.map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    fn destroy(&mut self) {
        self.log.lock().unwrap().push("destroyed".to_owned());
    }
}

fn regions(log: &Arc<Mutex<Vec<String>>>) -> CallbackManager {
    let log = log.clone();
    CallbackManager::new(move |_| {
        let memory = memmap2::MmapMut::map_anon(1 << 20).expect("a megabyte");
        Box::new(Region { memory, used: 0, sections: Vec::new(), log: log.clone() })
    })
}

#[test]
fn memory_comes_from_the_users_callbacks() {
    let _alone = alone();
    let text = "#include <stdio.h>\n#include <stdlib.h>\nstatic int written = 4; static int zero[2000];\n\
                static const int constant[3] = {1, 2, 3};\n\
                int start(int n) { zero[n] += n; written += zero[n]; return abs(-written) + constant[n % 3]; }\n";
    let object = compile("sections.c", &["-O0", "-fPIC"], text);
    let log = Arc::new(Mutex::new(Vec::new()));
    let manager = regions(&log);
    let known = Known::new();
    let linked = image(&[&object], &manager, &known).unwrap();
    assert_eq!(call(&linked, "start", 5), 4 + 5 + 3);
    assert!(unwinds(ExecutorAddr(linked.lookup(b"start").unwrap().0 + 1)));
    linked.deallocate().unwrap();
    let log = log.lock().unwrap();
    for section in [".text Code", ".data Data", ".bss Data", ".rodata ReadOnlyData", ".eh_frame ReadOnlyData"]
    {
        assert!(log.iter().any(|entry| entry == section), "{section} is not in {log:?}");
    }
    assert_eq!(log.iter().filter(|entry| *entry == "destroyed").count(), 1);
    assert_eq!(log.last().map(String::as_str), Some("destroyed"));
}

/// A function that registers a handler for the exit of its image, and one that says whether it was called.
const AT_EXIT: &str = "#include <stdlib.h>\nstatic int called;\nstatic void handler(void) { called = 1; }\n\
    int start(int n) { return atexit(handler); }\nint ended(int n) { return called; }\n";

#[test]
fn exit_handlers_belong_to_their_image_wherever_its_code_lies() {
    let _alone = alone();
    unsafe extern "C" {
        fn __cxa_finalize(dso_handle: *const c_void);
    }
    let log = Arc::new(Mutex::new(Vec::new()));
    let managers: [Box<dyn MemoryManager>; 2] =
        [Box::new(InProcessManager::new().unwrap()), Box::new(regions(&log))];
    let sections: &[&str] = &["-O1", "-fPIC", "-ffunction-sections"];
    for (flags, manager) in
        [(sections, &managers[0]), (&["-O1", "-mcmodel=large"], &managers[0]), (sections, &managers[1])]
    {
        let object = compile("at_exit.c", flags, AT_EXIT);
        let linked = image(&[&object], manager.as_ref(), &Known::new()).unwrap();
        assert_eq!(call(&linked, "start", 0), 0);
        assert_eq!(call(&linked, "ended", 0), 0);
        // SAFETY: the image's handle; what is called is the handler above.
        unsafe { __cxa_finalize(std::ptr::with_exposed_provenance(linked.dso_handle().0 as usize)) };
        assert_eq!(call(&linked, "ended", 0), 1, "{flags:?}");
    }
}

/// What a section by section layout and the large model make of symbols for the ends of code and data.
const BOUNDS: &str = "extern char _etext[], _edata[], _end[], __bss_start[];\nstatic int data = 1, zero[100];\n\
    static int other(int n) { return n; }\n\
    int start(int n) {\n  char *volatile text_end = _etext, *volatile data_end = _edata, *volatile end = _end, *volatile bss = __bss_start;\n\
      return (text_end > (char *)start && text_end > (char *)other) | (data_end > (char *)&data) << 1\n\
        | (end >= (char *)(zero + 100)) << 2 | (bss <= (char *)zero && bss != 0) << 3 | data - zero[0] << 4;\n}\n";

#[test]
fn ends_of_code_and_data_are_past_all_of_it_wherever_it_lies() {
    let _alone = alone();
    let log = Arc::new(Mutex::new(Vec::new()));
    let (usual, regions) = (InProcessManager::new().unwrap(), regions(&log));
    let managers: [&dyn MemoryManager; 3] = [&usual, &usual, &regions];
    for (model, manager) in ["-fPIC", "-mcmodel=large", "-fPIC"].into_iter().zip(managers) {
        let flags = ["-O0", "-ffunction-sections", "-fdata-sections", model];
        let linked_object = compile("bounds.c", &flags, BOUNDS);
        let linked = image(&[&linked_object], manager, &Known::new()).unwrap();
        assert_eq!(call(&linked, "start", 0), 0b11111, "{model}");
    }
}

#[test]
fn stack_maps_are_kept_and_found() {
    let _alone = alone();
    let one = ".section .llvm_stackmaps,\"a\"\n.byte 3,0,0,0\n.quad f\n.text\nf: ret\n";
    let two = ".section .llvm_stackmaps,\"a\"\n.byte 3,0,0,0,0,0,0,0\n.text\n.globl start\nstart: ret\n";
    let (one, two) = (compile("one.s", &[], one), compile("two.s", &[], two));
    let manager = InProcessManager::new().unwrap();
    let linked = image(&[&one, &two], &manager, &Known::new()).unwrap();
    let ranges: Vec<AddrRange> = linked.section_ranges(b".llvm_stackmaps").collect();
    assert_eq!(ranges.iter().map(|range| range.size()).collect::<Vec<_>>(), [12, 8]);
    for range in &ranges {
        let start = std::ptr::with_exposed_provenance::<u8>(range.start.0 as usize);
        // SAFETY: a section of an image that is not yet freed.
        assert_eq!(unsafe { start.read() }, 3);
    }
    assert_eq!(linked.section_ranges(b".no_such_section").count(), 0);
}

/// Notes the debug sections that it sees.
#[derive(Default)]
struct SeesDebug(Vec<(String, bool, usize)>);

impl Plugin for SeesDebug {
    fn pre_fixup(&mut self, graph: &mut LinkGraph<'_>) -> Result<()> {
        for (_, block) in graph.blocks() {
            let section = graph.section(block.section());
            if section.lifetime == Lifetime::NoAlloc {
                let name = String::from_utf8_lossy(&section.name).into_owned();
                let compressed = section.flags.contains(SectionFlags::COMPRESSED);
                self.0.push((name, compressed, block.content().bytes().len()));
            }
        }
        Ok(())
    }
}

#[test]
fn plugins_see_debug_sections_compressed_or_not() {
    let _alone = alone();
    let text: String =
        (0..100).map(|n| format!("int start{n}(int n) {{ int m = n; return m; }}\n")).collect();
    let manager = InProcessManager::new().unwrap();
    for (flags, compressed) in
        [(&["-g"][..], false), (&["-g", "-gz=zlib"], true), (&["-g", "-gz=zstd"], true)]
    {
        let object = compile("debug.c", flags, &text);
        let mut plugin = SeesDebug::default();
        let plugins: &mut [&mut dyn Plugin] = &mut [&mut plugin];
        let known = Known::new();
        let mut context = LinkContext { manager: &manager, resolver: &known, actions: None, plugins };
        let options = LinkOptions { keep_debug: true, ..LinkOptions::default() };
        link(batch(&[&object]).unwrap(), &mut context, &options).unwrap();
        let info = plugin.0.iter().find(|(name, ..)| name == ".debug_info").expect("there is .debug_info");
        assert!(info.2 > 0 && plugin.0.iter().any(|(.., is_compressed, _)| *is_compressed) == compressed);
    }
}

#[test]
fn memory_of_finalize_lifetime_goes_when_the_image_is_finalized() {
    let _alone = alone();
    let manager = InProcessManager::new().unwrap();
    let kinds = jitlink::arch::kinds(Architecture::host());
    let mut graph = LinkGraph::new("sections", Architecture::host(), kinds);
    for (name, lifetime) in [("standard", Lifetime::Standard), ("finalize", Lifetime::Finalize)] {
        let section = Section { lifetime, ..Section::new(name.as_bytes(), Permissions::READ) };
        let section = graph.add_section(section).unwrap();
        let block = graph.add_block(NewBlock::content(section, vec![1u8; 64])).unwrap();
        graph.add_symbol(NewSymbol::defined(block, 0).named(name.as_bytes())).unwrap();
    }
    let mut batch = Batch::new();
    batch.add_graph(graph).unwrap();
    let known = Known::new();
    let mut context =
        LinkContext { manager: &manager, resolver: &known, actions: Some(&HostActions), plugins: &mut [] };
    let linked = link(batch, &mut context, &LinkOptions::default()).unwrap();
    assert!(is_readable(linked.lookup(b"standard").unwrap()));
    assert!(!is_readable(linked.lookup(b"finalize").unwrap()));
}

/// Whether this process can read at an address, by the system's list of mappings.
fn is_readable(address: ExecutorAddr) -> bool {
    let maps = std::fs::read_to_string("/proc/self/maps").expect("Linux lists mappings");
    maps.lines().any(|line| {
        let (range, rest) = line.split_once(' ').unwrap_or_default();
        let (start, end) = range.split_once('-').unwrap_or_default();
        let number = |text| u64::from_str_radix(text, 16).unwrap_or(0);
        (number(start)..number(end)).contains(&address.0) && rest.starts_with('r')
    })
}

#[test]
fn links_and_images_can_cross_threads() {
    fn crosses<T: Send + Sync>() {}
    crosses::<Linked<'static>>();
    crosses::<Batch<'static>>();
    crosses::<LinkGraph<'static>>();
    crosses::<InProcessManager>();
    crosses::<ProcessSymbols>();
    crosses::<Error>();
}
