//! `Patient/$match` (FHIR R4; IHE PDQm, ITI-119): demographics in, the people whom they may belong to out, most likely first.

use bytes::Bytes;
use dukou_audit::Permit;
use dukou_exchange::{Explanation, Match, MatchQuestion, Matched};
use dukou_fhir::{IssueType, Object, OperationOutcome, Value, json};

use crate::ask::Ask;
use crate::desk::Desk;
use crate::fault::{Fault, fault, fault_at};
use crate::read::Shown;
use crate::reply::{Reply, print};

/// Takes a Patient, or Parameters with `resource`, `onlyCertainMatches`, `count`, `include-inactive` and `explain`. No match is an empty
/// set; too little to look for anybody is a 400 that names what is missing.
pub(crate) fn matching(desk: &Desk, ask: &Ask, permit: &Permit<'_>, body: &Value<'static>) -> Shown {
    let refuse = |fault: Fault| Reply::fault(fault, ask.language);
    ask.params.without_criteria().map_err(refuse)?;
    let question = question(body, desk.runtime.limits.count_default, desk.runtime.limits.count_max).map_err(refuse)?;
    let found = desk.exchange.match_patient(permit, &question).map_err(|error| Reply::error(&error, ask.language))?;
    Ok(found.map(|found| Reply::fhir(200, searchset(ask, &found)).missed(found.matches.is_empty())))
}

fn question<'b>(body: &'b Value<'static>, count: usize, count_max: usize) -> Result<MatchQuestion<'b>, Fault> {
    let mut question =
        MatchQuestion { patient: body, only_certain: false, count, with_inactive: false, explained: false };
    let mut patient = (body.resource_type() == Some("Patient")).then_some(body);
    if body.resource_type() == Some("Parameters") {
        for part in body.list_at("parameter") {
            match part.text_at("name") {
                Some("resource") => patient = part.get("resource"),
                Some("onlyCertainMatches") => question.only_certain = yes(part, "onlyCertainMatches")?,
                Some("include-inactive") => question.with_inactive = yes(part, "include-inactive")?,
                Some("explain") => question.explained = yes(part, "explain")?,
                Some("count") => question.count = number(part)?.min(count_max),
                _ => return Err(unknown_parameter()),
            }
        }
    }
    let patient = patient.filter(|patient| patient.resource_type() == Some("Patient")).ok_or_else(no_patient)?;
    if patient.get("modifierExtension").is_some() || patient.get("implicitRules").is_some() {
        return Err(modified());
    }
    Ok(MatchQuestion { patient, ..question })
}

fn yes(part: &Value<'_>, name: &str) -> Result<bool, Fault> {
    part.get("valueBoolean").and_then(Value::as_bool).ok_or_else(|| {
        let (en, zh) = (format!("`{name}` has a valueBoolean"), format!("`{name}` 须为 valueBoolean"));
        fault_at(IssueType::Invalid, "bad-parameter", "Parameters.parameter", en, zh)
    })
}

fn number(part: &Value<'_>) -> Result<usize, Fault> {
    let said = part.get("valueInteger").or_else(|| part.get("valuePositiveInt")).and_then(Value::as_number);
    said.and_then(|text| text.parse().ok()).filter(|count| *count > 0).ok_or_else(|| {
        let en = "`count` has a valueInteger from 1 on";
        fault_at(
            IssueType::Invalid,
            "bad-parameter",
            "Parameters.parameter",
            en,
            "`count` 须为不小于 1 的 valueInteger",
        )
    })
}

