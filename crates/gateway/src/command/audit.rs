//! `dukou audit`: the ledger from outside, for operators and compliance officers. Works on the folder, read-only but for `accept`.

use std::fs::{File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use dukou_audit::storage::Disk;
use dukou_audit::{AcceptError, Decree, Entry, Keys, KeysError, OpenError, Question, Reader, RequestId, Viewer};
use dukou_fhir::{FhirDateTime, Instant, Offset};
use dukou_identity::mask;

use crate::clock::{SystemClock, SystemRandom};

/// The verbs on a ledger.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Audit {
    /// Recompute every hash, root and signature. Exit codes: 0 OK, 1 could not run, 2 torn tail, 3 altered, 4 missing, 5 rolled back,
    /// 6 forked, 7 bad signature, 8 unwitnessed, 9 stale.
    Verify {
        /// The folder of the ledger.
        dir: PathBuf,
        /// Print the findings as JSON.
        #[arg(long)]
        json: bool,
    },
    /// List the entries that answer a question.
    Show(Show),
    /// Who saw a patient, one line a viewer.
    Report(Show),
    /// Go on after damage or after a store from an old backup; signed into the ledger with reason and name.
    Accept(Accept),
}

/// What to look for.
#[derive(Debug, clap::Args)]
pub(crate) struct Show {
    /// The folder of the ledger.
    dir: PathBuf,
    /// Folder of the ledger's keys; `keys` beside the data folder otherwise.
    #[arg(long)]
    keys: Option<PathBuf>,
    /// Logical id of a patient; several ids of one person with commas.
    #[arg(long, value_delimiter = ',')]
    patient: Vec<String>,
    /// Subject of a user.
    #[arg(long)]
    user: Option<String>,
    /// A request id, as sent in X-Request-Id.
    #[arg(long)]
    request: Option<String>,
    /// Earliest time, such as 2026-11-20 or 2026-11-20T08:00:00+08:00.
    #[arg(long)]
    from: Option<String>,
    /// Time before which the list ends.
    #[arg(long)]
    to: Option<String>,
    /// A purpose of use, such as TREAT.
    #[arg(long)]
    purpose: Option<String>,
    /// An HTTP status.
    #[arg(long)]
    status: Option<u16>,
}

/// What is accepted, by whom and why.
#[derive(Debug, clap::Args)]
pub(crate) struct Accept {
    /// The ledger is damaged: go on behind the damage.
    #[arg(long, value_name = "DIR", conflicts_with = "rollback", required_unless_present = "rollback")]
    gap: Option<PathBuf>,
    /// The store is older than the ledger: go on with the store as it is.
    #[arg(long, value_name = "DIR")]
    rollback: Option<PathBuf>,
    /// The reason, for those who read the ledger later.
    #[arg(long)]
    reason: String,
    /// Your name.
    #[arg(long)]
    by: String,
    /// Folder of the ledger's keys; `keys` beside the data folder otherwise.
    #[arg(long)]
    keys: Option<PathBuf>,
}

