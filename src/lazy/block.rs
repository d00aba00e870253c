//! Memory for entries: their code, the pointers that they go through, and trampolines.
//!
//! # Safety
//! The pointers lie in memory that the block owns, and are accessed atomically from here and by the entries' code, which
//! loads each at once.
#![allow(unsafe_code)]

use super::RedirectStrategy;
use crate::alloc::{
    FinalizeRequest, FinalizedAllocation, LayoutRequest, MemoryManager, Placement, SegmentRequest,
};
use crate::arch::{self, PATCHABLE_ENTRY_SIZE, PltEntry, Trampoline};
use crate::base::{Error, ExecutorAddr, Result};
use crate::graph::{Architecture, Lifetime, Permissions};
use crate::runtime::reentry::{self, Registration};
use crate::session::{Image, ImageCaller, ImageId};
use std::collections::HashMap;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Bytes of a pointer.
const SLOT: u64 = 8;

/// How many entries one block has.
pub(super) const BLOCK: usize = 10_000;

/// Where the parts of a block are.
#[derive(Clone, Copy, Debug)]
struct Parts {
    entries: u64,
    entry_size: u64,
    /// The pointers of the entries; of patchable entries there are none.
    slots: u64,
    trampolines: u64,
    trampoline_size: u64,
}

/// Entries that were made together.
pub(super) struct Block {
    parts: Parts,
    count: u32,
    strategy: RedirectStrategy,
    /// Where an entry leads whose target has gone: its trampoline, or what was given.
    fallback: Option<ExecutorAddr>,
    /// The image that each entry leads into, where it is known, of those that no longer lead where they did at first.
    images: Mutex<HashMap<u32, Option<ImageId>>>,
    allocation: Box<dyn FinalizedAllocation>,
    _registration: Option<Registration>,
}

impl std::fmt::Debug for Block {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Block")
            .field("parts", &self.parts)
            .field("count", &self.count)
            .finish_non_exhaustive()
    }
}

/// Where the entries of a block lead at first.
pub(super) enum First<'a> {
    /// To these addresses, and to the other one when these have gone.
    Targets(&'a [ExecutorAddr], ExecutorAddr),
    /// To trampolines with these numbers.
    Trampolines(Registration),
}

impl Block {
    /// Makes `count` entries.
    pub(super) fn new(
        manager: &dyn MemoryManager,
        count: usize,
        first: First<'_>,
        strategy: RedirectStrategy,
    ) -> Result<Self> {
        let architecture = Architecture::host();
        let trampoline_size = arch::trampoline_size(architecture) as u64;
        let entry_size = match strategy {
            RedirectStrategy::Stub => arch::plt_entry_size(architecture),
            RedirectStrategy::Patch => PATCHABLE_ENTRY_SIZE,
        } as u64;
        let count64 = count as u64;
        let trampolines = if matches!(first, First::Trampolines(_)) { count64 * trampoline_size } else { 0 };
        let entries = (count64 * entry_size).next_multiple_of(trampoline_size);
        let slots = if strategy == RedirectStrategy::Stub { count64 * SLOT } else { 0 };
        let segments = [
            segment("entries", Permissions::READ | Permissions::EXECUTE, entries + trampolines),
            segment("entry pointers", Permissions::READ | Permissions::WRITE, slots),
            segment("reentry pointer", Permissions::READ, SLOT),
        ];
        let mut allocation = manager.allocate(&LayoutRequest { name: "entries", segments: &segments })?;
        let [code, data, pointer] = [0, 1, 2].map(|index| allocation.segments()[index].address.0);
        let parts =
            Parts { entries: code, entry_size, slots: data, trampolines: code + entries, trampoline_size };
        let mut memory = allocation.working_memory();
        let [code_bytes, slot_bytes, pointer_bytes] = &mut memory[..] else {
            return Err(Error::invalid("the memory manager gave other segments than were asked for", None));
        };
        pointer_bytes.copy_from_slice(&reentry::entry_point().0.to_le_bytes());
        let targets = first.targets(parts);
        for (index, target) in targets.iter().enumerate() {
            let at = index * entry_size as usize..(index + 1) * entry_size as usize;
            parts.write_entry(strategy, index as u64, &mut code_bytes[at], *target)?;
            if strategy == RedirectStrategy::Stub {
                slot_bytes[index * 8..][..8].copy_from_slice(&target.0.to_le_bytes());
            }
        }
        let (fallback, registration) = match first {
            First::Targets(_, fallback) => (Some(fallback), None),
            First::Trampolines(registration) => {
                let bytes = &mut code_bytes[entries as usize..];
                parts.write_trampolines(bytes, count as u32, pointer, &registration)?;
                (None, Some(registration))
            }
        };
        let allocation = allocation.finalize(FinalizeRequest::default())?;
        if strategy == RedirectStrategy::Patch && count > 0 {
            // What cannot be patched must not be handed out.
            let jump = parts.jump(0, targets[0])?;
            allocation.patch_code(ExecutorAddr(parts.entries + 8), jump)?;
        }
        let images = Mutex::default();
        Ok(Self {
            parts,
            count: count as u32,
            strategy,
            fallback,
            images,
            allocation,
            _registration: registration,
        })
    }

    pub(super) fn count(&self) -> u32 {
        self.count
    }

    /// The address of an entry.
    pub(super) fn entry(&self, number: u32) -> ExecutorAddr {
        ExecutorAddr(self.parts.entries + u64::from(number) * self.parts.entry_size)
    }

