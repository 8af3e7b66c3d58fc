//! Doors of one-time card capture: `Patient/$capture`, `Patient/$resolve-capture`, `Patient/$revoke-capture` with Parameters, and
//! `POST /identity/capture` with plain JSON of the same names for systems without FHIR. POST only: nothing of a card stands in an address.

use dukou_audit::{Access, Permit, User};
use dukou_exchange::{
    CaptureRequest, Captured, Choice, Error, HistoryView, MaskedCandidate, MaskedCard, Medium, ResolveRequest,
    RevokeRequest,
};
use dukou_fhir::{Issue, IssueType, LogicalId, Object, OperationOutcome, Text, Value, json};
use hyper::header::{CONTENT_TYPE, HeaderValue};

use crate::ask::Ask;
use crate::bundle::{Searchset, Writer};
use crate::desk::Desk;
use crate::fault::{Fault, fault_at};
use crate::reply::{Reply, print};
use crate::route::Route;
use crate::write::Written;

/// What a desk sends, whichever way it writes it. It holds what is on a card: it has no `Debug`.
#[derive(Default)]
pub(crate) struct Asked {
    request_id: String,
    medium: String,
    payload: String,
    terminal: String,
    encounter: Option<String>,
    operator: String,
    purpose: String,
    patient: Option<String>,
    register: bool,
    notice: Option<String>,
    token: Option<String>,
    reason: String,
    history: bool,
}

impl Asked {
    /// Reads a body: Parameters, or an object with members of the same names.
    pub(crate) fn read(body: &Value<'static>) -> Result<Asked, Fault> {
        let mut asked = Asked::default();
        if body.resource_type() == Some("Parameters") {
            for part in body.list_at("parameter") {
                let name = part.text_at("name").unwrap_or("");
                let value = part.as_object().and_then(|part| part.iter().find(|(name, _)| name.starts_with("value")));
                asked.take(name, value.map(|(_, value)| value))?;
            }
            return Ok(asked);
        }
        let Some(object) = body.as_object().filter(|_| body.resource_type().is_none()) else {
            return Err(malformed(
                "Parameters",
                "Parameters, or a JSON object, is expected here",
                "此处应为 Parameters 或 JSON 对象",
            ));
        };
        object.iter().try_for_each(|(name, value)| asked.take(name, Some(value)))?;
        Ok(asked)
    }

    fn take(&mut self, name: &str, value: Option<&Value<'static>>) -> Result<(), Fault> {
        let text = || value.map(text_of).unwrap_or_default();
        let some = || Some(text()).filter(|text| !text.is_empty());
        match name {
            "request-id" => self.request_id = text(),
            "medium" => self.medium = text(),
            "payload" => self.payload = value.map(payload_of).unwrap_or_default(),
            "terminal" => self.terminal = text(),
            "encounter" => self.encounter = some(),
            "operator" => self.operator = text(),
            "purpose" => self.purpose = text(),
            "patient" => self.patient = some(),
            "notice" => self.notice = some(),
            "token" => self.token = some(),
            "reason" => self.reason = text(),
            "register" => self.register = value.and_then(Value::as_bool).unwrap_or(false),
            "include-history" => self.history = value.and_then(Value::as_bool).unwrap_or(false),
            _ => {
                let (en, zh) = ("a parameter has a name that is not one of this operation", "存在本操作不支持的参数名");
                return Err(malformed("Parameters.parameter.name", en, zh));
            }
        }
        Ok(())
    }

    /// Puts the desk into the record of this access: which terminal, which operator, for what reason.
    pub(crate) fn recorded(&self, mut access: Access) -> Access {
        let short = |text: &str| -> String { text.chars().filter(|c| !c.is_control()).take(NAME_CHARS_MAX).collect() };
        if !self.terminal.is_empty() {
            access.peer.terminal = Some(short(&self.terminal));
        }
        if access.user.is_none() && !self.operator.is_empty() {
            let issuer = access.client.id.to_string();
            access.user = Some(User { issuer, subject: short(&self.operator), ..User::default() });
        }
        if !self.reason.is_empty() {
            access.query = access.query.map(|line| format!("{line}\nreason={}", short(&self.reason)));
        }
        access
    }

    /// The purpose is stated with every question, and is one that was decided about.
    fn purpose(&self, permit: &Permit<'_>) -> Result<(), Fault> {
        let decided = &permit.access().purpose.codes;
        match self.purpose.as_str() {
            "" => Err(required("purpose")),
            stated if decided.iter().any(|code| code == stated) => Ok(()),
            _ => {
                let en = "the purpose is not the one that was decided about: state it in X-Purpose-Of-Use as well";
                let zh = "用途与授权判定的用途不一致：请同时在 X-Purpose-Of-Use 中声明";
                Err(fault_at(IssueType::Forbidden, "purpose-differs", &place("purpose"), en, zh))
            }
        }
    }
}

