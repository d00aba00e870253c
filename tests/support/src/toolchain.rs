//! Where the compilers and tools are.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

const LLVM: &str = "/usr/lib/llvm-22/bin";

/// A compiler family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compiler {
    /// clang 22 and clang++ 22.
    Clang,
    /// The machine's gcc and g++.
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

    /// The driver for C (and assembly).
    #[must_use]
    pub fn c(self) -> PathBuf {
        match self {
            Self::Clang => llvm("clang"),
            Self::Gcc => "gcc".into(),
        }
    }

    /// The driver for C++.
    #[must_use]
    pub fn cxx(self) -> PathBuf {
        match self {
            Self::Clang => llvm("clang++"),
            Self::Gcc => "g++".into(),
        }
    }

    /// The driver for `source`, by its extension.
    #[must_use]
    pub fn for_source(self, source: &Path) -> PathBuf {
        if is_cxx(source) { self.cxx() } else { self.c() }
    }
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

/// The shared library of the C++ standard library that the machine's compilers link against.
#[must_use]
pub fn libstdcxx() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| {
        let asked = Command::new("g++").arg("-print-file-name=libstdc++.so.6").output();
        let path =
            asked.map(|out| String::from_utf8_lossy(&out.stdout).trim().to_owned()).unwrap_or_default();
        std::fs::canonicalize(&path).unwrap_or_else(|_| path.into())
    })
}
