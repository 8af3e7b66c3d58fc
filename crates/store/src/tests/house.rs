//! A store of either engine with its gate and ledger, and short ways to use them as a door would.

use std::sync::Arc;

use dukou_audit::{
    self as audit, Access, Client, ClientId, Clock, Decision, Failure, Gate, Grant, Interaction, Keys, Ledger,
    ManualClock, Options, Outcome as Ended, Peer, Permit, Purpose, Reach, Recorded, RequestId, Rights, SeededRandom,
    Settled, StoreSeal, Unreleased, storage,
};
use dukou_fhir::search::{self, Query, Site};
use dukou_fhir::{Draft, Instant, Offset, ResourceKey, ResourceType, Value, VersionId, json};

use crate::model::{Disk, Model};
use crate::sqlite::{self, Sqlite};
use crate::{Batch, Cursor, Error, Expect, How, Outcome, Page, Put, SearchLimits, Store, Version};

/// Which engine, and where its rows are. Opening it again finds what was committed.
pub(super) enum Place {
    Sqlite(tempfile::TempDir),
    Model(Disk),
}

impl Place {
    pub(super) fn sqlite() -> Place {
        Place::Sqlite(tempfile::tempdir().unwrap())
    }

    pub(super) fn model() -> Place {
        Place::Model(Disk::default())
    }

    pub(super) fn file(&self) -> std::path::PathBuf {
        match self {
            Place::Sqlite(dir) => dir.path().join("store.db"),
            Place::Model(_) => panic!("the model has no file"),
        }
    }

    fn open(&self, seal: StoreSeal, clock: Arc<dyn Clock>) -> Box<dyn Store> {
        match self {
            Place::Sqlite(_) => {
                Box::new(Sqlite::open(&self.file(), &sqlite::Options::default(), SITE, seal, clock).unwrap())
            }
            Place::Model(disk) => Box::new(Model::open(disk.clone(), SITE, seal, clock).unwrap()),
        }
    }
}

/// A running store behind its gate.
pub(super) struct House {
    pub(super) store: Box<dyn Store>,
    pub(super) gate: Gate,
    pub(super) clock: Arc<ManualClock>,
    ledger: Ledger,
    pub(super) place: Place,
    files: storage::Faulty,
    random: Arc<SeededRandom>,
}

impl House {
    pub(super) fn new(place: Place) -> House {
        let files = storage::Faulty::new();
        let clock = Arc::new(ManualClock::new(NOON_NS));
        let random = Arc::new(SeededRandom::new(7));
        let keys = Keys::generate(&SeededRandom::new(1)).unwrap();
        Ledger::create(&files, &keys, "hospital.example/dukou", &options(), &*clock).unwrap();
        House::open(place, files, clock, random)
    }

    fn open(place: Place, files: storage::Faulty, clock: Arc<ManualClock>, random: Arc<SeededRandom>) -> House {
        let keys = Keys::generate(&SeededRandom::new(1)).unwrap();
        let opened = Ledger::open(Arc::new(files.clone()), keys, options(), clock.clone(), random.clone()).unwrap();
        let store = place.open(opened.seal, clock.clone());
        let mut ledger = opened.ledger;
        let rows = store.pending_records(opened.last_jseq, usize::MAX).unwrap();
        ledger.complete(store.last_jseq().unwrap(), rows).unwrap();
        House { store, gate: opened.gate, clock, ledger, place, files, random }
    }

    /// Stops without a word and starts again on what was committed.
    pub(super) fn restart(self) -> House {
        let House { store, place, files, clock, random, ledger, .. } = self;
        drop(store);
        drop(ledger);
        House::open(place, files.killed(), clock, random)
    }

