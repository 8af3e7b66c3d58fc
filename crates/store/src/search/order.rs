//! Sorted pages. Few candidates are sorted in memory; many are met by walking the keys of the sort parameter in order.

use std::cmp::Ordering;

use dukou_fhir::search::{Condition, KeyRange, Options, Query, Sort};

use super::cursor::Place;
use super::meter::Context;
use super::plan::Candidates;
use super::reach::Reach;
use crate::error::Error;
use crate::tables::Stored;

/// A page of a sorted result.
pub(super) struct Sorted {
    pub(super) matches: Vec<(Place, Stored)>,
    /// Whether matches follow.
    pub(super) further: bool,
    /// The number of all matches, if it came to light.
    pub(super) total: Option<u64>,
}

/// A page of at most `count` matches behind `after`.
///
/// Which way is cheaper depends on how thickly the matches lie among the keys, which nobody knows beforehand: unless there are few
/// candidates or very many, the walk is tried with an allowance.
pub(super) fn page(
    context: &Context<'_>,
    reach: Reach<'_>,
    query: &Query,
    after: Option<&Place>,
    count: usize,
    sort_max: usize,
) -> Result<Sorted, Error> {
    let mut candidates = Candidates::plan(context, reach, query.kind(), query.conditions(), query.sort())?;
    let bound = candidates.bound(context, sort_max)?;
    let allowance = match bound {
        Some(bound) if bound <= FEW => return in_memory(context, candidates, query.sort(), after, count, sort_max),
        Some(bound) => ENTRIES_A_BODY * bound as u64,
        None => u64::MAX,
    };
    let allowance = allowance.saturating_add(context.spent());
    let walk = Walk { context, reach, query, sort_max, allowance };
    match walk.page(after, count)? {
        Some(page) => Ok(page),
        None => in_memory(context, candidates, query.sort(), after, count, sort_max),
    }
}

/// Reads all matches and sorts them.
fn in_memory(
    context: &Context<'_>,
    mut candidates: Candidates<'_>,
    sort: &[Sort],
    after: Option<&Place>,
    count: usize,
    sort_max: usize,
) -> Result<Sorted, Error> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(hit) = candidates.next(context, from)? {
        from = hit.res + 1;
        if found.len() == sort_max {
            return Err(context.too_costly("_sort"));
        }
        let stored = hit.stored.filter(|_| found.len() < BODIES_KEPT);
        found.push((Place { key: hit.key, res: hit.res }, stored));
    }
    let total = Some(found.len() as u64);
    let (found, further) = cut(sort, found, after, count);
    Ok(Sorted { matches: with_bodies(context, found)?, further, total })
}

/// A match with its body, if it is still at hand.
type Found = (Place, Option<Stored>);

/// The first `count` matches behind `after`, in order.
fn cut(sort: &[Sort], mut found: Vec<Found>, after: Option<&Place>, count: usize) -> (Vec<Found>, bool) {
    if let Some(after) = after {
        found.retain(|(place, _)| compare(sort, place, after).is_gt());
    }
    found.sort_by(|(one, _), (other, _)| compare(sort, one, other));
    let further = found.len() > count;
    found.truncate(count);
    (found, further)
}

fn with_bodies(context: &Context<'_>, found: Vec<Found>) -> Result<Vec<(Place, Stored)>, Error> {
    let mut matches = Vec::with_capacity(found.len());
    for (place, stored) in found {
        let stored = match stored {
            Some(stored) => Some(stored),
            None => context.view.load(place.res)?,
        };
        matches.extend(stored.map(|stored| (place, stored)));
    }
    Ok(matches)
}

/// The order of the whole result: the sort keys, absent values last whichever way, then the resource number.
pub(super) fn compare(sort: &[Sort], one: &Place, other: &Place) -> Ordering {
    for (sort, values) in sort.iter().zip(one.key.iter().zip(&other.key)) {
        let order = match values {
            (None, None) => Ordering::Equal,
            (None, Some(_)) => Ordering::Greater,
            (Some(_), None) => Ordering::Less,
            (Some(one), Some(other)) if sort.descending() => other.cmp(one),
            (Some(one), Some(other)) => one.cmp(other),
        };
        if order.is_ne() {
            return order;
        }
    }
    one.res.cmp(&other.res)
}

