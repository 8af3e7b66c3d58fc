//! Preparing a write: ids, conditions, references and faults, all outside the store's writer.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use dukou_audit::{Permit, Right, Unreleased};
use dukou_fhir::search::{self, Query};
use dukou_fhir::{
    Draft, Issue, IssueType, LogicalId, ResourceKey, ResourceType, Text, Value, VersionId, reference, validate,
};
use dukou_store::{Condition, Expect, How, JournalRow, Put, SearchLimits, Version};

use crate::linked::Relinked;
use crate::submit::{Done, Entry, Mode, Operation};
use crate::{Error, Exchange, links};

/// Everything one commit needs, and how its results belong to the entries.
pub(crate) struct Prepared {
    pub(crate) steps: Vec<Step>,
    pub(crate) puts: Vec<Put>,
    pub(crate) conditions: Vec<Condition>,
    /// What links of Patients decide about identity.
    pub(crate) journal: Vec<JournalRow>,
    pub(crate) reads: Unreleased<Vec<Done>>,
}

/// What is planned for one entry.
pub(crate) struct Step {
    pub(crate) interaction: &'static str,
    pub(crate) key: Option<ResourceKey>,
    pub(crate) deletes: bool,
    pub(crate) plan: Plan,
}

/// Where the result of an entry comes from.
pub(crate) enum Plan {
    /// From the put with this number.
    Put(usize),
    /// From the reads, by number.
    Shown(usize),
    /// There was nothing to do.
    Nothing,
    /// It failed while being prepared (batch only).
    Failed(Error),
}

impl Step {
    pub(crate) fn put(&self) -> Option<usize> {
        match self.plan {
            Plan::Put(n) => Some(n),
            _ => None,
        }
    }

    /// The refusal that this entry of a batch was given by the writer, if it is one of those.
    pub(crate) fn refused(self, at: usize, refused: &BTreeSet<usize>) -> Option<(usize, Error)> {
        match self.plan {
            Plan::Failed(error) if refused.contains(&at) => Some((at, error)),
            _ => None,
        }
    }
}

impl Prepared {
    /// Prepares all entries but those that the writer has refused. In a batch a failed entry stays alone; otherwise the first failure
    /// ends it.
    pub(crate) fn of(
        exchange: &Exchange,
        permit: &Permit<'_>,
        mode: Mode,
        entries: &[Entry],
        refused: &BTreeMap<usize, Error>,
    ) -> Result<Prepared, Error> {
        let mut work = Work::new(exchange, permit, mode);
        let target = |(at, entry)| if refused.contains_key(&at) { Ok(Target::Nothing) } else { work.target(entry) };
        let targets: Vec<Result<Target, Error>> = entries.iter().enumerate().map(target).collect();
        if mode == Mode::Transaction {
            work.learn_names(entries, &targets);
        }
        let mut steps: Vec<Option<Step>> = entries.iter().map(|_| None).collect();
        let mut numbered: Vec<(usize, Result<Target, Error>)> = targets.into_iter().enumerate().collect();
        // The order of the standard: DELETE, POST, PUT and PATCH, GET (FHIR R4, http.html#trules).
        numbered.sort_by_key(|(index, _)| (rank(&entries[*index].operation), *index));
        for (index, target) in numbered {
            let entry = &entries[index];
            let plan = target.and_then(|target| Ok((target.key(), work.plan(entry, target)?)));
            let (key, plan) = match (plan, mode) {
                (Ok(done), _) => done,
                (Err(error), Mode::Batch) => (None, Plan::Failed(error)),
                (Err(error), Mode::Single) => return Err(error),
                (Err(source), Mode::Transaction) => return Err(Error::Entry { index, source: Box::new(source) }),
            };
            let deletes = matches!(entry.operation, Operation::Delete { .. } | Operation::DeleteWhere { .. });
            steps[index] = Some(Step { interaction: interaction(&entry.operation), key, deletes, plan });
        }
        let applied = exchange.relink(permit, &work.relinked, &work.puts)?;
        work.puts.extend(applied.puts);
        Ok(Prepared {
            journal: applied.journal,
            steps: steps.into_iter().flatten().collect(),
            puts: work.puts,
            conditions: work.conditions,
            reads: work.reads,
        })
    }
}

