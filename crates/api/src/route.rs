//! The FHIR URL grammar: one `match` from method and path to a [`Route`] (FHIR R4, RESTful API, 3.1.0).

use dukou_audit::Interaction;
use dukou_fhir::{LogicalId, ResourceKey, ResourceType, VersionId};
use hyper::Method;

/// What an address asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    Capabilities,
    Options,
    Read(ResourceKey),
    Vread(ResourceKey, VersionId),
    Search(Option<ResourceType>),
    /// `Patient/1/Observation`; no type stands for `Patient/1/*`.
    CompartmentSearch(LogicalId, Option<ResourceType>),
    InstanceHistory(ResourceKey),
    TypeHistory(ResourceType),
    SystemHistory,
    Create(ResourceType),
    Update(ResourceKey),
    UpdateWhere(ResourceType),
    Patch(ResourceKey),
    PatchWhere(ResourceType),
    Delete(ResourceKey),
    DeleteWhere(ResourceType),
    /// Transaction or batch: the Bundle says which.
    Bundle,
    Validate(Option<ResourceType>),
    Everything(LogicalId),
    Ingest,
    /// Documents of the caller of which something is held.
    Held,
    /// Whom demographics may belong to.
    Match,
    /// The patient feed as messages.
    ProcessMessage,
    /// The other numbers of a person.
    CrossReference,
    /// `Patient/$card`.
    Card,
    /// A card is read.
    Capture,
    /// A token is shown in place of a card.
    ResolveCapture,
    /// Tokens end.
    RevokeCapture,
    /// A card is read by a system without FHIR.
    CaptureJson,
    /// Two records become one.
    Merge,
    /// A merge is taken back.
    Unmerge,
    /// What a person does about a finding of the review queue.
    Decide(LogicalId),
    /// Why two records are taken for one person.
    Explain(LogicalId),
    /// A person says that two records are one person.
    AssertLink(LogicalId),
    /// A person says that two records are two people.
    AssertNotSame(LogicalId),
}

/// Why an address is no route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Astray {
    /// Nothing has this address.
    Nowhere,
    /// A resource type that R4 does not have.
    UnknownType,
    /// An operation that is not offered.
    UnknownOperation,
    /// A malformed id in an address that reads, updates or deletes; the flag says whether it would have written.
    BadId { writes: bool },
    /// The address exists, but not for this method; the methods that it has.
    Method(&'static str),
}

/// One line of the route table: for records, tests and the CapabilityStatement.
#[derive(Clone, Copy, Debug)]
pub struct RouteLine {
    /// The stable number in records. A number is never given to another route.
    pub number: u16,
    /// The name in metrics and logs.
    pub name: &'static str,
    /// The HTTP method.
    pub method: &'static str,
    /// The address below the base, `[type]` and so on for variable parts.
    pub pattern: &'static str,
    /// The interaction in records and partner files.
    pub interaction: Interaction,
    /// Whether it can change what is stored.
    pub writes: bool,
}

/// Finds the route of a method and a path below the base, without the leading slash and without the query.
pub(crate) fn find(method: &Method, path: &str) -> Result<Route, Astray> {
    let path = path.strip_suffix('/').unwrap_or(path);
    let parts: Vec<&str> = if path.is_empty() { Vec::new() } else { path.split('/').collect() };
    if *method == Method::OPTIONS {
        return Ok(Route::Options);
    }
    let reads = *method == Method::GET || *method == Method::HEAD;
    match parts.as_slice() {
        [] => match *method {
            Method::POST => Ok(Route::Bundle),
            _ if reads => Ok(Route::Search(None)),
            _ => Err(Astray::Method("GET, HEAD, POST, OPTIONS")),
        },
        ["metadata"] => only(reads, Route::Capabilities, "GET, HEAD, OPTIONS"),
        ["_history"] => only(reads, Route::SystemHistory, "GET, HEAD, OPTIONS"),
        ["_search"] => only(*method == Method::POST, Route::Search(None), "POST, OPTIONS"),
        ["$validate"] => only(*method == Method::POST, Route::Validate(None), "POST, OPTIONS"),
        ["$process-message"] => only(*method == Method::POST, Route::ProcessMessage, "POST, OPTIONS"),
        [operation] if operation.starts_with('$') => Err(Astray::UnknownOperation),
        [kind, rest @ ..] => typed(method, reads, kind_of(kind)?, rest),
    }
}

