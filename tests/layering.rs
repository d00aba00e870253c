//! Fails when a module imports what its room may not. The table is the one in DESIGN.md, "Rooms".

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use std::path::{Path, PathBuf};
use syn::visit::{self, Visit};

/// Every room with the rooms it may import besides itself.
const ROOMS: &[(&str, &[&str])] = &[
    ("base", &[]),
    ("sys", &["base"]),
    ("graph", &["base"]),
    ("arch", &["base", "graph"]),
    ("formats", &["base", "graph", "arch"]),
    ("passes", &["base", "graph", "arch"]),
    ("alloc", &["base", "sys", "graph"]),
    ("link", &["base", "graph", "arch", "formats", "passes", "alloc"]),
    ("inputs", &["base", "sys", "graph", "formats", "link"]),
    ("runtime", &["base", "sys"]),
    ("debug", &["base", "graph", "formats", "link"]),
    ("host", ALL_ABOVE),
    ("session", ALL_ABOVE),
    ("lazy", ALL_ABOVE),
    ("remote", ALL_ABOVE),
];

/// In [`ROOMS`]: the room may import every room before it.
const ALL_ABOVE: &[&str] = &["*"];

/// Folders that do not import each other, although they are in one room.
const STRANGERS: &[[&[&str]; 2]] =
    &[[&["formats", "elf"], &["formats", "macho"]], [&["arch", "x86_64"], &["arch", "aarch64"]]];

/// Crates that know file formats, which these rooms do not; tests may, to make their inputs.
const FORMAT_CRATES: &[&str] = &["object", "goblin"];
const FORMAT_NEUTRAL: &[&str] = &["base", "graph", "arch", "passes", "alloc", "runtime"];

/// Architectures, and the rooms that may name one: all others go by the tables that these have.
const ARCHITECTURES: &[&str] = &["X86_64", "Aarch64"];
const ARCHITECTURES_KNOWN: &[&str] = &["arch", "formats"];

/// What of these crates is used all the same, and where: relocation tables are viewed in place.
const EXCEPTIONS: &[(&str, &str)] = &[("graph", "object::LittleEndian"), ("graph", "object::elf::Rela64")];

#[test]
fn modules_import_only_what_their_room_may() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut modules = vec![Module { path: Vec::new(), file: root.join("lib.rs"), test: false }];
    let mut faults = Vec::new();
    let mut count = 0;
    while let Some(module) = modules.pop() {
        let text = std::fs::read_to_string(&module.file).unwrap_or_else(|e| panic!("{:?}: {e}", module.file));
        let file = syn::parse_file(&text).unwrap_or_else(|e| panic!("{:?}: {e}", module.file));
        let imports = imports(&file, &module);
        for fault in imports.paths.iter().filter_map(Import::fault) {
            faults.push(format!("{}: {fault}", module.file.strip_prefix(&root).unwrap().display()));
        }
        modules.extend(imports.modules);
        count += 1;
    }
    assert!(count > 20, "only {count} modules were found");
    assert!(faults.is_empty(), "imports against DESIGN.md, \"Rooms\":\n{}", faults.join("\n"));
}

#[test]
fn the_design_document_has_the_same_table() {
    let design = include_str!("../DESIGN.md");
    let row = |line: &str| {
        let cells: Vec<_> =
            line.strip_prefix("| `")?.trim_end_matches(" |").split(" | ").map(str::to_owned).collect();
        let [room, _, may] = &cells[..] else { return None };
        Some((room.strip_suffix('`')?.to_owned(), may.clone()))
    };
    let rooms = design.split("## Rooms").nth(1).and_then(|rest| rest.split("\n## ").next()).unwrap();
    let documented: Vec<_> = rooms.lines().filter_map(row).collect();
    let words = |may: &[&str]| match may {
        [] => "-".to_owned(),
        may if may == ALL_ABOVE => "all above".to_owned(),
        may => may.join(", "),
    };
    let here: Vec<_> = ROOMS.iter().map(|(room, may)| ((*room).to_owned(), words(may))).collect();
    assert_eq!(documented, here);
}

