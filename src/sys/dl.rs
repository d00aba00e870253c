//! The dynamic loader: libraries of this process and the symbols they export.
//!
//! # Safety
//!
//! The unsafe blocks call the C library's `dlopen` family with strings that end in a zero byte and handles that it gave
//! out itself and that are not closed while a [`Library`] with them exists. Nothing that it returns is dereferenced but
//! its error text, which it keeps until the same thread calls it again, and the facts of [`symbol_at`], which lie in
//! the image of a loaded library.
#![allow(unsafe_code)]

use std::ffi::{CStr, OsStr, c_char, c_void};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::ptr::{NonNull, null, null_mut};

use smallvec::SmallVec;

use crate::base::{Error, ExecutorAddr, Result};

bitflags::bitflags! {
    /// How a library is opened. It is always bound at once, so that a missing symbol is an error here and not later.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(crate) struct OpenFlags: u8 {
        /// Its symbols serve libraries opened later, and searches of the whole process.
        const GLOBAL = 1;
        /// It stays loaded even when closed.
        const KEEP = 2;
        /// It is found only if it is loaded already.
        const IF_LOADED = 4;
    }
}

impl OpenFlags {
    fn raw(self) -> i32 {
        let global = if self.contains(Self::GLOBAL) { libc::RTLD_GLOBAL } else { libc::RTLD_LOCAL };
        let keep = if self.contains(Self::KEEP) { libc::RTLD_NODELETE } else { 0 };
        let loaded = if self.contains(Self::IF_LOADED) { libc::RTLD_NOLOAD } else { 0 };
        libc::RTLD_NOW | global | keep | loaded
    }
}

/// A library loaded into this process. Dropping it leaves the library loaded: code and data elsewhere may refer to it.
#[derive(Debug)]
pub(crate) struct Library {
    handle: NonNull<c_void>,
}

// SAFETY: a handle means the same on every thread, and the C library locks what is behind it.
unsafe impl Send for Library {}
// SAFETY: as above; no method changes the handle.
unsafe impl Sync for Library {}

impl Library {
    /// Loads the library in the file at `path`, and runs its initialisers. A path without a slash is a file in the
    /// current directory.
    ///
    /// # Errors
    /// What the dynamic loader says: no such file, not a library, a symbol that nothing defines.
    pub(crate) fn open(path: &Path, flags: OpenFlags) -> Result<Self> {
        let text = path.as_os_str().as_bytes();
        let here: &[u8] = if text.contains(&b'/') { b"" } else { b"./" };
        Self::open_named([here, text], flags)
    }

    /// Loads the library that the dynamic loader finds for a name such as `libgcc_s.so.1`.
    ///
    /// # Errors
    /// As [`Library::open`].
    pub(crate) fn open_system(name: &str, flags: OpenFlags) -> Result<Self> {
        Self::open_named([b"", name.as_bytes()], flags)
    }

    fn open_named(parts: [&[u8]; 2], flags: OpenFlags) -> Result<Self> {
        let text = parts.concat();
        let shown = String::from_utf8_lossy(&text).into_owned();
        let Some(name) = ZeroEnded::new(&text) else {
            return Err(Error::invalid(format!("cannot load {shown:?}: a zero byte in its name"), None));
        };
        // SAFETY: the name ends in a zero byte. Initialisers run as they would if the program had been linked with it.
        let handle = unsafe { libc::dlopen(name.as_ptr(), flags.raw()) };
        match NonNull::new(handle) {
            Some(handle) => Ok(Self { handle }),
            None => Err(Error::invalid(format!("cannot load {shown}: {}", last_error(&shown)), None)),
        }
    }

    /// The address of a symbol that this library or one it depends on exports: see [`lookup`].
    #[must_use]
    pub(crate) fn lookup(&self, name: &[u8]) -> Option<ExecutorAddr> {
        lookup_in(self.handle.as_ptr(), name)
    }

    /// For tests: the file it was loaded from, and by how much its addresses differ from those in the file.
    #[cfg(test)]
    pub(crate) fn location(&self) -> Option<(PathBuf, u64)> {
        let map = self.map()?;
        // SAFETY: the name in the link map of an open library is a C string.
        Some((unsafe { path_of(map.name) }?, map.base))
    }

