//! Everything that the door needs, in one place and given from outside.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use dukou_access::{Channel, Meter, Policy};
use dukou_audit::{Clock, Gate, Peer, Random, RequestId};
use dukou_exchange::{Exchange, Link};

use crate::crew::Crew;
use crate::cursor::CursorKey;

/// What stands behind the door.
pub struct Desk {
    /// The use cases.
    pub exchange: Arc<Exchange>,
    /// The only way out.
    pub gate: Gate,
    /// Who may ask what; swapped whole.
    pub policy: Arc<ArcSwap<Policy>>,
    /// How often peers and clients may ask; it outlives a policy.
    pub meter: Arc<Meter>,
    /// Threads for searches, histories and everything else that reads.
    pub readers: Arc<Crew>,
    /// Threads for everything that writes; a long search never holds one.
    pub writers: Arc<Crew>,
    /// What was agreed with the senders of messages.
    pub links: Links,
    /// Time, ids, keys and numbers.
    pub runtime: Runtime,
}

/// The links of messages that come over HTTP.
pub struct Links {
    /// By client id.
    pub by_client: HashMap<String, Arc<Link>>,
    /// For clients without a link of their own.
    pub otherwise: Arc<Link>,
}

impl Links {
    pub(crate) fn of(&self, client: &str) -> Arc<Link> {
        Arc::clone(self.by_client.get(client).unwrap_or(&self.otherwise))
    }
}

/// Time, ids, keys and numbers.
pub struct Runtime {
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Random bytes for request ids.
    pub random: Arc<dyn Random>,
    /// The path under which FHIR is served, without a slash at the end: `/fhir`.
    pub prefix: String,
    /// The base of absolute links, `https://fhir.hospital.example/fhir`; none: made from the `Host` of each request.
    pub public_base: Option<String>,
    /// Signs page links.
    pub cursor_key: CursorKey,
    /// Origins that a browser may ask from; none switches CORS off.
    pub origins: Vec<String>,
    /// The version shown in the CapabilityStatement.
    pub version: String,
    /// When this build or configuration came to be, as a FHIR dateTime, for the CapabilityStatement.
    pub date: String,
    /// Numbers on what a request may be.
    pub limits: Limits,
}

/// Numbers on what a request may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of path and query.
    pub url_bytes_max: usize,
    /// Bytes of all header names and values.
    pub header_bytes_max: usize,
    /// Header fields.
    pub header_fields_max: usize,
    /// Bytes of a body after gzip, other than a Bundle.
    pub body_bytes_max: usize,
    /// Bytes of a Bundle after gzip.
    pub bundle_bytes_max: usize,
    /// Entries of a Bundle.
    pub bundle_entries_max: usize,
    /// Parameters of a search.
    pub parameters_max: usize,
    /// Matches on a page where `_count` is not given.
    pub count_default: usize,
    /// Matches on a page, at most.
    pub count_max: usize,
    /// Included resources on a page, at most.
    pub includes_max: usize,
    /// Postings touched and bodies checked by one search.
    pub search_work_max: u64,
    /// Milliseconds in which a body must have arrived.
    pub body_ms_max: u64,
    /// Look-ups of people that find nobody, by one client at one terminal in one window, before an alert is raised.
    pub misses_max: u32,
    /// The length of that window in milliseconds.
    pub misses_ms: u64,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            url_bytes_max: 8 * 1024,
            header_bytes_max: 32 * 1024,
            header_fields_max: 100,
            body_bytes_max: 16 * 1024 * 1024,
            bundle_bytes_max: 64 * 1024 * 1024,
            bundle_entries_max: 5_000,
            parameters_max: 100,
            count_default: 20,
            count_max: 1_000,
            includes_max: 1_000,
            search_work_max: 1_000_000,
            body_ms_max: 30_000,
            misses_max: 30,
            misses_ms: 600_000,
        }
    }
}

/// What the listener knows about the connection of a request.
#[derive(Clone, Debug)]
pub struct Connection {
    /// The other end.
    pub peer: Peer,
    /// How the bytes arrive.
    pub channel: Channel,
    /// The verified client certificate.
    pub certificate: Option<ClientCertificate>,
    /// Whether links begin with `https`.
    pub https: bool,
}

/// A verified client certificate.
#[derive(Clone, Debug)]
pub struct ClientCertificate {
    /// SHA-256 over the DER form.
    pub sha256: [u8; 32],
    /// The subject as text.
    pub subject_dn: String,
}

impl Runtime {
    /// A new request id.
    pub fn request_id(&self) -> RequestId {
        RequestId::new(self.clock.as_ref(), self.random.as_ref())
    }
}
