use crate::base::{ExecutorAddr, Result};
use crate::graph::edge::EdgeRun;
use crate::graph::testing::{QUAD, WORD, block_state, edge, empty_graph, small_graph, view};
use crate::graph::{
    BlockId, Edge, EdgeKind, LinkGraph, Linkage, NewBlock, NewSymbol, Permissions, References, Scope,
    Section, SectionId, SymbolFlags, SymbolId, SymbolKind,
};
use proptest::prelude::*;

const F: SymbolId = SymbolId(0);
const G: SymbolId = SymbolId(1);
const PUTS: SymbolId = SymbolId(2);

fn offsets(graph: &LinkGraph<'_>, block: BlockId) -> Vec<u32> {
    graph.edges(block).map(|edge| edge.offset).collect()
}

fn message<T: std::fmt::Debug>(result: Result<T>) -> String {
    result.unwrap_err().to_string()
}

#[test]
fn edges_are_kept_in_the_order_of_offsets_and_of_insertion() {
    let (mut graph, block) = small_graph();
    for (offset, target) in [(8, F), (0, G), (8, G), (4, F)] {
        graph.add_edge(block, edge(offset, target, WORD)).unwrap();
    }
    let edges: Vec<_> = graph.edges(block).map(|edge| (edge.offset, edge.target)).collect();
    assert_eq!(edges, [(0, G), (4, F), (8, F), (8, G)]);
    graph.verify().unwrap();
}

#[test]
fn runs_of_two_blocks_grow_in_turn_without_disturbing_each_other() {
    let (mut graph, first) = small_graph();
    let second = graph.split_block(first, 16).unwrap();
    for offset in 0..12 {
        graph.add_edge(first, edge(offset, F, WORD)).unwrap();
        graph.add_edges(second, &[edge(offset, G, WORD), edge(offset, PUTS, WORD)]).unwrap();
        graph.verify().unwrap();
    }
    assert_eq!(offsets(&graph, first), Vec::from_iter(0..12));
    assert_eq!(offsets(&graph, second), Vec::from_iter((0..24).map(|index| index / 2)));
    assert!(graph.edges.len() < 4 * 36, "runs that grow must not leave a hole each time");
}

#[test]
fn blocks_built_one_after_the_other_leave_no_room_between_their_edges() {
    let (mut graph, first) = small_graph();
    let second = graph.split_block(first, 16).unwrap();
    for block in [first, second] {
        for offset in 0..8 {
            graph.add_edge(block, edge(offset, F, WORD)).unwrap();
        }
    }
    assert_eq!(graph.edges.len(), 16);
}

#[test]
fn an_edge_that_does_not_fit_is_refused() {
    let (mut graph, block) = small_graph();
    assert!(
        message(graph.add_edge(block, edge(29, F, WORD))).contains("WORD edge at 0x1d does not fit block0")
    );
    assert!(
        message(graph.add_edge(block, edge(0, SymbolId(3), WORD))).contains("symbol3 is not in this graph")
    );
    assert!(message(graph.add_edge(BlockId(1), edge(0, F, WORD))).contains("block1 is not in this graph"));
    let batch = [edge(0, F, WORD), edge(33, F, EdgeKind::KEEP_ALIVE)];
    assert!(graph.add_edges(block, &batch).is_err());
    assert_eq!(graph.edges(block).len(), 0);
    graph.add_edge(block, edge(32, F, EdgeKind::KEEP_ALIVE)).unwrap();
}

#[test]
fn zero_fill_has_edges_that_store_nothing_only() {
    let mut graph = empty_graph();
    let bss = graph.add_section(Section::new(b".bss", Permissions::READ | Permissions::WRITE)).unwrap();
    let block = graph.add_block(NewBlock::zero_fill(bss, 64)).unwrap();
    let target = graph.add_symbol(NewSymbol::defined(block, 64)).unwrap();
    assert!(graph.add_edge(block, edge(0, target, WORD)).is_err());
    graph.add_edge(block, edge(0, target, EdgeKind::KEEP_ALIVE)).unwrap();
    graph.verify().unwrap();
}

