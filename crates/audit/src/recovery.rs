//! What a start finds: the tree, the tail a crash left, and what must be made durable again.

use std::io;

use crate::carry::Carry;
use crate::clock::Clock;
use crate::frame::{self, Frame};
use crate::note::{self, Note};
use crate::origin::Origin;
use crate::segment;
use crate::storage::{Files, Mode, read_all, write_all};
use crate::tree::Tree;

/// Why a ledger does not open. Everything stays as it was.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// There is no ledger in the folder, or its origin file is broken.
    #[error("the folder does not hold a ledger, or its origin.json is broken")]
    NotALedger,
    /// There is a ledger already.
    #[error("the folder holds a ledger already")]
    AlreadyExists,
    /// The name cannot stand in a note.
    #[error("the name of the log must be 1 to 120 letters, digits or .-_/:")]
    BadName,
    /// The signing key is not the one the log was made with.
    #[error("the signing key is not the key named in origin.json")]
    OtherKey,
    /// A file operation failed.
    #[error("cannot {what}")]
    Io {
        /// What was attempted.
        what: &'static str,
        /// What the system says.
        source: io::Error,
    },
    /// An epoch key cannot be unwrapped.
    #[error("the wrapped key of epoch {epoch} cannot be opened with this wrapping key")]
    BadEpochKey {
        /// The epoch.
        epoch: u64,
    },
    /// Records that were durable have been changed.
    #[error(
        "the ledger is altered at leaf {leaf}: look at it with dukou-verify, then run \
         dukou audit accept --gap DIR --reason TEXT --by NAME"
    )]
    Corrupt {
        /// First leaf that cannot be read.
        leaf: u64,
    },
    /// The log is shorter than a note it signed.
    #[error(
        "the ledger ends at leaf {size}, but its last note covers {noted}: an old copy was put back or records were \
         removed; restore it, or run dukou audit accept --gap DIR --reason TEXT --by NAME"
    )]
    RolledBack {
        /// Leaves found.
        size: u64,
        /// Leaves under the last note.
        noted: u64,
    },
    /// A random source or cipher refused its work.
    #[error("the cryptographic library refused")]
    Crypto,
}

pub(crate) fn io_error(what: &'static str) -> impl FnOnce(io::Error) -> OpenError {
    move |source| OpenError::Io { what, source }
}

/// What was found, before anything is changed.
pub(crate) struct Found {
    pub(crate) origin: Origin,
    pub(crate) tree: Tree,
    pub(crate) carry: Carry,
    pub(crate) note: Option<Note>,
    /// Row number of the store at the last note; 0 if not known.
    pub(crate) noted_jseq: u64,
    pub(crate) notes_len: u64,
    /// Bytes of un-acknowledged tails, with the names under which they are set aside.
    pub(crate) torn: Vec<(String, Vec<u8>)>,
    last: Tail,
    /// Segments that hold no frame.
    empty: Vec<u64>,
}

/// The frames of the last segment that may never have been synced.
struct Tail {
    first_leaf: u64,
    kept: Vec<u8>,
    rewrite_from: usize,
    cut: bool,
}

/// Reads the folder without changing it.
pub(crate) fn scan(files: &dyn Files) -> Result<Found, OpenError> {
    let origin = read_origin(files)?;
    let notes = read_or_empty(files, segment::NOTES)?;
    let (note, notes_len) = last_note(&notes, &origin);
    let mut torn = Vec::new();
    if notes_len < notes.len() {
        torn.push((format!("notes-{notes_len}"), notes[notes_len..].to_vec()));
    }
    let mut segments = segment::list(files).map_err(io_error("list the segments"))?;
    let mut empty = Vec::new();
    while let Some(first_leaf) = segments.pop() {
        let bytes = read_all(files, &segment::path(first_leaf)).map_err(io_error("read a segment"))?;
        let Some(read) = read_segment(&bytes, first_leaf, note)? else {
            if bytes.iter().any(|byte| *byte != 0) {
                torn.push((format!("{first_leaf:020}-0"), trimmed(&bytes).to_vec()));
            }
            empty.push(first_leaf);
            continue;
        };
        let size = read.tree.size();
        if empty.iter().any(|first_leaf| *first_leaf != size) {
            return Err(OpenError::Corrupt { leaf: size });
        }
        if let Some(note) = note.filter(|note| note.size > size) {
            return Err(OpenError::RolledBack { size, noted: note.size });
        }
        let tail = trimmed(&bytes[read.len..]);
        if !tail.is_empty() {
            torn.push((format!("{first_leaf:020}-{}", read.len), tail.to_vec()));
        }
        let cut = read.len < bytes.len();
        let mut kept = bytes;
        kept.truncate(read.len);
        let last = Tail { first_leaf, kept, rewrite_from: read.rewrite_from, cut };
        return Ok(Found {
            origin,
            tree: read.tree,
            carry: read.carry,
            note,
            noted_jseq: read.noted_jseq,
            notes_len: notes_len as u64,
            torn,
            last,
            empty,
        });
    }
    Err(OpenError::NotALedger)
}

impl Found {
    /// Sets torn tails aside, writes again what may never have been synced, and makes all of it durable.
    pub(crate) fn repair(&self, files: &dyn Files, clock: &dyn Clock) -> Result<(), OpenError> {
        if !self.torn.is_empty() {
            files.create_dir(segment::TORN).map_err(io_error("make the folder torn"))?;
        }
        for (name, bytes) in &self.torn {
            let path = format!("{}/{name}-{}", segment::TORN, clock.wall_ns());
            segment::write_file(files, segment::TORN, &path, bytes).map_err(io_error("set a torn tail aside"))?;
        }
        for first_leaf in &self.empty {
            files.remove(&segment::path(*first_leaf)).map_err(io_error("remove an empty segment"))?;
        }
        self.rewrite_tail(files).map_err(io_error("write the last frames again"))?;
        self.rewrite_note(files).map_err(io_error("write the last note again"))?;
        files.sync_dir(segment::SEGMENTS).map_err(io_error("sync the folder of segments"))?;
        files.sync_dir("").map_err(io_error("sync the ledger's folder"))
    }