    /// By how much its addresses differ from those in its file.
    pub(crate) fn base(&self) -> Option<u64> {
        self.map().map(|map| map.base)
    }

    /// Lets it be unloaded when nothing else needs it.
    pub(crate) fn close(self) {
        // SAFETY: the handle is open, and not used any more.
        unsafe { libc::dlclose(self.handle.as_ptr()) };
    }

    fn map(&self) -> Option<&LinkMap> {
        let mut map: *const LinkMap = null();
        let out = (&raw mut map).cast::<c_void>();
        // SAFETY: the handle is open, and for this request the loader writes one pointer to where `out` points.
        let status = unsafe { libc::dlinfo(self.handle.as_ptr(), libc::RTLD_DI_LINKMAP, out) };
        if status != 0 || map.is_null() {
            return None;
        }
        // SAFETY: the link map of an open library exists as long as that is open.
        Some(unsafe { &*map })
    }
}

/// The start of the C library's `struct link_map`, as `<link.h>` makes it public.
#[repr(C)]
struct LinkMap {
    base: u64,
    #[cfg_attr(not(test), allow(dead_code, reason = "tests look at it"))]
    name: *const c_char,
}

/// The address of a symbol among those this process exports. `name@VERSION` and `name@@VERSION` ask for that version.
/// `None` where it is not defined; a symbol that is defined can have the null address.
#[must_use]
pub(crate) fn lookup(name: &[u8]) -> Option<ExecutorAddr> {
    lookup_in(libc::RTLD_DEFAULT, name)
}

fn lookup_in(handle: *mut c_void, name: &[u8]) -> Option<ExecutorAddr> {
    let (base, version) = split_version(name);
    let base = ZeroEnded::new(base)?;
    let version = match version {
        Some(version) => Some(ZeroEnded::new(version)?),
        None => None,
    };
    let address = match &version {
        // SAFETY: both strings end in a zero byte, and the handle is open or one of the loader's own.
        Some(version) => unsafe { libc::dlvsym(handle, base.as_ptr(), version.as_ptr()) },
        // SAFETY: as above.
        None => unsafe { libc::dlsym(handle, base.as_ptr()) },
    };
    if address.is_null() && !is_defined_as_null() {
        return None;
    }
    Some(ExecutorAddr(address as u64))
}

/// Only the error state tells a symbol at address zero from a missing one. The lookup has just set it, or cleared it.
#[cold]
fn is_defined_as_null() -> bool {
    // SAFETY: has no preconditions; the text it returns is not used.
    unsafe { libc::dlerror() }.is_null()
}

/// `foo@VER` and `foo@@VER` as `foo` and `VER`.
#[must_use]
pub(crate) fn split_version(name: &[u8]) -> (&[u8], Option<&[u8]>) {
    let Some(at) = memchr::memchr(b'@', name).filter(|&at| at > 0) else { return (name, None) };
    let (base, version) = name.split_at(at);
    let version = version.strip_prefix(b"@").unwrap_or(version);
    match version.strip_prefix(b"@").unwrap_or(version) {
        [] => (name, None),
        version => (base, Some(version)),
    }
}

/// What the dynamic loader knows of an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SymbolAt {
    /// The file of the library, or the program, that the address lies in.
    pub(crate) library: PathBuf,
    /// Name of the exported symbol there.
    pub(crate) name: Vec<u8>,
    /// Where that symbol starts.
    pub(crate) address: ExecutorAddr,
    /// Its size in bytes.
    pub(crate) size: u64,
    /// Its ELF symbol type (`STT_OBJECT`, `STT_FUNC` and so on).
    pub(crate) kind: u8,
}

