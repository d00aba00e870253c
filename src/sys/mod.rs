//! The operating system, one concern per file: pages, mappings and their protection, where there is room for them,
//! shared memory, the instruction cache, forks, the loaded objects.
//!
//! # Safety
//! The files here that contain `unsafe` own what they map and check every range against it, so that what they offer is
//! safe to call, except where a function says otherwise.

pub(crate) mod dl;
pub(crate) mod fork;
pub(crate) mod global_stub;
pub(crate) mod icache;
pub(crate) mod loaded;
pub(crate) mod maps;
pub(crate) mod page;
pub(crate) mod place;
pub(crate) mod reserve;
pub(crate) mod shared;
mod stub;
pub(crate) mod thread_stub;

const _: () = assert!(size_of::<usize>() == size_of::<u64>(), "only 64-bit hosts are supported");
