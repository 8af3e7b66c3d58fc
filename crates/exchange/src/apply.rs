//! What a translated message does to what is stored: each change on its current version, older events held back, merges as links.

use std::collections::HashMap;

use dukou_audit::Permit;
use dukou_fhir::{
    Draft, FhirDateTime, Instant, Issue, IssueType, LogicalId, Object, ResourceKey, ResourceType, Text, Value, json,
};
use dukou_mapping::{Change, Mapped, Program, Told};
use dukou_store::{Expect, How, Put, Version};

use crate::{Error, Exchange};

/// The puts of one message, or of the records of one document, prepared on the versions that stand now.
pub(crate) struct Applied {
    pub(crate) puts: Vec<Put>,
    pub(crate) issues: Vec<Issue>,
    /// For each record whether it says anything that is not stored; empty unless it was asked for.
    pub(crate) news: Vec<bool>,
    /// Resources that cannot be stored.
    pub(crate) refused: Vec<ResourceKey>,
}

impl Applied {
    pub(crate) fn nothing() -> Applied {
        Applied { puts: Vec::new(), issues: Vec::new(), news: Vec::new(), refused: Vec::new() }
    }

    /// Whether the content is at fault, so that nothing may be applied.
    pub(crate) fn is_refused(&self) -> bool {
        self.issues.iter().any(|issue| issue.severity.is_error())
    }
}

impl Exchange {
    /// Puts the changes of a message on the current versions of the resources they speak of; a Provenance names the plan that
    /// made them, so that the message can be followed through the same maps later.
    pub(crate) fn apply(&self, permit: &Permit<'_>, mapped: &Mapped<'_>, program: &Program) -> Result<Applied, Error> {
        let mut sheet = self.sheet(permit, &[mapped], program)?;
        sheet.take(mapped)?;
        Ok(sheet.finish())
    }

    /// The same for the records of a document, one after another: a later one finds what an earlier one has said. Says of each
    /// record whether it brought anything new.
    pub(crate) fn apply_records(
        &self,
        permit: &Permit<'_>,
        records: &[&Mapped<'_>],
        program: &Program,
    ) -> Result<Applied, Error> {
        let mut sheet = self.sheet(permit, records, program)?;
        for mapped in records {
            sheet.compared = Some(false);
            sheet.take(mapped)?;
            let news = sheet.compared.take().unwrap_or(true);
            sheet.applied.news.push(news);
        }
        Ok(sheet.finish())
    }

    fn sheet(&self, permit: &Permit<'_>, said: &[&Mapped<'_>], program: &Program) -> Result<Sheet<'_>, Error> {
        let mut keys: Vec<ResourceKey> = Vec::new();
        let mut places: HashMap<ResourceKey, usize> = HashMap::new();
        let mut add = |key: ResourceKey| {
            places.entry(key.clone()).or_insert_with(|| {
                keys.push(key);
                keys.len() - 1
            });
        };
        for mapped in said {
            mapped.changes.iter().for_each(|change| add(change.key.clone()));
            let merged =
                mapped.facts.told.iter().filter_map(merged).flat_map(|(survivor, retired)| [survivor, retired]);
            merged.for_each(|key| add(key.clone()));
        }
        let basis = self.store.basis(permit, &keys)?;
        let row = |(key, current)| Row { key, current, content: None, event_time: None };
        Ok(Sheet {
            exchange: self,
            plan: program.hash().iter().map(|byte| format!("{byte:02x}")).collect(),
            event_time: None,
            rows: keys.into_iter().zip(basis.versions).map(row).collect(),
            places,
            compared: None,
            applied: Applied::nothing(),
        })
    }

    fn instant(&self, text: &str) -> Option<Instant> {
        FhirDateTime::parse(text).map(|time| time.low(self.surroundings.zone))
    }

    /// The stored form of a version as a tree.
    pub(crate) fn tree(version: &Version) -> Result<Value<'_>, Error> {
        json::parse(&version.body, &json::Limits::default())
            .map_err(|_| Error::Unavailable(dukou_store::Error::Corrupt { what: "versions.body" }))
    }
}

/// The resources a message touches, side by side with what is stored.
struct Sheet<'e> {
    exchange: &'e Exchange,
    /// The hash of the maps in use, in hex.
    plan: String,
    event_time: Option<Instant>,
    rows: Vec<Row>,
    places: HashMap<ResourceKey, usize>,
    /// Whether the record that is being taken has said anything new so far; nothing where nobody asks.
    compared: Option<bool>,
    applied: Applied,
}

struct Row {
    key: ResourceKey,
    current: Option<Version>,
    content: Option<Value<'static>>,
    /// The newest event that this message or document tells of it.
    event_time: Option<Instant>,
}

