//! `dukou map coverage`: how much of a folder of messages the maps carry, and how much of the implementation guide. Opens no store
//! and prints paths, never values.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use dukou_mapping::{Accounts, Guide, GuideStatus, Program};
use dukou_wire::{Format, Message};

use crate::command::choice::Choice;
use crate::command::messages;
use crate::maps::MapError;

/// What to account for.
#[derive(Debug, clap::Args)]
pub(crate) struct Coverage {
    /// Files, or folders of messages, documents and rows, that are accounted for.
    #[arg(required_unless_present = "guide")]
    paths: Vec<PathBuf>,
    /// The rows of the HL7 Version 2 to FHIR guide instead of messages: covered, different or not, as a Markdown page.
    #[arg(long)]
    guide: bool,
    /// Exit 1 when less than this percentage of the leaves is carried (of the rows covered, with --guide).
    #[arg(long)]
    min: Option<f64>,
    /// How many of the paths that no rule carries are shown, the most frequent first.
    #[arg(long, default_value_t = 20)]
    top: usize,
    /// Show the leaves of this class by path: emitted, complement, dropped or reported.
    #[arg(long, default_value = "reported", value_parser = ["emitted", "complement", "dropped", "reported"])]
    class: String,
    /// One JSON object instead of text.
    #[arg(long)]
    json: bool,
    /// Folder with maps; without it those of ./dukou.toml, else those built in.
    #[arg(long)]
    maps: Option<PathBuf>,
    #[command(flatten)]
    choice: Choice,
    /// Offset of local time for values without one.
    #[arg(long, default_value = "+08:00")]
    zone: String,
}

impl Coverage {
    /// Prints the account. False: below `--min`, a message that could not be read, or a row that nobody explains.
    pub(crate) fn run(&self) -> Result<bool, MapError> {
        let files = self.choice.read(self.maps.as_deref())?.files();
        let program = files.compile()?;
        if self.guide {
            let [rows, differs] = files.guide();
            return Ok(self.show_guide(&program.guide(rows, differs)));
        }
        dukou_fhir::Offset::parse(&self.zone).ok_or_else(|| MapError::Zone(self.zone.clone()))?;
        let mut sums = Sums::default();
        for path in &self.paths {
            for file in messages_of(path)? {
                let raw = fs::read(&file).map_err(|source| MapError::Read { folder: file.clone(), source })?;
                if !self.add(&program, &raw, file == *path, &mut sums) {
                    eprintln!("{}: passed over, no map speaks of it", file.display());
                }
            }
        }
        if self.json {
            println!("{}", sums.json(self.top));
        } else {
            sums.print(&self.class, self.top);
        }
        Ok(sums.unread == 0 && self.min.is_none_or(|min| sums.percent() >= min))
    }

    fn show_guide(&self, guide: &Guide) -> bool {
        if self.json {
            println!("{}", guide_json(guide));
        } else {
            print!("{guide}");
        }
        let explained = guide.count(GuideStatus::Unexplained) == 0 && guide.stale.is_empty();
        explained && self.min.is_none_or(|min| guide.percent() >= min)
    }

    /// Adds the messages of one file, or its document or rows. False: no map speaks of it, and nobody named it.
    fn add(&self, program: &Program, raw: &[u8], is_named: bool, sums: &mut Sums) -> bool {
        let place = dukou_mapping::Site { id: "coverage", zone: &self.zone };
        let mut known = true;
        messages::each(program, raw, &dukou_wire::Site::default(), |opened| {
            let Ok((message, _)) = opened else {
                sums.unread += 1;
                return;
            };
            if message.format() != Format::Er7 && !is_named && !program.speaks_of(&message) {
                known = false;
                return;
            }
            let mut records = program.records(&message, &place);
            records.by_ref().for_each(drop);
            sums.take(&records.accounts(), &self.class, program, &message);
        });
        known
    }
}

/// The sums over all messages.
#[derive(Default)]
struct Sums {
    messages: u64,
    unread: u64,
    /// Leaves, emitted, complement, dropped, reported.
    leaves: [u64; 5],
    /// Leaves of the class that is shown, by path without numbers of repeats.
    paths: BTreeMap<String, u64>,
}

impl Sums {
    fn take(&mut self, a: &Accounts, class: &str, program: &Program, message: &Message<'_>) {
        self.messages += 1;
        for line in a.lines(program, message).filter(|line| line.class.as_str() == class) {
            *self.paths.entry(line.path.general()).or_insert(0) += 1;
        }
        for (sum, one) in self.leaves.iter_mut().zip([a.leaves, a.emitted, a.complement, a.dropped, a.reported]) {
            *sum += u64::from(one);
        }
    }

    /// The leaves that are not reported, in percent: those are carried, kept or dropped as a rule says.
    fn percent(&self) -> f64 {
        let [leaves, .., reported] = self.leaves;
        if leaves == 0 { 100.0 } else { 100.0 * (leaves - reported) as f64 / leaves as f64 }
    }

