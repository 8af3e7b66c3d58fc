//! Who is who, while everything races and dies: what was said to be two people is never shown as one again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use dukou_audit::{Interaction, Settled};
use dukou_exchange::{Entry, Exchange, MatchQuestion, Mode, Operation, ReviewAction};
use dukou_fhir::{LogicalId, ResourceKey, ResourceType, Value, json};
use dukou_identity::ResolveLimits;

use super::callers::STATUSES;
use super::node::{Cut, Node};
use super::rows::Rows;
use super::world::World;

fn id(text: &str) -> LogicalId {
    LogicalId::parse(text).unwrap()
}

fn patient(record: &str, name: &str, phone: &str) -> Value<'static> {
    let text = format!(
        r#"{{"resourceType":"Patient","id":"{record}","name":[{{"text":"{name}"}}],"gender":"male","birthDate":"1988-08-08","telecom":[{{"system":"phone","value":"{phone}"}}]}}"#
    );
    json::parse(text.as_bytes(), &json::Limits::default()).unwrap().into_static()
}

/// Writes a Patient; true once that is acknowledged.
fn put(node: &Node, record: &str, name: &str, phone: &str) -> bool {
    let operation = Operation::Update {
        key: ResourceKey::new(ResourceType::PATIENT, id(record)),
        content: patient(record, name, phone),
        if_match: None,
        create_allowed: true,
    };
    let entries = [Entry { full_url: None, operation }];
    let left = node.ask("registry", Interaction::Update, Cut::Never, |exchange, permit| {
        exchange.submit(permit, Mode::Single, &entries, STATUSES)
    });
    left.is_some_and(|left| left.answer.is_ok_and(|results| results[0].is_ok()))
}

/// The records that answer the demographics of the first one, as a desk is shown them.
fn shown(node: &Node) -> Vec<String> {
    let candidate = patient("asked", "张示例", "19900000017");
    let left = node.ask("desk", Interaction::Operation("match"), Cut::Never, |exchange, permit| {
        let question =
            MatchQuestion { patient: &candidate, only_certain: true, count: 10, with_inactive: true, explained: false };
        let mut names = Vec::new();
        let matched = exchange.match_patient(permit, &question)?;
        Ok(Settled::Unchanged(matched.map(|matched| {
            names.extend(matched.matches.iter().map(|found| found.version.key.id.to_string()));
            names
        })))
    });
    left.map(|left| left.answer.unwrap()).unwrap_or_default()
}

/// What a node says about who is who is what another would say that has just read the same store.
pub(crate) fn are_as_built_anew(node: &Node) {
    if node.is_poisoned() {
        return;
    }
    node.look(|store, permit| {
        let anew = Exchange::new(
            Arc::clone(&node.store),
            Arc::clone(&node.ground.program),
            node.exchange.surroundings().clone(),
        );
        anew.load_people(permit, 2).unwrap();
        let records = store.standing(permit, ResourceType::PATIENT, None, 10_000).unwrap();
        for key in records.iter().map(|standing| &standing.version.key) {
            assert_eq!(said_about(&node.exchange, &key.id), said_about(&anew, &key.id), "{key}");
        }
    });
}

fn said_about(exchange: &Exchange, id: &LogicalId) -> String {
    let index = exchange.people().read();
    let (survivor, severed) = (index.survivor(id), index.severed(id));
    let answer = index.record(id).map(|record| index.resolve(record, &ResolveLimits::default()));
    format!("{:?} {:?} {survivor:?} {severed:?} {:?} {answer:?}", index.person(id), index.records(id), index.born(id))
}

/// Two records of one person, who may any moment turn out to be two.
struct Pair {
    /// Twice the number of changes acknowledged so far, odd while one is under way.
    said: AtomicU64,
    ended: AtomicBool,
}

impl Pair {
    /// Asks again and again; between two changes, the answers are those of the last one.
    fn watch(&self, node: &Node, asks: fn(&Node) -> bool) -> u64 {
        let mut looked = 0;
        while !self.ended.load(Ordering::SeqCst) {
            let before = self.said.load(Ordering::SeqCst);
            let one = asks(node);
            if before.is_multiple_of(2) && before == self.said.load(Ordering::SeqCst) {
                assert_eq!(one, (before / 2).is_multiple_of(2), "after acknowledged change {}", before / 2);
                looked += 1;
            }
            thread::yield_now();
        }
        looked
    }

