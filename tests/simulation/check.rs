//! What must hold after each start and at the end, whatever happened before.

use std::collections::{BTreeMap, BTreeSet};

use dukou_audit::storage::{Faulty, Files, read_all};
use dukou_audit::{Permit, Verdict, verify};
use dukou_exchange::{Exchange, HistoryQuery, HistoryScope, SearchLimits, Version};
use dukou_fhir::search::{self, Query};
use dukou_fhir::{ResourceKey, ResourceType, Value, json};
use dukou_store::Store;
use sha2::{Digest, Sha256};

use super::callers::{Order, patch};
use super::node::Cut;
use super::record;
use super::world::World;

/// After a start: the ledger is sound, it holds what was promised, and what was acknowledged a short while ago is there.
pub(crate) fn after_recovery(world: &mut World) {
    let node = world.node().clone();
    if node.is_poisoned() {
        return;
    }
    sound(world.disk());
    holds(world);
    let recent: Vec<_> = world.heard.order.iter().rev().take(3).cloned().collect();
    for (client, raw) in recent {
        answered_the_same(world, &client, &raw);
    }
    let from = world.heard.versions.len().saturating_sub(5);
    node.look(|store, permit| as_told(world, from, store, permit));
}

/// At the end, with every fault mended.
pub(crate) fn at_the_end(world: &mut World) {
    let node = world.node().clone();
    let rows_before = node.store.last_jseq().unwrap();
    for (client, raw) in world.heard.order.clone() {
        assert!(answered_the_same(world, &client, &raw), "a mended node answers");
    }
    assert_eq!(
        node.store.last_jseq().unwrap(),
        rows_before,
        "what was acknowledged changes nothing when it is sent again"
    );
    let history = node.look(|store, permit| {
        as_told(world, 0, store, permit);
        let history = history(store, permit);
        gapless(&history);
        once(world, &node.exchange, store, permit);
        indexed(&node.exchange, &history, store, permit);
        history
    });
    let history = history.unwrap();
    patched(world, &history);
    drop(node);
    let disk = world.stopped().clone();
    sound(&disk);
    holds(world);
    let entries = record::entries(&disk);
    record::one_for_each_answer(world, &entries);
    record::names_what_was_shown(world, &entries);
    let writes = record::writes(&entries, &history);
    let node = world.reopened().clone();
    let last = writes.last().map_or(0, |entry| entry.jseq.unwrap_or(0));
    assert_eq!(node.store.last_jseq().unwrap(), last, "store and ledger end at the same row");
    record::same_in_a_quiet_world(world, &node, &writes, &history);
}

/// The gateway's own check finds nothing.
fn sound(disk: &Faulty) {
    let report = verify(disk, false, None).unwrap();
    assert_eq!(report.verdict(), Verdict::Ok, "{:?}", report.findings);
}

/// Every receipt that left names a leaf of the ledger, with its hash, and no two name the same.
fn holds(world: &World) {
    let leaves = leaves(world.disk());
    let mut seen = BTreeSet::new();
    for (receipt, _) in &world.heard.receipts {
        let place = usize::try_from(receipt.leaf()).unwrap();
        assert_eq!(leaves.get(place), Some(receipt.hash()), "the record of an answer that left, leaf {place}");
        assert!(seen.insert(place), "each answer has a record of its own");
    }
}

/// The leaf hashes of a ledger, read from its bytes as the page of the format says and with none of its code.
pub(crate) fn leaves(disk: &Faulty) -> Vec<[u8; 32]> {
    let mut hashes = Vec::new();
    let number = |bytes: &[u8]| bytes.iter().rev().fold(0_usize, |n, byte| n << 8 | usize::from(*byte));
    let names: Vec<String> = disk.list("seg").unwrap();
    for name in names.iter().filter(|name| name.starts_with(|c: char| c.is_ascii_digit())) {
        let bytes = read_all(disk, &format!("seg/{name}")).unwrap();
        let mut at = 0;
        while bytes[at..].starts_with(b"DKL1") {
            let (head, body) = (number(&bytes[at + 6..at + 8]), number(&bytes[at + 8..at + 12]));
            assert_eq!(number(&bytes[at + 16..at + 24]), hashes.len(), "leaves are numbered without a gap");
            let mut records = &bytes[at + head..at + head + body];
            while let Some((len, rest)) = records.split_at_checked(4) {
                let (record, rest) = rest.split_at(number(len));
                hashes.push(Sha256::new().chain_update([0]).chain_update(record).finalize().into());
                records = rest;
            }
            at += (head + body + 32 + 12).next_multiple_of(8);
        }
    }
    hashes
}

/// A message that was answered is answered again with the same bytes. False: no answer now, which is no promise broken.
fn answered_the_same(world: &mut World, client: &str, raw: &bytes::Bytes) -> bool {
    let node = world.node().clone();
    let delivered = node.deliver(client, world.link(client), raw, Cut::Never);
    // The comparison is made where the answer is heard.
    world.heard.message(client, raw, &delivered);
    delivered.answered
}

/// Every version that a client was told of is there, byte for byte.
fn as_told(world: &World, from: usize, store: &dyn Store, permit: &Permit<'_>) {
    for (key, version, body) in &world.heard.versions[from..] {
        let mut found = None;
        drop(store.vread(permit, key, *version).unwrap().map(|version| found = version));
        assert_eq!(found.as_ref().map(|found| &found.body), Some(body), "{key} version {version} was acknowledged");
    }
}

