//! From a Bundle to entries: each `request` is read by the same grammar as an address.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use dukou_access::ClientSettings;
use dukou_audit::{Permit, Right};
use dukou_exchange::{Entry, Error, Exchange, Operation, Patch};
use dukou_fhir::search::{Options, Query};
use dukou_fhir::{Issue, IssueType, ResourceType, Value, VersionId, json};
use hyper::Method;

use crate::etag;
use crate::fault::{Fault, fault, fault_at};
use crate::percent;
use crate::route::{self, Route};
use crate::search::may_ask;
use crate::shape;

/// Turns the requests of one client into operations.
pub(crate) struct Reader<'a> {
    pub(crate) exchange: &'a Exchange,
    pub(crate) permit: &'a Permit<'a>,
    pub(crate) settings: &'a ClientSettings,
    /// The base that absolute addresses may begin with.
    pub(crate) base: &'a str,
    pub(crate) count_default: usize,
    pub(crate) count_max: usize,
}

/// One request, alone or in a Bundle, apart from its route.
pub(crate) struct Sent {
    pub(crate) content: Option<Value<'static>>,
    pub(crate) if_match: Option<String>,
    pub(crate) if_none_exist: Option<String>,
    /// What stands behind the question mark.
    pub(crate) criteria: String,
}

impl Reader<'_> {
    /// The entry of a Bundle at a place.
    pub(crate) fn entry(&self, entry: &Value<'static>) -> Result<Entry, Error> {
        let full_url = entry.text_at("fullUrl").filter(|url| url.starts_with("urn:")).map(str::to_owned);
        let method = entry.text_at("request.method").ok_or_else(|| missing("request.method"))?;
        let url = entry.text_at("request.url").ok_or_else(|| missing("request.url"))?;
        let url = url.strip_prefix(self.base).unwrap_or(url).trim_start_matches('/');
        let (path, criteria) = url.split_once('?').unwrap_or((url, ""));
        let method = Method::from_bytes(method.as_bytes()).map_err(|_| bad("request.method"))?;
        let path = percent::decode_path(path).ok_or_else(|| bad("request.url"))?;
        let route = route::find(&method, &path).map_err(|_| bad("request.url"))?;
        let sent = Sent {
            content: entry.get("resource").cloned(),
            if_match: entry.text_at("request.ifMatch").map(str::to_owned),
            if_none_exist: entry.text_at("request.ifNoneExist").map(str::to_owned),
            criteria: criteria.to_owned(),
        };
        Ok(Entry { full_url, operation: self.operation(&route, sent)? })
    }

    /// The operation of a route and what came with it. Each needs its own right, alone as well as inside a Bundle.
    pub(crate) fn operation(&self, route: &Route, sent: Sent) -> Result<Operation, Error> {
        if let (Some(kind), Some(right)) = (route.kind(), needed(route))
            && !self.permit.allows(kind.as_str(), right)
        {
            return Err(Error::Forbidden);
        }
        let if_match = match &sent.if_match {
            Some(text) => Some(etag::parse(text).ok_or(Error::VersionMismatch)?),
            None => None,
        };
        match route {
            Route::Create(kind) => self.create(*kind, sent),
            Route::Update(key) => {
                self.need_if_match(if_match)?;
                let content = writable(sent.content)?;
                if content.text_at("id") != Some(key.id.as_str()) {
                    return Err(Error::IdDiffers);
                }
                let create_allowed =
                    self.settings.create_with_id && self.permit.allows(key.kind.as_str(), Right::Create);
                Ok(Operation::Update { key: key.clone(), content, if_match, create_allowed })
            }
            Route::UpdateWhere(kind) => {
                let query = self.condition(*kind, &sent.criteria)?;
                self.own_domain(*kind, &query)?;
                Ok(Operation::UpdateWhere { kind: *kind, query, content: writable(sent.content)? })
            }
            Route::Patch(key) => {
                self.need_if_match(if_match)?;
                Ok(Operation::Patch { key: key.clone(), patch: patch(sent.content)?, if_match })
            }
            Route::PatchWhere(kind) => {
                let query = self.condition(*kind, &sent.criteria)?;
                self.own_domain(*kind, &query)?;
                Ok(Operation::PatchWhere { query, patch: patch(sent.content)? })
            }
            Route::Delete(key) => {
                self.need_if_match(if_match)?;
                Ok(Operation::Delete { key: key.clone(), if_match })
            }
            Route::DeleteWhere(kind) => {
                let query = self.condition(*kind, &sent.criteria)?;
                self.own_domain(*kind, &query)?;
                Ok(Operation::DeleteWhere { query })
            }
            Route::Read(key) => Ok(Operation::Read { key: key.clone(), version: None }),
            Route::Vread(key, version) => Ok(Operation::Read { key: key.clone(), version: Some(*version) }),
            Route::Search(Some(kind)) => self.search(*kind, &sent.criteria),
            _ => Err(not_in_a_bundle()),
        }
    }

    fn create(&self, kind: ResourceType, sent: Sent) -> Result<Operation, Error> {
        let if_none_exist = match &sent.if_none_exist {
            Some(criteria) => Some(self.condition(kind, criteria)?),
            None => None,
        };
        Ok(Operation::Create { kind, content: writable(sent.content)?, if_none_exist })
    }

    /// A source feeds its own domain: who is registered as the source of domains names one of them where it writes a Patient by number
    /// (IHE PIXm, ITI-104).
    fn own_domain(&self, kind: ResourceType, query: &Query) -> Result<(), Error> {
        let own = &self.settings.domains;
        if own.is_empty() || kind != ResourceType::PATIENT {
            return Ok(());
        }
        let asked = query
            .self_pairs()
            .iter()
            .filter(|(name, _)| name == "identifier")
            .filter_map(|(_, value)| value.split_once('|'));
        let foreign = asked.map(|(system, _)| system).any(|system| !self.exchange.same_authority(system, own));
        if foreign { Err(Error::Forbidden) } else { Ok(()) }
    }

    /// A condition is a question: who may not search may not ask it.
    fn condition(&self, kind: ResourceType, criteria: &str) -> Result<Query, Error> {
        if !self.permit.allows(kind.as_str(), Right::Search) {
            return Err(Error::Forbidden);
        }
        let criteria = criteria.trim_start_matches('?');
        let query = self.exchange.criteria(kind, criteria)?;
        if !query.conditions().iter().all(|condition| may_ask(self.permit, condition)) {
            return Err(Error::Forbidden);
        }
        if query.conditions().is_empty() {
            return Err(invalid(fault(
                IssueType::Invalid,
                "criteria-missing",
                "a conditional interaction needs at least one criterion",
                "条件操作至少需要一个条件",
            )));
        }
        Ok(query)
    }

    fn search(&self, kind: ResourceType, criteria: &str) -> Result<Operation, Error> {
        let pairs = percent::pairs(criteria).ok_or_else(|| bad("request.url"))?;
        let options = Options {
            count_default: u32::try_from(self.count_default).unwrap_or(u32::MAX),
            count_max: u32::try_from(self.count_max).unwrap_or(u32::MAX),
            site: self.exchange.search_site(),
            ..Options::default()
        };
        let query = self.exchange.query(kind, &pairs, &options)?;
        if !query.conditions().iter().all(|condition| may_ask(self.permit, condition)) {
            return Err(Error::Forbidden);
        }
        let count = query.count() as usize;
        Ok(Operation::Search { query, count })
    }

    fn need_if_match(&self, if_match: Option<VersionId>) -> Result<(), Error> {
        if self.settings.if_match_required && if_match.is_none() {
            return Err(invalid(fault(
                IssueType::Invalid,
                "if-match-missing",
                "this client must send If-Match",
                "该客户端必须携带 If-Match",
            )));
        }
        Ok(())
    }
}