    /// Does one change and waits for its acknowledgement.
    fn change(&self, change: impl FnOnce() -> bool) {
        self.said.fetch_add(1, Ordering::SeqCst);
        assert!(change(), "a node without faults answers");
        self.said.fetch_add(1, Ordering::SeqCst);
    }
}

fn are_one(node: &Node) -> bool {
    node.exchange.people().read().records(&id("p1")).contains(&id("p2"))
}

fn are_shown_as_one(node: &Node) -> bool {
    let shown = shown(node);
    shown.contains(&"p1".to_owned()) && shown.contains(&"p2".to_owned())
}

#[test]
fn no_answer_after_an_acknowledged_separation_shows_the_other_persons_record() {
    for (seed, rows) in [(1, Rows::in_memory()), (2, Rows::on_disk())] {
        let mut world = World::new(seed, rows, &super::program());
        assert!(put(world.node(), "p1", "张示例", "19900000017"));
        assert!(put(world.node(), "p2", "张示例", "19900000017"));
        for _ in 0..3 {
            let node = Arc::clone(world.node());
            let pair = Pair { said: AtomicU64::new(0), ended: AtomicBool::new(false) };
            let looked: u64 = thread::scope(|scope| {
                let asks = [are_one as fn(&Node) -> bool, are_one, are_shown_as_one];
                let (pair, node) = (&pair, &node);
                let watching = asks.map(|asks| scope.spawn(move || pair.watch(node, asks)));
                for round in 0..30 {
                    // Apart, and one person again.
                    let (name, phone) =
                        if round % 2 == 0 { ("李试样", "19900000018") } else { ("张示例", "19900000017") };
                    pair.change(|| put(node, "p2", name, phone));
                    thread::sleep(Duration::from_millis(1));
                }
                pair.ended.store(true, Ordering::SeqCst);
                watching.into_iter().map(|thread| thread.join().unwrap()).sum()
            });
            assert!(looked > 30, "the watchers have looked");
            drop(node);
            world.kill();
            assert!(are_one(world.node()), "a start brings back what was acknowledged");
        }
        let said = world.node().ask("desk", Interaction::Operation("decide"), Cut::Never, |exchange, permit| {
            exchange.assert(permit, [&id("p1"), &id("p2")], ReviewAction::NotSame, "two people at the desk")
        });
        assert!(said.unwrap().answer.is_ok());
        assert!(!are_one(world.node()) && !are_shown_as_one(world.node()));
        world.kill();
        assert!(!are_one(world.node()) && !are_shown_as_one(world.node()), "a person's word outlives the process");
    }
}

#[test]
fn a_message_sent_again_is_answered_only_when_what_it_changed_can_be_seen() {
    let world = World::new(1, Rows::in_memory(), &super::program());
    let raw = Bytes::from_static(
        b"MSH|^~\\&|HIS|86H01|DUKOU|86H01|20261120080000+0800||ADT^A08^ADT_A01|A1|P|2.5.1||||||UNICODE UTF-8\r\
          EVN|A08|20261120080000\rPID|1||86000001^^^86H01^MR||Zhang^San||19580312|M\r",
    );
    let (tell, told) = channel();
    let (node, again) = (Arc::clone(world.node()), raw.clone());
    let link = world.link("his").clone();
    let second = link.clone();
    // The first one is stored; before the index of people knows of it, the same message comes over a second connection.
    world.node().contest.set_behind(Some(Box::new(move || {
        let second = thread::spawn(move || {
            let delivered = node.deliver("his", &second, &again, Cut::Never);
            tell.send(node.exchange.people().read().len()).unwrap();
            delivered.answered
        });
        thread::sleep(Duration::from_millis(100));
        assert!(!second.is_finished(), "the second waits for what the first has done");
    })));
    assert!(world.node().deliver("his", &link, &raw, Cut::Never).answered);
    assert_eq!(told.recv_timeout(Duration::from_secs(10)), Ok(1), "the record stood when the second was answered");
}
