//! Whole files at once: every pair that shares a block is compared, components become people, desk queries are answered.

use std::thread;

use crate::block::BlockKey;
use crate::cluster::{Clusters, Constraints, Pair, Refused, cluster};
use crate::decide::{Decision, Found, Unproven, decide};
use crate::model::Model;
use crate::person::{Bits, PersonId};
use crate::record::Record;
use crate::score::compare;

/// What linking a file gives.
#[derive(Clone, Debug, Default)]
pub struct Linked {
    /// Every pair that was compared, by the places of its records.
    pub pairs: Vec<Pair>,
    /// The records of each person by their places.
    pub persons: Vec<Vec<usize>>,
    /// Unions that were refused.
    pub refused: Vec<Refused>,
    /// Blocks over the limit, whose records met only in other blocks.
    pub blocks_skipped: usize,
}

/// A pair as a file of pairs ranks it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ranked {
    /// The place of the first record.
    pub a: usize,
    /// The place of the second record.
    pub b: usize,
    /// The evidence of the pair, and [`ONE_PERSON`] more where both are one person by the evidence of all.
    pub bits: Bits,
    /// The probability by the evidence of the pair alone.
    pub probability: f64,
}

impl Linked {
    /// Every pair of one person, and every other compared pair of at least this probability; best first, pairs of equal rank by their
    /// places. `second` is where the second file begins, when two were linked.
    pub fn ranked(&self, model: &Model, records: &[Record], least: f64, second: Option<usize>) -> Vec<Ranked> {
        let mut person = vec![usize::MAX; records.len()];
        for (n, places) in self.persons.iter().enumerate() {
            places.iter().for_each(|place| person[*place] = n);
        }
        let rank = |a: usize, b: usize, bits: Bits| {
            let bonus = if person[a] == person[b] { ONE_PERSON } else { Bits(0) };
            Ranked { a, b, bits: bits + bonus, probability: model.probability(bits) }
        };
        let apart = |pair: &&Pair| person[pair.a] != person[pair.b];
        let mut ranked: Vec<Ranked> =
            self.pairs.iter().filter(apart).map(|pair| rank(pair.a, pair.b, pair.scored.bits)).collect();
        ranked.retain(|pair| pair.probability >= least);
        for places in &self.persons {
            for (n, a) in places.iter().enumerate() {
                let crossing = |b: &&usize| second.is_none_or(|second| (*a < second) != (**b < second));
                for b in places[n + 1..].iter().filter(crossing) {
                    ranked.push(rank(*a, *b, compare(model, &records[*a], &records[*b]).bits));
                }
            }
        }
        ranked.sort_by(|x, y| y.bits.cmp(&x.bits).then((x.a, x.b).cmp(&(y.a, y.b))));
        ranked
    }
}

/// Links the records of a file with each other, on so many threads. The order of the records and the number of threads make no difference.
pub fn link(model: &Model, records: &[Record], threads: usize) -> Linked {
    let (met, blocks_skipped) = candidate_pairs(model, records, None);
    finish(model, records, &met, blocks_skipped, threads)
}

/// Links the records of two files: pairs within one of them are not looked at. Records from `second` on are the second file's.
pub fn link_two(model: &Model, records: &[Record], second: usize, threads: usize) -> Linked {
    let (met, blocks_skipped) = candidate_pairs(model, records, Some(second));
    finish(model, records, &met, blocks_skipped, threads)
}

fn finish(model: &Model, records: &[Record], met: &[(u32, u32)], blocks_skipped: usize, threads: usize) -> Linked {
    let pairs = compared(model, records, met, threads);
    let mut persons = Vec::new();
    let mut refused = Vec::new();
    for (places, ties) in components(model, records.len(), &pairs) {
        let component: Vec<&Record> = places.iter().map(|place| &records[*place]).collect();
        let found: Clusters = cluster(model, &component, &ties, &Constraints::default());
        persons
            .extend(found.persons.into_iter().map(|person| person.into_iter().map(|n| places[n]).collect::<Vec<_>>()));
        let named = |n: Refused| Refused { a: places[n.a], b: places[n.b], vetoes: n.vetoes };
        refused.extend(found.refused.into_iter().map(named));
    }
    persons.sort_unstable();
    Linked { pairs, persons, refused, blocks_skipped }
}

/// Every pair that shares a block within the limit.
pub(crate) fn met(model: &Model, records: &[Record]) -> Vec<(u32, u32)> {
    candidate_pairs(model, records, None).0
}

/// Every pair that shares a block within the limit, once, the lower place first.
fn candidate_pairs(model: &Model, records: &[Record], second: Option<usize>) -> (Vec<(u32, u32)>, usize) {
    let mut keyed: Vec<(BlockKey, u32)> = Vec::with_capacity(records.len() * 10);
    for (place, record) in records.iter().enumerate() {
        keyed.extend(record.block_keys().into_iter().map(|key| (key, place as u32)));
    }
    keyed.sort_unstable();
    let (mut met, mut skipped) = (Vec::with_capacity(keyed.len() * 4), 0);
    for block in keyed.chunk_by(|a, b| a.0 == b.0) {
        if block.len() > model.file().grades.block_max {
            skipped += 1;
            continue;
        }
        for (n, (_, a)) in block.iter().enumerate() {
            let apart = |b: u32| second.is_none_or(|second| ((*a as usize) < second) != ((b as usize) < second));
            met.extend(block[n + 1..].iter().filter(|(_, b)| apart(*b)).map(|(_, b)| (*a, *b)));
        }
    }
    met.sort_unstable();
    met.dedup();
    (met, skipped)
}

