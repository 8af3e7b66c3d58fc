//! The patient compartment: which patients a resource is about (compartmentdefinition-patient).

use std::sync::{LazyLock, OnceLock};

use super::Site;
use super::condition::{Condition, Test};
use super::parameters::{self, Parameter};
use super::reference;
use crate::{LogicalId, ResourceType, Value, schema};

/// The logical ids of the patients in whose compartment a resource stands, sorted, each once. A Patient stands in its
/// own and in those of the patients it is linked with; what is in doubt between two patients stands in both. `base` is the public base of this server, as in [`Site`].
pub fn patients(resource: &Value<'_>, base: Option<&str>) -> Vec<LogicalId> {
    let Some(kind) = resource.resource_type().and_then(ResourceType::parse) else { return Vec::new() };
    let mut patients = Vec::new();
    if kind == ResourceType::PATIENT {
        patients.extend(resource.text_at("id").and_then(LogicalId::parse));
    }
    for program in memberships(kind).iter().filter_map(|parameter| parameter.program()) {
        program.each(resource, |item| {
            let target = reference::local_target(&item, base);
            patients.extend(target.filter(|key| key.kind == ResourceType::PATIENT).map(|key| key.id));
        });
    }
    if !patients.is_empty() {
        patients.extend(super::persons::other_in_doubt(resource));
    }
    patients.sort_unstable();
    patients.dedup();
    patients
}

/// The condition that a resource stands in the compartment of a patient: `Patient/1/Observation`, or the limit of a
/// client to one patient.
pub fn in_compartment(kind: ResourceType, patient: LogicalId, site: Site<'_>) -> Condition {
    let test = Test::Compartment { patients: vec![patient], base: site.base.map(Box::from) };
    Condition { name: "compartment".to_owned(), kind, test }
}

/// The parameters whose references put a resource of a type into the compartment.
pub(crate) fn memberships(kind: ResourceType) -> &'static [&'static Parameter] {
    static TABLE: LazyLock<Vec<OnceLock<Vec<&'static Parameter>>>> =
        LazyLock::new(|| ResourceType::all().map(|_| OnceLock::new()).collect());
    TABLE[usize::from(kind.index())].get_or_init(|| {
        let codes = schema::compartment("Patient", kind).iter();
        codes.filter_map(|code| parameters::find(kind, code)).collect()
    })
}
