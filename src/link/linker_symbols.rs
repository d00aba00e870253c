//! Symbols that the linker defines where nothing else does: bounds of sections, `_end`, `__ehdr_start` and the like.

use super::bounded::SectionNames;
use super::externals;
use super::finishing::dso_handle;
use super::globals::{GlobalId, Globals};
use super::groups::{GroupKind, SegmentClass, special_group};
use super::image::Image;
use super::layout::{Layout, Segment};
use super::liveness::Liveness;
use crate::base::{AddrRange, ExecutorAddr};
use crate::graph::{
    BlockId, Lifetime, LinkGraph, Permissions, Section, SectionFlags, SectionId, SectionRole,
};
use crate::passes::bounds::{Bound, LinkerSymbol, parse_linker_symbol};
use std::collections::HashMap;

pub(super) fn define_linker_symbols<'data>(
    image: &mut Image<'data>,
    graphs: &mut [LinkGraph<'data>],
    globals: &Globals<'data>,
    live: &Liveness,
) {
    let spelling = image.graph.spelling;
    let meaning = |id| Some((id, parse_linker_symbol(spelling, globals.name(id))?));
    let wanted: Vec<_> = externals::undefined_names(globals).into_iter().filter_map(meaning).collect();
    let bounded = join_bounded_sections(&wanted, graphs, live);
    join_included_sections(&wanted, graphs, live);
    for (id, meaning) in wanted {
        match meaning {
            LinkerSymbol::Dynamic | LinkerSymbol::EhFrameHeader => continue,
            LinkerSymbol::Section(bounds) if bounded.get(bounds.section).is_none_or(Option::is_none) => {
                continue;
            }
            LinkerSymbol::GlobalOffsetTable => image.require_got(),
            LinkerSymbol::HeaderStart | LinkerSymbol::ImageStart => image.add_header(),
            _ => {}
        }
        image.define_later(globals, id);
    }
}

/// What all sections of one name have in common once they are one section of the image.
#[derive(Clone, Copy, Debug)]
struct Joined {
    permissions: Permissions,
    large: bool,
}

