//! Sections of initialisers and finalisers: what their names say about role and priority.
//!
//! Source: generic ABI, "Special Sections" and `SHT_INIT_ARRAY`; the suffixes are the GNU linker's.

use crate::graph::{InitPhase, SectionFlags, SectionRole};

/// The priority of a section that states none.
const DEFAULT_PRIORITY: u16 = 65535;

/// What an ELF section of initialisers or finalisers is, by its name: role with priority, and
/// [`SectionFlags::REVERSED`] for arrays that run from their end. None for all other names.
///
/// `.init_array.N` and `.fini_array.N` state priority `N`; `.ctors.N` and `.dtors.N` state 65535 - `N`. What is not a
/// number, or a greater one, counts as none given.
pub(super) fn init_priority(section: &[u8]) -> Option<(SectionRole, SectionFlags)> {
    let (base, suffix) = split_suffix(section)?;
    let priority = suffix.and_then(parse_priority);
    let plain = priority.unwrap_or(DEFAULT_PRIORITY);
    let counted_down = DEFAULT_PRIORITY - priority.unwrap_or(0);
    let role = match base {
        b"init_array" => SectionRole::Initializers(InitPhase::Array, plain),
        b"fini_array" => SectionRole::Finalizers(InitPhase::Array, plain),
        b"preinit_array" => SectionRole::Initializers(InitPhase::Preinit, plain),
        b"ctors" => SectionRole::Initializers(InitPhase::Array, counted_down),
        b"dtors" => SectionRole::Finalizers(InitPhase::Array, counted_down),
        b"init" if suffix.is_none() => SectionRole::Initializers(InitPhase::Fragment, DEFAULT_PRIORITY),
        b"fini" if suffix.is_none() => SectionRole::Finalizers(InitPhase::Fragment, DEFAULT_PRIORITY),
        _ => return None,
    };
    let reversed = matches!(base, b"ctors" | b"dtors");
    Some((role, if reversed { SectionFlags::REVERSED } else { SectionFlags::empty() }))
}

/// `.base.suffix` in its parts.
fn split_suffix(section: &[u8]) -> Option<(&[u8], Option<&[u8]>)> {
    let name = section.strip_prefix(b".")?;
    Some(match name.iter().position(|byte| *byte == b'.') {
        Some(dot) => (&name[..dot], name.get(dot + 1..)),
        None => (name, None),
    })
}

fn parse_priority(digits: &[u8]) -> Option<u16> {
    if !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn priorities_of_initialisers_and_finalisers() {
        use InitPhase::{Array, Fragment, Preinit};
        use SectionRole::{Finalizers, Initializers};
        let cases = [
            (".init_array", Initializers(Array, 65535), false),
            (".init_array.101", Initializers(Array, 101), false),
            (".init_array.00000", Initializers(Array, 0), false),
            (".init_array.65536", Initializers(Array, 65535), false),
            (".init_array.+1", Initializers(Array, 65535), false),
            (".init_array.", Initializers(Array, 65535), false),
            (".init_array._GLOBAL__I_x", Initializers(Array, 65535), false),
            (".fini_array.7", Finalizers(Array, 7), false),
            (".preinit_array", Initializers(Preinit, 65535), false),
            (".ctors", Initializers(Array, 65535), true),
            (".ctors.65435", Initializers(Array, 100), true),
            (".dtors.65535", Finalizers(Array, 0), true),
            (".dtors.00000", Finalizers(Array, 65535), true),
            (".init", Initializers(Fragment, 65535), false),
            (".fini", Finalizers(Fragment, 65535), false),
        ];
        for (name, role, reversed) in cases {
            let flags = if reversed { SectionFlags::REVERSED } else { SectionFlags::empty() };
            assert_eq!(init_priority(name.as_bytes()), Some((role, flags)), "{name}");
        }
        for name in ["", ".", "init_array", ".init_array1", ".initx", ".init.text", ".text", ".ctors_x"] {
            assert_eq!(init_priority(name.as_bytes()), None, "{name}");
        }
    }
}
