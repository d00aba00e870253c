//! Finds functions in `__unwind_info`, as an unwinder does. After the header `mach-o/compact_unwind_encoding.h`.

/// The table of an image, which may be followed by more of the image.
#[derive(Clone, Copy, Debug)]
pub struct UnwindInfo<'a> {
    /// Its bytes.
    pub bytes: &'a [u8],
    /// Its distance from the image's base.
    pub place: u32,
}

/// What the table says of the function at an address; all places are distances from the image's base.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// Where the entry's function starts.
    pub function: u32,
    /// The encoding, with all bits.
    pub encoding: u32,
    /// Where the pointer to the personality function is.
    pub personality: Option<u32>,
    /// Where the LSDA is.
    pub lsda: Option<u32>,
}

impl UnwindInfo<'_> {
    fn word(&self, offset: u32) -> u32 {
        let bytes = self.bytes.get(offset as usize..).and_then(|rest| rest.first_chunk());
        u32::from_le_bytes(*bytes.expect("inside of the table"))
    }

    fn half(&self, offset: u32) -> u32 {
        self.word(offset & !3) >> (8 * (offset & 3)) & 0xffff
    }

    /// The entry for an address; none past the last function.
    ///
    /// # Panics
    /// The table is not one, or leads out of itself.
    #[must_use]
    pub fn find(&self, address: u32) -> Option<Found> {
        assert_eq!(self.word(0), 1, "version");
        let (index, count) = (self.word(20), self.word(24));
        let entry = |position: u32| index + 12 * position;
        if address >= self.word(entry(count - 1)) {
            return None;
        }
        let position = (0..count - 1).rev().find(|position| self.word(entry(*position)) <= address)?;
        let (first, page) = (self.word(entry(position)), self.word(entry(position) + 4));
        let (function, encoding) = match self.word(page) {
            2 => self.in_regular(page, address),
            3 => self.in_compressed(page, first, address),
            other => panic!("page of kind {other}"),
        };
        let lsda = (encoding & 0x4000_0000 != 0).then(|| {
            let (from, to) = (self.word(entry(position) + 8), self.word(entry(position + 1) + 8));
            let mut list = (from..to).step_by(8).filter(|entry| self.word(*entry) == function);
            self.word(list.next().expect("an LSDA") + 4)
        });
        let personality = match encoding >> 28 & 3 {
            0 => None,
            number => {
                assert!(number <= self.word(16), "personality {number}");
                Some(self.word(self.word(12) + 4 * (number - 1)))
            }
        };
        Some(Found { function, encoding, personality, lsda })
    }

    fn in_regular(&self, page: u32, address: u32) -> (u32, u32) {
        let (entries, count) = (page + self.half(page + 4), self.half(page + 6));
        let mut rows = (0..count).map(|row| (self.word(entries + 8 * row), self.word(entries + 8 * row + 4)));
        rows.rfind(|row| row.0 <= address).expect("the page's first function is not past the address")
    }

    fn in_compressed(&self, page: u32, first: u32, address: u32) -> (u32, u32) {
        let (entries, count) = (page + self.half(page + 4), self.half(page + 6));
        let (own, own_count) = (page + self.half(page + 8), self.half(page + 10));
        let (shared, shared_count) = (self.word(4), self.word(8));
        let mut rows = (0..count).map(|row| {
            let entry = self.word(entries + 4 * row);
            let position = entry >> 24;
            let encoding = match position.checked_sub(shared_count) {
                None => self.word(shared + 4 * position),
                Some(position) => {
                    assert!(position < own_count, "encoding {position} of {own_count}");
                    self.word(own + 4 * position)
                }
            };
            (first + (entry & 0xff_ffff), encoding)
        });
        rows.rfind(|row| row.0 <= address).expect("the page's first function is not past the address")
    }
}
