//! A loop whose body is replaced while it runs. (`jitlink -watch FILES...` does the same to a program of yours whenever you
//! compile one of its files.)
//!
//! # Safety
//! Calls what it compiles by the types in the source.
#![allow(unsafe_code)]

use jitlink::lazy::{DataRule, ReplaceableObjects};
use jitlink::session::{Jit, ObjectBuffer};
use std::error::Error;
use std::process::Command;
use std::time::Duration;

/// The counter keeps its value from version to version. The program ends with the last one.
fn source(version: i32) -> String {
    let more = if version < 3 { "1" } else { "0" };
    format!(
        r#"
        #include <stdio.h>
        #include <unistd.h>
        static int counter;
        int body(void) {{ printf("version {version}: step %d\n", ++counter); fflush(stdout); return {more}; }}
        int loop(void) {{ while (body()) usleep(50000); return counter; }}
        "#
    )
}

fn compile(version: i32) -> Result<ObjectBuffer, Box<dyn Error>> {
    let directory = tempfile::tempdir()?;
    let (c, object) = (directory.path().join("loop.c"), directory.path().join("loop.o"));
    std::fs::write(&c, source(version))?;
    let clang = std::env::var("CC").unwrap_or_else(|_| "clang-22".to_owned());
    let status = Command::new(clang).args(["-O0", "-c", "-o"]).args([&object, &c]).status()?;
    if !status.success() {
        return Err("the loop does not compile".into());
    }
    Ok(ObjectBuffer::new("loop.o", std::fs::read(object)?))
}

fn main() -> Result<(), Box<dyn Error>> {
    let jit = Jit::new()?;
    let objects = ReplaceableObjects::new(jit.main());
    objects.add(&compile(1)?)?;
    // SAFETY: this is the function's type.
    let run = unsafe { jit.get::<extern "C" fn() -> i32>("loop")? };
    let program = std::thread::spawn(move || run());
    for version in [2, 3] {
        std::thread::sleep(Duration::from_millis(200));
        objects.replace(&compile(version)?, DataRule::Keep)?;
    }
    let steps = program.join().map_err(|_| "the loop panicked")?;
    println!("{steps} steps in all");
    assert!(steps > 3);
    Ok(())
}