#[test]
fn a_view_is_promoted_by_edges_mut_and_by_nothing_that_only_reads() {
    let (mut graph, block) = small_graph();
    let edges = [edge(0, F, WORD), edge(8, PUTS, QUAD)];
    view(&mut graph, block, &edges);
    assert_eq!(graph.edges(block).collect::<Vec<_>>(), edges);
    assert!(matches!(graph.block(block).edges, EdgeRun::Rela(_)));
    graph.edges_mut(block).unwrap()[1].addend = -4;
    assert_eq!(graph.edges(block).nth(1).unwrap().addend, -4);
    assert!(matches!(graph.block(block).edges, EdgeRun::Owned { count: 2, .. }));
}

#[test]
fn an_unsorted_relocation_table_is_sorted_when_promoted() {
    let (mut graph, block) = small_graph();
    view(&mut graph, block, &[edge(8, F, WORD), edge(0, G, WORD), edge(8, PUTS, WORD)]);
    let edges = graph.edges_mut(block).unwrap();
    assert_eq!(edges, [edge(0, G, WORD), edge(8, F, WORD), edge(8, PUTS, WORD)]);
    graph.verify().unwrap();
}

#[test]
fn a_relocation_table_with_foreign_symbols_is_not_promoted() {
    let (mut graph, block) = small_graph();
    view(&mut graph, block, &[edge(0, SymbolId(u32::MAX), EdgeKind::UNKNOWN)]);
    assert!(graph.edges_mut(block).is_err());
    assert!(graph.split_block(block, 16).is_err());
    assert!(graph.remove_edges(block, |_| true).is_err());
    assert!(matches!(graph.block(block).edges, EdgeRun::Rela(_)));
}

#[test]
fn removed_edges_make_room_again() {
    let (mut graph, block) = small_graph();
    graph.add_edges(block, &[edge(0, F, WORD), edge(4, PUTS, WORD), edge(8, F, WORD)]).unwrap();
    graph.remove_edges(block, |edge| edge.target == F).unwrap();
    assert_eq!(offsets(&graph, block), [4]);
    graph.add_edges(block, &[edge(0, F, WORD), edge(8, F, WORD)]).unwrap();
    assert_eq!((offsets(&graph, block), graph.edges.len()), (vec![0, 4, 8], 3));
    graph.remove_edges(block, |_| true).unwrap();
    assert_eq!(graph.edges(block).len(), 0);
    graph.verify().unwrap();
}

#[test]
fn symbols_are_what_they_were_made() {
    let (mut graph, block) = small_graph();
    let common = graph.add_symbol(NewSymbol::common(b"buffer", 64, 16).linkage(Linkage::Weak)).unwrap();
    let absolute = graph.add_symbol(NewSymbol::absolute(ExecutorAddr(0x42)).scope(Scope::Hidden)).unwrap();
    let owned =
        graph.add_symbol(NewSymbol::defined(block, 32).named(String::from("end").into_bytes())).unwrap();
    let symbol = graph.symbol(common);
    assert_eq!((symbol.kind(), symbol.size(), symbol.value()), (SymbolKind::Common, 64, 16));
    assert_eq!((symbol.linkage(), symbol.scope()), (Linkage::Weak, Scope::Default));
    assert_eq!(graph.symbol_address(absolute), Some(ExecutorAddr(0x42)));
    assert_eq!((graph.symbol_name(absolute), graph.symbol(absolute).scope()), (&b""[..], Scope::Hidden));
    assert_eq!((graph.symbol_name(owned), graph.symbol(owned).place()), (&b"end"[..], Some((block, 32))));
    assert_eq!(graph.symbol_address(G), Some(ExecutorAddr(0x110)));
    graph.verify().unwrap();
}

#[test]
fn what_makes_no_sense_is_not_added() {
    let (mut graph, block) = small_graph();
    let text = SectionId(0);
    assert!(message(graph.add_symbol(NewSymbol::defined(block, 33))).contains("offset 0x21 is past block0"));
    assert!(graph.add_symbol(NewSymbol::defined(BlockId(7), 0)).is_err());
    assert!(graph.add_symbol(NewSymbol::common(b"c", 1, 3)).is_err());
    assert!(graph.add_block(NewBlock::zero_fill(SectionId(1), 1)).is_err());
    for (alignment, offset) in [(0, 0), (3, 0), (8, 8), (1 << 40, 1 << 33)] {
        let block = NewBlock::zero_fill(text, 1).aligned(alignment).alignment_offset(offset);
        assert!(graph.add_block(block).is_err(), "{alignment} {offset}");
    }
    assert_eq!((graph.blocks.len(), graph.symbols.len()), (1, 3));
}