/// A module to be read.
#[derive(Clone, Debug)]
struct Module {
    path: Vec<String>,
    file: PathBuf,
    /// Whether it is compiled for tests only.
    test: bool,
}

impl Module {
    /// The file of its child `name`, which may be given by a `path` attribute.
    fn child(&self, inline: &[String], name: &str, given: Option<String>) -> PathBuf {
        if let Some(given) = given {
            return self.file.with_file_name(given);
        }
        let mut folder = match self.file.file_stem().and_then(|stem| stem.to_str()) {
            Some("lib" | "mod") => self.file.with_file_name(""),
            _ => self.file.with_extension(""),
        };
        folder.extend(inline);
        let flat = folder.join(format!("{name}.rs"));
        if flat.exists() { flat } else { folder.join(name).join("mod.rs") }
    }
}

/// A path that a module names, from the crate's root on, or from another crate's name on.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Import {
    by: Vec<String>,
    path: Vec<String>,
    /// The path starts in this crate.
    own: bool,
    test: bool,
}

impl Import {
    /// What is wrong with it, if anything.
    fn fault(&self) -> Option<String> {
        let room = self.by.first()?;
        let text = self.path.join("::");
        if let [.., kind, name] = &self.path[..]
            && kind == "Architecture"
            && ARCHITECTURES.contains(&name.as_str())
            && !self.test
            && !ARCHITECTURES_KNOWN.contains(&room.as_str())
        {
            return Some(format!("{room} is the same for all architectures, but names {text}"));
        }
        if !self.own {
            let known = FORMAT_CRATES.contains(&self.path.first()?.as_str());
            let excused = self.test || EXCEPTIONS.contains(&(room, &text));
            let fault = known && !excused && FORMAT_NEUTRAL.contains(&room.as_str());
            return fault.then(|| format!("{room} knows no file format, but names {text}"));
        }
        let Some((_, may)) = ROOMS.iter().find(|(name, _)| name == room) else {
            return Some(format!("{room} is no room"));
        };
        let Some(target) = self.path.first() else {
            return Some("names the crate's root as a whole: name the room".into());
        };
        let Some(position) = ROOMS.iter().position(|(name, _)| name == target) else {
            return Some(format!("names crate::{text} past the rooms: name its room"));
        };
        let above = || ROOMS[position..].iter().any(|(name, _)| name == room);
        let granted = room == target || may.contains(&target.as_str()) || (*may == ALL_ABOVE && above());
        if !granted {
            return Some(format!("{room} may not import {target}, but names crate::{text}"));
        }
        let stranger = |[a, b]: &[&[&str]; 2]| {
            let pairs = [(a, b), (b, a)];
            pairs.iter().any(|(from, to)| starts_with(&self.by, from) && starts_with(&self.path, to))
        };
        STRANGERS.iter().any(stranger).then(|| format!("{} may not name crate::{text}", self.by.join("::")))
    }
}

fn starts_with(path: &[String], prefix: &[&str]) -> bool {
    path.len() >= prefix.len() && path.iter().zip(prefix).all(|(a, b)| a == b)
}

/// What a file names, and which files it makes modules of.
struct Imports<'a> {
    file: &'a Module,
    inline: Vec<String>,
    test: bool,
    paths: Vec<Import>,
    modules: Vec<Module>,
}

fn imports<'a>(file: &syn::File, module: &'a Module) -> Imports<'a> {
    let (inline, paths, modules) = (Vec::new(), Vec::new(), Vec::new());
    let mut imports = Imports { file: module, inline, test: module.test, paths, modules };
    imports.visit_file(file);
    imports
}

