//! `Patient/$merge`: two records of one person become one, by the word of a person. What hangs on the source is not rewritten: its
//! number goes on leading to it, and every question about one of the two finds both.

use std::collections::BTreeMap;

use dukou_audit::{self as audit, Permit, Right, Settled};
use dukou_fhir::search::Options;
use dukou_fhir::{Draft, Issue, IssueType, LogicalId, Object, ResourceKey, ResourceType, Text, Value, validate};
use dukou_store::{self as store, Batch, Expect, How, Put, Version};
use sha2::{Digest, Sha256};

use crate::apply::{Applied, Sheet};
use crate::ingest::hexadecimal;
use crate::{Error, Exchange, journal, links, told};

/// A patient as an operation names it: by reference, by identifiers, or by both.
#[derive(Clone, Debug, Default)]
pub struct Party {
    /// The logical id in a reference.
    pub id: Option<LogicalId>,
    /// Identifiers as (system, value); together they name exactly one record.
    pub identifiers: Vec<(String, String)>,
}

/// What `$merge` is asked.
#[derive(Clone, Debug)]
pub struct MergeAsked {
    /// The record that retires.
    pub source: Party,
    /// The record that goes on.
    pub target: Party,
    /// The target as it is to be after the merge; none leaves it as it is.
    pub result: Option<Value<'static>>,
    /// Nothing is changed.
    pub preview: bool,
    /// Why; required where something speaks against the merge.
    pub reason: String,
}

/// What became of it.
#[derive(Clone, Debug)]
pub struct Merged {
    /// The source's key.
    pub source: ResourceKey,
    /// The target as it stands, or in a preview as it would.
    pub result: Value<'static>,
    /// Resources that refer to the source, by type: they are found under the target from now on.
    pub affected: BTreeMap<String, usize>,
    /// Number of the journal's entry, for a later `$unmerge`.
    pub entry: Option<u64>,
    /// What speaks against the merge.
    pub objections: Vec<Text>,
    /// The Task in which the merge waits for a second person.
    pub waits: Option<ResourceKey>,
}

/// A merge that was checked, ready to be written.
struct Plan {
    source: ResourceKey,
    target: ResourceKey,
    objections: Vec<Text>,
    affected: BTreeMap<String, usize>,
    /// The word of the first person, where this is the second.
    request: Option<Version>,
    confirmed: bool,
}

impl Exchange {
    /// Merges two records, or says what a merge would do. Where something speaks against it, the first word opens a Task, and the same
    /// word of another person does it.
    ///
    /// # Errors
    /// [`Error::Invalid`] (422) where a party is not exactly one record, is merged already (the survivor is named) or the other party.
    pub fn merge(&self, permit: &Permit<'_>, asked: &MergeAsked) -> Result<Settled<Merged>, Error> {
        for _ in 0..self.surroundings.limits.prepare_attempts_max {
            let plan = self.plan(permit, asked)?;
            let mut applied = self.prepared(permit, asked, &plan)?;
            let result = self.result_of(&plan, &applied)?;
            let waits = !plan.objections.is_empty() && !plan.confirmed;
            let task = request_key(&plan);
            let merged = Merged {
                source: plan.source.clone(),
                result,
                affected: plan.affected.clone(),
                entry: None,
                objections: plan.objections.clone(),
                waits: waits.then(|| task.clone()),
            };
            if asked.preview {
                // What is shown of the target is read through the gate.
                let shown = self.read(permit, &plan.target)?;
                return Ok(Settled::Unchanged(shown.map(|_| merged)));
            }
            if waits {
                applied = Applied::nothing();
            }
            applied.puts.extend(self.request_put(permit, asked, &plan, waits)?);
            let entry = usize::from(!waits);
            match self.commit(permit, batch(permit, applied)) {
                Err(store::Error::Conflict { .. } | store::Error::ConditionFailed { .. }) => {}
                Err(other) => return Err(other.into()),
                Ok(settled) => {
                    return Ok(settled.map(|outcome| Merged {
                        entry: outcome.journal.last().copied().filter(|_| entry > 0),
                        ..merged
                    }));
                }
            }
        }
        Err(Error::Contended { attempts: self.surroundings.limits.prepare_attempts_max })
    }

