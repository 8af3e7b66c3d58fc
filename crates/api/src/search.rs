//! Handlers of searches: one type, several types, a compartment, everything about a patient.

use dukou_audit::{Permit, Right, Unreleased};
use dukou_exchange::{Cursor, Error, Page, SearchLimits};
use dukou_fhir::search::{self, Condition, Handling, JoinBranch, Options, Query, Total};
use dukou_fhir::{Issue, IssueType, LogicalId, ResourceKey, ResourceType, Text, schema};

use crate::ask::Ask;
use crate::bundle::{Searchset, Writer};
use crate::cursor::Trail;
use crate::desk::Desk;
use crate::fault::fault;
use crate::link::Pager;
use crate::read::{Shown, bad_cursor};
use crate::reply::Reply;
use crate::route::Route;
use crate::shape::Summary;

/// Any search.
pub(crate) fn search(desk: &Desk, ask: &Ask, permit: &Permit<'_>, route: &Route) -> Shown {
    let refuse = |error: Error| Reply::error(&error, ask.language);
    let pairs = &ask.params.criteria;
    let named = search::types(pairs).map_err(|issues| Reply::outcome(issues, ask.language))?;
    let span = |fits: &dyn Fn(ResourceType) -> bool| match named.is_empty() {
        // Types that the caller may not search are left out where it named none, and refused where it did.
        true => ResourceType::all().filter(|kind| fits(*kind) && permit.allows(kind.as_str(), Right::Search)).collect(),
        false => named.clone(),
    };
    let (kinds, patient): (Vec<ResourceType>, Option<&LogicalId>) = match route {
        Route::Search(Some(kind)) => (vec![*kind], None),
        Route::CompartmentSearch(patient, Some(kind)) => (vec![*kind], Some(patient)),
        Route::CompartmentSearch(patient, None) => (span(&in_patient), Some(patient)),
        _ => (span(&|_| true), None),
    };
    let queries = queries(desk, ask, permit, &kinds, pairs, patient).map_err(refuse)?;
    answer(desk, ask, permit, &queries)
}

/// `Patient/[id]/$everything`: the compartment, and what its resources refer to.
pub(crate) fn everything(desk: &Desk, ask: &Ask, permit: &Permit<'_>, patient: &LogicalId) -> Shown {
    let refuse = |error: Error| Reply::error(&error, ask.language);
    let key = ResourceKey::new(ResourceType::PATIENT, patient.clone());
    let there = desk.exchange.read(permit, &key).map_err(refuse)?;
    let named = search::types(&ask.params.criteria).map_err(|issues| Reply::outcome(issues, ask.language))?;
    let kinds: Vec<ResourceType> = match named.is_empty() {
        true => ResourceType::all()
            .filter(|kind| in_patient(*kind) && permit.allows(kind.as_str(), Right::Search))
            .collect(),
        false => named,
    };
    let mut queries = Vec::with_capacity(kinds.len());
    for kind in kinds {
        let pairs = everything_pairs(ask, kind)?;
        queries.extend(self::queries(desk, ask, permit, &[kind], &pairs, Some(patient)).map_err(refuse)?);
    }
    let found = answer(desk, ask, permit, &queries)?;
    Ok(found.and(there.map(|_| ())).map(|(reply, ())| reply))
}

/// The criteria of one type in `$everything`: `start` and `end` bear on `date`, where the type has it.
fn everything_pairs(ask: &Ask, kind: ResourceType) -> Result<Vec<(String, String)>, Reply> {
    let dated = search::parameters::find(kind, "date").is_some_and(|date| date.unsupported().is_none());
    let mut pairs = Vec::new();
    for (name, value) in &ask.params.criteria {
        match name.as_str() {
            "_type" => {}
            "_since" => pairs.push(("_lastUpdated".to_owned(), format!("ge{value}"))),
            "start" if dated => pairs.push(("date".to_owned(), format!("ge{value}"))),
            "end" if dated => pairs.push(("date".to_owned(), format!("le{value}"))),
            "start" | "end" => {}
            _ => {
                return Err(Reply::fault(
                    fault(
                        IssueType::NotSupported,
                        "unknown-parameter",
                        "$everything takes start, end, _since, _type and _count",
                        "$everything 只接受 start、end、_since、_type、_count",
                    ),
                    ask.language,
                ));
            }
        }
    }
    pairs.push(("_include".to_owned(), "*".to_owned()));
    Ok(pairs)
}

fn in_patient(kind: ResourceType) -> bool {
    kind == ResourceType::PATIENT || !schema::compartment("Patient", kind).is_empty()
}

