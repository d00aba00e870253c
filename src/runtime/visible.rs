//! Linked images as the process sees them: what `dladdr` and `dl_iterate_phdr` say of them when linked code asks, and what
//! libraries that linked code loads find.
//!
//! The dynamic loader knows nothing of these images. So linked code is given functions of ours by the names of its own, which
//! answer for images and go on to it for all else. A library that linked code opens is bound by the loader alone; before that,
//! what images export is given to the loader as absolute symbols of an object of nothing else, one for all
//! images that came since the last time. Programs that open no library pay nothing for that.
//!
//! # Limits
//!
//! - Code that is not linked here (a loaded library, the host itself, its unwinder) asks the dynamic loader, which does not
//!   list images. Unwinders find their call frames by registration.
//! - Images have no `PT_GNU_EH_FRAME`, since they have no table of that kind, and no `PT_TLS`.
//! - Thread-local variables are not given to libraries.
//! - Whoever removes an image sees to it that no library uses it. Its names are taken back as far as the loader does that.
//!
//! # Safety
//!
//! What is handed to linked code points into an image's entry, which lives as long as the image. No lock is held while linked
//! code is called.
#![allow(unsafe_code)]

use crate::base::{AddrRange, ExecutorAddr, Result};
use crate::sys::global_stub::{GlobalStub, GlobalSymbol};
use crate::sys::page;
use std::collections::{BTreeMap, HashSet};
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::ops::Range;
use std::ptr::{null, null_mut};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

/// A definition of an image that others may see.
#[derive(Clone, Debug)]
pub struct VisibleSymbol {
    /// Its name, as C spells it.
    pub name: Vec<u8>,
    /// The object that defines it, if that is known.
    pub object: Option<Arc<str>>,
    /// Its address.
    pub address: ExecutorAddr,
    /// Bytes; zero where that is not known.
    pub size: u64,
    /// Whether it is code.
    pub callable: bool,
}

/// Knows what an image exports.
pub trait VisibleSymbols: Send + Sync {
    /// The symbol with the highest address up to `address`.
    fn symbol_before(&self, address: ExecutorAddr) -> Option<VisibleSymbol>;

    /// All symbols but thread-local variables.
    fn all(&self) -> Vec<VisibleSymbol>;
}

/// A segment of an image.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct VisibleSegment {
    /// Where it is.
    pub range: AddrRange,
    /// Whether it can be written.
    pub writable: bool,
    /// Whether it can be executed.
    pub executable: bool,
}

struct Entry {
    /// The lowest address.
    base: u64,
    name: CString,
    headers: Vec<libc::Elf64_Phdr>,
    symbols: Arc<dyn VisibleSymbols>,
    /// What callers were given pointers to.
    texts: Mutex<HashSet<CString>>,
    /// What makes its definitions known to the dynamic loader.
    published: Mutex<Option<Published>>,
}

/// Definitions of one image in an object that may have those of others, too.
type Published = (Arc<GlobalStub>, Range<usize>);

/// Keeps an image visible.
pub struct Visible(Arc<Entry>);

impl std::fmt::Debug for Visible {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Visible").field(&self.0.name).finish()
    }
}

struct Images {
    /// By the first address of a segment: the end, and the image.
    segments: BTreeMap<u64, (u64, Arc<Entry>)>,
    /// In the order of linking.
    list: Vec<Arc<Entry>>,
    added: u64,
    removed: u64,
}

static IMAGES: RwLock<Images> =
    RwLock::new(Images { segments: BTreeMap::new(), list: Vec::new(), added: 0, removed: 0 });

/// Makes an image visible. `name` is that of its file, as it were.
#[must_use]
pub fn show(name: &str, segments: &[VisibleSegment], symbols: Arc<dyn VisibleSymbols>) -> Visible {
    let base = segments.iter().map(|segment| segment.range.start.0).min().unwrap_or(0) & !(page::size() - 1);
    let name = CString::new(name.replace('\0', "")).unwrap_or_default();
    let headers = segments.iter().map(|segment| header(segment, base)).collect();
    let (texts, published) = (Mutex::default(), Mutex::default());
    let entry = Arc::new(Entry { base, name, headers, symbols, texts, published });
    let mut images = IMAGES.write().unwrap_or_else(PoisonError::into_inner);
    for segment in segments {
        images.segments.insert(segment.range.start.0, (segment.range.end.0, Arc::clone(&entry)));
    }
    images.list.push(Arc::clone(&entry));
    images.added += 1;
    Visible(entry)
}

