//! Compiles a folder of maps, runs their examples and maps messages with them.
//!
//! `cargo run -p dukou-mapping --example maps -- mappings [message.hl7 | folder ...] [--lines] [--bundle] [--overlay cn]`

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use dukou_fhir::{json, validate};
use dukou_mapping::{LeafClass, Program, Site, SourceFile, compile};
use dukou_terminology::Tables;
use dukou_wire::Limits;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let flag = |name: &str| arguments.iter().any(|argument| argument == name);
    let overlay = arguments.iter().position(|argument| argument == "--overlay").and_then(|at| arguments.get(at + 1));
    let paths: Vec<&String> =
        arguments.iter().filter(|argument| !argument.starts_with("--") && Some(*argument) != overlay).collect();
    let Some((maps, messages)) = paths.split_first() else {
        eprintln!("usage: maps FOLDER [MESSAGE or FOLDER ...] [--lines] [--bundle] [--overlay NAME]");
        return ExitCode::from(2);
    };
    let Some(program) = load(Path::new(maps), overlay.map(String::as_str)) else { return ExitCode::FAILURE };
    let mut failed = false;
    for failure in program.run_tests() {
        failed = true;
        println!("{failure}");
    }
    println!("{} rules, {} tests", program.rule_count(), program.test_count());
    let mut files = Vec::new();
    for message in messages {
        walk(Path::new(message), &mut files, &["hl7", "txt", "er7", "xml", "json", "csv"]);
    }
    let mut sums = Sums::default();
    for file in &files {
        sums.add(&program, file, flag("--lines"), flag("--bundle"));
    }
    if !files.is_empty() {
        sums.print();
    }
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// Reads maps and tables of a folder; overlays only where their folder is asked for.
fn load(folder: &Path, overlay: Option<&str>) -> Option<Program> {
    let mut files = Vec::new();
    walk(folder, &mut files, &["yaml", "csv"]);
    let (mut maps, mut tables) = (Vec::new(), Vec::new());
    for file in files {
        let name = file.strip_prefix(folder).unwrap_or(&file).display().to_string();
        let Ok(text) = fs::read_to_string(&file) else {
            println!("{name} cannot be read as UTF-8");
            return None;
        };
        if name.contains("/ig-") {
            // Rows of the implementation guide are no table.
            continue;
        }
        if name.ends_with(".csv") {
            tables.push((name, text));
        } else if name.ends_with(".fmap.yaml")
            && (!name.contains("overlay/") || overlay.is_some_and(|part| name.contains(&format!("overlay/{part}"))))
        {
            maps.push(SourceFile { name, text });
        }
    }
    let tables = match Tables::load(tables) {
        Ok(tables) => tables,
        Err(faults) => {
            for fault in faults {
                println!("{fault}");
            }
            return None;
        }
    };
    match compile(&maps, &tables) {
        Ok(program) => {
            for warning in program.warnings() {
                println!("{warning}");
            }
            Some(program)
        }
        Err(found) => {
            for finding in &found {
                println!("{finding}");
            }
            println!("{} findings", found.len());
            None
        }
    }
}

fn walk(path: &Path, found: &mut Vec<PathBuf>, endings: &[&str]) {
    if path.is_file() {
        let fits = path.extension().is_some_and(|ending| endings.iter().any(|known| *known == ending));
        found.extend(fits.then(|| path.to_owned()));
        return;
    }
    let mut inner: Vec<PathBuf> =
        fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    inner.sort();
    for path in inner {
        walk(&path, found, endings);
    }
}

#[derive(Default)]
struct Sums {
    messages: u32,
    unreadable: u32,
    leaves: u32,
    emitted: u32,
    complement: u32,
    dropped: u32,
    reported: u32,
    invalid: u32,
    /// Changes that do something when they are applied a second time.
    unstable: u32,
    reported_paths: BTreeMap<String, u32>,
    issues: BTreeMap<String, u32>,
    faults: BTreeMap<String, (u32, String)>,
}

impl Sums {
    fn add(&mut self, program: &Program, file: &Path, lines: bool, bundle: bool) {
        let Ok(bytes) = fs::read(file) else { return };
        let Ok((message, _)) = program.open(&bytes, &Limits::default(), &dukou_wire::Site::default()) else {
            self.unreadable += 1;
            return;
        };
        let site = Site { id: "demo", zone: "+08:00" };
        let mapped = program.to_fhir(&message, &site);
        let accounts = &mapped.accounts;
        assert_eq!(accounts.leaves, accounts.emitted + accounts.complement + accounts.dropped + accounts.reported);
        self.messages += 1;
        self.leaves += accounts.leaves;
        self.emitted += accounts.emitted;
        self.complement += accounts.complement;
        self.dropped += accounts.dropped;
        self.reported += accounts.reported;
        for line in accounts.lines(program, &message) {
            if line.class == LeafClass::Reported {
                let path = line.path.to_string();
                let plain: String =
                    path.split('[').map(|part| part.split_once(']').map_or(part, |(_, rest)| rest)).collect();
                *self.reported_paths.entry(plain).or_default() += 1;
            }
            if lines && line.class != LeafClass::Emitted {
                let rule = line.rule.map_or(String::new(), |(map, rule)| format!("{map}/{rule}"));
                println!("{}\t{}\t{rule}\t{}", line.path, line.class.as_str(), line.reason);
            }
        }
        for issue in &mapped.issues {
            *self.issues.entry(issue.code.to_owned()).or_default() += 1;
            if lines {
                println!("{} {} {:?}", issue.code, issue.text.en, issue.expression);
            }
        }
        let whole = mapped.to_bundle();
        for change in &mapped.changes {
            let resource = change.apply(None);
            self.unstable += u32::from(change.apply(Some(&resource)) != resource);
            for fault in validate::validate(&resource, &validate::Options::default()) {
                self.invalid += 1;
                let place: String = fault.expression.join(",").chars().filter(|c| !c.is_ascii_digit()).collect();
                let entry = self.faults.entry(format!("{} {place} {}", fault.code, fault.text.en)).or_default();
                entry.0 += 1;
                entry.1 = file.display().to_string();
            }
        }
        if bundle {
            let mut out = Vec::new();
            json::print_pretty(&whole, &mut out);
            println!("{}", String::from_utf8_lossy(&out));
        }
    }

    fn print(&self) {
        let unstable = self.unstable;
        let Sums { messages, unreadable, leaves, emitted, complement, dropped, reported, invalid, .. } = self;
        println!(
            "{messages} messages ({unreadable} unreadable), {leaves} leaves: {emitted} emitted, {complement} complement, {dropped} dropped, {reported} reported; {invalid} faults of R4, {unstable} changes are not idempotent"
        );
        let top = |map: &BTreeMap<String, u32>, title: &str| {
            let mut all: Vec<_> = map.iter().collect();
            all.sort_by(|a, b| b.1.cmp(a.1));
            for (name, count) in all.into_iter().take(40) {
                println!("  {title} {count:6} {name}");
            }
        };
        top(&self.reported_paths, "reported");
        top(&self.issues, "issue");
        let mut faults: Vec<_> = self.faults.iter().collect();
        faults.sort_by_key(|fault| std::cmp::Reverse(fault.1.0));
        for (fault, (count, file)) in faults.into_iter().take(30) {
            println!("  fault {count:6} {fault} ({file})");
        }
    }
}
