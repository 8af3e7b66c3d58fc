//! Examples that stand in maps, and their runner.

use dukou_fhir::Value;
use dukou_wire::{Limits, er7};

use crate::diagnostic::Findings;
use crate::file::MapFile;
use crate::plan::Program;
use crate::run::Site;
use crate::section::Section;
use crate::tally::LeafClass;
use crate::yaml::Tree;

/// An example of a map.
#[derive(Clone, Debug)]
pub(crate) struct Example {
    map: String,
    line: u32,
    message: String,
    get: Option<Tree>,
    absent: Vec<String>,
    reported: Option<Vec<String>>,
    /// Emits by name, or one without.
    emits: Vec<(Option<String>, dukou_fhir::ResourceType)>,
}

/// An example that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExampleFailure {
    /// The map.
    pub map: String,
    /// The line of the example in its file, from 1.
    pub line: u32,
    /// Each difference: path, expected, found.
    pub differences: Vec<String>,
}

impl std::fmt::Display for ExampleFailure {
    /// Map and line, then a line for each difference.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: the test on line {} does not hold", self.map, self.line)?;
        for difference in &self.differences {
            write!(f, "\n    {difference}")?;
        }
        Ok(())
    }
}

/// Reads the examples of a map.
pub(crate) fn read(map: &MapFile, findings: &mut Findings<'_>) -> Vec<Example> {
    let mut examples = Vec::new();
    for tree in &map.tests {
        let Some(section) = Section::new(tree, "a test", findings) else { continue };
        section.only(&["in", "get", "absent", "reported", "laws", "note"], findings);
        let Some(input) = section.text("in", findings) else {
            findings.error("E-HEAD", tree.place(), "the test has no message", "write: in: \"PID|...\"");
            continue;
        };
        let texts = |key, findings: &mut Findings<'_>| {
            section.words(key, findings).into_iter().map(|word| word.value).collect::<Vec<_>>()
        };
        let absent = texts("absent", findings);
        let reported = section.has("reported").then(|| texts("reported", findings));
        let emits = map.emits.iter().filter_map(|emit| {
            let kind = dukou_fhir::ResourceType::parse(&emit.fhir.value)?;
            Some((map.several.then(|| emit.name.value.clone()), kind))
        });
        examples.push(Example {
            map: map.name.value.clone(),
            line: tree.place().line,
            message: message(&input.value, map),
            get: section.get("get").cloned(),
            absent,
            reported,
            emits: emits.collect(),
        });
    }
    examples
}

/// The input with a header in front where it has none.
fn message(input: &str, map: &MapFile) -> String {
    let body = input.trim_end().replace('\n', "\r");
    if body.starts_with("MSH") {
        return body;
    }
    let stated = map.applies.messages.first().map_or("ADT_A01", |word| word.value.as_str());
    let (code, rest) = stated.split_once('_').unwrap_or((stated, ""));
    let event = map.applies.events.first().map_or(rest, |word| word.value.as_str());
    let structure = if stated.contains('_') { stated.to_owned() } else { String::new() };
    let version = map.applies.range().map_or("2.5", |(_, high)| if high.starts_with("2.4") { "2.4" } else { "2.5" });
    format!("MSH|^~\\&|HIS|H|DUKOU|D|20240102030405+0800||{code}^{event}^{structure}|1|P|{version}\r{body}")
}

impl Program {
    /// Runs the examples of all maps; nothing comes back where all hold.
    pub fn run_tests(&self) -> Vec<ExampleFailure> {
        let site = Site { id: "example", zone: "+08:00" };
        self.tests.iter().filter_map(|example| self.run_example(example, &site)).collect()
    }

    /// How many examples there are.
    pub fn test_count(&self) -> usize {
        self.tests.len()
    }

