//! From a number to a card in process: the keyed hash, the hot tier at many people, and the warm tier between two runs.
//! `cargo bench --bench cards -- 10000000` for ten million people; without a number one million.

#![allow(clippy::disallowed_methods, reason = "a bench reads the clock")]

use std::error::Error;
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use dukou_audit::{
    Access, Client, ClientId, Clock, Decision, Failure, Gate, Grant, Interaction, Keys, Ledger, ManualClock, Options,
    Outcome, Peer, Purpose, Reach, Recorded, RequestId, Rights, SeededRandom, Shown, ShownResource, StoreSeal,
    Unreleased, storage,
};
use dukou_benches::{machine, micros, resident_mib};
use dukou_exchange::cards::{Card, CardLimits, Cards, Held, Load, hold};
use dukou_fhir::{Instant as Moment, LogicalId, VersionId};
use dukou_identity::SiteKey;
use dukou_store::warm::{Warm, WarmOptions};
use zeroize::Zeroizing;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> Result<(), Box<dyn Error>> {
    let people = std::env::args().filter_map(|argument| argument.parse().ok()).next().unwrap_or(PEOPLE);
    println!("{}", machine());
    let key = SiteKey::new([7; 32], 1);
    hashes(&key);
    let (gate, seal, _ledger) = gate()?;
    hot(&key, &gate, &seal, people)?;
    warm(&key, people)
}

/// Two keyed hashes over a canonical system and a resident number.
fn hashes(key: &SiteKey) {
    let numbers: Vec<String> = (0..1024).map(number).collect();
    let mut turn = 0;
    let mut next = || {
        turn = (turn + 1) % numbers.len();
        &numbers[turn]
    };
    let ours = micros(|| black_box(key.key128(SYSTEM, next()))) * 1e3;
    let mut turn = 0;
    let peer = micros(|| {
        turn = (turn + 1) % numbers.len();
        let mut hasher = blake3::Hasher::new_keyed(&[7; 32]);
        hasher.update(&(SYSTEM.len() as u64).to_le_bytes()).update(SYSTEM.as_bytes()).update(numbers[turn].as_bytes());
        black_box(hasher.finalize())
    }) * 1e3;
    println!("keyed hash of {} bytes: HMAC-SHA-256 {ours:.0} ns, keyed BLAKE3 {peer:.0} ns", SYSTEM.len() + 26);
}

/// Fills the hot tier and looks up people at random, each from the text of the number to the card with its record.
fn hot(key: &SiteKey, gate: &Gate, seal: &StoreSeal, people: u64) -> Result<(), Box<dyn Error>> {
    let cards = Arc::new(Cards::new(CardLimits { bytes_max: u64::MAX, ..CardLimits::default() }));
    let before = resident_mib(std::process::id());
    let begun = Instant::now();
    for n in 0..people {
        let source = Source { n, key, seal };
        let found = cards.find(key.key128(SYSTEM, &number(n)), 0, &source).unwrap_or_default();
        assert!(found.len() == 1);
    }
    cards.tend();
    let filled = begun.elapsed();
    let bytes = (resident_mib(std::process::id()) - before) * (1 << 20) as f64 / people as f64;
    println!(
        "{people} people held: {:.1} s to fill, {:.0} MiB, {bytes:.0} bytes each",
        filled.as_secs_f64(),
        bytes * people as f64 / (1 << 20) as f64
    );
    let asked: Vec<(u64, String)> = (0..LOOKUPS).map(|n| mix(n) % people).map(|n| (n, number(n))).collect();
    let stop = Arc::new(AtomicBool::new(false));
    let (tended, told) = (Arc::clone(&cards), Arc::clone(&stop));
    let tender = std::thread::spawn(move || {
        while !told.load(Ordering::Relaxed) {
            tended.tend();
            std::thread::sleep(Duration::from_millis(1));
        }
    });
    for pause in [Duration::from_micros(50), Duration::ZERO] {
        let mut times = Vec::with_capacity(asked.len());
        let pending = gate.read(access(), |permit| {
            for (n, number) in &asked {
                let source = Source { n: *n, key, seal };
                let begun = Instant::now();
                let found = cards.find(key.key128(SYSTEM, number), 0, &source).unwrap_or_default();
                let card = found.first().and_then(|held| held.show(permit));
                times.push(begun.elapsed().as_nanos());
                assert!(black_box(card).is_some());
                while begun.elapsed() < pause {
                    std::hint::spin_loop();
                }
            }
            Ok::<_, Ended>(permit.without_patient_data(Ended))
        });
        drop(pending);
        times.sort_unstable();
        let part = |share: usize| times[times.len() * share / 1000] as f64 / 1e3;
        let how = if pause.is_zero() { "one after another" } else { "20,000 a second" };
        println!(
            "number to card, {how}: p50 {:.2} us (wanted 2), p99 {:.2} us (wanted 10), p99.9 {:.2} us",
            part(500),
            part(990),
            part(999)
        );
    }
    stop.store(true, Ordering::Relaxed);
    tender.join().map_err(|_| "the tender panicked")?;
    println!("cards made anew meanwhile: {}", cards.loads() - people);
    Ok(())
}

