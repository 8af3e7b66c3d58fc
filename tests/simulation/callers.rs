//! FHIR clients: what they ask for, and what they do when an answer is lost.

use bytes::Bytes;
use dukou_audit::{Interaction, Permit, SeededRandom, Settled};
use dukou_exchange::{Done, Effect, Entry, EntryResult, Error, Exchange, Mode, Operation, Patch, Statuses};
use dukou_fhir::{LogicalId, ResourceKey, ResourceType, Value, VersionId, json};

/// One request of a client. The same order may be given again.
#[derive(Clone, Debug)]
pub(crate) enum Order {
    /// POST of a new patient.
    Create { n: u64 },
    /// POST with If-None-Exist: however often it is asked, there is one.
    Once { value: u64 },
    /// PUT under an id of the client's own, with If-Match where it knows a version.
    Put { id: u64, if_match: Option<VersionId>, n: u64 },
    /// JSON Patch of what the client holds.
    Patch { key: ResourceKey, if_match: Option<VersionId>, n: u64 },
    /// A transaction of two resources that refer to each other: both or none.
    Pair { value: u64 },
    /// A batch of a good entry and one with a fault.
    Batch { n: u64 },
    /// DELETE.
    Delete { key: ResourceKey },
    /// GET of one resource.
    Read { key: ResourceKey },
    /// A search by name or identifier.
    Search { kind: &'static str, criteria: &'static str },
}

/// A client and the resources it has heard of.
pub(crate) struct Caller {
    pub(crate) name: &'static str,
    known: Vec<(ResourceKey, VersionId)>,
    /// Asked and not answered, where asking again is safe.
    waiting: Option<Order>,
}

impl Caller {
    pub(crate) fn all() -> Vec<Caller> {
        ["portal", "registry"].map(|name| Caller { name, known: Vec::new(), waiting: None }).into()
    }

    /// What this client asks for next.
    pub(crate) fn next(&mut self, fresh: u64, choice: &SeededRandom) -> Order {
        if let Some(order) = self.waiting.take() {
            return order;
        }
        let n = choice.number() % 1_000;
        let held = usize::try_from(choice.number()).unwrap_or(0);
        let known = self.known.get(held % self.known.len().max(1)).cloned();
        let order = match (choice.number() % 12, known) {
            (0, _) => Order::Create { n },
            (1 | 2, _) => Order::Once { value: n % 6 },
            (3, _) => Order::Put { id: n % 5, if_match: None, n },
            (4, Some((key, version))) if own_id(&key).is_some() => {
                Order::Put { id: own_id(&key).unwrap_or(0), if_match: Some(version), n }
            }
            (4 | 5, Some((key, version))) => Order::Patch { key, if_match: n.is_multiple_of(2).then_some(version), n },
            (6, _) => Order::Pair { value: fresh },
            (7, _) => Order::Batch { n },
            (8, Some((key, _))) if own_id(&key).is_some() => Order::Delete { key },
            (9 | 10, Some((key, _))) => Order::Read { key },
            (_, _) => {
                let (kind, criteria) = SEARCHES[held % SEARCHES.len()];
                Order::Search { kind, criteria }
            }
        };
        if matches!(order, Order::Once { .. } | Order::Pair { .. }) {
            self.waiting = Some(order.clone());
        }
        order
    }

    /// The answer came.
    pub(crate) fn hear(&mut self, results: &[EntryResult]) {
        self.waiting = None;
        for version in results.iter().flatten().filter_map(Done::version) {
            self.known.retain(|(key, _)| *key != version.key);
            self.known.push((version.key.clone(), version.version));
        }
    }

    /// The answer was a refusal.
    pub(crate) fn give_up(&mut self) {
        self.waiting = None;
    }
}

impl Order {
    pub(crate) fn interaction(&self) -> Interaction {
        match self {
            Order::Create { .. } | Order::Once { .. } => Interaction::Create,
            Order::Put { .. } => Interaction::Update,
            Order::Patch { .. } => Interaction::Patch,
            Order::Pair { .. } => Interaction::Transaction,
            Order::Batch { .. } => Interaction::Batch,
            Order::Delete { .. } => Interaction::Delete,
            Order::Read { .. } => Interaction::Read,
            Order::Search { .. } => Interaction::Search,
        }
    }

    /// Carries the order out, as the FHIR door does.
    pub(crate) fn run(&self, exchange: &Exchange, permit: &Permit<'_>) -> Result<Settled<Vec<EntryResult>>, Error> {
        let operation = match self {
            Order::Read { key } => {
                let found = exchange.read(permit, key)?;
                return Ok(Settled::Unchanged(found.map(|version| vec![Ok(Done::Read(version))])));
            }
            Order::Search { kind, criteria } => {
                let query = exchange.criteria(ResourceType::parse(kind).unwrap(), criteria)?;
                let limits = dukou_exchange::SearchLimits { count: 10, ..Default::default() };
                let page = exchange.search(permit, &query, &limits, None)?;
                return Ok(Settled::Unchanged(page.map(|page| vec![Ok(Done::Searched(page))])));
            }
            Order::Pair { value } => {
                return exchange.submit(permit, Mode::Transaction, &pair(exchange, *value)?, STATUSES);
            }
            Order::Batch { n } => return exchange.submit(permit, Mode::Batch, &batch(*n), STATUSES),
            Order::Create { n } => create(patient("urn:dukou:free", *n, *n)),
            Order::Once { value } => Operation::Create {
                kind: ResourceType::PATIENT,
                content: patient("urn:dukou:once", *value, *value),
                if_none_exist: Some(
                    exchange.criteria(ResourceType::PATIENT, &format!("identifier=urn:dukou:once|{value}"))?,
                ),
            },
            Order::Put { id, if_match, n } => Operation::Update {
                key: own_key(*id),
                content: with_id(patient("urn:dukou:own", *id, *n), &own_key(*id)),
                if_match: *if_match,
                create_allowed: true,
            },
            Order::Patch { key, if_match, n } => {
                Operation::Patch { key: key.clone(), patch: patch(*n), if_match: *if_match }
            }
            Order::Delete { key } => Operation::Delete { key: key.clone(), if_match: None },
        };
        exchange.submit(permit, Mode::Single, &[Entry { full_url: None, operation }], STATUSES)
    }
}

