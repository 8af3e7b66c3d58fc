//! The published search parameters as one line each.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{list, text};

/// One line a parameter: code, type, base types, target types, expression, components (`code=expression;..`).
pub(crate) fn table(parameters: &[Value], kinds: &BTreeSet<&str>) -> String {
    let mut lines = BTreeSet::new();
    for parameter in parameters.iter().filter(|it| text(it, "url").starts_with(PARAMETERS)) {
        let names = |member: &str| -> String {
            let known = list(parameter, member).iter().filter_map(Value::as_str).filter(|name| kinds.contains(name));
            known.collect::<Vec<_>>().join("|")
        };
        let components: Vec<String> = list(parameter, "component").iter().map(component).collect();
        let (code, kind) = (text(parameter, "code"), text(parameter, "type"));
        let expression = one_line(text(parameter, "expression"));
        let line =
            format!("{code}\t{kind}\t{}\t{}\t{expression}\t{}", names("base"), names("target"), components.join(";"));
        lines.insert(format!("{}\n", line.trim_end()));
    }
    let body: String = lines.into_iter().collect();
    format!("{LEGEND}{body}")
}

fn component(component: &Value) -> String {
    let definition = text(component, "definition").trim_start_matches(PARAMETERS);
    format!("{definition}={}", one_line(text(component, "expression")))
}

fn one_line(expression: &str) -> String {
    expression.split_whitespace().collect::<Vec<_>>().join(" ")
}

const LEGEND: &str = "# code, type, base types, target types, expression, components (definition=expression).\n";
const PARAMETERS: &str = "http://hl7.org/fhir/SearchParameter/";
