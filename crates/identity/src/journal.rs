//! The identity journal: what people and feeds have decided about records, entry by entry, never rewritten.
//!
//! An entry names records by their logical ids, never persons: persons follow from the whole journal (see [`Fold`](crate::Fold)).
//! Its body is a JSON object; members that a later edition adds are passed over.

use dukou_fhir::{LogicalId, Object, Value, json};

/// One decision as it stands in the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its number in the journal; rising, never used again. 0 before it is stored.
    pub seq: u64,
    /// When it was stored, in milliseconds since 1970.
    pub time_ms: i64,
    /// What was decided.
    pub decided: Decided,
    /// Who decided: a person's or a feed's name.
    pub actor: String,
    /// Why, in the actor's words.
    pub reason: String,
    /// What it rests on: a message, an explanation, the names of two confirming people.
    pub evidence: String,
    /// The model that was asked before; empty where none was.
    pub model: String,
}

/// What was decided.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Decided {
    /// One record is retired in favour of another of the same person.
    Merge {
        /// The record that goes on.
        survivor: LogicalId,
        /// The record that is replaced.
        retired: LogicalId,
    },
    /// A merge, or another decision about two records, is taken back as if it had never been.
    Unmerge {
        /// The number of the entry that is taken back.
        merge: u64,
    },
    /// A person says that two records are one human being.
    AssertLink {
        /// One record.
        a: LogicalId,
        /// The other.
        b: LogicalId,
    },
    /// A feed says that two records are one human being (A24).
    Link {
        /// One record.
        a: LogicalId,
        /// The other.
        b: LogicalId,
    },
    /// Two records are no longer linked, whoever linked them (A37).
    Unlink {
        /// One record.
        a: LogicalId,
        /// The other.
        b: LogicalId,
    },
    /// A person says that two records are two human beings.
    AssertNotSame {
        /// One record.
        a: LogicalId,
        /// The other.
        b: LogicalId,
    },
    /// An identifier was filed under the wrong patient and goes to another with all its data (A43, A45).
    Move {
        /// The record that had it.
        from: LogicalId,
        /// The record that has it now.
        to: LogicalId,
        /// Canonical system of the identifier.
        system: String,
        /// Its value.
        value: String,
    },
    /// An identifier of a record has another value from now on (A46, A47).
    IdentifierChange {
        /// The record.
        record: LogicalId,
        /// Canonical system of the identifier.
        system: String,
        /// The value until now.
        old: String,
        /// The value from now on; empty where it was only taken away.
        new: String,
    },
    /// A record was made before anything was known of it, so that a decision can name it.
    Create {
        /// The record.
        record: LogicalId,
    },
}

