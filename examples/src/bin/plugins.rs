//! A host that loads, calls and unloads a plug-in a thousand times: each time its initialisers run, it registers itself with
//! the host, its finalisers run, and its memory is given back.
//!
//! # Safety
//! Calls the plug-in by the types that it was compiled with.
#![allow(unsafe_code)]

use jitlink::session::{Jit, ObjectBuffer};
use std::error::Error;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

const PLUGIN: &str = r#"
void host_note(int what);
static int answer;
__attribute__((constructor)) static void load(void) { answer = 41; host_note(1); }
__attribute__((destructor)) static void unload(void) { host_note(-1); }
int plugin_run(int x) { return answer + x; }
"#;

static LOADED: AtomicUsize = AtomicUsize::new(0);
static UNLOADED: AtomicUsize = AtomicUsize::new(0);

extern "C" fn host_note(what: i32) {
    let counter = if what > 0 { &LOADED } else { &UNLOADED };
    counter.fetch_add(1, Relaxed);
}

fn compile() -> Result<Vec<u8>, Box<dyn Error>> {
    let directory = tempfile::tempdir()?;
    let (source, object) = (directory.path().join("plugin.c"), directory.path().join("plugin.o"));
    std::fs::write(&source, PLUGIN)?;
    let clang = std::env::var("CC").unwrap_or_else(|_| "clang-22".to_owned());
    let status = Command::new(clang).args(["-O1", "-c", "-o"]).args([&object, &source]).status()?;
    if !status.success() {
        return Err("the plug-in does not compile".into());
    }
    Ok(std::fs::read(object)?)
}

fn mappings() -> Result<usize, std::io::Error> {
    Ok(std::fs::read_to_string("/proc/self/maps")?.lines().count())
}

fn main() -> Result<(), Box<dyn Error>> {
    const ROUNDS: usize = 1000;
    let plugin = ObjectBuffer::new("plugin.o", compile()?);
    let jit = Jit::new()?;
    jit.define("host_note", host_note as *const ())?;
    let mut before = 0;
    for round in 0..ROUNDS {
        let tracker = jit.create_tracker();
        tracker.add_object(plugin.clone())?;
        // SAFETY: this is the function's type. The result lasts no longer than this round.
        let run = unsafe { jit.get::<extern "C" fn(i32) -> i32>("plugin_run")? };
        assert_eq!(run(1), 42);
        drop(run);
        assert_eq!(tracker.remove()?.freed, 1);
        if round == ROUNDS / 10 {
            before = mappings()?;
        }
    }
    println!("loaded {} times, unloaded {} times", LOADED.load(Relaxed), UNLOADED.load(Relaxed));
    println!("mappings: {before} after a tenth of the rounds, {} at the end", mappings()?);
    assert_eq!((LOADED.load(Relaxed), UNLOADED.load(Relaxed)), (ROUNDS, ROUNDS));
    Ok(())
}
