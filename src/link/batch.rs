//! The inputs of one link: parsed objects, their names resolved as they come in.

use super::globals::{Globals, MAX_OBJECTS, NameHasher, NameIds, Rank, SymbolRef, seen};
use super::prepared::{HashedSymbol, Prepared};
use crate::base::{Error, Place, Result};
use crate::formats::{GlobalKind, Object};
use crate::graph::{Architecture, LinkGraph, Spelling, SymbolFlags};
use std::borrow::Cow;
use std::sync::Arc;

/// The objects to be linked together, and the table of their names.
///
/// Objects are parsed and their names resolved as they are added; their contents are borrowed until the link.
#[derive(Debug, Default)]
pub struct Batch<'data> {
    pub(crate) objects: Vec<Object<'data>>,
    pub(crate) globals: Globals<'data>,
    pub(crate) ids: NameIds,
    pub(crate) aliases: Vec<(u32, u32)>,
    /// Whether some name may carry a version.
    pub(crate) has_versions: bool,
    /// How object files spell names of C, once there is one.
    spelling: Option<Spelling>,
    hidden: bool,
    /// Objects of a test harness, in ascending order.
    pub(crate) harness: Vec<u32>,
    in_harness: bool,
    wanted_lazy: Vec<u32>,
    discarded: Vec<bool>,
}

impl<'data> Batch<'data> {
    /// A batch without objects.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an object file; `name` is what messages call it.
    ///
    /// # Errors
    /// If the file is not a relocatable object of a supported kind, or malformed, or of another architecture than the
    /// objects before it.
    pub fn add_object(&mut self, name: impl Into<Arc<str>>, data: &'data [u8]) -> Result<()> {
        let prepared = Prepared::parse(&self.name_hasher(), name.into(), data)?;
        self.admit(prepared)
    }

    /// Adds a graph that the caller made.
    ///
    /// # Errors
    /// If it is of another architecture than the objects before it.
    pub fn add_graph(&mut self, graph: LinkGraph<'data>) -> Result<()> {
        let prepared = Prepared::new(&self.name_hasher(), Object::Graph(Box::new(graph)))?;
        self.admit(prepared)
    }

    /// The architecture of the objects, if there is one.
    #[must_use]
    pub fn architecture(&self) -> Option<Architecture> {
        self.objects.first().map(Object::architecture)
    }

    /// How the objects' symbols spell names of C.
    #[must_use]
    pub fn spelling(&self) -> Spelling {
        self.spelling.unwrap_or_else(|| match self.objects.first() {
            Some(Object::Graph(graph)) => graph.spelling(),
            _ => Spelling::default(),
        })
    }

