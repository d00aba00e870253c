//! Memory from callbacks of the user, section by section.
//!
//! # Safety
//! What the callbacks return is used as they promise (see [`SectionAllocator`]): nothing else makes pointers here.
#![allow(unsafe_code)]

use super::in_process::placement;
use super::layout::{self, Kind};
use super::lifecycle::{Backing, InFlight, WorkingSlice};
use super::{Granularity, InFlightAllocation, LayoutRequest, MemoryManager, Placement, SegmentRequest};
use crate::base::{Error, Result};
use crate::sys::{icache, page};
use std::fmt;
use std::ops::Range;
use std::ptr::NonNull;

/// What a section is for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum SectionKind {
    /// Executed.
    Code,
    /// Only read, once it has been written by the linker.
    ReadOnlyData,
    /// Written by the program, or by allocation actions.
    Data,
}

/// A section that needs memory.
#[derive(Clone, Copy, Debug)]
pub struct SectionRequest<'a> {
    /// What it is for.
    pub kind: SectionKind,
    /// A number that no other section of the same link has.
    pub id: u32,
    /// Its name.
    pub name: &'a str,
    /// Bytes, zero-fill included.
    pub size: usize,
    /// A power of two, in bytes.
    pub alignment: usize,
}

/// Callbacks that give memory to the sections of one link. All are needed; they come from one value.
///
/// Code reaches other sections with 32-bit displacements in most code models: what this returns for the sections of one
/// link should lie within 2 GiB. Where it does not, the fixup that does not reach is an error.
///
/// # Safety
/// Each pointer that [`allocate_section`](Self::allocate_section) returns is to `size` bytes that are writable until
/// [`apply_permissions`](Self::apply_permissions) is called and readable until [`destroy`](Self::destroy) is, that nobody
/// else accesses before the former, and that do not overlap those of other sections.
pub unsafe trait SectionAllocator: Send + Sync {
    /// Memory for a section, aligned as asked for; `None` if there is none. The contents do not matter.
    fn allocate_section(&mut self, section: &SectionRequest<'_>) -> Option<NonNull<u8>>;

    /// All sections have been written: makes code executable, read-only data read-only.
    ///
    /// # Errors
    /// What went wrong, for people. The memory is then destroyed.
    fn apply_permissions(&mut self) -> Result<(), String>;

    /// Frees all sections. Called once, and last, whether or not anything went wrong before.
    fn destroy(&mut self);
}

/// A manager made from callbacks of the user: for every link it is given a new [`SectionAllocator`].
pub struct CallbackManager {
    create: Box<Create>,
}

/// Makes what gives memory to the link of that name.
type Create = dyn Fn(&str) -> Box<dyn SectionAllocator> + Send + Sync;

impl CallbackManager {
    /// `create` makes what gives memory to one link, whose name it gets.
    pub fn new(create: impl Fn(&str) -> Box<dyn SectionAllocator> + Send + Sync + 'static) -> Self {
        Self { create: Box::new(create) }
    }
}

impl fmt::Debug for CallbackManager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallbackManager").finish_non_exhaustive()
    }
}

impl MemoryManager for CallbackManager {
    fn page_size(&self) -> u64 {
        page::size()
    }

    fn granularity(&self) -> Granularity {
        Granularity::Sections
    }

    fn allocate(&self, request: &LayoutRequest<'_>) -> Result<Box<dyn InFlightAllocation>> {
        layout::check(request)?;
        let mut backing = CallbackBacking { allocator: Some((self.create)(request.name)), code: Vec::new() };
        let (mut segments, mut working) = (Vec::new(), Vec::new());
        for (id, segment) in (0..).zip(request.segments) {
            let start = backing.allocate(id, segment, request.name)?;
            segments.push(placement(start.as_ptr() as u64, segment));
            // SAFETY: the allocator vouches for the bytes; they have just been initialized.
            working.push(unsafe { WorkingSlice::new(start, segment.content_size as usize) });
        }
        Ok(Box::new(InFlight { backing, segments, working, runs_actions: true }))
    }
}

