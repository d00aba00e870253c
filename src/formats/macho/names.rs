//! Names of sections: `__TEXT,__text`.

use object::LittleEndian as LE;
use object::macho::Section64;
use std::borrow::Cow;

/// The sections that compilers make, so that their full names need not be put together.
const KNOWN: [(&str, usize); 30] = [
    ("__TEXT,__text", 6),
    ("__DATA,__data", 6),
    ("__TEXT,__cstring", 6),
    ("__TEXT,__const", 6),
    ("__DATA,__const", 6),
    ("__DATA,__bss", 6),
    ("__LD,__compact_unwind", 4),
    ("__TEXT,__eh_frame", 6),
    ("__TEXT,__gcc_except_tab", 6),
    ("__TEXT,__literal4", 6),
    ("__TEXT,__literal8", 6),
    ("__TEXT,__literal16", 6),
    ("__DATA,__common", 6),
    ("__DATA,__mod_init_func", 6),
    ("__DATA,__thread_vars", 6),
    ("__DATA,__thread_data", 6),
    ("__DATA,__thread_bss", 6),
    ("__TEXT,__StaticInit", 6),
    ("__TEXT,__ustring", 6),
    ("__DWARF,__debug_info", 7),
    ("__DWARF,__debug_abbrev", 7),
    ("__DWARF,__debug_line", 7),
    ("__DWARF,__debug_line_str", 7),
    ("__DWARF,__debug_str", 7),
    ("__DWARF,__debug_str_offs", 7),
    ("__DWARF,__debug_addr", 7),
    ("__DWARF,__debug_names", 7),
    ("__DWARF,__debug_rnglists", 7),
    ("__DWARF,__debug_loclists", 7),
    ("__DWARF,__debug_ranges", 7),
];

/// A name of up to 16 bytes, padded with zeros.
pub(crate) fn trimmed(name: &[u8; 16]) -> &[u8] {
    &name[..name.iter().position(|&byte| byte == 0).unwrap_or(name.len())]
}

/// Segment and section name, joined as assemblers write them.
pub(crate) fn full_name(section: &Section64<LE>) -> Cow<'static, [u8]> {
    let (segment, name) = (trimmed(&section.segname), trimmed(&section.sectname));
    let is_it = |(known, comma): &&(&str, usize)| {
        let known = known.as_bytes();
        known[..*comma] == *segment && known[comma + 1..] == *name
    };
    match KNOWN.iter().find(is_it) {
        Some((known, _)) => Cow::Borrowed(known.as_bytes()),
        None => Cow::Owned([segment, b",", name].concat()),
    }
}

#[cfg(test)]
mod tests {
    use super::KNOWN;

    #[test]
    fn the_comma_is_where_the_table_says() {
        for (name, comma) in KNOWN {
            assert_eq!(name.find(','), Some(comma), "{name}");
        }
    }
}
