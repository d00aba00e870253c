//! Finds the rules in a file and joins their continuation lines.

/// The text of one rule, and where each part of it stands in the file.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct RuleText {
    /// The expression: its lines joined by one blank.
    pub(super) text: String,
    /// The last line asks for a continuation that the file does not hold.
    pub(super) unfinished: bool,
    pieces: Vec<Piece>,
}

#[derive(Debug, PartialEq, Eq)]
struct Piece {
    /// Offset in the rule's text.
    start: usize,
    /// Line in the file, from 1.
    line: usize,
    /// Column of the first character of the piece in that line, from 1.
    column: usize,
}

impl RuleText {
    /// Line and column (from 1, in characters) in the file of byte `offset` of the text.
    pub(super) fn place(&self, offset: usize) -> (usize, usize) {
        let Some(piece) = self.pieces.iter().rev().find(|piece| piece.start <= offset) else { return (0, 0) };
        let within = self.text.get(piece.start..offset).map_or(0, |text| text.chars().count());
        (piece.line, piece.column + within)
    }

    fn push(&mut self, piece: &str, line: usize, column: usize) {
        if !self.text.is_empty() {
            self.text.push(' ');
        }
        self.pieces.push(Piece { start: self.text.len(), line, column });
        self.text.push_str(piece);
    }
}

/// All rules of `file`, in order; rules without any text are none.
pub(super) fn rules(file: &str, check_name: &str) -> Vec<RuleText> {
    let prefix = format!("# {check_name}:");
    let mut rules = Vec::new();
    let mut open: Option<RuleText> = None;
    for (index, line) in file.lines().enumerate() {
        let Some(rest) = line.trim_start().strip_prefix(&prefix) else { continue };
        let body = rest.trim();
        let (piece, continues) = match body.strip_suffix('\\') {
            Some(piece) => (piece.trim_end(), true),
            None => (body, false),
        };
        let start = line.len() - rest.trim_start().len();
        let column = 1 + line.get(..start).map_or(0, |before| before.chars().count());
        let rule = open.get_or_insert_default();
        rule.push(piece, index + 1, column);
        if !continues {
            rules.extend(open.take().filter(|rule| !rule.text.trim().is_empty()));
        }
    }
    rules.extend(open.map(|rule| RuleText { unfinished: true, ..rule }));
    rules
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(file: &str) -> Vec<String> {
        rules(file, "jitlink-check").into_iter().map(|rule| rule.text).collect()
    }

    #[test]
    fn only_the_exact_prefix_starts_a_rule() {
        let file = "# jitlink-check: a = b\n#  jitlink-check: c = d\n# x jitlink-check: e\n\t # jitlink-check:f=g\r\n";
        assert_eq!(texts(file), ["a = b", "f=g"]);
    }

    #[test]
    fn other_lines_may_stand_between_continuations() {
        let file = "# jitlink-check: a = \\ \nnop\n#\n  # jitlink-check:   b + \\\r\n# jitlink-check: c\n";
        assert_eq!(texts(file), ["a = b + c"]);
    }

    #[test]
    fn places_are_those_of_the_file() {
        let file = "\n  # jitlink-check: abc = \\\n# jitlink-check:  def\n";
        let rules = rules(file, "jitlink-check");
        assert_eq!(rules[0].text, "abc = def");
        assert_eq!(rules[0].place(0), (2, 20));
        assert_eq!(rules[0].place(4), (2, 24));
        assert_eq!(rules[0].place(6), (3, 19));
        assert_eq!(rules[0].place(8), (3, 21));
    }

    #[test]
    fn an_empty_rule_is_none() {
        assert!(texts("# jitlink-check:\n# jitlink-check:   \n").is_empty());
    }

    #[test]
    fn a_continuation_at_the_end_of_the_file_is_unfinished() {
        let rules = rules("# jitlink-check: a = \\", "jitlink-check");
        assert!(rules[0].unfinished);
    }
}
