//! From places in an input to places in its group.

/// A piece of an input: where it starts there, and where it starts in the group.
#[derive(Clone, Copy, Debug)]
pub(super) struct Piece {
    pub(super) input: u32,
    pub(super) output: u32,
}

/// Where the bytes of one input went.
#[derive(Clone, Debug)]
pub struct PieceMap {
    /// The group, as an index in [`Merged::groups`](super::Merged::groups).
    pub group: u32,
    pub(super) size: u32,
    /// Bytes of every piece, where all are of one size; otherwise zero.
    pub(super) unit: u32,
    pub(super) pieces: Vec<Piece>,
}

impl PieceMap {
    /// The offset in the group of an offset in the input. Inside a piece the distance from its start stays. The
    /// input's end maps to the end of its last piece; beyond that there is nothing.
    #[inline]
    #[must_use]
    pub fn map(&self, offset: u64) -> Option<u64> {
        let offset = u32::try_from(offset).ok().filter(|offset| *offset <= self.size)?;
        let Some(last) = self.pieces.len().checked_sub(1) else { return Some(0) };
        let index = match offset.checked_div(self.unit) {
            Some(index) => (index as usize).min(last),
            None => self.pieces.partition_point(|piece| piece.input <= offset) - 1,
        };
        let piece = self.pieces[index];
        Some(u64::from(piece.output) + u64::from(offset - piece.input))
    }
}
