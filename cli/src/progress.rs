//! What is going on, shown on a terminal when it lasts.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// Nothing is shown before this much time has passed.
const PATIENCE: Duration = Duration::from_millis(500);
const TICK: Duration = Duration::from_millis(100);

/// What is on the terminal at present.
static SHOWN: Mutex<Option<ProgressBar>> = Mutex::new(None);

fn shown() -> MutexGuard<'static, Option<ProgressBar>> {
    SHOWN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Writes something else to the terminal, where the progress gives way to it.
pub(crate) fn give_way(write: impl FnOnce()) {
    match &*shown() {
        Some(bar) => bar.suspend(write),
        None => write(),
    }
}

/// Shows progress while it lives; nothing at all where standard error is no terminal.
#[derive(Debug)]
pub(crate) struct Progress(Option<Watcher>);

#[derive(Debug)]
struct Watcher {
    state: Arc<State>,
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct State {
    phase: Mutex<&'static str>,
    total: AtomicUsize,
    done: AtomicUsize,
}

impl Progress {
    pub(crate) fn new() -> Self {
        if !std::io::stderr().is_terminal() {
            return Self(None);
        }
        let state = Arc::new(State::default());
        let (stop, stopped) = mpsc::channel();
        let watched = Arc::clone(&state);
        let thread = std::thread::Builder::new().spawn(move || {
            if stopped.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
                let bar = bar();
                *shown() = Some(bar.clone());
                while stopped.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
                    watched.show(&bar);
                }
                *shown() = None;
                bar.finish_and_clear();
            }
        });
        Self(thread.ok().map(|thread| Watcher { state, stop: Some(stop), thread: Some(thread) }))
    }

    /// A phase with `total` steps begins.
    pub(crate) fn begin(&self, phase: &'static str, total: usize) {
        if let Some(Watcher { state, .. }) = &self.0 {
            *state.phase.lock().unwrap_or_else(PoisonError::into_inner) = phase;
            state.done.store(0, Relaxed);
            state.total.store(total, Relaxed);
        }
    }

    /// One step is done.
    pub(crate) fn advance(&self) {
        if let Some(Watcher { state, .. }) = &self.0 {
            state.done.fetch_add(1, Relaxed);
        }
    }
}

impl State {
    fn show(&self, bar: &ProgressBar) {
        let phase = *self.phase.lock().unwrap_or_else(PoisonError::into_inner);
        let (done, total) = (self.done.load(Relaxed), self.total.load(Relaxed));
        let message = match (done, total) {
            (0, total) => format!("{phase} {total} files"),
            (done, total) => format!("{phase} {done} of {total} files"),
        };
        bar.set_message(message);
        bar.tick();
    }
}

fn bar() -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr()).with_elapsed(PATIENCE);
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} ({elapsed})") {
        bar.set_style(style);
    }
    bar
}

impl Drop for Watcher {
    /// The program that runs next finds no thread of the command's.
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
