//! A request, read as far as its head says: what is asked, by which route, and how the answer should look.

use dukou_access::{Certificate, Credential, Request};
use dukou_audit::{Interaction, RequestId, User};
use dukou_fhir::{IssueType, Language};
use hyper::header::{AUTHORIZATION, HOST, HeaderName};
use hyper::http::request::Parts;
use hyper::{HeaderMap, Method};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::desk::{Connection, Desk, Limits};
use crate::fault::{Fault, fault};
use crate::negotiate::{self, Prefer};
use crate::params::Params;
use crate::percent;
use crate::route::{self, Astray, Route, RouteLine};

/// The head of a request.
pub(crate) struct Ask {
    pub(crate) id: RequestId,
    pub(crate) started_ns: i64,
    pub(crate) method: Method,
    pub(crate) route: Result<Route, Astray>,
    /// Decoded path below the base, without slashes at its ends.
    pub(crate) path: String,
    /// The query as sent.
    pub(crate) query: String,
    pub(crate) params: Params,
    /// A fault of the query, told after authentication.
    pub(crate) fault: Option<Fault>,
    pub(crate) headers: HeaderMap,
    pub(crate) language: Language,
    pub(crate) prefer: Prefer,
    /// `https://host/fhir`, for absolute links.
    pub(crate) base: String,
}

impl Ask {
    /// Reads a head.
    ///
    /// # Errors
    /// The issue of a 414 or 431, found before anything else is looked at.
    pub(crate) fn read(desk: &Desk, parts: Parts, connection: &Connection) -> Result<Ask, (RequestId, Fault)> {
        let runtime = &desk.runtime;
        let id = runtime.request_id();
        let uri = parts.uri;
        let query = uri.query().unwrap_or("").to_owned();
        measure(uri.path().len() + query.len(), &parts.headers, &runtime.limits).map_err(|issue| (id, issue))?;
        let host =
            parts.headers.get(HOST).and_then(|host| host.to_str().ok()).or_else(|| uri.authority().map(|a| a.as_str()));
        let base = runtime.public_base.clone().unwrap_or_else(|| {
            let scheme = if connection.https { "https" } else { "http" };
            format!("{scheme}://{}{}", host.filter(|host| is_host(host)).unwrap_or("localhost"), runtime.prefix)
        });
        let (route, path) = find(&parts.method, uri.path(), &runtime.prefix);
        let (params, fault) = match &route {
            // The parameters of a message or of nothing are nobody's.
            Ok(Route::Ingest | Route::Held) | Err(_) => (Params::default(), None),
            Ok(_) => match Params::read(&query, "", &runtime.limits) {
                Ok(params) => (params, None),
                Err(issue) => (Params::default(), Some(issue)),
            },
        };
        Ok(Ask {
            id,
            started_ns: runtime.clock.wall_ns(),
            route,
            path,
            query,
            params,
            fault,
            language: negotiate::language(&parts.headers),
            prefer: Prefer::read(&parts.headers),
            method: parts.method,
            headers: parts.headers,
            base,
        })
    }

