//! Dylibs: symbol tables with an order in which they refer to each other.

use super::buffer::ObjectBuffer;
use super::facts::{Def, Facts};
use super::flags::{ExecutorSymbol, JitSymbolFlags};
use super::generator::{DefinitionGenerator, GeneratorSlot};
use super::image::Image;
use super::lookup::{LookupKind, LookupName};
use super::materialize::{ClosureUnit, MaterializationRequest, MaterializationUnit, Materialized};
use super::session::ExecutionSession;
use super::slab::Key;
use super::table::{Entry, SymbolTable};
use super::tracker::ResourceTracker;
use super::unit::{Existing, Material, NewUnit};
use crate::base::Result;
use crate::sys::dl;
use std::any::Any;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, PoisonError, RwLock};

/// Which symbols of a dylib a search finds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Visibility {
    /// Those it exports.
    #[default]
    Exported,
    /// Hidden ones, too.
    All,
}

/// Dylibs in the order in which they are searched.
pub(super) type Order = Arc<[(Arc<Dylib>, Visibility)]>;

/// What all handles of a dylib share.
pub(super) struct Dylib {
    pub(super) name: Arc<str>,
    /// What tells it from all other dylibs of this process, at any time; never zero.
    pub(super) number: u64,
    pub(super) table: SymbolTable,
    pub(super) default_tracker: Key,
    /// Itself first, with all its symbols; the session's own names last.
    order: RwLock<Option<Order>>,
    /// The dylib of the session's own names, but for that one itself.
    runtime: Option<Arc<Dylib>>,
    generators: RwLock<Arc<[Arc<GeneratorSlot>]>>,
    /// Whether weak definitions give way to what the process has.
    gives_way: AtomicBool,
}

impl std::fmt::Debug for Dylib {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Dylib").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Dylib {
    pub(super) fn new(name: Arc<str>, default_tracker: Key, runtime: Option<Arc<Dylib>>) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let generators: [Arc<GeneratorSlot>; 0] = [];
        Self {
            name,
            number: NEXT.fetch_add(1, Relaxed),
            runtime,
            table: SymbolTable::default(),
            default_tracker,
            order: RwLock::default(),
            generators: RwLock::new(generators.into()),
            gives_way: AtomicBool::new(false),
        }
    }

    /// What tells it from all other dylibs, as long as it exists.
    pub(super) fn id(self: &Arc<Self>) -> usize {
        Arc::as_ptr(self).addr()
    }

    /// The order in which what it refers to is looked for: itself first.
    pub(super) fn order(self: &Arc<Self>) -> Order {
        let order = self.order.read().unwrap_or_else(PoisonError::into_inner);
        order.clone().unwrap_or_else(|| {
            let runtime = self.runtime.clone().map(|runtime| (runtime, Visibility::Exported));
            [(Arc::clone(self), Visibility::All)].into_iter().chain(runtime).collect()
        })
    }

    pub(super) fn set_order(&self, order: Vec<(Arc<Dylib>, Visibility)>) {
        let runtime = self.runtime.clone().map(|runtime| (runtime, Visibility::Exported));
        let named = order.into_iter().filter(|(dylib, _)| !dylib.is_runtime());
        *self.order.write().unwrap_or_else(PoisonError::into_inner) = Some(named.chain(runtime).collect());
    }

    /// It refers to itself alone.
    pub(super) fn reset_order(&self) {
        *self.order.write().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Whether it is that of the session's own names, which no link order shows.
    pub(super) fn is_runtime(&self) -> bool {
        self.runtime.is_none()
    }

    pub(super) fn generators(&self) -> Arc<[Arc<GeneratorSlot>]> {
        Arc::clone(&self.generators.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn set_generators(&self, generators: Vec<Arc<GeneratorSlot>>) {
        *self.generators.write().unwrap_or_else(PoisonError::into_inner) = generators.into();
    }

    pub(super) fn has_generators(&self) -> bool {
        !self.generators.read().unwrap_or_else(PoisonError::into_inner).is_empty()
    }
}

/// A set of definitions with names of its own: what a shared library is to a process. Cloning makes another handle.
#[derive(Clone)]
pub struct JitDylib {
    pub(super) session: ExecutionSession,
    pub(super) inner: Arc<Dylib>,
}

impl PartialEq for JitDylib {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.inner, &other.inner)
    }
}

