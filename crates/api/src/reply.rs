//! What a handler answers with: a status, headers and a body, before it is released.

use bytes::Bytes;
use dukou_audit::{Failure, Outcome, Recorded};
use dukou_exchange::Error;
use dukou_fhir::{Issue, IssueType, Language, OperationOutcome, Severity, Text, Value, json};
use hyper::header::{self, HeaderName, HeaderValue};

use crate::fault::Fault;
use crate::status;

/// An answer that still has to pass the gate.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    pub(crate) body: Bytes,
    /// The stable code of the first error, for the record.
    pub(crate) issue: Option<&'static str>,
    /// Somebody was looked for and nobody was found, or nobody within reach.
    pub(crate) missed: bool,
}

impl Recorded for Reply {
    fn outcome(&self) -> Outcome {
        let outcome = Outcome::http(self.status);
        match self.issue {
            Some(code) => outcome.issue(code),
            None => outcome,
        }
    }

    fn body(&self) -> Option<&[u8]> {
        (!self.body.is_empty()).then_some(&self.body[..])
    }
}

impl From<Failure> for Reply {
    fn from(failure: Failure) -> Reply {
        let issue = match failure {
            Failure::TooMuchShown => Issue::error(
                IssueType::TooCostly,
                "too-much-shown",
                Text::new(
                    "the answer holds more than one record can name; ask for smaller pages",
                    "结果过多，请减小每页数量",
                ),
            ),
            Failure::Panicked => Issue::error(
                IssueType::Exception,
                "internal",
                Text::new("the request failed inside the gateway", "网关内部处理失败"),
            ),
        };
        Reply::outcome(vec![issue], Language::English)
    }
}

impl Reply {
    /// An answer without a body.
    pub(crate) fn empty(status: u16) -> Reply {
        Reply { status, headers: Vec::new(), body: Bytes::new(), issue: None, missed: false }
    }

    /// An answer with FHIR JSON.
    pub(crate) fn fhir(status: u16, body: impl Into<Bytes>) -> Reply {
        let reply = Reply { status, headers: Vec::new(), body: body.into(), issue: None, missed: false };
        reply.with(header::CONTENT_TYPE, FHIR_JSON)
    }

    /// Issues as an OperationOutcome; the status follows from the first error.
    pub(crate) fn outcome(issues: Vec<Issue>, language: Language) -> Reply {
        let status = status::of_issues(&issues);
        Reply::outcome_as(status, issues, language)
    }

    /// Issues as an OperationOutcome with a status of its own.
    pub(crate) fn outcome_as(status: u16, issues: Vec<Issue>, language: Language) -> Reply {
        let issue = issues.iter().find(|issue| issue.severity.is_error()).map(|issue| issue.code);
        let value = OperationOutcome::from(issues).to_value(language);
        let reply = Reply { issue, ..Reply::fhir(status, print(&value)) }
            .with(header::CONTENT_LANGUAGE, HeaderValue::from_static(language.as_str()));
        match status {
            429 | 503 => reply.with(header::RETRY_AFTER, HeaderValue::from_static("1")),
            _ => reply,
        }
    }

    /// One issue as an OperationOutcome.
    pub(crate) fn fault(fault: Fault, language: Language) -> Reply {
        Reply::outcome(vec![fault.into_issue()], language)
    }

    /// A refusal by the exchange.
    pub(crate) fn error(error: &Error, language: Language) -> Reply {
        Reply::outcome(error.issues(), language)
    }

    /// A note that everything went well, where a body was asked for.
    pub(crate) fn note(status: u16, language: Language) -> Reply {
        let text = Text::new("done", "已完成");
        let note = Issue::new(Severity::Information, IssueType::Informational, "done", text);
        Reply::outcome_as(status, vec![note], language)
    }

    /// The same answer, marked as one that found nobody.
    pub(crate) fn missed(mut self, missed: bool) -> Reply {
        self.missed = missed;
        self
    }

    /// The same answer with a header, which replaces one of the same name.
    pub(crate) fn with(mut self, name: HeaderName, value: HeaderValue) -> Reply {
        self.headers.retain(|(known, _)| *known != name);
        self.headers.push((name, value));
        self
    }

    /// The same answer with a header from text; text that cannot stand in a header is left out.
    pub(crate) fn with_text(self, name: HeaderName, value: &str) -> Reply {
        match HeaderValue::from_str(value) {
            Ok(value) => self.with(name, value),
            Err(_) => self,
        }
    }
}

/// A tree as bytes.
pub(crate) fn print(value: &Value<'_>) -> Vec<u8> {
    let mut out = Vec::with_capacity(512);
    json::print(value, &mut out);
    out
}

/// The media type of everything FHIR that leaves.
pub(crate) const FHIR_JSON: HeaderValue = HeaderValue::from_static("application/fhir+json; charset=utf-8");
