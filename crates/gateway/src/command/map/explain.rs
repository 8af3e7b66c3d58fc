//! `dukou map explain`: which rule speaks of a path, and what became of it in a message.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use dukou_fhir::Value;
use dukou_mapping::{Explanation, LeafClass, Program, Site, covers};
use dukou_wire::Message;
use serde_json::json;

use crate::command::choice::Choice;
use crate::command::messages;
use crate::command::say;
use crate::maps::MapError;

/// What to explain.
#[derive(Debug, clap::Args)]
pub(crate) struct Explain {
    /// A place of a message (PID-8, PID-5.2, ZPI) or of a resource (Patient.gender); with --in it may be left out.
    #[arg(required_unless_present = "input")]
    path: Option<String>,
    /// Folder with maps; without it those of ./dukou.toml, else those built in.
    #[arg(long)]
    maps: Option<PathBuf>,
    #[command(flatten)]
    choice: Choice,
    /// A message: what each of its values became, and by which rule.
    #[arg(long = "in")]
    input: Option<PathBuf>,
    /// Print the values of the message, too. They are a patient's.
    #[arg(long)]
    show_values: bool,
    /// Offset of local time for values without one.
    #[arg(long, default_value = "+08:00")]
    zone: String,
    /// One JSON object instead of text.
    #[arg(long)]
    json: bool,
}

/// What became of one value of a message, or where one value of a resource comes from.
struct Step {
    source: String,
    class: &'static str,
    rule: Option<(String, String)>,
    reason: String,
    target: String,
    value: String,
}

impl Explain {
    /// Prints the rules and the trace. False: no rule speaks of the path, and nothing of it stands in the message.
    pub(crate) fn run(&self) -> Result<bool, MapError> {
        let program = self.choice.read(self.maps.as_deref())?.files().compile()?;
        let rules = self.path.as_deref().map(|path| program.explain(path)).unwrap_or_default();
        let mut steps = Vec::new();
        if let Some(file) = &self.input {
            let raw = fs::read(file).map_err(|source| MapError::Read { folder: file.clone(), source })?;
            messages::each(&program, &raw, &dukou_wire::Site::default(), |opened| match opened {
                Ok((message, _)) => self.trace(&program, &message, &mut steps),
                Err(reason) => eprintln!("{}: no message that can be read: {reason}", file.display()),
            });
        }
        if self.json {
            say(format_args!(
                "{}",
                json!({"rules": rules.iter().map(rule_json).collect::<Vec<_>>(), "trace": steps.iter().map(Step::json).collect::<Vec<_>>()})
            ));
        } else {
            let near =
                self.path.as_deref().filter(|_| steps.is_empty()).map(|path| program.near(path)).unwrap_or_default();
            self.print(&rules, &near, &steps);
        }
        Ok(!rules.is_empty() || !steps.is_empty())
    }

    fn print(&self, rules: &[Explanation<'_>], near: &[&str], steps: &[Step]) {
        if let Some(path) = self.path.as_deref().filter(|_| rules.is_empty()) {
            say(format_args!("no rule speaks of {path}"));
            if !near.is_empty() {
                say(format_args!("    did you mean {}?", near.join(", ")));
            }
        }
        for rule in rules {
            say(format_args!("{rule}"));
        }
        if let Some(file) = &self.input {
            say(format_args!("{}in {}:", if rules.is_empty() { "" } else { "\n" }, file.display()));
            if steps.is_empty() {
                say(format_args!("    nothing of it stands in this message"));
            }
        }
        for step in steps {
            say(format_args!("{step}"));
        }
    }

    /// The values that the path means; every one where no path is given.
    fn trace(&self, program: &Program, message: &Message<'_>, steps: &mut Vec<Step>) {
        let site = Site { id: self.choice.site.as_deref().unwrap_or("local"), zone: &self.zone };
        let (mapped, trace) = program.trace(message, &site);
        let wanted = |path: &str| self.path.as_deref().is_none_or(|wanted| covers(wanted, path));
        let resources: Vec<_> =
            mapped.changes.iter().map(|change| (change.key.clone(), change.apply(None).into_static())).collect();
        let mut told = BTreeSet::new();
        for line in trace.lines() {
            let leaves: Vec<_> = message
                .leaves()
                .filter(|leaf| line.sources.iter().any(|range| range.contains(&leaf.node.span().start)))
                .collect();
            let target = format!("{}.{}", line.resource.kind, line.path);
            let from = leaves.iter().any(|leaf| wanted(&leaf.path(message).to_string()));
            if !from && !wanted(&target) {
                continue;
            }
            let resource = resources.iter().find(|(key, _)| *key == line.resource).map(|(_, value)| value);
            let Some(value) = resource.and_then(|resource| resource.get(&line.path)) else { continue };
            let (map, rule) = line.rule(program);
            let source: Vec<String> = leaves.iter().map(|leaf| leaf.path(message).to_string()).collect();
            told.extend(source.iter().cloned());
            steps.push(Step {
                source: if source.is_empty() { "(no value of the message)".to_owned() } else { source.join(", ") },
                class: "emitted",
                rule: Some((map.to_owned(), rule.to_owned())),
                reason: String::new(),
                target: format!("{}.{}", line.resource, line.path),
                value: self.shown(&text_of(value)),
            });
        }
        for (line, leaf) in mapped.accounts.lines(program, message).zip(message.leaves()) {
            let source = line.path.to_string();
            if !wanted(&source) || told.contains(&source) || (line.class == LeafClass::Emitted && self.path.is_none()) {
                continue;
            }
            steps.push(Step {
                source,
                class: line.class.as_str(),
                rule: line.rule.map(|(map, rule)| (map.to_owned(), rule.to_owned())),
                reason: line.reason.to_owned(),
                target: String::new(),
                value: self.shown(&leaf.node.text()),
            });
        }
    }

    fn shown(&self, value: &str) -> String {
        if self.show_values { value.to_owned() } else { "***".to_owned() }
    }
}

impl std::fmt::Display for Step {
    /// Source, class, target and rule; the value stands last.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "    {} ", self.source)?;
        match self.target.is_empty() {
            true => write!(f, "is {}", self.class)?,
            false => write!(f, "-> {}", self.target)?,
        }
        if let Some((map, rule)) = &self.rule {
            write!(f, " by {rule} of {map}")?;
        }
        if !self.reason.is_empty() {
            write!(f, " ({})", self.reason)?;
        }
        write!(f, ": {}", self.value)
    }
}

impl Step {
    fn json(&self) -> serde_json::Value {
        let rule = self.rule.as_ref().map(|(map, rule)| json!({"map": map, "rule": rule}));
        json!({"source": self.source, "class": self.class, "rule": rule, "reason": self.reason, "target": self.target, "value": self.value})
    }
}

fn text_of(value: &Value<'_>) -> String {
    match value {
        Value::String(text) | Value::Number(text) => text.to_string(),
        other => {
            let mut text = Vec::new();
            dukou_fhir::json::print(other, &mut text);
            String::from_utf8_lossy(&text).into_owned()
        }
    }
}

fn rule_json(rule: &Explanation<'_>) -> serde_json::Value {
    json!({
        "map": rule.map, "rule": rule.rule, "file": rule.file, "line": rule.line, "text": rule.text, "targets": rule.targets,
        "lens": rule.lens, "class": rule.class, "table": rule.table, "overlays": rule.overlays,
    })
}
