//! The checks of the offline verifier with the gateway's own code: for operators. The proof for an auditor is
//! `dukou-verify`, which shares none of it.

use std::collections::BTreeMap;

use crate::carry::Carry;
use crate::decode::Cbor;
use crate::frame::{self, FRONTIER, Frame, LAST};
use crate::note::Note;
use crate::origin::Origin;
use crate::record::{self, HEARTBEAT, START, STOP, WRITE};
use crate::recovery::{self, OpenError, io_error};
use crate::segment;
use crate::storage::{Files, read_all};
use crate::tree::{Hash, Tree};

/// What a check found, worst first in the order of [`Verdict::exit`]'s table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// Everything agrees.
    Ok,
    /// Un-acknowledged bytes behind the last frame.
    TornTail,
    /// Bytes were changed.
    Altered,
    /// Leaves are gone.
    Missing,
    /// The log is shorter than a note it signed.
    RolledBack,
    /// Two notes of one size with different roots.
    Forked,
    /// A note's signature is wrong.
    BadSignature,
    /// No record for longer than the limit.
    Stale,
}

impl Verdict {
    /// Exit code of the command line.
    #[must_use]
    pub fn exit(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::TornTail => 2,
            Self::Altered => 3,
            Self::Missing => 4,
            Self::RolledBack => 5,
            Self::Forked => 6,
            Self::BadSignature => 7,
            Self::Stale => 9,
        }
    }

    /// The word of the verdict.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::TornTail => "TORN-TAIL",
            Self::Altered => "ALTERED",
            Self::Missing => "MISSING",
            Self::RolledBack => "ROLLED-BACK",
            Self::Forked => "FORKED",
            Self::BadSignature => "BAD-SIGNATURE",
            Self::Stale => "STALE",
        }
    }
}

/// One thing found: which leaves, and in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What it is.
    pub verdict: Verdict,
    /// First leaf concerned.
    pub from: u64,
    /// Leaf behind the last one concerned.
    pub to: u64,
    /// One sentence.
    pub what: &'static str,
}

/// The outcome of a check.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// Everything found.
    pub findings: Vec<Finding>,
    /// Name of the log.
    pub origin: String,
    /// Leaves checked.
    pub leaves: u64,
    /// Leaves under the last note.
    pub noted: u64,
    /// Notes checked.
    pub notes: u64,
    /// Runs that ended without STOP, the last one of a live log excepted.
    pub crashes: u64,
    /// Whether the check ended at the last note because the log is in use.
    pub live: bool,
}

impl Report {
    /// The verdict: the first that applies of forked, rolled back, altered, missing, bad signature, stale, torn tail.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        let order = [
            Verdict::Forked,
            Verdict::RolledBack,
            Verdict::Altered,
            Verdict::Missing,
            Verdict::BadSignature,
            Verdict::Stale,
            Verdict::TornTail,
        ];
        let found = |verdict: &Verdict| self.findings.iter().any(|finding| finding.verdict == *verdict);
        order.into_iter().find(found).unwrap_or(Verdict::Ok)
    }
}

/// Checks a whole ledger, read-only. A `live` one is checked up to its last note. `stale_before_ns` is the time before
/// which the last record must not lie.
///
/// # Errors
/// [`OpenError`] if the folder cannot be read as a ledger.
pub fn verify(files: &dyn Files, live: bool, stale_before_ns: Option<i64>) -> Result<Report, OpenError> {
    let origin = recovery::read_origin(files)?;
    let notes_bytes = recovery::read_or_empty(files, segment::NOTES)?;
    let mut check = Check::new(&origin, live);
    let notes = check.read_notes(&notes_bytes, &origin);
    let segments = segment::list(files).map_err(io_error("list the segments"))?;
    for (i, first_leaf) in segments.iter().enumerate() {
        let bytes = read_all(files, &segment::path(*first_leaf)).map_err(io_error("read a segment"))?;
        check.segment(*first_leaf, &bytes, i + 1 == segments.len());
    }
    for path in [segment::NEXT, segment::RESERVE] {
        let clean = read_all(files, path).map_or(true, |bytes| bytes.iter().all(|byte| *byte == 0));
        check.expect(clean || live, Verdict::TornTail, "a prepared file is not empty");
    }
    let text = recovery::read_or_empty(files, segment::ORIGIN)?;
    let first = check.first_record.take();
    check.expected = check.expected.max(1);
    if first.as_deref().and_then(|record| record.strip_prefix(&[record::ORIGIN])) != Some(&text[..]) {
        check.find(Verdict::Altered, 0, 1, "origin.json is not the first leaf");
    }
    check.compare_notes(&notes);
    if let Some(limit) = stale_before_ns {
        let fresh = check.last_wall_ns >= limit;
        check.expect(fresh, Verdict::Stale, "the last record is older than the limit");
    }
    Ok(check.report)
}

