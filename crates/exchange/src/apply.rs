//! What a translated message does to what is stored: each change on its current version, older events held back, merges as links.

use std::collections::HashMap;

use dukou_audit::Permit;
use dukou_fhir::{Draft, FhirDateTime, Instant, Issue, IssueType, Object, ResourceKey, Text, Value, json};
use dukou_identity::{Decided, Review};
use dukou_mapping::{Change, Mapped, Program};
use dukou_store::{Condition, Expect, How, JournalRow, Put, Version};

use crate::{Error, Exchange, told};

/// The puts of one message, or of the records of one document, prepared on the versions that stand now.
pub(crate) struct Applied {
    pub(crate) puts: Vec<Put>,
    pub(crate) issues: Vec<Issue>,
    /// For each record whether it says anything that is not stored; empty unless it was asked for.
    pub(crate) news: Vec<bool>,
    /// Resources that cannot be stored.
    pub(crate) refused: Vec<ResourceKey>,
    /// What is decided about identity.
    pub(crate) journal: Vec<JournalRow>,
    /// What was looked up while preparing; looked up again by the writer.
    pub(crate) conditions: Vec<Condition>,
    /// What a person should look at.
    pub(crate) reviews: Vec<Review>,
}

impl Applied {
    pub(crate) fn nothing() -> Applied {
        Applied {
            puts: Vec::new(),
            issues: Vec::new(),
            news: Vec::new(),
            refused: Vec::new(),
            journal: Vec::new(),
            conditions: Vec::new(),
            reviews: Vec::new(),
        }
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
        let barred = sheet.barred(&mapped.facts.told)?;
        let mut applied = if barred.is_empty() {
            sheet.take(mapped)?;
            sheet.finish()
        } else {
            let conditions = sheet.applied.conditions;
            Applied { issues: vec![told::veto_conflict()], reviews: barred, conditions, ..Applied::nothing() }
        };
        let opened = self.review_puts(permit, &applied.reviews)?;
        applied.puts.extend(opened);
        Ok(applied)
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

    fn sheet<'e>(
        &'e self,
        permit: &'e Permit<'e>,
        said: &[&Mapped<'_>],
        program: &Program,
    ) -> Result<Sheet<'e>, Error> {
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
        }
        let basis = self.store.basis(permit, &keys)?;
        let row = |(key, current)| Row { key, current, content: None, event_time: None };
        Ok(Sheet {
            exchange: self,
            permit,
            plan: program.hash().iter().map(|byte| format!("{byte:02x}")).collect(),
            event_time: None,
            event_text: None,
            reason: String::new(),
            evidence: String::new(),
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
pub(crate) struct Sheet<'e> {
    pub(crate) exchange: &'e Exchange,
    pub(crate) permit: &'e Permit<'e>,
    /// The hash of the maps in use, in hex.
    plan: String,
    pub(crate) event_time: Option<Instant>,
    /// The same as the message tells it.
    pub(crate) event_text: Option<String>,
    /// Why, and on what it rests, where a person decides.
    reason: String,
    evidence: String,
    pub(crate) rows: Vec<Row>,
    pub(crate) places: HashMap<ResourceKey, usize>,
    /// Whether the record that is being taken has said anything new so far; nothing where nobody asks.
    compared: Option<bool>,
    pub(crate) applied: Applied,
}

/// One resource: as it is stored, and as it will be.
pub(crate) struct Row {
    key: ResourceKey,
    pub(crate) current: Option<Version>,
    pub(crate) content: Option<Value<'static>>,
    /// The newest event that this message or document tells of it.
    event_time: Option<Instant>,
}

impl<'e> Sheet<'e> {
    /// A sheet for what a person decides: no message, no maps.
    pub(crate) fn blank(exchange: &'e Exchange, permit: &'e Permit<'e>, reason: &str, evidence: &str) -> Sheet<'e> {
        Sheet {
            exchange,
            permit,
            plan: String::new(),
            event_time: None,
            event_text: None,
            reason: reason.to_owned(),
            evidence: evidence.to_owned(),
            rows: Vec::new(),
            places: HashMap::new(),
            compared: None,
            applied: Applied::nothing(),
        }
    }
}

impl Sheet<'_> {
    /// Takes what one message or record says.
    fn take(&mut self, mapped: &Mapped<'_>) -> Result<(), Error> {
        self.event_time = mapped.facts.event_time.as_deref().and_then(|text| self.exchange.instant(text));
        self.event_text.clone_from(&mapped.facts.event_time);
        self.carry_over(&mapped.facts.told)?;
        mapped.changes.iter().try_for_each(|change| self.change(change))?;
        self.decide(&mapped.facts.told)
    }

    /// The place of a resource on the sheet; read from the store where nobody has spoken of it yet.
    pub(crate) fn place(&mut self, key: &ResourceKey) -> Result<usize, Error> {
        if let Some(place) = self.places.get(key) {
            return Ok(*place);
        }
        let current = self.exchange.store.basis(self.permit, std::slice::from_ref(key))?.versions.pop().flatten();
        Ok(self.add(key.clone(), current))
    }

    /// Puts a version on the sheet that was read already.
    pub(crate) fn take_in(&mut self, version: Version) {
        if !self.places.contains_key(&version.key) {
            self.add(version.key.clone(), Some(version));
        }
    }

    fn add(&mut self, key: ResourceKey, current: Option<Version>) -> usize {
        self.places.insert(key.clone(), self.rows.len());
        self.rows.push(Row { key, current, content: None, event_time: None });
        self.rows.len() - 1
    }

    /// A resource as the message leaves it so far; none where there is nothing live.
    pub(crate) fn peek(&mut self, key: &ResourceKey) -> Result<Option<Value<'static>>, Error> {
        let at = self.place(key)?;
        match &self.rows[at].content {
            Some(content) => Ok(Some(content.clone())),
            None => self.stored(key),
        }
    }

    /// A resource as it was before the message.
    pub(crate) fn stored(&mut self, key: &ResourceKey) -> Result<Option<Value<'static>>, Error> {
        let at = self.place(key)?;
        let live = self.rows[at].current.as_ref().filter(|version| !version.is_deleted());
        Ok(live.map(Exchange::tree).transpose()?.map(Value::into_static))
    }

    /// Changes a resource; one that is not there begins as a stub.
    pub(crate) fn edit(&mut self, key: &ResourceKey, change: impl FnOnce(&mut Value<'static>)) -> Result<(), Error> {
        let mut content = self.peek(key)?.unwrap_or_else(|| told::stub(key.kind));
        change(&mut content);
        let at = self.place(key)?;
        let row = &mut self.rows[at];
        row.content = Some(content);
        row.event_time = row.event_time.max(self.event_time);
        Ok(())
    }

    /// Notes a decision for the journal.
    pub(crate) fn journal(&mut self, decided: Decided) {
        let row = crate::journal::row(self.permit, decided, &self.reason, &self.evidence);
        self.applied.journal.push(row);
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

    pub(crate) fn finish(self) -> Applied {
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
