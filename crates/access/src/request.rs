//! What a door knows about a request before anything is decided.

use dukou_audit::{Interaction, Peer, RequestId, User};

use crate::credential::{Certificate, Channel, Credential};
use crate::rate::Meter;

/// One request as the door read it.
pub struct Request<'a> {
    /// The request's own identifier.
    pub request: RequestId,
    /// What is asked for.
    pub interaction: Interaction,
    /// Number of the route in the door's route table.
    pub route: u16,
    /// The resource type that the address names.
    pub resource: Option<&'a str>,
    /// The logical id that the address names.
    pub id: Option<&'a str>,
    /// The patient whose compartment the address names (`Patient/1/Observation`).
    pub patient: Option<&'a str>,
    /// What the caller shows.
    pub credential: Credential<'a>,
    /// The certificate of the connection.
    pub certificate: Option<Certificate<'a>>,
    /// How the bytes arrived.
    pub channel: Channel,
    /// The other end; its address is text of an IP address, anything else counts as loopback only on [`Channel::Loopback`].
    pub peer: Peer,
    /// The other ids that merges have given to the patient of an id: a permission for one of them is a permission for all.
    pub merged: &'a dyn Fn(&str) -> Vec<String>,
    /// Purpose of use codes as the caller states them, separated by commas or spaces.
    pub purpose: Option<&'a str>,
    /// The person behind the request, as the caller states it.
    pub user: Option<User>,
    /// The request line, for the sealed part of the record.
    pub query: Option<String>,
    /// W3C trace id and span id.
    pub trace: Option<[u8; 24]>,
    /// Wall clock, nanoseconds since 1970 UTC. It decides about validity and rate.
    pub started_ns: i64,
    /// The buckets that count requests.
    pub meter: &'a Meter,
}
