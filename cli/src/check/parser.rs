//! Reads a rule's text into a tree.
//!
//! What may stand in a name depends on where it stands (a symbol, a file, a section), so there is no separate lexer.

use super::report::Fault;

/// Deepest nesting of parentheses and loads: a rule beyond it is refused, not followed down the stack.
const MAX_DEPTH: usize = 200;

type Parsed<T> = Result<T, Fault>;

/// `left = right`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Rule<'t> {
    pub(super) left: Expr<'t>,
    pub(super) right: Expr<'t>,
}

/// Operands and operators, applied from left to right.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Expr<'t> {
    pub(super) first: Simple<'t>,
    pub(super) rest: Vec<(BinOp, Simple<'t>)>,
}

/// An atom, and the bits taken of its value.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Simple<'t> {
    /// Byte offset in the rule's text.
    pub(super) offset: usize,
    pub(super) atom: Atom<'t>,
    pub(super) slice: Option<Slice>,
}

/// Bits `high` down to `low`, both at most 63 and `low <= high`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Slice {
    pub(super) high: u32,
    pub(super) low: u32,
}

/// What a value comes from.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Atom<'t> {
    Paren(Box<Expr<'t>>),
    Load { size: usize, address: Box<Expr<'t>> },
    Number(u64),
    Symbol(&'t str),
    DecodeOperand { at: Label<'t>, index: u64 },
    NextPc(Label<'t>),
    StubAddr { file: &'t str, symbol: &'t str, kind: Option<&'t str> },
    GotAddr { file: &'t str, symbol: &'t str },
    SectionAddr { file: &'t str, section: &'t str },
}

/// A place in code: a symbol and a number of bytes past it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Label<'t> {
    pub(super) symbol: &'t str,
    pub(super) offset: u64,
}

/// A binary operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BinOp {
    Add,
    Sub,
    And,
    Or,
    Shl,
    Shr,
}

const OPERATORS: [(&str, BinOp); 6] = [
    ("<<", BinOp::Shl),
    (">>", BinOp::Shr),
    ("+", BinOp::Add),
    ("-", BinOp::Sub),
    ("&", BinOp::And),
    ("|", BinOp::Or),
];

/// Parses the whole of `text`.
pub(super) fn parse_rule(text: &str) -> Parsed<Rule<'_>> {
    let mut parser = Parser { text, at: 0, depth: 0 };
    let left = parser.expr()?;
    parser.expect('=')?;
    let right = parser.expr()?;
    parser.blanks();
    match parser.peek() {
        None | Some('#') => Ok(Rule { left, right }),
        Some(_) => Err(parser.expected("an operator or the end of the rule")),
    }
}

struct Parser<'t> {
    text: &'t str,
    at: usize,
    depth: usize,
}

impl<'t> Parser<'t> {
    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn blanks(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
    }

    /// Skips blanks, then `token` if it comes next.
    fn eat(&mut self, token: &str) -> bool {
        self.blanks();
        let found = self.rest().starts_with(token);
        if found {
            self.at += token.len();
        }
        found
    }

    fn expect(&mut self, token: char) -> Parsed<()> {
        let mut buffer = [0; 4];
        if self.eat(token.encode_utf8(&mut buffer)) {
            Ok(())
        } else {
            Err(self.expected(&format!("'{token}'")))
        }
    }

    fn expected(&self, what: &str) -> Fault {
        match self.peek() {
            Some(found) => Fault::at(self.at, format!("expected {what}, found '{found}'")),
            None => Fault::at(self.at, format!("expected {what}, found the end of the rule")),
        }
    }

    /// The longest run of characters that `belongs` accepts.
    fn take_while(&mut self, belongs: impl Fn(char) -> bool) -> &'t str {
        let rest = self.rest();
        let end = rest.find(|c| !belongs(c)).unwrap_or(rest.len());
        let (taken, _) = rest.split_at(end);
        self.at += end;
        taken
    }

    fn expr(&mut self) -> Parsed<Expr<'t>> {
        if self.depth == MAX_DEPTH {
            return Err(Fault::at(self.at, format!("the rule nests deeper than {MAX_DEPTH} levels")));
        }
        self.depth += 1;
        let first = self.simple()?;
        let mut rest = Vec::new();
        while let Some(op) = self.operator() {
            rest.push((op, self.simple()?));
        }
        self.depth -= 1;
        Ok(Expr { first, rest })
    }

    fn operator(&mut self) -> Option<BinOp> {
        self.blanks();
        let (token, op) = OPERATORS.into_iter().find(|(token, _)| self.rest().starts_with(token))?;
        self.at += token.len();
        Some(op)
    }

    fn simple(&mut self) -> Parsed<Simple<'t>> {
        self.blanks();
        let offset = self.at;
        let atom = self.atom()?;
        let slice = if self.eat("[") { Some(self.slice()?) } else { None };
        Ok(Simple { offset, atom, slice })
    }

    /// After `[`: `high : low ]`.
    fn slice(&mut self) -> Parsed<Slice> {
        let start = self.at;
        let high = self.bit()?;
        self.expect(':')?;
        let low = self.bit()?;
        self.expect(']')?;
        if low > high {
            return Err(Fault::at(
                start,
                format!("the slice's high bit {high} lies below its low bit {low}"),
            ));
        }
        Ok(Slice { high, low })
    }

    fn bit(&mut self) -> Parsed<u32> {
        self.blanks();
        let start = self.at;
        let bit = self.number()?;
        u32::try_from(bit)
            .ok()
            .filter(|bit| *bit < 64)
            .ok_or_else(|| Fault::at(start, format!("bit {bit} is outside a 64-bit value")))
    }

    fn atom(&mut self) -> Parsed<Atom<'t>> {
        match self.peek() {
            Some('(') => self.paren(),
            Some('*') => self.load(),
            Some('0'..='9') => self.number().map(Atom::Number),
            Some('"') => self.quoted().map(Atom::Symbol),
            Some(c) if starts_symbol(c) => self.symbol_or_call(),
            _ => Err(self.expected("a number, a symbol, a call, '(' or '*{n}'")),
        }
    }

    fn paren(&mut self) -> Parsed<Atom<'t>> {
        self.expect('(')?;
        let inner = self.expr()?;
        self.expect(')')?;
        Ok(Atom::Paren(Box::new(inner)))
    }

    fn load(&mut self) -> Parsed<Atom<'t>> {
        self.expect('*')?;
        self.expect('{')?;
        self.blanks();
        let start = self.at;
        let size = match self.number()? {
            size @ (1 | 2 | 4 | 8) => size as usize,
            size => return Err(Fault::at(start, format!("a load reads 1, 2, 4 or 8 bytes, not {size}"))),
        };
        self.expect('}')?;
        Ok(Atom::Load { size, address: Box::new(self.expr()?) })
    }

    /// A decimal, `0x` hexadecimal or, as in C and LLVM's tool, `0` octal number.
    fn number(&mut self) -> Parsed<u64> {
        self.blanks();
        let start = self.at;
        let word = self.take_while(|c| c.is_ascii_alphanumeric() || c == '_');
        if !word.starts_with(|c: char| c.is_ascii_digit()) {
            self.at = start;
            return Err(self.expected("a number"));
        }
        let (digits, radix) = match word.as_bytes() {
            [b'0', b'x' | b'X', ..] => (word.get(2..).unwrap_or_default(), 16),
            [b'0', _, ..] => (word, 8),
            _ => (word, 10),
        };
        u64::from_str_radix(digits, radix).map_err(|_| {
            Fault::at(
                start,
                format!("'{word}' is not a 64-bit number in decimal, hexadecimal (0x) or octal (0)"),
            )
        })
    }

    fn symbol_or_call(&mut self) -> Parsed<Atom<'t>> {
        let start = self.at;
        let name = self.take_while(continues_symbol);
        let after_name = self.at;
        if !self.eat("(") {
            self.at = after_name;
            return Ok(Atom::Symbol(name));
        }
        let call = match name {
            "decode_operand" => self.decode_operand(),
            "next_pc" => self.label().map(Atom::NextPc),
            "stub_addr" => self.stub_addr(),
            "got_addr" => self.got_addr(),
            "section_addr" => self.section_addr(),
            _ => Err(Fault::at(start, unknown_function(name))),
        }?;
        self.expect(')')?;
        Ok(call)
    }

    fn decode_operand(&mut self) -> Parsed<Atom<'t>> {
        let at = self.label()?;
        self.expect(',')?;
        let index = self.number()?;
        Ok(Atom::DecodeOperand { at, index })
    }

    fn label(&mut self) -> Parsed<Label<'t>> {
        let symbol = self.symbol()?;
        let offset = if self.eat("+") { self.number()? } else { 0 };
        Ok(Label { symbol, offset })
    }

    fn symbol(&mut self) -> Parsed<&'t str> {
        self.blanks();
        match self.peek() {
            Some('"') => self.quoted(),
            Some(c) if starts_symbol(c) => Ok(self.take_while(continues_symbol)),
            _ => Err(self.expected("a symbol")),
        }
    }

    fn stub_addr(&mut self) -> Parsed<Atom<'t>> {
        let file = self.file()?;
        let symbol = self.symbol()?;
        let kind = if self.eat(",") { Some(self.symbol()?) } else { None };
        Ok(Atom::StubAddr { file, symbol, kind })
    }

    fn got_addr(&mut self) -> Parsed<Atom<'t>> {
        let file = self.file()?;
        let symbol = self.symbol()?;
        Ok(Atom::GotAddr { file, symbol })
    }

    /// The section runs to the closing parenthesis: a Mach-O section has a comma in its name.
    fn section_addr(&mut self) -> Parsed<Atom<'t>> {
        let file = self.file()?;
        let section = self.argument("a section", false)?;
        Ok(Atom::SectionAddr { file, section })
    }

    fn file(&mut self) -> Parsed<&'t str> {
        let file = self.argument("a file", true)?;
        self.expect(',')?;
        Ok(file)
    }

    /// An argument of any characters up to the parenthesis that closes the call, or to a comma outside of inner
    /// parentheses (as in `libx.a(a.o)`) where one ends it.
    fn argument(&mut self, what: &str, comma_ends: bool) -> Parsed<&'t str> {
        self.blanks();
        if self.peek() == Some('"') {
            return self.quoted();
        }
        let rest = self.rest();
        let end = argument_end(rest, comma_ends).unwrap_or(rest.len());
        let (argument, _) = rest.split_at(end);
        let argument = argument.trim_end();
        if argument.is_empty() {
            return Err(self.expected(what));
        }
        self.at += end;
        Ok(argument)
    }

    fn quoted(&mut self) -> Parsed<&'t str> {
        let start = self.at;
        self.expect('"')?;
        let name = self.take_while(|c| c != '"');
        if self.eat("\"") { Ok(name) } else { Err(Fault::at(start, "the quoted name does not end")) }
    }
}

