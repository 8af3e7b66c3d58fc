//! Search over posting lists, the same for every engine.
//!
//! Each condition becomes a sorted list of resource numbers, or a list of exceptions, or a test of the body. The lists are walked together
//! by leaps, the shortest one leading. Bodies are looked at only where keys leave something open: hashes, cut texts, wide ranges against
//! few candidates. All work is counted, and what costs too much is refused as a whole.

mod cursor;
mod include;
mod list;
mod meter;
mod order;
mod plan;
mod reach;

use dukou_audit::{Permit, Right};
use dukou_fhir::ResourceKey;
use dukou_fhir::search::{Query, Total};

use self::cursor::Place;
use self::meter::Context;
use self::plan::{Candidates, Hit};
use self::reach::Reach;
use crate::error::Error;
use crate::tables::{Stored, View};
use crate::version::{Cursor, Page, SearchLimits};

/// A page of a search.
pub(crate) fn page(
    view: &dyn View,
    permit: &Permit<'_>,
    query: &Query,
    limits: &SearchLimits,
    from: Option<&Cursor>,
) -> Result<Page, Error> {
    if !permit.allows(query.kind().as_str(), Right::Search) {
        return Err(Error::NotPermitted);
    }
    let context = Context::new(view, limits.work_max);
    let reach = Reach::Of(permit);
    let after = from.map(|cursor| Place::decode(cursor, query.sort().len())).transpose()?;
    let count = if query.counts_only() { 0 } else { limits.count.min(query.count() as usize) };
    let mut page = Page::default();
    let matches = if count == 0 {
        page.total = Some(count_all(&context, reach, query)?);
        Vec::new()
    } else if query.sort().is_empty() {
        unsorted(&context, reach, query, after.as_ref(), count, &mut page)?
    } else {
        let sorted = order::page(&context, reach, query, after.as_ref(), count, limits.sort_max)?;
        page.total = sorted.total;
        page.next = sorted.matches.last().filter(|_| sorted.further).map(|(place, _)| place.encode());
        sorted.matches.into_iter().map(|(_, stored)| stored).collect()
    };
    match query.total() {
        Some(Total::None) if count > 0 => page.total = None,
        Some(Total::Accurate | Total::Estimate) if page.total.is_none() => {
            page.total = Some(count_all(&context, reach, query)?);
        }
        _ => {}
    }
    include::add(&context, reach, query, &matches, limits.includes_max, &mut page)?;
    page.matches = matches.into_iter().map(|stored| stored.version).collect();
    page.work = context.spent();
    Ok(page)
}

/// The names of the first live matches, as the writer sees them.
pub(crate) fn first_matches(view: &dyn View, query: &Query, count: usize) -> Result<Vec<ResourceKey>, Error> {
    let context = Context::new(view, CONDITION_WORK_MAX);
    let mut candidates = Candidates::plan(&context, Reach::Whole, query.kind(), query.conditions(), &[])?;
    let mut keys = Vec::with_capacity(count);
    let mut from = 0;
    while keys.len() < count {
        let Some(hit) = candidates.next(&context, from)? else { break };
        from = hit.res + 1;
        keys.extend(body_of(&context, hit)?.map(|stored| stored.version.key));
    }
    Ok(keys)
}

/// A page in the order of the resource numbers.
fn unsorted(
    context: &Context<'_>,
    reach: Reach<'_>,
    query: &Query,
    after: Option<&Place>,
    count: usize,
    page: &mut Page,
) -> Result<Vec<Stored>, Error> {
    let mut candidates = Candidates::plan(context, reach, query.kind(), query.conditions(), &[])?;
    page.total = candidates.known_size().map(|size| size as u64);
    let mut matches = Vec::with_capacity(count);
    let mut from = after.map_or(0, |after| after.res + 1);
    let mut last = 0;
    while let Some(hit) = candidates.next(context, from)? {
        from = hit.res + 1;
        if matches.len() == count {
            page.next = Some(Place { key: Vec::new(), res: last }.encode());
            return Ok(matches);
        }
        last = hit.res;
        matches.extend(body_of(context, hit)?);
    }
    if after.is_none() {
        page.total = Some(matches.len() as u64);
    }
    Ok(matches)
}

fn count_all(context: &Context<'_>, reach: Reach<'_>, query: &Query) -> Result<u64, Error> {
    let mut candidates = Candidates::plan(context, reach, query.kind(), query.conditions(), &[])?;
    if let Some(size) = candidates.known_size() {
        return Ok(size as u64);
    }
    let mut total = 0;
    let mut from = 0;
    while let Some(hit) = candidates.next(context, from)? {
        total += 1;
        from = hit.res + 1;
    }
    Ok(total)
}

fn body_of(context: &Context<'_>, hit: Hit) -> Result<Option<Stored>, Error> {
    match hit.stored {
        Some(stored) => Ok(Some(stored)),
        None => context.view.load(hit.res),
    }
}

/// What a condition may cost while the writer holds everyone up.
const CONDITION_WORK_MAX: u64 = 100_000;