    /// The line of the route table under which the request is recorded.
    pub(crate) fn line(&self) -> &'static RouteLine {
        self.route.as_ref().map_or_else(|_| Astray::line(), Route::line)
    }

    /// Whether only the head of the answer is wanted.
    pub(crate) fn head_only(&self) -> bool {
        self.method == Method::HEAD
    }

    /// The path for links to this search: a POST search is continued by GET.
    pub(crate) fn search_path(&self) -> &str {
        self.path.strip_suffix("_search").map_or(self.path.as_str(), |path| path.trim_end_matches('/'))
    }

    /// One header as text.
    pub(crate) fn header(&self, name: &HeaderName) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok()).filter(|text| !text.is_empty())
    }

    /// The request as the policy decides about it.
    pub(crate) fn decided_by<'a>(
        &'a self,
        desk: &'a Desk,
        connection: &'a Connection,
        basic: &'a Option<(String, String)>,
        merged: &'a dyn Fn(&str) -> Vec<String>,
    ) -> Request<'a> {
        let route = self.route.as_ref().ok();
        Request {
            request: self.id,
            interaction: route.map_or(Interaction::Other, |route| route.line().interaction),
            route: self.line().number,
            resource: route.and_then(Route::kind).map(|kind| kind.as_str()),
            id: route.and_then(Route::key).map(|key| key.id.as_str()),
            patient: route.and_then(Route::patient).map(|patient| patient.as_str()),
            credential: self.credential(basic),
            certificate: connection
                .certificate
                .as_ref()
                .map(|shown| Certificate { sha256: shown.sha256, subject_dn: &shown.subject_dn }),
            channel: connection.channel,
            peer: connection.peer.clone(),
            merged,
            purpose: self.header(&PURPOSE),
            user: self.user(),
            query: Some(self.request_line()),
            trace: self.trace(),
            started_ns: self.started_ns,
            meter: &desk.meter,
        }
    }

    /// The client id and token of `Authorization: Basic`.
    pub(crate) fn basic(&self) -> Option<(String, String)> {
        let (scheme, value) = self.header(&AUTHORIZATION)?.split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("basic") {
            return None;
        }
        let text = String::from_utf8(STANDARD.decode(value.trim()).ok()?).ok()?;
        let (client, token) = text.split_once(':')?;
        Some((client.to_owned(), token.to_owned()))
    }

    fn credential<'a>(&'a self, basic: &'a Option<(String, String)>) -> Credential<'a> {
        if self.query.split('&').any(|pair| pair.starts_with("access_token=")) {
            return Credential::Unusable;
        }
        let mut lines = self.headers.get_all(AUTHORIZATION).iter();
        let (first, second) = (lines.next(), lines.next());
        let Some(first) = first else { return Credential::None };
        if second.is_some() {
            return Credential::Unusable;
        }
        match (first.to_str().ok().and_then(|text| text.split_once(' ')), basic) {
            (Some((scheme, token)), _) if scheme.eq_ignore_ascii_case("bearer") && !token.trim().is_empty() => {
                Credential::Bearer(token.trim())
            }
            (Some(_), Some((client, token))) => Credential::Basic { client, token },
            _ => Credential::Unusable,
        }
    }

    fn user(&self) -> Option<User> {
        let text = |name: &HeaderName| self.header(name).map(str::to_owned);
        Some(User {
            issuer: text(&USER_ISSUER).unwrap_or_default(),
            subject: text(&USER)?,
            name: self.header(&USER_NAME).and_then(percent::decode_path),
            role: text(&USER_ROLE),
            department: text(&USER_DEPARTMENT),
            ..User::default()
        })
    }

    fn request_line(&self) -> String {
        let mark = if self.query.is_empty() { "" } else { "?" };
        format!("{} {}{mark}{}", self.method, self.path, self.query)
    }

    /// Trace and span id of `traceparent` (W3C Trace Context).
    fn trace(&self) -> Option<[u8; 24]> {
        let text = self.header(&TRACEPARENT)?;
        let [_, trace, span, _] = text.split('-').collect::<Vec<_>>().try_into().ok()?;
        let digits = [trace, span].concat();
        if trace.len() != 32 || span.len() != 16 || !digits.is_ascii() {
            return None;
        }
        let mut bytes = [0_u8; 24];
        for (place, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(digits.get(place * 2..place * 2 + 2)?, 16).ok()?;
        }
        Some(bytes)
    }
}

/// The route of a whole path, and its part below the base.
fn find(method: &Method, path: &str, prefix: &str) -> (Result<Route, Astray>, String) {
    if path == "/ingest" {
        let route = match *method {
            Method::POST => Ok(Route::Ingest),
            Method::GET | Method::HEAD => Ok(Route::Held),
            Method::OPTIONS => Ok(Route::Options),
            _ => Err(Astray::Method("GET, HEAD, POST, OPTIONS")),
        };
        return (route, "ingest".to_owned());
    }
    if path == "/identity/capture" {
        let route = match *method {
            Method::POST => Ok(Route::CaptureJson),
            Method::OPTIONS => Ok(Route::Options),
            _ => Err(Astray::Method("POST, OPTIONS")),
        };
        return (route, "identity/capture".to_owned());
    }
    let below = path.strip_prefix(prefix).filter(|rest| rest.is_empty() || rest.starts_with('/'));
    match below.map(|rest| percent::decode_path(rest.trim_start_matches('/'))) {
        Some(Some(rest)) => {
            let rest = rest.strip_suffix('/').unwrap_or(&rest).to_owned();
            (route::find(method, &rest), rest)
        }
        _ => (Err(Astray::Nowhere), String::new()),
    }
}

fn measure(url_bytes: usize, headers: &HeaderMap, limits: &Limits) -> Result<(), Fault> {
    if url_bytes > limits.url_bytes_max {
        return Err(fault(
            IssueType::TooLong,
            "url-too-long",
            "the address is too long; search by POST",
            "地址过长，请改用 POST 检索",
        ));
    }
    let bytes: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    if bytes > limits.header_bytes_max || headers.len() > limits.header_fields_max {
        return Err(fault(IssueType::TooLong, "headers-too-large", "the headers are too large", "请求头过大"));
    }
    Ok(())
}

/// Host and port as they can stand in a link; anything else would let a caller write links for us.
fn is_host(host: &str) -> bool {
    host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-:[]_".contains(&byte))
}

const PURPOSE: HeaderName = HeaderName::from_static("x-purpose-of-use");
const USER: HeaderName = HeaderName::from_static("x-user");
const USER_ISSUER: HeaderName = HeaderName::from_static("x-user-issuer");
const USER_NAME: HeaderName = HeaderName::from_static("x-user-name");
const USER_ROLE: HeaderName = HeaderName::from_static("x-user-role");
const USER_DEPARTMENT: HeaderName = HeaderName::from_static("x-user-department");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
