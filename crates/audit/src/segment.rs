//! Segment files: prepared full of zeros, renamed into place, filled frame by frame.

use std::io;

use crate::storage::{File, Files, Mode, write_all};

pub(crate) const SEGMENTS: &str = "seg";
pub(crate) const NEXT: &str = "seg/next.seg";
pub(crate) const RESERVE: &str = "emerg.seg";
pub(crate) const NOTES: &str = "notes";
pub(crate) const ORIGIN: &str = "origin.json";
pub(crate) const KEYS: &str = "keys";
pub(crate) const TORN: &str = "torn";
pub(crate) const FRONTIER: &str = "frontier";

/// The segment being filled.
pub(crate) struct Segment {
    file: Box<dyn File>,
    pub(crate) first_leaf: u64,
    pub(crate) offset: u64,
    pub(crate) len: u64,
    pub(crate) reserve: bool,
}

impl Segment {
    /// Moves a prepared file into place as the segment that starts at this leaf.
    pub(crate) fn place(files: &dyn Files, from: &str, first_leaf: u64) -> io::Result<Self> {
        let path = path(first_leaf);
        files.rename(from, &path)?;
        if from == RESERVE {
            files.sync_dir("")?;
        }
        files.sync_dir(SEGMENTS)?;
        let file = files.open(&path, Mode::Write)?;
        let len = file.len()?;
        Ok(Self { file, first_leaf, offset: 0, len, reserve: from == RESERVE })
    }

    /// Writes a frame behind the last one and makes it durable. After an error the file is not touched again.
    pub(crate) fn append(&mut self, frame: &[u8]) -> io::Result<()> {
        write_all(&mut *self.file, frame, self.offset)?;
        self.file.sync_data()?;
        self.offset += frame.len() as u64;
        Ok(())
    }

    /// Whether a frame of this length fits and leaves room for a closing frame.
    pub(crate) fn fits(&self, frame: usize) -> bool {
        self.offset + frame as u64 + CLOSING_BYTES <= self.len
    }

    pub(crate) fn left(&self) -> u64 {
        self.len.saturating_sub(self.offset)
    }

    /// Gives back what was not used.
    pub(crate) fn cut(&mut self) -> io::Result<()> {
        self.len = self.offset;
        self.file.set_len(self.offset)
    }
}

/// Makes a file of zeros and makes it durable, then moves it into place.
pub(crate) fn prepare(files: &dyn Files, dir: &str, path: &str, len: u64) -> io::Result<()> {
    let draft = format!("{path}.tmp");
    let made = fill(files, &draft, len);
    if made.is_err() {
        // The space goes back at once; what the removal says no longer matters.
        drop(files.remove(&draft));
        return made;
    }
    files.rename(&draft, path)?;
    files.sync_dir(dir)
}

fn fill(files: &dyn Files, path: &str, len: u64) -> io::Result<()> {
    let mut file = files.open(path, Mode::Create)?;
    let zeros = vec![0; FILL_BYTES];
    let mut at = 0;
    while at < len {
        let left = usize::try_from(len - at).unwrap_or(FILL_BYTES).min(FILL_BYTES);
        write_all(&mut *file, &zeros[..left], at)?;
        at += left as u64;
    }
    file.sync_data()
}

/// Whether an error says that space is short, which is a step of the ladder and no fault of the disk.
pub(crate) fn no_space(error: &io::Error) -> bool {
    use io::ErrorKind::{QuotaExceeded, StorageFull, WriteZero};
    matches!(error.kind(), StorageFull | QuotaExceeded | WriteZero)
}

/// Writes a small file as a whole: beside its place, synced, then moved there.
pub(crate) fn write_file(files: &dyn Files, dir: &str, path: &str, bytes: &[u8]) -> io::Result<()> {
    let draft = format!("{path}.tmp");
    let mut file = files.open(&draft, Mode::Create)?;
    write_all(&mut *file, bytes, 0)?;
    file.sync_data()?;
    files.rename(&draft, path)?;
    files.sync_dir(dir)
}

/// Path of the segment that starts at this leaf.
pub(crate) fn path(first_leaf: u64) -> String {
    format!("{SEGMENTS}/{first_leaf:020}.seg")
}

/// First leaves of all segments, rising.
pub(crate) fn list(files: &dyn Files) -> io::Result<Vec<u64>> {
    let names = files.list(SEGMENTS)?;
    let number = |name: &String| name.strip_suffix(".seg").filter(|stem| stem.len() == 20)?.parse().ok();
    Ok(names.iter().filter_map(number).collect())
}

/// Room kept for the frame that closes a segment.
const CLOSING_BYTES: u64 = 4_096;
const FILL_BYTES: usize = 256 << 10;
