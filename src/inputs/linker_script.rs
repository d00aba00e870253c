//! GNU ld scripts that stand in for a library, such as Debian's `libc.so` and `libncurses.so`: lists of other inputs.
//!
//! Scripts that lay out sections are not for inputs and are refused by name of the command.

use crate::base::{Error, Place, Result};
use crate::inputs::InputFile;

/// What a script asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LinkerScript {
    /// The inputs, in order.
    pub entries: Vec<ScriptEntry>,
    /// Directories to be searched for libraries after those given so far.
    pub search_dirs: Vec<String>,
}

/// One input that a script names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScriptEntry {
    /// What to open or to search for.
    pub input: ScriptInput,
    /// The library is wanted only if something refers to it.
    pub as_needed: bool,
    /// Line of the script, from 1.
    pub line: u32,
}

/// How a script names an input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ScriptInput {
    /// A file: an absolute path, or one that is relative to the current directory, the script's or one of `-L`.
    Path(String),
    /// `-lname`: to be searched for.
    Library(String),
}

/// Reads a linker script.
///
/// # Errors
/// The text is no script of this kind; the error names the line.
pub fn parse(file: &InputFile) -> Result<LinkerScript> {
    let text = std::str::from_utf8(file.bytes()).map_err(|error| {
        Error::malformed(file.place().at(error.valid_up_to() as u64), "not text in UTF-8")
    })?;
    Parser { place: file.place(), tokens: Tokens { rest: text, line: 1 }, script: LinkerScript::default() }
        .run()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token<'text> {
    Open,
    Close,
    Separator,
    Name {
        text: &'text str,
        quoted: bool,
    },
    /// A comment or a quotation that does not end.
    Unterminated(&'static str),
}

struct Tokens<'text> {
    rest: &'text str,
    line: u32,
}

impl<'text> Tokens<'text> {
    /// The next token and its line.
    fn next(&mut self) -> Option<(u32, Token<'text>)> {
        loop {
            self.skip_space();
            let Some(comment) = self.rest.strip_prefix("/*") else { break };
            match comment.find("*/") {
                Some(end) => self.advance(end + 4),
                None => return Some((self.line, Token::Unterminated("comment"))),
            }
        }
        let line = self.line;
        let token = match self.rest.as_bytes().first()? {
            b'(' => self.punctuation(Token::Open),
            b')' => self.punctuation(Token::Close),
            b',' | b';' => self.punctuation(Token::Separator),
            b'"' => self.quoted(),
            _ => self.name(),
        };
        Some((line, token))
    }

    fn skip_space(&mut self) {
        let end = self.rest.find(|c: char| !c.is_ascii_whitespace()).unwrap_or(self.rest.len());
        self.advance(end);
    }

    fn punctuation(&mut self, token: Token<'text>) -> Token<'text> {
        self.advance(1);
        token
    }

    fn quoted(&mut self) -> Token<'text> {
        let inside = self.rest.get(1..).unwrap_or_default();
        let Some(end) = inside.find('"') else { return Token::Unterminated("quoted name") };
        self.advance(end + 2);
        Token::Name { text: inside.get(..end).unwrap_or_default(), quoted: true }
    }

    fn name(&mut self) -> Token<'text> {
        let is_end = |c: char| c.is_ascii_whitespace() || matches!(c, '(' | ')' | ',' | ';' | '"');
        let end = self.rest.find(is_end).unwrap_or(self.rest.len());
        let text = self.rest.get(..end).unwrap_or_default();
        self.advance(end);
        Token::Name { text, quoted: false }
    }

    fn advance(&mut self, bytes: usize) {
        let (skipped, rest) = self.rest.split_at_checked(bytes).unwrap_or((self.rest, ""));
        let lines = memchr::memchr_iter(b'\n', skipped.as_bytes()).count();
        self.line = self.line.saturating_add(u32::try_from(lines).unwrap_or(u32::MAX));
        self.rest = rest;
    }
}

struct Parser<'text> {
    place: Place,
    tokens: Tokens<'text>,
    script: LinkerScript,
}

impl<'text> Parser<'text> {
    fn run(mut self) -> Result<LinkerScript> {
        while let Some((line, token)) = self.tokens.next() {
            match token {
                Token::Separator => {}
                Token::Name { text, quoted: false } => self.command(line, text)?,
                other => return Err(self.unexpected(line, other, "a command such as INPUT or GROUP")),
            }
        }
        Ok(self.script)
    }

