//! `dukou map diff`: what two sets of maps say differently, and what messages become because of it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use dukou_fhir::{ResourceKey, Value};
use dukou_mapping::{Program, Site, unified_diff};
use serde_json::json;

use crate::command::choice::{Choice, Chosen};
use crate::command::messages;
use crate::command::say;
use crate::maps::MapError;

/// What to compare.
#[derive(Debug, clap::Args)]
pub(crate) struct Diff {
    /// Folder with the maps of before.
    old: PathBuf,
    /// Folder with the maps of now.
    new: PathBuf,
    #[command(flatten)]
    choice: Choice,
    /// Messages, a file or a folder: which of their outputs change.
    #[arg(long = "in")]
    input: Option<PathBuf>,
    /// Print the values, too. They are a patient's.
    #[arg(long)]
    show_values: bool,
    /// One JSON object instead of text.
    #[arg(long)]
    json: bool,
}

/// A rule, table or word that differs.
struct Change {
    what: String,
    place: String,
    old: Option<String>,
    new: Option<String>,
}

/// One place of an output that differs.
struct Output {
    file: String,
    path: String,
    rule: Option<String>,
    old: Option<String>,
    new: Option<String>,
}

impl Diff {
    /// Prints what differs. True: nothing does.
    pub(crate) fn run(&self) -> Result<bool, MapError> {
        let now = self.choice.read(Some(&self.new))?;
        let mut before = self.choice.read_for_any_site(Some(&self.old))?;
        // The same overlays; one may be new.
        let known = before.all.overlays();
        before.overlays = now.overlays.iter().filter(|overlay| known.contains(overlay)).cloned().collect();
        let (old, new) = (before.files().compile()?, now.files().compile()?);
        let mut changes = rules(&old, &new);
        changes.extend(tables(&before, &now));
        let mut outputs = Vec::new();
        if let Some(input) = &self.input {
            for file in super::super::coverage::messages_of(input)? {
                let raw = fs::read(&file).map_err(|source| MapError::Read { folder: file.clone(), source })?;
                self.compare(&file, &raw, (&old, &new), &mut outputs);
            }
        }
        if self.json {
            let (changes, outputs): (Vec<_>, Vec<_>) =
                (changes.iter().map(Change::json).collect(), outputs.iter().map(Output::json).collect());
            say(format_args!(
                "{}",
                json!({"same": changes.is_empty() && outputs.is_empty(), "changes": changes, "outputs": outputs})
            ));
        } else {
            changes.iter().for_each(|change| say(format_args!("{change}")));
            outputs.iter().for_each(|output| say(format_args!("{output}")));
            say(format_args!(
                "{} rules and tables differ, {} values of the messages change",
                changes.len(),
                outputs.len()
            ));
        }
        Ok(changes.is_empty() && outputs.is_empty())
    }

    fn compare(&self, file: &Path, raw: &[u8], (old, new): (&Program, &Program), outputs: &mut Vec<Output>) {
        messages::each(new, raw, &dukou_wire::Site::default(), |opened| {
            let Ok((message, _)) = opened else { return };
            let site = Site { id: self.choice.site.as_deref().unwrap_or("local"), zone: "+08:00" };
            let values = |program: &Program| -> BTreeMap<(ResourceKey, String), String> {
                let mapped = program.to_fhir(&message, &site);
                let mut all = BTreeMap::new();
                for change in &mapped.changes {
                    leaves(&change.apply(None), String::new(), &mut |path, text| {
                        all.insert((change.key.clone(), path), text);
                    });
                }
                all
            };
            let (before, now) = (values(old), values(new));
            let keys: BTreeSet<_> = before.keys().chain(now.keys()).collect();
            for key in keys {
                let (one, two) = (before.get(key), now.get(key));
                // The hash of the plan differs whenever a rule does.
                if one == two || (key.0.kind.as_str() == "Provenance" && key.1.starts_with("entity")) {
                    continue;
                }
                let shown = |value: Option<&String>| {
                    value.map(|text| if self.show_values { text.clone() } else { "***".to_owned() })
                };
                let element = format!("{}.{}", key.0.kind, key.1);
                let program = if two.is_some() { new } else { old };
                let rule = program
                    .explain(&element)
                    .first()
                    .map(|rule| format!("{} of {} ({}:{})", rule.rule, rule.map, rule.file, rule.line));
                outputs.push(Output {
                    file: file.display().to_string(),
                    path: format!("{}.{}", key.0, key.1),
                    rule,
                    old: shown(one),
                    new: shown(two),
                });
            }
        });
    }
}