    fn sorted(&self, top: usize) -> Vec<(&str, u64)> {
        let mut paths: Vec<(&str, u64)> = self.paths.iter().map(|(path, count)| (path.as_str(), *count)).collect();
        paths.sort_by_key(|(path, count)| (std::cmp::Reverse(*count), *path));
        paths.truncate(top);
        paths
    }

    fn print(&self, class: &str, top: usize) {
        let [leaves, emitted, complement, dropped, reported] = self.leaves;
        let share = |part: u64| if leaves == 0 { 0.0 } else { 100.0 * part as f64 / leaves as f64 };
        println!("{} messages, {} not read, {leaves} leaves", self.messages, self.unread);
        for (name, part) in
            [("emitted", emitted), ("complement", complement), ("dropped", dropped), ("reported", reported)]
        {
            println!("{name:>12} {part:>9} {:>6.2} %", share(part));
        }
        let shown = self.sorted(top);
        if !shown.is_empty() {
            println!("{class}, by path:");
        }
        for (path, count) in shown {
            println!("{count:>12} {path}");
        }
    }

    fn json(&self, top: usize) -> serde_json::Value {
        let [leaves, emitted, complement, dropped, reported] = self.leaves;
        let paths: Vec<serde_json::Value> = self
            .sorted(top)
            .into_iter()
            .map(|(path, count)| serde_json::json!({"path": path, "count": count}))
            .collect();
        serde_json::json!({
            "messages": self.messages, "unread": self.unread, "leaves": leaves, "emitted": emitted,
            "complement": complement, "dropped": dropped, "reported": reported, "percent": self.percent(), "paths": paths,
        })
    }
}

fn guide_json(guide: &Guide) -> serde_json::Value {
    let rows: Vec<serde_json::Value> = guide
        .rows
        .iter()
        .map(|row| {
            serde_json::json!({
                "source": row.source, "target": row.target, "status": row.status.to_string(), "rules": row.rules,
                "reason": row.reason,
            })
        })
        .collect();
    serde_json::json!({"percent": guide.percent(), "rows": rows, "stale": guide.stale})
}

/// The file, or the messages of a folder in their order.
pub(crate) fn messages_of(path: &Path) -> Result<Vec<PathBuf>, MapError> {
    if !path.is_dir() {
        return Ok(vec![path.to_path_buf()]);
    }
    let mut named = Vec::new();
    super::convert::walk(path, path, &mut named)
        .map_err(|source| MapError::Read { folder: path.to_path_buf(), source })?;
    let mut files: Vec<PathBuf> = named.into_iter().map(|(file, _)| file).collect();
    files.sort();
    if files.is_empty() { Err(MapError::NoMessages(path.to_path_buf())) } else { Ok(files) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn coverage() -> Coverage {
        Coverage {
            paths: Vec::new(),
            guide: false,
            min: None,
            top: 20,
            class: "reported".to_owned(),
            json: false,
            maps: None,
            choice: Choice::default(),
            zone: "+08:00".to_owned(),
        }
    }

    fn sums_of(raw: &[u8]) -> Sums {
        let program = crate::built_in_program(&[]).unwrap();
        let mut sums = Sums::default();
        coverage().add(&program, raw, true, &mut sums);
        sums
    }

    #[test]
    fn places_without_rule_are_counted_by_path_and_the_classes_add_up() {
        let sums = sums_of(b"MSH|^~\\&|LIS|LAB|HIS|H|20260105||ADT^A01|1|P|2.5\rPID|1||86000001^^^H^MR||Wang^Wei\rPV1|1|I\rZXX|a|b\rZXX|c\r");
        let [leaves, emitted, complement, dropped, reported] = sums.leaves;
        assert_eq!((sums.messages, sums.unread), (1, 0));
        assert_eq!(leaves, emitted + complement + dropped + reported);
        assert_eq!(sums.sorted(20), [("ZXX-1.1.1", 2), ("ZXX-2.1.1", 1)]);
        assert_eq!(sums.percent(), 100.0 * (leaves - 3) as f64 / leaves as f64);
    }

    #[test]
    fn what_is_no_message_is_unread_and_carries_nothing() {
        let sums = sums_of(b"{\"a\":");
        assert_eq!((sums.messages, sums.unread, sums.leaves), (0, 1, [0; 5]));
    }

    #[test]
    fn below_the_minimum_is_a_finding() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.hl7");
        fs::write(&file, "MSH|^~\\&|LIS|LAB|HIS|H|20260105||ADT^A01|1|P|2.5\rPID|1||86000001^^^H^MR\rZXX|a|b\r")
            .unwrap();
        let run = |min| Coverage { paths: vec![file.clone()], min, ..coverage() }.run().unwrap();
        assert!(run(None) && run(Some(10.0)));
        assert!(!run(Some(99.9)));
    }
}
