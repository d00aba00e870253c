//! Thread-local variables of images. For the dynamic models each thread has a block for each image, made when the thread
//! first uses it; for initial and local exec there is the [`pool`].
//!
//! An image with thread-locals is a **module**, and has a number and a template: initial bytes and zeros after them.
//! A thread has a table of its blocks, indexed by module number, in its own static TLS; so finding a block takes neither
//! a lock nor a search. The code that does so is the architecture's: `__tls_get_addr`, and a resolver function for
//! TLS descriptors, which keeps all registers.
//!
//! # Ends
//!
//! A block lives until its module is unregistered or its thread exits. At exit the C library calls the destructors of
//! C++ variables (`__cxa_thread_atexit_impl`) before it destroys thread-specific data; blocks are freed with the latter,
//! in its last round, so that destructors of other thread-specific data find the variables, too. What runs even later
//! finds them fresh. The main thread's blocks stay for exit handlers, to the end of the process.
//!
//! # Signals and forks
//!
//! A handler may be the first to use a variable: signals are blocked while a block is made, and so only a handler that
//! interrupts the C library's allocator can fail, as it can with the dynamic loader's own. A child that is forked
//! has the blocks of the thread that forked it.
//!
//! # Safety
//!
//! A template's bytes are read until the module is unregistered; whoever registers it keeps them. Nobody uses a
//! variable of a module while or after it is unregistered.
#![allow(unsafe_code)]

pub mod pool;
mod registry;
mod thread;

use super::action::{action, arguments, status};
use super::arch;
use crate::base::{ActionPair, ActionStatus, Error, ExecutorAddr, Result};

/// Initial contents of an image's thread-local variables.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Template {
    /// Where the initial bytes are.
    pub address: ExecutorAddr,
    /// How many there are.
    pub content_size: u64,
    /// Zeros that follow them.
    pub zero_fill_size: u64,
    /// Alignment of the variables as a whole, a power of two.
    pub alignment: u64,
}

/// A module's number, and which of its modules in turn that had it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Module {
    number: u32,
    generation: u32,
}

impl Module {
    /// The number by which linked code knows the module, until it is unregistered.
    #[must_use]
    pub fn number(self) -> u32 {
        self.number
    }
}

/// The first word of what `__tls_get_addr` takes for the module of this number. The dynamic loader's modules have small
/// words.
#[must_use]
pub fn module_word(number: u32) -> u64 {
    !u64::from(number)
}

/// The same for absent weak symbols: their address comes out as null.
#[must_use]
pub fn absent_module_word() -> u64 {
    module_word(u32::MAX)
}

/// A module number that is nobody else's, for a template that is still being made. Given back when dropped, unless
/// [kept](Self::keep).
#[derive(Debug)]
pub struct Reservation(Option<Module>);

impl Reservation {
    /// Takes a number.
    ///
    /// # Errors
    /// The C library has no thread-specific data to spare, or all numbers are taken.
    pub fn new() -> Result<Self> {
        thread::prepare()?;
        match registry::lock().reserve() {
            Some(module) => Ok(Self(Some(module))),
            None => Err(Error::invalid("too many images have thread-local variables", None)),
        }
    }

    /// The module.
    #[must_use]
    pub fn module(&self) -> Module {
        self.0.unwrap_or(Module { number: u32::MAX, generation: 0 })
    }

    /// Leaves the number to whoever [unregisters](unregister) the module.
    pub fn keep(mut self) -> Module {
        let module = self.module();
        self.0 = None;
        module
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if let Some(module) = self.0 {
            unregister(module);
        }
    }
}

/// Gives a reserved module its template, and unregisters it at deallocation.
///
/// The actions return [`status::BAD_TEMPLATE`] for a template whose alignment is no power of two, that takes more than
/// 2 GiB or whose module is not reserved.
#[must_use]
pub fn template_actions(module: Module, template: Template) -> ActionPair {
    let [number, generation] = [module.number, module.generation].map(u64::from);
    let Template { address, content_size, zero_fill_size, alignment } = template;
    let words = [number, generation, address.0, content_size, zero_fill_size, alignment];
    ActionPair {
        finalize: Some(action(set_template, words)),
        deallocate: Some(action(withdraw, [number, generation])),
    }
}

/// Registers a template: each thread gets a copy of its own when it first asks for it.
///
/// # Errors
/// As for [`Reservation::new`], or the template is not a valid one: see [`template_actions`].
///
/// # Safety
/// The template's bytes stay readable until the module is unregistered.
pub unsafe fn register(template: Template) -> Result<Module> {
    let reservation = Reservation::new()?;
    if registry::lock().set_template(reservation.module(), template) {
        Ok(reservation.keep())
    } else {
        Err(Error::invalid(
            format!("thread-local variables cannot be laid out like this: {template:?}"),
            Some("at most 2 GiB, aligned to a power of two"),
        ))
    }
}

