//! The unwinder that this process has, and how it wants records registered.
//!
//! # Safety
//!
//! The functions that are looked up are called with arguments of the types that their libraries document. What is
//! registered lives until it is withdrawn: see the parent module.
#![allow(unsafe_code)]

use super::records::{Extent, Malformed, extent, fdes};
use super::tables::{Registry, Section, Table, Tables};
use crate::base::{ActionStatus, ExecutorAddr};
use crate::runtime::action::status;
use crate::sys::dl::{self, Library, OpenFlags};
use crate::sys::reserve;
use std::cell::RefCell;
use std::ffi::c_void;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, Once, OnceLock, PoisonError};

/// `__register_frame` and its opposite.
type FrameFn = unsafe extern "C" fn(*const c_void);
/// `__register_frame_info`, and the same for tables.
type InfoFn = unsafe extern "C" fn(*const c_void, *mut c_void);
/// `__deregister_frame_info`.
type WithdrawFn = unsafe extern "C" fn(*const c_void) -> *mut c_void;
/// `_Unwind_Find_FDE`.
type FindFn = unsafe extern "C" fn(*const c_void, *mut c_void) -> *const c_void;

/// The functions of an unwinder that takes one thing at a time.
#[derive(Clone, Copy, Debug)]
pub(super) struct FrameFns {
    pub(super) register: FrameFn,
    pub(super) withdraw: FrameFn,
}

/// The functions of an unwinder that takes tables.
#[derive(Clone, Copy, Debug)]
pub(super) struct TableFns {
    register: InfoFn,
    withdraw: WithdrawFn,
}

/// How the unwinder in this process wants records registered.
#[derive(Clone, Copy, Debug)]
pub(super) enum Unwinder {
    /// Section by section, which it keeps in a tree by where their code is: libgcc from version 13 on.
    Sections(FrameFns),
    /// FDE by FDE, which it keeps in a list: LLVM's. (Its function for sections does not stop at the terminator in all
    /// versions.)
    Records(FrameFns),
    /// Section by section, which it keeps in a list: libgcc before version 13.
    List(TableFns),
}

/// Also held while anything else is registered.
static TABLES: Mutex<Option<Tables>> = Mutex::new(None);

thread_local! {
    static HELD: RefCell<Option<MutexGuard<'static, Option<Tables>>>> = const { RefCell::new(None) };
}

/// The tables, locked; nobody forks meanwhile, so that a child finds neither this lock nor the unwinder's own taken by
/// a thread that it does not have. (A thread that throws takes that one, too, but for a short time.)
fn tables() -> MutexGuard<'static, Option<Tables>> {
    static FORKS: Once = Once::new();
    FORKS.call_once(|| {
        // SAFETY: the handlers take and release a lock. Without memory for them a child may wait for ever, no more.
        unsafe { libc::pthread_atfork(Some(before_fork), Some(after_fork), Some(after_fork)) };
    });
    TABLES.lock().unwrap_or_else(PoisonError::into_inner)
}

extern "C" fn before_fork() {
    let held = TABLES.lock().unwrap_or_else(PoisonError::into_inner);
    // A thread that forks at its very end has no place for the guard, and goes on without.
    let _ = HELD.try_with(|place| place.replace(Some(held)));
}

extern "C" fn after_fork() {
    let _ = HELD.try_with(|place| place.take());
}

