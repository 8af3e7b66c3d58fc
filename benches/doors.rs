//! The doors under load, as whole processes: a FHIR read against a bare answer of the same bytes that waits for one grouped sync, durable
//! MLLP ingest against the sync floor, ready time and idle memory. Build the gateway first: `cargo build --release`.

#![allow(clippy::disallowed_methods, reason = "a bench reads the clock")]

mod echo;
mod load;
mod lookups;
mod node;

use std::error::Error;
use std::fs;
use std::time::{Duration, Instant};

use dukou_benches::{machine, process_cpu, report, resident_mib};

use node::{Echo, Gateway, median};

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().collect();
    if arguments.get(1).is_some_and(|verb| verb == "echo") {
        return echo::serve(&arguments[2], arguments[3].parse()?, arguments[4] == "sync");
    }
    let folder = tempfile::tempdir()?;
    let gateway = Gateway::start(folder.path().join("site"), folder.path().join("info.json"))?;
    println!("{}", machine());
    println!(
        "ready after {:.2} s (wanted 1), idle {:.1} MiB (wanted 60)",
        gateway.ready.as_secs_f64(),
        gateway.idle_mib
    );
    reads(&gateway)?;
    lookups::lookups(&gateway)?;
    ingest(&gateway, folder.path())?;
    println!("after load {:.1} MiB", resident_mib(gateway.process()));
    Ok(())
}

/// CPU of one FHIR read, beside a bare answer of the same bytes and one that waits for a grouped sync, in turns.
fn reads(gateway: &Gateway) -> Outcome<()> {
    let authority = gateway.fhir.trim_start_matches("http://").split('/').next().unwrap_or_default().to_owned();
    let patient = br#"{"resourceType":"Patient","identifier":[{"system":"urn:oid:2.16.840.1.113883.2.1","value":"b-1"}],"name":[{"family":"Wang","given":["Fang"]}],"gender":"female","birthDate":"1980-02-29"}"#;
    let made = load::once(&authority, &load::request("POST", "/fhir/Patient", &gateway.token, patient))?;
    let location = made.lines().find_map(|line| line.strip_prefix("location: ")).ok_or("no Location in the answer")?;
    let path =
        location.split("/_history").next().and_then(|url| url.split_once("/fhir")).ok_or("no path")?.1.to_owned();
    let read = load::request("GET", &format!("/fhir{path}"), &gateway.token, b"");
    let length = load::once(&authority, &read)?.len();
    let synced = Echo::start(length, "sync")?;
    let bare = Echo::start(length, "bare")?;
    let plain = load::request("GET", "/", &gateway.token, b"");
    let mut spent = [Vec::new(), Vec::new(), Vec::new()];
    for _ in 0..ROUNDS {
        let turns = [
            (gateway.process(), &authority, &read),
            (synced.process(), &synced.address, &plain),
            (bare.process(), &bare.address, &plain),
        ];
        for (place, (pid, address, request)) in turns.into_iter().enumerate() {
            let before = process_cpu(pid);
            let answers = load::hammer(address, request, CONNECTIONS, ROUND)?;
            spent[place].push((process_cpu(pid) - before).as_secs_f64() * 1e6 / answers as f64);
        }
    }
    let [ours, waits, bare] = spent.map(median);
    println!("read of {length} bytes, {CONNECTIONS} connections, CPU us a request, median of {ROUNDS} rounds");
    println!("  dukou, audit on          {ours:>7.1}");
    println!("  hyper, grouped sync      {waits:>7.1}");
    println!("  hyper, bare              {bare:>7.1}");
    println!("  dukou / grouped sync: {:.2} (wanted 2.5)", ours / waits);
    Ok(())
}

/// Durable ingest with many senders, beside the floor that one `fdatasync` after another sets on the same disk.
fn ingest(gateway: &Gateway, folder: &std::path::Path) -> Outcome<()> {
    let floor = sync_floor(folder)?;
    let before = process_cpu(gateway.process());
    let message = String::from_utf8(report(3))?;
    let (acknowledged, seconds) = load::messages(&gateway.mllp, &message, SENDERS, Duration::from_secs(5))?;
    let cpu = (process_cpu(gateway.process()) - before).as_secs_f64() * 1e6 / acknowledged as f64;
    let rate = acknowledged as f64 / seconds;
    println!("MLLP, {SENDERS} senders, ORU with 3 OBX: {rate:.0} durable messages/s, {cpu:.0} us CPU a message");
    println!("  fdatasync floor {floor:.0}/s, one after another; ingest / floor: {:.2}", rate / floor);
    Ok(())
}

fn sync_floor(folder: &std::path::Path) -> Outcome<f64> {
    use std::io::Write;
    let mut file = fs::File::create(folder.join("floor"))?;
    file.write_all(&vec![0; 1 << 20])?;
    file.sync_all()?;
    let (begun, mut syncs) = (Instant::now(), 0_u32);
    while begun.elapsed() < Duration::from_secs(2) {
        std::os::unix::fs::FileExt::write_all_at(&file, &[7; 350], u64::from(syncs % 2_900) * 350)?;
        file.sync_data()?;
        syncs += 1;
    }
    Ok(f64::from(syncs) / begun.elapsed().as_secs_f64())
}

const ROUNDS: usize = 5;
const ROUND: Duration = Duration::from_secs(2);
const CONNECTIONS: usize = 16;
const SENDERS: usize = 64;