impl Imports<'_> {
    /// The module being read.
    fn here(&self) -> Vec<String> {
        self.file.path.iter().chain(&self.inline).cloned().collect()
    }

    /// Notes a path as it is written.
    fn add(&mut self, written: &[String]) {
        let Some(first) = written.first() else { return };
        let mut path = match first.as_str() {
            "crate" => Vec::new(),
            "self" | "super" => self.here(),
            _ => {
                let (by, path) = (self.here(), written.to_vec());
                return self.paths.push(Import { by, path, own: false, test: self.test });
            }
        };
        for segment in written {
            match segment.as_str() {
                "crate" | "self" => {}
                "super" => drop(path.pop()),
                name => path.push(name.to_owned()),
            }
        }
        self.paths.push(Import { by: self.here(), path, own: true, test: self.test });
    }

    fn add_use(&mut self, prefix: &mut Vec<String>, tree: &syn::UseTree) {
        let length = prefix.len();
        match tree {
            syn::UseTree::Path(path) => {
                prefix.push(path.ident.to_string());
                self.add_use(prefix, &path.tree);
            }
            syn::UseTree::Name(name) => {
                prefix.push(name.ident.to_string());
                self.add(prefix);
            }
            syn::UseTree::Rename(rename) => {
                prefix.push(rename.ident.to_string());
                self.add(prefix);
            }
            syn::UseTree::Glob(_) => self.add(prefix),
            syn::UseTree::Group(group) => group.items.iter().for_each(|tree| self.add_use(prefix, tree)),
        }
        prefix.truncate(length);
    }

    /// Notes the paths of this crate in what a macro is given or stands for.
    fn add_tokens(&mut self, prefix: &[String], tokens: TokenStream) {
        let mut written = prefix.to_vec();
        let mut colons = 2;
        for token in tokens {
            match token {
                TokenTree::Punct(punct) if punct.as_char() == ':' => colons += 1,
                TokenTree::Ident(ident) if colons == 2 && !written.is_empty() => {
                    written.push(ident.to_string());
                    colons = 0;
                }
                TokenTree::Group(group) if colons == 2 && group.delimiter() == Delimiter::Brace => {
                    self.add_tokens(&written, group.stream());
                    (written, colons) = (prefix.to_vec(), 2);
                }
                token => {
                    self.add_written(prefix, &written);
                    (written, colons) = (prefix.to_vec(), if prefix.is_empty() { 0 } else { 2 });
                    match token {
                        TokenTree::Ident(ident) if ident == "crate" || ident == "super" => {
                            (written, colons) = (vec![ident.to_string()], 0);
                        }
                        TokenTree::Group(group) => self.add_tokens(&[], group.stream()),
                        _ => {}
                    }
                }
            }
        }
        self.add_written(prefix, &written);
    }

    fn add_written(&mut self, prefix: &[String], written: &[String]) {
        // In a macro a single `crate` is the one of `pub(crate)`.
        if written.len() > prefix.len().max(1) {
            self.add(written);
        }
    }
}

impl<'ast> Visit<'ast> for Imports<'_> {
    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        let name = item.ident.to_string();
        let test = self.test || item.attrs.iter().any(is_cfg_test);
        if item.content.is_none() {
            let file = self.file.child(&self.inline, &name, item.attrs.iter().find_map(given_path));
            let path = self.here().into_iter().chain([name]).collect();
            return self.modules.push(Module { path, file, test });
        }
        let outside = std::mem::replace(&mut self.test, test);
        self.inline.push(name);
        visit::visit_item_mod(self, item);
        self.inline.pop();
        self.test = outside;
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.add_use(&mut Vec::new(), &item.tree);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let written: Vec<_> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        // A path of one segment names something in scope; so does `self`.
        if written.len() > 1 {
            self.add(&written);
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, item: &'ast syn::Macro) {
        self.visit_path(&item.path);
        self.add_tokens(&[], item.tokens.clone());
    }

    /// `pub(in path)` names a module around this one and imports nothing.
    fn visit_visibility(&mut self, _: &'ast syn::Visibility) {}
}