#[test]
fn a_redefined_symbol_keeps_its_name_and_references() {
    let (mut graph, block) = small_graph();
    graph.add_edge(block, edge(0, PUTS, WORD)).unwrap();
    graph.make_defined(PUTS, block, 4).unwrap();
    assert_eq!(graph.symbol(PUTS).place(), Some((block, 4)));
    graph.make_absolute(PUTS, ExecutorAddr(9)).unwrap();
    assert_eq!(graph.symbol_address(PUTS), Some(ExecutorAddr(9)));
    graph.set_scope(PUTS, Scope::Local).unwrap();
    graph.set_linkage(PUTS, Linkage::Weak).unwrap();
    graph.make_external(PUTS).unwrap();
    let symbol = graph.symbol(PUTS);
    assert_eq!((symbol.kind(), symbol.scope()), (SymbolKind::External, Scope::Default));
    assert_eq!((symbol.linkage(), graph.symbol_name(PUTS)), (Linkage::Weak, &b"puts"[..]));
    graph.verify().unwrap();
}

#[test]
fn facts_of_symbols_and_blocks_can_be_changed() {
    let (mut graph, block) = small_graph();
    graph.set_symbol_name(F, b"h").unwrap();
    graph.set_symbol_flags(F, SymbolFlags::KEEP | SymbolFlags::CALLABLE).unwrap();
    graph.set_symbol_size(F, 3).unwrap();
    assert_eq!((graph.symbol_name(F), graph.symbol(F).size()), (&b"h"[..], 3));
    assert!(graph.symbol(F).flags().contains(SymbolFlags::KEEP));
    graph.set_live(block, true).unwrap();
    graph.set_address(block, ExecutorAddr(0x204)).unwrap();
    graph.set_alignment(block, 8, 4).unwrap();
    let block = graph.block(block);
    assert_eq!((block.is_live(), block.address(), block.alignment()), (true, ExecutorAddr(0x204), 8));
    assert_eq!(block.alignment_offset(), 4);
    graph.section_mut(SectionId(0)).unwrap().name = b".code".into();
    assert_eq!(graph.find_section(".code"), Some(SectionId(0)));
}

#[test]
fn an_unnamed_symbol_cannot_be_external() {
    let (mut graph, block) = small_graph();
    let unnamed = graph.add_symbol(NewSymbol::defined(block, 0)).unwrap();
    assert!(message(graph.make_external(unnamed)).contains("has no name"));
}

#[test]
fn borrowed_content_is_copied_before_it_is_changed() {
    static BYTES: [u8; 4] = [1, 2, 3, 4];
    let mut graph = empty_graph();
    let data = graph.add_section(Section::new(b".data", Permissions::READ)).unwrap();
    let block = graph.add_block(NewBlock::content(data, &BYTES)).unwrap();
    graph.content_mut(block).unwrap()[0] = 9;
    assert_eq!((graph.block(block).content().bytes(), BYTES), (&[9, 2, 3, 4][..], [1, 2, 3, 4]));
    let zero = graph.add_block(NewBlock::zero_fill(data, 4)).unwrap();
    assert!(message(graph.content_mut(zero)).contains("is zero-fill"));
}

#[test]
fn content_can_grow_and_can_shrink_down_to_the_last_symbol_and_edge() {
    let (mut graph, block) = small_graph();
    graph.set_content(block, vec![1; 64]).unwrap();
    graph.add_edge(block, edge(20, F, WORD)).unwrap();
    assert!(message(graph.set_content(block, vec![2; 23])).contains("an edge of block0 would lie past"));
    graph.set_content(block, vec![2; 24]).unwrap();
    graph.verify().unwrap();
    assert!(message(graph.set_zero_fill(block, 64)).contains("has edges"));
    graph.remove_edges(block, |_| true).unwrap();
    assert!(message(graph.set_zero_fill(block, 15)).contains("symbol1 would lie past"));
    graph.set_zero_fill(block, 16).unwrap();
    assert_eq!((graph.block(block).size(), graph.block(block).is_zero_fill()), (16, true));
    graph.verify().unwrap();
}

