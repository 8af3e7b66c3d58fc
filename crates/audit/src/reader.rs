//! Reading a ledger back, read-only: for people who ask who saw what.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use aws_lc_rs::hmac;

use crate::access::RequestId;
use crate::decode::Cbor;
use crate::epochs::Epochs;
use crate::frame::Frame;
use crate::keys::Keys;
use crate::outcome::How;
use crate::record::{CONTINUATION, ORIGIN};
use crate::recovery::{self, OpenError, io_error};
use crate::sealing::{associated, pseudonym};
use crate::segment;
use crate::storage::{Files, read_all};
use crate::tree;

/// A ledger opened for reading. It never writes, and on a live folder it ends at the last note.
pub struct Reader {
    files: Arc<dyn Files>,
    index: hmac::Key,
    epochs: Epochs,
    segments: Vec<u64>,
    noted: u64,
}

/// The leaf hashes of a ledger in order, up to the last whole frame: what receipts are held against.
///
/// # Errors
/// What the system says on reading a segment.
pub fn leaf_hashes(files: &dyn Files) -> io::Result<Vec<[u8; 32]>> {
    let (mut hashes, mut buffer) = (Vec::new(), Vec::new());
    for first_leaf in segment::list(files)? {
        let bytes = read_all(files, &segment::path(first_leaf))?;
        let mut at = 0;
        while let Some(frame) = Frame::parse(&bytes[at..]) {
            hashes.extend(frame.leaves().map(|(_, record)| tree::leaf_hash(record, &mut buffer)));
            at += frame.len;
        }
    }
    Ok(hashes)
}

/// One record with its continuations, sealed parts opened.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Entry {
    /// Leaf index.
    pub leaf: u64,
    /// Record type, as listed in `FORMAT.md`.
    pub kind: u8,
    /// Wall clock, nanoseconds since 1970 UTC.
    pub time_ns: i64,
    /// Offset of local time, minutes.
    pub zone_minutes: i64,
    /// Request id.
    pub request: Option<RequestId>,
    /// Interaction, in the record's word.
    pub interaction: String,
    /// Client id.
    pub client: String,
    /// Organisation of the client.
    pub organisation: Option<String>,
    /// Address of the peer.
    pub address: Option<String>,
    /// Issuer and subject of the user.
    pub user: Option<(String, String)>,
    /// Name of the user, from the sealed part.
    pub user_name: Option<String>,
    /// Role of the user.
    pub role: Option<String>,
    /// Department of the user.
    pub department: Option<String>,
    /// purposeOfUse codes.
    pub purposes: Vec<String>,
    /// Reason of an emergency access, from the sealed part; empty if it cannot be opened.
    pub break_glass: Option<String>,
    /// Permitted or denied.
    pub permit: Option<bool>,
    /// Patients: pseudonym, and the logical id from the sealed part.
    pub patients: Vec<([u8; 16], Option<String>)>,
    /// Resources shown or written.
    pub resources: Vec<EntryResource>,
    /// Raw request, from the sealed part.
    pub query: Option<String>,
    /// Matches found.
    pub matched: Option<u64>,
    /// HTTP status, 0 if none.
    pub status: u16,
    /// Acknowledgment code.
    pub ack: Option<String>,
    /// Stable message code.
    pub issue: Option<String>,
    /// Row number of the store.
    pub jseq: Option<u64>,
    /// Leaf referred to.
    pub refers: Option<u64>,
    /// Source system, type and control id (from the sealed part) of a legacy message.
    pub message: Option<(String, String, Option<String>)>,
    /// Whether every sealed part could be opened.
    pub opened: bool,
}

/// One resource of an [`Entry`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryResource {
    /// Resource type.
    pub kind: String,
    /// Logical id; empty where it is the patient's own and the sealed part cannot be opened.
    pub id: String,
    /// Version.
    pub version: u64,
    /// Place of its patient in [`Entry::patients`].
    pub patient: Option<usize>,
    /// Why it is there; `None` for a reason of a newer version.
    pub how: Option<How>,
}

/// What to look for. An absent condition matches everything.
#[derive(Debug, Clone, Default)]
pub struct Question<'a> {
    /// Logical ids of one patient; several after a merge.
    pub patients: &'a [&'a str],
    /// Subject of the user.
    pub user: Option<&'a str>,
    /// One request.
    pub request: Option<RequestId>,
    /// Earliest time, nanoseconds since 1970 UTC.
    pub from_ns: Option<i64>,
    /// Time before which entries end.
    pub to_ns: Option<i64>,
    /// purposeOfUse code.
    pub purpose: Option<&'a str>,
    /// HTTP status.
    pub status: Option<u16>,
}

