//! Look-ups over a whole store: the same answer with and without cards in between, whatever changed a moment ago.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use arc_swap::ArcSwap;
use bytes::Bytes;
use dukou_audit::{
    self as audit, Access, Client, ClientId, Decision, Failure, Gate, Grant, Interaction, Keys, Ledger, ManualClock,
    Peer, Permit, Purpose, Reach, Recorded, RequestId, Rights, SeededRandom, Settled, Shown, storage,
};
use dukou_fhir::search::Site;
use dukou_fhir::{LogicalId, Offset, ResourceKey, json};
use dukou_identity::capture::LifeRules;
use dukou_identity::{Decided, Model, SiteKey, Systems};
use dukou_store::model::{Disk, Model as Rows};
use dukou_store::warm::{Warm, WarmOptions};
use dukou_store::{Batch, JournalRow, Store as _};

use crate::submit::{Effect, Entry, Mode, Operation, Statuses};
use crate::{CaptureSite, Error, Exchange, Integrity, Limits, ReportedPolicy, Surroundings};

/// Everything of a node but its doors.
struct House {
    exchange: Exchange,
    gate: Gate,
    clock: Arc<ManualClock>,
    _ledger: Ledger,
}

/// An answer and an error that no door words.
struct Bare<T>(T);

impl<T> Recorded for Bare<T> {
    fn outcome(&self) -> audit::Outcome {
        audit::Outcome::http(200)
    }
}

impl From<Failure> for Bare<Option<Error>> {
    fn from(_: Failure) -> Self {
        Bare(None)
    }
}

impl House {
    fn new() -> House {
        House::over(&Disk::default(), None)
    }

    /// A node over rows that outlive it, with what an earlier run left of its cards in a folder.
    fn over(disk: &Disk, warm: Option<&std::path::Path>) -> House {
        let files = storage::Faulty::new();
        let clock = Arc::new(ManualClock::new(1_772_323_200_000_000_000));
        let random = Arc::new(SeededRandom::new(7));
        let keys = || Keys::generate(&SeededRandom::new(1)).unwrap();
        let options = || audit::Options { threads: false, ..audit::Options::default() };
        Ledger::create(&files, &keys(), "hospital.example/dukou", &options(), &*clock).unwrap();
        let mut opened = Ledger::open(Arc::new(files), keys(), options(), clock.clone(), random.clone()).unwrap();
        let zone = Offset::parse("+08:00").unwrap();
        let store = Rows::open(disk.clone(), Site { zone, base: None }, opened.seal, clock.clone()).unwrap();
        let rows = store.pending_records(opened.last_jseq, usize::MAX).unwrap();
        opened.ledger.complete(store.last_jseq().unwrap(), rows).unwrap();
        let head = store.head().unwrap();
        let model = Model::load("model.toml", include_str!("../../../../mappings/identity/model.toml")).unwrap();
        let surroundings = Surroundings {
            clock: clock.clone(),
            random: random.clone(),
            site: "test".into(),
            zone,
            zone_text: "+08:00".into(),
            public_base: None,
            integrity: Integrity::Enforce,
            reported: ReportedPolicy::default(),
            systems: Arc::new(Systems::default()),
            model: Arc::new(model),
            limits: Limits::default(),
        };
        let tables = dukou_terminology::Tables::load(Vec::new()).unwrap_or_else(|_| panic!("no tables, no fault"));
        let program = dukou_mapping::compile(&[], &tables).unwrap_or_else(|_| panic!("no maps, no fault"));
        let mut exchange = Exchange::new(Arc::new(store), Arc::new(ArcSwap::from_pointee(program)), surroundings);
        if let Some(folder) = warm {
            let key = SiteKey::new([5; 32], 1);
            let secret = key.warm_secret();
            let warm = Warm::open(folder, &secret, head, &*random, WarmOptions::default()).unwrap();
            let site = CaptureSite {
                key,
                life: LifeRules::usual(zone),
                groups: Vec::new(),
                visit_card_system: SYSTEM.into(),
                history_ms_max: 1_000,
                sources: Vec::new(),
            };
            exchange = exchange.with_capture(site).with_warm_cards(Arc::new(warm));
        }
        let house = House { exchange, gate: opened.gate, clock, _ledger: opened.ledger };
        house.write(|permit| {
            let loaded = house.exchange.load_people(permit, 1)?;
            Ok(Settled::Unchanged(permit.without_patient_data(loaded)))
        });
        house
    }

