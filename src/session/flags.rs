//! What is known of a symbol besides its address.

use crate::base::ExecutorAddr;
use bitflags::bitflags;

bitflags! {
    /// What is known of a symbol before it has an address.
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
    pub struct JitSymbolFlags: u16 {
        /// Found from other dylibs. What is not exported is found from its own dylib alone.
        const EXPORTED = 1;
        /// Gives way to a strong definition, and to a weak one that came before.
        const WEAK = 2;
        /// As [`WEAK`](Self::WEAK): memory that the link allocates unless something defines the name.
        const COMMON = 4;
        /// Names code.
        const CALLABLE = 8;
        /// Is a value that no link decides.
        const ABSOLUTE = 16;
        /// Has no address: looking it up only has its unit materialized.
        const SIDE_EFFECTS_ONLY = 32;
        /// A function with a register convention of its own (`STO_AARCH64_VARIANT_PCS`), which is never bound lazily.
        const VARIANT_PCS = 64;
        /// Names a thread-local variable: each thread has its own, at another address.
        const THREAD_LOCAL = 128;
    }
}

impl JitSymbolFlags {
    /// An exported function.
    pub const FUNCTION: Self = Self::EXPORTED.union(Self::CALLABLE);

    /// Whether another definition of the name is no contradiction.
    #[must_use]
    pub const fn is_weak(self) -> bool {
        self.intersects(Self::WEAK.union(Self::COMMON))
    }
}

/// A symbol with its address, ready to be called or read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ExecutorSymbol {
    /// Its address in the executing process; null if it has none ([`JitSymbolFlags::SIDE_EFFECTS_ONLY`]).
    pub address: ExecutorAddr,
    /// What else is known of it.
    pub flags: JitSymbolFlags,
    /// Its size in bytes; 0 where it is not known.
    pub size: u64,
}

impl ExecutorSymbol {
    /// An exported function at an address.
    #[must_use]
    pub const fn function(address: ExecutorAddr) -> Self {
        Self { address, flags: JitSymbolFlags::FUNCTION, size: 0 }
    }

    /// Exported data of `size` bytes at an address.
    #[must_use]
    pub const fn data(address: ExecutorAddr, size: u64) -> Self {
        Self { address, flags: JitSymbolFlags::EXPORTED, size }
    }
}
