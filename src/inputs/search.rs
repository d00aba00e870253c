//! Where libraries are: `-L` directories, then the system's, for `-lNAME` and `-l:FILE`.

mod system;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use crate::base::{Error, Result};
use crate::inputs::linker_script::ScriptInput;
use crate::inputs::{InputKind, classify};

/// Which form of a library is taken when a directory holds several.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Preference {
    /// A shared library; an archive where there is none.
    #[default]
    SharedFirst,
    /// An archive; a shared library where there is none.
    StaticFirst,
    /// Archives only.
    StaticOnly,
}

impl Preference {
    /// File extensions in order of preference.
    fn extensions(self) -> &'static [&'static str] {
        match self {
            Self::SharedFirst => &["so", "tbd", "dylib", "a"],
            Self::StaticFirst => &["a", "so", "tbd", "dylib"],
            Self::StaticOnly => &["a"],
        }
    }
}

/// The directories searched for libraries.
#[derive(Debug, Default)]
pub struct LibrarySearch {
    dirs: Vec<PathBuf>,
    search_system: bool,
    system_dirs: OnceLock<Vec<PathBuf>>,
    machine: Option<u16>,
}

impl LibrarySearch {
    /// A search of no directory.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a directory after those given so far, and before the system's.
    pub fn add_dir(&mut self, dir: impl Into<PathBuf>) {
        self.dirs.push(dir.into());
    }

    /// Whether the system's directories are searched too: those of the C library, of the dynamic loader's
    /// configuration and of gcc.
    pub fn search_system(&mut self, yes: bool) {
        self.search_system = yes;
    }

    /// Passes over shared libraries that are not for this ELF machine.
    pub fn only_machine(&mut self, machine: u16) {
        self.machine = Some(machine);
    }

    /// All directories in the order of search.
    pub fn dirs(&self) -> impl Iterator<Item = &Path> {
        let system: &[PathBuf] = if self.search_system { self.system() } else { &[] };
        self.dirs.iter().chain(system).map(PathBuf::as_path)
    }

    fn system(&self) -> &[PathBuf] {
        self.system_dirs.get_or_init(system::directories)
    }

    /// The file for `-lname`. A name that starts with a colon is the file's whole name.
    ///
    /// # Errors
    /// No directory has it: names the directories, what was passed over, and what is there that looks like it.
    pub fn find(&self, name: &str, preference: Preference) -> Result<PathBuf> {
        let candidates: Vec<String> = match name.strip_prefix(':') {
            Some(file) => vec![file.to_owned()],
            None => preference.extensions().iter().map(|ext| format!("lib{name}.{ext}")).collect(),
        };
        let mut passed_over = Vec::new();
        for path in self.dirs().flat_map(|dir| candidates.iter().map(|file| dir.join(file))) {
            match self.judge(&path) {
                Verdict::Take => return Ok(path),
                Verdict::Foreign => passed_over.push(path),
                Verdict::Missing => {}
            }
        }
        Err(self.not_found(name, &candidates, &passed_over))
    }

    /// The file for an input that a linker script in `script_dir` names.
    ///
    /// # Errors
    /// As [`LibrarySearch::find`].
    pub fn find_script_input(
        &self,
        input: &ScriptInput,
        script_dir: &Path,
        preference: Preference,
    ) -> Result<PathBuf> {
        let path = match input {
            ScriptInput::Library(name) => return self.find(name, preference),
            ScriptInput::Path(path) => Path::new(path),
        };
        if path.is_absolute() {
            return Ok(path.to_owned());
        }
        let places = [Path::new(""), script_dir].into_iter().chain(self.dirs());
        let found = places.map(|dir| dir.join(path)).find(|path| path.is_file());
        found.ok_or_else(|| {
            let name = path.to_string_lossy();
            self.not_found(&format!(":{name}"), &[name.to_string()], &[])
        })
    }

    fn judge(&self, path: &Path) -> Verdict {
        if !path.is_file() {
            return Verdict::Missing;
        }
        let Some(wanted) = self.machine else { return Verdict::Take };
        match read_kind(path) {
            Some(InputKind::ElfShared { machine }) if machine != wanted => Verdict::Foreign,
            Some(InputKind::Elf32 { .. } | InputKind::ElfX32 | InputKind::ElfBigEndian) => Verdict::Foreign,
            _ => Verdict::Take,
        }
    }

