//! Thread-local variables whose offset from the thread pointer is the same in every thread, as initial and local exec code
//! has it.
//!
//! Only the dynamic loader hands out such offsets, and only before threads exist. So this library has a thread-local
//! variable of its own for them, the **pool**, and divides it among images. What an image's variables start with is written
//! to two places: the pool of the calling thread, and what the C library copies into new threads' variables, the pool's own
//! initial contents. A thread that exists already gets them when it [enters](enter_thread).
//!
//! The first word of the pool counts how often contents were written; so each thread knows what it has seen. It is
//! written after the contents, and is the first that is copied into a new thread.
//!
//! # Limits
//!
//! Images' variables take what the pool has at most ([`POOL_SIZE`], less one word), aligned to [`POOL_ALIGNMENT`] at most.
//! Where this library was loaded by a running process and got no static TLS, there is no pool.
//!
//! # Safety
//!
//! A range of the pool belongs to one image, and is written here before the image's code runs in a thread. The initial
//! contents are those of this library's own variable.
#![allow(unsafe_code)]

use super::super::action::{action, arguments, status};
use super::super::arch;
use super::Template;
use crate::base::{ActionPair, ActionStatus, Error, ExecutorAddr, Result};
use crate::sys::loaded::{self, ThreadImage};
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

/// Bytes of the pool. Every thread of the process has as many.
pub const POOL_SIZE: u64 = 64 << 10;

/// Alignment of the pool.
pub const POOL_ALIGNMENT: u64 = 4 << 10;

/// The count at the start of the pool.
const HEADER: u64 = 8;

/// The pool of this process.
#[derive(Clone, Copy, Debug)]
struct Pool {
    /// Its offset from the thread pointer.
    thread_offset: i64,
    image: ThreadImage,
}

/// Ranges of the pool and what they hold.
#[derive(Debug)]
struct State {
    /// Sorted, with gaps between.
    free: Vec<Range<u64>>,
    taken: Vec<Taken>,
    next_token: u64,
}

#[derive(Clone, Debug)]
struct Taken {
    token: u64,
    range: Range<u64>,
    /// The template, and the count at which it was written; none until then.
    contents: Option<(Template, u64)>,
}

static STATE: Mutex<State> = Mutex::new(State { free: Vec::new(), taken: Vec::new(), next_token: 0 });

/// How often contents were written.
static COUNT: AtomicU64 = AtomicU64::new(0);

fn lock() -> MutexGuard<'static, State> {
    STATE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn pool() -> Option<Pool> {
    static POOL: OnceLock<Option<Pool>> = OnceLock::new();
    *POOL.get_or_init(|| {
        let thread_offset = arch::thread_pool_offset();
        let image = loaded::thread_image(address_of(thread_offset))?;
        if image.size < POOL_SIZE || (!image.is_program && !is_static(thread_offset)) {
            return None;
        }
        lock().free.push(HEADER..POOL_SIZE);
        Some(Pool { thread_offset: thread_offset as i64, image })
    })
}

/// Whether another thread has the pool at this offset, too.
fn is_static(thread_offset: usize) -> bool {
    std::thread::spawn(move || arch::thread_pool_offset() == thread_offset).join().unwrap_or(false)
}

fn address_of(thread_offset: usize) -> u64 {
    arch::thread_pointer().wrapping_add(thread_offset) as u64
}

/// A range of the pool for an image's variables. Given back when dropped, unless [kept](Self::keep).
#[derive(Debug)]
pub struct PoolReservation {
    token: u64,
    start: u64,
    pool: Pool,
    owned: bool,
}

