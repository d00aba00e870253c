//! Which segment goes where: requests are checked, and segments of one kind laid out one after the other.

use super::{LayoutRequest, Placement, SegmentRequest};
use crate::base::{Error, Result};
use crate::graph::{Lifetime, Permissions};
use crate::sys::page::align_up;

/// What happens to the pages of a segment, in the order in which the kinds lie in memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    /// Only read.
    ReadOnly,
    /// Executed.
    Code,
    /// Written by actions, then only read.
    Relro,
    /// Written for good. Last, because zero-fill can be huge.
    Data,
}

impl Kind {
    /// All of them, in their order.
    pub(super) const ALL: [Self; 4] = [Self::ReadOnly, Self::Code, Self::Relro, Self::Data];

    /// The kind of a segment.
    pub(super) fn of(segment: &SegmentRequest<'_>) -> Self {
        if segment.permissions.contains(Permissions::EXECUTE) {
            Self::Code
        } else if segment.relro {
            Self::Relro
        } else if segment.permissions.contains(Permissions::WRITE) {
            Self::Data
        } else {
            Self::ReadOnly
        }
    }
}

/// All segments of one kind and one placement: contiguous memory.
#[derive(Clone, Copy, Debug)]
pub(super) struct Run {
    /// Bytes; 0 when there is no such segment.
    pub(super) size: u64,
    /// Required of its address.
    pub(super) alignment: u64,
    /// Bytes that live as long as the allocation; memory of finalize lifetime follows.
    pub(super) standard: u64,
    /// Where the contents end.
    pub(super) content_end: u64,
    /// Bytes of contents.
    pub(super) content: u64,
}

impl Default for Run {
    fn default() -> Self {
        Self { size: 0, alignment: 1, standard: 0, content_end: 0, content: 0 }
    }
}

impl Run {
    /// Whether most bytes up to the end of the contents are going to be written.
    pub(super) fn is_dense(&self) -> bool {
        self.content >= self.content_end / 2
    }
}

/// The runs of one placement, indexed by [`Kind`].
pub(super) type Group = [Run; Kind::ALL.len()];

/// Where a segment lies: in which run, and how far into it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spot {
    pub(super) placement: Placement,
    pub(super) kind: Kind,
    pub(super) offset: u64,
}

/// All of a request.
#[derive(Debug)]
pub(super) struct Layout {
    /// Indexed by [`Placement`].
    groups: [Group; 4],
    /// In the order of the request's segments.
    pub(super) spots: Vec<Spot>,
}

impl Layout {
    /// Checks and lays out `request`. `unit` says in what multiples memory of a kind is handed out.
    pub(super) fn new(request: &LayoutRequest<'_>, unit: impl Fn(Kind) -> u64) -> Result<Self> {
        check(request)?;
        let mut layout =
            Self { groups: Default::default(), spots: Vec::with_capacity(request.segments.len()) };
        let nowhere = Spot { placement: Placement::Near, kind: Kind::Data, offset: 0 };
        layout.spots.resize(request.segments.len(), nowhere);
        layout.append(request, Lifetime::Standard);
        layout.end_standard(&unit);
        layout.append(request, Lifetime::Finalize);
        layout.round_up(&unit);
        let total = layout.groups.iter().flatten().fold(0u64, |total, run| total.saturating_add(run.size));
        check_total(request, total)?;
        Ok(layout)
    }

    /// The runs of one placement; `None` when there are none.
    pub(super) fn group(&self, placement: Placement) -> Option<&Group> {
        let group = &self.groups[placement as usize];
        group.iter().any(|run| run.size > 0).then_some(group)
    }

    fn append(&mut self, request: &LayoutRequest<'_>, lifetime: Lifetime) {
        for (spot, segment) in self.spots.iter_mut().zip(request.segments) {
            if segment.lifetime != lifetime {
                continue;
            }
            let (placement, kind) = (segment.placement, Kind::of(segment));
            let run = &mut self.groups[placement as usize][kind as usize];
            let offset = align_up(run.size, segment.alignment).unwrap_or(u64::MAX);
            // An empty segment gets an address of its own, inside the run.
            run.size = offset.saturating_add(segment.size().unwrap_or(u64::MAX).max(1));
            run.alignment = run.alignment.max(segment.alignment);
            if segment.content_size > 0 {
                run.content_end = offset.saturating_add(segment.content_size);
                run.content = run.content.saturating_add(segment.content_size);
            }
            *spot = Spot { placement, kind, offset };
        }
    }

    fn end_standard(&mut self, unit: &impl Fn(Kind) -> u64) {
        self.round_up(unit);
        for run in self.groups.iter_mut().flatten() {
            run.standard = run.size;
        }
    }

