//! What an input is, by its first bytes; and for what cannot be linked, what to do instead.

use object::elf::{self, Machine};
use object::macho;

use crate::base::{Error, Place};
use crate::formats::macho::machine::Machine as MachMachine;
use crate::graph::Architecture;

/// What a file or an archive member is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InputKind {
    /// A relocatable ELF object: 64-bit, little-endian.
    Elf64Relocatable {
        /// `e_machine`.
        machine: u16,
    },
    /// An ELF shared library, or a position-independent executable (which only its dynamic section tells apart).
    ElfShared {
        /// `e_machine`.
        machine: u16,
    },
    /// An ELF executable of fixed address.
    ElfExecutable {
        /// `e_machine`.
        machine: u16,
    },
    /// An ELF core dump.
    ElfCore,
    /// An ELF file of another type.
    ElfOther {
        /// `e_type`.
        file_type: u16,
    },
    /// A 32-bit ELF file.
    Elf32 {
        /// `e_machine`.
        machine: u16,
    },
    /// A 32-bit ELF file for x86-64 (the x32 ABI).
    ElfX32,
    /// A big-endian ELF file.
    ElfBigEndian,
    /// A relocatable Mach-O object: 64-bit, little-endian.
    MachObject {
        /// `cputype`.
        cpu: u32,
    },
    /// A Mach-O dynamic library, bundle or library stub.
    MachDylib {
        /// `cputype`.
        cpu: u32,
    },
    /// A Mach-O executable.
    MachExecutable {
        /// `cputype`.
        cpu: u32,
    },
    /// A Mach-O file of another type.
    MachOther {
        /// `filetype`.
        file_type: u32,
    },
    /// A 32-bit or big-endian Mach-O file.
    MachUnsupported,
    /// A universal Mach-O file: one slice per architecture.
    MachUniversal,
    /// An archive.
    Archive,
    /// An archive that names its members instead of holding them.
    ThinArchive,
    /// LLVM bitcode, bare or wrapped.
    Bitcode,
    /// Text: a linker script, perhaps.
    Text,
    /// A text-based stub of a Mach-O dynamic library.
    Tbd,
    /// A WebAssembly module or object.
    Wasm,
    /// A COFF object or PE image.
    Coff,
    /// No bytes at all.
    Empty,
    /// Starts like an ELF, Mach-O or archive file, and ends within its header.
    Truncated,
    /// None of these.
    Unknown,
}

/// Says what `bytes` are. Looks at headers only.
#[must_use]
pub fn classify(bytes: &[u8]) -> InputKind {
    match bytes {
        [] => InputKind::Empty,
        [0x7f, b'E', b'L', b'F', ..] => classify_elf(bytes),
        [0xcf, 0xfa, 0xed, 0xfe, ..] => classify_macho(bytes),
        [0xce, 0xfa, 0xed, 0xfe, ..] | [0xfe, 0xed, 0xfa, 0xce | 0xcf, ..] => InputKind::MachUnsupported,
        [0xca, 0xfe, 0xba, 0xbe | 0xbf, ..] => classify_universal(bytes),
        _ if bytes.starts_with(b"!<arch>\n") => InputKind::Archive,
        _ if bytes.starts_with(b"!<thin>\n") => InputKind::ThinArchive,
        [b'B', b'C', 0xc0, 0xde, ..] | [0xde, 0xc0, 0x17, 0x0b, ..] => InputKind::Bitcode,
        [0, b'a', b's', b'm', ..] => InputKind::Wasm,
        _ if is_coff(bytes) => InputKind::Coff,
        _ if is_tbd(bytes) => InputKind::Tbd,
        _ if is_header_start(bytes) => InputKind::Truncated,
        _ if is_text(bytes) => InputKind::Text,
        _ => InputKind::Unknown,
    }
}

