//! Records: what is known of a request, as deterministic CBOR with a sealed part.
//!
//! The keys are listed in `FORMAT.md`. A record longer than one entry continues in further records of the same frame.

mod fields;

use std::ops::Range;
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};

use crate::access::Access;
use crate::cbor::{Cbor, Keyed};
use crate::gate::{Admin, Intent, Link};
use crate::outcome::{How, Labels, Outcome, Recorded, Shown, Stamps, SubEntry};
use crate::queue::Shared;

pub(crate) const ACCESS: u8 = 1;
pub(crate) const DENY: u8 = 2;
pub(crate) const WRITE: u8 = 3;
pub(crate) const INTENT: u8 = 4;
pub(crate) const OUTCOME: u8 = 5;
pub(crate) const AUTHN: u8 = 7;
pub(crate) const ADMIN: u8 = 8;
pub(crate) const HEARTBEAT: u8 = 9;
pub(crate) const START: u8 = 10;
pub(crate) const STOP: u8 = 11;
pub(crate) const CLOCK: u8 = 12;
pub(crate) const GAP: u8 = 13;
pub(crate) const CONTINUATION: u8 = 20;
pub(crate) const ORIGIN: u8 = 0;

/// The exact bytes of one record and its continuations, as they stand in the store's row and in the ledger's frame:
/// each `length u32 | type u8 | CBOR`.
pub struct RecordBytes {
    pub(crate) bytes: Vec<u8>,
    pub(crate) leaves: u32,
    pub(crate) link: Option<Arc<Link>>,
}

impl RecordBytes {
    /// The bytes to keep in the row.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Reads a row back.
    ///
    /// # Errors
    /// [`NotARecord`] if the lengths inside do not add up.
    pub fn from_row(bytes: Vec<u8>) -> Result<Self, NotARecord> {
        let mut leaves = 0;
        for record in records(&bytes) {
            record.ok_or(NotARecord)?;
            leaves += 1;
        }
        if leaves == 0 {
            return Err(NotARecord);
        }
        Ok(Self { bytes, leaves, link: None })
    }

    pub(crate) fn kind(&self) -> u8 {
        self.bytes.get(4).copied().unwrap_or(ORIGIN)
    }
}

/// Bytes that are not a run of records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the row does not hold an audit record")]
pub struct NotARecord;

/// A record with more content than one frame may carry.
#[derive(Debug)]
pub(crate) struct TooLong;

/// Splits framed records into `type | content` slices; `None` and the end where the lengths do not add up.
pub(crate) fn records(bytes: &[u8]) -> impl Iterator<Item = Option<&[u8]>> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let split = rest.split_first_chunk::<4>().and_then(|(len, after)| {
            let len = u32::from_le_bytes(*len) as usize;
            let fits = (1..=ENTRY_BYTES_MAX).contains(&len);
            if fits { after.split_at_checked(len) } else { None }
        });
        rest = split.map_or(&[], |(_, after)| after);
        Some(split.map(|(record, _)| record))
    })
}

/// Everything a record may say. Absent parts leave no key.
#[derive(Default)]
struct Fields<'a> {
    kind: u8,
    access: Option<&'a Access>,
    recipient: Option<(Option<&'a str>, Option<&'a str>)>,
    patients: Vec<&'a str>,
    resources: Vec<Item<'a>>,
    matched: Option<u64>,
    outcome: Option<Outcome>,
    body: Option<(u64, [u8; 32])>,
    labels: Option<&'a Labels>,
    entries: &'a [SubEntry],
    entry_patients: Vec<Option<u32>>,
    jseq: Option<u64>,
    refers: Option<u64>,
    detail: Option<Cbor>,
}

struct Item<'a> {
    kind: &'a str,
    id: &'a str,
    version: u64,
    patient: Option<u32>,
    how: How,
    body: Option<(u64, [u8; 32])>,
}

pub(crate) fn access(
    shared: &Shared,
    who: &Access,
    kind: u8,
    answer: &impl Recorded,
    shown: &Shown,
) -> Result<RecordBytes, TooLong> {
    let fields = Fields {
        kind,
        access: Some(who),
        patients: shown.patients.iter().map(String::as_str).collect(),
        resources: shown.resources.iter().map(Item::from).collect(),
        matched: shown.matched,
        outcome: Some(answer.outcome()),
        body: answer.body().map(|body| (body.len() as u64, sha256(body))),
        labels: Some(&shown.labels),
        ..Fields::default()
    };
    fields.encode(shared)
}

/// The record of a commit. `carried` is what the same answer shows beside what it wrote.
pub(crate) fn write(shared: &Shared, who: &Access, stamps: &Stamps, carried: &Shown) -> Result<RecordBytes, TooLong> {
    let mut patients: Vec<&str> = carried.patients.iter().map(String::as_str).collect();
    let mut place = |id| {
        let found = patients.iter().position(|known| *known == id);
        let place = found.unwrap_or_else(|| {
            patients.push(id);
            patients.len() - 1
        });
        u32::try_from(place).unwrap_or(u32::MAX)
    };
    let mut resources: Vec<Item<'_>> = carried.resources.iter().map(Item::from).collect();
    for written in &stamps.written {
        let mut first = None;
        for patient in &written.patients {
            let place = place(patient.as_str());
            first = first.or(Some(place));
        }
        resources.push(Item {
            kind: &written.kind,
            id: &written.id,
            version: written.version,
            patient: first,
            how: written.how,
            body: Some((written.body_len, written.body_sha256)),
        });
    }
    let entry_patients = stamps.entries.iter().map(|entry| entry.patient.as_deref().map(&mut place)).collect();
    let fields = Fields {
        kind: WRITE,
        access: Some(who),
        patients,
        resources,
        outcome: Some(stamps.outcome),
        matched: carried.matched,
        labels: Some(&carried.labels),
        entries: &stamps.entries,
        entry_patients,
        jseq: Some(stamps.jseq),
        ..Fields::default()
    };
    fields.encode(shared)
}

