//! What it took so far.
#![allow(unsafe_code)]

use crate::Outcome;
use std::str::FromStr;
use std::time::{Duration, Instant};

/// What some links took, and what there is after them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Progress {
    /// Links since the start.
    pub(super) total: usize,
    /// Links since the last report; the times are theirs.
    pub(super) links: usize,
    /// Microseconds.
    pub(super) cpu: f64,
    /// Microseconds.
    pub(super) wall: f64,
    /// Lines in `/proc/self/maps`.
    pub(super) mappings: usize,
    /// Bytes of resident memory, where shared pages count once however often they are mapped here.
    pub(super) memory: f64,
}

impl std::fmt::Display for Progress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { total, links, cpu, wall, mappings, memory } = self;
        write!(f, "{total} {links} {cpu} {wall} {mappings} {memory}")
    }
}

impl FromStr for Progress {
    type Err = ();

    fn from_str(line: &str) -> Result<Self, ()> {
        let numbers: Vec<f64> = line.split(' ').map(str::parse).collect::<Result<_, _>>().map_err(|_| ())?;
        let &[total, links, cpu, wall, mappings, memory] = &numbers[..] else { return Err(()) };
        let (total, links, mappings) = (total as usize, links as usize, mappings as usize);
        Ok(Self { total, links, cpu, wall, mappings, memory })
    }
}

/// Reports at 1,000, 10,000, 100,000 and so on, and at the end.
pub(super) struct Watch {
    count: usize,
    total: usize,
    last: usize,
    next: usize,
    started: Instant,
    used: Duration,
}

impl Watch {
    /// Starts now.
    pub(super) fn start(count: usize) -> Self {
        Self { count, total: 0, last: 0, next: 1_000, started: Instant::now(), used: cpu_time() }
    }

    /// One more was linked.
    pub(super) fn tick(&mut self) -> Outcome<()> {
        self.total += 1;
        if self.total != self.next && self.total != self.count {
            return Ok(());
        }
        self.next *= 10;
        let (wall, cpu) = (self.started.elapsed(), cpu_time().saturating_sub(self.used));
        let micros = |time: Duration| time.as_secs_f64() * 1e6;
        let (mappings, memory) = (read("maps")?.lines().count(), memory()?);
        let (total, links) = (self.total, self.total - self.last);
        println!("{}", Progress { total, links, cpu: micros(cpu), wall: micros(wall), mappings, memory });
        (self.last, self.started, self.used) = (self.total, Instant::now(), cpu_time());
        Ok(())
    }
}

fn read(name: &str) -> Outcome<String> {
    std::fs::read_to_string(format!("/proc/self/{name}")).map_err(|error| error.to_string())
}

fn memory() -> Outcome<f64> {
    let text = read("smaps_rollup")?;
    let kilobytes =
        text.lines().find_map(|line| line.strip_prefix("Pss:")?.trim().split(' ').next()?.parse().ok());
    kilobytes
        .map(|kilobytes: f64| kilobytes * 1024.0)
        .ok_or_else(|| "/proc/self/smaps_rollup has no Pss".to_owned())
}

fn cpu_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: writes one `timespec`.
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut time) };
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}