/// The exported symbol that `address` lies in.
#[must_use]
pub(crate) fn symbol_at(address: ExecutorAddr) -> Option<SymbolAt> {
    const SYMBOL_ENTRY: i32 = 1;
    let mut info =
        libc::Dl_info { dli_fname: null(), dli_fbase: null_mut(), dli_sname: null(), dli_saddr: null_mut() };
    let mut entry: *mut c_void = null_mut();
    // SAFETY: the loader only compares the address, and writes to the two places given.
    let found =
        unsafe { libc::dladdr1(address.0 as *const c_void, &raw mut info, &raw mut entry, SYMBOL_ENTRY) }
            != 0;
    if !found || info.dli_sname.is_null() || entry.is_null() {
        return None;
    }
    // SAFETY: where a symbol was found, its name and its table entry lie in the image of a loaded library.
    let (name, symbol) =
        unsafe { (CStr::from_ptr(info.dli_sname), entry.cast::<libc::Elf64_Sym>().read_unaligned()) };
    Some(SymbolAt {
        // SAFETY: the loader gave a C string or null.
        library: unsafe { path_of(info.dli_fname) }?,
        name: name.to_bytes().to_owned(),
        address: ExecutorAddr(info.dli_saddr as u64),
        size: symbol.st_size,
        kind: symbol.st_info & 15,
    })
}

/// The library that `address` lies in; none for the program itself.
#[must_use]
pub(crate) fn library_at(address: ExecutorAddr) -> Option<Library> {
    let mut info =
        libc::Dl_info { dli_fname: null(), dli_fbase: null_mut(), dli_sname: null(), dli_saddr: null_mut() };
    // SAFETY: the loader only compares the address, and writes to the place given.
    let found = unsafe { libc::dladdr(address.0 as *const c_void, &raw mut info) } != 0;
    // SAFETY: where an object was found, its name is null or a C string.
    let path = if found { unsafe { path_of(info.dli_fname) } } else { None };
    Library::open(&path?, OpenFlags::IF_LOADED).ok()
}

/// # Safety
/// `text` is null or a C string.
unsafe fn path_of(text: *const c_char) -> Option<PathBuf> {
    if text.is_null() {
        return None;
    }
    // SAFETY: not null, and by the function's precondition a C string.
    let text = unsafe { CStr::from_ptr(text) };
    Some(PathBuf::from(OsStr::from_bytes(text.to_bytes())))
}

/// The loader's last error, without the file name that it starts with.
#[cold]
fn last_error(file: &str) -> String {
    // SAFETY: has no preconditions.
    let text = unsafe { libc::dlerror() };
    if text.is_null() {
        return "unknown error".to_owned();
    }
    // SAFETY: a C string, which lasts until this thread calls the loader again.
    let text = unsafe { CStr::from_ptr(text) }.to_string_lossy();
    let text = text.strip_prefix(file).and_then(|rest| rest.strip_prefix(": ")).unwrap_or(&text);
    text.to_owned()
}

/// A string with a zero byte at its end, on the stack where it is short.
struct ZeroEnded(SmallVec<[u8; 128]>);

impl ZeroEnded {
    fn new(text: &[u8]) -> Option<Self> {
        if memchr::memchr(0, text).is_some() {
            return None;
        }
        let mut bytes = SmallVec::with_capacity(text.len() + 1);
        bytes.extend_from_slice(text);
        bytes.push(0);
        Some(Self(bytes))
    }

