//! One program, run once: what exactly it used.
#![allow(unsafe_code)]

use crate::Outcome;
use std::fs::File;
use std::io::{Read, Seek};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// What one run of a program used.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    /// User and system time.
    pub(crate) cpu: Duration,
    pub(crate) wall: Duration,
    /// Peak resident memory in bytes.
    pub(crate) peak: u64,
    /// What it printed.
    pub(crate) output: String,
}

/// How a run ended.
#[derive(Debug)]
pub(crate) enum Run {
    Done(Sample),
    Failed(String),
    TimedOut,
}

/// Runs `command` to its end, or for as long as `timeout`.
pub(crate) fn measure(command: &mut Command, timeout: Duration) -> Outcome<Run> {
    attempt(command, timeout).map_err(|error| format!("{}: {error}", command.get_program().display()))
}

fn attempt(command: &mut Command, timeout: Duration) -> std::io::Result<Run> {
    let (mut stdout, mut stderr) = (tempfile::tempfile()?, tempfile::tempfile()?);
    command.stdin(Stdio::null()).stdout(stdout.try_clone()?).stderr(stderr.try_clone()?);
    let started = Instant::now();
    let mut child = command.spawn()?;
    let in_time = ends_within(&child, timeout)?;
    if !in_time {
        child.kill()?;
    }
    let (status, usage) = reap(child)?;
    let wall = started.elapsed();
    if !in_time {
        return Ok(Run::TimedOut);
    }
    if status != 0 {
        return Ok(Run::Failed(text(&mut stderr)?));
    }
    let time = |value: libc::timeval| {
        Duration::from_secs(value.tv_sec as u64) + Duration::from_micros(value.tv_usec as u64)
    };
    Ok(Run::Done(Sample {
        cpu: time(usage.ru_utime) + time(usage.ru_stime),
        wall,
        peak: usage.ru_maxrss as u64 * 1024,
        output: text(&mut stdout)?,
    }))
}

fn ends_within(child: &Child, timeout: Duration) -> std::io::Result<bool> {
    // SAFETY: takes two integers.
    let descriptor = unsafe { libc::syscall(libc::SYS_pidfd_open, child.id() as libc::pid_t, 0) };
    if descriptor < 0 {
        return Err(std::io::Error::last_os_error());
    }
    // SAFETY: the descriptor was just made, and nobody else has it.
    let descriptor = unsafe { OwnedFd::from_raw_fd(descriptor as i32) };
    let mut poll = libc::pollfd { fd: descriptor.as_raw_fd(), events: libc::POLLIN, revents: 0 };
    // SAFETY: `poll` is one entry.
    let ready = unsafe { libc::poll(&raw mut poll, 1, timeout.as_millis().min(i32::MAX as u128) as i32) };
    if ready < 0 { Err(std::io::Error::last_os_error()) } else { Ok(ready > 0) }
}

/// Waits for exactly this child; with it, for those that it waited for.
#[expect(clippy::needless_pass_by_value, reason = "nobody may wait for it again")]
fn reap(child: Child) -> std::io::Result<(i32, libc::rusage)> {
    let mut status = 0;
    // SAFETY: an `rusage` is integers.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: writes a status and a usage.
    let pid = unsafe { libc::wait4(child.id() as libc::pid_t, &raw mut status, 0, &raw mut usage) };
    if pid < 0 { Err(std::io::Error::last_os_error()) } else { Ok((status, usage)) }
}

fn text(file: &mut File) -> std::io::Result<String> {
    const LIMIT: u64 = 4096;
    let mut bytes = Vec::new();
    file.rewind()?;
    file.take(LIMIT).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, timeout: Duration) -> Run {
        measure(Command::new("sh").args(["-c", script]), timeout).unwrap()
    }

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn only_the_child_itself_is_counted() {
        let mut sum = 0_u64;
        let started = Instant::now();
        while started.elapsed() < Duration::from_millis(300) {
            sum = std::hint::black_box(sum + 1);
        }
        let Run::Done(sample) = shell("echo done", LONG) else { panic!("the shell ends well") };
        assert_eq!(sample.output, "done\n");
        assert!(sample.cpu < Duration::from_millis(200), "{sample:?}");
        assert!(sample.peak > 100_000, "{sample:?}");
        let work = "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done";
        let Run::Done(busy) = shell(work, LONG) else { panic!("the shell ends well") };
        assert!(busy.cpu > sample.cpu, "{busy:?}");
    }

    #[test]
    fn failures_say_why() {
        let Run::Failed(why) = shell("echo wrong >&2; exit 3", LONG) else { panic!("the shell fails") };
        assert_eq!(why, "wrong\n");
    }

    #[test]
    fn what_takes_too_long_is_ended() {
        let started = Instant::now();
        assert!(matches!(shell("exec sleep 60", Duration::from_millis(100)), Run::TimedOut));
        assert!(started.elapsed() < Duration::from_secs(30));
    }

    #[test]
    fn missing_programs_are_errors() {
        let error = measure(&mut Command::new("/no/such/program"), LONG).unwrap_err();
        assert!(error.starts_with("/no/such/program: "), "{error}");
    }
}
