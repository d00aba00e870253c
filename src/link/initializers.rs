//! What runs before `main` and at exit: the places of the initialiser arrays in the image.

use super::groups::GroupKind;
use super::layout::{Layout, Special};
use crate::base::{AddrRange, ExecutorAddr};
use crate::graph::{LinkGraph, SectionFlags};

/// One part of what runs before `main` or at exit, all of one priority.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct InitStep {
    /// What the name of the section says: those of a lower number run earlier before `main`, later at exit.
    pub priority: u16,
    /// The functions.
    pub functions: StepFunctions,
}

/// The functions of a part.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StepFunctions {
    /// The function at this address: the fragments of `.init` or `.fini`, joined.
    Call(ExecutorAddr),
    /// Functions whose addresses stand in this range, first to last.
    Array(AddrRange),
    /// Functions whose addresses stand in this range, last to first: `.ctors`, `.dtors`.
    ReversedArray(AddrRange),
}

/// What runs before `main` and at exit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InitFunctions {
    /// `.preinit_array`, in order.
    pub preinit: Vec<InitStep>,
    /// `.init`, then `.init_array` and `.ctors` by priority, in order.
    pub init: Vec<InitStep>,
    /// `.fini`, then `.fini_array` and `.dtors` by priority; to be run from the last entry of the last step to the first.
    pub fini: Vec<InitStep>,
}

impl InitFunctions {
    /// Finds them in an image whose addresses are final.
    pub(crate) fn find(layout: &Layout, graphs: &[LinkGraph<'_>]) -> Self {
        let with_fragments = |fragments, arrays| {
            let mut steps: Vec<InitStep> = joined(layout, graphs, fragments).into_iter().collect();
            steps.extend(steps_of(layout, graphs, arrays));
            steps
        };
        Self {
            preinit: steps_of(layout, graphs, GroupKind::PreinitArray),
            init: with_fragments(GroupKind::InitFragments, GroupKind::InitArray),
            fini: with_fragments(GroupKind::FiniFragments, GroupKind::FiniArray),
        }
    }
}

/// The function that the code fragments of a group make.
fn joined(layout: &Layout, graphs: &[LinkGraph<'_>], kind: GroupKind) -> Option<InitStep> {
    let call = |range: AddrRange| InitStep { priority: 0, functions: StepFunctions::Call(range.start) };
    layout.group_range(graphs, kind).map(call)
}

fn steps_of(layout: &Layout, graphs: &[LinkGraph<'_>], kind: GroupKind) -> Vec<InitStep> {
    let specials = layout.specials.iter().filter(|special| special.kind == kind);
    specials.map(|special| step_of(graphs, special)).collect()
}

fn step_of(graphs: &[LinkGraph<'_>], special: &Special) -> InitStep {
    let graph = &graphs[special.graph as usize];
    let block = graph.block(special.block);
    let range = AddrRange::from_size(block.address(), special.size);
    let reversed = graph.section(block.section()).flags.contains(SectionFlags::REVERSED);
    let functions = if reversed { StepFunctions::ReversedArray(range) } else { StepFunctions::Array(range) };
    InitStep { priority: u16::try_from(special.key).unwrap_or(u16::MAX), functions }
}
