//! `-watch`: objects are replaced when their files change.

use crate::report;
use jitlink::base::Result;
use jitlink::inputs::InputFile;
use jitlink::lazy::{DataRule, ReplaceableObjects};
use jitlink::session::ObjectBuffer;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, SystemTime};

/// How often files are looked at. A file that changes is taken when it has not changed between two looks.
const INTERVAL: Duration = Duration::from_millis(50);

/// Time of change, size and place of a file: what differs once it has been written or replaced.
type Stamp = (SystemTime, u64, u64);

/// A file that is watched.
#[derive(Debug)]
pub(crate) struct Watched {
    path: PathBuf,
    objects: Arc<ReplaceableObjects>,
    linked: Option<Stamp>,
    last: Option<Stamp>,
}

impl Watched {
    /// A file whose object was added to `objects`.
    pub(crate) fn new(path: &Path, objects: &Arc<ReplaceableObjects>) -> Self {
        let stamp = stamp(path);
        Self { path: path.to_owned(), objects: Arc::clone(objects), linked: stamp, last: stamp }
    }

    /// Replaces the object if its file has changed and is whole.
    fn look(&mut self) {
        let now = stamp(&self.path);
        let settled = now == self.last;
        self.last = now;
        if now.is_none() || now == self.linked || !settled {
            return;
        }
        self.linked = now;
        let shown = self.path.display();
        match self.replace() {
            Ok(functions) => report::print(&format!("replaced {shown}: {functions} functions\n")),
            Err(error) => _ = report::error(&format!("{shown} is not replaced: {error}")),
        }
    }

    fn replace(&self) -> Result<usize> {
        let object = read(&self.path)?;
        self.objects.replace(&object, DataRule::Keep).map(|replaced| replaced.functions)
    }
}

/// The object in a file, which may be written to at any time: it is read, not mapped.
pub(crate) fn read(path: &Path) -> Result<ObjectBuffer> {
    let name = path.to_string_lossy();
    let bytes = std::fs::read(path).map_err(|error| jitlink::base::Error::io(name.clone(), error))?;
    Ok(ObjectBuffer::from_file(InputFile::from_bytes(&*name, bytes)))
}

/// Watches files on a thread of its own until the process ends.
pub(crate) fn start(mut files: Vec<Watched>) {
    std::thread::spawn(move || {
        loop {
            sleep(INTERVAL);
            files.iter_mut().for_each(Watched::look);
        }
    });
}

fn stamp(path: &Path) -> Option<Stamp> {
    use std::os::unix::fs::MetadataExt;
    let facts = std::fs::metadata(path).ok()?;
    Some((facts.modified().ok()?, facts.len(), facts.ino()))
}