struct CallbackBacking {
    /// `None` once destroyed.
    allocator: Option<Box<dyn SectionAllocator>>,
    code: Vec<Range<u64>>,
}

impl CallbackBacking {
    fn allocate(&mut self, id: u32, segment: &SegmentRequest<'_>, link: &str) -> Result<NonNull<u8>> {
        let kind = match Kind::of(segment) {
            Kind::Code => SectionKind::Code,
            Kind::ReadOnly => SectionKind::ReadOnlyData,
            // The callbacks know no protection that comes after the actions.
            Kind::Relro | Kind::Data => SectionKind::Data,
        };
        let size = (segment.content_size + segment.zero_fill_size) as usize;
        let (name, alignment) = (segment.name, segment.alignment as usize);
        let section = SectionRequest { kind, id, name, size, alignment };
        let refuse = |what: String| Error::memory(format!("allocate section {name} of {link}: {what}"), None);
        let allocated = self.allocator.as_mut().and_then(|allocator| allocator.allocate_section(&section));
        let start =
            allocated.ok_or_else(|| refuse(format!("the callback gave no memory for {size} bytes")))?;
        let address = start.as_ptr() as u64;
        if !address.is_multiple_of(segment.alignment) {
            return Err(refuse(format!(
                "the callback gave {address:#x}, which is not aligned to {alignment}"
            )));
        }
        let range = address..address.saturating_add(size as u64);
        if segment.placement == Placement::Low && range.end > i32::MAX as u64 {
            return Err(refuse(format!("the callback gave {address:#x}, which is not in the low 2 GiB")));
        }
        // SAFETY: the allocator vouches for `size` writable bytes.
        unsafe { std::ptr::write_bytes(start.as_ptr(), 0, size) };
        if kind == SectionKind::Code {
            self.code.push(range);
        }
        Ok(start)
    }
}

impl Backing for CallbackBacking {
    fn publish(&mut self) -> Result<()> {
        if let Some(allocator) = &mut self.allocator {
            let applied = allocator.apply_permissions();
            applied.map_err(|what| Error::memory(format!("apply permissions: {what}"), None))?;
        }
        self.code.drain(..).for_each(icache::flush);
        Ok(())
    }

    fn seal_relro(&mut self) -> Result<()> {
        Ok(())
    }

    fn release_finalize(&mut self) -> Result<()> {
        Ok(())
    }

    fn release(&mut self) -> Result<()> {
        if let Some(mut allocator) = self.allocator.take() {
            allocator.destroy();
        }
        Ok(())
    }
}

