//! Handlers that write: one interaction, a transaction, a batch, a message.

use bytes::Bytes;
use dukou_access::ClientSettings;
use dukou_audit::{Permit, Right, Settled};
use dukou_exchange::{Arrival, Done, Entry, EntryResult, Error, IngestStep, Ingested, Mode, Statuses, Version};
use dukou_fhir::{Issue, IssueType, Language, Severity, Text, Value, json};
use hyper::header::{CONTENT_TYPE, ETAG, HeaderName, HeaderValue, IF_MATCH, LOCATION};

use crate::ask::Ask;
use crate::bundle::Writer;
use crate::desk::Desk;
use crate::entries::{Reader, Sent};
use crate::etag;
use crate::fault::{Fault, fault, fault_at};
use crate::negotiate::{self, Return};
use crate::read::stamped;
use crate::reply::Reply;
use crate::route::Route;
use crate::status;

/// The answer of a handler that may change something.
pub(crate) type Written = Result<Settled<Reply>, Reply>;

/// Create, update, patch and delete, with and without conditions.
pub(crate) fn single(
    desk: &Desk,
    ask: &Ask,
    permit: &Permit<'_>,
    route: &Route,
    body: Option<Value<'static>>,
) -> Written {
    let refuse = |error: &Error| Reply::error(error, ask.language);
    let conditional = matches!(route, Route::UpdateWhere(_) | Route::PatchWhere(_) | Route::DeleteWhere(_));
    if !conditional {
        ask.params.without_criteria().map_err(|issue| Reply::fault(issue, ask.language))?;
    }
    let policy = desk.policy.load();
    let settings = policy.settings(&permit.access().client.id).cloned().unwrap_or_default();
    let sent = Sent {
        content: body,
        if_match: ask.header(&IF_MATCH).map(str::to_owned),
        if_none_exist: ask.header(&IF_NONE_EXIST).map(str::to_owned),
        criteria: ask.params.criteria_text(),
    };
    let operation = reader(desk, ask, permit, &settings).operation(route, sent).map_err(|error| refuse(&error))?;
    let entries = [Entry { full_url: None, operation }];
    let outcome_asked = ask.prefer.body == Some(Return::OperationOutcome);
    let effect = if outcome_asked { status::of_effect_with_body } else { status::of_effect };
    let statuses = Statuses { effect, refusal: status::of_error };
    let settled = desk.exchange.submit(permit, Mode::Single, &entries, statuses).map_err(|error| refuse(&error))?;
    Ok(settled.map(|results| match results.into_iter().next() {
        Some(Ok(done)) => written(ask, permit, &done, effect),
        Some(Err(error)) => Reply::error(&error, ask.language),
        None => Reply::empty(204),
    }))
}

fn written(ask: &Ask, permit: &Permit<'_>, done: &Done, effect: fn(dukou_exchange::Effect) -> u16) -> Reply {
    let code = effect(done.effect());
    let version = done.version();
    if let Done::Deleted(_) = done {
        let reply = if code == 204 { Reply::empty(204) } else { Reply::note(code, ask.language) };
        return match version {
            Some(version) => reply.with_text(ETAG, &etag::print(version.version)),
            None => reply,
        };
    }
    let Some(version) = version else { return Reply::empty(code) };
    let reply = match ask.prefer.body {
        Some(Return::Minimal) => Reply::empty(code),
        Some(Return::OperationOutcome) => Reply::note(code, ask.language),
        // What was found and not written is a read.
        _ if matches!(done, Done::Found(_)) && !may_read(permit, version) => Reply::empty(code),
        _ => Reply::fhir(code, ask.params.shape.apply(&version.body)),
    };
    let located = format!("{}/{}/_history/{}", ask.base, version.key, version.version);
    stamped(reply, version).with_text(LOCATION, &located)
}

fn may_read(permit: &Permit<'_>, version: &Version) -> bool {
    let patients: Vec<&str> = version.patients.iter().map(|patient| patient.as_str()).collect();
    permit.allows_for(version.key.kind.as_str(), Right::Read, &patients)
}

/// A transaction or a batch.
pub(crate) fn bundle(desk: &Desk, ask: &Ask, permit: &Permit<'_>, mode: Mode, bundle: &Value<'static>) -> Written {
    let refuse = |error: &Error| Reply::error(error, ask.language);
    let listed = bundle.list_at("entry");
    let most = desk.runtime.limits.bundle_entries_max;
    if listed.len() > most {
        return Err(Reply::fault(too_many_entries(most), ask.language));
    }
    let policy = desk.policy.load();
    let settings = policy.settings(&permit.access().client.id).cloned().unwrap_or_default();
    let reader = reader(desk, ask, permit, &settings);
    let read: Vec<Result<Entry, Error>> = listed.iter().map(|entry| reader.entry(entry)).collect();
    let (entries, failed) = sorted(read, mode).map_err(|error| refuse(&error))?;
    let statuses = Statuses { effect: status::of_effect, refusal: status::of_error };
    let settled = desk.exchange.submit(permit, mode, &entries, statuses).map_err(|error| refuse(&error))?;
    let kind = if mode == Mode::Batch { "batch-response" } else { "transaction-response" };
    let body = ask.prefer.body.unwrap_or(Return::Minimal);
    Ok(settled.map(|results| {
        let results = merge(failed, results);
        let writer = Writer { base: &ask.base, shape: &ask.params.shape, language: ask.language };
        Reply::fhir(200, writer.responses(kind, &results, body))
    }))
}

