//! The plugin that looks at the linked memory: graphs, contents, addresses, symbol table, check rules.

use crate::args::{GraphFormat, Options};
use crate::check;
use crate::check::CheckedImages;
use crate::report;
use crate::show;
use jitlink::base::{Error, Result};
use jitlink::link::{LinkView, Plugin};
use regex::bytes::{Regex, RegexBuilder};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// Shows and checks what the options ask for.
#[derive(Debug)]
pub(crate) struct Inspector<'a> {
    options: &'a Options,
    graphs: Option<(Regex, GraphFormat)>,
    /// Where the image goes if its check is to wait for others.
    gathered: Option<&'a Mutex<CheckedImages>>,
}

impl<'a> Inspector<'a> {
    /// None if there is nothing to look at: links without plugins are faster.
    ///
    /// # Errors
    /// The expression for the names of graphs is malformed.
    pub(crate) fn new(options: &'a Options) -> Result<Option<Self>> {
        let graphs = match options.graphs() {
            Some(request) => Some((compile(&request.pattern)?, request.format)),
            None => None,
        };
        let wanted = graphs.is_some()
            || options.show_addrs
            || options.show_relocated_section_contents
            || options.write_symtab.is_some()
            || !options.check.is_empty();
        Ok(wanted.then_some(Self { options, graphs, gathered: None }))
    }

    /// Has rules wait until all images are there, for [`check`].
    pub(crate) fn gather(self, images: &'a Mutex<CheckedImages>) -> Self {
        Self { gathered: Some(images), ..self }
    }

    fn look(&self, view: &LinkView<'_, '_>) -> Result<()> {
        if let Some((pattern, format)) = &self.graphs {
            show::graphs(view, pattern, *format);
        }
        if self.options.show_relocated_section_contents {
            show::contents(view);
        }
        if self.options.show_addrs {
            show::addrs(view);
        }
        if let Some(path) = &self.options.write_symtab {
            show::write_symtab(view, path)?;
        }
        if self.options.check.is_empty() {
            return Ok(());
        }
        if let Some(images) = self.gathered {
            images.lock().unwrap_or_else(PoisonError::into_inner).add(view);
            return Ok(());
        }
        let mut images = CheckedImages::default();
        images.add(view);
        check(self.options, &images)
    }
}

/// Checks the rules of all files that `-check` names.
///
/// # Errors
/// A file cannot be read or holds no rules, or rules are false.
pub(crate) fn check(options: &Options, images: &CheckedImages) -> Result<()> {
    let check_one = |path: &PathBuf| check_file(options, path, images).err().map(|error| error.to_string());
    let failures: Vec<String> = options.check.iter().filter_map(check_one).collect();
    if failures.is_empty() { Ok(()) } else { Err(Error::invalid(failures.join("\n"), None)) }
}

fn check_file(options: &Options, path: &Path, images: &CheckedImages) -> Result<()> {
    let shown = path.display().to_string();
    let bytes = std::fs::read(path).map_err(|error| Error::io(shown.clone(), error))?;
    let text = String::from_utf8_lossy(&bytes);
    let mut faults = Vec::new();
    let summary = check::run_checks(&text, &options.check_name, images, &mut faults);
    report_faults(&shown, &String::from_utf8_lossy(&faults));
    let summary = summary.map_err(|error| Error::invalid(format!("{shown}: {error}"), None))?;
    if summary.passed() {
        return Ok(());
    }
    let what = format!("{shown}: {} of {} check rules failed", summary.failed, summary.rules);
    Err(Error::invalid(what, None))
}

/// Each fault begins with its line; what is indented below shows where.
fn report_faults(file: &str, faults: &str) {
    let mark = |line: &str| match line.starts_with(' ') {
        true => format!("{line}\n"),
        false => format!("error: {file}: {line}\n"),
    };
    report::print(&faults.lines().map(mark).collect::<String>());
}

/// Names are bytes, and classes of characters are ASCII's: tables for all of Unicode would cost the start of every run.
fn compile(pattern: &str) -> Result<Regex> {
    RegexBuilder::new(pattern).unicode(false).build().map_err(|error| {
        let what = format!("-show-graphs: {}", error.to_string().replace('\n', " "));
        Error::invalid(what, Some("it takes a regular expression"))
    })
}

impl Plugin for Inspector<'_> {
    fn post_fixup(&mut self, image: &LinkView<'_, '_>) -> Result<()> {
        self.look(image)
    }
}
