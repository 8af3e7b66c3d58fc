//! Posting keys: the index entries of a resource as order-preserving bytes.
//!
//! A key is `type u16 | parameter u16 | form u8 | value`. The forms and their values:
//!
//! | form | value |
//! |---|---|
//! | type, presence | none |
//! | compartment | the patient's logical id |
//! | token | 8 bytes of SHA-256 over system, 0, lower-case code; a second form over the code alone |
//! | reference | type u16 and logical id; a second form with 16 bytes of SHA-256 over an absolute URL |
//! | string | the first 24 bytes folded |
//! | date | low end, and in a twin the high end: i64 milliseconds, sign bit turned |
//! | number | the exact value, or in twins the two ends of an interval, as sorting bytes |
//! | quantity | as number, and a second time behind 8 bytes of SHA-256 over the unit |
//! | uri | 8 bytes of SHA-256 |

use sha2::{Digest, Sha256};

use crate::ResourceType;

/// One index entry of a resource; its bytes sort as the values do. The numbers in it hold for one release of this
/// program: an index is rebuilt when the parameter table changes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PostingKey(Vec<u8>);

impl PostingKey {
    /// The bytes of the key.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The bytes of the key, given away.
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    /// The entry that every resource of a type has: the list of the type.
    pub fn of_type(kind: ResourceType) -> PostingKey {
        PostingKey::start(kind, TYPE_NUMBER, Form::Type)
    }

    /// The entry of every resource of a type in the compartment of the patient with that logical id.
    pub fn in_compartment(kind: ResourceType, patient: &str) -> PostingKey {
        PostingKey::start(kind, COMPARTMENT_NUMBER, Form::Compartment).with(patient.as_bytes())
    }

    /// The key without its value.
    pub(crate) fn start(kind: ResourceType, parameter: u16, form: Form) -> PostingKey {
        let mut bytes = Vec::with_capacity(32);
        bytes.extend(kind.index().to_be_bytes());
        bytes.extend(parameter.to_be_bytes());
        bytes.push(form as u8);
        PostingKey(bytes)
    }

    /// The key with more bytes of value.
    pub(crate) fn with(mut self, value: &[u8]) -> PostingKey {
        self.0.extend_from_slice(value);
        self
    }

    /// The value: what follows type, parameter and form.
    pub(crate) fn value(&self) -> &[u8] {
        &self.0[PREFIX_BYTES..]
    }

    /// Whether the key is of that form.
    pub(crate) fn is(&self, form: Form) -> bool {
        self.0[PREFIX_BYTES - 1] == form as u8
    }

    /// The first key after all keys that begin with this one.
    pub(crate) fn successor(&self) -> PostingKey {
        let mut bytes = self.0.clone();
        while bytes.pop_if(|last| *last == u8::MAX).is_some() {}
        if let Some(last) = bytes.last_mut() {
            *last += 1;
        }
        PostingKey(bytes)
    }

    /// All keys that begin with this one.
    pub(crate) fn range(self) -> KeyRange {
        let end = self.successor();
        KeyRange { start: self, end }
    }
}

impl std::fmt::Debug for PostingKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Keys from `start` (itself included) up to `end` (itself not).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRange {
    /// The first key that may be in.
    pub start: PostingKey,
    /// The first key behind the range.
    pub end: PostingKey,
}

impl KeyRange {
    /// Whether a key is in.
    pub fn holds(&self, key: &PostingKey) -> bool {
        self.start <= *key && *key < self.end
    }
}

/// What the value of a key is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Form {
    Type = 0,
    Presence = 1,
    Compartment = 2,
    Token = 3,
    TokenCode = 4,
    Reference = 5,
    ReferenceUrl = 6,
    String = 7,
    DateLow = 8,
    DateHigh = 9,
    Point = 10,
    Low = 11,
    High = 12,
    UnitPoint = 13,
    UnitLow = 14,
    UnitHigh = 15,
    Uri = 16,
}

/// The first bytes of the SHA-256 over some parts with a zero byte between.
pub(crate) fn digest<const N: usize>(parts: &[&[u8]]) -> [u8; N] {
    let mut hash = Sha256::new();
    for (at, part) in parts.iter().enumerate() {
        if at > 0 {
            hash.update([0]);
        }
        hash.update(part);
    }
    let full = hash.finalize();
    let mut first = [0; N];
    first.copy_from_slice(&full[..N]);
    first
}

/// Type, parameter and form.
const PREFIX_BYTES: usize = 5;
/// Stands in the place of a parameter in the keys of a type's list.
const TYPE_NUMBER: u16 = u16::MAX;
/// Stands in the place of a parameter in the keys of compartments.
const COMPARTMENT_NUMBER: u16 = u16::MAX - 1;
