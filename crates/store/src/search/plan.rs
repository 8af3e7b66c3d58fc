//! From the conditions of a query to lists that are walked together.

use dukou_fhir::search::{Condition, Join, KeyRange, Lookup, PostingKey, Sort};
use dukou_fhir::{LogicalId, ResourceKey, ResourceType, Value, json};

use super::cursor::SortKey;
use super::list::List;
use super::meter::Context;
use super::reach::{Reach, Scope};
use crate::error::Error;
use crate::prepare::STORED_LIMITS;
use crate::tables::Stored;

/// The resources that meet all conditions, found by number.
pub(super) struct Candidates<'q> {
    /// A match is in all of these; the shortest one first.
    within: Vec<List>,
    /// A match is in none of these, unless its body says so.
    without: Vec<(List, Option<&'q Condition>)>,
    /// What the bodies decide.
    checks: Vec<&'q Condition>,
    /// What the result is sorted by; read from the bodies of the matches.
    sort: &'q [Sort],
}

/// A resource that meets all conditions.
pub(super) struct Hit {
    pub(super) res: u64,
    /// Its newest version, where it was needed to decide.
    pub(super) stored: Option<Stored>,
    /// What the result is sorted by.
    pub(super) key: SortKey,
}

/// A wide range that may be better decided on the bodies of few candidates.
struct Wide<'q> {
    condition: &'q Condition,
    ranges: Vec<KeyRange>,
    check: bool,
}

