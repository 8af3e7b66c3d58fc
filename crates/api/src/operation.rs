//! Operations that change nothing.

use dukou_audit::Permit;
use dukou_fhir::{Issue, IssueType, ResourceType, Severity, Text, Value};

use crate::ask::Ask;
use crate::desk::Desk;
use crate::fault::{Fault, fault_at};
use crate::read::Shown;
use crate::reply::Reply;

/// `$validate`: always 200 with an OperationOutcome for what can be read as a resource.
pub(crate) fn validate(
    desk: &Desk,
    ask: &Ask,
    permit: &Permit<'_>,
    kind: Option<ResourceType>,
    body: &Value<'static>,
) -> Shown {
    let content = match body.resource_type() {
        Some("Parameters") if kind.is_none_or(|kind| kind.as_str() != "Parameters") => {
            let named = |part: &&Value<'static>| part.text_at("name") == Some("resource");
            let resource = body.list_at("parameter").iter().find(named).and_then(|part| part.get("resource"));
            resource.ok_or_else(|| Reply::fault(nothing_to_validate(), ask.language))?
        }
        _ => body,
    };
    if let Some(kind) = kind
        && content.resource_type() != Some(kind.as_str())
    {
        return Err(Reply::fault(
            fault_at(
                IssueType::Invalid,
                "other-type",
                "Resource",
                format!("a {kind} is expected here"),
                format!("此处需要 {kind}"),
            ),
            ask.language,
        ));
    }
    let found = desk.exchange.validate(permit, content);
    Ok(found.map(|mut issues| {
        if issues.is_empty() {
            let text = Text::new("no fault was found", "未发现问题");
            issues.push(Issue::new(Severity::Information, IssueType::Informational, "valid", text));
        }
        Reply { issue: None, ..Reply::outcome_as(200, issues, ask.language) }
    }))
}

fn nothing_to_validate() -> Fault {
    let zh = "Parameters 中缺少名为 resource 的参数";
    fault_at(
        IssueType::Invalid,
        "nothing-to-validate",
        "Parameters.parameter",
        "Parameters without a parameter `resource`",
        zh,
    )
}
