use super::{merge as merge_by, *};
use jitlink_test_support::mutate::Random;
use proptest::prelude::*;
use std::collections::HashSet;
use std::sync::LazyLock;

const ONE: MergeRole = MergeRole::Strings { unit: 1 };

fn strings(bytes: &[u8]) -> MergeInput<'_> {
    MergeInput { bytes, role: ONE, alignment: 1, class: 0 }
}

fn constants(bytes: &[u8], unit: u32) -> MergeInput<'_> {
    MergeInput { bytes, role: MergeRole::Constants { unit }, alignment: unit.into(), class: 0 }
}

/// Merges alone and with threads, which must come to the same.
fn merge<'a>(inputs: &[MergeInput<'a>]) -> Result<Merged<'a>, MergeError> {
    static THREADS: LazyLock<Workers> = LazyLock::new(|| Workers::new(2).unwrap());
    let alone = merge_by(inputs, &Workers::none());
    assert_eq!(format!("{alone:?}"), format!("{:?}", merge_by(inputs, &THREADS)));
    alone
}

fn write(group: &MergedGroup<'_>) -> Vec<u8> {
    let mut out = vec![0xaa; group.size as usize];
    group.write(&mut out);
    out
}

#[test]
fn equal_strings_become_one() {
    let merged = merge(&[strings(b"ab\0c\0"), strings(b"c\0\0ab\0"), strings(b"")]).unwrap();
    assert_eq!(merged.groups.len(), 1);
    assert_eq!(write(&merged.groups[0]), b"ab\0c\0\0");
    assert_eq!(merged.groups[0].piece_count(), 3);
    let second = &merged.maps[1];
    let mapped: Vec<_> = (0..=7).map(|offset| second.map(offset)).collect();
    // The last is past the end; the one before it, the end, is that of the last string.
    assert_eq!(mapped, [Some(3), Some(4), Some(5), Some(0), Some(1), Some(2), Some(3), None]);
    assert_eq!((merged.maps[2].map(0), merged.maps[2].map(1)), (Some(0), None));
}

#[test]
fn wide_strings_end_at_whole_null_characters() {
    let wide = |bytes| MergeInput { bytes, role: MergeRole::Strings { unit: 2 }, alignment: 2, class: 0 };
    let merged = merge(&[wide(b"a\0\0b\0\0"), wide(b"\0b\0\0a\0\0b\0\0")]).unwrap();
    assert_eq!(write(&merged.groups[0]), b"a\0\0b\0\0\0b\0\0");
    assert_eq!(merged.maps[1].map(4), Some(0));
    let wider = MergeInput { bytes: b"a\0\0\0\0\0\0\0", role: MergeRole::Strings { unit: 4 }, ..wide(b"") };
    assert_eq!(merge(&[wider]).unwrap().groups[0].size, 8);
    let odd = MergeInput { bytes: b"a\0\0\0\0\0", role: MergeRole::Strings { unit: 3 }, ..wide(b"") };
    assert_eq!(merge(&[odd, odd]).unwrap().groups[0].size, 6);
}

#[test]
fn constants_are_cut_by_size() {
    let merged = merge(&[constants(b"aaaabbbb", 4), constants(b"bbbbcccc", 4)]).unwrap();
    assert_eq!(write(&merged.groups[0]), b"aaaabbbbcccc");
    let mapped: Vec<_> = [0, 3, 4, 8, 9].iter().map(|offset| merged.maps[1].map(*offset)).collect();
    assert_eq!(mapped, [Some(4), Some(7), Some(8), Some(12), None]);
}

#[test]
fn pieces_are_as_aligned_as_their_offset() {
    let aligned = |bytes| MergeInput { alignment: 8, ..strings(bytes) };
    let merged = merge(&[aligned(b"abc\0\0\0\0\0defgh\0"), aligned(b"ij\0kl\0")]).unwrap();
    assert_eq!(write(&merged.groups[0]), b"abc\0\0\0\0\0defgh\0\0\0ij\0kl\0");
    let mapped: Vec<_> = (4..9).map(|offset| merged.maps[0].map(offset)).collect();
    assert_eq!(mapped, [Some(4), Some(4), Some(4), Some(4), Some(8)]);
}

