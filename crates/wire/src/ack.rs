//! Acknowledgements: HL7 v2 chapter 2, message acknowledgement, MSA and ERR.
//!
//! This module builds and reads the bytes. That a positive answer leaves only after the message is durable is the
//! promise of its caller.

use std::borrow::Cow;

use crate::{Delimiters, Header, Limits, Message, NotAMessage, Path, Segment, Severity, Site, er7, escape, facts};

/// MSA-1, table 0008.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AckCode {
    /// Application accept.
    Aa,
    /// Application error.
    Ae,
    /// Application reject.
    Ar,
    /// Commit accept.
    Ca,
    /// Commit error.
    Ce,
    /// Commit reject.
    Cr,
}

impl AckCode {
    /// Reads MSA-1.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Aa, Self::Ae, Self::Ar, Self::Ca, Self::Ce, Self::Cr].into_iter().find(|code| code.as_str() == text)
    }

    /// The two letters.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Aa => "AA",
            Self::Ae => "AE",
            Self::Ar => "AR",
            Self::Ca => "CA",
            Self::Ce => "CE",
            Self::Cr => "CR",
        }
    }

    /// The message was accepted.
    #[must_use]
    pub fn is_success(self) -> bool {
        matches!(self, Self::Aa | Self::Ca)
    }

    /// An accept acknowledgement: it speaks of receipt, not of the application.
    #[must_use]
    pub fn is_commit(self) -> bool {
        matches!(self, Self::Ca | Self::Ce | Self::Cr)
    }
}

/// Which acknowledgements a message asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AckPlan {
    /// How MSH-15 and MSH-16 are read.
    pub mode: Mode,
    /// When `CA`, `CE` or `CR` is owed.
    pub accept: Owed,
    /// When `AA`, `AE` or `AR` is owed.
    pub application: Owed,
}

/// The acknowledgement mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// MSH-15 and MSH-16 are both empty: one application acknowledgement.
    Original,
    /// One of them is valued.
    Enhanced,
}

/// Table 0155: when an acknowledgement is owed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owed {
    /// `AL`
    Always,
    /// `NE`
    Never,
    /// `ER`
    OnError,
    /// `SU`
    OnSuccess,
}

impl Owed {
    /// The acknowledgement is owed for this result.
    #[must_use]
    pub fn applies(self, success: bool) -> bool {
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::OnError => !success,
            Self::OnSuccess => success,
        }
    }

    /// An empty condition is `NE`; an unknown one is answered, for a sender that waits in vain sends for ever.
    fn parse(text: &str) -> Self {
        match text.trim() {
            "" | "NE" | "\"\"" => Self::Never,
            "ER" => Self::OnError,
            "SU" => Self::OnSuccess,
            _ => Self::Always,
        }
    }
}

/// Which acknowledgements the sender of a message is owed. An acknowledgement is never acknowledged: `ACK`, and any
/// message with MSA that is no answer to a query.
#[must_use]
pub fn plan(header: &Header<'_>) -> AckPlan {
    let message = header.segment().message();
    let has = |id: &str| message.first(id).is_some();
    let acknowledgement = has("MSA") && !(has("QAK") || has("QRD") || has("QPD"));
    if header.message_code() == "ACK" || acknowledgement {
        return AckPlan { mode: Mode::Original, accept: Owed::Never, application: Owed::Never };
    }
    let (accept, application) = (header.accept_ack(), header.application_ack());
    if accept.trim().is_empty() && application.trim().is_empty() {
        return AckPlan { mode: Mode::Original, accept: Owed::Never, application: Owed::Always };
    }
    let plan = AckPlan { mode: Mode::Enhanced, accept: Owed::parse(&accept), application: Owed::parse(&application) };
    match plan.accept {
        // MSH-15 asks for a conditional answer and MSH-16 says nothing: such senders wait for an answer to every message all the
        // same, and one that hears nothing sends for ever. Who wants silence says NE.
        Owed::OnError | Owed::OnSuccess if application.trim().is_empty() => AckPlan { accept: Owed::Always, ..plan },
        _ => plan,
    }
}

/// What an acknowledgement says about one finding. The text must hold no patient data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AckIssue<'i> {
    /// Where, for ERR-1 or ERR-2.
    pub path: Option<Path>,
    /// A code of table 0357.
    pub code_0357: &'i str,
    /// For ERR-4.
    pub severity: Severity,
    /// A short text for MSA-3, ERR-8.
    pub text: &'i str,
}