impl Entry {
    /// The kind of the entry, as the journal's row names it.
    pub fn kind(&self) -> &'static str {
        match self.decided {
            Decided::Merge { .. } => "merge",
            Decided::Unmerge { .. } => "unmerge",
            Decided::AssertLink { .. } => "assert-link",
            Decided::Link { .. } => "link",
            Decided::Unlink { .. } => "unlink",
            Decided::AssertNotSame { .. } => "assert-not-same",
            Decided::Move { .. } => "move",
            Decided::IdentifierChange { .. } => "identifier-change",
            Decided::Create { .. } => "create",
        }
    }

    /// The body of the journal's row; number, time and kind stand beside it there.
    pub fn to_bytes(&self) -> Vec<u8> {
        let id = |id: &LogicalId| Value::from(id.as_str().to_owned());
        let text = |text: &String| Value::from(text.clone());
        let body = match &self.decided {
            Decided::Merge { survivor, retired } => {
                Object::new().with("survivor", id(survivor)).with("retired", id(retired))
            }
            Decided::Unmerge { merge } => Object::new().with("merge", *merge),
            Decided::AssertLink { a, b }
            | Decided::Link { a, b }
            | Decided::Unlink { a, b }
            | Decided::AssertNotSame { a, b } => Object::new().with("a", id(a)).with("b", id(b)),
            Decided::Move { from, to, system, value } => Object::new()
                .with("from", id(from))
                .with("to", id(to))
                .with("system", text(system))
                .with("value", text(value)),
            Decided::IdentifierChange { record, system, old, new } => Object::new()
                .with("record", id(record))
                .with("system", text(system))
                .with("old", text(old))
                .with("new", text(new)),
            Decided::Create { record } => Object::new().with("record", id(record)),
        };
        let said =
            [("actor", &self.actor), ("reason", &self.reason), ("evidence", &self.evidence), ("model", &self.model)];
        let body = said
            .into_iter()
            .filter(|(_, said)| !said.is_empty())
            .fold(body, |body, (name, said)| body.with(name, text(said)));
        let mut out = Vec::new();
        json::print(&Value::from(body), &mut out);
        out
    }

    /// The entry of a row: its number, its time, its kind and its body.
    ///
    /// # Errors
    /// A kind that is not known here, a body that is no JSON object, or a member that is missing or of another form.
    pub fn parse(seq: u64, time_ms: i64, kind: &str, body: &[u8]) -> Result<Entry, EntryError> {
        let body = json::parse(body, &json::Limits::default()).map_err(|_| EntryError::Body { seq })?;
        let read = Read { seq, body: &body };
        let decided = match kind {
            "merge" => Decided::Merge { survivor: read.id("survivor")?, retired: read.id("retired")? },
            "unmerge" => Decided::Unmerge { merge: read.number("merge")? },
            "assert-link" => Decided::AssertLink { a: read.id("a")?, b: read.id("b")? },
            "link" => Decided::Link { a: read.id("a")?, b: read.id("b")? },
            "unlink" => Decided::Unlink { a: read.id("a")?, b: read.id("b")? },
            "assert-not-same" => Decided::AssertNotSame { a: read.id("a")?, b: read.id("b")? },
            "move" => Decided::Move {
                from: read.id("from")?,
                to: read.id("to")?,
                system: read.text("system"),
                value: read.text("value"),
            },
            "identifier-change" => Decided::IdentifierChange {
                record: read.id("record")?,
                system: read.text("system"),
                old: read.text("old"),
                new: read.text("new"),
            },
            "create" => Decided::Create { record: read.id("record")? },
            other => return Err(EntryError::Kind { seq, kind: other.chars().take(40).collect() }),
        };
        let (actor, reason) = (read.text("actor"), read.text("reason"));
        let (evidence, model) = (read.text("evidence"), read.text("model"));
        Ok(Entry { seq, time_ms, decided, actor, reason, evidence, model })
    }
}

impl Decided {
    /// The records that the decision names, at most two; an unmerge names none, its merge does.
    pub fn records(&self) -> impl Iterator<Item = &LogicalId> {
        let (one, other) = match self {
            Decided::Merge { survivor, retired } => (Some(survivor), Some(retired)),
            Decided::Unmerge { .. } => (None, None),
            Decided::AssertLink { a, b }
            | Decided::Link { a, b }
            | Decided::Unlink { a, b }
            | Decided::AssertNotSame { a, b } => (Some(a), Some(b)),
            Decided::Move { from, to, .. } => (Some(from), Some(to)),
            Decided::IdentifierChange { record, .. } | Decided::Create { record } => (Some(record), None),
        };
        one.into_iter().chain(other)
    }

    /// The two records about which it says that they are or are not one, the smaller id first; none for other decisions.
    pub fn pair(&self) -> Option<(&LogicalId, &LogicalId)> {
        match self {
            Decided::Merge { survivor: a, retired: b }
            | Decided::AssertLink { a, b }
            | Decided::Link { a, b }
            | Decided::Unlink { a, b }
            | Decided::AssertNotSame { a, b } => Some((a.min(b), a.max(b))),
            Decided::Unmerge { .. }
            | Decided::Move { .. }
            | Decided::IdentifierChange { .. }
            | Decided::Create { .. } => None,
        }
    }

    /// Whether the decision can take an identity away from somebody who had it: what was known before must not be served any more.
    pub fn takes_away(&self) -> bool {
        match self {
            Decided::Unmerge { .. }
            | Decided::Unlink { .. }
            | Decided::AssertNotSame { .. }
            | Decided::Move { .. }
            | Decided::IdentifierChange { .. } => true,
            Decided::Merge { .. } | Decided::AssertLink { .. } | Decided::Link { .. } | Decided::Create { .. } => false,
        }
    }
}