    /// How many objects there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.objects.len()
    }

    /// Whether there is no object.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.objects.is_empty()
    }

    /// Names of the objects, in the order of their addition.
    pub fn object_names(&self) -> impl Iterator<Item = &Arc<str>> {
        self.objects.iter().map(Object::name)
    }

    /// Whether some object defines `name`.
    #[must_use]
    pub fn defines(&self, name: &[u8]) -> bool {
        let winner = self.globals.find(name).and_then(|id| self.globals.winner(id));
        winner.is_some_and(|(rank, _)| rank != Rank::Lazy)
    }

    /// Has weak and unique definitions of these names give way to what the resolver knows, which then must have them. Hidden
    /// ones stay.
    pub fn yield_weak<N: AsRef<[u8]>>(&mut self, names: impl IntoIterator<Item = N>) {
        for name in names {
            let Some(id) = self.globals.find(name.as_ref()) else { continue };
            let is_vague = match self.globals.winner(id) {
                Some((Rank::Weak, _)) => true,
                Some((Rank::Strong, at)) => self.is_unique(at),
                _ => false,
            };
            if is_vague && self.globals.seen(id) & seen::HIDDEN == 0 {
                self.globals.withdraw(id);
                self.globals.note(id, seen::REFERENCED);
            }
        }
    }

    fn is_unique(&self, at: SymbolRef) -> bool {
        let object = self.objects.get(at.graph as usize);
        object.is_some_and(|object| object.flags_of(at.symbol).contains(SymbolFlags::UNIQUE))
    }

    /// Makes `name` another name for `target`, which an object defines or the resolver knows.
    pub fn add_alias(&mut self, name: impl Into<Cow<'data, [u8]>>, target: impl Into<Cow<'data, [u8]>>) {
        let pair = (self.globals.intern(&name.into()), self.globals.intern(&target.into()));
        self.globals.note(pair.1, seen::REFERENCED);
        self.want_lazy(pair.1);
        self.aliases.push(pair);
    }

    /// Refers to `name` as an object would that needs it: an archive member that defines it is loaded.
    pub fn require(&mut self, name: impl Into<Cow<'data, [u8]>>) {
        let id = self.globals.intern(&name.into());
        self.globals.note(id, seen::REFERENCED);
        self.want_lazy(id);
    }

    /// Says that `name` would be defined by `member`, a number of the caller's, should it be needed: see
    /// [`Self::take_wanted_member`].
    pub fn add_lazy(&mut self, name: &'data [u8], member: u32) {
        let id = self.globals.intern(&Cow::Borrowed(name));
        self.globals.claim(id, Rank::Lazy, SymbolRef { graph: member & 0xfff_ffff, symbol: 0 });
        if self.globals.seen(id) & seen::REFERENCED != 0 {
            self.want_lazy(id);
        }
    }

    /// A member that some object needs and that is not loaded yet, and the name it is needed for; the caller loads it
    /// with [`Self::add_object`].
    pub fn take_wanted_member(&mut self) -> Option<(u32, Vec<u8>)> {
        while let Some(id) = self.wanted_lazy.pop() {
            if let Some((Rank::Lazy, at)) = self.globals.winner(id) {
                return Some((at.graph, self.globals.name(id).to_vec()));
            }
        }
        None
    }

    /// Whether what the objects added from now on define is hidden: kept only if referred to.
    pub fn set_hidden(&mut self, hidden: bool) {
        self.hidden = hidden;
    }

    /// Whether the objects added from now on are a test harness: their strong definitions replace those of the other
    /// objects, local ones too, and their references find the others' local symbols.
    pub fn set_harness(&mut self, harness: bool) {
        self.in_harness = harness;
    }

    fn want_lazy(&mut self, id: u32) {
        if matches!(self.globals.winner(id), Some((Rank::Lazy, _))) {
            self.wanted_lazy.push(id);
        }
    }

    /// What hashes names for this batch: objects can be [prepared](Prepared) by several threads.
    pub(crate) fn name_hasher(&self) -> NameHasher {
        self.globals.hasher()
    }

    /// Adds a prepared object: its names are resolved.
    pub(crate) fn admit(&mut self, prepared: Prepared<'data>) -> Result<()> {
        let object = &prepared.object;
        self.check_architecture(object)?;
        self.has_versions |= object.has_versions();
        self.spelling = self.spelling.or(object.spelling());
        let index = self.objects.len();
        if index >= MAX_OBJECTS {
            return Err(Error::invalid("too many objects in one link", None));
        }
        self.ids.add(&mut self.globals, &prepared)?;
        self.claim_groups(index);
        self.claim_symbols(index, &prepared);
        self.add_aliases(&prepared)?;
        if self.in_harness {
            self.harness.push(index as u32);
        }
        self.objects.push(prepared.object);
        Ok(())
    }

    fn check_architecture(&self, object: &Object<'data>) -> Result<()> {
        if let (Some(own), Some(all)) = (object.spelling(), self.spelling)
            && own != all
        {
            let other = self.objects.iter().find(|object| object.spelling() == Some(all));
            let other = other.map_or("", |object| object.name());
            return Err(Error::unsupported(
                Place::file(object.name().clone()),
                format!("an object of another format than {other}"),
                "link ELF and Mach-O objects in batches of their own",
            ));
        }
        match self.objects.first() {
            Some(first) if first.architecture() != object.architecture() => Err(Error::unsupported(
                Place::file(object.name().clone()),
                format!(
                    "an object for {}, where {} is for {}",
                    object.architecture().name(),
                    first.name(),
                    first.architecture().name()
                ),
                "link objects of one architecture together",
            )),
            _ => Ok(()),
        }
    }

    fn add_aliases(&mut self, prepared: &Prepared<'data>) -> Result<()> {
        prepared.object.for_each_alias(|name, target| self.add_alias(name, target))
    }

    fn claim_groups(&mut self, index: usize) {
        for &id in self.ids.groups(index) {
            self.globals.claim_group(id, index as u32);
        }
    }

    fn claim_symbols(&mut self, index: usize, prepared: &Prepared<'data>) {
        let Prepared { object, symbols } = prepared;
        let (globals, first) = (&self.globals, object.first_global());
        let kept: Vec<bool> =
            self.ids.groups(index).iter().map(|&id| globals.owns_group(id, index as u32)).collect();
        let (hidden, in_harness) = (self.hidden, self.in_harness);
        let any_discarded = kept.iter().any(|kept| !kept);
        let discarded = &mut self.discarded;
        if any_discarded {
            discarded.clear();
            discarded.resize(object.section_count(), false);
            object.for_each_discarded_section(&kept, |section| {
                if let Some(flag) = discarded.get_mut(section as usize) {
                    *flag = true;
                }
            });
        }
        let ids = self.ids.symbols(index);
        let wanted = &mut self.wanted_lazy;
        for HashedSymbol { global, .. } in symbols {
            let id = ids[(global.symbol - first) as usize];
            let lost = any_discarded && discarded.get(global.section as usize).copied().unwrap_or(false);
            globals.claim_symbol(id, index as u32, global, lost);
            if hidden && global.kind != GlobalKind::Undefined {
                globals.note(id, seen::HIDDEN);
            }
            if in_harness {
                globals.claim_for_harness(id, index as u32, global, lost);
            }
            if globals.seen(id) & seen::REFERENCED != 0 && matches!(globals.winner(id), Some((Rank::Lazy, _)))
            {
                wanted.push(id);
            }
        }
    }
}
