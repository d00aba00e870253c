//! The loaded objects of this process (the program and its libraries) as they lie in memory, and the pointers to
//! symbols that the dynamic loader wrote into them.
//!
//! The facts are those of the program headers and of the dynamic section: System V gABI, "Dynamic Linking".
//!
//! # Safety
//!
//! The program headers that the loader hands out describe what it mapped; it keeps that mapped while it walks its list.
//! A relocation table is read only where it lies entirely in a segment of its object, and a pointer is read and written
//! only where it is aligned and lies in a writable one.
#![allow(unsafe_code)]

mod rebind;

use super::page;
use std::ffi::{CStr, c_int, c_void};
use std::ops::{ControlFlow, Range};
use std::sync::atomic::{AtomicU64, Ordering};

pub(crate) use rebind::rebind;

const DT_HASH: u64 = 4;
const DT_STRTAB: u64 = 5;
const DT_SYMTAB: u64 = 6;
const DT_STRSZ: u64 = 10;
const DT_GNU_HASH: u64 = 0x6fff_fef5;
const DT_RELA: u64 = 7;
const DT_RELASZ: u64 = 8;
const DT_RELACOUNT: u64 = 0x6fff_fff9;
const RELA_SIZE: u64 = 24;

/// Relocations whose value is the address of a symbol, 64 bits wide: `GLOB_DAT` and the plain absolute one.
#[cfg(target_arch = "x86_64")]
const SYMBOLIC: [u32; 2] = [6, 1];
#[cfg(target_arch = "aarch64")]
const SYMBOLIC: [u32; 2] = [1025, 257];

/// Makes pointers that the dynamic loader wrote for symbols follow what has moved: each whose value `moved` has an
/// answer for becomes that answer. So does its twin, where the pointer itself lies in what has moved.
///
/// Procedure linkage slots stay: they hold addresses of functions.
///
/// # Errors
/// Pages cannot be made writable. Pointers in other objects may have been rewritten by then.
///
/// # Safety
/// Each answer of `moved` can be used in place of its question, and both are mapped. No library is being loaded or
/// unloaded by another thread: its pages are made read-only here once their pointers are rewritten.
pub(crate) unsafe fn redirect(moved: &dyn Fn(u64) -> Option<u64>) -> Result<(), region::Error> {
    let mut outcome = Ok(());
    for_each(&mut |object| {
        // SAFETY: the object is loaded; the rest is the caller's promise.
        outcome = unsafe { object.redirect(moved) };
        if outcome.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    });
    outcome
}

