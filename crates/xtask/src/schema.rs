//! The published R4 definitions as the lean tables that `fhir` reads.
//!
//! Only what HL7 publishes for 4.0.1 is taken: definitions of other versions or publishers in the folder are passed over.

mod compartments;
mod elements;
mod search_parameters;
mod value_sets;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use serde_json::Value;

/// What goes wrong is for a person to read.
pub(crate) type Fault = Box<dyn std::error::Error>;

/// Reads the definitions and writes the tables; gives a report of what was written.
pub(crate) fn make(definitions: &Path, tables: &Path) -> Result<String, Fault> {
    let mut structures = resources(definitions, "profiles-types.json", "StructureDefinition")?;
    structures.extend(resources(definitions, "profiles-resources.json", "StructureDefinition")?);
    structures.retain(is_base_structure);
    let kinds: BTreeSet<&str> = structures.iter().filter(|it| text(it, "kind") == "resource").map(name).collect();

    let elements = elements::table(&structures, &kinds)?;
    let value_sets = value_sets::table(definitions, &elements.bound_sets)?;
    let compartments =
        compartments::table(&resources(definitions, "profiles-resources.json", "CompartmentDefinition")?);
    let parameters =
        search_parameters::table(&resources(definitions, "search-parameters.json", "SearchParameter")?, &kinds);

    let mut report = String::new();
    let files = [
        ("elements.tsv", elements.text),
        ("value-sets.tsv", value_sets),
        ("compartments.tsv", compartments),
        ("search-parameters.tsv", parameters),
    ];
    std::fs::create_dir_all(tables)?;
    for (file, body) in files {
        let lines = body.lines().count();
        writeln!(report, "{file}: {lines} lines, {} bytes", body.len() + HEAD.len())?;
        std::fs::write(tables.join(file), format!("{HEAD}{body}"))?;
    }
    Ok(report)
}

/// The resources of one type in a published Bundle.
pub(crate) fn resources(definitions: &Path, file: &str, kind: &str) -> Result<Vec<Value>, Fault> {
    let path = definitions.join(file);
    let bytes = std::fs::read(&path).map_err(|fault| format!("reading {}: {fault}", path.display()))?;
    let mut bundle: Value =
        serde_json::from_slice(&bytes).map_err(|fault| format!("reading {}: {fault}", path.display()))?;
    let Some(Value::Array(entries)) = bundle.get_mut("entry").map(Value::take) else {
        return Err(format!("{} is no Bundle with entries", path.display()).into());
    };
    let of_kind = |resource: &Value| text(resource, "resourceType") == kind;
    Ok(entries.into_iter().map(|mut entry| entry["resource"].take()).filter(of_kind).collect())
}

/// A type or resource of the base specification, not a profile on one.
fn is_base_structure(structure: &Value) -> bool {
    text(structure, "url").starts_with(STRUCTURES)
        && text(structure, "fhirVersion") == "4.0.1"
        && text(structure, "kind") != "logical"
        && text(structure, "derivation") != "constraint"
}

/// A member that is a text; empty where it is missing.
pub(crate) fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value[name].as_str().unwrap_or_default()
}

/// The members of a list; empty where it is missing.
pub(crate) fn list<'v>(value: &'v Value, name: &str) -> &'v [Value] {
    value[name].as_array().map(Vec::as_slice).unwrap_or_default()
}

fn name(structure: &Value) -> &str {
    text(structure, "name")
}

/// The canonical url of a type without its name.
pub(crate) const STRUCTURES: &str = "http://hl7.org/fhir/StructureDefinition/";

const HEAD: &str = "# HL7 FHIR R4 (4.0.1), from the published definitions (hl7.org/fhir/R4, CC0 1.0) by `cargo xtask schema`; do not edit.\n";
