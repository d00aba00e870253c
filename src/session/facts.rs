//! What a session knows of an object before it is linked: the names it defines and refers to.

use super::buffer::ObjectBuffer;
use super::flags::JitSymbolFlags;
use super::names::{self, NameList, Span, span_of};
use super::unit::{Existing, Material, NewUnit};
use crate::base::{Error, Place, Result};
use crate::formats::{GlobalKind, GlobalSymbol, Object};
use crate::graph::{Linkage, Scope, Spelling, SymbolFlags};
use crate::passes::bounds::parse_linker_symbol;
use std::collections::HashSet;
use std::sync::Arc;

/// A name that a unit defines.
#[derive(Clone, Copy, Debug)]
pub(super) struct Def {
    pub(super) span: Span,
    pub(super) hash: u64,
    pub(super) flags: JitSymbolFlags,
}

/// A name that a unit refers to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ref {
    pub(super) span: Span,
    pub(super) hash: u64,
    /// Whether every reference is weak.
    pub(super) weak: bool,
}

/// The names that an object defines, with what is known of them: by its symbol table alone.
///
/// # Errors
/// It is malformed.
pub fn object_symbols(object: &ObjectBuffer) -> Result<Vec<(Vec<u8>, JitSymbolFlags)>> {
    let facts = Facts::of_objects(std::slice::from_ref(object))?;
    Ok(facts.defs.iter().map(|def| (facts.name(def.span).to_vec(), def.flags)).collect())
}

/// An object whose names have been read.
#[derive(Debug)]
pub(crate) struct ReadObject {
    buffer: ObjectBuffer,
    facts: Facts,
}

impl ReadObject {
    pub(crate) fn new(buffer: ObjectBuffer) -> Result<Self> {
        let facts = Facts::of_objects(std::slice::from_ref(&buffer))?;
        Ok(Self { buffer, facts })
    }

    /// The names that it defines.
    pub(crate) fn symbols(&self) -> impl Iterator<Item = (&[u8], JitSymbolFlags)> {
        self.facts.defs.iter().map(|def| (self.facts.name(def.span), def.flags))
    }

    pub(super) fn into_unit(self) -> NewUnit {
        let Self { buffer, facts } = self;
        NewUnit {
            name: Arc::clone(buffer.name()),
            facts,
            material: Material::Objects(vec![buffer]),
            order: None,
            existing: Existing::Refuse,
            image: None,
        }
    }
}

/// Names defined and referred to.
#[derive(Clone, Debug, Default)]
pub(super) struct Facts {
    pub(super) names: Arc<[u8]>,
    pub(super) defs: Vec<Def>,
    pub(super) refs: Vec<Ref>,
    pub(super) has_initializers: bool,
    /// How the objects spell names.
    pub(super) spelling: Spelling,
}

impl Facts {
    /// Those of objects that are to be linked together. Nothing is read beyond symbol tables and section headers.
    pub(super) fn of_objects(buffers: &[ObjectBuffer]) -> Result<Self> {
        let mut builder = FactsBuilder::default();
        for buffer in buffers {
            let object = Object::parse(Arc::clone(buffer.name()), buffer.bytes())?;
            builder.has_initializers |= object.has_initializers();
            builder.defs.reserve(object.global_count());
            builder.spelling = object.spelling().unwrap_or_default();
            object.for_each_global(|global| builder.add_global(&object, &global))?;
            let mut aliases = Vec::new();
            object.for_each_alias(|name, _| aliases.push(name))?;
            for name in aliases {
                let name = names::session_name(builder.spelling, name);
                builder.refs.retain(|reference| reference.hash != names::hash(&name));
                builder.define(buffer.name(), &name, JitSymbolFlags::EXPORTED)?;
            }
        }
        Ok(builder.finish(buffers.len() > 1))
    }

