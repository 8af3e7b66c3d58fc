//! Rows of the identity journal: what is decided, by whom, on what it rests.

use bytes::Bytes;
use dukou_audit::Permit;
use dukou_identity::{Decided, Entry};
use dukou_store::JournalRow;

use crate::ingest::hexadecimal;

/// The row of a decision that is taken now: number and time are the store's to give.
pub(crate) fn row(permit: &Permit<'_>, decided: Decided, reason: &str, evidence: &str) -> JournalRow {
    let message = permit.access().message.as_ref();
    let carried = message.map(|message| format!("{} {}", message.kind, &hexadecimal(&message.sha256[..16])));
    let entry = Entry {
        seq: 0,
        time_ms: 0,
        decided,
        actor: actor(permit),
        reason: reason.to_owned(),
        evidence: carried.unwrap_or_else(|| evidence.to_owned()),
        model: String::new(),
    };
    JournalRow { kind: entry.kind().to_owned(), body: Bytes::from(entry.to_bytes()) }
}

/// Who decides: the person behind the request, else the system.
pub(crate) fn actor(permit: &Permit<'_>) -> String {
    let access = permit.access();
    match &access.user {
        Some(user) if !user.subject.is_empty() => format!("{}/{}", access.client.id, user.subject),
        _ => access.client.id.to_string(),
    }
}
