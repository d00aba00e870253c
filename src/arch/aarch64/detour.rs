//! Veneers and hops: where branches go whose target is out of their reach.
//!
//! The ABI document ("Call and Jump relocations") lets a linker send `b` and `bl`, and nothing else, to a veneer, which may
//! change IP0 and IP1 (`x16`, `x17`). Conditional branches reach less; what they can be sent to is a hop, a `b` of its own.

use super::insn::{NOP, Register, page, with_value};
use super::kinds::Form;
use super::plt::jump_through;
use crate::arch::{Destination, Detour, DetourFacts};

pub(super) static FACTS: DetourFacts =
    DetourFacts { reach: 1 << 27, veneer_size: 12, hop_size: 4, alignment: 4, write };

const B: u32 = 0x1400_0000;
const B_REACH: std::ops::Range<i64> = -1 << 27..1 << 27;
const ADRP_REACH: std::ops::Range<i64> = -1 << 32..1 << 32;

fn write(detour: Detour, bytes: &mut [u8], address: u64, destination: Destination) -> Option<()> {
    match (detour, destination) {
        (Detour::Veneer, Destination::Slot(slot)) => store(bytes, jump_through(address, slot)?),
        (Detour::Veneer, Destination::Place(place)) => {
            let words = hop(address, place).map(|hop| [hop, NOP, NOP]);
            store(bytes, words.or_else(|| jump(address, place))?)
        }
        (Detour::Hop, Destination::Place(place)) => store(bytes, [hop(address, place)?]),
        (Detour::Hop, Destination::Slot(_)) => None,
    }
}

/// `b place`.
fn hop(address: u64, place: u64) -> Option<u32> {
    let distance = place.wrapping_sub(address).cast_signed();
    (B_REACH.contains(&distance) && distance & 3 == 0).then(|| with_value(Form::Branch26, B, distance))
}

/// `adrp x16, place; add x16, x16, :lo12:place; br x16`.
fn jump(address: u64, place: u64) -> Option<[u32; 3]> {
    let (distance, ip0) = (page(place).wrapping_sub(page(address)).cast_signed(), Register::IP0);
    ADRP_REACH.contains(&distance).then(|| [ip0.adrp(distance), ip0.add(place), ip0.branch()])
}

fn store<const N: usize>(bytes: &mut [u8], words: [u32; N]) -> Option<()> {
    let (bytes, rest) = bytes.as_chunks_mut::<4>();
    if bytes.len() != N || !rest.is_empty() {
        return None;
    }
    for (bytes, word) in bytes.iter_mut().zip(words) {
        *bytes = word.to_le_bytes();
    }
    Some(())
}
