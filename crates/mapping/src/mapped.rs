//! What comes out of one message.

use dukou_fhir::{Issue, LogicalId, Object, ResourceKey, Value};

use crate::change::Change;
use crate::tally::Accounts;

/// Everything that one message says: changes to resources, facts, the account of its leaves, and issues.
#[derive(Debug, Default)]
pub struct Mapped<'m> {
    /// One for each resource, in a stable order.
    pub changes: Vec<Change<'m>>,
    /// What is not a change by itself.
    pub facts: Facts,
    /// What became of every leaf.
    pub accounts: Accounts,
    /// What was refused, with paths of the message; no values. An error means that something required is missing.
    pub issues: Vec<Issue>,
}

/// What a message tells beside changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// When the event happened: EVN-2, else MSH-7, as a FHIR dateTime.
    pub event_time: Option<String>,
    /// Logical ids of the patients of this message, each once.
    pub patients: Vec<LogicalId>,
    /// What it decides about identity, each once, in the order of its segments.
    pub told: Vec<Told>,
}

/// What a message decides about the identity of patients, accounts or visits (HL7 v2, chapter 3). All keys of one decision are of one type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// Two were one all along (A40 and its like for patients; A41, A42 for accounts and visits).
    Merge {
        /// The one that lives on.
        survivor: ResourceKey,
        /// The one that it replaces.
        retired: Named,
    },
    /// Two records are one person and stay two records (A24).
    Link {
        /// One record.
        one: ResourceKey,
        /// The other.
        other: ResourceKey,
    },
    /// Two records are linked no longer (A37).
    Unlink {
        /// One record.
        one: ResourceKey,
        /// The other.
        other: ResourceKey,
    },
    /// An identifier was filed under the wrong patient and goes to another with all its data (A43; A44 an account, A45 a visit).
    Move {
        /// What the message is about: the target as it says.
        to: ResourceKey,
        /// The identifier that moves.
        moved: Named,
        /// The patient who had it, where the message names one beside it.
        from: Option<Named>,
        /// The patient who has it now, where the message names one beside it.
        owner: Option<Named>,
    },
    /// An identifier has another value from now on (A46, A47; A49 an account, A50 and A51 a visit).
    Change {
        /// Whose identifier.
        of: ResourceKey,
        /// The value until now.
        old: Named,
        /// The value from now on, where another field than that of the key holds it.
        new: Option<Named>,
    },
    /// It was registered in error (A23 a visit, A29 a person).
    Delete {
        /// What.
        key: ResourceKey,
    },
}

/// Something that a message names only by an identifier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// The key that a message about it would give it.
    pub key: ResourceKey,
    /// URI of the authority; empty where none is named.
    pub system: String,
    /// The identifier.
    pub value: String,
    /// Type code of table 0203, where one is stated.
    pub kind: Option<String>,
}

impl Mapped<'_> {
    /// The changes as a transaction Bundle of updates against an empty store.
    pub fn to_bundle(&self) -> Value<'_> {
        let entries = self.changes.iter().map(|change| {
            let url = change.key.to_string();
            let request = Object::new().with("method", "PUT").with("url", url.clone());
            let entry = Object::new()
                .with("fullUrl", format!("urn:dukou:{}", url.replace('/', ":")))
                .with("resource", change.apply(None))
                .with("request", request);
            Value::Object(entry)
        });
        let bundle = Object::new().with("resourceType", "Bundle").with("type", "transaction");
        Value::Object(bundle.with("entry", Value::Array(entries.collect())))
    }

    /// Appends the same bundle in its canonical form, without making a tree of it first.
    pub fn print_bundle(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(br#"{"resourceType":"Bundle","type":"transaction","entry":["#);
        let mut comma = "";
        for changes in self.changes.chunk_by(Change::is_beside) {
            let mut printer = changes[0].printer(out);
            for change in changes {
                let (kind, id) = (change.key.kind.as_str(), change.key.id.as_str());
                // Neither types nor ids hold characters that JSON escapes.
                for part in [comma, r#"{"fullUrl":"urn:dukou:"#, kind, ":", id, r#"","resource":"#] {
                    printer.out.extend_from_slice(part.as_bytes());
                }
                change.print(&mut printer);
                for part in [r#","request":{"method":"PUT","url":""#, kind, "/", id, r#""}}"#] {
                    printer.out.extend_from_slice(part.as_bytes());
                }
                comma = ",";
            }
        }
        out.extend_from_slice(b"]}");
    }
}
