//! The table of an image's functions that unwinders search: `__unwind_info`.
//!
//! Its layout, after the header `mach-o/compact_unwind_encoding.h`: a header; encodings that all pages share; offsets of
//! pointers to personality functions; an index with the first function of each page, where the page is, and where its
//! functions' LSDAs begin in the list that follows; and the pages. A regular page gives each function its encoding in
//! full, a compressed page a position among the shared ones and the page's own.
//!
//! All offsets of functions and data are 32 bits from the image's base. An entry holds up to the next one's function.

use crate::arch::compact_unwind::{EH_FRAME_OFFSET, Facts, HAS_LSDA, PERSONALITY};
use std::collections::HashMap;

/// A function as the table describes it; all places are distances from the image's base.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// Where it starts.
    pub function: u32,
    /// Bytes of code.
    pub length: u32,
    /// How to leave its frame.
    pub encoding: u32,
    /// The address of its personality function.
    pub personality: Option<u64>,
    /// Its LSDA.
    pub lsda: Option<u32>,
    /// Offset in the image's `__eh_frame` of the FDE that describes it, for encodings that say so.
    pub fde: u32,
}

/// The table, followed by pointers to the personality functions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UnwindInfo {
    /// All bytes.
    pub bytes: Vec<u8>,
    /// How many of them are the table.
    pub table_size: usize,
}

/// Larger gaps between functions are marked as code that cannot be unwound; smaller ones are padding.
const PADDING: u32 = 16;

const HEADER: usize = 28;
const INDEX_ENTRY: usize = 12;
const LSDA_ENTRY: usize = 8;
const POINTER: usize = 8;
const PAGE: usize = 4096;
const MAX_PERSONALITIES: usize = 3;
const MAX_SHARED: usize = 127;
/// A compressed entry has 8 bits for the position of an encoding, and 24 for the distance from the page's first function.
const MAX_ENCODINGS: usize = 256;
const MAX_DISTANCE: u32 = 1 << 24;

const REGULAR: u32 = 2;
const REGULAR_HEADER: usize = 8;
const REGULAR_ENTRIES: usize = (PAGE - REGULAR_HEADER) / 8;
const COMPRESSED: u32 = 3;
const COMPRESSED_HEADER: usize = 12;

impl UnwindInfo {
    /// How many bytes [`build`] needs at most for this many entries, of which so many have an LSDA.
    #[must_use]
    pub const fn size_bound(entries: usize, lsdas: usize) -> usize {
        // Each entry may be followed by a gap, and there is one more for the end.
        let entries = 2 * entries + 1;
        let pages = entries / REGULAR_ENTRIES + 2;
        let front = HEADER + 4 * (MAX_SHARED + MAX_PERSONALITIES) + INDEX_ENTRY * (pages + 1);
        front
            + LSDA_ENTRY * lsdas
            + COMPRESSED_HEADER * pages
            + 8 * entries
            + (MAX_PERSONALITIES + 1) * POINTER
    }
}

/// Builds the table of the functions `entries`, in any order, to be placed at a distance of `place`, a multiple of 8,
/// from the image's base.
///
/// # Errors
/// More than three personality functions, or offsets that do not fit: what is wrong, as a clause.
pub fn build(facts: &Facts, mut entries: Vec<Entry>, place: u32) -> Result<UnwindInfo, &'static str> {
    entries.sort_unstable();
    let personalities = personalities(&entries)?;
    let end = entries.iter().map(|entry| entry.function.saturating_add(entry.length)).max().unwrap_or(0);
    let lsdas: Vec<_> = entries.iter().filter_map(|entry| Some((entry.function, entry.lsda?))).collect();
    let rows = rows(facts, &entries, &personalities);
    let shared = shared(facts, &rows);
    let pages = pages(&rows, &shared);
    let mut writer = Writer { bytes: Vec::new() };
    let front = Front { shared: &shared, personalities: personalities.len(), pages: &pages, lsdas: &lsdas };
    writer.front(&front, place, end)?;
    pages.iter().for_each(|page| writer.page(page, &shared));
    let table_size = writer.bytes.len();
    writer.bytes.resize(table_size.next_multiple_of(POINTER), 0);
    for personality in &personalities {
        writer.bytes.extend(personality.to_le_bytes());
    }
    Ok(UnwindInfo { bytes: writer.bytes, table_size })
}