fn is_cfg_test(attribute: &syn::Attribute) -> bool {
    attribute.path().is_ident("cfg")
        && attribute.parse_args::<syn::Path>().is_ok_and(|path| path.is_ident("test"))
}

/// `NAME` of `#[path = "NAME"]`.
fn given_path(attribute: &syn::Attribute) -> Option<String> {
    let pair = attribute.meta.require_name_value().ok().filter(|pair| pair.path.is_ident("path"))?;
    match &pair.value {
        syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(name), .. }) => Some(name.value()),
        _ => None,
    }
}

/// The faults of a module `by` (written with `::`) with this text.
fn faults(by: &str, text: &str) -> Vec<String> {
    let path = by.split("::").map(str::to_owned).collect();
    let module = Module { path, file: PathBuf::from("x.rs"), test: false };
    let imports = imports(&syn::parse_str(text).unwrap(), &module);
    imports.paths.iter().filter_map(Import::fault).collect()
}

#[test]
fn what_a_room_may_import_is_no_fault() {
    assert!(
        faults("link::driver", "use crate::{base::*, graph::{LinkGraph, Block as B}, passes};").is_empty()
    );
    assert!(
        faults("graph::edit", "use super::edge; pub(in crate::graph) fn f() { super::super::base::g() }")
            .is_empty()
    );
    assert!(faults("host", "use crate::{runtime, inputs, sys, debug};").is_empty());
    assert!(faults("graph", "use object::elf::Rela64; use std::fmt;").is_empty());
    assert!(
        faults("passes", "#[cfg(test)] mod tests { use object::read; use super::super::base; }").is_empty()
    );
}

#[test]
fn every_way_to_name_a_room_is_seen() {
    for text in [
        "use crate::link::Linked;",
        "use crate::{base::Error, link::{Linked, LinkOptions}};",
        "pub use super::super::link;",
        "fn f() -> crate::link::Linked { loop {} }",
        "fn f() { crate::link::link(); }",
        "fn f() { assert_eq!(1, crate::link::COUNT + 1); }",
        "fn f() { vec![Some(super::super::link::COUNT)]; }",
        "macro_rules! m { () => { $crate::link::f() }; }",
        "macro_rules! m { () => { use crate::{base::Error, link}; }; }",
        "mod inner { use super::super::super::link; }",
        "impl crate::link::Resolver for X {}",
        "fn f(x: &dyn crate::link::Resolver) {}",
    ] {
        let faults = faults("graph::edit", text);
        let seen = |fault: &String| fault.starts_with("graph may not import link, but names crate::link");
        assert!(!faults.is_empty() && faults.iter().all(seen), "{text}: {faults:?}");
    }
}

#[test]
fn other_rules_are_kept() {
    for (by, text, fault) in [
        ("graph", "use crate::LinkGraph;", "graph: names crate::LinkGraph past the rooms"),
        ("graph", "use super::*;", "names the crate's root as a whole"),
        ("formats::elf::build", "use crate::formats::macho::X;", "formats::elf::build may not name"),
        ("arch::aarch64", "use super::x86_64::KINDS;", "arch::aarch64 may not name"),
        ("arch::x86_64", "use object::elf;", "arch knows no file format, but names object::elf"),
        (
            "link::mark",
            "fn f(a: A) -> bool { a == Architecture::Aarch64 }",
            "link is the same for all architectures, but names Architecture::Aarch64",
        ),
        ("passes", "fn f(x: goblin::mach::X) {}", "passes knows no file format"),
        ("graph", "use object::elf::Sym64;", "graph knows no file format"),
        ("cellar", "use crate::base::Error;", "cellar is no room"),
        ("session", "use crate::lazy::X;", "session may not import lazy"),
    ] {
        let faults = faults(by, text);
        let fault = fault.strip_prefix("graph: ").unwrap_or(fault);
        assert!(faults.len() == 1 && faults[0].contains(fault), "{text}: {faults:?}");
    }
}
