//! Running a program to its end or to a deadline, with its output captured.

use std::fmt;
use std::fs::File;
use std::io::{Read, Seek};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;
use wait_timeout::ChildExt;

/// How long a test program may take, on the slowest machine that runs the tests.
pub const DEADLINE: Duration = Duration::from_secs(300);

/// What a program left behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Exit status, or 128 plus the number of the signal that ended it, as a shell shows it.
    pub status: i32,
    /// Standard output.
    pub stdout: Vec<u8>,
    /// Standard error.
    pub stderr: Vec<u8>,
}

impl Outcome {
    /// Standard output as text.
    #[must_use]
    pub fn stdout_text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// Standard error as text.
    #[must_use]
    pub fn stderr_text(&self) -> String {
        String::from_utf8_lossy(&self.stderr).into_owned()
    }

    /// This outcome, or an error that shows all of it unless the program succeeded.
    ///
    /// # Errors
    /// The status is not zero.
    pub fn success(self) -> Result<Self, String> {
        if self.status == 0 { Ok(self) } else { Err(self.to_string()) }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "status {}", self.status)?;
        writeln!(f, "--- stdout\n{}", head(&self.stdout_text()))?;
        write!(f, "--- stderr\n{}", head(&self.stderr_text()))
    }
}

fn head(text: &str) -> String {
    const LIMIT: usize = 4000;
    if text.len() <= LIMIT {
        return text.to_owned();
    }
    let cut = text.char_indices().map(|(at, _)| at).take_while(|at| *at < LIMIT).last().unwrap_or(0);
    format!("{}\n[{} bytes more]", &text[..cut], text.len() - cut)
}

/// Runs `command` with `stdin` as its input; ends it when the deadline passes.
///
/// # Errors
/// The program cannot be started, or did not end in time.
pub fn run(command: &mut Command, stdin: &[u8]) -> Result<Outcome, String> {
    run_within(command, stdin, DEADLINE)
}

/// [`run`] with a deadline of its own.
///
/// # Errors
/// The program cannot be started, or did not end in time.
pub fn run_within(command: &mut Command, stdin: &[u8], deadline: Duration) -> Result<Outcome, String> {
    let shown = show(command);
    let attempt = || -> std::io::Result<Option<Outcome>> {
        let (mut stdout, mut stderr) = (tempfile::tempfile()?, tempfile::tempfile()?);
        let mut child = command
            .stdin(Stdio::from(filled(stdin)?))
            .stdout(stdout.try_clone()?)
            .stderr(stderr.try_clone()?)
            .spawn()?;
        let Some(status) = child.wait_timeout(deadline)? else {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        };
        Ok(Some(Outcome {
            status: code(status),
            stdout: contents(&mut stdout)?,
            stderr: contents(&mut stderr)?,
        }))
    };
    match { attempt }() {
        Ok(Some(outcome)) => Ok(outcome),
        Ok(None) => Err(format!("{shown}: still running after {deadline:?}")),
        Err(error) => Err(format!("{shown}: {error}")),
    }
}

/// The command as one would type it.
#[must_use]
pub fn show(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
}

fn code(status: ExitStatus) -> i32 {
    status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(-1)
}

fn filled(bytes: &[u8]) -> std::io::Result<File> {
    let mut file = tempfile::tempfile()?;
    std::io::Write::write_all(&mut file, bytes)?;
    file.rewind()?;
    Ok(file)
}

fn contents(file: &mut File) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.rewind()?;
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}
