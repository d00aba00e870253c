//! Text stubs of Mach-O libraries, versions 1 to 4 (YAML) and 5 (JSON).
//!
//! A stub has one document per library: the first is the library itself, the others are those that it passes on. Each
//! lists its exports in groups, with the architectures or targets (`arm64-macos`) that a group is for.

use super::LibraryInterface;
use super::yaml::{Node, documents};
use crate::base::{Error, Result};
use crate::formats::macho::machine::Machine;
use crate::graph::Architecture;
use crate::inputs::InputFile;
use std::borrow::Cow;

/// Reads the stub for one architecture, whatever the system of its targets.
pub(super) fn parse<'data>(
    file: &'data InputFile,
    architecture: Architecture,
) -> Result<LibraryInterface<'data>> {
    let text = std::str::from_utf8(file.bytes())
        .map_err(|error| Error::malformed(file.place().at(error.valid_up_to() as u64), "is not UTF-8"))?;
    let documents = documents(&file.place(), text)?;
    let stub =
        Stub { arch: Machine::of(architecture).map_or("", |machine| machine.name), documents: &documents };
    let mut interface = LibraryInterface::default();
    let (known, found) = stub.read(&mut interface);
    if !known {
        return Err(Error::malformed(file.place(), "is no text stub of a library: it names no library"));
    }
    if !found {
        let what = format!("has no exports for {}", stub.arch);
        return Err(Error::unsupported(file.place(), what, "take a stub that has this architecture"));
    }
    Ok(interface)
}

struct Stub<'node, 'text> {
    arch: &'static str,
    documents: &'node [Node<'text>],
}

impl<'text> Stub<'_, 'text> {
    /// Whether there is a library at all, and whether any is for the architecture.
    fn read(&self, interface: &mut LibraryInterface<'text>) -> (bool, bool) {
        let (mut known, mut found) = (false, false);
        let mut inside = Vec::new();
        for document in self.documents {
            match document.get("main_library") {
                Some(main) => {
                    for library in std::iter::once(main).chain(document.list("libraries")) {
                        let name = library.list("install_names").first().and_then(|first| first.get("name"));
                        inside.extend(name.and_then(Node::text).cloned());
                        found |= self.add_json_library(library, interface);
                    }
                }
                None => {
                    inside.extend(document.get("install-name").and_then(Node::text).cloned());
                    found |= self.add_yaml_library(document, interface);
                }
            }
            known = known || !inside.is_empty();
        }
        interface.install_name = inside.first().map(ToString::to_string).unwrap_or_default();
        interface.reexported_libraries.retain(|name| !inside.iter().any(|own| own == name));
        (known, found)
    }

    /// Whether a group with a list of architectures or of targets is for this one.
    fn is_meant(&self, targets: &[Node<'text>]) -> bool {
        targets.iter().filter_map(Node::text).any(|target| target.split('-').next() == Some(self.arch))
    }

    fn add_yaml_library(&self, library: &Node<'text>, interface: &mut LibraryInterface<'text>) -> bool {
        let meant =
            |group: &Node<'text>| self.is_meant(group.list("targets")) || self.is_meant(group.list("archs"));
        let keys = if library.get("tbd-version").is_some() { &YAML_KEYS } else { &OLD_YAML_KEYS };
        for section in ["exports", "reexports"] {
            for group in library.list(section).iter().filter(|group| meant(group)) {
                add_names(group, keys, interface);
                let passed_on = group.list("re-exports").iter().filter_map(Node::text);
                interface.reexported_libraries.extend(passed_on.map(ToString::to_string));
            }
        }
        for group in library.list("reexported-libraries").iter().filter(|group| meant(group)) {
            let names = group.list("libraries").iter().filter_map(Node::text);
            interface.reexported_libraries.extend(names.map(ToString::to_string));
        }
        meant(library)
    }

    fn add_json_library(&self, library: &Node<'text>, interface: &mut LibraryInterface<'text>) -> bool {
        // A group without targets is for all.
        let meant =
            |group: &Node<'text>| group.get("targets").is_none_or(|targets| self.is_meant(targets.items()));
        for section in ["exported_symbols", "reexported_symbols"] {
            for group in library.list(section).iter().filter(|group| meant(group)) {
                for sort in ["data", "text"] {
                    group.get(sort).into_iter().for_each(|names| add_names(names, &JSON_KEYS, interface));
                }
            }
        }
        for group in library.list("reexported_libraries").iter().filter(|group| meant(group)) {
            let names = group.list("names").iter().filter_map(Node::text);
            interface.reexported_libraries.extend(names.map(ToString::to_string));
        }
        let targets = library.list("target_info").iter().filter_map(|info| info.get("target")).cloned();
        // A library that is passed on has the targets of the one that does so, if it lists none.
        self.is_meant(&targets.collect::<Vec<_>>())
    }
}

/// The lists of names in a group, and what precedes each name in the symbol table.
type Keys = [(&'static str, &'static [&'static str]); 7];

const YAML_KEYS: Keys = [
    ("symbols", &[""]),
    ("weak-symbols", &[""]),
    ("weak-def-symbols", &[""]),
    ("thread-local-symbols", &[""]),
    ("objc-classes", CLASS),
    ("objc-eh-types", EH_TYPE),
    ("objc-ivars", IVAR),
];

/// Before version 4, names of Objective-C have the underscore of all symbols.
const OLD_YAML_KEYS: Keys = [
    ("symbols", &[""]),
    ("weak-def-symbols", &[""]),
    ("thread-local-symbols", &[""]),
    ("objc-classes", &["_OBJC_CLASS_$", "_OBJC_METACLASS_$"]),
    ("objc-eh-types", &["_OBJC_EHTYPE_$"]),
    ("objc-ivars", &["_OBJC_IVAR_$"]),
    ("weak-symbols", &[""]),
];

const JSON_KEYS: Keys = [
    ("global", &[""]),
    ("weak", &[""]),
    ("weak_def", &[""]),
    ("thread_local", &[""]),
    ("objc_class", CLASS),
    ("objc_eh_type", EH_TYPE),
    ("objc_ivar", IVAR),
];

const CLASS: &[&str] = &["_OBJC_CLASS_$_", "_OBJC_METACLASS_$_"];
const EH_TYPE: &[&str] = &["_OBJC_EHTYPE_$_"];
const IVAR: &[&str] = &["_OBJC_IVAR_$_"];

fn add_names<'text>(group: &Node<'text>, keys: &Keys, interface: &mut LibraryInterface<'text>) {
    for (key, prefixes) in keys {
        for name in group.list(key).iter().filter_map(Node::text) {
            for prefix in *prefixes {
                interface.add(prefixed(prefix, name));
            }
        }
    }
}

fn prefixed<'text>(prefix: &str, name: &Cow<'text, str>) -> Cow<'text, [u8]> {
    match name {
        Cow::Borrowed(name) if prefix.is_empty() => Cow::Borrowed(name.as_bytes()),
        name => Cow::Owned([prefix.as_bytes(), name.as_bytes()].concat()),
    }
}