#[test]
fn a_split_block_hands_over_bytes_symbols_and_edges() {
    let (mut graph, block) = small_graph();
    view(&mut graph, block, &[edge(4, G, WORD), edge(16, F, WORD), edge(20, PUTS, QUAD)]);
    let tail = graph.split_block(block, 16).unwrap();
    graph.verify().unwrap();
    assert_eq!((offsets(&graph, block), offsets(&graph, tail)), (vec![4], vec![0, 4]));
    assert_eq!(graph.symbol(F).place(), Some((block, 0)));
    assert_eq!(graph.symbol(G).place(), Some((tail, 0)));
    assert_eq!(graph.symbol_address(G), Some(ExecutorAddr(0x110)));
    let tail = graph.block(tail);
    assert_eq!((tail.size(), tail.content().bytes()[0]), (16, 16));
    assert_eq!((tail.alignment(), tail.alignment_offset()), (16, 0));
    assert_eq!(graph.block(block).size(), 16);
}

#[test]
fn a_block_is_split_only_inside_and_between_fields() {
    let (mut graph, block) = small_graph();
    graph.add_edge(block, edge(8, F, QUAD)).unwrap();
    for offset in [0, 9, 15, 32, 33] {
        assert!(graph.split_block(block, offset).is_err(), "{offset}");
    }
    assert!(graph.split_block_at(block, &[16, 16]).is_err());
    assert!(graph.split_block_at(block, &[16, 8]).is_err());
    assert_eq!(graph.blocks.len(), 1);
    assert_eq!(graph.split_block_at(block, &[8, 16]).unwrap(), [BlockId(1), BlockId(2)]);
    assert_eq!(graph.split_block_at(block, &[]).unwrap(), []);
    graph.verify().unwrap();
}

#[test]
fn zero_fill_of_any_size_can_be_split_and_merged() {
    let mut graph = empty_graph();
    let bss = graph.add_section(Section::new(b".lbss", Permissions::READ)).unwrap();
    let block = graph.add_block(NewBlock::zero_fill(bss, 1 << 40)).unwrap();
    let end = graph.add_symbol(NewSymbol::defined(block, 1 << 40)).unwrap();
    graph.add_edge(block, edge(u32::MAX, end, EdgeKind::KEEP_ALIVE)).unwrap();
    let tail = graph.split_block(block, 1 << 39).unwrap();
    assert_eq!(graph.symbol(end).place(), Some((tail, 1 << 39)));
    graph.merge_blocks(&[block, tail]).unwrap();
    assert_eq!((graph.block(block).size(), graph.block(block).is_zero_fill()), (1 << 40, true));
    assert_eq!(offsets(&graph, block), [u32::MAX]);
    graph.verify().unwrap();
}

#[test]
fn merging_content_with_more_zero_fill_than_there_is_memory_is_an_error() {
    let (mut graph, block) = small_graph();
    let tail = NewBlock::zero_fill(SectionId(0), 1 << 60).at(ExecutorAddr(0x120));
    let tail = graph.add_block(tail).unwrap();
    assert!(message(graph.merge_blocks(&[block, tail])).contains("cannot allocate"));
    let far =
        graph.add_block(NewBlock::zero_fill(SectionId(0), u64::MAX - 16).at(ExecutorAddr(0x120))).unwrap();
    assert!(message(graph.merge_blocks(&[block, far])).contains("more than 2^64"));
    assert_eq!(graph.block(block).size(), 32);
}

#[test]
fn an_unsorted_relocation_table_is_sorted_when_split_or_merged() {
    let (mut graph, block) = small_graph();
    let tail = graph.split_block(block, 16).unwrap();
    view(&mut graph, tail, &[edge(8, F, WORD), edge(0, G, WORD)]);
    let last = graph.clone().split_block(tail, 8).unwrap();
    assert_eq!(last, BlockId(2));
    graph.merge_blocks(&[block, tail]).unwrap();
    assert_eq!(offsets(&graph, block), [16, 24]);
    graph.verify().unwrap();
}