/// The entries that were understood, and at each place the fault of one that was not. In a transaction the first fault is that of the whole.
///
/// # Errors
/// The fault of a transaction, with the place of its entry.
pub(crate) fn sorted(read: Vec<Result<Entry, Error>>, mode: Mode) -> Result<(Vec<Entry>, Vec<Option<Error>>), Error> {
    let mut entries = Vec::with_capacity(read.len());
    let mut failed: Vec<Option<Error>> = Vec::with_capacity(read.len());
    for (index, entry) in read.into_iter().enumerate() {
        match (entry, mode) {
            (Ok(entry), _) => {
                entries.push(entry);
                failed.push(None);
            }
            (Err(source), Mode::Batch) => failed.push(Some(source)),
            (Err(source), _) => return Err(Error::Entry { index, source: Box::new(source) }),
        }
    }
    Ok((entries, failed))
}

/// Puts the results back to the places of the Bundle, beside the entries that were not understood.
pub(crate) fn merge(failed: Vec<Option<Error>>, results: Vec<EntryResult>) -> Vec<EntryResult> {
    let mut results = results.into_iter();
    let place = |failed: Option<Error>| match failed {
        Some(error) => Some(Err(error)),
        None => results.next(),
    };
    failed.into_iter().filter_map(place).collect()
}

pub(crate) fn reader<'a>(
    desk: &'a Desk,
    ask: &'a Ask,
    permit: &'a Permit<'a>,
    settings: &'a ClientSettings,
) -> Reader<'a> {
    let limits = &desk.runtime.limits;
    Reader {
        exchange: &desk.exchange,
        permit,
        settings,
        base: &ask.base,
        count_default: limits.count_default,
        count_max: limits.count_max,
    }
}

/// Which kind of Bundle it is.
///
/// # Errors
/// The issue of a 400.
pub(crate) fn mode(bundle: &Value<'_>) -> Result<Mode, Fault> {
    match (bundle.resource_type(), bundle.text_at("type")) {
        (Some("Bundle"), Some("transaction")) => Ok(Mode::Transaction),
        (Some("Bundle"), Some("batch")) => Ok(Mode::Batch),
        _ => Err(fault_at(
            IssueType::Invalid,
            "bundle-type",
            "Bundle.type",
            "a Bundle of type transaction or batch is expected here",
            "此处需要 transaction 或 batch 类型的 Bundle",
        )),
    }
}

/// A body as a tree.
///
/// # Errors
/// The issue of a 400, with line and column.
pub(crate) fn parse(body: &Bytes) -> Result<Value<'static>, Fault> {
    match json::parse(body, &json::Limits::default()) {
        Ok(value) => Ok(value.into_static()),
        Err(error) => {
            let (en, zh) = ("the body is not JSON that is taken here", "请求体不是可接受的 JSON");
            let fault =
                fault(IssueType::Invalid, "bad-json", format!("{en}: {}", error.kind), format!("{zh}：{}", error.kind));
            Err(fault.with_position(error.line, error.column))
        }
    }
}

/// `POST /ingest`: one message in, its acknowledgement out.
pub(crate) fn ingest(desk: &Desk, ask: &Ask, permit: &Permit<'_>, arrival: &Arrival<'_>) -> Written {
    let taken = desk.exchange.ingest(permit, arrival, IngestStep::Whole);
    let taken = taken.map_err(|error| Reply::error(&error, ask.language))?;
    let outcome = negotiate::prefers_outcome(&ask.headers);
    Ok(taken.map(|done| if outcome { told(&done, ask.language) } else { acknowledged(&done) }))
}

/// The acknowledgement as it is. A refusing one has a status of its own, so that a plain HTTP client sees it, too.
fn acknowledged(done: &Ingested) -> Reply {
    let code = if done.code[1] == b'A' { 200 } else { 422 };
    match &done.ack {
        Some(ack) => {
            let body = Reply { body: ack.clone(), ..Reply::empty(code) };
            body.with(CONTENT_TYPE, HeaderValue::from_static(negotiate::ER7))
        }
        None => Reply::empty(if code == 200 { 204 } else { code }),
    }
}

fn told(done: &Ingested, language: Language) -> Reply {
    let code = if done.code[1] == b'A' { 200 } else { 422 };
    let ack = String::from_utf8_lossy(&done.code).into_owned();
    let text = Text::new(format!("acknowledged with {ack}"), format!("应答码 {ack}"));
    let mut issues = done.issues.clone();
    issues.push(Issue::new(Severity::Information, IssueType::Informational, "acknowledged", text));
    Reply::outcome_as(code, issues, language)
}

pub(crate) fn too_many_entries(most: usize) -> Fault {
    let (en, zh) = (format!("a Bundle has at most {most} entries"), format!("Bundle 最多包含 {most} 个条目"));
    fault_at(IssueType::TooLong, "too-many-entries", "Bundle.entry", en, zh)
}

const IF_NONE_EXIST: HeaderName = HeaderName::from_static("if-none-exist");
