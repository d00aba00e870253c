//! The interface of a dynamic library: the external definitions of its symbol table.

use super::LibraryInterface;
use crate::base::{Error, Result};
use crate::graph::Architecture;
use crate::inputs::InputFile;
use crate::inputs::magic::{InputKind, architecture_of_cpu, classify, foreign_cpu};
use goblin::mach::MachO;
use goblin::mach::load_command::CommandVariant;
use goblin::mach::symbols::{N_EXT, N_STAB, N_TYPE, N_UNDF, Nlist};

/// Reads the interface of the library in `bytes`, which are those of `file` or a slice of it.
pub(super) fn parse<'data>(
    file: &'data InputFile,
    bytes: &'data [u8],
    architecture: Architecture,
) -> Result<LibraryInterface<'data>> {
    match classify(bytes) {
        InputKind::MachDylib { cpu } if architecture_of_cpu(cpu) == Some(architecture) => {}
        InputKind::MachDylib { cpu } => return Err(foreign_cpu(file.place(), cpu, architecture)),
        kind => return Err(kind.refuse(file.place())),
    }
    let malformed = |error: goblin::error::Error| Error::malformed(file.place(), error.to_string());
    let library = MachO::parse(bytes, 0).map_err(malformed)?;
    let mut interface = LibraryInterface {
        install_name: library.name.unwrap_or_default().to_owned(),
        reexported_libraries: reexports(&library).map(ToOwned::to_owned).collect(),
        ..LibraryInterface::default()
    };
    for symbol in library.symbols() {
        let (name, symbol) = symbol.map_err(malformed)?;
        if is_export(&symbol) {
            interface.add(name.as_bytes());
        }
    }
    Ok(interface)
}

/// Libraries that are passed on, by the load commands that say so. `libs` has them in the order of the commands, after
/// the library itself.
fn reexports<'library>(library: &'library MachO<'_>) -> impl Iterator<Item = &'library str> {
    let loads = library.load_commands.iter().filter_map(|command| match command.command {
        CommandVariant::ReexportDylib(_) => Some(true),
        CommandVariant::LoadDylib(_)
        | CommandVariant::LoadWeakDylib(_)
        | CommandVariant::LoadUpwardDylib(_)
        | CommandVariant::LazyLoadDylib(_) => Some(false),
        _ => None,
    });
    let named = library.libs.iter().skip(1).zip(loads);
    named.filter_map(|(name, reexported)| reexported.then_some(*name))
}

fn is_export(symbol: &Nlist) -> bool {
    symbol.n_type & N_STAB == 0 && symbol.n_type & N_EXT != 0 && symbol.n_type & N_TYPE != N_UNDF
}