fn personalities(entries: &[Entry]) -> Result<Vec<u64>, &'static str> {
    let mut found: Vec<u64> = Vec::new();
    for personality in entries.iter().filter_map(|entry| entry.personality) {
        if !found.contains(&personality) {
            if found.len() == MAX_PERSONALITIES {
                return Err("compact unwind information has room for three personality functions only");
            }
            found.push(personality);
        }
    }
    Ok(found)
}

/// A function and its complete encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Row {
    function: u32,
    encoding: u32,
}

/// One row where something changes: functions alike that follow each other share one, gaps have one of their own.
fn rows(facts: &Facts, entries: &[Entry], personalities: &[u64]) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::with_capacity(entries.len() + 1);
    let mut add = |function, encoding| match rows.last_mut() {
        // An LSDA belongs to one function.
        Some(last) if last.encoding == encoding && encoding & HAS_LSDA == 0 => {}
        Some(last) if last.function == function => last.encoding = encoding,
        _ => rows.push(Row { function, encoding }),
    };
    let mut end = None;
    for entry in entries {
        if let Some(end) = end
            && entry.function > end
            && entry.function - end >= PADDING
        {
            add(end, 0);
        }
        add(entry.function, complete(facts, entry, personalities));
        end = Some(entry.function.saturating_add(entry.length));
    }
    rows
}

fn complete(facts: &Facts, entry: &Entry, personalities: &[u64]) -> u32 {
    let mut encoding = entry.encoding;
    if facts.is_in_eh_frame(encoding) {
        encoding = encoding & !EH_FRAME_OFFSET | entry.fde & EH_FRAME_OFFSET;
    }
    if entry.lsda.is_some() {
        encoding |= HAS_LSDA;
    }
    let position = entry.personality.and_then(|one| personalities.iter().position(|other| *other == one));
    encoding | position.map_or(0, |position| (position as u32 + 1) << PERSONALITY.trailing_zeros())
}

/// The encodings that are used more than once, most used first; not those that lead to an FDE, each to its own.
fn shared(facts: &Facts, rows: &[Row]) -> Vec<u32> {
    let mut uses: HashMap<u32, u32> = HashMap::new();
    for row in rows.iter().filter(|row| !facts.is_in_eh_frame(row.encoding)) {
        *uses.entry(row.encoding).or_default() += 1;
    }
    let mut list: Vec<_> = uses.into_iter().filter(|(_, count)| *count > 1).collect();
    list.sort_unstable_by_key(|(encoding, count)| (std::cmp::Reverse(*count), *encoding));
    list.truncate(MAX_SHARED);
    list.into_iter().map(|(encoding, _)| encoding).collect()
}

/// A second-level page: compressed if it has a list of encodings.
#[derive(Clone, Debug)]
struct Page<'a> {
    rows: &'a [Row],
    own_encodings: Option<Vec<u32>>,
}

impl Page<'_> {
    fn size(&self) -> usize {
        match &self.own_encodings {
            None => REGULAR_HEADER + 8 * self.rows.len(),
            Some(own) => COMPRESSED_HEADER + 4 * (self.rows.len() + own.len()),
        }
    }
}

fn pages<'a>(mut rows: &'a [Row], shared: &[u32]) -> Vec<Page<'a>> {
    let mut pages = Vec::new();
    while !rows.is_empty() {
        let (count, own) = compress(rows, shared);
        let regular = rows.len().min(REGULAR_ENTRIES);
        let page = if count >= regular {
            Page { rows: &rows[..count], own_encodings: Some(own) }
        } else {
            Page { rows: &rows[..regular], own_encodings: None }
        };
        rows = &rows[page.rows.len()..];
        pages.push(page);
    }
    pages
}

