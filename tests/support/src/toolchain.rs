//! Where the compilers and tools are.

use crate::arch::Arch;
use crate::tests_dir;
use std::path::{Path, PathBuf};
use std::process::Command;

const LLVM: &str = "/usr/lib/llvm-22/bin";

/// A compiler family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compiler {
    /// clang 22 and clang++ 22.
    Clang,
    /// gcc and g++, by the names that Debian gives them for each architecture.
    Gcc,
}

impl Compiler {
    /// The family called `name` in a directive.
    ///
    /// # Errors
    /// There is no such family.
    pub fn from_name(name: &str) -> Result<Self, String> {
        match name {
            "clang" => Ok(Self::Clang),
            "gcc" => Ok(Self::Gcc),
            _ => Err(format!("no compiler is called {name}")),
        }
    }

    /// The name in directives.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Clang => "clang",
            Self::Gcc => "gcc",
        }
    }

    /// The driver for C (and assembly) of `arch`.
    #[must_use]
    pub fn c(self, arch: Arch) -> Command {
        self.driver(arch, "clang", "gcc")
    }

    /// The driver for C++ of `arch`.
    #[must_use]
    pub fn cxx(self, arch: Arch) -> Command {
        self.driver(arch, "clang++", "g++")
    }

    /// The driver for `source`, by its extension.
    #[must_use]
    pub fn for_source(self, arch: Arch, source: &Path) -> Command {
        if is_cxx(source) { self.cxx(arch) } else { self.c(arch) }
    }

    fn driver(self, arch: Arch, clang: &str, gcc: &str) -> Command {
        match self {
            Self::Gcc => Command::new(format!("{}-{gcc}", arch.triple())),
            Self::Clang => {
                let mut command = Command::new(llvm(clang));
                command.arg(format!("--target={}", arch.triple()));
                command
            }
        }
    }
}

/// Clang's driver for `source`, to make a Mach-O object of it that is for `arch` and Darwin, with headers of the tests' own.
#[must_use]
pub fn darwin(arch: Arch, source: &Path) -> Command {
    let mut command = Command::new(llvm(if is_cxx(source) { "clang++" } else { "clang" }));
    let name = match arch {
        Arch::X86_64 => "x86_64",
        Arch::Aarch64 => "arm64",
    };
    command.arg(format!("--target={name}-apple-macos13")).arg("-nostdlibinc");
    command.arg("-isystem").arg(tests_dir().join("darwin_headers"));
    command
}

/// Whether `source` is C++.
#[must_use]
pub fn is_cxx(source: &Path) -> bool {
    source.extension().is_some_and(|ext| ext == "cpp")
}

/// LLVM 22's tool called `name`, where Debian's package puts it.
#[must_use]
pub fn llvm(name: &str) -> PathBuf {
    Path::new(LLVM).join(name)
}

/// The shared library of the C++ standard library that programs of `arch` load.
#[must_use]
pub fn libstdcxx(arch: Arch) -> PathBuf {
    Path::new("/usr/lib").join(arch.triple()).join("libstdc++.so.6")
}
