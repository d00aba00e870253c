//! One corpus, built in a directory of its own that gets its name only when everything in it is there.

use super::Corpus;
use super::object::{Definitions, survey};
use crate::{Outcome, place};
use jitlink_test_support::process::{Outcome as Ended, run, show};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Counts up when recipes change, so that what older ones made is made again.
const VERSION: u32 = 2;
const STAMP: &str = "complete";

/// Collects the objects of a corpus.
pub(super) struct Builder {
    dir: PathBuf,
    thread_locals: bool,
    objects: Vec<(String, Definitions)>,
    left_out: Vec<LeftOut>,
}

/// An object that is not in the corpus, and why.
struct LeftOut {
    name: String,
    why: String,
}

impl Builder {
    /// Where the object called `name` is to be written.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// Adds an object file; it is left out if it cannot be in a corpus.
    pub(super) fn add(&mut self, name: &str, bytes: &[u8]) -> Outcome<()> {
        match survey(bytes, self.thread_locals).map_err(|error| format!("{name}: {error}"))? {
            Ok(definitions) => {
                let path = self.path(name);
                place::at(&path, std::fs::write(&path, bytes))?;
                self.objects.push((name.to_owned(), definitions));
            }
            Err(why) => self.left_out.push(LeftOut { name: name.to_owned(), why: why.to_owned() }),
        }
        Ok(())
    }

    /// Adds what a compiler or assembler makes of `source`.
    pub(super) fn compile(&mut self, name: &str, source: &Path, flags: &[&str]) -> Outcome<()> {
        let made = self.path("made.o");
        clang(source, &made, flags)?;
        let bytes = place::at(&made, std::fs::read(&made))?;
        place::at(&made, std::fs::remove_file(&made))?;
        self.add(name, &bytes)
    }

    /// Adds the object that assembly describes.
    pub(super) fn assemble(&mut self, name: &str, text: &str) -> Outcome<()> {
        let source = self.path("made.s");
        place::at(&source, std::fs::write(&source, text))?;
        self.compile(name, &source, &[])?;
        place::at(&source, std::fs::remove_file(&source))
    }

    /// Writes the root and the lists, and says what there is.
    fn finish(mut self, final_dir: &Path) -> Outcome<Facts> {
        let picked = pick(&self.objects);
        let mut kept = Vec::new();
        let mut references = Vec::new();
        for ((name, definitions), picked) in std::mem::take(&mut self.objects).into_iter().zip(picked) {
            match picked {
                Ok(symbol) => {
                    references.push(symbol);
                    kept.push((name, definitions));
                }
                Err(why) => {
                    let path = self.path(&name);
                    place::at(&path, std::fs::remove_file(&path))?;
                    self.left_out.push(LeftOut { name, why });
                }
            }
        }
        self.assemble("root.o", &root(&references, &kept))?;
        let names = kept.iter().map(|(name, _)| name.as_str()).chain(["root.o"]);
        let list: String = names.map(|name| format!("{}\n", final_dir.join(name).display())).collect();
        self.write("objects.rsp", &list)?;
        let left_out: String =
            self.left_out.iter().map(|out| format!("{}: {}\n", out.name, out.why)).collect();
        self.write("left-out.txt", &left_out)?;
        let mut reasons = BTreeMap::new();
        self.left_out.iter().for_each(|out| *reasons.entry(kind(&out.why)).or_insert(0) += 1);
        let facts = Facts { objects: kept.len(), left_out: reasons };
        self.write(STAMP, &facts.stamp())?;
        Ok(facts)
    }

    fn write(&self, name: &str, text: &str) -> Outcome<()> {
        let path = self.path(name);
        place::at(&path, std::fs::write(&path, text))
    }
}

/// What is left when the particulars are taken off.
fn kind(why: &str) -> String {
    why.split(':').next().unwrap_or(why).to_owned()
}

type Objects = [(String, Definitions)];