    fn round_up(&mut self, unit: &impl Fn(Kind) -> u64) {
        for (run, kind) in self.groups.iter_mut().flat_map(|group| group.iter_mut().zip(Kind::ALL)) {
            run.size = align_up(run.size, unit(kind)).unwrap_or(u64::MAX);
            run.alignment = run.alignment.max(unit(kind));
        }
    }
}

/// Refuses what makes no sense or would exceed the limits.
pub(super) fn check(request: &LayoutRequest<'_>) -> Result<()> {
    let mut total = 0u64;
    for segment in request.segments {
        check_segment(segment).map_err(|(what, help)| {
            Error::invalid(format!("{}: segment {}: {what}", request.name, segment.name), help)
        })?;
        total = total.saturating_add(segment.size().unwrap_or(u64::MAX));
    }
    check_total(request, total)
}

fn check_segment(segment: &SegmentRequest<'_>) -> Result<(), (String, Option<&'static str>)> {
    let alignment = segment.alignment;
    if !alignment.is_power_of_two() {
        return Err((format!("alignment {alignment} is not a power of two"), None));
    }
    if alignment > SegmentRequest::MAX_ALIGNMENT {
        let limit = SegmentRequest::MAX_ALIGNMENT;
        return Err((format!("alignment {alignment:#x} exceeds the limit of {limit:#x}"), None));
    }
    if segment.permissions.contains(Permissions::EXECUTE)
        && (segment.relro || segment.permissions.contains(Permissions::WRITE))
    {
        let help = "split it into a writable and an executable section";
        return Err(("memory that is both writable and executable is not given".to_owned(), Some(help)));
    }
    if segment.lifetime == Lifetime::NoAlloc {
        return Err(("sections that are not allocated take no memory here".to_owned(), None));
    }
    Ok(())
}

fn check_total(request: &LayoutRequest<'_>, total: u64) -> Result<()> {
    let limit = LayoutRequest::MAX_SIZE;
    if total <= limit {
        return Ok(());
    }
    let size = if total == u64::MAX { "more than 2^64".to_owned() } else { total.to_string() };
    let what =
        format!("{}: needs {size} bytes of address space, more than the limit of {limit}", request.name);
    Err(Error::invalid(what, Some("split the link")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alloc::testing::segment;

    fn lay_out(segments: &[SegmentRequest<'_>]) -> Result<Layout> {
        Layout::new(&LayoutRequest { name: "a.o", segments }, |_| 4096)
    }

    #[test]
    fn lifetimes_do_not_share_pages() {
        let keep = segment(Permissions::READ, 100);
        let gone = SegmentRequest { lifetime: Lifetime::Finalize, ..keep };
        let layout = lay_out(&[gone, keep, gone]).unwrap();
        let run = layout.group(Placement::Near).unwrap()[Kind::ReadOnly as usize];
        assert_eq!((run.standard, run.size), (4096, 8192));
        let offsets: Vec<_> = layout.spots.iter().map(|spot| spot.offset).collect();
        assert_eq!(offsets, [4096, 0, 4096 + 112]);
    }

    #[test]
    fn empty_segments_have_addresses_inside() {
        let layout = lay_out(&[segment(Permissions::READ, 0), segment(Permissions::READ, 0)]).unwrap();
        assert_eq!(layout.group(Placement::Near).unwrap()[0].size, 4096);
        assert_eq!(layout.spots[1].offset, 16);
    }

    #[test]
    fn nonsense_is_refused() {
        let good = segment(Permissions::READ, 8);
        let message = |bad| lay_out(&[good, bad]).unwrap_err().to_string();
        assert!(message(SegmentRequest { alignment: 0, ..good }).contains("power of two"));
        assert!(message(SegmentRequest { alignment: 3, ..good }).contains("power of two"));
        assert!(message(SegmentRequest { alignment: 1 << 31, ..good }).contains("limit"));
        assert!(message(SegmentRequest { permissions: Permissions::all(), ..good }).contains("executable"));
        assert!(message(SegmentRequest { lifetime: Lifetime::NoAlloc, ..good }).contains("not allocated"));
        assert!(message(SegmentRequest { zero_fill_size: u64::MAX, ..good }).contains("2^64"));
        assert!(message(SegmentRequest { zero_fill_size: 64 << 30, ..good }).contains("limit"));
        assert!(message(SegmentRequest { content_size: u64::MAX, ..good }).contains("a.o"));
    }

    #[test]
    fn padding_counts_towards_the_limit() {
        let wide =
            SegmentRequest { alignment: SegmentRequest::MAX_ALIGNMENT, ..segment(Permissions::READ, 8) };
        assert!(lay_out(&[wide; 100]).unwrap_err().to_string().contains("address space"));
        assert!(lay_out(&[wide; 10]).is_ok());
    }
}
