//! What a profiler is told of an image: records of `perf`'s jitdump format (tools/perf/Documentation in Linux's sources), as
//! far as they can be written ahead. Times, and who writes them, are filled in when they are written.
//!
//! Each function is three records: source lines, if there are any; call frame records, if it has any; the code. `perf`
//! makes an ELF file of each, where the code is followed, at the next multiple of eight, by `.eh_frame` and that by
//! `.eh_frame_hdr`.

mod functions;
mod unwinding;

use super::dwarf::Lines;
use super::object::DebugObject;
use crate::link::LinkView;
use functions::{Function, functions};
use unwinding::Unwinding;

/// Record types.
const CODE_LOAD: u32 = 0;
const DEBUG_INFO: u32 = 2;
const UNWINDING_INFO: u32 = 4;

/// The records for all functions of an image.
pub(crate) fn records(view: &LinkView<'_, '_>) -> Vec<u8> {
    let mut out = Vec::new();
    let unwinding = Unwinding::of(view);
    for graph in 0..view.graphs().len() {
        let functions = functions(view, graph);
        let lines =
            DebugObject::of(view, graph).filter(|_| !functions.is_empty()).map(|object| object.bytes());
        let lines = lines.as_deref().and_then(Lines::read);
        for function in functions {
            if let Some(lines) = &lines {
                add_lines(&mut out, &function, lines);
            }
            if let Some(unwinding) = unwinding.as_ref().and_then(|all| all.of_function(&function)) {
                add_unwinding(&mut out, &unwinding);
            }
            add_code(&mut out, &function);
        }
    }
    out
}

/// A record whose contents `fill` adds; its size is set afterwards.
fn record(out: &mut Vec<u8>, kind: u32, fill: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend(kind.to_le_bytes());
    // The size, and the time.
    out.extend([0; 12]);
    fill(out);
    out.resize(out.len().next_multiple_of(8), 0);
    let size = (out.len() - start) as u32;
    out[start + 4..start + 8].copy_from_slice(&size.to_le_bytes());
}

fn add_code(out: &mut Vec<u8>, function: &Function<'_>) {
    // Code may be as large as it wants, a record may not.
    if function.code.len() > u32::MAX as usize / 2 {
        return;
    }
    let start = out.len();
    record(out, CODE_LOAD, |out| {
        // Process and thread.
        out.extend([0; 8]);
        out.extend(words([function.address, function.address, function.code.len() as u64]));
        // The record's number.
        out.extend([0; 8]);
        out.extend(function.name.bytes().filter(|byte| *byte != 0));
        out.push(0);
        // The code ends the record, which is how it is found: what fills the record up comes before it.
        let size = out.len() - start + function.code.len();
        out.resize(out.len() + size.next_multiple_of(8) - size, 0);
        out.extend(function.code);
    });
}

fn add_lines(out: &mut Vec<u8>, function: &Function<'_>, lines: &Lines) {
    let entries = lines.between(function.address, function.code.len() as u64);
    if entries.is_empty() {
        return;
    }
    record(out, DEBUG_INFO, |out| {
        out.extend(words([function.address, entries.len() as u64]));
        for (address, line, file) in entries {
            out.extend(address.to_le_bytes());
            out.extend(line.to_le_bytes());
            // No discriminator.
            out.extend([0; 4]);
            out.extend(file.bytes().filter(|byte| *byte != 0));
            out.push(0);
        }
    });
}

fn add_unwinding(out: &mut Vec<u8>, unwinding: &unwinding::OfFunction) {
    record(out, UNWINDING_INFO, |out| {
        let size = (unwinding.frames.len() + unwinding.header.len()) as u64;
        // None of it is in memory behind the code: there is the next function. `perf` reads it from the file it makes.
        const MAPPED_SIZE: u64 = 0;
        out.extend(words([size, unwinding.header.len() as u64, MAPPED_SIZE]));
        out.extend(&unwinding.frames);
        out.extend(&unwinding.header);
    });
}

fn words<const N: usize>(words: [u64; N]) -> impl Iterator<Item = u8> {
    words.into_iter().flat_map(u64::to_le_bytes)
}
