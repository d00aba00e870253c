//! For tests: a directory of its own with the toolchain to fill it.

use std::path::PathBuf;
use std::process::Command;

/// Path of a tool of LLVM 22.
pub(crate) fn llvm(tool: &str) -> String {
    format!("/usr/lib/llvm-22/bin/{tool}")
}

pub(crate) fn clang() -> String {
    llvm("clang")
}

/// A temporary directory in which tools are run.
pub(crate) struct Tools {
    dir: tempfile::TempDir,
}

impl Tools {
    pub(crate) fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, contents: impl AsRef<[u8]>) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, contents).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap()
    }

    /// Runs `program` in the directory and gives what it printed.
    pub(crate) fn run(&self, program: &str, args: &[&str]) -> String {
        let output = Command::new(program).args(args).current_dir(self.dir.path()).output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{program} {args:?}: {errors}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Compiles C source to `<stem>.o` and gives its bytes.
    pub(crate) fn compile(&self, stem: &str, source: &str, flags: &[&str]) -> Vec<u8> {
        let (c, o) = (format!("{stem}.c"), format!("{stem}.o"));
        self.write(&c, source);
        let mut args = vec!["-c", &c, "-o", &o];
        args.extend(flags);
        self.run(&clang(), &args);
        self.read(&o)
    }
}

/// A generator of fixed sequence, for mutations.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % limit
    }

    /// A copy of `bytes` with one to four of them changed.
    pub(crate) fn mutate(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut copy = bytes.to_vec();
        for _ in 0..=self.below(4) {
            let at = self.below(copy.len());
            copy[at] = match self.below(4) {
                0 => b'0' + self.below(10) as u8,
                1 => 0xff,
                2 => copy[at] ^ (1 << self.below(8)),
                _ => self.below(256) as u8,
            };
        }
        copy
    }
}
