//! Thread-local variables of the batch: their GOT entries, and where they are.
//!
//! All of the batch's own variables make one template. Where some code relies on their offset from the thread pointer being
//! the same in every thread (initial or local exec), the whole template gets a place where it is, and accesses by other
//! models are rewritten as far as they can be; otherwise each thread gets a block when it first asks for it.

use super::actions::{ImageActions, ThreadLocalPlace, ThreadLocalRequest, ThreadLocalTemplate};
use super::addresses::Addresses;
use super::entries::EntryOwner;
use super::externals::External;
use super::globals::{GlobalId, Globals, SymbolRef};
use super::image::{Image, SLOT};
use super::layout::Layout;
use super::mark::need;
use super::resolver::ThreadLocalSymbol;
use crate::arch::{self, ThreadLocal, ThreadModule, ThreadTable};
use crate::base::{AddrRange, Error, ExecutorAddr, Result};
use crate::graph::{Architecture, BlockId, Spelling};
use crate::passes::bounds::{LinkerSymbol, parse_linker_symbol};
use std::sync::OnceLock;

/// Where the thread-local variables of a linked image are, in terms of all models of access.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ThreadHome {
    /// The address of the template, which symbols' addresses count from.
    template: u64,
    size: u64,
    start: ThreadLocalSymbol,
}

impl ThreadHome {
    /// Where the first of the variables is.
    pub(crate) fn start(&self) -> ThreadLocalSymbol {
        self.start
    }

    /// Whether the symbol of this address is one of the variables. Those that start out zero have no memory there.
    pub(crate) fn contains(&self, address: ExecutorAddr) -> bool {
        address.0.wrapping_sub(self.template) < self.size
    }

    /// The variable whose symbol has this address.
    pub(crate) fn variable(&self, address: ExecutorAddr) -> ThreadLocalSymbol {
        moved(&self.start, address.0.wrapping_sub(self.template))
    }
}

/// What is `offset` bytes after a variable.
fn moved(start: &ThreadLocalSymbol, offset: u64) -> ThreadLocalSymbol {
    let [function, argument] = start.descriptor;
    ThreadLocalSymbol {
        module: start.module,
        offset: start.offset.wrapping_add(offset),
        thread_offset: start.thread_offset.map(|start| start.wrapping_add_unsigned(offset)),
        descriptor: [function, argument.wrapping_add(offset)],
    }
}

/// How many bytes of variables that no code uses yet may take room where offsets are the same in every thread, which is
/// scarce.
const SMALL: u64 = 1 << 10;

/// The GOT entries of one variable, as positions among the words of all.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct ThreadEntry {
    pair: Option<u32>,
    descriptor: Option<u32>,
    offset: Option<u32>,
}

/// GOT entries for thread-local variables, and the place of the batch's own.
#[derive(Debug)]
pub(crate) struct ThreadLocals {
    /// Whether code relies on the offset of the batch's own variables from the thread pointer.
    in_all_threads: bool,
    /// Whether code reaches the batch's own variables by the dynamic models.
    by_dynamic_models: bool,
    /// Sorted by owner.
    entries: Vec<(EntryOwner, ThreadEntry)>,
    module_pair: Option<u32>,
    words: u32,
    /// `_TLS_MODULE_BASE_`, if it is asked for.
    base: Option<GlobalId>,
    placed: OnceLock<Placed>,
}

/// What is known once the variables have a place.
#[derive(Clone, Copy, Debug)]
struct Placed {
    /// The address of the template, which symbols' addresses count from.
    template: u64,
    start: ThreadLocalSymbol,
    absent: ThreadLocalSymbol,
    /// What the offset of `_TLS_MODULE_BASE_` from the thread pointer is, where that is the same in every thread.
    base_offset: Option<i64>,
}

impl ThreadLocals {
    /// Makes room for the entries that the marks ask for: `global_needs` by name, `local_needs` repeated and in any order.
    pub(super) fn new(
        global_needs: &[u8],
        local_needs: &[(SymbolRef, u8)],
        thread_module: bool,
        globals: &Globals<'_>,
        image: &Image<'_>,
    ) -> Self {
        let of_globals = (0u32..).zip(global_needs).map(|(id, needs)| (EntryOwner::Global(id), *needs));
        let of_locals = local_needs.iter().map(|(at, needs)| (EntryOwner::Local(*at), *needs));
        let mut needs: Vec<_> =
            of_globals.chain(of_locals).filter(|(_, needs)| needs & need::THREAD != 0).collect();
        needs.sort_unstable();
        let is_base = |id: &GlobalId| {
            parse_linker_symbol(image.graph.spelling, globals.name(*id))
                == Some(LinkerSymbol::ThreadLocalBase)
        };
        let mut thread_locals = Self {
            in_all_threads: false,
            by_dynamic_models: thread_module || image.graph.spelling != Spelling::Plain,
            entries: Vec::new(),
            module_pair: None,
            words: 0,
            base: image.linker_symbols.iter().map(|(id, _)| *id).find(is_base),
            placed: OnceLock::new(),
        };
        thread_locals.module_pair = thread_module.then(|| thread_locals.take(2));
        for same in needs.chunk_by(|a, b| a.0 == b.0) {
            let all = same.iter().fold(0, |all, (_, needs)| all | needs);
            thread_locals.add(same[0].0, all, globals);
        }
        thread_locals
    }

