//! `Patient/$merge` and `Patient/$unmerge`: Parameters in, Parameters out.

use std::collections::BTreeMap;

use dukou_audit::Permit;
use dukou_exchange::{MergeAsked, Merged, Party, UnmergeAsked, Unmerged};
use dukou_fhir::{
    Issue, IssueType, LogicalId, Object, OperationOutcome, ResourceKey, ResourceType, Severity, Text, Value,
};

use crate::ask::Ask;
use crate::desk::Desk;
use crate::fault::{Fault, fault_at};
use crate::operation::named;
use crate::reply::{Reply, print};
use crate::write::Written;

/// `Patient/$merge` (the parameters are those of FHIR R5, and `reason`). 202 where the merge waits for a second person.
pub(crate) fn merge(desk: &Desk, ask: &Ask, permit: &Permit<'_>, body: &Value<'static>) -> Written {
    let refuse = |fault: Fault| Reply::fault(fault, ask.language);
    ask.params.without_criteria().map_err(refuse)?;
    let asked = MergeAsked {
        source: party(body, "source-patient", "source-patient-identifier").map_err(refuse)?,
        target: party(body, "target-patient", "target-patient-identifier").map_err(refuse)?,
        result: named(body, "result-patient").and_then(|part| part.get("resource")).cloned(),
        preview: flag(body, "preview").map_err(refuse)?.unwrap_or(false),
        reason: text(body, "reason"),
    };
    let merged = desk.exchange.merge(permit, &asked).map_err(|error| Reply::error(&error, ask.language))?;
    Ok(merged.map(|merged| {
        let status = if merged.waits.is_some() && !asked.preview { 202 } else { 200 };
        Reply::fhir(status, print(&told(ask, &asked, &merged)))
    }))
}

/// `Patient/$unmerge`: `patient` or `patient-identifier`, `merge` (number of the journal's entry) or `reason`, `preview`, and `not-same`,
/// which is true unless it is said otherwise.
pub(crate) fn unmerge(desk: &Desk, ask: &Ask, permit: &Permit<'_>, body: &Value<'static>) -> Written {
    let refuse = |fault: Fault| Reply::fault(fault, ask.language);
    ask.params.without_criteria().map_err(refuse)?;
    let merge = named(body, "merge").map(|part| {
        let number = ["valueInteger", "valueUnsignedInt", "valuePositiveInt"].iter().find_map(|name| part.get(name));
        let number = number.and_then(Value::as_number).and_then(|text| text.parse().ok());
        number.ok_or_else(|| malformed("merge", "valueInteger"))
    });
    let asked = UnmergeAsked {
        patient: party(body, "patient", "patient-identifier").map_err(refuse)?,
        merge: merge.transpose().map_err(refuse)?,
        reason: text(body, "reason"),
        preview: flag(body, "preview").map_err(refuse)?.unwrap_or(false),
        holds_apart: flag(body, "not-same").map_err(refuse)?.unwrap_or(true),
    };
    let unmerged = desk.exchange.unmerge(permit, &asked).map_err(|error| Reply::error(&error, ask.language))?;
    Ok(unmerged.map(|unmerged| Reply::fhir(200, print(&parted(ask, &asked, &unmerged)))))
}

fn told(ask: &Ask, asked: &MergeAsked, merged: &Merged) -> Value<'static> {
    let note = match (&merged.waits, asked.preview) {
        (_, true) => ("preview", Text::new("nothing was changed", "未作任何更改")),
        (Some(_), false) => (
            "waits-for-second",
            Text::new(
                "something speaks against this merge: it counts once a second person says the same",
                "存在否决证据：需另一人以同样的操作确认后才生效",
            ),
        ),
        (None, false) => ("merged", Text::new("the records are merged", "记录已合并")),
    };
    let mut issues = vec![Issue::new(Severity::Information, IssueType::Informational, note.0, note.1)];
    let against = |text: &Text| Issue::warning(IssueType::BusinessRule, "objection", text.clone());
    issues.extend(merged.objections.iter().map(against));
    let mut parameters = vec![outcome(ask, issues)];
    if merged.waits.is_none() || asked.preview {
        parameters.push(Object::new().with("name", "result").with("resource", merged.result.clone()).into());
    }
    parameters.extend(merged.entry.map(entry));
    parameters.extend(merged.waits.as_ref().filter(|_| !asked.preview).map(|task| reference("task", task)));
    parameters.extend(counts("affected", &merged.affected));
    answer(parameters)
}