/// Rules by map and id, in the order of the names.
fn rules(old: &Program, new: &Program) -> Vec<Change> {
    type Rules<'p> = BTreeMap<(&'p str, &'p str, usize), (String, String)>;
    fn of(program: &Program) -> Rules<'_> {
        let mut all: Rules<'_> = BTreeMap::new();
        for rule in program.rules() {
            // Lenses to several types may share a name.
            let twin = (0..).find(|twin| !all.contains_key(&(rule.map, rule.rule, *twin))).unwrap_or(0);
            let text = if rule.class == "dropped by an overlay" {
                format!("(dropped) {}", rule.text)
            } else {
                rule.text.to_owned()
            };
            all.insert((rule.map, rule.rule, twin), (text, format!("{}:{}", rule.file, rule.line)));
        }
        all
    }
    let (before, now) = (of(old), of(new));
    let keys: BTreeSet<_> = before.keys().chain(now.keys()).collect();
    let mut changes = Vec::new();
    for key in keys {
        let (one, two) = (before.get(key), now.get(key));
        if one.map(|(text, _)| text) != two.map(|(text, _)| text) {
            changes.push(Change {
                what: format!("rule {} of {}", key.1, key.0),
                place: two.or(one).map_or_else(String::new, |(_, place)| place.clone()),
                old: one.map(|(text, _)| text.clone()),
                new: two.map(|(text, _)| text.clone()),
            });
        }
    }
    changes
}

/// Tables and heads: the other lines of the files.
fn tables(old: &Chosen, new: &Chosen) -> Vec<Change> {
    let texts = |chosen: &Chosen| -> BTreeMap<String, String> {
        chosen.files().texts().map(|(name, text)| (name.to_owned(), without_rules(name, text))).collect()
    };
    let (before, now) = (texts(old), texts(new));
    let names: BTreeSet<_> = before.keys().chain(now.keys()).collect();
    let mut changes = Vec::new();
    for name in names {
        let (one, two) = (before.get(name), now.get(name));
        if one == two {
            continue;
        }
        let diff = unified_diff(one.map_or("", String::as_str), two.map_or("", String::as_str));
        let lines = |sign: char| -> Option<String> {
            let lines: Vec<&str> = diff.lines().filter_map(|line| line.strip_prefix(sign)).map(str::trim).collect();
            (!lines.is_empty()).then(|| lines.join("\n"))
        };
        changes.push(Change {
            what: "head or table".to_owned(),
            place: name.clone(),
            old: lines('-'),
            new: lines('+'),
        });
    }
    changes
}

/// The lines of a file that are no rules, comments or examples: those are compared by their ids, or do nothing.
fn without_rules(name: &str, text: &str) -> String {
    if name.ends_with(".csv") {
        return text.to_owned();
    }
    let mut section = "";
    let mut kept = String::new();
    for line in text.lines().filter(|line| !line.trim_start().starts_with('#') && !line.trim().is_empty()) {
        if !line.starts_with(' ') {
            section = line.split(':').next().unwrap_or("");
        }
        if !matches!(section, "rules" | "tests" | "note") {
            kept.push_str(line);
            kept.push('\n');
        }
    }
    kept
}

/// Every primitive of a resource with its path.
fn leaves(value: &Value<'_>, path: String, each: &mut impl FnMut(String, String)) {
    match value {
        Value::Object(object) => {
            for (name, value) in object.iter() {
                let below = if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
                leaves(value, below, each);
            }
        }
        Value::Array(items) => {
            for (number, value) in items.iter().enumerate() {
                leaves(value, format!("{path}[{number}]"), each);
            }
        }
        Value::String(text) | Value::Number(text) => each(path, text.to_string()),
        Value::Bool(flag) => each(path, flag.to_string()),
        Value::Null => {}
    }
}

impl std::fmt::Display for Change {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({})", self.what, self.place)?;
        for (sign, text) in [('-', &self.old), ('+', &self.new)] {
            for line in text.iter().flat_map(|text| text.lines()) {
                write!(f, "\n  {sign} {line}")?;
            }
        }
        Ok(())
    }
}

impl std::fmt::Display for Output {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let verb = match (&self.old, &self.new) {
            (None, _) => "is new",
            (_, None) => "is gone",
            _ => "changes",
        };
        write!(f, "{}: {} {verb}", self.file, self.path)?;
        if let Some(rule) = &self.rule {
            write!(f, ", rule {rule}")?;
        }
        let value = |value: &Option<String>| value.clone().unwrap_or_else(|| "nothing".to_owned());
        write!(f, ": {} -> {}", value(&self.old), value(&self.new))
    }
}

impl Change {
    fn json(&self) -> serde_json::Value {
        json!({"what": self.what, "place": self.place, "old": self.old, "new": self.new})
    }
}

impl Output {
    fn json(&self) -> serde_json::Value {
        json!({"file": self.file, "path": self.path, "rule": self.rule, "old": self.old, "new": self.new})
    }
}
