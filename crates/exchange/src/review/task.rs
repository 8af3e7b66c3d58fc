//! How a finding looks as a FHIR Task (R4, Task): both records, what speaks for and against, what became of it.

use dukou_fhir::{Instant, Object, ResourceKey, ResourceType, Text, Value};
use dukou_identity::{Review, ReviewKind};

use super::ReviewAction;

/// The finding as a new Task. Values in it are masked; the two Patients that it names hold the rest.
pub(super) fn open(key: &ResourceKey, review: &Review, priority: &'static str, now: Instant) -> Value<'static> {
    let mut task = Object::new()
        .with("resourceType", "Task")
        .with("id", key.id.as_str().to_owned())
        .with("status", "requested")
        .with("intent", "proposal")
        .with("priority", priority)
        .with("code", concept(CODE_SYSTEM, CODE, &Text::new("identity review", "身份核对")))
        .with("focus", reference(review.record.as_str()))
        .with("authoredOn", now.to_string());
    if let Some(other) = &review.other {
        task.insert("for", reference(other.as_str()));
    }
    finding(&mut task, review);
    Value::Object(task)
}

/// Writes what is found into a Task: a later finding about the same two records takes the place of the earlier.
pub(super) fn finding(task: &mut Object<'static>, review: &Review) {
    let text = review.kind.text();
    task.insert("reasonCode", concept(KIND_SYSTEM, review.kind.code(), &text));
    task.insert("description", format!("{} / {}", text.zh, text.en));
    let mut input: Vec<Value<'static>> = vec![part("grade", review.grade.code().to_owned())];
    input.push(part("bits", review.bits.to_string()));
    input.extend(Some(part("model", review.model.clone())).filter(|_| !review.model.is_empty()));
    let lines = review.lines.iter().take(LINES_MAX);
    input.extend(lines.map(|line| part("evidence", format!("{} / {}", line.zh, line.en))));
    task.insert("input", input);
}

/// The Task after an action: its status, who did it, when and why. Earlier outputs stay.
pub(super) fn acted(task: &mut Object<'static>, action: ReviewAction, actor: &str, reason: &str, now: Instant) {
    task.insert("status", action.status());
    task.insert("lastModified", now.to_string());
    task.insert("statusReason", Object::new().with("text", reason.to_owned()));
    task.insert("businessStatus", concept(ACTION_SYSTEM, action.code(), &action.text()));
    let mut output = match task.remove("output") {
        Some(Value::Array(earlier)) => earlier,
        _ => Vec::new(),
    };
    output.push(part("action", format!("{now} {}: {reason}", action.code())));
    output.push(part("actor", actor.to_owned()));
    task.insert("output", output);
}

/// Whether a Task is the first word of a merge that needs two.
pub(super) fn is_merge_request(task: &Value<'_>) -> bool {
    let codings = task.get("code").map(|code| code.list_at("coding")).unwrap_or_default();
    codings
        .iter()
        .any(|coding| coding.text_at("system") == Some(KIND_SYSTEM) && coding.text_at("code") == Some(MERGE_REQUEST))
}

/// The kind of finding that a Task tells of; none if it is no finding of this queue.
pub(super) fn kind(task: &Value<'_>) -> Option<ReviewKind> {
    if is_merge_request(task) {
        return Some(ReviewKind::VetoConflict);
    }
    let coded = |path: &str, system: &str| {
        let codings = task.get(path)?.list_at("coding");
        codings.iter().find(|coding| coding.text_at("system") == Some(system))?.text_at("code")
    };
    coded("code", CODE_SYSTEM).filter(|code| *code == CODE)?;
    coded("reasonCode", KIND_SYSTEM).and_then(ReviewKind::parse)
}

/// The action that was taken last.
pub(super) fn last_action(task: &Value<'_>) -> Option<ReviewAction> {
    let codings = task.get("businessStatus")?.list_at("coding");
    codings.first()?.text_at("code").and_then(ReviewAction::parse)
}

/// Who took the last action, as the last output says.
pub(super) fn last_actor<'t>(task: &'t Value<'_>) -> Option<&'t str> {
    task.list_at("output").last()?.text_at("valueString")
}

/// The two records that a Task is about; the second is absent where the finding is about one.
pub(super) fn records(task: &Value<'_>) -> (Option<ResourceKey>, Option<ResourceKey>) {
    let at =
        |path: &str| task.text_at(path).and_then(ResourceKey::parse).filter(|key| key.kind == ResourceType::PATIENT);
    (at("focus.reference"), at("for.reference"))
}

fn reference(record: &str) -> Object<'static> {
    Object::new().with("reference", format!("Patient/{record}"))
}

