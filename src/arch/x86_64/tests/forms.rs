//! Instructions that load an address from the GOT, before and after.

use super::*;
use crate::arch::can_relax;
use crate::arch::x86_64::kinds::*;
use std::fmt::Write;

/// Far above 2 GiB: no absolute address nearby is a 32-bit number.
const HIGH: u64 = 0x7f00_0000_0000;

/// The distance to near targets from the end of an instruction at `HIGH`, and the absolute address of low ones.
const VALUE: u64 = 0x1234_5678;

/// An instruction with its field left zero, and what becomes of it with the field set.
struct Form {
    kind: EdgeKind,
    before: &'static [u8],
    source: &'static str,
    after: &'static [u8],
    result: &'static str,
}

/// Instructions whose target is near.
#[rustfmt::skip]
const NEAR: [Form; 10] = [
    Form { kind: GOTPCRELX, before: &[0xff, 0x15], source: "callq *(%rip)",
        after: &[0x67, 0xe8, 0x78, 0x56, 0x34, 0x12], result: "addr32 callq 305419896" },
    Form { kind: GOTPCRELX, before: &[0xff, 0x25], source: "jmpq *(%rip)",
        after: &[0xe9, 0x79, 0x56, 0x34, 0x12, 0x90], result: "jmp 305419897\nnop" },
    Form { kind: GOTPCRELX, before: &[0x8b, 0x05], source: "movl (%rip), %eax",
        after: &[0x8d, 0x05, 0x78, 0x56, 0x34, 0x12], result: "leal 305419896(%rip), %eax" },
    Form { kind: GOTPCRELX, before: &[0x8b, 0x3d], source: "movl (%rip), %edi",
        after: &[0x8d, 0x3d, 0x78, 0x56, 0x34, 0x12], result: "leal 305419896(%rip), %edi" },
    Form { kind: REX_GOTPCRELX, before: &[0x48, 0x8b, 0x05], source: "movq (%rip), %rax",
        after: &[0x48, 0x8d, 0x05, 0x78, 0x56, 0x34, 0x12], result: "leaq 305419896(%rip), %rax" },
    Form { kind: REX_GOTPCRELX, before: &[0x4c, 0x8b, 0x3d], source: "movq (%rip), %r15",
        after: &[0x4c, 0x8d, 0x3d, 0x78, 0x56, 0x34, 0x12], result: "leaq 305419896(%rip), %r15" },
    Form { kind: REX_GOTPCRELX, before: &[0x44, 0x8b, 0x0d], source: "movl (%rip), %r9d",
        after: &[0x44, 0x8d, 0x0d, 0x78, 0x56, 0x34, 0x12], result: "leal 305419896(%rip), %r9d" },
    Form { kind: CODE_4_GOTPCRELX, before: &[0xd5, 0x0c, 0x8b, 0x0d], source: "movq (%rip), %r9",
        after: &[0xd5, 0x0c, 0x8d, 0x0d, 0x78, 0x56, 0x34, 0x12], result: "leaq 305419896(%rip), %r9" },
    Form { kind: CODE_4_GOTPCRELX, before: &[0xd5, 0x48, 0x8b, 0x05], source: "movq (%rip), %r16",
        after: &[0xd5, 0x48, 0x8d, 0x05, 0x78, 0x56, 0x34, 0x12], result: "leaq 305419896(%rip), %r16" },
    Form { kind: CODE_4_GOTPCRELX, before: &[0xd5, 0x4c, 0x8b, 0x3d], source: "movq (%rip), %r31",
        after: &[0xd5, 0x4c, 0x8d, 0x3d, 0x78, 0x56, 0x34, 0x12], result: "leaq 305419896(%rip), %r31" },
];

