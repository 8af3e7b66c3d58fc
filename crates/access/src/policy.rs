//! The policy: all partner files together, checked and turned into what a decision needs.

use std::collections::HashMap;
use std::sync::Arc;

use dukou_audit::{ClientId, Grant};
use dukou_fhir::ResourceType;

use crate::address::Range;
use crate::credential::TokenHash;
use crate::fault::LoadError;
use crate::load;
use crate::partner::PolicyFiles;
use crate::rate::Rate;

/// Who may ask what. Immutable; a reload builds a new one or keeps the old.
pub struct Policy {
    pub(crate) partners: Vec<Partner>,
    pub(crate) clients: Vec<Client>,
    pub(crate) tokens: Vec<(TokenHash, usize)>,
    pub(crate) certificates: HashMap<[u8; 32], usize>,
    pub(crate) listeners: HashMap<String, usize>,
    pub(crate) sha256: [u8; 32],
}

/// What a client's file settles beyond permitting and denying.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientSettings {
    /// An update of an absent resource creates it under the id that the client chose.
    pub create_with_id: bool,
    /// A conditional delete may remove several resources.
    pub delete_many: bool,
    /// Updates, patches and deletes need `If-Match`.
    pub if_match_required: bool,
    /// Roles beyond the clinical scopes.
    pub roles: Vec<Role>,
    /// Systems of patient numbers that this client alone gives and takes away: it is their Patient Identity Source (IHE PIXm, ITI-104).
    pub domains: Vec<String>,
}

/// A role that no scope expresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// May use the views of the audit log.
    Compliance,
}

pub(crate) struct Partner {
    pub(crate) id: String,
    /// SHA-256 of the file, repeated in each decision.
    pub(crate) sha256: [u8; 32],
    pub(crate) file: String,
    pub(crate) name: String,
    pub(crate) contact: String,
    /// First and first-no-longer nanosecond of validity.
    pub(crate) valid_ns: (i64, i64),
    pub(crate) purposes: Vec<String>,
    /// None: all types.
    pub(crate) resources: Option<Vec<ResourceType>>,
    pub(crate) interactions: Vec<String>,
    pub(crate) ranges: Vec<Range>,
}

pub(crate) struct Client {
    pub(crate) id: ClientId,
    pub(crate) partner: usize,
    /// The rule of the scope step, for requests without and with a user.
    pub(crate) scope_rules: [String; 2],
    pub(crate) patients: Vec<String>,
    pub(crate) default_purpose: Option<String>,
    pub(crate) names_purpose: bool,
    pub(crate) names_users: bool,
    pub(crate) certificates: Vec<[u8; 32]>,
    pub(crate) rate: Rate,
    pub(crate) settings: ClientSettings,
    /// The domains of all other clients.
    pub(crate) closed: Arc<[String]>,
    /// What scopes, types and interactions leave together, without `user/` scopes.
    pub(crate) grants: Vec<Grant>,
    /// The same for `user/` scopes.
    pub(crate) grants_with_user: Vec<Grant>,
}

/// One partner for reports and for the record of the start.
pub struct PartnerFacts<'a> {
    /// The partner's id, the organisation of its records.
    pub id: &'a str,
    /// Its name.
    pub name: &'a str,
    /// Whom to call.
    pub contact: &'a str,
    /// The file.
    pub file: &'a str,
    /// SHA-256 of the file's text.
    pub sha256: [u8; 32],
}

impl Policy {
    /// Builds the policy and runs the examples of every file.
    ///
    /// # Errors
    /// Every fault found, at least one; then nothing of the files takes effect.
    pub fn load(files: PolicyFiles) -> Result<Policy, Vec<LoadError>> {
        load::policy(files)
    }

    /// The policy that permits nobody anything.
    pub fn empty() -> Policy {
        Policy {
            partners: Vec::new(),
            clients: Vec::new(),
            tokens: Vec::new(),
            certificates: HashMap::new(),
            listeners: HashMap::new(),
            sha256: [0; 32],
        }
    }

    /// SHA-256 over all partner files, for the record of a load and for signed cursors.
    pub fn sha256(&self) -> [u8; 32] {
        self.sha256
    }

    /// The number of registered clients.
    pub fn client_count(&self) -> usize {
        self.clients.len()
    }

    /// The partners in the order of their file names.
    pub fn partners(&self) -> impl Iterator<Item = PartnerFacts<'_>> {
        self.partners.iter().map(|partner| PartnerFacts {
            id: &partner.id,
            name: &partner.name,
            contact: &partner.contact,
            file: &partner.file,
            sha256: partner.sha256,
        })
    }

    /// What a registered client's file settles for it.
    pub fn settings(&self, client: &ClientId) -> Option<&ClientSettings> {
        self.clients.iter().find(|known| known.id == *client).map(|known| &known.settings)
    }

    /// The domains of patient numbers that any client is the source of.
    pub fn domains(&self) -> Vec<String> {
        self.clients.iter().flat_map(|client| client.settings.domains.iter().cloned()).collect()
    }

    /// Whether the file of any client settles something so.
    pub fn any_client(&self, settles: impl Fn(&ClientSettings) -> bool) -> bool {
        self.clients.iter().any(|client| settles(&client.settings))
    }

    /// The client that owns a listener.
    pub fn listener_client(&self, listener: &str) -> Option<&ClientId> {
        self.listeners.get(listener).map(|place| &self.clients[*place].id)
    }
}
