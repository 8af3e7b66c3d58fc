//! `dukou identity join` and `separate`: a person's word about two records.

use super::door::Caller;
use super::{IdentityError, lookup, parameters, shown};
use crate::command::say;

/// Which two records, and why.
#[derive(Debug, clap::Args)]
pub(crate) struct Relate {
    /// Logical id of one record.
    record: String,
    /// Logical id of the other.
    other: String,
    /// Why, for the journal.
    #[arg(long)]
    reason: String,
    #[command(flatten)]
    caller: Caller,
}

impl Relate {
    /// Says it to the node and prints what follows.
    pub(super) fn run(&self, operation: &str) -> Result<bool, IdentityError> {
        let (record, other) = (lookup::id(&self.record)?, lookup::id(&self.other)?);
        self.caller.with(|door| {
            let said = parameters(&[("other", other), ("reason", &self.reason)]);
            let answer = door.post(&format!("Patient/{record}/${operation}"), &said)?;
            if let Some(task) = answer["id"].as_str().filter(|_| answer["resourceType"] == "Task") {
                let state = answer["status"].as_str().unwrap_or_default();
                say(format_args!("finding {task} is {state}"));
                if state == "in-progress" {
                    say(format_args!("something forbids to join the two: a second person has to say the same (dukou identity review {task} same)"));
                }
            }
            for part in shown::list(&answer, "parameter") {
                let name = part["name"].as_str().unwrap_or_default();
                say(format_args!("{name}: {}", part["valueString"].as_str().unwrap_or_default()));
            }
            Ok(true)
        })
    }
}