fn parted(ask: &Ask, asked: &UnmergeAsked, unmerged: &Unmerged) -> Value<'static> {
    let note = match asked.preview {
        true => ("preview", Text::new("nothing was changed", "未作任何更改")),
        false => ("unmerged", Text::new("the merge is taken back", "合并已撤销")),
    };
    let issues = vec![Issue::new(Severity::Information, IssueType::Informational, note.0, note.1)];
    let mut parameters = vec![outcome(ask, issues)];
    parameters.extend(unmerged.restored.as_ref().map(|key| reference("restored", key)));
    parameters.extend(unmerged.survivor.as_ref().map(|key| reference("survivor", key)));
    parameters.extend(counts("restored-data", &unmerged.goes));
    parameters.extend(counts("survivor-data", &unmerged.stays));
    parameters.extend(counts("in-doubt", &unmerged.in_doubt));
    answer(parameters)
}

fn answer(parameters: Vec<Value<'static>>) -> Value<'static> {
    Object::new().with("resourceType", "Parameters").with("parameter", parameters).into()
}

fn outcome(ask: &Ask, issues: Vec<Issue>) -> Value<'static> {
    let outcome = OperationOutcome::from(issues).to_value(ask.language);
    Object::new().with("name", "outcome").with("resource", outcome).into()
}

fn reference(name: &'static str, key: &ResourceKey) -> Value<'static> {
    let target = Object::new().with("reference", key.to_string());
    Object::new().with("name", name).with("valueReference", target).into()
}

fn entry(number: u64) -> Value<'static> {
    Object::new().with("name", "merge").with("valueInteger", number).into()
}

/// One part for each type, with how many of it.
fn counts(name: &'static str, by_type: &BTreeMap<String, usize>) -> Vec<Value<'static>> {
    let part = |(kind, count): (&String, &usize)| {
        let parts: Vec<Value<'static>> = vec![
            Object::new().with("name", "type").with("valueCode", kind.clone()).into(),
            Object::new().with("name", "count").with("valueInteger", *count as u64).into(),
        ];
        Object::new().with("name", name).with("part", parts).into()
    };
    by_type.iter().map(part).collect()
}

/// A patient by reference, by identifiers, or by both; a reference may hold an identifier.
fn party(body: &Value<'static>, by_reference: &'static str, by_identifier: &'static str) -> Result<Party, Fault> {
    let mut party = Party::default();
    let mut take = |identifier: &Value<'static>| {
        let system = identifier.text_at("system").unwrap_or_default().to_owned();
        party.identifiers.extend(identifier.text_at("value").map(|value| (system, value.to_owned())));
    };
    let all = body.list_at("parameter");
    for part in all.iter().filter(|part| part.text_at("name") == Some(by_identifier)) {
        take(part.get("valueIdentifier").ok_or_else(|| malformed(by_identifier, "valueIdentifier"))?);
    }
    if let Some(part) = named(body, by_reference) {
        let given = part.get("valueReference").ok_or_else(|| malformed(by_reference, "valueReference"))?;
        given.get("identifier").into_iter().for_each(&mut take);
        if let Some(text) = given.text_at("reference") {
            party.id = Some(patient(text).ok_or_else(|| malformed(by_reference, "Patient/[id]"))?);
        }
    }
    Ok(party)
}

fn patient(text: &str) -> Option<LogicalId> {
    let local = text.rsplitn(3, '/').take(2).collect::<Vec<_>>();
    let key = ResourceKey::parse(&format!("{}/{}", local.get(1)?, local.first()?))?;
    (key.kind == ResourceType::PATIENT).then_some(key.id)
}

fn flag(body: &Value<'static>, name: &'static str) -> Result<Option<bool>, Fault> {
    let Some(part) = named(body, name) else { return Ok(None) };
    match part.get("valueBoolean") {
        Some(Value::Bool(said)) => Ok(Some(*said)),
        _ => Err(malformed(name, "valueBoolean")),
    }
}

fn text(body: &Value<'static>, name: &str) -> String {
    named(body, name).and_then(|part| part.text_at("valueString")).unwrap_or_default().to_owned()
}

fn malformed(name: &str, form: &str) -> Fault {
    fault_at(
        IssueType::Invalid,
        "malformed-parameter",
        "Parameters.parameter",
        format!("`{name}` must be given as {form}"),
        format!("`{name}` 须以 {form} 给出"),
    )
}