/// Instructions whose target is out of their reach but has a 32-bit address.
#[rustfmt::skip]
const LOW: [Form; 26] = [
    Form { kind: GOTPCRELX, before: &[0x8b, 0x3d], source: "movl (%rip), %edi",
        after: &[0xc7, 0xc7, 0x78, 0x56, 0x34, 0x12], result: "movl $305419896, %edi" },
    Form { kind: GOTPCRELX, before: &[0x85, 0x0d], source: "testl %ecx, (%rip)",
        after: &[0xf7, 0xc1, 0x78, 0x56, 0x34, 0x12], result: "testl $305419896, %ecx" },
    Form { kind: GOTPCRELX, before: &[0x3b, 0x25], source: "cmpl (%rip), %esp",
        after: &[0x81, 0xfc, 0x78, 0x56, 0x34, 0x12], result: "cmpl $305419896, %esp" },
    Form { kind: REX_GOTPCRELX, before: &[0x48, 0x8b, 0x05], source: "movq (%rip), %rax",
        after: &[0x48, 0xc7, 0xc0, 0x78, 0x56, 0x34, 0x12], result: "movq $305419896, %rax" },
    Form { kind: REX_GOTPCRELX, before: &[0x4c, 0x8b, 0x3d], source: "movq (%rip), %r15",
        after: &[0x49, 0xc7, 0xc7, 0x78, 0x56, 0x34, 0x12], result: "movq $305419896, %r15" },
    Form { kind: REX_GOTPCRELX, before: &[0x44, 0x8b, 0x0d], source: "movl (%rip), %r9d",
        after: &[0x41, 0xc7, 0xc1, 0x78, 0x56, 0x34, 0x12], result: "movl $305419896, %r9d" },
    Form { kind: REX_GOTPCRELX, before: &[0x48, 0x85, 0x15], source: "testq %rdx, (%rip)",
        after: &[0x48, 0xf7, 0xc2, 0x78, 0x56, 0x34, 0x12], result: "testq $305419896, %rdx" },
    Form { kind: REX_GOTPCRELX, before: &[0x48, 0x03, 0x0d], source: "addq (%rip), %rcx",
        after: &[0x48, 0x81, 0xc1, 0x78, 0x56, 0x34, 0x12], result: "addq $305419896, %rcx" },
    Form { kind: REX_GOTPCRELX, before: &[0x4c, 0x0b, 0x05], source: "orq (%rip), %r8",
        after: &[0x49, 0x81, 0xc8, 0x78, 0x56, 0x34, 0x12], result: "orq $305419896, %r8" },
    Form { kind: REX_GOTPCRELX, before: &[0x4c, 0x13, 0x15], source: "adcq (%rip), %r10",
        after: &[0x49, 0x81, 0xd2, 0x78, 0x56, 0x34, 0x12], result: "adcq $305419896, %r10" },
    Form { kind: REX_GOTPCRELX, before: &[0x48, 0x1b, 0x1d], source: "sbbq (%rip), %rbx",
        after: &[0x48, 0x81, 0xdb, 0x78, 0x56, 0x34, 0x12], result: "sbbq $305419896, %rbx" },
    Form { kind: REX_GOTPCRELX, before: &[0x48, 0x23, 0x35], source: "andq (%rip), %rsi",
        after: &[0x48, 0x81, 0xe6, 0x78, 0x56, 0x34, 0x12], result: "andq $305419896, %rsi" },
    Form { kind: REX_GOTPCRELX, before: &[0x4c, 0x2b, 0x25], source: "subq (%rip), %r12",
        after: &[0x49, 0x81, 0xec, 0x78, 0x56, 0x34, 0x12], result: "subq $305419896, %r12" },
    Form { kind: REX_GOTPCRELX, before: &[0x48, 0x33, 0x2d], source: "xorq (%rip), %rbp",
        after: &[0x48, 0x81, 0xf5, 0x78, 0x56, 0x34, 0x12], result: "xorq $305419896, %rbp" },
    Form { kind: REX_GOTPCRELX, before: &[0x4c, 0x3b, 0x2d], source: "cmpq (%rip), %r13",
        after: &[0x49, 0x81, 0xfd, 0x78, 0x56, 0x34, 0x12], result: "cmpq $305419896, %r13" },
    Form { kind: CODE_4_GOTPCRELX, before: &[0xd5, 0x48, 0x8b, 0x05], source: "movq (%rip), %r16",
        after: &[0xd5, 0x18, 0xc7, 0xc0, 0x78, 0x56, 0x34, 0x12], result: "movq $305419896, %r16" },
    Form { kind: CODE_4_GOTPCRELX, before: &[0xd5, 0x4c, 0x8b, 0x3d], source: "movq (%rip), %r31",
        after: &[0xd5, 0x19, 0xc7, 0xc7, 0x78, 0x56, 0x34, 0x12], result: "movq $305419896, %r31" },
    Form { kind: CODE_4_GOTPCRELX, before: &[0xd5, 0x48, 0x03, 0x0d], source: "addq (%rip), %r17",
        after: &[0xd5, 0x18, 0x81, 0xc1, 0x78, 0x56, 0x34, 0x12], result: "addq $305419896, %r17" },
    Form { kind: CODE_4_GOTPCRELX, before: &[0xd5, 0x4c, 0x85, 0x15], source: "testq %r26, (%rip)",
        after: &[0xd5, 0x19, 0xf7, 0xc2, 0x78, 0x56, 0x34, 0x12], result: "testq $305419896, %r26" },
    Form { kind: CODE_4_GOTPCRELX, before: &[0xd5, 0x48, 0x3b, 0x25], source: "cmpq (%rip), %r20",
        after: &[0xd5, 0x18, 0x81, 0xfc, 0x78, 0x56, 0x34, 0x12], result: "cmpq $305419896, %r20" },
    Form { kind: CODE_6_GOTPCRELX, before: &[0x62, 0xe4, 0xb4, 0x10, 0x03, 0x05], source: "addq (%rip), %r16, %r25",
        after: &[0x62, 0xfc, 0xb4, 0x10, 0x81, 0xc0, 0x78, 0x56, 0x34, 0x12], result: "addq $305419896, %r16, %r25" },
    Form { kind: CODE_6_GOTPCRELX, before: &[0x62, 0x74, 0xf4, 0x18, 0x03, 0x0d], source: "addq (%rip), %r9, %rcx",
        after: &[0x62, 0xd4, 0xf4, 0x18, 0x81, 0xc1, 0x78, 0x56, 0x34, 0x12], result: "addq $305419896, %r9, %rcx" },
    Form { kind: CODE_6_GOTPCRELX, before: &[0x62, 0x64, 0xfc, 0x18, 0x2b, 0x3d], source: "subq (%rip), %r31, %rax",
        after: &[0x62, 0xdc, 0xfc, 0x18, 0x81, 0xef, 0x78, 0x56, 0x34, 0x12], result: "subq $305419896, %r31, %rax" },
    Form { kind: CODE_6_GOTPCRELX, before: &[0x62, 0x74, 0xfc, 0x0c, 0x03, 0x0d], source: "{nf} addq (%rip), %r9",
        after: &[0x62, 0xd4, 0xfc, 0x0c, 0x81, 0xc1, 0x78, 0x56, 0x34, 0x12], result: "{nf} addq $305419896, %r9" },
    Form { kind: CODE_6_GOTPCRELX, before: &[0x62, 0xf4, 0x4c, 0x14, 0x33, 0x3d], source: "{nf} xorl (%rip), %edi, %r22d",
        after: &[0x62, 0xf4, 0x4c, 0x14, 0x81, 0xf7, 0x78, 0x56, 0x34, 0x12], result: "{nf} xorl $305419896, %edi, %r22d" },
    Form { kind: CODE_6_GOTPCRELX, before: &[0x62, 0xf4, 0x8c, 0x10, 0x13, 0x05], source: "adcq (%rip), %rax, %r30",
        after: &[0x62, 0xf4, 0x8c, 0x10, 0x81, 0xd0, 0x78, 0x56, 0x34, 0x12], result: "adcq $305419896, %rax, %r30" },
];