#[test]
fn only_neighbours_are_merged() {
    let (mut graph, block) = small_graph();
    let data = graph.add_section(Section::new(b".data", Permissions::READ)).unwrap();
    let other = graph.add_block(NewBlock::zero_fill(data, 4).at(ExecutorAddr(0x120))).unwrap();
    let apart = graph.add_block(NewBlock::zero_fill(SectionId(0), 4).at(ExecutorAddr(0x124))).unwrap();
    for blocks in [[block, other], [block, apart], [apart, block], [block, block], [block, BlockId(9)]] {
        assert!(graph.merge_blocks(&blocks).is_err(), "{blocks:?}");
    }
    graph.merge_blocks(&[]).unwrap();
}

#[test]
fn a_merged_block_satisfies_every_alignment() {
    let (mut graph, block) = small_graph();
    let strict =
        NewBlock::zero_fill(SectionId(0), 32).at(ExecutorAddr(0x120)).aligned(64).alignment_offset(32);
    let strict = graph.add_block(strict).unwrap();
    graph.merge_blocks(&[block, strict]).unwrap();
    assert_eq!((graph.block(block).alignment(), graph.block(block).alignment_offset()), (64, 0));
    let odd = NewBlock::zero_fill(SectionId(0), 1).at(ExecutorAddr(0x140)).aligned(16).alignment_offset(1);
    let odd = graph.add_block(odd).unwrap();
    assert!(message(graph.merge_blocks(&[block, odd])).contains("is aligned unlike"));
}

#[test]
fn a_transferred_block_keeps_symbols_and_edges() {
    let (mut graph, block) = small_graph();
    graph.add_edge(block, edge(0, F, WORD)).unwrap();
    let hot = graph.add_section(Section::new(b".text.hot", Permissions::READ)).unwrap();
    let before = block_state(&graph, block);
    graph.transfer_block(block, hot).unwrap();
    assert_eq!((graph.block(block).section(), block_state(&graph, block)), (hot, before));
    assert!(graph.transfer_block(block, SectionId(2)).is_err());
    assert!(graph.transfer_block(BlockId(1), hot).is_err());
}

#[test]
fn a_symbol_that_is_referred_to_is_removed_only_when_told() {
    let (mut graph, block) = small_graph();
    view(&mut graph, block, &[edge(0, PUTS, WORD), edge(4, F, WORD)]);
    let text = message(graph.remove_symbols(&[PUTS], References::Refuse));
    assert!(text.contains("cannot remove symbol2 (puts): an edge of block0 refers to it"), "{text}");
    assert!(matches!(graph.block(block).edges, EdgeRun::Rela(_)));
    graph.remove_symbols(&[PUTS], References::Remove).unwrap();
    assert_eq!(offsets(&graph, block), [4]);
    assert_eq!(graph.symbol(PUTS).kind(), SymbolKind::Null);
    assert!(graph.set_scope(PUTS, Scope::Hidden).is_err());
    graph.verify().unwrap();
    graph.remove_symbols(&[F], References::Leave).unwrap();
    assert!(graph.verify().is_err());
    graph.edges_mut(block).unwrap()[0].target = G;
    graph.verify().unwrap();
}

#[test]
fn a_removed_block_takes_its_symbols_and_leaves_other_ids_alone() {
    let (mut graph, first) = small_graph();
    let second = graph.split_block(first, 16).unwrap();
    graph.add_edges(second, &[edge(0, G, WORD), edge(4, F, WORD)]).unwrap();
    assert!(graph.remove_blocks(&[first], References::Refuse).is_err());
    graph.remove_blocks(&[first], References::Remove).unwrap();
    graph.verify().unwrap();
    assert_eq!(graph.blocks().map(|(id, _)| id).collect::<Vec<_>>(), [second]);
    assert_eq!((offsets(&graph, second), graph.symbol(F).kind()), (vec![0], SymbolKind::Null));
    assert_eq!(graph.symbol(G).place(), Some((second, 0)));
    assert!(graph.remove_blocks(&[first], References::Refuse).is_err());
    graph.remove_blocks(&[second], References::Refuse).unwrap();
    assert_eq!((graph.blocks().count(), graph.symbol(G).kind()), (0, SymbolKind::Null));
    graph.verify().unwrap();
}

