//! Lines of C, each compiled by clang and linked against those before it. Definitions stay; anything else is run.
//!
//! ```sh
//! echo 'int twice(int x) { return 2 * x; }
//! printf("%d\n", twice(21));' | cargo run -p jitlink-examples --bin repl
//! ```
//!
//! # Safety
//! Runs what it is given.
#![allow(unsafe_code)]

use jitlink::session::{Jit, ObjectBuffer};
use std::error::Error;
use std::fmt::Write as _;
use std::io::BufRead;
use std::path::Path;
use std::process::Command;

/// What has been defined so far, as later lines have to know it.
#[derive(Default)]
struct Context {
    declarations: String,
    count: usize,
}

/// Whether a line defines something: a function, a variable, a type.
fn is_definition(line: &str) -> bool {
    let words =
        ["int ", "long ", "double ", "char ", "void ", "struct ", "typedef ", "static ", "enum ", "#"];
    words.iter().any(|word| line.starts_with(word))
}

/// How later lines know what a line defines.
fn declaration(line: &str) -> String {
    match (line.find('{'), line.find('=')) {
        _ if line.starts_with("struct ") && line.trim_end().ends_with("};") => line.to_owned(),
        _ if line.starts_with("typedef ") || line.starts_with("enum ") || line.starts_with('#') => {
            line.to_owned()
        }
        (Some(body), None) if line[..body].contains('(') => format!("{};", line[..body].trim_end()),
        (_, Some(value)) => format!("extern {};", line[..value].trim_end()),
        _ => format!("extern {line}"),
    }
}

fn compile(directory: &Path, text: &str) -> Result<Vec<u8>, Box<dyn Error>> {
    std::fs::write(directory.join("line.c"), text)?;
    let clang = std::env::var("CC").unwrap_or_else(|_| "clang-22".to_owned());
    let status = Command::new(clang)
        .current_dir(directory)
        .args(["-O1", "-w", "-c", "line.c", "-o", "line.o"])
        .status()?;
    if !status.success() {
        return Err("this is no C".into());
    }
    Ok(std::fs::read(directory.join("line.o"))?)
}

fn run_line(jit: &Jit, context: &mut Context, directory: &Path, line: &str) -> Result<(), Box<dyn Error>> {
    context.count += 1;
    let name = format!("line {}", context.count);
    let prelude = "#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n#include <math.h>\n";
    if is_definition(line) {
        let object = compile(directory, &format!("{prelude}{}\n{line}\n", context.declarations))?;
        jit.main().add_object(ObjectBuffer::new(name, object))?;
        writeln!(context.declarations, "{}", declaration(line))?;
        return Ok(());
    }
    let function = format!("run_line_{}", context.count);
    let text =
        format!("{prelude}{}\nvoid {function}(void) {{ {line};\n fflush(stdout); }}\n", context.declarations);
    let tracker = jit.create_tracker();
    tracker.add_object(ObjectBuffer::new(name, compile(directory, &text)?))?;
    // SAFETY: what the user typed is run as they asked.
    let run = unsafe { jit.get::<extern "C" fn()>(&function)? };
    run();
    drop(run);
    tracker.remove()?;
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let jit = Jit::new()?;
    let directory = tempfile::tempdir()?;
    let mut context = Context::default();
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        if line.trim().is_empty() {
            continue;
        }
        if let Err(error) = run_line(&jit, &mut context, directory.path(), line.trim()) {
            eprintln!("{error}");
        }
    }
    Ok(())
}
