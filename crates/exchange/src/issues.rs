//! Issues of messages in the words of both shores: OperationOutcome on one side, ERR segments on the other.

use dukou_fhir::{Issue, IssueType, Severity, Text};
use dukou_wire::ack::AckIssue;
use dukou_wire::{NotAMessage, Numbers, Path};

/// An issue of the parser as an issue of the house.
pub fn of_wire(issue: &dukou_wire::Issue) -> Issue {
    let severity = match issue.severity {
        dukou_wire::Severity::Error => Severity::Error,
        dukou_wire::Severity::Warning => Severity::Warning,
        dukou_wire::Severity::Information => Severity::Information,
    };
    let (en, zh) = (issue.code.text_en(), issue.code.text_zh());
    let text = match issue.numbers {
        Some(Numbers { declared, found }) => {
            Text::new(format!("{en}: {declared} stated, {found} found"), format!("{zh}：声明 {declared}，实际 {found}"))
        }
        None => Text::new(en, zh),
    };
    let made = Issue::new(severity, IssueType::Structure, issue.code.as_str(), text)
        .with_diagnostics(format!("offset {} of the bytes sent", issue.raw_offset));
    match &issue.path {
        Some(path) => made.at(path.to_string()),
        None => made,
    }
}

/// The refusal of bytes that are no message.
pub fn not_a_message(reason: &NotAMessage) -> Issue {
    let text = Text::new(
        format!("this is no message that can be read: {reason}"),
        format!("无法读取该消息：{}", reason.code()),
    );
    Issue::error(IssueType::Structure, reason.code(), text)
        .with_diagnostics(format!("offset {} of the bytes sent", reason.raw_offset()))
}

pub(crate) fn control_id_conflict() -> Issue {
    let en = "another message with this control id and other content came before; send it under a new control id";
    let zh = "此前已收到控制号相同但内容不同的消息；请使用新的控制号重新发送";
    Issue::error(IssueType::Duplicate, "control-id-conflict", Text::new(en, zh)).at("MSH-10")
}

/// At most this many ERR segments: a sender reads the first ones, the trace holds all.
const ACK_ISSUES_MAX: usize = 20;

/// The issues that an acknowledgement names, errors first. Locations that are message paths become ERR-2.
pub(crate) fn for_ack<'i>(wire: &[dukou_wire::Issue], issues: &'i [Issue]) -> Vec<AckIssue<'i>> {
    let mapped = issues.iter().filter(|issue| issue.severity <= Severity::Warning).map(|issue| AckIssue {
        path: issue.expression.first().and_then(|place| Path::parse(place).ok()),
        code_0357: error_code(issue.kind),
        severity: severity(issue.severity),
        text: &issue.text.en,
    });
    let parsed = wire.iter().filter(|issue| issue.severity == dukou_wire::Severity::Error).map(|issue| AckIssue {
        path: issue.path.clone(),
        code_0357: "100",
        severity: dukou_wire::Severity::Error,
        text: issue.code.text_en(),
    });
    let mut all: Vec<AckIssue<'i>> = mapped.chain(parsed).collect();
    all.sort_by_key(|issue| issue.severity != dukou_wire::Severity::Error);
    all.truncate(ACK_ISSUES_MAX);
    all
}

fn severity(severity: Severity) -> dukou_wire::Severity {
    match severity {
        Severity::Fatal | Severity::Error => dukou_wire::Severity::Error,
        Severity::Warning => dukou_wire::Severity::Warning,
        Severity::Information => dukou_wire::Severity::Information,
    }
}

/// HL7 table 0357, message error condition codes.
fn error_code(kind: IssueType) -> &'static str {
    match kind {
        IssueType::Structure => "100",
        IssueType::Required => "101",
        IssueType::Value => "102",
        IssueType::CodeInvalid => "103",
        IssueType::NotSupported => "200",
        IssueType::NotFound => "204",
        IssueType::Duplicate => "205",
        IssueType::LockError => "206",
        _ => "207",
    }
}
