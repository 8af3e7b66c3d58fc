//! The account of a view: every leaf once.

use dukou_fhir::{Object, Value};

use super::outbound::ViewAccounts;
use super::run::address;
use super::view::View;

/// Counts the leaves of a view by the marks that the way back left.
pub(crate) fn tally(view: &View<'_>, marks: &mut [(usize, bool)]) -> ViewAccounts {
    // Carried counts before explained.
    marks.sort_unstable();
    let mut accounts = ViewAccounts::default();
    let mut path = String::new();
    for shown in &view.resources {
        path.clear();
        path.push_str(shown.kind.as_str());
        path.push('/');
        path.push_str(shown.id);
        object(shown.object, &mut path, marks, &mut accounts, true);
    }
    accounts
}

fn object(of: &Object<'_>, path: &mut String, marks: &[(usize, bool)], accounts: &mut ViewAccounts, top: bool) {
    for (name, value) in of.iter() {
        let length = path.len();
        path.push('.');
        path.push_str(name);
        let structure =
            top && matches!(name, "resourceType" | "id" | "meta") || name == "url" && value.as_str().is_some();
        walk(value, path, marks, accounts, structure);
        path.truncate(length);
    }
}

fn walk(value: &Value<'_>, path: &mut String, marks: &[(usize, bool)], accounts: &mut ViewAccounts, structure: bool) {
    match value {
        Value::Null => {}
        Value::Object(inner) if structure => {
            for (_, value) in inner.iter() {
                walk(value, path, marks, accounts, true);
            }
        }
        Value::Object(inner) => object(inner, path, marks, accounts, false),
        Value::Array(items) => {
            for (number, item) in items.iter().enumerate() {
                let length = path.len();
                path.push_str(&format!("[{number}]"));
                walk(item, path, marks, accounts, structure);
                path.truncate(length);
            }
        }
        leaf => {
            accounts.leaves += 1;
            match found(leaf, marks) {
                Some(false) => accounts.written += 1,
                Some(true) => accounts.explained += 1,
                None if structure => accounts.explained += 1,
                None => {
                    accounts.reported += 1;
                    if accounts.reported_paths.len() < PATHS_MAX {
                        accounts.reported_paths.push(path.clone());
                    }
                }
            }
        }
    }
}

/// The best mark of a leaf.
fn found(leaf: &Value<'_>, marks: &[(usize, bool)]) -> Option<bool> {
    let at = marks.partition_point(|mark| mark.0 < address(leaf));
    marks.get(at).filter(|mark| mark.0 == address(leaf)).map(|mark| mark.1)
}

/// Whether any leaf of an object is among these addresses, which are in order.
pub(crate) fn any(of: &Object<'_>, carried: &[usize]) -> bool {
    fn of_value(value: &Value<'_>, carried: &[usize]) -> bool {
        match value {
            Value::Object(inner) => any(inner, carried),
            Value::Array(items) => items.iter().any(|item| of_value(item, carried)),
            leaf => carried.binary_search(&address(leaf)).is_ok(),
        }
    }
    of.iter().any(|(_, value)| of_value(value, carried))
}

/// Reported places beyond this number are counted and not named.
const PATHS_MAX: usize = 10_000;
