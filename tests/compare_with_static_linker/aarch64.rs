//! AArch64.

use super::{Fixup, Image, Machine, compare, sources, zlib};
use jitlink::base::ExecutorAddr;
use jitlink::link::ResolvedSymbol;
use jitlink_test_support::arch::Arch;
use jitlink_test_support::pretended::pretended_symbol;
use jitlink_test_support::toolchain::Compiler;
use jitlink_test_support::{corpus, full, tests_dir};
use object::ObjectSymbol;
use object::elf::{self, *};
use std::path::PathBuf;

const AARCH64: Machine = Machine { arch: Arch::Aarch64, extent, undefined, is_right };

#[test]
fn c_code() {
    compare(&AARCH64, "a64-zlib", &zlib(), Compiler::Clang, &["-O2"], 400);
}

#[test]
fn c_code_by_gcc_with_a_section_per_function() {
    let flags = ["-O2", "-ffunction-sections", "-fPIC"];
    compare(&AARCH64, "a64-zlib-gcc", &zlib(), Compiler::Gcc, &flags, 400);
}

#[test]
fn c_code_unoptimised() {
    compare(&AARCH64, "a64-zlib-O0", &zlib(), Compiler::Clang, &["-O0", "-fPIC"], 400);
}

#[test]
fn c_code_with_a_small_got() {
    compare(&AARCH64, "a64-zlib-fpic", &zlib(), Compiler::Gcc, &["-O2", "-fpic"], 400);
}

#[test]
fn c_code_of_the_large_model() {
    let flags = ["-O2", "-mcmodel=large", "-fno-pic"];
    compare(&AARCH64, "a64-zlib-large", &zlib(), Compiler::Clang, &flags, 400);
}

#[test]
fn c_code_of_the_tiny_model() {
    let flags = ["-O2", "-mcmodel=tiny", "-fno-pic"];
    compare(&AARCH64, "a64-zlib-tiny", &zlib(), Compiler::Clang, &flags, 400);
    compare(&AARCH64, "a64-zlib-tiny-gcc", &zlib(), Compiler::Gcc, &flags, 400);
    let flags = ["-O2", "-mcmodel=tiny", "-fPIC"];
    compare(&AARCH64, "a64-zlib-tiny-pic", &zlib(), Compiler::Clang, &flags, 400);
}

#[test]
fn cxx_code_with_groups() {
    let source = tests_dir().join("run/std_regex.cpp");
    compare(&AARCH64, "a64-regex", &[source], Compiler::Clang, &["-O0"], 3000);
}

#[test]
fn a_large_c_program() {
    let sqlite = corpus::crate_dir("libsqlite3-sys").expect("the crate can be fetched");
    let sources = [sqlite.join("sqlite3/sqlite3.c")];
    compare(&AARCH64, "a64-sqlite", &sources, Compiler::Clang, &["-O2", "-fPIC"], 15_000);
    compare(&AARCH64, "a64-sqlite-gcc", &sources, Compiler::Gcc, &["-O1", "-fno-pic"], 7000);
}

#[test]
fn an_interpreter() {
    compare(&AARCH64, "a64-lua", &lua(), Compiler::Gcc, &["-O2"], 5000);
}

#[test]
fn a_compressor() {
    let flags = ["-O2", "-ffunction-sections", "-fdata-sections"];
    compare(&AARCH64, "a64-zstd", &zstd(), Compiler::Clang, &flags, 2000);
}

/// All programs, compilers and models; with `JITLINK_FULL`.
#[test]
fn matrix() {
    if !full() {
        return;
    }
    let sqlite = corpus::crate_dir("libsqlite3-sys").expect("the crate can be fetched");
    // SQLite's code alone is larger than what the tiny model reaches.
    let programs = [
        ("zlib", zlib(), true),
        ("lua", lua(), true),
        ("zstd", zstd(), false),
        ("sqlite", vec![sqlite.join("sqlite3/sqlite3.c")], false),
    ];
    let models = [
        &["-O0", "-fPIC"][..],
        &["-O2", "-fPIC"],
        &["-O2", "-fpic"],
        &["-O2", "-fno-pic"],
        &["-O2", "-fno-pic", "-mcmodel=large"],
        &["-O2", "-fno-pic", "-mcmodel=tiny"],
        &["-O2", "-fPIC", "-mcmodel=tiny"],
        &["-Os", "-fPIE", "-mbranch-protection=standard", "-ffunction-sections"],
    ];
    for (name, sources, is_small) in &programs {
        for (compiler, flags) in [Compiler::Clang, Compiler::Gcc].iter().flat_map(|c| models.map(|m| (*c, m)))
        {
            let is_tiny = flags.contains(&"-mcmodel=tiny");
            if is_tiny && !is_small {
                continue;
            }
            let name = format!("a64-{name}-{}{}", compiler.name(), flags.concat());
            compare(&AARCH64, &name, sources, compiler, flags, 100);
        }
    }
}

