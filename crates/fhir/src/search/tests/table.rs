//! The parameter table: every published parameter is either searchable or refused by name.

use std::collections::BTreeSet;

use crate::ResourceType;
use crate::search::{Kind, Unsupported, parameters};

#[test]
fn every_published_parameter_compiles_or_stands_among_the_refused() {
    let mut refused = BTreeSet::new();
    let mut searchable = 0;
    for kind in ResourceType::all() {
        for parameter in parameters::of(kind) {
            match parameter.unsupported() {
                None => searchable += 1,
                Some(Unsupported::Expression(error)) => panic!("{kind} {}: {error}", parameter.code()),
                Some(_) => _ = refused.insert(parameter.code()),
            }
        }
    }
    assert_eq!(Vec::from_iter(refused), ["_content", "_query", "_text", "near", "phonetic"]);
    assert!(searchable > 2000, "{searchable}");
}

#[test]
fn a_code_stands_once_for_a_type() {
    for kind in ResourceType::all() {
        let codes: Vec<&str> = parameters::of(kind).iter().map(|parameter| parameter.code()).collect();
        let mut unique = codes.clone();
        unique.dedup();
        assert_eq!(codes, unique, "{kind}");
    }
}

#[test]
fn every_parameter_finds_elements_of_types_that_its_kind_can_compare() {
    let mut odd = BTreeSet::new();
    for kind in ResourceType::all() {
        for parameter in parameters::of(kind).iter().filter(|parameter| parameter.unsupported().is_none()) {
            if parameter.datatypes().is_empty() {
                odd.insert(format!("{kind} {} finds nothing", parameter.code()));
            }
            for datatype in parameter.datatypes() {
                if !can_compare(parameter.kind(), datatype) {
                    odd.insert(format!("{} {} {datatype}", parameter.code(), parameter.kind().as_str()));
                }
            }
        }
    }
    // Choices with a type that holds nothing to compare: an age in place of a date, a file in place of a reference.
    let known = [
        "activity-date date string",
        "date date Age",
        "date date Range",
        "date date string",
        "source-reference reference Attachment",
    ];
    assert_eq!(Vec::from_iter(odd), known);
}

fn can_compare(kind: Kind, datatype: &str) -> bool {
    match kind {
        Kind::Token => matches!(
            datatype,
            "code"
                | "boolean"
                | "CodeableConcept"
                | "Coding"
                | "Identifier"
                | "ContactPoint"
                | "id"
                | "string"
                | "uri"
                | "canonical"
        ),
        Kind::String => matches!(datatype, "string" | "markdown" | "HumanName" | "Address"),
        Kind::Date => matches!(datatype, "date" | "dateTime" | "instant" | "Period" | "Timing"),
        Kind::Reference => matches!(datatype, "Reference" | "canonical" | "uri" | "url" | "Resource"),
        Kind::Number => matches!(datatype, "decimal" | "integer" | "positiveInt" | "unsignedInt" | "Range"),
        Kind::Quantity => matches!(datatype, "Quantity" | "Age" | "Duration" | "Money" | "Range" | "SampledData"),
        Kind::Uri => matches!(datatype, "uri" | "url" | "canonical" | "oid" | "uuid"),
        Kind::Composite => true,
        Kind::Special => false,
    }
}

#[test]
fn every_component_of_a_composite_is_a_parameter_of_the_type() {
    for kind in ResourceType::all() {
        for parameter in parameters::of(kind).iter().filter(|parameter| parameter.kind() == Kind::Composite) {
            assert!(parameter.components().len() >= 2, "{kind} {}", parameter.code());
            for component in parameter.components() {
                assert!(
                    parameters::find(kind, component.code).is_some(),
                    "{kind} {} {}",
                    parameter.code(),
                    component.code
                );
                for datatype in parameter.datatypes() {
                    let program = component.program(datatype).unwrap();
                    assert!(!program.is_empty(), "{kind} {} {}", parameter.code(), component.code);
                }
            }
        }
    }
}
