//! Objects to link: Rust's own standard library, and one with a million relocations.

use jitlink_test_support::process::{run, show};
use jitlink_test_support::{cache, generated, toolchain};
use object::read::archive::ArchiveFile;
use object::{Object, ObjectSection, ObjectSymbol, SectionFlags, SymbolFlags, elf};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Object files with their names.
pub(crate) type Objects = Vec<(String, Vec<u8>)>;

/// The objects of the rlibs that come with the compiler, without those that use thread-locals and the library that stands
/// in for another one of them.
pub(crate) fn standard_library() -> Objects {
    let mut archives: Vec<PathBuf> = std::fs::read_dir(library_dir())
        .expect("the compiler comes with a standard library")
        .map(|entry| entry.expect("the directory can be read").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "rlib"))
        .filter(|path| !path.to_string_lossy().contains("libpanic_abort"))
        .collect();
    archives.sort();
    archives.iter().flat_map(|path| members(path)).collect()
}

fn library_dir() -> PathBuf {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let out = Command::new(rustc).args(["--print", "target-libdir"]).output().expect("rustc runs");
    String::from_utf8_lossy(&out.stdout).trim().into()
}

fn members(path: &Path) -> Objects {
    let data = std::fs::read(path).expect("the archive can be read");
    let archive = ArchiveFile::parse(&*data).expect("the archive is one");
    let bytes = archive.members().map(|member| {
        let member = member.expect("the archive is whole");
        (
            String::from_utf8_lossy(member.name()).into_owned(),
            member.data(&*data).expect("the member is whole"),
        )
    });
    bytes.filter(|(_, bytes)| is_usable(bytes)).map(|(name, bytes)| (name, bytes.to_vec())).collect()
}

fn is_usable(bytes: &[u8]) -> bool {
    let Ok(file) = object::File::parse(bytes) else { return false };
    let in_section =
        |flags| matches!(flags, SectionFlags::Elf { sh_flags, .. } if sh_flags.contains(elf::SHF_TLS));
    let by_symbol =
        |flags| matches!(flags, SymbolFlags::Elf { st_info, .. } if st_info.st_type() == elf::STT_TLS);
    !file.sections().any(|section| in_section(section.flags()))
        && !file.symbols().any(|symbol| by_symbol(symbol.flags()))
}

/// An object with a million relocations.
pub(crate) fn million_relocations() -> Objects {
    let text = generated::million_relocations();
    let fill = |dir: &Path| {
        std::fs::write(dir.join("source.s"), &text).map_err(|error| error.to_string())?;
        let mut command = Command::new(toolchain::llvm("clang"));
        command.current_dir(dir).args(["--target=x86_64-linux-gnu", "-c", "source.s", "-o", "object.o"]);
        run(&mut command, b"")?.success().map(drop).map_err(|what| format!("{}\n{what}", show(&command)))
    };
    let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join("benches");
    let dir = cache::filled(&root, "relocations", &text, fill).expect("the source assembles");
    vec![("relocations.o".to_owned(), std::fs::read(dir.join("object.o")).expect("an object"))]
}