/// Leaves so many cards on disk, closes, and starts again.
fn warm(key: &SiteKey, people: u64) -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let secret = key.warm_secret();
    let random = SeededRandom::new(3);
    let options = WarmOptions { bytes_max: 64 << 30, cache_bytes: 512 << 20, ..WarmOptions::default() };
    let tier = Warm::open(folder.path(), &secret, people, &random, options)?;
    let begun = Instant::now();
    for n in 0..people {
        tier.put(u128::from(mix(n)) << 64 | u128::from(n), n, Zeroizing::new(vec![n as u8; CARD_BYTES]));
        if n % 4_096 == 0 {
            tier.settle();
        }
    }
    tier.settle();
    let (filled, left_out, begun) = (begun.elapsed(), tier.left_out(), Instant::now());
    tier.close();
    let closed = begun.elapsed();
    let size = size(folder.path())?;
    let begun = Instant::now();
    let tier = Warm::open(folder.path(), &secret, people, &random, options)?;
    let opened = begun.elapsed();
    if let Some(why) = tier.fresh() {
        return Err(format!("the warm tier began empty: {}", why.as_str()).into());
    }
    let mut times: Vec<u128> = Vec::with_capacity(100_000);
    for n in (0..100_000).map(|n| mix(n + 5) % people) {
        let begun = Instant::now();
        let found = tier.read(u128::from(mix(n)) << 64 | u128::from(n)).is_some();
        times.push(begun.elapsed().as_nanos());
        assert!(found || left_out > 0);
    }
    times.sort_unstable();
    let part = |share: usize| times[times.len() * share / 100] as f64 / 1e3;
    println!(
        "warm tier of {people}: written in {:.1} s, closed in {:.1} s, {} MiB; usable {:.1} s after the start (wanted 30); one card p50 {:.1} us, p99 {:.1} us",
        filled.as_secs_f64(),
        closed.as_secs_f64(),
        size >> 20,
        opened.as_secs_f64(),
        part(50),
        part(99)
    );
    Ok(())
}

fn size(folder: &std::path::Path) -> std::io::Result<u64> {
    let mut sum = 0;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        sum += if entry.file_type()?.is_dir() { size(&entry.path())? } else { entry.metadata()?.len() };
    }
    Ok(sum)
}

/// One invented person.
struct Source<'a> {
    n: u64,
    key: &'a SiteKey,
    seal: &'a StoreSeal,
}

impl Load for Source<'_> {
    type Error = std::convert::Infallible;

    fn holders(&self) -> Result<Vec<LogicalId>, Self::Error> {
        Ok(record(self.n).into_iter().collect())
    }

    fn card(&self, record: &LogicalId) -> Result<Option<Held>, Self::Error> {
        let card = Card {
            record: record.clone(),
            version: VersionId::new(1).unwrap_or_else(|| unreachable!("1 is a version")),
            seq: self.n + 1,
            stored: Moment::from_millis(0),
            active: true,
            name: "渡口人".into(),
            sex: Some('2'),
            birth_date: "1980-02-29".into(),
            phone: "19900000017".into(),
            address: "示范省示范市样例区渡口路一号".into(),
        };
        let mut shown = Shown::default();
        let patient = Some(shown.patient(record.as_str()));
        shown.resources.push(ShownResource {
            kind: "Patient".to_owned(),
            id: record.to_string(),
            version: 1,
            patient,
            how: dukou_audit::How::Match,
        });
        let keys = Box::new([self.key.key128(SYSTEM, &number(self.n))]);
        Ok(hold(record.clone(), Unreleased::new(self.seal, (card, keys as Box<[u128]>), shown), 0))
    }
}

fn record(n: u64) -> Option<LogicalId> {
    LogicalId::parse(&format!("{:016x}{:016x}", mix(n), mix(n + 7)))
}

/// A number of province 86, which there is not.
fn number(n: u64) -> String {
    format!("8601{:014}", n)
}

fn mix(n: u64) -> u64 {
    let n = n.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let n = (n ^ (n >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let n = (n ^ (n >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    n ^ (n >> 31)
}

/// An answer and an error without content.
struct Ended;

impl Recorded for Ended {
    fn outcome(&self) -> Outcome {
        Outcome::http(200)
    }
}

impl From<Failure> for Ended {
    fn from(_: Failure) -> Self {
        Ended
    }
}

fn gate() -> Result<(Gate, StoreSeal, Ledger), Box<dyn Error>> {
    let disk = storage::Faulty::new();
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::new(1_772_323_200_000_000_000));
    let random = Arc::new(SeededRandom::new(1));
    let keys = || Keys::generate(&SeededRandom::new(1));
    let options = || Options { threads: false, ..Options::default() };
    Ledger::create(&disk, &keys()?, "bench.example/log", &options(), &*clock)?;
    let mut opened = Ledger::open(Arc::new(disk), keys()?, options(), clock, random)?;
    opened.ledger.complete(0, Vec::new())?;
    Ok((opened.gate, opened.seal, opened.ledger))
}

fn access() -> Access {
    let id = ClientId::parse("bench").unwrap_or_else(|| unreachable!("a constant client id"));
    Access {
        request: RequestId([1; 16]),
        interaction: Interaction::Search,
        route: 0,
        client: Client { id, organisation: None, certificate_sha256: None, subject_dn: None },
        peer: Peer { address: "localhost".to_owned(), port: 0, terminal: None },
        user: None,
        purpose: Purpose::default(),
        decision: Decision { permit: true, ..Decision::default() },
        reach: Reach {
            grants: vec![Grant { resource: "*".to_owned(), rights: Rights::ALL, patient: None }],
            ..Reach::default()
        },
        query: None,
        message: None,
        trace: None,
        started_ns: 0,
    }
}

const SYSTEM: &str = "https://dukou.dev/fhir/system/CHN-resident-identity-card";
const PEOPLE: u64 = 1_000_000;
const LOOKUPS: u64 = 200_000;
const CARD_BYTES: usize = 180;
