//! Building a test's objects, archives, shared libraries and native program.

use jitlink_test_support::arch::Arch;
use jitlink_test_support::cache;
use jitlink_test_support::directives::{Archive, Case, Part, Shared};
use jitlink_test_support::process::{run, show};
use jitlink_test_support::tests_dir;
use jitlink_test_support::toolchain::{Compiler, darwin, is_cxx, libstdcxx, llvm};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The format of the objects that are linked in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Format {
    Elf,
    /// For Darwin; the native build is one of ELF objects of the same sources.
    MachO,
}

impl Format {
    /// What the names of tests begin with.
    pub(crate) fn prefix(self) -> &'static str {
        match self {
            Self::Elf => "",
            Self::MachO => "macho_",
        }
    }

    fn object_name(self, source: &str) -> String {
        let extension = match self {
            Self::Elf => "o",
            Self::MachO => "macho.o",
        };
        Path::new(source).with_extension(extension).to_string_lossy().into_owned()
    }
}

/// One compiler, one set of flags, and a format.
#[derive(Clone, Debug)]
pub(crate) struct Variant {
    pub(crate) format: Format,
    pub(crate) compiler: Compiler,
    pub(crate) flags: Vec<String>,
}

impl Variant {
    /// What distinguishes this variant in the test's name.
    pub(crate) fn title(&self) -> String {
        let mut title = String::new();
        if self.compiler != Compiler::Clang {
            title.push_str(" gcc");
        }
        for flag in &self.flags {
            title.push(' ');
            title.push_str(flag);
        }
        title
    }

    fn is_pic(&self, case: &Case) -> bool {
        let mut all = case.parts.iter().flat_map(|part| &part.flags).chain(&self.flags);
        !all.any(|flag| flag == "-fno-pic")
    }
}

/// A test's directory, with everything built.
pub(crate) struct Built {
    pub(crate) dir: PathBuf,
}

impl Built {
    /// Builds what `case` asks for, unless that was done before.
    pub(crate) fn new(case: &Case, stem: &str, variant: &Variant) -> Result<Self, String> {
        let parts: Vec<_> = case.parts.iter().collect();
        let key = (parts, &case.archives, &case.shared, &case.native_inputs, &case.inputs);
        let key = (key, case.native && !case.fails, variant.compiler.name(), &variant.flags, variant.format);
        let key = (key, if variant.format == Format::MachO { darwin_headers() } else { Vec::new() });
        let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join("run");
        let dir = cache::filled(&root, stem, &key, |dir| build(case, variant, dir))?;
        Ok(Self { dir })
    }
}

/// The words `inputs` with the names of parts and of what is built from them replaced by their files in `dir`.
pub(crate) fn resolve(inputs: &[String], case: &Case, format: Format, dir: &Path) -> Vec<String> {
    let file = |name: &str| dir.join(name).to_string_lossy().into_owned();
    let one = |word: &String| {
        if case.sources().any(|part| part.name == *word) {
            return file(&format.object_name(word));
        }
        let built = case.archives.iter().map(|a| &a.name).chain(case.shared.iter().map(|s| &s.name));
        let built = built.chain(case.parts.iter().map(|part| &part.name));
        if built.into_iter().any(|name| name == word) { file(word) } else { word.replace("@DIR", &file("")) }
    };
    inputs.iter().map(one).collect()
}

/// The words that name every object, where a test does not list its inputs.
pub(crate) fn all_objects(case: &Case) -> Vec<String> {
    let inside = |name: &String| {
        case.archives.iter().any(|a| a.members.contains(name))
            || case.shared.iter().any(|s| s.members.contains(name))
    };
    let objects = case.sources().map(|part| part.name.clone()).filter(|name| !inside(name));
    let libraries =
        case.archives.iter().map(|a| a.name.clone()).chain(case.shared.iter().map(|s| s.name.clone()));
    objects.chain(libraries).collect()
}

/// Whether the test needs the C++ standard library.
pub(crate) fn wants_cxx(case: &Case) -> bool {
    case.parts.iter().any(|part| is_cxx(Path::new(&part.name)))
}

/// What the tests' own headers hold, since what is built depends on it.
fn darwin_headers() -> Vec<Vec<u8>> {
    let mut files = Vec::new();
    for dir in ["darwin_headers", "darwin_headers/sys"] {
        let entries = std::fs::read_dir(tests_dir().join(dir)).into_iter().flatten().flatten();
        files.extend(entries.map(|entry| entry.path()).filter(|path| path.is_file()));
    }
    files.sort();
    files.iter().map(|file| std::fs::read(file).unwrap_or_default()).collect()
}

