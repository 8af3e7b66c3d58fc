//! `$process-message`: the Mobile Patient Identity Feed (IHE PMIR, ITI-93). A message Bundle comes with a history Bundle inside; each of
//! its entries is done as the interaction that it tells of, and the answer is a message that says what became of each.
//!
//! A merge is a PUT with `replaced-by`; a PUT that leaves such a link out is answered 405 at its place. Entries that name one another by
//! `urn:uuid:` are done together or not at all: a newborn and the RelatedPerson who is the mother arrive as one.

use bytes::Bytes;
use dukou_audit::Permit;
use dukou_exchange::{EntryResult, Error, Mode, Statuses, unmerge_not_here};
use dukou_fhir::{IssueType, LogicalId, Object, OperationOutcome, Value};

use crate::ask::Ask;
use crate::desk::Desk;
use crate::fault::{Fault, fault_at};
use crate::reply::{Reply, print};
use crate::status;
use crate::write::{self, Written};

/// Takes a message Bundle of the patient feed.
pub(crate) fn process(desk: &Desk, ask: &Ask, permit: &Permit<'_>, body: &Value<'static>) -> Written {
    let refuse = |fault: Fault| Reply::fault(fault, ask.language);
    ask.params.without_criteria().map_err(refuse)?;
    let message = Message::read(body).map_err(refuse)?;
    let most = desk.runtime.limits.bundle_entries_max;
    if message.entries.len() > most {
        return Err(refuse(write::too_many_entries(most)));
    }
    let policy = desk.policy.load();
    let settings = policy.settings(&permit.access().client.id).cloned().unwrap_or_default();
    let reader = write::reader(desk, ask, permit, &settings);
    let told: Vec<Value<'static>> = message.entries.iter().map(once_only).collect();
    let mode = if told.iter().any(names_itself) { Mode::Transaction } else { Mode::Batch };
    let read: Vec<_> = told
        .iter()
        .map(|entry| {
            if ends_a_merge(desk, entry) { Err(Error::Invalid(vec![unmerge_not_here()])) } else { reader.entry(entry) }
        })
        .collect();
    let (entries, failed) = write::sorted(read, mode).map_err(|error| Reply::error(&error, ask.language))?;
    let statuses = Statuses { effect: status::of_effect, refusal: status::of_error };
    let settled = desk.exchange.submit(permit, mode, &entries, statuses);
    let settled = settled.map_err(|error| Reply::error(&error, ask.language))?;
    Ok(settled.map(|results| Reply::fhir(200, answer(ask, &message, &write::merge(failed, results)))))
}

/// A message of the feed.
struct Message<'m> {
    /// `MessageHeader.id`, which the answer names.
    id: &'m str,
    entries: &'m [Value<'static>],
}

impl<'m> Message<'m> {
    fn read(body: &'m Value<'static>) -> Result<Message<'m>, Fault> {
        if body.resource_type() != Some("Bundle") || body.text_at("type") != Some("message") {
            return Err(not_understood(
                "Bundle.type",
                "a Bundle of type message is expected here",
                "此处需要 message 类型的 Bundle",
            ));
        }
        let resource = |place: usize| body.list_at("entry").get(place).and_then(|entry| entry.get("resource"));
        let header = resource(0).filter(|header| header.resource_type() == Some("MessageHeader"));
        let header = header.ok_or_else(|| {
            let zh = "message 的第一个条目须为 MessageHeader";
            not_understood("Bundle.entry[0]", "the first entry of a message is a MessageHeader", zh)
        })?;
        if header.text_at("eventUri") != Some(FEED) {
            let en = format!("of messages only the patient feed is taken here: eventUri {FEED}");
            let zh = format!("此处只接受患者信息推送：eventUri {FEED}");
            return Err(not_understood("MessageHeader.event", &en, &zh));
        }
        let history = resource(1)
            .filter(|history| history.resource_type() == Some("Bundle") && history.text_at("type") == Some("history"));
        let history = history.ok_or_else(|| {
            let zh = "第二个条目须为 history 类型的 Bundle";
            not_understood("Bundle.entry[1]", "the second entry is a Bundle of type history", zh)
        })?;
        let foreign = history.list_at("entry").iter().position(|entry| {
            !entry
                .get("resource")
                .is_none_or(|resource| matches!(resource.resource_type(), Some("Patient" | "RelatedPerson")))
        });
        if let Some(place) = foreign {
            let place = format!("Bundle.entry[1].resource.entry[{place}]");
            let zh = "患者信息推送只包含 Patient 与 RelatedPerson";
            return Err(not_understood(&place, "the feed carries Patient and RelatedPerson only", zh));
        }
        Ok(Message { id: header.text_at("id").unwrap_or(""), entries: history.list_at("entry") })
    }
}

