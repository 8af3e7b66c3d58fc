//! Maps and tables for reviewers who read FHIR: a ConceptMap for each table, two StructureMaps for each map and lens.
//!
//! StructureMaps are documents, never run: what the mapping language of FHIR cannot say (alignment by key, chains, the null
//! policy, what is kept for the way back) stands in the documentation of each rule, with file and line.

use dukou_fhir::{Object, Value};

use crate::plan::{Program, RuleFacts};

impl Program {
    /// Every table as a ConceptMap, those inside maps named by map and table; then two StructureMaps for each map and lens,
    /// to FHIR and from FHIR. In the order of names.
    pub fn export(&self) -> Vec<Value<'static>> {
        let mut all: Vec<Value<'static>> = self.tables().map(|(name, table)| table.to_concept_map(&name)).collect();
        let mut owners: Vec<(&str, &str)> = Vec::new();
        for rule in &self.rules {
            let owner = (rule.map.as_str(), rule.file.as_str());
            // An overlay's rule belongs to the map that it changes.
            if !owners.iter().any(|(map, _)| *map == owner.0) {
                owners.push(owner);
            }
        }
        owners.sort_unstable();
        for (owner, _) in owners {
            let rules: Vec<&RuleFacts> = self.rules.iter().filter(|rule| rule.map == owner).collect();
            for way in [Way::ToFhir, Way::FromFhir] {
                all.extend(structure_map(owner, &rules, way));
            }
        }
        all
    }

    /// Every table with a name of its own: that of a shared table, or map and table.
    pub fn tables(&self) -> impl Iterator<Item = (String, &dukou_terminology::Table)> {
        let mut seen: Vec<String> = Vec::new();
        let named = self.tables.iter().zip(&self.table_owners).map(move |(table, owner)| {
            let name =
                if owner.is_empty() { table.head().name.clone() } else { format!("{owner}.{}", table.head().name) };
            let twins = seen.iter().filter(|known| **known == name).count();
            seen.push(name.clone());
            (if twins == 0 { name } else { format!("{name}.{}", twins + 1) }, table)
        });
        named.collect::<Vec<_>>().into_iter()
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    ToFhir,
    FromFhir,
}

fn structure_map(owner: &str, rules: &[&RuleFacts], way: Way) -> Option<Value<'static>> {
    let (suffix, title) = match way {
        Way::ToFhir => ("to-fhir", "to FHIR"),
        Way::FromFhir => ("from-fhir", "from FHIR"),
    };
    let wanted = |rule: &&&RuleFacts| match way {
        Way::ToFhir => !rule.text.contains(" <- "),
        Way::FromFhir => rule.text.contains(" <-"),
    };
    let mut names: Vec<String> = Vec::new();
    let rules: Vec<Value<'static>> =
        rules.iter().filter(wanted).map(|rule| structure_rule(rule, way, &mut names)).collect();
    if rules.is_empty() {
        return None;
    }
    let id = dashed(&format!("{owner}-{suffix}"));
    let input =
        |name: &'static str, mode: &'static str| Value::Object(Object::new().with("name", name).with("mode", mode));
    let group = Object::new()
        .with("name", dashed(owner))
        .with("typeMode", "none")
        .with("documentation", "Each rule as it stands in the map. The map is run, not this document.")
        .with("input", Value::Array(vec![input("source", "source"), input("target", "target")]))
        .with("rule", Value::Array(rules));
    let map = Object::new()
        .with("resourceType", "StructureMap")
        .with("id", id.chars().take(64).collect::<String>())
        .with("url", format!("https://dukou.dev/fhir/StructureMap/{id}"))
        .with("name", camel(&id))
        .with("title", format!("{owner}, {title}"))
        .with("status", "active")
        .with("group", Value::Array(vec![Value::Object(group)]));
    Some(Value::Object(map))
}

fn structure_rule(rule: &RuleFacts, way: Way, names: &mut Vec<String>) -> Value<'static> {
    let name = dashed(&rule.id);
    let twins = names.iter().filter(|known| **known == name).count();
    names.push(name.clone());
    let name = if twins == 0 { name } else { format!("{name}-{}", twins + 1) };
    let (from, to): (&[String], &[String]) = match way {
        Way::ToFhir => (&rule.sources, &rule.targets),
        Way::FromFhir => (&rule.targets, &rule.sources),
    };
    let source = |element: Option<&String>| {
        let source = Object::new().with("context", "source");
        Value::Object(match element {
            Some(element) => source.with("element", element.clone()).with("variable", "value"),
            None => source,
        })
    };
    let mut sources: Vec<Value<'static>> = from.iter().map(|element| source(Some(element))).collect();
    if sources.is_empty() {
        sources.push(source(None));
    }
    let mut object =
        Object::new().with("name", name.chars().take(64).collect::<String>()).with("source", Value::Array(sources));
    let targets: Vec<Value<'static>> = to.iter().map(|element| target(rule, element, from.is_empty())).collect();
    if !targets.is_empty() {
        object.insert("target", Value::Array(targets));
    }
    object.insert("documentation", documentation(rule));
    Value::Object(object)
}

/// A place that is filled: through a table by `translate`, else by `copy`; without a source the element alone.
fn target(rule: &RuleFacts, element: &str, constant: bool) -> Value<'static> {
    let target =
        Object::new().with("context", "target").with("contextType", "variable").with("element", element.to_owned());
    if constant {
        return Value::Object(target);
    }
    let parameter = |name: &'static str, value: String| Value::Object(Object::new().with(name, value));
    let mut parameters = vec![parameter("valueId", "value".to_owned())];
    let transform = match &rule.table {
        Some(table) => {
            parameters.push(parameter("valueString", format!("#{table}")));
            parameters.push(parameter("valueString", "code".to_owned()));
            "translate"
        }
        None => "copy",
    };
    Value::Object(target.with("transform", transform).with("parameter", Value::Array(parameters)))
}

/// The rule as written and where it stands, its lens and class, its reason, and what overlays did to it.
fn documentation(rule: &RuleFacts) -> String {
    let mut text = format!("{}: {} ({}:{}; {}", rule.id, rule.text, rule.file, rule.line, rule.class);
    if !rule.lens.is_empty() {
        text.push_str(&format!(", lens {}", rule.lens));
    }
    text.push(')');
    if let Some(reason) = &rule.reason {
        text.push_str(&format!(" Reason: {reason}."));
    }
    for change in &rule.history {
        text.push_str(&format!(" {change}."));
    }
    text
}

/// An id of FHIR: letters, digits, `-` and `.`.
fn dashed(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' || c == '.' { c } else { '-' }).collect()
}

fn camel(id: &str) -> String {
    let parts = id.split(|c: char| !c.is_ascii_alphanumeric()).filter(|part| !part.is_empty());
    let text: String = parts.map(|part| part[..1].to_ascii_uppercase() + &part[1..]).collect();
    if text.starts_with(|c: char| c.is_ascii_uppercase()) { text } else { format!("Map{text}") }
}
