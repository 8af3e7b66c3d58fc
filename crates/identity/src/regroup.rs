//! How records become people after a change: what could be touched is gathered, and made into people anew.
//!
//! A component is what ties and decisions connect. Every rule about people (see [`cluster`]) stays within one component, so the components
//! that a change can touch, before it and after it, are all that has to be looked at.

use std::collections::{BTreeSet, HashMap, HashSet};

use dukou_fhir::LogicalId;

use crate::block::BlockKey;
use crate::cluster::{Clusters, Constraints, Pair, cluster};
use crate::fold::{Ruling, Sides};
use crate::index::Index;
use crate::model::Model;
use crate::record::Record;
use crate::score::{Scored, compare};

/// Records that ties and decisions connect.
#[derive(Default)]
pub(crate) struct Component {
    pub(crate) places: Vec<u32>,
    /// Each tie once.
    pub(crate) pairs: Vec<(u32, u32, Scored)>,
    pub(crate) rulings: Vec<Ruling>,
}

impl Index {
    /// Puts another record, or none, in a place.
    pub(crate) fn exchange(&mut self, place: u32, seq: u64, born: i64, record: Option<Record>) {
        let (gone, come) = self.change_of_keys(place, record.as_ref());
        // Where a block grows over its limit, or shrinks to it again, all in it meet others than before.
        let mut from = BTreeSet::from([place]);
        let shrinking = gone.iter().map(|key| (key, self.block_max + 1));
        let turning = shrinking.chain(come.iter().map(|key| (key, self.block_max)));
        for (key, _) in turning.filter(|(key, at)| self.blocks.len(key.hash()) == *at) {
            self.blocks.each(key.hash(), |other| {
                from.insert(other);
            });
        }
        let dirty = self.reach(from);
        self.set(place, seq, born, record);
        self.regroup(dirty);
    }

    /// The bare change, without its consequences.
    pub(crate) fn set(&mut self, place: u32, seq: u64, born: i64, record: Option<Record>) {
        let (gone, come) = self.change_of_keys(place, record.as_ref());
        gone.iter().for_each(|key| self.blocks.remove(key.hash(), place));
        come.iter().for_each(|key| self.blocks.add(key.hash(), place));
        let slot = &mut self.slots[place as usize];
        (slot.seq, slot.born) = (seq, born);
        self.live = self.live + usize::from(record.is_some()) - usize::from(slot.record.is_some());
        slot.record = record;
    }

    /// An older version came late and shows that the record is older than was known.
    pub(crate) fn correct(&mut self, place: u32, born: i64) {
        let slot = &mut self.slots[place as usize];
        if born >= slot.born {
            return;
        }
        slot.born = born;
        if let Some(record) = &mut slot.record {
            record.born = born;
        }
        let dirty = self.reach([place]);
        self.regroup(dirty);
    }

    /// The keys that go and those that come.
    fn change_of_keys(&self, place: u32, record: Option<&Record>) -> (Vec<BlockKey>, Vec<BlockKey>) {
        let old = self.slots[place as usize].record.as_ref().map(Record::block_keys).unwrap_or_default();
        let new = record.map(Record::block_keys).unwrap_or_default();
        let gone = old.iter().filter(|key| !new.contains(key)).copied().collect();
        (gone, new.into_iter().filter(|key| !old.contains(key)).collect())
    }

    /// All places that ties and decisions connect with these, these among them.
    pub(crate) fn reach(&self, from: impl IntoIterator<Item = u32>) -> BTreeSet<u32> {
        let mut seen = BTreeSet::new();
        for place in from {
            if !seen.contains(&place) {
                seen.extend(self.component([place]).places);
            }
        }
        seen
    }

    /// Makes the components of these places into people anew.
    pub(crate) fn regroup(&mut self, dirty: BTreeSet<u32>) {
        let mut done = HashSet::new();
        for place in dirty {
            if !done.contains(&place) {
                let component = self.component([place]);
                done.extend(component.places.iter().copied());
                self.settle(&component);
            }
        }
    }

    /// Everything that is connected with these places.
    pub(crate) fn component(&self, from: impl IntoIterator<Item = u32>) -> Component {
        let mut component = Component::default();
        let mut open: Vec<u32> = from.into_iter().collect();
        let mut seen: HashSet<u32> = open.iter().copied().collect();
        let mut done = HashSet::new();
        let mut same: HashMap<LogicalId, Vec<LogicalId>> = HashMap::new();
        let mut ruled: BTreeSet<LogicalId> = BTreeSet::new();
        while let Some(place) = open.pop() {
            component.places.push(place);
            done.insert(place);
            for (other, scored) in self.ties(place) {
                // A pair that ends at a place that was looked at has been met from there.
                if !done.contains(&other) {
                    component.pairs.push((place, other, scored));
                }
                if seen.insert(other) {
                    open.push(other);
                }
            }
            let id = &self.slots[place as usize].id;
            if self.fold.knows(id) && !ruled.contains(id) {
                let group = self.fold.group(id);
                let ruling = self.fold.ruling(&group);
                for (a, b) in &ruling.same {
                    same.entry(a.clone()).or_default().push(b.clone());
                    same.entry(b.clone()).or_default().push(a.clone());
                }
                component.rulings.push(ruling);
                ruled.extend(group);
            }
            let decided = same.get(id).into_iter().flatten().filter_map(|other| self.place(other));
            open.extend(decided.filter(|other| seen.insert(*other)));
        }
        component
    }

