//! A fault of a request in both languages, boxed so that a `Result` stays small.

use dukou_fhir::{Issue, IssueType, Position, Text};

/// What is wrong with a request.
#[derive(Debug)]
pub(crate) struct Fault(Box<Issue>);

/// An error without place.
pub(crate) fn fault(kind: IssueType, code: &'static str, en: impl Into<String>, zh: impl Into<String>) -> Fault {
    Fault(Box::new(Issue::error(kind, code, Text::new(en, zh))))
}

/// An error at a place of the body.
pub(crate) fn fault_at(
    kind: IssueType,
    code: &'static str,
    place: &str,
    en: impl Into<String>,
    zh: impl Into<String>,
) -> Fault {
    let mut fault = fault(kind, code, en, zh);
    fault.0.expression.push(place.to_owned());
    fault
}

impl Fault {
    /// The fault as an issue.
    pub(crate) fn into_issue(self) -> Issue {
        *self.0
    }

    /// The same fault with line and column.
    pub(crate) fn with_position(mut self, line: u32, column: u32) -> Fault {
        self.0.position = Some(Position { line, column });
        self
    }
}
