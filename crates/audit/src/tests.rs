//! The promises of the ledger and the gate, against a disk that loses, tears and refuses.

mod durability;
mod examples;
mod gate;
mod reading;
mod threads;

use std::sync::Arc;

use crate::storage::{Faulty, Files};
use crate::*;

pub(crate) const ORIGIN: &str = "ward.example/log";
/// 2026-03-01T00:00:00Z.
pub(crate) const WALL_NS: i64 = 1_772_323_200_000_000_000;

/// A ledger over a disk in memory, turned by hand, with everything repeatable.
pub(crate) struct Bench {
    pub(crate) disk: Faulty,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) seed: u64,
}

pub(crate) struct Text(pub(crate) &'static str);

impl Recorded for Text {
    fn outcome(&self) -> Outcome {
        Outcome::http(200)
    }

    fn body(&self) -> Option<&[u8]> {
        Some(self.0.as_bytes())
    }
}

#[derive(Debug, PartialEq)]
pub(crate) enum Refusal {
    Forbidden,
    Failed(Failure),
}

impl Recorded for Refusal {
    fn outcome(&self) -> Outcome {
        match self {
            Self::Forbidden => Outcome::http(403).issue("forbidden"),
            Self::Failed(_) => Outcome::http(500).issue("exception"),
        }
    }
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl Bench {
    pub(crate) fn new(seed: u64) -> Self {
        let bench = Self { disk: Faulty::new(), clock: Arc::new(ManualClock::new(WALL_NS)), seed };
        bench.create();
        bench
    }

    pub(crate) fn create(&self) {
        Ledger::create(&self.disk, &self.keys(), ORIGIN, &options(), &*self.clock).unwrap();
    }

    pub(crate) fn keys(&self) -> Keys {
        Keys::generate(&SeededRandom::new(7)).unwrap()
    }

    pub(crate) fn open(&self) -> Result<Opened, OpenError> {
        self.open_with(options())
    }

    pub(crate) fn open_with(&self, options: Options) -> Result<Opened, OpenError> {
        let files: Arc<dyn Files> = Arc::new(self.disk.clone());
        let random = Arc::new(SeededRandom::new(self.seed));
        Ledger::open(files, self.keys(), options, self.clock.clone(), random)
    }

    /// Opens and serves at once, for a store that is level with the ledger.
    pub(crate) fn serve(&self) -> Opened {
        let mut opened = self.open().unwrap();
        let jseq = opened.last_jseq;
        opened.ledger.complete(jseq, Vec::new()).unwrap();
        opened
    }

    /// The same bench over what a crash left.
    pub(crate) fn after(&self, disk: Faulty) -> Self {
        Self { disk, clock: self.clock.clone(), seed: self.seed + 1 }
    }
}

pub(crate) fn options() -> Options {
    Options {
        segment_bytes: 64 << 10,
        first_segment_bytes: 64 << 10,
        reserve_bytes: 64 << 10,
        threads: false,
        ..Options::default()
    }
}

pub(crate) fn who(interaction: Interaction) -> Access {
    Access {
        request: RequestId([7; 16]),
        interaction,
        route: 3,
        client: Client {
            id: ClientId::parse("his-main").unwrap(),
            organisation: Some("86H01".to_owned()),
            certificate_sha256: None,
            subject_dn: None,
        },
        peer: Peer { address: "192.0.2.7".to_owned(), port: 50_123, terminal: Some("W3-07".to_owned()) },
        user: Some(User {
            issuer: "sso".to_owned(),
            subject: "d1001".to_owned(),
            name: Some("李思远".to_owned()),
            role: Some("doctor".to_owned()),
            department: Some("cardiology".to_owned()),
            ..User::default()
        }),
        purpose: Purpose { codes: vec!["TREAT".to_owned()], ..Purpose::default() },
        decision: Decision { permit: true, rules: vec!["ward-read".to_owned()], ..Decision::default() },
        reach: Reach {
            grants: vec![Grant { resource: "*".to_owned(), rights: Rights::ALL, patient: None }],
            ..Reach::default()
        },
        query: Some("GET /Observation?patient=p1".to_owned()),
        message: None,
        trace: None,
        started_ns: WALL_NS,
    }
}

pub(crate) fn shown(patients: &[&str]) -> Shown {
    let mut shown = Shown { matched: Some(patients.len() as u64), ..Shown::default() };
    for patient in patients {
        let place = shown.patient(patient);
        shown.resources.push(ShownResource {
            kind: "Observation".to_owned(),
            id: format!("o-{patient}"),
            version: 1,
            patient: Some(place),
            how: How::Match,
        });
    }
    shown
}

/// One read of one patient, waited for.
pub(crate) fn read(opened: &Opened) -> Answer<Text, Refusal> {
    let seal = &opened.seal;
    let answer = opened
        .gate
        .read(who(Interaction::Read), |_| Ok::<_, Refusal>(Unreleased::new(seal, Text("{}"), shown(&["p1"]))));
    answer.wait()
}

/// One write under this row number, waited for; the row's bytes as the store keeps them.
pub(crate) fn write(opened: &Opened, jseq: u64) -> (Answer<Text, Refusal>, Vec<u8>) {
    write_as(opened, who(Interaction::Create), jseq)
}

pub(crate) fn write_as(opened: &Opened, who: Access, jseq: u64) -> (Answer<Text, Refusal>, Vec<u8>) {
    let mut row = Vec::new();
    let seal = &opened.seal;
    let answer = opened.gate.write(who, |permit| {
        let stamps = stamps(jseq);
        let record = permit.draft().seal(&stamps)?;
        row = record.as_bytes().to_vec();
        let ticket = seal.committed(vec![(jseq, record)]).remove(0);
        Ok::<_, Refusal>(Settled::Committed(Committed::new(seal, Text("{}"), ticket)))
    });
    (answer.wait(), row)
}

pub(crate) fn stamps(jseq: u64) -> Stamps {
    let written = Written {
        kind: "Observation".to_owned(),
        id: format!("o{jseq}"),
        version: 1,
        body_sha256: [9; 32],
        body_len: 120,
        how: How::Created,
        patients: vec!["p1".to_owned()],
    };
    Stamps { jseq, outcome: Outcome::http(201), written: vec![written], entries: Vec::new() }
}