fn header(segment: &VisibleSegment, base: u64) -> libc::Elf64_Phdr {
    let writable = if segment.writable { libc::PF_W } else { 0 };
    let executable = if segment.executable { libc::PF_X } else { 0 };
    libc::Elf64_Phdr {
        p_type: libc::PT_LOAD,
        p_flags: libc::PF_R | writable | executable,
        p_offset: 0,
        p_vaddr: segment.range.start.0.wrapping_sub(base),
        p_paddr: 0,
        p_filesz: segment.range.size(),
        p_memsz: segment.range.size(),
        p_align: page::size(),
    }
}

impl Drop for Visible {
    fn drop(&mut self) {
        let mut images = IMAGES.write().unwrap_or_else(PoisonError::into_inner);
        for header in &self.0.headers {
            images.segments.remove(&self.0.base.wrapping_add(header.p_vaddr));
        }
        if let Some(position) = images.list.iter().position(|entry| Arc::ptr_eq(entry, &self.0)) {
            images.list.remove(position);
            images.removed += 1;
        }
        drop(images);
        let published = lock(&self.0.published).take();
        if let Some((stub, positions)) = published {
            stub.withdraw(positions);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn image_at(address: u64) -> Option<Arc<Entry>> {
    let images = IMAGES.read().unwrap_or_else(PoisonError::into_inner);
    let (_, (end, entry)) = images.segments.range(..=address).next_back()?;
    (address < *end).then(|| Arc::clone(entry))
}

/// What linked code is given by a name of the dynamic loader's.
#[must_use]
pub fn lookup(name: &[u8]) -> Option<ExecutorAddr> {
    let function = match name {
        b"dladdr" => dladdr as *const (),
        b"dl_iterate_phdr" => dl_iterate_phdr as *const (),
        _ => return None,
    };
    Some(ExecutorAddr(function.addr() as u64))
}

/// Gives the dynamic loader what images export, for libraries that are loaded from now on. Where several define a name, the
/// first one counts.
///
/// # Errors
/// The dynamic loader does not take it.
pub fn publish() -> Result<()> {
    static ONE: Mutex<()> = Mutex::new(());
    let _one = lock(&ONE);
    let list = IMAGES.read().unwrap_or_else(PoisonError::into_inner).list.clone();
    let new: Vec<_> = list.into_iter().filter(|entry| lock(&entry.published).is_none()).collect();
    let symbols: Vec<Vec<_>> = new.iter().map(|entry| entry.symbols.all()).collect();
    if symbols.iter().all(Vec::is_empty) {
        return Ok(());
    }
    let all: Vec<_> = symbols.iter().flatten().map(global_of).collect();
    let stub = Arc::new(GlobalStub::new(&all)?);
    let mut start = 0;
    for (entry, symbols) in new.iter().zip(&symbols) {
        if symbols.is_empty() {
            // Its names may not have been entered yet.
            continue;
        }
        let end = start + symbols.len();
        *lock(&entry.published) = Some((Arc::clone(&stub), start..end));
        start = end;
    }
    Ok(())
}

fn global_of(symbol: &VisibleSymbol) -> GlobalSymbol<'_> {
    let VisibleSymbol { name, address, size, callable, .. } = symbol;
    GlobalSymbol { name, address: *address, size: *size, callable: *callable }
}

impl Entry {
    /// A string that stays as long as the image.
    fn text(&self, bytes: Vec<u8>) -> *const c_char {
        let Ok(text) = CString::new(bytes) else { return null() };
        let mut texts = lock(&self.texts);
        if let Some(known) = texts.get(&*text) {
            return known.as_ptr();
        }
        let pointer = text.as_ptr();
        texts.insert(text);
        pointer
    }

    fn describe(&self, address: u64) -> libc::Dl_info {
        let symbol = self.symbols.symbol_before(ExecutorAddr(address));
        let object = symbol.as_ref().and_then(|symbol| symbol.object.clone());
        // Past its end there is something else, which has no name.
        let holds = |symbol: &VisibleSymbol| address - symbol.address.0 < symbol.size.max(1);
        let symbol = symbol.filter(holds);
        let pointer = |address: u64| std::ptr::with_exposed_provenance_mut::<c_void>(address as usize);
        libc::Dl_info {
            dli_fname: object.map_or(self.name.as_ptr(), |object| self.text(object.as_bytes().to_vec())),
            dli_fbase: pointer(self.base),
            dli_saddr: symbol.as_ref().map_or(null_mut(), |symbol| pointer(symbol.address.0)),
            dli_sname: symbol.map_or(null(), |symbol| self.text(symbol.name)),
        }
    }
}

unsafe extern "C" fn dladdr(address: *const c_void, info: *mut libc::Dl_info) -> c_int {
    match image_at(address.addr() as u64) {
        Some(image) => {
            // SAFETY: the caller gives room for the answer, as dladdr asks.
            unsafe { info.write(image.describe(address.addr() as u64)) };
            1
        }
        // SAFETY: as called.
        None => unsafe { libc::dladdr(address, info) },
    }
}

type Callback = unsafe extern "C-unwind" fn(*mut libc::dl_phdr_info, usize, *mut c_void) -> c_int;

unsafe extern "C-unwind" {
    #[link_name = "dl_iterate_phdr"]
    fn system_dl_iterate_phdr(callback: Callback, data: *mut c_void) -> c_int;
}

/// What the callback for the dynamic loader's own objects is to do.
struct Forward {
    callback: Option<Callback>,
    data: *mut c_void,
    added: u64,
    removed: u64,
}

/// Counts of ours are added to the loader's, so that whoever keeps what it found sees every change.
unsafe extern "C-unwind" fn forward(info: *mut libc::dl_phdr_info, size: usize, data: *mut c_void) -> c_int {
    // SAFETY: what `dl_iterate_phdr` below gave, and an entry of the loader's list.
    let (forward, mut info) = unsafe { (&mut *data.cast::<Forward>(), *info) };
    let Some(callback) = forward.callback else {
        (forward.added, forward.removed) = (info.dlpi_adds, info.dlpi_subs);
        return 1;
    };
    info.dlpi_adds += forward.added;
    info.dlpi_subs += forward.removed;
    // SAFETY: linked code's own function, called as the loader would.
    unsafe { callback(&raw mut info, size, forward.data) }
}

unsafe extern "C-unwind" fn dl_iterate_phdr(callback: Callback, data: *mut c_void) -> c_int {
    let (list, added, removed) = {
        let images = IMAGES.read().unwrap_or_else(PoisonError::into_inner);
        (images.list.clone(), images.added, images.removed)
    };
    let mut system = Forward { callback: None, data: null_mut(), added: 0, removed: 0 };
    // SAFETY: `forward` takes what is given.
    unsafe { system_dl_iterate_phdr(forward, (&raw mut system).cast()) };
    for image in list {
        // SAFETY: the structure consists of numbers and pointers.
        let mut info: libc::dl_phdr_info = unsafe { std::mem::zeroed() };
        info.dlpi_addr = image.base;
        info.dlpi_name = CStr::as_ptr(&image.name);
        info.dlpi_phdr = image.headers.as_ptr();
        info.dlpi_phnum = image.headers.len() as u16;
        (info.dlpi_adds, info.dlpi_subs) = (system.added + added, system.removed + removed);
        // SAFETY: as the dynamic loader would call it; the image's entry is held.
        let status = unsafe { callback(&raw mut info, size_of::<libc::dl_phdr_info>(), data) };
        if status != 0 {
            return status;
        }
    }
    let mut system = Forward { callback: Some(callback), data, added, removed };
    // SAFETY: `forward` takes what is given, which lives until it returns.
    unsafe { system_dl_iterate_phdr(forward, (&raw mut system).cast()) }
}

#[cfg(test)]
mod tests;