/// Whether `range` is a variable of a loaded object: writable, and not only until the loader is done.
pub(crate) fn is_variable(range: &Range<u64>) -> bool {
    let mut found = false;
    for_each(&mut |object| {
        found = object.is_writable(range) && !object.is_relro(range);
        if found { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    found
}

/// Which of these addresses, by their positions, lie in no loaded object. Null lies in none, and is left out.
pub(crate) fn outside(addresses: &[u64]) -> Vec<usize> {
    let mut rest: Vec<usize> = (0..addresses.len()).filter(|&position| addresses[position] != 0).collect();
    for_each(&mut |object| {
        rest.retain(|&position| !object.is_loaded(&(addresses[position]..addresses[position]), 0));
        if rest.is_empty() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    rest
}

/// Whether a loaded object exports a thread-local variable of this name.
pub(crate) fn is_thread_local(name: &[u8]) -> bool {
    thread_local_owner(name).is_some()
}

/// The name, as the loader has it, of the first loaded object that exports a thread-local variable of this name; empty for
/// the program itself.
pub(crate) fn thread_local_owner(name: &[u8]) -> Option<Vec<u8>> {
    const THREAD_LOCAL: u8 = 6;
    let mut found = None;
    for_each(&mut |object| {
        // Most objects have no such variables.
        if object.thread.0 != 0 && object.defines(THREAD_LOCAL, name) {
            found = Some(object.name.to_vec());
        }
        if found.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    found
}

/// The variables of the object loaded at `base` of which a process has one, however many objects define them: static members
/// of templates, inline variables, static variables of inline functions. Tables that compilers make are not counted.
pub(crate) fn vague_variables(base: u64) -> Vec<Vec<u8>> {
    const OBJECT: u8 = 1;
    const WEAK: u8 = 2;
    const UNIQUE: u8 = 10;
    let is_table = |name: &[u8]| name.starts_with(b"_ZT");
    let mut found = Vec::new();
    for_each(&mut |object| {
        if object.base != base {
            return ControlFlow::Continue(());
        }
        let vague = object.definitions(|kind, binding| kind == OBJECT && matches!(binding, WEAK | UNIQUE));
        found.extend(vague.filter(|name| !is_table(name)).map(<[u8]>::to_vec));
        ControlFlow::Break(())
    });
    found
}

/// The initial contents of a thread-local variable of a loaded object.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ThreadImage {
    /// The object's module, as the dynamic loader's `__tls_get_addr` takes it.
    pub(crate) module: u64,
    /// The variable's offset in the module.
    pub(crate) offset: u64,
    /// Where its initial contents are, from which new threads get theirs.
    pub(crate) address: u64,
    /// How many bytes of such contents the module has from there on.
    pub(crate) size: u64,
    /// Whether the object is the program itself.
    pub(crate) is_program: bool,
}

/// The initial contents of the variable at `address`, the calling thread's.
pub(crate) fn thread_image(address: u64) -> Option<ThreadImage> {
    let mut found = None;
    let mut is_program = true;
    for_each(&mut |object| {
        found = object.thread_image(address).map(|image| ThreadImage { is_program, ..image });
        is_program = false;
        if found.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    found
}

/// Whether `dlopen` has given out this handle, of a library that is still loaded, or could.
pub(crate) fn is_handle(handle: *mut c_void) -> bool {
    /// The start of the C library's `struct link_map`, which `<link.h>` makes public; a handle is the address of one.
    #[repr(C)]
    struct LinkMap {
        address: u64,
        name: *const c_void,
        dynamic: *const c_void,
        next: *mut LinkMap,
    }
    // SAFETY: the program's own handle; there is nothing to load.
    let program = unsafe { libc::dlopen(std::ptr::null(), libc::RTLD_LAZY) };
    let mut found = false;
    for_each(&mut |_| {
        let mut map = program.cast::<LinkMap>();
        while !map.is_null() && !found {
            found = map.cast() == handle;
            // SAFETY: the loader keeps its list as it is while it calls this.
            map = unsafe { (*map).next };
        }
        ControlFlow::Break(())
    });
    found
}

/// Does `write` while `size` bytes of initial contents are writable.
///
/// # Errors
/// They cannot be made writable; then `write` is not called.
///
/// # Safety
/// The contents are of a variable of this library's own, and nobody else does this at the same time.
pub(crate) unsafe fn with_thread_image(
    image: ThreadImage,
    size: u64,
    write: impl FnOnce(),
) -> Result<(), region::Error> {
    let range = image.address..image.address.saturating_add(size.min(image.size));
    let mut read_only = None;
    let mut is_writable = false;
    for_each(&mut |object| {
        if object.is_writable(&range) {
            is_writable = true;
            read_only = object.relro().map(|relro| intersection(&relro, &pages(&range)));
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    });
    let read_only =
        if is_writable { read_only.filter(|pages| !pages.is_empty()) } else { Some(pages(&range)) };
    let Some(read_only) = read_only else {
        write();
        return Ok(());
    };
    // SAFETY: the loader made these pages read-only; writable ones can be read, too.
    unsafe { protect(&read_only, region::Protection::READ_WRITE) }?;
    write();
    // SAFETY: as the loader left them.
    unsafe { protect(&read_only, region::Protection::READ) }
}

/// The pages that `range` touches.
fn pages(range: &Range<u64>) -> Range<u64> {
    let mask = page::size() - 1;
    range.start & !mask..range.end.saturating_add(mask) & !mask
}

fn intersection(a: &Range<u64>, b: &Range<u64>) -> Range<u64> {
    a.start.max(b.start)..a.end.min(b.end)
}

type Visit<'a> = dyn FnMut(&Object<'_>) -> ControlFlow<()> + 'a;

/// Visits the loaded objects. The loader's list is locked meanwhile: a visit loads nothing.
fn for_each(mut visit: &mut Visit<'_>) {
    unsafe extern "C" fn call(info: *mut libc::dl_phdr_info, _: usize, visit: *mut c_void) -> c_int {
        // SAFETY: the loader hands over an entry of its list, and what `for_each` gave to it.
        let (info, visit) = unsafe { (&*info, &mut *visit.cast::<&mut Visit<'_>>()) };
        if info.dlpi_phdr.is_null() {
            return 0;
        }
        // SAFETY: the entry's program headers, that many of them.
        let headers = unsafe { std::slice::from_raw_parts(info.dlpi_phdr, info.dlpi_phnum.into()) };
        let thread = (info.dlpi_tls_modid as u64, info.dlpi_tls_data.addr() as u64);
        let name: &[u8] = if info.dlpi_name.is_null() {
            &[]
        } else {
            // SAFETY: the entry's name, a C string.
            unsafe { CStr::from_ptr(info.dlpi_name) }.to_bytes()
        };
        c_int::from(visit(&Object { base: info.dlpi_addr, name, headers, thread }).is_break())
    }
    // SAFETY: `call` has the type asked for, and `visit` lives until the walk is over.
    unsafe { libc::dl_iterate_phdr(Some(call), (&raw mut visit).cast()) };
}

/// A table of strings.
#[derive(Clone, Copy)]
struct Names<'a>(&'a [u8]);

impl<'a> Names<'a> {
    /// The string at an offset.
    fn get(self, offset: u32) -> Option<&'a [u8]> {
        let rest = self.0.get(offset as usize..)?;
        rest.get(..memchr::memchr(0, rest)?)
    }
}

/// A loaded object.
struct Object<'a> {
    /// By how much its addresses differ from those in its program headers.
    base: u64,
    name: &'a [u8],
    headers: &'a [libc::Elf64_Phdr],
    /// Its module of thread-local variables, and the address of the calling thread's; zero where there are none.
    thread: (u64, u64),
}

impl Object<'_> {
    /// The initial contents of the variable at `address`, the calling thread's, if it is this object's.
    fn thread_image(&self, address: u64) -> Option<ThreadImage> {
        let (module, block) = self.thread;
        let header = self.headers.iter().find(|header| header.p_type == libc::PT_TLS)?;
        let offset = address.checked_sub(block).filter(|offset| block != 0 && *offset < header.p_filesz)?;
        Some(ThreadImage {
            module,
            offset,
            address: self.base.wrapping_add(header.p_vaddr).wrapping_add(offset),
            size: header.p_filesz - offset,
            is_program: false,
        })
    }

    /// # Safety
    /// As for [`redirect`].
    unsafe fn redirect(&self, moved: &dyn Fn(u64) -> Option<u64>) -> Result<(), region::Error> {
        self.with_relro(|relro| {
            for slot in self.symbolic_slots() {
                // SAFETY: it is aligned and lies in a segment of this object. Linked code may read it at the same time.
                let pointer = unsafe { AtomicU64::from_ptr(at(slot)) };
                let old = pointer.load(Ordering::Relaxed);
                let Some(new) = moved(old) else { continue };
                relro.open_for(slot)?;
                pointer.store(new, Ordering::Release);
                if let Some(twin) = moved(slot).filter(|twin| twin.is_multiple_of(8)) {
                    // SAFETY: what has moved is mapped at its new place, by the caller's promise.
                    let twin = unsafe { AtomicU64::from_ptr(at(twin)) };
                    let _ = twin.compare_exchange(old, new, Ordering::Release, Ordering::Relaxed);
                }
            }
            Ok(())
        })
    }

    /// Does `write`, which opens the pages that the loader has made read-only where it has to. They are closed again
    /// afterwards, whatever comes of it.
    fn with_relro(
        &self,
        write: impl FnOnce(&mut Relro) -> Result<(), region::Error>,
    ) -> Result<(), region::Error> {
        let mut relro = Relro { pages: self.relro(), is_open: false };
        let written = write(&mut relro);
        written.and(relro.close())
    }

    /// Addresses of the pointers that symbolic relocations wrote.
    fn symbolic_slots(&self) -> impl Iterator<Item = u64> {
        let is_symbolic = |rela: &&[u64; 3]| SYMBOLIC.contains(&(rela[1] as u32));
        let slots = self.relocations().iter().filter(is_symbolic);
        slots
            .map(|rela| self.base.wrapping_add(rela[0]))
            .filter(|&slot| slot.is_multiple_of(8) && self.is_writable(&(slot..slot.saturating_add(8))))
    }

    /// The relocation table, without the relative ones at its start.
    fn relocations(&self) -> &[[u64; 3]] {
        let (mut table, mut size, mut relative) = (0, 0, 0);
        for &[tag, value] in self.dynamic().iter().take_while(|entry| entry[0] != 0) {
            match tag {
                DT_RELA => table = value,
                DT_RELASZ => size = value,
                DT_RELACOUNT => relative = value,
                _ => {}
            }
        }
        // Some loaders replace the offset by the address, others do not write to the dynamic section.
        let start = if table < self.base { self.base.wrapping_add(table) } else { table };
        let entries = self.table::<3>(start..start.saturating_add(size / RELA_SIZE * RELA_SIZE));
        entries.get(relative as usize..).unwrap_or(entries)
    }

    fn dynamic_value(&self, tag: u64) -> Option<u64> {
        let mut entries = self.dynamic().iter().take_while(|entry| entry[0] != 0);
        entries.find(|entry| entry[0] == tag).map(|entry| entry[1])
    }

    /// The address that a dynamic entry holds.
    fn dynamic_address(&self, tag: u64) -> Option<u64> {
        let value = self.dynamic_value(tag)?;
        // Some loaders replace the offset by the address, others do not write to the dynamic section.
        Some(if value < self.base { self.base.wrapping_add(value) } else { value })
    }

    /// Whether its dynamic symbol table has a definition of this type and name.
    fn defines(&self, kind: u8, name: &[u8]) -> bool {
        let Some(strings) = self.dynamic_address(DT_STRTAB) else { return false };
        self.symbols().iter().any(|[head, ..]| {
            let (string, info, section) = (*head as u32, (head >> 32) as u8, (head >> 48) as u16);
            info & 15 == kind && section != 0 && self.has_string(strings.wrapping_add(string.into()), name)
        })
    }

    /// The names of the definitions in its dynamic symbol table that have a type and binding as wanted.
    fn definitions(&self, wanted: impl Fn(u8, u8) -> bool) -> impl Iterator<Item = &[u8]> {
        let names = self.names();
        self.symbols().iter().filter_map(move |[head, ..]| {
            let (info, section) = ((head >> 32) as u8, (head >> 48) as u16);
            let is_wanted = section != 0 && wanted(info & 15, info >> 4);
            if is_wanted { names.get(*head as u32) } else { None }
        })
    }

    fn symbols(&self) -> &[[u64; 3]] {
        let at = |tag: u64| self.dynamic_address(tag);
        let Some(symbols) = at(DT_SYMTAB) else { return &[] };
        let count = at(DT_HASH).and_then(|hash| self.half(hash.wrapping_add(4)));
        let count = count.or_else(|| self.gnu_hash_count(at(DT_GNU_HASH)?)).unwrap_or(0);
        self.table::<3>(symbols..symbols.saturating_add(u64::from(count) * 24))
    }

    /// How many symbols a GNU hash table leads to: up to the end of the chain that starts last.
    fn gnu_hash_count(&self, hash: u64) -> Option<u32> {
        let &[buckets, first, bloom] = self.halves(hash, 3) else { return None };
        let table = hash.wrapping_add(16 + 8 * u64::from(bloom));
        let mut last = *self.halves(table, buckets.into()).iter().max()?;
        if last < first {
            return Some(first);
        }
        let chains = table.wrapping_add(4 * u64::from(buckets));
        while self.half(chains.wrapping_add(4 * u64::from(last - first)))? & 1 == 0 {
            last = last.checked_add(1)?;
        }
        last.checked_add(1)
    }

    /// So many words of 32 bits; none if they are not entirely in this object.
    fn halves(&self, start: u64, count: u64) -> &[u32] {
        let range = start..start.saturating_add(count.saturating_mul(4));
        if !start.is_multiple_of(4) || range.is_empty() || !self.is_loaded(&range, libc::PF_R) {
            return &[];
        }
        // SAFETY: aligned, and in a readable segment of this object, which stays loaded.
        unsafe { std::slice::from_raw_parts(at(start).cast(), count as usize) }
    }

    fn half(&self, address: u64) -> Option<u32> {
        let readable = self.is_loaded(&(address..address.saturating_add(4)), libc::PF_R);
        // SAFETY: in a readable segment of this object, which stays loaded.
        readable.then(|| unsafe { at(address).cast::<u32>().read_unaligned() })
    }

    /// Whether the string at an address is this one.
    fn has_string(&self, address: u64, string: &[u8]) -> bool {
        let end = address.saturating_add(string.len() as u64 + 1);
        if !self.is_loaded(&(address..end), libc::PF_R) {
            return false;
        }
        // SAFETY: in a readable segment of this object, which stays loaded.
        let bytes = unsafe { std::slice::from_raw_parts(at(address).cast::<u8>(), string.len() + 1) };
        bytes.split_last() == Some((&0, string))
    }

    /// The names of its dynamic symbols.
    fn names(&self) -> Names<'_> {
        let size = self.dynamic_value(DT_STRSZ).unwrap_or(0);
        let range = self.dynamic_address(DT_STRTAB).map(|start| start..start.saturating_add(size));
        let range = range.filter(|range| !range.is_empty() && self.is_loaded(range, libc::PF_R));
        Names(range.map_or(&[], |range| {
            // SAFETY: in a readable segment of this object, which stays loaded.
            unsafe { std::slice::from_raw_parts(at(range.start).cast(), (range.end - range.start) as usize) }
        }))
    }

    fn dynamic(&self) -> &[[u64; 2]] {
        self.ranges(libc::PT_DYNAMIC).next().map_or(&[], |range| self.table(range))
    }

    /// A table of entries of `N` words; empty if it is not entirely in this object.
    fn table<const N: usize>(&self, range: Range<u64>) -> &[[u64; N]] {
        if !range.start.is_multiple_of(8) || range.is_empty() || !self.is_loaded(&range, libc::PF_R) {
            return &[];
        }
        let count = (range.end - range.start) as usize / size_of::<[u64; N]>();
        // SAFETY: aligned, and in a readable segment of this object, which stays loaded.
        unsafe { std::slice::from_raw_parts(at(range.start).cast(), count) }
    }

    fn is_writable(&self, range: &Range<u64>) -> bool {
        self.is_loaded(range, libc::PF_R | libc::PF_W)
    }

    fn is_loaded(&self, range: &Range<u64>, flags: u32) -> bool {
        let has_flags = |header: &&libc::Elf64_Phdr| header.p_flags & flags == flags;
        let loads = self.headers.iter().filter(|header| header.p_type == libc::PT_LOAD).filter(has_flags);
        loads
            .map(|header| self.range(header))
            .any(|load| load.start <= range.start && range.end <= load.end && range.start <= range.end)
    }

    fn is_relro(&self, range: &Range<u64>) -> bool {
        self.relro().is_some_and(|pages| pages.start < range.end && range.start < pages.end)
    }

    /// What the loader makes read-only after relocation: whole pages, from the one it starts in to the last one that
    /// it fills.
    fn relro(&self) -> Option<Range<u64>> {
        let range = self.ranges(libc::PT_GNU_RELRO).next()?;
        let mask = page::size() - 1;
        let pages = range.start & !mask..range.end & !mask;
        (!pages.is_empty()).then_some(pages)
    }

    fn ranges(&self, kind: u32) -> impl Iterator<Item = Range<u64>> {
        self.headers.iter().filter(move |header| header.p_type == kind).map(|header| self.range(header))
    }

    fn range(&self, header: &libc::Elf64_Phdr) -> Range<u64> {
        let start = self.base.wrapping_add(header.p_vaddr);
        start..start.saturating_add(header.p_memsz)
    }
}

/// The pages of an object that the loader has made read-only.
struct Relro {
    pages: Option<Range<u64>>,
    is_open: bool,
}

impl Relro {
    /// Makes the pages writable if `slot` is in them.
    fn open_for(&mut self, slot: u64) -> Result<(), region::Error> {
        if let Some(pages) = self.pages.as_ref().filter(|pages| !self.is_open && pages.contains(&slot)) {
            // SAFETY: the loader made these pages of the object read-only; writable ones can be read, too.
            unsafe { protect(pages, region::Protection::READ_WRITE) }?;
            self.is_open = true;
        }
        Ok(())
    }

    fn close(self) -> Result<(), region::Error> {
        match self.pages.filter(|_| self.is_open) {
            // SAFETY: as the loader left them, and what was to be written is.
            Some(pages) => unsafe { protect(&pages, region::Protection::READ) },
            None => Ok(()),
        }
    }
}

fn at(address: u64) -> *mut u64 {
    std::ptr::with_exposed_provenance_mut(address as usize)
}

/// # Safety
/// Nothing relies on the pages being protected otherwise.
unsafe fn protect(pages: &Range<u64>, protection: region::Protection) -> Result<(), region::Error> {
    // SAFETY: the caller's promise.
    unsafe { region::protect(at(pages.start), (pages.end - pages.start) as usize, protection) }
}

#[cfg(test)]
mod tests {
    use super::super::dl::{self, Library, OpenFlags};
    use super::*;
    use jitlink_test_support::arch::Arch;
    use jitlink_test_support::toolchain::Compiler;
    use std::path::Path;

    const SOURCE: &str = r#"
        struct pair { long first, second; } moving = {1, 2};
        long *inside = &moving.second;
        struct pair *const constant = &moving;
        static long own = 5;
        struct { long value; void *self; } with_pointer = {3, &with_pointer};
        long first(void) { return moving.first; }
        long *pointer_to_second(void) { return inside; }
        struct pair *through_constant(void) { return *(struct pair *const volatile *)&constant; }
        long *pointer_to_own(void) { return &own; }
    "#;

    fn library(dir: &Path) -> Library {
        let (c, so) = (dir.join("moving.c"), dir.join("libmoving.so"));
        std::fs::write(&c, SOURCE).unwrap();
        let mut clang = Compiler::Clang.c(Arch::host());
        clang.arg("--ld-path=/usr/lib/llvm-22/bin/ld.lld");
        clang.args(["-shared", "-fPIC", "-O1", "-Wl,-z,relro,-z,now", "-o"]).args([&so, &c]);
        assert!(clang.status().unwrap().success());
        Library::open(&so, OpenFlags::empty()).unwrap()
    }

    fn call(library: &Library, name: &str) -> u64 {
        let function = library.lookup(name.as_bytes()).unwrap().0 as *const ();
        // SAFETY: the functions of the test library take nothing and return a word.
        unsafe { std::mem::transmute::<*const (), extern "C" fn() -> u64>(function)() }
    }

    fn follow(from: u64, size: u64, to: u64) {
        // SAFETY: what is said to have moved is the test library's, and both places are mapped.
        unsafe { redirect(&|value| (value.wrapping_sub(from) < size).then(|| to + (value - from))) }.unwrap();
    }

    fn own_address(words: &[u64]) -> u64 {
        words.as_ptr().expose_provenance() as u64
    }

    fn has(address: u64, protection: region::Protection) -> bool {
        region::query(at(address)).unwrap().protection() == protection
    }

    #[test]
    fn the_loaders_pointers_follow_and_come_back() {
        let dir = tempfile::tempdir().unwrap();
        let library = library(dir.path());
        let original = library.lookup(b"moving").unwrap().0;
        let constant = library.lookup(b"constant").unwrap().0;
        let own = call(&library, "pointer_to_own");
        let copy = vec![7u64, 8];
        follow(original, 16, own_address(&copy));
        assert_eq!(call(&library, "first"), 7);
        assert_eq!(call(&library, "pointer_to_second"), own_address(&copy) + 8);
        assert_eq!(call(&library, "through_constant"), own_address(&copy));
        assert_eq!(call(&library, "pointer_to_own"), own);
        assert!(has(constant, region::Protection::READ));
        follow(own_address(&copy), 16, original);
        assert_eq!(call(&library, "first"), 1);
        assert_eq!(call(&library, "pointer_to_second"), original + 8);
        assert!(has(constant, region::Protection::READ));
    }

    #[test]
    fn a_pointer_in_what_has_moved_is_rewritten_there_too() {
        let dir = tempfile::tempdir().unwrap();
        let library = library(dir.path());
        let original = library.lookup(b"with_pointer").unwrap().0;
        let mut copy = vec![3u64, original];
        let to = copy.as_mut_ptr().expose_provenance() as u64;
        follow(original, 16, to);
        assert_eq!(std::hint::black_box(&copy)[1], to);
        follow(to, 16, original);
    }

    #[test]
    fn variables_are_told_from_constants_and_from_what_is_not_loaded() {
        let dir = tempfile::tempdir().unwrap();
        let library = library(dir.path());
        let address = |name: &[u8]| library.lookup(name).unwrap().0;
        assert!(is_variable(&(address(b"moving")..address(b"moving") + 16)));
        assert!(!is_variable(&(address(b"constant")..address(b"constant") + 8)));
        assert!(!is_variable(&(address(b"first")..address(b"first") + 1)));
        let words: Vec<u64> = std::iter::once(0).collect();
        let heap = own_address(&words);
        assert!(!is_variable(&(heap..heap + 8)));
        let environ = dl::lookup(b"environ").unwrap().0;
        assert!(is_variable(&(environ..environ + 8)));
    }

    #[test]
    fn the_c_librarys_own_variables_are_reached_by_pointers() {
        for name in [&b"environ"[..], b"stdout", b"optarg", b"optind", b"opterr"] {
            let address = dl::lookup(name).unwrap().0;
            let mut pointers = 0;
            for_each(&mut |object| {
                // SAFETY: slots of a loaded object.
                pointers +=
                    object.symbolic_slots().filter(|&slot| unsafe { at(slot).read() } == address).count();
                ControlFlow::Continue(())
            });
            assert!(pointers > 0, "{}", String::from_utf8_lossy(name));
        }
    }
}