/// Adds one more identifier, so that no patch hides another.
pub(crate) fn patch(n: u64) -> Patch {
    let text =
        format!(r#"[{{"op":"add","path":"/identifier/-","value":{{"system":"urn:dukou:patch","value":"{n}"}}}}]"#);
    Patch::parse(&value(&text)).unwrap()
}

fn create(content: Value<'static>) -> Operation {
    let kind = ResourceType::parse(content.resource_type().unwrap()).unwrap();
    Operation::Create { kind, content, if_none_exist: None }
}

/// A patient that names itself by a URN, and an observation of it; each only where it is not there yet.
fn pair(exchange: &Exchange, n: u64) -> Result<Vec<Entry>, Error> {
    let once = |kind, content| {
        let query = exchange.criteria(kind, &format!("identifier=urn:dukou:pair|{n}"))?;
        Ok::<_, Error>(Operation::Create { kind, content, if_none_exist: Some(query) })
    };
    let observation = value(&format!(
        r#"{{"resourceType":"Observation","identifier":[{{"system":"urn:dukou:pair","value":"{n}"}}],"status":"final",
           "code":{{"text":"体温"}},"subject":{{"reference":"urn:uuid:00000000-0000-4000-8000-{n:012}"}},"valueQuantity":{{"value":36.{n}0,"unit":"Cel"}}}}"#
    ));
    Ok(vec![
        Entry {
            full_url: Some(format!("urn:uuid:00000000-0000-4000-8000-{n:012}")),
            operation: once(ResourceType::PATIENT, patient("urn:dukou:pair", n, n))?,
        },
        Entry { full_url: None, operation: once(ResourceType::parse("Observation").unwrap(), observation)? },
    ])
}

fn batch(n: u64) -> Vec<Entry> {
    let entry = |operation| Entry { full_url: None, operation };
    let faulty = value(r#"{"resourceType":"Patient","birthDate":"the day before"}"#);
    vec![entry(create(patient("urn:dukou:batch", n, n))), entry(create(faulty))]
}

fn patient(system: &str, number: u64, n: u64) -> Value<'static> {
    value(&format!(
        r#"{{"resourceType":"Patient","identifier":[{{"system":"{system}","value":"{number}"}}],
           "name":[{{"text":"赵敏之{n}","family":"赵"}}],"birthDate":"1966-09-09"}}"#
    ))
}

fn with_id(mut content: Value<'static>, key: &ResourceKey) -> Value<'static> {
    if let Some(object) = content.as_object_mut() {
        object.insert("id", key.id.as_str().to_owned());
    }
    content
}

fn own_key(id: u64) -> ResourceKey {
    ResourceKey::new(ResourceType::PATIENT, LogicalId::parse(&format!("own-{id}")).unwrap())
}

fn own_id(key: &ResourceKey) -> Option<u64> {
    key.id.as_str().strip_prefix("own-")?.parse().ok()
}

pub(crate) fn value(text: &str) -> Value<'static> {
    json::parse(text.as_bytes(), &json::Limits::default()).unwrap().into_static()
}

/// The versions that a client was told of as written: their keys, numbers and bytes.
pub(crate) fn written(results: &[EntryResult]) -> Vec<(ResourceKey, VersionId, Bytes)> {
    let done = results.iter().flatten().filter_map(|done| match done {
        Done::Created(v) | Done::Updated(v) | Done::Unchanged(v) | Done::Deleted(Some(v)) => Some(v),
        _ => None,
    });
    done.map(|version| (version.key.clone(), version.version, version.body.clone())).collect()
}

/// Every version that an answer shows.
pub(crate) fn shown(results: &[EntryResult]) -> Vec<(ResourceKey, VersionId)> {
    let versions = results.iter().flatten().flat_map(|done| match done {
        Done::Searched(page) => page.matches.iter().chain(&page.includes).collect::<Vec<_>>(),
        other => other.version().into_iter().collect(),
    });
    versions.map(|version| (version.key.clone(), version.version)).collect()
}

const SEARCHES: [(&str, &str); 5] = [
    ("Patient", "family=赵"),
    ("Patient", "identifier=urn:dukou:once|3"),
    ("Observation", "code=2345-7"),
    ("DiagnosticReport", "status=final"),
    ("Patient", "birthdate=ge1979"),
];

pub(crate) const STATUSES: Statuses = Statuses { effect, refusal: |_| 400 };

fn effect(effect: Effect) -> u16 {
    match effect {
        Effect::Created => 201,
        Effect::Ok => 200,
        Effect::Deleted => 204,
    }
}