/// Why a ledger cannot be worked on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AuditError {
    /// It does not open.
    #[error("opening the ledger in {}", folder.display())]
    Open {
        /// The folder.
        folder: PathBuf,
        /// Why.
        #[source]
        source: OpenError,
    },
    /// The keys do not load.
    #[error("loading the ledger's keys")]
    Keys(#[from] KeysError),
    /// It cannot be read, or the result cannot be printed.
    #[error("reading the ledger")]
    Read(#[from] io::Error),
    /// A time or id on the command line is not one.
    #[error("reading {0} '{1}'")]
    Argument(&'static str, String),
    /// A gateway is running on it.
    #[error("{} belongs to a running dukou: stop it first", .0.display())]
    Live(PathBuf),
    /// The store beside it cannot be read.
    #[error("reading the store beside the ledger")]
    Store(#[from] dukou_store::OpenError),
    /// It cannot go on like this.
    #[error("accepting")]
    Accept(#[from] AcceptError),
}

impl Audit {
    /// Runs the verb.
    pub(crate) fn run(&self) -> Result<ExitCode, AuditError> {
        match self {
            Audit::Verify { dir, json } => verify(dir, *json),
            Audit::Show(show) => show.list().map(|()| ExitCode::SUCCESS),
            Audit::Report(show) => show.viewers().map(|()| ExitCode::SUCCESS),
            Audit::Accept(accept) => accept.run().map(|()| ExitCode::SUCCESS),
        }
    }
}

fn verify(dir: &Path, json: bool) -> Result<ExitCode, AuditError> {
    let report = match dukou_audit::verify(&Disk::new(dir), is_live(dir), None) {
        Ok(report) => report,
        Err(source) => {
            eprintln!("dukou: opening the ledger in {}: {source}", dir.display());
            if dir.join("audit/origin.json").exists() {
                eprintln!("  the ledger is in {}", dir.join("audit").display());
            }
            return Ok(ExitCode::from(1));
        }
    };
    let verdict = report.verdict();
    if json {
        let finding = |f: &dukou_audit::Finding| serde_json::json!({"verdict": f.verdict.as_str(), "from": f.from, "to": f.to, "what": f.what});
        let findings: Vec<_> = report.findings.iter().map(finding).collect();
        println!(
            "{}",
            serde_json::json!({
                "verdict": verdict.as_str(), "origin": report.origin, "leaves": report.leaves, "noted": report.noted,
                "notes": report.notes, "crashes": report.crashes, "live": report.live, "findings": findings,
            })
        );
    } else {
        let end = if report.live { " (a gateway is running: checked up to its last note)" } else { "" };
        println!(
            "{}: {} records of {} under {} signed notes{end}",
            verdict.as_str(),
            report.leaves,
            report.origin,
            report.notes
        );
        for finding in &report.findings {
            println!("  {} at leaves {} to {}: {}", finding.verdict.as_str(), finding.from, finding.to, finding.what);
        }
    }
    Ok(ExitCode::from(verdict.exit()))
}

impl Show {
    fn list(&self) -> Result<(), AuditError> {
        let mut out = io::stdout().lock();
        let mut failed = None;
        self.search(|entry| {
            if failed.is_none() {
                failed = writeln!(out, "{}", line(&entry)).err();
            }
        })?;
        match failed {
            // Whoever reads has seen enough, as `head` does.
            Some(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
            _ => Ok(()),
        }
    }

    fn viewers(&self) -> Result<(), AuditError> {
        let mut entries = Vec::new();
        self.search(|entry| {
            if !entry.patients.is_empty() {
                entries.push(entry);
            }
        })?;
        let mut out = io::stdout().lock();
        writeln!(
            out,
            "{:<20} {:<20} {:<10} {:>8}  {:<25} {:<25}",
            "client", "user", "name", "entries", "first", "last"
        )?;
        for viewer in dukou_audit::viewers(&entries) {
            writeln!(out, "{}", viewer_line(&viewer))?;
        }
        Ok(())
    }

    fn search(&self, found: impl FnMut(Entry)) -> Result<(), AuditError> {
        let keys = Keys::load(&keys_folder(&self.dir, self.keys.as_deref()))?;
        let open = |source| AuditError::Open { folder: self.dir.clone(), source };
        let reader = Reader::open(Arc::new(Disk::new(&self.dir)), &keys).map_err(open)?;
        let patients: Vec<&str> = self.patient.iter().map(String::as_str).collect();
        let request = self
            .request
            .as_deref()
            .map(|text| RequestId::parse(text).ok_or_else(|| AuditError::Argument("--request", text.to_owned())));
        let question = Question {
            patients: &patients,
            user: self.user.as_deref(),
            request: request.transpose()?,
            from_ns: self.from.as_deref().map(|text| time("--from", text)).transpose()?,
            to_ns: self.to.as_deref().map(|text| time("--to", text)).transpose()?,
            purpose: self.purpose.as_deref(),
            status: self.status,
        };
        Ok(reader.search(&question, found)?)
    }
}

impl Accept {
    fn run(&self) -> Result<(), AuditError> {
        let Some(dir) = self.gap.as_ref().or(self.rollback.as_ref()) else { return Ok(()) };
        if is_live(dir) {
            return Err(AuditError::Live(dir.clone()));
        }
        let keys = Keys::load(&keys_folder(dir, self.keys.as_deref()))?;
        let (files, clock, random) = (Disk::new(dir), Arc::new(SystemClock::default()), Arc::new(SystemRandom));
        let decree = Decree { reason: &self.reason, by: &self.by };
        if self.gap.is_some() {
            dukou_audit::accept_gap(&files, &keys, clock, random, decree)?;
        } else {
            let store = dir.parent().unwrap_or(dir).join("store.sqlite");
            let jseq = dukou_store::sqlite::Sqlite::last_jseq_of(&store)?;
            dukou_audit::accept_rollback(&files, &keys, clock, random, jseq, decree)?;
        }
        println!("accepted: the ledger says so itself, with your name and reason");
        Ok(())
    }
}

/// One entry in one line: who, what, how it ended, which patients by id. Names of people are masked; the record keeps them sealed.
fn line(entry: &Entry) -> String {
    let time = Instant::from_nanos(entry.time_ns);
    let ended = match (&entry.ack, entry.status) {
        (Some(code), _) => code.clone(),
        (None, 0) => "-".to_owned(),
        (None, status) => status.to_string(),
    };
    let patients: Vec<String> =
        entry.patients.iter().map(|(pseudonym, id)| id.clone().unwrap_or_else(|| hex(pseudonym))).collect();
    let user = entry.user.as_ref().map_or(String::new(), |(_, subject)| format!(" user {subject}"));
    let request = entry.request.map_or(String::new(), |id| format!(" request {id}"));
    let verb = if entry.interaction.is_empty() { kind_of(entry.kind) } else { entry.interaction.as_str() };
    let shown =
        if entry.resources.is_empty() { String::new() } else { format!(" resources {}", entry.resources.len()) };
    let about = if patients.is_empty() { String::new() } else { format!(" patients {}", patients.join(",")) };
    format!("{:>8} {time} {verb:<12} {ended:<4} {}{user}{about}{shown}{request}", entry.leaf, entry.client)
}

/// The records that no request made, by their type.
fn kind_of(kind: u8) -> &'static str {
    match kind {
        0 => "origin",
        4 => "intent",
        5 => "outcome",
        8 => "admin",
        9 => "heartbeat",
        10 => "start",
        11 => "stop",
        12 => "clock",
        13 => "gap",
        _ => "other",
    }
}

fn viewer_line(viewer: &Viewer) -> String {
    let name = viewer.name.as_deref().map(mask::name).unwrap_or_default();
    let (first, last) = (Instant::from_nanos(viewer.first_ns), Instant::from_nanos(viewer.last_ns));
    format!("{:<20} {:<20} {name:<10} {:>8}  {first:<25} {last:<25}", viewer.client, viewer.subject, viewer.entries)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn time(option: &'static str, text: &str) -> Result<i64, AuditError> {
    let parsed = FhirDateTime::parse(text).ok_or_else(|| AuditError::Argument(option, text.to_owned()))?;
    let local = Offset::parse("+08:00").unwrap_or(Offset::UTC);
    Ok(parsed.low(local).as_millis().saturating_mul(1_000_000))
}

/// `SITE/data/audit` has its keys in `SITE/keys`.
fn keys_folder(dir: &Path, given: Option<&Path>) -> PathBuf {
    match given {
        Some(folder) => folder.to_path_buf(),
        None => dir.join("../../keys"),
    }
}

/// Whether a gateway owns the data folder above.
fn is_live(dir: &Path) -> bool {
    let lock = File::open(dir.join("../lock"));
    lock.is_ok_and(|file| matches!(file.try_lock(), Err(TryLockError::WouldBlock)))
}
