//! Files that cannot be linked: one clear error that names the file, status 1, never a panic.

use jitlink_test_support::arch::{self, Arch};
use jitlink_test_support::process::{Outcome, run, show};
use jitlink_test_support::toolchain::{Compiler, llvm};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

/// A directory with `good.o` in it, a well-formed object that defines `main`.
fn workshop() -> TempDir {
    let dir = tempfile::tempdir().expect("a directory can be made");
    std::fs::write(dir.path().join("good.c"), "int value = 5;\nint main(void) { return value; }\n").unwrap();
    clang(dir.path(), &["-c", "good.c", "-o", "good.o"]);
    dir
}

fn clang(dir: &Path, args: &[&str]) {
    must(dir, Compiler::Clang.c(Arch::under_test()), args);
}

fn archiver(dir: &Path, args: &[&str]) {
    must(dir, Command::new(llvm("llvm-ar")), args);
}

fn must(dir: &Path, mut command: Command, args: &[&str]) {
    let outcome = run(command.current_dir(dir).args(args), b"").expect("the tool runs");
    assert_eq!(outcome.status, 0, "{}\n{outcome}", show(&command));
}

fn jitlink(dir: &Path, args: &[&str]) -> Outcome {
    let mut command = arch::jitlink(env!("CARGO_BIN_EXE_jitlink"));
    run(command.current_dir(dir).args(args), b"").expect("the command runs")
}

/// `input` is refused with its name, all of `texts`, and nothing else of note.
#[track_caller]
fn refused(dir: &Path, input: &str, texts: &[&str]) {
    let outcome = jitlink(dir, &["-noexec", input]);
    let stderr = outcome.stderr_text();
    assert_eq!(outcome.status, 1, "{outcome}");
    assert!(!stderr.contains("panicked"), "{stderr}");
    assert!(stderr.lines().count() <= 3, "more than one error: {stderr}");
    for text in [input].iter().chain(texts) {
        assert!(stderr.to_lowercase().contains(&text.to_lowercase()), "{text:?} is not in: {stderr}");
    }
}

/// `good.o` with `bytes` put at `offset`.
fn patched(dir: &Path, name: &str, offset: usize, bytes: &[u8]) {
    let mut object = std::fs::read(dir.join("good.o")).unwrap();
    object[offset..offset + bytes.len()].copy_from_slice(bytes);
    std::fs::write(dir.join(name), object).unwrap();
}

#[test]
fn the_good_object_links() {
    let dir = workshop();
    assert_eq!(jitlink(dir.path(), &["-noexec", "good.o"]).status, 0);
    assert_eq!(jitlink(dir.path(), &["good.o"]).status, 5);
}

#[test]
fn empty_file() {
    let dir = workshop();
    std::fs::write(dir.path().join("empty.o"), "").unwrap();
    refused(dir.path(), "empty.o", &["empty"]);
}

#[test]
fn directory() {
    let dir = workshop();
    std::fs::create_dir(dir.path().join("folder.o")).unwrap();
    refused(dir.path(), "folder.o", &["directory"]);
}

#[test]
fn missing_file() {
    refused(workshop().path(), "nowhere.o", &["no such file"]);
}

#[test]
fn unreadable_file() {
    let dir = workshop();
    let path = dir.path().join("good.o");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o000)).unwrap();
    if std::fs::read(&path).is_err() {
        refused(dir.path(), "good.o", &["permission denied"]);
    }
}

#[test]
fn neither_object_nor_script() {
    let dir = workshop();
    std::fs::write(dir.path().join("noise.o"), [0x80u8, 0x03, 0xff, 0x00, 0x12].repeat(100)).unwrap();
    refused(dir.path(), "noise.o", &[]);
}

#[test]
fn source_file() {
    refused(workshop().path(), "good.c", &[]);
}

#[test]
fn truncated_within_the_header() {
    let dir = workshop();
    let object = std::fs::read(dir.path().join("good.o")).unwrap();
    std::fs::write(dir.path().join("cut.o"), &object[..40]).unwrap();
    refused(dir.path(), "cut.o", &[]);
}

#[test]
fn truncated_before_the_section_headers() {
    let dir = workshop();
    let object = std::fs::read(dir.path().join("good.o")).unwrap();
    std::fs::write(dir.path().join("cut.o"), &object[..object.len() - 100]).unwrap();
    refused(dir.path(), "cut.o", &[]);
}

#[test]
fn big_endian() {
    let dir = workshop();
    patched(dir.path(), "big.o", 5, &[2]);
    refused(dir.path(), "big.o", &["big-endian"]);
}

