//! Index newtypes: entities of a graph are named by their place in its vectors.

use std::fmt;

macro_rules! index_newtype {
    ($(#[$doc:meta])* $name:ident, $letter:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(transparent)]
        pub struct $name(pub u32);

        impl $name {
            /// The id as an index into the vector it stands for.
            #[must_use]
            pub const fn index(self) -> usize {
                self.0 as usize
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($letter, "{}"), self.0)
            }
        }
    };
}

index_newtype!(
    /// A section of one graph.
    SectionId, "section"
);
index_newtype!(
    /// A block of one graph.
    BlockId, "block"
);
index_newtype!(
    /// A symbol of one graph. The first ids of a graph made from an object are the object's own symbol table indexes.
    SymbolId, "symbol"
);
