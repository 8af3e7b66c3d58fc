//! `dukou-verify`: checks an audit ledger offline and trusts nothing of the gateway. The decoder is written from
//! `crates/audit/FORMAT.md`; hashing and signatures come from other libraries than the gateway's.
//!
//! ```text
//! dukou-verify DIR [--live] [--stale-after SECONDS] [--note FILE] [--key VERIFIER-KEY]
//! ```
//! The folder is only read. Standard output gets one JSON verdict, standard error one sentence.
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test may fail loudly"))]

mod cbor;
mod frame;
mod judge;
mod note;
mod segment;
#[cfg(test)]
mod tests;
mod tree;
mod verdict;

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use judge::{Judgement, Surroundings, judge};
use note::{Note, Origin};
use segment::Segment;
use verdict::Verdict;

fn main() -> ExitCode {
    let told = Arguments::parse(std::env::args().skip(1)).and_then(|arguments| {
        let (origin, judgement) = verify(&arguments)?;
        tell(&arguments, &origin, &judgement).map_err(|error| format!("cannot write the verdict: {error}"))?;
        Ok(judgement.verdict().exit())
    });
    match told {
        Ok(exit) => ExitCode::from(exit),
        Err(error) => {
            eprintln!("dukou-verify: {error}");
            ExitCode::from(COULD_NOT_RUN)
        }
    }
}

/// The command line.
#[derive(Debug, Default)]
struct Arguments {
    dir: PathBuf,
    live: bool,
    stale_after: Option<Duration>,
    notes: Vec<PathBuf>,
    key: Option<String>,
}

impl Arguments {
    fn parse(mut words: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut arguments = Self::default();
        let usage = || USAGE.to_owned();
        while let Some(word) = words.next() {
            match word.as_str() {
                "--live" => arguments.live = true,
                "--stale-after" => {
                    let seconds = words.next().and_then(|seconds| seconds.parse().ok()).ok_or_else(usage)?;
                    arguments.stale_after = Some(Duration::from_secs(seconds));
                }
                "--note" => arguments.notes.push(words.next().ok_or_else(usage)?.into()),
                "--key" => arguments.key = Some(words.next().ok_or_else(usage)?),
                _ if word.starts_with('-') || arguments.dir != PathBuf::new() => return Err(usage()),
                _ => arguments.dir = word.into(),
            }
        }
        if arguments.dir == PathBuf::new() { Err(usage()) } else { Ok(arguments) }
    }
}

fn verify(arguments: &Arguments) -> Result<(Origin, Judgement), String> {
    let dir = &arguments.dir;
    let origin_text = read(&dir.join("origin.json"))?;
    let files = segment_files(&dir.join("seg"))?;
    let origin = read_origin(&origin_text, &files)?;
    let notes = if dir.join("notes").exists() { read(&dir.join("notes"))? } else { Vec::new() };
    let live = arguments.live || in_use(dir);
    let until = live.then(|| origin.notes(&notes).0.last().map_or(0, |note| note.size));
    let mut segments = Vec::new();
    for (name, path) in files {
        segments.push(Segment::check(name, &read(&path)?, until));
    }
    let mut known_notes: Vec<Note> = Vec::new();
    for path in &arguments.notes {
        let bytes = read(path)?;
        let (note, _) = origin.note(&bytes).ok_or_else(|| format!("{} is not a note of this log", path.display()))?;
        known_notes.push(note);
    }
    let clean = |path: &str| !dir.join(path).exists() || read(&dir.join(path)).is_ok_and(|bytes| zeros(&bytes));
    let around = Surroundings {
        origin: &origin,
        origin_text: &origin_text,
        notes: &notes,
        known_notes: &known_notes,
        known_key: arguments.key.as_deref(),
        prepared_clean: clean("seg/next.seg") && clean("emerg.seg"),
        live,
        stale_before_ns: arguments.stale_after.and_then(ago_ns),
    };
    let judgement = judge(&segments, &around);
    Ok((origin, judgement))
}