    fn plan(&self, permit: &Permit<'_>, asked: &MergeAsked) -> Result<Plan, Error> {
        let source = self.party(permit, &asked.source, "source-patient")?;
        let target = self.party(permit, &asked.target, "target-patient")?;
        if source == target {
            return Err(refusal("same-patient", "source and target are the same record", "源与目标是同一份记录"));
        }
        for (key, name) in [(&source, "source-patient"), (&target, "target-patient")] {
            if let Some(survivor) = self.survivor_of(&key.id) {
                return Err(merged_already(name, &survivor));
            }
        }
        let objections = self.objections(&source.id, &target.id);
        let actor = journal::actor(permit);
        let mut plan = Plan { source, target, objections, affected: BTreeMap::new(), request: None, confirmed: false };
        for version in self.store.referrers(permit, &plan.source, COUNTED_MAX)? {
            *plan.affected.entry(version.key.kind.to_string()).or_default() += 1;
        }
        if !plan.objections.is_empty() && !asked.preview {
            if asked.reason.trim().is_empty() {
                return Err(refusal(
                    "reason-missing",
                    "something speaks against this merge; say why it is right",
                    "存在否决证据，请说明合并理由",
                ));
            }
            let task = request_key(&plan);
            let found = self.store.basis(permit, std::slice::from_ref(&task))?.versions.pop().flatten();
            plan.request = found.filter(|version| !version.is_deleted());
            if let Some(request) = &plan.request {
                let stored = Exchange::tree(request)?;
                let first = stored.text_at("requester.identifier.value").unwrap_or_default();
                plan.confirmed = stored.text_at("status") == Some("requested") && first != actor;
            }
        }
        Ok(plan)
    }

    /// The one record that a party names, within the caller's reach.
    pub(crate) fn party(&self, permit: &Permit<'_>, party: &Party, name: &str) -> Result<ResourceKey, Error> {
        let mut found = party.id.clone().map(|id| told::patient(&id));
        if !party.identifiers.is_empty() {
            let pairs: Vec<(String, String)> = party
                .identifiers
                .iter()
                .map(|(system, value)| ("identifier".to_owned(), crate::kin::token(system, value)))
                .collect();
            let options = Options { site: self.search_site(), ..Options::default() };
            let query = self.query(ResourceType::PATIENT, &pairs, &options)?;
            let mut matches = self.store.resolve(permit, &query)?;
            let only = (matches.len() == 1).then(|| matches.remove(0));
            let agrees = only.as_ref().is_some_and(|only| found.as_ref().is_none_or(|found| found == only));
            if !agrees {
                return Err(not_one(name));
            }
            found = only;
        }
        let key = found.ok_or_else(|| not_one(name))?;
        let version = self.store.basis(permit, std::slice::from_ref(&key))?.versions.pop().flatten();
        let version = version.filter(|version| !version.is_deleted()).ok_or_else(|| not_one(name))?;
        let patients: Vec<&str> = version.patients.iter().map(LogicalId::as_str).collect();
        match permit.allows_for("Patient", Right::Update, &patients) {
            true => Ok(key),
            false => Err(not_one(name)),
        }
    }

    /// The puts and the entry of a merge.
    fn prepared(&self, permit: &Permit<'_>, asked: &MergeAsked, plan: &Plan) -> Result<Applied, Error> {
        let mut sheet = Sheet::blank(self, permit, &asked.reason, &evidence(plan));
        if let Some(result) = &asked.result {
            if result.text_at("id").is_some_and(|id| id != plan.target.id.as_str()) {
                return Err(Error::IdDiffers);
            }
            let faults = validate::validate(result, &validate::Options::default());
            if result.resource_type() != Some("Patient") || faults.iter().any(|fault| fault.severity.is_error()) {
                return Err(Error::Invalid(faults));
            }
            sheet.edit(&plan.target, |content| *content = result.clone())?;
        }
        sheet.merge(&plan.target, &plan.source, None)?;
        Ok(sheet.finish())
    }