fn build(case: &Case, variant: &Variant, dir: &Path) -> Result<(), String> {
    for part in &case.parts {
        std::fs::write(dir.join(&part.name), &part.text).map_err(|error| error.to_string())?;
    }
    case.sources().try_for_each(|part| compile(part, variant, Format::Elf, dir))?;
    if variant.format == Format::MachO {
        case.sources().try_for_each(|part| compile(part, variant, Format::MachO, dir))?;
    }
    case.archives.iter().try_for_each(|archive| bundle(archive, variant.format, dir))?;
    case.shared.iter().try_for_each(|shared| link_shared(shared, case, variant, dir))?;
    if case.native { link_native(case, variant, dir) } else { Ok(()) }
}

fn compile(part: &Part, variant: &Variant, format: Format, dir: &Path) -> Result<(), String> {
    let (arch, source) = (Arch::under_test(), Path::new(&part.name));
    let mut command = match format {
        Format::Elf => variant.compiler.for_source(arch, source),
        Format::MachO => darwin(arch, source),
    };
    command.current_dir(dir).arg("-c").arg(source).arg("-o").arg(format.object_name(&part.name));
    if !part.name.ends_with(".s") {
        command.args(&variant.flags).args(["-w", "-pthread"]);
        if variant.format == Format::MachO {
            // As it always is on Darwin.
            command.arg("-fsigned-char");
        }
    }
    succeed(command.args(&part.flags))
}

fn bundle(archive: &Archive, format: Format, dir: &Path) -> Result<(), String> {
    let mut mode = String::from("rc");
    let has = |option: &str| archive.options.iter().any(|word| word == option);
    if has("nosymtab") {
        mode.push('S');
    }
    let mut command = Command::new(llvm("llvm-ar"));
    command.current_dir(dir);
    if has("thin") {
        command.arg("--thin");
    }
    for format in ["bsd", "gnu", "darwin"] {
        if has(format) {
            command.arg(format!("--format={format}"));
        }
    }
    if has("sym64") {
        command.env("SYM64_THRESHOLD", "0");
    }
    succeed(
        command
            .arg(mode)
            .arg(&archive.name)
            .args(archive.members.iter().map(|name| format.object_name(name))),
    )
}

/// The compiler driver that links what belongs to the test.
fn linker(case: &Case, variant: &Variant) -> Command {
    let arch = Arch::under_test();
    if wants_cxx(case) { variant.compiler.cxx(arch) } else { variant.compiler.c(arch) }
}

fn link_shared(shared: &Shared, case: &Case, variant: &Variant, dir: &Path) -> Result<(), String> {
    let mut command = linker(case, variant);
    command.current_dir(dir).args(["-shared", "-fPIC", "-o", &shared.name]);
    command.arg(format!("-Wl,-soname,{}", shared.name));
    succeed(command.args(shared.members.iter().map(|name| Format::Elf.object_name(name))).args(&shared.flags))
}

fn link_native(case: &Case, variant: &Variant, dir: &Path) -> Result<(), String> {
    let inputs =
        case.native_inputs.clone().or_else(|| case.inputs.clone()).unwrap_or_else(|| all_objects(case));
    let mut command = linker(case, variant);
    command.current_dir(dir).args(["-o", "native", "-pthread", "-Wl,-rpath,$ORIGIN"]);
    // Where code is in the large model, lld 22 loses its unwind records, which have 8-byte addresses.
    let large = variant.flags.iter().any(|flag| flag == "-mcmodel=large");
    if variant.compiler == Compiler::Clang && !large {
        command.arg(format!("--ld-path={}", llvm("ld.lld").display()));
    }
    if !variant.is_pic(case) {
        command.arg("-no-pie");
    }
    succeed(command.args(resolve(&inputs, case, Format::Elf, dir)).arg("-lm"))
}

fn succeed(command: &mut Command) -> Result<(), String> {
    let shown = show(command);
    run(command, b"")?.success().map(|_| ()).map_err(|what| format!("{shown}\n{what}"))
}

/// The flags with which the command finds the C++ standard library.
pub(crate) fn cxx_flags() -> String {
    format!("-preload={}", libstdcxx(Arch::under_test()).display())
}
