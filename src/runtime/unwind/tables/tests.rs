//! Against a model of what libgcc documents and does up to version 12: a list in the order of addresses, walked to the
//! first table that begins before an address, and another of tables that have not been looked at yet.

use super::*;
use jitlink_test_support::mutate::Random;
use std::cell::RefCell;

/// A table in the list.
#[derive(Clone)]
struct Object {
    array: usize,
    begin: u64,
    codes: Vec<Range<u64>>,
}

#[derive(Clone, Default)]
struct Lists {
    unseen: Vec<Object>,
    seen: Vec<Object>,
    /// Tables that were passed, and records that were read and sorted.
    work: usize,
}

/// What sorting a record takes, in passed tables.
const SORTED: usize = 16;

impl Lists {
    fn find(&mut self, address: u64) -> bool {
        let before = self.seen.partition_point(|object| object.begin > address);
        self.work += before + 1;
        if self.seen.get(before).is_some_and(|object| object.has(address)) {
            return true;
        }
        while let Some(object) = self.unseen.pop() {
            self.work += SORTED * object.codes.len();
            let found = object.has(address);
            let place = self.seen.partition_point(|other| other.begin >= object.begin);
            self.work += place;
            self.seen.insert(place, object);
            if found {
                return true;
            }
        }
        false
    }

    fn withdraw(&mut self, array: usize) {
        if let Some(place) = self.unseen.iter().rposition(|object| object.array == array) {
            self.work += self.unseen.len() - place;
            self.unseen.remove(place);
            return;
        }
        let place =
            self.seen.iter().position(|object| object.array == array).expect("the table is registered");
        self.work += self.unseen.len() + place;
        self.seen.remove(place);
    }
}

impl Object {
    fn has(&self, address: u64) -> bool {
        self.codes.iter().any(|code| code.contains(&address))
    }
}

/// The code of sections, by address.
type Codes = HashMap<usize, Range<u64>>;

/// Checks after each call that everything that is live is found.
#[derive(Default)]
struct Model {
    lists: RefCell<Lists>,
    codes: RefCell<Codes>,
    live: RefCell<Vec<Range<u64>>>,
    /// Another thread throws now and then.
    thrower: RefCell<Option<Random>>,
}

impl Model {
    fn check(&self) {
        let live = self.live.borrow();
        if let Some(random) = &mut *self.thrower.borrow_mut() {
            for code in &*live {
                let found =
                    [code.start, code.end - 1].map(|address| self.lists.borrow().clone().find(address));
                assert_eq!(found, [true, true], "{code:x?}");
            }
            if !live.is_empty() && random.below(3) == 0 {
                assert!(self.lists.borrow_mut().find(live[random.below(live.len())].start));
            }
        }
    }
}

impl Registry for Model {
    fn register(&self, table: &Table) {
        // SAFETY: the array ends with a null.
        let words = (0..).map(|index| unsafe { *table.array().add(index) });
        let codes = self.codes.borrow();
        let codes: Vec<_> =
            words.skip(1).take_while(|word| *word != 0).map(|address| codes[&address].clone()).collect();
        let begin = codes.iter().map(|code| code.start).min().expect("no table is empty");
        self.lists.borrow_mut().unseen.push(Object { array: table.array().addr(), begin, codes });
        self.check();
    }

    fn withdraw(&self, table: &Table) {
        self.lists.borrow_mut().withdraw(table.array().addr());
        self.check();
    }
}

struct Scene {
    tables: Tables,
    model: Model,
}

impl Scene {
    fn new(seed: Option<u64>) -> Self {
        let model = Model { thrower: RefCell::new(seed.map(Random::new)), ..Model::default() };
        Self { tables: Tables::default(), model }
    }

    fn insert(&mut self, section: &Section) {
        self.model.codes.borrow_mut().insert(section.address, section.code.clone());
        self.tables.insert(section.clone(), &self.model);
        self.model.live.borrow_mut().push(section.code.clone());
        self.model.check();
    }

    fn remove(&mut self, section: &Section) {
        if self.model.thrower.borrow().is_some() {
            self.model.live.borrow_mut().retain(|code| *code != section.code);
        }
        assert!(self.tables.remove(section.address, &self.model));
        let start = section.code.start;
        let expected = self.model.live.borrow().iter().any(|code| code.contains(&start));
        assert_eq!(self.model.lists.borrow().clone().find(start), expected);
    }

    fn throw(&self, section: &Section) {
        assert!(self.model.lists.borrow_mut().find(section.code.start));
    }
}

const AREA: Range<u64> = 0x1000_0000..0x9000_0000;

fn section(index: usize, functions: usize) -> Section {
    let start = AREA.start + 0x1000 * index as u64;
    Section { address: 0x100 + index, code: start..start + 0x800, functions, area: AREA }
}