    fn result_of(&self, plan: &Plan, applied: &Applied) -> Result<Value<'static>, Error> {
        let put = applied.puts.iter().find(|put| put.key == plan.target);
        put.and_then(Put::content).map(Value::into_static).ok_or_else(|| Error::NotFound { key: plan.target.clone() })
    }

    /// The Task of a merge that needs two people: opened by the first, closed by the second.
    fn request_put(
        &self,
        permit: &Permit<'_>,
        asked: &MergeAsked,
        plan: &Plan,
        waits: bool,
    ) -> Result<Option<Put>, Error> {
        if plan.objections.is_empty() {
            return Ok(None);
        }
        let key = request_key(plan);
        let mut task = match &plan.request {
            Some(version) => Exchange::tree(version)?.into_static(),
            None => told::stub(key.kind),
        };
        let who = |name: &str| Object::new().with("identifier", Object::new().with("value", name.to_owned()));
        let actor = journal::actor(permit);
        let reference = |key: &ResourceKey| Object::new().with("reference", key.to_string());
        if let Some(task) = task.as_object_mut() {
            task.insert("status", if waits { "requested" } else { "completed" });
            task.insert("intent", "proposal");
            let coding = Object::new().with("system", REQUEST_SYSTEM).with("code", "merge-request");
            task.insert("code", Object::new().with("coding", vec![Value::from(coding)]));
            task.insert("focus", reference(&plan.source));
            task.insert("for", reference(&plan.target));
            if waits {
                task.insert("requester", who(&actor));
                task.insert("reasonCode", Object::new().with("text", asked.reason.clone()));
            } else {
                task.insert("owner", who(&actor));
                links::push(task, "note", Object::new().with("text", asked.reason.clone()));
            }
        }
        let expect = plan.request.as_ref().map_or(Expect::Absent, |version| Expect::Version(version.version));
        let Ok(draft) = Draft::new(&task, key.clone()) else { return Ok(None) };
        let mut put = Put::write(key, How::Update, expect, &task, draft, self.search_site());
        put.of_the_node = true;
        Ok(Some(put))
    }
}

pub(crate) fn batch(permit: &Permit<'_>, applied: Applied) -> Batch {
    let verdict = Box::new(|_: &store::Outcome| (audit::Outcome::http(200), Vec::new()));
    Batch {
        puts: applied.puts,
        journal: applied.journal,
        conditions: applied.conditions,
        integrity: store::Integrity::Warn,
        ..Batch::new(permit.draft(), verdict)
    }
}

fn evidence(plan: &Plan) -> String {
    let lines: Vec<&str> = plan.objections.iter().map(|text| text.en.as_ref()).collect();
    lines.join("; ")
}

/// 128 bits of SHA-256 over the two records.
fn request_key(plan: &Plan) -> ResourceKey {
    let text = format!("merge {} {}", plan.source, plan.target);
    let text = hexadecimal(&Sha256::digest(text.as_bytes())[..16]);
    let id = LogicalId::parse(&text).unwrap_or_else(|| unreachable!("32 hexadecimal digits are an id"));
    let kind = ResourceType::parse("Task").unwrap_or_else(|| unreachable!("R4 has the type Task"));
    ResourceKey::new(kind, id)
}

pub(crate) fn refusal(code: &'static str, en: &str, zh: &str) -> Error {
    Error::Invalid(vec![Issue::error(IssueType::BusinessRule, code, Text::new(en.to_owned(), zh.to_owned()))])
}

fn not_one(name: &str) -> Error {
    let text = Text::new(
        format!("{name} does not name exactly one record that you may change"),
        format!("{name} 未能唯一确定一份可修改的记录"),
    );
    Error::Invalid(vec![Issue::error(IssueType::BusinessRule, "not-exactly-one", text).at(name)])
}

fn merged_already(name: &str, survivor: &LogicalId) -> Error {
    let text = Text::new(
        format!("{name} was merged before; Patient/{survivor} goes on for it"),
        format!("{name} 此前已被合并，现用记录为 Patient/{survivor}"),
    );
    Error::Invalid(vec![Issue::error(IssueType::BusinessRule, "merged-already", text).at(name)])
}

const REQUEST_SYSTEM: &str = "https://dukou.dev/fhir/CodeSystem/identity-review";

/// Resources that a preview counts, at most.
const COUNTED_MAX: usize = 20_000;