impl Reader {
    /// Opens a ledger for reading with the keys that open its sealed parts.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(files: Arc<dyn Files>, keys: &Keys) -> Result<Self, OpenError> {
        let origin = recovery::read_origin(&*files)?;
        let notes = recovery::read_or_empty(&*files, segment::NOTES)?;
        let noted = recovery::last_note(&notes, &origin).0.map_or(0, |note| note.size);
        let segments = segment::list(&*files).map_err(io_error("list the segments"))?;
        let epochs = Epochs::load(&*files, &keys.wrapping)?;
        let index = hmac::Key::new(hmac::HMAC_SHA256, &keys.index);
        Ok(Self { files, index, epochs, segments, noted })
    }

    /// Leaves under the last note: where reading ends.
    #[must_use]
    pub fn leaves(&self) -> u64 {
        self.noted
    }

    /// Hands over every entry that answers the question, in leaf order.
    ///
    /// # Errors
    /// What the system says on reading a segment.
    pub fn search(&self, question: &Question<'_>, mut found: impl FnMut(Entry)) -> io::Result<()> {
        let names: Vec<[u8; 16]> = question.patients.iter().map(|id| pseudonym(&self.index, id)).collect();
        let mut hand_over = |entry: Entry| {
            if question.matches(&entry, &names) {
                found(entry);
            }
        };
        for first_leaf in &self.segments {
            let bytes = read_all(&*self.files, &segment::path(*first_leaf))?;
            let mut at = 0;
            while let Some(frame) = Frame::parse(&bytes[at..]) {
                if frame.first_leaf >= self.noted {
                    return Ok(());
                }
                self.frame_entries(&frame, &mut hand_over);
                at += frame.len;
            }
        }
        Ok(())
    }

    /// Joins each record of a frame with its continuations.
    fn frame_entries(&self, frame: &Frame<'_>, hand_over: &mut impl FnMut(Entry)) {
        let mut open: Option<Entry> = None;
        for (leaf, record) in frame.leaves() {
            let Some((kind, content)) = record.split_first() else {
                continue;
            };
            if *kind == ORIGIN {
                continue;
            }
            let Some(content) = Cbor::parse(content) else {
                continue;
            };
            if *kind == CONTINUATION {
                if let Some(entry) = &mut open {
                    self.take_lists(entry, *kind, &content);
                }
                continue;
            }
            open.take().into_iter().for_each(&mut *hand_over);
            open = Some(self.entry(leaf, *kind, &content));
        }
        open.into_iter().for_each(hand_over);
    }

    fn entry(&self, leaf: u64, kind: u8, content: &Cbor) -> Entry {
        let text = |key, sub| Some(content.key(key)?.key(sub)?.text()?.to_owned());
        let mut entry = Entry {
            leaf,
            kind,
            time_ns: content.key(1).and_then(Cbor::int).unwrap_or(0),
            zone_minutes: content.key(2).and_then(|clock| clock.at(0)?.int()).unwrap_or(0),
            request: content.key(3).and_then(Cbor::bytes).and_then(|id| id.try_into().ok()).map(RequestId),
            interaction: content.key(5).and_then(Cbor::text).unwrap_or("").to_owned(),
            client: text(7, 0).unwrap_or_default(),
            organisation: text(7, 1),
            address: text(8, 0),
            user: text(9, 0).zip(text(9, 1)),
            role: text(9, 2),
            department: text(9, 3),
            permit: content.key(12).and_then(|decision| decision.key(0)?.bool()),
            matched: content.key(16).and_then(|matched| matched.at(0)?.uint()),
            status: content.key(17).and_then(|o| o.key(0)?.uint()).and_then(|n| n.try_into().ok()).unwrap_or(0),
            ack: text(17, 1),
            issue: text(17, 2),
            jseq: content.key(23).and_then(|row| row.at(0)?.uint()),
            refers: content.key(24).and_then(Cbor::uint),
            opened: true,
            ..Entry::default()
        };
        if let Some(codes) = content.key(10).and_then(|purpose| purpose.at(0)) {
            entry.purposes = codes.items().iter().filter_map(|code| code.text().map(str::to_owned)).collect();
        }
        if content.key(11).is_some() {
            entry.break_glass = Some(String::new());
        }
        if let Some(message) = content.key(25) {
            let part = |i| message.at(i).and_then(Cbor::text).unwrap_or("").to_owned();
            entry.message = Some((part(0), part(1), None));
        }
        self.take_lists(&mut entry, kind, content);
        entry
    }

    /// Patients, resources and sealed fields of one record or continuation.
    fn take_lists(&self, entry: &mut Entry, kind: u8, content: &Cbor) {
        let sealed = self.unseal(kind, content);
        entry.opened &= content.key(30).is_none() || sealed.is_some();
        let references = sealed.as_ref().and_then(|sealed| sealed.key(13)).map_or(&[][..], Cbor::items);
        for (i, name) in content.key(13).map_or(&[][..], Cbor::items).iter().enumerate() {
            let name = name.bytes().and_then(|name| name.try_into().ok()).unwrap_or_default();
            let reference = references.get(i).and_then(Cbor::text).map(str::to_owned);
            entry.patients.push((name, reference));
        }
        for item in content.key(14).map_or(&[][..], Cbor::items) {
            let patient = item.at(3).and_then(Cbor::uint).and_then(|place| usize::try_from(place).ok());
            let own = patient.and_then(|place| entry.patients.get(place)?.1.clone());
            let id = item.at(1).and_then(Cbor::text).map(str::to_owned);
            entry.resources.push(EntryResource {
                kind: item.at(0).and_then(Cbor::text).unwrap_or("").to_owned(),
                id: id.or(own).unwrap_or_default(),
                version: item.at(2).and_then(Cbor::uint).unwrap_or(0),
                patient,
                how: item.at(4).and_then(Cbor::uint).and_then(how),
            });
        }
        let Some(sealed) = sealed else {
            return;
        };
        let text = |key| sealed.key(key).and_then(Cbor::text).map(str::to_owned);
        entry.user_name = text(9).or(entry.user_name.take());
        entry.break_glass = text(11).or(entry.break_glass.take());
        entry.query = text(15).or(entry.query.take());
        if let Some(message) = &mut entry.message {
            message.2 = text(25).or(message.2.take());
        }
    }

    fn unseal(&self, kind: u8, content: &Cbor) -> Option<Cbor> {
        let epoch = content.key(28)?.uint()?;
        let request = content.key(3).and_then(Cbor::bytes).and_then(|id| id.try_into().ok()).unwrap_or_default();
        let plain = self.epochs.get(epoch)?.open(&associated(kind, &request, epoch), content.key(30)?.bytes()?)?;
        Cbor::parse(&plain)
    }
}

