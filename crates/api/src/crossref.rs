//! `Patient/$ihe-pix` (IHE PIXm, ITI-83): a number of a patient in, the other numbers and records of the same person out.

use bytes::Bytes;
use dukou_audit::Permit;
use dukou_exchange::{CrossReference, CrossReferenceFault, CrossReferenced};
use dukou_fhir::{Issue, IssueType, Object, Text, Value};

use hyper::header::CONTENT_TYPE;

use crate::ask::Ask;
use crate::desk::Desk;
use crate::fault::{Fault, fault_at};
use crate::read::Shown;
use crate::reply::{Reply, print};
use crate::write;

/// Takes `sourceIdentifier` (`system|value`) and `targetSystem` from the address, a form or Parameters. POST keeps the number out of
/// addresses and their logs.
pub(crate) fn cross_reference(desk: &Desk, ask: &Ask, permit: &Permit<'_>, body: Option<&Value<'static>>) -> Shown {
    let refuse = |fault: Fault| Reply::fault(fault, ask.language);
    let mut named: Vec<(&str, String)> =
        ask.params.criteria.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
    for part in body.map_or(&[][..], |body| body.list_at("parameter")) {
        named.push((part.text_at("name").unwrap_or(""), value(part)));
    }
    let (mut sources, mut targets) = (Vec::new(), Vec::new());
    for (name, value) in named {
        match name {
            "sourceIdentifier" => sources.push(value),
            "targetSystem" => targets.extend(value.split(',').map(str::to_owned)),
            _ => return Err(refuse(unknown_parameter())),
        }
    }
    let [source] = sources.as_slice() else { return Err(refuse(one_source())) };
    let (system, number) = source.split_once('|').ok_or_else(|| refuse(one_source()))?;
    if system.is_empty() || number.is_empty() {
        return Err(refuse(one_source()));
    }
    let domains = desk.policy.load().domains();
    let asked = CrossReference { system, value: number, targets: &targets, domains: &domains, base: &ask.base };
    let found = desk.exchange.cross_reference(permit, &asked).map_err(|fault| refused(&fault, ask))?;
    Ok(found.map(|found| Reply::fhir(200, print(&answer(&found)))))
}

/// The Parameters of a POST; a form has become parameters of the request already.
///
/// # Errors
/// The issue of a 400.
pub(crate) fn parameters(ask: &Ask, body: &Bytes) -> Result<Option<Value<'static>>, Fault> {
    let is_form = ask.header(&CONTENT_TYPE).is_some_and(|kind| kind.starts_with(FORM));
    if body.is_empty() || is_form { Ok(None) } else { write::parse(body).map(Some) }
}

/// What a parameter says: a token as text, or an identifier.
fn value(part: &Value<'_>) -> String {
    if let Some(identifier) = part.get("valueIdentifier") {
        let text = |name: &str| identifier.text_at(name).unwrap_or("");
        return format!("{}|{}", text("system"), text("value"));
    }
    let names = ["valueString", "valueUri", "valueUrl", "valueCode"];
    names.iter().find_map(|name| part.text_at(name)).unwrap_or("").to_owned()
}

fn answer(found: &CrossReferenced) -> Value<'static> {
    let part = |name: &'static str, of: &'static str, value: Value<'static>| -> Value<'static> {
        Object::new().with("name", name).with(of, value).into()
    };
    let identifiers = found.identifiers.iter().map(|one| part("targetIdentifier", "valueIdentifier", one.clone()));
    let records = found
        .records
        .iter()
        .map(|key| part("targetId", "valueReference", Object::new().with("reference", key.to_string()).into()));
    let parts: Vec<Value<'static>> = identifiers.chain(records).collect();
    let mut answer = Object::new().with("resourceType", "Parameters");
    if !parts.is_empty() {
        answer.insert("parameter", parts);
    }
    answer.into()
}

/// The refusals of the profile with its own diagnostics (2:3.83.4.2.2).
fn refused(fault: &CrossReferenceFault, ask: &Ask) -> Reply {
    let (status, kind, code, diagnostics, zh) = match fault {
        CrossReferenceFault::Failed(error) => return Reply::error(error, ask.language),
        CrossReferenceFault::UnknownSource => (
            400,
            IssueType::CodeInvalid,
            "unknown-source-domain",
            "sourceIdentifier Assigning Authority not found",
            "sourceIdentifier 的系统未登记",
        ),
        CrossReferenceFault::UnknownTarget => {
            (403, IssueType::CodeInvalid, "unknown-target-domain", "targetSystem not found", "targetSystem 未登记")
        }
        CrossReferenceFault::NotFound => (
            404,
            IssueType::NotFound,
            "unknown-identifier",
            "sourceIdentifier Patient Identifier not found",
            "未找到 sourceIdentifier 对应的患者",
        ),
        CrossReferenceFault::Ambiguous => (
            409,
            IssueType::MultipleMatches,
            "several-people",
            "sourceIdentifier belongs to more than one person",
            "sourceIdentifier 对应多人",
        ),
    };
    let issue = Issue::error(kind, code, Text::new(diagnostics, zh)).with_diagnostics(diagnostics);
    Reply::outcome_as(status, vec![issue], ask.language)
}

fn one_source() -> Fault {
    let en = "$ihe-pix takes exactly one sourceIdentifier, written system|value";
    let zh = "$ihe-pix 需要且只需要一个 sourceIdentifier，写作 system|value";
    fault_at(IssueType::Invalid, "source-identifier", "Parameters.parameter", en, zh)
}

fn unknown_parameter() -> Fault {
    let en = "$ihe-pix takes sourceIdentifier and targetSystem";
    let zh = "$ihe-pix 只接受 sourceIdentifier 与 targetSystem";
    fault_at(IssueType::NotSupported, "unknown-parameter", "Parameters.parameter", en, zh)
}

const FORM: &str = "application/x-www-form-urlencoded";
