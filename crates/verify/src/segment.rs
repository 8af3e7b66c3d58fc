//! One segment by itself: its frames, its roots, its rows. How segments join is judged in `judge`.

use crate::cbor;
use crate::frame::Frame;
use crate::tree::{Hash, Tree};
use crate::verdict::{Finding, Verdict};

/// What a segment says, checked as far as it can be checked alone.
#[derive(Default)]
pub(crate) struct Segment {
    /// The leaf in its name.
    pub(crate) name: u64,
    /// First frame's leaf; `None` if there is no frame.
    pub(crate) first_leaf: Option<u64>,
    pub(crate) end: u64,
    pub(crate) root_before: Hash,
    /// Root at the end, if every frame was whole.
    pub(crate) root_end: Option<Hash>,
    /// Checked roots at the ends of frames.
    pub(crate) roots: Vec<(u64, Hash)>,
    pub(crate) findings: Vec<Finding>,
    /// Unreadable bytes behind the last frame.
    pub(crate) broken_end: bool,
    pub(crate) rows_before: Option<u64>,
    pub(crate) rows_end: Option<u64>,
    pub(crate) first_run: Option<([u8; 16], u64)>,
    pub(crate) last_run: Option<([u8; 16], u64)>,
    /// Pauses between two frames of a run that were too long.
    pub(crate) silences: u64,
    /// START (true) and STOP (false) in order.
    pub(crate) starts: Vec<bool>,
    pub(crate) wall_ns: Option<i64>,
    pub(crate) ends_in_order: bool,
    /// The record of leaf 0, where it stands here.
    pub(crate) origin: Option<Vec<u8>>,
    tree: Option<Tree>,
}

impl Segment {
    /// Checks the bytes of a segment. On a log in use, what lies at or behind `until` is left out.
    pub(crate) fn check(name: u64, bytes: &[u8], until: Option<u64>) -> Self {
        let mut segment = Self { name, end: name, ..Self::default() };
        let mut at = 0;
        while bytes[at..].iter().any(|byte| *byte != 0) {
            if until.is_some_and(|until| segment.end >= until) {
                break;
            }
            if let Some(frame) = Frame::read(&bytes[at..]) {
                segment.frame(&frame, at == 0);
                at += frame.bytes;
            } else if let Some(next) = Frame::search(bytes, at) {
                let to = Frame::read(&bytes[next..]).map_or(segment.end, |frame| frame.first_leaf);
                segment.find(Verdict::Altered, segment.end, to, "bytes before a frame cannot be read");
                segment.lose_track();
                segment.end = segment.end.max(to);
                at = next;
            } else {
                segment.broken_end = true;
                segment.lose_track();
                break;
            }
        }
        segment.root_end = segment.tree.take().map(|tree| tree.root());
        segment
    }

    fn find(&mut self, verdict: Verdict, from: u64, to: u64, what: &'static str) {
        self.findings.push(Finding::new(verdict, from, to, what));
    }

    fn lose_track(&mut self) {
        self.tree = None;
        self.rows_end = None;
    }

    fn frame(&mut self, frame: &Frame<'_>, first: bool) {
        let (from, to) = (frame.first_leaf, frame.end());
        if first {
            self.first_leaf = Some(from);
            self.root_before = frame.root_before;
            self.tree = frame.tree_before();
            self.first_run = Some((frame.run, frame.mono_ns));
            if from != self.name || self.tree.is_none() {
                self.find(Verdict::Altered, from, to, "the first frame of a segment does not fit its name or frontier");
            }
            self.end = from;
        } else {
            self.join(frame);
        }
        let mut tree = self.tree.take();
        let mut whole = true;
        let mut leaf = from;
        for record in frame.records() {
            let Some(record) = record else {
                whole = false;
                break;
            };
            if let Some(tree) = &mut tree {
                tree.append(record);
            }
            self.record(leaf, record, first && leaf == from);
            leaf += 1;
        }
        let fits = whole && leaf == to;
        let root_fits = tree.as_ref().is_none_or(|tree| tree.root() == frame.root_after);
        if fits && root_fits {
            if let Some(tree) = &tree {
                self.roots.push((to, tree.root()));
            }
            self.tree = tree;
        } else {
            self.find(Verdict::Altered, from, to, "the records of a frame do not give its root");
        }
        self.last_run = Some((frame.run, frame.mono_ns));
        self.wall_ns = self.wall_ns.max(Some(frame.wall_ns));
        self.ends_in_order = frame.last;
        self.end = to;
    }

    /// How a frame follows the one before it.
    fn join(&mut self, frame: &Frame<'_>) {
        let (from, to) = (frame.first_leaf, frame.end());
        if from > self.end {
            self.find(Verdict::Missing, self.end, from, "leaves are missing");
        } else if from < self.end {
            self.find(Verdict::Altered, from, to, "leaves stand twice or out of order");
        }
        let root_fits = self.tree.as_ref().is_none_or(|tree| tree.root() == frame.root_before);
        if from == self.end && !root_fits {
            self.find(Verdict::Altered, from, to, "a frame does not extend the tree before it");
        }
        if from != self.end || !root_fits {
            self.lose_track();
        }
        if frame.subtrees.is_some() {
            let before = frame.tree_before();
            if before.is_none() {
                self.find(Verdict::Altered, from, to, "the frontier of a frame does not fold to the root before");
            }
            self.tree = before;
        }
        if self.ends_in_order {
            self.find(Verdict::Altered, from, to, "a frame follows the last frame of its segment");
        }
        let fell = self.last_run.is_some_and(|(run, mono_ns)| run == frame.run && mono_ns > frame.mono_ns);
        if fell {
            self.find(Verdict::Altered, from, to, "the monotonic clock falls within a run");
        }
        let silent =
            |(run, mono_ns): ([u8; 16], u64)| run == frame.run && frame.mono_ns.saturating_sub(mono_ns) > SILENCE_NS;
        self.silences += u64::from(self.last_run.is_some_and(silent));
    }

    fn record(&mut self, leaf: u64, record: &[u8], first: bool) {
        let Some((kind, content)) = record.split_first() else {
            return;
        };
        match *kind {
            ORIGIN if leaf == 0 => {
                self.origin = Some(content.to_vec());
                (self.rows_before, self.rows_end) = (Some(0), Some(0));
            }
            WRITE => {
                let row = cbor::by_number(content, 23).and_then(cbor::first_item).and_then(cbor::unsigned);
                let follows = |before: u64| row == Some(before + 1);
                if self.rows_end.is_some_and(|before| !follows(before)) {
                    self.find(Verdict::Altered, leaf, leaf + 1, "the run of the store's rows is broken");
                }
                self.rows_end = row;
            }
            HEARTBEAT | ADMIN => {
                let detail = cbor::by_number(content, 29);
                let row = detail.and_then(|detail| cbor::by_name(detail, "jseq")).and_then(cbor::unsigned);
                if first {
                    self.rows_before = row;
                }
                if row.is_some() {
                    self.rows_end = row;
                }
            }
            START => self.starts.push(true),
            STOP => self.starts.push(false),
            _ => {}
        }
    }
}

/// Heartbeats stand at least every 60 seconds.
const SILENCE_NS: u64 = 120_000_000_000;
const ORIGIN: u8 = 0;
const WRITE: u8 = 3;
const ADMIN: u8 = 8;
const HEARTBEAT: u8 = 9;
const START: u8 = 10;
const STOP: u8 = 11;
