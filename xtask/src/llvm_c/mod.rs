//! LLVM itself, linked in memory from its archives and called: a C program over the LLVM-C API, whose output must be that of
//! the natively linked one, and the time until its `main` is reached.

use crate::{Outcome, blocks, place};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// How often to start each
    #[arg(long, value_name = "N", default_value_t = 21)]
    rounds: usize,
    /// Start this program instead of the one that is built here
    #[arg(long, value_name = "PATH")]
    jitlink: Option<PathBuf>,
    /// Put the table into BENCHMARKS.md
    #[arg(long)]
    write: bool,
}

const SOURCE: &str = include_str!("program.c");
const LIBRARIES: &str = "/usr/lib/llvm-22/lib";
/// What LLVM's libraries depend on besides the C and C++ libraries.
const OTHERS: [&str; 4] = ["libz.so.1", "libzstd.so.1", "libxml2.so.2", "libz3.so.4"];

/// One way to start the program.
struct Way {
    title: String,
    program: PathBuf,
    words: Vec<String>,
    /// Milliseconds until `main`, and of CPU time in all, of each start.
    starts: Vec<f64>,
}

pub(crate) fn run(options: &Options) -> Outcome<()> {
    let dir = tempfile::tempdir().map_err(|error| format!("a temporary directory: {error}"))?;
    let words = static_words(dir.path())?;
    let mut ways = build(dir.path(), &words, options)?;
    let native = output(&ways[0], &[])?;
    for way in &ways[1..] {
        if output(way, &[])? != native {
            return Err(format!("{}: the output is not that of the natively linked program", way.title));
        }
    }
    println!("{}", String::from_utf8_lossy(&native));
    for _ in 0..options.rounds {
        for way in &mut ways {
            let start = milliseconds_to_main(way)?;
            way.starts.push(start);
        }
    }
    let table = table(&ways);
    println!("{table}");
    if options.write { blocks::write("llvm-c", &table) } else { Ok(()) }
}

/// Compiles the program; the words that link it with LLVM's archives, for linker drivers and for jitlink.
fn static_words(dir: &Path) -> Outcome<Vec<String>> {
    let (source, object) = (dir.join("program.c"), dir.join("program.o"));
    place::at(&source, std::fs::write(&source, SOURCE))?;
    let mut clang = Command::new(place::llvm("clang", "clang-22")?);
    clang.args([
        "-O1",
        "-Wno-deprecated-declarations",
        "-I/usr/include/llvm-c-22",
        "-I/usr/include/llvm-22",
        "-c",
    ]);
    done(clang.arg(&source).arg("-o").arg(&object))?;
    let mut config = Command::new(place::llvm("llvm-config", "llvm-22-dev")?);
    let libraries =
        done(config.args(["--link-static", "--libs", "x86", "passes", "core", "analysis", "target"]))?;
    let mut words = vec![object.display().to_string(), format!("-L{LIBRARIES}")];
    words.extend(String::from_utf8_lossy(&libraries.stdout).split_whitespace().map(str::to_owned));
    words.extend(OTHERS.iter().map(|name| format!("/usr/lib/{}-linux-gnu/{name}", std::env::consts::ARCH)));
    words.push("-lstdc++".to_owned());
    Ok(words)
}

/// Links the program natively, in both ways; and says how jitlink is asked.
fn build(dir: &Path, words: &[String], options: &Options) -> Outcome<Vec<Way>> {
    let lld = place::llvm("ld.lld", "lld-22")?;
    let link = |name: &str, words: &[String]| {
        let program = dir.join(name);
        let mut clang = Command::new(place::llvm("clang", "clang-22")?);
        clang.arg(format!("--ld-path={}", lld.display())).args(words);
        done(clang.arg("-lm").arg("-o").arg(&program)).map(|_| program)
    };
    let dynamic = [words[0].clone(), format!("-L{LIBRARIES}"), "-lLLVM-22".to_owned()];
    let jitlink = options.jitlink.clone().unwrap_or_else(|| place::beside("jitlink"));
    if !jitlink.exists() {
        return Err(format!("{} is missing: build the command in the same profile", jitlink.display()));
    }
    let in_memory = |threads: usize| Way {
        title: format!("linked in memory, {threads} thread{}", if threads == 1 { "" } else { "s" }),
        program: jitlink.clone(),
        words: [&[format!("-num-threads={threads}"), "-search-sys-lib".to_owned()], words].concat(),
        starts: Vec::new(),
    };
    let native = |title: &str, program: PathBuf| Way {
        title: title.to_owned(),
        program,
        words: Vec::new(),
        starts: Vec::new(),
    };
    Ok(vec![
        native("linked natively with the archives", link("static", words)?),
        native("linked natively with libLLVM-22.so", link("dynamic", &dynamic)?),
        in_memory(1),
        in_memory(2),
    ])
}

fn output(way: &Way, arguments: &[&str]) -> Outcome<Vec<u8>> {
    let mut command = Command::new(&way.program);
    command.args(&way.words);
    if !arguments.is_empty() && !way.words.is_empty() {
        command.args(["-args", "program"]);
    }
    done(command.args(arguments)).map(|output| output.stdout)
}

/// From before the process is made until its `main`.
fn milliseconds_to_main(way: &Way) -> Outcome<f64> {
    let before = now();
    let text = output(way, &["start"])?;
    let at_main: i64 = String::from_utf8_lossy(&text)
        .trim()
        .parse()
        .map_err(|_| format!("{}: no time was printed", way.title))?;
    Ok((at_main - before) as f64 / 1e6)
}

/// Nanoseconds of the clock that all processes share.
#[allow(unsafe_code)]
fn now() -> i64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: writes the structure given.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time) };
    time.tv_sec * 1_000_000_000 + time.tv_nsec
}

fn done(command: &mut Command) -> Outcome<Output> {
    let name = Path::new(command.get_program()).display().to_string();
    let output = command.output().map_err(|error| format!("{name}: {error}"))?;
    if output.status.success() {
        return Ok(output);
    }
    Err(format!("{name} failed: {}", String::from_utf8_lossy(&output.stderr)))
}

fn table(ways: &[Way]) -> String {
    let median = |way: &Way| {
        let mut starts = way.starts.clone();
        starts.sort_by(f64::total_cmp);
        starts.get(starts.len() / 2).copied().unwrap_or(f64::NAN)
    };
    let dynamic = median(&ways[1]);
    let mut text =
        "| a C program over the LLVM-C API | ms to `main` | / with libLLVM-22.so |\n|---|---:|---:|\n"
            .to_owned();
    for way in ways {
        let time = median(way);
        // Writing to a string cannot fail.
        let _ = writeln!(text, "| {} | {time:.1} | {:.2} |", way.title, time / dynamic);
    }
    text
}