/// What an entry is aimed at, once its condition is resolved.
enum Target {
    /// A key that nothing live holds yet, chosen here.
    New(ResourceKey),
    /// A key named by the client or found by a condition.
    Existing(ResourceKey),
    /// If-None-Exist found this one.
    Found(ResourceKey),
    /// Nothing to do.
    Nothing,
    /// A question, not a resource.
    Question,
}

impl Target {
    fn key(&self) -> Option<ResourceKey> {
        match self {
            Target::New(key) | Target::Existing(key) | Target::Found(key) => Some(key.clone()),
            Target::Nothing | Target::Question => None,
        }
    }
}

struct Work<'w> {
    exchange: &'w Exchange,
    permit: &'w Permit<'w>,
    mode: Mode,
    names: HashMap<String, String>,
    puts: Vec<Put>,
    conditions: Vec<Condition>,
    relinked: Vec<Relinked>,
    reads: Unreleased<Vec<Done>>,
    reads_len: usize,
}

impl<'w> Work<'w> {
    fn new(exchange: &'w Exchange, permit: &'w Permit<'w>, mode: Mode) -> Work<'w> {
        let reads = permit.without_patient_data(Vec::new());
        Work {
            exchange,
            permit,
            mode,
            names: HashMap::new(),
            puts: Vec::new(),
            conditions: Vec::new(),
            relinked: Vec::new(),
            reads,
            reads_len: 0,
        }
    }

    /// Resolves what an entry is aimed at. Each resolved condition is tested again by the writer.
    fn target(&mut self, entry: &Entry) -> Result<Target, Error> {
        match &entry.operation {
            Operation::Create { kind, if_none_exist: None, .. } => Ok(Target::New(self.exchange.new_key(*kind))),
            Operation::Create { kind, if_none_exist: Some(query), .. } => match self.only_match(query)? {
                Some(key) => Ok(Target::Found(key)),
                None => Ok(Target::New(self.exchange.new_key(*kind))),
            },
            Operation::UpdateWhere { kind, query, content } => self.conditional_update(*kind, query, content),
            Operation::PatchWhere { query, .. } => match self.only_match(query)? {
                Some(key) => Ok(Target::Existing(key)),
                None => Err(Error::NoMatch { expression: String::new() }),
            },
            Operation::DeleteWhere { query } => Ok(self.only_match(query)?.map_or(Target::Nothing, Target::Existing)),
            Operation::Update { key, .. } | Operation::Patch { key, .. } | Operation::Delete { key, .. } => {
                Ok(Target::Existing(key.clone()))
            }
            Operation::Read { .. } | Operation::Search { .. } => Ok(Target::Question),
        }
    }

    /// FHIR R4, http.html#cond-update: no match and no id creates; no match and an id creates under it unless it is taken; one match
    /// must agree with the id.
    fn conditional_update(&mut self, kind: ResourceType, query: &Query, content: &Value<'_>) -> Result<Target, Error> {
        let own = content.text_at("id").and_then(LogicalId::parse).map(|id| ResourceKey::new(kind, id));
        match (self.only_match(query)?, own) {
            (Some(found), Some(own)) if found != own => Err(Error::IdDiffers),
            (Some(found), _) => Ok(Target::Existing(found)),
            (None, None) => Ok(Target::New(self.exchange.new_key(kind))),
            (None, Some(own)) if self.current(&own)?.is_some() => Err(Error::IdTaken),
            (None, Some(own)) => Ok(Target::New(own)),
        }
    }

    fn only_match(&mut self, query: &Query) -> Result<Option<ResourceKey>, Error> {
        let mut found = self.exchange.store.resolve(self.permit, query)?;
        self.conditions.push(Condition::Matches { query: query.clone(), found: found.clone() });
        match found.len() {
            0 | 1 => Ok(found.pop()),
            count => Err(Error::SeveralMatches { count }),
        }
    }

    /// Entries of a transaction refer to each other by full URL; from here on by the key that each will have.
    fn learn_names(&mut self, entries: &[Entry], targets: &[Result<Target, Error>]) {
        for (entry, target) in entries.iter().zip(targets) {
            if let (Some(url), Ok(target)) = (&entry.full_url, target)
                && let Some(key) = target.key()
            {
                self.names.insert(url.clone(), key.to_string());
            }
        }
    }

    fn plan(&mut self, entry: &Entry, target: Target) -> Result<Plan, Error> {
        match (&entry.operation, target) {
            (_, Target::Nothing) => Ok(Plan::Nothing),
            (_, Target::Found(key)) => self.show(|e, p| Ok(e.read(p, &key)?.map(Done::Found))),
            (Operation::Create { content, .. } | Operation::UpdateWhere { content, .. }, Target::New(key)) => {
                self.write(key, How::Create, Expect::Absent, content.clone(), None)
            }
            (Operation::Update { content, if_match, create_allowed, .. }, Target::Existing(key)) => {
                self.update(key, content.clone(), *if_match, *create_allowed)
            }
            (Operation::UpdateWhere { content, .. }, Target::Existing(key)) => {
                self.update(key, content.clone(), None, false)
            }
            (Operation::Patch { patch, if_match, .. }, Target::Existing(key)) => self.patch(key, patch, *if_match),
            (Operation::PatchWhere { patch, .. }, Target::Existing(key)) => self.patch(key, patch, None),
            (Operation::Delete { if_match, .. }, Target::Existing(key)) => self.delete(key, *if_match),
            (Operation::DeleteWhere { .. }, Target::Existing(key)) => self.delete(key, None),
            (Operation::Read { key, version: None }, _) => self.show(|e, p| Ok(e.read(p, key)?.map(Done::Read))),
            (Operation::Read { key, version: Some(version) }, _) => {
                self.show(|e, p| Ok(e.vread(p, key, *version)?.map(Done::Read)))
            }
            (Operation::Search { query, count }, _) => {
                let limits = SearchLimits { count: *count, ..SearchLimits::default() };
                self.show(|e, p| Ok(e.search_people(p, query, &limits)?.map(Done::Searched)))
            }
            // A target is made by the operation itself, so the other pairs do not occur.
            _ => Ok(Plan::Nothing),
        }
    }

    fn show(
        &mut self,
        read: impl FnOnce(&Exchange, &Permit<'_>) -> Result<Unreleased<Done>, Error>,
    ) -> Result<Plan, Error> {
        let one = read(self.exchange, self.permit)?;
        let so_far = std::mem::replace(&mut self.reads, self.permit.without_patient_data(Vec::new()));
        self.reads = so_far.and(one).map(|(mut all, one)| {
            all.push(one);
            all
        });
        self.reads_len += 1;
        Ok(Plan::Shown(self.reads_len - 1))
    }

    fn update(
        &mut self,
        key: ResourceKey,
        content: Value<'static>,
        if_match: Option<VersionId>,
        create_allowed: bool,
    ) -> Result<Plan, Error> {
        if content.text_at("id").is_some_and(|id| id != key.id.as_str()) {
            return Err(Error::IdDiffers);
        }
        let current = self.current(&key)?;
        agree(if_match, current.as_ref())?;
        match current {
            Some(current) => self.rewrite(&current, content),
            None if !create_allowed => Err(Error::IdNotAllowed),
            None => self.write(key, How::Update, Expect::Absent, content, None),
        }
    }

    fn patch(&mut self, key: ResourceKey, patch: &crate::Patch, if_match: Option<VersionId>) -> Result<Plan, Error> {
        let current = self.current(&key)?.ok_or_else(|| Error::NotFound { key: key.clone() })?;
        agree(if_match, Some(&current))?;
        let stored = Exchange::tree(&current)?;
        let content = patch.apply(&stored).map_err(|issue| Error::Invalid(vec![issue]))?;
        if content.text_at("id") != Some(key.id.as_str()) {
            return Err(Error::IdDiffers);
        }
        self.rewrite(&current, content)
    }

    /// New content in place of a version. It keeps the time of that version's event: messages of older events stay held back.
    fn rewrite(&mut self, current: &Version, content: Value<'static>) -> Result<Plan, Error> {
        self.may(Right::Update, current.key.kind, &current.patients)?;
        self.exchange.may_give_numbers(self.permit, Some(current), Some(&content))?;
        let before = Exchange::replaced_before(current)?;
        let plan = self.write(current.key.clone(), How::Update, Expect::Version(current.version), content, before)?;
        if let (Plan::Put(_), Some(put)) = (&plan, self.puts.last_mut()) {
            put.event_time = current.event_time;
        }
        Ok(plan)
    }

    fn delete(&mut self, key: ResourceKey, if_match: Option<VersionId>) -> Result<Plan, Error> {
        let current = self.current(&key)?;
        agree(if_match, current.as_ref())?;
        match current {
            None => Ok(Plan::Nothing),
            Some(current) => {
                self.may(Right::Delete, key.kind, &current.patients)?;
                self.exchange.may_give_numbers(self.permit, Some(&current), None)?;
                self.push(Put::delete(key, Expect::Version(current.version)))
            }
        }
    }

    /// The store refuses a batch as a whole; asked here, only the entry that goes too far is refused.
    fn may(&self, right: Right, kind: ResourceType, patients: &[LogicalId]) -> Result<(), Error> {
        let patients: Vec<&str> = patients.iter().map(LogicalId::as_str).collect();
        if self.permit.allows_for(kind.as_str(), right, &patients) { Ok(()) } else { Err(Error::Forbidden) }
    }

    /// One resource to write: references resolved, faults named, postings made.
    fn write(
        &mut self,
        key: ResourceKey,
        how: How,
        expect: Expect,
        mut content: Value<'static>,
        before: Option<LogicalId>,
    ) -> Result<Plan, Error> {
        if content.resource_type() != Some(key.kind.as_str()) {
            return Err(Error::Invalid(vec![other_type(key.kind)]));
        }
        if expect == Expect::Absent {
            self.exchange.may_give_numbers(self.permit, None, Some(&content))?;
        }
        self.resolve_references(&mut content)?;
        self.name_survivor(key.kind, &mut content)?;
        let issues = validate::validate(&content, &validate::Options::default());
        if issues.iter().any(|issue| issue.severity.is_error()) {
            return Err(Error::Invalid(issues));
        }
        let after = if key.kind == ResourceType::PATIENT { links::replaced_by(&content) } else { None };
        match (before, after) {
            (Some(_), None) => return Err(Error::Invalid(vec![unmerge_not_here()])),
            (before, Some(survivor)) if before.as_ref() != Some(&survivor) => {
                self.exchange.may_replace(&key.id, &survivor)?;
                links::add(&mut content, "replaced-by", &survivor);
                self.relinked.push(Relinked { key: key.clone(), before, survivor });
            }
            _ => {}
        }
        let draft = Draft::new(&content, key.clone()).map_err(|_| Error::Invalid(vec![other_type(key.kind)]))?;
        let put = Put::write(key, how, expect, &content, draft, self.exchange.search_site());
        let right = if how == How::Create { Right::Create } else { Right::Update };
        self.may(right, put.key.kind, put.patients())?;
        self.push(put)
    }

    /// A link that names the record that goes on by its number alone names it by reference from now on.
    fn name_survivor(&mut self, kind: ResourceType, content: &mut Value<'static>) -> Result<(), Error> {
        let named = if kind == ResourceType::PATIENT { links::replaced_by_number(content) } else { None };
        let Some((system, value)) = named else { return Ok(()) };
        let query = self.exchange.patients_with(&system, &value)?;
        let survivor = self.only_match(&query)?.ok_or_else(|| Error::Invalid(vec![survivor_unknown()]))?;
        links::name_survivor(content, &survivor);
        Ok(())
    }

    fn push(&mut self, put: Put) -> Result<Plan, Error> {
        if self.puts.iter().any(|other| other.key == put.key) {
            return Err(Error::Twice { key: put.key });
        }
        self.puts.push(put);
        Ok(Plan::Put(self.puts.len() - 1))
    }

    /// `urn:uuid:` and conditional references become references to what they mean.
    fn resolve_references(&mut self, content: &mut Value<'static>) -> Result<(), Error> {
        let mut conditional: HashMap<String, String> = HashMap::new();
        let asked: Vec<(String, String)> = reference::references(content)
            .into_iter()
            .filter(|(_, text)| !self.names.contains_key(*text))
            .map(|(expression, text)| (expression, text.to_owned()))
            .collect();
        for (expression, text) in asked {
            if text.starts_with("urn:uuid:") && self.mode == Mode::Transaction {
                return Err(Error::Invalid(vec![unresolved(expression)]));
            }
            if let Some((kind, criteria)) = text.split_once('?')
                && let Some(kind) = ResourceType::parse(kind)
                && !conditional.contains_key(&text)
            {
                let query = self.exchange.criteria(kind, criteria)?;
                let key = self.only_match(&query)?.ok_or(Error::NoMatch { expression })?;
                conditional.insert(text.clone(), key.to_string());
            }
        }
        if self.names.is_empty() && conditional.is_empty() {
            return Ok(());
        }
        reference::rewrite(content, &mut |text| self.names.get(text).or_else(|| conditional.get(text)).cloned());
        Ok(())
    }

    fn current(&self, key: &ResourceKey) -> Result<Option<Version>, Error> {
        let basis = self.exchange.store.basis(self.permit, std::slice::from_ref(key))?;
        Ok(basis.versions.into_iter().next().flatten().filter(|version| !version.is_deleted()))
    }
}

impl Exchange {
    /// Criteria as they stand behind the `?` of a conditional reference or in If-None-Exist.
    pub fn criteria(&self, kind: ResourceType, criteria: &str) -> Result<Query, Error> {
        let pairs = search::pairs(criteria.trim_start_matches('?'));
        let options = search::Options { site: self.search_site(), ..search::Options::default() };
        self.query(kind, &pairs, &options)
    }

    /// A query as a client asked it, with every other name of the systems of identifiers: who asks by one name of an authority finds
    /// what stands under another.
    pub fn query(
        &self,
        kind: ResourceType,
        pairs: &[(String, String)],
        options: &search::Options<'_>,
    ) -> Result<Query, Error> {
        let mut query = Query::parse(kind, pairs, options).map_err(Error::Invalid)?;
        query.widen(&|system, value| self.surroundings.systems.names(system, value));
        Ok(query)
    }
}

/// If-Match (RFC 9110, section 13.1.1) against what is there.
fn agree(if_match: Option<VersionId>, current: Option<&Version>) -> Result<(), Error> {
    match (if_match, current) {
        (None, _) => Ok(()),
        (Some(wanted), Some(current)) if wanted == current.version => Ok(()),
        _ => Err(Error::VersionMismatch),
    }
}

fn rank(operation: &Operation) -> u8 {
    match operation {
        Operation::Delete { .. } | Operation::DeleteWhere { .. } => 0,
        Operation::Create { .. } => 1,
        Operation::Update { .. }
        | Operation::UpdateWhere { .. }
        | Operation::Patch { .. }
        | Operation::PatchWhere { .. } => 2,
        Operation::Read { .. } | Operation::Search { .. } => 3,
    }
}

fn interaction(operation: &Operation) -> &'static str {
    match operation {
        Operation::Create { .. } => "create",
        Operation::Update { .. } | Operation::UpdateWhere { .. } => "update",
        Operation::Patch { .. } | Operation::PatchWhere { .. } => "patch",
        Operation::Delete { .. } | Operation::DeleteWhere { .. } => "delete",
        Operation::Read { version: None, .. } => "read",
        Operation::Read { .. } => "vread",
        Operation::Search { .. } => "search",
    }
}

fn other_type(kind: ResourceType) -> Issue {
    let text = Text::new(format!("the content is not a {kind}"), format!("内容不是 {kind}"));
    Issue::error(IssueType::Structure, "other-type", text).at("resourceType")
}

fn survivor_unknown() -> Issue {
    let text = Text::new("the record that goes on is not here; send it first", "保留的记录尚不存在，请先发送");
    Issue::error(IssueType::BusinessRule, "survivor-unknown", text).at("Patient.link.other")
}

/// The issue of a write that would end a merge without saying so.
pub fn unmerge_not_here() -> Issue {
    let text = Text::new(
        "this record is merged into another, and this write cannot undo that: use $unmerge",
        "该记录已合并，不能以此方式撤销合并，请使用 $unmerge",
    );
    Issue::error(IssueType::NotSupported, "unmerge-not-here", text).at("Patient.link")
}

fn unresolved(expression: String) -> Issue {
    let text = Text::new("no entry of the transaction has this fullUrl", "事务中没有 fullUrl 与之相符的条目");
    Issue::error(IssueType::Invalid, "unresolved-urn", text).at(expression)
}
