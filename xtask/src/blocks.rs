//! Tables in BENCHMARKS.md: each stands between two lines that say who makes it.

use crate::{Outcome, place};

/// Puts `text` where the table that `chore` makes belongs.
pub(crate) fn write(chore: &str, text: &str) -> Outcome<()> {
    let path = place::root().join("BENCHMARKS.md");
    let old = place::at(&path, std::fs::read_to_string(&path))?;
    let line = |what| format!("<!-- made by cargo xtask {chore} --write: {what} -->\n");
    let (begin, end) = (line("begin"), line("end"));
    let parts = old.split_once(&begin).and_then(|(before, rest)| Some((before, rest.split_once(&end)?.1)));
    let (before, after) =
        parts.ok_or_else(|| format!("{} lacks the lines between which the table goes", path.display()))?;
    place::at(&path, std::fs::write(&path, format!("{before}{begin}\n{}\n\n{end}{after}", text.trim_end())))
}
