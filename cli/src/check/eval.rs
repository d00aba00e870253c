//! Computes the value of an expression in 64-bit wrapping arithmetic.

use super::decode::{self, Operand};
use super::parser::{Atom, BinOp, Expr, Label, Simple, Slice};
use super::report::Fault;
use super::{Content, LinkedImage, SymbolInfo};

/// The value of `expr`; it recurses no deeper than the parser let the rule nest.
pub(super) fn evaluate(expr: &Expr<'_>, image: &dyn LinkedImage) -> Result<u64, Fault> {
    let mut value = simple(&expr.first, image)?;
    for (op, operand) in &expr.rest {
        value = apply(*op, value, simple(operand, image)?);
    }
    Ok(value)
}

fn apply(op: BinOp, left: u64, right: u64) -> u64 {
    match op {
        BinOp::Add => left.wrapping_add(right),
        BinOp::Sub => left.wrapping_sub(right),
        BinOp::And => left & right,
        BinOp::Or => left | right,
        BinOp::Shl => shift(right, |by| left.checked_shl(by)),
        BinOp::Shr => shift(right, |by| left.checked_shr(by)),
    }
}

/// A shift by 64 or more leaves no bit.
fn shift(by: u64, shifted: impl Fn(u32) -> Option<u64>) -> u64 {
    u32::try_from(by).ok().and_then(shifted).unwrap_or(0)
}

fn simple(simple: &Simple<'_>, image: &dyn LinkedImage) -> Result<u64, Fault> {
    let value = atom(&simple.atom, simple.offset, image)?;
    Ok(simple.slice.map_or(value, |slice| bits(value, slice)))
}

fn bits(value: u64, slice: Slice) -> u64 {
    let width = slice.high - slice.low + 1;
    (value >> slice.low) & (u64::MAX >> (64 - width))
}

fn atom(atom: &Atom<'_>, offset: usize, image: &dyn LinkedImage) -> Result<u64, Fault> {
    let value = match atom {
        Atom::Paren(inner) => return evaluate(inner, image),
        Atom::Load { size, address } => load(*size, evaluate(address, image)?, image),
        Atom::Number(value) => Ok(*value),
        Atom::Symbol(name) => symbol(name, image).map(|info| info.address),
        Atom::DecodeOperand { at, index } => decode_operand(*at, *index, image),
        Atom::NextPc(at) => next_pc(*at, image),
        Atom::StubAddr { file, symbol, kind } => image.stub_addr(file, symbol, *kind),
        Atom::GotAddr { file, symbol } => image.got_addr(file, symbol),
        Atom::SectionAddr { file, section } => image.section_addr(file, section),
    };
    value.map_err(|message| Fault::at(offset, message))
}

fn load(size: usize, address: u64, image: &dyn LinkedImage) -> Result<u64, String> {
    image.read(address, size).ok_or_else(|| {
        format!("not all of the bytes at {address:#x} that a load of {size} reads are linked memory")
    })
}

fn symbol<'i>(name: &str, image: &'i dyn LinkedImage) -> Result<SymbolInfo<'i>, String> {
    image.symbol(name).ok_or_else(|| {
        let mut message = format!("no symbol '{name}' in the linked image");
        if let Some(near) = underscored(name).filter(|near| image.symbol(near).is_some()) {
            message.push_str(&format!("; did you mean '{near}'?"));
        }
        message
    })
}

/// The same name on the other side of Mach-O's rule that C names begin with `_`.
fn underscored(name: &str) -> Option<String> {
    match name.strip_prefix('_') {
        Some(bare) if !bare.is_empty() => Some(bare.to_owned()),
        Some(_) => None,
        None => Some(format!("_{name}")),
    }
}

/// Address and bytes of the instruction at `at`.
fn code<'i>(at: Label<'_>, image: &'i dyn LinkedImage) -> Result<(u64, &'i [u8]), String> {
    let info = symbol(at.symbol, image)?;
    let bytes = match info.content {
        Content::Bytes(bytes) => bytes,
        Content::ZeroFill => {
            return Err(format!("'{}' is in a zero-fill section: no instruction", at.symbol));
        }
        Content::Absent => return Err(format!("'{}' has no content in the linked image", at.symbol)),
    };
    let from_here = usize::try_from(at.offset).ok().and_then(|offset| bytes.get(offset..));
    match from_here {
        Some(from_here) if !from_here.is_empty() => Ok((info.address.wrapping_add(at.offset), from_here)),
        _ => Err(format!("{} lies past the {} bytes at '{}'", show(at), bytes.len(), at.symbol)),
    }
}