impl Unwinder {
    pub(super) fn of_this_process() -> Option<&'static Self> {
        static FOUND: OnceLock<Option<Unwinder>> = OnceLock::new();
        FOUND.get_or_init(Self::find).as_ref()
    }

    fn find() -> Option<Self> {
        Self::find_by(dl::lookup).or_else(|| {
            // Global, so that linked code finds the same unwinder that is registered with here.
            let library = Library::open_system("libgcc_s.so.1", OpenFlags::GLOBAL | OpenFlags::KEEP).ok()?;
            Self::find_by(|name| library.lookup(name))
        })
    }

    pub(super) fn find_by(lookup: impl Fn(&[u8]) -> Option<ExecutorAddr>) -> Option<Self> {
        let frame = |register, withdraw| {
            let [register, withdraw] = [pointer(lookup(register)?), pointer(lookup(withdraw)?)];
            // SAFETY: the functions of the names below take one pointer-sized argument and return nothing.
            let [register, withdraw] =
                unsafe { std::mem::transmute::<[*const (); 2], [FrameFn; 2]>([register, withdraw]) };
            Some(FrameFns { register, withdraw })
        };
        let plain = || frame(b"__register_frame", b"__deregister_frame");
        // Both unwinders can be in one process: the one whose `__register_frame` comes first is the one in use.
        let library = |name| Some(dl::symbol_at(lookup(name)?)?.library);
        let llvm = library(b"__unw_add_dynamic_fde");
        let own = library(b"__register_frame");
        if llvm.is_some() && llvm == own {
            return plain().map(Self::Records);
        }
        let all_own = own.is_some() && LIST_NAMES.iter().all(|name| library(name) == own);
        if all_own
            && let Some(functions) = ListFns::find(&lookup)
            && functions.reads_records_late()
        {
            return Some(Self::List(functions.tables));
        }
        plain().map(Self::Sections)
    }

    /// Registers a section that ends with a terminator.
    pub(super) fn register(&self, section: &[u8]) -> ActionStatus {
        match self {
            Self::Sections(functions) => call_for_section(functions.register, section),
            Self::Records(functions) => call_for_each(functions.register, section),
            Self::List(functions) => register_in_table(section, functions),
        }
    }

    /// Withdraws a section that is registered.
    pub(super) fn withdraw(&self, section: &[u8]) -> ActionStatus {
        match self {
            Self::Sections(functions) => call_for_section(functions.withdraw, section),
            Self::Records(functions) => call_for_each(functions.withdraw, section),
            Self::List(functions) => {
                tables().get_or_insert_default().remove(section.as_ptr().addr(), functions);
                status::OK
            }
        }
    }
}

fn register_in_table(section: &[u8], functions: &TableFns) -> ActionStatus {
    let Extent { code, functions: count } = match extent(section) {
        Ok(Some(extent)) => extent,
        Ok(None) => return status::OK,
        Err(Malformed) => return status::BAD_EH_FRAME,
    };
    let address = section.as_ptr().expose_provenance();
    let area = code.as_ref().and_then(reserve::reservation_of).unwrap_or_default();
    let mut tables = tables();
    let tables = tables.get_or_insert_default();
    match code {
        Some(code) => {
            tables.insert(Section { address, code, functions: count, area }, functions);
        }
        None => tables.insert_alone(address, functions),
    }
    status::OK
}

impl Registry for TableFns {
    fn register(&self, table: &Table) {
        // SAFETY: the array is null-terminated and of well-formed sections, and has room for the object before it.
        unsafe { (self.register)(table.array().cast(), table.object().cast()) };
    }

    fn withdraw(&self, table: &Table) {
        // SAFETY: the table is registered.
        unsafe { (self.withdraw)(table.array().cast()) };
    }
}

/// Calls `function` for a section, unless it describes nothing: the tree has no place for that.
fn call_for_section(function: FrameFn, section: &[u8]) -> ActionStatus {
    match extent(section) {
        Ok(Some(_)) => call(function, section, &tables()),
        Ok(None) => {}
        Err(Malformed) => return status::BAD_EH_FRAME,
    }
    status::OK
}

fn call(function: FrameFn, bytes: &[u8], _locked: &MutexGuard<'_, Option<Tables>>) {
    // SAFETY: the record or section is well-formed as far as its lengths go, and stays (module documentation).
    unsafe { function(bytes.as_ptr().cast()) };
}

/// Calls `function` for each FDE; for none of them if the section is malformed.
pub(super) fn call_for_each(function: FrameFn, section: &[u8]) -> ActionStatus {
    if !fdes(section).all(|fde| fde.is_ok()) {
        return status::BAD_EH_FRAME;
    }
    let locked = tables();
    fdes(section).flatten().for_each(|fde| call(function, fde, &locked));
    status::OK
}

