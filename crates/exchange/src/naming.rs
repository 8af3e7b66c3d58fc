//! The authorities of patient numbers as NamingSystem resources (FHIR R4), so that a client can read which names of a system mean the
//! same.
//!
//! They are stored like any other resource when the node starts, and only where they differ from what stands there.

use dukou_audit::{self as audit, Permit, Settled};
use dukou_fhir::{Draft, LogicalId, Object, ResourceKey, ResourceType, Value};
use dukou_identity::systems::System;
use dukou_store::{self as store, Batch, Expect, How, Put};

use crate::{Error, Exchange};

impl Exchange {
    /// Stores a NamingSystem for each authority of the files. Gives how many were written.
    pub fn publish_systems(&self, permit: &Permit<'_>) -> Result<Settled<usize>, Error> {
        for _ in 0..self.surroundings.limits.prepare_attempts_max {
            let puts = self.naming_puts(permit)?;
            if puts.is_empty() {
                return Ok(Settled::Unchanged(permit.without_patient_data(0)));
            }
            let count = puts.len();
            let verdict = Box::new(|_: &store::Outcome| (audit::Outcome::default(), Vec::new()));
            match self.commit(permit, Batch { puts, ..Batch::new(permit.draft(), verdict) }) {
                Ok(settled) => return Ok(settled.map(|_| count)),
                Err(store::Error::Conflict { .. }) => {}
                Err(other) => return Err(other.into()),
            }
        }
        Err(Error::Contended { attempts: self.surroundings.limits.prepare_attempts_max })
    }

    /// What is to be written: authorities without a resource, and those that say something else by now.
    fn naming_puts(&self, permit: &Permit<'_>) -> Result<Vec<Put>, Error> {
        let Some(kind) = ResourceType::parse("NamingSystem") else { return Ok(Vec::new()) };
        let systems = &self.surroundings.systems;
        let named: Vec<(ResourceKey, Value<'static>)> = systems
            .authorities()
            .filter_map(|system| Some((ResourceKey::new(kind, id_of(&system.uri)?), naming(system, systems.date()))))
            .collect();
        let keys: Vec<ResourceKey> = named.iter().map(|(key, _)| key.clone()).collect();
        let basis = self.store.basis(permit, &keys)?;
        let mut puts = Vec::new();
        for ((key, content), current) in named.into_iter().zip(basis.versions) {
            let live = current.filter(|version| !version.is_deleted());
            if let Some(version) = &live
                && says_the_same(&Exchange::tree(version)?, &content)
            {
                continue;
            }
            let (how, expect) = match &live {
                Some(version) => (How::Update, Expect::Version(version.version)),
                None => (How::Update, Expect::Absent),
            };
            let Ok(draft) = Draft::new(&content, key.clone()) else { continue };
            puts.push(Put::write(key, how, expect, &content, draft, self.search_site()));
        }
        Ok(puts)
    }
}

/// Whether a stored resource says what a new one would: all members but those that the store adds.
fn says_the_same(stored: &Value<'_>, content: &Value<'_>) -> bool {
    let Some(members) = content.as_object() else { return false };
    let same = |name: &str, value: &Value<'_>| stored.get(name) == Some(value);
    members.iter().all(|(name, value)| same(name, value))
        && stored.as_object().is_some_and(|stored| {
            stored.iter().all(|(name, _)| matches!(name, "id" | "meta") || members.contains(name))
        })
}

/// The logical id of an authority: the end of its URI, or its OID.
fn id_of(uri: &str) -> Option<LogicalId> {
    match uri.strip_prefix("urn:oid:") {
        Some(oid) => LogicalId::parse(&format!("oid-{oid}")),
        None => LogicalId::parse(uri.rsplit('/').next().unwrap_or(uri)),
    }
}

fn naming(system: &System, date: &str) -> Value<'static> {
    let mut unique: Vec<Value<'static>> = vec![unique_id(&system.uri, true)];
    let others = system.aliases.iter().chain(system.profiles.values().filter(|uri| !system.aliases.contains(uri)));
    unique.extend(others.map(|alias| unique_id(alias, false)));
    let mut naming = Object::new()
        .with("resourceType", "NamingSystem")
        .with("name", name_of(&system.uri))
        .with("status", "active")
        .with("kind", "identifier")
        .with("date", date.to_owned())
        .with("description", format!("{} / {}", system.zh, system.en));
    let codings: Vec<Value<'static>> = system
        .types
        .iter()
        .filter_map(|code| code.split_once('|'))
        .map(|(of, code)| Object::new().with("system", of.to_owned()).with("code", code.to_owned()).into())
        .collect();
    if !codings.is_empty() {
        naming.insert("type", Object::new().with("coding", codings));
    }
    naming.insert("uniqueId", unique);
    naming.into()
}

/// A name for programs (R4, invariant nsd-0): letters and digits only.
fn name_of(uri: &str) -> String {
    let end = uri.strip_prefix("urn:oid:").unwrap_or_else(|| uri.rsplit('/').next().unwrap_or(uri));
    let words = end.split(|letter: char| !letter.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let joined: Vec<&str> = words.collect();
    format!("Dukou_{}", joined.join("_"))
}

fn unique_id(uri: &str, preferred: bool) -> Value<'static> {
    let (kind, value) = match uri.strip_prefix("urn:oid:") {
        Some(oid) => ("oid", oid),
        None => ("uri", uri),
    };
    Object::new().with("type", kind).with("value", value.to_owned()).with("preferred", preferred).into()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use dukou_fhir::validate;

    use super::{id_of, naming};
    use crate::Systems;

    fn systems() -> Systems {
        let read = |name: &str| {
            let path = format!("{}/../../mappings/{name}", env!("CARGO_MANIFEST_DIR"));
            (name.to_owned(), std::fs::read_to_string(path).unwrap())
        };
        let codes =
            ["health", "name", "insurance"].map(|kind| read(&format!("codes/cn-certificate-{kind}-system.csv")));
        let tables = dukou_terminology::Tables::load(codes.into()).unwrap();
        Systems::load(&[read("identity/systems.toml")], &tables).unwrap()
    }

    #[test]
    fn every_authority_is_a_valid_resource_with_an_id_of_its_own_and_every_alias() {
        let systems = systems();
        let mut ids = BTreeSet::new();
        for system in systems.authorities() {
            let resource = naming(system, systems.date());
            let issues = validate::validate(&resource, &validate::Options::default());
            assert!(issues.iter().all(|issue| !issue.severity.is_error()), "{}: {issues:?}", system.uri);
            assert!(ids.insert(id_of(&system.uri).unwrap().to_string()), "{}", system.uri);
            let unique = resource.list_at("uniqueId");
            assert!(unique.len() > system.aliases.len());
            for alias in &system.aliases {
                let bare = alias.strip_prefix("urn:oid:").unwrap_or(alias);
                assert!(unique.iter().any(|one| one.text_at("value") == Some(bare)), "{alias}");
            }
        }
        assert!(ids.len() > 20);
    }
}