/// Walks the keys of the first sort parameter, one value after the other, and asks of each resource whether it is a match.
struct Walk<'a> {
    context: &'a Context<'a>,
    reach: Reach<'a>,
    query: &'a Query,
    sort_max: usize,
    /// The work after which the walk gives up.
    allowance: u64,
}

/// Whether a walk came to its end, or gave up: the page is then worth nothing.
#[derive(PartialEq)]
enum Walked {
    Done,
    GaveUp,
}

impl Walk<'_> {
    fn page(&self, after: Option<&Place>, count: usize) -> Result<Option<Sorted>, Error> {
        let sort = &self.query.sort()[0];
        let Some(range) = sort.walk() else { return Ok(None) };
        let mut page = Sorted { matches: Vec::new(), further: false, total: None };
        let valued = after.is_none_or(|after| after.key.first().is_some_and(Option::is_some));
        if valued && self.values(sort, &range, after, count, &mut page)? == Walked::GaveUp {
            return Ok(None);
        }
        if !page.further {
            let after = if valued { None } else { after };
            if self.absent(sort, after, count, &mut page)? == Walked::GaveUp {
                return Ok(None);
            }
        }
        Ok(Some(page))
    }

    /// Matches that have a value, in the order of the values.
    fn values(
        &self,
        sort: &Sort,
        range: &KeyRange,
        after: Option<&Place>,
        count: usize,
        page: &mut Sorted,
    ) -> Result<Walked, Error> {
        let candidates = self.candidates(&[])?;
        let mut place = begin(range, sort.descending(), after);
        while !page.further {
            let Some(key) = self.next_key(range, sort.descending(), (&place.0, place.1))? else { break };
            let numbers = |from, out: &mut Vec<u64>| self.context.view.seek(&key, from, BLOCK, out);
            let value = key.get(KEY_HEAD..).unwrap_or_default();
            let lone = self.query.sort().len() == 1;
            let walked = if lone {
                self.in_order(&candidates, value, numbers, after, count, page)?
            } else {
                self.gathered(&candidates, value, numbers, after, count, page)?
            };
            if walked == Walked::GaveUp {
                return Ok(Walked::GaveUp);
            }
            place = (key, if sort.descending() { 0 } else { u64::MAX });
        }
        Ok(Walked::Done)
    }

    /// The next value in the order of the walk.
    fn next_key(&self, range: &KeyRange, descending: bool, place: (&[u8], u64)) -> Result<Option<Vec<u8>>, Error> {
        let mut next = None;
        let mut take = |key: &[u8], _| next = Some(key.to_vec());
        if descending {
            self.context.view.range_down(place, range.start.as_bytes(), 1, &mut take)?;
        } else {
            self.context.view.range_up(place, range.end.as_bytes(), 1, &mut take)?;
        }
        self.context.spend(1, "_sort")?;
        Ok(next)
    }

    /// With one sort key the resources of one value follow in the order of their numbers.
    fn in_order(
        &self,
        candidates: &Candidates<'_>,
        value: &[u8],
        numbers: impl Fn(u64, &mut Vec<u64>) -> Result<(), Error>,
        after: Option<&Place>,
        count: usize,
        page: &mut Sorted,
    ) -> Result<Walked, Error> {
        let within = after.filter(|after| first_value(&after.key) == Some(value));
        let mut from = within.map_or(0, |after| after.res + 1);
        loop {
            let mut block = Vec::with_capacity(BLOCK);
            numbers(from, &mut block)?;
            self.context.spend(block.len(), "_sort")?;
            for res in &block {
                let Some(hit) = candidates.admit(self.context, *res)? else { continue };
                // A resource with several values stands only under the first of them in this order.
                if first_value(&hit.key) != Some(value) {
                    continue;
                }
                if page.matches.len() == count {
                    page.further = true;
                    return Ok(Walked::Done);
                }
                let stored = hit.stored;
                page.matches.extend(stored.map(|stored| (Place { key: hit.key, res: *res }, stored)));
            }
            match block.last() {
                _ if self.context.spent() > self.allowance => return Ok(Walked::GaveUp),
                Some(last) if block.len() == BLOCK => from = last + 1,
                _ => return Ok(Walked::Done),
            }
        }
    }

    /// With several sort keys the resources of one value are gathered and sorted.
    fn gathered(
        &self,
        candidates: &Candidates<'_>,
        value: &[u8],
        numbers: impl Fn(u64, &mut Vec<u64>) -> Result<(), Error>,
        after: Option<&Place>,
        count: usize,
        page: &mut Sorted,
    ) -> Result<Walked, Error> {
        let mut found = Vec::new();
        let mut from = 0;
        loop {
            let mut block = Vec::with_capacity(BLOCK);
            numbers(from, &mut block)?;
            self.context.spend(block.len(), "_sort")?;
            for res in &block {
                let Some(hit) = candidates.admit(self.context, *res)? else { continue };
                if first_value(&hit.key) == Some(value) {
                    let stored = hit.stored.filter(|_| found.len() < BODIES_KEPT);
                    found.push((Place { key: hit.key, res: *res }, stored));
                }
            }
            match block.last() {
                _ if found.len() > self.sort_max || self.context.spent() > self.allowance => return Ok(Walked::GaveUp),
                Some(last) if block.len() == BLOCK => from = last + 1,
                _ => break,
            }
        }
        self.add(found, after, count, page)?;
        Ok(Walked::Done)
    }

    /// Matches without a value come last.
    fn absent(&self, sort: &Sort, after: Option<&Place>, count: usize, page: &mut Sorted) -> Result<Walked, Error> {
        let pairs = [(format!("{}:missing", sort.parameter().code()), "true".to_owned())];
        let missing = Query::parse(self.query.kind(), &pairs, &Options::default());
        let missing = missing.map_err(|_| self.context.too_costly("_sort"))?;
        let mut candidates = self.candidates(missing.conditions())?;
        let lone = self.query.sort().len() == 1;
        let mut found = Vec::new();
        // With one sort key the order among these is that of the numbers: the walk can begin and end where the page does.
        let mut from = if lone { after.map_or(0, |after| after.res + 1) } else { 0 };
        while let Some(hit) = candidates.next(self.context, from)? {
            from = hit.res + 1;
            let stored = hit.stored.filter(|_| found.len() < BODIES_KEPT);
            found.push((Place { key: hit.key, res: hit.res }, stored));
            if lone && found.len() > count {
                break;
            }
            if found.len() > self.sort_max.max(count) || self.context.spent() > self.allowance {
                return Ok(Walked::GaveUp);
            }
        }
        self.add(found, after, count, page)?;
        Ok(Walked::Done)
    }

    fn add(&self, found: Vec<Found>, after: Option<&Place>, count: usize, page: &mut Sorted) -> Result<(), Error> {
        let room = count - page.matches.len();
        let (found, further) = cut(self.query.sort(), found, after, room);
        page.matches.extend(with_bodies(self.context, found)?);
        page.further |= further;
        Ok(())
    }

    fn candidates<'q>(&'q self, more: &'q [Condition]) -> Result<Candidates<'q>, Error> {
        let conditions = self.query.conditions().iter().chain(more);
        Candidates::plan(self.context, self.reach, self.query.kind(), conditions, self.query.sort())
    }
}

fn first_value(key: &[Option<Vec<u8>>]) -> Option<&[u8]> {
    key.first().and_then(Option::as_deref)
}

/// Where a walk begins: with the first value, or with the one that the page before ended in.
fn begin(range: &KeyRange, descending: bool, after: Option<&Place>) -> (Vec<u8>, u64) {
    let head = range.start.as_bytes().get(..KEY_HEAD).unwrap_or_default();
    match (after.and_then(|after| first_value(&after.key)), descending) {
        (Some(value), false) => ([head, value].concat(), 0),
        (Some(value), true) => ([head, value].concat(), u64::MAX),
        (None, false) => (range.start.as_bytes().to_vec(), 0),
        (None, true) => (range.end.as_bytes().to_vec(), 0),
    }
}

/// Type, parameter and form stand before the value of a posting key.
const KEY_HEAD: usize = 5;
/// Bodies that stay in memory while the result is sorted; others are read again if they come on the page.
const BODIES_KEPT: usize = 1_000;
/// So few candidates are sorted in memory without a thought.
const FEW: usize = 200;
/// To read one body costs as much as to touch about so many postings.
const ENTRIES_A_BODY: u64 = 5;
const BLOCK: usize = 64;
