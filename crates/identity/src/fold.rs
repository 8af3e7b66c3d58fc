//! What the journal says as a whole: who is one person by decision, who is held apart, which record goes on for which.
//!
//! The order in which entries arrive does not matter, their numbers do:
//!
//! - An unmerge takes the entry that it names away as if it had never been: a merge, or any other decision about two records.
//! - A retired record follows its latest merge. Where merges run in a circle, the survivor of the latest one leads.
//! - Of contradicting decisions the latest stands. Decisions are taken newest first; an older one that would join two who are held
//!   apart, or hold apart two who are joined, is overruled and named.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use dukou_fhir::LogicalId;

use crate::journal::{Decided, Entry};

/// All decisions, kept so that the ruling about any record can be asked for.
#[derive(Clone, Debug, Default)]
pub struct Fold {
    entries: BTreeMap<u64, Entry>,
    /// Entries that an unmerge names, whether they have arrived or not, and the number of the newest such unmerge.
    undone: HashMap<u64, u64>,
    by_record: HashMap<LogicalId, Vec<u64>>,
}

/// What stands among the records that decisions connect, directly or over others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ruling {
    /// Pairs that are one person.
    pub same: Vec<(LogicalId, LogicalId)>,
    /// Pairs that no machine may join, not over others either.
    pub apart: Vec<(LogicalId, LogicalId)>,
    /// Retired record to the record that replaces it, one step of the chain.
    pub replaced: BTreeMap<LogicalId, LogicalId>,
    /// Entries that a later decision about others made impossible; a person should look at them.
    pub overruled: Vec<u64>,
}

impl Fold {
    /// Takes an entry in. Returns the records whose ruling may be another now. An entry that is there already changes nothing.
    pub fn add(&mut self, entry: Entry) -> Vec<LogicalId> {
        let seq = entry.seq;
        if self.entries.contains_key(&seq) {
            return Vec::new();
        }
        let mut touched: Vec<LogicalId> = entry.decided.records().cloned().collect();
        if let Decided::Unmerge { merge } = &entry.decided {
            let newest = self.undone.entry(*merge).or_insert(seq);
            *newest = seq.max(*newest);
            touched.extend(self.entries.get(merge).into_iter().flat_map(|entry| entry.decided.records()).cloned());
        }
        for record in entry.decided.records() {
            self.by_record.entry(record.clone()).or_default().push(seq);
        }
        self.entries.insert(seq, entry);
        touched
    }

    /// The entry with a number.
    pub fn entry(&self, seq: u64) -> Option<&Entry> {
        self.entries.get(&seq)
    }

    /// Whether an entry has come and no unmerge names it.
    pub fn stands(&self, seq: u64) -> bool {
        self.entries.contains_key(&seq) && !self.undone.contains_key(&seq)
    }

    /// The newest standing decision that names exactly these two records.
    pub fn decision(&self, a: &LogicalId, b: &LogicalId) -> Option<&Entry> {
        let named =
            self.by_record.get(a)?.iter().filter(|seq| self.stands(**seq)).filter_map(|seq| self.entries.get(seq));
        let pair = (a.min(b), a.max(b));
        named.filter(|entry| entry.decided.pair() == Some(pair)).max_by_key(|entry| entry.seq)
    }

    /// The number of the newest entry that took something away from this record: what was known of it before may no longer be served.
    pub fn severed(&self, record: &LogicalId) -> Option<u64> {
        let named = self.by_record.get(record)?;
        let taken = named.iter().filter(|seq| self.entries.get(seq).is_some_and(|entry| entry.decided.takes_away()));
        taken.chain(named.iter().filter_map(|seq| self.undone.get(seq))).copied().max()
    }

    /// Numbers of the entries that name a record, rising.
    pub fn about(&self, record: &LogicalId) -> Vec<u64> {
        let mut found = self.by_record.get(record).cloned().unwrap_or_default();
        found.sort_unstable();
        found
    }

    /// All records that entries name.
    pub(crate) fn records(&self) -> impl Iterator<Item = &LogicalId> {
        self.by_record.keys()
    }

    /// Whether any entry names the record.
    pub fn knows(&self, record: &LogicalId) -> bool {
        self.by_record.contains_key(record)
    }

    /// The records that decisions connect with this one, itself among them. Merges that were taken back connect no longer.
    pub fn group(&self, record: &LogicalId) -> BTreeSet<LogicalId> {
        let mut group = BTreeSet::from([record.clone()]);
        let mut open = vec![record.clone()];
        while let Some(next) = open.pop() {
            let named = self.by_record.get(&next).into_iter().flatten().filter(|seq| !self.undone.contains_key(seq));
            let pairs = named.filter_map(|seq| self.entries.get(seq)?.decided.pair());
            for other in pairs.flat_map(|(a, b)| [a, b]) {
                if group.insert(other.clone()) {
                    open.push(other.clone());
                }
            }
        }
        group
    }

