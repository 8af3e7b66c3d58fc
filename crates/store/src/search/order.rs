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
pub(super) fn page(
    context: &Context<'_>,
    reach: Reach<'_>,
    query: &Query,
    after: Option<&Place>,
    count: usize,
    sort_max: usize,
) -> Result<Sorted, Error> {
    let mut candidates = Candidates::plan(context, reach, query.kind(), query.conditions(), query.sort())?;
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(hit) = candidates.next(context, from)? {
        from = hit.res + 1;
        if found.len() == sort_max {
            return Walk { context, reach, query, sort_max }.page(after, count);
        }
        let stored = hit.stored.filter(|_| found.len() < BODIES_KEPT);
        found.push((Place { key: hit.key, res: hit.res }, stored));
    }
    let total = Some(found.len() as u64);
    let (found, further) = cut(query.sort(), found, after, count);
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
}

impl Walk<'_> {
    fn page(&self, after: Option<&Place>, count: usize) -> Result<Sorted, Error> {
        let sort = &self.query.sort()[0];
        let Some(range) = sort.walk() else { return Err(self.context.too_costly("_sort")) };
        let mut page = Sorted { matches: Vec::new(), further: false, total: None };
        let valued = after.is_none_or(|after| after.key.first().is_some_and(Option::is_some));
        if valued {
            self.values(sort, &range, after, count, &mut page)?;
        }
        if !page.further {
            let after = if valued { None } else { after };
            self.absent(sort, after, count, &mut page)?;
        }
        Ok(page)
    }

    /// Matches that have a value, group after group of one value each.
    fn values(
        &self,
        sort: &Sort,
        range: &KeyRange,
        after: Option<&Place>,
        count: usize,
        page: &mut Sorted,
    ) -> Result<(), Error> {
        let candidates = self.candidates(&[])?;
        let mut steps = Steps::new(self.context, range, sort.descending(), after);
        let mut group: Option<(Vec<u8>, Vec<u64>)> = None;
        loop {
            let step = steps.next()?;
            let same = matches!((&step, &group), (Some((key, _)), Some((own, _))) if key == own);
            if !same && let Some((key, numbers)) = group.take() {
                let value = key.get(KEY_HEAD..).unwrap_or_default();
                self.group(&candidates, Some(value), numbers, after, count, page)?;
                if page.further {
                    return Ok(());
                }
            }
            let Some((key, res)) = step else { return Ok(()) };
            let (_, numbers) = group.get_or_insert_with(|| (key, Vec::new()));
            numbers.push(res);
            if numbers.len() > self.sort_max {
                return Err(self.context.too_costly("_sort"));
            }
        }
    }

    /// Matches without a value come last.
    fn absent(&self, sort: &Sort, after: Option<&Place>, count: usize, page: &mut Sorted) -> Result<(), Error> {
        let pairs = [(format!("{}:missing", sort.parameter().code()), "true".to_owned())];
        let missing = Query::parse(self.query.kind(), &pairs, &Options::default());
        let missing = missing.map_err(|_| self.context.too_costly("_sort"))?;
        let mut candidates = self.candidates(missing.conditions())?;
        let lone = self.query.sort().len() == 1;
        let mut numbers = Vec::new();
        // With one sort key the order among these is that of the numbers: the walk can begin and end where the page does.
        let mut from = if lone { after.map_or(0, |after| after.res + 1) } else { 0 };
        while let Some(hit) = candidates.next(self.context, from)? {
            from = hit.res + 1;
            numbers.push(hit.res);
            if lone && numbers.len() > count {
                break;
            }
            if numbers.len() > self.sort_max {
                return Err(self.context.too_costly("_sort"));
            }
        }
        self.group(&candidates, None, numbers, after, count, page)
    }

    /// Adds to the page the matches among resources that share their first value.
    fn group(
        &self,
        candidates: &Candidates<'_>,
        value: Option<&[u8]>,
        numbers: Vec<u64>,
        after: Option<&Place>,
        count: usize,
        page: &mut Sorted,
    ) -> Result<(), Error> {
        let mut found = Vec::new();
        for res in numbers {
            let Some(hit) = candidates.admit(self.context, res)? else { continue };
            // A resource with several values stands only under the first of them in this order.
            if hit.key.first().is_some_and(|own| own.as_deref() == value) {
                let stored = hit.stored.filter(|_| found.len() < BODIES_KEPT);
                found.push((Place { key: hit.key, res }, stored));
            }
        }
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

/// The entries of a key range, in either direction, read in blocks.
struct Steps<'a> {
    context: &'a Context<'a>,
    range: KeyRange,
    descending: bool,
    /// The last entry read.
    place: (Vec<u8>, u64),
    block: std::vec::IntoIter<(Vec<u8>, u64)>,
    size: usize,
    ended: bool,
}

impl<'a> Steps<'a> {
    /// Begins with the first value, or with the one that a page ended in.
    fn new(context: &'a Context<'a>, range: &KeyRange, descending: bool, after: Option<&Place>) -> Steps<'a> {
        let value = after.and_then(|after| after.key.first()).and_then(Option::as_deref);
        let head = range.start.as_bytes().get(..KEY_HEAD).unwrap_or_default();
        let place = match (value, descending) {
            (Some(value), false) => ([head, value].concat(), 0),
            (Some(value), true) => ([head, value].concat(), u64::MAX),
            (None, false) => (range.start.as_bytes().to_vec(), 0),
            (None, true) => (range.end.as_bytes().to_vec(), 0),
        };
        Steps {
            context,
            range: range.clone(),
            descending,
            place,
            block: Vec::new().into_iter(),
            size: 32,
            ended: false,
        }
    }

    fn next(&mut self) -> Result<Option<(Vec<u8>, u64)>, Error> {
        if let Some(step) = self.block.next() {
            return Ok(Some(step));
        }
        if self.ended {
            return Ok(None);
        }
        let mut block = Vec::with_capacity(self.size);
        let place = (self.place.0.as_slice(), self.place.1);
        let mut push = |key: &[u8], res| block.push((key.to_vec(), res));
        if self.descending {
            self.context.view.range_down(place, self.range.start.as_bytes(), self.size, &mut push)?;
        } else {
            self.context.view.range_up(place, self.range.end.as_bytes(), self.size, &mut push)?;
        }
        self.context.spend(block.len() + 1, "_sort")?;
        self.ended = block.len() < self.size;
        self.size = (self.size * 2).min(BLOCK_MAX);
        if let Some(last) = block.last() {
            self.place = last.clone();
        }
        self.block = block.into_iter();
        Ok(self.block.next())
    }
}

/// Type, parameter and form stand before the value of a posting key.
const KEY_HEAD: usize = 5;
/// Bodies that stay in memory while the result is sorted; others are read again if they come on the page.
const BODIES_KEPT: usize = 1_000;
const BLOCK_MAX: usize = 512;
