//! Why a query is refused: the issues, one place for their words.

use super::grammar::distance;
use super::parameters::{self, Parameter};
use crate::{Issue, IssueType, ResourceType, Severity, Text};

/// A refusal that lenient handling turns into a note: the parameter is then left out.
pub(crate) struct Refusal {
    pub(crate) issue: Box<Issue>,
    /// Whether the parameter is unknown or not offered, as against wrong.
    pub(crate) unsupported: bool,
}

impl Refusal {
    /// The same as a note about something left out.
    pub(crate) fn into_note(self) -> Issue {
        Issue { severity: Severity::Warning, ..*self.issue }
    }
}

/// A parameter that R4 does not have for the type; names the nearest.
pub(crate) fn unknown(kind: ResourceType, name: &str) -> Refusal {
    let codes = parameters::of(kind).iter().map(Parameter::code).chain(RESULT_PARAMETERS);
    let bare = name.split([':', '.']).next().unwrap_or(name);
    let nearest = codes.map(|code| (distance(bare, code), code)).min().filter(|(far, _)| *far <= NEAR_MAX);
    let shown = printable(name);
    let (en, zh) = match nearest {
        Some((_, near)) => (
            format!("{kind} has no search parameter '{shown}'; the nearest is '{near}'"),
            format!("{kind} 没有检索参数“{shown}”；最接近的是“{near}”"),
        ),
        None => (format!("{kind} has no search parameter '{shown}'"), format!("{kind} 没有检索参数“{shown}”")),
    };
    let issue = Issue::error(IssueType::NotSupported, "unknown-parameter", Text::new(en, zh));
    Refusal { issue: Box::new(issue.at(place(name))), unsupported: true }
}

/// A parameter, modifier or form that R4 knows and we do not offer.
pub(crate) fn unsupported(name: &str, en: &str, zh: &str) -> Refusal {
    let shown = printable(name);
    let text = Text::new(format!("search by '{shown}' is not supported: {en}"), format!("不支持按“{shown}”检索：{zh}"));
    let issue = Issue::error(IssueType::NotSupported, "unsupported-parameter", text);
    Refusal { issue: Box::new(issue.at(place(name))), unsupported: true }
}

/// A value that its parameter cannot take. The value itself is not repeated: it may be a patient's.
pub(crate) fn bad_value(name: &str, en: &str, zh: &str) -> Refusal {
    let shown = printable(name);
    let text =
        Text::new(format!("the value of '{shown}' is not understood: {en}"), format!("无法理解“{shown}”的值：{zh}"));
    let issue = Issue::error(IssueType::Value, "bad-parameter-value", text);
    Refusal { issue: Box::new(issue.at(place(name))), unsupported: false }
}

/// More of something than a query may have.
pub(crate) fn too_many(name: &str, what_en: &str, what_zh: &str, max: usize) -> Refusal {
    let text =
        Text::new(format!("more than {max} {what_en} in one search"), format!("一次检索中{what_zh}超过 {max} 个"));
    let issue = Issue::error(IssueType::TooCostly, "too-many-in-search", text);
    Refusal { issue: Box::new(issue.at(place(name))), unsupported: false }
}

/// A parameter without value, which says nothing.
pub(crate) fn empty_value(name: &str) -> Issue {
    let shown = printable(name);
    let text = Text::new(format!("'{shown}' has no value and was ignored"), format!("“{shown}”没有值，已忽略"));
    Issue::warning(IssueType::Informational, "empty-parameter-value", text).at(place(name))
}

/// Where the fault stands: OperationOutcome.issue.expression for a part of the request that is not a resource.
fn place(name: &str) -> String {
    format!("http.{}", printable(name))
}

/// The name as far as it may stand in an answer: letters and signs of a parameter name, not too many of them.
fn printable(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(NAME_CHARS_MAX).collect()
}

/// The parameters that shape the result.
const RESULT_PARAMETERS: [&str; 9] =
    ["_sort", "_count", "_total", "_summary", "_elements", "_include", "_revinclude", "_format", "_has"];
/// How far a name may be from one that is offered as the nearest.
const NEAR_MAX: usize = 4;
/// How much of a client's own name stands in an issue.
const NAME_CHARS_MAX: usize = 80;