    /// What stands among the records of a group.
    pub fn ruling(&self, group: &BTreeSet<LogicalId>) -> Ruling {
        let seqs: BTreeSet<u64> =
            group.iter().filter_map(|record| self.by_record.get(record)).flatten().copied().collect();
        let standing: Vec<(u64, &Decided)> = seqs
            .into_iter()
            .filter(|seq| !self.undone.contains_key(seq))
            .filter_map(|seq| Some((seq, &self.entries.get(&seq)?.decided)))
            .collect();
        let chains = Chains::of(&standing);
        let mut sides = Sides::default();
        let mut ruling = Ruling::default();
        // Pairs of which a later decision was met: an older one about the same two is history, not a contradiction.
        let mut settled = HashSet::new();
        // What a feed links comes last: it overrules neither a merge nor the word of a person, over others not even a later one does.
        let latest = latest_of_pairs(&standing);
        let is_last = |seq: &u64, decided: &Decided| decided.pair().is_some_and(|pair| latest.get(&pair) == Some(seq));
        let (feeds, mut firm): (Vec<_>, Vec<_>) = standing
            .into_iter()
            .rev()
            .partition(|(seq, decided)| matches!(decided, Decided::Link { .. }) && is_last(seq, decided));
        firm.retain(|(seq, decided)| {
            !matches!(decided, Decided::Unlink { .. } | Decided::AssertNotSame { .. }) || is_last(seq, decided)
        });
        for (seq, decided) in firm.into_iter().chain(feeds) {
            let (a, b, said) = match decided {
                Decided::Merge { survivor, retired } if chains.stands(retired, seq) => (survivor, retired, Said::Same),
                Decided::AssertLink { a, b } | Decided::Link { a, b } => (a, b, Said::Same),
                Decided::Unlink { a, b } | Decided::AssertNotSame { a, b } => (a, b, Said::Apart),
                // A merge in whose place a later one stands, and what joins and parts nobody.
                _ => continue,
            };
            let is_latest = settled.insert(decided.pair());
            let met = match said {
                Said::Same => sides.join(a, b),
                Said::Apart => sides.part(a, b),
            };
            match (met, said) {
                (Met::New, Said::Same) => ruling.same.push((a.clone(), b.clone())),
                (Met::New, Said::Apart) => ruling.apart.push((a.clone(), b.clone())),
                (Met::Known, _) => {}
                (Met::Contradicted, _) if is_latest => ruling.overruled.push(seq),
                (Met::Contradicted, _) => {}
            }
            if let (Decided::Merge { survivor, retired }, Met::New | Met::Known) = (decided, met) {
                ruling.replaced.insert(retired.clone(), survivor.clone());
            }
        }
        ruling
    }
}

/// The newest decision about each pair.
fn latest_of_pairs<'a>(rising: &[(u64, &'a Decided)]) -> HashMap<(&'a LogicalId, &'a LogicalId), u64> {
    rising.iter().filter_map(|(seq, decided)| Some((decided.pair()?, *seq))).collect()
}

impl Ruling {
    /// The end of a record's chain of merges; none where the record is not retired.
    pub fn survivor(&self, record: &LogicalId) -> Option<&LogicalId> {
        let mut end = self.replaced.get(record)?;
        // Circles are broken before, so that each step leads to another record.
        while let Some(next) = self.replaced.get(end) {
            end = next;
        }
        Some(end)
    }
}

/// Which merge of each retired record counts: the latest, unless one after it closed a circle over it.
#[derive(Default)]
struct Chains<'a> {
    next: HashMap<&'a LogicalId, (&'a LogicalId, u64)>,
}

