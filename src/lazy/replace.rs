//! Replacing an object while its code runs.
//!
//! # Safety
//! Variables are copied between versions of an object that the caller says are compatible; both are linked memory of this
//! process that stays mapped.
#![allow(unsafe_code)]

use super::keep::{Copy, Job, Keeper, Variables};
use super::redirectable::RedirectableSymbol;
use super::reexports::{LazyReexport, LazyReexports};
use crate::base::{Error, Result};
use crate::session::{
    Image, JitDylib, JitSymbolFlags, ObjectBuffer, Removed, ResourceTracker, Visibility, object_symbols,
};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

type Choice = dyn Fn(&[u8]) -> bool + Send + Sync;

/// Which variables keep their values when an object is replaced.
///
/// Of those that may, a variable does whose name and size are unchanged; what its type is, object files do not say. Where
/// all variables of a section are as they were, they stay where they are, and both versions share them. Otherwise the new
/// version has its own, which get the values that the old ones have at that moment. (With `-fdata-sections` each variable has a
/// section of its own.)
#[derive(Clone, Default)]
pub enum DataRule {
    /// All.
    #[default]
    Keep,
    /// None: they start with the values that the new version gives them.
    Fresh,
    /// Those that this is true for, by name.
    Choose(Arc<Choice>),
}

impl DataRule {
    pub(super) fn keeps(&self, name: &[u8]) -> bool {
        match self {
            Self::Keep => true,
            Self::Fresh => false,
            Self::Choose(choice) => choice(name),
        }
    }
}

impl std::fmt::Debug for DataRule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Keep => "Keep",
            Self::Fresh => "Fresh",
            Self::Choose(_) => "Choose",
        })
    }
}

/// What a replacement has come to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Replaced {
    /// How many functions lead to the new version now.
    pub functions: usize,
    /// How many sections of variables both versions share.
    pub shared: usize,
    /// How many variables got the old version's values.
    pub copied: usize,
}

/// Objects of a dylib that can be replaced while their code runs.
///
/// Their exported functions are entries, for other objects and for themselves: a call goes to the newest version, and one
/// that is under way stays with its own until it returns. An object is linked when a function of it is first called.
#[derive(Debug)]
pub struct ReplaceableObjects {
    dylib: JitDylib,
    keeper: Arc<Keeper>,
    reexports: LazyReexports,
    /// None while somebody is at work on it.
    files: Mutex<HashMap<Arc<str>, Option<File>>>,
}

/// An object in its versions.
#[derive(Debug)]
struct File {
    entries: HashMap<Vec<u8>, RedirectableSymbol>,
    current: Version,
    old: Vec<JitDylib>,
    /// Memory of old versions whose variables are still in use.
    shared: Vec<Arc<Image>>,
    number: u32,
}

#[derive(Debug)]
struct Version {
    object: Arc<str>,
    dylib: JitDylib,
    /// Names of variables in the dylib that has the entries.
    data: ResourceTracker,
}

impl ReplaceableObjects {
    /// Replaceable objects of `dylib`.
    #[must_use]
    pub fn new(dylib: &JitDylib) -> Self {
        let keeper = Arc::new(Keeper::default());
        dylib.session().add_plugin(keeper.clone());
        let (dylib, reexports) = (dylib.clone(), LazyReexports::default());
        Self { dylib, keeper, reexports, files: Mutex::default() }
    }

    /// What the entries do on their first call.
    #[must_use]
    pub fn reexports(&self) -> &LazyReexports {
        &self.reexports
    }

    /// Adds an object, which goes by its name from then on.
    ///
    /// # Errors
    /// It is malformed, has been added before, or defines what is defined already.
    pub fn add(&self, object: &ObjectBuffer) -> Result<()> {
        if self.files().contains_key(object.name()) {
            let what = format!("{} has been added to {} already", object.name(), self.dylib.name());
            return Err(Error::invalid(what, Some("replace it instead")));
        }
        let current = self.version(object, 1, DataRule::Keep, Vec::new())?;
        let (old, shared) = (Vec::new(), Vec::new());
        let mut file = File { entries: HashMap::new(), current, old, shared, number: 1 };
        if let Err(error) = self.publish(&mut file, object) {
            self.dylib.session().remove_dylib(&file.current.dylib)?;
            return Err(error);
        }
        self.files().insert(Arc::clone(object.name()), Some(file));
        Ok(())
    }

    fn files(&self) -> MutexGuard<'_, HashMap<Arc<str>, Option<File>>> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Works on an object, with no lock held.
    fn with_file<R>(&self, object: &str, work: impl FnOnce(&mut File) -> Result<R>) -> Result<R> {
        let taken = self.files().get_mut(object).map(Option::take);
        let mut file = match taken {
            Some(Some(file)) => file,
            Some(None) => {
                let what = format!("{object} is being replaced by another thread");
                return Err(Error::invalid(what, Some("wait for it")));
            }
            None => {
                let what = format!("{object} was not added to {}", self.dylib.name());
                return Err(Error::invalid(what, Some("add it first")));
            }
        };
        let outcome = work(&mut file);
        if let Some(place) = self.files().get_mut(object) {
            *place = Some(file);
        }
        outcome
    }

    /// Puts a new version in the place of the object of that name: it is linked, variables are kept as the rule says, and
    /// the entries of its functions lead to it from then on. If that fails, all stays as it was. What the old version has and
    /// the new one has not stays with the old one.
    ///
    /// # Errors
    /// No such object was added, or the new version cannot be linked.
    pub fn replace(&self, object: &ObjectBuffer, rule: DataRule) -> Result<Replaced> {
        self.with_file(object.name(), |file| self.replace_file(file, object, rule))
    }

