//! Universal files: one Mach-O file, or archive of such, for each architecture, behind one header.

use super::InputFile;
use super::magic::{architecture_of_cpu, cpu_name};
use crate::base::{Error, Place, Result};
use crate::graph::Architecture;
use object::macho::{self, CPU_SUBTYPE_ARM64E, CpuType};
use object::read::macho::{FatArch, MachOFatFile32, MachOFatFile64};
use std::ops::Range;

/// The part of a universal file that is for `architecture`.
///
/// # Errors
/// [`Error::Malformed`] when the header lies,
/// [`Error::Unsupported`] when there is nothing for the architecture: the message says
/// what there is.
pub fn slice(file: &InputFile, architecture: Architecture) -> Result<&[u8]> {
    let bytes = file.bytes();
    let malformed = |error: object::read::Error| Error::malformed(file.place(), super::archive::lower(error));
    let is_wide = bytes.starts_with(&macho::FAT_MAGIC_64.to_be_bytes());
    let slices = if is_wide {
        let table = MachOFatFile64::parse(bytes).map_err(malformed)?;
        table.arches().iter().map(|arch| Slice::new(arch, bytes)).collect::<Vec<_>>()
    } else {
        let table = MachOFatFile32::parse(bytes).map_err(malformed)?;
        table.arches().iter().map(|arch| Slice::new(arch, bytes)).collect::<Vec<_>>()
    };
    let Some(slice) = slices.iter().find(|slice| slice.is_for(architecture)) else {
        return Err(nothing_for(file.place(), architecture, &slices));
    };
    slice.bytes.ok_or_else(|| {
        let what = format!(
            "the slice for {} is to take bytes {:#x} to {:#x} of a file of {:#x}",
            slice.name(),
            slice.range.start,
            slice.range.end,
            bytes.len()
        );
        Error::malformed(file.place(), what)
    })
}

/// One entry of the header.
struct Slice<'data> {
    cpu: CpuType,
    subtype: u32,
    range: Range<u64>,
    /// None where the range lies outside of the file.
    bytes: Option<&'data [u8]>,
}

impl<'data> Slice<'data> {
    fn new(arch: &impl FatArch, bytes: &'data [u8]) -> Self {
        let (offset, size): (u64, u64) = (arch.offset().into(), arch.size().into());
        Self {
            cpu: arch.cputype(),
            // The upper byte is for capabilities.
            subtype: arch.cpusubtype().0 & 0xff_ffff,
            range: offset..offset.saturating_add(size),
            bytes: arch.data(bytes).ok(),
        }
    }

    fn is_arm64e(&self) -> bool {
        self.cpu == macho::CPU_TYPE_ARM64 && self.subtype == CPU_SUBTYPE_ARM64E.0
    }

    /// Whether it is for that architecture, be it in a way that cannot be linked.
    fn is_like(&self, architecture: Architecture) -> bool {
        architecture_of_cpu(self.cpu.0) == Some(architecture)
    }

    fn is_for(&self, architecture: Architecture) -> bool {
        self.is_like(architecture) && !self.is_arm64e()
    }

    fn name(&self) -> String {
        if self.is_arm64e() { "arm64e".to_owned() } else { cpu_name(self.cpu.0) }
    }
}

#[cold]
fn nothing_for(place: Place, architecture: Architecture, slices: &[Slice<'_>]) -> Error {
    let names: Vec<String> = slices.iter().map(Slice::name).collect();
    let what = match names.as_slice() {
        [] => "is a universal file without slices".to_owned(),
        names => {
            format!("is a universal file for {}, not for {}", names.join(" and "), architecture.name())
        }
    };
    let help = match slices.iter().any(|slice| slice.is_like(architecture)) {
        true => "compile for arm64: code for arm64e signs its pointers, which only Apple's systems can run",
        false => "compile for the architecture of the other inputs as well",
    };
    Error::unsupported(place, what, help)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inputs::testing::{Random, Tools, llvm};

    fn universal(tools: &Tools, flags: &[&str], targets: &[&str]) -> InputFile {
        let mut args = vec!["-create".to_owned()];
        args.extend(flags.iter().map(|flag| (*flag).to_owned()));
        for target in targets {
            tools.compile(target, "int f;", &[&format!("--target={target}-apple-macos13")]);
            args.push(format!("{target}.o"));
        }
        args.extend(["-output".to_owned(), "fat.o".to_owned()]);
        tools.run(&llvm("llvm-lipo"), &args.iter().map(String::as_str).collect::<Vec<_>>());
        InputFile::open_as(&tools.path("fat.o"), "fat.o").unwrap()
    }

    #[test]
    fn the_slice_of_each_architecture_is_its_object() {
        let tools = Tools::new();
        for flags in [&[][..], &["-fat64"]] {
            let file = universal(&tools, flags, &["x86_64", "arm64"]);
            assert_eq!(slice(&file, Architecture::X86_64).unwrap(), tools.read("x86_64.o"), "{flags:?}");
            assert_eq!(slice(&file, Architecture::Aarch64).unwrap(), tools.read("arm64.o"), "{flags:?}");
        }
    }

    #[test]
    fn what_is_missing_is_said_with_what_is_there() {
        let tools = Tools::new();
        let file = universal(&tools, &[], &["x86_64", "arm64e"]);
        let error = slice(&file, Architecture::Aarch64).unwrap_err().to_string();
        assert!(error.starts_with("fat.o: is a universal file for x86-64 and arm64e, not for "), "{error}");
        assert!(error.contains("compile for arm64:"), "{error}");
        let file = universal(&tools, &[], &["arm64"]);
        let error = slice(&file, Architecture::X86_64).unwrap_err().to_string();
        assert!(error.contains("for arm64, not for x86_64"), "{error}");
    }

    #[test]
    fn damaged_headers_are_errors() {
        let tools = Tools::new();
        let bytes = universal(&tools, &[], &["x86_64", "arm64"]).bytes().to_vec();
        let cut = InputFile::from_bytes("cut.o", &bytes[..bytes.len() - 8]);
        let error = slice(&cut, Architecture::Aarch64).unwrap_err().to_string();
        assert!(error.contains("the slice for arm64 is to take bytes"), "{error}");
        let mut random = Random(7);
        for _ in 0..2000 {
            let mut damaged = bytes.clone();
            damaged[..48].copy_from_slice(&random.mutate(&bytes[..48]));
            let file = InputFile::from_bytes("damaged.o", damaged);
            let _ = slice(&file, Architecture::Aarch64);
        }
    }
}
