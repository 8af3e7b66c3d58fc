//! The other numbers of a person: the query of the profile PIXm (IHE ITI-83, `$ihe-pix`).

use std::collections::{BTreeSet, HashSet};

use dukou_audit::{Permit, Unreleased};
use dukou_fhir::search::{Options, Query};
use dukou_fhir::{LogicalId, Object, ResourceKey, ResourceType, Value};
use dukou_identity::systems::{Beside, Written};
use dukou_identity::{Class, PersonId};
use dukou_store::{SearchLimits, Version};

use crate::{Error, Exchange};

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub struct CrossReference<'q> {
    /// The domain of the number that is known: the URI of its authority, or the base of this server.
    pub system: &'q str,
    /// The number, or `Patient/[id]` where the domain is the base.
    pub value: &'q str,
    /// Domains wanted, as the asker names them; none: all.
    pub targets: &'q [String],
    /// Domains that are known beside those of the files: bases of this server and the domains of the partner files.
    pub domains: &'q [String],
    /// The base of this server.
    pub base: &'q str,
}

/// What is known about the person.
#[derive(Clone, Debug, Default)]
pub struct CrossReferenced {
    /// Identifiers, each once, under the name of the system that was asked for, else under the canonical one.
    pub identifiers: Vec<Value<'static>>,
    /// The records that hold them.
    pub records: Vec<ResourceKey>,
}

/// Why there is no answer.
#[derive(Debug)]
pub enum CrossReferenceFault {
    /// The domain of the number is not known here.
    UnknownSource,
    /// A wanted domain is not known here.
    UnknownTarget,
    /// Nobody has the number.
    NotFound,
    /// Several people have it.
    Ambiguous,
    /// Reading failed.
    Failed(Error),
}

impl From<Error> for CrossReferenceFault {
    fn from(error: Error) -> CrossReferenceFault {
        CrossReferenceFault::Failed(error)
    }
}

impl From<dukou_store::Error> for CrossReferenceFault {
    fn from(error: dukou_store::Error) -> CrossReferenceFault {
        CrossReferenceFault::Failed(error.into())
    }
}

impl Exchange {
    /// The identifiers and records of the person who holds a number. Numbers of retired records lead to the person and are not given out.
    ///
    /// # Errors
    /// See [`CrossReferenceFault`].
    pub fn cross_reference(
        &self,
        permit: &Permit<'_>,
        asked: &CrossReference<'_>,
    ) -> Result<Unreleased<CrossReferenced>, CrossReferenceFault> {
        let holders = self.holders_of(permit, asked)?;
        if holders.is_empty() && !self.is_domain(permit, asked, asked.system)? {
            return Err(CrossReferenceFault::UnknownSource);
        }
        for target in asked.targets {
            if !self.is_domain(permit, asked, target)? {
                return Err(CrossReferenceFault::UnknownTarget);
            }
        }
        let records = {
            let index = self.people().read();
            let people: BTreeSet<PersonId> = holders.iter().filter_map(|record| index.person(record)).collect();
            if people.len() > 1 {
                return Err(CrossReferenceFault::Ambiguous);
            }
            holders.first().map(|record| index.records(record)).unwrap_or_default()
        };
        let mut shown = permit.without_patient_data(Gathering::default());
        let mut live = 0;
        for record in records {
            let retired = self.people().read().survivor(&record).is_some();
            let key = ResourceKey::new(ResourceType::PATIENT, record);
            let Some(found) = self.store.read(permit, &key)?.some() else { continue };
            if retired {
                continue;
            }
            live += 1;
            let found = found.map(|version| self.numbers_of(&version, asked));
            shown = shown.and(found).map(|(all, one)| all.with(key, one, asked));
        }
        if live == 0 {
            return Err(CrossReferenceFault::NotFound);
        }
        Ok(shown.map(|all| CrossReferenced { identifiers: all.identifiers, records: all.records }))
    }

    /// The records that hold the number, under any name of its system.
    fn holders_of(
        &self,
        permit: &Permit<'_>,
        asked: &CrossReference<'_>,
    ) -> Result<Vec<LogicalId>, CrossReferenceFault> {
        if asked.system == asked.base {
            let id = asked.value.strip_prefix("Patient/").and_then(LogicalId::parse);
            let known = id.filter(|id| self.people().read().person(id).is_some());
            return Ok(known.into_iter().collect());
        }
        let query = self.patients_with(asked.system, asked.value)?;
        let limits = SearchLimits { count: HOLDERS_MAX, ..SearchLimits::default() };
        let page = self.store.search(permit, &query, &limits, None)?;
        let mut found = Vec::new();
        // Only the names of the records leave; what is shown of them is read again below.
        drop(page.map(|page| found.extend(page.matches.into_iter().map(|version| version.key.id))));
        if found.is_empty() {
            let systems = &self.surroundings().systems;
            found = self.people().read().holders(&systems.canonical_uri(asked.system), asked.value);
        }
        Ok(found)
    }

