//! Where an address of a session's code is.

use super::names::display;
use super::session::ExecutionSession;
use crate::base::{AddrRange, ExecutorAddr};
use crate::debug::{self, Location};
use crate::host;
use std::sync::Arc;

impl ExecutionSession {
    /// Where an address is in what the session has linked.
    ///
    /// Nothing is kept for this besides what there is anyway. Objects with debug information are known whole
    /// ([`host::symbolize`]), and so are images that were [adopted](super::JitDylib::adopt); of other objects, the names
    /// that other objects can see, if their sizes are known, and not the static functions.
    #[must_use]
    pub fn symbolize(&self, address: ExecutorAddr) -> Option<Location> {
        let adopted = || self.in_adopted_image(address);
        host::symbolize(address).or_else(adopted).or_else(|| self.among_names(address))
    }

    fn in_adopted_image(&self, address: ExecutorAddr) -> Option<Location> {
        let is_here = |segment: &AddrRange| segment.contains(address);
        let symbols = {
            let state = self.lock();
            let mut symbols = state.units.values().filter_map(|unit| unit.image.as_ref()?.symbols());
            Arc::clone(symbols.find(|symbols| symbols.segments.iter().any(is_here))?)
        };
        debug::in_image(&symbols, address)
    }

    fn among_names(&self, address: ExecutorAddr) -> Option<Location> {
        let state = self.lock();
        let mut found = None;
        for dylib in &state.dylibs {
            dylib.table.for_each(|entry| {
                if entry.ready && AddrRange::from_size(entry.address, entry.size).contains(address) {
                    let offset = address.0 - entry.address.0;
                    found = Some((display(entry.name.bytes()), offset, entry.unit));
                }
            });
        }
        let (symbol, offset, unit) = found?;
        let object = state.units.get(unit)?.name.to_string();
        Some(Location { object, symbol, offset, source: Vec::new() })
    }
}