    #[cold]
    fn not_found(&self, name: &str, candidates: &[String], passed_over: &[PathBuf]) -> Error {
        let mut what = format!("library -l{name} not found: no {}", candidates.join(" or "));
        match self.dirs().map(|dir| dir.display().to_string()).collect::<Vec<_>>().as_slice() {
            [] => what.push_str("; there is no directory to search"),
            dirs => _ = write!(what, " in {}", dirs.join(", ")),
        }
        for path in passed_over {
            _ = write!(what, "; passed over {}, which is for another machine", path.display());
        }
        let near = self.near_misses(name);
        let help = if near.is_empty() {
            let system = if self.search_system { "" } else { ", or the system's with -search-sys-lib" };
            format!("give its directory with -L{system}")
        } else {
            format!("did you mean {}?", near.join(" or "))
        };
        Error::invalid(what, Some(&help))
    }

    /// Arguments that would find a library with a similar name, the most similar first: at most four.
    fn near_misses(&self, name: &str) -> Vec<String> {
        let wanted = name.strip_prefix(':').unwrap_or(name);
        let wanted = wanted.strip_prefix("lib").filter(|_| name.starts_with(':')).unwrap_or(wanted);
        let stem = wanted.split(".so").next().and_then(|stem| stem.split(".a").next()).unwrap_or(wanted);
        let mut found = Vec::new();
        let entries = self.dirs().filter_map(|dir| std::fs::read_dir(dir).ok()).flatten().flatten();
        for file in entries.filter_map(|entry| entry.file_name().into_string().ok()) {
            let Some((library, rest)) = split_library_name(&file) else { continue };
            let distance = edit_distance(stem, library);
            if distance <= stem.len().min(6) / 3 {
                let exact = rest == ".so" || rest == ".a";
                let argument = if exact { format!("-l{library}") } else { format!("-l:{file}") };
                found.push((distance, !exact, argument));
            }
        }
        found.sort();
        found.dedup();
        found
            .into_iter()
            .map(|(_, _, argument)| argument)
            .filter(|a| *a != format!("-l{name}"))
            .take(4)
            .collect()
    }
}

enum Verdict {
    Take,
    Foreign,
    Missing,
}

/// What a file is, from no more than its header.
fn read_kind(path: &Path) -> Option<InputKind> {
    use std::io::Read as _;
    let mut header = [0; 64];
    let mut file = std::fs::File::open(path).ok()?;
    let length = file.read(&mut header).ok()?;
    header.get(..length).map(classify)
}

/// `libfoo.so.6` as `foo` and `.so.6`.
fn split_library_name(file: &str) -> Option<(&str, &str)> {
    let name = file.strip_prefix("lib")?;
    let end = name.find(".so").or_else(|| name.strip_suffix(".a").map(str::len))?;
    name.split_at_checked(end)
}