fn classify_elf(bytes: &[u8]) -> InputKind {
    let (Some(&class), Some(&data)) = (bytes.get(4), bytes.get(5)) else { return InputKind::Truncated };
    if data == elf::ELFDATA2MSB.0 {
        return InputKind::ElfBigEndian;
    }
    let (Some(file_type), Some(machine)) = (u16_at(bytes, 16), u16_at(bytes, 18)) else {
        return InputKind::Truncated;
    };
    let header_size = if class == elf::ELFCLASS32.0 { 52 } else { 64 };
    if bytes.len() < header_size {
        return InputKind::Truncated;
    }
    if class == elf::ELFCLASS32.0 {
        let x32 = Machine(machine) == elf::EM_X86_64;
        return if x32 { InputKind::ElfX32 } else { InputKind::Elf32 { machine } };
    }
    if class != elf::ELFCLASS64.0 || data != elf::ELFDATA2LSB.0 {
        return InputKind::Unknown;
    }
    match elf::FileType(file_type) {
        elf::ET_REL => InputKind::Elf64Relocatable { machine },
        elf::ET_DYN => InputKind::ElfShared { machine },
        elf::ET_EXEC => InputKind::ElfExecutable { machine },
        elf::ET_CORE => InputKind::ElfCore,
        _ => InputKind::ElfOther { file_type },
    }
}

fn classify_macho(bytes: &[u8]) -> InputKind {
    let (Some(cpu), Some(file_type)) = (u32_at(bytes, 4), u32_at(bytes, 12)) else {
        return InputKind::Truncated;
    };
    if bytes.len() < 32 {
        return InputKind::Truncated;
    }
    match macho::FileType(file_type) {
        macho::MH_OBJECT => InputKind::MachObject { cpu },
        macho::MH_DYLIB | macho::MH_DYLIB_STUB | macho::MH_BUNDLE => InputKind::MachDylib { cpu },
        macho::MH_EXECUTE => InputKind::MachExecutable { cpu },
        _ => InputKind::MachOther { file_type },
    }
}

/// Java class files share the universal magic; their version, where the count of slices would be, is at least 45.
fn classify_universal(bytes: &[u8]) -> InputKind {
    match bytes.get(4..8) {
        None => InputKind::Truncated,
        Some([0, 0, 0, count]) if *count < 45 => InputKind::MachUniversal,
        Some(_) => InputKind::Unknown,
    }
}

/// COFF objects have no magic: the first field is the machine, the second the number of sections. Import members and
/// big objects start with a machine of 0 and a section count of 0xffff instead.
fn is_coff(bytes: &[u8]) -> bool {
    const MACHINES: [u16; 5] = [0x8664, 0xaa64, 0xa641, 0x014c, 0x01c4];
    let machine = u16_at(bytes, 0).unwrap_or(0);
    let pe = bytes.starts_with(b"MZ") && u32_at(bytes, 60).is_some_and(|at| signature_at(bytes, at));
    pe || (bytes.len() >= 20 && (MACHINES.contains(&machine) || bytes.starts_with(&[0, 0, 0xff, 0xff])))
}

/// Text stubs begin with a tag, and since their fifth version with one of two keys, which come in either order.
fn is_tbd(bytes: &[u8]) -> bool {
    let is_json = || {
        let body = bytes.strip_prefix(b"{").map(<[u8]>::trim_ascii_start);
        body.is_some_and(|body| {
            [&b"\"main_library\""[..], b"\"tapi_tbd_version\""].iter().any(|key| body.starts_with(key))
        })
    };
    bytes.starts_with(b"--- !tapi") || bytes.starts_with(b"---\narchs:") || is_json()
}

fn signature_at(bytes: &[u8], offset: u32) -> bool {
    let start = usize::try_from(offset).unwrap_or(usize::MAX);
    bytes.get(start..).is_some_and(|tail| tail.starts_with(b"PE\0\0"))
}

/// Whether the few bytes there are begin the magic of a format that can be linked.
fn is_header_start(bytes: &[u8]) -> bool {
    let magics: [&[u8]; 3] = [b"\x7fELF", b"\xcf\xfa\xed\xfe", b"!<arch>\n"];
    magics.iter().any(|magic| magic.starts_with(bytes))
}