/// `before`, then a field of zeros.
fn with_field(before: &[u8]) -> Vec<u8> {
    [before, &[0; 4]].concat()
}

fn near(instruction: &[u8]) -> Target {
    Target::at(HIGH + instruction.len() as u64 + VALUE)
}

/// Whether `instruction` can always be rewritten.
fn says_can_relax(kind: EdgeKind, instruction: &[u8]) -> bool {
    let field = (instruction.len() - 4) as u32;
    can_relax(Architecture::X86_64, kind, instruction, field, -4)
}

fn assert_rewritten(form: &Form, target: &Target) {
    let instruction = with_field(form.before);
    let (bytes, counts) = ending(form.kind, &instruction, HIGH).apply(target).unwrap();
    assert_eq!(bytes, form.after, "{}", form.source);
    assert_eq!(counts, FixupCounts { relaxed_got_loads: 1, ..FixupCounts::default() });
}

#[test]
fn targets_in_reach_are_used_directly() {
    for form in &NEAR {
        let instruction = with_field(form.before);
        assert_rewritten(form, &near(&instruction));
        assert_rewritten(form, &near(&instruction).with_got_entry(HIGH + 0x100));
        assert!(says_can_relax(form.kind, &instruction), "{}", form.source);
    }
}

#[test]
fn small_addresses_become_immediates() {
    for form in &LOW {
        assert_rewritten(form, &Target::at(VALUE).with_got_entry(HIGH + 0x100));
        let may_be_far = form.source.starts_with("mov");
        assert_eq!(says_can_relax(form.kind, &with_field(form.before)), may_be_far, "{}", form.source);
    }
}

