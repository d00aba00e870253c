//! A directory with inputs, and the two commands to try on them.

use jitlink_test_support::arch::{self, Arch};
use jitlink_test_support::process::{Outcome, run};
use jitlink_test_support::toolchain::{Compiler, llvm};
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// Prints its arguments and returns 3.
pub(crate) const ECHO: &str = r#"
#include <stdio.h>
int main(int argc, char **argv) {
    printf("%d:", argc);
    for (int i = 0; i < argc; i++) printf(" [%s]", argv[i]);
    puts("");
    return 3;
}
"#;

/// Flags that make addresses the same in each run.
pub(crate) const SLAB: [&str; 4] =
    ["-noexec", "-slab-allocate=64Kb", "-slab-address=0x10000", "-slab-page-size=4096"];

/// A scratch directory; commands run in it, so that inputs go by their bare names.
pub(crate) struct Bench {
    dir: TempDir,
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A file with this text.
    pub(crate) fn write(&self, name: &str, text: &str) -> &Self {
        std::fs::write(self.path(name), text).unwrap();
        self
    }

    /// `STEM.o` from C (`STEM.c`) or assembly (`STEM.s`).
    pub(crate) fn build(&self, source: &str, text: &str) -> &Self {
        self.build_with(source, text, &["-O1", "-fPIC"])
    }

    pub(crate) fn build_with(&self, source: &str, text: &str, flags: &[&str]) -> &Self {
        self.write(source, text);
        let object = Path::new(source).with_extension("o");
        let mut command = Compiler::Clang.c(Arch::under_test());
        command.args(flags).args(["-c", source, "-o"]).arg(object);
        self.must(&mut command);
        self
    }

    /// `STEM.o` from C++.
    pub(crate) fn build_cxx(&self, source: &str, text: &str, flags: &[&str]) -> &Self {
        self.write(source, text);
        let object = Path::new(source).with_extension("o");
        let mut command = Compiler::Clang.for_source(Arch::under_test(), Path::new(source));
        self.must(command.args(flags).args(["-c", source, "-o"]).arg(object))
    }

    /// An archive of objects.
    pub(crate) fn archive(&self, name: &str, members: &[&str]) -> &Self {
        self.must(Command::new(llvm("llvm-ar")).arg("rcs").arg(name).args(members));
        self
    }

    /// A shared library from C.
    pub(crate) fn shared(&self, name: &str, text: &str) -> &Self {
        let source = format!("{name}.c");
        self.write(&source, text);
        let mut command = Compiler::Clang.c(Arch::under_test());
        command.arg(format!("--ld-path={}", llvm("ld.lld").display()));
        self.must(command.args(["-shared", "-fPIC", &source, "-o", name]));
        self
    }

    /// `STEM.o` from C, for Darwin and this one of its architectures.
    pub(crate) fn build_for_darwin(&self, source: &str, text: &str, architecture: &str) -> &Self {
        self.write(source, text);
        let object = Path::new(source).with_extension("o");
        let target = format!("--target={architecture}-apple-macos13");
        self.must(Command::new(llvm("clang")).args([&target, "-O1", "-c", source, "-o"]).arg(object));
        self
    }

    /// Runs one of LLVM's tools.
    pub(crate) fn tool(&self, name: &str, words: &[&str]) -> &Self {
        self.must(Command::new(llvm(name)).args(words));
        self
    }

    fn must(&self, command: &mut Command) -> &Self {
        run(command.current_dir(self.dir.path()), b"").and_then(Outcome::success).unwrap();
        self
    }

    /// Runs the command.
    pub(crate) fn jitlink(&self, words: &[&str]) -> Outcome {
        let mut command = arch::jitlink(env!("CARGO_BIN_EXE_jitlink"));
        run(command.args(words).current_dir(self.dir.path()), b"").unwrap()
    }

    /// Runs LLVM's command.
    pub(crate) fn reference(&self, words: &[&str]) -> Outcome {
        run(Command::new(llvm("llvm-jitlink")).args(words).current_dir(self.dir.path()), b"").unwrap()
    }

    /// The outcome here, which must be the reference's in status and standard output; the reference is the machine's own
    /// and runs nothing for another architecture.
    #[track_caller]
    pub(crate) fn both(&self, words: &[&str]) -> Outcome {
        let ours = self.jitlink(words);
        let runs = !words.iter().take_while(|word| !word.ends_with("-args")).any(|word| *word == "-noexec");
        if Arch::under_test() != Arch::X86_64 && runs {
            return ours;
        }
        let theirs = self.reference(words);
        assert_eq!(ours.status, theirs.status, "{words:?}\nours {ours}\ntheirs {theirs}");
        assert_eq!(ours.stdout_text(), theirs.stdout_text(), "{words:?}");
        ours
    }

    /// Standard output of a run that must end with status 0.
    #[track_caller]
    pub(crate) fn shown(&self, words: &[&str]) -> String {
        let outcome = self.jitlink(words);
        assert_eq!(outcome.status, 0, "{words:?}: {outcome}");
        outcome.stdout_text()
    }

    /// Standard error of a run that must end with status 1 and print nothing else.
    #[track_caller]
    pub(crate) fn refused(&self, words: &[&str]) -> String {
        let outcome = self.jitlink(words);
        assert_eq!(outcome.status, 1, "{words:?}: {outcome}");
        assert_eq!(outcome.stdout_text(), "", "{words:?}");
        outcome.stderr_text()
    }
}

/// The one of two sources in assembly that is for the architecture under test.
pub(crate) fn assembly<T>(x86_64: T, aarch64: T) -> T {
    match Arch::under_test() {
        Arch::X86_64 => x86_64,
        Arch::Aarch64 => aarch64,
    }
}

/// The words of a command line.
pub(crate) fn words(line: &str) -> Vec<&str> {
    line.split_whitespace().collect()
}
