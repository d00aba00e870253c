//! Whether the reference links every object of a corpus.
//!
//! It links what `main` needs and nothing else, without a word: only its list of linked files tells.

use super::Facts;
use crate::{Outcome, place};
use jitlink_test_support::process::{Outcome as Ended, run_within};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

const RECORD: &str = "checked";
const REFUSED: &str = "the reference does not link it: ";

/// What the reference linked of the complete corpus in `dir`, as an earlier run found out or this one does.
///
/// # Errors
/// It linked some objects and passed others over.
pub(super) fn checked(dir: &Path, facts: &Facts, seconds: u64) -> Outcome<String> {
    let record = dir.join(RECORD);
    if let Ok(found) = std::fs::read_to_string(&record) {
        return Ok(found);
    }
    let reference = match place::llvm("llvm-jitlink", "llvm-22") {
        Ok(reference) => reference,
        Err(why) => return Ok(format!("not checked: {why}")),
    };
    let mut command = Command::new(reference);
    command.args(["-noexec", "-phony-externals", "-num-threads=1", "-show-linked-files"]);
    command.arg(format!("@{}", dir.join("objects.rsp").display()));
    let ended = run_within(&mut command, b"", Duration::from_secs(seconds)).and_then(Ended::success);
    let found = match ended {
        Ok(ended) => count(&ended.stdout_text(), facts)?,
        // That it fails or does not end says nothing against the corpus.
        Err(why) => format!("{REFUSED}{}", shortened(&why)),
    };
    place::at(&record, std::fs::write(&record, &found))?;
    Ok(found)
}

/// Why the reference does not link the corpus in `dir`, if that was found out.
pub(crate) fn reference_fails(dir: &Path) -> Option<String> {
    let found = std::fs::read_to_string(dir.join(RECORD)).ok()?;
    found.strip_prefix(REFUSED).map(str::to_owned)
}

fn count(output: &str, facts: &Facts) -> Outcome<String> {
    let linked = output.lines().filter(|line| line.starts_with("Linking ")).count();
    // The root is one of them.
    if linked == facts.objects + 1 {
        return Ok(format!("the reference links all {} objects", facts.objects));
    }
    Err(format!("the reference links {linked} of {} objects", facts.objects + 1))
}

fn shortened(why: &str) -> String {
    if let Some((_, after)) = why.split_once("still running after ") {
        return format!("it takes more than {after}");
    }
    let line = why.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default();
    let end = line.char_indices().nth(200).map_or(line.len(), |(at, _)| at);
    line[..end].to_owned()
}
