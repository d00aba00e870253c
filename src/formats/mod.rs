//! Object files to link graphs: one builder per format.

pub(crate) mod elf;
pub(crate) mod macho;
mod object;
mod refuse;

pub(crate) use object::{
    BuildOptions, Findings, GlobalKind, GlobalSymbol, Object, Resolution, Scratch, Standing, Wins,
};
