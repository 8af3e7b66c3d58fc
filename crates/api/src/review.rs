//! What a person does about a finding of the review queue (`Task/[id]/$decide`), or says about two records without being asked
//! (`Patient/[id]/$assert-link`, `$assert-not-same`), and why two records are taken for one person (`$explain`).

use dukou_audit::Permit;
use dukou_exchange::{Decided, Pair, ReviewAction};
use dukou_fhir::{IssueType, LogicalId, Object, Value};

use crate::ask::Ask;
use crate::desk::Desk;
use crate::fault::{Fault, fault_at};
use crate::operation::named;
use crate::read::{Shown, stamped};
use crate::reply::{Reply, print};
use crate::write::Written;

/// Takes `action` (same, not-same, ask-source, postpone, undo) and `reason`, answers with the Task as it stands then: `completed` where
/// the matter is settled, `in-progress` where a second person has to say the same.
pub(crate) fn decide(desk: &Desk, ask: &Ask, permit: &Permit<'_>, task: &LogicalId, body: &Value<'static>) -> Written {
    ask.params.without_criteria().map_err(|fault| Reply::fault(fault, ask.language))?;
    let action = text(body, "action").and_then(ReviewAction::parse);
    let action = action.ok_or_else(|| Reply::fault(unknown_action(), ask.language))?;
    let reason = text(body, "reason").unwrap_or_default();
    let decided = desk.exchange.decide(permit, task, action, reason);
    let decided = decided.map_err(|error| Reply::error(&error, ask.language))?;
    Ok(decided.map(|decided| answer(ask, &decided)))
}

/// Takes `other` (the logical id of the second record) and `reason`. Answers with the number of the journal entry, or with the Task that
/// waits for a second person because something forbids to join the two.
pub(crate) fn assert(
    desk: &Desk,
    ask: &Ask,
    permit: &Permit<'_>,
    record: &LogicalId,
    action: ReviewAction,
    body: &Value<'static>,
) -> Written {
    ask.params.without_criteria().map_err(|fault| Reply::fault(fault, ask.language))?;
    let other = other(body).map_err(|fault| Reply::fault(fault, ask.language))?;
    let reason = text(body, "reason").unwrap_or_default();
    let decided = desk.exchange.assert(permit, [record, &other], action, reason);
    let decided = decided.map_err(|error| Reply::error(&error, ask.language))?;
    Ok(decided.map(|decided| answer(ask, &decided)))
}

/// Takes `other`, answers with Parameters: whether they are one person, the evidence line by line with masked values, what was decided.
pub(crate) fn explain(desk: &Desk, ask: &Ask, permit: &Permit<'_>, record: &LogicalId, body: &Value<'static>) -> Shown {
    ask.params.without_criteria().map_err(|fault| Reply::fault(fault, ask.language))?;
    let other = other(body).map_err(|fault| Reply::fault(fault, ask.language))?;
    let pair = desk.exchange.explain(permit, record, &other);
    let pair = pair.map_err(|error| Reply::error(&error, ask.language))?;
    Ok(pair.map(|pair| Reply::fhir(200, print(&told(&pair)))))
}

fn answer(ask: &Ask, decided: &Decided) -> Reply {
    let told = match (&decided.task, decided.entry) {
        (Some(task), _) => return stamped(Reply::fhir(200, ask.params.shape.apply(&task.body)), task),
        (None, Some(entry)) => part("journal", entry.to_string()),
        (None, None) => part("waits-for-second", "a second person has to say the same / 须由第二人确认".to_owned()),
    };
    Reply::fhir(200, print(&parameters(vec![told])))
}

fn told(pair: &Pair) -> Value<'static> {
    let mut parts = vec![part("one-person", if pair.same { "yes" } else { "no" }.to_owned())];
    parts.extend(pair.people.iter().flatten().map(|person| part("person", format!("Patient/{person}"))));
    if let Some((kind, actor, reason)) = &pair.decision {
        parts.push(part("decided", format!("{kind} by {actor}: {reason}")));
    }
    if let Some(said) = &pair.explanation {
        parts.push(part("grade", said.grade.code().to_owned()));
        parts.push(part("probability", format!("{:.6}", said.probability)));
        parts.push(part("bits", said.bits.to_string()));
        let lines = said.lines.iter();
        parts.extend(lines.map(|line| {
            let values = if line.left.is_empty() && line.right.is_empty() {
                String::new()
            } else {
                format!(": {} / {}", line.left, line.right)
            };
            part(
                "line",
                format!("{:>8} {} {}{values} {}", line.bits.to_string(), line.label.zh, line.label.en, line.level),
            )
        }));
        parts.extend(said.vetoes.iter().map(|veto| part("veto", format!("{} / {}", veto.text().zh, veto.text().en))));
        parts.push(part("model", said.model.clone()));
    }
    parameters(parts)
}

fn parameters(parts: Vec<Value<'static>>) -> Value<'static> {
    Value::Object(Object::new().with("resourceType", "Parameters").with("parameter", parts))
}

fn part(name: &'static str, value: String) -> Value<'static> {
    Value::Object(Object::new().with("name", name).with("valueString", value))
}

/// The other record: a logical id, or a reference to it.
fn other(body: &Value<'static>) -> Result<LogicalId, Fault> {
    let said = text(body, "other").or_else(|| named(body, "other")?.text_at("valueReference.reference"));
    let id = said.map(|said| said.strip_prefix("Patient/").unwrap_or(said)).and_then(LogicalId::parse);
    id.ok_or_else(|| {
        fault_at(
            IssueType::Required,
            "other-missing",
            "Parameters.parameter.where(name='other')",
            "`other` is the logical id of the second record",
            "`other` 须为第二份记录的逻辑 id",
        )
    })
}

fn text<'b>(body: &'b Value<'static>, name: &str) -> Option<&'b str> {
    let part = named(body, name)?;
    part.text_at("valueCode").or_else(|| part.text_at("valueString"))
}

fn unknown_action() -> Fault {
    fault_at(
        IssueType::Value,
        "unknown-action",
        "Parameters.parameter.where(name='action')",
        "`action` is one of same, not-same, ask-source, postpone, undo",
        "`action` 须为 same、not-same、ask-source、postpone、undo 之一",
    )
}
