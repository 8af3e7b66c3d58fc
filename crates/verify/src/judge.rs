//! All segments, notes and files together: the verdict.

use std::collections::HashMap;

use crate::note::{Note, Origin};
use crate::segment::Segment;
use crate::tree::Hash;
use crate::verdict::{Finding, Verdict};

/// What was handed to the verifier besides the segments.
pub(crate) struct Surroundings<'a> {
    pub(crate) origin: &'a Origin,
    pub(crate) origin_text: &'a [u8],
    pub(crate) notes: &'a [u8],
    /// Notes that someone else kept.
    pub(crate) known_notes: &'a [Note],
    /// The verifier key line someone else kept.
    pub(crate) known_key: Option<&'a str>,
    /// Whether the prepared files hold only zeros.
    pub(crate) prepared_clean: bool,
    pub(crate) live: bool,
    /// The last frame must not be older than this.
    pub(crate) stale_before_ns: Option<i64>,
}

/// The outcome.
#[derive(Debug, Default)]
pub(crate) struct Judgement {
    pub(crate) findings: Vec<Finding>,
    pub(crate) leaves: u64,
    pub(crate) noted: u64,
    pub(crate) notes: usize,
    pub(crate) crashes: u64,
    pub(crate) running: bool,
    pub(crate) silences: u64,
}

impl Judgement {
    pub(crate) fn verdict(&self) -> Verdict {
        self.findings.iter().map(|finding| finding.verdict).min().unwrap_or(Verdict::Ok)
    }

    /// The finding that decides the verdict.
    pub(crate) fn decisive(&self) -> Option<&Finding> {
        self.findings.iter().filter(|finding| finding.verdict == self.verdict()).min_by_key(|finding| finding.from)
    }

    fn find(&mut self, verdict: Verdict, from: u64, to: u64, what: &'static str) {
        self.findings.push(Finding::new(verdict, from, to, what));
    }
}

/// Joins what the segments say and compares it with the notes.
pub(crate) fn judge(segments: &[Segment], around: &Surroundings<'_>) -> Judgement {
    let mut judgement = Judgement::default();
    let (notes, broken) = around.origin.notes(around.notes);
    for (size, torn) in broken {
        let verdict = if torn { Verdict::TornTail } else { Verdict::BadSignature };
        if !(torn && around.live) {
            judgement.find(verdict, size, size, "a note cannot be read or its signature is wrong");
        }
    }
    judgement.notes = notes.len();
    judgement.noted = notes.iter().map(|note| note.size).max().unwrap_or(0);
    join_segments(&mut judgement, segments, around.live);
    judge_origin(&mut judgement, segments, around);
    judge_runs(&mut judgement, segments);
    let roots: HashMap<u64, Hash> = segments.iter().flat_map(|segment| segment.roots.iter().copied()).collect();
    judge_notes(&mut judgement, &notes, &roots);
    judge_known(&mut judgement, around.known_notes, &notes, &roots);
    if !around.prepared_clean && !around.live {
        judgement.find(Verdict::TornTail, judgement.leaves, judgement.leaves, "a prepared file is not empty");
    }
    let newest = segments.iter().filter_map(|segment| segment.wall_ns).max();
    if around.stale_before_ns.is_some_and(|limit| newest.is_none_or(|newest| newest < limit)) {
        judgement.find(Verdict::Stale, judgement.leaves, judgement.leaves, "the last record is older than the limit");
    }
    judgement
}

fn join_segments(judgement: &mut Judgement, segments: &[Segment], live: bool) {
    let mut before: Option<&Segment> = None;
    for (i, segment) in segments.iter().enumerate() {
        judgement.findings.extend(segment.findings.iter().cloned());
        let last = i + 1 == segments.len();
        if segment.broken_end && !(last && live) {
            let verdict = if last { Verdict::TornTail } else { Verdict::Altered };
            judgement.find(verdict, segment.end, segment.end, "bytes behind the last frame cannot be read");
        }
        let end = before.map_or(0, |before| before.end);
        let Some(first_leaf) = segment.first_leaf else {
            if !last && !segment.broken_end && !live {
                judgement.find(Verdict::Missing, segment.name, segment.name, "a segment holds no frame");
            }
            continue;
        };
        if first_leaf > end {
            judgement.find(Verdict::Missing, end, first_leaf, "a segment is missing");
        } else if first_leaf < end {
            judgement.find(Verdict::Altered, first_leaf, end, "leaves stand in two segments");
        }
        if let Some(before) = before.filter(|before| before.end == first_leaf) {
            join_two(judgement, before, segment, first_leaf);
        }
        judgement.leaves = judgement.leaves.max(segment.end);
        judgement.silences += segment.silences;
        before = Some(segment);
    }
}