/// All versions of the store, oldest first.
pub(crate) fn history(store: &dyn Store, permit: &Permit<'_>) -> Vec<Version> {
    let mut all = Vec::new();
    let mut query = HistoryQuery { count: 500, ..HistoryQuery::new(HistoryScope::System) };
    loop {
        let mut page = None;
        drop(store.history(permit, &query).unwrap().map(|found| page = Some(found)));
        let page = page.unwrap();
        all.extend(page.entries);
        query.before = page.next;
        if page.next.is_none() {
            break;
        }
    }
    all.reverse();
    all
}

/// Versions of a resource are numbered without a gap; history and time never run backwards.
fn gapless(history: &[Version]) {
    let mut versions: BTreeMap<&ResourceKey, u64> = BTreeMap::new();
    for pair in history.windows(2) {
        assert!(
            pair[0].seq < pair[1].seq && pair[0].last_updated <= pair[1].last_updated,
            "{} runs backwards",
            pair[1].key
        );
    }
    for version in history {
        let before = versions.entry(&version.key).or_default();
        assert_eq!(version.version.number(), *before + 1, "{} has a gap", version.key);
        *before += 1;
    }
}

/// A patch changes the version that stands just before the one it makes: nobody's change in between is lost.
fn patched(world: &World, history: &[Version]) {
    let bodies: BTreeMap<_, _> = history.iter().map(|v| ((&v.key, v.version.number()), &v.body)).collect();
    let tree = |key: &ResourceKey, number: u64| {
        let mut tree = json::parse(bodies[&(key, number)], &json::Limits::default()).unwrap().into_static();
        drop(tree.as_object_mut().unwrap().remove("meta"));
        tree
    };
    for (n, key, version) in &world.heard.patched {
        let before = tree(key, version.number() - 1);
        let after = patch(*n).apply(&before).unwrap();
        assert_eq!(after, tree(key, version.number()), "{key} version {version} is the one before with the patch");
    }
}

/// A conditional create makes one however often it is asked; a transaction leaves both or none.
fn once(world: &World, exchange: &Exchange, store: &dyn Store, permit: &Permit<'_>) {
    let count = |kind: &str, identifier: &str| {
        let query = exchange.criteria(ResourceType::parse(kind).unwrap(), &format!("identifier={identifier}")).unwrap();
        found(&query, store, permit).len()
    };
    for value in 0..6 {
        assert!(count("Patient", &format!("urn:dukou:once|{value}")) <= 1, "a conditional create was done twice");
    }
    for value in 1..=world.orders {
        let identifier = format!("urn:dukou:pair|{value}");
        let (patients, observations) = (count("Patient", &identifier), count("Observation", &identifier));
        assert!(patients <= 1 && observations <= 1, "a conditional create was done twice");
    }
    for order in &world.heard.acknowledged {
        if let Order::Pair { value } = order {
            assert_eq!(
                count("Observation", &format!("urn:dukou:pair|{value}")),
                1,
                "an acknowledged transaction is whole"
            );
        }
    }
}

/// The index answers as a look at every resource does, and the same when it is made anew.
fn indexed(exchange: &Exchange, history: &[Version], store: &dyn Store, permit: &Permit<'_>) {
    // The last one of a key stays.
    let newest: BTreeMap<&ResourceKey, &Version> = history.iter().map(|version| (&version.key, version)).collect();
    let live: Vec<&Version> = newest.into_values().filter(|version| !version.is_deleted()).collect();
    let values: Vec<Value<'_>> = live.iter().map(|v| json::parse(&v.body, &json::Limits::default()).unwrap()).collect();
    let answers = || -> Vec<BTreeSet<ResourceKey>> {
        let queries = QUERIES
            .iter()
            .map(|(kind, criteria)| exchange.criteria(ResourceType::parse(kind).unwrap(), criteria).unwrap());
        queries.map(|query| found(&query, store, permit)).collect()
    };
    let before = answers();
    for ((kind, criteria), found) in QUERIES.iter().zip(&before) {
        let query = exchange.criteria(ResourceType::parse(kind).unwrap(), criteria).unwrap();
        let scanned: BTreeSet<ResourceKey> =
            search::scan(&query, &values).into_iter().map(|at| live[at].key.clone()).collect();
        assert_eq!(*found, scanned, "{kind}?{criteria}: the index and a look at everything");
    }
    assert_eq!(store.rebuild_postings().unwrap(), live.len() as u64, "every live resource is in the index");
    assert_eq!(answers(), before, "the index made anew gives the same answers");
}

fn found(query: &Query, store: &dyn Store, permit: &Permit<'_>) -> BTreeSet<ResourceKey> {
    let mut keys = BTreeSet::new();
    let mut from = None;
    loop {
        let mut page = None;
        drop(
            store
                .search(permit, query, &SearchLimits::default(), from.as_ref())
                .unwrap()
                .map(|found| page = Some(found)),
        );
        let page = page.unwrap();
        keys.extend(page.matches.into_iter().map(|version| version.key));
        from = page.next;
        if from.is_none() {
            return keys;
        }
    }
}

const QUERIES: [(&str, &str); 10] = [
    ("Patient", "family=赵"),
    ("Patient", "birthdate=ge1979-01-01"),
    ("Patient", "gender=male"),
    ("Patient", "active=false"),
    ("Patient", "link:missing=false"),
    ("Observation", "code=2345-7"),
    ("Observation", "subject:missing=false&status=final"),
    ("DiagnosticReport", "status=final"),
    ("Encounter", "class:missing=false"),
    ("Appointment", "status=cancelled"),
];
