//! The last headers of an answer, added after it was released.

use bytes::Bytes;
use dukou_audit::{Receipt, RequestId};
use http_body_util::Full;
use hyper::header::{self, HeaderName, HeaderValue};
use hyper::{Method, Response, StatusCode};

use crate::ask::Ask;
use crate::gzip;
use crate::reply::Reply;
use crate::shape::Shape;

/// What the head of the request asks of the last headers.
pub(crate) struct Final {
    id: RequestId,
    head_only: bool,
    gzip: bool,
    shape: Shape,
    applied: Option<String>,
    origin: Option<HeaderValue>,
}

impl Final {
    /// For a request that could not be read.
    pub(crate) fn bare(id: RequestId) -> Final {
        Final { id, head_only: false, gzip: false, shape: Shape::default(), applied: None, origin: None }
    }

    /// For a request.
    pub(crate) fn of(ask: &Ask, origins: &[String]) -> Final {
        let searches = ask.route.as_ref().is_ok_and(|route| route.searches());
        Final {
            id: ask.id,
            head_only: ask.head_only(),
            gzip: gzip::accepted(&ask.headers),
            shape: Shape { pretty: ask.params.shape.pretty, ..Shape::default() },
            applied: ask.prefer.applied(ask.line().writes, searches),
            origin: allowed_origin(ask, origins),
        }
    }

    /// The id of the request.
    pub(crate) fn id(&self) -> RequestId {
        self.id
    }

    /// The answer as it goes to the listener.
    pub(crate) fn response(self, reply: Reply, receipt: Option<&Receipt>) -> Response<Full<Bytes>> {
        let fhir = reply
            .headers
            .iter()
            .any(|(name, value)| *name == header::CONTENT_TYPE && *value == crate::reply::FHIR_JSON);
        let mut body = if fhir { self.shape.print(reply.body) } else { reply.body };
        let mut response = Response::new(Full::default());
        *response.status_mut() = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        headers.extend(reply.headers);
        let id = self.id.to_string();
        let mut text = |name: HeaderName, value: &str| {
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.insert(name, value);
            }
        };
        text(REQUEST_ID, &id);
        if let Some(receipt) = receipt {
            text(AUDIT_RECEIPT, &receipt.to_string());
        }
        if let Some(applied) = self.applied.as_deref().filter(|_| reply.status < 400) {
            text(PREFERENCE_APPLIED, applied);
        }
        if let Some(small) = Some(&body).filter(|_| self.gzip).and_then(|body| gzip::deflate(body)) {
            body = small;
            text(header::CONTENT_ENCODING, "gzip");
        }
        headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("private, no-cache"));
        headers.insert(header::VARY, HeaderValue::from_static("Accept, Accept-Encoding, Accept-Language, Origin"));
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        if let Some(origin) = self.origin {
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
        }
        if self.head_only {
            // RFC 9110, 8.6: a HEAD answer names the length that a GET would have.
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
        } else {
            *response.body_mut() = Full::new(body);
        }
        response
    }
}

/// The answer to a browser that asks whether it may ask (Fetch standard, CORS preflight). It carries no credential and no data.
pub(crate) fn preflight(ask: &Ask, origins: &[String]) -> Option<Reply> {
    let method = ask.header(&header::ACCESS_CONTROL_REQUEST_METHOD);
    if ask.method != Method::OPTIONS || method.is_none() || allowed_origin(ask, origins).is_none() {
        return None;
    }
    let reply = Reply::empty(204)
        .with(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE"))
        .with(header::ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(TAKEN))
        .with(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    Some(reply)
}

fn allowed_origin(ask: &Ask, origins: &[String]) -> Option<HeaderValue> {
    let origin = ask.header(&header::ORIGIN)?;
    let known = origins.iter().any(|allowed| allowed == origin);
    if known { HeaderValue::from_str(origin).ok() } else { None }
}

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const AUDIT_RECEIPT: HeaderName = HeaderName::from_static("x-audit-receipt");
const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");
const EXPOSED: HeaderValue =
    HeaderValue::from_static("ETag, Location, Content-Location, X-Request-Id, X-Audit-Receipt");
const TAKEN: &str = "Authorization, Content-Type, Accept, Accept-Language, If-Match, If-None-Match, If-None-Exist, Prefer, X-Purpose-Of-Use";