fn join_two(judgement: &mut Judgement, before: &Segment, segment: &Segment, leaf: u64) {
    if before.root_end.is_some_and(|root| root != segment.root_before) {
        judgement.find(Verdict::Altered, leaf, leaf, "a segment does not extend the tree before it");
    }
    if before.rows_end.zip(segment.rows_before).is_some_and(|(end, start)| end != start) {
        judgement.find(Verdict::Altered, leaf, leaf, "the run of the store's rows is broken");
    }
    let fell =
        before.last_run.zip(segment.first_run).is_some_and(|(last, first)| last.0 == first.0 && last.1 > first.1);
    if fell {
        judgement.find(Verdict::Altered, leaf, leaf, "the monotonic clock falls within a run");
    }
}

fn judge_origin(judgement: &mut Judgement, segments: &[Segment], around: &Surroundings<'_>) {
    let leaf = segments.first().and_then(|segment| segment.origin.as_deref());
    if judgement.leaves == 0 {
        judgement.find(Verdict::Missing, 0, judgement.noted.max(1), "the log holds no leaf");
    } else if leaf.is_some_and(|leaf| leaf != around.origin_text) {
        judgement.find(Verdict::Altered, 0, 1, "origin.json is not the first leaf");
    } else if leaf.is_none() && segments.first().and_then(|segment| segment.first_leaf) == Some(0) {
        judgement.find(Verdict::Altered, 0, 1, "the first leaf is not an origin");
    }
    if around.known_key.is_some_and(|key| key != around.origin.line) {
        judgement.find(Verdict::BadSignature, 0, 0, "the log is signed by another key than the known one");
    }
}

fn judge_runs(judgement: &mut Judgement, segments: &[Segment]) {
    for start in segments.iter().flat_map(|segment| &segment.starts) {
        judgement.crashes += u64::from(*start && judgement.running);
        judgement.running = *start;
    }
}

fn judge_notes(judgement: &mut Judgement, notes: &[Note], roots: &HashMap<u64, Hash>) {
    let mut before = 0;
    let damaged = judgement.findings.iter().any(|finding| finding.verdict <= Verdict::Missing);
    for (i, note) in notes.iter().enumerate() {
        let last = i.checked_sub(1).and_then(|i| notes.get(i));
        if let Some(last) = last.filter(|last| note.size <= last.size) {
            let forked = note.size == last.size && note.root != last.root;
            let verdict = if forked { Verdict::Forked } else { Verdict::Altered };
            judgement.find(verdict, note.size, last.size, "the notes do not rise");
        }
        match roots.get(&note.size) {
            _ if note.size > judgement.leaves => {
                let leaves = judgement.leaves;
                judgement.find(Verdict::RolledBack, leaves, note.size, "the log is shorter than a note it signed");
            }
            Some(root) if *root != note.root => {
                judgement.find(Verdict::Altered, before, note.size, "a note names another root");
            }
            // Without damage elsewhere, every frame's root is known.
            None if !damaged => judgement.find(Verdict::Altered, before, note.size, "a note does not end at a frame"),
            _ => {}
        }
        before = note.size;
    }
}

fn judge_known(judgement: &mut Judgement, known: &[Note], notes: &[Note], roots: &HashMap<u64, Hash>) {
    for note in known {
        let other = notes.iter().find(|other| other.size == note.size);
        if other.is_some_and(|other| other.root != note.root) {
            judgement.find(Verdict::Forked, note.size, note.size, "a known note of this size has another root");
        } else if note.size > judgement.leaves {
            let leaves = judgement.leaves;
            judgement.find(Verdict::RolledBack, leaves, note.size, "the log is shorter than a known note");
        } else if roots.get(&note.size).is_some_and(|root| *root != note.root) {
            judgement.find(Verdict::Altered, 0, note.size, "a known note names another root");
        }
    }
}
