//! Graph transformations and the decisions behind them; nothing here matches on a format or an architecture.

pub mod bounds;
pub mod compact_unwind;
pub mod eh_frame;
pub mod merge;

#[cfg(test)]
mod testing;
