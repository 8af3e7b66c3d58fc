//! The ledger's writer on the real disk, what one record costs, and how fast the independent verifier reads them.

#![allow(clippy::disallowed_methods, reason = "a bench reads the clock")]

use std::collections::VecDeque;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use dukou_audit::storage::Disk;
use dukou_audit::{
    Access, Client, ClientId, Clock, Decision, Failure, Grant, Interaction, Keys, Ledger, Options, Outcome, Peer,
    Purpose, Reach, Recorded, RequestId, Rights, SeededRandom, Shown, Unreleased,
};
use dukou_benches::{machine, process_cpu};

struct Answer;

impl Recorded for Answer {
    fn outcome(&self) -> Outcome {
        Outcome::http(200)
    }
}

struct Refusal;

impl Recorded for Refusal {
    fn outcome(&self) -> Outcome {
        Outcome::http(500)
    }
}

impl From<Failure> for Refusal {
    fn from(_: Failure) -> Self {
        Self
    }
}

struct Wall(Instant);

impl Clock for Wall {
    fn wall_ns(&self) -> i64 {
        1_795_000_000_000_000_000 + i64::try_from(self.0.elapsed().as_nanos()).unwrap_or(0)
    }

    fn mono_ns(&self) -> u64 {
        1 + u64::try_from(self.0.elapsed().as_nanos()).unwrap_or(0)
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir_in(".")?;
    let disk = Disk::new(folder.path());
    let keys = || Keys::generate(&SeededRandom::new(7));
    let clock = Arc::new(Wall(Instant::now()));
    Ledger::create(&disk, &keys()?, "bench.example/ledger", &Options::default(), clock.as_ref())?;
    let random = Arc::new(SeededRandom::new(1));
    let mut opened = Ledger::open(Arc::new(disk), keys()?, Options::default(), clock, random)?;
    opened.ledger.complete(0, Vec::new())?;
    let access = access().ok_or("a client id")?;
    let shown = Shown { patients: vec!["p1".to_owned()], ..Shown::default() };
    let ask = || {
        let seal = &opened.seal;
        opened.gate.read(access.clone(), |_| Ok::<_, Refusal>(Unreleased::new(seal, Answer, shown.clone())))
    };
    let (before, begun) = (process_cpu(std::process::id()), Instant::now());
    let (mut waiting, mut asked, mut refused) = (VecDeque::new(), 0_u64, 0_u64);
    while begun.elapsed() < Duration::from_secs(5) {
        waiting.push_back(ask());
        asked += 1;
        if waiting.len() >= IN_FLIGHT {
            refused += waiting.pop_front().map_or(0, |one| u64::from(one.wait().is_err()));
        }
    }
    refused += waiting.into_iter().map(|one| u64::from(one.wait().is_err())).sum::<u64>();
    let seconds = begun.elapsed().as_secs_f64();
    let cpu = (process_cpu(std::process::id()) - before).as_secs_f64() * 1e6 / asked as f64;
    opened.ledger.stop()?;
    println!("{}", machine());
    println!(
        "writer: {:.0} durable records/s with {IN_FLIGHT} in flight (wanted 50000), {refused} refused",
        asked as f64 / seconds
    );
    println!("        {cpu:.1} us CPU a record, gate, sealing, hashing and writing together");
    let verifier = std::env::current_exe()?
        .parent()
        .and_then(|deps| deps.parent())
        .ok_or("no target folder")?
        .join("dukou-verify");
    let begun = Instant::now();
    let told = Command::new(&verifier).arg(folder.path()).output()?;
    let seconds = begun.elapsed().as_secs_f64();
    println!("dukou-verify: {} {:.0} records/s", String::from_utf8_lossy(&told.stderr).trim(), asked as f64 / seconds);
    Ok(())
}

fn access() -> Option<Access> {
    Some(Access {
        request: RequestId([7; 16]),
        interaction: Interaction::Read,
        route: 3,
        client: Client {
            id: ClientId::parse("bench")?,
            organisation: None,
            certificate_sha256: None,
            subject_dn: None,
        },
        peer: Peer { address: "127.0.0.1".to_owned(), port: 40_000, terminal: None },
        user: None,
        purpose: Purpose { codes: vec!["TREAT".to_owned()], ..Purpose::default() },
        decision: Decision { permit: true, rules: vec!["scope system/*.rs".to_owned()], ..Decision::default() },
        reach: Reach {
            grants: vec![Grant { resource: "*".to_owned(), rights: Rights::ALL, patient: None }],
            ..Reach::default()
        },
        query: Some("GET /fhir/Patient/p1".to_owned()),
        message: None,
        trace: None,
        started_ns: 0,
    })
}

const IN_FLIGHT: usize = 2_048;
