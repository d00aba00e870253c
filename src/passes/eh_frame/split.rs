//! From bytes to records.

use super::{EhFrame, Function, Record, RecordKind};
use crate::base::{Error, Result};
use crate::graph::{BlockId, Edge, Edges, LinkGraph, SymbolKind};
use gimli::{BaseAddresses, EndianSlice, Format, LittleEndian, Reader, UnwindSection};

type Slice<'data> = EndianSlice<'data, LittleEndian>;

/// Splits an `.eh_frame` block into its records.
///
/// Terminators (zero words) may stand anywhere; what follows one is read on. The run of edges must be sorted by offset.
///
/// An FDE without an edge for its function's address describes nothing ([`Function::Gone`]), unless its CIE says that
/// addresses are absolute and the bytes there are not zero. An FDE of no code bytes is one like any other.
///
/// # Errors
/// A record that crosses the end of the section or is too short for what it must hold, a CIE that `gimli` cannot parse
/// (other than for an unknown augmentation, which is taken as it is), a CIE pointer that leads to no earlier CIE, an
/// edge that lies in no record, on a record's length or CIE pointer, or across its end.
pub fn split(graph: &LinkGraph<'_>, block: BlockId) -> Result<EhFrame> {
    let content = graph.block(block).content().bytes();
    if u32::try_from(content.len()).is_err() {
        return Err(Error::malformed(graph.place(block, 0), "call frame information of more than 4 GiB"));
    }
    let mut edges = graph.edges(block);
    let capacity = edges.len().min(content.len() / MINIMUM_RECORD) + 1;
    let splitter = Splitter {
        graph,
        block,
        section: eh_frame_section(content),
        next_edge: edges.next(),
        edges,
        position: 0,
        records: Vec::with_capacity(capacity),
        cies: Vec::new(),
    };
    splitter.run(content)
}

/// A length and a CIE pointer.
const MINIMUM_RECORD: usize = 8;

fn eh_frame_section(content: &[u8]) -> gimli::EhFrame<Slice<'_>> {
    let mut section = gimli::EhFrame::new(content, LittleEndian);
    section.set_address_size(8);
    section
}

/// Where a record is.
#[derive(Clone, Copy)]
struct Extent {
    offset: u32,
    size: u32,
    extended: bool,
}

impl Extent {
    const fn end(self) -> u32 {
        self.offset + self.size
    }

    /// Where the CIE pointer is, or in a CIE its id.
    const fn pointer_offset(self) -> u32 {
        self.offset + if self.extended { 12 } else { 4 }
    }

    /// Where an FDE has its function's address.
    const fn body_offset(self) -> u32 {
        self.pointer_offset() + 4
    }
}

/// What a CIE's FDEs need of it.
struct CieFacts {
    offset: u32,
    record: u32,
    pointers: Option<PointerFacts>,
}

/// How the FDEs of a CIE give their function's address and length.
#[derive(Clone, Copy)]
struct PointerFacts {
    /// Bytes of each, or the fewest that a variable-length encoding takes.
    width: u32,
    absolute: bool,
}

struct Splitter<'graph, 'data> {
    graph: &'graph LinkGraph<'data>,
    block: BlockId,
    section: gimli::EhFrame<Slice<'graph>>,
    edges: Edges<'graph>,
    next_edge: Option<Edge>,
    position: u32,
    records: Vec<Record>,
    cies: Vec<CieFacts>,
}

