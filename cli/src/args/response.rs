//! Response files: `@FILE` stands for the words in FILE, which are separated and quoted as in a shell.

use shlex::bytes::Shlex;
use std::collections::VecDeque;
use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

/// How many response files one command line may take, which ends files that name themselves.
const LIMIT: usize = 1000;

/// What means something else than itself, or divides words as not every shell does: a text without these is quickly taken apart.
const SPECIAL: &[u8] = b"'\"\\#\x0b\x0c\r\0";

/// The words with response files put in their place. Where there is no such file, `@FILE` stands for itself, and so it
/// does among the program's arguments.
///
/// # Errors
/// A file ends within quotes, or there are too many.
pub(super) fn expand(words: impl IntoIterator<Item = OsString>) -> Result<Vec<OsString>, String> {
    let mut pending: VecDeque<OsString> = words.into_iter().collect();
    let mut out: Vec<OsString> = pending.pop_front().into_iter().collect();
    let mut files = 0;
    while let Some(word) = pending.pop_front() {
        if word == "--" || word == "-args" || word == "--args" {
            out.push(word);
            out.extend(pending);
            break;
        }
        match read(&word)? {
            Some(words) => {
                files += 1;
                if files > LIMIT {
                    return Err(format!("more than {LIMIT} response files; does one name itself?"));
                }
                words.into_iter().rev().for_each(|word| pending.push_front(word));
            }
            None => out.push(word),
        }
    }
    Ok(out)
}

fn read(word: &OsString) -> Result<Option<Vec<OsString>>, String> {
    let Some(path) = word.as_bytes().strip_prefix(b"@").filter(|path| !path.is_empty()) else {
        return Ok(None);
    };
    let Ok(text) = std::fs::read(std::ffi::OsStr::from_bytes(path)) else { return Ok(None) };
    if !text.iter().any(|byte| SPECIAL.contains(byte)) {
        let words = text.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
        return Ok(Some(words.map(|word| OsString::from_vec(word.to_vec())).collect()));
    }
    let mut words = Shlex::new(&text);
    let list = words.by_ref().map(OsString::from_vec).collect();
    if words.had_error {
        return Err(format!("{}: a quotation does not end", String::from_utf8_lossy(path)));
    }
    Ok(Some(list))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(dir: &std::path::Path, line: &str) -> Result<Vec<String>, String> {
        let words = line.replace("DIR", &dir.display().to_string());
        let words = std::iter::once("jitlink").chain(words.split_whitespace()).map(OsString::from);
        let show = |word: OsString| word.to_string_lossy().replace(&dir.display().to_string(), "DIR");
        Ok(expand(words)?.into_iter().skip(1).map(show).collect())
    }

    #[test]
    fn files_stand_for_their_words() {
        let scratch = tempfile::tempdir().unwrap();
        let dir = scratch.path();
        std::fs::write(dir.join("a"), "x 'y z'\n-l\"q\" @missing\n").unwrap();
        std::fs::write(dir.join("b"), format!("1 @{}/a 2", dir.display())).unwrap();
        std::fs::write(dir.join("open"), "'x").unwrap();
        std::fs::write(dir.join("self"), format!("x @{0}/self @{0}/self", dir.display())).unwrap();
        let ok = |line| expanded(dir, line).unwrap();
        assert_eq!(ok("p @DIR/a q"), ["p", "x", "y z", "-lq", "@missing", "q"]);
        assert_eq!(ok("@DIR/b"), ["1", "x", "y z", "-lq", "@missing", "2"]);
        assert_eq!(ok("@ @DIR/none"), ["@", "@DIR/none"]);
        assert_eq!(ok("a.o -- @DIR/a"), ["a.o", "--", "@DIR/a"]);
        assert_eq!(ok("a.o -args @DIR/a"), ["a.o", "-args", "@DIR/a"]);
        assert!(expanded(dir, "@DIR/open").unwrap_err().contains("does not end"));
        assert!(expanded(dir, "@DIR/self").unwrap_err().contains("more than 1000"));
    }
}