impl PoolReservation {
    /// Takes a range.
    ///
    /// # Errors
    /// The pool has no room for it, or there is no pool.
    pub fn new(size: u64, alignment: u64) -> Result<Self> {
        let Some(pool) = pool() else {
            return Err(Error::invalid(
                "initial exec and local exec access to thread-local variables needs jitlink to be loaded at the start of the process",
                Some(
                    "link the program with jitlink, or compile the objects with -fPIC and without -ftls-model",
                ),
            ));
        };
        let mut state = lock();
        let Some(range) = state.take(size, alignment) else {
            let left: u64 = state.free.iter().map(|range| range.end - range.start).sum();
            return Err(Error::invalid(
                format!(
                    "no room for {size} bytes of thread-local variables, aligned to {alignment}: {left} of {POOL_SIZE} are left for \
                     initial exec and local exec access, aligned to {POOL_ALIGNMENT} at most"
                ),
                Some(
                    "compile with -fPIC and without -ftls-model, so that each thread's variables are allocated",
                ),
            ));
        };
        let (token, start) = (state.next_token, range.start);
        state.next_token += 1;
        state.taken.push(Taken { token, range, contents: None });
        Ok(Self { token, start, pool, owned: true })
    }

    /// Offset of the range from the thread pointer.
    #[must_use]
    pub fn thread_offset(&self) -> i64 {
        self.pool.thread_offset.wrapping_add_unsigned(self.start)
    }

    /// The module whose variable the pool is, as the dynamic loader's `__tls_get_addr` takes it, and the range's offset there.
    #[must_use]
    pub fn in_module(&self) -> (u64, u64) {
        (self.pool.image.module, self.pool.image.offset + self.start)
    }

    /// Writes initial contents, and gives the range back at deallocation.
    ///
    /// The actions return [`status::BAD_TEMPLATE`] if the template is larger than the range, [`status::PROTECTED`] if the
    /// initial contents of new threads cannot be written.
    #[must_use]
    pub fn actions(&self, template: Template) -> ActionPair {
        let Template { address, content_size, zero_fill_size, alignment } = template;
        let words = [self.token, address.0, content_size, zero_fill_size, alignment];
        ActionPair { finalize: Some(action(fill, words)), deallocate: Some(action(release, [self.token])) }
    }

    /// Leaves the range to its deallocate action.
    pub fn keep(mut self) {
        self.owned = false;
    }
}

impl Drop for PoolReservation {
    fn drop(&mut self) {
        if self.owned {
            lock().give_back(self.token);
        }
    }
}

impl State {
    /// The first range that is large enough, once aligned.
    fn take(&mut self, size: u64, alignment: u64) -> Option<Range<u64>> {
        if !alignment.is_power_of_two() || alignment > POOL_ALIGNMENT {
            return None;
        }
        for (index, free) in self.free.iter().enumerate() {
            let start = free.start.next_multiple_of(alignment);
            let range = start..start.checked_add(size.max(1))?;
            if range.end <= free.end {
                let (before, after) = (free.start..range.start, range.end..free.end);
                let parts = [before, after].into_iter().filter(|part| !part.is_empty());
                self.free.splice(index..=index, parts);
                return Some(range);
            }
        }
        None
    }

    fn give_back(&mut self, token: u64) {
        let Some(index) = self.taken.iter().position(|taken| taken.token == token) else { return };
        let range = self.taken.swap_remove(index).range;
        let index = self.free.partition_point(|free| free.start < range.start);
        self.free.insert(index, range);
        self.free.dedup_by(|next, last| {
            let touch = last.end == next.start;
            if touch {
                last.end = next.end;
            }
            touch
        });
    }

    fn fill(&mut self, token: u64, template: Template) -> ActionStatus {
        let Some(pool) = pool() else { return status::BAD_TEMPLATE };
        let Some(taken) = self.taken.iter_mut().find(|taken| taken.token == token) else {
            return status::BAD_TEMPLATE;
        };
        let size = template.content_size.checked_add(template.zero_fill_size);
        if size.is_none_or(|size| size > taken.range.end - taken.range.start) {
            return status::BAD_TEMPLATE;
        }
        let count = COUNT.load(Ordering::Relaxed) + 1;
        let at = pool.image.address + taken.range.start;
        // SAFETY: a range of this library's own variable, for which nothing else writes.
        let written = unsafe {
            loaded::with_thread_image(pool.image, POOL_SIZE, || {
                copy(&template, at);
                AtomicU64::from_ptr(std::ptr::with_exposed_provenance_mut(pool.image.address as usize))
                    .store(count, Ordering::Release);
            })
        };
        if written.is_err() {
            return status::PROTECTED;
        }
        taken.contents = Some((template, count));
        COUNT.store(count, Ordering::Release);
        self.bring_up_to_date(pool);
        status::OK
    }

