//! What can be done for each object on its own, before the batch's table of names is touched: parsing and hashing.

use super::globals::NameHasher;
use crate::base::Result;
use crate::formats::{GlobalSymbol, Object};
use std::sync::Arc;

/// A parsed object with its global names, hashed for one batch's table.
#[derive(Debug)]
pub(crate) struct Prepared<'data> {
    pub(crate) object: Object<'data>,
    pub(crate) symbols: Vec<HashedSymbol<'data>>,
}

/// A global symbol and the hash of its name.
#[derive(Debug)]
pub(crate) struct HashedSymbol<'data> {
    pub(crate) hash: u64,
    pub(crate) global: GlobalSymbol<'data>,
}

impl<'data> Prepared<'data> {
    /// Parses an object file.
    pub(crate) fn parse(hasher: &NameHasher, name: Arc<str>, data: &'data [u8]) -> Result<Self> {
        Self::new(hasher, Object::parse(name, data)?)
    }

    /// Reads the names of a parsed object.
    pub(crate) fn new(hasher: &NameHasher, object: Object<'data>) -> Result<Self> {
        let mut symbols = Vec::with_capacity(object.global_count());
        object.for_each_global(|global| {
            symbols.push(HashedSymbol { hash: hasher.hash(&global.name), global });
            Ok(())
        })?;
        Ok(Self { object, symbols })
    }
}