/// One of the three operations; the plain door captures.
pub(crate) fn answer(desk: &Desk, ask: &Ask, permit: &Permit<'_>, route: &Route, asked: &Asked) -> Written {
    let refuse = |fault: Fault| Reply::fault(fault, ask.language);
    let plain = *route == Route::CaptureJson;
    ask.params.without_criteria().map_err(refuse)?;
    asked.purpose(permit).map_err(refuse)?;
    match route {
        Route::ResolveCapture => resolve(desk, ask, permit, asked),
        Route::RevokeCapture => revoke(desk, ask, permit, asked),
        _ => capture(desk, ask, permit, asked, plain),
    }
}

fn capture(desk: &Desk, ask: &Ask, permit: &Permit<'_>, asked: &Asked, plain: bool) -> Written {
    let refuse = |fault: Fault| Reply::fault(fault, ask.language);
    let medium = Medium::parse(&asked.medium).ok_or_else(|| refuse(unknown_medium()))?;
    let encounter = id_of(asked.encounter.as_deref(), "Encounter").map_err(refuse)?;
    let choice = match (id_of(asked.patient.as_deref(), "Patient").map_err(refuse)?, asked.register) {
        (Some(record), false) => Choice::Person(record),
        (None, true) => Choice::Register,
        (None, false) => Choice::Open,
        (Some(_), true) => {
            let (en, zh) = ("choose a patient or register a new one, not both", "patient 与 register 只能二选一");
            return Err(refuse(malformed(&place("register"), en, zh)));
        }
    };
    let request = CaptureRequest {
        request_id: &asked.request_id,
        medium,
        payload: &asked.payload,
        terminal: &asked.terminal,
        encounter: encounter.as_ref(),
        choice,
        notice: asked.notice.as_deref(),
        history: asked.history,
    };
    let captured = desk.exchange.capture(permit, &request).map_err(|error| Reply::error(&error, ask.language))?;
    Ok(captured.map(|captured| reply(captured_answer(ask, &captured), plain)))
}

fn resolve(desk: &Desk, ask: &Ask, permit: &Permit<'_>, asked: &Asked) -> Written {
    let refuse = |fault: Fault| Reply::fault(fault, ask.language);
    let encounter = id_of(asked.encounter.as_deref(), "Encounter").map_err(refuse)?;
    let token = asked.token.as_deref().ok_or_else(|| refuse(required("token")))?;
    let request = ResolveRequest {
        request_id: &asked.request_id,
        token,
        terminal: &asked.terminal,
        encounter: encounter.as_ref(),
        history: asked.history,
    };
    let resolved = desk.exchange.resolve_capture(permit, &request);
    let resolved = resolved.map_err(|error: Error| Reply::error(&error, ask.language))?;
    Ok(resolved.map(|resolved| {
        let mut answer = vec![
            Part::text("expires", "valueInstant", resolved.expires.to_string()),
            Part::text("grade", "valueCode", resolved.standing.code()),
            patient(&resolved.patient),
        ];
        answer.extend(resolved.history.as_ref().map(|view| history(ask, view)));
        reply(answer, false)
    }))
}

fn revoke(desk: &Desk, ask: &Ask, permit: &Permit<'_>, asked: &Asked) -> Written {
    let refuse = |fault: Fault| Reply::fault(fault, ask.language);
    if asked.reason.is_empty() {
        return Err(refuse(required("reason")));
    }
    let record = id_of(asked.patient.as_deref(), "Patient").map_err(refuse)?;
    let request = RevokeRequest {
        request_id: &asked.request_id,
        terminal: &asked.terminal,
        token: asked.token.as_deref(),
        patient: record.as_ref(),
    };
    let revoked = desk.exchange.revoke_capture(permit, &request);
    let revoked = revoked.map_err(|error| Reply::error(&error, ask.language))?;
    Ok(revoked.map(|_| Reply::note(200, ask.language)))
}

/// One part of an answer: in Parameters a `parameter`, in plain JSON a member; a name that repeats is a list there.
struct Part {
    name: &'static str,
    kind: &'static str,
    value: PartValue,
}

enum PartValue {
    One(Value<'static>),
    Parts(Vec<Part>),
}

impl Part {
    fn text(name: &'static str, kind: &'static str, value: impl Into<String>) -> Part {
        Part { name, kind, value: PartValue::One(Value::from(value.into())) }
    }

