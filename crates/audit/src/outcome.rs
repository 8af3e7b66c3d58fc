//! How a request ended and what it showed or wrote: everything about a record that is known only afterwards.

/// What the doors answer with. The gate asks it how the request ended and which body leaves.
pub trait Recorded {
    /// How the request ended.
    fn outcome(&self) -> Outcome;

    /// The identity-coded body as it leaves (before gzip); its length and SHA-256 go into the record.
    fn body(&self) -> Option<&[u8]> {
        None
    }
}

impl Recorded for std::convert::Infallible {
    fn outcome(&self) -> Outcome {
        match *self {}
    }
}

/// How a request ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Outcome {
    /// HTTP status, or 0 where there is none.
    pub status: u16,
    /// HL7 v2 acknowledgment code (`AA`), where one is sent.
    pub ack: Option<[u8; 2]>,
    /// Stable code of the message given to the caller.
    pub issue: Option<&'static str>,
    /// FHIR AuditEvent.outcome: 0 success, 4 minor, 8 serious, 12 major failure.
    pub fhir: u8,
}

impl Outcome {
    /// An outcome with an HTTP status; the FHIR outcome follows from it (4xx is 4, 5xx is 8).
    #[must_use]
    pub fn http(status: u16) -> Self {
        let fhir = match status {
            0..400 => 0,
            400..500 => 4,
            _ => 8,
        };
        Self { status, fhir, ..Self::default() }
    }

    /// An outcome with an HL7 v2 acknowledgment code; `AA` and `CA` are success.
    #[must_use]
    pub fn ack(code: [u8; 2]) -> Self {
        let fhir = match code[1] {
            b'A' => 0,
            b'E' => 8,
            _ => 4,
        };
        Self { ack: Some(code), fhir, ..Self::default() }
    }

    /// The same with the stable code of the message given to the caller.
    #[must_use]
    pub fn issue(mut self, code: &'static str) -> Self {
        self.issue = Some(code);
        self
    }
}

/// What an answer shows. The patients are always complete.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shown {
    /// Logical ids of all patients whose data is shown, each once.
    pub patients: Vec<String>,
    /// The resources shown.
    pub resources: Vec<ShownResource>,
    /// Matches found by a search, where counted.
    pub matched: Option<u64>,
    /// Data levels, labels and fields.
    pub labels: Labels,
}

impl Shown {
    /// The place of a patient in [`Shown::patients`], which grows if the patient is new.
    pub fn patient(&mut self, id: &str) -> u32 {
        let found = self.patients.iter().position(|known| known == id);
        let place = found.unwrap_or_else(|| {
            self.patients.push(id.to_owned());
            self.patients.len() - 1
        });
        u32::try_from(place).unwrap_or(u32::MAX)
    }

    /// Adds what another answer shows; its patient places are renumbered.
    pub fn merge(&mut self, other: Self) {
        if self.patients.is_empty() && self.resources.is_empty() {
            let matched = self.matched;
            let labels = std::mem::take(&mut self.labels);
            *self = other;
            self.matched = self.matched.or(matched);
            self.labels.merge(labels);
            return;
        }
        let places: Vec<u32> = other.patients.iter().map(|id| self.patient(id)).collect();
        for mut resource in other.resources {
            resource.patient = resource.patient.and_then(|place| places.get(place as usize).copied());
            self.resources.push(resource);
        }
        self.matched = self.matched.or(other.matched);
        self.labels.merge(other.labels);
    }
}

/// One resource shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownResource {
    /// Resource type.
    pub kind: String,
    /// Logical id.
    pub id: String,
    /// Version, 1 or more.
    pub version: u64,
    /// Place in [`Shown::patients`] of the patient it belongs to.
    pub patient: Option<u32>,
    /// Why it is in the answer.
    pub how: How,
}

/// Why a resource stands in an answer or a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum How {
    /// It matched.
    Match = 0,
    /// It was included by reference.
    Include = 1,
    /// It is shown with fields masked.
    Masked = 2,
    /// It was created.
    Created = 3,
    /// It was updated.
    Updated = 4,
    /// It was deleted.
    Deleted = 5,
}

/// Data levels and labels of an answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Labels {
    /// Highest data level, 1 to 5; 0 is not stated.
    pub highest: u8,
    /// Security label codes.
    pub codes: Vec<String>,
    /// Names of the fields released, where a filter chose them.
    pub released: Vec<String>,
    /// Names of the fields masked.
    pub masked: Vec<String>,
}

impl Labels {
    /// Whether nothing is stated.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.highest == 0 && self.codes.is_empty() && self.released.is_empty() && self.masked.is_empty()
    }

    fn merge(&mut self, other: Self) {
        self.highest = self.highest.max(other.highest);
        union(&mut self.codes, other.codes);
        union(&mut self.released, other.released);
        union(&mut self.masked, other.masked);
    }
}

/// What only the store's writer knows when it seals the record of a commit.
#[derive(Debug, Clone, Default)]
pub struct Stamps {
    /// Number of the row in the store's table of pending records; an unbroken run from 1.
    pub jseq: u64,
    /// How the request ends if this commit stands.
    pub outcome: Outcome,
    /// The versions written.
    pub written: Vec<Written>,
    /// One line for each entry of a batch or transaction.
    pub entries: Vec<SubEntry>,
}

/// One version written by a commit.
#[derive(Debug, Clone)]
pub struct Written {
    /// Resource type.
    pub kind: String,
    /// Logical id.
    pub id: String,
    /// Version, 1 or more.
    pub version: u64,
    /// SHA-256 of the canonical bytes; zeros for a delete.
    pub body_sha256: [u8; 32],
    /// Length of the canonical bytes; 0 for a delete.
    pub body_len: u64,
    /// Created, updated or deleted.
    pub how: How,
    /// Logical ids of the patients it belongs to.
    pub patients: Vec<String>,
}

/// The result of one entry of a batch or transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubEntry {
    /// What the entry asked for, as in [`crate::Interaction::as_str`].
    pub interaction: &'static str,
    /// Its HTTP status.
    pub status: u16,
    /// Resource type, where it names one.
    pub kind: Option<String>,
    /// Logical id, where it names one.
    pub id: Option<String>,
    /// Version, where one results.
    pub version: Option<u64>,
    /// Logical id of the patient it belongs to.
    pub patient: Option<String>,
}

fn union(into: &mut Vec<String>, from: Vec<String>) {
    for code in from {
        if !into.contains(&code) {
            into.push(code);
        }
    }
}
