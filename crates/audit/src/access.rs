//! Who asks, what for, and what was decided: everything about a request that is known before it runs.
//!
//! The crate `access` fills an [`Access`]; the gate turns it into a record. Nothing here is checked again: a value of
//! this module is a statement, and the record repeats it.

use std::fmt;
use std::sync::Arc;

use crate::clock::{Clock, Random};

/// The identifier of one request: the 16 bytes of a UUIDv7 given by the caller, also sent as `X-Request-Id`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RequestId(pub [u8; 16]);

impl RequestId {
    /// A new one (UUIDv7, RFC 9562): 48 bits of wall time in milliseconds, then random bits.
    #[must_use]
    pub fn new(clock: &dyn Clock, random: &dyn Random) -> Self {
        let mut bytes = [0_u8; 16];
        random.fill(&mut bytes);
        let millis = clock.wall_ns().div_euclid(1_000_000).to_be_bytes();
        bytes[..6].copy_from_slice(&millis[2..]);
        bytes[6] = 0x70 | (bytes[6] & 0x0f);
        bytes[8] = 0x80 | (bytes[8] & 0x3f);
        Self(bytes)
    }

    /// Reads the hyphenated form (`0190f3c4-....`), upper or lower case. `None` if it is not 32 hexadecimal digits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0_u8; 16];
        let mut digits = 0;
        for c in text.chars().filter(|c| *c != '-') {
            let digit = u8::try_from(c.to_digit(16)?).ok()?;
            let byte = bytes.get_mut(digits / 2)?;
            *byte = *byte << 4 | digit;
            digits += 1;
        }
        (digits == 32).then_some(Self(bytes))
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, byte) in self.0.iter().enumerate() {
            if matches!(i, 4 | 6 | 8 | 10) {
                f.write_str("-")?;
            }
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

/// The registered name of a client system (`his-main`, `partner-east`).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClientId(String);

impl ClientId {
    /// 1 to 64 printable ASCII characters without a space; `None` otherwise.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let fits = !text.is_empty() && text.len() <= CLIENT_ID_BYTES_MAX;
        (fits && text.bytes().all(|b| b.is_ascii_graphic())).then(|| Self(text.to_owned()))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One request after the access decision: what the gate needs to record it.
#[derive(Clone)]
pub struct Access {
    /// The request's own identifier.
    pub request: RequestId,
    /// What is asked for.
    pub interaction: Interaction,
    /// Number of the route in the door's route table.
    pub route: u16,
    /// The authenticated system.
    pub client: Client,
    /// Where the connection comes from.
    pub peer: Peer,
    /// The person behind the request, where one is named.
    pub user: Option<User>,
    /// Why the data is wanted.
    pub purpose: Purpose,
    /// What was decided, and by which rules.
    pub decision: Decision,
    /// How far the decision reaches.
    pub reach: Reach,
    /// Raw request line and form body. Kept only in the sealed part of the record.
    pub query: Option<String>,
    /// The legacy message that carries the request, where there is one.
    pub message: Option<MessageRef>,
    /// W3C trace id (16 bytes) and span id (8 bytes).
    pub trace: Option<[u8; 24]>,
    /// Wall clock at the start of the request, nanoseconds since 1970 UTC.
    pub started_ns: i64,
}

/// FHIR interactions and the gateway's own, in the words of the record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Interaction {
    /// FHIR read of the current version (HEAD and conditional reads too).
    Read,
    /// FHIR read of one version.
    Vread,
    /// FHIR search, on a type or on the whole system.
    Search,
    /// FHIR history of an instance, a type or the system.
    History,
    /// FHIR create.
    Create,
    /// FHIR update.
    Update,
    /// FHIR patch.
    Patch,
    /// FHIR delete.
    Delete,
    /// FHIR transaction.
    Transaction,
    /// FHIR batch.
    Batch,
    /// FHIR capabilities of an authenticated client.
    Capabilities,
    /// A FHIR operation, by its name without the dollar sign.
    Operation(&'static str),
    /// HTTP OPTIONS.
    Options,
    /// Acceptance of a legacy message.
    Ingest,
    /// Delivery of a message or resource to another system.
    Deliver,
    /// A query or write sent to an upstream system.
    Upstream,
    /// Export to a file.
    Export,
    /// Print.
    Print,
    /// Recognition of an outside result.
    Recognise,
    /// Merge of two person records.
    Merge,
    /// The taking back of a merge.
    Unmerge,
    /// Removal of stored versions.
    Purge,
    /// Sign-on, token issue or its refusal.
    Login,
    /// Load of configuration or policy, key operations, console administration.
    Administer,
    /// View, search or export of the audit log itself.
    Audit,
    /// A method that no route serves.
    Other,
}

impl Interaction {
    /// The word written into the record.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Vread => "vread",
            Self::Search => "search",
            Self::History => "history",
            Self::Create => "create",
            Self::Update => "update",
            Self::Patch => "patch",
            Self::Delete => "delete",
            Self::Transaction => "transaction",
            Self::Batch => "batch",
            Self::Capabilities => "capabilities",
            Self::Operation(name) => name,
            Self::Options => "options",
            Self::Ingest => "ingest",
            Self::Deliver => "deliver",
            Self::Upstream => "upstream",
            Self::Export => "export",
            Self::Print => "print",
            Self::Recognise => "recognise",
            Self::Merge => "merge",
            Self::Unmerge => "unmerge",
            Self::Purge => "purge",
            Self::Login => "login",
            Self::Administer => "administer",
            Self::Audit => "audit",
            Self::Other => "other",
        }
    }

    /// Whether many resources may be shown at once. These are the first to be refused when disk space runs out.
    #[must_use]
    pub fn is_bulk(self) -> bool {
        matches!(self, Self::Search | Self::History | Self::Operation("everything") | Self::Export)
    }
}

