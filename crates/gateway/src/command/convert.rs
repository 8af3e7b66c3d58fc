//! `dukou convert`: messages to FHIR, with the account of every leaf. Opens no store and writes no ledger record: whoever runs it holds
//! the files already.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use dukou_fhir::{Issue, Language, Object, OperationOutcome, ResourceKey, Value, json};
use dukou_mapping::{Accounts, LeafClass, Mapped, Program};
use dukou_wire::{Format, Message, NotAMessage};

use crate::command::choice::Choice;
use crate::command::messages;
use crate::maps::MapError;

/// What to convert and where to put it.
#[derive(Debug, clap::Args)]
pub(crate) struct Convert {
    /// Files of any format, or folders whose `.hl7`, `.xml`, `.json`, `.csv` and `.txt` files are converted.
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// Folder for `<name>.bundle.json` and `<name>.issues.json`; without it the bundles go to standard output, one a line.
    #[arg(long)]
    pub(super) out: Option<PathBuf>,
    /// File for the account: one JSON line a message.
    #[arg(long)]
    pub(super) account: Option<PathBuf>,
    /// Folder with maps; without it those of ./dukou.toml, else those built in.
    #[arg(long)]
    maps: Option<PathBuf>,
    #[command(flatten)]
    choice: Choice,
    /// Offset of local time for values without one; without it that of ./dukou.toml, else +08:00.
    #[arg(long)]
    zone: Option<String>,
    /// Charset where neither message nor bytes decide: gb18030, utf-8, 8859/1, big-5.
    #[arg(long, default_value = "gb18030")]
    charset: String,
    /// From FHIR: the files are views (Bundles or resources) and become messages of this profile, such as oru-r01.
    #[arg(long)]
    pub(super) to: Option<String>,
    /// From FHIR: the message of which the view was made; only what the view changed is written into it.
    #[arg(long)]
    pub(super) complement: Option<PathBuf>,
    /// With --to: MSH-10; without it the time and a number.
    #[arg(long)]
    pub(super) control_id: Option<String>,
    /// With --to: MSH-7, such as 20240102030405+0800; without it now.
    #[arg(long)]
    pub(super) time: Option<String>,
    /// With --to: the receiver's name for its character set, such as GB18030-2000; without it UTF-8.
    #[arg(long)]
    pub(super) to_charset: Option<String>,
}