    fn command(&mut self, line: u32, name: &'text str) -> Result<()> {
        match name {
            "INPUT" | "GROUP" => self.inputs(line, name),
            "SEARCH_DIR" => {
                let dirs = self.arguments(line, name)?;
                self.script.search_dirs.extend(dirs.into_iter().map(|dir| without_sysroot(dir).to_owned()));
                Ok(())
            }
            "OUTPUT_FORMAT" | "OUTPUT_ARCH" | "TARGET" => self.arguments(line, name).map(drop),
            _ => Err(self.unknown(line, name)),
        }
    }

    /// The names between parentheses.
    fn arguments(&mut self, line: u32, command: &str) -> Result<Vec<&'text str>> {
        self.open(line, command)?;
        let mut names = Vec::new();
        loop {
            match self.tokens.next() {
                Some((_, Token::Close)) => return Ok(names),
                Some((_, Token::Separator)) => {}
                Some((_, Token::Name { text, .. })) => names.push(text),
                Some((line, other)) => return Err(self.unexpected(line, other, "a name or )")),
                None => return Err(self.unclosed(line, command)),
            }
        }
    }

    /// The list of INPUT or GROUP. Everything here is searched until nothing is left undefined, which makes the two
    /// mean the same. AS_NEEDED may stand in the list, and does not nest.
    fn inputs(&mut self, line: u32, command: &str) -> Result<()> {
        self.open(line, command)?;
        let mut as_needed = false;
        loop {
            match self.tokens.next() {
                Some((_, Token::Close)) if as_needed => as_needed = false,
                Some((_, Token::Close)) => return Ok(()),
                Some((_, Token::Separator)) => {}
                Some((line, Token::Name { text: "AS_NEEDED", quoted: false })) if !as_needed => {
                    self.open(line, "AS_NEEDED")?;
                    as_needed = true;
                }
                Some((line, Token::Name { text, .. })) => self.entry(line, text, as_needed)?,
                Some((line, other)) => return Err(self.unexpected(line, other, "a file, -lNAME or )")),
                None => return Err(self.unclosed(line, command)),
            }
        }
    }

    fn entry(&mut self, line: u32, text: &str, as_needed: bool) -> Result<()> {
        let input = match text.strip_prefix("-l") {
            Some("") => return Err(self.error(line, "-l without a name")),
            Some(name) => ScriptInput::Library(name.to_owned()),
            None if text.is_empty() => return Err(self.error(line, "an empty file name")),
            None => ScriptInput::Path(without_sysroot(text).to_owned()),
        };
        self.script.entries.push(ScriptEntry { input, as_needed, line });
        Ok(())
    }

    fn open(&mut self, line: u32, command: &str) -> Result<()> {
        match self.tokens.next() {
            Some((_, Token::Open)) => Ok(()),
            Some((line, other)) => Err(self.unexpected(line, other, &format!("( after {command}"))),
            None => Err(self.unclosed(line, command)),
        }
    }

    #[cold]
    fn unexpected(&self, line: u32, token: Token<'_>, wanted: &str) -> Error {
        let found = match token {
            Token::Unterminated(what) => return self.error(line, &format!("a {what} that does not end")),
            Token::Open => "(".to_owned(),
            Token::Close => ")".to_owned(),
            Token::Separator => "a comma or semicolon".to_owned(),
            Token::Name { text, .. } => shorten(text),
        };
        self.error(line, &format!("{found} where {wanted} is due"))
    }

    #[cold]
    fn unclosed(&self, line: u32, command: &str) -> Error {
        self.error(line, &format!("{command} without a closing parenthesis"))
    }

    #[cold]
    fn unknown(&self, line: u32, name: &str) -> Error {
        let what = format!(
            "line {line}: {} is no command of a linker script that stands for a library",
            shorten(name)
        );
        let help =
            "inputs can be objects, archives, shared libraries, or scripts with INPUT, GROUP and SEARCH_DIR";
        Error::unsupported(self.place.clone(), what, help)
    }

    #[cold]
    fn error(&self, line: u32, what: &str) -> Error {
        Error::malformed(self.place.clone(), format!("line {line}: {what}"))
    }
}

/// A leading `=` or `$SYSROOT` stands for the root of the target's file system, which is this one's here.
fn without_sysroot(path: &str) -> &str {
    path.strip_prefix("$SYSROOT").or_else(|| path.strip_prefix('=')).unwrap_or(path)
}

