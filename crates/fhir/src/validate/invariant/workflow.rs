//! Rules about bundles, parameters, orders, appointments and money.

use crate::{Object, Value};

use super::{Invariant, any, count, distinct, each, each_rule, has, is_true, number, rule, text};

#[rustfmt::skip]
pub(super) const RULES: &[Invariant] = &[
    rule("bdl-1", "Bundle", |o| !has(o, "total") || matches!(text(o, "type"), "searchset" | "history"),
        "total is only for a searchset or a history", "total 仅用于 searchset 或 history"),
    each_rule("bdl-2", "Bundle", "entry", |o, it| text(o, "type") == "searchset" || !has(it, "search"),
        "entry.search is only for a searchset", "entry.search 仅用于 searchset"),
    each_rule("bdl-3", "Bundle", "entry",
        |o, it| has(it, "request") == matches!(text(o, "type"), "batch" | "transaction" | "history"),
        "an entry has a request in a batch, transaction or history, and none elsewhere", "batch、transaction、history 的每个条目须有 request，其他类型不得有"),
    each_rule("bdl-4", "Bundle", "entry",
        |o, it| has(it, "response") == matches!(text(o, "type"), "batch-response" | "transaction-response" | "history"),
        "an entry has a response in a batch-response, transaction-response or history, and none elsewhere",
        "batch-response、transaction-response、history 的每个条目须有 response，其他类型不得有"),
    rule("bdl-5", "Bundle.entry", |o| count(o, &["resource", "request", "response"]) > 0,
        "an entry has a resource, a request or a response", "条目须有 resource、request 或 response"),
    rule("bdl-7", "Bundle", |o| text(o, "type") == "history" || full_urls_differ(o),
        "a fullUrl stands once, or with different versions", "fullUrl 不得重复，除非版本不同"),
    rule("bdl-8", "Bundle.entry", |o| !text(o, "fullUrl").contains("/_history/"),
        "a fullUrl names no version", "fullUrl 不得指定版本"),
    rule("bdl-9", "Bundle", |o| text(o, "type") != "document" || is_identified(o),
        "a document has an identifier with system and value", "文档须有含 system 与 value 的 identifier"),
    rule("bdl-10", "Bundle", |o| text(o, "type") != "document" || has(o, "timestamp"),
        "a document has a timestamp", "文档须有 timestamp"),
    rule("bdl-11", "Bundle", |o| text(o, "type") != "document" || first_is(o, "Composition"),
        "the first resource of a document is a Composition", "文档的第一个资源须为 Composition"),
    rule("bdl-12", "Bundle", |o| text(o, "type") != "message" || first_is(o, "MessageHeader"),
        "the first resource of a message is a MessageHeader", "消息的第一个资源须为 MessageHeader"),
    rule("inv-1", "Parameters.parameter",
        |o| usize::from(any(o, "value")) + count(o, &["resource", "part"]) == 1,
        "a parameter has exactly one of value, resource and part", "参数须有且仅有 value、resource、part 之一"),
    rule("app-1", "Appointment.participant", |o| count(o, &["type", "actor"]) > 0,
        "a participant has a type or an actor", "参与者须有 type 或 actor"),
    rule("app-2", "Appointment", |o| has(o, "start") == has(o, "end"),
        "start and end stand together", "start 与 end 须同时出现"),
    rule("app-3", "Appointment",
        |o| (has(o, "start") && has(o, "end")) || matches!(text(o, "status"), "proposed" | "cancelled" | "waitlist"),
        "only proposed, cancelled or waiting appointments have no start and end", "仅 proposed、cancelled、waitlist 的预约可无起止时间"),
    rule("app-4", "Appointment",
        |o| !has(o, "cancelationReason") || matches!(text(o, "status"), "noshow" | "cancelled"),
        "cancelationReason is only for cancelled or missed appointments", "仅 cancelled 或 noshow 的预约可有 cancelationReason"),
    rule("apr-1", "AppointmentResponse", |o| count(o, &["participantType", "actor"]) > 0,
        "a participantType or an actor is present", "须有 participantType 或 actor"),
    rule("prr-1", "ServiceRequest", |o| !has(o, "orderDetail") || has(o, "code"),
        "orderDetail stands beside a code", "有 orderDetail 时须有 code"),
    rule("rqg-1", "RequestGroup.action", |o| has(o, "resource") != has(o, "action"),
        "an action has either a resource or actions", "须有 resource 或 action，二者有且仅有其一"),
    rule("qrs-1", "QuestionnaireResponse.item", |o| !has(o, "answer") || !has(o, "item"),
        "items stand beneath the item or beneath its answer, not both", "item 与 answer 之下不得同时有子项"),
    rule("ras-2", "RiskAssessment.prediction", |o| number(o, "probabilityDecimal").is_none_or(|it| it <= 100.0),
        "a probability is 100 at most", "概率不得大于 100"),
    rule("ipn-1", "InsurancePlan", |o| count(o, &["identifier", "name"]) > 0,
        "a plan has an identifier or a name", "须有 identifier 或 name"),
    rule("lnk-1", "Linkage", |o| each(o, "item").count() > 1,
        "a linkage has two items at least", "须至少有两项"),
    rule("mrp-1", "MeasureReport", |o| text(o, "type") != "data-collection" || !has(o, "group"),
        "a report for data collection has no groups", "data-collection 类型的报告不得有 group"),
    rule("evv-1", "EvidenceVariable.characteristic", |o| count_definitions(o) < 2,
        "one form of definition at most", "最多一种 definition"),
    rule("ces-1", "CoverageEligibilityResponse.insurance.item", |o| has(o, "category") != has(o, "productOrService"),
        "either a category or a productOrService", "category 与 productOrService 须有且仅有其一"),
    rule("que-12", "Questionnaire.item", |o| each(o, "enableWhen").count() <= 2 || has(o, "enableBehavior"),
        "several enableWhen need an enableBehavior", "多个 enableWhen 须有 enableBehavior"),
    rule("que-1", "Questionnaire.item", |o| match text(o, "type") {
            "group" => has(o, "item"),
            "display" => !has(o, "item"),
            _ => true,
        },
        "a group has items, a display has none", "group 须有子项，display 不得有子项"),
    rule("que-3", "Questionnaire.item", |o| text(o, "type") != "display" || !has(o, "code"),
        "a display has no code", "display 不得有 code"),
    rule("que-4", "Questionnaire.item", |o| !has(o, "answerOption") || !has(o, "answerValueSet"),
        "either answerOption or answerValueSet", "answerOption 与 answerValueSet 不得同时出现"),
    rule("que-6", "Questionnaire.item", |o| text(o, "type") != "display" || count(o, &["required", "repeats"]) == 0,
        "a display is neither required nor repeated", "display 不得有 required 或 repeats"),
    rule("que-8", "Questionnaire.item", |o| !matches!(text(o, "type"), "group" | "display") || !has(o, "initial"),
        "groups and displays have no initial value", "group 与 display 不得有初始值"),
    rule("que-9", "Questionnaire.item", |o| text(o, "type") != "display" || !has(o, "readOnly"),
        "a display is not read-only", "display 不得有 readOnly"),
    rule("que-11", "Questionnaire.item", |o| !has(o, "answerOption") || !has(o, "initial"),
        "answers with options have no initial value", "有 answerOption 时不得有 initial"),
    rule("que-13", "Questionnaire.item", |o| is_true(o, "repeats") || each(o, "initial").count() <= 1,
        "only a repeating item has several initial values", "仅可重复的项可有多个初始值"),
];

fn full_urls_differ(bundle: &Object<'_>) -> bool {
    let named = each(bundle, "entry").filter(|entry| has(entry, "fullUrl"));
    let keys: Vec<String> = named
        .map(|entry| {
            let version = entry.get("resource").and_then(|resource| resource.text_at("meta.versionId"));
            format!("{}{}", text(entry, "fullUrl"), version.unwrap_or_default())
        })
        .collect();
    distinct(keys.iter().map(String::as_str))
}

fn is_identified(bundle: &Object<'_>) -> bool {
    let identifier = bundle.get("identifier").and_then(Value::as_object);
    identifier.is_some_and(|identifier| has(identifier, "system") && has(identifier, "value"))
}

fn first_is(bundle: &Object<'_>, kind: &str) -> bool {
    each(bundle, "entry").next().and_then(|entry| entry.get("resource")?.resource_type()) == Some(kind)
}

fn count_definitions(characteristic: &Object<'_>) -> usize {
    characteristic.iter().filter(|(name, _)| name.starts_with("definition")).count()
}
