//! The figures that are to be reached, and whether they are.

use super::Measured;
use super::tools::Kind;

/// What is divided by what.
#[derive(Clone, Copy)]
enum Ratio {
    /// CPU time, over the floor's.
    Floor,
    /// CPU time less an empty run's, over the floor's work alone.
    FloorWork,
    /// CPU time, over that of the better of lld and mold.
    Static,
    /// CPU time, over llvm-jitlink's.
    Reference,
    /// Peak memory, over the floor's.
    Peak,
    /// Wall time with several threads, over that with one.
    ThreadsWall,
    /// CPU time with several threads, over that with one.
    ThreadsCpu,
    /// Not a ratio: milliseconds of CPU time.
    Milliseconds,
}

impl Ratio {
    fn title(self) -> &'static str {
        match self {
            Self::Floor => "CPU / floor",
            Self::FloorWork => "(CPU - empty run's) / floor's work",
            Self::Static => "CPU / better of lld and mold",
            Self::Reference => "CPU / llvm-jitlink",
            Self::Peak => "peak memory / floor",
            Self::ThreadsWall => "wall, several threads / one",
            Self::ThreadsCpu => "CPU, several threads / one",
            Self::Milliseconds => "CPU, ms",
        }
    }
}

struct Figure(&'static str, Ratio, f64, Option<f64>);

const FIGURES: &[Figure] = &[
    Figure("empty", Ratio::Milliseconds, 2.0, None),
    Figure("sqlite", Ratio::FloorWork, 3.0, None),
    Figure("sqlite", Ratio::Static, 0.3, None),
    Figure("sqlite", Ratio::Reference, 0.25, None),
    Figure("sqlite-sections", Ratio::FloorWork, 3.0, None),
    Figure("sqlite-sections", Ratio::Static, 0.3, None),
    Figure("sqlite-sections", Ratio::Reference, 0.001, None),
    Figure("relocations", Ratio::Floor, 2.5, Some(1.8)),
    Figure("relocations", Ratio::Static, 0.18, None),
    Figure("relocations", Ratio::Reference, 0.03, None),
    Figure("relocations", Ratio::Peak, 1.6, None),
    Figure("tiny", Ratio::Floor, 1.5, Some(1.3)),
    Figure("tiny", Ratio::Static, 0.65, None),
    Figure("tiny", Ratio::Reference, 0.08, None),
    Figure("llvm-codegen", Ratio::Floor, 2.5, Some(2.0)),
    Figure("llvm-codegen", Ratio::Static, 0.35, None),
    Figure("llvm-codegen", Ratio::Reference, 0.035, None),
    Figure("llvm-codegen", Ratio::Peak, 1.3, None),
    Figure("llvm-codegen", Ratio::ThreadsWall, 1.0 / 1.6, None),
    Figure("llvm-codegen", Ratio::ThreadsCpu, 1.15, None),
    Figure("llvm-all", Ratio::Floor, 2.5, Some(2.1)),
    Figure("llvm-all", Ratio::Static, 0.45, None),
    Figure("llvm-all", Ratio::Reference, 0.005, None),
    Figure("llvm-all", Ratio::Peak, 1.3, None),
    Figure("llvm-all", Ratio::ThreadsWall, 1.0 / 1.6, None),
    Figure("llvm-all", Ratio::ThreadsCpu, 1.15, None),
];

/// The figures as a Markdown table; those that were not measured are left out.
pub(super) fn table(measured: &[Measured]) -> String {
    let mut text = String::from("| corpus | figure | at most | measured | |\n|---|---|---:|---:|---|\n");
    for Figure(name, ratio, limit, stretch) in FIGURES {
        let Some(one) = measured.iter().find(|one| one.corpus.name == *name) else { continue };
        let Some(value) = value(*ratio, one, measured) else { continue };
        let mark = match stretch {
            Some(stretch) if value <= *stretch => "reached, stretch too",
            _ if value <= *limit => "reached",
            _ => "**not reached**",
        };
        let stretch = stretch.map(|stretch| format!(" ({stretch})")).unwrap_or_default();
        let (limit, value) = (significant(*limit), significant(value));
        text +=
            &format!("| {} | {} | {limit}{stretch} | {value} | {mark} |\n", one.corpus.title, ratio.title());
    }
    text
}

fn value(ratio: Ratio, one: &Measured, all: &[Measured]) -> Option<f64> {
    let cpu = |kind| one.of(kind)?.cpu();
    let wall = |kind| one.of(kind)?.wall();
    let own = cpu(Kind::Jitlink);
    let over = |a: Option<f64>, b: Option<f64>| Some(a? / b?);
    match ratio {
        Ratio::Floor => over(own, cpu(Kind::Floor)),
        Ratio::FloorWork => {
            let empty = all.iter().find(|one| one.corpus.name == "empty")?.of(Kind::Jitlink)?.cpu()?;
            over(own.map(|own| own - empty), one.floor_work())
        }
        Ratio::Static => {
            let both = [cpu(Kind::Lld), cpu(Kind::Mold)];
            over(own, both.into_iter().flatten().min_by(f64::total_cmp))
        }
        Ratio::Reference => over(own, cpu(Kind::Reference)),
        Ratio::Peak => over(one.of(Kind::Jitlink)?.peak(), one.of(Kind::Floor)?.peak()),
        Ratio::ThreadsWall => over(wall(Kind::JitlinkThreads), wall(Kind::Jitlink)),
        Ratio::ThreadsCpu => over(cpu(Kind::JitlinkThreads), own),
        Ratio::Milliseconds => own,
    }
}

/// Three significant digits.
fn significant(value: f64) -> String {
    let digits = if value > 0.0 { (2 - value.log10().floor() as i32).clamp(0, 6) } else { 1 };
    let text = format!("{value:.*}", digits as usize);
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}