#[test]
fn a_removed_section_takes_its_blocks() {
    let (mut graph, block) = small_graph();
    graph.split_block(block, 16).unwrap();
    graph.remove_section(SectionId(0), References::Refuse).unwrap();
    graph.verify().unwrap();
    assert_eq!((graph.sections().count(), graph.blocks().count()), (0, 0));
    assert_eq!(graph.find_section(".text"), None);
    assert!(graph.add_block(NewBlock::zero_fill(SectionId(0), 1)).is_err());
    let next = graph.add_section(Section::new(b".text", Permissions::READ)).unwrap();
    assert_eq!(next, SectionId(1));
}

/// Edges of 4 or 0 bytes at any place of a block of 256 bytes, in the order of their offsets.
fn edges_strategy() -> impl Strategy<Value = Vec<Edge>> {
    let one = (0u32..253, 0u32..8, -9i64..9, prop_oneof![Just(WORD), Just(EdgeKind::KEEP_ALIVE)]);
    let one = one.prop_map(|(offset, target, addend, kind)| Edge {
        offset,
        target: SymbolId(target),
        addend,
        kind,
    });
    prop::collection::vec(one, 0..40).prop_map(|mut edges| {
        edges.sort_by_key(|edge| edge.offset);
        edges
    })
}

fn graph_strategy() -> impl Strategy<Value = (LinkGraph<'static>, BlockId)> {
    let alignment =
        (0u32..8, any::<u64>()).prop_map(|(log2, offset)| (1u64 << log2, offset & ((1 << log2) - 1)));
    (edges_strategy(), prop::collection::vec(0u64..=256, 8), alignment, any::<bool>()).prop_map(
        |(edges, places, (alignment, offset), viewed)| {
            let mut graph = empty_graph();
            let text = graph.add_section(Section::new(b".text", Permissions::READ)).unwrap();
            let bytes: Vec<u8> = (0..=255).collect();
            let new = NewBlock::content(text, bytes).aligned(alignment).alignment_offset(offset);
            let block = graph.add_block(new.at(ExecutorAddr(0x1000))).unwrap();
            for place in places {
                graph.add_symbol(NewSymbol::defined(block, place).size(place)).unwrap();
            }
            if viewed {
                view(&mut graph, block, &edges);
            } else {
                graph.add_edges(block, &edges).unwrap();
            }
            (graph, block)
        },
    )
}

proptest! {
    #[test]
    fn splitting_and_merging_again_changes_nothing(
        (mut graph, block) in graph_strategy(),
        cuts in prop::collection::btree_set(1u64..256, 1..8),
    ) {
        let before = block_state(&graph, block);
        let cuts: Vec<_> = cuts.into_iter().collect();
        let cut_fields = graph.edges(block).any(|edge| {
            let field = u64::from(edge.offset) + 1..u64::from(edge.offset) + if edge.kind == WORD { 4 } else { 0 };
            cuts.iter().any(|cut| field.contains(cut))
        });
        match graph.split_block_at(block, &cuts) {
            Err(_) => prop_assert!(cut_fields),
            Ok(tails) => {
                prop_assert!(!cut_fields);
                graph.verify().unwrap();
                let all: Vec<_> = [block].into_iter().chain(tails).collect();
                graph.merge_blocks(&all).unwrap();
            }
        }
        graph.verify().unwrap();
        prop_assert_eq!(block_state(&graph, block), before);
    }

    #[test]
    fn promotion_changes_no_edge((mut graph, block) in graph_strategy()) {
        let before: Vec<_> = graph.edges(block).collect();
        prop_assert_eq!(&*graph.edges_mut(block).unwrap(), &before[..]);
        prop_assert_eq!(graph.edges(block).collect::<Vec<_>>(), before);
        graph.verify().unwrap();
    }

    #[test]
    fn edges_added_one_by_one_or_at_once_are_the_same(
        (graph, block) in graph_strategy(),
        mut more in edges_strategy().prop_shuffle(),
    ) {
        let (mut one_by_one, mut at_once) = (graph.clone(), graph);
        more.truncate(20);
        for edge in &more {
            one_by_one.add_edge(block, *edge).unwrap();
        }
        at_once.add_edges(block, &more).unwrap();
        prop_assert_eq!(block_state(&one_by_one, block), block_state(&at_once, block));
        one_by_one.verify().unwrap();
        at_once.verify().unwrap();
    }
}