#[test]
fn whatever_is_registered_is_found_at_any_time() {
    for seed in 0..12 {
        let mut random = Random::new(seed);
        let mut scene = Scene::new(Some(seed));
        let mut present: HashMap<usize, Section> = HashMap::new();
        for _ in 0..400 {
            let index = random.below(60);
            match present.remove(&index) {
                Some(section) => scene.remove(&section),
                None => {
                    let mut new = section(index, 1 + random.below(12));
                    match random.below(12) {
                        // Overlaps others, as code in two places does.
                        0 => new.code.end += 0x1000 * random.below(20) as u64,
                        // Somebody else's memory.
                        1 => new.area = 0..0,
                        2 => new.area = 0..u64::MAX,
                        _ => {}
                    }
                    // An end of its own, by which it is told from others.
                    new.code.end += index as u64;
                    scene.insert(&new);
                    present.insert(index, new);
                }
            }
            let mut end = 0;
            for leaf in scene.tables.leaves.values() {
                assert!(leaf.sections[0].code.start >= end, "leaves overlap");
                end = leaf.end;
            }
        }
        present.values().for_each(|section| scene.remove(section));
        assert!(scene.tables.leaves.is_empty() && scene.tables.functions == 0);
    }
}

#[test]
fn sections_of_other_areas_are_in_other_tables() {
    let mut scene = Scene::new(Some(1));
    let own = |index, area| Section { area, ..section(index, 1) };
    for (index, area) in [AREA, AREA, 0..0, 0..0, 1..2].into_iter().enumerate() {
        scene.insert(&own(index, area));
    }
    assert_eq!(scene.tables.leaves.len(), 4);
}

#[test]
fn a_section_of_unknown_code_is_alone() {
    let mut scene = Scene::new(Some(1));
    scene.insert(&section(1, 1));
    scene.model.codes.borrow_mut().insert(5, 0x50..0x60);
    scene.tables.insert_alone(5, &scene.model);
    assert_eq!(scene.model.lists.borrow().unseen.len(), 2);
    assert!(scene.tables.remove(5, &scene.model));
    assert!(!scene.tables.remove(5, &scene.model));
    assert_eq!(scene.tables.leaves.len(), 1);
}

/// The work of registering and withdrawing `count` sections of one function, with a throw after every tenth.
fn work(count: usize, arrival: &dyn Fn(usize) -> usize, departure: &dyn Fn(usize) -> usize) -> usize {
    let mut scene = Scene::new(None);
    for step in 0..count {
        scene.insert(&section(arrival(step), 1));
        if step % 10 == 0 {
            scene.throw(&section(arrival(step / 2), 1));
        }
    }
    let limit = 6 * count.isqrt();
    assert!(scene.tables.leaves.len() <= limit, "{} tables", scene.tables.leaves.len());
    for step in 0..count {
        scene.tables.remove(section(departure(step), 1).address, &scene.model);
        if step % 10 == 0 && step + 1 < count {
            scene.throw(&section(departure(step + 1), 1));
        }
    }
    let work = scene.model.lists.borrow().work;
    assert!(scene.tables.leaves.is_empty());
    work
}

#[test]
fn arrivals_that_leave_gaps_do_not_leave_many_tables() {
    let mut scene = Scene::new(None);
    let count = 6000;
    // Pairs first, then one between each two of them.
    for index in (0..count).filter(|index| index % 3 != 2).chain((0..count).filter(|index| index % 3 == 2)) {
        scene.insert(&section(index, 1));
    }
    assert!(scene.tables.leaves.len() < 6 * count.isqrt(), "{} tables", scene.tables.leaves.len());
}

#[test]
fn the_work_for_each_of_many_sections_grows_slower_than_their_number() {
    const COUNT: usize = 2048;
    let in_order = |step: usize| step;
    for (name, order) in [("in order", 0), ("backwards", 1), ("at random", 2)] {
        for (other_name, other) in [("in order", 0), ("backwards", 1), ("at random", 2)] {
            let cost = |count: usize| {
                let pick = move |which: usize| -> Box<dyn Fn(usize) -> usize> {
                    match which {
                        0 => Box::new(in_order),
                        1 => Box::new(move |step| count - 1 - step),
                        // Powers of two, and a factor that has no divisor in common with them.
                        _ => Box::new(move |step| step * 2_654_435_761 % count),
                    }
                };
                work(count, &*pick(order), &*pick(other))
            };
            let [some, many] = [cost(COUNT), cost(4 * COUNT)];
            // Eight times for the square root of their number each, sixteen times for a list that is walked.
            assert!(many < 11 * some, "{name}, gone {other_name}: {some} and {many}");
        }
    }
}
