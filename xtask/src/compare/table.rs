//! The tables.

use super::Measured;
use super::figures;
use super::medians::Results;
use super::tools::{Kind, Tool};

impl Measured {
    /// What was measured of a tool, if it was asked for and is there.
    pub(super) fn of(&self, kind: Kind) -> Option<&Results> {
        self.results.iter().find(|results| results.kind == kind)
    }

    /// Milliseconds of CPU time that the floor says its work took.
    pub(super) fn floor_work(&self) -> Option<f64> {
        Some(self.of(Kind::Floor)?.printed("cpu")? / 1e6)
    }

    fn printed(&self, name: &str) -> Option<f64> {
        self.of(Kind::Floor)?.printed(name)
    }
}

/// Everything there is to say.
pub(super) fn text(measured: &[Measured], tools: &[Tool], missing: &[String], rounds: usize) -> String {
    let cpus = std::thread::available_parallelism().map_or(1, usize::from);
    let versions: Vec<String> = tools.iter().filter_map(described).collect();
    let mut text = format!(
        "Medians of at most {rounds} interleaved rounds, on {cpus} CPUs ({}).\n\n{}\n",
        cpu_model(),
        versions.join("\n")
    );
    missing.iter().for_each(|what| text += &format!("- Missing: {what}.\n"));
    text += "\n### CPU time, ms\n\n";
    text += &main_table(measured, tools);
    text += "\n### Wall time, ms\n\n";
    text += &plain_table(measured, tools, |results| Some(number(results.wall()?)));
    text += "\n### Peak memory, MB\n\n";
    text += &plain_table(measured, tools, |results| Some(number(results.peak()?)));
    text += "\n### Figures to reach\n\n";
    text += &figures::table(measured);
    text += "\n### Remarks\n\n";
    text += &remarks(measured, tools);
    text
}

fn described(tool: &Tool) -> Option<String> {
    let version = match tool.kind {
        Kind::JitlinkThreads => return None,
        Kind::Floor => String::new(),
        _ => tool.version().map(|version| format!(" ({version})")).unwrap_or_default(),
    };
    Some(format!("- {}: `{}`{version}", tool.title, tool.shown()))
}

fn cpu_model() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    model.map_or_else(|| "of unknown make".to_owned(), |(_, model)| model.to_owned())
}

fn main_table(measured: &[Measured], tools: &[Tool]) -> String {
    let mut text = head(&["objects", "alloc relocations", "alloc MB"], tools);
    for one in measured {
        let printed =
            |name, scale: f64| one.printed(name).map_or_else(|| "-".to_owned(), |n| number(n / scale));
        // Without the root, whose relocations and bytes are counted.
        let mut cells =
            vec![one.facts.objects.to_string(), printed("relocations", 1.0), printed("bytes", 1e6)];
        cells.extend(one.results.iter().map(|results| {
            match (results.kind, results.cpu(), one.floor_work()) {
                (Kind::Floor, Some(cpu), Some(work)) => format!("{} ({})", number(cpu), number(work)),
                (_, Some(cpu), _) => number(cpu),
                _ => "-".to_owned(),
            }
        }));
        text += &row(one, &cells);
    }
    text
}

fn plain_table(measured: &[Measured], tools: &[Tool], cell: impl Fn(&Results) -> Option<String>) -> String {
    let mut text = head(&[], tools);
    for one in measured {
        let cells = one.results.iter().map(|results| cell(results).unwrap_or_else(|| "-".to_owned()));
        text += &row(one, &cells.collect::<Vec<_>>());
    }
    text
}

fn head(first: &[&str], tools: &[Tool]) -> String {
    let titles: Vec<&str> =
        first.iter().copied().chain(tools.iter().map(|tool| tool.title.as_str())).collect();
    format!("| corpus | {} |\n|---|{}\n", titles.join(" | "), "---:|".repeat(titles.len()))
}

fn row(one: &Measured, cells: &[String]) -> String {
    format!("| {} | {} |\n", one.corpus.title, cells.join(" | "))
}

fn remarks(measured: &[Measured], tools: &[Tool]) -> String {
    let mut text = String::new();
    for one in measured {
        for (why, count) in &one.facts.left_out {
            text += &format!("- {}: {count} objects left out ({why}).\n", one.corpus.title);
        }
        for (results, tool) in one.results.iter().zip(tools) {
            if let Some(why) = results.failure() {
                text += &format!("- {}: not measured with {}: {why}.\n", one.corpus.title, tool.title);
            } else if results.rounds() < one.results.iter().map(Results::rounds).max().unwrap_or(0) {
                text +=
                    &format!("- {}: {} rounds of {} only.\n", one.corpus.title, results.rounds(), tool.title);
            }
        }
    }
    text
}

/// About three digits, thousands set off.
pub(crate) fn number(value: f64) -> String {
    let digits = if value < 9.995 { 2 } else { usize::from(value < 99.95) };
    let text = format!("{value:.digits$}");
    let (whole, rest) = text.split_at(text.find('.').unwrap_or(text.len()));
    let mut out = String::new();
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out + rest
}
