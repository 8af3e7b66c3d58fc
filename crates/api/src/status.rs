//! The one table from issue to HTTP status, and the status of a success.

use dukou_exchange::{Effect, Error};
use dukou_fhir::{Issue, IssueType};

/// The status of an issue (FHIR R4, 3.1.0.1.4 and the value set issue-type).
pub(crate) fn of_issue(issue: &Issue) -> u16 {
    match (issue.kind, issue.code) {
        (_, "version-mismatch") => 412,
        (_, "id-not-allowed" | "method-not-allowed" | "unmerge-not-here") => 405,
        (_, "not-acceptable") => 406,
        (_, "media-type") => 415,
        (_, "url-too-long") => 414,
        (_, "headers-too-large") => 431,
        (_, "body-timeout") => 408,
        (_, "other-type" | "patch-malformed" | "bad-parameter-value") => 400,
        (_, "patch-test-failed" | "patch-no-such-place" | "patch-into-itself") => 422,
        (IssueType::Invalid | IssueType::NotSupported | IssueType::Processing | IssueType::Incomplete, _) => 400,
        (IssueType::Login | IssueType::Security | IssueType::Expired | IssueType::Unknown, _) => 401,
        (IssueType::Forbidden | IssueType::Suppressed, _) => 403,
        (IssueType::NotFound, _) => 404,
        (IssueType::Conflict | IssueType::Duplicate, _) => 409,
        (IssueType::Deleted, _) => 410,
        (IssueType::MultipleMatches, _) => 412,
        (IssueType::TooLong, _) => 413,
        (
            IssueType::Structure
            | IssueType::Required
            | IssueType::Value
            | IssueType::Invariant
            | IssueType::CodeInvalid
            | IssueType::Extension
            | IssueType::TooCostly
            | IssueType::BusinessRule,
            _,
        ) => 422,
        (IssueType::Throttled, _) => 429,
        (IssueType::Exception, _) => 500,
        (IssueType::Transient | IssueType::LockError | IssueType::NoStore | IssueType::Timeout, _) => 503,
        (IssueType::Informational, _) => 200,
    }
}

/// The status of an answer that lists several issues: that of the first error.
pub(crate) fn of_issues(issues: &[Issue]) -> u16 {
    issues.iter().find(|issue| issue.severity.is_error()).or(issues.first()).map_or(500, of_issue)
}

/// The status of a refusal by the exchange.
pub(crate) fn of_error(error: &Error) -> u16 {
    of_issues(&error.issues())
}

/// The status of a success.
pub(crate) fn of_effect(effect: Effect) -> u16 {
    match effect {
        Effect::Created => 201,
        Effect::Ok => 200,
        Effect::Deleted => 204,
    }
}

/// The status of a success whose answer always has a body.
pub(crate) fn of_effect_with_body(effect: Effect) -> u16 {
    match effect {
        Effect::Created => 201,
        Effect::Ok | Effect::Deleted => 200,
    }
}

/// The reason phrase of a status, for `response.status` in Bundles and for answers.
pub(crate) fn phrase(status: u16) -> &'static str {
    hyper::StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason()).unwrap_or("")
}