    fn as_ptr(&self) -> *const c_char {
        self.0.as_ptr().cast()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jitlink_test_support::arch::Arch;
    use jitlink_test_support::toolchain::Compiler;

    fn build(dir: &Path, name: &str, source: &str) -> PathBuf {
        let (c, so) = (dir.join("x.c"), dir.join(name));
        std::fs::write(&c, source).unwrap();
        let script = dir.join("x.map");
        std::fs::write(&script, "OLD { f; }; NEW { f; g; } OLD;\n").unwrap();
        let mut version = std::ffi::OsString::from("-Wl,--version-script=");
        version.push(&script);
        let mut clang = Compiler::Clang.c(Arch::host());
        clang.arg("--ld-path=/usr/lib/llvm-22/bin/ld.lld");
        clang.args(["-shared", "-fPIC", "-o"]).args([&so, &c]).arg(version);
        let status = clang.status().unwrap();
        assert!(status.success());
        so
    }

    const VERSIONED: &str = r#"
        int old(void) { return 1; }
        int new(void) { return 2; }
        __asm__(".symver old, f@OLD");
        __asm__(".symver new, f@@NEW");
        int g = 3, only_in_the_local_test_library;
        __asm__(".globl nowhere; .set nowhere, 0; .type nowhere, @object");
    "#;

    fn call(address: Option<ExecutorAddr>) -> i32 {
        let pointer = address.unwrap().0 as *const ();
        // SAFETY: the functions of the test library have this type.
        unsafe { std::mem::transmute::<*const (), extern "C" fn() -> i32>(pointer)() }
    }

    #[test]
    fn versions_of_a_symbol_are_told_apart() {
        let dir = tempfile::tempdir().unwrap();
        let library = Library::open(&build(dir.path(), "libv.so", VERSIONED), OpenFlags::empty()).unwrap();
        assert_eq!(call(library.lookup(b"f")), 2);
        assert_eq!(call(library.lookup(b"f@OLD")), 1);
        assert_eq!(call(library.lookup(b"f@@NEW")), 2);
        assert_eq!(library.lookup(b"f@OTHER"), None);
        assert_eq!(library.lookup(b"missing"), None);
        assert_eq!(library.lookup(b"nowhere"), Some(ExecutorAddr::NULL));
        assert_eq!(library.lookup(b"f\0g"), None);
        assert!(library.lookup(b"only_in_the_local_test_library").is_some());
        assert_eq!(lookup(b"only_in_the_local_test_library"), None);
        let (path, base) = library.location().unwrap();
        assert_eq!(path, dir.path().join("libv.so"));
        let g = library.lookup(b"g").unwrap();
        assert!(g.0 > base);
        let at = symbol_at(g).unwrap();
        assert_eq!((at.name.as_slice(), at.address, at.size, at.kind), (&b"g"[..], g, 4, 1));
        assert_eq!(at.library, path);
    }

    #[test]
    fn a_global_library_serves_the_whole_process_and_stays_after_drop() {
        let dir = tempfile::tempdir().unwrap();
        let source = "int only_in_the_global_test_library(void) { return 9; } int f, g;";
        let path = build(dir.path(), "libglobal.so", source);
        assert_eq!(lookup(b"only_in_the_global_test_library"), None);
        assert!(Library::open(&path, OpenFlags::GLOBAL).is_ok());
        assert_eq!(call(lookup(b"only_in_the_global_test_library")), 9);
        assert!(Library::open(&path, OpenFlags::IF_LOADED).is_ok());
    }

    #[test]
    fn this_process_has_the_c_library() {
        assert!(lookup(b"malloc").is_some());
        assert!(lookup(b"strlen").is_some(), "an ifunc");
        assert!(lookup(b"stdout").is_some());
        assert_eq!(lookup(b"a_symbol_that_nothing_defines"), None);
        assert_eq!(lookup(b""), None);
        let stdout = symbol_at(lookup(b"stdout").unwrap()).unwrap();
        assert_eq!((stdout.name.as_slice(), stdout.size), (&b"stdout"[..], 8));
        assert_eq!(symbol_at(ExecutorAddr(8)), None);
    }

    #[test]
    fn what_cannot_be_loaded_says_why() {
        let dir = tempfile::tempdir().unwrap();
        let text = dir.path().join("text.so");
        std::fs::write(&text, "not a library").unwrap();
        let error = Library::open(&text, OpenFlags::empty()).unwrap_err().to_string();
        assert!(error.starts_with(&format!("cannot load {}: ", text.display())), "{error}");
        let error = Library::open(Path::new("nowhere.so"), OpenFlags::empty()).unwrap_err().to_string();
        assert_eq!(
            error,
            "cannot load ./nowhere.so: cannot open shared object file: No such file or directory"
        );
        assert!(Library::open_system("a\0b", OpenFlags::empty()).is_err());
        assert!(Library::open_system("libgcc_s.so.1", OpenFlags::empty()).is_ok());
    }

    #[test]
    fn version_suffixes() {
        assert_eq!(split_version(b"f"), (&b"f"[..], None));
        assert_eq!(split_version(b"f@V"), (&b"f"[..], Some(&b"V"[..])));
        assert_eq!(split_version(b"f@@V"), (&b"f"[..], Some(&b"V"[..])));
        assert_eq!(split_version(b"f@@"), (&b"f@@"[..], None));
        assert_eq!(split_version(b"@f"), (&b"@f"[..], None));
    }

    #[test]
    fn libraries_are_send_and_sync() {
        fn check<T: Send + Sync>() {}
        check::<Library>();
    }
}