    /// Those of a unit that defines these names and refers to none that are known yet.
    pub(super) fn of_names<'n>(
        unit: &str,
        names: impl IntoIterator<Item = (&'n [u8], JitSymbolFlags)>,
    ) -> Result<Self> {
        let mut builder = FactsBuilder::default();
        for (name, flags) in names {
            builder.define(unit, name, flags)?;
        }
        Ok(builder.finish(false))
    }

    /// Those of a unit that defines one name as another.
    pub(super) fn of_alias(unit: &str, name: &[u8], target: &[u8], flags: JitSymbolFlags) -> Result<Self> {
        let mut builder = FactsBuilder::default();
        builder.define(unit, name, flags)?;
        let span = builder.span(unit, target)?;
        builder.refs.push(Ref { span, hash: names::hash(target), weak: false });
        Ok(builder.finish(false))
    }

    pub(super) fn name(&self, span: Span) -> &[u8] {
        span_of(&self.names, span)
    }
}

#[derive(Default)]
struct FactsBuilder {
    spelling: Spelling,
    names: NameList,
    defs: Vec<Def>,
    refs: Vec<Ref>,
    has_initializers: bool,
}

impl FactsBuilder {
    fn add_global(&mut self, object: &Object<'_>, global: &GlobalSymbol<'_>) -> Result<()> {
        let name = &*names::session_name(self.spelling, &global.name);
        match global.kind {
            GlobalKind::Undefined if parse_linker_symbol(self.spelling, &global.name).is_some() => Ok(()),
            GlobalKind::Undefined => {
                let span = self.span(object.name(), name)?;
                let weak = global.linkage == Linkage::Weak;
                self.refs.push(Ref { span, hash: names::hash(name), weak });
                Ok(())
            }
            GlobalKind::Defined | GlobalKind::Common => {
                self.define(object.name(), name, flags_of(object, global))
            }
        }
    }

    fn define(&mut self, unit: &str, name: &[u8], flags: JitSymbolFlags) -> Result<()> {
        let span = self.span(unit, name)?;
        self.defs.push(Def { span, hash: names::hash(name), flags });
        Ok(())
    }

    fn span(&mut self, unit: &str, name: &[u8]) -> Result<Span> {
        if !self.names.has_room(name) {
            return Err(Error::malformed(Place::file(unit), "its names take more than 4 GiB"));
        }
        Ok(self.names.push(name))
    }

    /// Several objects may define each other's references, and refer to the same names.
    fn finish(self, several: bool) -> Facts {
        let Self { names, defs, mut refs, has_initializers, spelling } = self;
        let names = names.finish();
        if several {
            let mut seen: HashSet<&[u8]> = defs.iter().map(|def| span_of(&names, def.span)).collect();
            let strong: HashSet<&[u8]> =
                refs.iter().filter(|r| !r.weak).map(|r| span_of(&names, r.span)).collect();
            refs.retain_mut(|reference| {
                let name = span_of(&names, reference.span);
                reference.weak = !strong.contains(name);
                seen.insert(name)
            });
        }
        Facts { names, defs, refs, has_initializers, spelling }
    }
}

fn flags_of(object: &Object<'_>, global: &GlobalSymbol<'_>) -> JitSymbolFlags {
    let of_table = object.flags_of(global.symbol);
    let mut flags = JitSymbolFlags::empty();
    flags.set(JitSymbolFlags::EXPORTED, matches!(global.scope, Scope::Default | Scope::Protected));
    flags.set(JitSymbolFlags::WEAK, global.linkage == Linkage::Weak);
    flags.set(JitSymbolFlags::COMMON, global.kind == GlobalKind::Common);
    flags.set(JitSymbolFlags::CALLABLE, of_table.contains(SymbolFlags::CALLABLE));
    flags.set(JitSymbolFlags::THREAD_LOCAL, of_table.contains(SymbolFlags::THREAD_LOCAL));
    flags.set(JitSymbolFlags::VARIANT_PCS, of_table.contains(SymbolFlags::VARIANT_PCS));
    flags
}