    /// Runs something under a permit to write, as a door would, and gives back what it computed.
    pub(super) fn with<R>(&self, who: Access, run: impl FnOnce(&Permit<'_>) -> R) -> R {
        let mut result = None;
        let pending = self.gate.write(who, |permit| -> Result<Settled<Shell<()>>, Refused> {
            result = Some(run(permit));
            Ok(Settled::Unchanged(permit.without_patient_data(Shell(()))))
        });
        assert!(pending.wait().is_ok(), "the gate is closed");
        result.expect("the closure panicked")
    }

    /// Commits a batch and lets the answer leave through the gate; says whether anything was written.
    pub(super) fn commit(&self, build: impl FnOnce(&Permit<'_>) -> Batch) -> Result<(Outcome, bool), Error> {
        self.commit_as(all(Interaction::Transaction), build)
    }

    pub(super) fn commit_as(
        &self,
        who: Access,
        build: impl FnOnce(&Permit<'_>) -> Batch,
    ) -> Result<(Outcome, bool), Error> {
        let pending = self.gate.write(who, |permit| {
            let batch = build(permit);
            let settled = self.store.commit(permit, batch).map_err(|error| Refused(Some(error)))?;
            let written = matches!(settled, Settled::Committed(_));
            Ok(settled.map(|outcome| Shell((outcome, written))))
        });
        let released = pending.wait().unwrap_or_else(|closed| panic!("{closed:?}"));
        released.into_inner().map(|shell| shell.0).map_err(|refused: Refused| refused.0.expect("the closure panicked"))
    }

    /// Writes one resource as a PUT.
    pub(super) fn put(&self, text: &str) -> Version {
        let (outcome, _) = self.commit(|permit| batch(permit, vec![put(text, Expect::Any)])).unwrap();
        outcome.puts.into_iter().next().unwrap().version.unwrap()
    }

    pub(super) fn delete(&self, name: &str) -> Result<(Outcome, bool), Error> {
        self.commit(|permit| batch(permit, vec![Put::delete(key(name), Expect::Any)]))
    }

    /// Reads through the gate.
    pub(super) fn ask<T>(
        &self,
        who: Access,
        ask: impl FnOnce(&dyn Store, &Permit<'_>) -> Result<Unreleased<T>, Error>,
    ) -> Result<T, Error> {
        let pending = self.gate.read(who, |permit| {
            let unreleased = ask(&*self.store, permit).map_err(|error| Refused(Some(error)))?;
            Ok(unreleased.map(Shell))
        });
        let released = pending.wait().unwrap_or_else(|closed| panic!("{closed:?}"));
        released.into_inner().map(|shell| shell.0).map_err(|refused: Refused| refused.0.expect("the closure panicked"))
    }

    pub(super) fn read(&self, name: &str) -> Option<Version> {
        self.ask(all(Interaction::Read), |store, permit| store.read(permit, &key(name))).unwrap()
    }

    pub(super) fn vread(&self, name: &str, version: u64) -> Option<Version> {
        let version = VersionId::new(version).unwrap();
        self.ask(all(Interaction::Vread), |store, permit| store.vread(permit, &key(name), version)).unwrap()
    }

    pub(super) fn search(&self, query: &Query, limits: &SearchLimits, from: Option<&Cursor>) -> Result<Page, Error> {
        self.ask(all(Interaction::Search), |store, permit| store.search(permit, query, limits, from))
    }

    /// The names of all matches, gathered page by page.
    pub(super) fn find(&self, query: &Query, limits: &SearchLimits) -> Result<Vec<String>, Error> {
        let mut names = Vec::new();
        let mut from = None;
        loop {
            let page = self.search(query, limits, from.as_ref())?;
            names.extend(page.matches.iter().map(|version| version.key.to_string()));
            match page.next {
                Some(next) => from = Some(next),
                None => return Ok(names),
            }
        }
    }
}

/// A serving gate over a ledger in memory, and the proof of being its store.
pub(super) fn gate_and_seal() -> (Gate, StoreSeal) {
    let files = storage::Faulty::new();
    let clock = Arc::new(ManualClock::new(NOON_NS));
    let keys = || Keys::generate(&SeededRandom::new(1)).unwrap();
    Ledger::create(&files, &keys(), "hospital.example/dukou", &options(), &*clock).unwrap();
    let opened = Ledger::open(Arc::new(files), keys(), options(), clock, Arc::new(SeededRandom::new(7))).unwrap();
    let mut ledger = opened.ledger;
    ledger.complete(0, Vec::new()).unwrap();
    // The gate outlives the ledger's handle; nothing here waits for its threads.
    std::mem::forget(ledger);
    (opened.gate, opened.seal)
}

/// Runs each promise against both engines.
macro_rules! promises {
    ($($name:ident),+ $(,)?) => {
        mod sqlite {
            $(#[test] fn $name() { super::$name(crate::tests::house::House::new(crate::tests::house::Place::sqlite())); })+
        }
        mod model {
            $(#[test] fn $name() { super::$name(crate::tests::house::House::new(crate::tests::house::Place::model())); })+
        }
    };
}
pub(super) use promises;

pub(super) fn batch(permit: &Permit<'_>, puts: Vec<Put>) -> Batch {
    Batch { puts, ..Batch::new(permit.draft(), Box::new(|_| (Ended::http(200), Vec::new()))) }
}

pub(super) fn put(text: &str, expect: Expect) -> Put {
    let content = value(text);
    let kind = content.text_at("resourceType").unwrap();
    let key = key(&format!("{kind}/{}", content.text_at("id").unwrap()));
    let draft = Draft::new(&content, key.clone()).unwrap();
    Put::write(key, How::Update, expect, &content, draft, SITE)
}

pub(super) fn key(name: &str) -> ResourceKey {
    ResourceKey::parse(name).unwrap()
}

pub(super) fn value(text: &str) -> Value<'static> {
    json::parse(text.as_bytes(), &json::Limits::default()).unwrap().into_static()
}

/// A query from its text, `family=wang&_sort=birthdate`.
pub(super) fn query(kind: &str, text: &str) -> Query {
    let pairs: Vec<(String, String)> = text
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned())).unwrap())
        .collect();
    let options = search::Options { site: SITE, ..search::Options::default() };
    Query::parse(ResourceType::parse(kind).unwrap(), &pairs, &options)
        .unwrap_or_else(|issues| panic!("{text}: {issues:?}"))
}

/// A client with every right.
pub(super) fn all(interaction: Interaction) -> Access {
    access(interaction, vec![Grant { resource: "*".to_owned(), rights: Rights::ALL, patient: None }])
}

pub(super) fn access(interaction: Interaction, grants: Vec<Grant>) -> Access {
    Access {
        request: RequestId([5; 16]),
        interaction,
        route: 1,
        client: Client {
            id: ClientId::parse("his-main").unwrap(),
            organisation: None,
            certificate_sha256: None,
            subject_dn: None,
        },
        peer: Peer { address: "192.0.2.7".to_owned(), port: 40_000, terminal: None },
        user: None,
        purpose: Purpose::default(),
        decision: Decision { permit: true, ..Decision::default() },
        reach: Reach { grants, ..Reach::default() },
        query: None,
        message: None,
        trace: None,
        started_ns: NOON_NS,
    }
}

pub(super) fn now(house: &House) -> Instant {
    Instant::from_nanos(house.clock.wall_ns())
}

fn options() -> Options {
    Options {
        threads: false,
        segment_bytes: 8 << 20,
        first_segment_bytes: 8 << 20,
        reserve_bytes: 1 << 20,
        queue_records_max: 100_000,
        note_leaves: u64::MAX,
        ..Options::default()
    }
}

/// A value on its way out of the gate.
pub(super) struct Shell<T>(pub(super) T);

impl<T> Recorded for Shell<T> {
    fn outcome(&self) -> Ended {
        Ended::http(200)
    }
}

pub(super) struct Refused(pub(super) Option<Error>);

impl Recorded for Refused {
    fn outcome(&self) -> audit::Outcome {
        audit::Outcome::http(400)
    }
}

impl From<Failure> for Refused {
    fn from(_: Failure) -> Self {
        Refused(None)
    }
}

/// A morning in May 2024, in nanoseconds.
pub(super) const NOON_NS: i64 = 1_714_536_000_000_000_000;
pub(super) const SITE: Site<'static> = Site { zone: EAST, base: Some("https://fhir.hospital.example/r4") };
const EAST: Offset = match Offset::from_minutes(480) {
    Some(zone) => zone,
    None => Offset::UTC,
};