fn next_pc(at: Label<'_>, image: &dyn LinkedImage) -> Result<u64, String> {
    let (address, bytes) = code(at, image)?;
    let length = decode::length(image.arch(), bytes).map_err(|why| format!("{why} at {}", show(at)))?;
    Ok(address.wrapping_add(length as u64))
}

fn decode_operand(at: Label<'_>, index: u64, image: &dyn LinkedImage) -> Result<u64, String> {
    let (_, bytes) = code(at, image)?;
    let decoded = decode::decode(image.arch(), bytes).map_err(|why| format!("{why} at {}", show(at)))?;
    let operand = usize::try_from(index).ok().and_then(|index| decoded.operands.get(index));
    match operand {
        Some(Operand::Immediate(value)) => Ok(*value as u64),
        Some(Operand::Register) => {
            Err(format!("operand {index} of {} is a register, not an immediate: {decoded}", show(at)))
        }
        None => Err(format!("{} has no operand {index}: {decoded}", show(at))),
    }
}

fn show(at: Label<'_>) -> String {
    if at.offset == 0 { format!("'{}'", at.symbol) } else { format!("'{}'+{:#x}", at.symbol, at.offset) }
}

#[cfg(test)]
mod tests {
    use super::super::Arch;
    use super::super::parser::parse_rule;
    use super::super::testing::TestImage;
    use super::*;

    /// `call f` at `main`, `movq d(%rip), %rax` at `main`+5, `f` at 16, data at 32.
    fn image() -> TestImage {
        let mut memory = vec![0; 48];
        memory[..5].copy_from_slice(&[0xe8, 11, 0, 0, 0]);
        memory[5..12].copy_from_slice(&[0x48, 0x8b, 0x05, 20, 0, 0, 0]);
        memory[12..17].copy_from_slice(&[0xe8, 0xef, 0xff, 0xff, 0xff]);
        memory[32..40].copy_from_slice(&0x1122_3344_5566_7788_u64.to_le_bytes());
        memory[40..48].copy_from_slice(&0xffff_f000_0010_u64.to_le_bytes());
        let mut image = TestImage::new(Arch::X86_64, 0xffff_f000_0000, &memory)
            .with_symbol("main", 0)
            .with_symbol("back", 12)
            .with_symbol("f", 16)
            .with_symbol("d", 32)
            .with_symbol("p", 40)
            .with_symbol("_c_name", 0);
        image.zero_fill.insert("bss".to_owned(), 0x7000);
        image.absolute.insert("ABS".to_owned(), 0x1234);
        image.stubs.insert(("a.o".to_owned(), "f".to_owned()), 0x5000);
        image.stubs.insert(("a.o".to_owned(), "f/thumb".to_owned()), 0x5800);
        image.got.insert(("a.o".to_owned(), "d".to_owned()), 0x6000);
        image.sections.insert(("a.o".to_owned(), "__TEXT,__text".to_owned()), 0x8000);
        image
    }

    fn value(text: &str) -> u64 {
        let rule = format!("{text} = 0");
        evaluate(&parse_rule(&rule).unwrap().left, &image())
            .unwrap_or_else(|fault| panic!("{text}: {fault:?}"))
    }