    /// The Patients with a number, under any name of its system; without a value, those with any number of it.
    pub(crate) fn patients_with(&self, system: &str, value: &str) -> Result<Query, Error> {
        let pairs = [("identifier".to_owned(), format!("{}|{}", escaped(system), escaped(value)))];
        let options = Options { site: self.search_site(), ..Options::default() };
        self.query(ResourceType::PATIENT, &pairs, &options)
    }

    /// Whether a domain is known: by the files, as a domain of a partner, or because a Patient has a number of it.
    fn is_domain(
        &self,
        permit: &Permit<'_>,
        asked: &CrossReference<'_>,
        system: &str,
    ) -> Result<bool, CrossReferenceFault> {
        if system == asked.base
            || self.surroundings().systems.knows(system)
            || self.same_authority(system, asked.domains)
        {
            return Ok(true);
        }
        let query = self.patients_with(system, "")?;
        let limits = SearchLimits { count: 1, work_max: DOMAIN_WORK_MAX, ..SearchLimits::default() };
        let mut known = false;
        match self.store.search(permit, &query, &limits, None) {
            Ok(page) => {
                drop(page.map(|page| known = !page.matches.is_empty()));
                Ok(known)
            }
            // So many Patients without one such number: it is no domain of this node.
            Err(dukou_store::Error::TooCostly { .. }) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// The identifiers of a record as they are given out, each with its canonical system and value.
    fn numbers_of(&self, version: &Version, asked: &CrossReference<'_>) -> Vec<Number> {
        let Ok(tree) = Exchange::tree(version) else { return Vec::new() };
        let systems = &self.surroundings().systems;
        let mut numbers = Vec::new();
        for identifier in tree.list_at("identifier") {
            let (Some(system), Some(value)) = (identifier.text_at("system"), identifier.text_at("value")) else {
                continue;
            };
            let types: Vec<(&str, &str)> = identifier
                .list_at("type.coding")
                .iter()
                .map(|coding| (coding.text_at("system").unwrap_or(""), coding.text_at("code").unwrap_or("")))
                .collect();
            let written = Written { system, types: &types, value, ..Written::default() };
            let told = systems.canonical(&written, &Beside::default());
            if told.class == Class::Visit {
                continue;
            }
            let is_source =
                value == asked.value && self.same_authority(asked.system, &[told.system.clone(), system.to_owned()]);
            let wanted = asked
                .targets
                .iter()
                .find(|target| self.same_authority(target, &[told.system.clone(), system.to_owned()]));
            if is_source || (wanted.is_none() && !asked.targets.is_empty()) {
                continue;
            }
            let name = wanted.cloned().unwrap_or_else(|| told.system.clone());
            numbers.push(Number { system: told.system, value: value.to_owned(), shown: renamed(identifier, &name) });
        }
        numbers
    }
}

/// An identifier to be given out.
struct Number {
    system: String,
    value: String,
    shown: Value<'static>,
}

#[derive(Default)]
struct Gathering {
    known: HashSet<(String, String)>,
    identifiers: Vec<Value<'static>>,
    records: Vec<ResourceKey>,
}

impl Gathering {
    /// Adds what one record holds. A record is named where every domain is wanted, the records themselves are, or one of its numbers is.
    fn with(mut self, key: ResourceKey, numbers: Vec<Number>, asked: &CrossReference<'_>) -> Gathering {
        let all = asked.targets.is_empty() || asked.targets.iter().any(|target| target == asked.base);
        let is_source = asked.system == asked.base && asked.value == key.to_string();
        if (all || !numbers.is_empty()) && !is_source {
            self.records.push(key);
        }
        for number in numbers {
            if self.known.insert((number.system, number.value)) {
                self.identifiers.push(number.shown);
            }
        }
        self
    }
}

/// An identifier under another name of its system, without what only its own record needs.
fn renamed(identifier: &Value<'_>, system: &str) -> Value<'static> {
    let mut shown = Object::new();
    for name in ["use", "type"] {
        if let Some(member) = identifier.get(name) {
            shown.insert(name, member.clone().into_static());
        }
    }
    shown.insert("system", system.to_owned());
    for name in ["value", "period", "assigner"] {
        if let Some(member) = identifier.get(name) {
            shown.insert(name, member.clone().into_static());
        }
    }
    shown.into()
}

/// A text as it stands in the value of a search parameter (FHIR R4, 3.1.1.4.0.1).
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        if matches!(letter, '\\' | '|' | ',' | '$') {
            escaped.push('\\');
        }
        escaped.push(letter);
    }
    escaped
}

/// Records that hold one number; more are no cross-reference.
const HOLDERS_MAX: usize = 50;
/// Patients looked at for a domain that no file names.
const DOMAIN_WORK_MAX: u64 = 10_000;
