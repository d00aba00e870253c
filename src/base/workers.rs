//! Threads that work on the items of a batch side by side.

use super::{Error, Result};
use rayon::iter::{IndexedParallelIterator, IntoParallelIterator, IntoParallelRefIterator, ParallelIterator};
use rayon::{ThreadPool, ThreadPoolBuilder};
use std::sync::Arc;

/// How many items of a pipeline are produced while as many are consumed.
const PIPELINE_CHUNK: usize = 64;

/// Threads for the parts of a link that can be done side by side; cheap to clone, the threads are shared.
///
/// What is computed does not depend on their number. Without threads, which is the default, everything is done by the
/// caller's, in order, and costs what a plain loop costs.
#[derive(Clone, Debug, Default)]
pub struct Workers {
    pool: Option<Arc<ThreadPool>>,
}

impl Workers {
    /// No thread but the caller's.
    #[must_use]
    pub const fn none() -> Self {
        Self { pool: None }
    }

    /// As many threads as said, which wait while the caller's own works. One thread (or none) is no pool at all.
    ///
    /// # Errors
    /// The system refuses to start a thread.
    pub fn new(threads: usize) -> Result<Self> {
        if threads <= 1 {
            return Ok(Self::none());
        }
        let name = |index| format!("jitlink-{index}");
        let pool = ThreadPoolBuilder::new().num_threads(threads).thread_name(name).build();
        let pool = pool.map_err(|error| {
            Error::invalid(format!("cannot start {threads} threads: {error}"), Some("link with fewer"))
        })?;
        Ok(Self { pool: Some(Arc::new(pool)) })
    }

    /// How many threads work at a time.
    #[must_use]
    pub fn threads(&self) -> usize {
        self.pool.as_ref().map_or(1, |pool| pool.current_num_threads())
    }

    /// `f` of every item, in order. The first failure is the one that has the lowest position.
    pub(crate) fn try_map<I, T, R>(
        &self,
        items: I,
        f: impl Fn(T) -> Result<R> + Sync + Send,
    ) -> Result<Vec<R>>
    where
        I: IntoIterator<Item = T> + IntoParallelIterator<Item = T, Iter: IndexedParallelIterator> + Send,
        T: Send,
        R: Send,
    {
        self.try_map_init(items, || (), |(), item| f(item))
    }

    /// As [`Self::try_map`]; every run of items that one thread does has a state of its own.
    pub(crate) fn try_map_init<I, T, S, R>(
        &self,
        items: I,
        init: impl Fn() -> S + Sync + Send,
        f: impl Fn(&mut S, T) -> Result<R> + Sync + Send,
    ) -> Result<Vec<R>>
    where
        I: IntoIterator<Item = T> + IntoParallelIterator<Item = T, Iter: IndexedParallelIterator> + Send,
        T: Send,
        R: Send,
    {
        let Some(pool) = &self.pool else {
            let mut state = init();
            return items.into_iter().map(|item| f(&mut state, item)).collect();
        };
        let results: Vec<Result<R>> = pool.install(|| items.into_par_iter().map_init(&init, &f).collect());
        results.into_iter().collect()
    }

    /// `f` of every item, in order.
    pub(crate) fn map<I, T, R>(&self, items: I, f: impl Fn(T) -> R + Sync + Send) -> Vec<R>
    where
        I: IntoIterator<Item = T> + IntoParallelIterator<Item = T, Iter: IndexedParallelIterator> + Send,
        T: Send,
        R: Send,
    {
        match &self.pool {
            None => items.into_iter().map(f).collect(),
            Some(pool) => pool.install(|| items.into_par_iter().map(&f).collect()),
        }
    }

    /// Hands what `produce` makes of each item to `consume`, in order; more is produced meanwhile.
    pub(crate) fn pipeline<'items, T: Sync, R: Send>(
        &self,
        items: &'items [T],
        produce: impl Fn(&'items T) -> R + Sync + Send,
        mut consume: impl FnMut(&'items T, R) + Send,
    ) {
        let Some(pool) = self.pool.as_ref().filter(|_| items.len() > 1) else {
            return items.iter().for_each(|item| consume(item, produce(item)));
        };
        pool.install(|| {
            let produce_all = |chunk: &'items [T]| chunk.par_iter().map(&produce).collect::<Vec<R>>();
            let mut consume_all = |(chunk, made): (&'items [T], Vec<R>)| {
                chunk.iter().zip(made).for_each(|(item, made)| consume(item, made));
            };
            let mut waiting: (&[T], Vec<R>) = (&[], Vec::new());
            for chunk in items.chunks(PIPELINE_CHUNK) {
                let made = rayon::join(|| consume_all(waiting), || produce_all(chunk)).1;
                waiting = (chunk, made);
            }
            consume_all(waiting);
        });
    }

    /// Folds the items, in as many states as it takes, and merges these.
    pub(crate) fn fold<I, T, S>(
        &self,
        items: I,
        init: impl Fn() -> S + Sync + Send,
        f: impl Fn(S, T) -> S + Sync + Send,
        merge: impl Fn(S, S) -> S + Sync + Send,
    ) -> S
    where
        I: IntoIterator<Item = T> + IntoParallelIterator<Item = T> + Send,
        T: Send,
        S: Send,
    {
        match &self.pool {
            None => items.into_iter().fold(init(), f),
            Some(pool) => pool.install(|| items.into_par_iter().fold(&init, f).reduce(&init, merge)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fail_from(limit: usize) -> impl Fn(usize) -> Result<usize> + Sync {
        move |item| if item < limit { Ok(item * 2) } else { Err(Error::invalid(item.to_string(), None)) }
    }

    #[test]
    fn results_do_not_depend_on_the_number_of_threads() {
        for threads in [0, 1, 2, 5] {
            let workers = Workers::new(threads).unwrap();
            assert_eq!(workers.threads(), threads.max(1));
            let doubled = workers.try_map(0..1000usize, fail_from(1000)).unwrap();
            assert!(doubled.iter().enumerate().all(|(index, value)| *value == 2 * index));
            let failure = workers.try_map(0..1000usize, fail_from(700)).unwrap_err();
            assert_eq!(failure.to_string(), "700");
            let sum = workers.fold(0..1000usize, || 0, |sum, item| sum + item, |a, b| a + b);
            assert_eq!(sum, 499_500);
        }
    }

    #[test]
    fn a_pipeline_consumes_in_order() {
        let items: Vec<usize> = (0..1000).collect();
        for threads in [1, 2, 5] {
            let mut seen = Vec::new();
            let workers = Workers::new(threads).unwrap();
            workers.pipeline(&items, |item| item * 3, |item, made| seen.push((*item, made)));
            assert!(seen.iter().enumerate().all(|(index, pair)| *pair == (index, index * 3)));
            assert_eq!(seen.len(), items.len());
        }
    }
}