    fn parts(name: &'static str, parts: Vec<Part>) -> Part {
        Part { name, kind: "part", value: PartValue::Parts(parts) }
    }

    fn resource(name: &'static str, resource: Value<'static>) -> Part {
        Part { name, kind: "resource", value: PartValue::One(resource) }
    }

    fn into_parameter(self) -> Value<'static> {
        let value = match self.value {
            PartValue::One(value) => value,
            PartValue::Parts(parts) => parts.into_iter().map(Part::into_parameter).collect::<Vec<_>>().into(),
        };
        Object::new().with("name", self.name).with(self.kind, value).into()
    }

    fn into_plain(self) -> Value<'static> {
        match self.value {
            PartValue::Parts(parts) => plain(parts),
            PartValue::One(Value::Object(reference)) if self.kind == "valueReference" => {
                reference.get("reference").cloned().unwrap_or(Value::Null)
            }
            PartValue::One(value) => value,
        }
    }
}

fn plain(parts: Vec<Part>) -> Value<'static> {
    let mut object = Object::new();
    for part in parts {
        let (name, listed) = (part.name, LISTED.contains(&part.name));
        let value = part.into_plain();
        match object.get_mut(name) {
            Some(Value::Array(values)) if listed => values.push(value),
            _ if listed => drop(object.insert(name, vec![value])),
            _ => drop(object.insert(name, value)),
        }
    }
    object.into()
}

