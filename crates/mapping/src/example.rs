//! Examples that stand in maps and overlays: what is written there, and the check that it can be meant.

mod input;
mod judge;
mod laws;
mod shape;

use dukou_fhir::ResourceType;
use dukou_fhir::schema::TypeId;

use crate::compiler::Compiler;
use crate::diagnostic::{Findings, nearest, nearest_or_all};
use crate::file::MapFile;
use crate::section::Section;
use crate::targets::member_names;
use crate::yaml::Tree;

pub use judge::{Cause, ExampleFailure};

/// An example of a map: a message, and what it must become.
#[derive(Clone, Debug)]
pub struct Example {
    map: String,
    file: String,
    line: u32,
    note: String,
    message: String,
    /// Whether the message has a header of its own.
    header: bool,
    get: Option<Tree>,
    absent: Vec<String>,
    reported: Option<Vec<String>>,
    laws: bool,
    /// Emits by name, or one without.
    emits: Vec<(Option<String>, ResourceType)>,
}

impl Example {
    /// The file it stands in: that of the map or that of an overlay.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The message, with a header where the example states none.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The line it begins on, from 1.
    pub fn line(&self) -> u32 {
        self.line
    }
}

/// Reads the examples of a map and of the overlays that change it.
pub(crate) fn read(map: &MapFile, compiler: &mut Compiler<'_, '_>) -> Vec<Example> {
    let emits: Vec<(Option<String>, ResourceType)> = map
        .emits
        .iter()
        .filter_map(|emit| {
            let kind = ResourceType::parse(&emit.fhir.value)?;
            Some((map.several.then(|| emit.name.value.clone()), kind))
        })
        .collect();
    let mut examples = Vec::new();
    for tree in &map.tests {
        let findings = &mut compiler.findings;
        let Some(section) = Section::new(tree, "a test", findings) else { continue };
        section.only(&["in", "get", "absent", "reported", "laws", "note"], findings);
        let Some(input) = section.text("in", findings) else {
            findings.error("E-HEAD", tree.place(), "the test has no message", "write: in: \"PID|...\"");
            continue;
        };
        absent_elements(&section, &emits, findings);
        if let Some(get) = section.get("get") {
            expected(get, &emits, findings);
        }
        let texts = |key, findings: &mut Findings<'_>| {
            section.words(key, findings).into_iter().map(|word| word.value).collect::<Vec<_>>()
        };
        examples.push(Example {
            map: map.name.value.clone(),
            file: compiler.names[tree.place().file as usize].clone(),
            line: tree.place().line,
            note: section.text("note", &mut compiler.findings).map_or_else(String::new, |word| word.value),
            message: input::document(&input.value, map),
            header: input.value.starts_with("MSH"),
            get: section.get("get").cloned(),
            absent: texts("absent", &mut compiler.findings),
            reported: section.has("reported").then(|| texts("reported", &mut compiler.findings)),
            laws: laws(&section, &mut compiler.findings),
            emits: emits.clone(),
        });
    }
    examples
}

/// Whether laws are asked for beside those that hold for every example.
fn laws(section: &Section<'_>, findings: &mut Findings<'_>) -> bool {
    let words = section.words("laws", findings);
    for word in &words {
        if !laws::NAMES.contains(&word.value.as_str()) {
            let text = format!("'{}' is no law", word.value);
            findings.error("E-HEAD", word.place, text, format!("known: {}", laws::NAMES.join(", ")));
        }
    }
    !words.is_empty()
}

/// Every name under `get` must be an emit or an element, so that no expectation is passed over.
fn expected(get: &Tree, emits: &[(Option<String>, ResourceType)], findings: &mut Findings<'_>) {
    let [(None, kind)] = emits else {
        let Tree::Map(members) = get else {
            findings.error("E-HEAD", get.place(), "get must name emits", "write: get: {EMIT: [{element: value}]}");
            return;
        };
        for (name, tree) in &members.value {
            match emits.iter().find(|(emit, _)| emit.as_deref() == Some(&name.value)) {
                Some((_, kind)) => elements(tree, TypeId::of(*kind), findings),
                None => {
                    let names = emits.iter().filter_map(|(emit, _)| emit.as_deref());
                    let text = format!("'{}' is no emit of this map", name.value);
                    findings.error("E-TARGET", name.place, text, nearest(&name.value, names));
                }
            }
        }
        return;
    };
    elements(get, TypeId::of(*kind), findings);
}

fn elements(tree: &Tree, kind: TypeId, findings: &mut Findings<'_>) {
    match tree {
        Tree::Text(_) => {}
        Tree::List(items) => items.value.iter().for_each(|item| elements(item, kind, findings)),
        Tree::Map(members) => {
            for (name, below) in &members.value {
                // What stands beside a primitive, and the type of a contained resource, are JSON's own (FHIR R4, json).
                if name.value == "resourceType" || name.value.starts_with('_') {
                    continue;
                }
                match kind.member(&name.value) {
                    Some(member) => elements(below, member.content.kind, findings),
                    None => no_element(kind, name, findings),
                }
            }
        }
    }
}

fn no_element(kind: TypeId, name: &crate::place::Word, findings: &mut Findings<'_>) {
    let names = member_names(kind);
    let hint = nearest_or_all(&name.value, &names.iter().map(String::as_str).collect::<Vec<_>>());
    findings.error("E-TARGET", name.place, format!("{} has no element '{}'", kind.name(), name.value), hint);
}

/// A misspelt element is absent for ever.
fn absent_elements(section: &Section<'_>, emits: &[(Option<String>, ResourceType)], findings: &mut Findings<'_>) {
    for word in section.words("absent", findings) {
        let (emit, element) = match emits {
            [(None, _)] => (None, word.value.as_str()),
            _ => word.value.split_once('.').map_or((None, word.value.as_str()), |(emit, path)| (Some(emit), path)),
        };
        let Some((_, kind)) = emits.iter().find(|(name, _)| name.as_deref() == emit) else {
            let names = emits.iter().filter_map(|(name, _)| name.as_deref());
            let near = nearest(emit.unwrap_or(element), names);
            let hint = if near.is_empty() { "write: absent: [EMIT.element]".to_owned() } else { near };
            findings.error("E-TARGET", word.place, format!("'{}' names no emit of this map", word.value), hint);
            continue;
        };
        let first = element.split(['.', '[']).next().unwrap_or("");
        let kind = TypeId::of(*kind);
        if kind.member(first.trim_start_matches('_')).is_none() {
            no_element(kind, &crate::place::Placed::new(first.to_owned(), word.place), findings);
        }
    }
}
