//! What an index answers depends on what was put into it, whatever the order and however it was built.

use std::sync::{Arc, LazyLock};

use dukou_fhir::LogicalId;
use proptest::prelude::*;

use crate::{
    Class, Decided, Entry, Index, Loading, Model, Obtained, Record, ResolveLimits, Stated, StatedIdentifier, StatedName,
};

static MODEL: LazyLock<Arc<Model>> = LazyLock::new(|| model(60));

/// The model that is shipped, with another limit of its blocks.
fn model(block_max: usize) -> Arc<Model> {
    let text = include_str!("../../../mappings/identity/model.toml");
    let line = text.lines().find(|line| line.starts_with("block-max")).unwrap();
    Arc::new(Model::load("model.toml", &text.replace(line, &format!("block-max = {block_max}"))).unwrap())
}

const RECORDS: usize = 7;

fn id(n: usize) -> LogicalId {
    LogicalId::parse(&format!("r{n}")).unwrap()
}

/// What a source may state, drawn from so few values that records meet, clash and slip all the time.
#[derive(Clone, Debug)]
struct Said {
    name: usize,
    number: usize,
    phone: usize,
    birth: usize,
    newborn: bool,
}

impl Said {
    fn record(&self, id: LogicalId, born: i64) -> Record {
        let mut stated = Stated::new(id, "HIS1");
        stated.born = born;
        stated.sex = Some('1');
        let names = ["张示例", "张示列", "王演示"];
        stated.names = vec![StatedName { written: names[self.name].into(), pinyin: String::new() }];
        stated.birth_date = ["1988-08-08", "1988-08-09"][self.birth].into();
        let phones = ["", "19900000017", "19900000018"];
        stated.phones.extend(Some(phones[self.phone].to_owned()).filter(|phone| !phone.is_empty()));
        // None; two good ones; one slip of the first; another system.
        let numbers = ["", "86010119880808009X", "860101198808080110", "860101198808080098", "A1"];
        if self.number > 0 {
            stated.identifiers.push(StatedIdentifier {
                class: if self.number == 4 { Class::InsuranceNumber } else { Class::Resident },
                system: format!("urn:example:{}", self.number == 4),
                value: numbers[self.number].into(),
                obtained: Obtained::Feed,
                in_period: true,
            });
        }
        stated.marks.newborn = self.newborn;
        Record::prepare(&MODEL, &stated)
    }
}

/// One thing that comes in, in the order of the store's numbers.
#[derive(Clone, Debug)]
enum Event {
    Put(usize, Said),
    Remove(usize),
    Decide(Decision),
}

#[derive(Clone, Debug)]
enum Decision {
    Merge(usize, usize),
    Unmerge(u64),
    Link(usize, usize),
    Unlink(usize, usize),
    NotSame(usize, usize),
    Move(usize, usize),
}

fn said() -> impl Strategy<Value = Said> {
    (0..3_usize, 0..5_usize, 0..3_usize, 0..2_usize, prop::bool::weighted(0.05))
        .prop_map(|(name, number, phone, birth, newborn)| Said { name, number, phone, birth, newborn })
}

fn event() -> impl Strategy<Value = Event> {
    let pair = || (0..RECORDS, 0..RECORDS);
    let decision = prop_oneof![
        4 => pair().prop_map(|(a, b)| Decision::Merge(a, b)),
        3 => (1..12_u64).prop_map(Decision::Unmerge),
        1 => pair().prop_map(|(a, b)| Decision::Link(a, b)),
        1 => pair().prop_map(|(a, b)| Decision::Unlink(a, b)),
        2 => pair().prop_map(|(a, b)| Decision::NotSame(a, b)),
        1 => pair().prop_map(|(a, b)| Decision::Move(a, b)),
    ];
    prop_oneof![
        6 => (0..RECORDS, said()).prop_map(|(n, said)| Event::Put(n, said)),
        1 => (0..RECORDS).prop_map(Event::Remove),
        3 => decision.prop_map(Event::Decide),
    ]
}

/// An event with the number that the store gave it.
#[derive(Clone)]
enum Step {
    Put(u64, Record),
    Remove(u64, LogicalId, i64),
    Decide(Entry),
}

/// Numbers the events as a store would: versions and journal entries each in their own run.
fn steps(events: &[Event]) -> Vec<Step> {
    let (mut seq, mut entry) = (0, 0);
    let mut born = [None; RECORDS];
    let mut steps = Vec::new();
    for event in events {
        match event {
            Event::Put(n, said) => {
                seq += 1;
                let born = *born[*n].get_or_insert(seq as i64 / 2);
                steps.push(Step::Put(seq, said.record(id(*n), born)));
            }
            Event::Remove(n) => {
                if let Some(born) = born[*n] {
                    seq += 1;
                    steps.push(Step::Remove(seq, id(*n), born));
                }
            }
            Event::Decide(decision) => {
                entry += 1;
                steps.push(Step::Decide(Entry { seq: entry, ..decided(decision) }));
            }
        }
    }
    steps
}

