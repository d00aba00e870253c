//! `-perf-support`: what is linked is reported to `perf`.

use crate::FAILURE;
use crate::args::Options;
use crate::report::{OrReport, Outcome};
use jitlink::runtime::perf;
use std::path::PathBuf;

/// Begins to report, if the options ask for it.
///
/// # Errors
/// The status to end with: the files cannot be written.
pub(crate) fn start(options: &Options) -> Result<(), i32> {
    if !options.perf_support || options.noexec {
        return Ok(());
    }
    let directory = std::env::var_os("JITDUMPDIR").map_or_else(|| PathBuf::from("."), PathBuf::from);
    let started: Outcome<PathBuf> = perf::start(&directory).or_report();
    started.map(drop).map_err(|_| FAILURE)
}
