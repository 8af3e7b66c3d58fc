//! Runs examples and says of one that does not hold what differs, and which rule is behind it.

use std::fmt;

use dukou_fhir::{Object, ResourceKey, ResourceType, Value, json};
use dukou_wire::{Limits, Message};

use super::Example;
use super::shape::{Parting, of_expected, of_found, partings};
use crate::explain::{bare, fits};
use crate::mapped::Mapped;
use crate::plan::Program;
use crate::run::Site;
use crate::tally::{AccountLine, LeafClass};
use crate::trace::{Trace, TraceLine};
use crate::unified::unified_diff;
use crate::yaml::Tree;

/// An example that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExampleFailure {
    /// The map.
    pub map: String,
    /// The file of the example: that of the map or of an overlay.
    pub file: String,
    /// The line of the example in its file, from 1.
    pub line: u32,
    /// What the example says of itself, or empty.
    pub note: String,
    /// What was expected and what was found, in the unified form; only elements that the example names.
    pub diff: String,
    /// What else does not hold, a sentence each.
    pub faults: Vec<String>,
    /// Which rule wrote what was found, or why nothing was written.
    pub causes: Vec<Cause>,
}

/// What is behind one difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// The element, `Patient.gender`.
    pub path: String,
    /// The rule with file and line, or what the message lacks; holds no value.
    pub text: String,
}

impl fmt::Display for ExampleFailure {
    /// File, line and map; the difference; the causes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: a test of {} does not hold", self.file, self.line, self.map)?;
        if !self.note.is_empty() {
            write!(f, " ({})", self.note)?;
        }
        if !self.diff.is_empty() {
            write!(f, "\n--- expected\n+++ found\n{}", self.diff.trim_end())?;
        }
        for fault in &self.faults {
            write!(f, "\n{fault}")?;
        }
        for cause in &self.causes {
            write!(f, "\n{}: {}", cause.path, cause.text)?;
        }
        Ok(())
    }
}

impl Program {
    /// The examples of all maps and overlays.
    pub fn examples(&self) -> &[Example] {
        &self.tests
    }

    /// Runs all examples; nothing comes back where all hold.
    pub fn run_tests(&self) -> Vec<ExampleFailure> {
        self.tests.iter().filter_map(|example| self.judge(example)).collect()
    }

    /// How many examples there are.
    pub fn test_count(&self) -> usize {
        self.tests.len()
    }

    /// Runs one example; nothing where it holds.
    pub fn judge(&self, example: &Example) -> Option<ExampleFailure> {
        let mut failure = ExampleFailure {
            map: example.map.clone(),
            file: example.file.clone(),
            line: example.line,
            note: example.note.clone(),
            diff: String::new(),
            faults: Vec::new(),
            causes: Vec::new(),
        };
        match self.open(example.message.as_bytes(), &Limits::default(), &dukou_wire::Site::default()) {
            Ok((message, _)) => Judge::new(self, example, &message).judge(&mut failure),
            Err(error) => failure.faults.push(format!("the message cannot be read: {error}")),
        }
        (!failure.diff.is_empty() || !failure.faults.is_empty()).then_some(failure)
    }
}

/// One example and what became of its message.
struct Judge<'j> {
    program: &'j Program,
    example: &'j Example,
    message: &'j Message<'j>,
    mapped: Mapped<'j>,
    trace: Trace,
    resources: Vec<(ResourceKey, Value<'static>)>,
}

impl<'j> Judge<'j> {
    fn new(program: &'j Program, example: &'j Example, message: &'j Message<'j>) -> Self {
        let (mapped, trace) = program.trace(message, &SITE);
        let resources =
            mapped.changes.iter().map(|change| (change.key.clone(), change.apply(None).into_static())).collect();
        Judge { program, example, message, mapped, trace, resources }
    }

