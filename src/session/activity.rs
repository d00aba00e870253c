//! Who waits for whom: cycles are found before anybody waits in one.
//!
//! An activity is one call of the user's code or one link, on one thread. While it runs, units (or a generator, or a
//! dylib's initialisers) belong to it. A thread that is about to wait knows which activities it waits for, and all
//! activities that its own stack is in the middle of wait with it.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// One call of the user's code, or one link. No two have the same number, whatever the session.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub(super) struct Activity(u64);

thread_local! {
    /// What this thread is in the middle of, outermost first.
    static STACK: RefCell<Vec<Activity>> = const { RefCell::new(Vec::new()) };
}

impl Activity {
    pub(super) fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self(NEXT.fetch_add(1, Relaxed))
    }

    /// Does `work` as part of this activity.
    pub(super) fn run<R>(self, work: impl FnOnce() -> R) -> R {
        struct Leave;
        impl Drop for Leave {
            fn drop(&mut self) {
                STACK.with_borrow_mut(|stack| _ = stack.pop());
            }
        }
        STACK.with_borrow_mut(|stack| stack.push(self));
        let _leave = Leave;
        work()
    }

    /// Whether the calling thread is in the middle of it.
    pub(super) fn is_own(self) -> bool {
        STACK.with_borrow(|stack| stack.contains(&self))
    }
}

/// The activities of a session.
#[derive(Debug, Default)]
pub(super) struct Activities {
    names: HashMap<Activity, Arc<str>>,
    waits: HashMap<Activity, Vec<Activity>>,
}

impl Activities {
    pub(super) fn begin(&mut self, name: Arc<str>) -> Activity {
        let activity = Activity::new();
        self.names.insert(activity, name);
        activity
    }

    pub(super) fn end(&mut self, activity: Activity) {
        self.names.remove(&activity);
    }

    /// Notes that the calling thread waits for all of these.
    ///
    /// # Errors
    /// One of them waits for something that this thread is in the middle of: what waits for what.
    pub(super) fn wait(&mut self, on: &[Activity]) -> Result<(), String> {
        STACK.with_borrow(|own| {
            if let Some(cycle) = self.path_to(on, own) {
                return Err(self.describe(&cycle));
            }
            own.iter().for_each(|activity| _ = self.waits.insert(*activity, on.to_vec()));
            Ok(())
        })
    }

    /// Notes that the calling thread waits no longer.
    pub(super) fn resume(&mut self) {
        STACK.with_borrow(|own| own.iter().for_each(|activity| _ = self.waits.remove(activity)));
    }

    /// A chain of waiting from one of `from` to one of `own`.
    fn path_to(&self, from: &[Activity], own: &[Activity]) -> Option<Vec<Activity>> {
        let mut came_from: HashMap<Activity, Option<Activity>> =
            from.iter().map(|activity| (*activity, None)).collect();
        let mut rest = from.to_vec();
        while let Some(activity) = rest.pop() {
            if own.contains(&activity) {
                let before = |at: &Activity| came_from.get(at).copied().flatten();
                return Some(std::iter::successors(Some(activity), before).collect());
            }
            for next in self.waits.get(&activity).into_iter().flatten() {
                came_from.entry(*next).or_insert_with(|| {
                    rest.push(*next);
                    Some(activity)
                });
            }
        }
        None
    }

    fn describe(&self, cycle: &[Activity]) -> String {
        let names = cycle.iter().map(|activity| self.names.get(activity).map_or("a link", |name| name));
        names.collect::<Vec<_>>().join(", which waits for ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_for_oneself_is_a_cycle_and_for_others_is_not() {
        let mut activities = Activities::default();
        let [a, b] = ["a", "b"].map(|name| activities.begin(name.into()));
        assert_eq!(activities.wait(&[a, b]), Ok(()));
        let cycle = a.run(|| activities.wait(&[b, a]));
        assert_eq!(cycle, Err("a".to_owned()));
        a.run(|| activities.wait(&[b])).unwrap();
        assert_eq!(b.run(|| activities.wait(&[a])), Err("b, which waits for a".to_owned()));
        a.run(|| activities.resume());
        assert_eq!(b.run(|| activities.wait(&[a])), Ok(()));
        assert!(!a.is_own());
    }

    /// Whether `to` can be reached from `from` by what waits for what.
    fn reaches(waits: &[Vec<usize>; NODES], from: usize, to: usize) -> bool {
        let (mut seen, mut rest) = ([false; NODES], vec![from]);
        while let Some(node) = rest.pop() {
            if node == to {
                return true;
            }
            if !std::mem::replace(&mut seen[node], true) {
                rest.extend(&waits[node]);
            }
        }
        false
    }

    const NODES: usize = 4;

    /// All ways in which four threads, each in the middle of something, come to wait for some of the others: whoever would
    /// close a circle is told, and nobody else.
    #[test]
    fn circles_are_found_by_who_would_close_them_and_only_then() {
        let subsets = |own: usize| {
            (1usize..1 << NODES)
                .filter(move |set| set >> own & 1 == 0)
                .map(|set| (0..NODES).filter(|node| set >> node & 1 != 0).collect::<Vec<_>>())
        };
        let orders =
            (0..NODES.pow(NODES as u32)).map(|code| [0, 1, 2, 3].map(|at| code / NODES.pow(at) % NODES));
        let orders: Vec<[usize; NODES]> =
            orders.filter(|order| (0..NODES).all(|node| order.contains(&node))).collect();
        assert_eq!(orders.len(), 24);
        let choices: [Vec<Vec<usize>>; NODES] = std::array::from_fn(|own| subsets(own).collect());
        let count = choices[0].len();
        for order in &orders {
            for code in 0..count.pow(NODES as u32) {
                let mut activities = Activities::default();
                let all: [Activity; NODES] = std::array::from_fn(|_| activities.begin("one".into()));
                let mut waits: [Vec<usize>; NODES] = Default::default();
                for (at, &own) in order.iter().enumerate() {
                    let on = &choices[own][code / count.pow(at as u32) % count];
                    let closes = on.iter().any(|node| reaches(&waits, *node, own));
                    let keys: Vec<Activity> = on.iter().map(|node| all[*node]).collect();
                    let told = all[own].run(|| activities.wait(&keys)).is_err();
                    assert_eq!(told, closes, "{order:?} {waits:?} {own} {on:?}");
                    if !told {
                        waits[own].clone_from(on);
                    }
                }
            }
        }
    }

    #[test]
    fn an_outer_activity_waits_with_the_inner_one() {
        let mut activities = Activities::default();
        let [outer, inner, other] = ["outer", "inner", "other"].map(|name| activities.begin(name.into()));
        outer.run(|| inner.run(|| activities.wait(&[other]))).unwrap();
        assert!(other.run(|| activities.wait(&[outer])).is_err());
    }
}
