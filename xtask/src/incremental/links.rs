//! Linking one object after another with this library.
#![allow(unsafe_code)]

use super::progress::Watch;
use super::sample::Sample;
use crate::Outcome;
use jitlink::alloc::{DualMappedManager, FinalizedAllocation, InProcessManager, MemoryManager};
use jitlink::base::{ExecutorAddr, Result};
use jitlink::host::{HostActions, ProcessSymbols};
use jitlink::link::{Batch, LinkContext, LinkOptions, link};

pub(super) fn strict(count: usize) -> Outcome<()> {
    InProcessManager::new().map_err(|error| error.to_string()).and_then(|manager| all(&manager, count))
}

pub(super) fn dual_mapped(count: usize) -> Outcome<()> {
    DualMappedManager::new().map_err(|error| error.to_string()).and_then(|manager| all(&manager, count))
}

fn all(manager: &dyn MemoryManager, count: usize) -> Outcome<()> {
    let mut sample = Sample::assembled()?;
    let resolver = ProcessSymbols::new();
    let mut context =
        LinkContext { manager, resolver: &resolver, actions: Some(&HostActions), plugins: &mut [] };
    let mut kept = Vec::with_capacity(count);
    let mut watch = Watch::start(count);
    for index in 0..count {
        let linked = one(sample.with(index), &Sample::name(index), &mut context);
        kept.push(linked.map_err(|error| error.to_string())?);
        watch.tick()?;
    }
    let checked = check(kept.iter().map(|(_, address)| *address));
    // The process ends.
    std::mem::forget(kept);
    checked
}

type Kept = (Box<dyn FinalizedAllocation>, ExecutorAddr);

fn one(object: &[u8], name: &str, context: &mut LinkContext<'_>) -> Result<Kept> {
    let mut batch = Batch::new();
    batch.add_object(name, object)?;
    let linked = link(batch, context, &LinkOptions::default())?;
    let address = linked.lookup(name.as_bytes()).unwrap_or(ExecutorAddr::NULL);
    Ok((linked.into_allocation(), address))
}

/// Calls every function; each must return its number.
pub(super) fn check(functions: impl Iterator<Item = ExecutorAddr>) -> Outcome<()> {
    for (index, address) in functions.enumerate() {
        if address.is_null() {
            return Err(format!("the function number {index} is nowhere"));
        }
        // SAFETY: the address is that of a function of the sample, which takes nothing and returns an `int`.
        let function: extern "C" fn() -> u32 = unsafe { std::mem::transmute(address.0 as usize) };
        let returned = function();
        if returned as usize != index {
            return Err(format!("the function number {index} returned {returned}"));
        }
    }
    Ok(())
}
