//! Call frame records and `.init`/`.fini` fragments: sections of all objects that are joined into one.

use super::image::{Image, Shape};
use super::liveness::Liveness;
use super::mark::GraphFrames;
use crate::arch;
use crate::graph::{InitPhase, LinkGraph, Permissions, SectionFlags, SectionRole};
use crate::passes::eh_frame::{self, EhFramePlan};

pub(super) fn plan_frames(frames: &[GraphFrames], live: &Liveness) -> Vec<Vec<EhFramePlan>> {
    let plan_one = |(index, frames): (u32, &GraphFrames)| {
        let frames = frames.frames.iter();
        let plan = |frame: &eh_frame::EhFrame| {
            eh_frame::plan(frame, |fde| frame.describes_live(fde, |block| live.is_live(index, block)))
        };
        frames.map(plan).collect()
    };
    (0u32..).zip(frames).map(plan_one).collect()
}

pub(super) fn add_frame_terminator(image: &mut Image<'_>, plans: &[Vec<EhFramePlan>]) {
    if plans.iter().flatten().any(|plan| plan.size > 0) {
        let shape = Shape::bytes(vec![0; 4], 1).with_role(SectionRole::EhFrame);
        image.add_block(".eh_frame", Permissions::READ, SectionFlags::empty(), shape);
    }
}

/// The role of a kind of fragments by priority, and the name of their section.
type Fragments = (fn(u16) -> SectionRole, &'static str);

/// `.init` and `.fini` fragments fall through to each other: what enters and leaves the function that they make.
pub(super) fn add_fragment_frames(image: &mut Image<'_>, graphs: &[LinkGraph<'_>], live: &Liveness) {
    let has = |wanted: SectionRole| {
        (0u32..).zip(graphs).any(|(index, graph)| {
            graph.blocks().any(|(id, block)| {
                graph.sections[block.section.index()].role == wanted && live.is_live(index, id)
            })
        })
    };
    let (enter, leave) = arch::fragment_frame(image.graph.architecture);
    let roles: [Fragments; 2] = [
        (|priority| SectionRole::Initializers(InitPhase::Fragment, priority), ".init"),
        (|priority| SectionRole::Finalizers(InitPhase::Fragment, priority), ".fini"),
    ];
    for (role, name) in roles {
        if has(role(u16::MAX)) {
            let code = Permissions::READ | Permissions::EXECUTE;
            for (bytes, priority) in [(enter, 0), (leave, u16::MAX)] {
                let shape = Shape::bytes(bytes.to_vec(), 1).with_role(role(priority));
                image.add_block(name, code, SectionFlags::empty(), shape);
            }
        }
    }
}
