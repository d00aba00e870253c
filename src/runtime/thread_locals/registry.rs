//! The modules and threads of this process.
//!
//! # Safety
//!
//! Everything behind the pointers to threads is touched under the registry's lock alone, but for a thread's own table,
//! which it reads without: entries are atomics, and a table is replaced by its own thread only.
#![allow(unsafe_code)]

use super::{Module, Template};
use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::cell::UnsafeCell;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The modules and threads of this process.
#[derive(Debug)]
pub(super) struct Registry {
    modules: Vec<Entry>,
    free: Vec<u32>,
    threads: Vec<ThreadRef>,
}

/// What belongs to one module number.
#[derive(Clone, Copy, Debug)]
struct Entry {
    generation: u32,
    state: State,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Free,
    Reserved,
    Registered { template: Template, layout: Layout },
}

/// One thread's blocks.
#[derive(Debug)]
pub(super) struct Thread {
    /// By module number: the block's address less the thread pointer; zero if there is no block.
    pub(super) table: Box<[AtomicUsize]>,
    /// What offsets in the table count from.
    thread_pointer: usize,
    /// Its place in [`Registry::threads`].
    position: usize,
    /// How often the C library has asked for the blocks to be freed.
    pub(super) rounds: u32,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct ThreadRef(*mut Thread);

// SAFETY: what it points to is touched under the registry's lock: see the module's documentation.
unsafe impl Send for ThreadRef {}

static REGISTRY: Mutex<Registry> =
    Mutex::new(Registry { modules: Vec::new(), free: Vec::new(), threads: Vec::new() });

pub(super) fn lock() -> MutexGuard<'static, Registry> {
    REGISTRY.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The lock, while a process forks: a child must find it open.
struct Held(UnsafeCell<Option<MutexGuard<'static, Registry>>>);

// SAFETY: touched by the thread that holds the lock only.
unsafe impl Sync for Held {}

static HELD: Held = Held(UnsafeCell::new(None));

/// Runs before a fork.
pub(super) extern "C" fn hold() {
    let guard = lock();
    // SAFETY: this thread holds the lock.
    unsafe { *HELD.0.get() = Some(guard) };
}

/// Runs after a fork, in parent and child.
pub(super) extern "C" fn let_go() {
    // SAFETY: this thread, or the one that it was in the parent, has held the lock since `hold`.
    drop(unsafe { (*HELD.0.get()).take() });
}

/// Larger templates have variables that no descriptor can express.
const MAX_SIZE: u64 = 1 << 31;

impl Registry {
    pub(super) fn reserve(&mut self) -> Option<Module> {
        if let Some(number) = self.free.pop() {
            let entry = &mut self.modules[number as usize];
            entry.state = State::Reserved;
            return Some(Module { number, generation: entry.generation });
        }
        let number = u32::try_from(self.modules.len()).ok().filter(|number| *number < u32::MAX)?;
        self.modules.push(Entry { generation: 0, state: State::Reserved });
        Some(Module { number, generation: 0 })
    }

    fn entry(&mut self, module: Module) -> Option<&mut Entry> {
        let entry = self.modules.get_mut(module.number as usize)?;
        (entry.generation == module.generation).then_some(entry)
    }

    /// Whether the module was reserved and the template is a valid one.
    pub(super) fn set_template(&mut self, module: Module, template: Template) -> bool {
        let Some(layout) = layout(&template) else { return false };
        match self.entry(module) {
            Some(entry) if matches!(entry.state, State::Reserved) => {
                entry.state = State::Registered { template, layout };
                true
            }
            _ => false,
        }
    }

    pub(super) fn unregister(&mut self, module: Module) {
        let Some(entry) = self.entry(module) else { return };
        let state = std::mem::replace(&mut entry.state, State::Free);
        entry.generation = entry.generation.wrapping_add(1);
        let layout = match state {
            State::Free => return,
            State::Reserved => None,
            State::Registered { layout, .. } => Some(layout),
        };
        self.free.push(module.number);
        if let Some(layout) = layout {
            self.free_blocks_of(module.number, layout);
        }
    }

    /// Frees the blocks that threads have of a module; whoever asks for one gets a new one.
    pub(super) fn free_blocks(&self, number: u32) {
        if let Some(&Entry { state: State::Registered { layout, .. }, .. }) =
            self.modules.get(number as usize)
        {
            self.free_blocks_of(number, layout);
        }
    }

    fn free_blocks_of(&self, number: u32, layout: Layout) {
        for ThreadRef(thread) in &self.threads {
            // SAFETY: threads in the list exist, and the lock is held.
            let thread = unsafe { &**thread };
            if let Some(entry) = thread.table.get(number as usize) {
                free_block(thread, entry, layout);
            }
        }
    }

    /// The calling thread's state, entered in the list.
    pub(super) fn add_thread(&mut self, thread_pointer: usize) -> *mut Thread {
        let position = self.threads.len();
        let thread = Thread { table: Box::default(), thread_pointer, position, rounds: 0 };
        let thread = Box::into_raw(Box::new(thread));
        self.threads.push(ThreadRef(thread));
        thread
    }

    /// Frees a thread's blocks and its state.
    ///
    /// # Safety
    /// It was made by [`Self::add_thread`] and not removed; its thread does not use it any more.
    pub(super) unsafe fn remove_thread(&mut self, thread: *mut Thread) {
        // SAFETY: the caller's promise.
        let thread = unsafe { Box::from_raw(thread) };
        self.threads.swap_remove(thread.position);
        if let Some(ThreadRef(moved)) = self.threads.get(thread.position) {
            // SAFETY: threads in the list exist, and the lock is held.
            unsafe { (**moved).position = thread.position };
        }
        for (entry, module) in thread.table.iter().zip(&self.modules) {
            if let State::Registered { layout, .. } = module.state {
                free_block(&thread, entry, layout);
            }
        }
    }

    /// Makes the calling thread's block of a module, unless it has one; `false` if there is no such module.
    pub(super) fn add_block(&mut self, thread: &mut Thread, number: u32) -> bool {
        let index = number as usize;
        let Some(&Entry { state: State::Registered { template, layout }, .. }) = self.modules.get(index)
        else {
            return false;
        };
        if thread.table.len() <= index {
            let length = (index + 1).max(thread.table.len() * 2).max(16);
            let old = thread.table.iter().map(|entry| AtomicUsize::new(entry.load(Ordering::Relaxed)));
            thread.table = old.chain(std::iter::repeat_with(AtomicUsize::default)).take(length).collect();
        }
        let entry = &thread.table[index];
        if entry.load(Ordering::Relaxed) == 0 {
            let block = new_block(&template, layout);
            entry.store(block.expose_provenance().wrapping_sub(thread.thread_pointer), Ordering::Release);
        }
        true
    }
}

/// How a block is allocated; none for a template that is not valid.
fn layout(template: &Template) -> Option<Layout> {
    let size = template.content_size.checked_add(template.zero_fill_size)?;
    let [size, alignment] = [size.max(1), template.alignment].map(usize::try_from);
    Layout::from_size_align(size.ok()?, alignment.ok()?)
        .ok()
        .filter(|layout| layout.size() as u64 <= MAX_SIZE)
}

fn new_block(template: &Template, layout: Layout) -> *mut u8 {
    // SAFETY: the layout's size is not zero.
    let block = unsafe { alloc_zeroed(layout) };
    if block.is_null() {
        handle_alloc_error(layout);
    }
    let content = std::ptr::with_exposed_provenance::<u8>(template.address.0 as usize);
    if template.content_size > 0 {
        // SAFETY: whoever registered the template keeps its bytes, and the block is at least as large.
        unsafe { std::ptr::copy_nonoverlapping(content, block, template.content_size as usize) };
    }
    block
}

fn free_block(thread: &Thread, entry: &AtomicUsize, layout: Layout) {
    let offset = entry.swap(0, Ordering::AcqRel);
    if offset != 0 {
        let block = std::ptr::with_exposed_provenance_mut(thread.thread_pointer.wrapping_add(offset));
        // SAFETY: made by `new_block` for a template of this layout; nobody uses it any more.
        unsafe { dealloc(block, layout) };
    }
}
