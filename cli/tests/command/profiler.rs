//! `-perf-support`: what `perf` is told, read back here, and by `perf` itself where this machine lets it count.

use crate::bench::Bench;
use jitlink_test_support::arch::{self, Arch};
use jitlink_test_support::process::{Outcome, run};
use std::collections::HashMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

const PROGRAM: &str = "#include <stdio.h>
#include <unistd.h>
__attribute__((noinline)) unsigned long spin_inner(unsigned long n) {
    unsigned long s = 0;
    for (unsigned long i = 0; i < n; i++) s = s * 31 + i;
    return s;
}
__attribute__((noinline)) static unsigned long spin_outer(unsigned long n) {
    return spin_inner(n) + spin_inner(n + 1) + 1;
}
int main(void) {
    fprintf(stderr, \"%lu\", spin_outer(20000000));
    printf(\"%d %p %p\\n\", getpid(), (void *)main, (void *)spin_inner);
    return 0;
}
";

struct Profiled {
    bench: Bench,
    outcome: Outcome,
    process: u32,
    /// Of `main` and `spin_inner`.
    addresses: [u64; 2],
}

/// Runs the program under a command.
fn profiled(prefix: &[&str], flags: &[&str]) -> Profiled {
    let bench = Bench::new();
    bench.build_with("spin.c", PROGRAM, &[&["-O1", "-fPIC"], flags].concat());
    let jitlink = arch::jitlink(env!("CARGO_BIN_EXE_jitlink"));
    let mut words = prefix.iter().map(OsStr::new).chain([jitlink.get_program()]).chain(jitlink.get_args());
    let mut command = Command::new(words.next().unwrap());
    command.args(words).args(["spin.o", "-perf-support"]);
    let outcome = run(command.current_dir(bench.path("")), b"").unwrap();
    let text = outcome.stdout_text();
    let mut words = text.split_whitespace();
    let process = words.next().unwrap_or_else(|| panic!("{outcome}")).parse().unwrap();
    let mut address = || u64::from_str_radix(words.next().unwrap().trim_start_matches("0x"), 16).unwrap();
    let addresses = [address(), address()];
    Profiled { bench, outcome, process, addresses }
}

impl Profiled {
    fn map(&self) -> PathBuf {
        format!("/tmp/perf-{}.map", self.process).into()
    }

    fn dump(&self) -> Vec<u8> {
        std::fs::read(self.bench.path(&format!("jit-{}.dump", self.process))).unwrap()
    }
}

impl Drop for Profiled {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(self.map());
    }
}

fn number<const N: usize>(bytes: &[u8], at: usize) -> u64 {
    let mut word = [0; 8];
    word[..N].copy_from_slice(&bytes[at..at + N]);
    u64::from_le_bytes(word)
}

fn string(bytes: &[u8]) -> String {
    String::from_utf8(bytes.split(|byte| *byte == 0).next().unwrap().to_vec()).unwrap()
}

#[test]
fn the_dump_and_the_map_tell_of_all_functions() {
    let profiled = profiled(&[], &["-g"]);
    let dump = profiled.dump();
    // linux/tools/perf/Documentation/jitdump-specification.txt.
    let machine = if Arch::under_test() == Arch::X86_64 { 62 } else { 183 };
    assert_eq!([0, 4, 8, 12].map(|at| number::<4>(&dump, at)), [0x4a69_5444, 1, 40, machine]);
    assert_eq!(number::<4>(&dump, 20), u64::from(profiled.process));
    let (mut time, mut rest) = (number::<8>(&dump, 24), &dump[40..]);
    let (mut functions, mut lines, mut frames) = (HashMap::new(), HashMap::new(), None);
    while !rest.is_empty() {
        let (record, others) = rest.split_at(number::<4>(rest, 4) as usize);
        rest = others;
        assert!(number::<8>(record, 8) >= time, "time goes on");
        time = number::<8>(record, 8);
        let [a, b, c] = [16, 24, 32].map(|at| number::<8>(record, at));
        match number::<4>(record, 0) {
            0 => {
                assert_eq!(number::<4>(record, 16), u64::from(profiled.process));
                assert_eq!((b, number::<8>(record, 48)), (c, functions.len() as u64));
                let size = number::<8>(record, 40);
                let name = string(&record[56..]);
                let code = &record[record.len() - size as usize..];
                assert!(code.iter().any(|byte| *byte != 0), "{name}");
                let has_frames = frames.take().is_some();
                functions.insert(name, (b, size, has_frames));
            }
            2 => {
                // One entry after the other: address, line, discriminator, file.
                let mut at = 32;
                for _ in 0..b {
                    let file = string(&record[at + 16..]);
                    lines
                        .entry(a)
                        .or_insert_with(Vec::new)
                        .push((number::<8>(record, at), number::<4>(record, at + 8)));
                    assert!(file.ends_with("spin.c"), "{file}");
                    at += 16 + file.len() + 1;
                }
            }
            4 => {
                assert!(b < a && c == 0 && record.len() as u64 == 40 + a, "{a} {b} {c}");
                frames = Some(());
            }
            kind => panic!("record of type {kind}"),
        }
    }
    for (name, address) in ["main", "spin_inner"].into_iter().zip(profiled.addresses) {
        assert_eq!((functions[name].0, functions[name].2), (address, true), "{name}");
    }
    let (outer, size, _) = functions["spin_outer"];
    let numbers: Vec<u64> = lines[&outer].iter().map(|(_, line)| *line).collect();
    assert!(numbers.iter().all(|line| (8..=10).contains(line)) && !numbers.is_empty(), "{numbers:?}");
    assert!(lines[&outer].iter().all(|(address, _)| (outer..outer + size).contains(address)));
    let map = std::fs::read_to_string(profiled.map()).unwrap();
    let line =
        |(name, (address, size, _)): (&String, &(u64, u64, bool))| format!("{address:x} {size:x} {name}");
    let mut expected: Vec<String> = functions.iter().map(line).collect();
    let mut found: Vec<&str> = map.lines().collect();
    expected.sort_unstable();
    found.sort_unstable();
    assert_eq!(found, expected);
}

/// Whether `perf` can count here: that takes a kernel, and permission, that not every machine has.
fn can_count(dir: &Path) -> bool {
    let mut command = Command::new("perf");
    command.args(["record", "-e", "cpu-clock", "-o", "probe.data", "true"]).current_dir(dir);
    let outcome = run(&mut command, b"");
    let can = outcome.as_ref().is_ok_and(|outcome| outcome.status == 0);
    if !can {
        eprintln!("perf cannot count on this machine: {outcome:?}");
    }
    can
}

#[test]
fn perf_reports_function_names() {
    let probe = tempfile::tempdir().unwrap();
    if Arch::under_test() != Arch::X86_64 || cfg!(not(target_arch = "x86_64")) || !can_count(probe.path()) {
        return;
    }
    let record = ["perf", "record", "-q", "-k", "mono", "-e", "cpu-clock", "-F", "1000", "-o", "perf.data"];
    let profiled = profiled(&record, &["-g"]);
    assert_eq!(profiled.outcome.status, 0, "{}", profiled.outcome);
    let bench = &profiled.bench;
    let tool = |words: &[&str]| {
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).current_dir(bench.path(""));
        run(&mut command, b"").unwrap().success().unwrap().stdout_text()
    };
    let report = |file: &str| tool(&["perf", "report", "-i", file, "--stdio", "--sort", "dso,symbol"]);
    let map = report("perf.data");
    assert!(map.contains("[.] spin_inner"), "by the map:\n{map}");
    tool(&["perf", "inject", "--jit", "-i", "perf.data", "-o", "jit.data"]);
    let dump = report("jit.data");
    let line = dump
        .lines()
        .find(|line| line.contains("[.] spin_inner"))
        .unwrap_or_else(|| panic!("by the dump:\n{dump}"));
    let object =
        line.split_whitespace().find(|word| word.starts_with("jitted-")).unwrap_or_else(|| panic!("{line}"));
    // The code is at 0x80 in the files that perf makes; what it makes of the frames is read by another tool.
    let frames = tool(&["readelf", "--debug-dump=frames", object]);
    assert!(frames.contains("pc=0000000000000080..00000000000000"), "{frames}");
    let lines = tool(&["readelf", "--debug-dump=decodedline", object]);
    assert!(lines.contains("spin.c") && lines.contains("0x80"), "{lines}");
}
