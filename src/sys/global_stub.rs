//! Definitions of linked code for the dynamic loader: a shared object of absolute symbols, visible to all libraries that are
//! loaded from now on.
//!
//! glibc takes the value of such a symbol as it is since version 2.28.
//!
//! # Safety
//!
//! The symbol table that is written to lies in the object that was loaded for it, which is loaded as long as its
//! [`GlobalStub`] is there. The loader reads a value in one piece.
#![allow(unsafe_code)]

use super::dl::{Library, OpenFlags};
use super::stub::{HEADERS, StubFile, Writer, headers};
use crate::base::{Error, ExecutorAddr, Result};
use std::ops::Range;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// A definition that libraries may refer to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct GlobalSymbol<'a> {
    pub(crate) name: &'a [u8],
    pub(crate) address: ExecutorAddr,
    pub(crate) size: u64,
    pub(crate) callable: bool,
}

/// What the first of these objects has shown.
static KEEPS_VALUES: OnceLock<bool> = OnceLock::new();

/// A loaded object that defines symbols. Dropping it takes them back.
#[derive(Debug)]
pub(crate) struct GlobalStub {
    library: Option<Library>,
    count: usize,
}

impl GlobalStub {
    /// Makes the definitions known.
    ///
    /// # Errors
    /// The dynamic loader does not load such an object, or changes the values.
    pub(crate) fn new(symbols: &[GlobalSymbol<'_>]) -> Result<Self> {
        let library = StubFile::new(&object(symbols))?.open(OpenFlags::GLOBAL)?;
        let stub = Self { library: Some(library), count: symbols.len() };
        if *KEEPS_VALUES.get_or_init(|| stub.keeps_values(symbols)) {
            return Ok(stub);
        }
        Err(Error::invalid(
            "the C library moves absolute symbols, so that libraries cannot refer to linked code",
            Some("glibc 2.28 or newer leaves them as they are"),
        ))
    }

    /// Whether the loader finds the first symbol where it is.
    fn keeps_values(&self, symbols: &[GlobalSymbol<'_>]) -> bool {
        let (Some(library), Some(symbol)) = (&self.library, symbols.first()) else { return true };
        library.lookup(symbol.name) == Some(symbol.address)
    }

    /// Gives the symbol at this position another value, for libraries that are loaded from now on.
    pub(crate) fn set(&self, position: usize, address: ExecutorAddr) {
        if let Some([_, value]) = self.entry(position) {
            value.store(address.0, Ordering::Release);
        }
    }

    /// Takes symbols back: nobody finds them from now on.
    pub(crate) fn withdraw(&self, positions: Range<usize>) {
        const SECTION: u64 = 0xffff << 48;
        for position in positions {
            if let Some([head, value]) = self.entry(position) {
                // No section, no value: what is undefined.
                head.fetch_and(!SECTION, Ordering::Release);
                value.store(0, Ordering::Release);
            }
        }
    }

    /// The first two words of a symbol in the loaded table: what it is, and its value.
    fn entry(&self, position: usize) -> Option<[&AtomicU64; 2]> {
        let base = self.library.as_ref().filter(|_| position < self.count)?.base()?;
        let entry = base + (HEADERS + 24 * (position + 1)) as u64;
        // SAFETY: words of the loaded table, whose only segment is writable.
        let word = |address: u64| unsafe {
            AtomicU64::from_ptr(std::ptr::with_exposed_provenance_mut(address as usize))
        };
        Some([word(entry), word(entry + 8)])
    }
}

impl Drop for GlobalStub {
    /// The object itself stays if somebody has found something in it.
    fn drop(&mut self) {
        self.withdraw(0..self.count);
        if let Some(library) = self.library.take() {
            library.close();
        }
    }
}

/// The hash of a name in `DT_HASH` tables: System V gABI, "Hash Table".
fn hash(name: &[u8]) -> u32 {
    name.iter().fold(0u32, |hash, byte| {
        let hash = (hash << 4).wrapping_add(u32::from(*byte));
        let high = hash & 0xf000_0000;
        (hash ^ high >> 24) & !high
    })
}

/// A shared object that defines these symbols and nothing else.
fn object(symbols: &[GlobalSymbol<'_>]) -> Vec<u8> {
    const ABSOLUTE: u16 = 0xfff1;
    const _: () = assert!(HEADERS.is_multiple_of(8));
    let mut strings = vec![0];
    let count = symbols.len() + 1;
    let buckets = count.next_power_of_two();
    let hash_at = HEADERS + 24 * count;
    let dynamic = (hash_at + 4 * (2 + buckets + count)).next_multiple_of(8);
    // DT_HASH, DT_STRTAB, DT_SYMTAB, DT_STRSZ, DT_SYMENT and the end.
    let dynamic_size = 16 * 6;
    let strings_at = dynamic + dynamic_size;
    let size = 1 + symbols.iter().map(|symbol| symbol.name.len() + 1).sum::<usize>();
    let mut out = Writer(headers(dynamic, dynamic_size, strings_at + size));
    out.pad(HEADERS);
    out.words(&[0, 0, 0]);
    let mut heads = vec![0u32; buckets];
    let mut chains = vec![0u32; count];
    for symbol in symbols {
        // Global, a function or an object.
        let info = 1 << 4 | if symbol.callable { 2 } else { 1 };
        out.symbol(strings.len() as u32, info, ABSOLUTE, symbol.address.0, symbol.size);
        strings.extend(symbol.name);
        strings.push(0);
    }
    // Of equal names, the first one is found.
    for (index, symbol) in symbols.iter().enumerate().rev() {
        let head = &mut heads[hash(symbol.name) as usize & (buckets - 1)];
        chains[index + 1] = std::mem::replace(head, index as u32 + 1);
    }
    [buckets as u32, count as u32].iter().chain(&heads).chain(&chains).for_each(|word| out.half(*word));
    out.pad(dynamic);
    let entries = [(4, hash_at), (5, strings_at), (6, HEADERS), (10, strings.len()), (11, 24), (0, 0)];
    entries.iter().for_each(|(tag, value)| out.words(&[*tag, *value as u64]));
    out.0.extend(strings);
    out.0
}

#[cfg(test)]
mod tests {
    use super::super::dl;
    use super::*;

    #[test]
    fn what_is_defined_is_found_by_all_until_it_is_taken_back() {
        let names: Vec<Vec<u8>> = (0..1000).map(|n| format!("a_global_of_a_stub_{n}").into_bytes()).collect();
        let symbols: Vec<_> = (0u64..)
            .zip(&names)
            .map(|(index, name)| GlobalSymbol {
                name,
                address: ExecutorAddr(0x1234_5678_0000 + index),
                size: 4,
                callable: index % 2 == 0,
            })
            .collect();
        let stub = GlobalStub::new(&symbols).unwrap();
        for symbol in &symbols {
            assert_eq!(dl::lookup(symbol.name), Some(symbol.address));
        }
        stub.set(999, ExecutorAddr(77));
        assert_eq!(dl::lookup(&names[999]), Some(ExecutorAddr(77)));
        assert_eq!(dl::lookup(b"a_global_of_a_stub_1000"), None);
        stub.withdraw(0..6);
        assert_eq!([dl::lookup(&names[5]), dl::lookup(&names[6])], [None, Some(symbols[6].address)]);
        drop(stub);
        assert_eq!(dl::lookup(&names[6]), None);
    }
}
