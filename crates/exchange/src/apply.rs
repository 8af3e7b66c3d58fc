//! What a translated message does to what is stored: each change on its current version, older events held back, merges as links.

use dukou_audit::Permit;
use dukou_fhir::{
    Draft, FhirDateTime, Instant, Issue, IssueType, Object, ResourceKey, ResourceType, Text, Value, json,
};
use dukou_mapping::{Change, Mapped, Merge, Program};
use dukou_store::{Expect, How, Put, Version};

use crate::{Error, Exchange};

/// The puts of one message, prepared on the versions that stand now.
pub(crate) struct Applied {
    pub(crate) puts: Vec<Put>,
    pub(crate) issues: Vec<Issue>,
}

impl Applied {
    pub(crate) fn nothing() -> Applied {
        Applied { puts: Vec::new(), issues: Vec::new() }
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
        let mut keys: Vec<ResourceKey> = mapped.changes.iter().map(|change| change.key.clone()).collect();
        for id in mapped.facts.merges.iter().flat_map(|merge| [&merge.survivor, &merge.retired]) {
            let key = ResourceKey::new(patient_type(), id.clone());
            if !keys.contains(&key) {
                keys.push(key);
            }
        }
        let basis = self.store.basis(permit, &keys)?;
        let mut sheet = Sheet {
            exchange: self,
            plan: program.hash().iter().map(|byte| format!("{byte:02x}")).collect(),
            event_time: mapped.facts.event_time.as_deref().and_then(|text| self.instant(text)),
            rows: keys
                .into_iter()
                .zip(basis.versions)
                .map(|(key, current)| Row { key, current, content: None, held: false })
                .collect(),
            applied: Applied::nothing(),
        };
        for change in &mapped.changes {
            sheet.change(change)?;
        }
        for merge in &mapped.facts.merges {
            sheet.merge(merge)?;
        }
        Ok(sheet.finish())
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
    applied: Applied,
}

struct Row {
    key: ResourceKey,
    current: Option<Version>,
    content: Option<Value<'static>>,
    held: bool,
}

impl Sheet<'_> {
    fn change(&mut self, change: &Change<'_>) -> Result<(), Error> {
        let event_time = self.event_time;
        let Some(row) = self.rows.iter_mut().find(|row| row.key == change.key) else { return Ok(()) };
        let live = row.current.as_ref().filter(|version| !version.is_deleted());
        let newest = live.and_then(|version| version.event_time);
        if let (Some(stored), Some(event)) = (newest, event_time)
            && event < stored
        {
            row.held = true;
            self.applied.issues.push(older_event(&change.key));
            return Ok(());
        }
        let stored = live.map(Exchange::tree).transpose()?;
        let mut content = change.apply(stored.as_ref()).into_static();
        if change.key.kind.as_str() == "Provenance" {
            name_plan(&mut content, &self.plan);
        }
        row.content = Some(content);
        Ok(())
    }

    /// A merge is two links: the survivor replaces the retired record, which is no longer active (FHIR R4, Patient.link).
    fn merge(&mut self, merge: &Merge) -> Result<(), Error> {
        if merge.survivor == merge.retired {
            return Ok(());
        }
        self.link(&merge.survivor, "replaces", &merge.retired)?;
        self.link(&merge.retired, "replaced-by", &merge.survivor)
    }

    fn link(
        &mut self,
        from: &dukou_fhir::LogicalId,
        kind: &'static str,
        to: &dukou_fhir::LogicalId,
    ) -> Result<(), Error> {
        let Some(row) = self.rows.iter_mut().find(|row| row.key.kind == patient_type() && row.key.id == *from) else {
            return Ok(());
        };
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
        Ok(())
    }

    fn finish(self) -> Applied {
        let Sheet { exchange, event_time, rows, mut applied, .. } = self;
        for row in rows {
            let Some(content) = row.content else { continue };
            let live = row.current.as_ref().filter(|version| !version.is_deleted());
            let expect = live.map_or(Expect::Absent, |version| Expect::Version(version.version));
            // A link put beside content of a later event must not open that content to older events.
            let newest = live.and_then(|version| version.event_time);
            match Draft::new(&content, row.key.clone()) {
                Ok(draft) => {
                    let mut put = Put::write(row.key, How::Update, expect, &content, draft, exchange.search_site());
                    put.event_time = newest.max(event_time);
                    applied.puts.push(put);
                }
                Err(_) => applied.issues.push(not_storable(&row.key)),
            }
        }
        applied
    }
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

fn patient_type() -> ResourceType {
    ResourceType::PATIENT
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
