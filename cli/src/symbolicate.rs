//! `-symbolicate-with`: names for addresses in backtraces, by a table that `-write-symtab` has written.

use crate::report::{OrReport, Outcome};
use jitlink::base::{Error, Result};
use std::ffi::OsStr;
use std::io::{Read, Write};
use std::path::Path;

/// Prints the backtraces in `inputs` (`-` is standard input) with what the table knows of their addresses.
pub(crate) fn run<'a>(table: &Path, inputs: impl Iterator<Item = &'a OsStr>) -> Outcome<i32> {
    let text = read(table.as_os_str()).or_report()?;
    let table = Table::parse(&text);
    for input in inputs {
        let text = read(input).or_report()?;
        // A closed output is no reason to say more.
        let _ = std::io::stdout().lock().write_all(table.symbolicate(&text).as_bytes());
    }
    Ok(0)
}

fn read(path: &OsStr) -> Result<String> {
    let mut bytes = Vec::new();
    let done = match path.as_encoded_bytes() {
        b"-" => std::io::stdin().lock().read_to_end(&mut bytes).map(drop),
        _ => std::fs::read(path).map(|read| bytes = read),
    };
    done.map_err(|error| Error::io(path.to_string_lossy(), error))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// A symbol of the table.
#[derive(Debug, PartialEq, Eq)]
struct Symbol<'a> {
    address: u64,
    name: &'a str,
    file: &'a str,
}

/// Symbols by address; of those with the same one, the last in the file comes last.
#[derive(Debug)]
struct Table<'a>(Vec<Symbol<'a>>);

impl<'a> Table<'a> {
    /// Lines that are neither a file's name in quotes nor an address and a name are passed over.
    fn parse(text: &'a str) -> Self {
        let mut file = "<unidentified>";
        let mut symbols = Vec::new();
        for line in text.lines().map(str::trim) {
            if let Some(name) = line.strip_prefix('"').and_then(|line| line.strip_suffix('"')) {
                file = name;
            } else if let Some((address, name)) = line.split_once(' ')
                && let Some(address) = hexadecimal(address)
            {
                symbols.push(Symbol { address, name, file });
            }
        }
        symbols.sort_by_key(|symbol| symbol.address);
        Self(symbols)
    }

    fn symbolicate(&self, text: &str) -> String {
        let mut out = String::with_capacity(2 * text.len());
        for line in text.lines() {
            match self.suffix(line) {
                Some(suffix) => out.extend([line.trim_end(), " ", &suffix, "\n"]),
                None => out.extend([line, "\n"]),
            }
        }
        out
    }

    /// What is known of the address that ends a line of a backtrace. A line whose address has been told apart already
    /// ends with something else.
    fn suffix(&self, line: &str) -> Option<String> {
        let (frame, address) = line.trim_end().rsplit_once([' ', '\t'])?;
        let address = hexadecimal(address).filter(|_| frame.contains('#'))?;
        let after = self.0.partition_point(|symbol| symbol.address <= address);
        let Symbol { address: start, name, file } = self.0.get(after.checked_sub(1)?)?;
        Some(match address - start {
            0 => format!("{name} ({file})"),
            offset => format!("{name} + {offset} ({file})"),
        })
    }
}

/// A number with or without `0x` before it.
fn hexadecimal(word: &str) -> Option<u64> {
    let digits = word.strip_prefix("0x").unwrap_or(word);
    // `from_str_radix` takes a sign.
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_number.then(|| u64::from_str_radix(digits, 16).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What LLVM's tool makes of these lines, except that it prints an empty line at the end.
    #[test]
    fn lines_that_end_with_an_address_get_a_name() {
        let table =
            Table::parse("\"a.o\"\n0x1000 foo\n0x2000 bar baz\n\"dir/b.o\"\n0x3000 qux\n0x3000 qux2\n");
        for (line, expected) in [
            ("#0 0x1000", "#0 0x1000 foo (a.o)"),
            (" #1 0x0000000000001004", " #1 0x0000000000001004 foo + 4 (a.o)"),
            ("#2 0x1ffff", "#2 0x1ffff qux2 + 118783 (dir/b.o)"),
            ("#3 0x2001 ", "#3 0x2001 bar baz + 1 (a.o)"),
            ("#4 0x2001 x", "#4 0x2001 x"),
            ("#5 0x500", "#5 0x500"),
            ("0x1000", "0x1000"),
            ("#6 1000", "#6 1000 foo (a.o)"),
            ("foo #7 0x1004", "foo #7 0x1004 foo + 4 (a.o)"),
            ("#8 0x3004 (in lib)", "#8 0x3004 (in lib)"),
            ("#9 0x3004", "#9 0x3004 qux2 + 4 (dir/b.o)"),
            ("", ""),
            ("#10   0x1004", "#10   0x1004 foo + 4 (a.o)"),
            ("#13 0x1004\t", "#13 0x1004 foo + 4 (a.o)"),
            ("#14 0X1004", "#14 0X1004"),
            ("#15 0x1004zz", "#15 0x1004zz"),
            ("#16 +1004", "#16 +1004"),
            ("#17 0x", "#17 0x"),
        ] {
            assert_eq!(table.symbolicate(&format!("{line}\n")), format!("{expected}\n"));
        }
    }

    #[test]
    fn lines_of_a_table_that_make_no_sense_are_passed_over() {
        let table = Table::parse("garbage\n0xzz foo\n\"a\n0x1 b\n0x2\n");
        assert_eq!(table.0, [Symbol { address: 1, name: "b", file: "<unidentified>" }]);
    }
}