/// The root: its `main` refers to one symbol of each object, so that a linker that links what is needed only links all
/// of them. Hidden names that only objects which were left out define are defined there, too.
fn root(references: &[String], objects: &Objects) -> String {
    let mut text = String::from(
        ".text\n.globl main\n.type main, @function\nmain: leaq table(%rip), %rax\nret\n.data\n.balign 8\ntable:\n",
    );
    references.iter().for_each(|symbol| _ = writeln!(text, ".quad \"{symbol}\""));
    let all = objects.iter().map(|(_, definitions)| definitions);
    let defined: HashSet<&String> = all.clone().flat_map(|one| one.strong.iter().chain(&one.weak)).collect();
    let wanted: BTreeSet<&String> = all.flat_map(|one| &one.hidden_references).collect();
    text.push_str(".text\n");
    for name in wanted.into_iter().filter(|name| !defined.contains(name)) {
        let _ = writeln!(text, ".globl \"{name}\"\n.hidden \"{name}\"\n\"{name}\":");
    }
    text
}

/// For each object the symbol through which it is reached, or why there is none.
fn pick<'a>(objects: &'a Objects) -> Vec<Outcome<String>> {
    let mut strong: HashSet<&str> = HashSet::new();
    let mut refused = BTreeMap::new();
    for (index, (_, definitions)) in objects.iter().enumerate() {
        match definitions.strong.iter().find(|name| strong.contains(name.as_str())) {
            Some(name) => _ = refused.insert(index, format!("defines what another one defines: {name}")),
            None => strong.extend(definitions.strong.iter().map(String::as_str)),
        }
    }
    let mut weak: HashMap<&str, usize> = HashMap::new();
    let mut choose = |index: usize, definitions: &'a Definitions| {
        if let Some(why) = refused.remove(&index) {
            return Err(why);
        }
        definitions.weak.iter().for_each(|symbol| _ = weak.entry(symbol).or_insert(index));
        let owned = |symbol: &&String| weak[symbol.as_str()] == index && !strong.contains(symbol.as_str());
        let symbol = definitions.strong.first().or_else(|| definitions.weak.iter().find(owned)).cloned();
        symbol.ok_or_else(|| "defines no global name of its own".to_owned())
    };
    objects.iter().enumerate().map(|(index, (_, definitions))| choose(index, definitions)).collect()
}

/// Runs clang.
pub(super) fn clang(source: &Path, object: &Path, flags: &[&str]) -> Outcome<()> {
    let mut command = Command::new(place::llvm("clang", "clang-22")?);
    command.args(["--target=x86_64-linux-gnu", "-c"]).args(flags).arg(source).arg("-o").arg(object);
    run(&mut command, b"").and_then(Ended::success).map_err(|what| format!("{}\n{what}", show(&command)))?;
    Ok(())
}

/// Builds a corpus; what was called so before goes only when the new one is complete.
pub(super) fn build(dir: &Path, corpus: &Corpus, thread_locals: bool) -> Outcome<Facts> {
    let name = corpus.name;
    let final_dir = dir.join(name);
    let scratch = tempfile::Builder::new().prefix(&format!(".{name}-")).tempdir_in(dir);
    let scratch = place::at(dir, scratch)?;
    let (objects, left_out) = (Vec::new(), Vec::new());
    let mut builder = Builder { dir: scratch.path().to_path_buf(), thread_locals, objects, left_out };
    (corpus.make)(&mut builder)?;
    let facts = builder.finish(&final_dir)?;
    if final_dir.exists() {
        place::at(&final_dir, std::fs::remove_dir_all(&final_dir))?;
    }
    let made = scratch.keep();
    place::at(&made, std::fs::rename(&made, &final_dir))?;
    Ok(facts)
}

/// What a complete corpus holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Facts {
    /// Objects, without the root.
    pub(crate) objects: usize,
    /// How many objects were left out, by reason.
    pub(crate) left_out: BTreeMap<String, usize>,
}

