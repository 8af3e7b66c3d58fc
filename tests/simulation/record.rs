//! The ledger as a witness: who was answered, who wrote which version, and what the same acts make in a world without faults.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use dukou_audit::storage::Faulty;
use dukou_audit::{
    Entry, EntryResource, How, Interaction, Ledger, ManualClock, Question, Reader, RequestId, SeededRandom,
};
use dukou_exchange::{Effect, InboxKey, Mode, Operation, Statuses, Version};
use dukou_fhir::{Value, json};

use super::node::{Cut, Ground, Node, keys, options};
use super::rows::Rows;
use super::world::World;

/// Every entry of a stopped ledger, in order.
pub(crate) fn entries(disk: &Faulty) -> Vec<Entry> {
    let reader = Reader::open(Arc::new(disk.clone()), &keys()).unwrap();
    let mut entries = Vec::new();
    reader.search(&Question::default(), |entry| entries.push(entry)).unwrap();
    assert!(entries.iter().all(|entry| entry.opened), "every sealed part opens");
    entries
}

/// The leaf that a receipt names is the record of that very request, and it is the only one.
pub(crate) fn one_for_each_answer(world: &World, entries: &[Entry]) {
    let mut of_request: BTreeMap<RequestId, Vec<u64>> = BTreeMap::new();
    for entry in entries {
        if let Some(request) = entry.request {
            of_request.entry(request).or_default().push(entry.leaf);
        }
    }
    for (receipt, request) in &world.heard.receipts {
        let Some(request) = request else { continue };
        assert_eq!(of_request.get(request), Some(&vec![receipt.leaf()]), "one record for each answer");
    }
}

/// The record of an answer names every version that the answer shows.
pub(crate) fn names_what_was_shown(world: &World, entries: &[Entry]) {
    let by_leaf: BTreeMap<u64, &Entry> = entries.iter().map(|entry| (entry.leaf, entry)).collect();
    for (leaf, key, version) in &world.heard.shown {
        let named = by_leaf[leaf].resources.iter().any(|named| name(named) == (key.to_string(), version.number()));
        assert!(named, "leaf {leaf} does not name {key} version {version}");
    }
}

fn name(resource: &EntryResource) -> (String, u64) {
    (format!("{}/{}", resource.kind, resource.id), resource.version)
}

/// The records of commits in order. Each version stands in exactly one of them, and each step of a message has one.
pub(crate) fn writes<'e>(entries: &'e [Entry], history: &[Version]) -> Vec<&'e Entry> {
    let writes: Vec<&Entry> = entries.iter().filter(|entry| entry.jseq.is_some()).collect();
    let mut stored: BTreeSet<(String, u64)> = history.iter().map(|v| (v.key.to_string(), v.version.number())).collect();
    let mut steps = BTreeSet::new();
    for (place, entry) in writes.iter().enumerate() {
        assert_eq!(entry.jseq, Some(place as u64 + 1), "the run of rows is unbroken");
        for resource in entry.resources.iter().filter(|resource| writes_it(resource)) {
            assert!(stored.remove(&name(resource)), "{:?} is stored once and recorded once", name(resource));
        }
        if let Some((source, _, control_id)) = &entry.message {
            let step = (&entry.client, source, control_id, entry.ack.as_deref() == Some("CA"));
            assert!(control_id.as_deref() == Some("") || steps.insert(step), "{step:?} was applied twice");
        }
    }
    assert!(stored.is_empty(), "versions without a record: {stored:?}");
    writes
}

fn writes_it(resource: &EntryResource) -> bool {
    matches!(resource.how, Some(How::Created | How::Updated | How::Deleted))
}

/// The same messages and the same writes of clients, once each and in the order of their commits, make the same store where nothing
/// ever fails.
pub(crate) fn same_in_a_quiet_world(world: &World, node: &Arc<Node>, writes: &[&Entry], history: &[Version]) {
    let quiet = quiet(world);
    let bodies: BTreeMap<(String, u64), &Version> =
        history.iter().map(|version| ((version.key.to_string(), version.version.number()), version)).collect();
    for entry in writes.iter().filter(|entry| entry.resources.iter().any(writes_it)) {
        match &entry.message {
            Some((source, _, control_id)) => {
                let (application, facility) = source.split_once('|').unwrap();
                let key = InboxKey {
                    client: entry.client.clone(),
                    application: application.to_owned(),
                    facility: facility.to_owned(),
                    control_id: control_id.clone().unwrap(),
                    day: String::new(),
                };
                let raw = node.look(|store, permit| {
                    let row = store.inbox(permit, &key).unwrap().expect("the message is kept");
                    store.inbox_raw(permit, row.number).unwrap().expect("with its bytes")
                });
                let link = world.link(&entry.client);
                assert!(quiet.deliver(&entry.client, link, &raw.unwrap(), Cut::Never).answered);
            }
            None => repeat(&quiet, entry, &bodies),
        }
    }
    let repeated = quiet.look(|store, permit| super::check::history(store, permit)).unwrap();
    assert_eq!(repeated.len(), history.len(), "as many versions as in a world without faults");
    for (one, other) in history.iter().zip(&repeated) {
        assert_eq!((&one.key, one.version, one.event_time), (&other.key, other.version, other.event_time));
        assert_eq!(content(one), content(other), "{} version {}", one.key, one.version);
    }
}

fn quiet(world: &World) -> Node {
    let ground = Ground {
        clock: Arc::new(ManualClock::new(1_795_132_800_000_000_000)),
        entropy: Arc::new(SeededRandom::new(1)),
        program: Arc::clone(&world.ground.program),
        requests: Arc::new(AtomicU64::new(1)),
        segment_bytes: 1 << 20,
    };
    let disk = Faulty::new();
    Ledger::create(&disk, &keys(), "hospital.example/quiet", &options(1 << 20), &*ground.clock).unwrap();
    Node::open(&ground, &disk, &Rows::in_memory()).unwrap()
}

/// What a client wrote, written again under the keys it got.
fn repeat(quiet: &Node, entry: &Entry, bodies: &BTreeMap<(String, u64), &Version>) {
    let operations = entry.resources.iter().filter(|resource| writes_it(resource)).map(|resource| {
        let version = bodies[&name(resource)];
        let operation = match resource.how {
            Some(How::Deleted) => Operation::Delete { key: version.key.clone(), if_match: None },
            _ => Operation::Update {
                key: version.key.clone(),
                content: tree(version),
                if_match: None,
                create_allowed: true,
            },
        };
        dukou_exchange::Entry { full_url: None, operation }
    });
    let operations: Vec<dukou_exchange::Entry> = operations.collect();
    let statuses = Statuses { effect: |_: Effect| 200, refusal: |_| 400 };
    let done = quiet.ask("repeat", Interaction::Transaction, Cut::Never, |exchange, permit| {
        exchange.submit(permit, Mode::Transaction, &operations, statuses)
    });
    let done = done.unwrap().answer;
    assert!(done.is_ok(), "{:?} is written again: {done:?}", entry.resources);
}

fn tree(version: &Version) -> Value<'static> {
    json::parse(&version.body, &json::Limits::default()).unwrap().into_static()
}

/// The body without the time at which it was stored, or at which the node opened it for a person.
fn content(version: &Version) -> Option<Value<'static>> {
    if version.is_deleted() {
        return None;
    }
    let mut body = tree(version);
    if let Some(meta) = body.get_mut("meta").and_then(Value::as_object_mut) {
        meta.remove("lastUpdated");
    }
    if let Some(task) = body.as_object_mut().filter(|_| version.key.kind.as_str() == "Task") {
        task.remove("authoredOn");
    }
    Some(body)
}
