//! Documents and batches over HTTP: XML, JSON, rows and CDA in, an OperationOutcome with the numbers out; and what is held of them.

use bytes::Bytes;
use dukou_audit::{Permit, Settled};
use dukou_exchange::{Document, HeldDocument};
use dukou_fhir::{IssueType, Object, Value, json};

use crate::ask::Ask;
use crate::desk::Desk;
use crate::fault::fault;
use crate::negotiate::{self, Sent};
use crate::reply::{Reply, print};
use crate::write::Written;

/// Whether the body of an ingest is a document or rows. Its beginning decides; only where that could be rows does the header count.
pub(crate) fn is_document(ask: &Ask, body: &Bytes) -> bool {
    let said_er7 = matches!(negotiate::sent(&ask.headers), Ok(Sent::Er7));
    dukou_exchange::is_document(body, said_er7)
}

/// `POST /ingest` of a document: its records in, an OperationOutcome with the numbers out.
pub(crate) fn take(desk: &Desk, ask: &Ask, permit: &Permit<'_>, document: &Document<'_>) -> Written {
    let taken = desk.exchange.take(permit, document).map_err(|error| Reply::error(&error, ask.language))?;
    Ok(taken.map(|done| {
        let reply = Reply::fhir(if done.is_accepted { 200 } else { 422 }, done.answer);
        Reply { issue: (!done.is_accepted).then_some("document-refused"), ..reply }
    }))
}

/// `GET /ingest`: the caller's documents of which something is held, each with the answer that it was given; `after` is the number of
/// the last one seen.
pub(crate) fn held(desk: &Desk, ask: &Ask, permit: &Permit<'_>, client: &str) -> Written {
    let after = ask.query.split('&').find_map(|pair| pair.strip_prefix("after=")).unwrap_or("0");
    let Ok(after) = after.parse::<u64>() else {
        let (en, zh) = ("after is the number of a document", "after 应为文件编号");
        return Err(Reply::fault(fault(IssueType::Invalid, "after-invalid", en, zh), ask.language));
    };
    let found = desk.exchange.held(permit, client, after, HELD_MAX);
    let found = found.map_err(|error| Reply::error(&error, ask.language))?;
    Ok(Settled::Unchanged(found.map(|documents| {
        let listed: Vec<Value<'static>> = documents.iter().map(held_document).collect();
        let parameters = Object::new().with("resourceType", "Parameters");
        let parameters = if listed.is_empty() { parameters } else { parameters.with("parameter", listed) };
        Reply::fhir(200, print(&Value::Object(parameters)))
    })))
}

fn held_document(document: &HeldDocument) -> Value<'static> {
    let part = |name: &'static str, member: &'static str, value: Value<'static>| {
        Value::Object(Object::new().with("name", name).with(member, value))
    };
    let number = Value::String(document.number.to_string().into());
    let received = Value::String(document.received.to_string().into());
    let outcome = json::parse(&document.answer, &json::Limits::default()).map(Value::into_static);
    let mut parts = vec![part("number", "valueString", number), part("received", "valueInstant", received)];
    parts.extend(outcome.ok().map(|outcome| part("outcome", "resource", outcome)));
    Value::Object(Object::new().with("name", "document").with("part", parts))
}

/// Held documents in one answer, at most.
const HELD_MAX: usize = 100;