/// Why a row is no entry. Nothing of the body is repeated.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    /// Another kind.
    #[error("journal entry {seq} is of the unknown kind {kind:?}: a newer release wrote it")]
    Kind {
        /// Number of the entry.
        seq: u64,
        /// The kind it names.
        kind: String,
    },
    /// No JSON object.
    #[error("the body of journal entry {seq} cannot be read as JSON")]
    Body {
        /// Number of the entry.
        seq: u64,
    },
    /// A member that is missing or of another form.
    #[error("journal entry {seq} lacks a readable {member:?}")]
    Member {
        /// Number of the entry.
        seq: u64,
        /// The member.
        member: &'static str,
    },
}

struct Read<'a> {
    seq: u64,
    body: &'a Value<'a>,
}

impl Read<'_> {
    fn id(&self, member: &'static str) -> Result<LogicalId, EntryError> {
        let id = self.body.text_at(member).and_then(LogicalId::parse);
        id.ok_or(EntryError::Member { seq: self.seq, member })
    }

    fn number(&self, member: &'static str) -> Result<u64, EntryError> {
        let number = self.body.get(member).and_then(Value::as_number).and_then(|text| text.parse().ok());
        number.ok_or(EntryError::Member { seq: self.seq, member })
    }

    fn text(&self, member: &str) -> String {
        self.body.text_at(member).unwrap_or_default().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::{Decided, Entry, EntryError};
    use dukou_fhir::LogicalId;

    fn id(text: &str) -> LogicalId {
        LogicalId::parse(text).unwrap()
    }

    fn all() -> Vec<Decided> {
        let (a, b) = (id("a"), id("b"));
        vec![
            Decided::Merge { survivor: a.clone(), retired: b.clone() },
            Decided::Unmerge { merge: u64::MAX },
            Decided::AssertLink { a: a.clone(), b: b.clone() },
            Decided::Link { a: a.clone(), b: b.clone() },
            Decided::Unlink { a: a.clone(), b: b.clone() },
            Decided::AssertNotSame { a: a.clone(), b: b.clone() },
            Decided::Move { from: a.clone(), to: b, system: "urn:oid:1.2".into(), value: "王\"\n".into() },
            Decided::IdentifierChange { record: a.clone(), system: "s".into(), old: "1".into(), new: String::new() },
            Decided::Create { record: a },
        ]
    }

    fn entry(decided: Decided) -> Entry {
        let (actor, reason) = ("李护士".to_owned(), "same card, same face".to_owned());
        Entry { seq: 7, time_ms: 1, decided, actor, reason, evidence: String::new(), model: "cn-1".to_owned() }
    }

    #[test]
    fn every_decision_reads_back_as_it_was_written() {
        for decided in all() {
            let entry = entry(decided);
            let read = Entry::parse(7, 1, entry.kind(), &entry.to_bytes());
            assert_eq!(read.as_ref(), Ok(&entry));
        }
    }

    #[test]
    fn what_is_no_entry_is_refused_by_number_and_member_without_its_text() {
        let refused = |kind: &str, body: &str| Entry::parse(9, 0, kind, body.as_bytes()).unwrap_err();
        assert_eq!(refused("merge", "{\"survivor\":\"a\"}"), EntryError::Member { seq: 9, member: "retired" });
        assert_eq!(refused("unmerge", "{\"merge\":\"x\"}"), EntryError::Member { seq: 9, member: "merge" });
        assert_eq!(refused("merge", "{"), EntryError::Body { seq: 9 });
        assert_eq!(refused("split", "{}"), EntryError::Kind { seq: 9, kind: "split".to_owned() });
        assert!(!refused("create", "{\"record\":\"王芳\"}").to_string().contains('王'));
    }

    #[test]
    fn members_of_a_later_edition_are_passed_over() {
        let body = br#"{"record":"a","colour":"red"}"#;
        assert_eq!(Entry::parse(1, 0, "create", body).unwrap().decided, Decided::Create { record: id("a") });
    }
}