#[test]
fn big_endian_code_for_arm() {
    let dir = workshop();
    clang(dir.path(), &["--target=aarch64_be-linux-gnu", "-c", "good.c", "-o", "big.o"]);
    refused(dir.path(), "big.o", &["big-endian", "little-endian target"]);
}

/// The foreign object is named, and what it does not go with.
#[test]
fn objects_for_two_machines() {
    let dir = workshop();
    clang(dir.path(), &["--target=aarch64-linux-gnu", "-c", "good.c", "-o", "arm.o"]);
    clang(dir.path(), &["--target=x86_64-linux-gnu", "-c", "good.c", "-o", "x86.o"]);
    for (first, second, text) in [
        ("arm.o", "x86.o", "x86.o: an object for x86_64, where arm.o is for aarch64"),
        ("x86.o", "arm.o", "arm.o: an object for aarch64, where x86.o is for x86_64"),
    ] {
        let outcome = jitlink(dir.path(), &["-noexec", first, second]);
        assert_eq!(outcome.status, 1, "{outcome}");
        assert!(outcome.stderr_text().contains(text), "{outcome}");
        assert_eq!(jitlink(dir.path(), &["-noexec", first]).status, 0);
    }
}

#[test]
fn code_for_another_machine_is_not_run() {
    let dir = workshop();
    let foreign = if Arch::under_test() == Arch::Aarch64 { "x86_64" } else { "aarch64" };
    clang(dir.path(), &[&format!("--target={foreign}-linux-gnu"), "-c", "good.c", "-o", "foreign.o"]);
    let outcome = jitlink(dir.path(), &["foreign.o"]);
    assert_eq!(outcome.status, 1, "{outcome}");
    for text in [&format!("code for {foreign} cannot run"), "-noexec"] {
        assert!(outcome.stderr_text().contains(text), "{outcome}");
    }
}

#[test]
fn another_machine() {
    let dir = workshop();
    patched(dir.path(), "riscv.o", 18, &[243, 0]);
    refused(dir.path(), "riscv.o", &["machine"]);
}

#[test]
fn object_for_32_bits() {
    let dir = workshop();
    std::fs::write(dir.path().join("small.s"), ".globl main\nmain: ret\n").unwrap();
    clang(dir.path(), &["--target=i386-linux-gnu", "-c", "small.s", "-o", "small.o"]);
    refused(dir.path(), "small.o", &["32-bit"]);
}

#[test]
fn object_for_x32() {
    let dir = workshop();
    std::fs::write(dir.path().join("small.s"), ".globl main\nmain: ret\n").unwrap();
    clang(dir.path(), &["--target=x86_64-linux-gnux32", "-c", "small.s", "-o", "small.o"]);
    refused(dir.path(), "small.o", &["x32"]);
}

#[test]
fn executable() {
    let dir = workshop();
    clang(dir.path(), &["good.o", "-o", "program"]);
    refused(dir.path(), "program", &["executable"]);
}

#[test]
fn executable_at_fixed_addresses() {
    let dir = workshop();
    clang(dir.path(), &["-no-pie", "good.o", "-o", "program"]);
    refused(dir.path(), "program", &["executable"]);
}

#[test]
fn shared_object_without_section_headers_in_an_archive() {
    let dir = workshop();
    clang(dir.path(), &["-shared", "-fPIC", "good.c", "-o", "lib.so"]);
    archiver(dir.path(), &["rcS", "lib.a", "lib.so"]);
    let outcome = jitlink(dir.path(), &["-noexec", "-all_load", "good.o", "lib.a"]);
    assert_eq!(outcome.status, 1, "{outcome}");
    assert!(outcome.stderr_text().contains("lib.a(lib.so)"), "{outcome}");
}

#[test]
fn llvm_bitcode() {
    let dir = workshop();
    clang(dir.path(), &["-flto", "-c", "good.c", "-o", "bitcode.o"]);
    refused(dir.path(), "bitcode.o", &["bitcode", "-fno-lto"]);
}

