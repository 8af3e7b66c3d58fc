//! One request in, one released answer out: the gate is called once around each handler.

use std::convert::Infallible;
use std::error::Error as StdError;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use dukou_access::{Refusal, Step};
use dukou_audit::{Access, Answer, Interaction, Pending, Permit, Released, Summary};
use dukou_exchange::{Arrival, HistoryScope, Mode, ReviewAction};
use dukou_fhir::{IssueType, Language, LogicalId, ResourceType};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Body;
use hyper::header::{ALLOW, CONTENT_ENCODING, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use hyper::{Request, Response};

use crate::ask::Ask;
use crate::capability::Statement;
use crate::crew::Crew;
use crate::desk::{Connection, Desk};
use crate::fault::{Fault, fault};
use crate::finish::{Final, preflight};
use crate::gzip;
use crate::misses::Misses;
use crate::negotiate::{self, Sent};
use crate::params::Params;
use crate::read::Shown;
use crate::reply::Reply;
use crate::route::{Astray, Route};
use crate::telemetry::Telemetry;
use crate::{capture, card, crossref, document, matching, merge, message, operation, read, review, search, write};

/// The door for everything that comes over HTTP.
pub struct Service {
    desk: Arc<Desk>,
    statement: Statement,
    telemetry: Telemetry,
    misses: Misses,
}

/// An answer before its last headers.
type Answered = Released<Reply>;

impl Service {
    /// A door in front of a desk.
    pub fn new(desk: Desk) -> Service {
        Service {
            desk: Arc::new(desk),
            statement: Statement::default(),
            telemetry: Telemetry::new(),
            misses: Misses::new(),
        }
    }

    /// Answers one request. Whatever it is, the answer has passed the gate: recorded, or counted where the client is not known.
    pub async fn respond<B>(&self, request: Request<B>, connection: &Connection) -> Released<Response<Full<Bytes>>>
    where
        B: Body<Data = Bytes>,
        B::Error: Into<Box<dyn StdError + Send + Sync>>,
    {
        let (parts, body) = request.into_parts();
        let begun = self.desk.runtime.clock.mono_ns();
        let language = negotiate::language(&parts.headers);
        match Ask::read(&self.desk, parts, connection) {
            Err((id, issue)) => {
                let reply = Reply::fault(issue, language);
                let last = Final::bare(id);
                self.summarise(connection, "bad-http", 0, reply).map(|reply, receipt| last.response(reply, receipt))
            }
            Ok(ask) => {
                let last = Final::of(&ask, &self.desk.runtime.origins);
                let line = ask.line();
                let answered = self.answer(ask, body, connection).await;
                let telemetry = &self.telemetry;
                let passed_ns = self.desk.runtime.clock.mono_ns().saturating_sub(begun);
                answered.map(|reply, receipt| {
                    telemetry.note(last.id(), line, reply.status, passed_ns);
                    last.response(reply, receipt)
                })
            }
        }
    }

    async fn answer<B>(&self, ask: Ask, body: B, connection: &Connection) -> Answered
    where
        B: Body<Data = Bytes>,
        B::Error: Into<Box<dyn StdError + Send + Sync>>,
    {
        if matches!(ask.route, Ok(Route::Capabilities)) {
            let reply = self.statement.reply(&self.desk, &ask);
            return self.summarise(connection, "metadata", ask.line().number, reply);
        }
        if let Some(reply) = preflight(&ask, &self.desk.runtime.origins) {
            return self.summarise(connection, "preflight", ask.line().number, reply);
        }
        let mut access = match self.decide(&ask, connection) {
            Ok(access) => access,
            Err(refusal) => return self.refused(&ask, connection, refusal).await,
        };
        let route = match &ask.route {
            Ok(route) => route.clone(),
            Err(astray) => {
                let reply = astray_reply(astray, ask.language);
                access.decision.permit = false;
                access.decision.reason = reply.issue.map(str::to_owned);
                return self.deny(access, reply).await;
            }
        };
        let (ask, body) = match self.body(ask, &route, body).await {
            Ok((ask, body)) => {
                if let (true, Ok(form)) = (route.searches(), std::str::from_utf8(&body)) {
                    // What was asked in a form is as much a part of the question as what stands in the address.
                    access.query = access.query.map(|line| format!("{line}\n{form}"));
                }
                (ask, body)
            }
            Err(reply) => return join(self.desk.gate.read(access, move |_| Err::<_, Reply>(*reply).map(never)).await),
        };
        let client = access.client.id.clone();
        let names_a_patient = route.patient().is_some() || route.kind() == Some(ResourceType::PATIENT);
        let answered = self.dispatch(ask, route, body, access, connection).await;
        answered.map(|reply, _| {
            if reply.missed || (reply.status == 404 && names_a_patient) {
                self.missed(client.as_str(), connection);
            }
            reply
        })
    }

    /// Somebody was looked for and not found.
    fn missed(&self, client: &str, connection: &Connection) {
        let (runtime, peer) = (&self.desk.runtime, &connection.peer);
        let terminal = peer.terminal.as_deref().unwrap_or(&peer.address);
        let now_ns = runtime.clock.mono_ns();
        self.misses.note(client, terminal, now_ns, runtime.limits.misses_max, runtime.limits.misses_ms);
    }

    fn decide(&self, ask: &Ask, connection: &Connection) -> Result<Access, Refusal> {
        let basic = ask.basic();
        let exchange = &self.desk.exchange;
        let merged = |patient: &str| match LogicalId::parse(patient) {
            Some(id) => exchange.merged_with(&id).into_iter().map(|other| other.to_string()).collect(),
            None => Vec::new(),
        };
        self.desk.policy.load().decide(&ask.decided_by(&self.desk, connection, &basic, &merged))
    }

    async fn refused(&self, ask: &Ask, connection: &Connection, refusal: Refusal) -> Answered {
        let reply = refusal_reply(ask, &refusal);
        match refusal.authenticated {
            Some(access) => self.deny(*access, reply).await,
            None => {
                let what = if refusal.step == Step::Rate { "rate-limited" } else { refusal.code.as_str() };
                self.summarise(connection, what, ask.line().number, reply)
            }
        }
    }

    async fn deny(&self, access: Access, reply: Reply) -> Answered {
        let pending: Pending<Infallible, Reply> = self.desk.gate.refuse(access, reply);
        join(pending.await.map(|released| released.map(|answer, _| answer.map(|never| match never {}))))
    }

    fn summarise(&self, connection: &Connection, what: &'static str, route: u16, reply: Reply) -> Answered {
        let summary = Summary { what, status: reply.status, route };
        self.desk.gate.summarise(&connection.peer, summary, reply)
    }

    /// Reads what is left of the request: its format, its body, the form of a search.
    async fn body<B>(&self, mut ask: Ask, route: &Route, body: B) -> Result<(Ask, Bytes), Box<Reply>>
    where
        B: Body<Data = Bytes>,
        B::Error: Into<Box<dyn StdError + Send + Sync>>,
    {
        let language = ask.language;
        let refuse = |fault: Fault| Box::new(Reply::fault(fault, language));
        if let Some(issue) = ask.fault.take() {
            return Err(refuse(issue));
        }
        if !matches!(route, Route::Ingest) {
            negotiate::accepts_json(&ask.headers, ask.params.format.as_deref()).map_err(refuse)?;
        }
        let limits = &self.desk.runtime.limits;
        let sent = negotiate::sent(&ask.headers).map_err(refuse)?;
        let bytes_max = if matches!(route, Route::Bundle | Route::ProcessMessage) {
            limits.bundle_bytes_max
        } else {
            limits.body_bytes_max
        };
        let bytes = collect(&ask, body, bytes_max, limits.body_ms_max).await.map_err(refuse)?;
        if !fits(route, &ask, sent, bytes.is_empty()) {
            return Err(refuse(negotiate::media_type_refused()));
        }
        if sent == Sent::Form && !bytes.is_empty() {
            let form = std::str::from_utf8(&bytes).unwrap_or("%");
            ask.params = Params::read(&ask.query, form, limits).map_err(refuse)?;
        }
        Ok((ask, bytes))
    }

    async fn dispatch(&self, ask: Ask, route: Route, body: Bytes, access: Access, connection: &Connection) -> Answered {
        // Point reads take microseconds; everything else may take long and waits for a thread of its own.
        if let Route::Read(_) | Route::Vread(..) | Route::Card | Route::Options = route {
            return join(job(&self.desk, &ask, &route, &body, access).await);
        }
        let crew: &Crew = if route.line().writes { &self.desk.writers } else { &self.desk.readers };
        let Ok(place) = crew.place() else {
            let reply = busy(ask.language);
            return join(self.desk.gate.read(access, move |_| Err::<_, Reply>(reply).map(never)).await);
        };
        let (desk, language, number) = (Arc::clone(&self.desk), ask.language, route.line().number);
        let floor = tokio::time::sleep(Duration::from_millis(capture::REFUSED_AFTER_MS));
        let pending = place.hand(move || job(&desk, &ask, &route, &body, access));
        match pending.await {
            Ok(pending) => refused_in_time(join(pending.await), floor).await,
            // The gate catches what panics inside; here the thread was lost before or behind it.
            Err(_) => self.summarise(connection, "lost", number, busy(language)),
        }
    }
}

/// One request behind the gate, on whatever thread this is called.
fn job(desk: &Desk, ask: &Ask, route: &Route, body: &Bytes, access: Access) -> Pending<Reply, Reply> {
    match route {
        Route::Ingest if document::is_document(ask, body) => {
            let client = access.client.id.as_str().to_owned();
            let link = desk.links.of(&client);
            let sent = desk.exchange.document(body, &client, &link);
            let access = Access { message: Some(sent.reference()), ..access };
            desk.gate.write(access, |permit| document::take(desk, ask, permit, &sent))
        }
        Route::Held => {
            let client = access.client.id.as_str().to_owned();
            desk.gate.write(access, |permit| document::held(desk, ask, permit, &client))
        }
        Route::Ingest => {
            let client = access.client.id.as_str().to_owned();
            let link = desk.links.of(&client);
            let arrival = Arrival::open(body, &client, &link);
            let access = Access { message: Some(arrival.reference()), ..access };
            desk.gate.write(access, |permit| write::ingest(desk, ask, permit, &arrival))
        }
        Route::Bundle => bundle(desk, ask, body, access),
        _ if route.captures() => captures(desk, ask, route, body, access),
        Route::Merge | Route::Unmerge => desk.gate.write(access, |permit| {
            let content = write::parse(body).map_err(|issue| Reply::fault(issue, ask.language))?;
            let operation = if *route == Route::Merge { merge::merge } else { merge::unmerge };
            operation(desk, ask, permit, &content)
        }),
        Route::ProcessMessage => desk.gate.write(access, |permit| {
            let content = write::parse(body).map_err(|issue| Reply::fault(issue, ask.language))?;
            message::process(desk, ask, permit, &content)
        }),
        Route::Decide(task) => desk.gate.write(access, |permit| {
            let content = write::parse(body).map_err(|issue| Reply::fault(issue, ask.language))?;
            review::decide(desk, ask, permit, task, &content)
        }),
        Route::AssertLink(record) | Route::AssertNotSame(record) => desk.gate.write(access, |permit| {
            let content = write::parse(body).map_err(|issue| Reply::fault(issue, ask.language))?;
            let says_same = matches!(route, Route::AssertLink(_));
            let action = if says_same { ReviewAction::Same } else { ReviewAction::NotSame };
            review::assert(desk, ask, permit, record, action, &content)
        }),
        _ if route.line().writes => desk.gate.write(access, |permit| {
            let content = match route {
                Route::Delete(_) | Route::DeleteWhere(_) => None,
                _ => Some(write::parse(body).map_err(|issue| Reply::fault(issue, ask.language))?),
            };
            write::single(desk, ask, permit, route, content)
        }),
        _ => desk.gate.read(access, |permit| shown(desk, ask, permit, route, body)),
    }
}

/// What only shows something.
fn shown(desk: &Desk, ask: &Ask, permit: &Permit<'_>, route: &Route, body: &Bytes) -> Shown {
    let content = || write::parse(body).map_err(|issue| Reply::fault(issue, ask.language));
    match route {
        Route::Read(key) => read::read(desk, ask, permit, key, None),
        Route::Vread(key, version) => read::read(desk, ask, permit, key, Some(*version)),
        Route::InstanceHistory(key) => read::history(desk, ask, permit, HistoryScope::Instance(key.clone())),
        Route::TypeHistory(kind) => read::history(desk, ask, permit, HistoryScope::Type(*kind)),
        Route::SystemHistory => read::history(desk, ask, permit, HistoryScope::System),
        Route::Everything(patient) => search::everything(desk, ask, permit, patient),
        Route::Explain(record) => review::explain(desk, ask, permit, record, &content()?),
        Route::Validate(kind) => operation::validate(desk, ask, permit, *kind, &content()?),
        Route::Match => matching::matching(desk, ask, permit, &content()?),
        Route::Card => card::card(desk, ask, permit, &content()?),
        Route::CrossReference => {
            let content = crossref::parameters(ask, body).map_err(|issue| Reply::fault(issue, ask.language))?;
            crossref::cross_reference(desk, ask, permit, content.as_ref())
        }
        Route::Options => Ok(permit.without_patient_data(Reply::empty(204).with(ALLOW, METHODS))),
        _ => search::search(desk, ask, permit, route),
    }
}

/// A card or a token: the desk that asks goes into the record, whatever the answer.
fn captures(desk: &Desk, ask: &Ask, route: &Route, body: &Bytes, access: Access) -> Pending<Reply, Reply> {
    match write::parse(body).and_then(|content| capture::Asked::read(&content)) {
        Ok(asked) => {
            let access = asked.recorded(access);
            desk.gate.write(access, |permit| capture::answer(desk, ask, permit, route, &asked))
        }
        Err(issue) => {
            let reply = Reply::fault(issue, ask.language);
            desk.gate.write(access, move |_| Err(reply))
        }
    }
}

/// The type of a Bundle is known only when it was read; then the policy is asked again about exactly this one.
fn bundle(desk: &Desk, ask: &Ask, body: &Bytes, access: Access) -> Pending<Reply, Reply> {
    let read = write::parse(body).and_then(|content| write::mode(&content).map(|mode| (content, mode)));
    let (content, mode) = match read {
        Ok(read) => read,
        Err(issue) => {
            let reply = Reply::fault(issue, ask.language);
            return desk.gate.write(access, move |_| Err(reply));
        }
    };
    let interaction = if mode == Mode::Batch { Interaction::Batch } else { Interaction::Transaction };
    match desk.policy.load().settle_bundle(access, interaction) {
        Ok(access) => desk.gate.write(access, |permit| write::bundle(desk, ask, permit, mode, &content)),
        Err((access, code)) => {
            let reply = forbidden(code, ask.language);
            desk.gate.write(*access, move |_| Err(reply))
        }
    }
}

/// A token that does not count is refused after the same time, whatever is wrong with it, and each refusal is told to the operators.
async fn refused_in_time(answered: Answered, floor: tokio::time::Sleep) -> Answered {
    let mut refused = false;
    let answered = answered.map(|reply, _| {
        refused = reply.issue == Some(capture::REFUSED);
        reply
    });
    if refused {
        tracing::warn!("a capture token was refused: unknown, ended, or of another group of terminals");
        floor.await;
    }
    answered
}

fn join(answer: Answer<Reply, Reply>) -> Answered {
    match answer {
        Ok(released) => released.map(|answer, _| answer.unwrap_or_else(|refusal| refusal)),
        Err(closed) => closed.release(unavailable()),
    }
}

async fn collect<B>(ask: &Ask, body: B, bytes_max: usize, body_ms_max: u64) -> Result<Bytes, Fault>
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn StdError + Send + Sync>>,
{
    let collected =
        tokio::time::timeout(Duration::from_millis(body_ms_max), Limited::new(body, bytes_max).collect()).await;
    let bytes = match collected {
        Err(_) => {
            return Err(fault(
                IssueType::Timeout,
                "body-timeout",
                "the body did not arrive in time",
                "请求体未按时到达",
            ));
        }
        Ok(Err(error)) if error.downcast_ref::<LengthLimitError>().is_some() => return Err(too_large(bytes_max)),
        Ok(Err(_)) => {
            return Err(fault(IssueType::Invalid, "bad-body", "the body could not be read", "无法读取请求体"));
        }
        Ok(Ok(collected)) => collected.to_bytes(),
    };
    match ask.header(&CONTENT_ENCODING).map(str::to_ascii_lowercase).as_deref() {
        None | Some("identity") => Ok(bytes),
        Some("gzip" | "x-gzip") => gzip::inflate(&bytes, bytes_max).map_err(|refused| match refused {
            gzip::Refused::TooLarge => too_large(bytes_max),
            gzip::Refused::Malformed => {
                fault(IssueType::Invalid, "bad-gzip", "the body is not gzip", "请求体不是有效的 gzip")
            }
        }),
        Some(_) => Err(fault(
            IssueType::NotSupported,
            "media-type",
            "only gzip is taken as Content-Encoding",
            "Content-Encoding 只支持 gzip",
        )),
    }
}

/// Whether a body of this kind belongs to the route.
fn fits(route: &Route, ask: &Ask, sent: Sent, empty: bool) -> bool {
    match route {
        Route::Ingest => matches!(sent, Sent::Er7 | Sent::Document | Sent::FhirJson | Sent::Unsaid),
        Route::Patch(_) | Route::PatchWhere(_) => sent == Sent::JsonPatch,
        Route::Search(_) | Route::CompartmentSearch(..) => matches!(sent, Sent::Form | Sent::Unsaid) || empty,
        Route::CrossReference => matches!(sent, Sent::Form | Sent::FhirJson | Sent::Unsaid) || empty,
        Route::Everything(_) => empty || ask.method == hyper::Method::GET,
        Route::Create(_)
        | Route::Update(_)
        | Route::UpdateWhere(_)
        | Route::Bundle
        | Route::Validate(_)
        | Route::Match
        | Route::Card
        | Route::ProcessMessage
        | Route::Capture
        | Route::ResolveCapture
        | Route::RevokeCapture
        | Route::CaptureJson
        | Route::Merge
        | Route::Unmerge
        | Route::Decide(_) => sent == Sent::FhirJson || (sent == Sent::Unsaid && !empty),
        _ => true,
    }
}

fn astray_reply(astray: &Astray, language: Language) -> Reply {
    match astray {
        Astray::Method(methods) => {
            let issue = fault(
                IssueType::NotSupported,
                "method-not-allowed",
                "this address does not take the method",
                "该地址不支持此方法",
            );
            Reply::fault(issue, language).with_text(ALLOW, methods)
        }
        Astray::BadId { writes: true } => Reply::fault(
            fault(
                IssueType::Invalid,
                "bad-id",
                "an id is 1 to 64 of A-Z, a-z, 0-9, - and .",
                "id 只能由 1 到 64 个字母、数字、- 或 . 组成",
            ),
            language,
        ),
        Astray::UnknownType => Reply::fault(
            fault(IssueType::NotFound, "unknown-type", "R4 has no such resource type", "R4 没有此资源类型"),
            language,
        ),
        Astray::UnknownOperation => Reply::fault(
            fault(IssueType::NotFound, "unknown-operation", "this operation is not offered", "不提供此操作"),
            language,
        ),
        Astray::Nowhere | Astray::BadId { writes: false } => {
            Reply::fault(fault(IssueType::NotFound, "not-found", "nothing has this address", "地址不存在"), language)
        }
    }
}

fn refusal_reply(ask: &Ask, refusal: &Refusal) -> Reply {
    match refusal.step {
        Step::Rate => {
            let seconds = refusal.retry_after_s.unwrap_or(1).to_string();
            let issue =
                fault(IssueType::Throttled, refusal.code.as_str(), refusal.code.text_en(), refusal.code.text_zh());
            Reply::fault(issue, ask.language).with_text(RETRY_AFTER, &seconds)
        }
        Step::Authentication => {
            let issue = fault(IssueType::Login, refusal.code.as_str(), refusal.code.text_en(), refusal.code.text_zh());
            Reply::fault(issue, ask.language).with(WWW_AUTHENTICATE, CHALLENGE)
        }
        Step::Compartment => absent(ask),
        Step::Purpose | Step::Partner | Step::Scope => forbidden(refusal.code, ask.language),
    }
}

/// What is out of reach answers exactly like what is absent.
fn absent(ask: &Ask) -> Reply {
    let route = ask.route.as_ref().ok();
    let patient = route
        .and_then(Route::patient)
        .map(|id| dukou_fhir::ResourceKey::new(dukou_fhir::ResourceType::PATIENT, id.clone()));
    match route.and_then(Route::key).cloned().or(patient) {
        Some(key) => Reply::error(&dukou_exchange::Error::NotFound { key }, ask.language),
        None => astray_reply(&Astray::Nowhere, ask.language),
    }
}

fn forbidden(code: dukou_access::Code, language: Language) -> Reply {
    Reply::fault(fault(IssueType::Forbidden, code.as_str(), code.text_en(), code.text_zh()), language)
}

fn busy(language: Language) -> Reply {
    Reply::fault(
        fault(
            IssueType::Transient,
            "busy",
            "too many requests are waiting; try again",
            "等待处理的请求过多，请稍后再试",
        ),
        language,
    )
}

/// The constant answer while store or ledger take nothing.
fn unavailable() -> Reply {
    let text = "the service cannot answer now; try again later";
    Reply::fault(fault(IssueType::Transient, "unavailable", text, "服务暂不可用；请稍后重试"), Language::English)
        .with(RETRY_AFTER, HeaderValue::from_static("5"))
}

fn too_large(bytes_max: usize) -> Fault {
    fault(
        IssueType::TooLong,
        "body-too-large",
        format!("a body has at most {bytes_max} bytes"),
        format!("请求体最多 {bytes_max} 字节"),
    )
}

fn never<T>(never: Infallible) -> T {
    match never {}
}

const CHALLENGE: HeaderValue = HeaderValue::from_static("Bearer realm=\"dukou\"");
const METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