#[test]
fn a_stricter_alignment_takes_a_copy_of_its_own() {
    let aligned = |bytes| MergeInput { alignment: 4, ..strings(bytes) };
    let merged = merge(&[aligned(b"a\0b\0"), aligned(b"b\0"), aligned(b"a\0b\0")]).unwrap();
    assert_eq!(write(&merged.groups[0]), b"a\0b\0b\0");
    let mapped: Vec<_> = [(0, 2), (1, 0), (2, 2)].map(|(input, at)| merged.maps[input].map(at)).into();
    assert_eq!(mapped, [Some(2), Some(4), Some(4)]);
}

#[test]
fn a_large_alignment_does_not_inflate_the_group() {
    let bytes: Vec<u8> = (1..=255).flat_map(|first| [first, 0]).collect();
    let merged = merge(&[MergeInput { alignment: 1 << 24, ..strings(&bytes) }]).unwrap();
    assert!(merged.groups[0].size < 4 * bytes.len() as u64);
}

#[test]
fn constants_under_a_stricter_alignment_stay_together() {
    let pair = |bytes| MergeInput { alignment: 16, ..constants(bytes, 8) };
    let merged = merge(&[pair(b"aaaaaaaabbbbbbbb"), pair(b"bbbbbbbb"), pair(b"aaaaaaaabbbbbbbb")]).unwrap();
    assert_eq!(write(&merged.groups[0]), b"aaaaaaaabbbbbbbbbbbbbbbb");
    assert_eq!(merged.maps[2].map(8), Some(8));
    assert_eq!(merged.maps[1].map(0), Some(16));
}

#[test]
fn only_equal_kinds_share_pieces() {
    let base = strings(b"x\0");
    let inputs =
        [base, MergeInput { class: 1, ..base }, MergeInput { alignment: 2, ..base }, constants(b"x\0", 2)];
    let merged = merge(&inputs).unwrap();
    assert_eq!(merged.groups.len(), 4);
    assert!(merged.groups.iter().all(|group| group.size == 2));
}

#[test]
fn faults_name_input_and_offset() {
    let fault = |input: MergeInput<'_>| merge(&[strings(b"ok\0"), input]).unwrap_err();
    let unterminated = MergeError { input: 1, offset: 2, fault: MergeFault::Unterminated };
    assert_eq!(fault(strings(b"a\0bc")), unterminated);
    let partial = MergeError { input: 1, offset: 4, fault: MergeFault::PartialUnit };
    assert_eq!(fault(constants(b"aaaab", 4)), partial);
    let wide = MergeInput { role: MergeRole::Strings { unit: 2 }, ..strings(b"a\0\0\0x") };
    assert_eq!(fault(wide), partial);
    let wide = MergeInput { role: MergeRole::Strings { unit: 4 }, ..strings(b"a\0\0\0") };
    assert_eq!(fault(wide), MergeError { offset: 0, ..unterminated });
    let huge = |bytes| MergeInput { alignment: 1 << 40, ..strings(bytes) };
    let too_large = MergeError { input: 1, offset: 0, fault: MergeFault::TooLarge };
    assert_eq!(merge(&[huge(b"a\0"), huge(b"b\0")]).unwrap_err(), too_large);
}

#[test]
fn a_unit_of_zero_keeps_the_section_whole() {
    let whole = MergeInput { role: MergeRole::Constants { unit: 0 }, ..strings(b"abc") };
    let merged = merge(&[whole, whole]).unwrap();
    assert_eq!(write(&merged.groups[0]), b"abc");
    assert_eq!(merged.maps[1].map(3), Some(3));
}