fn compared(model: &Model, records: &[Record], met: &[(u32, u32)], threads: usize) -> Vec<Pair> {
    let one = |(a, b): &(u32, u32)| {
        let (a, b) = (*a as usize, *b as usize);
        Pair { a, b, scored: compare(model, &records[a], &records[b]) }
    };
    let share = met.len().div_ceil(threads.clamp(1, THREADS_MAX)).max(PAIRS_A_THREAD_MIN);
    thread::scope(|scope| {
        let shares: Vec<_> =
            met.chunks(share).map(|share| scope.spawn(move || share.iter().map(one).collect::<Vec<Pair>>())).collect();
        // A comparison does not panic; if one ever did, its share would be missing rather than the answer wrong.
        shares.into_iter().flat_map(|share| share.join().unwrap_or_default()).collect()
    })
}

/// Records that ties connect, with their ties by the places within the component; a record alone is a component too.
fn components(model: &Model, count: usize, pairs: &[Pair]) -> Vec<(Vec<usize>, Vec<Pair>)> {
    let ties: Vec<&Pair> = pairs.iter().filter(|pair| pair.scored.ties(model)).collect();
    let mut leader: Vec<usize> = (0..count).collect();
    for tie in &ties {
        let (a, b) = (root(&mut leader, tie.a), root(&mut leader, tie.b));
        leader[a.max(b)] = a.min(b);
    }
    let mut number = vec![usize::MAX; count];
    let mut within = vec![0; count];
    let mut components: Vec<(Vec<usize>, Vec<Pair>)> = Vec::new();
    for place in 0..count {
        let root = root(&mut leader, place);
        if root == place {
            number[place] = components.len();
            components.push((Vec::new(), Vec::new()));
        }
        let (places, _) = &mut components[number[root]];
        within[place] = places.len();
        places.push(place);
    }
    for tie in ties {
        let (_, held) = &mut components[number[root(&mut leader, tie.a)]];
        held.push(Pair { a: within[tie.a], b: within[tie.b], scored: tie.scored });
    }
    components
}

fn root(leader: &mut [usize], place: usize) -> usize {
    let mut at = place;
    while leader[at] != at {
        leader[at] = leader[leader[at]];
        at = leader[at];
    }
    at
}

/// A file of records that desks ask about.
#[derive(Debug)]
pub struct Desk<'a> {
    model: &'a Model,
    records: &'a [Record],
    persons: Vec<Vec<usize>>,
    person_of: Vec<usize>,
    keyed: Vec<(BlockKey, u32)>,
}

impl<'a> Desk<'a> {
    /// Links the records, so that a query finds people.
    pub fn open(model: &'a Model, records: &'a [Record], threads: usize) -> Desk<'a> {
        let persons = link(model, records, threads).persons;
        let mut person_of = vec![0; records.len()];
        for (n, places) in persons.iter().enumerate() {
            places.iter().for_each(|place| person_of[*place] = n);
        }
        let keys = |(place, record): (usize, &Record)| -> Vec<(BlockKey, u32)> {
            record.block_keys().into_iter().map(|key| (key, place as u32)).collect()
        };
        let mut keyed: Vec<(BlockKey, u32)> = records.iter().enumerate().flat_map(keys).collect();
        keyed.sort_unstable();
        Desk { model, records, persons, person_of, keyed }
    }

    /// The answer to one query, with at most `limit` people.
    pub fn ask(&self, query: &Record, limit: usize) -> Decision {
        let (mut met, mut cut): (Vec<usize>, _) = (Vec::new(), None);
        for key in query.block_keys() {
            let from = self.keyed.partition_point(|(known, _)| *known < key);
            let block = self.keyed[from..].iter().take_while(|(known, _)| *known == key);
            let block: Vec<usize> = block.map(|(_, place)| self.person_of[*place as usize]).collect();
            if block.len() > self.model.file().grades.block_max {
                // Where a broad block is passed over, name and birth date together still meet.
                cut = cut.or(Some(key.kind()).filter(|kind| kind.proves()).map(Unproven::BlockSkipped));
                continue;
            }
            met.extend(block);
        }
        met.sort_unstable();
        met.dedup();
        let found: Vec<Found<'_>> = met.iter().map(|person| self.found(*person)).collect();
        decide(self.model, query, &found, limit, cut)
    }

    fn found(&self, person: usize) -> Found<'a> {
        let mut records: Vec<&Record> = self.persons[person].iter().map(|place| &self.records[*place]).collect();
        records.sort_by(|a, b| a.id().cmp(b.id()));
        Found { person: PersonId::led_by(records[0].id().clone()), records, not_same: false }
    }
}

/// What it is worth that the cluster rule makes two records one person.
pub const ONE_PERSON: Bits = Bits(20_000);
/// So many threads share the comparisons at most.
const THREADS_MAX: usize = 64;
/// A thread is not worth its start for fewer pairs.
const PAIRS_A_THREAD_MIN: usize = 4_096;
