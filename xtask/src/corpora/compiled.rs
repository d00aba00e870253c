//! SQLite, from the crate that carries its source.

use super::build::Builder;
use crate::Outcome;
use jitlink_test_support::corpus::crate_dir;

pub(super) fn sqlite(builder: &mut Builder) -> Outcome<()> {
    compile(builder, &[])
}

pub(super) fn sqlite_sections(builder: &mut Builder) -> Outcome<()> {
    compile(builder, &["-ffunction-sections", "-fdata-sections"])
}

fn compile(builder: &mut Builder, more: &[&str]) -> Outcome<()> {
    let source = crate_dir("libsqlite3-sys")?.join("sqlite3/sqlite3.c");
    let flags: Vec<&str> = ["-O2", "-fPIC", "-w"].into_iter().chain(more.iter().copied()).collect();
    builder.compile("sqlite3.o", &source, &flags)
}