impl Sheet<'_> {
    /// Takes what one message or record says.
    fn take(&mut self, mapped: &Mapped<'_>) -> Result<(), Error> {
        self.event_time = mapped.facts.event_time.as_deref().and_then(|text| self.exchange.instant(text));
        mapped.changes.iter().try_for_each(|change| self.change(change))?;
        mapped.facts.told.iter().filter_map(merged).try_for_each(|(survivor, retired)| self.merge(survivor, retired))
    }

    fn change(&mut self, change: &Change<'_>) -> Result<(), Error> {
        let event_time = self.event_time;
        let Some(row) = self.places.get(&change.key).map(|place| &mut self.rows[*place]) else { return Ok(()) };
        let live = row.current.as_ref().filter(|version| !version.is_deleted());
        let newest = live.and_then(|version| version.event_time).max(row.event_time);
        if let (Some(stored), Some(event)) = (newest, event_time)
            && event < stored
        {
            self.applied.issues.push(older_event(&change.key));
            return Ok(());
        }
        let stored = match (&row.content, live) {
            (Some(content), _) => Some(content.clone()),
            (None, live) => live.map(Exchange::tree).transpose()?,
        };
        let mut content = change.apply(stored.as_ref()).into_static();
        if change.key.kind.as_str() == "Provenance" {
            name_plan(&mut content, &self.plan);
        }
        if let Some(news) = &mut self.compared {
            *news = *news || stored.as_ref() != Some(&content);
        }
        row.content = Some(content);
        row.event_time = row.event_time.max(event_time);
        Ok(())
    }

    /// A merge is two links: the survivor replaces the retired record, which is no longer active (FHIR R4, Patient.link).
    fn merge(&mut self, survivor: &ResourceKey, retired: &ResourceKey) -> Result<(), Error> {
        self.link(survivor, "replaces", &retired.id)?;
        self.link(retired, "replaced-by", &survivor.id)
    }

    fn link(&mut self, from: &ResourceKey, kind: &'static str, to: &LogicalId) -> Result<(), Error> {
        let Some(row) = self.places.get(from).map(|place| &mut self.rows[*place]) else { return Ok(()) };
        let mut content = match (row.content.take(), row.current.as_ref().filter(|version| !version.is_deleted())) {
            (Some(content), _) => content,
            (None, Some(version)) => Exchange::tree(version)?.into_static(),
            // The record that a merge names may never have been sent: a stub holds its place and its link.
            (None, None) => Value::Object(Object::new().with("resourceType", "Patient")),
        };
        if let Some(patient) = content.as_object_mut() {
            add_link(patient, kind, &format!("Patient/{to}"));
            if kind == "replaced-by" {
                patient.insert("active", false);
            }
        }
        row.content = Some(content);
        row.event_time = row.event_time.max(self.event_time);
        Ok(())
    }

    fn finish(self) -> Applied {
        let Sheet { exchange, rows, mut applied, .. } = self;
        for row in rows {
            let Some(content) = row.content else { continue };
            let live = row.current.as_ref().filter(|version| !version.is_deleted());
            let expect = live.map_or(Expect::Absent, |version| Expect::Version(version.version));
            // A link put beside content of a later event must not open that content to older events.
            let newest = live.and_then(|version| version.event_time);
            match Draft::new(&content, row.key.clone()) {
                Ok(draft) => {
                    let mut put = Put::write(row.key, How::Update, expect, &content, draft, exchange.search_site());
                    put.event_time = newest.max(row.event_time);
                    applied.puts.push(put);
                }
                Err(_) => {
                    applied.issues.push(not_storable(&row.key));
                    applied.refused.push(row.key);
                }
            }
        }
        applied
    }
}

/// The patients who became one, in the words of the merge: survivor and retired. A changed key is a new record in place of an old one.
fn merged(told: &Told) -> Option<(&ResourceKey, &ResourceKey)> {
    let (survivor, retired) = match told {
        Told::Merge { survivor, retired } => (survivor, &retired.key),
        Told::Change { of, old, .. } => (of, &old.key),
        _ => return None,
    };
    (survivor.kind == ResourceType::PATIENT && survivor != retired).then_some((survivor, retired))
}

fn add_link(patient: &mut Object<'static>, kind: &'static str, to: &str) {
    let there = |link: &Value<'_>| link.text_at("type") == Some(kind) && link.text_at("other.reference") == Some(to);
    if patient.get("link").and_then(Value::as_array).is_some_and(|links| links.iter().any(there)) {
        return;
    }
    let other = Object::new().with("reference", to.to_owned());
    let link = Value::Object(Object::new().with("other", other).with("type", kind));
    match patient.get_mut("link").and_then(Value::as_array_mut) {
        Some(links) => links.push(link),
        None => {
            patient.insert("link", vec![link]);
        }
    }
}

/// Sets the extension that names the plan.
fn name_plan(provenance: &mut Value<'static>, plan: &str) {
    let Some(object) = provenance.as_object_mut() else { return };
    let mut extensions = match object.remove("extension") {
        Some(Value::Array(known)) => known,
        _ => Vec::new(),
    };
    extensions.retain(|one| one.text_at("url") != Some(PLAN));
    extensions.push(Value::Object(Object::new().with("url", PLAN).with("valueString", plan.to_owned())));
    object.insert("extension", Value::Array(extensions));
}

fn older_event(key: &ResourceKey) -> Issue {
    let en =
        format!("the message tells of an older event than the stored {}; that resource is left as it is", key.kind);
    let zh = format!("消息中的事件早于已存的 {}；该资源保持不变", key.kind);
    Issue::warning(IssueType::Conflict, "older-event", Text::new(en, zh)).at(key.kind.to_string())
}

fn not_storable(key: &ResourceKey) -> Issue {
    let text = Text::new(
        format!("the {} made of the message cannot be stored", key.kind),
        format!("由消息生成的 {} 无法存储", key.kind),
    );
    Issue::error(IssueType::Processing, "not-storable", text)
}

/// The hash of the maps that made a resource.
const PLAN: &str = "https://dukou.dev/fhir/StructureDefinition/plan";
