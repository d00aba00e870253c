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
        // The first of several runs warms the caches.
        let first = usize::from(self.samples.len() > 2);
        let mut all: Vec<f64> = self.samples.iter().skip(first).filter_map(value).collect();
        all.sort_by(f64::total_cmp);
        let (low, high) = (all.get(all.len().checked_sub(1)? / 2)?, all.get(all.len() / 2)?);
        Some(f64::midpoint(*low, *high))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn sample(milliseconds: u64) -> Sample {
        let time = Duration::from_millis(milliseconds);
        Sample { cpu: time, wall: time, peak: 2_000_000, output: format!("work {milliseconds}\n") }
    }

    fn results(times: &[u64]) -> Results {
        let mut results = Results::new(Kind::Floor);
        times.iter().for_each(|time| results.add(sample(*time)));
        results
    }

    #[test]
    fn median_passes_over_the_first_of_several() {
        assert_eq!(results(&[]).cpu(), None);
        assert_eq!(results(&[7]).cpu(), Some(7.0));
        assert_eq!(results(&[90, 1, 5, 3]).wall(), Some(3.0));
        assert_eq!(results(&[90, 4, 1, 5, 3]).printed("work"), Some(3.5));
        assert_eq!(results(&[1]).peak(), Some(2.0));
    }

    #[test]
    fn a_failure_takes_back_what_was_measured() {
        let mut results = results(&[1, 2, 3]);
        assert!(results.wants_more(1.0));
        assert!(!results.wants_more(0.001));
        results.fail("\nit broke\nhere".to_owned());
        assert_eq!((results.cpu(), results.failure()), (None, Some("it broke")));
        assert!(!results.wants_more(1.0));
    }
}
