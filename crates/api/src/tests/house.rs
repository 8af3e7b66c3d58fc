//! A whole service without sockets, and short ways to ask it.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use bytes::Bytes;
use dukou_access::{Channel, Meter, PartnerFile, Policy, PolicyFiles, Rate, TokenFile};
use dukou_audit::{
    Entry, Keys, Ledger, ManualClock, Options, Peer, Question, Reader, RequestId, SeededRandom, storage,
};
use dukou_exchange::{
    CaptureSite, Exchange, Integrity, LifeRules, Link, ReportedPolicy, SiteKey, Surroundings, Systems, TerminalGroup,
};
use dukou_fhir::Offset;
use dukou_fhir::search::Site;
use dukou_store::Store;
use dukou_store::model::{Disk, Model};
use http_body_util::{BodyExt, Full};
use hyper::{HeaderMap, Request};
use serde_json::Value;

use crate::{Connection, Crew, CursorKey, Desk, Limits, Links, Runtime, Service};

/// A service with a store of its own.
pub(super) struct House {
    service: Service,
    pub(super) clock: Arc<ManualClock>,
    ledger: Option<Ledger>,
    files: storage::Faulty,
    runtime: tokio::runtime::Runtime,
}

/// What a test changes about the house.
pub(super) struct Plan {
    pub(super) limits: Limits,
    /// Requests a second of one address.
    pub(super) per_second: u32,
    /// Jobs that may wait for a thread.
    pub(super) queue_max: usize,
}

impl Default for Plan {
    fn default() -> Plan {
        Plan { limits: Limits::default(), per_second: 10_000, queue_max: 8 }
    }
}

/// What came back.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) bytes: Bytes,
}

/// A request in the making.
pub(super) struct Asking<'a> {
    house: &'a House,
    builder: hyper::http::request::Builder,
    body: Vec<u8>,
    token: Option<&'static str>,
    channel: Channel,
}

impl House {
    pub(super) fn new() -> House {
        House::planned(Plan::default())
    }

    pub(super) fn with(limits: Limits) -> House {
        House::planned(Plan { limits, ..Plan::default() })
    }

    pub(super) fn planned(plan: Plan) -> House {
        let files = storage::Faulty::new();
        let clock = Arc::new(ManualClock::new(NOON_NS));
        let random = Arc::new(SeededRandom::new(7));
        let keys = || Keys::generate(&SeededRandom::new(1)).unwrap();
        Ledger::create(&files, &keys(), "hospital.example/dukou", &ledger_options(), &*clock).unwrap();
        let mut opened =
            Ledger::open(Arc::new(files.clone()), keys(), ledger_options(), clock.clone(), random.clone()).unwrap();
        let zone = Offset::parse("+08:00").unwrap();
        let site = Site { zone, base: None };
        let store = Model::open(Disk::default(), site, opened.seal, clock.clone()).unwrap();
        opened.ledger.complete(store.last_jseq().unwrap(), Vec::new()).unwrap();
        let surroundings = Surroundings {
            clock: clock.clone(),
            random: random.clone(),
            site: "test".into(),
            zone,
            zone_text: "+08:00".into(),
            public_base: None,
            integrity: Integrity::Enforce,
            reported: ReportedPolicy::default(),
            systems: Arc::new(systems()),
            model: Arc::new(model()),
            limits: dukou_exchange::Limits::default(),
        };
        let tables = dukou_terminology::Tables::load(Vec::new()).unwrap_or_else(|_| panic!("no tables, no fault"));
        let program = dukou_mapping::compile(&[], &tables).unwrap_or_else(|_| panic!("no maps, no fault"));
        let exchange = Exchange::new(Arc::new(store), Arc::new(ArcSwap::from_pointee(program)), surroundings);
        let exchange = exchange.with_capture(desks(zone));
        let crew = Arc::new(Crew::start("test", 1, plan.queue_max).unwrap());
        let desk = Desk {
            exchange: Arc::new(exchange),
            gate: opened.gate,
            policy: Arc::new(ArcSwap::from_pointee(policy())),
            meter: Arc::new(Meter::new(Rate { per_second: plan.per_second, burst: plan.per_second }, 100)),
            readers: Arc::clone(&crew),
            writers: crew,
            links: Links { by_client: HashMap::new(), otherwise: Arc::new(link()) },
            runtime: Runtime {
                clock: clock.clone(),
                random,
                prefix: "/fhir".into(),
                public_base: None,
                cursor_key: CursorKey::new([5; 32]),
                origins: vec!["https://app.example".into()],
                version: "0.1.0".into(),
                date: "2026-01-01".into(),
                limits: plan.limits,
            },
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        House { service: Service::new(desk), clock, ledger: Some(opened.ledger), files, runtime }
    }

    /// Leaves that the ledger holds by now.
    pub(super) fn leaves(&self) -> u64 {
        let ledger = self.ledger.as_ref().unwrap();
        ledger.tick();
        ledger.metrics().leaves
    }

    /// The records about the request of an answer.
    pub(super) fn records(&self, answer: &Answer) -> Vec<Entry> {
        // A note is signed after a second; the reader ends at the last one.
        self.clock.pass(2_000_000_000);
        self.ledger.as_ref().unwrap().tick();
        let keys = Keys::generate(&SeededRandom::new(1)).unwrap();
        let reader = Reader::open(Arc::new(self.files.clone()), &keys).unwrap();
        let request = RequestId::parse(answer.header("x-request-id"));
        let mut entries = Vec::new();
        let question = Question { request, ..Question::default() };
        reader.search(&question, |entry| entries.push(entry)).unwrap();
        entries
    }

    /// Stops the ledger under the running service.
    pub(super) fn stop_ledger(&mut self) {
        let ledger = self.ledger.take().unwrap();
        assert!(ledger.stop().is_ok());
    }

    pub(super) fn ask(&self, method: &str, address: &str) -> Asking<'_> {
        let address = if address.starts_with("http") || address.starts_with("/ingest") {
            address.trim_start_matches("http://test.example:8080").to_owned()
        } else {
            format!("/fhir/{address}").trim_end_matches('/').to_owned()
        };
        let builder = Request::builder().method(method).uri(address).header("host", "test.example:8080");
        Asking { house: self, builder, body: Vec::new(), token: Some("his.token"), channel: Channel::Loopback }
    }

