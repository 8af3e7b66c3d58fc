//! What comes out of one message.

use dukou_fhir::{Issue, LogicalId, Object, Value};

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
    /// Patients that became one.
    pub merges: Vec<Merge>,
}

/// Two patient records that became one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Merge {
    /// The record that lives on.
    pub survivor: LogicalId,
    /// The record that it replaces.
    pub retired: LogicalId,
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
