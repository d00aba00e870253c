//! Names that the linker itself gives a meaning: bounds of sections and arrays, image landmarks.
//!
//! Source: the names that `ld`'s manual documents as provided.

use crate::graph::{Spelling, is_c_identifier};

/// Which end of a section or array a symbol stands for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Bound {
    /// The first byte.
    Start,
    /// The first byte after.
    Stop,
}

/// `__start_NAME` or `__stop_NAME`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct BoundsSymbol<'a> {
    /// Which end.
    pub edge: Bound,
    /// NAME: all sections of this name, over the whole batch, taken together.
    pub section: &'a [u8],
}

/// `section$start$SEGMENT$SECTION`, `segment$end$SEGMENT` and their kin.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct MachBounds<'a> {
    /// Which end.
    pub edge: Bound,
    /// The segment.
    pub segment: &'a [u8],
    /// The section, or all sections of the segment.
    pub section: Option<&'a [u8]>,
}

impl MachBounds<'_> {
    /// Whether the section of this full name (`__DATA,__data`) is among those that are bounded.
    #[must_use]
    pub fn includes(&self, name: &[u8]) -> bool {
        let rest = name.strip_prefix(self.segment).and_then(|rest| rest.strip_prefix(b","));
        rest.is_some_and(|rest| self.section.is_none_or(|section| section == rest))
    }
}

/// A symbol that the linker defines where nothing else does.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum LinkerSymbol<'a> {
    /// `__start_NAME`, `__stop_NAME`.
    Section(BoundsSymbol<'a>),
    /// `section$start$SEGMENT$SECTION`, `segment$end$SEGMENT`.
    MachBounds(MachBounds<'a>),
    /// `__preinit_array_start`, `__preinit_array_end`.
    PreinitArray(Bound),
    /// `__init_array_start`, `__init_array_end`.
    InitArray(Bound),
    /// `__fini_array_start`, `__fini_array_end`.
    FiniArray(Bound),
    /// `__ehdr_start`: the image's ELF header.
    HeaderStart,
    /// `__executable_start`: the image's lowest address.
    ImageStart,
    /// `_etext`, `etext`: the end of code.
    TextEnd,
    /// `_edata`, `edata`: the end of initialised data.
    DataEnd,
    /// `__bss_start`: the start of zero-filled data.
    BssStart,
    /// `_end`, `end`: the end of all data.
    End,
    /// `_GLOBAL_OFFSET_TABLE_`.
    GlobalOffsetTable,
    /// `__dso_handle`: an address that tells this image from others.
    DsoHandle,
    /// `_DYNAMIC`: there is no dynamic section, so a weak reference is null.
    Dynamic,
    /// `_TLS_MODULE_BASE_`: where the image's thread-local variables start.
    ThreadLocalBase,
    /// `__GNU_EH_FRAME_HDR`: there is no search table, so a weak reference is null.
    EhFrameHeader,
}

/// What section's bound `name` asks for.
#[must_use]
pub fn parse_bounds_symbol(name: &[u8]) -> Option<BoundsSymbol<'_>> {
    let rest = name.strip_prefix(b"__st")?;
    let (edge, section) = match (rest.strip_prefix(b"art_"), rest.strip_prefix(b"op_")) {
        (Some(section), _) => (Bound::Start, section),
        (_, Some(section)) => (Bound::Stop, section),
        _ => return None,
    };
    is_c_identifier(section).then_some(BoundsSymbol { edge, section })
}

/// What the linker defines `name` as, where it is undefined.
#[inline]
#[must_use]
pub fn parse_linker_symbol(spelling: Spelling, name: &[u8]) -> Option<LinkerSymbol<'_>> {
    match spelling {
        Spelling::Plain => parse_plain(name),
        Spelling::Underscored => parse_mach(name),
    }
}

/// As Apple's linker knows them.
fn parse_mach(name: &[u8]) -> Option<LinkerSymbol<'_>> {
    Some(match name {
        b"___dso_handle" => LinkerSymbol::DsoHandle,
        b"__mh_execute_header" | b"__mh_dylib_header" | b"__mh_bundle_header" => LinkerSymbol::HeaderStart,
        _ => LinkerSymbol::MachBounds(parse_mach_bounds(name)?),
    })
}

fn parse_mach_bounds(name: &[u8]) -> Option<MachBounds<'_>> {
    let rest = name.strip_prefix(b"se")?;
    let (is_section, rest) = match (rest.strip_prefix(b"ction$"), rest.strip_prefix(b"gment$")) {
        (Some(rest), _) => (true, rest),
        (_, Some(rest)) => (false, rest),
        _ => return None,
    };
    let (edge, rest) = match (rest.strip_prefix(b"start$"), rest.strip_prefix(b"end$")) {
        (Some(rest), _) => (Bound::Start, rest),
        (_, Some(rest)) => (Bound::Stop, rest),
        _ => return None,
    };
    if !is_section {
        return Some(MachBounds { edge, segment: rest, section: None });
    }
    let dollar = rest.iter().position(|&byte| byte == b'$')?;
    Some(MachBounds { edge, segment: &rest[..dollar], section: Some(&rest[dollar + 1..]) })
}

