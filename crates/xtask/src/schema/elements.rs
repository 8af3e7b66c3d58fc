//! StructureDefinitions as one line an element.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde_json::Value;

use super::{Fault, STRUCTURES, list, text};

/// The table, and the value sets that its required bindings name.
pub(crate) struct Table {
    pub(crate) text: String,
    pub(crate) bound_sets: BTreeSet<String>,
}

/// A head line `@name form base` for each type and each part with elements of its own, then a line an element:
/// name, min, max, types, flags (`m` modifier, `s` summary), required value set. Inherited elements are left to the base.
pub(crate) fn table(structures: &[Value], kinds: &BTreeSet<&str>) -> Result<Table, Fault> {
    let mut table = Table { text: String::from(LEGEND), bound_sets: BTreeSet::new() };
    for structure in structures {
        let name = text(structure, "name");
        let form = match (text(structure, "kind"), structure["abstract"].as_bool()) {
            ("primitive-type", _) => "primitive",
            ("resource", Some(true)) => "abstract",
            ("resource", _) => "resource",
            _ => "datatype",
        };
        let base = text(structure, "baseDefinition").trim_start_matches(STRUCTURES);
        writeln!(table.text, "@{name}\t{form}\t{base}")?;
        write_elements(name, &structure["snapshot"], kinds, &mut table)?;
    }
    Ok(table)
}

/// The elements of a type, then those of each of its parts.
fn write_elements(kind: &str, snapshot: &Value, kinds: &BTreeSet<&str>, table: &mut Table) -> Result<(), Fault> {
    let elements = list(snapshot, "element");
    let mut parts = vec![kind.to_owned()];
    let mut at = 0;
    while at < parts.len() {
        let owner = parts[at].clone();
        if at > 0 {
            let own = elements.iter().find(|element| text(element, "path") == owner).ok_or("a part without element")?;
            writeln!(table.text, "@{owner}\tpart\t{}", text(&list(own, "type")[0], "code"))?;
        }
        for element in elements {
            let path = text(element, "path");
            let Some((parent, name)) = path.rsplit_once('.') else { continue };
            let inherited = text(&element["base"], "path") != path;
            let value_of_primitive = at == 0 && name == "value" && is_system_type(element) && kind != "Extension";
            if parent != owner || inherited || value_of_primitive {
                continue;
            }
            let is_part = elements.iter().any(|other| text(other, "path").starts_with(&format!("{path}.")));
            if is_part {
                parts.push(path.to_owned());
            }
            write_element(name, element, is_part, kinds, table)?;
        }
        at += 1;
    }
    Ok(())
}

fn write_element(
    name: &str,
    element: &Value,
    is_part: bool,
    kinds: &BTreeSet<&str>,
    table: &mut Table,
) -> Result<(), Fault> {
    let path = text(element, "path");
    let content_reference = text(element, "contentReference");
    let types = if is_part {
        String::from("@")
    } else if content_reference.is_empty() {
        let types: Result<Vec<String>, Fault> =
            list(element, "type").iter().map(|it| type_text(path, it, kinds)).collect();
        types?.join(",")
    } else {
        content_reference.to_owned()
    };
    let mut flags = String::new();
    if element["isModifier"] == true {
        flags.push('m');
    }
    if element["isSummary"] == true {
        flags.push('s');
    }
    let mut value_set = "";
    if text(&element["binding"], "strength") == "required" {
        let url = text(&element["binding"], "valueSet");
        value_set = url.split('|').next().unwrap_or_default();
        table.bound_sets.insert(value_set.to_owned());
    }
    let (min, max) = (&element["min"], text(element, "max"));
    let short_set = value_set.trim_start_matches(VALUE_SETS);
    let line = format!("{name}\t{min}\t{max}\t{types}\t{flags}\t{short_set}");
    writeln!(table.text, "{}", line.trim_end())?;
    Ok(())
}

/// One type with the resource types it may point to: `Reference(Patient|Group)`.
fn type_text(path: &str, kind: &Value, kinds: &BTreeSet<&str>) -> Result<String, Fault> {
    let code = match text(kind, "code") {
        // The published type of an id says string; the format of a logical id is that of id.
        system if system.starts_with(SYSTEM_TYPES) && path == "Resource.id" => "id",
        system if system.starts_with(SYSTEM_TYPES) && path == "Extension.url" => "uri",
        system if system.starts_with(SYSTEM_TYPES) => "string",
        code => code,
    };
    let simple = list(kind, "profile").iter().any(|profile| profile == SIMPLE_QUANTITY);
    if simple {
        return Ok(format!("{code}(SimpleQuantity)"));
    }
    let profiles = list(kind, "targetProfile").iter().filter_map(Value::as_str);
    let targets: Vec<&str> = profiles
        .filter_map(|profile| profile.strip_prefix(STRUCTURES))
        .filter(|target| kinds.contains(target))
        .collect();
    if targets.is_empty() || targets.contains(&"Resource") {
        return Ok(code.to_owned());
    }
    Ok(format!("{code}({})", targets.join("|")))
}

fn is_system_type(element: &Value) -> bool {
    list(element, "type").iter().any(|kind| text(kind, "code").starts_with(SYSTEM_TYPES))
}

const LEGEND: &str = "# @type, form, base; then its own elements: name, min, max, types (@ a part, #path content of another), flags (m modifier, s summary), required value set.\n";
const SYSTEM_TYPES: &str = "http://hl7.org/fhirpath/System.";
const SIMPLE_QUANTITY: &str = "http://hl7.org/fhir/StructureDefinition/SimpleQuantity";
pub(crate) const VALUE_SETS: &str = "http://hl7.org/fhir/ValueSet/";
