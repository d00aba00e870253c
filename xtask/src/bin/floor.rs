//! The floor: the least that a linker into memory can do with these objects.
//!
//! `floor [--time] FILES...` (a file `@LIST` holds the names of more) maps each file, copies the bytes of its allocated
//! sections once into fresh memory, does one 8-byte read and one 4-byte write per relocation of these, and protects the
//! memory. No symbol is looked at. With `--time` it prints what there was and how long it took, without the start and
//! the end of the process.
//!
//! # Safety
//!
//! The files are mapped, as linkers do: nobody may change them meanwhile.
#![allow(unsafe_code)]

use memmap2::{Mmap, MmapMut};
use object::LittleEndian as LE;
use object::elf::{self, FileHeader64, Rela64, SectionHeader64};
use object::read::elf::{FileHeader, SectionHeader};
use std::error::Error;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::time::{Duration, Instant};

fn main() -> Result<(), Box<dyn Error>> {
    let (started, used) = (Instant::now(), cpu_time());
    let mut time = false;
    let mut files = Vec::new();
    for word in std::env::args_os().skip(1) {
        match word.as_bytes() {
            b"--time" => time = true,
            [b'@', list @ ..] => {
                let text = std::fs::read(OsStr::from_bytes(list))?;
                let words = text.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
                files.extend(words.map(|word| OsString::from_vec(word.to_vec())));
            }
            _ => files.push(word),
        }
    }
    let work = work(&files)?;
    if time {
        let (wall, cpu) = (started.elapsed(), cpu_time().saturating_sub(used));
        let Work { relocations, bytes } = work;
        println!("objects {}", files.len());
        println!("relocations {relocations}\nbytes {bytes}");
        println!("wall {}\ncpu {}", wall.as_nanos(), cpu.as_nanos());
    }
    // SAFETY: ends the process, which holds nothing that wants an end of its own.
    unsafe { libc::_exit(0) }
}

struct Work {
    relocations: usize,
    bytes: usize,
}

/// An allocated section with content: where it is in the file, where it goes, and its relocations.
struct Piece<'data> {
    content: &'data [u8],
    at: usize,
    relocations: &'data [Rela64<LE>],
}

fn work(files: &[OsString]) -> Result<Work, Box<dyn Error>> {
    let mapped = files.iter().map(map).collect::<Result<Vec<_>, _>>()?;
    let mut pieces = Vec::with_capacity(files.len() * 4);
    let mut size = 0;
    for data in &mapped {
        size = read(data, size, &mut pieces)?;
    }
    let mut memory = MmapMut::map_anon(size.max(1))?;
    let mut relocations = 0;
    for piece in &pieces {
        let target = memory.get_mut(piece.at..piece.at + piece.content.len()).ok_or("sizes changed")?;
        target.copy_from_slice(piece.content);
        relocations += piece.relocations.len();
        for relocation in piece.relocations {
            apply(target, relocation);
        }
    }
    let bytes = pieces.iter().map(|piece| piece.content.len()).sum();
    std::mem::forget(memory.make_exec()?);
    std::mem::forget(mapped);
    Ok(Work { relocations, bytes })
}

/// One 8-byte read, one 4-byte write.
fn apply(target: &mut [u8], relocation: &Rela64<LE>) {
    let at = relocation.r_offset.get(LE) as usize;
    if let Some(field) = target.get_mut(at..).and_then(|rest| rest.first_chunk_mut::<4>()) {
        *field = (at as u32).to_le_bytes();
    }
}

fn map(name: &OsString) -> Result<Mmap, Box<dyn Error>> {
    let file = File::open(name).map_err(|error| format!("{}: {error}", name.display()))?;
    // SAFETY: see the module's comment.
    Ok(unsafe { Mmap::map(&file) }?)
}

/// Adds what an object has to `pieces`, from `size` on, and returns the size with it.
fn read<'data>(data: &'data Mmap, mut size: usize, pieces: &mut Vec<Piece<'data>>) -> object::Result<usize> {
    let data: &[u8] = data;
    let header = FileHeader64::<LE>::parse(data)?;
    let sections: &[SectionHeader64<LE>] = header.section_headers(LE, data)?;
    let first = pieces.len();
    // Which piece a section is, counted from `first`, plus one.
    let mut numbers = vec![0_u32; sections.len()];
    for (section, number) in sections.iter().zip(&mut numbers) {
        if !section.sh_flags(LE).contains(elf::SHF_ALLOC) {
            continue;
        }
        size = size.next_multiple_of(section.sh_addralign(LE).max(1) as usize);
        let content = section.data(LE, data)?;
        pieces.push(Piece { content, at: size, relocations: &[] });
        *number = (pieces.len() - first) as u32;
        let zero_fill = section.sh_type(LE) == elf::SHT_NOBITS;
        size += if zero_fill { section.sh_size(LE) as usize } else { content.len() };
    }
    for section in sections.iter().filter(|section| section.sh_type(LE) == elf::SHT_RELA) {
        let number = numbers.get(section.sh_info(LE) as usize).copied().unwrap_or(0);
        if let (Some(number), Some((table, _))) = (number.checked_sub(1), section.rela(LE, data)?) {
            pieces[first + number as usize].relocations = table;
        }
    }
    Ok(size)
}

fn cpu_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: writes one `timespec`.
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut time) };
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}