impl Eq for JitDylib {}

impl std::fmt::Debug for JitDylib {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("JitDylib").field(&self.inner.name).finish()
    }
}

/// A handle of a dylib that does not keep its session alive.
#[derive(Clone, Debug)]
pub(crate) struct WeakDylib {
    session: super::session::WeakSession,
    inner: Arc<Dylib>,
}

impl WeakDylib {
    /// The dylib, if its session still exists.
    pub(crate) fn upgrade(&self) -> Option<JitDylib> {
        Some(JitDylib { session: self.session.upgrade()?, inner: Arc::clone(&self.inner) })
    }
}

impl JitDylib {
    /// A handle that does not keep the session alive.
    pub(crate) fn downgrade(&self) -> WeakDylib {
        WeakDylib { session: self.session.downgrade(), inner: Arc::clone(&self.inner) }
    }

    /// Its name, which no other dylib of the session has.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.inner.name
    }

    /// The session that it belongs to.
    #[must_use]
    pub fn session(&self) -> &ExecutionSession {
        &self.session
    }

    /// Makes a tracker: what is added through it can be removed without the rest.
    #[must_use]
    pub fn create_tracker(&self) -> ResourceTracker {
        ResourceTracker::new(self)
    }

    /// Looks for what its definitions refer to in itself and then in these dylibs, of which it sees what the
    /// visibility says.
    pub fn set_link_order(&self, order: &[(&JitDylib, Visibility)]) {
        let rest = order.iter().filter(|(dylib, _)| *dylib != self);
        let rest = rest.map(|(dylib, visibility)| (Arc::clone(&dylib.inner), *visibility));
        let order = std::iter::once((Arc::clone(&self.inner), Visibility::All)).chain(rest).collect();
        self.session.lock().dependencies_changed();
        self.inner.set_order(order);
    }

    /// Adds a dylib at the end of the link order: of what it has, exported symbols are found.
    pub fn add_to_link_order(&self, dylib: &JitDylib) {
        let mut state = self.session.lock();
        let mut order: Vec<_> = self.inner.order().to_vec();
        if order.iter().all(|(known, _)| !Arc::ptr_eq(known, &dylib.inner)) {
            order.push((Arc::clone(&dylib.inner), Visibility::Exported));
            state.dependencies_changed();
            self.inner.set_order(order);
        }
    }

    /// The dylibs in which what it refers to is looked for, itself first.
    #[must_use]
    pub fn link_order(&self) -> Vec<(JitDylib, Visibility)> {
        let handle = |inner: &Arc<Dylib>| Self { session: self.session.clone(), inner: Arc::clone(inner) };
        let order = self.inner.order();
        let shown = order.iter().filter(|(dylib, _)| !dylib.is_runtime());
        shown.map(|(dylib, visibility)| (handle(dylib), *visibility)).collect()
    }

    /// Has weak definitions of objects that are added from now on give way to what this process exports by their names, as
    /// they would if the process had been linked with them: C++ then has one instance of a template's variables in both. By
    /// default, each dylib has its own.
    pub fn prefer_process_to_weak(&self, prefer: bool) {
        self.inner.gives_way.store(prefer, Relaxed);
    }

    /// Adds a generator, which is asked for names that neither the dylib nor the generators before it define.
    pub fn add_generator(&self, generator: impl DefinitionGenerator + 'static) {
        self.add_boxed_generator(Box::new(generator));
    }

    /// As [`Self::add_generator`].
    pub fn add_boxed_generator(&self, generator: Box<dyn DefinitionGenerator>) {
        let mut state = self.session.lock();
        let slot = Arc::new(GeneratorSlot::new(generator));
        let generators: Vec<_> = self.inner.generators().iter().cloned().chain([slot]).collect();
        state.generators_changed();
        self.inner.set_generators(generators);
    }

    /// Adds an object, which is linked when something that it defines is wanted. Until then its symbol table and section
    /// headers are all that is looked at.
    ///
    /// # Errors
    /// It is malformed, or a strong definition of it has been defined before; then nothing is added.
    pub fn add_object(&self, object: ObjectBuffer) -> Result<()> {
        self.add_objects_to(self.inner.default_tracker, vec![object])
    }

    /// Adds objects as one unit: they are linked together, and lie near each other.
    ///
    /// # Errors
    /// As for [`Self::add_object`].
    pub fn add_objects(&self, objects: Vec<ObjectBuffer>) -> Result<()> {
        self.add_objects_to(self.inner.default_tracker, objects)
    }

    /// Adds the object file at `path`.
    ///
    /// # Errors
    /// As for [`Self::add_object`], or it cannot be opened.
    pub fn add_object_file(&self, path: impl AsRef<Path>) -> Result<()> {
        self.add_object(ObjectBuffer::open(path)?)
    }

    /// Defines symbols that need no linking.
    ///
    /// # Errors
    /// One of them has been defined before.
    pub fn define_absolute<N: AsRef<[u8]>>(
        &self,
        symbols: impl IntoIterator<Item = (N, ExecutorSymbol)>,
    ) -> Result<()> {
        self.define_absolute_in(self.inner.default_tracker, symbols, Existing::Refuse)
    }

    /// Defines those of the symbols that are not defined here yet: for generators.
    ///
    /// # Errors
    /// Names that take more than 4 GiB.
    pub fn define_missing_absolute<N: AsRef<[u8]>>(
        &self,
        symbols: impl IntoIterator<Item = (N, ExecutorSymbol)>,
    ) -> Result<()> {
        self.define_absolute_in(self.inner.default_tracker, symbols, Existing::Keep)
    }

    /// Defines `name` as another name for `target`, which this dylib or its link order has.
    ///
    /// # Errors
    /// The name has been defined before.
    pub fn define_alias(
        &self,
        name: impl AsRef<[u8]>,
        target: impl AsRef<[u8]>,
        flags: JitSymbolFlags,
    ) -> Result<()> {
        let names = [(name.as_ref(), target.as_ref())];
        self.define_aliases_in(self.inner.default_tracker, None, &names, flags, Existing::Refuse)
    }

    /// Defines names that stand for those of another dylib: pairs of the name here and the name there.
    ///
    /// # Errors
    /// A name has been defined before.
    pub fn reexport<N: AsRef<[u8]>, T: AsRef<[u8]>>(
        &self,
        source: &JitDylib,
        names: impl IntoIterator<Item = (N, T)>,
        flags: JitSymbolFlags,
    ) -> Result<()> {
        let names: Vec<(N, T)> = names.into_iter().collect();
        let names: Vec<_> = names.iter().map(|(name, target)| (name.as_ref(), target.as_ref())).collect();
        let order = [(Arc::clone(&source.inner), Visibility::Exported)].into();
        self.define_aliases_in(self.inner.default_tracker, Some(order), &names, flags, Existing::Refuse)
    }

    /// Adds definitions that are made when wanted.
    ///
    /// # Errors
    /// A strong one of them has been defined before.
    pub fn define(&self, unit: impl MaterializationUnit + 'static) -> Result<()> {
        self.define_in(self.inner.default_tracker, Box::new(unit))
    }

    /// Adds definitions that a closure makes when one of them is wanted.
    ///
    /// # Errors
    /// As for [`Self::define`].
    pub fn define_with<N: Into<Vec<u8>>>(
        &self,
        unit_name: impl Into<String>,
        symbols: impl IntoIterator<Item = (N, JitSymbolFlags)>,
        make: impl FnOnce(&MaterializationRequest<'_>) -> Result<Materialized> + Send + Sync + 'static,
    ) -> Result<()> {
        let symbols = symbols.into_iter().map(|(name, flags)| (name.into(), flags)).collect();
        self.define(ClosureUnit { name: unit_name.into(), symbols, make })
    }

    /// Looks a name up in this dylib and its link order, and has it materialized. A thread-local variable is the calling
    /// thread's.
    ///
    /// # Errors
    /// [`Error::NotFound`](crate::base::Error::NotFound), or what kept it from being linked.
    pub fn lookup(&self, name: impl AsRef<[u8]>) -> Result<ExecutorSymbol> {
        let name = name.as_ref();
        if let Some(symbol) = self.lookup_ready(name) {
            return Ok(symbol);
        }
        let found = self.session.find(
            &self.inner.order(),
            &[LookupName { name, weak: false }],
            LookupKind::Static,
        )?;
        self.session.single(found, name)
    }

    /// The address of a name of this dylib's own that has been looked up before, unless it is a thread-local variable; takes
    /// no lock that others hold for long.
    #[inline]
    #[must_use]
    pub fn lookup_ready(&self, name: &[u8]) -> Option<ExecutorSymbol> {
        let hash = super::names::hash(name);
        let without = JitSymbolFlags::SIDE_EFFECTS_ONLY | JitSymbolFlags::THREAD_LOCAL;
        let has_address = |entry: &Entry| !entry.flags.intersects(without);
        let get = |entry: &Entry| (entry.ready && has_address(entry)).then(|| entry.symbol());
        self.inner.table.get(hash, name, get).flatten()
    }

    /// Whether the dylib itself defines a name, exported or not.
    #[must_use]
    pub fn defines(&self, name: impl AsRef<[u8]>) -> bool {
        let name = name.as_ref();
        self.inner.table.get(super::names::hash(name), name, |_| ()).is_some()
    }

    /// All names that the dylib defines, sorted, with what is known of them.
    #[must_use]
    pub fn symbols(&self) -> Vec<(Vec<u8>, JitSymbolFlags)> {
        let mut symbols = Vec::new();
        self.inner.table.for_each(|entry| symbols.push((entry.name.bytes().to_vec(), entry.flags)));
        symbols.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        symbols
    }

    /// Its generators are asked no more, and it refers to itself alone.
    pub(super) fn withdraw(&self) {
        self.inner.generators().iter().for_each(|slot| slot.withdraw());
        self.inner.set_generators(Vec::new());
        self.inner.reset_order();
    }

    pub(super) fn add_objects_to(&self, tracker: Key, objects: Vec<ObjectBuffer>) -> Result<()> {
        self.define_objects(tracker, objects, Existing::Refuse)
    }

    pub(super) fn define_objects(
        &self,
        tracker: Key,
        objects: Vec<ObjectBuffer>,
        existing: Existing,
    ) -> Result<()> {
        let facts = Facts::of_objects(&objects)?;
        if self.inner.gives_way.load(Relaxed) {
            self.define_from_process(&facts)?;
        }
        let name = objects.first().map_or("<no objects>".into(), |object| Arc::clone(object.name()));
        let unit =
            NewUnit { name, facts, material: Material::Objects(objects), order: None, existing, image: None };
        self.session.lock().define(&self.inner, tracker, unit).map(drop)
    }

    /// Defines what the process has of the weak names of an object, so that the object's own lose.
    fn define_from_process(&self, facts: &Facts) -> Result<()> {
        let weak = facts.defs.iter().filter(|def| def.flags.is_weak());
        let of_process = |def: &Def| {
            let name = facts.name(def.span);
            let address = dl::lookup(name)?;
            let symbol = ExecutorSymbol { address, flags: def.flags, size: 0 };
            let flags =
                (def.flags | JitSymbolFlags::EXPORTED) - JitSymbolFlags::WEAK - JitSymbolFlags::COMMON;
            Some((name, ExecutorSymbol { flags, ..symbol }))
        };
        let found: Vec<_> = weak.filter_map(of_process).collect();
        if found.is_empty() { Ok(()) } else { self.define_missing_absolute(found) }
    }

    pub(super) fn define_absolute_in<N: AsRef<[u8]>>(
        &self,
        tracker: Key,
        symbols: impl IntoIterator<Item = (N, ExecutorSymbol)>,
        existing: Existing,
    ) -> Result<()> {
        let symbols: Vec<(N, ExecutorSymbol)> = symbols.into_iter().collect();
        let name: Arc<str> = "<absolute symbols>".into();
        let names = symbols.iter().map(|(name, s)| (name.as_ref(), s.flags | JitSymbolFlags::ABSOLUTE));
        let facts = Facts::of_names(&name, names)?;
        let values = symbols.iter().map(|(_, symbol)| *symbol).collect();
        let unit =
            NewUnit { name, facts, material: Material::Absolute(values), order: None, existing, image: None };
        self.session.lock().define(&self.inner, tracker, unit).map(drop)
    }

    /// Defines symbols in memory that `owner` keeps: it is dropped when they are removed and nothing refers to them.
    pub(crate) fn define_owned(
        &self,
        tracker: Option<&ResourceTracker>,
        unit_name: &str,
        symbols: &[(Vec<u8>, ExecutorSymbol)],
        owner: Arc<dyn Any + Send + Sync>,
    ) -> Result<()> {
        let tracker = tracker.map_or(self.inner.default_tracker, |tracker| tracker.key().0);
        self.define_owned_in(tracker, unit_name, symbols, owner)
    }

    pub(super) fn define_owned_in(
        &self,
        tracker: Key,
        unit_name: &str,
        symbols: &[(Vec<u8>, ExecutorSymbol)],
        owner: Arc<dyn Any + Send + Sync>,
    ) -> Result<()> {
        let names = symbols.iter().map(|(name, symbol)| (name.as_slice(), symbol.flags));
        let facts = Facts::of_names(unit_name, names)?;
        let image = Arc::new(Image::of_owner(owner, self.session.next_image()));
        let new = NewUnit {
            name: unit_name.into(),
            facts,
            material: Material::Absolute(symbols.iter().map(|(_, symbol)| *symbol).collect()),
            order: None,
            existing: Existing::Refuse,
            image: Some(image),
        };
        self.session.lock().define(&self.inner, tracker, new).map(drop)
    }

    /// Whether others may refer to a name that the dylib itself defines, other than a thread-local variable.
    pub(super) fn is_exported(&self, name: &[u8]) -> bool {
        let flags = self.flags_of(name).unwrap_or(JitSymbolFlags::empty());
        flags.contains(JitSymbolFlags::EXPORTED) && !flags.contains(JitSymbolFlags::THREAD_LOCAL)
    }

    /// What is known of a name that the dylib itself defines.
    pub(crate) fn flags_of(&self, name: &[u8]) -> Option<JitSymbolFlags> {
        self.inner.table.get(super::names::hash(name), name, |entry| entry.flags)
    }

    /// Looks for what it refers to in these dylibs only, in their order; itself need not be the first.
    pub(crate) fn set_whole_order(&self, order: &[(&JitDylib, Visibility)]) {
        let order = order.iter().map(|(dylib, visibility)| (Arc::clone(&dylib.inner), *visibility));
        self.session.lock().dependencies_changed();
        self.inner.set_order(order.collect());
    }

    pub(super) fn define_aliases_in(
        &self,
        tracker: Key,
        order: Option<Order>,
        names: &[(&[u8], &[u8])],
        flags: JitSymbolFlags,
        existing: Existing,
    ) -> Result<()> {
        let mut units = Vec::with_capacity(names.len());
        for &(name, target) in names {
            let unit_name: Arc<str> = format!("<alias {}>", super::names::display(name)).into();
            let facts = Facts::of_alias(&unit_name, name, target, flags)?;
            let order = order.clone();
            let material = Material::Alias;
            units.push(NewUnit { name: unit_name, facts, material, order, existing, image: None });
        }
        self.session.lock().define_all(&self.inner, tracker, units)
    }

    pub(super) fn define_in(&self, tracker: Key, unit: Box<dyn MaterializationUnit>) -> Result<()> {
        let new = NewUnit::of_user(unit)?;
        self.session.lock().define(&self.inner, tracker, new).map(drop)
    }
}
