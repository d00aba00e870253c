//! Links relocatable objects straight into memory: a static linker whose output is this process instead of a file.
//!
//! Modules follow the way of the data:
//!
//! | module | holds |
//! |---|---|
//! | [`inputs`] | files: objects, archives, shared libraries, linker scripts, and where they are searched for |
//! | [`graph`] | what an object becomes: a [`LinkGraph`](graph::LinkGraph) of sections, blocks, symbols and edges |
//! | [`arch`] | edge kinds, what each computes, PLT entries and rewritten instructions, per architecture |
//! | [`passes`] | transformations of graphs: call frames, merging, section bounds |
//! | [`alloc`] | memory managers |
//! | [`mod@link`] | a [`Batch`](link::Batch) of objects, the phases of a link, plugins, and the [`Linked`](link::Linked) image |
//! | [`runtime`] | what happens in the executing process: unwinder, indirect functions, initialisers, exit |
//! | [`host`] | all of it for this process: [`HostLinker`](host::HostLinker) links, [`run_main`](host::run_main) runs |
//! | [`session`] | code that comes and goes: dylibs, lookup, linking on demand, removal; [`Jit`](session::Jit) is the short way |
//! | [`debug`] | debuggers, profilers, and what code an address belongs to |
//! | [`lazy`] | names that lead elsewhere: redirected at any time, or linked when first called |

pub mod alloc;
pub mod arch;
pub mod base;
pub mod debug;
mod formats;
pub mod graph;
pub mod host;
pub mod inputs;
pub mod lazy;
pub mod link;
pub mod passes;
pub mod runtime;
pub mod session;
mod sys;

/// The README's example is a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
