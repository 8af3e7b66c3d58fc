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
            for part in shown::list(&answer, "parameter") {
                let value = part["valueString"].as_str().map(str::to_owned);
                let value = value.unwrap_or_else(|| part["valueReference"]["reference"].to_string());
                say(format_args!("{:<12} {value}", part["name"].as_str().unwrap_or_default()));
            }
            Ok(true)
        })
    }
}