/// Inputs that `merge` accepts, with few different bytes so that pieces repeat.
fn any_input() -> impl Strategy<Value = (Vec<u8>, MergeRole, u64, u32)> {
    let role = prop_oneof![
        prop::sample::select(vec![1u32, 2, 4, 3]).prop_map(|unit| MergeRole::Strings { unit }),
        prop::sample::select(vec![1u32, 4, 8, 16]).prop_map(|unit| MergeRole::Constants { unit }),
    ];
    let bytes = prop::collection::vec(prop::sample::select(vec![0u8, 0, 1, 2]), 0..80);
    (bytes, role, prop::sample::select(vec![1u64, 2, 4, 8, 16]), 0..2u32).prop_map(
        |(mut bytes, role, alignment, class)| {
            let unit = match role {
                MergeRole::Strings { unit } | MergeRole::Constants { unit } => unit as usize,
            };
            bytes.resize(bytes.len().next_multiple_of(unit), 0);
            if matches!(role, MergeRole::Strings { .. }) && !bytes.is_empty() {
                bytes.resize(bytes.len() + unit, 0);
            }
            (bytes, role, alignment, class)
        },
    )
}

/// The pieces of an input, cut the plain way.
fn pieces<'a>(input: &MergeInput<'a>) -> Vec<&'a [u8]> {
    match input.role {
        MergeRole::Constants { unit } if input.alignment > u64::from(unit) => vec![input.bytes],
        MergeRole::Constants { unit } => input.bytes.chunks(unit as usize).collect(),
        MergeRole::Strings { unit } => {
            let mut pieces = Vec::new();
            let mut start = 0;
            for end in (unit as usize..=input.bytes.len()).step_by(unit as usize) {
                if input.bytes[end - unit as usize..end].iter().all(|byte| *byte == 0) {
                    pieces.push(&input.bytes[start..end]);
                    start = end;
                }
            }
            pieces
        }
    }
}

proptest! {
    #[test]
    fn every_piece_is_found_where_its_map_says(list in prop::collection::vec(any_input(), 0..12)) {
        let inputs: Vec<_> = list
            .iter()
            .map(|(bytes, role, alignment, class)| MergeInput { bytes, role: *role, alignment: *alignment, class: *class })
            .collect();
        let merged = merge(&inputs).unwrap();
        let outputs: Vec<_> = merged.groups.iter().map(write).collect();
        let mut different = vec![HashSet::new(); outputs.len()];
        for (input, map) in inputs.iter().zip(&merged.maps) {
            let mut start = 0;
            for piece in pieces(input) {
                let at = map.map(start as u64).unwrap();
                prop_assert_eq!(&outputs[map.group as usize][at as usize..][..piece.len()], piece);
                let whole = start as u64 | input.alignment;
                prop_assert_eq!(at % (1 << whole.trailing_zeros()), 0);
                for inside in 0..piece.len() {
                    prop_assert_eq!(map.map((start + inside) as u64), Some(at + inside as u64));
                }
                start += piece.len();
                different[map.group as usize].insert(piece);
                prop_assert!(map.map(start as u64).is_some());
            }
            prop_assert_eq!(map.map(start as u64 + 1), None);
        }
        for (group, set) in merged.groups.iter().zip(&different) {
            let different = set.iter().filter(|piece| !piece.is_empty()).count();
            // One copy for each step from 1 to 16, at most.
            let copies = 1 + group.alignment.trailing_zeros() as usize;
            prop_assert!((different..=different * copies).contains(&group.piece_count()));
        }
    }
}

#[test]
fn arbitrary_sections_never_panic() {
    for seed in 0..5000 {
        let mut random = Random::new(seed);
        let size = random.below(40);
        let bytes: Vec<u8> = (0..size).map(|_| random.below(3) as u8).collect();
        let unit = random.below(6) as u32;
        let role =
            if random.below(2) == 0 { MergeRole::Strings { unit } } else { MergeRole::Constants { unit } };
        let alignment = [0, 1, 3, 8, 1 << 20, 1 << 33, u64::MAX][random.below(7)];
        let input = MergeInput { bytes: &bytes, role, alignment, class: 0 };
        match merge(&[input]) {
            Ok(merged) => {
                assert!(merged.maps[0].map(size as u64).is_some());
                assert!(merged.maps[0].map(u64::MAX).is_none());
            }
            Err(error) => assert!(error.offset <= size as u64),
        }
    }
}
