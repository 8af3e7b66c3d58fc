//! One fault, warning or note, with its place: what every step of the house reports.

use crate::Language;

/// How bad an issue is (value set issue-severity).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The whole request was given up.
    Fatal,
    /// This content was refused.
    Error,
    /// Taken, but worth a look.
    Warning,
    /// A note.
    Information,
}

impl Severity {
    /// The code of the value set.
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Fatal => "fatal",
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Information => "information",
        }
    }

    /// Whether the content was refused.
    pub fn is_error(self) -> bool {
        matches!(self, Severity::Fatal | Severity::Error)
    }
}

macro_rules! issue_types {
    ($($(#[$doc:meta])* $variant:ident = $code:literal,)*) => {
        /// The kind of an issue (value set issue-type). The HTTP status of an answer follows from it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum IssueType {
            $($(#[$doc])* $variant,)*
        }

        impl IssueType {
            /// The code of the value set.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(IssueType::$variant => $code,)*
                }
            }

            /// The kind with that code.
            pub fn parse(code: &str) -> Option<IssueType> {
                match code {
                    $($code => Some(IssueType::$variant),)*
                    _ => None,
                }
            }
        }
    };
}

issue_types! {
    /// Content invalid against the specification.
    Invalid = "invalid",
    /// A structural fault: wrong format, unknown element, wrong nesting.
    Structure = "structure",
    /// A required element is missing.
    Required = "required",
    /// An element's value is invalid.
    Value = "value",
    /// A rule of the content (an invariant) does not hold.
    Invariant = "invariant",
    /// An authentication or permission fault.
    Security = "security",
    /// The client must log in.
    Login = "login",
    /// The user or system is not known.
    Unknown = "unknown",
    /// The session has ended.
    Expired = "expired",
    /// The client may not do this.
    Forbidden = "forbidden",
    /// Some information was left out because of rights.
    Suppressed = "suppressed",
    /// Processing failed for the content, without saying it is invalid.
    Processing = "processing",
    /// The interaction, operation, resource or profile is not supported.
    NotSupported = "not-supported",
    /// Something is there twice that should be once.
    Duplicate = "duplicate",
    /// Several records matched where one was wanted.
    MultipleMatches = "multiple-matches",
    /// The reference was not found.
    NotFound = "not-found",
    /// The reference points to deleted content.
    Deleted = "deleted",
    /// The request is too long.
    TooLong = "too-long",
    /// A code is not valid in its code system or value set.
    CodeInvalid = "code-invalid",
    /// An extension is not known or not allowed here.
    Extension = "extension",
    /// The work would take more than is allowed.
    TooCostly = "too-costly",
    /// A rule of the business was broken.
    BusinessRule = "business-rule",
    /// The content conflicts with a change of another.
    Conflict = "conflict",
    /// A passing fault; the same request may work later.
    Transient = "transient",
    /// No lock could be had.
    LockError = "lock-error",
    /// The store is not available.
    NoStore = "no-store",
    /// An unexpected fault inside.
    Exception = "exception",
    /// A time-out.
    Timeout = "timeout",
    /// Not all data sources were reached.
    Incomplete = "incomplete",
    /// Too many requests; slow down.
    Throttled = "throttled",
    /// A note without effect on the result.
    Informational = "informational",
}

/// One text in both languages of the house. Holds no patient data.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Text {
    /// English.
    pub en: String,
    /// Chinese.
    pub zh: String,
}

impl Text {
    /// The text in both languages.
    pub fn new(en: impl Into<String>, zh: impl Into<String>) -> Text {
        Text { en: en.into(), zh: zh.into() }
    }

    /// The text in one of the two languages.
    pub fn of(&self, language: Language) -> &str {
        match language {
            Language::English => &self.en,
            Language::Chinese => &self.zh,
        }
    }
}

/// A place in a text that was sent, both from 1; a column counts characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Position {
    /// The line.
    pub line: u32,
    /// The column.
    pub column: u32,
}

/// One fault, warning or note. An OperationOutcome is nothing but the print of these.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Issue {
    /// How bad it is.
    pub severity: Severity,
    /// The kind by the standard.
    pub kind: IssueType,
    /// Our own stable code for this fault, `unknown-element`; the same in every language.
    pub code: &'static str,
    /// What was found and what was expected.
    pub text: Text,
    /// Where, as FHIRPath: `Patient.contact[0].name.family`.
    pub expression: Vec<String>,
    /// Where in the bytes sent, if known.
    pub position: Option<Position>,
    /// More for the technician; no patient data, no internals.
    pub diagnostics: Option<String>,
}

impl Issue {
    /// An issue without place.
    pub fn new(severity: Severity, kind: IssueType, code: &'static str, text: Text) -> Issue {
        Issue { severity, kind, code, text, expression: Vec::new(), position: None, diagnostics: None }
    }

    /// An error without place.
    pub fn error(kind: IssueType, code: &'static str, text: Text) -> Issue {
        Issue::new(Severity::Error, kind, code, text)
    }

    /// A warning without place.
    pub fn warning(kind: IssueType, code: &'static str, text: Text) -> Issue {
        Issue::new(Severity::Warning, kind, code, text)
    }

    /// The same issue at a place.
    #[must_use]
    pub fn at(mut self, expression: impl Into<String>) -> Issue {
        self.expression.push(expression.into());
        self
    }

    /// The same issue with a note for the technician.
    #[must_use]
    pub fn with_diagnostics(mut self, diagnostics: impl Into<String>) -> Issue {
        self.diagnostics = Some(diagnostics.into());
        self
    }
}