/// Why nothing could be converted at all.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConvertError {
    /// The maps do not load.
    #[error("loading maps")]
    Maps(#[from] MapError),
    /// The charset is not known.
    #[error("reading --charset '{0}': write gb18030, utf-8, 8859/1 or big-5")]
    Charset(String),
    /// The zone is no offset.
    #[error("reading --zone '{0}': write an offset such as +08:00")]
    Zone(String),
    /// A folder holds no message.
    #[error("{} holds no .hl7, .xml, .json, .csv or .txt file", .0.display())]
    Nothing(PathBuf),
    /// A result cannot be written, or a named path cannot be read.
    #[error("using {}", path.display())]
    Io {
        /// The path.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

impl Convert {
    /// Converts everything named. True: every message was read; false: some were refused, each with its reason beside the others.
    pub(crate) fn run(&self) -> Result<bool, ConvertError> {
        let chosen = self.choice.read_for_any_site(self.maps.as_deref())?;
        let program = chosen.files().compile()?;
        let zone = self.zone.clone().or(chosen.zone).unwrap_or_else(|| "+08:00".to_owned());
        let place = dukou_mapping::Site { id: chosen.site.as_deref().unwrap_or("local"), zone: &zone };
        let charset =
            dukou_wire::Charset::parse(&self.charset).ok_or_else(|| ConvertError::Charset(self.charset.clone()))?;
        let site = dukou_wire::Site { charset_default: charset, ..dukou_wire::Site::default() };
        dukou_fhir::Offset::parse(&zone).ok_or_else(|| ConvertError::Zone(zone.clone()))?;
        if self.to.is_some() || self.complement.is_some() {
            return self.outward(&program, &place, &site);
        }
        let files = self.files()?;
        let mut account = self.account.as_deref().map(create).transpose()?;
        let progress = Progress::new(files.len());
        let mut all_read = true;
        for (n, (file, name)) in files.iter().enumerate() {
            progress.show(n, name);
            let raw = fs::read(file).map_err(|source| ConvertError::Io { path: file.clone(), source })?;
            let converted = one(&program, &place, &site, &raw);
            // A folder may hold files that are no messages at all; only a file that was named, or that is called a message, must be one.
            if converted.refusal.is_some() && !self.paths.contains(file) && file.extension().is_none_or(|e| e != "hl7")
            {
                eprintln!("{}: passed over, no map speaks of it", file.display());
                continue;
            }
            if let Some(reason) = &converted.refusal {
                eprintln!("{}: no message that can be read: {reason}", file.display());
                all_read = false;
            }
            self.write(name, &converted)?;
            if let Some((path, out)) = &mut account {
                for line in &converted.lines {
                    writeln!(out, "{}", line.json(name))
                        .map_err(|source| ConvertError::Io { path: path.clone(), source })?;
                }
            }
        }
        progress.end();
        if let Some((path, mut out)) = account {
            out.flush().map_err(|source| ConvertError::Io { path, source })?;
        }
        Ok(all_read)
    }

    /// Every file to convert with its name below the path that was given.
    pub(super) fn files(&self) -> Result<Vec<(PathBuf, PathBuf)>, ConvertError> {
        let mut files = Vec::new();
        for path in &self.paths {
            if path.is_dir() {
                let before = files.len();
                walk(path, path, &mut files).map_err(|source| ConvertError::Io { path: path.clone(), source })?;
                if files.len() == before {
                    return Err(ConvertError::Nothing(path.clone()));
                }
            } else {
                files.push((path.clone(), PathBuf::from(path.file_name().unwrap_or(path.as_os_str()))));
            }
        }
        files.sort();
        Ok(files)
    }

    fn write(&self, name: &Path, converted: &Converted) -> Result<(), ConvertError> {
        let bundle = converted.bundle();
        let mut text = Vec::new();
        let Some(out) = &self.out else {
            json::print(&bundle, &mut text);
            text.push(b'\n');
            converted.tell(name);
            return io::stdout()
                .write_all(&text)
                .map_err(|source| ConvertError::Io { path: PathBuf::from("standard output"), source });
        };
        json::print_pretty(&bundle, &mut text);
        text.push(b'\n');
        put(&out.join(name.with_extension("bundle.json")), &text)?;
        text.clear();
        json::print_pretty(
            &OperationOutcome { issues: converted.issues.clone() }.to_value(Language::English),
            &mut text,
        );
        text.push(b'\n');
        put(&out.join(name.with_extension("issues.json")), &text)
    }
}

/// Converts the messages of one file: a batch gives one bundle, in which later messages and records act on what earlier ones made.
fn one(program: &Program, place: &dukou_mapping::Site<'_>, site: &dukou_wire::Site, raw: &[u8]) -> Converted {
    let mut converted = Converted::default();
    let mut begun = clock();
    messages::each(program, raw, site, |opened| {
        match opened {
            Err(reason) => converted.refuse(&reason, begun),
            Ok((message, issues)) => converted.read(program, place, &message, &issues, begun),
        }
        begun = clock();
    });
    converted
}

/// What one file came to.
#[derive(Default)]
struct Converted {
    resources: Vec<(ResourceKey, Option<Value<'static>>)>,
    places: HashMap<ResourceKey, usize>,
    issues: Vec<Issue>,
    lines: Vec<Line>,
    refusal: Option<String>,
}

impl Converted {
    fn refuse(&mut self, reason: &NotAMessage, begun: Instant) {
        self.refusal = Some(reason.to_string());
        self.lines.push(Line::refused(reason.code(), begun));
        self.issues.push(dukou_exchange::issues::not_a_message(reason));
    }

    fn read(
        &mut self,
        program: &Program,
        place: &dukou_mapping::Site<'_>,
        message: &Message<'_>,
        issues: &[dukou_wire::Issue],
        begun: Instant,
    ) {
        let is_document = message.format() != Format::Er7;
        self.issues.extend(issues.iter().map(dukou_exchange::issues::of_wire));
        let mut records = program.records(message, place);
        for record in records.by_ref() {
            self.take(&record.mapped);
        }
        let accounts = records.accounts();
        let lines = accounts.lines(program, message);
        let reported = lines.filter(|line| line.class == LeafClass::Reported).map(|line| line.path.to_string());
        let kind = match is_document {
            true => message.format().as_str().to_owned(),
            false => format!("{}^{}", message.header().message_code(), message.header().trigger()),
        };
        self.lines.push(Line::accounted(kind, &accounts, reported.collect(), begun));
        if is_document && !program.speaks_of(message) {
            // Read by the layout of somebody else, its lines say nothing.
            self.issues.clear();
            self.refusal = Some("no map speaks of this document".to_owned());
        }
    }

    /// The findings, one a line, without values; for who sees no file of them.
    fn tell(&self, name: &Path) {
        for issue in self.issues.iter().take(TOLD_MAX) {
            let place = issue.expression.first().map_or(String::new(), |place| format!("{place}: "));
            let (text, severity) = (&issue.text.en, issue.severity.as_str());
            eprintln!("{}: {place}{}: {text} ({severity})", name.display(), issue.code);
        }
        if let Some(more) = self.issues.len().checked_sub(TOLD_MAX).filter(|more| *more > 0) {
            eprintln!("{}: {more} more findings; --out writes them all", name.display());
        }
    }

    /// Puts what one message or record says on what earlier ones made.
    fn take(&mut self, mapped: &Mapped<'_>) {
        for change in &mapped.changes {
            let n = *self.places.entry(change.key.clone()).or_insert_with(|| {
                self.resources.push((change.key.clone(), None));
                self.resources.len() - 1
            });
            let stored = self.resources[n].1.take();
            self.resources[n].1 = Some(change.apply(stored.as_ref()).into_static());
        }
        self.issues.extend(mapped.issues.iter().cloned());
    }

    /// A transaction of PUTs, as it would be sent to an empty server.
    fn bundle(&self) -> Value<'_> {
        let entries = self.resources.iter().filter_map(|(key, content)| {
            let mut resource = content.clone()?;
            let members = resource.as_object_mut()?;
            let mut placed =
                Object::new().with("resourceType", key.kind.as_str().to_owned()).with("id", key.id.to_string());
            for (name, value) in std::mem::take(members) {
                placed.insert(name, value);
            }
            let request = Object::new().with("method", "PUT").with("url", key.to_string());
            Some(Value::Object(Object::new().with("resource", placed).with("request", request)))
        });
        let entries: Vec<Value<'_>> = entries.collect();
        let bundle = Object::new().with("resourceType", "Bundle").with("type", "transaction");
        Value::Object(if entries.is_empty() { bundle } else { bundle.with("entry", entries) })
    }
}

/// The account of one message.
struct Line {
    kind: String,
    error: Option<&'static str>,
    sums: [u32; 5],
    /// Where the reported leaves stand; no values.
    reported: Vec<String>,
    us: u128,
}

impl Line {
    fn refused(code: &'static str, begun: Instant) -> Self {
        Self {
            kind: String::new(),
            error: Some(code),
            sums: [0; 5],
            reported: Vec::new(),
            us: begun.elapsed().as_micros(),
        }
    }

    fn accounted(kind: String, a: &Accounts, reported: Vec<String>, begun: Instant) -> Self {
        let sums = [a.leaves, a.emitted, a.complement, a.dropped, a.reported];
        Self { kind, error: None, sums, reported, us: begun.elapsed().as_micros() }
    }

    fn json(&self, file: &Path) -> serde_json::Value {
        let [leaves, emitted, complement, dropped, reported] = self.sums;
        let us = u64::try_from(self.us).unwrap_or(u64::MAX);
        let mut line = serde_json::json!({
            "file": file.to_string_lossy(), "type": self.kind, "leaves": leaves, "emitted": emitted,
            "complement": complement, "dropped": dropped, "reported": reported, "us": us,
        });
        if !self.reported.is_empty() {
            line["reported_paths"] = self.reported.clone().into();
        }
        if let Some(error) = self.error {
            line["error"] = error.into();
        }
        line
    }
}

/// A line that counts, on a terminal only.
struct Progress {
    total: usize,
    shown: bool,
}

impl Progress {
    fn new(total: usize) -> Self {
        Self { total, shown: total > 1 && io::stderr().is_terminal() }
    }

    fn show(&self, n: usize, name: &Path) {
        if self.shown {
            eprint!("\r\x1b[K{}/{} {}", n + 1, self.total, name.display());
        }
    }

    fn end(&self) {
        if self.shown {
            eprintln!("\r\x1b[K{} files", self.total);
        }
    }
}

#[allow(clippy::disallowed_methods, reason = "the account states how long each message took")]
pub(super) fn clock() -> Instant {
    Instant::now()
}

pub(crate) fn walk(root: &Path, folder: &Path, files: &mut Vec<(PathBuf, PathBuf)>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            walk(root, &path, files)?;
        } else if is_input(&path) {
            let name = path.strip_prefix(root).unwrap_or(&path).to_path_buf();
            files.push((path, name));
        }
    }
    Ok(())
}