impl<'q> Candidates<'q> {
    pub(super) fn plan(
        context: &Context<'_>,
        reach: Reach<'_>,
        kind: ResourceType,
        conditions: impl IntoIterator<Item = &'q Condition>,
        sort: &'q [Sort],
    ) -> Result<Candidates<'q>, Error> {
        let mut plan = Candidates { within: Vec::new(), without: Vec::new(), checks: Vec::new(), sort };
        match reach.of(kind) {
            Scope::Nothing => plan.within.push(List::Fixed(Vec::new())),
            Scope::Everything => {}
            Scope::Under(keys) => plan.within.push(List::of_keys(context, keys, "compartment")?),
        }
        let mut wide = Vec::new();
        for condition in conditions {
            if let Some(join) = condition.join() {
                plan.within.push(joined(context, reach, kind, condition.name(), join)?);
                continue;
            }
            let (lookup, check) = condition.plan();
            match lookup {
                Lookup::Keys(keys) => plan.within.push(List::of_keys(context, bytes(keys), condition.name())?),
                Lookup::Ids(ids) => plan.within.push(live(context, kind, &ids, condition.name())?),
                Lookup::Not(keys) => {
                    let list = List::of_keys(context, bytes(keys), condition.name())?;
                    plan.without.push((list, check.then_some(condition)));
                    continue;
                }
                Lookup::Ranges(ranges) => {
                    wide.push(Wide { condition, ranges, check });
                    continue;
                }
                Lookup::All => {}
            }
            if check {
                plan.checks.push(condition);
            }
        }
        plan.narrow(context, wide)?;
        if plan.within.is_empty() {
            plan.within.push(List::of_keys(context, vec![PostingKey::of_type(kind).into_bytes()], kind.as_str())?);
        }
        plan.within.sort_by_key(|list| list.size().unwrap_or(usize::MAX));
        Ok(plan)
    }

    /// Ranges give their resources in the order of the keys: they are gathered and sorted, unless so few candidates are left
    /// that looking at their bodies is cheaper.
    fn narrow(&mut self, context: &Context<'_>, wide: Vec<Wide<'q>>) -> Result<(), Error> {
        if wide.is_empty() {
            return Ok(());
        }
        let mut known = if self.within.is_empty() { None } else { self.bound(context, FEW)? };
        let mut open = Vec::new();
        for wide in wide {
            match gather(context, &wide, budget(known))? {
                Some(numbers) => {
                    known = Some(known.map_or(numbers.len(), |known| known.min(numbers.len())));
                    self.take(wide, numbers);
                }
                None => open.push((wide, budget(known))),
            }
        }
        for (wide, tried) in open {
            let budget = if self.within.is_empty() { usize::MAX } else { budget(known) };
            let numbers = if budget > tried { gather(context, &wide, budget)? } else { None };
            match numbers {
                Some(numbers) => {
                    known = Some(known.map_or(numbers.len(), |known| known.min(numbers.len())));
                    self.take(wide, numbers);
                }
                None => self.checks.push(wide.condition),
            }
        }
        Ok(())
    }

    fn take(&mut self, wide: Wide<'q>, numbers: Vec<u64>) {
        self.within.push(List::Fixed(numbers));
        if wide.check {
            self.checks.push(wide.condition);
        }
    }

    /// How many matches there can be at most, as far as the lists say without a look at bodies; nothing if more than `max`.
    /// A small answer stays in memory, and the walk can begin anew.
    pub(super) fn bound(&mut self, context: &Context<'_>, max: usize) -> Result<Option<usize>, Error> {
        let mut numbers = Vec::new();
        let mut bound = 0;
        let mut from = 0;
        while let Some(res) = leap(&mut self.within, context, from)? {
            bound += 1;
            from = res + 1;
            if bound > max {
                self.within.iter_mut().for_each(List::rewind);
                return Ok(None);
            }
            if bound <= FEW {
                numbers.push(res);
            }
        }
        if bound <= FEW {
            self.within = vec![List::Fixed(numbers)];
        } else {
            self.within.iter_mut().for_each(List::rewind);
        }
        Ok(Some(bound))
    }

    /// The number of matches, where it is known without more work.
    pub(super) fn known_size(&self) -> Option<usize> {
        match self.within.as_slice() {
            [only] if self.checks.is_empty() && self.without.is_empty() => only.size(),
            _ => None,
        }
    }

    /// The first match with a number not below `from`. The numbers asked for never fall.
    pub(super) fn next(&mut self, context: &Context<'_>, mut from: u64) -> Result<Option<Hit>, Error> {
        'leap: loop {
            let Some(res) = leap(&mut self.within, context, from)? else { return Ok(None) };
            from = res + 1;
            let mut asked = Vec::new();
            for (list, condition) in &mut self.without {
                if list.seek(context, res)? == Some(res) {
                    match condition {
                        Some(condition) => asked.push(*condition),
                        None => continue 'leap,
                    }
                }
            }
            if let Some(hit) = self.decide(context, res, &asked)? {
                return Ok(Some(hit));
            }
        }
    }

    /// Whether a resource is a match, asked in any order.
    pub(super) fn admit(&self, context: &Context<'_>, res: u64) -> Result<Option<Hit>, Error> {
        for list in &self.within {
            if !list.contains(context, res)? {
                return Ok(None);
            }
        }
        let mut asked = Vec::new();
        for (list, condition) in &self.without {
            if list.contains(context, res)? {
                match condition {
                    Some(condition) => asked.push(*condition),
                    None => return Ok(None),
                }
            }
        }
        self.decide(context, res, &asked)
    }

    /// Lets the body decide what the keys leave open, and reads from it what the result is sorted by.
    fn decide(&self, context: &Context<'_>, res: u64, asked: &[&Condition]) -> Result<Option<Hit>, Error> {
        if self.checks.is_empty() && asked.is_empty() && self.sort.is_empty() {
            return Ok(Some(Hit { res, stored: None, key: Vec::new() }));
        }
        let Some(stored) = context.view.load(res)? else { return Ok(None) };
        let name = self.checks.iter().chain(asked).next().map_or("_sort", |condition| condition.name());
        context.spend(1, name)?;
        let body = content(&stored)?;
        if !self.checks.iter().chain(asked).all(|condition| condition.matches(&body)) {
            return Ok(None);
        }
        let key = self.sort.iter().map(|sort| sort.key(&body)).collect();
        drop(body);
        Ok(Some(Hit { res, stored: Some(stored), key }))
    }
}

/// The first number not below `from` that is in all lists.
fn leap(lists: &mut [List], context: &Context<'_>, from: u64) -> Result<Option<u64>, Error> {
    let mut res = from;
    'again: loop {
        for list in &mut *lists {
            match list.seek(context, res)? {
                None => return Ok(None),
                Some(found) if found > res => {
                    res = found;
                    continue 'again;
                }
                Some(_) => {}
            }
        }
        return Ok(Some(res));
    }
}

