//! Errors as values: what was wrong, where, and what would help.

use std::fmt;
use std::sync::Arc;

/// The result of everything here that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Where in an input something was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The input as the user named it: `a.o`, or `libx.a(member.o)`.
    pub file: Arc<str>,
    /// Section name, where the fault lies in one.
    pub section: Option<String>,
    /// Byte offset within the section, or within the file where there is no section.
    pub offset: Option<u64>,
}

impl Place {
    /// A place in `file` as a whole.
    #[must_use]
    pub fn file(file: impl Into<Arc<str>>) -> Self {
        Self { file: file.into(), section: None, offset: None }
    }

    /// The same place, in section `section`.
    #[must_use]
    pub fn in_section(mut self, section: impl Into<String>) -> Self {
        self.section = Some(section.into());
        self
    }

    /// The same place, at byte `offset`.
    #[must_use]
    pub fn at(mut self, offset: u64) -> Self {
        self.offset = Some(offset);
        self
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        match (&self.section, self.offset) {
            (Some(section), Some(offset)) => write!(f, ":({section}+{offset:#x})"),
            (Some(section), None) => write!(f, ":({section})"),
            (None, Some(offset)) => write!(f, ":{offset:#x}"),
            (None, None) => Ok(()),
        }
    }
}

/// A fault at a place: `what` is a clause without a full stop, `help` says what would help, where something would.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Located {
    /// Where it was found.
    pub place: Place,
    /// What is wrong.
    pub what: String,
    /// What the user can do about it.
    pub help: Option<String>,
}

impl fmt::Display for Located {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.what)?;
        write_help(f, self.help.as_deref())
    }
}

/// A fixup whose value does not fit its field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutOfRange {
    /// Object, section and offset of the fixup.
    pub place: Place,
    /// Name of the edge kind.
    pub kind: &'static str,
    /// Name of the target symbol, or of its section.
    pub target: String,
    /// Address of the target.
    pub target_address: u64,
    /// Address of the fixup.
    pub fixup_address: u64,
    /// The value that was to be stored: for pc-relative kinds, the distance in bytes.
    pub value: i64,
    /// Smallest value the field can hold.
    pub min: i64,
    /// Largest value the field can hold.
    pub max: i64,
    /// The value must be a multiple of this.
    pub alignment: u64,
    /// What the user can do about it.
    pub help: &'static str,
}

impl fmt::Display for OutOfRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { place, kind, target, target_address, fixup_address, value, .. } = self;
        write!(
            f,
            "{place}: {kind} fixup at {fixup_address:#x} to {target} at {target_address:#x} needs {value:#x}, "
        )?;
        if self.value < self.min || self.value > self.max {
            write!(f, "outside {:#x}..={:#x}", self.min, self.max)?;
        } else {
            write!(f, "not a multiple of {}", self.alignment)?;
        }
        write_help(f, Some(self.help))
    }
}

/// Who refers to an undefined symbol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UndefinedReference {
    /// Object and, where known, section and offset of the first reference.
    pub place: Place,
}

/// A symbol that is referred to and defined nowhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Undefined {
    /// The name.
    pub name: String,
    /// Where it is referred to: the first few places.
    pub references: Vec<UndefinedReference>,
    /// Known names that look like it.
    pub near_misses: Vec<String>,
}

/// A strong symbol that two inputs define.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Duplicate {
    /// The name.
    pub name: String,
    /// The input whose definition came first.
    pub first: Arc<str>,
    /// The input that defines it again.
    pub second: Arc<str>,
}

/// Names that a lookup did not find.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotFound {
    /// The names, each with known names that look like it.
    pub symbols: Vec<Undefined>,
    /// Where they were looked for.
    pub searched: Vec<String>,
}

/// Symbols that have no address because what defines them could not be linked.
#[derive(Clone, Debug)]
pub struct FailedToMaterialize {
    /// The symbols that were asked for.
    pub symbols: Vec<String>,
    /// What failed first, and made everything that refers to it fail.
    pub unit: Arc<str>,
    /// How it failed.
    pub cause: Error,
}

/// Why something could not be done.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Error {
    /// The input breaks its format's rules.
    Malformed(Box<Located>),
    /// The input is well-formed, but asks for something that cannot be honoured.
    Unsupported(Box<Located>),
    /// A fixup's value does not fit.
    OutOfRange(Box<OutOfRange>),
    /// Symbols that nothing defines: all of them.
    Undefined(Vec<Undefined>),
    /// Strong symbols that are defined more than once: all of them.
    Duplicate(Vec<Duplicate>),
    /// Names that a lookup did not find: all of them.
    NotFound(Box<NotFound>),
    /// What defines the symbols looked up, or something they refer to, could not be linked.
    FailedToMaterialize(Box<FailedToMaterialize>),
    /// A file could not be read.
    Io {
        /// Path as the user named it.
        path: String,
        /// What the operating system said.
        source: Arc<std::io::Error>,
    },
    /// The operating system refused a request for memory or protection.
    Memory {
        /// What was asked: `reserve 4096 bytes`.
        what: String,
        /// What the operating system said, where it did.
        source: Option<Arc<std::io::Error>>,
    },
    /// An allocation action failed; everything done before it was undone.
    Action {
        /// Address of the action's function.
        call: u64,
        /// The status it returned.
        status: u32,
    },
    /// Anything else that the caller asked for and cannot have.
    Invalid {
        /// What is wrong.
        what: String,
        /// What the user can do about it.
        help: Option<String>,
    },
}

