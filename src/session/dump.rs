//! What a session holds, as text.

use super::flags::JitSymbolFlags;
use super::names::display;
use super::session::ExecutionSession;
use super::unit::Stage;
use super::{JitDylib, Visibility};
use std::fmt::Write;

impl ExecutionSession {
    /// The dylibs with their link orders and symbols: address, facts, and how far the unit that defines each has come.
    #[must_use]
    pub fn describe(&self) -> String {
        let mut text = String::new();
        for dylib in self.dylibs() {
            // Writing to a string cannot fail.
            let _ = self.describe_dylib(&mut text, &dylib);
        }
        text
    }

    fn describe_dylib(&self, text: &mut String, dylib: &JitDylib) -> std::fmt::Result {
        writeln!(text, "JITDylib \"{}\"", dylib.name())?;
        let order: Vec<_> = dylib.link_order().iter().map(|(dylib, v)| link(dylib, *v)).collect();
        writeln!(text, "Link order: [ {} ]", order.join(", "))?;
        writeln!(text, "Symbol table:")?;
        let mut entries = Vec::new();
        dylib.inner.table.for_each(|entry| entries.push(entry.clone()));
        entries.sort_unstable_by(|a, b| a.name.bytes().cmp(b.name.bytes()));
        let state = self.lock();
        for entry in entries {
            write!(text, "    \"{}\": ", display(entry.name.bytes()))?;
            match entry.ready {
                true => write!(text, "{:#018x}", entry.address)?,
                false => write!(text, "<not resolved>")?,
            }
            write!(text, " {}", facts(entry.flags))?;
            match state.units.get(entry.unit) {
                Some(unit) => writeln!(text, " {} ({})", stage(&unit.stage, entry.ready), unit.name)?,
                None => writeln!(text)?,
            }
        }
        Ok(())
    }
}

fn link(dylib: &JitDylib, visibility: Visibility) -> String {
    let symbols = match visibility {
        Visibility::All => "all symbols",
        Visibility::Exported => "exported symbols",
    };
    format!("(\"{}\", {symbols})", dylib.name())
}

fn facts(flags: JitSymbolFlags) -> String {
    let named = [
        (JitSymbolFlags::CALLABLE, "[Callable]"),
        (JitSymbolFlags::ABSOLUTE, "[Absolute]"),
        (JitSymbolFlags::WEAK, "[Weak]"),
        (JitSymbolFlags::COMMON, "[Common]"),
        (JitSymbolFlags::THREAD_LOCAL, "[Thread-local]"),
        (JitSymbolFlags::SIDE_EFFECTS_ONLY, "[Side effects only]"),
    ];
    let mut text: String =
        if flags.contains(JitSymbolFlags::CALLABLE) { String::new() } else { "[Data]".into() };
    text.extend(named.iter().filter(|(flag, _)| flags.contains(*flag)).map(|(_, name)| *name));
    if !flags.contains(JitSymbolFlags::EXPORTED) {
        text.push_str("[Hidden]");
    }
    text
}

fn stage(stage: &Stage, ready: bool) -> &'static str {
    match stage {
        _ if ready => "Ready",
        Stage::Waiting => "Waiting",
        Stage::Compiling(_) | Stage::Linking(_) => "Materializing",
        Stage::Ready => "Ready",
        Stage::Failed(_) => "Failed",
    }
}
