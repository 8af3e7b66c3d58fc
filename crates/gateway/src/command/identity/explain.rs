//! `dukou identity explain`: why two records are, or are not, taken for one person.

use super::door::Caller;
use super::{IdentityError, lookup, parameters, shown};
use crate::command::say;

/// Which two records.
#[derive(Debug, clap::Args)]
pub(crate) struct Explain {
    /// Logical id of one record.
    record: String,
    /// Logical id of the other.
    other: String,
    #[command(flatten)]
    caller: Caller,
}

impl Explain {
    /// Prints the evidence, a line a field.
    pub(super) fn run(&self) -> Result<bool, IdentityError> {
        let (record, other) = (lookup::id(&self.record)?, lookup::id(&self.other)?);
        self.caller.with(|door| {
            let detail = if self.caller.show { "full" } else { "masked" };
            let said = parameters(&[("other", other), ("values", detail)]);
            let answer = door.post(&format!("Patient/{record}/$explain"), &said)?;
            for part in shown::list(&answer, "parameter") {
                let name = part["name"].as_str().unwrap_or_default();
                let value = part["valueString"].as_str().map(str::to_owned);
                let value = value.or_else(|| part["valueBoolean"].as_bool().map(|yes| yes.to_string()));
                say(format_args!("{name:<12} {}", value.unwrap_or_default()));
            }
            Ok(true)
        })
    }
}