fn reply(parts: Vec<Part>, as_json: bool) -> Reply {
    if as_json {
        let reply = Reply::fhir(200, print(&plain(parts)));
        return reply.with(CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
    }
    let parameters: Vec<Value<'static>> = parts.into_iter().map(Part::into_parameter).collect();
    let parameters = Object::new().with("resourceType", "Parameters").with("parameter", parameters);
    Reply::fhir(200, print(&parameters.into()))
}

fn captured_answer(ask: &Ask, captured: &Captured) -> Vec<Part> {
    let mut parts = Vec::new();
    if let Some((token, expires)) = &captured.token {
        parts.push(Part::text("token", "valueString", token.clone()));
        parts.push(Part::text("expires", "valueInstant", expires.to_string()));
    }
    parts.push(Part::text("grade", "valueCode", captured.standing.code()));
    parts.extend(captured.patient.as_ref().map(patient));
    parts.push(card(&captured.card));
    parts.extend(captured.candidates.iter().map(candidate));
    parts.extend(captured.history.as_ref().map(|view| history(ask, view)));
    let mut issues = captured.issues.clone();
    if captured.dropped > 0 {
        let count = captured.dropped;
        let en = format!("{count} values of the payload may not be kept and were dropped");
        let zh = format!("载荷中有 {count} 个不得留存的值，已丢弃");
        issues.push(Issue::new(
            dukou_fhir::Severity::Information,
            IssueType::Informational,
            "dropped-forbidden",
            Text::new(en, zh),
        ));
    }
    if !issues.is_empty() {
        parts.push(Part::resource("issue", OperationOutcome::from(issues).to_value(ask.language)));
    }
    parts
}

fn patient(record: &LogicalId) -> Part {
    let reference = Object::new().with("reference", format!("Patient/{record}"));
    Part { name: "patient", kind: "valueReference", value: PartValue::One(reference.into()) }
}

fn card(card: &MaskedCard) -> Part {
    let mut parts =
        vec![Part::text("medium", "valueCode", card.medium), Part::text("obtained", "valueCode", card.obtained)];
    let told = [
        ("name", card.name.clone()),
        ("sex", card.sex.map(String::from).unwrap_or_default()),
        ("birth", card.birth.clone()),
    ];
    parts.extend(
        told.into_iter().filter(|(_, text)| !text.is_empty()).map(|(name, text)| Part::text(name, "valueString", text)),
    );
    for number in &card.numbers {
        let number = vec![
            Part::text("class", "valueCode", number.class),
            Part::text("value", "valueString", number.value.clone()),
        ];
        parts.push(Part::parts("number", number));
    }
    Part::parts("card", parts)
}

fn candidate(candidate: &MaskedCandidate) -> Part {
    let decimal =
        |name, text: String| Part { name, kind: "valueDecimal", value: PartValue::One(Value::Number(text.into())) };
    let mut parts = vec![patient(&candidate.record), Part::text("grade", "valueCode", candidate.grade.code())];
    parts.extend(candidate.bits.map(|bits| decimal("bits", bits.to_string())));
    parts.extend(candidate.probability.map(|probability| decimal("probability", format!("{probability:.6}"))));
    let told = [("name", &candidate.name), ("gender", &candidate.gender), ("birth", &candidate.birth)];
    parts.extend(
        told.into_iter()
            .filter(|(_, text)| !text.is_empty())
            .map(|(name, text)| Part::text(name, "valueString", text.clone())),
    );
    parts.extend(candidate.findings.iter().map(|finding| Part::text("explanation", "valueString", finding.clone())));
    Part::parts("candidate", parts)
}

/// The history page as a searchset; what is missing is named by an OperationOutcome in it.
fn history(ask: &Ask, view: &HistoryView) -> Part {
    let set = Searchset {
        matches: view.found.clone(),
        includes: Vec::new(),
        notes: view.missing.clone(),
        total: None,
        links: Vec::new(),
    };
    let shape = crate::shape::Shape::default();
    let writer = Writer { base: &ask.base, shape: &shape, language: ask.language };
    let printed = writer.searchset(&set);
    let bundle = json::parse(&printed, &json::Limits::default()).map(Value::into_static);
    let mut bundle = bundle.unwrap_or(Value::Null);
    if !view.outside.is_empty()
        && let Some(object) = bundle.as_object_mut()
    {
        // The address says whose it is, and relative references in it lead to where it came from (FHIR R4, Bundle, 3.1.4.1).
        let outside = view.outside.iter().map(|outside| {
            let mut entry = Object::new();
            let kind = outside.resource.resource_type();
            if let Some((kind, id)) = kind.zip(outside.resource.text_at("id")) {
                entry.insert("fullUrl", format!("{}/{kind}/{id}", outside.base));
            }
            let search = Object::new().with("mode", "match");
            Value::from(entry.with("resource", outside.resource.clone()).with("search", search))
        });
        match object.get_mut("entry").and_then(Value::as_array_mut) {
            // Notes about what is missing stand at the end.
            Some(entries) => drop(entries.splice(view.found.len()..view.found.len(), outside)),
            None => drop(object.insert("entry", outside.collect::<Vec<_>>())),
        }
    }
    Part::resource("history", bundle)
}

/// The text of a value: of a string or number itself, of an Identifier, Reference or Coding what it names.
fn text_of(value: &Value<'static>) -> String {
    let named = || ["value", "reference", "code"].iter().find_map(|name| value.text_at(name));
    value.as_str().or(value.as_number()).or_else(named).unwrap_or("").trim().to_owned()
}

/// A payload is text as the terminal gives it, or an object, which is printed again.
fn payload_of(value: &Value<'static>) -> String {
    match value {
        Value::Object(_) => String::from_utf8(print(value)).unwrap_or_default(),
        other => text_of(other),
    }
}

/// `Encounter/17`, or `17`.
fn id_of(text: Option<&str>, kind: &str) -> Result<Option<LogicalId>, Fault> {
    let Some(text) = text else { return Ok(None) };
    let id = text.strip_prefix(kind).and_then(|rest| rest.strip_prefix('/')).unwrap_or(text);
    let (en, zh) =
        (format!("a reference to a {kind} of this server is expected"), format!("应为指向本服务器 {kind} 的引用"));
    LogicalId::parse(id)
        .map(Some)
        .ok_or_else(|| fault_at(IssueType::Value, "bad-reference", &place(&kind.to_lowercase()), en, zh))
}

fn place(name: &str) -> String {
    format!("Parameters.parameter.where(name='{name}')")
}

fn malformed(place: &str, en: &str, zh: &str) -> Fault {
    fault_at(IssueType::Invalid, "bad-parameters", place, en, zh)
}

fn required(name: &str) -> Fault {
    let (en, zh) = (format!("the parameter {name} is required"), format!("缺少参数 {name}"));
    fault_at(IssueType::Required, "parameter-missing", &place(name), en, zh)
}

fn unknown_medium() -> Fault {
    let codes: Vec<&str> = Medium::CODES.iter().map(|row| row.1).collect();
    let codes = codes.join(", ");
    let (en, zh) = (format!("medium is one of {codes}"), format!("medium 应为 {codes} 之一"));
    fault_at(IssueType::CodeInvalid, "medium-unknown", &place("medium"), en, zh)
}

/// A refusal of a token leaves no earlier than this after it was asked: what took long and what did not are alike.
pub(crate) const REFUSED_AFTER_MS: u64 = 50;
/// The code of that refusal.
pub(crate) const REFUSED: &str = "capture-unknown";

const LISTED: [&str; 3] = ["candidate", "number", "explanation"];
const NAME_CHARS_MAX: usize = 64;
