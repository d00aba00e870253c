//! Test sources that say how they are built, run and judged, in lines `//# Key: value` (`## Key: value` in assembly).
//! A line `Key[arch]: value` counts on that architecture alone, where it comes after one without.
//!
//! `tests/README.md` lists the keys.

use crate::arch::Arch;
use crate::toolchain::Compiler;

/// One file that a test source holds.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Part {
    /// File name: `a.c`.
    pub name: String,
    /// Contents.
    pub text: String,
    /// Compiler flags for this file alone.
    pub flags: Vec<String>,
}

/// An archive to build from parts.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Archive {
    /// File name: `libx.a`.
    pub name: String,
    /// Words before the first part: `thin`, `bsd`, `sym64`, `nosymtab`.
    pub options: Vec<String>,
    /// Members, by the name of their source part, or of another archive's.
    pub members: Vec<String>,
}

/// A shared library to build from parts.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Shared {
    /// File name: `libx.so`.
    pub name: String,
    /// Source parts.
    pub members: Vec<String>,
    /// Extra words for the compiler driver that links it.
    pub flags: Vec<String>,
}

/// What a test source asks for.
#[derive(Clone, Debug, Default)]
pub struct Case {
    /// The files, in order; the first carries the test's own name where no `File:` line precedes it.
    pub parts: Vec<Part>,
    /// Compilers to build with.
    pub compilers: Vec<String>,
    /// Sets of flags to build with.
    pub flags: Vec<Vec<String>>,
    /// Sets of flags to build with when everything is asked for.
    pub more_flags: Vec<Vec<String>>,
    /// Archives, in order.
    pub archives: Vec<Archive>,
    /// Shared libraries, in order.
    pub shared: Vec<Shared>,
    /// The command's words; without any, each part's object in order.
    pub inputs: Option<Vec<String>>,
    /// The native linker driver's words; without any, those of the command.
    pub native_inputs: Option<Vec<String>>,
    /// Whether the native build decides what is right.
    pub native: bool,
    /// The program's arguments.
    pub args: Vec<String>,
    /// Environment variables: name and value.
    pub env: Vec<(String, String)>,
    /// Standard input.
    pub stdin: String,
    /// Standard output, where the source states it.
    pub stdout: Option<String>,
    /// How often the linked program is run.
    pub repeat: u32,
    /// Texts that standard error must hold.
    pub stderr: Vec<String>,
    /// Texts that standard error must not hold.
    pub no_stderr: Vec<String>,
    /// Exit status, where the source states it.
    pub status: Option<i32>,
    /// The link must fail (status 1), without running anything.
    pub fails: bool,
    /// Megabytes of memory the machine must have to spare; the test is passed over elsewhere.
    pub needs_memory: u64,
    /// Whether the test makes sense on this architecture.
    pub applies: bool,
}

impl Case {
    /// Reads the source `text` of the test file `name`, as it is for `arch`.
    ///
    /// # Errors
    /// A directive is unknown or makes no sense.
    pub fn parse(name: &str, text: &str, arch: Arch) -> Result<Self, String> {
        let mut case = Self { native: true, applies: true, repeat: 1, ..Self::default() };
        let mut part = Part { name: name.to_owned(), text: String::new(), flags: Vec::new() };
        let mut part_applies = true;
        for (index, line) in text.lines().enumerate() {
            let error = |what: String| format!("{name}:{}: {what}", index + 1);
            let Some((key, value)) = directive(line) else {
                part.text.push_str(line);
                part.text.push('\n');
                continue;
            };
            let (key, applies) = restricted(key, arch).map_err(error)?;
            match key {
                "File" => {
                    case.finish(part, part_applies);
                    part = Part { name: value.to_owned(), text: String::new(), flags: Vec::new() };
                    part_applies = applies;
                }
                _ if !applies => {}
                "FileFlags" => part.flags = words(value),
                "Arch" => case.applies = Arch::from_name(value).map_err(error)? == arch,
                _ => case.set(key, value).map_err(error)?,
            }
        }
        case.finish(part, part_applies);
        Ok(case)
    }

    /// The sources that are compiled to objects, in order.
    pub fn sources(&self) -> impl Iterator<Item = &Part> {
        self.parts.iter().filter(|part| [".c", ".cpp", ".s", ".S"].iter().any(|ext| part.name.ends_with(ext)))
    }

    fn finish(&mut self, part: Part, applies: bool) {
        let head_only = self.parts.is_empty() && part.text.lines().all(is_comment_or_blank);
        if applies && !head_only {
            self.parts.push(part);
        }
    }