/// How many entries of a range may be touched before its condition is left to the bodies of the known candidates.
fn budget(known: Option<usize>) -> usize {
    match known {
        Some(known) if known <= FEW_BODIES => 0,
        Some(known) => known.saturating_mul(ENTRIES_A_BODY),
        None => RANGE_MAX,
    }
}

/// The tree of a stored body.
pub(super) fn content(stored: &Stored) -> Result<Value<'_>, Error> {
    json::parse(&stored.version.body, &STORED_LIMITS).map_err(|_| Error::Corrupt { what: "versions.body" })
}

fn bytes(keys: Vec<PostingKey>) -> Vec<Vec<u8>> {
    keys.into_iter().map(PostingKey::into_bytes).collect()
}

/// The numbers of these ids, as far as they are live.
fn live(context: &Context<'_>, kind: ResourceType, ids: &[LogicalId], name: &str) -> Result<List, Error> {
    let mut numbers = Vec::with_capacity(ids.len());
    for id in ids {
        context.spend(1, name)?;
        let row = context.view.current(&ResourceKey::new(kind, id.clone()))?;
        numbers.extend(row.filter(|row| row.live).map(|row| row.res));
    }
    numbers.sort_unstable();
    numbers.dedup();
    Ok(List::Fixed(numbers))
}

/// All resources with a key in one of the ranges; nothing if there are more entries than the budget.
fn gather(context: &Context<'_>, wide: &Wide<'_>, budget: usize) -> Result<Option<Vec<u64>>, Error> {
    let name = wide.condition.name();
    let mut numbers = Vec::new();
    if budget == 0 {
        return Ok(None);
    }
    for range in &wide.ranges {
        let mut place = (range.start.as_bytes().to_vec(), 0);
        let mut size = PROBE;
        loop {
            let before = numbers.len();
            let mut last = None;
            context.view.range_up((&place.0, place.1), range.end.as_bytes(), size, &mut |key, res| {
                numbers.push(res);
                if numbers.len() - before == size {
                    last = Some((key.to_vec(), res));
                }
            })?;
            context.spend(numbers.len() - before + 1, name)?;
            match last {
                None => break,
                Some(_) if numbers.len() >= budget => return Ok(None),
                Some(last) => place = last,
            }
            size = (size * 2).min(BLOCK_MAX);
        }
    }
    numbers.sort_unstable();
    numbers.dedup();
    Ok(Some(numbers))
}

/// The resources of `kind` that are joined with one that meets its own condition. The others, too, must lie within the reach.
fn joined(context: &Context<'_>, reach: Reach<'_>, kind: ResourceType, name: &str, join: &Join) -> Result<List, Error> {
    let mut keys = Vec::new();
    let mut ids = Vec::new();
    for branch in join.branches() {
        let mut others = Candidates::plan(context, reach, branch.kind, [&*branch.condition], &[])?;
        let mut from = 0;
        while let Some(hit) = others.next(context, from)? {
            from = hit.res + 1;
            context.spend(1, name)?;
            let stored = match hit.stored {
                Some(stored) => stored,
                None => match context.view.load(hit.res)? {
                    Some(stored) => stored,
                    None => continue,
                },
            };
            if join.is_reverse() {
                ids.extend(join.referred(kind, &content(&stored)?));
            } else {
                keys.push(join.referrers(kind, &stored.version.key).into_bytes());
            }
        }
    }
    if join.is_reverse() {
        ids.sort_unstable();
        ids.dedup();
        return live(context, kind, &ids, name);
    }
    keys.sort_unstable();
    keys.dedup();
    List::of_keys(context, keys, name)
}

const PROBE: usize = 64;
const BLOCK_MAX: usize = 512;
/// A range with more entries is decided on bodies, if there is any other list to begin with.
const RANGE_MAX: usize = 50_000;
/// To look at one body costs as much as to touch about so many postings.
const ENTRIES_A_BODY: usize = 10;
/// So few bodies are looked at without a thought.
const FEW_BODIES: usize = 64;
/// So many numbers are held in memory to learn how few candidates there are.
const FEW: usize = 1_024;
