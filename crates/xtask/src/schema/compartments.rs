//! Which search parameters put a resource into a compartment.

use serde_json::Value;

use super::{list, text};

/// One line a compartment and resource type: compartment, resource type, parameters parted by `|`.
pub(crate) fn table(definitions: &[Value]) -> String {
    let mut lines: Vec<String> = Vec::new();
    for definition in definitions {
        for resource in list(definition, "resource") {
            let parameters: Vec<&str> = list(resource, "param").iter().filter_map(Value::as_str).collect();
            if !parameters.is_empty() {
                let (compartment, kind) = (text(definition, "code"), text(resource, "code"));
                lines.push(format!("{compartment}\t{kind}\t{}\n", parameters.join("|")));
            }
        }
    }
    lines.sort();
    format!("{LEGEND}{}", lines.concat())
}

const LEGEND: &str = "# compartment, resource type, search parameters.\n";