/// Sections whose bounds are asked for stand together in the image, so they get the permissions of all of them, as in the
/// output of a static linker; they are far only if all of them may be. By name; `None` where no section is live.
fn join_bounded_sections<'a>(
    wanted: &[(GlobalId, LinkerSymbol<'a>)],
    graphs: &mut [LinkGraph<'_>],
    live: &Liveness,
) -> HashMap<&'a [u8], Option<Joined>> {
    let names = wanted.iter().filter_map(|(_, meaning)| match meaning {
        LinkerSymbol::Section(bounds) => Some((bounds.section, None::<Joined>)),
        _ => None,
    });
    let mut bounded: HashMap<&[u8], Option<Joined>> = names.collect();
    if bounded.is_empty() {
        return bounded;
    }
    for (index, graph) in (0u32..).zip(&*graphs) {
        for (_, block) in graph.blocks().filter(|(id, _)| live.is_live(index, *id)) {
            let section = &graph.sections[block.section.index()];
            let Some(joined) = named(section).and_then(|name| bounded.get_mut(name)) else { continue };
            let (permissions, large) = (section.permissions, section.flags.contains(SectionFlags::LARGE));
            *joined = Some(joined.map_or(Joined { permissions, large }, |all| Joined {
                permissions: all.permissions | permissions,
                large: all.large && large,
            }));
        }
    }
    for section in graphs.iter_mut().flat_map(|graph| &mut graph.sections) {
        if let Some(Some(joined)) = named(section).and_then(|name| bounded.get(name)) {
            section.permissions = joined.permissions;
            section.flags.set(SectionFlags::LARGE, joined.large);
        }
    }
    bounded
}

/// The same for `section$start$SEGMENT$SECTION` and its kin. Sections that have a place of their own keep it.
fn join_included_sections(
    wanted: &[(GlobalId, LinkerSymbol<'_>)],
    graphs: &mut [LinkGraph<'_>],
    live: &Liveness,
) {
    let mut names = None;
    for (_, meaning) in wanted {
        let LinkerSymbol::MachBounds(bounds) = meaning else { continue };
        let names = names.get_or_insert_with(|| SectionNames::new(graphs));
        let is_joined = |&(graph, section): &(u32, SectionId)| {
            let section = graphs[graph as usize].section(section);
            section.lifetime == Lifetime::Standard
                && special_group(section).is_none_or(|(kind, _)| matches!(kind, GroupKind::Named(_)))
        };
        let joined: Vec<_> = names.included(bounds).filter(is_joined).collect();
        let is_live = |&&(graph, section): &&(u32, SectionId)| {
            graphs[graph as usize].blocks_in(section).any(|(id, _)| live.is_live(graph, id))
        };
        let permissions =
            joined.iter().filter(is_live).fold(Permissions::empty(), |all, &(graph, section)| {
                all | graphs[graph as usize].section(section).permissions
            });
        for &(graph, section) in &joined {
            let section = &mut graphs[graph as usize].sections[section.index()];
            section.permissions = permissions;
            section.role = SectionRole::Regular;
            section.flags.remove(SectionFlags::RELRO);
            section.flags.insert(SectionFlags::C_IDENTIFIER);
        }
    }
}

fn named<'a>(section: &'a Section<'_>) -> Option<&'a [u8]> {
    section.flags.contains(SectionFlags::C_IDENTIFIER).then_some(&section.name)
}

pub(super) fn set_linker_symbols(
    image: &Image<'_>,
    globals: &Globals<'_>,
    graphs: &mut [LinkGraph<'_>],
    layout: &Layout,
) {
    let index = image.index as usize;
    for &(id, symbol) in &image.linker_symbols {
        let spelling = graphs[index].spelling;
        let Some(meaning) = parse_linker_symbol(spelling, globals.name(id)) else { continue };
        let address = linker_symbol_address(image, graphs, layout, meaning);
        graphs[index].symbols[symbol.index()].value = address.0;
    }
}

fn linker_symbol_address(
    image: &Image<'_>,
    graphs: &[LinkGraph<'_>],
    layout: &Layout,
    meaning: LinkerSymbol<'_>,
) -> ExecutorAddr {
    let bound = |range: Option<AddrRange>, edge: Bound| {
        // What is empty has bounds in the image all the same: they may be referred to by distances of 32 bits.
        let range = range.unwrap_or_else(|| AddrRange { start: dso_handle(layout), end: dso_handle(layout) });
        if edge == Bound::Start { range.start } else { range.end }
    };
    let group = |kind| layout.group_range(graphs, kind);
    match meaning {
        LinkerSymbol::Section(bounds) => {
            bound(layout.named_group(bounds.section).and_then(group), bounds.edge)
        }
        LinkerSymbol::MachBounds(bounds) => bound(layout.included_range(graphs, &bounds), bounds.edge),
        LinkerSymbol::PreinitArray(edge) => bound(group(GroupKind::PreinitArray), edge),
        LinkerSymbol::InitArray(edge) => bound(group(GroupKind::InitArray), edge),
        LinkerSymbol::FiniArray(edge) => bound(group(GroupKind::FiniArray), edge),
        LinkerSymbol::HeaderStart | LinkerSymbol::ImageStart => {
            let address = |block: BlockId| graphs[image.index as usize].blocks[block.index()].address;
            image.header.map_or(ExecutorAddr::NULL, address)
        }
        LinkerSymbol::GlobalOffsetTable => graphs[image.index as usize].blocks[image.got.index()].address,
        LinkerSymbol::TextEnd => last(layout, &SegmentClass::CODE, |segment| segment.range().end),
        LinkerSymbol::DataEnd => last(layout, &SegmentClass::DATA, Segment::content_end),
        LinkerSymbol::BssStart => {
            let starts = layout.segments_of(&SegmentClass::DATA).map(Segment::content_end);
            starts.min().unwrap_or_else(|| last(layout, &SegmentClass::DATA, Segment::content_end))
        }
        LinkerSymbol::End => last(layout, &SegmentClass::DATA, |segment| segment.range().end),
        LinkerSymbol::DsoHandle => dso_handle(layout),
        LinkerSymbol::ThreadLocalBase => layout.thread.map_or(ExecutorAddr::NULL, |thread| thread.address),
        LinkerSymbol::Dynamic | LinkerSymbol::EhFrameHeader => ExecutorAddr::NULL,
    }
}

/// The highest of these ends of segments; of all segments, where there are none of these classes, as in a file.
fn last(
    layout: &Layout,
    classes: &[SegmentClass],
    end: impl Fn(&Segment) -> ExecutorAddr + Copy,
) -> ExecutorAddr {
    let of_classes = layout.segments_of(classes).map(end).max();
    of_classes.or_else(|| layout.segments.iter().map(end).max()).unwrap_or_default()
}