fn typed(method: &Method, reads: bool, kind: ResourceType, rest: &[&str]) -> Result<Route, Astray> {
    match rest {
        [] => match *method {
            Method::POST => Ok(Route::Create(kind)),
            Method::PUT => Ok(Route::UpdateWhere(kind)),
            Method::PATCH => Ok(Route::PatchWhere(kind)),
            Method::DELETE => Ok(Route::DeleteWhere(kind)),
            _ if reads => Ok(Route::Search(Some(kind))),
            _ => Err(Astray::Method("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS")),
        },
        ["_search"] => only(*method == Method::POST, Route::Search(Some(kind)), "POST, OPTIONS"),
        ["_history"] => only(reads, Route::TypeHistory(kind), "GET, HEAD, OPTIONS"),
        ["$validate"] => only(*method == Method::POST, Route::Validate(Some(kind)), "POST, OPTIONS"),
        ["$match"] if kind == ResourceType::PATIENT => only(*method == Method::POST, Route::Match, "POST, OPTIONS"),
        ["$ihe-pix"] if kind == ResourceType::PATIENT => {
            only(reads || *method == Method::POST, Route::CrossReference, "GET, HEAD, POST, OPTIONS")
        }
        ["$card"] if kind == ResourceType::PATIENT => only(*method == Method::POST, Route::Card, "POST, OPTIONS"),
        [operation] if kind == ResourceType::PATIENT && capture_operation(operation).is_some() => {
            let route = capture_operation(operation).ok_or(Astray::UnknownOperation)?;
            only(*method == Method::POST, route, "POST, OPTIONS")
        }
        ["$merge"] if kind == ResourceType::PATIENT => only(*method == Method::POST, Route::Merge, "POST, OPTIONS"),
        ["$unmerge"] if kind == ResourceType::PATIENT => only(*method == Method::POST, Route::Unmerge, "POST, OPTIONS"),
        [operation] if operation.starts_with('$') => Err(Astray::UnknownOperation),
        [id, rest @ ..] => {
            let id = LogicalId::parse(id).ok_or(Astray::BadId { writes: !reads })?;
            instance(method, reads, ResourceKey::new(kind, id), rest)
        }
    }
}

fn capture_operation(name: &str) -> Option<Route> {
    match name {
        "$capture" => Some(Route::Capture),
        "$resolve-capture" => Some(Route::ResolveCapture),
        "$revoke-capture" => Some(Route::RevokeCapture),
        _ => None,
    }
}

fn instance(method: &Method, reads: bool, key: ResourceKey, rest: &[&str]) -> Result<Route, Astray> {
    let patient = key.kind == ResourceType::PATIENT;
    match rest {
        [] => match *method {
            Method::PUT => Ok(Route::Update(key)),
            Method::PATCH => Ok(Route::Patch(key)),
            Method::DELETE => Ok(Route::Delete(key)),
            _ if reads => Ok(Route::Read(key)),
            _ => Err(Astray::Method("GET, HEAD, PUT, PATCH, DELETE, OPTIONS")),
        },
        ["_history"] => only(reads, Route::InstanceHistory(key), "GET, HEAD, OPTIONS"),
        ["_history", version] => match VersionId::parse(version) {
            Some(version) => only(reads, Route::Vread(key, version), "GET, HEAD, OPTIONS"),
            None => Err(Astray::Nowhere),
        },
        ["$validate"] => only(*method == Method::POST, Route::Validate(Some(key.kind)), "POST, OPTIONS"),
        ["$everything"] if patient => {
            only(reads || *method == Method::POST, Route::Everything(key.id), "GET, HEAD, POST, OPTIONS")
        }
        ["$explain"] if patient => only(*method == Method::POST, Route::Explain(key.id), "POST, OPTIONS"),
        ["$assert-link"] if patient => only(*method == Method::POST, Route::AssertLink(key.id), "POST, OPTIONS"),
        ["$assert-not-same"] if patient => only(*method == Method::POST, Route::AssertNotSame(key.id), "POST, OPTIONS"),
        ["$decide"] if key.kind.as_str() == "Task" => {
            only(*method == Method::POST, Route::Decide(key.id), "POST, OPTIONS")
        }
        [operation] if operation.starts_with('$') => Err(Astray::UnknownOperation),
        ["*"] if patient => only(reads, Route::CompartmentSearch(key.id, None), "GET, HEAD, OPTIONS"),
        [kind] if patient => only(reads, Route::CompartmentSearch(key.id, Some(kind_of(kind)?)), "GET, HEAD, OPTIONS"),
        [kind, "_search"] if patient => {
            only(*method == Method::POST, Route::CompartmentSearch(key.id, Some(kind_of(kind)?)), "POST, OPTIONS")
        }
        _ => Err(Astray::Nowhere),
    }
}

