//! Symbols that the linker defines where nothing else does: bounds of sections, `_end`, `__ehdr_start` and the like.

use super::externals;
use super::finishing::dso_handle;
use super::globals::Globals;
use super::groups::{GroupKind, SegmentClass};
use super::image::Image;
use super::layout::Layout;
use super::liveness::Liveness;
use crate::base::{AddrRange, ExecutorAddr};
use crate::graph::{BlockId, LinkGraph};
use crate::passes::bounds::{Bound, LinkerSymbol, parse_linker_symbol};

pub(super) fn define_linker_symbols<'data>(
    image: &mut Image<'data>,
    graphs: &[LinkGraph<'data>],
    globals: &Globals<'data>,
    live: &Liveness,
) {
    for id in externals::undefined_names(globals) {
        let Some(meaning) = parse_linker_symbol(globals.name(id)) else { continue };
        match meaning {
            LinkerSymbol::Dynamic | LinkerSymbol::EhFrameHeader => continue,
            LinkerSymbol::Section(bounds) if !has_live_section(graphs, live, bounds.section) => continue,
            LinkerSymbol::GlobalOffsetTable => image.require_got(),
            LinkerSymbol::HeaderStart | LinkerSymbol::ImageStart => image.add_header(),
            _ => {}
        }
        image.define_later(globals, id);
    }
}

fn has_live_section(graphs: &[LinkGraph<'_>], live: &Liveness, name: &[u8]) -> bool {
    (0u32..).zip(graphs).any(|(index, graph)| {
        graph.blocks().any(|(id, block)| {
            *graph.sections[block.section.index()].name == *name && live.is_live(index, id)
        })
    })
}

pub(super) fn set_linker_symbols(
    image: &Image<'_>,
    globals: &Globals<'_>,
    graphs: &mut [LinkGraph<'_>],
    layout: &Layout,
) {
    let index = image.index as usize;
    for &(id, symbol) in &image.linker_symbols {
        let Some(meaning) = parse_linker_symbol(globals.name(id)) else { continue };
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
    let segment = |class| layout.segment(class);
    let end_of_content =
        |class| segment(class).map_or(ExecutorAddr::NULL, |s| s.address.wrapping_add(s.content_size));
    match meaning {
        LinkerSymbol::Section(bounds) => {
            bound(layout.named_group(bounds.section).and_then(group), bounds.edge)
        }
        LinkerSymbol::PreinitArray(edge) => bound(group(GroupKind::PreinitArray), edge),
        LinkerSymbol::InitArray(edge) => bound(group(GroupKind::InitArray), edge),
        LinkerSymbol::FiniArray(edge) => bound(group(GroupKind::FiniArray), edge),
        LinkerSymbol::HeaderStart | LinkerSymbol::ImageStart => {
            let address = |block: BlockId| graphs[image.index as usize].blocks[block.index()].address;
            image.header.map_or(ExecutorAddr::NULL, address)
        }
        LinkerSymbol::GlobalOffsetTable => graphs[image.index as usize].blocks[image.got.index()].address,
        LinkerSymbol::TextEnd => segment(SegmentClass::Text).map_or(ExecutorAddr::NULL, |s| s.range().end),
        LinkerSymbol::DataEnd | LinkerSymbol::BssStart => end_of_content(SegmentClass::Data),
        LinkerSymbol::End => segment(SegmentClass::Data).map_or(ExecutorAddr::NULL, |s| s.range().end),
        LinkerSymbol::DsoHandle => dso_handle(layout),
        LinkerSymbol::Dynamic | LinkerSymbol::EhFrameHeader => ExecutorAddr::NULL,
    }
}