/// The acknowledgement of a message, in its delimiters, version and character set. `time` is MSH-7 and `control_id`
/// MSH-10 of the acknowledgement.
#[must_use]
pub fn build(original: &Message<'_>, code: AckCode, issues: &[AckIssue<'_>], control_id: &str, time: &str) -> Vec<u8> {
    let header = original.segment(0);
    let mut writer = Writer { original, bytes: Vec::with_capacity(256), delimiters: original.delimiters() };
    let version = original.header().version();
    // A version this crate does not know is answered in the newest form.
    let before = |later: &str| facts::is_version(&version) && !facts::at_least(&version, later);
    writer.header(header, before("2.3.1"), before("2.2"), control_id, time);
    writer.literal("MSA");
    writer.value(code.as_str());
    writer.field(if header.id() == "MSH" { Some(header.field(10)) } else { None });
    if let Some(first) = issues.first().filter(|_| before("2.7")) {
        writer.value(first.text);
    }
    writer.end();
    if before("2.5") {
        writer.located_errors(issues);
    } else {
        for issue in issues {
            writer.error(issue);
        }
    }
    writer.bytes
}

/// The acknowledgement of bytes that are no message, in default delimiters. MSA-2 is MSH-10 if a scan of the raw bytes
/// finds it.
#[must_use]
pub fn build_unreadable(raw: &[u8], code: AckCode, reason: &str, control_id: &str, time: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(160);
    let scanned = |number: usize| scan(raw, number).unwrap_or_default();
    let or = |value: &[u8], default: &str| if value.is_empty() { default.as_bytes().to_vec() } else { value.to_vec() };
    let clean = |text: &str| text.replace(['|', '^', '~', '\\', '&', '\r', '\n'], " ");
    bytes.extend_from_slice(b"MSH|^~\\&|||||");
    bytes.extend_from_slice(clean(time).as_bytes());
    bytes.extend_from_slice(b"||ACK|");
    bytes.extend_from_slice(clean(control_id).as_bytes());
    bytes.push(b'|');
    bytes.extend_from_slice(&or(scanned(11), "P"));
    bytes.push(b'|');
    bytes.extend_from_slice(&or(scanned(12), "2.4"));
    bytes.extend_from_slice(b"\rMSA|");
    bytes.extend_from_slice(code.as_str().as_bytes());
    bytes.push(b'|');
    bytes.extend_from_slice(scanned(10));
    bytes.push(b'|');
    bytes.extend_from_slice(clean(reason).as_bytes());
    bytes.push(b'\r');
    bytes
}

/// A field of the first MSH in raw bytes, when it is short printable ASCII without any default delimiter.
fn scan(raw: &[u8], number: usize) -> Option<&[u8]> {
    let at = memchr::memmem::find(raw, b"MSH")?;
    let field = *raw.get(at + 3).filter(|b| b.is_ascii_punctuation())?;
    let line = raw[at..].split(|&b| b == b'\r' || b == b'\n').next()?;
    let value = line.split(|&b| b == field).nth(number - 1)?;
    let plain = |b: &u8| b.is_ascii_graphic() && !b"|^~\\&".contains(b);
    (value.len() <= 199 && value.iter().all(plain)).then_some(value)
}

struct Writer<'w> {
    original: &'w Message<'w>,
    bytes: Vec<u8>,
    delimiters: Delimiters,
}

