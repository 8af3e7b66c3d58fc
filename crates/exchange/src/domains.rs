//! One source per domain: what gives or takes away a number of a system that another client is the source of is refused
//! (IHE PIXm, ITI-104, 2:3.104.4.1.3).

use std::collections::BTreeSet;

use dukou_audit::Permit;
use dukou_fhir::{ResourceType, Value};
use dukou_identity::Systems;
use dukou_store::Version;

use crate::{Error, Exchange};

impl Exchange {
    /// Refuses a change of a Patient that gives or takes away a number of a closed domain. What stood there and stays is no change.
    pub(crate) fn may_give_numbers(
        &self,
        permit: &Permit<'_>,
        before: Option<&Version>,
        after: Option<&Value<'_>>,
    ) -> Result<(), Error> {
        let closed = &permit.access().reach.closed;
        let is_patient = before.map(|version| version.key.kind) == Some(ResourceType::PATIENT)
            || after.and_then(Value::resource_type) == Some("Patient");
        if closed.is_empty() || !is_patient {
            return Ok(());
        }
        let systems = &self.surroundings().systems;
        let stood = before.filter(|version| !version.is_deleted()).map(Exchange::tree).transpose()?;
        let stood = stood.map(|tree| numbers(&tree, systems, closed)).unwrap_or_default();
        let stands = after.map(|tree| numbers(tree, systems, closed)).unwrap_or_default();
        if stood == stands { Ok(()) } else { Err(Error::Forbidden) }
    }

    /// Whether one of the names is another name of the same authority.
    pub fn same_authority(&self, system: &str, names: &[String]) -> bool {
        let systems = &self.surroundings().systems;
        let canonical = systems.canonical_uri(system);
        names.iter().any(|name| systems.canonical_uri(name) == canonical)
    }
}

/// The numbers of a Patient in closed domains, whatever name of the domain they stand under.
fn numbers(patient: &Value<'_>, systems: &Systems, closed: &[String]) -> BTreeSet<(String, String)> {
    let closed: Vec<_> = closed.iter().map(|domain| systems.canonical_uri(domain)).collect();
    let number = |identifier: &Value<'_>| {
        let system = systems.canonical_uri(identifier.text_at("system")?);
        closed.contains(&system).then(|| (system.into_owned(), identifier.text_at("value").unwrap_or("").to_owned()))
    };
    patient.list_at("identifier").iter().filter_map(number).collect()
}
