//! From LLVM's way of writing options to `clap`'s.
//!
//! LLVM's tools take each option with one dash or two, its value after `=` or as the next word (whatever that looks
//! like), and the value of `-l`, `-L` and `-hidden-l` without anything between. A flag may be given as `-flag=false`.
//! After `-args` and `-harness` all words belong to these. The words made here are unambiguous: `--name`,
//! `--name=value`, `-l=value`.
//!
//! Inputs, and what is said of those that follow it, never get to `clap`, which takes its time with thousands of words.

use super::inputs::Step;
use clap::Command;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

/// Options whose values may follow without a separator.
const PREFIXES: [&str; 3] = ["hidden-l", "l", "L"];

/// Flags that are set unless something else is said, and what unsets them.
const UNSET_BY: [(&str, &str); 2] =
    [("debugger-support", "no-debugger-support"), ("crash-report", "no-crash-report")];

/// What a command line consists of.
#[derive(Debug, Default)]
pub(super) struct Normalized {
    /// The words for `clap` to parse.
    pub(super) words: Vec<OsString>,
    /// What is linked and how, in the order given.
    pub(super) steps: Vec<Step>,
}

impl Normalized {
    fn flag(&mut self, name: &str) {
        match Step::flag(name) {
            Some(step) => self.steps.push(step),
            None => self.words.push(spell(name, None)),
        }
    }

    /// An option and its value, as far as there is one.
    fn valued(&mut self, name: &str, value: Option<&OsStr>) {
        if let Some(step) = value.and_then(|value| Step::valued(name, value)) {
            return self.steps.push(step);
        }
        if name == "alias" {
            self.steps.push(Step::Alias);
        }
        self.words.push(spell(name, value));
    }
}

/// Takes a command line apart for `command` to parse the rest.
pub(super) fn normalize(command: &Command, words: impl IntoIterator<Item = OsString>) -> Normalized {
    let mut words = words.into_iter();
    let mut out = Normalized { words: words.next().into_iter().collect(), steps: Vec::new() };
    while let Some(word) = words.next() {
        if word == "--" {
            out.words.push(word);
            out.words.extend(words);
            break;
        }
        match read(command, &word) {
            Word::Plain if word.is_empty() => out.words.push(word),
            Word::Plain => out.steps.push(Step::file(word)),
            Word::Unknown(body) => out.words.push(OsString::from_vec([b"--", body].concat())),
            Word::Flag(name) => out.flag(name),
            Word::Unset => {}
            Word::Valued(name, Some(value)) => out.valued(name, Some(value)),
            Word::Valued(name, None) => out.valued(name, words.next().as_deref()),
            Word::Rest(name) => {
                take_rest(command, name, words, &mut out.words);
                break;
            }
        }
    }
    out
}

/// What one word is.
#[derive(Debug, PartialEq, Eq)]
enum Word<'a> {
    /// Not an option.
    Plain,
    /// An option that `clap` is to complain about.
    Unknown(&'a [u8]),
    /// An option without a value.
    Flag(&'a str),
    /// A flag that is taken back on the spot: `-noexec=false`.
    Unset,
    /// An option with its value, or one whose value is the next word.
    Valued(&'a str, Option<&'a OsStr>),
    /// An option that all words after it belong to.
    Rest(&'static str),
}

fn read<'a>(command: &Command, word: &'a OsStr) -> Word<'a> {
    let bytes = word.as_bytes();
    let Some(body) = bytes.strip_prefix(b"--").or_else(|| bytes.strip_prefix(b"-")).filter(|b| !b.is_empty())
    else {
        return Word::Plain;
    };
    let mut parts = body.splitn(2, |&byte| byte == b'=');
    let name = parts.next().and_then(|name| str::from_utf8(name).ok()).unwrap_or("");
    let value = parts.next().map(OsStr::from_bytes);
    match (name, value) {
        ("args", None) => return Word::Rest("args"),
        ("harness", None) => return Word::Rest("harness"),
        _ => {}
    }
    match Step::takes_value(name).or_else(|| find(command, name)) {
        Some(true) => Word::Valued(name, value),
        Some(false) => flag(name, value),
        None => prefixed(body).unwrap_or(Word::Unknown(body)),
    }
}

fn flag<'a>(name: &'a str, value: Option<&'a OsStr>) -> Word<'a> {
    match value.map(OsStr::as_bytes) {
        None | Some(b"true" | b"TRUE" | b"True" | b"1") => Word::Flag(name),
        Some(b"false" | b"FALSE" | b"False" | b"0") => {
            let unset = UNSET_BY.iter().find(|(flag, _)| *flag == name);
            unset.map_or(Word::Unset, |(_, unset)| Word::Flag(unset))
        }
        Some(_) => Word::Valued(name, value),
    }
}

/// Whether the option called `name` takes a value.
fn find(command: &Command, name: &str) -> Option<bool> {
    let mut letters = name.chars();
    let letter = letters.next().filter(|_| letters.next().is_none());
    let is_named = |arg: &&clap::Arg| {
        !name.is_empty() && (arg.get_long() == Some(name) || letter.is_some() && arg.get_short() == letter)
    };
    match command.get_arguments().find(is_named) {
        Some(arg) => {
            let empty = arg.get_num_args().is_some_and(|range| range.max_values() == 0);
            Some(arg.get_action().takes_values() && !empty)
        }
        None => matches!(name, "help" | "h" | "version" | "V").then_some(false),
    }
}

fn prefixed(body: &[u8]) -> Option<Word<'_>> {
    let with = |prefix: &'static str| Some((prefix, body.strip_prefix(prefix.as_bytes())?));
    let (prefix, value) = PREFIXES.into_iter().find_map(with)?;
    Some(Word::Valued(prefix, Some(OsStr::from_bytes(value))))
}

/// `--name`, `--name=value`, or the same with one letter.
fn spell(name: &str, value: Option<&OsStr>) -> OsString {
    let dashes = if name.len() == 1 { "-" } else { "--" };
    let mut word = [dashes, name].concat().into_bytes();
    if let Some(value) = value {
        word.push(b'=');
        word.extend_from_slice(value.as_bytes());
    }
    OsString::from_vec(word)
}

/// Gives `words` to `--args` and `--harness`, which end each other.
fn take_rest(
    command: &Command,
    mut name: &'static str,
    words: impl Iterator<Item = OsString>,
    out: &mut Vec<OsString>,
) {
    let enter = |name: &str, out: &mut Vec<OsString>| {
        if name == "args" {
            out.push("--args".into());
        }
    };
    enter(name, out);
    for word in words {
        match read(command, &word) {
            Word::Rest(other) if other != name => {
                name = other;
                enter(name, out);
            }
            _ => out.push(spell(name, Some(&word))),
        }
    }
}