/// A file that may hold messages: not what an earlier run wrote beside it, and not what a test expects.
fn is_input(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let written = [".bundle.json", ".issues.json"].iter().any(|ending| name.ends_with(ending));
    let known = path.extension().is_some_and(|e| ["hl7", "xml", "json", "csv", "txt"].iter().any(|known| e == *known));
    known && !written && !name.starts_with("expected.") && !name.contains(".expected.")
}

pub(super) fn create(path: &Path) -> Result<(PathBuf, BufWriter<File>), ConvertError> {
    folder_of(path)?;
    let file = File::create(path).map_err(|source| ConvertError::Io { path: path.to_path_buf(), source })?;
    Ok((path.to_path_buf(), BufWriter::new(file)))
}

pub(super) fn put(path: &Path, text: &[u8]) -> Result<(), ConvertError> {
    folder_of(path)?;
    fs::write(path, text).map_err(|source| ConvertError::Io { path: path.to_path_buf(), source })
}

fn folder_of(path: &Path) -> Result<(), ConvertError> {
    match path.parent().filter(|p| !p.as_os_str().is_empty()) {
        None => Ok(()),
        Some(folder) => {
            fs::create_dir_all(folder).map_err(|source| ConvertError::Io { path: folder.to_path_buf(), source })
        }
    }
}

/// Findings of one file on standard error.
const TOLD_MAX: usize = 50;