#[test]
fn gcc_slim_lto() {
    let dir = workshop();
    let args = ["-flto", "-fno-fat-lto-objects", "-c", "good.c", "-o", "slim.o"];
    let gcc = Compiler::Gcc.c(Arch::under_test());
    let mut archiver = gcc.get_program().to_owned();
    archiver.push("-ar");
    must(dir.path(), gcc, &args);
    refused(dir.path(), "slim.o", &["link-time-optimisation", "-fno-lto"]);
    // Before it seems that nothing defines main, also from an archive.
    must(dir.path(), Command::new(archiver), &["rc", "slim.a", "slim.o"]);
    for (input, name) in [("slim.o", "slim.o"), ("slim.a", "slim.a(slim.o)")] {
        let outcome = jitlink(dir.path(), &[input]);
        assert!(outcome.stderr_text().contains(&format!("{name}: holds only gcc's")), "{outcome}");
    }
}

#[test]
fn gcc_fat_lto_is_linked() {
    let dir = workshop();
    let args = ["-flto", "-ffat-lto-objects", "-c", "good.c", "-o", "fat.o"];
    must(dir.path(), Compiler::Gcc.c(Arch::under_test()), &args);
    let outcome = jitlink(dir.path(), &["fat.o"]);
    assert_eq!(outcome.status, 5, "{outcome}");
}

#[test]
fn relocation_past_its_section() {
    let dir = workshop();
    std::fs::write(dir.path().join("past.s"), ".globl main\nmain: ret\n.reloc 100, BFD_RELOC_64, main\n")
        .unwrap();
    clang(dir.path(), &["-c", "past.s", "-o", "past.o"]);
    refused(dir.path(), "past.o", &[".text", "0x64"]);
}

#[test]
fn section_header_table_offset_out_of_range() {
    let dir = workshop();
    patched(dir.path(), "far.o", 40, &u64::MAX.to_le_bytes());
    refused(dir.path(), "far.o", &[]);
}

#[test]
fn alignment_that_is_no_power_of_two() {
    let dir = workshop();
    let object = std::fs::read(dir.path().join("good.o")).unwrap();
    let table = u64::from_le_bytes(object[40..48].try_into().unwrap()) as usize;
    let count = usize::from(u16::from_le_bytes(object[60..62].try_into().unwrap()));
    let is_text = |index: &usize| object[table + index * 64 + 8] & 4 != 0;
    let text = (0..count).find(is_text).expect("there is a section of code");
    patched(dir.path(), "odd.o", table + text * 64 + 48, &3u64.to_le_bytes());
    refused(dir.path(), "odd.o", &["align"]);
}

#[test]
fn archive_cut_short() {
    let dir = workshop();
    archiver(dir.path(), &["rc", "lib.a", "good.o"]);
    let archive = std::fs::read(dir.path().join("lib.a")).unwrap();
    std::fs::write(dir.path().join("cut.a"), &archive[..archive.len() - 200]).unwrap();
    let outcome = jitlink(dir.path(), &["-noexec", "-all_load", "cut.a"]);
    assert_eq!(outcome.status, 1, "{outcome}");
    assert!(outcome.stderr_text().contains("cut.a"), "{outcome}");
}

#[test]
fn thin_archive_whose_member_is_gone() {
    let dir = workshop();
    archiver(dir.path(), &["--thin", "rc", "thin.a", "good.o"]);
    std::fs::remove_file(dir.path().join("good.o")).unwrap();
    let outcome = jitlink(dir.path(), &["thin.a"]);
    assert_eq!(outcome.status, 1, "{outcome}");
    assert!(outcome.stderr_text().contains("good.o"), "{outcome}");
}

#[test]
fn linker_script_that_names_itself() {
    let dir = workshop();
    std::fs::write(dir.path().join("libself.so"), "INPUT(libself.so)\n").unwrap();
    let outcome = jitlink(dir.path(), &["-noexec", "good.o", "libself.so"]);
    assert!(outcome.status < 2, "{outcome}");
}

#[test]
fn unknown_flag() {
    let outcome = jitlink(workshop().path(), &["-no-such-flag", "good.o"]);
    assert_ne!(outcome.status, 0);
    assert!(outcome.stderr_text().contains("no-such-flag"), "{outcome}");
}

#[test]
fn no_input() {
    let outcome = jitlink(workshop().path(), &[]);
    assert_ne!(outcome.status, 0);
    assert!(!outcome.stderr_text().contains("panicked"), "{outcome}");
}

