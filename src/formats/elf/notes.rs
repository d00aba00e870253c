//! Note sections: read, never loaded.

use super::object::ElfObject;
use crate::base::{Located, Warning};
use object::LittleEndian as LE;
use object::elf::{self, SectionHeader64};

/// Warns of what a note asks for and cannot have.
pub(crate) fn read_note(
    object: &ElfObject<'_>,
    header: &SectionHeader64<LE>,
    name: &[u8],
    warnings: &mut Vec<Warning>,
) {
    let wants_executable_stack = header.sh_flags.get(LE).0 & elf::SHF_EXECINSTR.0 != 0;
    if name == b".note.GNU-stack" && wants_executable_stack {
        warnings.push(Warning(Located {
            place: object.file().in_section(".note.GNU-stack"),
            what: "an executable stack is asked for and not given".into(),
            help: Some(
                "code that runs on the stack will fault; for assembly that needs none, \
                 add `.section .note.GNU-stack,\"\",@progbits`"
                    .into(),
            ),
        }));
    }
}
