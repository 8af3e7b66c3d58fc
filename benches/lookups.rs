//! Look-ups of cards by number over HTTP, recorded before each answer, beside a bare hyper answer of the same bytes.

use std::error::Error;
use std::time::Duration;

use dukou_benches::process_cpu;

use crate::load;
use crate::node::{Echo, Gateway, median};

/// Many numbers in turn, a connection a thread: look-ups a second, their p50 and p99, and CPU, in turns with the bare server.
pub(crate) fn lookups(gateway: &Gateway) -> Result<(), Box<dyn Error>> {
    let authority = gateway.fhir.trim_start_matches("http://").split('/').next().unwrap_or_default().to_owned();
    for n in 0..PATIENTS {
        let patient = format!(
            r#"{{"resourceType":"Patient","identifier":[{{"system":"{SYSTEM}","value":"C{n:07}"}}],"name":[{{"text":"渡口{n}"}}],"gender":"female","birthDate":"1980-02-{:02}"}}"#,
            n % 28 + 1
        );
        load::once(&authority, &load::request("POST", "/fhir/Patient", &gateway.token, patient.as_bytes()))?;
    }
    let ask = |n: usize| {
        let body = format!(
            r#"{{"resourceType":"Parameters","parameter":[{{"name":"identifier","valueIdentifier":{{"system":"{SYSTEM}","value":"C{n:07}"}}}}]}}"#
        );
        load::request("POST", "/fhir/Patient/$card", &gateway.token, body.as_bytes())
    };
    let requests: Vec<Vec<u8>> = (0..PATIENTS).map(ask).collect();
    let first = load::once(&authority, &requests[0])?;
    if !first.contains("valueReference") {
        return Err(format!("no card: {first}").into());
    }
    let bare = Echo::start(first.len(), "bare")?;
    let plain = vec![load::request("GET", "/", &gateway.token, b"")];
    let mut rows = [Vec::new(), Vec::new()];
    for _ in 0..ROUNDS {
        for (row, (pid, address, requests)) in
            rows.iter_mut().zip([(gateway.process(), &authority, &requests), (bare.process(), &bare.address, &plain)])
        {
            let before = process_cpu(pid);
            let mut times = load::timed(address, requests, CONNECTIONS, ROUND)?;
            let cpu = (process_cpu(pid) - before).as_secs_f64() * 1e6 / times.len() as f64;
            times.sort_unstable();
            let part = |share: usize| f64::from(times[times.len() * share / 100]) / 1e3;
            row.push([times.len() as f64 / ROUND.as_secs_f64(), part(50), part(99), cpu]);
        }
    }
    let [ours, bare] = rows.map(|rounds| [0, 1, 2, 3].map(|at| median(rounds.iter().map(|round| round[at]).collect())));
    println!("card by number over HTTP, {PATIENTS} people, {CONNECTIONS} connections, median of {ROUNDS} rounds");
    println!("                          a second    p50 ms    p99 ms    CPU us");
    for (name, [rate, p50, p99, cpu]) in [("dukou, audit on", ours), ("hyper, bare", bare)] {
        println!("  {name:<22} {rate:>9.0} {p50:>9.2} {p99:>9.2} {cpu:>9.1}");
    }
    println!("  dukou / bare: {:.2} of its rate, {:.1} times its CPU", ours[0] / bare[0], ours[3] / bare[3]);
    Ok(())
}

const SYSTEM: &str = "https://dukou.dev/fhir/system/bench";
const PATIENTS: usize = 1_000;
const CONNECTIONS: usize = 16;
const ROUNDS: usize = 5;
const ROUND: Duration = Duration::from_secs(2);