    fn run_example(&self, example: &Example, site: &Site<'_>) -> Option<ExampleFailure> {
        let mut differences = Vec::new();
        let wire_site = dukou_wire::Site::default();
        match er7::parse(example.message.as_bytes(), &Limits::default(), &wire_site) {
            Ok((message, _)) => {
                let mapped = self.to_fhir(&message, site);
                let bundle = mapped.to_bundle();
                example.compare(&bundle, &mut differences);
                let accounts = &mapped.accounts;
                if accounts.leaves != accounts.emitted + accounts.complement + accounts.dropped + accounts.reported {
                    differences.push("the account of the leaves does not add up".to_owned());
                }
                if let Some(expected) = &example.reported {
                    let lines = accounts.lines(self, &message);
                    let reported: Vec<String> = lines
                        .filter(|line| line.class == LeafClass::Reported)
                        .map(|line| line.path.to_string())
                        .collect();
                    if reported != *expected {
                        differences.push(format!("reported: expected {expected:?}, found {reported:?}"));
                    }
                }
                let again = self.to_fhir(&message, site);
                if again.to_bundle() != bundle {
                    differences.push("a second run gives another result".to_owned());
                }
            }
            Err(error) => differences.push(format!("the message cannot be read: {error}")),
        }
        (!differences.is_empty()).then(|| ExampleFailure { map: example.map.clone(), line: example.line, differences })
    }
}

impl Example {
    fn compare(&self, bundle: &Value<'_>, differences: &mut Vec<String>) {
        let resources: Vec<&Value<'_>> =
            bundle.list_at("entry").iter().filter_map(|entry| entry.get("resource")).collect();
        let of = |kind: dukou_fhir::ResourceType| -> Vec<&Value<'_>> {
            resources.iter().copied().filter(|resource| resource.resource_type() == Some(kind.as_str())).collect()
        };
        for (name, kind) in &self.emits {
            let found = of(*kind);
            match (name, &self.get) {
                (None, Some(expected)) => match found.first() {
                    Some(resource) => subset(kind.as_str(), expected, resource, differences),
                    None => differences.push(format!("no {kind} is made")),
                },
                (Some(name), Some(Tree::Map(members))) => {
                    let Some((_, expected)) = members.value.iter().find(|(key, _)| key.value == *name) else {
                        continue;
                    };
                    match expected {
                        Tree::List(items) => {
                            if items.value.len() != found.len() {
                                differences.push(format!(
                                    "{name}: expected {} resources, found {}",
                                    items.value.len(),
                                    found.len()
                                ));
                            }
                            for (item, resource) in items.value.iter().zip(&found) {
                                subset(name, item, resource, differences);
                            }
                        }
                        one => match found.first() {
                            Some(resource) => subset(name, one, resource, differences),
                            None => differences.push(format!("no {name} is made")),
                        },
                    }
                }
                _ => {}
            }
            for absent in &self.absent {
                let element =
                    name.as_ref().map_or(Some(absent.as_str()), |name| absent.strip_prefix(&format!("{name}.")));
                let Some(element) = element else { continue };
                if found.iter().any(|resource| resource.get(element).is_some()) {
                    differences.push(format!("{kind}.{element} should be absent"));
                }
            }
        }
    }
}

/// Everything expected must be there; lists have the expected length.
fn subset(path: &str, expected: &Tree, found: &Value<'_>, differences: &mut Vec<String>) {
    match (expected, found) {
        (Tree::Map(members), Value::Object(object)) => {
            for (key, expected) in &members.value {
                match object.get(&key.value) {
                    Some(found) => subset(&format!("{path}.{}", key.value), expected, found, differences),
                    None => differences.push(format!("{path}.{}: missing", key.value)),
                }
            }
        }
        (Tree::List(items), Value::Array(values)) => {
            if items.value.len() != values.len() {
                differences.push(format!("{path}: expected {} items, found {}", items.value.len(), values.len()));
            }
            for (number, (expected, found)) in items.value.iter().zip(values).enumerate() {
                subset(&format!("{path}[{number}]"), expected, found, differences);
            }
        }
        (Tree::Text(word), found) => {
            let text = match found {
                Value::String(text) | Value::Number(text) => text.to_string(),
                Value::Bool(flag) => flag.to_string(),
                Value::Null => "null".to_owned(),
                Value::Array(_) | Value::Object(_) => "a list or an object".to_owned(),
            };
            if text != word.value {
                differences.push(format!("{path}: expected {}, found {text}", word.value));
            }
        }
        _ => differences.push(format!("{path}: of another shape")),
    }
}