    fn add(&mut self, owner: EntryOwner, needs: u8, globals: &Globals<'_>) {
        let is_own = match owner {
            EntryOwner::Global(id) => globals.definition(id).is_some() && self.base != Some(id),
            EntryOwner::Local(_) => true,
        };
        self.in_all_threads |= is_own && needs & need::THREAD_STATIC != 0;
        self.by_dynamic_models |= is_own && needs & (need::THREAD_PAIR | need::THREAD_DESCRIPTOR) != 0;
        let mut entry = |bit, words| (needs & bit != 0).then(|| self.take(words));
        let entry = ThreadEntry {
            pair: entry(need::THREAD_PAIR, 2),
            descriptor: entry(need::THREAD_DESCRIPTOR, 2),
            offset: entry(need::THREAD_OFFSET, 1),
        };
        self.entries.push((owner, entry));
    }

    /// The position of so many words. Pairs start at even ones.
    fn take(&mut self, words: u32) -> u32 {
        let position = self.words.next_multiple_of(words);
        self.words = position + words;
        position
    }

    /// Whether there are descriptors for blocks of threads.
    pub(super) fn has_dynamic_descriptors(&self) -> bool {
        !self.in_all_threads && self.entries.iter().any(|(_, entry)| entry.descriptor.is_some())
    }

    /// How many words the entries take.
    pub(super) fn words(&self) -> u32 {
        self.words
    }

    /// Finds a place for the variables that `layout` has. Without actions nothing will run, and they are where they would be
    /// in a program.
    pub(super) fn find_place(
        &self,
        layout: &Layout,
        architecture: Architecture,
        actions: Option<&dyn ImageActions>,
    ) -> Result<Option<Box<dyn ThreadLocalPlace>>> {
        if layout.thread.is_none() && self.words == 0 {
            return Ok(None);
        }
        let ThreadLocalTemplate { size, alignment, .. } = template(layout);
        let request = ThreadLocalRequest { size, alignment, in_all_threads: self.in_all_threads };
        let is_needed = layout.thread.is_some() || self.module_pair.is_some();
        let place = match actions {
            Some(actions) if is_needed => Some(self.ask_for_place(actions, request)?),
            _ => None,
        };
        let in_program = || ThreadLocalSymbol {
            module: 1,
            thread_offset: self
                .in_all_threads
                .then(|| arch::executable_thread_offset(architecture, size, alignment)),
            ..ThreadLocalSymbol::default()
        };
        let start = place.as_ref().map_or_else(in_program, |place| place.start());
        let base_is_thread_pointer = arch::module_base_is_thread_pointer(architecture);
        let placed = Placed {
            template: layout.thread.map_or(0, |thread| thread.address.0),
            start,
            absent: actions.map_or_else(ThreadLocalSymbol::default, |actions| actions.absent_thread_local()),
            base_offset: start.thread_offset.map(|offset| if base_is_thread_pointer { 0 } else { offset }),
        };
        self.placed.get_or_init(|| placed);
        Ok(place)
    }

    /// Variables that no code of the batch uses are for code of later images: by which models, nobody knows yet. Where they
    /// have the same offset in every thread, it may be any.
    fn ask_for_place(
        &self,
        actions: &dyn ImageActions,
        request: ThreadLocalRequest,
    ) -> Result<Box<dyn ThreadLocalPlace>> {
        if !self.in_all_threads && !self.by_dynamic_models && request.size <= SMALL {
            let in_all_threads = ThreadLocalRequest { in_all_threads: true, ..request };
            if let Ok(place) = actions.place_thread_locals(in_all_threads) {
                return Ok(place);
            }
        }
        actions.place_thread_locals(request)
    }

    /// Where the batch's own variables are; none if it has none.
    pub(super) fn home(&self, layout: &Layout) -> Option<ThreadHome> {
        let (placed, thread) = (self.placed.get()?, layout.thread?);
        Some(ThreadHome { template: placed.template, size: thread.size, start: placed.start })
    }

    fn entry(&self, owner: EntryOwner) -> ThreadEntry {
        let found = self.entries.binary_search_by_key(&owner, |(owner, _)| *owner);
        found.map_or(ThreadEntry::default(), |index| self.entries[index].1)
    }
}

/// The initial contents of the batch's variables.
pub(super) fn template(layout: &Layout) -> ThreadLocalTemplate {
    match layout.thread {
        Some(thread) => ThreadLocalTemplate {
            content: AddrRange::from_size(thread.address, thread.content_size),
            size: thread.size,
            alignment: thread.alignment,
        },
        None => ThreadLocalTemplate { content: AddrRange::default(), size: 0, alignment: 1 },
    }
}

