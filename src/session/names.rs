//! Names of symbols: all those of one unit in one allocation.

use crate::graph::Spelling;
use foldhash::fast::RandomState;
use std::borrow::Cow;
use std::hash::{BuildHasher, Hasher};
use std::sync::{Arc, LazyLock};

/// One name among those of a unit. Cloning it allocates nothing.
#[derive(Clone)]
pub(super) struct Name {
    bytes: Arc<[u8]>,
    span: Span,
}

/// Where a name stands among the names of its unit.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    start: u32,
    len: u32,
}

impl Name {
    pub(super) fn new(bytes: &Arc<[u8]>, span: Span) -> Self {
        Self { bytes: Arc::clone(bytes), span }
    }

    #[inline]
    pub(super) fn bytes(&self) -> &[u8] {
        span_of(&self.bytes, self.span)
    }
}

impl std::fmt::Debug for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&display(self.bytes()))
    }
}

/// The name that stands at `span` of a unit's names.
#[inline]
pub(super) fn span_of(bytes: &[u8], span: Span) -> &[u8] {
    &bytes[span.start as usize..][..span.len as usize]
}

/// Gathers the names of a unit.
#[derive(Debug, Default)]
pub(super) struct NameList {
    bytes: Vec<u8>,
}

impl NameList {
    pub(super) fn push(&mut self, name: &[u8]) -> Span {
        let span = Span { start: self.bytes.len() as u32, len: name.len() as u32 };
        self.bytes.extend_from_slice(name);
        span
    }

    /// Whether another name of this length can be told from the others by 32 bits.
    pub(super) fn has_room(&self, name: &[u8]) -> bool {
        self.bytes.len().saturating_add(name.len()) <= u32::MAX as usize
    }

    pub(super) fn finish(self) -> Arc<[u8]> {
        self.bytes.into()
    }
}

/// What a session calls the symbol that an object's table spells so: as C does, so that objects of all formats find each
/// other. A name that C cannot have is marked as LLVM's compilers mark it.
#[inline]
pub(super) fn session_name(spelling: Spelling, symbol: &[u8]) -> Cow<'_, [u8]> {
    match spelling.c_name(symbol) {
        Some(name) => Cow::Borrowed(name),
        None => Cow::Owned([&[LITERAL], symbol].concat()),
    }
}

/// How an object's table spells a name of the session.
#[inline]
pub(super) fn spelled(spelling: Spelling, name: &[u8]) -> Cow<'_, [u8]> {
    match (spelling, name) {
        (Spelling::Plain, _) => Cow::Borrowed(name),
        (Spelling::Underscored, [LITERAL, literal @ ..]) => Cow::Borrowed(literal),
        (Spelling::Underscored, _) => Cow::Owned([b"_", name].concat()),
    }
}

const LITERAL: u8 = 1;

/// The hash by which all tables of symbols in this process find a name.
#[inline]
pub(super) fn hash(name: &[u8]) -> u64 {
    static STATE: LazyLock<RandomState> = LazyLock::new(RandomState::default);
    let mut hasher = STATE.build_hasher();
    hasher.write(name);
    hasher.finish()
}

/// A name as messages show it.
pub(super) fn display(name: &[u8]) -> String {
    String::from_utf8_lossy(name).into_owned()
}