    fn set(&mut self, key: &str, value: &str) -> Result<(), String> {
        match key {
            "Compilers" => {
                self.compilers = alternatives(value).map(str::to_owned).collect();
                self.compilers.iter().try_for_each(|name| Compiler::from_name(name).map(|_| ()))?;
            }
            "Flags" => self.flags = alternatives(value).map(words).collect(),
            "MoreFlags" => self.more_flags = alternatives(value).map(words).collect(),
            "Archive" => self.archives.push(archive(value)?),
            "Shared" => self.shared.push(shared(value)?),
            "Inputs" => self.inputs = Some(words(value)),
            "NativeInputs" => self.native_inputs = Some(words(value)),
            "Native" => self.native = yes(value)?,
            "Args" => self.args = words(value),
            "Env" => {
                let (name, value) = value.split_once('=').ok_or("Env wants NAME=VALUE")?;
                self.env.push((name.to_owned(), value.to_owned()));
            }
            "Stdin" => push_line(&mut self.stdin, value),
            "Stdout" => push_line(self.stdout.get_or_insert_default(), value),
            "Stderr" => self.stderr.push(value.to_owned()),
            "NoStderr" => self.no_stderr.push(value.to_owned()),
            "Repeat" => self.repeat = value.parse().map_err(|_| "Repeat wants a number")?,
            "Status" => self.status = Some(value.parse().map_err(|_| "Status wants a number")?),
            "Fails" => {
                self.fails = true;
                self.native = false;
                self.stderr.push(value.to_owned());
            }
            "NeedsMemory" => self.needs_memory = value.parse().map_err(|_| "NeedsMemory wants megabytes")?,
            _ => return Err(format!("no directive is called {key}")),
        }
        Ok(())
    }
}

fn directive(line: &str) -> Option<(&str, &str)> {
    let rest = line.strip_prefix("//# ").or_else(|| line.strip_prefix("## "))?;
    let (key, value) = rest.split_once(':')?;
    Some((key, value.trim()))
}

/// The key without the architecture in brackets after it, and whether that is `arch`, or none is there.
fn restricted(key: &str, arch: Arch) -> Result<(&str, bool), String> {
    let Some((plain, name)) = key.strip_suffix(']').and_then(|key| key.split_once('[')) else {
        return Ok((key, true));
    };
    Ok((plain, Arch::from_name(name)? == arch))
}

fn is_comment_or_blank(line: &str) -> bool {
    line.trim().is_empty() || line.starts_with("//") || line.starts_with('#') && !line.starts_with("#include")
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

fn alternatives(text: &str) -> impl Iterator<Item = &str> {
    text.split('|').map(str::trim)
}

fn push_line(text: &mut String, line: &str) {
    text.push_str(line);
    text.push('\n');
}

fn yes(text: &str) -> Result<bool, String> {
    match text {
        "yes" => Ok(true),
        "no" => Ok(false),
        _ => Err("wants yes or no".to_owned()),
    }
}

fn archive(value: &str) -> Result<Archive, String> {
    let mut all = words(value).into_iter();
    let name = all.next().ok_or("Archive wants a name")?;
    let (members, options) = all.partition(|word| word.contains('.'));
    Ok(Archive { name, options, members })
}

fn shared(value: &str) -> Result<Shared, String> {
    let mut all = words(value).into_iter();
    let name = all.next().ok_or("Shared wants a name")?;
    let (flags, members) = all.partition(|word| word.starts_with('-'));
    Ok(Shared { name, members, flags })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_file_is_one_part_named_after_the_test() {
        let case = Case::parse("x.c", "//# Status: 3\nint main(void) { return 3; }\n", Arch::X86_64).unwrap();
        assert_eq!(case.parts.len(), 1);
        assert_eq!(case.parts[0].name, "x.c");
        assert_eq!(case.status, Some(3));
    }

    #[test]
    fn file_lines_split_the_source_and_a_comment_head_is_no_part() {
        let text = "// About.\n//# Flags: -O0 | -O2 -fno-pic\n//# File: a.c\nint a;\n//# File: b.c\n//# FileFlags: -O1\nint b;\n";
        let case = Case::parse("x.c", text, Arch::X86_64).unwrap();
        let names: Vec<_> = case.parts.iter().map(|part| part.name.as_str()).collect();
        assert_eq!(names, ["a.c", "b.c"]);
        assert_eq!(case.parts[1].flags, ["-O1"]);
        assert_eq!(case.flags, [vec!["-O0"], vec!["-O2", "-fno-pic"]]);
    }

    #[test]
    fn an_unknown_key_is_an_error_with_its_line() {
        assert_eq!(
            Case::parse("x.c", "\n//# Statsu: 3\n", Arch::X86_64).unwrap_err(),
            "x.c:2: no directive is called Statsu"
        );
    }

    #[test]
    fn what_is_for_one_architecture_counts_there_alone() {
        let text = "//# Flags: -O0\n//# Flags[aarch64]: -O1\n//# File[x86_64]: a.s\nret\n//# File[aarch64]: a.s\nnop\n";
        for (arch, flag, body) in [(Arch::X86_64, "-O0", "ret\n"), (Arch::Aarch64, "-O1", "nop\n")] {
            let case = Case::parse("x.c", text, arch).unwrap();
            assert_eq!(case.flags, [vec![flag]]);
            assert_eq!(case.parts.len(), 1);
            assert_eq!(case.parts[0].text, body);
            assert!(case.applies);
        }
        assert!(!Case::parse("x.c", "//# Arch: x86_64\n", Arch::Aarch64).unwrap().applies);
        let error = Case::parse("x.c", "//# Flags[vax]: -O0\n", Arch::X86_64).unwrap_err();
        assert_eq!(error, "x.c:1: no architecture is called vax");
    }
}
