//! What is said of rules that do not hold.

use super::rules::RuleText;
use std::fmt;
use std::io::{self, Write};

/// How many rules were checked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct CheckSummary {
    /// Rules found.
    pub(crate) rules: usize,
    /// Rules that are false or could not be evaluated.
    pub(crate) failed: usize,
}

impl CheckSummary {
    /// Whether every rule holds.
    #[must_use]
    pub(crate) fn passed(self) -> bool {
        self.failed == 0
    }
}

/// Why the rules of a file could not be checked at all.
#[derive(Debug)]
pub(crate) enum CheckError {
    /// The file holds no rule, so that a pass would mean nothing.
    NoRules {
        /// The name that rule lines had to carry.
        check_name: String,
    },
    /// The report could not be written.
    Output(io::Error),
}

impl fmt::Display for CheckError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoRules { check_name } => {
                write!(f, "no check rule found; a rule line starts with '# {check_name}:'")
            }
            Self::Output(source) => write!(f, "cannot write the report of checks: {source}"),
        }
    }
}

impl std::error::Error for CheckError {}

impl From<io::Error> for CheckError {
    fn from(source: io::Error) -> Self {
        Self::Output(source)
    }
}

/// Why one rule does not hold.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// Both sides have a value, and they differ.
    False {
        /// Value of the left side.
        left: u64,
        /// Value of the right side.
        right: u64,
    },
    /// The rule is not an expression, or has no value.
    Error {
        /// Byte offset in the rule's text.
        offset: usize,
        /// A clause without a full stop.
        message: String,
    },
}

impl Fault {
    /// An error at byte `offset` of the rule's text.
    pub(super) fn at(offset: usize, message: impl Into<String>) -> Self {
        Self::Error { offset, message: message.into() }
    }
}

/// Writes one report: a line for a false rule, three with a mark below the fault for an error.
pub(super) fn write_fault(out: &mut dyn Write, rule: &RuleText, fault: &Fault) -> io::Result<()> {
    match fault {
        Fault::False { left, right } => {
            let line = rule.place(0).0;
            writeln!(out, "line {line}: expression '{}' is false: {left:#x} != {right:#x}", rule.text.trim())
        }
        Fault::Error { offset, message } => {
            let (line, column) = rule.place(*offset);
            let before = rule.text.get(..*offset).unwrap_or(&rule.text);
            writeln!(out, "line {line}, column {column}: {message}")?;
            writeln!(out, "  {}", rule.text)?;
            writeln!(out, "  {:width$}^", "", width = before.chars().count())
        }
    }
}
