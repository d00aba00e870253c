//! Check expressions: rules written beside the code under test that say what linked memory must hold.
//!
//! A rule line starts, after blanks, with `# NAME:` (NAME is `jitlink-check` unless the command is told otherwise) and
//! holds `expr = expr`; a trailing backslash continues the rule on the next rule line.
//!
//! ```text
//! expr   := simple (('+' | '-' | '&' | '|' | '<<' | '>>') simple)*      one precedence, left to right
//! simple := atom ['[' high ':' low ']']                                 an unsigned slice of bits
//! atom   := '(' expr ')' | '*{' 1|2|4|8 '}' expr | number | symbol | call
//! call   := decode_operand(symbol[+n], index) | next_pc(symbol[+n])
//!         | stub_addr(file, symbol[, kind]) | got_addr(file, symbol) | section_addr(file, section)
//! ```
//!
//! A load takes the whole expression after it, so that `*{8}p + 8` reads eight bytes past `p`. Names that hold other
//! characters than letters, digits and `_ . $ : @` can be quoted. `#` after an expression begins a remark.
//!
//! Operand indices are those of LLVM's `MCInst`, so that tests written for LLVM's tools say the same thing here.

mod decode;
mod eval;
mod images;
mod parser;
#[cfg(test)]
mod reference;
mod report;
mod rules;
#[cfg(test)]
mod testing;

pub(crate) use jitlink::graph::Architecture as Arch;
use std::io::Write;

pub(crate) use images::CheckedImages;
pub(crate) use report::{CheckError, CheckSummary};

/// The name that rule lines carry unless the user chose another.
pub(crate) const DEFAULT_CHECK_NAME: &str = "jitlink-check";

/// What stands at a symbol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Content<'a> {
    /// Working memory from the symbol to the end of its block.
    Bytes(&'a [u8]),
    /// The symbol lies in a zero-fill block.
    ZeroFill,
    /// The symbol is absolute or defined elsewhere: it has an address and nothing else.
    Absent,
}

/// A symbol of the linked image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SymbolInfo<'a> {
    /// Address in the target, which may be a pretended one.
    pub(crate) address: u64,
    /// What stands there.
    pub(crate) content: Content<'a>,
}

/// The linked memory that rules are checked against.
///
/// Errors are sentences without a full stop; they reach the user after the place of the rule.
pub(crate) trait LinkedImage {
    /// Instruction set for `decode_operand` and `next_pc`.
    fn arch(&self) -> Arch;

    /// The symbol called `name`, exactly as the object spells it.
    fn symbol(&self, name: &str) -> Option<SymbolInfo<'_>>;

    /// The little-endian integer of `size` (1, 2, 4 or 8) bytes at target address `address`, if all of them are linked
    /// memory; bytes of zero-fill blocks read as zero.
    fn read(&self, address: u64, size: usize) -> Option<u64>;

    /// Address of the stub through which `file` (a base name) calls `symbol`; `kind` chooses among several.
    fn stub_addr(&self, file: &str, symbol: &str, kind: Option<&str>) -> Result<u64, String>;

    /// Address of the GOT entry through which `file` (a base name) reaches `symbol`.
    fn got_addr(&self, file: &str, symbol: &str) -> Result<u64, String>;

    /// Address of the first byte of `section` of `file` (a base name).
    fn section_addr(&self, file: &str, section: &str) -> Result<u64, String>;
}

/// Checks every rule of `rule_text` against `image`; what is wrong goes to `out`, one report per rule.
///
/// A rule that is false or cannot be evaluated does not stop those after it: see [`CheckSummary::passed`].
///
/// # Errors
///
/// [`CheckError::NoRules`] when no line starts with `# check_name:`, [`CheckError::Output`] when `out` fails.
pub(crate) fn run_checks(
    rule_text: &str,
    check_name: &str,
    image: &dyn LinkedImage,
    out: &mut dyn Write,
) -> Result<CheckSummary, CheckError> {
    let mut summary = CheckSummary::default();
    for rule in rules::rules(rule_text, check_name) {
        summary.rules += 1;
        if let Err(fault) = check_rule(&rule, image) {
            summary.failed += 1;
            report::write_fault(out, &rule, &fault)?;
        }
    }
    if summary.rules == 0 {
        return Err(CheckError::NoRules { check_name: check_name.to_owned() });
    }
    Ok(summary)
}