fn needed(route: &Route) -> Option<Right> {
    match route {
        Route::Create(_) => Some(Right::Create),
        Route::Update(_) | Route::UpdateWhere(_) | Route::Patch(_) | Route::PatchWhere(_) => Some(Right::Update),
        Route::Delete(_) | Route::DeleteWhere(_) => Some(Right::Delete),
        Route::Read(_) | Route::Vread(..) => Some(Right::Read),
        Route::Search(_) => Some(Right::Search),
        _ => None,
    }
}

/// A resource to be written: there is one, and it is whole.
fn writable(content: Option<Value<'static>>) -> Result<Value<'static>, Error> {
    let content = content.ok_or_else(|| missing("resource"))?;
    if shape::is_subsetted(&content) {
        return Err(invalid(fault_at(
            IssueType::BusinessRule,
            "subsetted",
            "Resource.meta.tag",
            "a shortened resource may not be written back",
            "删减过的资源不得写回",
        )));
    }
    Ok(content)
}

/// A JSON Patch: the operations themselves, or in a Bundle a Binary that holds them.
fn patch(content: Option<Value<'static>>) -> Result<Patch, Error> {
    let content = content.ok_or_else(|| missing("resource"))?;
    let refuse = |issue: Issue| Error::Invalid(vec![issue]);
    if content.resource_type() != Some("Binary") {
        return Patch::parse(&content).map_err(refuse);
    }
    if content.text_at("contentType") != Some("application/json-patch+json") {
        return Err(bad("resource.contentType"));
    }
    let bytes =
        content.text_at("data").and_then(|data| STANDARD.decode(data).ok()).ok_or_else(|| bad("resource.data"))?;
    let document = json::parse(&bytes, &json::Limits::default()).map_err(|_| bad("resource.data"))?;
    Patch::parse(&document).map_err(refuse)
}

fn missing(element: &str) -> Error {
    let (en, zh) = (format!("{element} is missing"), format!("缺少 {element}"));
    invalid(fault_at(IssueType::Invalid, "bundle-entry", &format!("Entry.{element}"), en, zh))
}

fn bad(element: &str) -> Error {
    let (en, zh) = (format!("{element} is not understood"), format!("无法理解 {element}"));
    invalid(fault_at(IssueType::Invalid, "bundle-entry", &format!("Entry.{element}"), en, zh))
}

fn not_in_a_bundle() -> Error {
    let en = "this interaction is not offered inside a Bundle";
    invalid(fault_at(IssueType::NotSupported, "bundle-entry", "Entry.request", en, "Bundle 内不支持此操作"))
}

fn invalid(fault: Fault) -> Error {
    Error::Invalid(vec![fault.into_issue()])
}
