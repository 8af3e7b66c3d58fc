//! What comes out of one message.

use dukou_fhir::{Issue, LogicalId, Object, ResourceKey, Value};

use crate::change::Change;
use crate::tally::Accounts;

/// Everything that one message says: changes to resources, facts, the account of its leaves, and issues.
#[derive(Debug)]
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

impl<'m> Mapped<'m> {
    /// The same as [`Mapped::to_bundle`] for a caller who needs nothing else: contents move instead of being built anew.
    pub fn into_bundle(self) -> Value<'m> {
        let entries: Vec<Value<'m>> = self.changes.into_iter().map(|change| entry(&change.key, change.set)).collect();
        let bundle = Object::new().with("resourceType", "Bundle").with("type", "transaction");
        Value::Object(bundle.with("entry", Value::Array(entries)))
    }

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
}

/// The update that makes a resource.
fn entry<'m>(key: &ResourceKey, set: Object<'m>) -> Value<'m> {
    let url = key.to_string();
    let mut resource = Object::with_capacity(set.len() + 2);
    resource.insert("resourceType", key.kind.as_str());
    resource.insert("id", key.id.as_str().to_owned());
    for (name, value) in set {
        resource.insert(name, value);
    }
    let full_url = format!("urn:dukou:{}", url.replace('/', ":"));
    let request = Object::new().with("method", "PUT").with("url", url);
    Value::Object(Object::new().with("fullUrl", full_url).with("resource", resource).with("request", request))
}
