//! A linked image made by hand, for tests.

use super::{Arch, Content, LinkedImage, SymbolInfo};
use std::collections::BTreeMap;

/// One run of memory at a pretended address, and names for places in it.
pub(super) struct TestImage {
    pub(super) arch: Arch,
    pub(super) base: u64,
    pub(super) memory: Vec<u8>,
    pub(super) symbols: BTreeMap<String, u64>,
    pub(super) zero_fill: BTreeMap<String, u64>,
    pub(super) absolute: BTreeMap<String, u64>,
    pub(super) stubs: BTreeMap<(String, String), u64>,
    pub(super) got: BTreeMap<(String, String), u64>,
    pub(super) sections: BTreeMap<(String, String), u64>,
}

impl TestImage {
    pub(super) fn new(arch: Arch, base: u64, memory: &[u8]) -> Self {
        Self {
            arch,
            base,
            memory: memory.to_vec(),
            symbols: BTreeMap::new(),
            zero_fill: BTreeMap::new(),
            absolute: BTreeMap::new(),
            stubs: BTreeMap::new(),
            got: BTreeMap::new(),
            sections: BTreeMap::new(),
        }
    }

    pub(super) fn x86_64() -> Self {
        Self::new(Arch::X86_64, 0x1000, &[])
    }

    pub(super) fn with_symbol(mut self, name: &str, offset: u64) -> Self {
        self.symbols.insert(name.to_owned(), self.base + offset);
        self
    }
}

fn lookup(map: &BTreeMap<(String, String), u64>, file: &str, name: &str, what: &str) -> Result<u64, String> {
    let key = (file.to_owned(), name.to_owned());
    map.get(&key).copied().ok_or_else(|| format!("no {what} for '{name}' in '{file}'"))
}

impl LinkedImage for TestImage {
    fn arch(&self) -> Arch {
        self.arch
    }

    fn symbol(&self, name: &str) -> Option<SymbolInfo<'_>> {
        if let Some(&address) = self.zero_fill.get(name) {
            return Some(SymbolInfo { address, content: Content::ZeroFill });
        }
        if let Some(&address) = self.absolute.get(name) {
            return Some(SymbolInfo { address, content: Content::Absent });
        }
        let address = *self.symbols.get(name)?;
        let content = self.memory.get((address - self.base) as usize..)?;
        Some(SymbolInfo { address, content: Content::Bytes(content) })
    }

    fn read(&self, address: u64, size: usize) -> Option<u64> {
        let start = usize::try_from(address.checked_sub(self.base)?).ok()?;
        let bytes = self.memory.get(start..start.checked_add(size)?)?;
        Some(bytes.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte)))
    }

    fn stub_addr(&self, file: &str, symbol: &str, kind: Option<&str>) -> Result<u64, String> {
        let name = kind.map_or_else(|| symbol.to_owned(), |kind| format!("{symbol}/{kind}"));
        lookup(&self.stubs, file, &name, "stub")
    }

    fn got_addr(&self, file: &str, symbol: &str) -> Result<u64, String> {
        lookup(&self.got, file, symbol, "GOT entry")
    }

    fn section_addr(&self, file: &str, section: &str) -> Result<u64, String> {
        lookup(&self.sections, file, section, "section")
    }
}