    /// Leads an entry to an address: who enters it from now on goes there. `image` is what the address lies in.
    pub(super) fn redirect(
        self: &Arc<Self>,
        number: u32,
        target: ExecutorAddr,
        image: Option<&Arc<Image>>,
    ) -> Result<()> {
        if number >= self.count {
            return Err(Error::invalid(format!("there is no entry {number}"), None));
        }
        let mut images = self.images.lock().unwrap_or_else(PoisonError::into_inner);
        self.redirect_locked(&mut images, number, target, image)
    }

    /// As [`redirect`](Self::redirect), unless that has been done since: what a first call finds is not news then.
    pub(super) fn redirect_first(
        self: &Arc<Self>,
        number: u32,
        target: ExecutorAddr,
        image: Option<&Arc<Image>>,
    ) -> Result<()> {
        let mut images = self.images.lock().unwrap_or_else(PoisonError::into_inner);
        if images.contains_key(&number) {
            return Ok(());
        }
        self.redirect_locked(&mut images, number, target, image)
    }

    fn redirect_locked(
        self: &Arc<Self>,
        images: &mut HashMap<u32, Option<ImageId>>,
        number: u32,
        target: ExecutorAddr,
        image: Option<&Arc<Image>>,
    ) -> Result<()> {
        self.store(number, target)?;
        if let Some(image) = image {
            let caller: Arc<dyn ImageCaller> = Arc::clone(self) as Arc<dyn ImageCaller>;
            image.add_caller(&caller, number);
        }
        images.insert(number, image.map(|image| image.id()));
        Ok(())
    }

    fn store(&self, number: u32, target: ExecutorAddr) -> Result<()> {
        match self.strategy {
            RedirectStrategy::Stub => {
                let slot = (self.parts.slots + u64::from(number) * SLOT) as *mut u64;
                // SAFETY: an aligned pointer of this block's, which is only accessed at once.
                unsafe { AtomicU64::from_ptr(slot) }.store(target.0, Ordering::Release);
                Ok(())
            }
            RedirectStrategy::Patch => {
                let jump = self.parts.jump(u64::from(number), target)?;
                self.allocation.patch_code(ExecutorAddr(self.entry(number).0 + 8), jump)
            }
        }
    }

    /// Where an entry leads that has no target.
    fn fallback(&self, number: u32) -> ExecutorAddr {
        self.fallback.unwrap_or_else(|| self.parts.trampoline(number))
    }
}

impl ImageCaller for Block {
    /// An entry never leads into freed memory: it is as it was at first, or ends the process with a message.
    fn image_goes(&self, number: u32, image: ImageId) {
        let mut images = self.images.lock().unwrap_or_else(PoisonError::into_inner);
        if images.get(&number) == Some(&Some(image)) {
            images.remove(&number);
            let _ = self.store(number, self.fallback(number));
        }
    }
}

impl First<'_> {
    fn targets(&self, parts: Parts) -> Vec<ExecutorAddr> {
        match self {
            Self::Targets(targets, _) => targets.to_vec(),
            Self::Trampolines(registration) => {
                (0..registration.count()).map(|number| parts.trampoline(number)).collect()
            }
        }
    }
}

impl Parts {
    fn trampoline(&self, number: u32) -> ExecutorAddr {
        ExecutorAddr(self.trampolines + u64::from(number) * self.trampoline_size)
    }

    fn write_entry(
        &self,
        strategy: RedirectStrategy,
        number: u64,
        bytes: &mut [u8],
        target: ExecutorAddr,
    ) -> Result<()> {
        let architecture = Architecture::host();
        let address = self.entries + number * self.entry_size;
        match strategy {
            RedirectStrategy::Stub => {
                let slot = self.slots + number * SLOT;
                arch::write_plt_entry(architecture, bytes, PltEntry { address, slot, landing_pad: true })
            }
            RedirectStrategy::Patch => {
                bytes.copy_from_slice(&self.patchable(number, target)?);
                Ok(())
            }
        }
    }

    fn patchable(&self, number: u64, target: ExecutorAddr) -> Result<[u8; PATCHABLE_ENTRY_SIZE]> {
        let address = self.entries + number * self.entry_size;
        arch::patchable_jump(Architecture::host(), address, target.0).ok_or_else(|| {
            let what = format!("the patchable entry at {address:#x} does not reach {target:#x}");
            Error::invalid(what, Some("use stubs with a pointer for targets that are far away"))
        })
    }

    /// The half of a patchable entry that changes.
    fn jump(&self, number: u64, target: ExecutorAddr) -> Result<[u8; 8]> {
        let entry = self.patchable(number, target)?;
        Ok(entry.last_chunk().copied().unwrap_or_default())
    }

    fn write_trampolines(
        &self,
        bytes: &mut [u8],
        count: u32,
        slot: u64,
        registration: &Registration,
    ) -> Result<()> {
        let architecture = Architecture::host();
        for (number, bytes) in (0..count).zip(bytes.chunks_exact_mut(self.trampoline_size as usize)) {
            let address = self.trampoline(number).0;
            let trampoline = Trampoline { address, slot, index: registration.index(number) };
            arch::write_trampoline(architecture, bytes, trampoline).ok_or_else(|| {
                let what = format!("the trampoline at {address:#x} does not reach its pointer at {slot:#x}");
                Error::invalid(what, None)
            })?;
        }
        Ok(())
    }
}

fn segment(name: &str, permissions: Permissions, size: u64) -> SegmentRequest<'_> {
    SegmentRequest {
        name,
        permissions,
        lifetime: Lifetime::Standard,
        relro: false,
        placement: Placement::Near,
        alignment: 64,
        content_size: size,
        zero_fill_size: 0,
    }
}

/// The numbers of the blocks that so many entries are made in.
pub(super) fn blocks(count: usize) -> impl Iterator<Item = Range<usize>> {
    (0..count).step_by(BLOCK).map(move |start| start..count.min(start + BLOCK))
}