fn check_rule(rule: &rules::RuleText, image: &dyn LinkedImage) -> Result<(), report::Fault> {
    if rule.unfinished {
        return Err(report::Fault::at(
            rule.text.len(),
            "the rule ends in a backslash and no rule line follows",
        ));
    }
    let parsed = parser::parse_rule(&rule.text)?;
    let left = eval::evaluate(&parsed.left, image)?;
    let right = eval::evaluate(&parsed.right, image)?;
    if left == right { Ok(()) } else { Err(report::Fault::False { left, right }) }
}

#[cfg(test)]
mod tests {
    use super::testing::TestImage;
    use super::*;

    fn run(text: &str) -> (Result<CheckSummary, CheckError>, String) {
        let mut out = Vec::new();
        let result = run_checks(text, DEFAULT_CHECK_NAME, &TestImage::x86_64(), &mut out);
        (result, String::from_utf8(out).unwrap())
    }

    #[test]
    fn true_rules_pass_silently() {
        let (result, out) = run("nop\n# jitlink-check: 1 + 1 = 2\n  \t# jitlink-check: 0x10=16\n");
        assert_eq!(result.unwrap(), CheckSummary { rules: 2, failed: 0 });
        assert_eq!(out, "");
    }

    #[test]
    fn a_false_rule_prints_itself_and_both_values() {
        let (result, out) =
            run("# jitlink-check: 1 + 1 = \\\n# jitlink-check:   3\n# jitlink-check: 1 = 1\n");
        let summary = result.unwrap();
        assert_eq!(summary, CheckSummary { rules: 2, failed: 1 });
        assert!(!summary.passed());
        assert_eq!(out, "line 1: expression '1 + 1 = 3' is false: 0x2 != 0x3\n");
    }

    #[test]
    fn a_parse_error_points_at_its_line_and_column() {
        let (result, out) = run("\n  # jitlink-check: 1 + = 2\n");
        assert!(!result.unwrap().passed());
        assert_eq!(
            out,
            "line 2, column 24: expected a number, a symbol, a call, '(' or '*{n}', found '='\n  1 + = 2\n      ^\n"
        );
    }

    #[test]
    fn an_error_in_a_continuation_points_at_the_line_it_stands_on() {
        let (_, out) = run("# jitlink-check: 1 = \\\nnop\n# jitlink-check: nosuch\n");
        assert!(out.starts_with("line 3, column 18: no symbol 'nosuch' in the linked image"), "{out}");
    }

    #[test]
    fn no_rule_is_a_failure() {
        for text in [
            "",
            "#jitlink-check: 1 = 1",
            "// jitlink-check: 1 = 1",
            "# other-check: 1 = 1",
            "# jitlink-check:",
        ] {
            let (result, _) = run(text);
            assert!(matches!(result, Err(CheckError::NoRules { .. })), "{text}");
        }
    }

    #[test]
    fn the_prefix_follows_the_check_name() {
        let mut out = Vec::new();
        let text = "# rtdyld-check: 1 = 1\n# jitlink-check: 1 = 2\n";
        let summary = run_checks(text, "rtdyld-check", &TestImage::x86_64(), &mut out).unwrap();
        assert_eq!(summary, CheckSummary { rules: 1, failed: 0 });
    }

    #[test]
    fn a_rule_left_unfinished_fails() {
        let (result, out) = run("# jitlink-check: 1 = \\\n");
        assert_eq!(result.unwrap().failed, 1);
        assert!(out.contains("no rule line follows"), "{out}");
    }

    #[test]
    fn a_missing_equals_sign_is_an_error() {
        let (result, out) = run("# jitlink-check: 1\n");
        assert_eq!(result.unwrap().failed, 1);
        assert!(out.contains("expected '=', found the end of the rule"), "{out}");
    }
}