fn searchset(ask: &Ask, found: &Matched) -> Bytes {
    let mut entries: Vec<Bytes> = found.matches.iter().map(|one| entry(ask, one)).collect();
    if !found.notes.is_empty() {
        let outcome = OperationOutcome::from(found.notes.clone()).to_value(ask.language);
        let search = Object::new().with("mode", "outcome");
        entries.push(print(&Object::new().with("resource", outcome).with("search", search).into()).into());
    }
    let mut out =
        format!(r#"{{"resourceType":"Bundle","type":"searchset","total":{}"#, found.matches.len()).into_bytes();
    for (place, entry) in entries.iter().enumerate() {
        out.extend_from_slice(if place == 0 { b",\"entry\":[" } else { b"," });
        out.extend_from_slice(entry);
    }
    out.extend_from_slice(if entries.is_empty() { b"}" } else { b"]}" });
    Bytes::from(out)
}

/// One entry; the stored body is copied into place.
fn entry(ask: &Ask, one: &Match) -> Bytes {
    let mut extensions: Vec<Value<'static>> =
        vec![Object::new().with("url", MATCH_GRADE).with("valueCode", one.grade.code()).into()];
    extensions.extend(one.explanation.as_ref().map(|explanation| explained(explanation, ask)));
    let score = Value::Number(format!("{:.4}", one.probability.clamp(0.0, 1.0)).into());
    let search = Object::new().with("extension", extensions).with("mode", "match").with("score", score);
    let mut out = b"{\"fullUrl\":".to_vec();
    json::print_text(&format!("{}/{}", ask.base, one.version.key), &mut out);
    out.extend_from_slice(b",\"resource\":");
    out.extend_from_slice(&ask.params.shape.apply(&one.version.body));
    out.extend_from_slice(b",\"search\":");
    json::print(&search.into(), &mut out);
    out.push(b'}');
    Bytes::from(out)
}

/// Why, as an extension: the bits of all lines add up to `bits`.
fn explained(explanation: &Explanation, ask: &Ask) -> Value<'static> {
    let text = |url: &'static str, value: String| -> Value<'static> {
        Object::new().with("url", url).with("valueString", value).into()
    };
    let bits = |bits: dukou_exchange::Bits| -> Value<'static> {
        Object::new().with("url", "bits").with("valueDecimal", Value::Number(bits.to_string().into())).into()
    };
    let mut parts = vec![bits(explanation.bits), text("model", explanation.model.clone())];
    for line in &explanation.lines {
        let mut said = vec![text("field", line.field.clone()), text("label", line.label.of(ask.language).to_owned())];
        let values = [("asked", &line.left), ("known", &line.right)];
        said.extend(
            values.into_iter().filter(|(_, value)| !value.is_empty()).map(|(url, value)| text(url, value.clone())),
        );
        if !line.level.is_empty() {
            said.push(text("level", line.level.to_owned()));
        }
        said.push(bits(line.bits));
        parts.push(Object::new().with("url", "line").with("extension", said).into());
    }
    parts.extend(explanation.vetoes.iter().map(|veto| text("veto", veto.text().of(ask.language).to_owned())));
    Object::new().with("url", EXPLANATION).with("extension", parts).into()
}

fn no_patient() -> Fault {
    let zh = "需要一个 Patient，或带有 resource 参数的 Parameters";
    fault(IssueType::Required, "no-patient", "a Patient is needed, alone or as the parameter `resource`", zh)
}

fn modified() -> Fault {
    let en = "what is matched has neither implicitRules nor modifierExtension";
    fault_at(
        IssueType::NotSupported,
        "modified",
        "Patient",
        en,
        "待匹配的 Patient 不得含 implicitRules 或 modifierExtension",
    )
}

fn unknown_parameter() -> Fault {
    let en = "$match takes resource, onlyCertainMatches, count, include-inactive and explain";
    let zh = "$match 只接受 resource、onlyCertainMatches、count、include-inactive、explain";
    fault_at(IssueType::NotSupported, "unknown-parameter", "Parameters.parameter", en, zh)
}

const MATCH_GRADE: &str = "http://hl7.org/fhir/StructureDefinition/match-grade";
const EXPLANATION: &str = "https://dukou.dev/fhir/StructureDefinition/match-explanation";