/// Unregisters a module: the blocks of all threads are freed, and its number may be used again. Does nothing for a module
/// that was unregistered already.
pub fn unregister(module: Module) {
    registry::lock().unregister(module);
}

/// Gives an image's variables their initial contents again, by the words that `__tls_get_addr` takes for the first of them: blocks
/// are made anew in every thread. Of a range of the pool, the calling thread gets them at once, other threads when they
/// [enter](pool::enter_thread). What a thread has in a register stays what it is: nobody may use the variables meanwhile.
///
/// # Errors
/// The initial contents of new threads cannot be written.
pub fn reset(module: u64, offset: u64) -> Result<()> {
    match u32::try_from(!module) {
        Ok(number) => registry::lock().free_blocks(number),
        Err(_) => pool::reset(offset)?,
    }
    Ok(())
}

/// The calling thread's block of a module, made if need be; null if there is no such module.
#[must_use]
pub fn address_of(number: u32) -> *mut u8 {
    thread::address(number, 0)
}

/// `__tls_get_addr`, for modules here (by [`module_word`]) and the dynamic loader's alike.
#[must_use]
pub fn get_addr_function() -> ExecutorAddr {
    ExecutorAddr(arch::tls_get_addr as *const () as u64)
}

/// The calling thread's variable at this offset in a module, as `__tls_get_addr` takes both.
///
/// # Safety
/// The module exists: by [`module_word`], or by the dynamic loader's number.
#[must_use]
pub unsafe fn variable(module: u64, offset: u64) -> ExecutorAddr {
    pool::enter_thread();
    // SAFETY: the caller's promise.
    let address = unsafe { arch::tls_get_addr(&[module, offset]) };
    ExecutorAddr(address.expose_provenance() as u64)
}

/// The resolver function of TLS descriptors, whose second word is made by [`descriptor_argument`].
#[must_use]
pub fn descriptor_function() -> ExecutorAddr {
    ExecutorAddr(arch::tls_descriptor as *const () as u64)
}

/// The offset from the thread pointer, the same in every thread, of a thread's table of blocks: its address, and the number
/// of its entries. An entry is the block's offset from the thread pointer, by module number; zero where there is no block.
#[must_use]
pub fn table_offset() -> i64 {
    arch::thread_locals_slot().addr().wrapping_sub(arch::thread_pointer()) as i64
}

/// The resolver function of TLS descriptors of absent weak symbols, whose second word is the addend: the variable's address
/// comes out as that.
#[must_use]
pub fn absent_descriptor_function() -> ExecutorAddr {
    ExecutorAddr(arch::absent_tls_descriptor as *const () as u64)
}

/// The resolver function of TLS descriptors whose second word is the offset from the thread pointer.
#[must_use]
pub fn static_descriptor_function() -> ExecutorAddr {
    ExecutorAddr(arch::static_tls_descriptor as *const () as u64)
}

/// The second word of a TLS descriptor: module number and offset in its template.
#[must_use]
pub fn descriptor_argument(number: u32, offset: u32) -> u64 {
    u64::from(number) << 32 | u64::from(offset)
}

unsafe extern "C" fn set_template(bytes: *const u8, size: usize) -> ActionStatus {
    // SAFETY: called with the bytes of an action of `template_actions`.
    let Some([number, generation, address, content_size, zero_fill_size, alignment]) =
        (unsafe { arguments(bytes, size) })
    else {
        return status::BAD_ARGUMENTS;
    };
    let template = Template { address: ExecutorAddr(address), content_size, zero_fill_size, alignment };
    let done = registry::lock().set_template(module(number, generation), template);
    if done { status::OK } else { status::BAD_TEMPLATE }
}

unsafe extern "C" fn withdraw(bytes: *const u8, size: usize) -> ActionStatus {
    // SAFETY: called with the bytes of an action of `template_actions`.
    match unsafe { arguments(bytes, size) } {
        Some([number, generation]) => unregister(module(number, generation)),
        None => return status::BAD_ARGUMENTS,
    }
    status::OK
}

fn module(number: u64, generation: u64) -> Module {
    Module { number: number as u32, generation: generation as u32 }
}

pub(super) use pool::{POOL_ALIGNMENT, POOL_SIZE};
pub(super) use thread::{Slot, address, offset};

#[cfg(test)]
mod tests;
