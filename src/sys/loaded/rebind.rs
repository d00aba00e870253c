//! Binding loaded objects anew: what a name means for libraries that were loaded before its definition was there.
//!
//! # Safety
//!
//! As for the parent: a table is read only where it lies entirely in a segment of its object, and a pointer is written only
//! where it is aligned and lies in a writable segment.
#![allow(unsafe_code)]

use super::{Object, RELA_SIZE, at, for_each};
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU64, Ordering};

const DT_PLTRELSZ: u64 = 2;
const DT_JMPREL: u64 = 23;

/// Relocations for the address of a symbol: those of [`SYMBOLIC`](super::SYMBOLIC), and `JUMP_SLOT`, which has no addend.
#[cfg(target_arch = "x86_64")]
const JUMP_SLOT: u32 = 7;
#[cfg(target_arch = "aarch64")]
const JUMP_SLOT: u32 = 1026;

/// A pointer of a loaded object to what a name means there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Binding<'a> {
    pub(crate) name: &'a [u8],
    /// What it is bound to now. A function that has not been called may be bound to code that will find it.
    pub(crate) value: u64,
}

/// Binds names in the libraries of this process: each pointer that `find` has an answer for leads there. The program itself
/// stays as it is.
///
/// # Errors
/// Pages cannot be made writable. Pointers in other objects may have been rewritten by then.
///
/// # Safety
/// Each answer can be used in place of what the name meant. No library is being loaded or unloaded by another thread.
pub(crate) unsafe fn rebind(find: &dyn Fn(Binding<'_>) -> Option<u64>) -> Result<(), region::Error> {
    let mut outcome = Ok(());
    let mut is_program = true;
    for_each(&mut |object| {
        if !std::mem::take(&mut is_program) {
            // SAFETY: the object is loaded; the rest is the caller's promise.
            outcome = unsafe { object.rebind(find) };
        }
        if outcome.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    });
    outcome
}

impl Object<'_> {
    /// # Safety
    /// As for [`rebind`].
    unsafe fn rebind(&self, find: &dyn Fn(Binding<'_>) -> Option<u64>) -> Result<(), region::Error> {
        let (symbols, names) = (self.symbols(), self.names());
        self.with_relro(|relro| {
            for &[offset, info, addend] in self.relocations().iter().chain(self.plt_relocations()) {
                let kind = info as u32;
                if kind != JUMP_SLOT && !super::SYMBOLIC.contains(&kind) {
                    continue;
                }
                let slot = self.base.wrapping_add(offset);
                if !slot.is_multiple_of(8) || !self.is_writable(&(slot..slot.saturating_add(8))) {
                    continue;
                }
                let addend = if kind == JUMP_SLOT { 0 } else { addend };
                // SAFETY: it is aligned and lies in a segment of this object. Other threads may read it at the same time.
                let pointer = unsafe { AtomicU64::from_ptr(at(slot)) };
                let value = pointer.load(Ordering::Relaxed).wrapping_sub(addend);
                let symbol = symbols.get((info >> 32) as usize);
                let Some(name) = symbol.and_then(|symbol| names.get(symbol[0] as u32)) else { continue };
                let Some(new) = find(Binding { name, value }).filter(|new| *new != value) else { continue };
                relro.open_for(slot)?;
                pointer.store(new.wrapping_add(addend), Ordering::Release);
            }
            Ok(())
        })
    }

    fn plt_relocations(&self) -> &[[u64; 3]] {
        let (Some(table), Some(size)) = (self.dynamic_address(DT_JMPREL), self.dynamic_value(DT_PLTRELSZ))
        else {
            return &[];
        };
        self.table(table..table.saturating_add(size / RELA_SIZE * RELA_SIZE))
    }
}