    pub(super) fn get(&self, address: &str) -> Answer {
        self.ask("GET", address).done()
    }

    pub(super) fn post(&self, address: &str, body: &str) -> Answer {
        self.ask("POST", address).json(body).done()
    }

    pub(super) fn put(&self, address: &str, body: &str) -> Answer {
        self.ask("PUT", address).json(body).done()
    }

    /// Creates a resource and gives back its logical id.
    pub(super) fn create(&self, body: &str) -> String {
        self.create_as("his.token", body)
    }

    /// The same as another client.
    pub(super) fn create_as(&self, token: &'static str, body: &str) -> String {
        let kind = serde_json::from_str::<Value>(body).unwrap()["resourceType"].as_str().unwrap().to_owned();
        let answer = self.ask("POST", &kind).token(Some(token)).json(body).done();
        assert_eq!(answer.status, 201, "{}", answer.text());
        answer.json()["id"].as_str().unwrap().to_owned()
    }
}

/// The model that is shipped.
fn model() -> dukou_exchange::Model {
    dukou_exchange::Model::load("model.toml", include_str!("../../../../mappings/identity/model.toml")).unwrap()
}

/// One path of desks.
fn desks(zone: Offset) -> CaptureSite {
    let group = TerminalGroup { name: "desks".into(), terminals: vec!["K-*".into()], department: "desks".into() };
    CaptureSite {
        key: SiteKey::new([9; 32], 1),
        life: LifeRules::usual(zone),
        groups: vec![group],
        visit_card_system: "urn:test:card".into(),
        history_ms_max: 1_000,
        sources: Vec::new(),
    }
}

/// The authorities that are shipped.
fn systems() -> Systems {
    let read = |name: &str| {
        let path = format!("{}/../../mappings/{name}", env!("CARGO_MANIFEST_DIR"));
        (name.to_owned(), std::fs::read_to_string(path).unwrap())
    };
    let codes = ["health", "name", "insurance"].map(|kind| read(&format!("codes/cn-certificate-{kind}-system.csv")));
    let tables = dukou_terminology::Tables::load(codes.into()).unwrap();
    Systems::load(&[read("identity/systems.toml")], &tables).unwrap()
}

impl Asking<'_> {
    pub(super) fn header(mut self, name: &'static str, value: &str) -> Self {
        self.builder = self.builder.header(name, value);
        self
    }

    pub(super) fn json(self, body: &str) -> Self {
        self.body("application/fhir+json", body.as_bytes())
    }

    pub(super) fn body(mut self, kind: &str, body: &[u8]) -> Self {
        self.builder = self.builder.header("content-type", kind);
        self.body = body.to_vec();
        self
    }

    /// As another client; none shows no credential.
    pub(super) fn token(mut self, token: Option<&'static str>) -> Self {
        self.token = token;
        self
    }

    pub(super) fn channel(mut self, channel: Channel) -> Self {
        self.channel = channel;
        self
    }

    pub(super) fn done(mut self) -> Answer {
        let body = Full::new(Bytes::from(std::mem::take(&mut self.body)));
        self.send(body)
    }

    /// With a body of the test's own making.
    pub(super) fn send<B>(self, body: B) -> Answer
    where
        B: hyper::body::Body<Data = Bytes>,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let mut builder = self.builder;
        if let Some(token) = self.token {
            builder = builder.header("authorization", format!("Bearer {}", token_text(token)));
        }
        let request = builder.body(body).unwrap();
        let peer = Peer { address: "127.0.0.1".into(), port: 40_000, terminal: None };
        let connection = Connection { peer, channel: self.channel, certificate: None, https: false };
        self.house.clock.pass(1_000_000);
        let released = self.house.runtime.block_on(self.house.service.respond(request, &connection));
        let (parts, body) = released.into_inner().into_parts();
        let bytes = self.house.runtime.block_on(body.collect()).unwrap().to_bytes();
        Answer { status: parts.status.as_u16(), headers: parts.headers, bytes }
    }
}