fn lua() -> Vec<PathBuf> {
    let mut all = sources("lua-src", "lua-5.4.8");
    all.retain(|path| !path.ends_with("luac.c"));
    all
}

fn zstd() -> Vec<PathBuf> {
    let folders = ["common", "compress", "decompress"];
    folders.iter().flat_map(|folder| sources("zstd-sys", &format!("zstd/lib/{folder}"))).collect()
}

/// Out of the reach of calls, and within that of addresses: code that is not position-independent needs no more.
fn undefined(name: &[u8]) -> ResolvedSymbol {
    let symbol = pretended_symbol(name);
    ResolvedSymbol { address: ExecutorAddr(0x7fff_4000_0000 + (symbol.address.0 & 0xf_fff0)), ..symbol }
}

fn extent(kind: elf::RelocationType) -> (usize, usize) {
    match kind {
        R_AARCH64_ABS64 | R_AARCH64_PREL64 => (0, 8),
        R_AARCH64_ABS16 | R_AARCH64_PREL16 => (0, 2),
        _ => (0, 4),
    }
}

fn is_right(fixup: &Fixup<'_, '_>) -> bool {
    let Fixup { image, kind, place, addend, .. } = *fixup;
    if fixup.merged.is_some() {
        return merged_is_right(fixup);
    }
    let wanted = fixup.target.wrapping_add_signed(addend);
    match kind {
        // Directly to what is outside: here that may have moved, and there it is the place itself.
        R_AARCH64_LD_PREL_LO19 | R_AARCH64_ADR_PREL_LO21 if fixup.symbol.is_undefined() => true,
        R_AARCH64_ABS64
        | R_AARCH64_PREL64
        | R_AARCH64_PREL32
        | R_AARCH64_LD_PREL_LO19
        | R_AARCH64_ADR_PREL_LO21
        | R_AARCH64_TSTBR14
        | R_AARCH64_CONDBR19 => direct(image, kind, place) == Some(wanted),
        R_AARCH64_CALL26 | R_AARCH64_JUMP26 => {
            let Some(first) = direct(image, kind, place) else { return false };
            first == wanted || through_stub(image, first) == Some(wanted) || is_skipped(fixup)
        }
        R_AARCH64_ADR_PREL_PG_HI21 => page_is(image, place, |page| page == wanted & !0xfff, wanted),
        R_AARCH64_ADD_ABS_LO12_NC => low_is(image, place, wanted),
        R_AARCH64_LDST8_ABS_LO12_NC
        | R_AARCH64_LDST16_ABS_LO12_NC
        | R_AARCH64_LDST32_ABS_LO12_NC
        | R_AARCH64_LDST64_ABS_LO12_NC
        | R_AARCH64_LDST128_ABS_LO12_NC => {
            let word = image.word(place);
            word.is_some_and(|word| offset12(word, scale(kind)) == wanted & 0xfff)
        }
        R_AARCH64_ADR_GOT_PAGE => {
            let holds =
                |page: u64| (page..page + 0x1000).step_by(8).any(|slot| image.u64(slot) == Some(wanted));
            page_is(image, place, |page| holds(page) || page == wanted & !0xfff, wanted)
        }
        R_AARCH64_LD64_GOT_LO12_NC => {
            let word = image.word(place).unwrap_or(0);
            match word & 0xffc0_0000 {
                0xf940_0000 => image.holds(wanted, offset12(word, 3), 0xfff),
                _ => low_is(image, place, wanted),
            }
        }
        R_AARCH64_LD64_GOTPAGE_LO15 => {
            let Some(table) = image.names.get("_GLOBAL_OFFSET_TABLE_") else { return false };
            let offset = offset12(image.word(place).unwrap_or(0), 3);
            image.u64((table & !0xfff) + offset) == Some(wanted)
        }
        R_AARCH64_GOT_LD_PREL19 => {
            let Some(first) = direct(image, R_AARCH64_LD_PREL_LO19, place) else { return false };
            let is_load = image.word(place).is_some_and(|word| word & 0x3b00_0000 == 0x1800_0000);
            if is_load { image.u64(first) == Some(wanted) } else { adr(image, place) == Some(wanted) }
        }
        R_AARCH64_MOVW_UABS_G0_NC => wide(image, place) == wanted & 0xffff,
        R_AARCH64_MOVW_UABS_G1_NC => wide(image, place) == wanted >> 16 & 0xffff,
        R_AARCH64_MOVW_UABS_G2_NC => wide(image, place) == wanted >> 32 & 0xffff,
        R_AARCH64_MOVW_UABS_G3 => wide(image, place) == wanted >> 48,
        _ => false,
    }
}

/// A call of what nothing defines there does nothing.
fn is_skipped(fixup: &Fixup<'_, '_>) -> bool {
    fixup.target == 0 && direct(fixup.image, fixup.kind, fixup.place) == Some(fixup.place + 4)
}