/// The tables above say what a disassembler says.
#[test]
fn disassembler_agrees() {
    let (mut bytes, mut expected) = (String::new(), String::new());
    for form in NEAR.iter().chain(&LOW) {
        for (code, text) in [(&with_field(form.before)[..], form.source), (form.after, form.result)] {
            code.iter().for_each(|byte| write!(bytes, "{byte:#x} ").unwrap());
            bytes.push('\n');
            expected.push_str(text);
            expected.push('\n');
        }
    }
    assert_eq!(disassembled(&bytes), expected.lines().collect::<Vec<_>>());
}

#[test]
fn instructions_out_of_reach_load_from_the_got() {
    for form in NEAR.iter().chain(&LOW) {
        let instruction = with_field(form.before);
        assert_left_alone(form.kind, &instruction, -4, &Target::at(HIGH / 2));
    }
}

/// What depends on the absolute address stays as it is where only the distance is small.
#[test]
fn operands_in_reach_load_from_the_got() {
    for form in LOW.iter().filter(|form| !form.source.starts_with("mov")) {
        let instruction = with_field(form.before);
        assert_left_alone(form.kind, &instruction, -4, &near(&instruction));
    }
}

/// Checks that nothing but the field changes, and that it leads to the GOT entry.
fn assert_left_alone(kind: EdgeKind, instruction: &[u8], addend: i64, target: &Target) {
    let entry = HIGH + 0x1000;
    let fixup = Fixup { addend, ..ending(kind, instruction, HIGH) };
    let (bytes, counts) = fixup.apply(&target.with_got_entry(entry)).unwrap();
    let (before, field) = bytes.split_at(instruction.len() - 4);
    assert_eq!(before, &instruction[..before.len()]);
    let expected = (0x1000 - before.len() as i64 + addend) as i32;
    assert_eq!(field, expected.to_le_bytes(), "{instruction:x?}");
    assert_eq!(counts.relaxed_got_loads, 0);
}