impl<'graph> Splitter<'graph, '_> {
    fn run(mut self, content: &'graph [u8]) -> Result<EhFrame> {
        let mut input = Slice::new(content, LittleEndian);
        let mut offset = 0;
        while !input.is_empty() {
            let before = input.len();
            self.read_record(&mut input, offset).map_err(|fault| self.malformed(offset, fault))?;
            // The content is shorter than 4 GiB, so what was read of it is.
            offset += (before - input.len()) as u32;
        }
        match self.next_edge {
            Some(edge) => Err(self.malformed(edge.offset, Fault::StrayEdge)),
            None => Ok(EhFrame { block: self.block, records: self.records }),
        }
    }

    #[inline]
    fn read_record(&mut self, input: &mut Slice<'graph>, offset: u32) -> Result<(), Fault> {
        let before = input.len();
        let (length, format) = input.read_initial_length()?;
        if length == 0 {
            return Ok(());
        }
        let mut rest = input.split(length)?;
        let distance = rest.read_u32()?;
        let extent =
            Extent { offset, size: (before - input.len()) as u32, extended: format == Format::Dwarf64 };
        let first = self.position;
        let function = self.take_edges(extent)?;
        let kind = if distance == 0 {
            self.add_cie(offset)?;
            RecordKind::Cie
        } else {
            self.fde(extent, distance, function, rest)?
        };
        let Extent { size, extended, .. } = extent;
        self.records.push(Record { offset, size, kind, edges: first..self.position, extended });
        Ok(())
    }

    /// Moves past the record's edges; answers the one at its body's start, where an FDE has its function's address.
    #[inline]
    fn take_edges(&mut self, extent: Extent) -> Result<Option<Edge>, Fault> {
        let mut function = None;
        while let Some(edge) = self.next_edge
            && edge.offset < extent.end()
        {
            self.next_edge = self.edges.next();
            self.position += 1;
            let width = u32::from(self.graph.kind_facts(edge.kind).width);
            if edge.offset < extent.offset || width > 0 && edge.offset < extent.body_offset() {
                return Err(Fault::StrayEdge);
            }
            if width > extent.end() - edge.offset {
                return Err(Fault::CrossingEdge);
            }
            if width > 0 && edge.offset == extent.body_offset() && function.is_none() {
                function = Some(edge);
            }
        }
        Ok(function)
    }

    fn add_cie(&mut self, offset: u32) -> Result<(), Fault> {
        let bases = BaseAddresses::default().set_eh_frame(0).set_text(0).set_got(0);
        let pointers = match self.section.cie_from_offset(&bases, (offset as usize).into()) {
            Ok(cie) => Some(pointer_facts(cie.fde_address_encoding())?),
            Err(gimli::Error::UnknownAugmentation) => None,
            Err(error) => return Err(error.into()),
        };
        // Records take eight bytes at least, so their count fits as the content's length does.
        self.cies.push(CieFacts { offset, record: self.records.len() as u32, pointers });
        Ok(())
    }

    #[inline]
    fn fde(
        &self,
        extent: Extent,
        distance: u32,
        edge: Option<Edge>,
        body: Slice<'_>,
    ) -> Result<RecordKind, Fault> {
        let cie = self.find_cie(extent.pointer_offset(), distance)?;
        if let Some(pointers) = cie.pointers
            && body.len() < 2 * pointers.width as usize
        {
            return Err(Fault::ShortFde);
        }
        let function = match edge {
            Some(edge) => self.function(edge)?,
            None if has_absolute_address(cie.pointers, &body) => Function::Absolute,
            None => Function::Gone,
        };
        Ok(RecordKind::Fde { cie: cie.record, function })
    }

    #[inline]
    fn find_cie(&self, pointer_offset: u32, distance: u32) -> Result<&CieFacts, Fault> {
        let offset = pointer_offset.checked_sub(distance).ok_or(Fault::NoCie)?;
        match self.cies.last() {
            Some(last) if last.offset == offset => Ok(last),
            _ => self
                .cies
                .binary_search_by_key(&offset, |cie| cie.offset)
                .ok()
                .and_then(|i| self.cies.get(i))
                .ok_or(Fault::NoCie),
        }
    }

    #[inline]
    fn function(&self, edge: Edge) -> Result<Function, Fault> {
        let symbol = self.graph.symbols.get(edge.target.index()).ok_or(Fault::NoSymbol)?;
        Ok(match symbol.kind {
            SymbolKind::Defined => Function::In(symbol.block),
            SymbolKind::Absolute if symbol.value.wrapping_add_signed(edge.addend) != 0 => Function::Absolute,
            _ => Function::Gone,
        })
    }

    #[cold]
    fn malformed(&self, offset: u32, fault: Fault) -> Error {
        Error::malformed(self.graph.place(self.block, offset.into()), fault.clause())
    }
}

/// What is wrong with a record; the place is added further out, so that the way without faults carries none.
enum Fault {
    Dwarf(gimli::Error),
    NoAddresses,
    NoCie,
    ShortFde,
    StrayEdge,
    CrossingEdge,
    NoSymbol,
}

impl From<gimli::Error> for Fault {
    #[cold]
    fn from(error: gimli::Error) -> Self {
        Self::Dwarf(error)
    }
}

impl Fault {
    fn clause(self) -> String {
        match self {
            Self::Dwarf(gimli::Error::UnexpectedEof(_)) => "call frame record is cut short".into(),
            Self::Dwarf(error) => format!("call frame record cannot be read: {error}"),
            Self::NoAddresses => "CIE's pointer encoding gives functions no addresses".into(),
            Self::NoCie => "FDE's CIE pointer leads to no CIE before it".into(),
            Self::ShortFde => "FDE is too short for its function's address and length".into(),
            Self::StrayEdge => "relocation of call frame information lies in the body of no record".into(),
            Self::CrossingEdge => "relocation crosses the end of its call frame record".into(),
            Self::NoSymbol => "FDE's function is a symbol that does not exist".into(),
        }
    }
}

/// Refuses encodings with which an unwinder would abort the process.
fn pointer_facts(encoding: Option<gimli::DwEhPe>) -> Result<PointerFacts, Fault> {
    let encoding = encoding.unwrap_or(gimli::DW_EH_PE_absptr);
    if encoding.is_absent() || encoding.application() == gimli::DW_EH_PE_funcrel {
        return Err(Fault::NoAddresses);
    }
    let width = match encoding.format() {
        gimli::DW_EH_PE_absptr | gimli::DW_EH_PE_udata8 | gimli::DW_EH_PE_sdata8 => 8,
        gimli::DW_EH_PE_udata4 | gimli::DW_EH_PE_sdata4 => 4,
        gimli::DW_EH_PE_udata2 | gimli::DW_EH_PE_sdata2 => 2,
        _ => 1,
    };
    Ok(PointerFacts { width, absolute: encoding.application() == gimli::DW_EH_PE_absptr })
}

#[cold]
fn has_absolute_address(pointers: Option<PointerFacts>, body: &Slice<'_>) -> bool {
    let Some(PointerFacts { width, absolute: true }) = pointers else { return false };
    body.slice().iter().take(width as usize).any(|byte| *byte != 0)
}