/// The authenticated client system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    /// Registered name.
    pub id: ClientId,
    /// The organisation that answers for it.
    pub organisation: Option<String>,
    /// SHA-256 of its certificate, with mutual TLS.
    pub certificate_sha256: Option<[u8; 32]>,
    /// Subject of its certificate.
    pub subject_dn: Option<String>,
}

/// The other end of the connection.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Peer {
    /// IP address as text.
    pub address: String,
    /// TCP port.
    pub port: u16,
    /// Terminal or device id, where the client names one.
    pub terminal: Option<String>,
}

/// The person behind a request, as the client or its token states.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct User {
    /// Who vouches for the subject.
    pub issuer: String,
    /// The person's id at the issuer.
    pub subject: String,
    /// The person's name. Kept only in the sealed part of the record.
    pub name: Option<String>,
    /// Role code.
    pub role: Option<String>,
    /// Department code.
    pub department: Option<String>,
    /// Organisation code.
    pub organisation: Option<String>,
    /// The person acted for.
    pub on_behalf_of: Option<String>,
    /// How the person proved who they are.
    pub authentication: Option<String>,
    /// Identifier of the sign-on.
    pub sign_on: Option<String>,
    /// `jti` of the token.
    pub token: Option<String>,
}

/// Why data is wanted.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Purpose {
    /// purposeOfUse codes (`TREAT`, `ETREAT`).
    pub codes: Vec<String>,
    /// Legal basis code.
    pub basis: Option<String>,
    /// Reason of an emergency access ("break glass"). Its text is kept only in the sealed part of the record.
    pub break_glass: Option<String>,
    /// Encounter, referral or order that proves the treatment relation. Kept only in the sealed part.
    pub treatment_proof: Option<String>,
}

/// The access decision.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Decision {
    /// Permitted or denied.
    pub permit: bool,
    /// The rules that spoke, in order.
    pub rules: Vec<String>,
    /// SHA-256 of the policy in force.
    pub policy_sha256: [u8; 32],
    /// Consents consulted, as `id/version`.
    pub consents: Vec<String>,
    /// Reason code of a denial.
    pub reason: Option<String>,
}

/// How far a permission reaches. Empty reaches nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reach {
    /// What is granted; one matching grant is enough.
    pub grants: Vec<Grant>,
    /// Systems of patient numbers that only another client gives or takes away.
    pub closed: Arc<[String]>,
}

