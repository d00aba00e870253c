use super::*;
use crate::arch::aarch64::kinds::*;
use crate::arch::{Destination, Detour, FixupCounts, Site, Targets, detours, fix_up, testing};
use crate::graph::{BlockId, Edge, SymbolId};

const AT: u64 = 0x7f00_1234_5000;

fn written(detour: Detour, destination: Destination) -> Option<Vec<String>> {
    let facts = detours(Architecture::Aarch64).unwrap();
    let mut bytes = vec![0; facts.size(detour)];
    facts.write(detour, &mut bytes, AT, destination)?;
    let words = bytes.chunks_exact(4).map(|word| u32::from_le_bytes(word.try_into().unwrap()));
    Some(disassembled(&words.collect::<Vec<_>>()))
}

#[test]
fn veneers_go_straight_where_a_branch_reaches_and_by_address_elsewhere() {
    let veneer = |place| written(Detour::Veneer, Destination::Place(place));
    assert_eq!(veneer(AT + 0x7ff_fffc).unwrap()[0], "b #134217724");
    assert_eq!(veneer(AT - 0x800_0000).unwrap()[0], "b #-134217728");
    assert_eq!(veneer(AT + 0x800_0004).unwrap(), ["adrp x16, #134217728", "add x16, x16, #4", "br x16"]);
    assert_eq!(veneer(AT - 0x1_0000_0000 + 8).unwrap()[0], "adrp x16, #-4294967296");
    assert_eq!(veneer(AT + 0x1_0000_0000), None);
    let through_slot = written(Detour::Veneer, Destination::Slot(AT + 0x1008)).unwrap();
    assert_eq!(through_slot, ["adrp x16, #4096", "ldr x17, [x16, #8]", "br x17"]);
}

#[test]
fn hops_are_one_branch() {
    let hop = |place| written(Detour::Hop, Destination::Place(place));
    assert_eq!(hop(AT + 0x7ff_fffc).unwrap(), ["b #134217724"]);
    assert_eq!(hop(AT + 0x800_0000), None);
    assert_eq!(hop(AT + 2), None);
    assert_eq!(written(Detour::Hop, Destination::Slot(AT + 8)), None);
}

/// A target with a detour of each kind.
struct Detoured {
    target: Target,
    veneer: u64,
    hop: u64,
}

impl Targets for Detoured {
    fn resolve(&self, target: SymbolId, addend: i64) -> (u64, i64) {
        self.target.resolve(target, addend)
    }

    fn got_entry(&self, target: SymbolId) -> Option<u64> {
        self.target.got_entry(target)
    }

    fn plt_entry(&self, target: SymbolId) -> Option<u64> {
        self.target.plt_entry(target)
    }

    fn detour(&self, detour: Detour, _: SymbolId, _: i64, _: u64) -> Option<u64> {
        Some(if detour == Detour::Hop { self.hop } else { self.veneer })
    }

    fn size(&self, target: SymbolId) -> u64 {
        self.target.size(target)
    }

    fn got_base(&self) -> u64 {
        self.target.got_base()
    }

    fn is_absent(&self, target: SymbolId) -> bool {
        self.target.is_absent(target)
    }
}

fn branch(kind: EdgeKind, word: u32, targets: &Detoured) -> Result<String> {
    let edge = Edge { offset: 0, target: SymbolId(1), addend: 0, kind };
    let graph = testing::graph(Architecture::Aarch64, 4, vec![edge], Lifetime::Standard);
    let mut content = word.to_le_bytes();
    let mut site = Site { graph: &graph, block: BlockId(0), content: &mut content, start: 0, address: AT };
    fix_up(&mut site, graph.edges(BlockId(0)), targets, &mut FixupCounts::default())?;
    Ok(disassembled(&[u32::from_le_bytes(content)]).remove(0))
}

const BRANCHES: [(EdgeKind, u32, [&str; 2]); 5] = [
    (CALL26, 0x9400_0000, ["bl #256", "bl #4096"]),
    (JUMP26, 0x1400_0000, ["b #256", "b #4096"]),
    (CONDBR19, 0x5400_0000, ["b.eq #256", "b.eq #8192"]),
    (CONDBR19, 0x3400_0003, ["cbz w3, #256", "cbz w3, #8192"]),
    (TSTBR14, 0x3608_0003, ["tbz w3, #1, #256", "tbz w3, #1, #8192"]),
];

#[test]
fn branches_out_of_reach_take_the_detour_of_their_kind() {
    for (kind, word, [near, far]) in BRANCHES {
        let at = |target| Detoured { target: Target::at(target), veneer: AT + 0x1000, hop: AT + 0x2000 };
        assert_eq!(branch(kind, word, &at(AT + 0x100)).unwrap(), near);
        assert_eq!(branch(kind, word, &at(AT + 0x8000_0000)).unwrap(), far);
        let unreachable = Detoured { veneer: AT / 2, hop: AT / 2, ..at(AT + 0x8000_0000) };
        let error = out_of_range(branch(kind, word, &unreachable));
        assert_eq!(error.target_address, AT + 0x8000_0000);
    }
}

#[test]
fn a_plt_entry_out_of_reach_leaves_the_veneer() {
    let target = Target::at(AT / 2).with_plt_entry(AT + 0x3000_0000);
    let targets = Detoured { target, veneer: AT + 0x1000, hop: 0 };
    assert_eq!(branch(CALL26, 0x9400_0000, &targets).unwrap(), "bl #4096");
}
