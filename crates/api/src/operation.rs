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
    let mut profiles = named(body, "profile").is_some();
    for (name, _) in &ask.params.criteria {
        match name.as_str() {
            "mode" => {}
            "profile" => profiles = true,
            _ => ask.params.without_criteria().map_err(|fault| Reply::fault(fault, ask.language))?,
        }
    }
    let content = match body.resource_type() {
        Some("Parameters") if kind.is_none_or(|kind| kind.as_str() != "Parameters") => {
            let resource = named(body, "resource").and_then(|part| part.get("resource"));
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
        if profiles {
            let text = Text::new(
                "profiles are not held here; base R4 was checked",
                "本系统未加载规范轮廓，仅按 R4 基础定义校验",
            );
            issues.push(Issue::warning(IssueType::NotSupported, "profile-not-held", text));
        }
        Reply { issue: None, ..Reply::outcome_as(200, issues, ask.language) }
    }))
}

/// The part of a Parameters resource with that name.
pub(crate) fn named<'b>(body: &'b Value<'static>, name: &str) -> Option<&'b Value<'static>> {
    body.list_at("parameter").iter().find(|part| part.text_at("name") == Some(name))
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