#[test]
fn only_exact_forms_are_rewritten() {
    #[rustfmt::skip]
    let others: [(EdgeKind, &[u8], &str); 34] = [
        (GOTPCREL, &[0x48, 0x8b, 0x05], "not marked"),
        (GOTPCREL, &[0xff, 0x15], "not marked"),
        (GOTPCRELX, &[0xff, 0x35], "push"),
        (GOTPCRELX, &[0xff, 0x05], "inc"),
        (GOTPCRELX, &[0xff, 0x14, 0x25], "call *disp32"),
        (GOTPCRELX, &[0xff, 0x90], "call *disp32(%rax)"),
        (GOTPCRELX, &[0x8b, 0x80], "mov disp32(%rax), %eax"),
        (GOTPCRELX, &[0x8a, 0x05], "mov to %al"),
        (GOTPCRELX, &[0x89, 0x05], "store"),
        (GOTPCRELX, &[0x66, 0x8b, 0x05], "mov to %ax"),
        (GOTPCRELX, &[0x66, 0x03, 0x05], "add to %ax"),
        (GOTPCRELX, &[0x66, 0xff, 0x15], "data16 call"),
        (GOTPCRELX, &[0x66, 0x48, 0xff, 0x15], "data16 rex64 call"),
        (GOTPCRELX, &[0x66, 0xff, 0x25], "data16 jmp"),
        (GOTPCRELX, &[0x05], "no opcode"),
        (GOTPCRELX, &[], "no instruction"),
        (REX_GOTPCRELX, &[0x8b, 0x05], "no prefix"),
        (REX_GOTPCRELX, &[0x90, 0x8b, 0x05], "another prefix"),
        (REX_GOTPCRELX, &[0x48, 0x8d, 0x05], "lea"),
        (REX_GOTPCRELX, &[0x48, 0x89, 0x05], "store"),
        (REX_GOTPCRELX, &[0x48, 0x01, 0x05], "add to memory"),
        (REX_GOTPCRELX, &[0x48, 0x39, 0x05], "cmp, operands the other way round"),
        (REX_GOTPCRELX, &[0x66, 0x44, 0x8b, 0x05], "mov to %r8w"),
        (REX_GOTPCRELX, &[0x48, 0xff, 0x15], "call is of the other type"),
        (CODE_4_GOTPCRELX, &[0xd4, 0x48, 0x8b, 0x05], "another prefix"),
        (CODE_4_GOTPCRELX, &[0xd5, 0xc8, 0x8b, 0x05], "two-byte opcode map"),
        (CODE_4_GOTPCRELX, &[0x66, 0xd5, 0x40, 0x8b, 0x05], "mov to %r16w"),
        (CODE_5_GOTPCRELX, &[0x48, 0x0f, 0x38, 0x8b, 0x05], "movrs"),
        (CODE_6_GOTPCRELX, &[0x62, 0xe4, 0xf4, 0x10, 0xaf, 0x05], "imul"),
        (CODE_6_GOTPCRELX, &[0x62, 0xe4, 0xfc, 0x08, 0x8b, 0x05], "movrs"),
        (CODE_6_GOTPCRELX, &[0x62, 0xe4, 0x84, 0x04, 0x85, 0x05], "ctest"),
        (CODE_6_GOTPCRELX, &[0x62, 0xe4, 0x84, 0x04, 0x3b, 0x05], "ccmp"),
        (CODE_6_GOTPCRELX, &[0x62, 0xe4, 0xb5, 0x10, 0x03, 0x05], "add to %r25w"),
        (CODE_6_GOTPCRELX, &[0x62, 0xe5, 0xb4, 0x10, 0x03, 0x05], "another opcode map"),
    ];
    for (kind, before, what) in others {
        let instruction = with_field(before);
        assert!(!says_can_relax(kind, &instruction), "{what}");
        assert_left_alone(kind, &instruction, -4, &near(&instruction));
        assert_left_alone(kind, &instruction, -4, &Target::at(VALUE));
    }
}

