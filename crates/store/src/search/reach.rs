//! How far the permit reaches, as a condition beside those of the query: what lies outside is never a match, and never counted.

use dukou_audit::{Permit, Right};
use dukou_fhir::ResourceType;
use dukou_fhir::search::PostingKey;

use crate::doors::reaches;
use crate::version::Version;

/// On whose behalf a search runs.
#[derive(Clone, Copy)]
pub(super) enum Reach<'p> {
    /// The writer's own test of a condition: the truth, not what somebody may see.
    Whole,
    /// A caller.
    Of(&'p Permit<'p>),
}

/// What of a type may be searched.
pub(super) enum Scope {
    Nothing,
    Everything,
    /// Only what stands under one of these keys: the compartments of some patients.
    Under(Vec<Vec<u8>>),
}

impl Reach<'_> {
    pub(super) fn of(self, kind: ResourceType) -> Scope {
        let Reach::Of(permit) = self else { return Scope::Everything };
        if permit.allows_for(kind.as_str(), Right::Search, &[]) {
            return Scope::Everything;
        }
        let patients = permit.access().reach.grants.iter().filter_map(|grant| grant.patient.as_deref());
        let open = patients.filter(|patient| permit.allows_for(kind.as_str(), Right::Search, &[patient]));
        let mut keys: Vec<Vec<u8>> =
            open.map(|patient| PostingKey::in_compartment(kind, patient).into_bytes()).collect();
        keys.sort_unstable();
        keys.dedup();
        if keys.is_empty() { Scope::Nothing } else { Scope::Under(keys) }
    }

    /// Whether a resource may stand in the answer beside the matches.
    pub(super) fn shows(self, version: &Version) -> bool {
        match self {
            Reach::Whole => true,
            Reach::Of(permit) => reaches(permit, Right::Read, version) || reaches(permit, Right::Search, version),
        }
    }
}
