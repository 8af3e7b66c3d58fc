//! One condition of a query: what it asks of a body, and where its resources stand in the index.

use super::parameters::Parameter;
use super::posting::{Form, KeyRange, PostingKey};
use super::values::{Union, Wanted};
use super::{compartment, persons, reference};
use crate::{LogicalId, ResourceKey, ResourceType, Value};

/// One of the conditions that must all hold.
#[derive(Clone, Debug)]
pub struct Condition {
    pub(crate) name: String,
    pub(crate) kind: ResourceType,
    pub(crate) test: Test,
}

#[derive(Clone, Debug)]
pub(crate) enum Test {
    /// Any of the values is met, or with `negated` none of them.
    Any { parameter: &'static Parameter, negated: bool, wanted: Vec<Wanted> },
    /// There is a value, or none.
    Missing { parameter: &'static Parameter, missing: bool },
    /// The logical id is one of these, or with `negated` none of them.
    Ids { ids: Vec<LogicalId>, negated: bool },
    /// The resource stands in the compartment of one of these patients, who are one person.
    Compartment { patients: Vec<LogicalId>, base: Option<Box<str>> },
    /// The resource is joined with others that are searched on their own.
    Join(Join),
}

/// Where the resources of a condition stand among the posting keys of their type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// A resource that matches has one of these keys.
    Keys(Vec<PostingKey>),
    /// A resource that matches has a key in one of these ranges.
    Ranges(Vec<KeyRange>),
    /// A resource that matches has one of these logical ids.
    Ids(Vec<LogicalId>),
    /// A resource with none of these keys matches, without a look at its body; of one that has such a key, the body
    /// decides if the condition says that bodies must be checked, else it does not match.
    Not(Vec<PostingKey>),
    /// The keys tell nothing: any resource of the type may match.
    All,
}

/// A condition on other resources that this one refers to, or that refer to it.
#[derive(Clone, Debug)]
pub struct Join {
    /// The reference parameter that joins: of the searched type itself, or for `_has` of the other.
    pub(crate) parameter: &'static Parameter,
    /// Whether the others refer to this one (`_has`) instead of being referred to (a chain).
    pub(crate) reverse: bool,
    pub(crate) branches: Vec<JoinBranch>,
    pub(crate) base: Option<Box<str>>,
}

/// The other resources of one type and what is asked of them.
#[derive(Clone, Debug)]
pub struct JoinBranch {
    /// Their type.
    pub kind: ResourceType,
    /// What is asked of them.
    pub condition: Box<Condition>,
}

impl Condition {
    /// As the client wrote it, without the value: `subject:Patient.name`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The type of the resources that it is about.
    pub fn kind(&self) -> ResourceType {
        self.kind
    }

    /// What tells a condition that the client did not write from others.
    pub(crate) fn identity(&self) -> String {
        match &self.test {
            Test::Compartment { patients, .. } => {
                patients.iter().fold(self.name.clone(), |name, patient| format!("{name} {patient}"))
            }
            _ => self.name.clone(),
        }
    }

    /// What joins this resource with others, if that is what the condition does. Then [`Condition::lookup`] is
    /// [`Lookup::All`] and [`Condition::matches`] is `true`: only the store has the others.
    pub fn join(&self) -> Option<&Join> {
        match &self.test {
            Test::Join(join) => Some(join),
            _ => None,
        }
    }

    /// Whether a resource of the type meets the condition.
    pub fn matches(&self, resource: &Value<'_>) -> bool {
        match &self.test {
            Test::Any { parameter, negated, wanted } => {
                let any = parameter.program().is_some_and(|program| {
                    program.any(resource, |item| wanted.iter().any(|one| one.matches(parameter, resource, &item)))
                });
                (any || self.meets_in_doubt(resource)) != *negated
            }
            Test::Missing { parameter, missing } => is_present(parameter, resource) != *missing,
            Test::Ids { ids, negated } => {
                let own = resource.text_at("id");
                ids.iter().any(|id| Some(id.as_str()) == own) != *negated
            }
            Test::Compartment { patients, base } => {
                compartment::patients(resource, base.as_deref()).iter().any(|patient| patients.contains(patient))
            }
            Test::Join(_) => true,
        }
    }