    /// Copies into the calling thread's pool what it has not seen.
    fn bring_up_to_date(&self, pool: Pool) {
        let own = address_of(pool.thread_offset as usize);
        // SAFETY: the count of this thread, which only it touches.
        let seen = unsafe { &mut *std::ptr::with_exposed_provenance_mut::<u64>(own as usize) };
        for taken in &self.taken {
            if let Some((template, count)) = taken.contents
                && count > *seen
            {
                // SAFETY: the range is the image's, none of whose code has run in this thread.
                unsafe { copy(&template, own + taken.range.start) };
            }
        }
        *seen = COUNT.load(Ordering::Relaxed);
    }
}

/// # Safety
/// There is room for the template at `to`, which nobody uses at the same time, and its bytes are readable.
unsafe fn copy(template: &Template, to: u64) {
    let to = std::ptr::with_exposed_provenance_mut::<u8>(to as usize);
    let from = std::ptr::with_exposed_provenance::<u8>(template.address.0 as usize);
    let (content, zeros) = (template.content_size as usize, template.zero_fill_size as usize);
    // SAFETY: the caller's promise.
    unsafe {
        if content > 0 {
            std::ptr::copy_nonoverlapping(from, to, content);
        }
        std::ptr::write_bytes(to.add(content), 0, zeros);
    }
}

/// Writes the contents of the range at `offset` of the pool's module again.
pub(super) fn reset(offset: u64) -> Result<()> {
    let Some(pool) = pool() else { return Ok(()) };
    let mut state = lock();
    let at = |taken: &&Taken| pool.image.offset + taken.range.start == offset;
    let Some(Taken { token, contents: Some((template, _)), .. }) = state.taken.iter().find(at).cloned()
    else {
        return Ok(());
    };
    match state.fill(token, template) {
        status::OK => Ok(()),
        _ => Err(Error::invalid("the initial contents of thread-local variables cannot be written", None)),
    }
}

/// Gives the calling thread the initial contents of thread-local variables of images that were linked since it was made, as
/// far as they are for initial or local exec.
///
/// A thread that was made after an image was linked has them. One that existed before calls this before it runs code of the
/// image; what this library itself calls in an image is called so. Costs a comparison if there is nothing to do.
pub fn enter_thread() {
    let count = COUNT.load(Ordering::Acquire);
    if count == 0 {
        return;
    }
    let Some(pool) = pool() else { return };
    let own = address_of(pool.thread_offset as usize);
    // SAFETY: the count of this thread, which only it touches.
    if unsafe { *std::ptr::with_exposed_provenance::<u64>(own as usize) } != count {
        lock().bring_up_to_date(pool);
    }
}

unsafe extern "C" fn fill(bytes: *const u8, size: usize) -> ActionStatus {
    // SAFETY: called with the bytes of an action of `PoolReservation::actions`.
    match unsafe { arguments(bytes, size) } {
        Some([token, address, content_size, zero_fill_size, alignment]) => {
            let address = ExecutorAddr(address);
            lock().fill(token, Template { address, content_size, zero_fill_size, alignment })
        }
        None => status::BAD_ARGUMENTS,
    }
}

unsafe extern "C" fn release(bytes: *const u8, size: usize) -> ActionStatus {
    // SAFETY: called with the bytes of an action of `PoolReservation::actions`.
    match unsafe { arguments(bytes, size) } {
        Some([token]) => lock().give_back(token),
        None => return status::BAD_ARGUMENTS,
    }
    status::OK
}

#[cfg(test)]
mod tests;
