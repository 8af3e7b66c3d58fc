//! History: a walk down the versions, filtered by the permit before it is cut into pages.

use dukou_audit::{Permit, Right};
use dukou_fhir::Instant;

use crate::doors::reaches;
use crate::error::Error;
use crate::tables::{Stored, View, Walk};
use crate::version::{HistoryPage, HistoryQuery, HistoryScope};

/// One page, newest first.
pub(crate) fn page(view: &dyn View, permit: &Permit<'_>, query: &HistoryQuery) -> Result<HistoryPage, Error> {
    let Some((walk, right)) = walk_of(view, permit, &query.scope)? else { return Ok(HistoryPage::default()) };
    let last = view.counters()?.seq;
    let low = match query.since {
        Some(since) => first_at(view, last, since)?,
        None => 1,
    };
    let high = match query.until {
        Some(until) => first_at(view, last, after(until))?.saturating_sub(1),
        None => last,
    };
    let reach =
        Reading { permit, right, narrow: is_narrow(permit, walk, right), left: query.work_max, limit: query.work_max };
    reach.page(view, walk, low, high, query)
}

struct Reading<'a> {
    permit: &'a Permit<'a>,
    right: Right,
    /// Whether some versions of the walk may lie outside the reach.
    narrow: bool,
    left: u64,
    limit: u64,
}

impl Reading<'_> {
    fn page(
        mut self,
        view: &dyn View,
        walk: Walk,
        low: u64,
        high: u64,
        query: &HistoryQuery,
    ) -> Result<HistoryPage, Error> {
        let mut page = HistoryPage::default();
        let mut further = false;
        let mut total = 0;
        let begin = query.before.map_or(high, |before| before.saturating_sub(1).min(high));
        // A narrow permit's total takes a walk over everything; a wide one is counted by the engine.
        let mut down = Down::new(view, walk, if self.narrow { high } else { begin })?;
        while let Some(stored) = down.next(view)? {
            if stored.version.seq < low {
                break;
            }
            self.spend()?;
            if self.narrow && !reaches(self.permit, self.right, &stored.version) {
                continue;
            }
            total += 1;
            if stored.version.seq > begin {
                continue;
            }
            if page.entries.len() < query.count {
                page.entries.push(stored.version);
                continue;
            }
            further = true;
            if !self.narrow {
                break;
            }
        }
        page.total = if self.narrow || low > high { total } else { view.count(walk, low, high)? };
        page.next = page.entries.last().filter(|_| further).map(|version| version.seq);
        Ok(page)
    }

    fn spend(&mut self) -> Result<(), Error> {
        if self.left == 0 {
            return Err(Error::TooCostly { conjunct: "_history".to_owned(), limit: self.limit });
        }
        self.left -= 1;
        Ok(())
    }
}

/// A walk down, read in blocks.
struct Down {
    walk: Walk,
    block: std::vec::IntoIter<Stored>,
    /// Version number or `seq` of the next block; none at the end.
    from: Option<u64>,
    high: u64,
    size: usize,
}

impl Down {
    fn new(_view: &dyn View, walk: Walk, high: u64) -> Result<Down, Error> {
        let from = if matches!(walk, Walk::Resource(_)) { u64::MAX } else { high };
        Ok(Down { walk, block: Vec::new().into_iter(), from: Some(from), high, size: 32 })
    }

    fn next(&mut self, view: &dyn View) -> Result<Option<Stored>, Error> {
        loop {
            for stored in self.block.by_ref() {
                if stored.version.seq <= self.high {
                    return Ok(Some(stored));
                }
            }
            let Some(from) = self.from else { return Ok(None) };
            let mut block = Vec::with_capacity(self.size);
            view.history(self.walk, from, self.size, &mut block)?;
            let next = block.last().map(|stored| match self.walk {
                Walk::Resource(_) => stored.version.version.number() - 1,
                Walk::Type(_) | Walk::System => stored.version.seq - 1,
            });
            self.from = next.filter(|next| block.len() == self.size && *next > 0);
            self.size = (self.size * 2).min(BLOCK_MAX);
            self.block = block.into_iter();
        }
    }
}

fn walk_of(view: &dyn View, permit: &Permit<'_>, scope: &HistoryScope) -> Result<Option<(Walk, Right)>, Error> {
    let (kind, right) = match scope {
        HistoryScope::Instance(key) => (Some(key.kind), Right::Read),
        HistoryScope::Type(kind) => (Some(*kind), Right::Search),
        HistoryScope::System => (None, Right::Search),
    };
    if kind.is_some_and(|kind| !permit.allows(kind.as_str(), right)) {
        return Err(Error::NotPermitted);
    }
    let walk = match scope {
        HistoryScope::Instance(key) => view.current(key)?.map(|row| Walk::Resource(row.res)),
        HistoryScope::Type(kind) => Some(Walk::Type(*kind)),
        HistoryScope::System => Some(Walk::System),
    };
    Ok(walk.map(|walk| (walk, right)))
}

/// Whether the permit may leave out some versions of a walk: unless one grant without a patient covers all of it.
fn is_narrow(permit: &Permit<'_>, walk: Walk, right: Right) -> bool {
    match walk {
        // A single resource is short: looking at each version costs nothing.
        Walk::Resource(_) => true,
        Walk::Type(kind) => !permit.allows_for(kind.as_str(), right, &[]),
        Walk::System => !permit.allows_for("*", right, &[]),
    }
}

/// The first `seq` with a time at or after `time`; times never fall along `seq`. One above the last where there is none.
fn first_at(view: &dyn View, last: u64, time: Instant) -> Result<u64, Error> {
    let (mut low, mut high) = (1, last + 1);
    while low < high {
        let middle = low + (high - low) / 2;
        match view.time_at(middle)? {
            Some(found) if found < time => low = middle + 1,
            _ => high = middle,
        }
    }
    Ok(low)
}

fn after(time: Instant) -> Instant {
    Instant::from_millis(time.as_millis().saturating_add(1))
}

const BLOCK_MAX: usize = 512;
