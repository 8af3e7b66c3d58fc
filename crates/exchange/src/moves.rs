//! Visits and accounts that merge, change their number or go to another patient: what hangs on them goes along.

use dukou_fhir::{Issue, IssueType, LogicalId, Object, ResourceKey, ResourceType, Text, Value, reference};
use dukou_identity::Decided;
use dukou_mapping::{Named, Told};

use crate::apply::Sheet;
use crate::{Error, links, told};

impl Sheet<'_> {
    /// A visit or account that has a new number begins with what is stored under the old one.
    pub(crate) fn carry_over(&mut self, decisions: &[Told]) -> Result<(), Error> {
        for decision in decisions {
            let (to, from) = match decision {
                Told::Change { of, old, new: None } => (of, &old.key),
                Told::Move { to, moved, .. } => (to, &moved.key),
                _ => continue,
            };
            if to.kind == ResourceType::PATIENT || to == from || self.peek(to)?.is_some() {
                continue;
            }
            if let Some(mut content) = self.peek(from)? {
                if let Some(object) = content.as_object_mut() {
                    object.remove("id");
                    object.remove("meta");
                }
                let at = self.place(to)?;
                self.rows[at].content = Some(content);
            }
        }
        Ok(())
    }

    /// One visit or account goes on for another: everything that referred to the other refers to it.
    pub(crate) fn retire(&mut self, retired: &ResourceKey, survivor: &ResourceKey, named: &Named) -> Result<(), Error> {
        if retired == survivor {
            return Ok(());
        }
        let until = self.event_text.clone();
        let kind = named.kind.as_deref();
        self.edit(survivor, |content| links::close(content, &named.system, &named.value, kind, until.as_deref()))?;
        if self.peek(retired)?.is_none() {
            return Ok(());
        }
        for key in self.referrers(retired)? {
            let (from, to) = (retired.to_string(), survivor.to_string());
            self.edit(&key, |content| {
                reference::rewrite(content, &mut |text| (text == from).then(|| to.clone()));
            })?;
        }
        let to = survivor.to_string();
        self.edit(retired, |content| {
            let is_visit = content.resource_type() == Some("Encounter");
            told::set(content, "status", if is_visit { "entered-in-error" } else { "inactive" });
            if let Some(object) = content.as_object_mut() {
                links::retain(object, "extension", |one| one.text_at("url") != Some(REPLACED_BY));
                let target = Object::new().with("reference", to.clone());
                links::push(object, "extension", Object::new().with("url", REPLACED_BY).with("valueReference", target));
            }
        })
    }

    /// The number of a visit or account changes; no person is touched.
    pub(crate) fn renumber_visit(&mut self, of: &ResourceKey, old: &Named, new: Option<&Named>) -> Result<(), Error> {
        let until = self.event_text.clone();
        self.edit(of, |content| {
            links::close(content, &old.system, &old.value, old.kind.as_deref(), until.as_deref());
        })?;
        if let Some(new) = new {
            return self.edit(of, |content| {
                links::add_number(content, &new.system, &new.value, new.kind.as_deref());
            });
        }
        self.retire(&old.key, of, old)
    }

    /// A visit or account goes to another patient, with all that was filed under it.
    pub(crate) fn move_visit(&mut self, to: &ResourceKey, moved: &Named) -> Result<(), Error> {
        let Some(owner) = self.peek(to)?.as_ref().and_then(subject) else { return Ok(()) };
        let stored = self.stored(&moved.key)?;
        if moved.key != *to {
            self.retire(&moved.key, to, moved)?;
        }
        let Some(before) = stored.as_ref().and_then(subject).filter(|before| *before != owner) else { return Ok(()) };
        let mut hangs = self.referrers(to)?;
        hangs.extend(self.referrers(&moved.key)?);
        let visits: Vec<ResourceKey> = hangs
            .iter()
            .filter(|key| to.kind.as_str() == "Account" && key.kind.as_str() == "Encounter")
            .cloned()
            .collect();
        for visit in &visits {
            hangs.extend(self.referrers(visit)?);
        }
        hangs.extend([to.clone(), moved.key.clone()]);
        hangs.sort_unstable();
        hangs.dedup();
        if hangs.len() > HANGS_MAX {
            self.applied.issues.push(too_much());
            return Ok(());
        }
        let (from, target) = (format!("Patient/{before}"), format!("Patient/{owner}"));
        for key in hangs.into_iter().filter(|key| !STATEMENTS.contains(&key.kind.as_str())) {
            let names = |content: &Value<'_>| reference::references(content).iter().any(|(_, text)| *text == from);
            if self.peek(&key)?.is_some_and(|content| names(&content)) {
                self.edit(&key, |content| {
                    reference::rewrite(content, &mut |text| (text == from).then(|| target.clone()));
                })?;
            }
        }
        let (system, value) = (moved.system.clone(), moved.value.clone());
        self.journal(Decided::Move { from: before, to: owner, system, value });
        Ok(())
    }

    /// What refers to a resource, but for statements about its history.
    fn referrers(&mut self, target: &ResourceKey) -> Result<Vec<ResourceKey>, Error> {
        let found = self.exchange.store.referrers(self.permit, target, HANGS_MAX + 1)?;
        if found.len() > HANGS_MAX {
            self.applied.issues.push(too_much());
        }
        let mut keys = Vec::new();
        for version in found.into_iter().filter(|version| !STATEMENTS.contains(&version.key.kind.as_str())) {
            keys.push(version.key.clone());
            self.take_in(version);
        }
        Ok(keys)
    }
}

/// The patient of a visit or an account.
fn subject(content: &Value<'_>) -> Option<LogicalId> {
    let text = content.text_at("subject.reference").or_else(|| content.text_at("subject[0].reference"))?;
    ResourceKey::parse(text).filter(|key| key.kind == ResourceType::PATIENT).map(|key| key.id)
}

fn too_much() -> Issue {
    let text = Text::new(
        format!("more than {HANGS_MAX} resources hang on the visit or account; move it in parts"),
        format!("该就诊或账户下的资源超过 {HANGS_MAX} 个，请分批迁移"),
    );
    Issue::error(IssueType::TooCostly, "too-much-to-move", text).at("MRG-1")
}

/// Types that say what was, and keep saying it.
const STATEMENTS: [&str; 4] = ["Provenance", "MessageHeader", "AuditEvent", "Task"];

/// What may go along with one visit or account in one transaction.
const HANGS_MAX: usize = 5_000;

/// The resource that goes on for a visit or an account.
const REPLACED_BY: &str = "https://dukou.dev/fhir/StructureDefinition/replaced-by";
