//! The architecture under test: programs are compiled for it, and run on it or in emulation.

use std::ffi::OsString;
use std::process::Command;

/// An architecture that tests are run for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Arch {
    /// x86-64.
    X86_64,
    /// AArch64.
    Aarch64,
}

impl Arch {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::X86_64, Self::Aarch64];

    /// The one that the caller is compiled for.
    #[must_use]
    pub fn host() -> Self {
        if cfg!(target_arch = "aarch64") { Self::Aarch64 } else { Self::X86_64 }
    }

    /// The one under test: `JITLINK_TEST_ARCH`, or without that variable the host.
    ///
    /// # Panics
    /// The variable holds no architecture's name.
    #[must_use]
    pub fn under_test() -> Self {
        let Ok(name) = std::env::var("JITLINK_TEST_ARCH") else { return Self::host() };
        Self::from_name(&name).unwrap_or_else(|what| panic!("JITLINK_TEST_ARCH: {what}"))
    }

    /// The one called `name`.
    ///
    /// # Errors
    /// There is none.
    pub fn from_name(name: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|arch| arch.name() == name);
        found.ok_or_else(|| format!("no architecture is called {name}"))
    }

    /// Its name in directives and variables, and in LLVM's and Rust's target names.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64",
            Self::Aarch64 => "aarch64",
        }
    }

    /// Its name for compilers, and for directories of libraries.
    #[must_use]
    pub fn triple(self) -> String {
        format!("{}-linux-gnu", self.name())
    }

    /// A command that runs `program`, which is one for this architecture: by itself, or through the emulator that cargo
    /// is told to run such programs with, `qemu-ARCH` where nothing else is said.
    #[must_use]
    pub fn command(self, program: impl Into<OsString>) -> Command {
        let emulator = self.emulator();
        let mut words = emulator.split_whitespace().map(OsString::from).chain([program.into()]);
        let mut command = Command::new(words.next().unwrap_or_default());
        command.args(words);
        command
    }

    /// Whether its programs are run by an emulator, whose word on mappings and such may differ from a kernel's.
    #[must_use]
    pub fn is_emulated(self) -> bool {
        !self.emulator().is_empty()
    }

    fn emulator(self) -> String {
        let runner = format!("CARGO_TARGET_{}_UNKNOWN_LINUX_GNU_RUNNER", self.name().to_uppercase());
        let default =
            || if self == Self::host() { String::new() } else { format!("qemu-{} -L /", self.name()) };
        std::env::var(runner).unwrap_or_else(|_| default())
    }
}

/// The command under test: what `JITLINK_COMMAND` names, or else `built`, which cargo has built beside the tests.
///
/// # Panics
/// The tests are compiled for another architecture than that under test, and the variable is not set.
#[must_use]
pub fn jitlink(built: &str) -> Command {
    let arch = Arch::under_test();
    let program = std::env::var_os("JITLINK_COMMAND").unwrap_or_else(|| {
        assert_eq!(arch, Arch::host(), "JITLINK_COMMAND must name a command built for this architecture");
        built.into()
    });
    arch.command(program)
}
