//! Every fault of a resource against base R4, each with its place.
//!
//! Checked: structure and unknown elements, cardinality, choices, primitive formats and calendars, primitive extensions,
//! codes of required bindings, the types that references may point to, contained resources, links within a Bundle,
//! extensions, narratives, and the invariants listed in `invariant`. A required value set that this program does not
//! hold is a warning, never silence and never a refusal.
//!
//! Texts name what was expected and describe what was found by its form; a value of a patient is never quoted. Only a
//! code that should come from a value set is, if it looks like a code.

mod coded;
mod finding;
mod invariant;
mod link;
mod narrative;
mod primitive;
mod walk;

use crate::{Issue, Value, json};

/// How to validate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// How many faults are named before one last issue says how many more there are.
    pub issues_max: usize,
}

impl Default for Options {
    /// 200 faults.
    fn default() -> Self {
        Options { issues_max: 200 }
    }
}

/// Checks a resource against base R4.
///
/// Errors and warnings come in the order of the content, each with one expression; an empty list says that nothing was
/// found. One fault gives one issue.
pub fn validate(resource: &Value<'_>, options: &Options) -> Vec<Issue> {
    let mut walk = walk::Walk::new(options.issues_max);
    walk.top(resource);
    walk.finish()
}

/// Fills in where in the sent bytes each issue lies, by its expression.
///
/// Each issue costs a scan of the text up to its place; scanning stops after 16 MiB, later issues then stay without
/// a position.
pub fn place(issues: &mut [Issue], sent: &[u8]) {
    let mut budget = SCANNED_BYTES_MAX;
    for issue in issues {
        if budget < sent.len() {
            return;
        }
        if let Some(expression) = issue.expression.first() {
            issue.position = json::locate(sent, expression);
            budget -= sent.len();
        }
    }
}

const SCANNED_BYTES_MAX: usize = 16 * 1024 * 1024;

#[cfg(test)]
mod tests;