    fn warm(&self) -> &Warm {
        self.exchange.warm.as_ref().unwrap()
    }

    fn write<T>(&self, act: impl FnOnce(&Permit<'_>) -> Result<Settled<T>, Error>) -> T {
        let who = access(Interaction::Transaction, None);
        let pending = self.gate.write(who, |permit| act(permit).map(|done| done.map(Bare)).map_err(|e| Bare(Some(e))));
        pending
            .wait()
            .unwrap()
            .into_inner()
            .map(|bare| bare.0)
            .unwrap_or_else(|e: Bare<Option<Error>>| panic!("{:?}", e.0))
    }

    fn submit(&self, operation: Operation) {
        let statuses = Statuses { effect: |_: Effect| 200, refusal: |_| 400 };
        let entries = [Entry { full_url: None, operation }];
        let done = self.write(|permit| self.exchange.submit(permit, Mode::Single, &entries, statuses));
        assert!(done.iter().all(Result::is_ok));
    }

    /// Writes a Patient of this name with these numbers.
    fn put(&self, id: &str, name: &str, numbers: &[&str]) {
        let number = |value: &&str| format!(r#"{{"system":"{SYSTEM}","value":"{value}"}}"#);
        let identifiers = numbers.iter().map(number).collect::<Vec<_>>().join(",");
        let identifier = if numbers.is_empty() { String::new() } else { format!(r#""identifier":[{identifiers}],"#) };
        let text = format!(
            r#"{{"resourceType":"Patient","id":"{id}",{identifier}"name":[{{"text":"{name}"}}],"birthDate":"1990-12-31"}}"#
        );
        let content = json::parse(text.as_bytes(), &json::Limits::default()).unwrap().into_static();
        self.submit(Operation::Update { key: key(id), content, if_match: None, create_allowed: true });
    }

    fn delete(&self, id: &str) {
        self.submit(Operation::Delete { key: key(id), if_match: None });
    }

    /// Writes a decision of a person into the journal.
    fn decide(&self, decided: Decided) {
        let entry = dukou_identity::Entry {
            seq: 0,
            time_ms: 0,
            decided,
            actor: "desk".into(),
            reason: "test".into(),
            evidence: String::new(),
            model: String::new(),
        };
        let row = || JournalRow { kind: entry.kind().to_owned(), body: Bytes::from(entry.to_bytes()) };
        self.write(|permit| {
            let verdict = Box::new(|_: &_| (audit::Outcome::http(200), Vec::new()));
            let batch = Batch { journal: vec![row()], ..Batch::new(permit.draft(), verdict) };
            Ok(self.exchange.commit(permit, batch)?.map(|_| ()))
        });
    }

    /// The records, people and names under a number, and what the ledger's record names.
    fn ask(&self, number: &str, patient: Option<&str>) -> (Vec<[String; 3]>, Shown) {
        let mut named = Shown::default();
        let pending = self.gate.read(access(Interaction::Search, patient), |permit| {
            let found = self.exchange.card(permit, SYSTEM, number).map_err(|error| Bare(Some(error)))?;
            named = found.shown().clone();
            Ok(found.map(Bare))
        });
        let released =
            pending.wait().unwrap().into_inner().unwrap_or_else(|e: Bare<Option<Error>>| panic!("{:?}", e.0));
        let line = |found: &crate::CardFound| {
            [found.record.to_string(), found.person.to_string(), found.card.name.to_string()]
        };
        (released.0.iter().map(line).collect(), named)
    }

    fn found(&self, number: &str) -> Vec<[String; 3]> {
        let first = self.ask(number, None);
        let again = self.ask(number, None);
        assert!(first == again, "what is held answers as what is loaded, in the record too");
        self.exchange.cards().clear();
        let anew = self.ask(number, None);
        assert!(first == anew, "without cards the answer is the same: {:?} {:?}", first.0, anew.0);
        first.0
    }
}

#[test]
fn a_number_finds_the_card_of_its_holder_and_the_record_names_it_held_or_not() {
    let house = House::new();
    house.put("p1", "王芳", &["A1", "B1"]);
    let (found, named) = house.ask("A1", None);
    assert_eq!(found, [["p1", "p1", "王芳"]]);
    assert_eq!((named.patients.as_slice(), named.resources.len()), (&["p1".to_owned()][..], 1));
    assert_eq!(house.exchange.cards().len().1, 1);
    assert_eq!(house.found("B1"), [["p1", "p1", "王芳"]]);
    assert_eq!(house.found(" b1 "), [["p1", "p1", "王芳"]], "blanks and case make no difference");
    assert!(house.found("C1").is_empty());
}

#[test]
fn the_answer_after_an_acknowledged_change_is_never_from_before_it() {
    let house = House::new();
    house.put("p1", "王芳", &["A1"]);
    assert_eq!(house.found("A1"), [["p1", "p1", "王芳"]]);
    house.put("p1", "王方", &["A1"]);
    assert_eq!(house.found("A1"), [["p1", "p1", "王方"]]);
    house.put("p2", "李强", &["A1"]);
    assert_eq!(house.found("A1").len(), 2, "a second holder is seen");
    house.put("p1", "王方", &[]);
    assert_eq!(house.found("A1"), [["p2", "p2", "李强"]], "a number that was taken away finds its record no more");
    house.delete("p2");
    assert!(house.found("A1").is_empty());
    house.put("p3", "赵敏", &["A1"]);
    assert_eq!(house.found("A1"), [["p3", "p3", "赵敏"]], "what was not there is not remembered");
}

#[test]
fn a_merge_and_its_end_show_at_once_and_no_number_is_touched() {
    let house = House::new();
    let id = |text: &str| LogicalId::parse(text).unwrap();
    house.put("p1", "王芳", &["A1"]);
    house.put("p2", "无名氏", &["B1"]);
    assert_eq!(house.found("B1"), [["p2", "p2", "无名氏"]]);
    house.decide(Decided::Merge { survivor: id("p1"), retired: id("p2") });
    assert_eq!(house.found("B1"), [["p2", "p1", "王芳"]]);
    let (_, named) = house.ask("B1", None);
    assert_eq!(named.patients, ["p2", "p1"], "both records stand in the ledger");
    house.put("p1", "王方", &["A1"]);
    assert_eq!(house.found("B1"), [["p2", "p1", "王方"]]);
    house.decide(Decided::Unmerge { merge: 1 });
    assert_eq!(house.found("B1"), [["p2", "p2", "无名氏"]]);
}

#[test]
fn a_card_held_for_one_caller_is_not_there_for_another_who_may_not_see_it() {
    let house = House::new();
    house.put("p1", "王芳", &["A1"]);
    assert_eq!(house.ask("A1", Some("p9")).0.len(), 0, "before it is held");
    assert_eq!(house.ask("A1", None).0.len(), 1, "a miss of one caller is no absence for another");
    let (found, named) = house.ask("A1", Some("p9"));
    assert!(found.is_empty() && named.patients.is_empty());
    assert_eq!(house.ask("A1", Some("p1")).0.len(), 1);
}

#[test]
fn a_card_is_made_anew_after_a_day() {
    let house = House::new();
    house.put("p1", "王芳", &["A1"]);
    house.ask("A1", None);
    let before = house.exchange.cards().loads();
    house.ask("A1", None);
    assert_eq!(house.exchange.cards().loads(), before, "it is held");
    house.clock.pass(24 * 3600 * 1_000_000_000);
    house.ask("A1", None);
    assert_eq!(house.exchange.cards().loads(), before + 1);
}

#[test]
fn any_history_of_writes_gives_the_same_answers_with_and_without_cards() {
    let house = House::new();
    let mut state = 86_u64;
    let mut roll = |of: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % of
    };
    for step in 0..300 {
        let (patient, name) = (format!("p{}", roll(5)), format!("王{step}"));
        let numbers: Vec<String> = (0..roll(3)).map(|_| format!("N{}", roll(4))).collect();
        match roll(10) {
            0 => house.delete(&patient),
            _ => house.put(&patient, &name, &numbers.iter().map(String::as_str).collect::<Vec<_>>()),
        }
        let number = format!("N{}", roll(4));
        let held = house.ask(&number, None);
        let other = format!("N{}", roll(4));
        assert!(house.ask(&number, None) == held);
        house.found(&other);
    }
}

#[test]
fn a_restart_goes_on_with_cards_of_the_run_before_and_believes_only_those_that_still_stand() {
    let (disk, folder) = (Disk::default(), tempfile::tempdir().unwrap());
    let house = House::over(&disk, Some(folder.path()));
    house.put("p1", "王芳", &["A1"]);
    house.put("p2", "李强", &["B1"]);
    let before = (house.ask("A1", None), house.ask("B1", None));
    house.warm().settle();
    assert_eq!(house.warm().len(), 2);
    drop(house);
    // A run without the tier changes a record behind its back.
    let house = House::over(&disk, None);
    house.put("p2", "李刚", &["B1"]);
    drop(house);
    let house = House::over(&disk, Some(folder.path()));
    assert_eq!(house.warm().fresh(), None);
    assert!(house.ask("A1", None) == before.0, "the same card, and the same record in the ledger");
    assert!(house.ask("A1", Some("p9")).0.is_empty(), "to whom it is closed it stays closed");
    assert_eq!(house.ask("B1", None).0, [["p2", "p2", "李刚"]], "a card that does not stand any more is none");
    assert_eq!(house.exchange.warm_cards(), 1);
    house.put("p1", "王方", &["A1"]);
    house.warm().settle();
    assert_eq!(house.ask("A1", None).0, [["p1", "p1", "王方"]]);
}

#[test]
fn the_tier_on_disk_shows_no_number_no_name_and_no_id_that_a_client_chose() {
    let (disk, folder) = (Disk::default(), tempfile::tempdir().unwrap());
    let house = House::over(&disk, Some(folder.path()));
    let number = "860101199012310192";
    house.put(number, "彭䶮", &[number]);
    assert_eq!(house.ask(number, None).0.len(), 1);
    house.warm().close();
    let mut files = 0;
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let path = entry.unwrap().path();
        let Ok(bytes) = std::fs::read(&path) else { continue };
        files += 1;
        for word in [number, "彭䶮", "1990-12-31", SYSTEM] {
            assert!(!bytes.windows(word.len()).any(|window| window == word.as_bytes()), "{word} in {}", path.display());
        }
    }
    assert!(files >= 3, "{files} files");
}

#[test]
fn with_writers_and_readers_at_once_nobody_sees_what_an_acknowledged_write_has_changed() {
    let house = House::new();
    house.put("p1", "0", &["A1"]);
    let acknowledged = AtomicU64::new(0);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while !done.load(Ordering::SeqCst) {
                    let floor = acknowledged.load(Ordering::SeqCst);
                    let (found, _) = house.ask("A1", None);
                    let seen: u64 = found[0][2].parse().unwrap();
                    assert!(seen >= floor, "{seen} was shown, though {floor} was acknowledged before");
                }
            });
        }
        for n in 1..=150 {
            house.put("p1", &n.to_string(), &["A1"]);
            acknowledged.store(n, Ordering::SeqCst);
        }
        done.store(true, Ordering::SeqCst);
    });
    assert_eq!(house.found("A1"), [["p1", "p1", "150"]]);
}

fn key(id: &str) -> ResourceKey {
    ResourceKey::parse(&format!("Patient/{id}")).unwrap()
}

fn access(interaction: Interaction, patient: Option<&str>) -> Access {
    let grant = Grant { resource: "*".into(), rights: Rights::ALL, patient: patient.map(str::to_owned) };
    let client = ClientId::parse("desk").unwrap();
    Access {
        request: RequestId([1; 16]),
        interaction,
        route: 1,
        client: Client { id: client, organisation: None, certificate_sha256: None, subject_dn: None },
        peer: Peer { address: "192.0.2.7".to_owned(), port: 40_000, terminal: None },
        user: None,
        purpose: Purpose::default(),
        decision: Decision { permit: true, ..Decision::default() },
        reach: Reach { grants: vec![grant], ..Reach::default() },
        query: None,
        message: None,
        trace: None,
        started_ns: 0,
    }
}

const SYSTEM: &str = "urn:test:card";
