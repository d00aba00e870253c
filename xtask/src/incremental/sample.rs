//! The object that is linked, and the library that is loaded, each time under another name and with another number.

use crate::Outcome;
use crate::place;
use jitlink_test_support::process::{Outcome as Ended, run, show};
use object::LittleEndian as LE;
use object::elf::{self, FileHeader64};
use object::read::elf::{FileHeader, SectionHeader};
use std::process::Command;

const SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/incremental/sample.s");
const NAME: &[u8] = b"f000000";
const NUMBER: [u8; 4] = 0x5555_5555_u32.to_le_bytes();

/// A file with a function `f000000` that returns a number.
pub(super) struct Sample {
    bytes: Vec<u8>,
    names: Vec<usize>,
    number: usize,
}

impl Sample {
    /// As an object.
    pub(super) fn assembled() -> Outcome<Self> {
        Self::made(&["-c"])
    }

    /// As a shared library; the function keeps its name, since the library's hash table knows it by that.
    pub(super) fn library() -> Outcome<Self> {
        let made = Self::made(&["-shared", "-nostdlib", "-fuse-ld=lld", "-lc"])?;
        Ok(Self { names: Vec::new(), ..made })
    }

    fn made(flags: &[&str]) -> Outcome<Self> {
        let scratch = tempfile::tempdir().map_err(|error| error.to_string())?;
        let out = scratch.path().join("sample");
        let mut command = Command::new(place::llvm("clang", "clang-22")?);
        command.args(["--target=x86_64-linux-gnu", SOURCE, "-o"]).arg(&out).args(flags);
        run(&mut command, b"")
            .and_then(Ended::success)
            .map_err(|what| format!("{}\n{what}", show(&command)))?;
        let bytes = place::at(&out, std::fs::read(&out))?;
        let places = |what: &[u8]| -> Vec<usize> {
            bytes
                .windows(what.len())
                .enumerate()
                .filter(|(_, bytes)| *bytes == what)
                .map(|(at, _)| at)
                .collect()
        };
        let (names, numbers) = (places(NAME), places(&NUMBER));
        let &[number] = &numbers[..] else { return Err("the sample has no one number".to_owned()) };
        Ok(Self { names, number, bytes })
    }

    /// The file for this index.
    pub(super) fn with(&mut self, index: usize) -> &[u8] {
        let name = Self::name(index);
        for &at in &self.names {
            self.bytes[at..at + NAME.len()].copy_from_slice(name.as_bytes());
        }
        self.bytes[self.number..self.number + 4].copy_from_slice(&(index as u32).to_le_bytes());
        &self.bytes
    }

    /// The name of its function.
    pub(super) fn name(index: usize) -> String {
        format!("f{index:06}")
    }

    /// Bytes of its allocated sections.
    pub(super) fn size(&self) -> u64 {
        let sections =
            FileHeader64::<LE>::parse(&*self.bytes).and_then(|file| file.sections(LE, &*self.bytes));
        let allocated = |sections: object::read::elf::SectionTable<'_, FileHeader64<LE>>| {
            let all = sections.iter().filter(|section| section.sh_flags(LE).contains(elf::SHF_ALLOC));
            all.map(|section| section.sh_size(LE)).sum()
        };
        sections.map(allocated).unwrap_or(0)
    }

    /// The file as it was made, with nothing put in.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}