    /// Whether the other patient of a resource in doubt is asked for by a reference.
    fn meets_in_doubt(&self, resource: &Value<'_>) -> bool {
        let Test::Any { parameter, wanted, .. } = &self.test else { return false };
        let asked = |other: &LogicalId| {
            wanted.iter().any(|one| matches!(one, Wanted::Reference(reference) if reference.names_patient(other)))
        };
        persons::other_in_doubt(resource).is_some_and(|other| asked(&other))
            && persons::is_membership(self.kind, parameter)
            && parameter
                .program()
                .is_some_and(|program| program.any(resource, |item| persons::names_a_patient(&item, None)))
    }

    /// Where the resources that match stand in the index.
    pub fn lookup(&self) -> Lookup {
        self.plan().0
    }

    /// Whether the bodies of the resources found by [`Condition::lookup`] must be asked; if not, all of them match.
    pub fn needs_body_check(&self) -> bool {
        self.plan().1
    }

    /// [`Condition::lookup`] and [`Condition::needs_body_check`] in one step.
    pub fn plan(&self) -> (Lookup, bool) {
        match &self.test {
            Test::Any { parameter, negated, wanted } => {
                let mut union = Union::new(self.kind, parameter);
                wanted.iter().for_each(|one| one.look_up(&mut union));
                match (negated, union.finish()) {
                    (false, plan) => plan,
                    (true, (Lookup::Keys(keys), check)) => (Lookup::Not(keys), check),
                    (true, _) => (Lookup::All, true),
                }
            }
            Test::Missing { parameter, missing } => {
                let key = vec![PostingKey::start(self.kind, parameter.number(), Form::Presence)];
                (if *missing { Lookup::Not(key) } else { Lookup::Keys(key) }, false)
            }
            Test::Ids { ids, negated: false } => (Lookup::Ids(ids.clone()), false),
            Test::Ids { negated: true, .. } => (Lookup::All, true),
            Test::Compartment { patients, .. } => {
                let key = |patient: &LogicalId| PostingKey::in_compartment(self.kind, patient.as_str());
                (Lookup::Keys(patients.iter().map(key).collect()), false)
            }
            Test::Join(_) => (Lookup::All, false),
        }
    }
}

impl Join {
    /// Whether the others refer to the resource searched (`_has`) instead of being referred to by it (a chain).
    pub fn is_reverse(&self) -> bool {
        self.reverse
    }

    /// The others to search, type by type; the resource searched must be joined with one that meets its condition.
    pub fn branches(&self) -> &[JoinBranch] {
        &self.branches
    }

    /// For a chain: the key of the resources of a type that refer to this other one.
    pub fn referrers(&self, kind: ResourceType, other: &ResourceKey) -> PostingKey {
        reference::key_of_referrers(kind, self.parameter.number(), other)
    }

    /// For `_has`: the resources of a type that this other one refers to, to be met with [`Lookup::Ids`].
    pub fn referred(&self, kind: ResourceType, other: &Value<'_>) -> Vec<LogicalId> {
        let mut ids = self.targets(other);
        ids.retain(|key| key.kind == kind);
        ids.into_iter().map(|key| key.id).collect()
    }

    /// Every resource of this server that a resource refers to through the joining parameter.
    pub(crate) fn targets(&self, resource: &Value<'_>) -> Vec<ResourceKey> {
        let mut targets = Vec::new();
        if let Some(program) = self.parameter.program() {
            program.each(resource, |item| targets.extend(reference::local_target(&item, self.base.as_deref())));
        }
        targets
    }
}

/// Whether a parameter finds anything in a resource.
pub(crate) fn is_present(parameter: &Parameter, resource: &Value<'_>) -> bool {
    parameter.program().is_some_and(|program| program.any(resource, |_| true))
}