fn parse_plain(name: &[u8]) -> Option<LinkerSymbol<'_>> {
    match name {
        // C++ names are most of all names.
        [b'_', b'Z', ..] => None,
        [b'_', ..] => parse_underscored(name),
        b"end" => Some(LinkerSymbol::End),
        b"edata" => Some(LinkerSymbol::DataEnd),
        b"etext" => Some(LinkerSymbol::TextEnd),
        _ => None,
    }
}

fn parse_underscored(name: &[u8]) -> Option<LinkerSymbol<'_>> {
    Some(match name {
        b"_end" => LinkerSymbol::End,
        b"_edata" => LinkerSymbol::DataEnd,
        b"_etext" => LinkerSymbol::TextEnd,
        b"__bss_start" => LinkerSymbol::BssStart,
        b"__ehdr_start" => LinkerSymbol::HeaderStart,
        b"__executable_start" => LinkerSymbol::ImageStart,
        b"__dso_handle" => LinkerSymbol::DsoHandle,
        b"_DYNAMIC" => LinkerSymbol::Dynamic,
        b"_TLS_MODULE_BASE_" => LinkerSymbol::ThreadLocalBase,
        b"_GLOBAL_OFFSET_TABLE_" => LinkerSymbol::GlobalOffsetTable,
        b"__GNU_EH_FRAME_HDR" => LinkerSymbol::EhFrameHeader,
        b"__preinit_array_start" => LinkerSymbol::PreinitArray(Bound::Start),
        b"__preinit_array_end" => LinkerSymbol::PreinitArray(Bound::Stop),
        b"__init_array_start" => LinkerSymbol::InitArray(Bound::Start),
        b"__init_array_end" => LinkerSymbol::InitArray(Bound::Stop),
        b"__fini_array_start" => LinkerSymbol::FiniArray(Bound::Start),
        b"__fini_array_end" => LinkerSymbol::FiniArray(Bound::Stop),
        _ => LinkerSymbol::Section(parse_bounds_symbol(name)?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_of_sections_named_like_c_identifiers() {
        let bounds = |name: &'static str| parse_bounds_symbol(name.as_bytes());
        assert_eq!(bounds("__start_set"), Some(BoundsSymbol { edge: Bound::Start, section: b"set" }));
        assert_eq!(bounds("__stop__x1"), Some(BoundsSymbol { edge: Bound::Stop, section: b"_x1" }));
        for name in
            ["__start_", "__stop_", "__start_1x", "__start_.text", "_start", "__starting", "__stop", ""]
        {
            assert_eq!(bounds(name), None, "{name}");
        }
    }

    #[test]
    fn bounds_of_mach_o_sections_and_segments() {
        let parse = |name: &'static str| parse_linker_symbol(Spelling::Underscored, name.as_bytes());
        let bounds = |name| match parse(name) {
            Some(LinkerSymbol::MachBounds(bounds)) => bounds,
            other => panic!("{name}: {other:?}"),
        };
        let section = bounds("section$end$__DATA$__my$set");
        assert_eq!((section.edge, section.section), (Bound::Stop, Some(&b"__my$set"[..])));
        assert!(section.includes(b"__DATA,__my$set") && !section.includes(b"__DATA,__my"));
        assert!(!section.includes(b"__DATAX,__my$set"));
        let segment = bounds("segment$start$__DATA");
        assert_eq!(segment.edge, Bound::Start);
        assert!(segment.includes(b"__DATA,__data") && !segment.includes(b"__DATA_CONST,__const"));
        for name in
            ["section$start$__DATA", "section$begin$__DATA$__x", "segment$", "_main", "_end", "__dso_handle"]
        {
            assert_eq!(parse(name), None, "{name}");
        }
        assert_eq!(parse("___dso_handle"), Some(LinkerSymbol::DsoHandle));
        assert_eq!(parse("__mh_execute_header"), Some(LinkerSymbol::HeaderStart));
    }

    #[test]
    fn linker_symbols_and_ordinary_names() {
        let parse = |name: &'static str| parse_linker_symbol(Spelling::Plain, name.as_bytes());
        assert_eq!(parse("_end"), Some(LinkerSymbol::End));
        assert_eq!(parse("end"), parse("_end"));
        assert_eq!(parse("edata"), parse("_edata"));
        assert_eq!(parse("etext"), parse("_etext"));
        assert_eq!(parse("__init_array_end"), Some(LinkerSymbol::InitArray(Bound::Stop)));
        assert_eq!(parse("__preinit_array_start"), Some(LinkerSymbol::PreinitArray(Bound::Start)));
        assert_eq!(parse("_GLOBAL_OFFSET_TABLE_"), Some(LinkerSymbol::GlobalOffsetTable));
        let set = BoundsSymbol { edge: Bound::Start, section: b"set" };
        assert_eq!(parse("__start_set"), Some(LinkerSymbol::Section(set)));
        for name in
            ["", "_", "main", "e", "en", "ender", "_ZTV1A", "__cxa_throw", "__init_array_begin", "_start"]
        {
            assert_eq!(parse(name), None, "{name}");
        }
    }
}