impl Error {
    /// The input at `place` breaks its format's rules.
    #[cold]
    #[must_use]
    pub fn malformed(place: Place, what: impl Into<String>) -> Self {
        Self::Malformed(Box::new(Located { place, what: what.into(), help: None }))
    }

    /// The input at `place` asks for something that cannot be honoured; `help` says what to do instead.
    #[cold]
    #[must_use]
    pub fn unsupported(place: Place, what: impl Into<String>, help: impl Into<String>) -> Self {
        Self::Unsupported(Box::new(Located { place, what: what.into(), help: Some(help.into()) }))
    }

    /// A file could not be read.
    #[cold]
    #[must_use]
    pub fn io(path: impl Into<String>, source: std::io::Error) -> Self {
        Self::Io { path: path.into(), source: Arc::new(source) }
    }

    /// The operating system refused, or had not enough for, what is to be read as "cannot `what`".
    #[cold]
    #[must_use]
    pub fn memory(what: impl Into<String>, source: Option<std::io::Error>) -> Self {
        Self::Memory { what: what.into(), source: source.map(Arc::new) }
    }

    /// A request that makes no sense, with what would help.
    #[cold]
    #[must_use]
    pub fn invalid(what: impl Into<String>, help: Option<&str>) -> Self {
        Self::Invalid { what: what.into(), help: help.map(str::to_owned) }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(located) | Self::Unsupported(located) => located.fmt(f),
            Self::OutOfRange(out) => out.fmt(f),
            Self::Undefined(list) => write_lines(f, list, write_undefined),
            Self::Duplicate(list) => write_lines(f, list, |f, d| {
                write!(f, "duplicate symbol {}: defined in {} and in {}", d.name, d.first, d.second)
            }),
            Self::NotFound(not_found) => write_lines(f, &not_found.symbols, |f, symbol| {
                write_not_found(f, symbol, &not_found.searched)
            }),
            Self::FailedToMaterialize(failed) => write_failed(f, failed),
            Self::Io { path, source } => write!(f, "{path}: {source}"),
            Self::Memory { what, source: Some(source) } => write!(f, "cannot {what}: {source}"),
            Self::Memory { what, source: None } => write!(f, "cannot {what}"),
            Self::Action { call, status } => {
                write!(f, "allocation action at {call:#x} failed with status {status}")
            }
            Self::Invalid { what, help } => {
                f.write_str(what)?;
                write_help(f, help.as_deref())
            }
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { source, .. } | Self::Memory { source: Some(source), .. } => Some(source.as_ref()),
            Self::FailedToMaterialize(failed) => Some(&failed.cause),
            _ => None,
        }
    }
}

/// Something that could not be honoured as asked and did not stop the link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning(pub Located);

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

fn write_help(f: &mut fmt::Formatter<'_>, help: Option<&str>) -> fmt::Result {
    match help {
        Some(help) if !help.is_empty() => write!(f, "; {help}"),
        _ => Ok(()),
    }
}

fn write_lines<T>(
    f: &mut fmt::Formatter<'_>,
    list: &[T],
    mut write_one: impl FnMut(&mut fmt::Formatter<'_>, &T) -> fmt::Result,
) -> fmt::Result {
    for (index, item) in list.iter().enumerate() {
        if index > 0 {
            f.write_str("\n")?;
        }
        write_one(f, item)?;
    }
    Ok(())
}

fn write_undefined(f: &mut fmt::Formatter<'_>, undefined: &Undefined) -> fmt::Result {
    write!(f, "undefined symbol {}", undefined.name)?;
    for (index, reference) in undefined.references.iter().enumerate() {
        write!(f, "{} {}", if index == 0 { ", referenced by" } else { "," }, reference.place)?;
    }
    if !undefined.near_misses.is_empty() {
        write!(f, "; did you mean {}?", undefined.near_misses.join(", "))?;
    }
    write_help(f, remedy(&undefined.name))
}

/// What helps where a compiler's flag asks for a function that only a native link brings along.
fn remedy(name: &str) -> Option<&'static str> {
    let split_stacks = ["__morestack", "__morestack_non_split"].contains(&name);
    split_stacks.then_some("stacks in pieces are not supported: compile with -fno-split-stack")
}

fn write_not_found(f: &mut fmt::Formatter<'_>, symbol: &Undefined, searched: &[String]) -> fmt::Result {
    write!(f, "symbol {} not found", symbol.name)?;
    if !searched.is_empty() {
        write!(f, " in {}", searched.join(", "))?;
    }
    if !symbol.near_misses.is_empty() {
        write!(f, "; did you mean {}?", symbol.near_misses.join(", "))?;
    }
    write_help(f, remedy(&symbol.name))
}

/// How many symbols a message lists.
const LISTED: usize = 3;

/// The root cause comes first; what could not be had for it is said after it.
fn write_failed(f: &mut fmt::Formatter<'_>, failed: &FailedToMaterialize) -> fmt::Result {
    let FailedToMaterialize { symbols, unit, cause } = failed;
    write!(f, "{cause}")?;
    let listed = symbols.iter().take(LISTED).map(String::as_str).collect::<Vec<_>>().join(", ");
    match symbols.len() {
        0 => write!(f, " (materializing {unit})"),
        count if count > LISTED => {
            write!(f, " (materializing {unit}, for {listed} and {} more)", count - LISTED)
        }
        _ => write!(f, " (materializing {unit}, for {listed})"),
    }
}