/// Judged by the first bytes: UTF-8, and no controls but the usual white space.
fn is_text(bytes: &[u8]) -> bool {
    let start = bytes.get(..512).unwrap_or(bytes);
    let is_utf8 = match std::str::from_utf8(start) {
        Ok(_) => true,
        Err(error) => error.error_len().is_none(),
    };
    is_utf8 && start.iter().all(|&byte| byte >= b' ' && byte != 0x7f || byte.is_ascii_whitespace())
}

fn u16_at(bytes: &[u8], offset: usize) -> Option<u16> {
    bytes.get(offset..)?.first_chunk().map(|chunk| u16::from_le_bytes(*chunk))
}

fn u32_at(bytes: &[u8], offset: usize) -> Option<u32> {
    bytes.get(offset..)?.first_chunk().map(|chunk| u32::from_le_bytes(*chunk))
}

impl InputKind {
    /// Whether this is a relocatable object in a format that can be linked.
    #[must_use]
    pub fn is_object(self) -> bool {
        matches!(self, Self::Elf64Relocatable { .. } | Self::MachObject { .. })
    }

    /// Whether this is code or data of some compiler that cannot be linked, so that leaving it out would be missed.
    #[must_use]
    pub fn is_refused_code(self) -> bool {
        !self.is_object() && !matches!(self, Self::Text | Self::Tbd | Self::Empty | Self::Unknown)
    }

    /// The error for an input of this kind where an object is due: what it is, and what to do instead.
    #[cold]
    #[must_use]
    pub fn refuse(self, place: Place) -> Error {
        let (what, help) = self.refusal();
        match help {
            "" => Error::malformed(place, what),
            _ => Error::unsupported(place, what, help),
        }
    }

    fn refusal(self) -> (String, &'static str) {
        match self {
            Self::Elf64Relocatable { machine } => {
                (format!("is an object for {}", machine_name(machine)), FOR_THIS_MACHINE)
            }
            Self::Elf32 { machine } => {
                (format!("is a 32-bit ELF file for {}", machine_name(machine)), COMPILE_64)
            }
            Self::ElfX32 => {
                ("is a 32-bit ELF file for the x32 ABI".into(), "compile with -m64 instead of -mx32")
            }
            Self::ElfBigEndian => ("is a big-endian ELF file".into(), COMPILE_LITTLE),
            Self::ElfShared { .. } => {
                ("is a shared library or position-independent executable".into(), PASS_OBJECTS)
            }
            Self::ElfExecutable { .. } => ("is an executable".into(), PASS_OBJECTS),
            Self::ElfCore => ("is a core dump".into(), PASS_OBJECTS),
            Self::ElfOther { file_type } => (format!("is an ELF file of type {file_type:#x}"), PASS_OBJECTS),
            Self::MachObject { cpu } => {
                (format!("is a Mach-O object for {}", cpu_name(cpu)), FOR_THIS_MACHINE)
            }
            Self::MachDylib { .. } => ("is a Mach-O dynamic library".into(), PASS_OBJECTS),
            Self::MachExecutable { .. } => ("is a Mach-O executable".into(), PASS_OBJECTS),
            Self::MachOther { file_type } => {
                (format!("is a Mach-O file of type {file_type:#x}"), PASS_OBJECTS)
            }
            Self::MachUnsupported => ("is a 32-bit or big-endian Mach-O file".into(), COMPILE_64),
            Self::MachUniversal => {
                ("is a universal Mach-O file".into(), "take a slice out with llvm-lipo -thin")
            }
            Self::Archive | Self::ThinArchive => ("is an archive inside an archive".into(), FLATTEN),
            Self::Bitcode => ("is LLVM bitcode, not an object".into(), NO_LTO),
            Self::Text => ("is text, not an object".into(), "compile or assemble it first"),
            Self::Tbd => {
                ("is a text-based library stub, not an object".into(), "pass it as a library, with -l")
            }
            Self::Wasm => ("is WebAssembly, not native code".into(), FOR_THIS_MACHINE),
            Self::Coff => (
                "is a COFF or PE file".into(),
                "compile with --target=x86_64-linux-gnu or another ELF target",
            ),
            Self::Empty => ("is empty".into(), ""),
            Self::Truncated => ("ends within its header".into(), ""),
            Self::Unknown => ("is no object, archive or library of a known format".into(), ""),
        }
    }
}

