//! `Task/[id]/$decide`: what a person does about a finding of the review queue.

use dukou_audit::Permit;
use dukou_exchange::ReviewAction;
use dukou_fhir::{IssueType, LogicalId, Value};

use crate::ask::Ask;
use crate::desk::Desk;
use crate::fault::{Fault, fault_at};
use crate::operation::named;
use crate::read::stamped;
use crate::reply::Reply;
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
    Ok(decided.map(|decided| stamped(Reply::fhir(200, ask.params.shape.apply(&decided.task.body)), &decided.task)))
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