struct Check {
    report: Report,
    expected: u64,
    tree: Option<Tree>,
    /// Verified roots at the ends of frames.
    roots: BTreeMap<u64, Hash>,
    carry: Carry,
    carry_known: bool,
    running: bool,
    last_wall_ns: i64,
    /// Run id and monotonic clock of the frame before.
    last_run: ([u8; 16], u64),
    first_record: Option<Vec<u8>>,
    buffer: Vec<u8>,
}

impl Check {
    fn new(origin: &Origin, live: bool) -> Self {
        Self {
            report: Report { origin: origin.name.clone(), live, ..Report::default() },
            expected: 0,
            tree: Some(Tree::default()),
            roots: BTreeMap::new(),
            carry: Carry::default(),
            carry_known: true,
            running: false,
            last_wall_ns: i64::MIN,
            last_run: ([0; 16], 0),
            first_record: None,
            buffer: Vec::new(),
        }
    }

    fn find(&mut self, verdict: Verdict, from: u64, to: u64, what: &'static str) {
        self.report.findings.push(Finding { verdict, from, to: to.max(from), what });
    }

    fn expect(&mut self, holds: bool, verdict: Verdict, what: &'static str) {
        if !holds {
            self.find(verdict, self.expected, self.expected, what);
        }
    }

    fn read_notes(&mut self, bytes: &[u8], origin: &Origin) -> Vec<Note> {
        let (mut notes, mut at) = recovery::all_notes(bytes, origin);
        let first_line = format!("{}\n", origin.name);
        while at < bytes.len() {
            let torn = bytes[at..].windows(2).filter(|two| two == b"\n\n").count() < 2;
            let size = notes.last().map_or(0, |note: &Note| note.size);
            let verdict = if torn { Verdict::TornTail } else { Verdict::BadSignature };
            if !(torn && self.report.live) {
                self.find(verdict, size, size, "a note cannot be read or its signature is wrong");
            }
            let starts = |i: &usize| bytes[..*i].ends_with(b"\n\n") && bytes[*i..].starts_with(first_line.as_bytes());
            let Some(next) = (at + 1..bytes.len()).find(starts) else {
                break;
            };
            let (more, read) = recovery::all_notes(&bytes[next..], origin);
            notes.extend(more);
            at = next + read;
        }
        for pair in notes.clone().windows(2) {
            if pair[1].size == pair[0].size && pair[1].root != pair[0].root {
                self.find(Verdict::Forked, pair[0].size, pair[0].size, "two notes of one size have different roots");
            } else if pair[1].size <= pair[0].size {
                self.find(Verdict::Altered, pair[1].size, pair[0].size, "the notes do not rise");
            }
        }
        self.report.notes = notes.len() as u64;
        self.report.noted = notes.iter().map(|note| note.size).max().unwrap_or(0);
        notes
    }

    fn segment(&mut self, first_leaf: u64, bytes: &[u8], last: bool) {
        let mut at = 0;
        while bytes[at..].iter().any(|byte| *byte != 0) {
            if self.report.live && self.expected >= self.report.noted {
                return;
            }
            let Some(frame) = Frame::parse(&bytes[at..]) else {
                let Some(next) = frame::find(bytes, at) else {
                    self.broken_end(last);
                    return;
                };
                let to = Frame::parse(&bytes[next..]).map_or(self.expected, |frame| frame.first_leaf);
                self.find(Verdict::Altered, self.expected, to, "bytes between two frames cannot be read");
                (self.tree, self.carry_known, self.expected) = (None, false, to.max(self.expected));
                at = next;
                continue;
            };
            if at == 0 && (frame.first_leaf != first_leaf || frame.flags & FRONTIER == 0) {
                self.find(Verdict::Altered, first_leaf, first_leaf, "a segment's name or first frame is wrong");
            }
            self.frame(&frame);
            at += frame.len;
        }
    }