/// One query for each type; all of them read the same pairs.
fn queries(
    desk: &Desk,
    ask: &Ask,
    permit: &Permit<'_>,
    kinds: &[ResourceType],
    pairs: &[(String, String)],
    patient: Option<&LogicalId>,
) -> Result<Vec<Query>, Error> {
    let lenient = ask.prefer.lenient == Some(true);
    let handling = if lenient { Handling::Lenient } else { Handling::Strict };
    // The size of the page is the door's own affair: `_count` was taken out of the pairs.
    let whole = u32::try_from(desk.runtime.limits.count_max).unwrap_or(u32::MAX);
    let site = desk.exchange.search_site();
    let options = Options { handling, site, count_default: whole, count_max: whole, ..Options::default() };
    let mut queries = Vec::with_capacity(kinds.len());
    for kind in kinds {
        let mut query = desk.exchange.query(*kind, pairs, &options)?;
        if !query.conditions().iter().all(|condition| may_ask(permit, condition)) {
            return Err(Error::Forbidden);
        }
        if let Some(patient) = patient {
            query.narrow(search::in_compartment(*kind, patient.clone(), options.site));
        }
        queries.extend(desk.exchange.about_people(permit, query, ask.params.include_inactive)?);
    }
    Ok(queries)
}

/// Whether a caller may ask this: a chained or `_has` condition is a question about each type it walks through. Of the types that an
/// untyped chain could walk through those are left out by the store that the caller may not search.
pub(crate) fn may_ask(permit: &Permit<'_>, condition: &Condition) -> bool {
    let Some(join) = condition.join() else { return true };
    let open =
        |branch: &JoinBranch| permit.allows(branch.kind.as_str(), Right::Search) && may_ask(permit, &branch.condition);
    join.branches().iter().any(open)
}

/// Runs the queries one after the other until the page is full.
fn answer(desk: &Desk, ask: &Ask, permit: &Permit<'_>, queries: &[Query]) -> Shown {
    let limits = &desk.runtime.limits;
    let refuse = |error: Error| Reply::error(&error, ask.language);
    let counts_only = ask.params.count == Some(0) || ask.params.shape.summary == Summary::Count;
    let count = if counts_only { 0 } else { ask.params.count.unwrap_or(limits.count_default) };
    let policy_sha256 = desk.policy.load().sha256();
    let client = permit.access().client.id.as_str();
    let applied = applied(ask, queries);
    let pager = Pager::new(ask, &desk.runtime.cursor_key, client, &policy_sha256, &applied, ask.params.count);
    let trail = pager.open(ask.params.cursor.as_deref()).ok_or_else(|| refuse(Error::BadCursor))?;
    let start = Position::read(&trail).ok_or_else(|| Reply::fault(bad_cursor(), ask.language))?;
    let mut walk = Walk { desk, permit, count, found: permit.without_patient_data(Gathered::default()), left: count };
    let next = walk.run(queries, start).map_err(refuse)?;
    let total_known = queries.windows(2).all(|two| two[0].kind() == two[1].kind())
        || counts_only
        || queries.iter().any(|query| query.total() == Some(Total::Accurate));
    let missing = total_known && queries.len() > 1;
    if missing {
        walk.count_all(queries).map_err(refuse)?;
    }
    let links = pager.links(&trail, next.map(|position| position.to_bytes()));
    let of_patients = queries.len() == 1 && queries[0].kind() == ResourceType::PATIENT;
    let asks_for_a_person =
        of_patients && !counts_only && trail.here().is_none() && !queries[0].conditions().is_empty();
    let notes: Vec<Issue> =
        queries.first().map(|query| query.ignored().iter().map(|left| left.note.clone()).collect()).unwrap_or_default();
    Ok(walk.found.map(|gathered| {
        let mut notes = notes;
        if gathered.includes_cut {
            notes.push(includes_cut(limits.includes_max));
        }
        let total = if total_known { gathered.total } else { None };
        let set = Searchset { matches: gathered.matches, includes: gathered.includes, notes, total, links };
        let writer = Writer { base: &ask.base, shape: &ask.params.shape, language: ask.language };
        Reply::fhir(200, writer.searchset(&set)).missed(asks_for_a_person && set.matches.is_empty())
    }))
}

/// The pairs really used: those of the first query, since all of them read the same.
fn applied(ask: &Ask, queries: &[Query]) -> Vec<(String, String)> {
    match (&ask.route, queries.first()) {
        (Ok(Route::Everything(_)), _) | (_, None) => ask.params.criteria.clone(),
        (_, Some(query)) => query.self_pairs().to_vec(),
    }
}

