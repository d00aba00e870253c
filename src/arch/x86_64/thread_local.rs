//! Sequences of instructions that access thread-local variables, rewritten for local exec.
//!
//! The psABI ("Thread-Local Storage") gives each model its instructions. Where a variable's offset from the thread pointer
//! is the same in every thread, a linker may replace them, and the rewritten ones take as many bytes:
//!
//! | instructions | become |
//! |---|---|
//! | `data16 lea x@tlsgd(%rip), %rdi; data16 data16 rex64 call __tls_get_addr@PLT` | `mov %fs:0, %rax; lea x@tpoff(%rax), %rax` |
//! | the same with `data16 rex64 call *__tls_get_addr@GOTPCREL(%rip)` | the same |
//! | `lea x@tlsgd(%rip), %rdi; movabs $__tls_get_addr@PLTOFF, %rax; add GOT, %rax; call *%rax` | the same, and `nop` |
//! | `lea x@tlsld(%rip), %rdi; call __tls_get_addr@PLT`, and the other two calls | `mov %fs:0, %rax`, filled up |
//! | `mov x@gottpoff(%rip), %reg` | `mov $x@tpoff, %reg` |
//! | `add x@gottpoff(%rip), %reg` | `add $x@tpoff, %reg` |
//! | `lea x@tlsdesc(%rip), %rax` | `mov $x@tpoff, %rax` |
//! | `call *x@tlscall(%rax)` | `nop` |
//!
//! After a local dynamic sequence `x@dtpoff` means `x@tpoff`, so that all of a batch's are rewritten, or none.

use super::kinds::*;
use crate::arch::put;
use crate::graph::{Edge, EdgeKind, Edges};

/// The edge after that of `lea`: the call of `__tls_get_addr`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Call {
    kind: EdgeKind,
    /// Bytes from the field of `lea` to that of the call.
    distance: u32,
}

impl Call {
    /// The edge after `lea`.
    pub(super) fn of(lea: Edge, mut rest: Edges<'_>) -> Option<Self> {
        let next = rest.next()?;
        Some(Self { kind: next.kind, distance: next.offset.checked_sub(lea.offset)? })
    }

    /// Whether the bytes from the field of `lea` at `position` on end in a call of one of the psABI's three forms: the
    /// direct one, the one through the GOT, and that of the large code model. How long it is, from that field on.
    fn length(self, content: &[u8], position: usize, direct: &[u8], indirect: &[u8]) -> Option<usize> {
        let after = content.get(position.checked_add(4)?..)?;
        let starts = |bytes: &[u8]| after.starts_with(bytes) && self.distance as usize == 4 + bytes.len();
        let length = match self.kind {
            PLT32 | PC32 if starts(direct) => 8 + direct.len(),
            GOTPCREL | GOTPCRELX | REX_GOTPCRELX if starts(indirect) => 8 + indirect.len(),
            PLTOFF64 if starts(&MOVABS_RAX) => {
                let rest = after.get(10..)?;
                let calls = ADD_AND_CALL.iter().any(|bytes| rest.starts_with(bytes));
                calls.then_some(LARGE)?
            }
            _ => return None,
        };
        content.get(position..position.checked_add(length)?).map(|_| length)
    }
}

/// From the field of `lea` to the end of the large model's call.
const LARGE: usize = 19;

/// `lea foo(%rip), %rdi`, up to its field.
const LEA_RDI: [u8; 3] = [0x48, 0x8d, 0x3d];
/// `movabs $number, %rax`, up to its field.
const MOVABS_RAX: [u8; 2] = [0x48, 0xb8];
/// `add %rbx, %rax; call *%rax`, and the same with `%r15`.
const ADD_AND_CALL: [[u8; 5]; 2] = [[0x48, 0x01, 0xd8, 0xff, 0xd0], [0x4c, 0x01, 0xf8, 0xff, 0xd0]];
/// `mov %fs:0, %rax`.
const MOV_THREAD_POINTER: [u8; 9] = [0x64, 0x48, 0x8b, 0x04, 0x25, 0, 0, 0, 0];
/// `lea number(%rax), %rax`, up to its field.
const LEA_RAX: [u8; 3] = [0x48, 0x8d, 0x80];
/// `nopw 0(%rax,%rax)`, of six bytes.
const NOP6: [u8; 6] = [0x66, 0x0f, 0x1f, 0x44, 0x00, 0x00];
/// `nopw %cs:0(%rax,%rax)`, of ten bytes.
const NOP10: [u8; 10] = [0x66, 0x2e, 0x0f, 0x1f, 0x84, 0x00, 0x00, 0x00, 0x00, 0x00];
/// An operand size prefix, which the instruction after it ignores.
const DATA16: u8 = 0x66;

/// Makes the general dynamic sequence whose `lea` has its field at `position` one of local exec.
pub(super) fn load_address(content: &mut [u8], position: usize, call: Call, offset: i32) -> Option<()> {
    let length = call.length(content, position, &[0x66, 0x66, 0x48, 0xe8], &[0x66, 0x48, 0xff, 0x15])?;
    let before = content.get(..position)?;
    let is_large = call.kind == PLTOFF64;
    let start = if is_large { position.checked_sub(3)? } else { position.checked_sub(4)? };
    let lea = before.get(start..)?.strip_prefix(if is_large { &[][..] } else { &[DATA16] })?;
    if lea != LEA_RDI || (length != 12 && !is_large) {
        return None;
    }
    put(content, start, MOV_THREAD_POINTER)?;
    put(content, start.checked_add(9)?, LEA_RAX)?;
    put(content, start.checked_add(12)?, offset.to_le_bytes())?;
    if is_large { put(content, start.checked_add(16)?, NOP6) } else { Some(()) }
}

/// Makes the local dynamic sequence whose `lea` has its field at `position` load the thread pointer.
pub(super) fn load_module(content: &mut [u8], position: usize, call: Call) -> Option<()> {
    let length = call.length(content, position, &[0xe8], &[0xff, 0x15])?;
    let start = position.checked_sub(3)?;
    if content.get(start..position)? != LEA_RDI {
        return None;
    }
    // The rest of the large model's 22 bytes is one instruction of its own.
    let fill = if call.kind == PLTOFF64 { 3 } else { length.checked_sub(6)? };
    content.get_mut(start..start.checked_add(fill)?)?.fill(DATA16);
    let end = start.checked_add(fill)?;
    put(content, end, MOV_THREAD_POINTER)?;
    if call.kind == PLTOFF64 { put(content, end.checked_add(9)?, NOP10) } else { Some(()) }
}

/// Makes the `call *(%rax)` at `position` do nothing.
pub(super) fn drop_descriptor_call(content: &mut [u8], position: usize) -> Option<()> {
    let is_call = content.get(position..)?.starts_with(&[0xff, 0x10]);
    is_call.then(|| put(content, position, [DATA16, 0x90])).flatten()
}
