//! Units: what is defined, wanted, linked, and removed as a whole.

use super::activity::Activity;
use super::buffer::ObjectBuffer;
use super::dylib::{Dylib, Order};
use super::facts::Facts;
use super::flags::ExecutorSymbol;
use super::image::Image;
use super::materialize::MaterializationUnit;
use super::slab::Key;
use crate::base::{Error, Result};
use std::sync::Arc;

/// What a unit's definitions are made of.
pub(super) enum Material {
    /// Objects that are linked together.
    Objects(Vec<ObjectBuffer>),
    /// The user's code makes objects.
    User(Box<dyn MaterializationUnit>),
    /// The one definition is what the one reference is.
    Alias,
    /// Known from the start: one symbol per definition.
    Absolute(Vec<ExecutorSymbol>),
    /// Used up.
    Nothing,
}

impl std::fmt::Debug for Material {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Objects(_) => "Objects",
            Self::User(_) => "User",
            Self::Alias => "Alias",
            Self::Absolute(_) => "Absolute",
            Self::Nothing => "Nothing",
        })
    }
}

/// How far a unit has come. DESIGN.md, "Sessions", has the transitions.
#[derive(Clone, Debug)]
pub(super) enum Stage {
    /// Nobody wanted it yet, or it is to be linked with what it depends on.
    Waiting,
    /// The user's code is making it.
    Compiling(Activity),
    /// It is being linked.
    Linking(Activity),
    /// Its addresses can be used.
    Ready,
    /// It cannot be had.
    Failed(Failure),
}

/// Why a unit cannot be had.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    /// The unit that failed first.
    pub(super) unit: Arc<str>,
    pub(super) cause: Error,
}

/// What to do with a name that is defined already.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Existing {
    /// Two strong definitions are an error.
    Refuse,
    /// The new definition does not count.
    Keep,
}

/// A unit that is to be added to a dylib.
#[derive(Debug)]
pub(super) struct NewUnit {
    pub(super) name: Arc<str>,
    pub(super) facts: Facts,
    pub(super) material: Material,
    /// Where to look for what it refers to, if not where its dylib does.
    pub(super) order: Option<Order>,
    pub(super) existing: Existing,
    /// The memory that absolute symbols are in, if the session is to keep it.
    pub(super) image: Option<Arc<Image>>,
}

impl NewUnit {
    /// A unit of the user's.
    pub(super) fn of_user(unit: Box<dyn MaterializationUnit>) -> Result<Self> {
        let (name, symbols): (Arc<str>, _) = (unit.name().into(), unit.symbols());
        let facts = Facts::of_names(&name, symbols.iter().map(|(name, flags)| (&**name, *flags)))?;
        let (material, existing) = (Material::User(unit), Existing::Refuse);
        Ok(Self { name, facts, material, order: None, existing, image: None })
    }
}

/// A unit of a dylib.
#[derive(Debug)]
pub(super) struct Unit {
    pub(super) name: Arc<str>,
    pub(super) dylib: Arc<Dylib>,
    pub(super) tracker: Key,
    /// Its place among all units in the order of their definition.
    pub(super) sequence: u64,
    pub(super) facts: Arc<Facts>,
    pub(super) material: Material,
    pub(super) stage: Stage,
    pub(super) order: Option<Order>,
    /// Whether some name that it defines is another unit's.
    pub(super) lost: bool,
    pub(super) links: Links,
    /// The memory of its definitions.
    pub(super) image: Option<Arc<Image>>,
    /// The walk that has seen it last.
    pub(super) stamp: u64,
}

/// Which units a unit depends on, as far as is known.
#[derive(Debug, Default)]
pub(super) struct Links {
    /// Which state of the session's tables this is taken from.
    pub(super) epoch: u64,
    pub(super) units: Vec<Key>,
    /// References that nothing defines so far, as indexes.
    pub(super) missing: Vec<u32>,
    /// The generators of so many dylibs of its order were asked.
    pub(super) asked: usize,
}

impl Unit {
    /// Where to look for what it refers to.
    pub(super) fn order(&self) -> Order {
        self.order.clone().unwrap_or_else(|| self.dylib.order())
    }
}
