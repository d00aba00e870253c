//! Compact unwind encodings: 32 bits that say how to leave a function's frame, and the call frame instructions that say
//! the same in DWARF.
//!
//! An encoding describes a function's body, after its prologue and before its epilogue: it is right at every call, which
//! is where exceptions come from, and not at every instruction.
//!
//! Source: the header `mach-o/compact_unwind_encoding.h`, which states the layout of the bits that all architectures
//! share and of each one's own; "DWARF Debugging Information Format", "Call Frame Instructions".

use smallvec::SmallVec;

/// Set where the record is not at the start of its function.
pub const IS_NOT_FUNCTION_START: u32 = 0x8000_0000;
/// Set where the function has an LSDA.
pub const HAS_LSDA: u32 = 0x4000_0000;
/// The personality, as a position in the image's list, from 1 on; zero for none.
pub const PERSONALITY: u32 = 0x3000_0000;
/// The bits that tell how the rest is to be read.
pub const MODE: u32 = 0x0f00_0000;
/// Where the mode leads to `__eh_frame`: the record's offset there.
pub const EH_FRAME_OFFSET: u32 = 0x00ff_ffff;

/// What encodings of an architecture mean.
#[derive(Debug)]
pub struct Facts {
    /// DWARF number of the column that holds the return address.
    pub return_address: u8,
    /// Code alignment factor for CIEs.
    pub code_alignment: u8,
    /// The rules at a function's entry, which CIEs begin with; the data alignment factor is [`DATA_ALIGNMENT`].
    pub at_entry: &'static [u8],
    /// The mode that says "look in `__eh_frame`".
    pub eh_frame_mode: u32,
    pub(super) describe: fn(u32, &[u8]) -> Result<Rules, &'static str>,
}

/// What an encoding says about its function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Description {
    /// The function cannot be unwound.
    Nothing,
    /// A record in `__eh_frame` describes it.
    EhFrame,
    /// These rules hold in its body.
    Rules(Rules),
}

impl Facts {
    /// Whether an encoding says that a record in `__eh_frame` describes its function.
    #[must_use]
    pub const fn is_in_eh_frame(&self, encoding: u32) -> bool {
        encoding & MODE == self.eh_frame_mode
    }

    /// What an encoding says about a function of these bytes.
    ///
    /// # Errors
    /// What is wrong with the encoding, as a clause: an unknown mode, registers that do not exist or lie outside of the
    /// frame, a stack size that is not in the function where the encoding says.
    pub fn describe(&self, encoding: u32, function: &[u8]) -> Result<Description, &'static str> {
        match encoding & MODE {
            0 => Ok(Description::Nothing),
            _ if self.is_in_eh_frame(encoding) => Ok(Description::EhFrame),
            _ => (self.describe)(encoding, function).map(Description::Rules),
        }
    }
}

/// Data alignment factor: registers are saved in words below the canonical frame address.
pub const DATA_ALIGNMENT: i8 = -8;

/// Call frame instructions, to follow those of [`Facts::at_entry`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules(SmallVec<[u8; 32]>);

impl Rules {
    /// The bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// `DW_CFA_def_cfa`: the canonical frame address is that many bytes above what a register holds.
    pub(super) fn frame_above(&mut self, register: u8, bytes: u64) {
        const DEF_CFA: u8 = 0x0c;
        self.0.extend([DEF_CFA, register]);
        self.number(bytes);
    }

    /// `DW_CFA_def_cfa_offset`: as before, with the register that is there.
    pub(super) fn frame_size(&mut self, bytes: u64) {
        const DEF_CFA_OFFSET: u8 = 0x0e;
        self.0.push(DEF_CFA_OFFSET);
        self.number(bytes);
    }

    /// `DW_CFA_offset`: a register is saved that many words below the canonical frame address.
    pub(super) fn saved(&mut self, register: u8, words: u64) {
        const OFFSET: u8 = 0x80;
        const OFFSET_EXTENDED: u8 = 0x05;
        match register {
            0..64 => self.0.push(OFFSET | register),
            _ => self.0.extend([OFFSET_EXTENDED, register]),
        }
        self.number(words);
    }

    /// An unsigned number of variable length (LEB128).
    fn number(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }
}

/// The field of `encoding` under `mask`, which is one run of bits.
pub(super) const fn field(encoding: u32, mask: u32) -> u32 {
    (encoding & mask) >> mask.trailing_zeros()
}