impl Facts {
    fn stamp(&self) -> String {
        let reasons = self.left_out.iter().map(|(why, count)| format!("{count} {why}\n"));
        format!("version {VERSION}\n{}\n{}", self.objects, reasons.collect::<String>())
    }

    fn from_stamp(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        if lines.next()? != format!("version {VERSION}") {
            return None;
        }
        let objects = lines.next()?.parse().ok()?;
        let reason = |line: &str| {
            let (count, why) = line.split_once(' ')?;
            Some((why.to_owned(), count.parse().ok()?))
        };
        Some(Self { objects, left_out: lines.map(reason).collect::<Option<_>>()? })
    }
}

impl std::fmt::Display for Facts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} objects", self.objects)?;
        self.left_out.iter().try_for_each(|(why, count)| write!(f, "; left out: {count} ({why})"))
    }
}

/// The facts about the corpus `name` in `dir` if it is complete, and made by the recipe of this version.
pub(crate) fn ready(dir: &Path, name: &str) -> Option<Facts> {
    Facts::from_stamp(&std::fs::read_to_string(dir.join(name).join(STAMP)).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn corpus(make: fn(&mut Builder) -> Outcome<()>) -> Corpus {
        Corpus { name: "sample", title: "", make }
    }

    fn two_functions(builder: &mut Builder) -> Outcome<()> {
        builder.assemble("one.o", ".globl f\nf: ret\n")?;
        builder.assemble("two.o", ".weak f, g\nf: ret\ng: ret\n.hidden gone\n.globl gone\n.quad gone\n")?;
        builder.assemble("again.o", ".globl f\nf: ret\n")?;
        builder.assemble("local.o", "h: ret\n")?;
        builder.assemble("thread.o", ".section .tbss,\"awT\",@nobits\n.globl t\nt: .zero 8\n")
    }

    #[test]
    fn what_cannot_be_reached_is_left_out_and_counted() {
        let dir = tempfile::tempdir().unwrap();
        let facts = build(dir.path(), &corpus(two_functions), false).unwrap();
        assert_eq!(ready(dir.path(), "sample"), Some(facts.clone()));
        assert_eq!(facts.objects, 2);
        let reasons: Vec<_> = facts.left_out.iter().map(|(why, count)| (why.as_str(), *count)).collect();
        let expected = [
            ("defines no global name of its own", 1),
            ("defines what another one defines", 1),
            ("has thread-locals", 1),
        ];
        assert_eq!(reasons, expected);
        let list = std::fs::read_to_string(dir.path().join("sample/objects.rsp")).unwrap();
        let paths: Vec<&Path> = list.lines().map(Path::new).collect();
        assert!(paths.iter().all(|path| path.exists()), "{list}");
        let names: Vec<_> = paths.iter().filter_map(|path| path.file_name()?.to_str()).collect();
        assert_eq!(names, ["one.o", "two.o", "root.o"]);
    }

    #[test]
    fn root_reaches_each_object_and_defines_what_is_gone() {
        let dir = tempfile::tempdir().unwrap();
        build(dir.path(), &corpus(two_functions), false).unwrap();
        let root = std::fs::read(dir.path().join("sample/root.o")).unwrap();
        let definitions = survey(&root, false).unwrap().unwrap();
        assert_eq!(definitions.strong, ["main", "gone"]);
        for name in [&b"\0f\0"[..], b"\0g\0"] {
            assert!(root.windows(3).any(|bytes| bytes == name));
        }
    }

    #[test]
    fn failed_generation_leaves_nothing_to_measure() {
        let dir = tempfile::tempdir().unwrap();
        let failing: fn(&mut Builder) -> Outcome<()> = |builder| {
            builder.assemble("one.o", ".globl f\nf: ret\n")?;
            Err("the rest is missing".to_owned())
        };
        assert_eq!(build(dir.path(), &corpus(failing), false), Err("the rest is missing".to_owned()));
        assert_eq!(ready(dir.path(), "sample"), None);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
