//! What a tool used on a corpus, over all rounds.

use super::measure::Sample;
use super::tools::Kind;

/// The runs of one tool on one corpus.
pub(crate) struct Results {
    pub(crate) kind: Kind,
    samples: Vec<Sample>,
    failure: Option<String>,
}

impl Results {
    pub(super) fn new(kind: Kind) -> Self {
        Self { kind, samples: Vec::new(), failure: None }
    }

    pub(super) fn add(&mut self, sample: Sample) {
        self.samples.push(sample);
    }

    /// A tool that fails once has not linked the corpus.
    pub(super) fn fail(&mut self, why: String) {
        self.failure = Some(why);
    }

    /// Why nothing was measured, in one line.
    pub(super) fn failure(&self) -> Option<&str> {
        let why = self.failure.as_deref()?;
        Some(why.lines().find(|line| !line.trim().is_empty()).unwrap_or("it failed without a word"))
    }

    /// Whether another run is due: it did not fail, and has not used up its time.
    pub(super) fn wants_more(&self, budget: f64) -> bool {
        let spent: f64 = self.samples.iter().map(|sample| sample.wall.as_secs_f64()).sum();
        self.failure.is_none() && spent < budget
    }

    pub(super) fn rounds(&self) -> usize {
        self.samples.len()
    }

    /// Milliseconds of user and system time.
    pub(super) fn cpu(&self) -> Option<f64> {
        self.median(|sample| Some(sample.cpu.as_secs_f64() * 1e3))
    }

    /// Milliseconds.
    pub(super) fn wall(&self) -> Option<f64> {
        self.median(|sample| Some(sample.wall.as_secs_f64() * 1e3))
    }

    /// Megabytes of 10^6 bytes.
    pub(super) fn peak(&self) -> Option<f64> {
        self.median(|sample| Some(sample.peak as f64 / 1e6))
    }

    /// A number that the tool printed after `name`.
    pub(super) fn printed(&self, name: &str) -> Option<f64> {
        self.median(|sample| {
            let value = |line: &str| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok();
            sample.output.lines().find_map(value)
        })
    }

    fn median(&self, value: impl Fn(&Sample) -> Option<f64>) -> Option<f64> {
        if self.failure.is_some() {
            return None;
        }
        let mut all: Vec<f64> = self.samples.iter().filter_map(value).collect();
        all.sort_by(f64::total_cmp);
        let (low, high) = (all.get(all.len().checked_sub(1)? / 2)?, all.get(all.len() / 2)?);
        Some(f64::midpoint(*low, *high))
    }
}