    fn replace_file(&self, file: &mut File, object: &ObjectBuffer, rule: DataRule) -> Result<Replaced> {
        let previous = self.variables_of(&file.current);
        let number = file.number + 1;
        let version = self.version(object, number, rule, previous)?;
        let linked = self.link(&version, object);
        let jobs = self.keeper.jobs();
        let job = jobs.get(&version.object);
        let (shared, copies) = job.map_or((0, Vec::new()), |job| (job.kept, job.copies.clone()));
        drop(jobs);
        let targets = match linked {
            Ok(targets) => targets,
            Err(error) => {
                self.keeper.jobs().remove(&version.object);
                self.dylib.session().remove_dylib(&version.dylib)?;
                return Err(error);
            }
        };
        file.number = number;
        if shared > 0 {
            file.shared.extend(file.current.dylib.any_image());
        }
        copies.iter().for_each(|copy| take_over(*copy));
        let old = std::mem::replace(&mut file.current, version);
        self.keeper.jobs().remove(&old.object);
        old.data.remove()?;
        file.old.push(old.dylib);
        self.publish(file, object)?;
        let mut functions = 0;
        for name in &targets {
            if let Some(entry) = file.entries.get(name) {
                entry.redirect_to(&file.current.dylib, name)?;
                functions += 1;
            }
        }
        Ok(Replaced { functions, shared, copied: copies.len() })
    }

    /// Frees the old versions of an object, except for variables that are still shared and what other objects were linked
    /// against.
    ///
    /// # Errors
    /// No such object was added.
    ///
    /// # Safety
    /// No thread is in the code of an old version or will return to it, and nobody has a pointer to its variables that are not
    /// shared, or to its functions otherwise than by their entries.
    pub unsafe fn free_old_versions(&self, object: &str) -> Result<Removed> {
        self.with_file(object, |file| {
            let mut total = Removed { freed: 0, in_use: 0 };
            for dylib in file.old.drain(..) {
                let removed = self.dylib.session().remove_dylib(&dylib)?;
                total = Removed { freed: total.freed + removed.freed, in_use: total.in_use + removed.in_use };
            }
            Ok(total)
        })
    }

    /// A dylib for a version of an object: what that refers to means the entries first.
    fn version(
        &self,
        object: &ObjectBuffer,
        number: u32,
        rule: DataRule,
        previous: Vec<Variables>,
    ) -> Result<Version> {
        let name: Arc<str> = format!("{} (version {number})", object.name()).into();
        let dylib = self.dylib.session().create_dylib(format!("{}: {name}", self.dylib.name()))?;
        let rest = self.dylib.link_order();
        let own = [(&self.dylib, Visibility::All), (&dylib, Visibility::All)];
        let rest = rest.iter().filter(|(other, _)| *other != self.dylib).map(|(other, v)| (other, *v));
        dylib.set_whole_order(&own.into_iter().chain(rest).collect::<Vec<_>>());
        if let Err(error) = dylib.add_object(object.renamed(Arc::clone(&name))) {
            self.dylib.session().remove_dylib(&dylib)?;
            return Err(error);
        }
        self.keeper.jobs().insert(Arc::clone(&name), Job::new(rule, previous));
        Ok(Version { object: name, dylib, data: self.dylib.create_tracker() })
    }

    /// Links a version, and says which functions it exports.
    fn link(&self, version: &Version, object: &ObjectBuffer) -> Result<Vec<Vec<u8>>> {
        let (functions, _) = exports(object)?;
        for (name, _) in &functions {
            version.dylib.find_own(name)?;
        }
        Ok(functions.into_iter().map(|(name, _)| name).collect())
    }

    /// Defines what the current version exports: entries for functions that have none, and its variables.
    fn publish(&self, file: &mut File, object: &ObjectBuffer) -> Result<()> {
        let (functions, data) = exports(object)?;
        let File { entries, current, .. } = file;
        let is_new = |name: &[u8], flags: JitSymbolFlags| !flags.is_weak() || !self.dylib.defines(name);
        let lazy: Vec<LazyReexport<'_>> = functions
            .iter()
            .filter(|(name, flags)| !entries.contains_key(name) && is_new(name, *flags))
            .map(|(name, flags)| LazyReexport { name, target: name, flags: *flags })
            .collect();
        let made = self.reexports.define_entries(&self.dylib, None, &current.dylib, &lazy)?;
        entries.extend(made);
        let data = data.iter().filter(|(name, flags)| is_new(name, *flags));
        let mut data = data;
        data.try_for_each(|(name, flags)| current.data.reexport(&current.dylib, name, *flags))
    }

    /// Where the variables of a version are, if it has been linked.
    fn variables_of(&self, version: &Version) -> Vec<Variables> {
        self.keeper.jobs().get(&version.object).map_or_else(Vec::new, |job| job.variables.clone())
    }
}

type Symbols = Vec<(Vec<u8>, JitSymbolFlags)>;

/// The functions and the variables that an object exports.
fn exports(object: &ObjectBuffer) -> Result<(Symbols, Symbols)> {
    let symbols = object_symbols(object)?;
    let exported = symbols.into_iter().filter(|(_, flags)| flags.contains(JitSymbolFlags::EXPORTED));
    Ok(exported.partition(|(_, flags)| flags.contains(JitSymbolFlags::CALLABLE)))
}

/// Gives a variable of the new version the old one's value.
fn take_over(copy: Copy) {
    let (from, to) = (copy.from.0 as *const u8, copy.to.0 as *mut u8);
    // SAFETY: both are variables of that size in linked memory of this process that stays mapped: the versions' dylibs are
    // held. Code of the program may write the old one meanwhile, as it may at any time.
    unsafe { std::ptr::copy(from, to, copy.size as usize) };
}