    fn rewrite_tail(&self, files: &dyn Files) -> io::Result<()> {
        let last = &self.last;
        let path = segment::path(last.first_leaf);
        let mut file = files.open(&path, Mode::Write)?;
        if last.rewrite_from < last.kept.len() {
            write_all(&mut *file, &last.kept[last.rewrite_from..], last.rewrite_from as u64)?;
            file.sync_data()?;
        }
        if last.cut {
            file.set_len(last.kept.len() as u64)?;
        }
        Ok(())
    }

    fn rewrite_note(&self, files: &dyn Files) -> io::Result<()> {
        let bytes = read_all(files, segment::NOTES).or_else(empty_if_missing)?;
        if bytes.is_empty() {
            return Ok(());
        }
        let len = usize::try_from(self.notes_len).unwrap_or(usize::MAX).min(bytes.len());
        let from = len.saturating_sub(NOTE_TAIL_BYTES);
        let mut file = files.open(segment::NOTES, Mode::Write)?;
        write_all(&mut *file, &bytes[from..len], from as u64)?;
        file.sync_data()?;
        if len < bytes.len() { file.set_len(len as u64) } else { Ok(()) }
    }
}

pub(crate) fn read_origin(files: &dyn Files) -> Result<Origin, OpenError> {
    let bytes = match read_all(files, segment::ORIGIN) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(OpenError::NotALedger),
        Err(source) => return Err(OpenError::Io { what: "read origin.json", source }),
    };
    let text = String::from_utf8(bytes).map_err(|_| OpenError::NotALedger)?;
    Origin::parse(&text).ok_or(OpenError::NotALedger)
}

pub(crate) fn read_or_empty(files: &dyn Files, path: &str) -> Result<Vec<u8>, OpenError> {
    read_all(files, path).or_else(empty_if_missing).map_err(io_error("read the notes"))
}

fn empty_if_missing(error: io::Error) -> io::Result<Vec<u8>> {
    if error.kind() == io::ErrorKind::NotFound { Ok(Vec::new()) } else { Err(error) }
}

/// The last readable note and where the readable notes end. Only the end of the file is looked at: all notes are the
/// verifier's work.
pub(crate) fn last_note(bytes: &[u8], origin: &Origin) -> (Option<Note>, usize) {
    let start = bytes.len().saturating_sub(NOTE_TAIL_BYTES);
    let first_line = format!("{}\n", origin.name);
    let begins = |at: &usize| {
        let after_note = *at == 0 || bytes[..*at].ends_with(b"\n\n");
        after_note && bytes[*at..].starts_with(first_line.as_bytes())
    };
    for at in (start..bytes.len()).rev().filter(begins) {
        if let Some((note, len)) = Note::parse(&bytes[at..], &origin.name, &origin.public) {
            return (Some(note), at + len);
        }
    }
    (None, if start == 0 { 0 } else { bytes.len() })
}

pub(crate) struct SegmentRead {
    pub(crate) tree: Tree,
    pub(crate) carry: Carry,
    pub(crate) len: usize,
    pub(crate) rewrite_from: usize,
    pub(crate) noted_jseq: u64,
}

/// Reads the frames of one segment. `None` if it holds none; an error if a valid frame follows an invalid one, or if a
/// whole frame does not extend the tree, or if the note does not agree.
pub(crate) fn read_segment(
    bytes: &[u8],
    first_leaf: u64,
    note: Option<Note>,
) -> Result<Option<SegmentRead>, OpenError> {
    let mut carry = Carry::default();
    let mut tree: Option<Tree> = None;
    let (mut at, mut rewrite_from, mut noted_jseq) = (0, 0, 0);
    let mut buffer = Vec::new();
    while let Some(frame) = Frame::parse(&bytes[at..]) {
        let corrupt = || OpenError::Corrupt { leaf: frame.first_leaf };
        let mut grown = match tree.take() {
            Some(tree) => tree,
            None => frame.tree_before().filter(|tree| tree.size() == first_leaf).ok_or_else(corrupt)?,
        };
        if !frame.extend(&mut grown, &mut buffer) {
            return Err(corrupt());
        }
        frame.leaves().for_each(|(leaf, record)| carry.take(leaf, record));
        at += frame.len;
        if let Some(note) = note.filter(|note| note.size > frame.first_leaf && note.size <= grown.size()) {
            if note.size != grown.size() || note.root != grown.root() {
                return Err(corrupt());
            }
            rewrite_from = at;
            noted_jseq = carry.jseq;
        }
        tree = Some(grown);
    }
    let leaf = tree.as_ref().map_or(first_leaf, Tree::size);
    if bytes[at..].iter().any(|byte| *byte != 0) && frame::find(bytes, at).is_some() {
        return Err(OpenError::Corrupt { leaf });
    }
    Ok(tree.map(|tree| SegmentRead { tree, carry, len: at, rewrite_from, noted_jseq }))
}

/// Without the zeros at the end.
fn trimmed(bytes: &[u8]) -> &[u8] {
    let len = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    &bytes[..len]
}

/// Every note of the file, for tools that check them all.
pub(crate) fn all_notes(bytes: &[u8], origin: &Origin) -> (Vec<Note>, usize) {
    note::parse_all(bytes, &origin.name, &origin.public)
}

const NOTE_TAIL_BYTES: usize = 16 << 10;