impl Placed {
    /// `_TLS_MODULE_BASE_`.
    fn base(&self) -> ThreadLocalSymbol {
        let ThreadLocalSymbol { thread_offset, descriptor: [function, argument], .. } = self.start;
        let moved = match (thread_offset, self.base_offset) {
            (Some(start), Some(base)) => base.wrapping_sub(start),
            _ => 0,
        };
        ThreadLocalSymbol {
            thread_offset: self.base_offset,
            descriptor: [function, argument.wrapping_add_signed(moved)],
            ..self.start
        }
    }
}

impl Addresses<'_, '_> {
    /// The variable that `owner` is, and its offset among the batch's own; none if it is no thread-local variable.
    fn thread_local_symbol(&self, owner: EntryOwner) -> Option<(ThreadLocalSymbol, u64)> {
        let placed = self.thread_locals.placed.get()?;
        let own = |at: SymbolRef| {
            let offset = self.place_of(at).wrapping_sub(placed.template);
            (moved(&placed.start, offset), offset)
        };
        match owner {
            EntryOwner::Local(at) => Some(own(at)),
            EntryOwner::Global(id) if self.thread_locals.base == Some(id) => Some((placed.base(), 0)),
            EntryOwner::Global(id) => match self.globals.definition(id) {
                Some(at) => Some(own(at)),
                None => match self.externals.get(&id)? {
                    External::ThreadLocal(symbol) => Some((*symbol, 0)),
                    External::Absent => Some((placed.absent, 0)),
                    External::Known(_) => None,
                },
            },
        }
    }

    /// Where a thread-local variable is.
    pub(super) fn thread_local(&self, owner: EntryOwner) -> Option<ThreadLocal> {
        let (symbol, block_offset) = self.thread_local_symbol(owner)?;
        let entry = self.thread_locals.entry(owner);
        let address = |position: Option<u32>| position.map(|position| self.thread_slot(position));
        Some(ThreadLocal {
            module: symbol.module,
            module_offset: symbol.offset,
            block_offset,
            thread_offset: symbol.thread_offset,
            pair: address(entry.pair),
            descriptor: address(entry.descriptor),
            descriptor_words: symbol.descriptor,
            offset_entry: address(entry.offset),
        })
    }

    /// Where the batch's own thread-local variables are.
    pub(super) fn thread_module(&self) -> ThreadModule {
        let thread_locals = self.thread_locals;
        ThreadModule {
            pair: thread_locals.module_pair.map(|position| self.thread_slot(position)),
            thread_offset: thread_locals.placed.get().and_then(|placed| placed.start.thread_offset),
        }
    }

    fn thread_slot(&self, position: u32) -> u64 {
        let graph = &self.graphs[self.image.index as usize];
        let block = self.image.thread_slots.and_then(|block| graph.blocks.get(block.index()));
        block.map_or(0, |block| block.address.0.wrapping_add(SLOT * u64::from(position)))
    }

    /// The address of a block of the image graph.
    pub(super) fn block_address(&self, block: BlockId) -> u64 {
        self.graphs[self.image.index as usize].blocks[block.index()].address.0
    }

    /// The code of the image's own functions that find threads' blocks.
    pub(super) fn thread_code(&self, table: Option<ThreadTable>) -> Result<Option<(BlockId, Vec<u8>)>> {
        let graph = &self.graphs[self.image.index as usize];
        let (Some(block), Some(table)) = (self.image.thread_code, table) else { return Ok(None) };
        let mut code = vec![0; graph.blocks[block.index()].size as usize];
        match arch::write_tls_resolver(graph.architecture, &mut code, table) {
            Some(()) => Ok(Some((block, code))),
            None => Err(Error::invalid(
                "the table of thread-local blocks is too far from the thread pointer",
                None,
            )),
        }
    }

    /// The contents of the GOT entries. `resolver` is the image's own function for descriptors of threads' blocks.
    pub(super) fn thread_slots(&self, resolver: Option<u64>) -> Vec<u8> {
        let thread_locals = self.thread_locals;
        let mut words = vec![0u64; thread_locals.words as usize];
        let mut put = |position: Option<u32>, values: &[u64]| {
            let start = position.map_or(words.len(), |position| position as usize);
            words.iter_mut().skip(start).zip(values).for_each(|(word, value)| *word = *value);
        };
        if let Some(placed) = thread_locals.placed.get() {
            put(thread_locals.module_pair, &[placed.start.module, placed.start.offset]);
        }
        for (owner, entry) in &thread_locals.entries {
            let Some((symbol, _)) = self.thread_local_symbol(*owner) else { continue };
            put(entry.pair, &[symbol.module, symbol.offset]);
            let [function, argument] = symbol.descriptor;
            let is_in_block =
                thread_locals.placed.get().is_some_and(|placed| placed.start.descriptor[0] == function);
            let function = resolver.filter(|_| is_in_block).unwrap_or(function);
            put(entry.descriptor, &[function, argument]);
            put(entry.offset, &[symbol.thread_offset.unwrap_or(0).cast_unsigned()]);
        }
        words.iter().flat_map(|word| word.to_le_bytes()).collect()
    }
}
