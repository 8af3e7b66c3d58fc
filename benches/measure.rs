//! CPU time, ratios and a fixed message for the benches. Every figure is a ratio in one run, because machines are shared and noisy.

use std::fs;
use std::hint::black_box;
use std::time::Duration;

/// CPU time that this thread has used, as the kernel's scheduler counts it.
pub fn thread_cpu() -> Duration {
    let text = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let ns = text.split(' ').next().and_then(|ns| ns.parse().ok()).unwrap_or(0);
    Duration::from_nanos(ns)
}

/// User and system time of a whole process, in ticks of 10 ms.
pub fn process_cpu(pid: u32) -> Duration {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let after_name = text.rsplit(')').next().unwrap_or("");
    let ticks: u64 = after_name.split_whitespace().skip(11).take(2).filter_map(|n| n.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}

/// Resident memory of a process in MiB.
pub fn resident_mib(pid: u32) -> f64 {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let kib = text
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:")?.trim().trim_end_matches(" kB").trim().parse::<f64>().ok());
    kib.unwrap_or(0.0) / 1024.0
}

/// Microseconds of CPU that one call takes: the best of several rounds, each long enough for the scheduler's clock.
pub fn micros<T>(mut call: impl FnMut() -> T) -> f64 {
    let mut best = f64::MAX;
    for _ in 0..ROUNDS {
        let mut calls = 0_u32;
        let begun = thread_cpu();
        let mut spent = Duration::ZERO;
        while spent < ROUND {
            for _ in 0..8 {
                black_box(call());
            }
            calls += 8;
            spent = thread_cpu() - begun;
        }
        best = best.min(spent.as_secs_f64() * 1e6 / f64::from(calls));
    }
    best
}

/// What stands above every table: the numbers mean nothing without it.
pub fn machine() -> String {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model =
        cpu.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("").trim_start_matches([' ', '\t', ':']);
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or("?");
    format!("{cores} cores, {model}, load {load}, dukou {}", env!("CARGO_PKG_VERSION"))
}

/// An ORU^R01 with this many OBX; 100 make 20 kB. The patient is invented.
pub fn report(observations: usize) -> Vec<u8> {
    let mut text = String::from(
        "MSH|^~\\&|LIS|H1|DUKOU|H1|20261120081500+0800||ORU^R01^ORU_R01|BENCH0001|P|2.5.1||||||UNICODE UTF-8\r\
         PID|1||10000001^^^H1^MR~860101195803128019^^^PRC^NNCHN||Wang^Jianguo^^^^^L||19580312|M|||1 Renmin Rd^^Shifan^Shifan^860100^CN^H||19900000001^PRN^CP\r\
         PV1|1|O|MED^^^H1||||D001^Zhang^San|||||||||||V10000001001^^^H1^VN\r\
         ORC|RE|PL000001^HIS|FL000001^LIS||CM\r\
         OBR|1|PL000001^HIS|FL000001^LIS|CHEM^Chemistry panel^L|||20261120080000+0800|||||||20261120080500+0800|SER|||||||20261120081400+0800||CH|F\r",
    );
    for n in 1..=observations {
        text.push_str(&format!(
            "OBX|{n}|NM|{}-{}^Analyte number {n} in serum or plasma^LN^A{n:04}^Analyte {n}^L||{}.{:02}|mmol/L^millimole per liter^UCUM|3.90-6.10|{}|||F|||20261120080000+0800|LAB1^Central laboratory^L|T01^Li^Si||ANALYZER7^COBAS\r",
            2000 + n,
            n % 10,
            3 + n % 5,
            n % 100,
            if n % 7 == 0 { "H" } else { "N" },
        ));
    }
    text.into_bytes()
}

const ROUNDS: usize = 9;
const ROUND: Duration = Duration::from_millis(120);