const PASS_OBJECTS: &str = "pass the object files (.o) or the static archive (.a) it was linked from";
const COMPILE_64: &str = "compile for a 64-bit little-endian target (x86-64 or AArch64)";
const COMPILE_LITTLE: &str = "compile for a little-endian target";
const FOR_THIS_MACHINE: &str = "compile for the machine that runs the code (see --target of the compiler)";
const FLATTEN: &str = "extract the inner archive and pass it on its own";
const NO_LTO: &str = "compile without -flto (or add -fno-lto), or run llc -filetype=obj on it first";

/// The error for an object compiled for `found` in a link for `wanted` (both `e_machine`).
#[cold]
#[must_use]
pub fn foreign_machine(place: Place, found: u16, wanted: u16) -> Error {
    let what = format!("is for {}, in a link for {}", machine_name(found), machine_name(wanted));
    Error::unsupported(place, what, "compile every input for the same target")
}

/// The name of an ELF machine.
#[must_use]
pub fn machine_name(machine: u16) -> String {
    match Machine(machine) {
        elf::EM_X86_64 => "x86-64".into(),
        elf::EM_AARCH64 => "AArch64".into(),
        elf::EM_386 => "i386".into(),
        elf::EM_ARM => "ARM".into(),
        elf::EM_RISCV => "RISC-V".into(),
        elf::EM_PPC64 => "PowerPC64".into(),
        elf::EM_LOONGARCH => "LoongArch".into(),
        elf::EM_MIPS => "MIPS".into(),
        elf::EM_S390 => "S/390".into(),
        elf::EM_BPF => "BPF".into(),
        _ => format!("ELF machine {machine}"),
    }
}

/// The architecture of a Mach-O file's `cputype`, if it can be linked for.
pub(super) fn architecture_of_cpu(cpu: u32) -> Option<Architecture> {
    MachMachine::by_cpu(macho::CpuType(cpu)).map(|machine| machine.architecture)
}

/// The error for a Mach-O file for `cpu` in a link for another architecture.
#[cold]
pub(super) fn foreign_cpu(place: Place, cpu: u32, wanted: Architecture) -> Error {
    let what = format!("is for {}, in a link for {}", cpu_name(cpu), wanted.name());
    Error::unsupported(place, what, "compile every input for the same target")
}