impl Reach {
    /// Whether any grant covers this right on this resource type, wherever its compartment ends.
    #[must_use]
    pub fn allows(&self, kind: &str, right: Right) -> bool {
        self.grants.iter().any(|grant| grant.covers(kind, right))
    }

    /// Whether this right is granted on a resource of this type that belongs to these patients (logical ids): each of them must be open.
    /// What belongs to no patient is open only to a grant without a compartment.
    #[must_use]
    pub fn allows_for(&self, kind: &str, right: Right, patients: &[&str]) -> bool {
        let covering = || self.grants.iter().filter(|grant| grant.covers(kind, right));
        let open = |patient: &str| covering().any(|grant| grant.patient.as_deref() == Some(patient));
        covering().any(|grant| grant.patient.is_none())
            || (!patients.is_empty() && patients.iter().all(|patient| open(patient)))
    }
}

/// One grant of a [`Reach`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// A resource type, or `*` for all.
    pub resource: String,
    /// What may be done.
    pub rights: Rights,
    /// Logical id of the only patient whose compartment is open; `None` opens all.
    pub patient: Option<String>,
}

impl Grant {
    fn covers(&self, kind: &str, right: Right) -> bool {
        self.rights.has(right) && (self.resource == "*" || self.resource == kind)
    }
}

/// One right, as in SMART scopes (`cruds`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Right {
    /// Create.
    Create = 1,
    /// Read, version read, history of an instance.
    Read = 2,
    /// Update and patch.
    Update = 4,
    /// Delete.
    Delete = 8,
    /// Search, and history of a type.
    Search = 16,
}

/// A set of [`Right`]s.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Rights(u8);

impl Rights {
    /// Every right.
    pub const ALL: Self = Self(31);
    /// No right.
    pub const NONE: Self = Self(0);

    /// Reads SMART letters in their fixed order (`cruds`, `rs`); `None` for anything else.
    #[must_use]
    pub fn parse(letters: &str) -> Option<Self> {
        let mut rights = Self::NONE;
        for letter in letters.bytes() {
            let place = b"cruds".iter().position(|known| *known == letter)?;
            let bit = 1_u8 << place;
            if rights.0 >= bit {
                return None;
            }
            rights.0 |= bit;
        }
        (rights != Self::NONE).then_some(rights)
    }

    /// The set with one more right.
    #[must_use]
    pub fn with(self, right: Right) -> Self {
        Self(self.0 | right as u8)
    }

    /// Whether the right is in the set.
    #[must_use]
    pub fn has(self, right: Right) -> bool {
        self.0 & right as u8 != 0
    }
}

/// The legacy message that carried a request.
#[derive(Clone, PartialEq, Eq)]
pub struct MessageRef {
    /// Source system.
    pub source: String,
    /// Message type (`ADT^A01`).
    pub kind: String,
    /// MSH-10 or its like. Kept only in the sealed part of the record.
    pub control_id: String,
    /// SHA-256 of the raw bytes.
    pub sha256: [u8; 32],
}

// What the sealed part keeps stays out of logs and panics as well.

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Access");
        shown.field("request", &format_args!("{}", self.request)).field("interaction", &self.interaction);
        shown.field("route", &self.route).field("client", &self.client.id).field("user", &self.user);
        shown.field("purpose", &self.purpose).field("decision", &self.decision).finish_non_exhaustive()
    }
}

impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("User");
        shown.field("issuer", &self.issuer).field("subject", &self.subject).field("role", &self.role);
        shown.finish_non_exhaustive()
    }
}

impl fmt::Debug for Purpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Purpose");
        shown.field("codes", &self.codes).field("basis", &self.basis);
        shown.field("break_glass", &self.break_glass.is_some()).finish_non_exhaustive()
    }
}

impl fmt::Debug for MessageRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MessageRef").field("source", &self.source).field("kind", &self.kind).finish_non_exhaustive()
    }
}

const CLIENT_ID_BYTES_MAX: usize = 64;
