//! Differences of two places: a `SUBTRACTOR` and the `UNSIGNED` after it.
//!
//! A field holds the difference of two addresses plus a number. One of the two is in the block of the field, as a rule,
//! so that its distance from the field is known: what remains is a distance from or to the field. Where both are in one
//! block, the difference is known, and stored.

use super::relocations::{Decoded, Decoder, Fields};
use crate::graph::{BlockId, Content, Edge, SymbolId, SymbolKind};
use object::LittleEndian as LE;

/// One of the two places.
#[derive(Clone, Copy, Debug)]
struct Operand {
    symbol: SymbolId,
    /// How far after the symbol it is.
    inside: i64,
    /// Its block, and its address in the object, if the object defines it.
    home: Option<(BlockId, u64)>,
}

/// Minuend, subtrahend, and the number that is added to their difference.
struct Difference {
    from: Operand,
    to: Operand,
    addend: i64,
}

/// The edge for the difference of `minuend` and `subtrahend`; none where it is known.
pub(super) fn edge(
    decoder: &mut Decoder<'_, '_>,
    subtrahend: Fields,
    minuend: Fields,
) -> Decoded<Option<Edge>> {
    let form = (subtrahend.length(), subtrahend.pc_relative());
    if !matches!(form, (2 | 3, false)) || (minuend.length(), minuend.pc_relative()) != form {
        return Err(decoder.bad_form(subtrahend));
    }
    let Difference { from, to, addend } = difference(decoder, subtrahend, minuend)?;
    let offset = subtrahend.offset;
    let (own, field) = (decoder.own_block(offset), decoder.address(offset));
    let kinds = decoder.object.machine.kinds;
    let wide = usize::from(subtrahend.length() == 3);
    // S - B + A = S + (A + P - B) - P
    if let Some((block, address)) = to.home
        && Some(block) == own
    {
        let distance = field.wrapping_sub(address).cast_signed();
        let addend = addend.wrapping_add(distance).wrapping_add(from.inside);
        return Ok(Some(Edge { offset, target: from.symbol, addend, kind: kinds.delta[wide] }));
    }
    // B - S + A = (A + B - P) - S + P
    if let Some((block, address)) = from.home
        && Some(block) == own
        && decoder.graph.symbols[from.symbol.index()].kind == SymbolKind::Defined
    {
        let distance = address.wrapping_sub(field).cast_signed();
        let addend = addend.wrapping_add(distance).wrapping_sub(to.inside);
        return Ok(Some(Edge { offset, target: to.symbol, addend, kind: kinds.negated_delta[wide] }));
    }
    if let (Some((a, from)), Some((b, to)), Some(own)) = (from.home, to.home, own)
        && a == b
        && store(decoder, own, offset, wide, from.wrapping_sub(to).cast_signed().wrapping_add(addend))
    {
        return Ok(None);
    }
    let name = |operand: Operand| decoder.graph.display_symbol(operand.symbol).into_owned();
    let what = format!("{} and {}, which both are elsewhere", name(from), name(to));
    Err(decoder.bad_difference(subtrahend, &what))
}

fn difference(decoder: &mut Decoder<'_, '_>, subtrahend: Fields, minuend: Fields) -> Decoded<Difference> {
    let content = decoder.number(minuend)?;
    Ok(match (minuend.external(), subtrahend.external()) {
        (true, true) => Difference {
            from: external(decoder, minuend)?,
            to: external(decoder, subtrahend)?,
            addend: content,
        },
        // Without a symbol, the field has the address; what else might be added is not told from it.
        (false, true) => Difference {
            from: local(decoder, minuend, content.cast_unsigned())?,
            to: external(decoder, subtrahend)?,
            addend: 0,
        },
        (true, false) => Difference {
            from: external(decoder, minuend)?,
            to: local(decoder, subtrahend, content.wrapping_neg().cast_unsigned())?,
            addend: 0,
        },
        // The difference of two addresses, which do not matter as long as their sections stay whole.
        (false, false) => {
            let (from, to) = (whole(decoder, minuend)?, whole(decoder, subtrahend)?);
            let address = |operand: Operand| operand.home.map_or(0, |(_, address)| address);
            let known = address(from).wrapping_sub(address(to)).cast_signed();
            Difference { from, to, addend: content.wrapping_sub(known) }
        }
    })
}

fn external(decoder: &Decoder<'_, '_>, fields: Fields) -> Decoded<Operand> {
    let symbol = decoder.symbol(fields)?;
    let block = decoder.graph.symbols[symbol.index()].block;
    let address = decoder.object.symbols[symbol.index()].n_value.get(LE);
    let home = decoder.graph.blocks.get(block.index()).map(|_| (block, address));
    Ok(Operand { symbol, inside: 0, home })
}

fn local(decoder: &mut Decoder<'_, '_>, fields: Fields, address: u64) -> Decoded<Operand> {
    let (symbol, inside) = decoder.place(fields, address)?;
    let block = decoder.graph.symbols[symbol.index()].block;
    Ok(Operand { symbol, inside, home: Some((block, address)) })
}

/// The start of a section of one block.
fn whole(decoder: &mut Decoder<'_, '_>, fields: Fields) -> Decoded<Operand> {
    let index = fields.symbol().wrapping_sub(1) as usize;
    let one = decoder.subsections.blocks.get(index).is_some_and(|blocks| blocks.count == 1);
    match decoder.object.sections.get(index).filter(|_| one) {
        Some(section) => local(decoder, fields, section.addr.get(LE)),
        None => Err(decoder.bad_difference(fields, "two places without symbols")),
    }
}

/// Stores a known difference, if it fits.
fn store(decoder: &mut Decoder<'_, '_>, id: BlockId, offset: u32, wide: usize, value: i64) -> bool {
    let field = decoder.address(offset);
    let block = &mut decoder.graph.blocks[id.index()];
    let start = field.wrapping_sub(block.address.0) as usize;
    if let Content::Borrowed(bytes) = block.content {
        block.content = Content::Owned(bytes.to_vec());
    }
    let Content::Owned(bytes) = &mut block.content else { return false };
    let width = 4 + 4 * wide;
    let fits = wide == 1 || i32::try_from(value).is_ok();
    match bytes.get_mut(start..start + width).filter(|_| fits) {
        Some(field) => {
            field.copy_from_slice(&value.to_le_bytes()[..width]);
            true
        }
        None => false,
    }
}
