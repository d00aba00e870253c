//! ELF relocatable objects (`ET_REL`, 64-bit, little-endian) to link graphs.
//!
//! Sources: the generic ABI (object files, COMDAT groups, `SHT_SYMTAB_SHNDX`), the CREL proposal to it, and the
//! psABI of each architecture for relocation numbers.

pub(crate) mod aarch64;
mod build;
#[cfg(test)]
mod comparison;
pub(crate) mod ehdr;
mod globals;
pub(crate) mod machine;
mod notes;
mod object;
mod priority;
mod relocations;
mod sections;
pub(crate) mod x86_64;

pub(crate) use build::build;
pub(crate) use globals::{
    flags_of, for_each_discarded_section, for_each_global, group_signature, has_initializers,
};
pub(crate) use object::ElfObject;
