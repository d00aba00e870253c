//! Plugins: code of the user's that sees the graphs between the phases of a link.

use super::view::LinkView;
use crate::base::Result;
use crate::graph::LinkGraph;

/// Code of the user's that sees, and may change, the graphs of a link between its phases.
///
/// Each hook is called once per graph (or once per link), on the linking thread; no lock is held. An error ends the
/// link, which leaves nothing behind.
pub trait Plugin {
    /// Before dead strip: the graph as the object has it. Edges added here are followed.
    ///
    /// # Errors
    /// Whatever makes the link fail.
    fn pre_prune(&mut self, graph: &mut LinkGraph<'_>) -> Result<()> {
        let _ = graph;
        Ok(())
    }

    /// After dead strip: dropped blocks are no longer live. Blocks must not be added any more.
    ///
    /// # Errors
    /// Whatever makes the link fail.
    fn post_prune(&mut self, graph: &mut LinkGraph<'_>) -> Result<()> {
        let _ = graph;
        Ok(())
    }

    /// After layout: every live block has its final address. The image graph comes last.
    ///
    /// # Errors
    /// Whatever makes the link fail.
    fn pre_fixup(&mut self, graph: &mut LinkGraph<'_>) -> Result<()> {
        let _ = graph;
        Ok(())
    }

    /// After fixup, before permissions change: the whole image with its bytes.
    ///
    /// # Errors
    /// Whatever makes the link fail.
    fn post_fixup(&mut self, image: &LinkView<'_, '_>) -> Result<()> {
        let _ = image;
        Ok(())
    }
}