fn pointer(address: ExecutorAddr) -> *const () {
    std::ptr::with_exposed_provenance(address.0 as usize)
}

const LIST_NAMES: [&[u8]; 4] = [
    b"__register_frame_info_table",
    b"__deregister_frame_info",
    b"__register_frame_info",
    b"_Unwind_Find_FDE",
];

/// What it takes to find out whether an unwinder keeps a list.
struct ListFns {
    tables: TableFns,
    register_section: InfoFn,
    find: FindFn,
}

impl ListFns {
    fn find(lookup: impl Fn(&[u8]) -> Option<ExecutorAddr>) -> Option<Self> {
        let [table, withdraw, section, find] = LIST_NAMES.map(|name| lookup(name).map(pointer));
        // SAFETY: the functions of these names have these types.
        unsafe {
            Some(Self {
                tables: TableFns {
                    register: std::mem::transmute::<*const (), InfoFn>(table?),
                    withdraw: std::mem::transmute::<*const (), WithdrawFn>(withdraw?),
                },
                register_section: std::mem::transmute::<*const (), InfoFn>(section?),
                find: std::mem::transmute::<*const (), FindFn>(find?),
            })
        }
    }

    /// Whether records are read when first looked for, as by versions that keep a list, and not when registered, as by
    /// those that keep a tree: these must know where the code is.
    ///
    /// No version number tells: distributions bring later changes into earlier versions. So a record is registered and
    /// then changed. If another thread throws in between, the answer is the one that is right for all, but slower.
    fn reads_records_late(&self) -> bool {
        (0..3).any(|_| self.finds_a_changed_record())
    }

    fn finds_a_changed_record(&self) -> bool {
        let mut object = [0_usize; 16];
        let record = Probe::new();
        let [registered, changed] = [0, 1].map(|index| record.place(index));
        record.describe(registered);
        let mut bases = [0_usize; 3];
        // SAFETY: the section is well-formed and, when it is withdrawn, what it was when it was registered. The object
        // is as large as any version has it. Nothing executes the addresses, which are those of data.
        unsafe {
            (self.register_section)(record.section().cast(), object.as_mut_ptr().cast());
            record.describe(changed);
            let address = std::ptr::with_exposed_provenance::<c_void>(changed as usize + 1);
            let found = (self.find)(address, bases.as_mut_ptr().cast());
            record.describe(registered);
            (self.tables.withdraw)(record.section().cast());
            !found.is_null()
        }
    }
}

/// A section of one CIE and one FDE, and some bytes that pretend to be code.
struct Probe(Box<[AtomicU64; 16]>);

impl Probe {
    const CODE_SIZE: u64 = 16;
    const ADDRESS: usize = 4;

    fn new() -> Self {
        // Length 20, id 0, version 1, augmentation "zR", alignments 1 and -8, return address in column 16, one byte of
        // augmentation: absolute addresses. Then length 28 and the distance to the CIE.
        let mut bytes = [0_u8; 128];
        bytes[..4].copy_from_slice(&20_u32.to_ne_bytes());
        bytes[8..17].copy_from_slice(b"\x01zR\0\x01\x78\x10\x01\0");
        bytes[24..28].copy_from_slice(&28_u32.to_ne_bytes());
        bytes[28..32].copy_from_slice(&28_u32.to_ne_bytes());
        bytes[40..48].copy_from_slice(&Self::CODE_SIZE.to_ne_bytes());
        let (words, _) = bytes.as_chunks::<8>();
        let mut probe = Self(Box::default());
        probe.0.iter_mut().zip(words).for_each(|(word, bytes)| *word.get_mut() = u64::from_ne_bytes(*bytes));
        probe
    }

    fn section(&self) -> *const AtomicU64 {
        self.0.as_ptr()
    }

    /// The address of pretended code.
    fn place(&self, index: usize) -> u64 {
        self.0[8 + 4 * index].as_ptr().expose_provenance() as u64
    }

    /// Has the FDE describe code at an address.
    fn describe(&self, address: u64) {
        self.0[Self::ADDRESS].store(address, Ordering::SeqCst);
    }
}
