//! Issues as the resource that FHIR answers with.

use crate::{Issue, Object, Value};

/// The language of texts shown to people.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Language {
    /// English, also where nothing was asked for.
    #[default]
    English,
    /// Chinese.
    Chinese,
}

impl Language {
    /// The language that an `Accept-Language` header prefers among ours (RFC 9110, 12.5.4); the first wins a tie.
    pub fn choose(accept_language: &str) -> Language {
        let mut best = (0, Language::English);
        for range in accept_language.split(',') {
            let mut parts = range.split(';').map(str::trim);
            let tag = parts.next().unwrap_or_default();
            let primary = tag.split(['-', '_']).next().unwrap_or_default();
            let language = match primary {
                zh if zh.eq_ignore_ascii_case("zh") => Language::Chinese,
                en if en.eq_ignore_ascii_case("en") || en == "*" => Language::English,
                _ => continue,
            };
            let weight = parts.find_map(|part| part.strip_prefix("q=")).map_or(1000, weight_in_thousandths);
            if weight > best.0 {
                best = (weight, language);
            }
        }
        best.1
    }

    /// The tag for `Content-Language` and `Resource.language`.
    pub fn as_str(self) -> &'static str {
        match self {
            Language::English => "en",
            Language::Chinese => "zh",
        }
    }
}

/// The resource OperationOutcome: a list of issues, printed in one language.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OperationOutcome {
    /// What happened; FHIR asks for one at least.
    pub issues: Vec<Issue>,
}

impl OperationOutcome {
    /// The resource as a tree.
    pub fn to_value(&self, language: Language) -> Value<'static> {
        let issues: Vec<Value<'static>> = self.issues.iter().map(|issue| issue.to_value(language)).collect();
        Object::new().with("resourceType", "OperationOutcome").with("issue", issues).into()
    }
}

impl From<Vec<Issue>> for OperationOutcome {
    fn from(issues: Vec<Issue>) -> Self {
        OperationOutcome { issues }
    }
}

impl From<Issue> for OperationOutcome {
    fn from(issue: Issue) -> Self {
        OperationOutcome { issues: vec![issue] }
    }
}

impl Issue {
    /// One member of `OperationOutcome.issue`.
    pub fn to_value(&self, language: Language) -> Value<'static> {
        let text = match language {
            Language::English => &self.text.en,
            Language::Chinese => &self.text.zh,
        };
        let coding = Object::new().with("system", ISSUE_CODE_SYSTEM).with("code", self.code);
        let details = Object::new().with("coding", vec![coding.into()]).with("text", text.clone());
        let mut issue = Object::new()
            .with("severity", self.severity.as_str())
            .with("code", self.kind.as_str())
            .with("details", details);
        let place = self.position.map(|at| format!("line {}, column {}", at.line, at.column));
        let notes: Vec<String> = place.into_iter().chain(self.diagnostics.clone()).collect();
        if !notes.is_empty() {
            issue.insert("diagnostics", notes.join(": "));
        }
        if !self.expression.is_empty() {
            let places: Vec<Value<'static>> = self.expression.iter().cloned().map(Value::from).collect();
            issue.insert("expression", places);
        }
        issue.into()
    }
}

/// A quality value, `0.8`, as 800; what is not one counts as 0.
fn weight_in_thousandths(text: &str) -> u32 {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |part: &str| part.len() <= 3 && part.bytes().all(|byte| byte.is_ascii_digit());
    match whole {
        "1" => 1000,
        "0" if digits(fraction) => format!("{fraction:0<3}").parse().unwrap_or(0),
        _ => 0,
    }
}

/// The system of our issue codes in `details.coding`.
const ISSUE_CODE_SYSTEM: &str = "urn:dukou:issue";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_language_is_the_best_liked_of_ours() {
        for (header, language) in [
            ("", Language::English),
            ("fr", Language::English),
            ("zh", Language::Chinese),
            ("zh-Hans-CN, en;q=0.9", Language::Chinese),
            ("en, zh;q=0.9", Language::English),
            ("en;q=0.1, ZH;q=0.25", Language::Chinese),
            ("fr;q=1.0, *;q=0.5, zh;q=0.4", Language::English),
            ("zh;q=0", Language::English),
            ("zh;q=abc", Language::English),
            ("zh; q=0.8", Language::Chinese),
        ] {
            assert_eq!(Language::choose(header), language, "{header}");
        }
    }
}