impl Question<'_> {
    fn matches(&self, entry: &Entry, names: &[[u8; 16]]) -> bool {
        let patient = self.patients.is_empty() || entry.patients.iter().any(|(name, _)| names.contains(name));
        let user = self.user.is_none_or(|user| entry.user.as_ref().is_some_and(|(_, subject)| subject == user));
        let purpose = self.purpose.is_none_or(|code| entry.purposes.iter().any(|known| known == code));
        patient
            && user
            && purpose
            && self.request.is_none_or(|request| entry.request == Some(request))
            && self.status.is_none_or(|status| entry.status == status)
            && self.from_ns.is_none_or(|from| entry.time_ns >= from)
            && self.to_ns.is_none_or(|to| entry.time_ns < to)
    }
}

/// Counts of entries per user, for "who saw this patient": subject, name if opened, entries, first and last time.
#[must_use]
pub fn viewers(entries: &[Entry]) -> Vec<Viewer> {
    let mut viewers: BTreeMap<(String, String), Viewer> = BTreeMap::new();
    for entry in entries {
        let subject = entry.user.as_ref().map_or("", |(_, subject)| subject).to_owned();
        let viewer = viewers.entry((entry.client.clone(), subject.clone())).or_insert_with(|| Viewer {
            client: entry.client.clone(),
            subject,
            name: None,
            role: entry.role.clone(),
            department: entry.department.clone(),
            entries: 0,
            first_ns: entry.time_ns,
            last_ns: entry.time_ns,
        });
        viewer.name = viewer.name.take().or_else(|| entry.user_name.clone());
        viewer.entries += 1;
        viewer.first_ns = viewer.first_ns.min(entry.time_ns);
        viewer.last_ns = viewer.last_ns.max(entry.time_ns);
    }
    viewers.into_values().collect()
}

/// One line of the answer to "who saw this patient".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Viewer {
    /// Client id.
    pub client: String,
    /// Subject of the user; empty for a system.
    pub subject: String,
    /// Name of the user.
    pub name: Option<String>,
    /// Role of the user.
    pub role: Option<String>,
    /// Department of the user.
    pub department: Option<String>,
    /// Number of entries.
    pub entries: u64,
    /// First time, nanoseconds since 1970 UTC.
    pub first_ns: i64,
    /// Last time.
    pub last_ns: i64,
}

fn how(code: u64) -> Option<How> {
    [How::Match, How::Include, How::Masked, How::Created, How::Updated, How::Deleted]
        .into_iter()
        .find(|how| *how as u64 == code)
}