/// A reference into a merged section leads to bytes equal to those it named in the object. That takes both halves of an
/// address, and is looked at where the first is.
fn merged_is_right(fixup: &Fixup<'_, '_>) -> bool {
    let Fixup { image, kind, place, addend, .. } = *fixup;
    let of_section = fixup.symbol.kind() == object::SymbolKind::Section;
    let back = if of_section { 0 } else { addend };
    let beyond = if of_section { addend } else { 0 };
    let address = match (kind, fixup.partner) {
        (
            R_AARCH64_ABS64
            | R_AARCH64_PREL64
            | R_AARCH64_PREL32
            | R_AARCH64_ADR_PREL_LO21
            | R_AARCH64_LD_PREL_LO19,
            _,
        ) => direct(image, kind, place),
        (R_AARCH64_ADR_PREL_PG_HI21, Some((second, kind))) => both_halves(image, place, second, kind),
        _ => return true,
    };
    address.is_some_and(|address| fixup.leads_to_merged(address.wrapping_add_signed(-back), beyond))
}

/// The address that an `adrp` and the instruction at `second` compute.
fn both_halves(image: &Image, place: u64, second: u64, kind: elf::RelocationType) -> Option<u64> {
    let word = image.word(second)?;
    if word & 0x9f00_0000 == 0x1000_0000 {
        return adr(image, second);
    }
    Some(adrp(image, place)? + offset12(word, scale(kind)))
}

/// What a number at `place`, or a branch, `adr` or load of a literal there, leads to.
fn direct(image: &Image, kind: elf::RelocationType, place: u64) -> Option<u64> {
    let back = |word: u32, low: u32, count: u32| place.wrapping_add_signed(signed(word, low, count) * 4);
    Some(match kind {
        R_AARCH64_ABS64 => image.u64(place)?,
        R_AARCH64_PREL64 => image.u64(place)?.wrapping_add(place),
        R_AARCH64_PREL32 => image.i32(place)?.wrapping_add(place),
        R_AARCH64_CALL26 | R_AARCH64_JUMP26 => match image.word(place)? {
            0xd503_201f => place + 4,
            word => back(word, 0, 26),
        },
        R_AARCH64_CONDBR19 | R_AARCH64_LD_PREL_LO19 => back(image.word(place)?, 5, 19),
        R_AARCH64_TSTBR14 => back(image.word(place)?, 5, 14),
        _ => return adr(image, place),
    })
}

/// Whether the `adrp` at `place` gives a page that is `right`, or has become part of an `adr` of `wanted`.
fn page_is(image: &Image, place: u64, right: impl Fn(u64) -> bool, wanted: u64) -> bool {
    match image.word(place) {
        Some(0xd503_201f) => adr(image, place + 4) == Some(wanted),
        Some(_) => adrp(image, place).is_some_and(right),
        None => false,
    }
}

/// Whether the instruction at `place` adds the low bits of `wanted`, or has become an `adr` of it.
fn low_is(image: &Image, place: u64, wanted: u64) -> bool {
    match image.word(place) {
        Some(word) if word & 0xffc0_0000 == 0x9100_0000 => offset12(word, 0) == wanted & 0xfff,
        Some(_) => adr(image, place) == Some(wanted),
        None => false,
    }
}

/// Where a stub at `address` jumps to, if it is one.
fn through_stub(image: &Image, address: u64) -> Option<u64> {
    let (adrp_at, load) = match image.word(address)? {
        0xd503_245f => (address + 4, image.word(address + 8)?),
        _ => (address, image.word(address + 4)?),
    };
    (load & 0xffc0_03ff == 0xf940_0211).then(|| image.u64(adrp(image, adrp_at)? + offset12(load, 3)))?
}

fn adrp(image: &Image, place: u64) -> Option<u64> {
    let word = image.word(place).filter(|word| word & 0x9f00_0000 == 0x9000_0000)?;
    let pages = signed(word, 5, 19) << 2 | i64::from(word >> 29 & 3);
    Some((place & !0xfff).wrapping_add_signed(pages << 12))
}

fn adr(image: &Image, place: u64) -> Option<u64> {
    let word = image.word(place).filter(|word| word & 0x9f00_0000 == 0x1000_0000)?;
    Some(place.wrapping_add_signed(signed(word, 5, 19) << 2 | i64::from(word >> 29 & 3)))
}

fn wide(image: &Image, place: u64) -> u64 {
    image.word(place).map_or(0, |word| u64::from(word >> 5 & 0xffff))
}

fn offset12(word: u32, scale: u32) -> u64 {
    u64::from(word >> 10 & 0xfff) << scale
}

fn scale(kind: elf::RelocationType) -> u32 {
    match kind {
        R_AARCH64_LDST16_ABS_LO12_NC => 1,
        R_AARCH64_LDST32_ABS_LO12_NC => 2,
        R_AARCH64_LDST64_ABS_LO12_NC => 3,
        R_AARCH64_LDST128_ABS_LO12_NC => 4,
        _ => 0,
    }
}

fn signed(word: u32, low: u32, count: u32) -> i64 {
    i64::from((word << (32 - low - count)).cast_signed() >> (32 - count))
}
