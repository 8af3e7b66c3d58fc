//! Records that are one person: a question about one of them is a question about all.
//!
//! References are never rewritten when two records turn out to be one person. So the question is widened before it is asked: every
//! Patient that it names stands for all the records that its caller counts as the same.

use super::condition::{Condition, Test};
use super::query::Query;
use super::values::Wanted;
use super::{compartment, parameters};
use crate::path::Item;
use crate::{LogicalId, ResourceKey, ResourceType, Value};

/// Names the records of one person for any of them, itself among them.
pub type SamePerson<'s> = dyn Fn(&LogicalId) -> Vec<LogicalId> + 's;

impl Query {
    /// Lets each Patient to whom the query refers, or in whose compartment it looks, stand for all records of the person.
    pub fn widen_patients(&mut self, same: &SamePerson<'_>) {
        self.conditions_mut().iter_mut().for_each(|condition| condition.widen_patients(same));
    }

    /// Lets `found` answer what is asked of Patients on the way of a chain. Where it gives ids, these are met in place of the question;
    /// it is given the question as a query of its own.
    pub fn settle_patients<E>(
        &mut self,
        found: &mut dyn FnMut(Query) -> Result<Option<Vec<LogicalId>>, E>,
    ) -> Result<(), E> {
        self.conditions_mut().iter_mut().try_for_each(|condition| condition.settle_patients(found))
    }

    /// Adds that the logical id is one of these, or with `negated` none of them.
    pub fn narrow_to_ids(&mut self, ids: Vec<LogicalId>, negated: bool) {
        let kind = self.kind();
        self.narrow(Condition { name: "_id".to_owned(), kind, test: Test::Ids { ids, negated } });
    }

    /// Whether the query asks by this parameter.
    pub fn asks(&self, name: &str) -> bool {
        self.conditions().iter().any(|condition| condition.name.split([':', '.']).next() == Some(name))
    }

    /// The same question, with the look of another: page, sums, elements, what comes along.
    #[must_use]
    pub fn shaped_like(mut self, other: &Query) -> Query {
        self.take_shape(other);
        self
    }

    /// Whether nothing narrows the query, so that naming what it finds would name everything.
    pub fn is_costly_to_name(&self) -> bool {
        self.conditions().is_empty()
    }

    /// Whether it asks for what stands in a compartment.
    pub fn is_in_compartment(&self) -> bool {
        self.conditions().iter().any(|condition| matches!(condition.test, Test::Compartment { .. }))
    }
}

impl Condition {
    fn widen_patients(&mut self, same: &SamePerson<'_>) {
        match &mut self.test {
            Test::Any { wanted, .. } => {
                for one in wanted {
                    if let Wanted::Reference(reference) = one {
                        reference.widen_patients(same);
                    }
                }
            }
            Test::Compartment { patients, .. } => *patients = all_of(patients, same),
            Test::Join(join) => join.branches.iter_mut().for_each(|branch| branch.condition.widen_patients(same)),
            Test::Missing { .. } | Test::Ids { .. } => {}
        }
    }

    fn settle_patients<E>(
        &mut self,
        found: &mut dyn FnMut(Query) -> Result<Option<Vec<LogicalId>>, E>,
    ) -> Result<(), E> {
        let Test::Join(join) = &mut self.test else { return Ok(()) };
        for branch in &mut join.branches {
            branch.condition.settle_patients(found)?;
            if branch.kind == ResourceType::PATIENT && !matches!(branch.condition.test, Test::Ids { .. }) {
                let query = Query::of_condition((*branch.condition).clone());
                if let Some(ids) = found(query)? {
                    branch.condition.test = Test::Ids { ids, negated: false };
                }
            }
        }
        Ok(())
    }
}

pub(crate) fn all_of(patients: &[LogicalId], same: &SamePerson<'_>) -> Vec<LogicalId> {
    let mut all: Vec<LogicalId> = patients.iter().flat_map(same).chain(patients.iter().cloned()).collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// The other patient of a resource that was filed under two people who were taken for one: until somebody has decided, it stands in both
/// charts. The mark is an extension with a reference.
pub fn other_in_doubt(resource: &Value<'_>) -> Option<LogicalId> {
    let mark = resource.list_at("extension").iter().find(|one| one.text_at("url") == Some(IN_DOUBT))?;
    let key = ResourceKey::parse(mark.text_at("valueReference.reference")?)?;
    (key.kind == ResourceType::PATIENT).then_some(key.id)
}

/// Whether a parameter through which the resource names its patient names, for one in doubt, the other as well.
pub(crate) fn names_a_patient(item: &Item<'_>, base: Option<&str>) -> bool {
    super::reference::local_target(item, base).is_some_and(|key| key.kind == ResourceType::PATIENT)
}

/// Whether the parameter asks whose a resource is: `patient`, or one of those that put the type into a patient's compartment.
pub(crate) fn is_membership(kind: ResourceType, parameter: &parameters::Parameter) -> bool {
    parameter.code() == "patient"
        || compartment::memberships(kind).iter().any(|member| member.number() == parameter.number())
}

/// The extension that names the other patient of a resource in doubt.
pub const IN_DOUBT: &str = "https://dukou.dev/fhir/StructureDefinition/identity-in-doubt";
