//! Names of another dylib, as far as a filter lets them through.

use crate::base::Result;
use crate::session::dylib::Dylib;
use crate::session::state::Question;
use crate::session::unit::Existing;
use crate::session::{
    DefinitionGenerator, JitDylib, JitSymbolFlags, LookupKind, Visibility, WantedName, names,
};
use std::sync::Arc;

type Filter = dyn Fn(&[u8]) -> bool + Send + Sync;

/// Defines what another dylib exports, as far as a filter lets it through.
pub struct ReexportGenerator {
    source: Arc<Dylib>,
    filter: Box<Filter>,
}

impl std::fmt::Debug for ReexportGenerator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ReexportGenerator").field("source", &self.source).finish_non_exhaustive()
    }
}

impl ReexportGenerator {
    /// What `source` exports and `filter` is true for.
    pub fn new(source: &JitDylib, filter: impl Fn(&[u8]) -> bool + Send + Sync + 'static) -> Self {
        Self { source: Arc::clone(&source.inner), filter: Box::new(filter) }
    }

    /// What the source knows of a name that it exports.
    fn exported(&self, name: &[u8]) -> Option<JitSymbolFlags> {
        let flags = self.source.table.get(names::hash(name), name, |entry| entry.flags)?;
        flags.contains(JitSymbolFlags::EXPORTED).then_some(flags)
    }

    /// Has the generators of the source define what it does not.
    fn ask_source(&self, dylib: &JitDylib, names: &[&WantedName<'_>], kind: LookupKind) -> Result<()> {
        let mut list = names::NameList::default();
        let spans: Vec<_> = names.iter().map(|wanted| (list.push(wanted.name), wanted.weak)).collect();
        let bytes = list.finish();
        let names = spans.into_iter().map(|(span, weak)| (names::Name::new(&bytes, span), weak)).collect();
        let session = dylib.session();
        let question = Question { dylib: Arc::clone(&self.source), names };
        session.ask(session.lock(), vec![question], kind).map(drop)
    }
}

impl DefinitionGenerator for ReexportGenerator {
    fn generate(&self, dylib: &JitDylib, names: &[WantedName<'_>], kind: LookupKind) -> Result<()> {
        let wanted: Vec<_> = names.iter().filter(|wanted| (self.filter)(wanted.name)).collect();
        let unknown: Vec<_> =
            wanted.iter().copied().filter(|wanted| self.exported(wanted.name).is_none()).collect();
        if !unknown.is_empty() && self.source.has_generators() {
            self.ask_source(dylib, &unknown, kind)?;
        }
        for wanted in wanted {
            let Some(flags) = self.exported(wanted.name) else { continue };
            let kept = JitSymbolFlags::EXPORTED | JitSymbolFlags::CALLABLE | JitSymbolFlags::VARIANT_PCS;
            let order = [(Arc::clone(&self.source), Visibility::Exported)].into();
            let pair = [(wanted.name, wanted.name)];
            let tracker = dylib.inner.default_tracker;
            dylib.define_aliases_in(tracker, Some(order), &pair, flags & kept, Existing::Keep)?;
        }
        Ok(())
    }
}
