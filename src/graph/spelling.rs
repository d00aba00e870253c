//! How symbol tables spell the names of C.

/// How a symbol table spells the names of C.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Spelling {
    /// As C does: ELF.
    #[default]
    Plain,
    /// With an underscore before them: Mach-O.
    Underscored,
}

impl Spelling {
    /// The name that C has for a symbol; none where C has none.
    #[must_use]
    pub fn c_name(self, symbol: &[u8]) -> Option<&[u8]> {
        match self {
            Self::Plain => Some(symbol),
            Self::Underscored => symbol.strip_prefix(b"_"),
        }
    }

    /// The symbol that stands for a name of C.
    #[must_use]
    pub fn symbol(self, c_name: &str) -> String {
        match self {
            Self::Plain => c_name.to_owned(),
            Self::Underscored => format!("_{c_name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Spelling;

    #[test]
    fn underscores_come_and_go() {
        assert_eq!(Spelling::Plain.c_name(b"_exit"), Some(&b"_exit"[..]));
        assert_eq!(Spelling::Underscored.c_name(b"__exit"), Some(&b"_exit"[..]));
        assert_eq!(Spelling::Underscored.c_name(b"lambda"), None);
        assert_eq!(Spelling::Plain.symbol("main"), "main");
        assert_eq!(Spelling::Underscored.symbol("main"), "_main");
    }
}