impl Drop for CallbackBacking {
    fn drop(&mut self) {
        let _ = self.release();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alloc::FinalizeRequest;
    use crate::alloc::testing::*;
    use crate::graph::Permissions;
    use crate::sys::place::{Aligned, anywhere};
    use crate::sys::reserve::Protection;
    use std::sync::{Arc, Mutex};

    type Log = Arc<Mutex<Vec<String>>>;

    /// A page for each section, which may be spoilt.
    struct Pages {
        log: Log,
        sections: Vec<(SectionKind, Aligned)>,
        shift: usize,
        refuse: bool,
    }

    // SAFETY: every section has a reservation of its own, committed and kept until `destroy`.
    unsafe impl SectionAllocator for Pages {
        fn allocate_section(&mut self, section: &SectionRequest<'_>) -> Option<NonNull<u8>> {
            let SectionRequest { kind, id, name, size, alignment } = section;
            self.log.lock().unwrap().push(format!("{kind:?} {id} {name} {size} {alignment}"));
            let place = anywhere(1 << 16, 4096).unwrap();
            place.reservation.protect(&place.range, Protection::READ_WRITE).unwrap();
            let start = place.range.start;
            write(start, 0xee);
            self.sections.push((*kind, place));
            NonNull::new((start as *mut u8).wrapping_add(self.shift))
        }

        fn apply_permissions(&mut self) -> Result<(), String> {
            self.log.lock().unwrap().push("apply".to_owned());
            for (kind, place) in &self.sections {
                let protection = match kind {
                    SectionKind::Code => Protection::READ_EXECUTE,
                    SectionKind::ReadOnlyData => Protection::READ,
                    SectionKind::Data => Protection::READ_WRITE,
                };
                place.reservation.protect(&place.range, protection).unwrap();
            }
            if self.refuse { Err("not today".to_owned()) } else { Ok(()) }
        }

        fn destroy(&mut self) {
            self.log.lock().unwrap().push("destroy".to_owned());
        }
    }

    fn manager(shift: usize, refuse: bool) -> (CallbackManager, Log) {
        let log = Log::default();
        let shared = log.clone();
        let create = move |_: &str| -> Box<dyn SectionAllocator> {
            Box::new(Pages { log: shared.clone(), sections: Vec::new(), shift, refuse })
        };
        (CallbackManager::new(create), log)
    }

    #[test]
    fn sections_are_asked_for_one_by_one() {
        let (manager, log) = manager(0, false);
        assert_eq!(manager.granularity(), Granularity::Sections);
        let text = SegmentRequest { name: ".text", ..segment(CODE, 64) };
        let data = SegmentRequest { name: ".data", zero_fill_size: 4, ..segment(DATA, 8) };
        let relro = SegmentRequest { name: ".got", relro: true, ..segment(Permissions::READ, 8) };
        let rodata = SegmentRequest { name: ".rodata", alignment: 1, ..segment(Permissions::READ, 3) };
        let mut allocation = manager.allocate(&request(&[text, data, relro, rodata])).unwrap();
        allocation.working_memory()[0][..RETURN_42.len()].copy_from_slice(RETURN_42);
        let finalized = allocation.finalize(FinalizeRequest::default()).unwrap();
        assert_eq!(call(finalized.segments()[0].address), 42);
        finalized.deallocate().unwrap();
        let expected = [
            "Code 0 .text 64 16",
            "Data 1 .data 12 16",
            "Data 2 .got 8 16",
            "ReadOnlyData 3 .rodata 3 1",
            "apply",
            "destroy",
        ];
        assert_eq!(*log.lock().unwrap(), expected);
    }

    #[test]
    fn recycled_memory_is_cleared() {
        let (manager, _) = manager(0, false);
        link_small(&manager);
    }

    #[test]
    fn misaligned_memory_is_refused_and_destroyed() {
        let (manager, log) = manager(1, false);
        let error = manager.allocate(&request(&[segment(DATA, 8)])).err().unwrap();
        assert!(error.to_string().contains("not aligned"), "{error}");
        assert_eq!(log.lock().unwrap().last().unwrap(), "destroy");
    }

    #[test]
    fn high_memory_is_refused_where_low_is_needed() {
        let (manager, _) = manager(0, false);
        let low = SegmentRequest { placement: Placement::Low, ..segment(DATA, 8) };
        let error = manager.allocate(&request(&[low])).err().unwrap();
        assert!(error.to_string().contains("low 2 GiB"), "{error}");
    }

    #[test]
    fn failing_permissions_destroy_everything() {
        let (manager, log) = manager(0, true);
        let allocation = manager.allocate(&request(&[segment(CODE, 8)])).unwrap();
        let error = allocation.finalize(FinalizeRequest::default()).err().unwrap();
        assert!(error.to_string().contains("not today"), "{error}");
        assert_eq!(log.lock().unwrap()[1..], ["apply", "destroy"]);
    }

    #[test]
    fn dropping_destroys_once() {
        let (manager, log) = manager(0, false);
        drop(manager.allocate(&request(&[segment(CODE, 8)])).unwrap());
        assert_eq!(log.lock().unwrap()[1..], ["destroy"]);
    }
}
