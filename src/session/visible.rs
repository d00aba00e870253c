//! Images of a session as the process sees them.

use super::flags::JitSymbolFlags;
use super::image::ImageId;
use super::session::{ExecutionSession, WeakSession};
use crate::base::ExecutorAddr;
use crate::graph::Permissions;
use crate::link::LinkedSymbols;
use crate::runtime::visible::{self, Visible, VisibleSegment, VisibleSymbol, VisibleSymbols};
use std::sync::{Arc, OnceLock};

/// Makes an image visible, with what `symbols` knows of it.
pub(super) fn show(name: &str, linked: &LinkedSymbols<'_>, symbols: Arc<dyn VisibleSymbols>) -> Visible {
    let segment = |(range, permissions): (_, &Permissions)| VisibleSegment {
        range,
        writable: permissions.contains(Permissions::WRITE),
        executable: permissions.contains(Permissions::EXECUTE),
    };
    let segments = linked.segments.iter().copied().zip(&linked.permissions).map(segment);
    let segments: Vec<_> = segments.filter(|segment| !segment.range.is_empty()).collect();
    visible::show(name, &segments, symbols)
}

/// The symbols of an image that was linked for its session: what dylibs say of it.
pub(super) struct OfSession {
    session: WeakSession,
    image: ImageId,
}

impl OfSession {
    pub(super) fn new(session: &ExecutionSession, sequence: u64) -> Self {
        Self { session: session.downgrade(), image: ImageId::of(sequence) }
    }
}

impl VisibleSymbols for OfSession {
    fn symbol_before(&self, address: ExecutorAddr) -> Option<VisibleSymbol> {
        self.all().into_iter().filter(|symbol| symbol.address <= address).max_by_key(|symbol| symbol.address)
    }

    fn all(&self) -> Vec<VisibleSymbol> {
        let Some(session) = self.session.upgrade() else { return Vec::new() };
        let mut found = Vec::new();
        let state = session.lock();
        let has_image = |image: &Arc<super::image::Image>| image.id() == self.image;
        for unit in state.units.values().filter(|unit| unit.image.as_ref().is_some_and(has_image)) {
            for def in &unit.facts.defs {
                let name = unit.facts.name(def.span);
                let get = |entry: &super::table::Entry| {
                    let (ready, flags) = (entry.ready && !entry.address.is_null(), entry.flags);
                    let hidden = !flags.contains(JitSymbolFlags::EXPORTED);
                    (ready && !hidden && !flags.contains(JitSymbolFlags::THREAD_LOCAL))
                        .then(|| entry.symbol())
                };
                let Some(Some(symbol)) = unit.dylib.table.get(def.hash, name, get) else { continue };
                found.push(VisibleSymbol {
                    name: name.to_vec(),
                    object: Some(Arc::clone(&unit.name)),
                    address: symbol.address,
                    size: symbol.size,
                    callable: symbol.flags.contains(JitSymbolFlags::CALLABLE),
                });
            }
        }
        drop(state);
        // The session may end here, with all its images.
        drop(session);
        found
    }
}

/// The symbols of an image that was linked at once.
pub(super) struct OfLink {
    symbols: Arc<LinkedSymbols<'static>>,
    by_address: OnceLock<Vec<VisibleSymbol>>,
}

impl OfLink {
    pub(super) fn new(symbols: Arc<LinkedSymbols<'static>>) -> Self {
        Self { symbols, by_address: OnceLock::new() }
    }

    fn by_address(&self) -> &[VisibleSymbol] {
        self.by_address.get_or_init(|| {
            let spelling = self.symbols.spelling();
            let symbol = |(name, found, object): (&[u8], crate::link::Definition, &Arc<str>)| VisibleSymbol {
                name: spelling.c_name(name).unwrap_or(name).to_vec(),
                object: Some(Arc::clone(object)),
                address: found.address,
                size: found.size,
                callable: found.callable,
            };
            let mut symbols: Vec<_> = self.symbols.exports().map(symbol).collect();
            symbols.sort_by_key(|symbol| symbol.address);
            symbols
        })
    }
}

impl VisibleSymbols for OfLink {
    fn symbol_before(&self, address: ExecutorAddr) -> Option<VisibleSymbol> {
        let symbols = self.by_address();
        let end = symbols.partition_point(|symbol| symbol.address <= address);
        symbols.get(end.checked_sub(1)?).cloned()
    }

    fn all(&self) -> Vec<VisibleSymbol> {
        self.by_address().to_vec()
    }
}