/// How many bytes must be put in, left out or changed to make one from the other.
fn edit_distance(a: &str, b: &str) -> usize {
    if a.len().abs_diff(b.len()) > 2 {
        return usize::MAX;
    }
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (cell, y) in row.iter_mut().skip(1).zip(b.bytes()) {
            let changed = diagonal + usize::from(x != y);
            diagonal = *cell;
            left = changed.min(left + 1).min(*cell + 1);
            *cell = left;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inputs::testing::{Tools, clang};

    fn search(tools: &Tools, dirs: &[&str]) -> LibrarySearch {
        let mut search = LibrarySearch::new();
        dirs.iter().for_each(|dir| search.add_dir(tools.path(dir)));
        search
    }

    #[test]
    fn directories_come_before_forms() {
        let tools = Tools::new();
        for file in ["a/libx.a", "b/libx.so", "b/libx.a", "b/liby.a", "b/libexact.so.3"] {
            tools.write(file, "x");
        }
        let search = search(&tools, &["a", "b"]);
        let find = |name, preference| search.find(name, preference).unwrap();
        assert_eq!(find("x", Preference::SharedFirst), tools.path("a/libx.a"));
        assert_eq!(find("y", Preference::SharedFirst), tools.path("b/liby.a"));
        assert_eq!(find(":libexact.so.3", Preference::SharedFirst), tools.path("b/libexact.so.3"));
        let search = self::search(&tools, &["b", "a"]);
        let find = |name, preference| search.find(name, preference).unwrap();
        assert_eq!(find("x", Preference::SharedFirst), tools.path("b/libx.so"));
        assert_eq!(find("x", Preference::StaticFirst), tools.path("b/libx.a"));
        assert_eq!(find("x", Preference::StaticOnly), tools.path("b/libx.a"));
    }

    #[test]
    fn a_missing_library_names_the_directories_and_what_is_similar() {
        let tools = Tools::new();
        tools.write("a/libcurses.so.6", "x");
        tools.write("a/libsquare.a", "x");
        let search = search(&tools, &["a", "missing"]);
        let error = |name| search.find(name, Preference::SharedFirst).unwrap_err().to_string();
        let dir = tools.path("a").display().to_string();
        let missing = tools.path("missing").display().to_string();
        let expected = format!(
            "library -lsqare not found: no libsqare.so or libsqare.tbd or libsqare.dylib or libsqare.a in {dir}, {missing}"
        );
        assert_eq!(error("sqare"), format!("{expected}; did you mean -lsquare?"));
        assert!(error("curses").ends_with("; did you mean -l:libcurses.so.6?"), "{}", error("curses"));
        assert!(error("unlike").contains("give its directory with -L, or the system's with -search-sys-lib"));
        assert!(error(":libcurses.so.5").ends_with("did you mean -l:libcurses.so.6?"));
        let none = LibrarySearch::new().find("x", Preference::StaticOnly).unwrap_err().to_string();
        assert!(none.contains("no libx.a; there is no directory to search"), "{none}");
    }

    #[test]
    fn the_systems_directories_have_the_c_library() {
        let mut search = LibrarySearch::new();
        assert!(search.find("c", Preference::SharedFirst).is_err());
        search.search_system(true);
        assert!(search.find("c", Preference::SharedFirst).unwrap().ends_with("libc.so"));
        assert!(search.find("gcc_s", Preference::SharedFirst).is_ok(), "in gcc's own directory");
        assert!(search.find("c", Preference::StaticOnly).unwrap().ends_with("libc.a"));
    }

    #[test]
    fn libraries_for_another_machine_are_passed_over() {
        let tools = Tools::new();
        tools.write("x.c", "int x;");
        tools.write("a/dir", "");
        tools.write("b/dir", "");
        let arm =
            ["x.c", "--target=aarch64-linux-gnu", "-shared", "-nostdlib", "-fuse-ld=lld", "-o", "a/libx.so"];
        tools.run(&clang(), &arm);
        tools.run(&clang(), &["x.c", "-shared", "-fPIC", "-o", "b/libx.so"]);
        let mut search = search(&tools, &["a"]);
        search.only_machine(62);
        let error = search.find("x", Preference::SharedFirst).unwrap_err().to_string();
        assert!(error.contains("a/libx.so, which is for another machine"), "{error}");
        search.add_dir(tools.path("b"));
        assert_eq!(search.find("x", Preference::SharedFirst).unwrap(), tools.path("b/libx.so"));
    }

    #[test]
    fn inputs_of_scripts_are_found_beside_the_script_or_in_the_directories() {
        let tools = Tools::new();
        tools.write("s/beside.o", "x");
        tools.write("l/far.o", "x");
        tools.write("l/libm.a", "x");
        let search = search(&tools, &["l"]);
        let find =
            |input: ScriptInput| search.find_script_input(&input, &tools.path("s"), Preference::SharedFirst);
        let path = |name: &str| find(ScriptInput::Path(name.into()));
        assert_eq!(path("beside.o").unwrap(), tools.path("s/beside.o"));
        assert_eq!(path("far.o").unwrap(), tools.path("l/far.o"));
        assert_eq!(find(ScriptInput::Library("m".into())).unwrap(), tools.path("l/libm.a"));
        assert_eq!(path("/abs/x.so").unwrap(), Path::new("/abs/x.so"));
        assert!(path("none.o").unwrap_err().to_string().contains("no none.o in"));
    }

    #[test]
    fn distances() {
        assert_eq!(edit_distance("square", "square"), 0);
        assert_eq!(edit_distance("sqare", "square"), 1);
        assert_eq!(edit_distance("ab", "ba"), 2);
        assert_eq!(edit_distance("", "ab"), 2);
        assert_eq!(edit_distance("a", "abcdef"), usize::MAX);
    }
}