/// Call frame records of `main`, some part of which is wrong, and what is said about it.
///
/// The parts are the CIE's length, its version, augmentation and augmentation data, then the FDE's length, its CIE pointer,
/// its fields, and what follows.
#[track_caller]
fn refused_frames(parts: [&str; 8], texts: &[&str]) {
    let dir = workshop();
    let [cie_length, version, augmentation, data, fde_length, pointer, fields, rest] = parts;
    let text = format!(
        ".globl main\n.type main, %function\nmain: ret\n.size main, . - main\n\
         .section .eh_frame,\"a\",%progbits\n\
         .Lcie: .long {cie_length}\n.Lid: .long 0\n.byte {version}\n.asciz \"{augmentation}\"\n.byte 1, 0x78, 16\n\
         .byte {data}\n.balign 8\n.Lcie_end:\n\
         .long {fde_length}\n.Lfde: .long {pointer}\n{fields}\n.balign 8\n.Lfde_end:\n{rest}\n"
    );
    std::fs::write(dir.path().join("frames.s"), text).unwrap();
    clang(dir.path(), &["-c", "frames.s", "-o", "frames.o"]);
    refused(dir.path(), "frames.o", texts);
    // Nor is anything of it run.
    assert_eq!(jitlink(dir.path(), &["frames.o"]).status, 1);
}

const FRAMES: [&str; 8] = [
    ".Lcie_end - .Lid",
    "1",
    "zR",
    "1, 0x1b",
    ".Lfde_end - .Lfde",
    ".Lfde - .Lcie",
    ".long main - .\n.long 1\n.byte 0",
    "",
];

/// [`FRAMES`] with part `index` replaced.
fn frames_with(index: usize, part: &'static str) -> [&'static str; 8] {
    let mut parts = FRAMES;
    parts[index] = part;
    parts
}

#[test]
fn call_frame_record_longer_than_its_section() {
    refused_frames(frames_with(0, "0x1000"), &[".eh_frame+0x0", "cut short"]);
    refused_frames(frames_with(4, "0x1000"), &[".eh_frame+0x18", "cut short"]);
    refused_frames(frames_with(4, "0xffffffff"), &[".eh_frame+0x18"]);
    refused_frames(frames_with(7, ".byte 1, 2"), &[".eh_frame+0x30", "cut short"]);
}

#[test]
fn call_frame_record_shorter_than_its_fields() {
    refused_frames(frames_with(0, "6"), &[".eh_frame"]);
    refused_frames(frames_with(4, "8"), &[".eh_frame+0x18"]);
}

#[test]
fn fde_without_its_cie() {
    refused_frames(frames_with(5, "0x1000"), &[".eh_frame+0x18", "CIE"]);
    refused_frames(frames_with(5, "4"), &[".eh_frame+0x18", "CIE"]);
    refused_frames(frames_with(5, ".Lfde - .Lcie - 4"), &[".eh_frame+0x18", "CIE"]);
}

#[test]
fn cie_of_an_unknown_version() {
    refused_frames(frames_with(1, "9"), &[".eh_frame+0x0"]);
}

#[test]
fn cie_with_encodings_that_do_not_exist() {
    refused_frames(frames_with(3, "1, 0x07"), &[".eh_frame+0x0"]);
    refused_frames(frames_with(3, "1, 0xff"), &[".eh_frame+0x0", "encoding"]);
    refused_frames(frames_with(3, "1, 0x4b"), &[".eh_frame+0x0", "encoding"]);
    let mut parts = frames_with(2, "zPR");
    parts[3] = "6, 0x9f, 0, 0, 0, 0, 0x1b";
    refused_frames(parts, &[".eh_frame+0x0"]);
}

#[test]
fn cie_whose_augmentation_data_is_cut_short() {
    refused_frames(frames_with(3, "0x70, 0x1b"), &[".eh_frame+0x0"]);
    let mut parts = frames_with(2, "zPLR");
    parts[3] = "2, 0x9b, 0";
    refused_frames(parts, &[".eh_frame+0x0"]);
}

#[test]
fn personality_and_lsda_out_of_range() {
    let mut parts = frames_with(2, "zPR");
    parts[3] = "6, 0x1b\n.long far - .\n.byte 0x1b";
    parts[7] = ".globl far\n.set far, 0x7000000000000000";
    refused_frames(parts, &[".eh_frame+0x12", "outside"]);
    let mut parts = frames_with(2, "zLR");
    parts[3] = "2, 0x1b, 0x1b";
    parts[6] = ".long main - .\n.long 1\n.byte 4\n.long far - .";
    parts[7] = ".globl far\n.set far, 0x7000000000000000";
    refused_frames(parts, &[".eh_frame+0x", "outside"]);
}

#[test]
fn relocation_on_a_call_frame_records_length() {
    refused_frames(frames_with(7, ".reloc .Lcie, BFD_RELOC_32, main"), &[".eh_frame"]);
}
