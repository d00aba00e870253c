//! Mach-O relocatable objects (`MH_OBJECT`, 64-bit, x86-64 and arm64) to link graphs.
//!
//! Sources: Apple's "OS X ABI Mach-O File Format Reference" and the comments of the public headers `mach-o/loader.h`,
//! `nlist.h`, `reloc.h`, `x86_64/reloc.h` and `arm64/reloc.h`.

pub(crate) mod aarch64;
mod build;
mod difference;
mod faults;
mod frames;
mod globals;
pub(crate) mod header;
pub(crate) mod machine;
mod names;
mod object;
mod relocations;
mod sections;
mod subsections;
#[cfg(test)]
mod tests;
pub(crate) mod x86_64;

pub(crate) use build::build;
pub(crate) use globals::{flags_of, for_each_alias, for_each_global, has_initializers};
pub(crate) use object::MachObject;
pub(crate) use subsections::Subsections;

/// The first bytes of a 64-bit little-endian Mach-O file (`MH_MAGIC_64`).
pub(crate) const MAGIC: [u8; 4] = 0xfeed_facf_u32.to_le_bytes();