impl Answer {
    pub(super) fn text(&self) -> String {
        String::from_utf8(self.bytes.to_vec()).unwrap()
    }

    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The status, and of an OperationOutcome the stable code of its first issue.
    pub(super) fn verdict(&self) -> (u16, String) {
        if self.bytes.is_empty() {
            return (self.status, String::new());
        }
        let json = self.json();
        let code = json["issue"][0]["details"]["coding"][0]["code"].as_str().unwrap_or("");
        (self.status, code.to_owned())
    }

    /// The address of a page link.
    pub(super) fn link(&self, relation: &str) -> Option<String> {
        let json = self.json();
        let links = json["link"].as_array()?;
        links.iter().find(|link| link["relation"] == relation)?["url"].as_str().map(str::to_owned)
    }

    /// The logical ids of the matches.
    pub(super) fn ids(&self) -> Vec<String> {
        let json = self.json();
        let entries = json["entry"].as_array().cloned().unwrap_or_default();
        let matches = entries.iter().filter(|entry| entry["search"]["mode"] == "match");
        matches.map(|entry| entry["resource"]["id"].as_str().unwrap().to_owned()).collect()
    }
}

pub(super) fn patient(value: &str, family: &str) -> String {
    format!(
        r#"{{"resourceType":"Patient","identifier":[{{"system":"urn:oid:2.16.86","value":"{value}"}}],"name":[{{"family":"{family}"}}],"gender":"female"}}"#
    )
}

fn ledger_options() -> Options {
    Options {
        segment_bytes: 1 << 20,
        first_segment_bytes: 1 << 20,
        reserve_bytes: 1 << 16,
        threads: false,
        ..Options::default()
    }
}

fn link() -> Link {
    Link {
        name: "http".into(),
        site: dukou_wire::Site::default(),
        limits: dukou_wire::Limits::default(),
        reuses_control_ids: false,
    }
}

fn policy() -> Policy {
    let tokens = ["his.token", "reader.token", "ward.token", "batch.token", "red.token", "blue.token"];
    let tokens = tokens.map(|name| TokenFile { name: name.into(), bytes: token_text(name).into_bytes() });
    let partners = vec![PartnerFile { name: "test.toml".into(), text: POLICY.into() }];
    Policy::load(PolicyFiles { partners, tokens: tokens.to_vec() }).unwrap_or_else(|faults| panic!("{faults:?}"))
}

fn token_text(name: &str) -> String {
    format!("invented-token-of-the-file-{name}")
}

/// 2026-04-01T00:00:00Z.
const NOON_NS: i64 = 1_775_001_600_000_000_000;

const POLICY: &str = r#"
[partner]
id = "test-hospital"
name = "Test hospital"
contact = "19900000010"
purposes = ["TREAT"]
resources = ["*"]
interactions = ["read", "vread", "search", "history", "create", "update", "patch", "delete", "transaction", "ingest", "validate", "everything", "batch", "match", "ihe-pix", "card", "capture", "resolve-capture", "revoke-capture", "merge", "unmerge", "process-message", "decide", "explain"]
addresses = ["127.0.0.0/8"]

[[client]]
id = "his"
token_files = ["his.token"]
scopes = "system/*.cruds"
default_purpose = "TREAT"
create_with_id = true

[[client]]
id = "reader"
token_files = ["reader.token"]
scopes = "system/Patient.r system/Observation.rs"
default_purpose = "TREAT"

[[client]]
id = "ward"
token_files = ["ward.token"]
scopes = "system/*.rs"
default_purpose = "TREAT"
patients = ["p1"]

[[client]]
id = "batch"
token_files = ["batch.token"]
scopes = "system/Observation.cu"
default_purpose = "TREAT"
if_match_required = true

[[client]]
id = "red"
token_files = ["red.token"]
scopes = "system/*.cruds"
default_purpose = "TREAT"
domains = ["urn:oid:1.3.6.1.4.1.21367.13.20.1000"]

[[client]]
id = "blue"
token_files = ["blue.token"]
scopes = "system/*.cruds"
default_purpose = "TREAT"
domains = ["urn:oid:1.3.6.1.4.1.21367.13.20.2000"]

[[allow]]
client = "his"
interaction = "create"
resource = "Patient"

[[deny]]
client = "reader"
interaction = "create"
resource = "Patient"
step = "scope"
"#;