/// How many rows a compressed page takes, and the encodings that it has of its own then.
fn compress(rows: &[Row], shared: &[u32]) -> (usize, Vec<u32>) {
    let first = rows.first().map_or(0, |row| row.function);
    let mut own: Vec<u32> = Vec::new();
    for (count, row) in rows.iter().enumerate() {
        let known = shared.contains(&row.encoding) || own.contains(&row.encoding);
        let encodings = own.len() + usize::from(!known);
        let fits = COMPRESSED_HEADER + 4 * (count + 1 + encodings) <= PAGE
            && shared.len() + encodings <= MAX_ENCODINGS
            && row.function - first < MAX_DISTANCE;
        if !fits {
            return (count, own);
        }
        if !known {
            own.push(row.encoding);
        }
    }
    (rows.len(), own)
}

/// What stands before the pages.
struct Front<'a> {
    shared: &'a [u32],
    personalities: usize,
    pages: &'a [Page<'a>],
    lsdas: &'a [(u32, u32)],
}

impl Front<'_> {
    fn personality_list(&self) -> usize {
        HEADER + 4 * self.shared.len()
    }

    fn index(&self) -> usize {
        self.personality_list() + 4 * self.personalities
    }

    fn lsda_list(&self) -> usize {
        self.index() + INDEX_ENTRY * (self.pages.len() + 1)
    }

    fn first_page(&self) -> usize {
        self.lsda_list() + LSDA_ENTRY * self.lsdas.len()
    }

    fn pointers(&self) -> usize {
        let pages: usize = self.pages.iter().map(Page::size).sum();
        (self.first_page() + pages).next_multiple_of(POINTER)
    }
}

struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    fn word(&mut self, word: u32) {
        self.bytes.extend(word.to_le_bytes());
    }

    fn halves(&mut self, low: usize, high: usize) {
        self.word(low as u32 | (high as u32) << 16);
    }

    fn front(&mut self, front: &Front<'_>, place: u32, end: u32) -> Result<(), &'static str> {
        const VERSION: u32 = 1;
        let pointers = u32::try_from(front.pointers() + POINTER * MAX_PERSONALITIES);
        if pointers.ok().and_then(|size| size.checked_add(place)).is_none() {
            return Err("compact unwind information lies more than 4 GiB from the image's base");
        }
        self.word(VERSION);
        self.word(HEADER as u32);
        self.word(front.shared.len() as u32);
        self.word(front.personality_list() as u32);
        self.word(front.personalities as u32);
        self.word(front.index() as u32);
        self.word(front.pages.len() as u32 + 1);
        front.shared.iter().for_each(|encoding| self.word(*encoding));
        for position in 0..front.personalities {
            self.word(place + (front.pointers() + POINTER * position) as u32);
        }
        let lsdas_before = |function: u32| front.lsdas.partition_point(|lsda| lsda.0 < function);
        let mut offset = front.first_page();
        for page in front.pages {
            let function = page.rows.first().map_or(0, |row| row.function);
            self.index_entry(function, offset, front.lsda_list() + LSDA_ENTRY * lsdas_before(function));
            offset += page.size();
        }
        self.index_entry(end, 0, front.first_page());
        for (function, lsda) in front.lsdas {
            self.word(*function);
            self.word(*lsda);
        }
        Ok(())
    }

    fn index_entry(&mut self, function: u32, page: usize, lsdas: usize) {
        self.word(function);
        self.word(page as u32);
        self.word(lsdas as u32);
    }

    fn page(&mut self, page: &Page<'_>, shared: &[u32]) {
        let count = page.rows.len();
        match &page.own_encodings {
            None => {
                self.word(REGULAR);
                self.halves(REGULAR_HEADER, count);
                for row in page.rows {
                    self.word(row.function);
                    self.word(row.encoding);
                }
            }
            Some(own) => {
                self.word(COMPRESSED);
                self.halves(COMPRESSED_HEADER, count);
                self.halves(COMPRESSED_HEADER + 4 * count, own.len());
                let first = page.rows.first().map_or(0, |row| row.function);
                for row in page.rows {
                    let position = shared.iter().chain(own).position(|other| *other == row.encoding);
                    self.word((row.function - first) | (position.unwrap_or(0) as u32) << 24);
                }
                own.iter().for_each(|encoding| self.word(*encoding));
            }
        }
    }
}