pub(super) fn cpu_name(cpu: u32) -> String {
    match macho::CpuType(cpu) {
        macho::CPU_TYPE_X86_64 => "x86-64".into(),
        macho::CPU_TYPE_ARM64 => "arm64".into(),
        _ => format!("CPU type {cpu:#x}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inputs::testing::{Tools, clang, llvm};

    fn kind_of(tools: &Tools, source: &str, flags: &[&str]) -> InputKind {
        classify(&tools.compile("k", source, flags))
    }

    #[test]
    fn objects_of_every_target_are_told_apart() {
        let tools = Tools::new();
        let of = |target: &str| kind_of(&tools, "int f;", &[&format!("--target={target}")]);
        assert_eq!(of("x86_64-linux-gnu"), InputKind::Elf64Relocatable { machine: 62 });
        assert_eq!(of("aarch64-linux-gnu"), InputKind::Elf64Relocatable { machine: 183 });
        assert_eq!(of("i386-linux-gnu"), InputKind::Elf32 { machine: 3 });
        assert_eq!(of("x86_64-linux-gnux32"), InputKind::ElfX32);
        assert_eq!(of("powerpc64-linux-gnu"), InputKind::ElfBigEndian);
        assert_eq!(of("arm64-apple-macos13"), InputKind::MachObject { cpu: macho::CPU_TYPE_ARM64.0 });
        assert_eq!(of("x86_64-apple-macos13"), InputKind::MachObject { cpu: macho::CPU_TYPE_X86_64.0 });
        assert_eq!(of("armv7k-apple-watchos4"), InputKind::MachUnsupported);
        assert_eq!(of("x86_64-pc-windows-msvc"), InputKind::Coff);
        assert_eq!(of("aarch64-pc-windows-msvc"), InputKind::Coff);
        assert_eq!(of("wasm32-unknown-unknown"), InputKind::Wasm);
        assert_eq!(kind_of(&tools, "int f;", &["-flto"]), InputKind::Bitcode);
        let wrapped =
            kind_of(&tools, "int f;", &["-flto", "--target=x86_64-apple-macos13", "-fembed-bitcode"]);
        assert_eq!(wrapped, InputKind::Bitcode);
    }

    #[test]
    fn linked_files_and_universal_files_are_told_apart() {
        let tools = Tools::new();
        tools.compile("x", "int f;", &["--target=x86_64-apple-macos13"]);
        tools.compile("a", "int f;", &["--target=arm64-apple-macos13"]);
        tools.run(&llvm("llvm-lipo"), &["-create", "x.o", "a.o", "-output", "fat"]);
        assert_eq!(classify(&tools.read("fat")), InputKind::MachUniversal);
        tools.run(&llvm("llvm-lipo"), &["-create", "-fat64", "x.o", "a.o", "-output", "fat64"]);
        assert_eq!(classify(&tools.read("fat64")), InputKind::MachUniversal);
        assert_eq!(classify(b"\xca\xfe\xba\xbe\0\0\0\x41"), InputKind::Unknown, "a Java class");
        tools.write("m.c", "int main(void) { return 0; }");
        tools.run(&clang(), &["m.c", "-shared", "-fPIC", "-o", "m.so"]);
        assert_eq!(classify(&tools.read("m.so")), InputKind::ElfShared { machine: 62 });
        tools.run(&clang(), &["m.c", "-no-pie", "-o", "m"]);
        assert_eq!(classify(&tools.read("m")), InputKind::ElfExecutable { machine: 62 });
    }

    #[test]
    fn short_and_textual_inputs() {
        assert_eq!(classify(b""), InputKind::Empty);
        assert_eq!(classify(b"\x7fE"), InputKind::Truncated);
        assert_eq!(classify(b"\x7fELF\x02\x01\x01\0"), InputKind::Truncated);
        assert_eq!(classify(b"\xcf\xfa\xed\xfe\x07"), InputKind::Truncated);
        assert_eq!(classify(b"!<arch>"), InputKind::Truncated);
        assert_eq!(classify(b"!<arch>\n"), InputKind::Archive);
        assert_eq!(classify(b"!<thin>\n"), InputKind::ThinArchive);
        assert_eq!(classify(b"--- !tapi-tbd\ntbd-version: 4\n"), InputKind::Tbd);
        assert_eq!(classify(b"/* GNU ld script */\nGROUP ( libc.so.6 )\n"), InputKind::Text);
        assert_eq!(classify("// \u{fc}n\u{ef}code\n".as_bytes()), InputKind::Text);
        assert_eq!(classify(&[0x90; 64]), InputKind::Unknown);
    }

    #[test]
    fn refusals_say_what_to_do_instead() {
        let text = |kind: InputKind| kind.refuse(Place::file("a.o")).to_string();
        assert!(text(InputKind::Bitcode).contains("-fno-lto"));
        assert!(text(InputKind::ElfX32).contains("-m64"));
        assert!(text(InputKind::Elf32 { machine: 3 }).contains("i386"));
        assert!(text(InputKind::MachUniversal).contains("llvm-lipo"));
        assert_eq!(text(InputKind::Truncated), "a.o: ends within its header");
        let foreign = foreign_machine(Place::file("a.o"), 183, 62).to_string();
        assert!(foreign.starts_with("a.o: is for AArch64, in a link for x86-64; "));
    }

    #[test]
    fn every_prefix_of_an_object_is_classified_without_panic() {
        let object = Tools::new().compile("p", "int f;", &[]);
        for end in 1..64 {
            assert_eq!(classify(&object[..end]), InputKind::Truncated, "{end} bytes");
        }
        assert!(classify(&object[..64]).is_object());
    }
}