fn decided(decision: &Decision) -> Entry {
    let decided = match *decision {
        Decision::Merge(a, b) => Decided::Merge { survivor: id(a), retired: id(b) },
        Decision::Unmerge(merge) => Decided::Unmerge { merge },
        Decision::Link(a, b) => Decided::AssertLink { a: id(a), b: id(b) },
        Decision::Unlink(a, b) => Decided::Unlink { a: id(a), b: id(b) },
        Decision::NotSame(a, b) => Decided::AssertNotSame { a: id(a), b: id(b) },
        Decision::Move(a, b) => {
            Decided::Move { from: id(a), to: id(b), system: "urn:example:true".into(), value: "A1".into() }
        }
    };
    let said = String::new;
    Entry { seq: 0, time_ms: 0, decided, actor: said(), reason: said(), evidence: said(), model: said() }
}

fn take(index: &mut Index, step: &Step) {
    match step.clone() {
        Step::Put(seq, record) => index.put(seq, record),
        Step::Remove(seq, id, born) => index.remove(seq, &id, born),
        Step::Decide(entry) => index.decide(entry),
    };
}

/// The newest version of each record, as a store still knows it, and the whole journal; loaded at once.
fn rebuilt(steps: &[Step], model: &Arc<Model>, threads: usize) -> Index {
    let mut loading = Loading::new(Arc::clone(model));
    for n in 0..RECORDS {
        let of_record = |step: &&Step| match step {
            Step::Put(_, record) => *record.id() == id(n),
            Step::Remove(_, own, _) => *own == id(n),
            Step::Decide(_) => false,
        };
        match steps.iter().rev().find(of_record) {
            Some(Step::Put(seq, record)) => loading.put(*seq, record.clone()),
            Some(Step::Remove(seq, id, born)) => loading.remove(*seq, id, *born),
            _ => {}
        }
    }
    for step in steps {
        if let Step::Decide(entry) = step {
            loading.decide(entry.clone());
        }
    }
    loading.finish(threads)
}

/// Everything that can be asked, as text.
fn answers(index: &Index) -> String {
    let mut all = String::new();
    for n in 0..RECORDS {
        let id = self::id(n);
        let person = index.person(&id);
        let (records, survivor, merged) = (index.records(&id), index.survivor(&id), index.merged(&id));
        let (severed, born) = (index.severed(&id), index.born(&id));
        all += &format!("{id}: {person:?} {records:?} {survivor:?} {merged:?} {severed:?} {born:?}\n");
        all += &format!("  {:?} {:?}\n", index.merge_of(&id), index.record(&id).map(Record::born));
        for other in (0..RECORDS).map(self::id) {
            all += &format!("  {other}: {:?} {:?}\n", index.objections(&id, &other), index.decision(&id, &other));
        }
        if let Some(record) = index.record(&id) {
            all += &format!("  {:?}\n", index.resolve(record, &ResolveLimits::default()));
        }
    }
    for number in 0..5 {
        let card = Said { name: 0, number, phone: 1, birth: 0, newborn: false }.record(id(99), 0);
        all += &format!("card: {:?}\n", index.resolve(&card, &ResolveLimits { people_max: 3, records_max: 6 }));
    }
    all += &format!("{:?} {}", index.holders("urn:example:true", "a 1"), index.len());
    all
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, ..ProptestConfig::default() })]

    #[test]
    fn an_index_built_again_from_versions_and_journal_gives_the_same_answers(
        events in prop::collection::vec(event(), 1..40),
        block_max in 1..8_usize,
        threads in 1..4_usize,
    ) {
        let steps = steps(&events);
        let mut live = Index::new(model(block_max));
        for (done, step) in steps.iter().enumerate() {
            take(&mut live, step);
            if done % 5 == 0 {
                prop_assert_eq!(answers(&live), answers(&rebuilt(&steps[..=done], live.model(), threads)));
            }
        }
        prop_assert_eq!(answers(&live), answers(&rebuilt(&steps, live.model(), threads)));
    }

    #[test]
    fn the_order_of_arrival_makes_no_difference(
        events in prop::collection::vec(event(), 1..40),
        order in prop::collection::vec(any::<u64>(), 40),
        block_max in 1..8_usize,
    ) {
        let steps = steps(&events);
        let mut shuffled: Vec<(u64, &Step)> = order.into_iter().zip(&steps).collect();
        shuffled.sort_by_key(|(at, _)| *at);
        let mut one = Index::new(model(block_max));
        let mut other = one.clone();
        steps.iter().for_each(|step| take(&mut one, step));
        shuffled.iter().for_each(|(_, step)| take(&mut other, step));
        prop_assert_eq!(answers(&one), answers(&other));
    }
}
