//! Any sequence of registrations, merges, links, moves, changed numbers, `$merge` and `$unmerge` ends in the state that versions and
//! journal give when everything derived from them is made anew; and what Patients say of each other is what the journal says.

use std::collections::BTreeMap;

use bytes::Bytes;
use dukou_audit::Interaction;
use dukou_exchange::{MergeAsked, Party, UnmergeAsked, Version};
use dukou_fhir::{LogicalId, ResourceType};
use serde_json::Value;

use super::node::Cut;
use super::rows::Rows;
use super::world::World;

/// Numbers of one seed: a linear congruential generator is enough for a test.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

/// One message of the feed about two numbers.
fn message(dice: &mut Dice, control: u64) -> Bytes {
    let (a, b) = (dice.roll(RECORDS), dice.roll(RECORDS));
    let number = |n: u64| format!("8600{n}^^^86H01^MR");
    let one = |n: u64| format!("PID|1||{}||王{n}||195803{:02}|F\r", number(n), n + 10);
    let (event, structure, segments) = match dice.roll(12) {
        0..=3 => ("A28", "ADT_A05", one(a)),
        4..=6 => ("A40", "ADT_A39", format!("{}MRG|{}\r", one(a), number(b))),
        7 => ("A24", "ADT_A24", one(a) + &one(b)),
        8 => ("A37", "ADT_A37", one(a) + &one(b)),
        9 => ("A43", "ADT_A43", format!("{}MRG|{}\r", one(a), number(b))),
        10 => ("A47", "ADT_A30", format!("{}MRG|{}\r", one(a), number(b))),
        _ => ("A29", "ADT_A21", one(a)),
    };
    // Some events are told late.
    let minute = if dice.roll(6) == 0 { 10 } else { 10 + control % 40 };
    Bytes::from(format!(
        "MSH|^~\\&|HIS|86H01|DUKOU|86H01|20261120080000+0800||ADT^{event}^{structure}|M{control}|P|2.5.1||||||UNICODE UTF-8\r\
         EVN|{event}|2026112008{minute:02}00+0800\r{segments}"
    ))
}

/// The newest version of every Patient.
fn patients(world: &World) -> BTreeMap<LogicalId, Value> {
    let all: Vec<Version> =
        world.node().look(|store, permit| super::check::history(store, permit)).expect("the node answers");
    let mut newest: BTreeMap<LogicalId, (u64, Value)> = BTreeMap::new();
    for version in all.iter().filter(|version| version.key.kind == ResourceType::PATIENT && !version.is_deleted()) {
        let content = serde_json::from_slice(&version.body).unwrap();
        let known = newest.get(&version.key.id).map_or(0, |(number, _)| *number);
        if version.version.number() > known {
            newest.insert(version.key.id.clone(), (version.version.number(), content));
        }
    }
    newest.into_iter().map(|(id, (_, content))| (id, content)).collect()
}

/// Who is who, as the live index answers.
fn answers(world: &World, ids: &BTreeMap<LogicalId, Value>) -> Vec<String> {
    let index = world.node().exchange.people().read();
    let line =
        |id: &LogicalId| format!("{id}: {:?} {:?} {:?}", index.records(id), index.survivor(id), index.merged(id));
    ids.keys().map(line).collect()
}

fn linked(patient: &Value, kind: &str) -> Vec<LogicalId> {
    let links = patient["link"].as_array().cloned().unwrap_or_default();
    let of_kind = links.iter().filter(|link| link["type"] == kind);
    of_kind.map(|link| LogicalId::parse(&link["other"]["reference"].as_str().unwrap()[8..]).unwrap()).collect()
}

/// What a Patient says of who goes on for it is what the journal says, and both sides say it.
fn assert_links_agree(world: &World, patients: &BTreeMap<LogicalId, Value>, when: &str) {
    let index = world.node().exchange.people().read();
    for (id, content) in patients {
        let replaced = linked(content, "replaced-by");
        assert!(replaced.len() <= 1, "{when}: {id} has two successors");
        if let Some(next) = replaced.first() {
            assert_eq!(content["active"], false, "{when}: {id} is replaced and active");
            assert!(
                linked(&patients[next], "replaces").contains(id),
                "{when}: {next} does not know that it replaces {id}"
            );
        }
        let mut end = replaced.first();
        while let Some(next) = end.and_then(|end| linked(&patients[end], "replaced-by").first().cloned()) {
            end = patients.get_key_value(&next).map(|(key, _)| key);
        }
        assert_eq!(index.survivor(id).as_ref(), end, "{when}: the journal and the links of {id}");
        for other in linked(content, "replaces") {
            assert_eq!(
                linked(&patients[&other], "replaced-by").as_slice(),
                std::slice::from_ref(id),
                "{when}: {id} replaces {other}, which says otherwise"
            );
        }
    }
}

/// A person at a desk merges or unmerges two of the records.
fn decide(world: &World, dice: &mut Dice, patients: &BTreeMap<LogicalId, Value>) {
    let ids: Vec<&LogicalId> = patients.keys().collect();
    let Some(count) = u64::try_from(ids.len()).ok().filter(|count| *count > 1) else { return };
    let mut pick = || Party { id: Some(ids[dice.roll(count) as usize].clone()), identifiers: Vec::new() };
    let (one, other) = (pick(), pick());
    let merges = dice.roll(2) == 0;
    let interaction = if merges { Interaction::Merge } else { Interaction::Unmerge };
    // Most of these are refused: the two are one already, or never were.
    let _left = world.node().ask("ehr", interaction, Cut::Never, |exchange, permit| {
        if merges {
            let reason = "same card, same face".to_owned();
            let asked = MergeAsked { source: one, target: other, result: None, preview: false, reason };
            return exchange.merge(permit, &asked).map(|settled| settled.map(|_| ()));
        }
        let reason = "two people at the desk".to_owned();
        let asked = UnmergeAsked { patient: one, merge: None, reason, preview: false, holds_apart: true };
        exchange.unmerge(permit, &asked).map(|settled| settled.map(|_| ()))
    });
}

#[test]
fn any_sequence_of_decisions_ends_in_what_versions_and_journal_say() {
    let program = super::program();
    for seed in super::number("DUKOU_SEED", 0)..super::number("DUKOU_DECISIONS", 25) {
        let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0xda3e);
        let mut world = World::new(seed, Rows::in_memory(), &program);
        for step in 0..STEPS {
            let when = format!("seed {seed}, step {step}");
            if dice.roll(4) == 0 {
                decide(&world, &mut dice, &patients(&world));
            } else {
                let raw = message(&mut dice, step);
                let delivered = world.node().deliver("his", world.link("his"), &raw, Cut::Never);
                assert!(delivered.answered, "{when}");
            }
            assert_links_agree(&world, &patients(&world), &when);
        }
        let stored = patients(&world);
        let live = answers(&world, &stored);
        world.kill();
        assert_eq!(answers(&world, &stored), live, "seed {seed}: made anew from versions and journal");
    }
}

const RECORDS: u64 = 6;
const STEPS: u64 = 30;
