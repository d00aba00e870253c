//! Options that define symbols: `-abs`, `-alias`, `-sectcreate`.

use super::numbers::integer;
use std::path::PathBuf;

/// `-abs SYMBOL=ADDRESS`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AbsoluteDefinition {
    /// The symbol.
    pub(crate) name: String,
    /// Its address.
    pub(crate) address: u64,
}

/// `-alias ALIAS=SYMBOL`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AliasDefinition {
    /// The new name.
    pub(crate) name: String,
    /// What it stands for.
    pub(crate) target: String,
}

/// `-sectcreate SECTION,FILE[@SYMBOL=OFFSET,...]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CreatedSection {
    /// The section's name.
    pub(crate) section: String,
    /// Where its bytes are.
    pub(crate) file: PathBuf,
    /// Symbols and their offsets.
    pub(crate) symbols: Vec<(String, u64)>,
}

pub(super) fn absolute(text: &str) -> Result<AbsoluteDefinition, String> {
    let (name, address) = pair(text, "write SYMBOL=ADDRESS")?;
    Ok(AbsoluteDefinition { name: name.to_owned(), address: integer(address)? })
}

pub(super) fn alias(text: &str) -> Result<AliasDefinition, String> {
    let (name, target) = pair(text, "write ALIAS=SYMBOL")?;
    Ok(AliasDefinition { name: name.to_owned(), target: target.to_owned() })
}

pub(super) fn section(text: &str) -> Result<CreatedSection, String> {
    const SYNTAX: &str = "write SECTION,FILE or SECTION,FILE@SYMBOL=OFFSET,...";
    let (rest, symbols) = match text.split_once('@') {
        Some((rest, symbols)) => (rest, symbols.split(',').map(symbol_at).collect::<Result<_, _>>()?),
        None => (text, Vec::new()),
    };
    // A Mach-O section is itself a pair, `__SEG,__sect`.
    match rest.rsplit_once(',') {
        Some((section, file)) if !section.is_empty() && !file.is_empty() => {
            Ok(CreatedSection { section: section.to_owned(), file: file.into(), symbols })
        }
        _ => Err(SYNTAX.to_owned()),
    }
}

fn symbol_at(text: &str) -> Result<(String, u64), String> {
    let (name, offset) = pair(text, "symbols are written SYMBOL=OFFSET")?;
    Ok((name.to_owned(), integer(offset)?))
}

fn pair<'a>(text: &'a str, syntax: &str) -> Result<(&'a str, &'a str), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() && !value.is_empty() => Ok((name, value)),
        _ => Err(syntax.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absolute_symbols() {
        assert_eq!(absolute("foo=0x10"), Ok(AbsoluteDefinition { name: "foo".into(), address: 16 }));
        for text in ["foo", "=1", "foo=", "foo=bar", "foo=-1"] {
            assert!(absolute(text).is_err(), "{text}");
        }
    }

    #[test]
    fn aliases() {
        assert_eq!(alias("a=b"), Ok(AliasDefinition { name: "a".into(), target: "b".into() }));
        for text in ["a", "=b", "a="] {
            assert!(alias(text).is_err(), "{text}");
        }
    }

    #[test]
    fn sections() {
        let plain = section("sec,dir/f.bin").unwrap();
        assert_eq!((plain.section.as_str(), plain.symbols.len()), ("sec", 0));
        let full = section("sec,f@a=0,b=0x10").unwrap();
        assert_eq!(full.symbols, [("a".to_owned(), 0), ("b".to_owned(), 16)]);
        assert_eq!(section("__DATA,__foo,f").unwrap().section, "__DATA,__foo");
        for text in ["sec", "sec,", ",f", "sec@a=0", "sec,f@a", "sec,f@a=", "sec,f@=1", "sec,f@"] {
            assert!(section(text).is_err(), "{text}");
        }
    }
}