fn concept(system: &'static str, code: &'static str, text: &Text) -> Object<'static> {
    let coding = Object::new().with("system", system).with("code", code).with("display", text.en.clone());
    Object::new().with("coding", vec![Value::Object(coding)]).with("text", text.zh.clone())
}

fn part(name: &'static str, value: String) -> Value<'static> {
    let coding = Object::new().with("system", PART_SYSTEM).with("code", name);
    let kind = Object::new().with("coding", vec![Value::Object(coding)]);
    Value::Object(Object::new().with("type", kind).with("valueString", value))
}

/// Lines of evidence in one Task.
const LINES_MAX: usize = 40;

const CODE: &str = "identity-review";
const MERGE_REQUEST: &str = "merge-request";
const CODE_SYSTEM: &str = "https://dukou.dev/fhir/CodeSystem/task";
const KIND_SYSTEM: &str = "https://dukou.dev/fhir/CodeSystem/identity-review";
const ACTION_SYSTEM: &str = "https://dukou.dev/fhir/CodeSystem/identity-review-action";
const PART_SYSTEM: &str = "https://dukou.dev/fhir/CodeSystem/identity-review-part";

#[cfg(test)]
mod tests {
    use super::{acted, finding, kind, last_action, last_actor, open, records};
    use crate::review::ReviewAction;
    use dukou_fhir::{Instant, LogicalId, ResourceKey, Text, validate};
    use dukou_identity::{Bits, Grade, Review, ReviewKind};

    fn review(kind: ReviewKind, other: Option<&str>) -> Review {
        let id = |text: &str| LogicalId::parse(text).unwrap();
        Review {
            kind,
            record: id("new"),
            other: other.map(id),
            grade: Grade::Probable,
            bits: Bits(17_250),
            lines: vec![Text::new("name 张*示: same", "姓名 张*示：相同")],
            model: "cn-1".to_owned(),
            again: false,
        }
    }

    fn opened(review: &Review) -> dukou_fhir::Value<'static> {
        open(&ResourceKey::parse("Task/t1").unwrap(), review, "urgent", Instant::from_nanos(0))
    }

    #[test]
    fn every_finding_opens_a_task_that_is_valid_and_reads_back() {
        for one in ReviewKind::ALL {
            for other in [None, Some("old")] {
                let task = opened(&review(one, other));
                let faults = validate::validate(&task, &validate::Options::default());
                assert!(faults.iter().all(|fault| !fault.severity.is_error()), "{one:?}: {faults:?}");
                assert_eq!(kind(&task), Some(one));
                let (record, second) = records(&task);
                assert_eq!(record.unwrap().to_string(), "Patient/new");
                assert_eq!(second.map(|key| key.id.to_string()).as_deref(), other);
            }
        }
    }

    #[test]
    fn a_task_remembers_every_action_and_knows_the_last_one() {
        let mut task = opened(&review(ReviewKind::ProbableLink, Some("old")));
        assert_eq!((last_action(&task), last_actor(&task)), (None, None));
        let now = Instant::from_nanos(1_000_000_000);
        for (action, actor) in [(ReviewAction::Postpone, "desk/li 四: x"), (ReviewAction::Same, "desk/wang")] {
            acted(task.as_object_mut().unwrap(), action, actor, "same card, same face", now);
            assert_eq!((last_action(&task), last_actor(&task)), (Some(action), Some(actor)));
        }
        assert_eq!(task.text_at("status"), Some("completed"));
        assert_eq!(task.list_at("output").len(), 4);
        let faults = validate::validate(&task, &validate::Options::default());
        assert!(faults.iter().all(|fault| !fault.severity.is_error()), "{faults:?}");
    }

    #[test]
    fn a_later_finding_about_the_same_two_takes_the_place_of_the_earlier() {
        let mut task = opened(&review(ReviewKind::ProbableLink, Some("old")));
        finding(task.as_object_mut().unwrap(), &review(ReviewKind::VetoConflict, Some("old")));
        assert_eq!(kind(&task), Some(ReviewKind::VetoConflict));
        assert_eq!(task.text_at("status"), Some("requested"));
    }
}