fn argument_end(text: &str, comma_ends: bool) -> Option<usize> {
    let mut open = 0_usize;
    for (index, c) in text.char_indices() {
        match c {
            '(' => open += 1,
            ')' if open == 0 => return Some(index),
            ')' => open -= 1,
            ',' if comma_ends && open == 0 => return Some(index),
            _ => {}
        }
    }
    None
}

fn starts_symbol(c: char) -> bool {
    c.is_alphabetic() || matches!(c, '_' | '.' | '$')
}

fn continues_symbol(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '.' | '$' | ':' | '@')
}

fn unknown_function(name: &str) -> String {
    format!("no function '{name}'; there are decode_operand, next_pc, stub_addr, got_addr and section_addr")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The left side of `text = 0`.
    fn left(text: &str) -> Simple<'_> {
        let rule = parse_rule(text).unwrap();
        assert!(rule.left.rest.is_empty(), "{text}");
        rule.left.first
    }

    fn atom(text: &str) -> Atom<'_> {
        left(text).atom
    }

    fn fault(text: &str) -> (usize, String) {
        match parse_rule(text) {
            Err(Fault::Error { offset, message }) => (offset, message),
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn numbers_are_decimal_hexadecimal_or_octal() {
        assert_eq!(atom("18446744073709551615 = 0"), Atom::Number(u64::MAX));
        assert_eq!(atom("0xDeadBeef=0"), Atom::Number(0xdead_beef));
        assert_eq!(atom("0=0"), Atom::Number(0));
        assert_eq!(atom("010 = 0"), Atom::Number(8));
    }

    #[test]
    fn numbers_that_are_none_are_refused() {
        for text in ["18446744073709551616 = 0", "0x = 0", "0x1ffffffffffffffff = 0", "12ab = 0", "08 = 0"] {
            assert!(fault(text).1.contains("is not a 64-bit number"), "{text}");
        }
    }

    #[test]
    fn symbols_hold_what_object_files_name_things_with() {
        for name in ["main", "_Z3fooIiEvv", "a.b$c", ".Lfoo", "foo@@V1.2", "L:x", "___$x", "grün"] {
            assert_eq!(atom(&format!("{name} = 0")), Atom::Symbol(name));
        }
        assert_eq!(atom("\"-[Foo bar:]\" = 0"), Atom::Symbol("-[Foo bar:]"));
    }

    #[test]
    fn a_function_name_without_arguments_is_a_symbol() {
        assert_eq!(atom("next_pc = 0"), Atom::Symbol("next_pc"));
    }

    #[test]
    fn operators_keep_their_order() {
        let rule = parse_rule("a+b<<2 & c|d >> 1-e = 0").unwrap();
        let ops: Vec<BinOp> = rule.left.rest.iter().map(|(op, _)| *op).collect();
        assert_eq!(ops, [BinOp::Add, BinOp::Shl, BinOp::And, BinOp::Or, BinOp::Shr, BinOp::Sub]);
    }

    #[test]
    fn a_load_takes_the_whole_expression_after_it() {
        let Atom::Load { size: 4, address } = atom("*{4}p + 8 - q = 0") else { panic!() };
        assert_eq!(address.rest.len(), 2);
        let Atom::Load { size: 8, address } = atom("* { 8 } *{1} p = 0") else { panic!() };
        assert!(matches!(address.first.atom, Atom::Load { size: 1, .. }));
    }

    #[test]
    fn a_slice_belongs_to_the_nearest_operand() {
        let loaded = left("*{8}p[3:0] = 0");
        assert_eq!(loaded.slice, None);
        let Atom::Load { address, .. } = loaded.atom else { panic!() };
        assert_eq!(address.first.slice, Some(Slice { high: 3, low: 0 }));
        let loaded = left("*{8}p[3:0][63:0] = 0");
        assert_eq!(loaded.slice, Some(Slice { high: 63, low: 0 }));
        assert_eq!(left("(*{4}p) [ 0x1f : 26 ] = 0").slice, Some(Slice { high: 31, low: 26 }));
    }

    #[test]
    fn slices_outside_a_value_are_refused() {
        assert_eq!(fault("a[64:0] = 0"), (2, "bit 64 is outside a 64-bit value".to_owned()));
        assert_eq!(fault("a[0:3] = 0"), (2, "the slice's high bit 0 lies below its low bit 3".to_owned()));
        assert_eq!(fault("a[3] = 0"), (3, "expected ':', found ']'".to_owned()));
        assert_eq!(fault("a[3:0][1:0] = 0"), (6, "expected '=', found '['".to_owned()));
    }

    #[test]
    fn calls_take_labels_and_operand_numbers() {
        let at = Label { symbol: "foo", offset: 0 };
        assert_eq!(atom("decode_operand(foo, 4) = 0"), Atom::DecodeOperand { at, index: 4 });
        let at = Label { symbol: "foo", offset: 16 };
        assert_eq!(atom("decode_operand( foo + 0x10 , 0x1 ) = 0"), Atom::DecodeOperand { at, index: 1 });
        assert_eq!(atom("next_pc(foo+16) = 0"), Atom::NextPc(at));
    }

    #[test]
    fn calls_take_files_and_names() {
        assert_eq!(atom("got_addr(a-b.o, x) = 0"), Atom::GotAddr { file: "a-b.o", symbol: "x" });
        assert_eq!(
            atom("stub_addr(libx.a(y, z.o), f) = 0"),
            Atom::StubAddr { file: "libx.a(y, z.o)", symbol: "f", kind: None }
        );
        assert_eq!(
            atom("stub_addr(a.o, f, thumb) = 0"),
            Atom::StubAddr { file: "a.o", symbol: "f", kind: Some("thumb") }
        );
        assert_eq!(atom("got_addr(\"a,b.o\", \"x y\") = 0"), Atom::GotAddr { file: "a,b.o", symbol: "x y" });
    }

    #[test]
    fn a_mach_o_section_has_a_comma() {
        for text in [
            "section_addr(a.o, __TEXT,__text) = 0",
            "section_addr(a.o,__TEXT,__text ) = 0",
            "section_addr(a.o, \"__TEXT,__text\") = 0",
        ] {
            assert_eq!(atom(text), Atom::SectionAddr { file: "a.o", section: "__TEXT,__text" }, "{text}");
        }
        assert_eq!(
            atom("section_addr(a.o, .text.f) = 0"),
            Atom::SectionAddr { file: "a.o", section: ".text.f" }
        );
    }

    #[test]
    fn a_remark_may_follow_a_rule() {
        assert!(parse_rule("a = b # as the ABI says").is_ok());
        assert_eq!(fault("a # no = b").1, "expected '=', found '#'");
    }

    #[test]
    fn faults_point_at_what_is_wrong() {
        assert_eq!(fault("a"), (1, "expected '=', found the end of the rule".to_owned()));
        assert_eq!(fault("a = b = c").0, 6);
        assert_eq!(fault("a = b c").0, 6);
        assert_eq!(fault("a + -1 = 0").0, 4);
        assert_eq!(fault("(a = 0").0, 3);
        assert_eq!(fault("*{3}a = 0"), (2, "a load reads 1, 2, 4 or 8 bytes, not 3".to_owned()));
        assert_eq!(fault("decode_operand(a - 1, 0) = 0"), (17, "expected ',', found '-'".to_owned()));
        assert_eq!(fault("decode_operand(a) = 0").0, 16);
        assert_eq!(fault("got_addr(a.o) = 0").0, 12);
        assert_eq!(fault("section_addr(a.o, ) = 0"), (18, "expected a section, found ')'".to_owned()));
        assert_eq!(fault("\"abc = 0"), (0, "the quoted name does not end".to_owned()));
        assert!(fault("1 + no_such(a) = 0").1.starts_with("no function 'no_such'"));
    }

    #[test]
    fn nesting_is_followed_to_a_limit_only() {
        let nested = |depth: usize| format!("{}1{} = 1", "(".repeat(depth), ")".repeat(depth));
        assert!(parse_rule(&nested(MAX_DEPTH - 1)).is_ok());
        assert!(fault(&nested(MAX_DEPTH)).1.contains("nests deeper than 200 levels"));
        assert!(fault(&"(".repeat(1_000_000)).1.contains("nests deeper"));
        assert!(fault(&"*{8}".repeat(1_000_000)).1.contains("nests deeper"));
    }

    #[test]
    fn a_long_rule_is_no_deep_one() {
        let long = format!("0{} = 0", " + 1 - 1".repeat(100_000));
        assert_eq!(parse_rule(&long).unwrap().left.rest.len(), 200_000);
    }

    #[test]
    fn any_text_parses_or_is_an_error() {
        let words = [
            "a",
            "1",
            "0x",
            "(",
            ")",
            "*{",
            "8}",
            "*{8}",
            "[",
            ":",
            "]",
            "+",
            "<<",
            "=",
            ",",
            "#",
            "\"",
            " ",
            "é",
            "next_pc(",
            "decode_operand(",
            "stub_addr(",
            "section_addr(",
            "63",
        ];
        let mut state = 1_u32;
        for _ in 0..20_000 {
            let mut text = String::new();
            for _ in 0..12 {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                text.push_str(words[(state >> 16) as usize % words.len()]);
            }
            if let Err(Fault::Error { offset, .. }) = parse_rule(&text) {
                assert!(text.is_char_boundary(offset), "{text}: {offset}");
            }
        }
    }
}
