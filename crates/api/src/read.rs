//! Handlers that show one resource or its history.

use dukou_audit::{Permit, Unreleased};
use dukou_exchange::{Error, HistoryQuery, HistoryScope, Version};
use dukou_fhir::{Instant, IssueType, ResourceKey, VersionId};
use hyper::header::{ETAG, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED};

use crate::ask::Ask;
use crate::bundle::Writer;
use crate::desk::Desk;
use crate::etag;
use crate::fault::{Fault, fault};
use crate::link::Pager;
use crate::reply::Reply;

/// The answer of a handler that shows something.
pub(crate) type Shown = Result<Unreleased<Reply>, Reply>;

/// `GET [type]/[id]` and `GET [type]/[id]/_history/[vid]`.
pub(crate) fn read(
    desk: &Desk,
    ask: &Ask,
    permit: &Permit<'_>,
    key: &ResourceKey,
    version: Option<VersionId>,
) -> Shown {
    ask.params.without_criteria().map_err(|issue| Reply::fault(issue, ask.language))?;
    let found = match version {
        None => desk.exchange.read(permit, key),
        Some(version) => desk.exchange.vread(permit, key, version),
    };
    let found = found.map_err(|error| Reply::error(&error, ask.language))?;
    Ok(found.map(|version| show(ask, &version)))
}

fn show(ask: &Ask, version: &Version) -> Reply {
    let unchanged = match (ask.header(&IF_NONE_MATCH), ask.header(&IF_MODIFIED_SINCE)) {
        // RFC 9110, 13.1.3: the tag decides where both are sent.
        (Some(tags), _) => etag::names(tags, version.version),
        (None, Some(since)) => etag::unmodified_since(since, version.last_updated),
        (None, None) => false,
    };
    let reply = if unchanged { Reply::empty(304) } else { Reply::fhir(200, ask.params.shape.apply(&version.body)) };
    stamped(reply, version)
}

/// An answer with the version's tag and time.
pub(crate) fn stamped(reply: Reply, version: &Version) -> Reply {
    reply
        .with_text(ETAG, &etag::print(version.version))
        .with_text(LAST_MODIFIED, &etag::http_date(version.last_updated))
}

/// `_history` of an instance, a type or everything.
pub(crate) fn history(desk: &Desk, ask: &Ask, permit: &Permit<'_>, scope: HistoryScope) -> Shown {
    let refuse = |fault: Fault| Reply::fault(fault, ask.language);
    let limits = &desk.runtime.limits;
    let policy = desk.policy.load();
    let policy_sha256 = policy.sha256();
    let mut query =
        HistoryQuery { count: ask.params.count.unwrap_or(limits.count_default), ..HistoryQuery::new(scope) };
    for (name, value) in &ask.params.criteria {
        match name.as_str() {
            "_since" => query.since = Some(time(desk, value, false).map_err(refuse)?),
            "_at" => query.until = Some(time(desk, value, true).map_err(refuse)?),
            _ => ask.params.without_criteria().map_err(refuse)?,
        }
    }
    let client = permit.access().client.id.as_str();
    let key = &desk.runtime.cursor_key;
    let pager = Pager::new(ask, key, client, &policy_sha256, &ask.params.criteria, Some(query.count));
    let trail = pager.open(ask.params.cursor.as_deref()).ok_or_else(|| refuse(bad_cursor()))?;
    query.before = match trail.here().map(<[u8; 8]>::try_from) {
        None => None,
        Some(bytes) => Some(u64::from_be_bytes(bytes.map_err(|_| refuse(bad_cursor()))?)),
    };
    let page = desk.exchange.history(permit, &query).map_err(|error| Reply::error(&error, ask.language))?;
    // An instance that never was has no history; one out of reach answers likewise.
    let unknown = match &query.scope {
        HistoryScope::Instance(key) if query.since.is_none() && query.until.is_none() => Some(key.clone()),
        _ => None,
    };
    Ok(page.map(|page| {
        if let Some(key) = unknown.filter(|_| page.total == 0) {
            return Reply::error(&Error::NotFound { key }, ask.language);
        }
        let links = pager.links(&trail, page.next.map(|next| next.to_be_bytes().to_vec()));
        let writer = Writer { base: &ask.base, shape: &ask.params.shape, language: ask.language };
        Reply::fhir(200, writer.history(&page, &links))
    }))
}

/// The issue of a page link that is not ours for this use.
pub(crate) fn bad_cursor() -> Fault {
    fault(
        IssueType::Invalid,
        "bad-cursor",
        "the page link does not belong to this search and client",
        "分页链接不属于本次检索或该客户端",
    )
}

/// A point in time of any precision: its beginning, or its end.
fn time(desk: &Desk, text: &str, end: bool) -> Result<Instant, Fault> {
    let zone = desk.exchange.surroundings().zone;
    let read = dukou_fhir::FhirDateTime::parse_lenient(text);
    read.map(|read| if end { read.high(zone) } else { read.low(zone) }).ok_or_else(|| {
        fault(
            IssueType::Invalid,
            "bad-parameter",
            "_since and _at take an instant or a date",
            "_since 与 _at 需要时间或日期",
        )
    })
}