/// Text that is no script can have very long words.
fn shorten(text: &str) -> String {
    match text.char_indices().nth(40) {
        Some((end, _)) => format!("'{}...'", text.get(..end).unwrap_or_default()),
        None => format!("'{text}'"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<LinkerScript> {
        parse(&InputFile::from_bytes("x.so", text.as_bytes()))
    }

    fn path(text: &str, as_needed: bool, line: u32) -> ScriptEntry {
        ScriptEntry { input: ScriptInput::Path(text.into()), as_needed, line }
    }

    fn library(text: &str, as_needed: bool, line: u32) -> ScriptEntry {
        ScriptEntry { input: ScriptInput::Library(text.into()), as_needed, line }
    }

    fn error(text: &str) -> String {
        read(text).unwrap_err().to_string()
    }

    #[test]
    fn the_c_librarys_script_is_a_group_with_an_optional_part() {
        let text = "/* GNU ld script\n   Use the shared library first.  */\nOUTPUT_FORMAT(elf64-x86-64)\n\
            GROUP ( /lib/x86_64-linux-gnu/libc.so.6 /usr/lib/libc_nonshared.a  AS_NEEDED ( /lib64/ld-linux-x86-64.so.2 ) )\n";
        let expected = [
            path("/lib/x86_64-linux-gnu/libc.so.6", false, 4),
            path("/usr/lib/libc_nonshared.a", false, 4),
            path("/lib64/ld-linux-x86-64.so.2", true, 4),
        ];
        assert_eq!(read(text).unwrap().entries, expected);
    }

    #[test]
    fn scripts_on_this_machine_are_read() {
        let file = InputFile::open(format!("/usr/lib/{}-linux-gnu/libc.so", std::env::consts::ARCH)).unwrap();
        let script = parse(&file).unwrap();
        assert!(script.entries.iter().any(|entry| {
            matches!(&entry.input, ScriptInput::Path(path) if path.ends_with("/libc.so.6"))
                && !entry.as_needed
        }));
    }

    #[test]
    fn names_may_be_quoted_separated_by_commas_or_libraries() {
        let text = "INPUT(libncurses.so.6 -ltinfo)\nINPUT ( \"a b.o\",c.o , -l:libd.so.1\n AS_NEEDED(-lm,\"e.o\") f.o);";
        let expected = [
            path("libncurses.so.6", false, 1),
            library("tinfo", false, 1),
            path("a b.o", false, 2),
            path("c.o", false, 2),
            library(":libd.so.1", false, 2),
            library("m", true, 3),
            path("e.o", true, 3),
            path("f.o", false, 3),
        ];
        assert_eq!(read(text).unwrap().entries, expected);
    }

    #[test]
    fn directories_and_the_sysroot_mark() {
        let script =
            read("SEARCH_DIR(\"=/usr/local/lib\"); SEARCH_DIR(/opt/lib)\nINPUT(=/lib/x.so)").unwrap();
        assert_eq!(script.search_dirs, ["/usr/local/lib", "/opt/lib"]);
        assert_eq!(script.entries, [path("/lib/x.so", false, 2)]);
        assert_eq!(read("/* nothing */").unwrap(), LinkerScript::default());
    }

    #[test]
    fn what_is_no_such_script_is_refused_with_its_line() {
        assert!(
            error("\n\nSECTIONS { .text : { *(.text) } }")
                .starts_with("x.so: line 3: 'SECTIONS' is no command")
        );
        assert!(
            error("#include <stdio.h>\nint main() {}").starts_with("x.so: line 1: '#include' is no command")
        );
        assert_eq!(error("INPUT(a.o\n b.o"), "x.so: line 1: INPUT without a closing parenthesis");
        assert_eq!(error("GROUP\n)"), "x.so: line 2: ) where ( after GROUP is due");
        assert_eq!(error("INPUT(a.o (b.o))"), "x.so: line 1: ( where a file, -lNAME or ) is due");
        assert_eq!(error("\n/* never ends"), "x.so: line 2: a comment that does not end");
        assert_eq!(error("INPUT(\"a.o)"), "x.so: line 1: a quoted name that does not end");
        assert_eq!(error("INPUT(-l)"), "x.so: line 1: -l without a name");
        assert_eq!(error(")"), "x.so: line 1: ) where a command such as INPUT or GROUP is due");
        assert!(error("INPUT(AS_NEEDED(AS_NEEDED(a)))").contains("( where"));
    }

    #[test]
    fn every_prefix_of_a_script_ends_in_an_entry_list_or_an_error() {
        let text = "/* c */ GROUP ( /lib/\u{fc}.so \"q r\" AS_NEEDED ( -lm ) ) SEARCH_DIR(/x)";
        for end in 0..text.len() {
            let file = InputFile::from_bytes("x.so", &text.as_bytes()[..end]);
            if let Err(error) = parse(&file) {
                assert!(error.to_string().starts_with("x.so:"), "{error}");
            }
        }
    }
}
