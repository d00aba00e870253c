//! The system's library directories.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// The directory name under which multiarch systems keep this machine's libraries.
const MULTIARCH: &str = if cfg!(target_arch = "aarch64") { "aarch64-linux-gnu" } else { "x86_64-linux-gnu" };

/// The system's directories that exist, each once: multiarch, the fixed ones, those of the dynamic loader's
/// configuration, and gcc's, where the C++ library's development files are.
pub(super) fn directories() -> Vec<PathBuf> {
    let fixed = [
        format!("/usr/local/lib/{MULTIARCH}"),
        format!("/lib/{MULTIARCH}"),
        format!("/usr/lib/{MULTIARCH}"),
        "/usr/local/lib".into(),
        "/lib64".into(),
        "/usr/lib64".into(),
        "/lib".into(),
        "/usr/lib".into(),
    ];
    let mut all: Vec<PathBuf> = fixed.into_iter().map(PathBuf::from).collect();
    all.extend(loader_directories(Path::new("/etc/ld.so.conf")));
    all.extend(gcc_directory());
    let mut seen = HashSet::new();
    all.retain(|dir| std::fs::canonicalize(dir).is_ok_and(|real| real.is_dir() && seen.insert(real)));
    all
}

/// The directories that a configuration of the dynamic loader lists, in order, with those of the files it includes.
fn loader_directories(conf: &Path) -> Vec<PathBuf> {
    let mut dirs = Vec::new();
    let mut seen = HashSet::new();
    let mut pending = vec![Entry::File(conf.to_owned())];
    while let Some(entry) = pending.pop() {
        match entry {
            Entry::Directory(dir) => dirs.push(dir),
            Entry::File(file) if seen.insert(file.clone()) => {
                let text = std::fs::read_to_string(&file).unwrap_or_default();
                let start = pending.len();
                text.lines().for_each(|line| read_line(line, &file, &mut pending));
                pending.get_mut(start..).unwrap_or_default().reverse();
            }
            Entry::File(_) => {}
        }
    }
    dirs
}

enum Entry {
    Directory(PathBuf),
    File(PathBuf),
}

/// One line: a directory (perhaps with `=` and a library type), `include` with patterns, or what does not matter here.
fn read_line(line: &str, file: &Path, entries: &mut Vec<Entry>) {
    let line = line.split('#').next().unwrap_or_default().trim();
    if let Some(patterns) = line.strip_prefix("include").filter(|rest| rest.starts_with([' ', '\t'])) {
        let parent = file.parent().unwrap_or(Path::new("/"));
        let included = patterns.split_whitespace().flat_map(|pattern| glob(&parent.join(pattern)));
        entries.extend(included.map(Entry::File));
    } else if line.starts_with('/') {
        entries.push(Entry::Directory(PathBuf::from(line.split('=').next().unwrap_or(line).trim_end())));
    }
}

/// The directory of the newest gcc.
fn gcc_directory() -> Option<PathBuf> {
    let versions = std::fs::read_dir(format!("/usr/lib/gcc/{MULTIARCH}")).ok()?.flatten();
    let newest = versions.filter_map(|entry| {
        let name = entry.file_name().into_string().ok()?;
        let version = name.split('.').map(|part| part.parse::<u32>().ok()).collect::<Option<Vec<_>>>()?;
        Some((version, entry.path()))
    });
    newest.max().map(|(_, path)| path)
}

/// The files that match a pattern whose last component may hold `*` and `?`, sorted.
fn glob(pattern: &Path) -> Vec<PathBuf> {
    let (Some(parent), Some(name)) = (pattern.parent(), pattern.file_name()) else { return Vec::new() };
    if !name.to_string_lossy().contains(['*', '?']) {
        return vec![pattern.to_owned()];
    }
    let Ok(entries) = std::fs::read_dir(parent) else { return Vec::new() };
    let mut found: Vec<_> = entries
        .flatten()
        .filter(|entry| matches_pattern(name, &entry.file_name()))
        .map(|entry| entry.path())
        .collect();
    found.sort();
    found
}

/// Whether `name` matches; hidden files do so only where the pattern starts with a dot.
fn matches_pattern(pattern: &OsStr, name: &OsStr) -> bool {
    let (pattern, name) = (pattern.as_encoded_bytes(), name.as_encoded_bytes());
    if name.starts_with(b".") && !pattern.starts_with(b".") {
        return false;
    }
    let (mut p, mut n) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while let Some(&byte) = name.get(n) {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(&wanted) if wanted == byte || wanted == b'?' => {
                p += 1;
                n += 1;
            }
            _ => {
                // Let the last star take one byte more.
                let Some((at, taken)) = star else { return false };
                star = Some((at, taken + 1));
                (p, n) = (at + 1, taken + 1);
            }
        }
    }
    pattern.get(p..).is_none_or(|rest| rest.iter().all(|&byte| byte == b'*'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        let matches = |pattern: &str, name: &str| matches_pattern(OsStr::new(pattern), OsStr::new(name));
        assert!(matches("*.conf", "x86_64.conf"));
        assert!(matches("a*b?d*", "a__b_bcd"));
        assert!(matches("*", "x"));
        assert!(!matches("*.conf", "x.conf.bak"));
        assert!(!matches("*.conf", ".hidden.conf"));
        assert!(!matches("?", ""));
        assert!(!matches("a", "ab"));
    }

    #[test]
    fn configurations_include_others_in_order_and_end_in_a_cycle() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
        write("ld.so.conf", "include conf.*\n# /comment\n/last=libc6\nhwcap 1 nosegneg\n");
        write("conf.b", "/b # why\n");
        write("conf.a", "/a\ninclude ld.so.conf\n");
        let dirs = loader_directories(&dir.path().join("ld.so.conf"));
        assert_eq!(dirs, ["/a", "/b", "/last"].map(PathBuf::from));
    }

    #[test]
    fn the_multiarch_directory_comes_first_and_none_comes_twice() {
        let dirs = directories();
        let multiarch = dirs.iter().position(|dir| dir.ends_with(MULTIARCH)).unwrap();
        let plain = dirs.iter().position(|dir| dir.ends_with("lib") && !dir.ends_with("local/lib"));
        assert!(plain.is_none_or(|plain| multiarch < plain));
        let real: HashSet<_> = dirs.iter().map(|dir| std::fs::canonicalize(dir).unwrap()).collect();
        assert_eq!(real.len(), dirs.len());
    }
}
