//! The same rules over the same linked memory, judged by LLVM's `llvm-jitlink` and here.
//!
//! The memory is the reference's own, as it prints it, so that only the check language can differ.

use super::testing::TestImage;
use super::{Arch, check_rule, rules};
use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Output};

const LLVM: &str = "/usr/lib/llvm-22/bin";
const SLAB: u64 = 0x7600_0000;

/// Assembles and links `fixture`.s and compares the verdicts on every rule in it.
fn compare(fixture: &str, arch: Arch, triple: &str) {
    let source =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("src/check/fixtures").join(format!("{fixture}.s"));
    let scratch = tempfile::tempdir().unwrap();
    let object = scratch.path().join(format!("{fixture}.o"));
    assemble(&source, &object, triple);
    let shown = link(&object, &["-show-addrs", "-show-relocated-section-contents"]);
    assert!(shown.status.success(), "{}", String::from_utf8_lossy(&shown.stderr));
    let image = read_image(arch, &String::from_utf8(shown.stdout).unwrap());
    let judged = link(&object, &[&format!("-check={}", source.display())]);
    let theirs = failed_rules(&String::from_utf8(judged.stderr).unwrap());
    let text = std::fs::read_to_string(&source).unwrap();
    let ours = rules::rules(&text, "jitlink-check")
        .iter()
        .filter(|rule| check_rule(rule, &image).is_err())
        .map(|rule| squeezed(&rule.text))
        .collect::<BTreeSet<_>>();
    assert_eq!(ours, theirs);
    assert_eq!(ours, marked_false(&text));
}

fn assemble(source: &Path, object: &Path, triple: &str) {
    let status = Command::new(format!("{LLVM}/llvm-mc"))
        .args([&format!("--triple={triple}"), "-filetype=obj", "-o"])
        .args([object, source])
        .status()
        .expect("llvm-mc of LLVM 22 runs");
    assert!(status.success());
}

fn link(object: &Path, options: &[&str]) -> Output {
    Command::new(format!("{LLVM}/llvm-jitlink"))
        .args(["-noexec", "-abs", "ext=0x7fff12345678", "-slab-allocate", "64Kb", "-slab-page-size", "4096"])
        .args(["-slab-address", &format!("{SLAB:#x}")])
        .args(options)
        .arg(object)
        .output()
        .expect("llvm-jitlink of LLVM 22 runs")
}

/// Rules without their blanks: the two tools join continuation lines differently.
fn squeezed(rule: &str) -> String {
    rule.split_whitespace().collect()
}

/// The rules that the reference calls false or in error, from what it prints.
fn failed_rules(stderr: &str) -> BTreeSet<String> {
    let rule = |line: &str| {
        let (rule, _) =
            line.strip_prefix("Expression '").and_then(|rest| rest.split_once("' is false")).or_else(
                || line.strip_prefix("Error evaluating expression '").and_then(|rest| rest.split_once("': ")),
            )?;
        Some(squeezed(rule))
    };
    stderr.lines().filter_map(rule).collect()
}

/// The rules of each run of comment lines after a `# false:` line.
fn marked_false(text: &str) -> BTreeSet<String> {
    let mut is_false = false;
    let mut marked = BTreeSet::new();
    for line in text.lines() {
        is_false = line.starts_with('#') && (is_false || line == "# false:");
        if let Some(rule) = line.strip_prefix("# jitlink-check:").filter(|_| is_false) {
            marked.insert(squeezed(rule));
        }
    }
    marked
}

/// The linked image out of the reference's listing of addresses and contents.
fn read_image(arch: Arch, listing: &str) -> TestImage {
    let mut image = TestImage::new(arch, SLAB, &[]);
    let mut file = String::new();
    for line in listing.lines() {
        if let Some(name) = line.strip_prefix("File \"") {
            file = name.trim_end_matches("\":").to_owned();
        } else if let Some((name, address)) = named_address(line) {
            add_name(&mut image, &file, line.trim_start(), name, address);
        } else if let Some((address, bytes)) = line.strip_prefix("0x").and_then(|line| line.split_once(':')) {
            add_bytes(&mut image, u64::from_str_radix(address, 16).unwrap(), bytes);
        }
    }
    image
}

fn named_address(line: &str) -> Option<(String, u64)> {
    let (head, rest) = line.split_once(" target addr = 0x")?;
    let name = head.trim_end_matches(':').split('"').nth(1)?;
    Some((name.to_owned(), u64::from_str_radix(rest.split(',').next()?, 16).ok()?))
}

fn add_name(image: &mut TestImage, file: &str, line: &str, name: String, address: u64) {
    let key = (file.to_owned(), name.clone());
    if line.starts_with("Section") {
        image.sections.insert(key, address);
    } else if line.starts_with("GOT") {
        image.got.insert(key, address);
    } else if line.starts_with("Stubs") {
        image.stubs.insert(key, address);
    } else if line.contains("zero-fill") {
        image.absolute.insert(name, address);
    } else {
        image.symbols.insert(name, address);
    }
}

/// Bytes of one line of a dump: three columns each, blank where the line starts or ends in another section.
fn add_bytes(image: &mut TestImage, address: u64, columns: &str) {
    let start = usize::try_from(address - SLAB).unwrap();
    for (index, column) in columns.as_bytes().chunks(3).enumerate() {
        let text = std::str::from_utf8(column).unwrap().trim();
        if let Ok(byte) = u8::from_str_radix(text, 16) {
            let at = start + index;
            image.memory.resize(image.memory.len().max(at + 1), 0);
            image.memory[at] = byte;
        }
    }
}

#[test]
fn elf_x86_64_rules_are_judged_as_the_reference_does() {
    compare("elf_x86_64", Arch::X86_64, "x86_64-linux-gnu");
}

#[test]
fn elf_aarch64_rules_are_judged_as_the_reference_does() {
    compare("elf_aarch64", Arch::Aarch64, "aarch64-linux-gnu");
}

#[test]
fn macho_arm64_rules_are_judged_as_the_reference_does() {
    compare("macho_arm64", Arch::Aarch64, "arm64-apple-darwin");
}
