//! The decoders against LLVM's own, as recorded in `x86_64.operands` and `aarch64.operands`.
//!
//! A row is `bytes | operands | assembly`; an operand is `r` for a register or a number. To renew the right two columns
//! from LLVM 22's `llvm-mc` after adding rows: `JITLINK_BLESS=1 cargo test -p jitlink-cli operand_table`.

use super::super::Arch;
use super::{Operand, decode, length};
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

const LLVM_MC: &str = "/usr/lib/llvm-22/bin/llvm-mc";

struct Row {
    bytes: Vec<u8>,
    operands: Vec<Operand>,
    assembly: String,
}

fn parse_row(line: &str) -> Row {
    let [bytes, operands, assembly] = line.splitn(3, '|').map(str::trim).collect::<Vec<_>>()[..] else {
        panic!("row without three columns: {line}")
    };
    let bytes = bytes.split_whitespace().map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect();
    let operands = operands.split_whitespace().map(parse_operand).collect();
    Row { bytes, operands, assembly: assembly.to_owned() }
}

fn parse_operand(text: &str) -> Operand {
    if text == "r" { Operand::Register } else { Operand::Immediate(text.parse().unwrap()) }
}

fn is_row(line: &str) -> bool {
    !line.is_empty() && !line.starts_with('#')
}

/// Registers after the last immediate are left out: no index is off by them, and LLVM ties some that Intel does not.
fn up_to_last_immediate(mut operands: Vec<Operand>) -> Vec<Operand> {
    while operands.last() == Some(&Operand::Register) {
        operands.pop();
    }
    operands
}

fn check_table(arch: Arch, file: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/check/decode").join(file);
    let mut text = std::fs::read_to_string(&path).unwrap();
    if std::env::var_os("JITLINK_BLESS").is_some() {
        text = bless(arch, &text);
        std::fs::write(&path, &text).unwrap();
    }
    let rows: Vec<Row> = text.lines().filter(|line| is_row(line)).map(parse_row).collect();
    assert!(rows.len() > 60, "{} rows", rows.len());
    for row in rows {
        check_row(arch, &row);
    }
}

fn check_row(arch: Arch, row: &Row) {
    let decoded = decode(arch, &row.bytes).unwrap_or_else(|why| panic!("{}: {why}", row.assembly));
    assert_eq!(
        up_to_last_immediate(decoded.operands),
        up_to_last_immediate(row.operands.clone()),
        "{} ({:02x?})",
        row.assembly,
        row.bytes
    );
    let is_lock_alone = row.assembly == "lock";
    let expected = if is_lock_alone { 1 } else { row.bytes.len() };
    assert_eq!(length(arch, &row.bytes), Ok(expected), "{}", row.assembly);
}

fn bless(arch: Arch, text: &str) -> String {
    text.lines().fold(String::new(), |mut renewed, line| {
        let line = if is_row(line) { renew(arch, line) } else { line.to_owned() };
        let _ = writeln!(renewed, "{line}");
        renewed
    })
}

fn renew(arch: Arch, line: &str) -> String {
    let bytes = line.split('|').next().unwrap_or_default().trim();
    let shown = disassemble(arch, bytes);
    let (assembly, rest) = shown.split_once("<MCInst").unwrap_or_else(|| panic!("{bytes}: {shown}"));
    let first = rest.split_once(">\n\t").map_or(rest, |(first, _)| first);
    let operands: Vec<&str> = first.split("<MCOperand ").skip(1).map(operand_column).collect();
    let assembly =
        assembly.trim_end_matches(['#', '/', ' ']).split_whitespace().collect::<Vec<_>>().join(" ");
    format!("{bytes} | {} | {assembly}", operands.join(" "))
}

fn operand_column(operand: &str) -> &str {
    match operand.strip_prefix("Imm:") {
        Some(value) => value.split('>').next().unwrap_or_default(),
        None => "r",
    }
}

fn disassemble(arch: Arch, bytes: &str) -> String {
    let triple = match arch {
        Arch::X86_64 => "--triple=x86_64",
        Arch::Aarch64 => "--triple=aarch64",
    };
    let mut child = Command::new(LLVM_MC)
        .args([triple, "--disassemble", "-show-inst"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let input: String = bytes.split_whitespace().map(|byte| format!("0x{byte} ")).collect();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap()
}

#[test]
fn x86_64_operand_table_holds() {
    check_table(Arch::X86_64, "x86_64.operands");
}

#[test]
fn aarch64_operand_table_holds() {
    check_table(Arch::Aarch64, "aarch64.operands");
}

#[test]
fn no_instruction_is_an_error() {
    assert!(decode(Arch::X86_64, &[]).is_err());
    assert!(decode(Arch::X86_64, &[0xe8, 0, 0]).is_err());
    assert!(length(Arch::X86_64, &[0x06]).is_err());
    assert!(decode(Arch::Aarch64, &[0, 0, 0]).is_err());
    assert!(decode(Arch::Aarch64, &[0, 0, 0, 0]).is_err());
    assert!(length(Arch::Aarch64, &[0x1f, 0x20, 0x03]).is_err());
}

/// A fixed stream of bytes that look random.
fn noise(count: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    std::iter::repeat_with(next).take(count).collect()
}

#[test]
fn any_bytes_decode_or_are_an_error() {
    let noise = noise(100_000);
    let heads: [&[u8]; 6] = [&[], &[0xd5], &[0x66, 0xd5], &[0x62, 0xf4], &[0xf0], &[0x62]];
    for window in noise.windows(16) {
        for head in heads {
            let bytes = [head, window].concat();
            if decode(Arch::X86_64, &bytes).is_ok() {
                assert!((1..=bytes.len()).contains(&length(Arch::X86_64, &bytes).unwrap()), "{bytes:02x?}");
            }
        }
        let _ = decode(Arch::Aarch64, window);
    }
}