    /// The records that this one could come to be one person with.
    fn ties(&self, place: u32) -> Vec<(u32, Scored)> {
        let Some(record) = &self.slots[place as usize].record else { return Vec::new() };
        let met = self.met(record, Some(place)).places.into_iter();
        let scored = met.filter_map(|other| {
            let scored = compare(&self.model, record, self.slots[other as usize].record.as_ref()?);
            scored.ties(&self.model).then_some((other, scored))
        });
        scored.collect()
    }

    /// Makes one component into people.
    pub(crate) fn settle(&mut self, component: &Component) {
        for place in &component.places {
            self.people.remove(place);
            self.slots[*place as usize].leader = *place;
        }
        for mut person in self.people_of(component) {
            person.sort_by(|a, b| self.precedence(*a, component).cmp(&self.precedence(*b, component)));
            let leader = person[0];
            person.iter().for_each(|place| self.slots[*place as usize].leader = leader);
            if person.len() > 1 {
                self.people.insert(leader, person.into());
            }
        }
    }

    /// A retired record leads nobody while another is there; else the one that was born first leads.
    fn precedence(&self, place: u32, component: &Component) -> (bool, i64, &LogicalId) {
        let slot = &self.slots[place as usize];
        let retired = component.rulings.iter().any(|ruling| ruling.replaced.contains_key(&slot.id));
        (retired, slot.born, &slot.id)
    }

    fn people_of(&self, component: &Component) -> Vec<Vec<u32>> {
        let mut live: Vec<u32> = component.places.clone();
        live.retain(|place| self.slots[*place as usize].record.is_some());
        live.sort_by(|a, b| self.slots[*a as usize].id.cmp(&self.slots[*b as usize].id));
        let records: Vec<&Record> =
            live.iter().filter_map(|place| self.slots[*place as usize].record.as_ref()).collect();
        let clusters = clusters_of(&self.model, &live, &records, component);
        let places = |person: Vec<usize>| person.into_iter().map(|at| live[at]).collect();
        clusters.persons.into_iter().map(places).collect()
    }
}

/// Clusters the live records of a component; `places` and `records` stand side by side, in the order of their ids.
pub(crate) fn clusters_of(model: &Model, places: &[u32], records: &[&Record], component: &Component) -> Clusters {
    if let [_] = records {
        return Clusters { persons: vec![vec![0]], refused: Vec::new() };
    }
    let at: HashMap<u32, usize> = places.iter().enumerate().map(|(at, place)| (*place, at)).collect();
    let pair = |(a, b, scored): &(u32, u32, Scored)| {
        let (a, b) = (*at.get(a)?, *at.get(b)?);
        Some(Pair { a: a.min(b), b: a.max(b), scored: *scored })
    };
    let pairs: Vec<Pair> = component.pairs.iter().filter_map(pair).collect();
    cluster(model, records, &pairs, &constraints(records, &component.rulings))
}

/// Decisions about the records that are there. Who is joined over a record that is not there (any more) is joined all the same.
fn constraints(records: &[&Record], rulings: &[Ruling]) -> Constraints {
    let places: HashMap<&LogicalId, usize> = records.iter().enumerate().map(|(at, record)| (record.id(), at)).collect();
    let mut sides = Sides::default();
    for (a, b) in rulings.iter().flat_map(|ruling| &ruling.same) {
        sides.join(a, b);
    }
    let mut constraints = Constraints::default();
    // One record that is there stands for each side.
    let mut spoken: HashMap<usize, usize> = HashMap::new();
    for (at, record) in records.iter().enumerate() {
        let Some(side) = sides.side(record.id()) else { continue };
        let first = *spoken.entry(side).or_insert(at);
        if first != at {
            constraints.same.push((first, at));
        }
    }
    for (a, b) in rulings.iter().flat_map(|ruling| &ruling.apart) {
        let at = |id: &LogicalId| places.get(id).or_else(|| spoken.get(&sides.side(id)?)).copied();
        if let (Some(a), Some(b)) = (at(a), at(b)) {
            constraints.apart.push((a.min(b), a.max(b)));
        }
    }
    constraints
}
