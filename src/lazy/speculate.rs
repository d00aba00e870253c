//! Speculation: what is likely to be called soon is materialized before, on threads of its own.

use crate::session::{JitDylib, LookupKind, LookupName, Visibility, WeakDylib};
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

/// Hears of lazy functions.
///
/// Called on the thread that defines or calls them; no lock is held.
pub trait LazyObserver: Send + Sync {
    /// These functions of a dylib are bound lazily.
    fn defined(&self, dylib: &JitDylib, names: &[&[u8]]) {
        let _ = (dylib, names);
    }

    /// A function of a dylib is called for the first time.
    fn called(&self, dylib: &JitDylib, name: &[u8]) {
        let _ = (dylib, name);
    }
}

type Function = (String, Vec<u8>);
type Work = (WeakDylib, Vec<u8>);

/// Materializes functions ahead of their first call, in a given order or in that of their definition, once the program has
/// [begun](Self::begin), and notes the order in which they are called. Speculation runs no code of theirs, and what fails is left to the call.
#[derive(Debug)]
pub struct OrderSpeculator {
    state: Mutex<State>,
    queue: Mutex<Option<Sender<Work>>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    ordered: bool,
}

#[derive(Debug, Default)]
struct State {
    /// Functions that are to come, first to last.
    order: VecDeque<Function>,
    /// Of those in the order: whether they exist by now.
    known: HashSet<Function>,
    dylibs: HashMap<String, WeakDylib>,
    /// Whether what is found is worked on at once.
    begun: bool,
    /// What is to be worked on as soon as that begins.
    waiting: Vec<Work>,
    called: Vec<Function>,
    seen: HashSet<Function>,
}

impl OrderSpeculator {
    /// Only notes what is called.
    #[must_use]
    pub fn recorder() -> Self {
        Self::new(Vec::new(), 0)
    }

    /// Materializes every function as it is defined, on so many threads.
    #[must_use]
    pub fn eager(threads: usize) -> Self {
        Self::start(Vec::new(), threads, false)
    }

    /// Materializes functions (of dylibs by name) in this order as soon as they are defined, on so many threads.
    #[must_use]
    pub fn new(order: Vec<(String, Vec<u8>)>, threads: usize) -> Self {
        Self::start(order, threads, true)
    }

    fn start(order: Vec<Function>, threads: usize, ordered: bool) -> Self {
        let state = State { order: order.into(), ..State::default() };
        let (sender, receiver) = channel::<Work>();
        let receiver = std::sync::Arc::new(Mutex::new(receiver));
        let work = move || {
            loop {
                let next = receiver.lock().unwrap_or_else(PoisonError::into_inner).recv();
                let Ok((dylib, name)) = next else { return };
                let Some(dylib) = dylib.upgrade() else { continue };
                let order = [(&dylib, Visibility::All)];
                let names = [LookupName { name: &name, weak: true }];
                // What goes wrong is found out again by the call, which has somebody to tell.
                let _ = dylib.session().lookup(&order, &names, LookupKind::Static);
            }
        };
        let threads: Vec<_> = (0..threads).map(|_| std::thread::spawn(work.clone())).collect();
        let queue = Mutex::new((!threads.is_empty()).then_some(sender));
        Self { state: Mutex::new(state), queue, threads: Mutex::new(threads), ordered }
    }

    /// The functions called so far, in the order of their first calls.
    #[must_use]
    pub fn called(&self) -> Vec<(String, Vec<u8>)> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).called.clone()
    }

    /// Ends speculation: waits for what is under way, and forgets what is to come.
    pub fn finish(&self) {
        drop(self.queue.lock().unwrap_or_else(PoisonError::into_inner).take());
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        // The last handle of a session may be let go of by a thread that speculates for it.
        let others = threads.into_iter().filter(|thread| thread.thread().id() != std::thread::current().id());
        others.for_each(|thread| _ = thread.join());
    }

    /// Begins with what is defined so far, and goes on with what will be. The first call of a lazy function begins, too:
    /// by then, what the functions refer to has been added.
    pub fn begin(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.begun = true;
        let waiting = std::mem::take(&mut state.waiting);
        drop(state);
        self.send(waiting);
    }

    /// Works on functions, now or as soon as it begins.
    fn add(&self, mut state: MutexGuard<'_, State>, work: Vec<Work>) {
        if state.begun {
            drop(state);
            self.send(work);
        } else {
            state.waiting.extend(work);
        }
    }

    fn send(&self, work: Vec<Work>) {
        if let Some(queue) = &*self.queue.lock().unwrap_or_else(PoisonError::into_inner) {
            work.into_iter().for_each(|function| _ = queue.send(function));
        }
    }
}

impl LazyObserver for OrderSpeculator {
    fn defined(&self, dylib: &JitDylib, names: &[&[u8]]) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.ordered {
            let all = names.iter().map(|name| (dylib.downgrade(), name.to_vec())).collect();
            return self.add(state, all);
        }
        if state.order.is_empty() {
            return;
        }
        state.dylibs.entry(dylib.name().to_owned()).or_insert_with(|| dylib.downgrade());
        state.known.extend(names.iter().map(|name| (dylib.name().to_owned(), name.to_vec())));
        let mut ready = Vec::new();
        while let Some(next) = state.order.front().filter(|next| state.known.contains(*next)) {
            if let Some(dylib) = state.dylibs.get(&next.0) {
                ready.push((dylib.clone(), next.1.clone()));
            }
            state.order.pop_front();
        }
        self.add(state, ready);
    }

    fn called(&self, dylib: &JitDylib, name: &[u8]) {
        let function = (dylib.name().to_owned(), name.to_vec());
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.seen.insert(function.clone()) {
            state.called.push(function);
        }
        if !state.begun {
            drop(state);
            self.begin();
        }
    }
}

impl Drop for OrderSpeculator {
    fn drop(&mut self) {
        self.finish();
    }
}