    fn judge(&self, failure: &mut ExampleFailure) {
        let mut parted: Vec<(ResourceType, Option<&ResourceKey>, Parting)> = Vec::new();
        let (mut expected, mut found) = (Object::new(), Object::new());
        for (name, kind) in &self.example.emits {
            self.absent(name.as_deref(), *kind, failure);
            if let Some(wanted) = self.wanted(name.as_deref()) {
                let label = name.as_deref().unwrap_or(kind.as_str());
                let (one, two) = self.compare(wanted, *kind, &mut parted);
                expected.insert(label.to_owned(), one);
                if let Some(two) = two {
                    found.insert(label.to_owned(), two);
                }
            }
        }
        if !parted.is_empty() {
            let pretty = |object: Object<'static>| {
                let mut text = Vec::new();
                json::print_pretty(&Value::Object(object), &mut text);
                String::from_utf8_lossy(&text).into_owned()
            };
            failure.diff = unified_diff(&pretty(expected), &pretty(found));
        }
        let lines: Vec<AccountLine<'_>> = self.mapped.accounts.lines(self.program, self.message).collect();
        for (kind, key, parting) in parted.iter().take(CAUSES_MAX) {
            failure.causes.push(self.cause(*kind, *key, parting, &lines));
        }
        self.reported(&lines, failure);
        if self.example.laws {
            failure.faults.extend(self.program.broken_laws(self.message, &SITE));
        } else {
            self.always(failure);
        }
    }

    /// What is expected of an emit.
    fn wanted(&self, name: Option<&str>) -> Option<&'j Tree> {
        match (name, self.example.get.as_ref()?) {
            (None, tree) => Some(tree),
            (Some(name), Tree::Map(members)) => {
                members.value.iter().find(|(key, _)| key.value == name).map(|(_, tree)| tree)
            }
            _ => None,
        }
    }

    /// Both sides of one emit, and where they part.
    fn compare<'s>(
        &'s self,
        wanted: &Tree,
        kind: ResourceType,
        parted: &mut Vec<(ResourceType, Option<&'s ResourceKey>, Parting)>,
    ) -> (Value<'static>, Option<Value<'static>>) {
        let made: Vec<&(ResourceKey, Value<'static>)> =
            self.resources.iter().filter(|(key, _)| key.kind == kind).collect();
        let none = Parting { path: String::new(), missing: true };
        let mut against = |tree: &Tree, at: usize| match made.get(at) {
            Some((key, value)) => {
                let mut all = Vec::new();
                partings("", tree, value, &mut all);
                parted.extend(all.into_iter().map(|one| (kind, Some(key), one)));
            }
            None => parted.push((kind, None, none.clone())),
        };
        let Tree::List(items) = wanted else {
            against(wanted, 0);
            let value = made.first().map(|(_, value)| value);
            return (of_expected(wanted, value), value.map(|value| of_found(wanted, value)));
        };
        for (at, item) in items.value.iter().enumerate() {
            against(item, at);
        }
        for (key, _) in made.iter().skip(items.value.len()) {
            parted.push((kind, Some(key), Parting { path: String::new(), missing: false }));
        }
        let list = Value::Array(made.iter().map(|(_, value)| value.clone()).collect());
        (of_expected(wanted, Some(&list)), Some(of_found(wanted, &list)))
    }

    fn absent(&self, name: Option<&str>, kind: ResourceType, failure: &mut ExampleFailure) {
        for absent in &self.example.absent {
            let element = match name {
                None => Some(absent.as_str()),
                Some(name) => absent.strip_prefix(name).and_then(|rest| rest.strip_prefix('.')),
            };
            let Some(element) = element else { continue };
            for (key, _) in
                self.resources.iter().filter(|(key, value)| key.kind == kind && value.get(element).is_some())
            {
                failure.faults.push(format!("{kind}.{element} should be absent"));
                let parting = Parting { path: element.to_owned(), missing: false };
                failure.causes.push(self.cause(kind, Some(key), &parting, &[]));
            }
        }
    }

    /// Whether a leaf is reported; the header is the example's own only where the example states it.
    fn open(&self, line: &AccountLine<'_>) -> bool {
        line.class == LeafClass::Reported && (self.example.header || !line.path.to_string().starts_with("MSH"))
    }

    /// The leaves reported must be exactly those that the example names.
    fn reported(&self, lines: &[AccountLine<'_>], failure: &mut ExampleFailure) {
        let Some(expected) = &self.example.reported else { return };
        let reported: Vec<&AccountLine<'_>> = lines.iter().filter(|line| self.open(line)).collect();
        let listed = |paths: &[String]| paths.iter().map(|path| format!("{path}\n")).collect::<String>();
        // A field stands for all that lies in it.
        let covered = |line: &AccountLine<'_>| expected.iter().find(|path| fits(path, &line.path.to_string()));
        let found: Vec<String> =
            reported.iter().map(|line| covered(line).cloned().unwrap_or_else(|| line.path.to_string())).collect();
        let mut once = found.clone();
        once.dedup();
        if once == *expected {
            return;
        }
        let diff = unified_diff(&listed(expected), &listed(&once));
        failure.faults.push(format!("--- reported, expected\n+++ reported, found\n{}", diff.trim_end()));
        for line in reported.iter().filter(|line| covered(line).is_none()).take(CAUSES_MAX) {
            failure.causes.push(Cause { path: line.path.to_string(), text: fate(line, self.program) });
        }
    }

    /// What holds of every example, whether laws are asked for or not.
    fn always(&self, failure: &mut ExampleFailure) {
        let accounts = &self.mapped.accounts;
        if accounts.leaves != accounts.emitted + accounts.complement + accounts.dropped + accounts.reported {
            failure.faults.push("the account of the leaves does not add up".to_owned());
        }
        if self.program.to_fhir(self.message, &SITE).to_bundle() != self.mapped.to_bundle() {
            failure.faults.push("a second run gives another result".to_owned());
        }
    }

    fn cause(
        &self,
        kind: ResourceType,
        key: Option<&ResourceKey>,
        parting: &Parting,
        lines: &[AccountLine<'_>],
    ) -> Cause {
        let dot = if parting.path.is_empty() || parting.path.starts_with('[') { "" } else { "." };
        let path = format!("{kind}{dot}{}", parting.path);
        let Some(key) = key else {
            return Cause { path, text: self.not_made(kind) };
        };
        let text = match self.writer(key, &parting.path).filter(|_| !parting.missing) {
            Some(line) => self.written(line),
            None => self.unwritten(&path, lines),
        };
        Cause { path, text }
    }

    /// No resource of the type: what the mapping had to say, else which segments would make one.
    fn not_made(&self, kind: ResourceType) -> String {
        let mut said: Vec<String> = self.mapped.issues.iter().map(|issue| issue.text.en.to_string()).collect();
        said.dedup();
        let pers = self.program.maps.iter().flat_map(|map| &map.emits).filter(|emit| emit.kind == kind);
        let mut pers: Vec<&str> = pers.map(|emit| emit.per.as_str()).collect();
        pers.dedup();
        match said.as_slice() {
            [] => format!("none is made; one comes of each {}", pers.join(", ")),
            said => format!("none is made: {}", said.join("; ")),
        }
    }

    /// The note of the narrowest value that holds the element.
    fn writer(&self, key: &ResourceKey, path: &str) -> Option<&TraceLine> {
        let within = |line: &&TraceLine| {
            line.resource == *key
                && (line.path == path || path.strip_prefix(&line.path).is_some_and(|rest| rest.starts_with(['.', '['])))
        };
        let exact = self.trace.lines().iter().filter(within).max_by_key(|line| line.path.len());
        // Else something below it.
        exact.or_else(|| self.trace.lines().iter().find(|line| line.resource == *key && line.path.starts_with(path)))
    }

    fn written(&self, line: &TraceLine) -> String {
        let facts = &self.program.rules[line.rule as usize];
        let mut from: Vec<String> = Vec::new();
        for range in &line.sources {
            let leaf = self.message.leaves().find(|leaf| range.contains(&leaf.node.span().start));
            from.extend(leaf.map(|leaf| leaf.path(self.message).to_string()));
        }
        let from = if from.is_empty() { "a constant or a reference".to_owned() } else { from.join(", ") };
        format!(
            "written by rule {} of {} ({}:{}) from {from}: {}",
            facts.id, facts.map, facts.file, facts.line, facts.text
        )
    }

    /// The rules that would write the element, each with what the message holds for it.
    fn unwritten(&self, path: &str, lines: &[AccountLine<'_>]) -> String {
        let element = bare(path);
        let rules = self.program.rules.iter().filter(|rule| rule.targets.iter().any(|target| fits(target, &element)));
        let mut said = Vec::new();
        for rule in rules.take(RULES_MAX) {
            let heard =
                rule.sources.iter().find_map(|source| lines.iter().find(|line| fits(source, &line.path.to_string())));
            let why = match heard {
                None if rule.sources.is_empty() => "is a constant under a guard".to_owned(),
                None => format!("would write it from {}, where the message says nothing", rule.sources.join(", ")),
                Some(line) => format!("would write it from {}: {}", line.path, fate(line, self.program)),
            };
            said.push(format!("rule {} of {} ({}:{}) {why}", rule.id, rule.map, rule.file, rule.line));
        }
        if said.is_empty() {
            said.push("no rule writes it".to_owned());
        }
        let open = lines.iter().filter(|line| self.open(line)).take(RULES_MAX);
        let open: Vec<String> = open.map(|line| line.path.to_string()).collect();
        if !open.is_empty() {
            said.push(format!("reported in this message: {}", open.join(", ")));
        }
        said.join("; ")
    }
}

/// What became of a leaf, and by which rule.
fn fate(line: &AccountLine<'_>, program: &Program) -> String {
    let rule = line.rule.map(|(map, id)| {
        let facts = program.rules.iter().find(|rule| rule.map == map && rule.id == id);
        let place = facts.map_or_else(String::new, |facts| format!(" ({}:{})", facts.file, facts.line));
        format!(" by rule {id} of {map}{place}")
    });
    let reason = if line.reason.is_empty() { String::new() } else { format!(": {}", line.reason) };
    format!("{}{}{reason}", line.class.as_str(), rule.unwrap_or_default())
}

const SITE: Site<'static> = Site { id: "example", zone: "+08:00" };
/// Differences of one example that are explained.
const CAUSES_MAX: usize = 8;
/// Rules named for one difference.
const RULES_MAX: usize = 4;
