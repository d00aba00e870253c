//! Sections: named groups of blocks with the same permissions and lifetime.

use super::{Lifetime, Permissions};
use std::borrow::Cow;

/// What the linker does with a section beyond placing it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum SectionRole {
    /// Nothing.
    #[default]
    Regular,
    /// DWARF call frame records: split, pruned, and closed by one terminator.
    EhFrame,
    /// Null-terminated strings of `unit` bytes a character, merged across the batch.
    MergeStrings {
        /// Bytes per character.
        unit: u32,
    },
    /// Constants of `unit` bytes each, merged across the batch.
    MergeConstants {
        /// Bytes per constant.
        unit: u32,
    },
    /// Function pointers run before `main`, ordered across the batch.
    Initializers(InitPhase, u16),
    /// Function pointers run at exit, ordered across the batch.
    Finalizers(InitPhase, u16),
    /// Initial data of thread-local variables.
    ThreadData,
    /// Zero-filled thread-local variables.
    ThreadZeroFill,
    /// Descriptors of Mach-O's thread-local variables: a function, a key, and the offset in the thread's block.
    ThreadDescriptors,
    /// Mach-O's compact unwind information, one record of 32 bytes for each function.
    CompactUnwind,
}

/// In which of its format's arrays an initialiser or finaliser stands. The number beside it is its priority: lower runs
/// earlier for initialisers, later for finalisers; 65535 is "none given".
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum InitPhase {
    /// `.preinit_array`.
    Preinit,
    /// Code fragments joined into one function: `.init`, `.fini`.
    Fragment,
    /// `.init_array`, `.fini_array`, `__mod_init_func`, and `.ctors`, `.dtors` (which run from their end).
    Array,
}

bitflags::bitflags! {
    /// Further facts about a section.
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
    pub struct SectionFlags: u8 {
        /// Kept by dead stripping whether referenced or not.
        const KEEP = 1;
        /// Written during initial relocation only, read-only afterwards.
        const RELRO = 2;
        /// May be placed out of 32-bit reach (large code model data).
        const LARGE = 4;
        /// Its name is a C identifier: `__start_NAME` and `__stop_NAME` bound it.
        const C_IDENTIFIER = 8;
        /// `.ctors` or `.dtors`: the array runs from its end to its start.
        const REVERSED = 16;
        /// Contents are compressed (`SHF_COMPRESSED`, or a `.zdebug` name).
        const COMPRESSED = 32;
        /// Removed by an edit: only its id is left, and nothing iterates over it.
        const REMOVED = 64;
        /// A block is kept if something that it refers to is.
        const LIVE_SUPPORT = 128;
    }
}

/// A named group of blocks with the same permissions and lifetime.
#[derive(Clone, Debug)]
pub struct Section<'data> {
    /// Name, as in the object.
    pub name: Cow<'data, [u8]>,
    /// Permissions once finalized.
    pub permissions: Permissions,
    /// How long its memory lives.
    pub lifetime: Lifetime,
    /// What the linker does with it.
    pub role: SectionRole,
    /// Further facts.
    pub flags: SectionFlags,
    /// Its number in the object it was read from; 0 if it was made otherwise.
    pub number: u32,
}

impl Section<'_> {
    pub(crate) fn is_removed(&self) -> bool {
        self.flags.contains(SectionFlags::REMOVED)
    }

    /// The name for people.
    #[must_use]
    pub fn display_name(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.name)
    }
}

/// Whether `name` is a C identifier, so that `__start_` and `__stop_` before it name its section's bounds.
#[must_use]
pub fn is_c_identifier(name: &[u8]) -> bool {
    let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    name.first().is_some_and(|first| !first.is_ascii_digit()) && name.iter().all(is_word)
}

#[cfg(test)]
mod tests {
    use super::is_c_identifier;

    #[test]
    fn c_identifiers() {
        for name in ["a", "_", "Z9_z", "__libc_freeres_fn"] {
            assert!(is_c_identifier(name.as_bytes()), "{name}");
        }
        for name in ["", "9a", "a.b", ".text", "a-b", "é"] {
            assert!(!is_c_identifier(name.as_bytes()), "{name}");
        }
    }
}