impl<'a> Chains<'a> {
    fn of(rising: &[(u64, &'a Decided)]) -> Chains<'a> {
        let mut chains = Chains::default();
        for (seq, decided) in rising {
            if let Decided::Merge { survivor, retired } = decided
                && survivor != retired
            {
                chains.next.insert(retired, (survivor, *seq));
                if chains.leads_to(survivor, retired) {
                    chains.next.remove(survivor);
                }
            }
        }
        chains
    }

    /// Whether the chain that begins at `from` reaches `to`. It holds no circle but the one that `to` has just closed.
    fn leads_to(&self, from: &LogicalId, to: &LogicalId) -> bool {
        let mut at = from;
        while let Some((next, _)) = self.next.get(at) {
            at = next;
            if at == to {
                return true;
            }
        }
        false
    }

    fn stands(&self, retired: &LogicalId, seq: u64) -> bool {
        self.next.get(retired).is_some_and(|(_, latest)| *latest == seq)
    }
}

#[derive(Clone, Copy)]
enum Said {
    Same,
    Apart,
}

/// How a decision meets what newer ones have said.
#[derive(Clone, Copy)]
pub(crate) enum Met {
    New,
    Known,
    Contradicted,
}

/// Sets of records that are one, and which sets are held apart.
#[derive(Default)]
pub(crate) struct Sides<'a> {
    places: HashMap<&'a LogicalId, usize>,
    parent: Vec<usize>,
    apart: Vec<HashSet<usize>>,
}

impl<'a> Sides<'a> {
    /// The side of a record of which anything was said.
    pub(crate) fn side(&self, record: &LogicalId) -> Option<usize> {
        let mut at = *self.places.get(record)?;
        while self.parent[at] != at {
            at = self.parent[at];
        }
        Some(at)
    }

    fn root(&mut self, record: &'a LogicalId) -> usize {
        let fresh = self.parent.len();
        let mut at = *self.places.entry(record).or_insert(fresh);
        if at == fresh {
            self.parent.push(fresh);
            self.apart.push(HashSet::new());
        }
        while self.parent[at] != at {
            self.parent[at] = self.parent[self.parent[at]];
            at = self.parent[at];
        }
        at
    }

    /// Joins two sides unless something that was said before holds them apart.
    pub(crate) fn join(&mut self, a: &'a LogicalId, b: &'a LogicalId) -> Met {
        let (a, b) = (self.root(a), self.root(b));
        if a == b {
            return Met::Known;
        }
        if self.apart[a].contains(&b) {
            return Met::Contradicted;
        }
        // The side with fewer strangers moves, so that the work stays small.
        let (into, from) = if self.apart[a].len() < self.apart[b].len() { (b, a) } else { (a, b) };
        self.parent[from] = into;
        for stranger in std::mem::take(&mut self.apart[from]) {
            self.apart[stranger].remove(&from);
            self.apart[stranger].insert(into);
            self.apart[into].insert(stranger);
        }
        Met::New
    }

    fn part(&mut self, a: &'a LogicalId, b: &'a LogicalId) -> Met {
        let (a, b) = (self.root(a), self.root(b));
        if a == b {
            return Met::Contradicted;
        }
        self.apart[b].insert(a);
        if self.apart[a].insert(b) { Met::New } else { Met::Known }
    }
}

#[cfg(test)]
mod tests {
    use super::{Fold, Ruling};
    use crate::journal::{Decided, Entry};
    use dukou_fhir::LogicalId;

    fn id(text: &str) -> LogicalId {
        LogicalId::parse(text).unwrap()
    }

    fn merge(retired: &str, survivor: &str) -> Decided {
        Decided::Merge { survivor: id(survivor), retired: id(retired) }
    }

    fn link(a: &str, b: &str) -> Decided {
        Decided::AssertLink { a: id(a), b: id(b) }
    }

    fn not_same(a: &str, b: &str) -> Decided {
        Decided::AssertNotSame { a: id(a), b: id(b) }
    }

    fn unlink(a: &str, b: &str) -> Decided {
        Decided::Unlink { a: id(a), b: id(b) }
    }

    fn numbered(decided: &[Decided]) -> Vec<Entry> {
        let said = String::new;
        let entry = |(seq, decided): (u64, &Decided)| Entry {
            seq,
            time_ms: 0,
            decided: decided.clone(),
            actor: said(),
            reason: said(),
            evidence: said(),
            model: said(),
        };
        (1..).zip(decided).map(entry).collect()
    }

    /// The ruling about `a` and all that decisions connect with it, the entries numbered from 1; whatever the order of arrival.
    fn ruling(decided: &[Decided]) -> Ruling {
        let mut fold = Fold::default();
        let mut turned = Fold::default();
        numbered(decided).into_iter().for_each(|entry| drop(fold.add(entry)));
        numbered(decided).into_iter().rev().for_each(|entry| drop(turned.add(entry)));
        let ruling = fold.ruling(&fold.group(&id("a")));
        assert_eq!(ruling, turned.ruling(&turned.group(&id("a"))), "the order of arrival does not matter");
        ruling
    }

    fn survivor(decided: &[Decided], record: &str) -> Option<String> {
        ruling(decided).survivor(&id(record)).map(ToString::to_string)
    }

    #[test]
    fn a_chain_of_merges_leads_to_its_end_in_whatever_order_it_was_said() {
        assert_eq!(survivor(&[merge("a", "b"), merge("b", "c")], "a").as_deref(), Some("c"));
        assert_eq!(survivor(&[merge("b", "c"), merge("a", "b")], "a").as_deref(), Some("c"));
        assert_eq!(survivor(&[merge("b", "c"), merge("a", "b")], "c"), None, "who goes on has no survivor");
    }

    #[test]
    fn in_a_circle_of_merges_the_latest_one_says_who_leads() {
        let circle = [merge("a", "b"), merge("b", "c"), merge("c", "a")];
        let ruling = ruling(&circle);
        assert_eq!(ruling.survivor(&id("b")), Some(&id("a")));
        assert_eq!(ruling.survivor(&id("c")), Some(&id("a")));
        assert_eq!(ruling.survivor(&id("a")), None);
        assert_eq!(ruling.same.len(), 2, "all three are still one person");
        assert_eq!(survivor(&[merge("a", "b"), merge("b", "a")], "b").as_deref(), Some("a"));
    }

    #[test]
    fn a_retired_record_follows_its_latest_merge_and_does_not_pull_the_other_along() {
        let ruling = ruling(&[merge("a", "b"), merge("a", "c")]);
        assert_eq!(ruling.same, [(id("c"), id("a"))]);
        assert_eq!(ruling.survivor(&id("a")), Some(&id("c")));
    }

    #[test]
    fn an_unmerge_takes_its_merge_away_as_if_it_had_never_been() {
        let undo = Decided::Unmerge { merge: 2 };
        assert_eq!(survivor(&[merge("a", "b"), merge("a", "c"), undo.clone()], "a").as_deref(), Some("b"));
        let circle = [merge("a", "b"), merge("b", "a"), undo];
        assert_eq!(survivor(&circle, "a").as_deref(), Some("b"), "what the circle had broken stands again");
    }

    #[test]
    fn any_decision_about_two_records_can_be_taken_back() {
        let said = [not_same("a", "b"), link("a", "b"), Decided::Unmerge { merge: 2 }];
        assert_eq!(ruling(&said).apart.len(), 1);
        let mut fold = Fold::default();
        numbered(&said[..2]).into_iter().for_each(|entry| drop(fold.add(entry)));
        assert_eq!(fold.decision(&id("b"), &id("a")).map(|entry| entry.seq), Some(2));
        let undo = numbered(&said).pop().unwrap();
        assert_eq!(fold.add(undo), [id("a"), id("b")], "both are told");
        assert_eq!(fold.decision(&id("a"), &id("b")).map(|entry| entry.seq), Some(1));
    }

    #[test]
    fn what_took_something_away_from_a_record_is_known_by_its_number() {
        let change = |record: &str| Decided::IdentifierChange {
            record: id(record),
            system: "s".into(),
            old: "1".into(),
            new: "2".into(),
        };
        let said = [merge("a", "b"), change("c"), Decided::Unmerge { merge: 1 }, link("a", "d")];
        for turned in [false, true] {
            let mut entries = numbered(&said);
            if turned {
                entries.reverse();
            }
            let mut fold = Fold::default();
            entries.into_iter().for_each(|entry| drop(fold.add(entry)));
            let severed = ["a", "b", "c", "d"].map(|record| fold.severed(&id(record)));
            assert_eq!(severed, [Some(3), Some(3), Some(2), None]);
        }
    }

    #[test]
    fn of_contradicting_decisions_about_a_pair_the_latest_stands() {
        assert!(ruling(&[link("a", "b"), not_same("b", "a")]).same.is_empty());
        assert!(ruling(&[not_same("a", "b"), link("b", "a")]).apart.is_empty());
        assert_eq!(ruling(&[link("a", "b"), unlink("a", "b"), link("a", "b")]).same.len(), 1);
        assert_eq!(ruling(&[merge("a", "b"), not_same("a", "b")]).survivor(&id("a")), None);
    }

    #[test]
    fn nobody_is_joined_over_others_with_one_from_whom_a_later_decision_holds_them_apart() {
        let ruling = ruling(&[merge("a", "b"), link("b", "c"), not_same("a", "c")]);
        assert_eq!(ruling.same, [(id("b"), id("c"))]);
        assert_eq!(ruling.apart, [(id("a"), id("c"))]);
        assert_eq!(ruling.overruled, [1], "the oldest gives way and is named");
    }

    #[test]
    fn what_a_feed_links_overrules_over_others_neither_a_merge_nor_the_word_of_a_person() {
        let feeds = |a: &str, b: &str| Decided::Link { a: id(a), b: id(b) };
        let said = [merge("a", "b"), feeds("a", "c"), not_same("b", "c")];
        let kept = ruling(&said);
        assert_eq!(
            (kept.survivor(&id("a")), kept.overruled.clone()),
            (Some(&id("b")), vec![2]),
            "the merge stands, the link gives way"
        );
        let chain = ruling(&[not_same("a", "c"), feeds("a", "b"), feeds("b", "c")]);
        assert_eq!((chain.apart, chain.overruled), (vec![(id("a"), id("c"))], vec![2]));
        assert!(
            ruling(&[not_same("a", "b"), feeds("a", "b")]).apart.is_empty(),
            "about the same two the latest stands"
        );
    }

    #[test]
    fn a_record_merged_into_itself_changes_nothing() {
        assert_eq!(ruling(&[merge("a", "a")]), Ruling::default());
    }
}
