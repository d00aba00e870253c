//! Relocations where the assembler needed none: a function that computes its own address does so by a distance that is
//! known before the link. A tool that redirects functions needs to see that reference; this makes it an edge.

use iced_x86::{Decoder, DecoderOptions, Instruction, Register};
use jitlink::base::Result;
use jitlink::graph::{Architecture, BlockId, Edge, LinkGraph, SymbolFlags, SymbolId};
use jitlink::link::Plugin;

/// Adds the edges before dead strip.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SelfRelocations;

/// Bytes of a displacement relative to the program counter.
const FIELD: u64 = 4;

impl Plugin for SelfRelocations {
    fn pre_prune(&mut self, graph: &mut LinkGraph<'_>) -> Result<()> {
        // Elsewhere the assembler leaves these relocations anyway.
        if graph.architecture() != Architecture::X86_64 {
            return Ok(());
        }
        let kind = jitlink::arch::x86_64::kinds::PC32;
        let mut found: Vec<(BlockId, u32, SymbolId)> = Vec::new();
        for (id, symbol) in graph.symbols() {
            if symbol.flags().contains(SymbolFlags::CALLABLE)
                && let Some((block, offset)) = symbol.place()
            {
                references_to_itself(graph, id, block, offset, &mut found);
            }
        }
        found.sort_unstable();
        found.dedup_by_key(|(block, offset, _)| (*block, *offset));
        for (block, offset, target) in found {
            graph.add_edge(block, Edge { offset, target, addend: -(FIELD as i64), kind })?;
        }
        Ok(())
    }
}

/// Finds the displacements in a function that lead to its first byte and that no edge covers.
fn references_to_itself(
    graph: &LinkGraph<'_>,
    id: SymbolId,
    block: BlockId,
    start: u64,
    found: &mut Vec<(BlockId, u32, SymbolId)>,
) {
    let content = graph.block(block).content().bytes();
    let Some(rest) = usize::try_from(start).ok().and_then(|start| content.get(start..)) else { return };
    let size = match graph.symbol(id).size() {
        0 => rest.len(),
        size => usize::try_from(size).unwrap_or(usize::MAX).min(rest.len()),
    };
    let mut decoder = Decoder::with_ip(64, &rest[..size], 0, DecoderOptions::NONE);
    let mut instruction = Instruction::default();
    let mut fields = Vec::new();
    while decoder.can_decode() {
        decoder.decode_out(&mut instruction);
        if instruction.is_invalid() {
            break;
        }
        let relative = instruction.memory_base() == Register::RIP && instruction.memory_displacement64() == 0;
        // Only where the displacement ends the instruction is the addend that of every PC32 relocation.
        let constants = decoder.get_constant_offsets(&instruction);
        let ends = constants.displacement_offset() + constants.displacement_size() == instruction.len()
            && constants.displacement_size() as u64 == FIELD;
        if relative && ends {
            let offset = start + instruction.ip() + constants.displacement_offset() as u64;
            fields.extend(u32::try_from(offset).ok());
        }
    }
    if fields.is_empty() {
        return;
    }
    let covered: Vec<u32> = graph.edges(block).map(|edge| edge.offset).collect();
    found.extend(fields.into_iter().filter(|field| !covered.contains(field)).map(|field| (block, field, id)));
}