impl Writer<'_> {
    fn header(&mut self, header: Segment<'_>, two_parts: bool, one_part: bool, control_id: &str, time: &str) {
        let is_message = header.id() == "MSH";
        let copied = |number: u16| is_message.then(|| header.field(number));
        self.literal("MSH");
        self.field(Some(header.field(2)));
        for number in [5, 6, 3, 4] {
            self.field(copied(number));
        }
        self.value(time);
        self.value("");
        let component = self.delimiters.component;
        let trigger = self.original.header().trigger();
        self.value("ACK");
        if component != 0 && !one_part && is_message && !trigger.is_empty() {
            self.bytes.push(component);
            self.escaped(&trigger);
            if !two_parts {
                self.bytes.push(component);
                self.bytes.extend_from_slice(b"ACK");
            }
        }
        self.value(control_id);
        self.field(copied(11));
        self.field(copied(12));
        if is_message && !header.field(18).raw().is_empty() {
            for _ in 13..18 {
                self.value("");
            }
            self.field(copied(18));
        }
        self.end();
    }

    /// ERR-1 as ELD, one repetition an issue: up to version 2.4.
    fn located_errors(&mut self, issues: &[AckIssue<'_>]) {
        if issues.is_empty() {
            return;
        }
        self.literal("ERR");
        let Delimiters { repetition, component, subcomponent, .. } = self.delimiters;
        for (at, issue) in issues.iter().enumerate() {
            match at {
                0 => self.value(""),
                _ if repetition == 0 => break,
                _ => self.bytes.push(repetition),
            }
            if component == 0 {
                self.escaped(issue.code_0357);
                continue;
            }
            let numbers = issue.path.as_ref().map(|path| [path.occurrence(), path.field()]);
            self.escaped(issue.path.as_ref().map_or("", Path::segment));
            for number in numbers.unwrap_or_default() {
                self.bytes.push(component);
                self.number(number);
            }
            self.bytes.push(component);
            self.coded(issue.code_0357, meaning_0357(issue.code_0357), subcomponent);
        }
        self.end();
    }

    /// One ERR an issue: from version 2.5 on.
    fn error(&mut self, issue: &AckIssue<'_>) {
        let component = self.delimiters.component;
        self.literal("ERR");
        self.value("");
        self.value("");
        if let Some(path) = issue.path.as_ref() {
            self.escaped(path.segment());
            let mut numbers =
                vec![path.occurrence(), path.field(), path.repetition(), path.component(), path.subcomponent()];
            while numbers.last() == Some(&0) {
                numbers.pop();
            }
            for number in numbers.into_iter().filter(|_| component != 0) {
                self.bytes.push(component);
                self.number(number);
            }
        }
        self.value("");
        self.coded(issue.code_0357, meaning_0357(issue.code_0357), component);
        self.value(match issue.severity {
            Severity::Error => "E",
            Severity::Warning => "W",
            Severity::Information => "I",
        });
        for empty in ["", "", ""] {
            self.value(empty);
        }
        self.value(issue.text);
        self.end();
    }

    fn coded(&mut self, code: &str, meaning: &str, separator: u8) {
        self.escaped(code);
        if separator != 0 {
            for part in [meaning, "HL70357"] {
                self.bytes.push(separator);
                self.escaped(part);
            }
        }
    }

    fn number(&mut self, number: u16) {
        if number > 0 {
            self.bytes.extend_from_slice(number.to_string().as_bytes());
        }
    }

    fn literal(&mut self, id: &str) {
        self.bytes.extend_from_slice(id.as_bytes());
    }

    /// A field separator and a value.
    fn value(&mut self, text: &str) {
        self.bytes.push(self.delimiters.field);
        self.escaped(text);
    }

    /// A field separator and a field of the original, byte for byte.
    fn field(&mut self, node: Option<crate::Node<'_>>) {
        self.bytes.push(self.delimiters.field);
        let Some(node) = node else { return };
        let (from, to) = (self.original.raw_offset(node.span().start), self.original.raw_offset(node.span().end));
        self.bytes.extend_from_slice(&self.original.raw()[from as usize..to as usize]);
    }

    /// A value as far as the message can carry it: what cannot be escaped or encoded is written as `?`.
    fn escaped(&mut self, text: &str) {
        let one_line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        let written = escape::encode(&one_line, self.delimiters).unwrap_or_else(|| {
            let plain = |c: char| if c.is_ascii_punctuation() { '?' } else { c };
            Cow::Owned(one_line.chars().map(plain).collect())
        });
        match self.original.charset().encode(&written) {
            Ok(bytes) => self.bytes.extend_from_slice(&bytes),
            Err(_) => self.bytes.extend(written.chars().map(|c| if c.is_ascii() { c as u8 } else { b'?' })),
        }
    }

    fn end(&mut self) {
        self.bytes.push(b'\r');
    }
}

/// What a code of table 0357 means.
fn meaning_0357(code: &str) -> &'static str {
    match code {
        "0" => "Message accepted",
        "100" => "Segment sequence error",
        "101" => "Required field missing",
        "102" => "Data type error",
        "103" => "Table value not found",
        "104" => "Value too long",
        "200" => "Unsupported message type",
        "201" => "Unsupported event code",
        "202" => "Unsupported processing id",
        "203" => "Unsupported version id",
        "204" => "Unknown key identifier",
        "205" => "Duplicate key identifier",
        "206" => "Application record locked",
        _ => "Application internal error",
    }
}