pub(crate) fn intent(shared: &Shared, what: &Intent) -> Result<RecordBytes, TooLong> {
    let fields = Fields {
        kind: INTENT,
        access: Some(&what.access),
        recipient: Some((what.organisation.as_deref(), what.endpoint.as_deref())),
        patients: what.patients.iter().map(String::as_str).collect(),
        resources: what.resources.iter().map(Item::from).collect(),
        refers: what.previous,
        ..Fields::default()
    };
    fields.encode(shared)
}

pub(crate) fn outcome(
    shared: &Shared,
    who: &Access,
    intent: u64,
    outcome: Outcome,
    finding: Option<&str>,
) -> Result<RecordBytes, TooLong> {
    let detail = finding.map(|finding| {
        let mut detail = Cbor::default();
        detail.map(1).text("finding").text(finding);
        detail
    });
    let fields = Fields {
        kind: OUTCOME,
        access: Some(who),
        outcome: Some(outcome),
        refers: Some(intent),
        detail,
        ..Fields::default()
    };
    fields.encode(shared)
}

pub(crate) fn admin(shared: &Shared, act: &Admin) -> Result<RecordBytes, TooLong> {
    let mut pairs: Vec<(&str, &str)> = act.detail.iter().map(|(name, value)| (*name, value.as_str())).collect();
    pairs.push(("act", act.act));
    let fields = Fields {
        kind: ADMIN,
        access: act.access.as_ref(),
        outcome: Some(act.outcome),
        detail: Some(text_map(&mut pairs)),
        ..Fields::default()
    };
    fields.encode(shared)
}

/// A record of the ledger's own, told by its detail alone.
pub(crate) fn own(shared: &Shared, kind: u8, detail: Cbor) -> Result<RecordBytes, TooLong> {
    Fields { kind, detail: Some(detail), ..Fields::default() }.encode(shared)
}

/// A map with text keys in the order RFC 8949 wants: shorter first, then bytewise.
pub(crate) fn text_map(pairs: &mut Vec<(&str, &str)>) -> Cbor {
    pairs.sort_by_key(|(name, _)| (name.len(), *name));
    pairs.dedup_by_key(|(name, _)| *name);
    let mut detail = Cbor::default();
    detail.map(pairs.len());
    for (name, value) in pairs {
        detail.text(name).text(value);
    }
    detail
}

pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, bytes).as_ref());
    hash
}

impl<'a> From<&'a crate::outcome::ShownResource> for Item<'a> {
    fn from(shown: &'a crate::outcome::ShownResource) -> Self {
        Self {
            kind: &shown.kind,
            id: &shown.id,
            version: shown.version,
            patient: shown.patient,
            how: shown.how,
            body: None,
        }
    }
}

/// The share of the lists that stands in one record.
#[derive(Default, Clone)]
struct Part {
    patients: Range<usize>,
    resources: Range<usize>,
    entries: Range<usize>,
    bytes: usize,
}

impl Fields<'_> {
    fn encode(&self, shared: &Shared) -> Result<RecordBytes, TooLong> {
        let parts = self.parts();
        let mut bytes = Vec::with_capacity(RECORD_BYTES_USUAL);
        for (i, part) in parts.iter().enumerate() {
            let start = bytes.len();
            bytes.extend_from_slice(&[0; 4]);
            bytes.push(if i == 0 { self.kind } else { CONTINUATION });
            let keyed = Keyed::new(Cbor(bytes));
            let keyed = self.encode_part(shared, keyed, part, i, parts.len()).ok_or(TooLong)?;
            bytes = keyed.end().0;
            let len = bytes.len() - start - 4;
            if len > ENTRY_BYTES_MAX {
                return Err(TooLong);
            }
            let len = u32::try_from(len).map_err(|_| TooLong)?;
            bytes[start..start + 4].copy_from_slice(&len.to_le_bytes());
        }
        if bytes.len() > shared.options.chain_bytes_max() {
            return Err(TooLong);
        }
        let leaves = u32::try_from(parts.len()).map_err(|_| TooLong)?;
        Ok(RecordBytes { bytes, leaves, link: None })
    }

    /// Cuts the lists so that each record stays below the entry bound with room for everything else.
    fn parts(&self) -> Vec<Part> {
        let mut parts = vec![Part::default()];
        let mut last = Part::default();
        let mut take = |cost: usize, grow: fn(&mut Part)| {
            if last.bytes + cost > LIST_BYTES_MAX {
                let next = Part {
                    patients: last.patients.end..last.patients.end,
                    resources: last.resources.end..last.resources.end,
                    entries: last.entries.end..last.entries.end,
                    bytes: 0,
                };
                parts.push(std::mem::replace(&mut last, next));
            }
            last.bytes += cost;
            grow(&mut last);
        };
        self.patients.iter().for_each(|id| take(id.len() + 24, |part| part.patients.end += 1));
        for item in &self.resources {
            take(item.kind.len() + item.id.len() + 64, |part| part.resources.end += 1);
        }
        for entry in self.entries {
            let id = entry.id.as_ref().map_or(0, String::len);
            take(id + 64, |part| part.entries.end += 1);
        }
        parts.push(last);
        parts.remove(0);
        parts
    }
}

/// Longest entry: type byte and content.
pub(crate) const ENTRY_BYTES_MAX: usize = 65_535;
const LIST_BYTES_MAX: usize = 40_000;
const RECORD_BYTES_USUAL: usize = 640;