/// With another addend, another word than the entry is loaded.
#[test]
fn other_addends_load_from_the_got() {
    for form in NEAR.iter().chain(&LOW) {
        let instruction = with_field(form.before);
        for addend in [-8, -3, 0, 4] {
            assert!(!can_relax(Architecture::X86_64, form.kind, &instruction, 2, addend));
            assert_left_alone(form.kind, &instruction, addend, &near(&instruction));
            assert_left_alone(form.kind, &instruction, addend, &Target::at(VALUE));
        }
    }
}

/// A wide operand size beats `data16`, and a call may have a REX prefix without meaning.
#[test]
fn harmless_prefixes_are_kept() {
    for (kind, before, after) in [
        (REX_GOTPCRELX, [0x66, 0x48, 0x8b, 0x05], [0x66, 0x48, 0x8d, 0x05]),
        (GOTPCRELX, [0x90, 0x48, 0xff, 0x15], [0x90, 0x48, 0x67, 0xe8]),
        (GOTPCRELX, [0x90, 0x3e, 0xff, 0x15], [0x90, 0x3e, 0x67, 0xe8]),
    ] {
        let instruction = with_field(&before);
        assert_eq!(ending(kind, &instruction, HIGH).bytes(&near(&instruction))[..4], after);
    }
}

#[test]
fn reach_ends_exactly_where_the_displacement_does() {
    for form in &NEAR {
        let instruction = with_field(form.before);
        // A jump's displacement counts from a byte before the instruction's end.
        let end = HIGH + instruction.len() as u64 - u64::from(form.before == [0xff, 0x25]);
        let fixup = ending(form.kind, &instruction, HIGH);
        for inside in [end + 0x7fff_ffff, end - 0x8000_0000] {
            assert_eq!(fixup.apply(&Target::at(inside)).unwrap().1.relaxed_got_loads, 1);
        }
        for outside in [end + 0x8000_0000, end - 0x8000_0001] {
            assert_left_alone(form.kind, &instruction, -4, &Target::at(outside));
            assert!(matches!(fixup.apply(&Target::at(outside)), Err(Error::OutOfRange(_))));
        }
    }
}

#[test]
fn immediates_end_where_sign_extension_does() {
    let add = with_field(&[0x48, 0x03, 0x0d]);
    for (address, field) in
        [(0, [0; 4]), (0x7fff_ffff, [255, 255, 255, 127]), (u64::MAX << 31, [0, 0, 0, 128])]
    {
        let target = Target::at(address).with_got_entry(HIGH + 0x100);
        assert_eq!(
            ending(REX_GOTPCRELX, &add, HIGH).bytes(&target),
            [&[0x48, 0x81, 0xc1], &field[..]].concat()
        );
    }
    for address in [0x8000_0000, 0xffff_ffff, (u64::MAX << 31) - 1] {
        assert_left_alone(REX_GOTPCRELX, &add, -4, &Target::at(address));
    }
}

#[test]
fn absent_weak_symbols_are_null() {
    let mov = with_field(&[0x48, 0x8b, 0x0d]);
    assert!(says_can_relax(REX_GOTPCRELX, &mov));
    // mov $0, %rcx
    let fixup = ending(REX_GOTPCRELX, &mov, HIGH);
    assert_eq!(fixup.bytes(&Target::absent()), [0x48, 0xc7, 0xc1, 0, 0, 0, 0]);
    let call = with_field(&[0xff, 0x15]);
    assert_left_alone(GOTPCRELX, &call, -4, &Target::absent());
    let error = out_of_range(ending(GOTPCRELX, &call, HIGH).apply(&Target::absent()));
    assert!(error.help.contains("weak"));
}

#[test]
fn offsets_out_of_the_content_are_not_relaxable() {
    let mov = with_field(&[0x48, 0x8b, 0x0d]);
    for offset in [0, 1, 2, 4, 7, 8, u32::MAX] {
        assert!(!can_relax(Architecture::X86_64, REX_GOTPCRELX, &mov, offset, -4), "{offset}");
    }
}