    fn message(text: &str) -> String {
        let rule = format!("{text} = 0");
        match evaluate(&parse_rule(&rule).unwrap().left, &image()) {
            Err(Fault::Error { message, .. }) => message,
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn arithmetic_wraps_from_left_to_right() {
        assert_eq!(value("1 + 2 << 3 - 4 & 0xfe | 1"), 21);
        assert_eq!(value("2 | 1 & 1"), 1);
        assert_eq!(value("0 - 1"), u64::MAX);
        assert_eq!(value("0xffffffffffffffff + 2"), 1);
        assert_eq!(value("8 - (4 - 2)"), 6);
        assert_eq!(value("0x8000000000000000 >> 63"), 1);
        assert_eq!(value("1 << 64"), 0);
        assert_eq!(value("0xff >> 0xffffffffffffffff"), 0);
    }

    #[test]
    fn slices_are_unsigned() {
        assert_eq!(value("0xffffffff[31:16]"), 0xffff);
        assert_eq!(value("(0 - 1)[63:0]"), u64::MAX);
        assert_eq!(value("(0 - 1)[63:63]"), 1);
        assert_eq!(value("0xabcd[7:4]"), 0xc);
    }

    #[test]
    fn loads_read_little_endian_at_target_addresses() {
        assert_eq!(value("*{8}d"), 0x1122_3344_5566_7788);
        assert_eq!(value("*{4}d + 4"), 0x1122_3344);
        assert_eq!(value("(*{2}d) + 1"), 0x7789);
        assert_eq!(value("(*{1}(d + 7))[4:4]"), 1);
        assert_eq!(value("(*{8}p) - f"), 0);
        assert_eq!(value("*{1}*{8}p"), 0xff);
    }

    #[test]
    fn a_load_outside_linked_memory_is_an_error() {
        assert_eq!(
            message("1 + *{8}d + 12"),
            "not all of the bytes at 0xfffff000002c that a load of 8 reads are linked memory"
        );
        assert_eq!(message("*{1}0"), "not all of the bytes at 0x0 that a load of 1 reads are linked memory");
    }

    #[test]
    fn symbols_are_addresses() {
        assert_eq!(value("f - main"), 16);
        assert_eq!(value("ABS"), 0x1234);
        assert_eq!(value("bss"), 0x7000);
        assert_eq!(message("nosuch"), "no symbol 'nosuch' in the linked image");
        assert_eq!(message("c_name"), "no symbol 'c_name' in the linked image; did you mean '_c_name'?");
        assert_eq!(message("_main"), "no symbol '_main' in the linked image; did you mean 'main'?");
    }

    #[test]
    fn operands_and_next_instructions_are_decoded() {
        assert_eq!(value("decode_operand(main, 0) - (f - next_pc(main))"), 0);
        assert_eq!(value("decode_operand(main+5, 4) - (d - next_pc(main + 5))"), 0);
        assert_eq!(value("next_pc(main)"), 0xffff_f000_0005);
        assert_eq!(value("decode_operand(back, 0) - (main - next_pc(back))"), 0);
        assert_eq!(value("decode_operand(back, 0)[31:0]"), 0xffff_ffef);
    }

    #[test]
    fn what_cannot_be_decoded_says_why() {
        assert_eq!(
            message("decode_operand(main+5, 0)"),
            "operand 0 of 'main'+0x5 is a register, not an immediate: \
             MOV r64, r/m64 has operands [reg, reg, 0x1, reg, 0x14, reg]"
        );
        assert_eq!(
            message("decode_operand(main, 7)"),
            "'main' has no operand 7: CALL rel32 has operands [0xb]"
        );
        assert_eq!(message("next_pc(nosuch)"), "no symbol 'nosuch' in the linked image");
        assert_eq!(message("next_pc(bss)"), "'bss' is in a zero-fill section: no instruction");
        assert_eq!(message("next_pc(ABS)"), "'ABS' has no content in the linked image");
        assert_eq!(message("next_pc(main+48)"), "'main'+0x30 lies past the 48 bytes at 'main'");
        assert_eq!(message("next_pc(p+7)"), "no valid x86-64 instruction at 'p'+0x7");
    }

    #[test]
    fn stubs_got_entries_and_sections_are_asked_of_the_image() {
        assert_eq!(value("stub_addr(a.o, f)"), 0x5000);
        assert_eq!(value("stub_addr(a.o, f, thumb)"), 0x5800);
        assert_eq!(value("got_addr(a.o, d)"), 0x6000);
        assert_eq!(value("section_addr(a.o, __TEXT,__text)"), 0x8000);
        assert_eq!(message("got_addr(a.o, g)"), "no GOT entry for 'g' in 'a.o'");
    }
}