fn kind_of(name: &str) -> Result<ResourceType, Astray> {
    let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric());
    match ResourceType::parse(name) {
        Some(kind) => Ok(kind),
        None if plain && name.starts_with(|letter: char| letter.is_ascii_uppercase()) => Err(Astray::UnknownType),
        None => Err(Astray::Nowhere),
    }
}

fn only(fits: bool, route: Route, methods: &'static str) -> Result<Route, Astray> {
    if fits { Ok(route) } else { Err(Astray::Method(methods)) }
}

impl Route {
    /// The line of the route table.
    pub(crate) fn line(&self) -> &'static RouteLine {
        let number = match self {
            Route::Capabilities => 1,
            Route::Options => 2,
            Route::Read(_) => 3,
            Route::Vread(..) => 4,
            Route::Search(Some(_)) => 5,
            Route::Search(None) => 6,
            Route::CompartmentSearch(..) => 7,
            Route::InstanceHistory(_) => 8,
            Route::TypeHistory(_) => 9,
            Route::SystemHistory => 10,
            Route::Create(_) => 11,
            Route::Update(_) => 12,
            Route::UpdateWhere(_) => 13,
            Route::Patch(_) => 14,
            Route::PatchWhere(_) => 15,
            Route::Delete(_) => 16,
            Route::DeleteWhere(_) => 17,
            Route::Bundle => 18,
            Route::Validate(_) => 19,
            Route::Everything(_) => 20,
            Route::Ingest => 21,
            Route::Held => 22,
            Route::Match => 26,
            Route::CrossReference => 27,
            Route::ProcessMessage => 30,
            Route::Capture => 23,
            Route::ResolveCapture => 24,
            Route::RevokeCapture => 25,
            Route::CaptureJson => 31,
            Route::Merge => 28,
            Route::Unmerge => 29,
            Route::Decide(_) => 32,
            Route::Explain(_) => 36,
            Route::AssertLink(_) => 37,
            Route::AssertNotSame(_) => 38,
            Route::Card => 39,
        };
        &ROUTES[place(number)]
    }

    /// The type that the address names.
    pub(crate) fn kind(&self) -> Option<ResourceType> {
        match self {
            Route::Search(kind) | Route::CompartmentSearch(_, kind) | Route::Validate(kind) => *kind,
            Route::TypeHistory(kind) | Route::Create(kind) | Route::UpdateWhere(kind) => Some(*kind),
            Route::PatchWhere(kind) | Route::DeleteWhere(kind) => Some(*kind),
            Route::Everything(_) | Route::Explain(_) => Some(ResourceType::PATIENT),
            Route::AssertLink(_) | Route::AssertNotSame(_) => Some(ResourceType::PATIENT),
            Route::Capture | Route::ResolveCapture | Route::RevokeCapture | Route::CaptureJson => {
                Some(ResourceType::PATIENT)
            }
            Route::Match | Route::CrossReference | Route::Card | Route::Merge | Route::Unmerge => {
                Some(ResourceType::PATIENT)
            }
            Route::Decide(_) => ResourceType::parse("Task"),
            _ => self.key().map(|key| key.kind),
        }
    }

    /// The resource that the address names.
    pub(crate) fn key(&self) -> Option<&ResourceKey> {
        match self {
            Route::Read(key) | Route::Vread(key, _) | Route::InstanceHistory(key) => Some(key),
            Route::Update(key) | Route::Patch(key) | Route::Delete(key) => Some(key),
            _ => None,
        }
    }

    /// The patient whose compartment the address names.
    pub(crate) fn patient(&self) -> Option<&LogicalId> {
        match self {
            Route::CompartmentSearch(patient, _) | Route::Everything(patient) | Route::Explain(patient) => {
                Some(patient)
            }
            Route::AssertLink(patient) | Route::AssertNotSame(patient) => Some(patient),
            _ => None,
        }
    }

    /// Whether it is one of one-time card capture.
    pub(crate) fn captures(&self) -> bool {
        matches!(self, Route::Capture | Route::ResolveCapture | Route::RevokeCapture | Route::CaptureJson)
    }

    /// Whether it is a search in any form.
    pub(crate) fn searches(&self) -> bool {
        matches!(self, Route::Search(_) | Route::CompartmentSearch(..))
    }
}