/// An acknowledgement that was received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ack {
    /// MSA-1.
    pub code: AckCode,
    /// MSA-2, the control id of the message that is answered, as written.
    pub control_id: String,
    /// MSA-3.
    pub text: String,
    /// MSA-4, the sequence number that is expected.
    pub expected_sequence: Option<i64>,
    /// MSH-9.1: `ACK`, or the code of another answer that carries MSA.
    pub message_code: String,
    /// The ERR segments, one entry for each location.
    pub errors: Vec<AckError>,
}

/// What an ERR segment says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AckError {
    /// Where in the message that is answered.
    pub path: Option<Path>,
    /// The code, most often of table 0357.
    pub code: String,
    /// ERR-4: `E`, `W`, `I` or `F`; empty up to version 2.4.
    pub severity: String,
    /// ERR-8, else ERR-7, else the text of the code.
    pub text: String,
}

/// Why bytes are no acknowledgement.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAnAck {
    /// The bytes are no message.
    #[error("the answer is no message")]
    Message(#[source] NotAMessage),
    /// The message has no MSA.
    #[error("the answer has no MSA segment")]
    NoMsa,
    /// MSA-1 is no code of table 0008.
    #[error("the answer has no acknowledgement code")]
    Code,
}

/// What an acknowledgement is to a sender that waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// It settles the message with this code.
    Settled(AckCode),
    /// It is a commit accept, and the link waits for the application.
    KeepWaiting,
    /// It answers another message: never a success.
    Mismatch,
}

/// Which acknowledgement ends the wait of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WaitFor {
    /// Any.
    First,
    /// That of the application, or a failed commit.
    Application,
}

impl Ack {
    /// Reads an answer, as [`parse`] does.
    ///
    /// # Errors
    /// When the bytes are no message with an acknowledgement code.
    pub fn parse(bytes: &[u8]) -> Result<Self, NotAnAck> {
        parse(bytes)
    }

    /// What it means to the sender of the message with this control id.
    #[must_use]
    pub fn answers(&self, control_id: &str, wait_for: WaitFor) -> Answer {
        if self.control_id != control_id {
            Answer::Mismatch
        } else if wait_for == WaitFor::Application && self.code == AckCode::Ca {
            Answer::KeepWaiting
        } else {
            Answer::Settled(self.code)
        }
    }
}

/// Reads an answer: any message with an MSA segment, whatever its type, line ends and layout of ERR.
///
/// # Errors
/// When the bytes are no message with an acknowledgement code.
pub fn parse(bytes: &[u8]) -> Result<Ack, NotAnAck> {
    let (message, _) = er7::parse(bytes, &Limits::default(), &Site::default()).map_err(NotAnAck::Message)?;
    let msa = message.first("MSA").ok_or(NotAnAck::NoMsa)?;
    let code = AckCode::parse(msa.field(1).text().trim()).ok_or(NotAnAck::Code)?;
    Ok(Ack {
        code,
        control_id: msa.field(2).raw().to_owned(),
        text: msa.field(3).text().into_owned(),
        expected_sequence: msa.field(4).text().trim().parse().ok(),
        message_code: message.header().message_code().into_owned(),
        errors: message.segments().filter(|segment| segment.id() == "ERR").flat_map(errors).collect(),
    })
}

fn errors(segment: Segment<'_>) -> Vec<AckError> {
    let text = |node: crate::Node<'_>| node.text().into_owned();
    let coded = segment.field(3).child(1);
    if !coded.raw().is_empty() || !segment.field(2).raw().is_empty() {
        let spoken = [segment.field(8), segment.field(7), coded.child(2)];
        let spoken = spoken.into_iter().find(|node| !node.raw().is_empty()).map(text).unwrap_or_default();
        let (code, severity) = (text(coded.child(1)), text(segment.field(4)));
        let location = |node: crate::Node<'_>| path_of(node, 6);
        return vec![AckError { path: location(segment.field(2).child(1)), code, severity, text: spoken }];
    }
    let located = |node: crate::Node<'_>| AckError {
        path: path_of(node, 3),
        code: text(node.child(4).child(1)),
        severity: String::new(),
        text: text(node.child(4).child(2)),
    };
    segment.field(1).children().filter(|node| !node.raw().is_empty()).map(located).collect()
}

/// The path that ERL (six components) or ELD (three) names.
fn path_of(node: crate::Node<'_>, components: u16) -> Option<Path> {
    let number = |at: u16| if at > components { 0 } else { node.child(at).raw().trim().parse().unwrap_or(0) };
    let path = Path::of_segment(node.child(1).raw().trim(), number(2).max(1))?;
    Some(path.at(number(3), number(4), number(5), number(6)))
}
