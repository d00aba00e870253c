//! Note sections: read, never loaded.

use super::object::ElfObject;
use crate::base::{Located, Warning};
use object::LittleEndian as LE;
use object::elf::{self, SectionHeader64};
use object::read::elf::SectionHeader as _;

/// Whether a note says that the object's code has landing pads for indirect branches.
pub(crate) fn has_landing_pads(object: &ElfObject<'_>, header: &SectionHeader64<LE>, name: &[u8]) -> bool {
    let Some((property, bit)) = object.machine.landing_pads.filter(|_| name == b".note.gnu.property") else {
        return false;
    };
    let Ok(Some(mut notes)) = header.notes(LE, object.data) else { return false };
    while let Ok(Some(note)) = notes.next() {
        let Some(mut properties) = note.gnu_properties(LE) else { continue };
        while let Ok(Some(entry)) = properties.next() {
            if entry.pr_type().0 == property && entry.data_u32(LE).is_ok_and(|bits| bits & bit != 0) {
                return true;
            }
        }
    }
    false
}

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