impl Astray {
    /// The line under which a request without a route is recorded.
    pub(crate) fn line() -> &'static RouteLine {
        &ROUTES[0]
    }
}

/// Where a route stands in the table: numbers rise, but some are given to no route.
pub(crate) fn place(number: u16) -> usize {
    ROUTES.iter().position(|line| line.number == number).unwrap_or(0)
}

/// Every route, in the order of the numbers.
pub const ROUTES: &[RouteLine] = &[
    line(0, "none", "*", "", Interaction::Other, false),
    line(1, "capabilities", "GET", "metadata", Interaction::Capabilities, false),
    line(2, "options", "OPTIONS", "*", Interaction::Options, false),
    line(3, "read", "GET", "[type]/[id]", Interaction::Read, false),
    line(4, "vread", "GET", "[type]/[id]/_history/[vid]", Interaction::Vread, false),
    line(5, "search-type", "GET", "[type]", Interaction::Search, false),
    line(6, "search-system", "GET", "", Interaction::Search, false),
    line(7, "search-compartment", "GET", "Patient/[id]/[type]", Interaction::Search, false),
    line(8, "history-instance", "GET", "[type]/[id]/_history", Interaction::History, false),
    line(9, "history-type", "GET", "[type]/_history", Interaction::History, false),
    line(10, "history-system", "GET", "_history", Interaction::History, false),
    line(11, "create", "POST", "[type]", Interaction::Create, true),
    line(12, "update", "PUT", "[type]/[id]", Interaction::Update, true),
    line(13, "update-conditional", "PUT", "[type]", Interaction::Update, true),
    line(14, "patch", "PATCH", "[type]/[id]", Interaction::Patch, true),
    line(15, "patch-conditional", "PATCH", "[type]", Interaction::Patch, true),
    line(16, "delete", "DELETE", "[type]/[id]", Interaction::Delete, true),
    line(17, "delete-conditional", "DELETE", "[type]", Interaction::Delete, true),
    line(18, "bundle", "POST", "", Interaction::Batch, true),
    line(19, "validate", "POST", "[type]/$validate", Interaction::Operation("validate"), false),
    line(20, "everything", "GET", "Patient/[id]/$everything", Interaction::Operation("everything"), false),
    line(21, "ingest", "POST", "/ingest", Interaction::Ingest, true),
    line(22, "held", "GET", "/ingest", Interaction::Ingest, false),
    line(23, "capture", "POST", "Patient/$capture", Interaction::Operation("capture"), true),
    line(24, "resolve-capture", "POST", "Patient/$resolve-capture", Interaction::Operation("resolve-capture"), true),
    line(25, "revoke-capture", "POST", "Patient/$revoke-capture", Interaction::Operation("revoke-capture"), true),
    line(26, "match", "POST", "Patient/$match", Interaction::Operation("match"), false),
    line(27, "ihe-pix", "GET", "Patient/$ihe-pix", Interaction::Operation("ihe-pix"), false),
    line(28, "merge", "POST", "Patient/$merge", Interaction::Merge, true),
    line(29, "unmerge", "POST", "Patient/$unmerge", Interaction::Unmerge, true),
    line(30, "process-message", "POST", "$process-message", Interaction::Operation("process-message"), true),
    line(31, "capture-json", "POST", "/identity/capture", Interaction::Operation("capture"), true),
    line(32, "decide", "POST", "Task/[id]/$decide", Interaction::Operation("decide"), true),
    line(36, "explain", "POST", "Patient/[id]/$explain", Interaction::Operation("explain"), false),
    line(37, "assert-link", "POST", "Patient/[id]/$assert-link", Interaction::Operation("decide"), true),
    line(38, "assert-not-same", "POST", "Patient/[id]/$assert-not-same", Interaction::Operation("decide"), true),
    line(39, "card", "POST", "Patient/$card", Interaction::Operation("card"), false),
];