/// A create that comes again creates nothing: it is asked for by all numbers of the Patient, where it has any.
fn once_only(entry: &Value<'static>) -> Value<'static> {
    let mut entry = entry.clone();
    let patient = entry.get("resource").filter(|resource| resource.resource_type() == Some("Patient"));
    let numbers = patient.map(|patient| patient.list_at("identifier")).unwrap_or_default();
    let criteria: Vec<String> = numbers
        .iter()
        .filter_map(|identifier| Some((identifier.text_at("system")?, identifier.text_at("value")?)))
        .map(|(system, value)| crate::percent::query([("identifier", format!("{system}|{value}").as_str())]))
        .collect();
    let creates = entry.text_at("request.method") == Some("POST") && entry.text_at("request.ifNoneExist").is_none();
    if creates
        && !criteria.is_empty()
        && let Some(request) = entry.get_mut("request").and_then(Value::as_object_mut)
    {
        request.insert("ifNoneExist", criteria.join("&"));
    }
    entry
}

/// Whether an entry writes a retired record without its link: an unmerge, which this transaction does not know (2:3.93.4.1.3).
fn ends_a_merge(desk: &Desk, entry: &Value<'_>) -> bool {
    let Some(patient) = entry.get("resource").filter(|resource| resource.resource_type() == Some("Patient")) else {
        return false;
    };
    let says_so = patient.list_at("link").iter().any(|link| link.text_at("type") == Some("replaced-by"));
    let updates = entry.text_at("request.method") == Some("PUT");
    let id = patient.text_at("id").and_then(LogicalId::parse);
    updates && !says_so && id.is_some_and(|id| desk.exchange.survivor_of(&id).is_some())
}

/// Whether other entries may name this one before it has an id.
fn names_itself(entry: &Value<'_>) -> bool {
    entry.text_at("fullUrl").is_some_and(|url| url.starts_with("urn:"))
}

/// The answering message: its header, then what became of each entry, in the order sent.
fn answer(ask: &Ask, message: &Message<'_>, results: &[EntryResult]) -> Bytes {
    let failed = results.iter().any(Result::is_err);
    let code = if failed { "fatal-error" } else { "ok" };
    let mut response = Object::new().with("code", code);
    if !message.id.is_empty() {
        response.insert("identifier", message.id.to_owned());
    }
    let header = Object::new()
        .with("resourceType", "MessageHeader")
        .with("eventUri", FEED_RESPONSE)
        .with("source", Object::new().with("endpoint", ask.base.clone()))
        .with("response", response);
    let told: Vec<Value<'static>> = results.iter().map(|result| outcome(result, ask)).collect();
    let mut history = Object::new().with("resourceType", "Bundle").with("type", "batch-response");
    if !told.is_empty() {
        history.insert("entry", told);
    }
    let entries: Vec<Value<'static>> =
        [header, history].into_iter().map(|resource| Object::new().with("resource", resource).into()).collect();
    let bundle = Object::new().with("resourceType", "Bundle").with("type", "message").with("entry", entries);
    Bytes::from(print(&bundle.into()))
}

fn outcome(result: &EntryResult, ask: &Ask) -> Value<'static> {
    let code = match result {
        Ok(done) => status::of_effect(done.effect()),
        Err(error) => status::of_error(error),
    };
    let mut response = Object::new().with("status", format!("{code} {}", status::phrase(code)));
    match result {
        Ok(done) => {
            if let Some(version) = done.version() {
                response.insert("location", format!("{}/_history/{}", version.key, version.version));
            }
        }
        Err(error) => {
            response.insert("outcome", OperationOutcome::from(error.issues()).to_value(ask.language));
        }
    }
    Object::new().with("response", response).into()
}

fn not_understood(place: &str, en: &str, zh: &str) -> Fault {
    fault_at(IssueType::NotSupported, "message-not-understood", place, en, zh)
}

/// The events of the feed and of its answer (IHE PMIR, MessageDefinition).
const FEED: &str = "urn:ihe:iti:pmir:2019:patient-feed";
const FEED_RESPONSE: &str = "urn:ihe:iti:pmir:2019:patient-feed-response";