/// The origin as its file tells it. Where the file is broken, the first leaf says what it should have said, and the
/// comparison of the two names the damage.
fn read_origin(text: &[u8], files: &[(u64, PathBuf)]) -> Result<Origin, String> {
    let parse = |text: &[u8]| std::str::from_utf8(text).ok().and_then(Origin::read);
    let from_leaf = || {
        let (name, path) = files.first()?;
        parse(Segment::check(*name, &read(path).ok()?, None).origin.as_deref()?)
    };
    parse(text)
        .or_else(from_leaf)
        .ok_or_else(|| "origin.json is broken, and the first leaf cannot replace it".to_owned())
}

/// The segments of a folder in the order of their names.
fn segment_files(dir: &Path) -> Result<Vec<(u64, PathBuf)>, String> {
    let failed = |error: io::Error| format!("cannot list {}: {error}", dir.display());
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let stem = path.file_name().and_then(|name| name.to_str()).and_then(|name| name.strip_suffix(".seg"));
        if let Some(number) = stem.filter(|stem| stem.len() == 20).and_then(|stem| stem.parse().ok()) {
            files.push((number, path));
        }
    }
    files.sort();
    Ok(files)
}

/// Whether a gateway holds the lock of the data folder above the ledger.
fn in_use(dir: &Path) -> bool {
    let lock = fs::File::open(dir.join("../lock"));
    lock.is_ok_and(|lock| matches!(lock.try_lock_shared(), Err(fs::TryLockError::WouldBlock)))
}

#[expect(
    clippy::disallowed_methods,
    reason = "how old a log is can only be told against the clock of the verifier's machine"
)]
fn ago_ns(limit: Duration) -> Option<i64> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
    i64::try_from(now.checked_sub(limit)?.as_nanos()).ok()
}

fn zeros(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| *byte == 0)
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    fs::read(path).map_err(|error| format!("cannot read {}: {error}", path.display()))
}

fn tell(arguments: &Arguments, origin: &Origin, judgement: &Judgement) -> io::Result<()> {
    let verdict = judgement.verdict();
    let findings = judgement.findings.iter().map(|finding| {
        serde_json::json!({
            "verdict": finding.verdict.word(),
            "from": finding.from,
            "to": finding.to,
            "what": finding.what,
        })
    });
    let findings = findings.collect::<Vec<_>>();
    let told = serde_json::json!({
        "verdict": verdict.word(),
        "exit": verdict.exit(),
        "origin": origin.name,
        "key": origin.line,
        "key_known": arguments.key.is_some(),
        "leaves": judgement.leaves,
        "noted": judgement.noted,
        "notes": judgement.notes,
        "crashes": judgement.crashes,
        "running": judgement.running,
        "silences": judgement.silences,
        "live": arguments.live || in_use(&arguments.dir),
        "findings": findings,
    });
    writeln!(io::stdout(), "{told}")?;
    writeln!(io::stderr(), "{}", sentence(origin, judgement))
}

/// The verdict as one plain sentence.
fn sentence(origin: &Origin, judgement: &Judgement) -> String {
    let name = &origin.name;
    let Some(finding) = judgement.decisive() else {
        let (leaves, notes) = (judgement.leaves, judgement.notes);
        return format!("OK: all {leaves} leaves of {name} agree with {notes} signed notes.");
    };
    let (word, from, to, what) = (finding.verdict.word(), finding.from, finding.to, finding.what);
    match finding.verdict {
        Verdict::Missing | Verdict::RolledBack => format!("{word}: leaves [{from}, {to}) of {name}: {what}."),
        _ => format!("{word}: {name} at leaf {from} (up to {to}): {what}."),
    }
}

const COULD_NOT_RUN: u8 = 1;
const USAGE: &str = "usage: dukou-verify DIR [--live] [--stale-after SECONDS] [--note FILE] [--key VERIFIER-KEY]";