const fn line(
    number: u16,
    name: &'static str,
    method: &'static str,
    pattern: &'static str,
    interaction: Interaction,
    writes: bool,
) -> RouteLine {
    RouteLine { number, name, method, pattern, interaction, writes }
}

#[cfg(test)]
mod tests {
    use super::{Astray, ROUTES, find};
    use hyper::Method;

    fn shown(method: &str, path: &str) -> String {
        match find(&Method::from_bytes(method.as_bytes()).unwrap(), path) {
            Ok(route) => route.line().name.to_owned(),
            Err(astray) => format!("{astray:?}"),
        }
    }

    #[test]
    fn every_line_of_the_table_is_reached_by_its_own_pattern() {
        assert!(ROUTES.windows(2).all(|two| two[0].number < two[1].number), "numbers rise, none is given twice");
        for line in ROUTES.iter().skip(1).filter(|line| !line.pattern.starts_with('/')) {
            let path = line.pattern.replace("[type]", "Observation").replace("[id]", "a-1").replace("[vid]", "2");
            assert_eq!(shown(line.method, &path), line.name, "{path}");
        }
    }

    #[test]
    fn the_grammar_of_addresses() {
        let cases = [
            ("HEAD", "Patient/1", "read"),
            ("GET", "Patient/1/", "read"),
            ("POST", "", "bundle"),
            ("POST", "_search", "search-system"),
            ("POST", "Patient/_search", "search-type"),
            ("POST", "Patient/1/Observation/_search", "search-compartment"),
            ("GET", "Patient/1/*", "search-compartment"),
            ("GET", "Observation/1/Patient", "Nowhere"),
            ("POST", "$validate", "validate"),
            ("POST", "Patient/1/$validate", "validate"),
            ("POST", "Patient/1/$everything", "everything"),
            ("GET", "Observation/1/$everything", "UnknownOperation"),
            ("GET", "$nothing", "UnknownOperation"),
            ("GET", "Patients", "UnknownType"),
            ("GET", "patient", "Nowhere"),
            ("GET", "Patient/1/2/3", "Nowhere"),
            ("GET", "Patient/a_b", "BadId { writes: false }"),
            ("PUT", "Patient/a_b", "BadId { writes: true }"),
            ("GET", "Patient/1/_history/x", "Nowhere"),
            ("GET", "Patient/1/_history/0", "Nowhere"),
            ("POST", "Patient/1", "Method(\"GET, HEAD, PUT, PATCH, DELETE, OPTIONS\")"),
            ("GET", "Patient/_search", "Method(\"POST, OPTIONS\")"),
            ("DELETE", "metadata", "Method(\"GET, HEAD, OPTIONS\")"),
            ("TRACE", "Patient", "Method(\"GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\")"),
            ("GET", "Patient//1", "Nowhere"),
            ("OPTIONS", "Patient/1", "options"),
        ];
        for (method, path, expected) in cases {
            let shown = shown(method, path);
            assert!(
                shown == expected || (expected == "Nowhere" && shown.starts_with("BadId")),
                "{method} {path}: {shown}"
            );
        }
    }

    #[test]
    fn an_address_without_route_is_recorded_under_line_zero() {
        assert_eq!(Astray::line().number, 0);
    }
}
