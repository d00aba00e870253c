use super::*;
use crate::runtime::builtins::lookup;
use std::arch::asm;

/// Both ways to do it are right at all times, so that tests may change which is taken while others run.
fn both_ways(test: impl Fn()) {
    entries().for_each(drop);
    let lse = HAVE_LSE[0].load(Ordering::Relaxed);
    for way in [0, lse] {
        HAVE_LSE[0].store(way, Ordering::Relaxed);
        test();
    }
    HAVE_LSE[0].store(lse, Ordering::Relaxed);
}

fn address(name: &str) -> u64 {
    lookup(format!("__aarch64_{name}").as_bytes()).unwrap_or_else(|| panic!("no {name}")).address.0
}

/// Calls the function and gives its result's two registers; all other registers that it may not change must be as before.
fn call(function: u64, arguments: [u64; 5]) -> [u64; 2] {
    let [mut x0, mut x1, mut x2, mut x3, mut x4] = arguments;
    let mut kept: [u64; 10] = std::array::from_fn(|index| 0x1234_5678_9abc_def0 + index as u64);
    let before = kept;
    // SAFETY: the function takes these arguments and changes no register but those declared here.
    unsafe {
        asm!(
            "blr {function}",
            function = in(reg) function,
            inlateout("x0") x0, inlateout("x1") x1, inlateout("x2") x2, inlateout("x3") x3, inlateout("x4") x4,
            inlateout("x5") kept[0], inlateout("x6") kept[1], inlateout("x7") kept[2], inlateout("x8") kept[3],
            inlateout("x9") kept[4], inlateout("x10") kept[5], inlateout("x11") kept[6], inlateout("x12") kept[7],
            inlateout("x13") kept[8], inlateout("x14") kept[9],
            out("x15") _, out("x16") _, out("x17") _, out("x30") _,
        );
    }
    assert_eq!(kept, before);
    assert_eq!([x2, x3, x4], [arguments[2], arguments[3], arguments[4]]);
    [x0, x1]
}

const ORDERINGS: [&str; 5] = ["relax", "acq", "rel", "acq_rel", "sync"];
const NUMBERS: [u64; 6] = [0, 1, 0x80, 0x1234_5678_9abc_def0, 0xfedc_ba98_7654_3210, u64::MAX];

/// The low `size` bytes.
fn cut(value: u64, size: u64) -> u64 {
    value & (u64::MAX >> (64 - 8 * size))
}

#[test]
fn operations_give_the_former_value_and_leave_the_new_one() {
    let operations: [(&str, fn(u64, u64) -> u64); 5] = [
        ("swp", |_, new| new),
        ("ldadd", u64::wrapping_add),
        ("ldclr", |old, mask| old & !mask),
        ("ldeor", |old, mask| old ^ mask),
        ("ldset", |old, mask| old | mask),
    ];
    both_ways(|| {
        for (operation, compute) in operations {
            for (size, ordering) in [1, 2, 4, 8].into_iter().flat_map(|size| ORDERINGS.map(|o| (size, o))) {
                let function = address(&format!("{operation}{size}_{ordering}"));
                for (old, operand) in NUMBERS.into_iter().flat_map(|old| NUMBERS.map(|new| (old, new))) {
                    let mut place = old;
                    let pointer = (&raw mut place) as u64;
                    let [result, untouched] = call(function, [operand, pointer, 2, 3, 4]);
                    assert_eq!(
                        (result, untouched),
                        (cut(old, size), pointer),
                        "{operation}{size}_{ordering}"
                    );
                    let expected = cut(compute(old, operand), size) | (old & !cut(u64::MAX, size));
                    assert_eq!(place, expected, "{operation}{size}_{ordering}({operand:#x}) of {old:#x}");
                }
            }
        }
    });
}

#[test]
fn compare_and_swap_compares_the_bytes_of_its_size() {
    both_ways(|| {
        for (size, ordering) in [1, 2, 4, 8].into_iter().flat_map(|size| ORDERINGS.map(|o| (size, o))) {
            let function = address(&format!("cas{size}_{ordering}"));
            for (old, expected) in NUMBERS.into_iter().flat_map(|old| NUMBERS.map(|new| (old, new))) {
                let mut place = old;
                let desired = 0x5555_5555_5555_5555;
                let [result, _] = call(function, [expected, desired, (&raw mut place) as u64, 3, 4]);
                assert_eq!(result, cut(old, size), "cas{size}_{ordering}");
                let same = cut(old, size) == cut(expected, size);
                let kept = old & !cut(u64::MAX, size);
                assert_eq!(place, if same { cut(desired, size) | kept } else { old }, "cas{size}_{ordering}");
            }
        }
    });
}

#[test]
fn compare_and_swap_of_pairs_compares_both() {
    #[repr(align(16))]
    struct Pair([u64; 2]);
    both_ways(|| {
        for ordering in ORDERINGS {
            let function = address(&format!("cas16_{ordering}"));
            for (expected, new) in [([1, 2], [8, 9]), ([1, 3], [1, 2]), ([3, 2], [1, 2]), ([2, 1], [1, 2])] {
                let mut place = Pair([1, 2]);
                let result = call(function, [expected[0], expected[1], 8, 9, (&raw mut place) as u64]);
                assert_eq!((result, place.0), ([1, 2], new), "cas16_{ordering}");
            }
        }
    });
}

#[test]
fn nothing_is_lost_between_threads() {
    const ROUNDS: u64 = 20_000;
    both_ways(|| {
        let (add, cas) = (address("ldadd4_relax"), address("cas8_acq_rel"));
        let (mut added, mut swapped) = (0_u32, 0_u64);
        let (added_at, swapped_at) = ((&raw mut added) as u64, (&raw mut swapped) as u64);
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    for _ in 0..ROUNDS {
                        call(add, [1, added_at, 2, 3, 4]);
                        let mut seen = 0;
                        loop {
                            let [found, _] = call(cas, [seen, seen + 1, swapped_at, 3, 4]);
                            if found == seen {
                                break;
                            }
                            seen = found;
                        }
                    }
                });
            }
        });
        // SAFETY: the threads, which wrote behind the compiler's back, have ended.
        let places = unsafe { ((&raw const added).read_volatile(), (&raw const swapped).read_volatile()) };
        assert_eq!(places, (3 * ROUNDS as u32, 3 * ROUNDS));
    });
}
