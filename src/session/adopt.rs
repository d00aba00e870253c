//! Images that were linked at once, apart from the session, as definitions of a dylib.

use super::dylib::JitDylib;
use super::facts::Facts;
use super::flags::{ExecutorSymbol, JitSymbolFlags};
use super::generator::{DefinitionGenerator, WantedName};
use super::image::{Image, ImageParts, OwnMemory};
use super::lookup::LookupKind;
use super::names::{display, spelled};
use super::slab::Key;
use super::thread_locals::ThreadLocals;
use super::tracker::ResourceTracker;
use super::unit::{Existing, Material, NewUnit};
use super::visible::{OfLink, show};
use crate::base::Result;
use crate::graph::Spelling;
use crate::host::plan_of;
use crate::link::{Linked, LinkedSymbols};
use std::sync::Arc;

impl JitDylib {
    /// Takes over an image that was linked at once: its symbols are the dylib's, and its initialisers run with the
    /// dylib's. Names that the dylib has already keep their meaning.
    ///
    /// That costs the same whatever the image holds: names are entered when they are asked for, so
    /// [`symbols`](Self::symbols) lists those only.
    ///
    /// # Errors
    /// None so far.
    pub fn adopt(&self, linked: Linked<'static>) -> Result<()> {
        self.adopt_in(self.inner.default_tracker, linked)
    }

    fn adopt_in(&self, tracker: Key, linked: Linked<'static>) -> Result<()> {
        let (plan, dso_handle) = (plan_of(linked.init_functions()), linked.dso_handle());
        let memory = OwnMemory::of(&linked);
        let (allocation, symbols) = linked.into_parts();
        let symbols = Arc::new(symbols);
        let runs = self.session.actions().is_some();
        let visible = runs.then(|| show(self.name(), &symbols, Arc::new(OfLink::new(Arc::clone(&symbols)))));
        let image = Arc::new(Image::new(ImageParts {
            allocation,
            needs: Vec::new(),
            plan,
            dso_handle,
            thread_locals: ThreadLocals::of(&symbols),
            visible,
            runs,
            sequence: self.session.next_image(),
            symbols: Some(Arc::clone(&symbols)),
            first_unit: 0,
            memory,
            owner: self.session.owner(),
            dylib: self.inner.number,
        }));
        let unit = unit_of(Arc::clone(&image), &[])?;
        let mut state = self.session.lock();
        let unit = state.define(&self.inner, tracker, unit)?;
        state.initializers.entry(self.inner.id()).or_default().add(&image);
        drop(state);
        self.add_generator(AdoptedNames { symbols, unit });
        Ok(())
    }
}

impl ResourceTracker {
    /// As [`JitDylib::adopt`]; the image goes when the tracker is removed and nothing else needs it.
    ///
    /// # Errors
    /// As there.
    pub fn adopt(&self, linked: Linked<'static>) -> Result<()> {
        self.dylib().adopt_in(self.key().0, linked)
    }
}

/// A unit for symbols of an image.
fn unit_of(image: Arc<Image>, symbols: &[(&[u8], ExecutorSymbol)]) -> Result<NewUnit> {
    const NAME: &str = "<linked at once>";
    let names = symbols.iter().map(|(name, symbol)| (*name, symbol.flags));
    Ok(NewUnit {
        name: NAME.into(),
        facts: Facts::of_names(NAME, names)?,
        material: Material::Absolute(symbols.iter().map(|(_, symbol)| *symbol).collect()),
        order: None,
        existing: Existing::Keep,
        image: Some(image),
    })
}

/// Enters names of an image when they are asked for.
struct AdoptedNames {
    symbols: Arc<LinkedSymbols<'static>>,
    /// Stands for the image, and is gone once that was removed.
    unit: Key,
}

impl AdoptedNames {
    fn find(&self, name: &[u8]) -> Option<ExecutorSymbol> {
        let found = self.symbols.find_placed(&spelled(self.symbols.spelling(), name))?;
        let mut flags = JitSymbolFlags::empty();
        flags.set(JitSymbolFlags::CALLABLE, found.callable);
        flags.set(JitSymbolFlags::EXPORTED, found.exported);
        flags.set(JitSymbolFlags::THREAD_LOCAL, found.thread_local);
        Some(ExecutorSymbol { address: found.address, flags, size: found.size })
    }
}

impl DefinitionGenerator for AdoptedNames {
    fn generate(&self, dylib: &JitDylib, names: &[WantedName<'_>], _: LookupKind) -> Result<()> {
        let found = names.iter().filter_map(|wanted| Some((wanted.name, self.find(wanted.name)?)));
        let found: Vec<_> = found.collect();
        let mut state = dylib.session().lock();
        let whole = state.units.get(self.unit).and_then(|unit| Some((unit.image.clone()?, unit.tracker)));
        match whole {
            Some((image, tracker)) if !found.is_empty() => {
                state.define(&dylib.inner, tracker, unit_of(image, &found)?).map(drop)
            }
            _ => Ok(()),
        }
    }

    fn near_misses(&self, name: &[u8]) -> Vec<String> {
        let spelling = self.symbols.spelling();
        let spelled = spelled(spelling, name);
        let similar = |other: &&[u8]| **other != *spelled && crate::link::is_similar(&spelled, other);
        let mut found: Vec<String> =
            self.symbols.names().filter(similar).map(|name| display(c_name(spelling, name))).collect();
        found.sort_unstable();
        found
    }
}

fn c_name(spelling: Spelling, name: &[u8]) -> &[u8] {
    spelling.c_name(name).unwrap_or(name)
}
