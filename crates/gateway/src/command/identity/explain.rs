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
            for id in [record, other].iter().filter(|_| self.caller.show) {
                say(format_args!("Patient/{id}"));
                shown::lines(&door.get(&format!("Patient/{id}"))?, true)
                    .iter()
                    .for_each(|line| say(format_args!("{line}")));
            }
            let said = parameters(&[("other", other)]);
            let answer = door.post(&format!("Patient/{record}/$explain"), &said)?;
            for part in shown::list(&answer, "parameter") {
                let name = part["name"].as_str().unwrap_or_default();
                say(format_args!("{name:<12} {}", part["valueString"].as_str().unwrap_or_default()));
            }
            Ok(true)
        })
    }
}