    fn broken_end(&mut self, last: bool) {
        let verdict = if last { Verdict::TornTail } else { Verdict::Altered };
        self.expect(false, verdict, "the bytes behind the last frame cannot be read");
        (self.tree, self.carry_known) = (None, false);
    }

    fn frame(&mut self, frame: &Frame<'_>) {
        let (from, to) = (frame.first_leaf, frame.first_leaf + u64::from(frame.count));
        if from > self.expected {
            self.find(Verdict::Missing, self.expected, from, "leaves are missing");
        } else if from < self.expected {
            self.find(Verdict::Altered, from, to, "leaves stand twice or out of order");
        }
        if from != self.expected {
            (self.tree, self.carry_known) = (None, false);
        }
        if frame.flags & FRONTIER != 0 {
            let before = frame.tree_before();
            if before.is_none() || self.tree.as_ref().is_some_and(|tree| Some(tree) != before.as_ref()) {
                self.find(Verdict::Altered, from, to, "the frontier does not fold to the root before");
            }
            self.tree = before;
        }
        if let Some(mut tree) = self.tree.take() {
            if frame.extend(&mut tree, &mut self.buffer) {
                self.roots.insert(tree.size(), tree.root());
                self.tree = Some(tree);
            } else {
                self.find(Verdict::Altered, from, to, "the records do not give the root of the frame");
            }
        }
        frame.leaves().for_each(|(leaf, record)| self.record(leaf, record));
        if frame.flags & LAST == 0 && self.carry.stopped {
            self.find(Verdict::Altered, from, to, "a STOP stands in a frame that is not the last");
        }
        if self.last_run.0 == frame.boot && self.last_run.1 > frame.mono_ns {
            self.find(Verdict::Altered, from, to, "the monotonic clock falls within a run");
        }
        self.last_run = (frame.boot, frame.mono_ns);
        self.last_wall_ns = self.last_wall_ns.max(frame.wall_ns);
        self.expected = to;
        self.report.leaves = self.report.leaves.max(to);
    }

    fn record(&mut self, leaf: u64, record: &[u8]) {
        if leaf == 0 {
            self.first_record = Some(record.to_vec());
        }
        let kind = record.first().copied();
        match kind {
            Some(START) => {
                self.report.crashes += u64::from(self.running);
                self.running = true;
            }
            Some(STOP) => self.running = false,
            _ => {}
        }
        let before = self.carry.jseq;
        self.carry.take(leaf, record);
        let jseq = self.carry.jseq;
        let unbroken = match kind {
            Some(WRITE) => jseq == before + 1,
            Some(HEARTBEAT) => jseq == before,
            _ => true,
        };
        if self.carry_known && !unbroken {
            self.find(Verdict::Altered, leaf, leaf + 1, "the run of the store's rows is broken");
        }
        // A heartbeat that repeats the state makes it known again.
        let repeats = || Cbor::parse(record.get(1..)?)?.key(29)?.name("jseq").map(|_| ());
        self.carry_known |= kind == Some(HEARTBEAT) && repeats().is_some();
    }

    fn compare_notes(&mut self, notes: &[Note]) {
        let mut before = 0;
        for note in notes {
            if note.size > self.expected {
                self.find(Verdict::RolledBack, self.expected, note.size, "the log is shorter than a note it signed");
            } else if self.roots.get(&note.size).is_some_and(|root| *root != note.root) {
                self.find(Verdict::Altered, before, note.size, "a note names another root");
            } else if !self.roots.contains_key(&note.size) && self.report.findings.is_empty() {
                self.find(Verdict::Altered, before, note.size, "a note does not end at a frame");
            }
            before = note.size;
        }
    }
}