/// One page in the making, over one or several types.
struct Walk<'a> {
    desk: &'a Desk,
    permit: &'a Permit<'a>,
    count: usize,
    left: usize,
    found: Unreleased<Gathered>,
}

#[derive(Default)]
struct Gathered {
    matches: Vec<dukou_exchange::Version>,
    includes: Vec<dukou_exchange::Version>,
    includes_cut: bool,
    total: Option<u64>,
}

impl Walk<'_> {
    /// Fills the page from a position on; returns where the next page begins.
    fn run(&mut self, queries: &[Query], start: Position) -> Result<Option<Position>, Error> {
        let mut inner = start.inner.map(Cursor::from_bytes);
        for (place, query) in queries.iter().enumerate().skip(start.query) {
            let page = self.page(query, self.left, inner.take().as_ref())?;
            let (got, next) = (page.0, page.1);
            self.left = self.left.saturating_sub(got);
            if let Some(next) = next {
                return Ok(Some(Position { query: place, inner: Some(next) }));
            }
            if self.count > 0 && self.left == 0 && place + 1 < queries.len() {
                return Ok(Some(Position { query: place + 1, inner: None }));
            }
        }
        Ok(None)
    }

    /// The number of all matches over all types.
    fn count_all(&mut self, queries: &[Query]) -> Result<(), Error> {
        let mut sum = 0;
        for query in queries {
            let limits = SearchLimits { count: 0, ..self.limits(0) };
            let counted = self.desk.exchange.search(self.permit, query, &limits, None)?;
            let mut total = None;
            let counted = counted.map(|page| total = page.total);
            sum += total.unwrap_or(0);
            self.join(counted.map(|()| Page::default()));
        }
        self.set_total(sum);
        Ok(())
    }

    /// One page of one query: how many matches it has and where it goes on.
    fn page(&mut self, query: &Query, count: usize, from: Option<&Cursor>) -> Result<(usize, Option<Vec<u8>>), Error> {
        let page = self.desk.exchange.search(self.permit, query, &self.limits(count), from)?;
        let mut met = (0, None);
        let page = page.map(|page| {
            met = (page.matches.len(), page.next.as_ref().map(|next| next.as_bytes().to_vec()));
            page
        });
        self.join(page);
        Ok(met)
    }

    fn limits(&self, count: usize) -> SearchLimits {
        let limits = &self.desk.runtime.limits;
        SearchLimits {
            count,
            includes_max: limits.includes_max,
            work_max: limits.search_work_max,
            ..SearchLimits::default()
        }
    }

    fn join(&mut self, page: Unreleased<Page>) {
        let empty = self.permit.without_patient_data(Gathered::default());
        let found = std::mem::replace(&mut self.found, empty);
        self.found = found.and(page).map(|(mut found, page)| {
            found.matches.extend(page.matches);
            let known = |include: &dukou_exchange::Version| {
                found.matches.iter().chain(&found.includes).any(|known| known.key == include.key)
            };
            let new: Vec<_> = page.includes.into_iter().filter(|include| !known(include)).collect();
            found.includes.extend(new);
            found.includes_cut |= page.includes_cut;
            found.total = page.total.or(found.total);
            found
        });
    }

    fn set_total(&mut self, total: u64) {
        let empty = self.permit.without_patient_data(Gathered::default());
        let found = std::mem::replace(&mut self.found, empty);
        self.found = found.map(|found| Gathered { total: Some(total), ..found });
    }
}

/// Where a page begins among several queries.
struct Position {
    query: usize,
    inner: Option<Vec<u8>>,
}

impl Position {
    fn read(trail: &Trail) -> Option<Position> {
        let Some(bytes) = trail.here() else { return Some(Position { query: 0, inner: None }) };
        let (query, rest) = bytes.split_first_chunk::<2>()?;
        let (mark, rest) = rest.split_first()?;
        Some(Position { query: usize::from(u16::from_be_bytes(*query)), inner: (*mark != 0).then(|| rest.to_vec()) })
    }

    fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = u16::try_from(self.query).unwrap_or(u16::MAX).to_be_bytes().to_vec();
        bytes.push(u8::from(self.inner.is_some()));
        bytes.extend_from_slice(self.inner.as_deref().unwrap_or_default());
        bytes
    }
}

fn includes_cut(most: usize) -> Issue {
    let text = Text::new(
        format!("only {most} included resources are shown on a page"),
        format!("每页最多显示 {most} 个关联资源"),
    );
    Issue::warning(IssueType::TooCostly, "includes-cut", text)
}
