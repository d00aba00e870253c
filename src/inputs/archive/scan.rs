//! What an object defines, for archives that come without a symbol table.

use object::elf;
use object::endian::LittleEndian as LE;
use object::macho;
use object::read::elf::{FileHeader as _, Sym as _};
use object::read::macho::{MachHeader as _, Nlist as _};

use crate::base::{Error, Place, Result};
use crate::inputs::{InputKind, classify};

/// Calls `each` with every name that a reference from another object can be bound to by the object in `bytes`:
/// its global, weak, unique and common definitions, as they would stand in an archive's symbol table. What is no
/// object defines nothing.
///
/// # Errors
/// The symbol table is malformed; `place` is where the object is.
pub fn defined_symbols<'data>(
    place: &Place,
    bytes: &'data [u8],
    each: impl FnMut(&'data [u8]),
) -> Result<()> {
    let scanned = match classify(bytes) {
        InputKind::Elf64Relocatable { .. } => scan_elf(bytes, each),
        InputKind::MachObject { .. } => scan_macho(bytes, each),
        _ => Ok(()),
    };
    scanned.map_err(|error| Error::malformed(place.clone(), super::lower(error)))
}

fn scan_elf<'data>(bytes: &'data [u8], mut each: impl FnMut(&'data [u8])) -> object::read::Result<()> {
    let header = elf::FileHeader64::<LE>::parse(bytes)?;
    let symbols = header.sections(LE, bytes)?.symbols(LE, bytes, elf::SHT_SYMTAB)?;
    for symbol in symbols.iter() {
        if symbol.st_bind() != elf::STB_LOCAL && !symbol.is_undefined(LE) {
            each(symbol.name(LE, symbols.strings())?);
        }
    }
    Ok(())
}

fn scan_macho<'data>(bytes: &'data [u8], mut each: impl FnMut(&'data [u8])) -> object::read::Result<()> {
    let header = macho::MachHeader64::<LE>::parse(bytes, 0)?;
    let mut commands = header.load_commands(LE, bytes, 0)?;
    while let Some(command) = commands.next()? {
        let Some(table) = command.symtab()? else { continue };
        let symbols = table.symbols::<macho::MachHeader64<LE>, _>(LE, bytes)?;
        for symbol in symbols.iter() {
            let common = symbol.is_undefined() && symbol.n_value(LE) != 0;
            let external = symbol.n_type().0 & macho::N_EXT.0 != 0;
            if external && !symbol.is_stab() && (common || !symbol.is_undefined()) {
                each(symbol.name(LE, symbols.strings())?);
            }
        }
    }
    Ok(())
}
