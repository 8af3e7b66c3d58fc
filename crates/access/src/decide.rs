//! The order of checks. Each step can only narrow; the first refusal ends the chain.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use dukou_audit::{Access, Client as Named, Decision, Grant, Interaction, Purpose, Reach, Right};

use crate::credential::{Channel, Credential, TokenHash};
use crate::policy::{Client, Partner, Policy, Role};
use crate::refusal::{Code, Refusal, Step};
use crate::request::Request;

impl Policy {
    /// Decides about one request: rate, authentication, purpose, partner, scope, compartment, in this order.
    ///
    /// The access that is returned carries the rules that spoke, one a step, and how far the permission reaches; the store checks
    /// the reach again on everything that it shows or changes.
    ///
    /// # Errors
    /// The first refusal. From the purpose step on it carries the access with the denying decision, to be recorded.
    pub fn decide(&self, request: &Request<'_>) -> Result<Access, Refusal> {
        let early = |step, code, retry_after_s| Refusal { step, code, retry_after_s, authenticated: None };
        request
            .meter
            .take_peer(&request.peer.address, request.started_ns)
            .map_err(|after| early(Step::Rate, Code::TooManyRequests, Some(after)))?;
        let (place, how) = self.authenticate(request).map_err(|code| early(Step::Authentication, code, None))?;
        let client = &self.clients[place];
        // A client's bucket can only be known once the client is; it still comes before all costly work.
        request
            .meter
            .take_client(client.id.as_str(), client.rate, request.started_ns)
            .map_err(|after| early(Step::Rate, Code::TooManyRequests, Some(after)))?;
        self.decide_for(client, how, request)
    }

    /// Decides about a Bundle once its type is known. Before that it is asked for as [`Interaction::Batch`], which is permitted where
    /// the partner's file lists `batch` or `transaction`.
    ///
    /// # Errors
    /// The access with its denying decision, and the reason: the file lists the other kind only.
    pub fn settle_bundle(&self, access: Access, interaction: Interaction) -> Result<Access, (Box<Access>, Code)> {
        let client = self.clients.iter().find(|client| client.id == access.client.id);
        let listed = client.is_some_and(|client| self.partners[client.partner].lists(interaction));
        let mut access = Access { interaction, ..access };
        if listed {
            return Ok(access);
        }
        let code = Code::InteractionNotListed;
        access.decision.permit = false;
        access.decision.reason = Some(code.as_str().to_owned());
        access.decision.rules.push(format!("{}:refused", Step::Partner.as_str()));
        access.reach = Reach::default();
        Err((Box::new(access), code))
    }

    /// The steps after authentication.
    pub(crate) fn decide_for(&self, client: &Client, how: &str, request: &Request<'_>) -> Result<Access, Refusal> {
        let mut chain = Chain {
            policy: self,
            client,
            request,
            rules: Vec::with_capacity(5),
            purpose: Vec::new(),
            grants: Vec::new(),
        };
        chain.rules.push(format!("authentication:{how}"));
        match chain.walk() {
            Ok(()) => Ok(chain.access(None)),
            Err((step, code)) => {
                chain.rules.push(format!("{}:refused", step.as_str()));
                let access = Box::new(chain.access(Some(code)));
                Err(Refusal { step, code, retry_after_s: None, authenticated: Some(access) })
            }
        }
    }

    /// The client's place, and by what it was known.
    fn authenticate(&self, request: &Request<'_>) -> Result<(usize, &'static str), Code> {
        let (place, how) = match request.credential {
            Credential::Bearer(token) => (self.by_token(token, request.channel)?, "token"),
            Credential::Basic { client, token } => {
                let place = self.by_token(token, request.channel)?;
                if self.clients[place].id.as_str() != client {
                    return Err(Code::CredentialUnknown);
                }
                (place, "basic")
            }
            Credential::Listener(name) => (*self.listeners.get(name).ok_or(Code::CredentialUnknown)?, "listener"),
            Credential::Unusable => return Err(Code::CredentialUnusable),
            Credential::None => {
                let shown = request.certificate.ok_or(Code::CredentialMissing)?;
                (*self.certificates.get(&shown.sha256).ok_or(Code::CredentialUnknown)?, "certificate")
            }
        };
        let own = &self.clients[place].certificates;
        match request.certificate {
            // A token or listener of a client with certificates is good only together with one of them.
            Some(shown) if !own.is_empty() && !own.contains(&shown.sha256) => Err(Code::CertificateMismatch),
            Some(shown) if own.is_empty() && self.certificates.contains_key(&shown.sha256) => {
                Err(Code::CertificateMismatch)
            }
            None if !own.is_empty() && request.channel != Channel::Loopback => Err(Code::CertificateMismatch),
            _ => Ok((place, how)),
        }
    }

    fn by_token(&self, token: &str, channel: Channel) -> Result<usize, Code> {
        if matches!(channel, Channel::Tls | Channel::Plain) {
            return Err(Code::TokenChannel);
        }
        let shown = TokenHash::of(token.as_bytes());
        // All are compared, so that the time says nothing about the place.
        let found = self.tokens.iter().fold(
            None,
            |found, (known, place)| {
                if known.same(&shown) { Some(*place) } else { found }
            },
        );
        found.ok_or(Code::CredentialUnknown)
    }
}

/// The way of one request of a known client through the steps.
struct Chain<'a> {
    policy: &'a Policy,
    client: &'a Client,
    request: &'a Request<'a>,
    rules: Vec<String>,
    purpose: Vec<String>,
    grants: Vec<&'a Grant>,
}

impl Chain<'_> {
    fn walk(&mut self) -> Result<(), (Step, Code)> {
        self.purpose().map_err(|code| (Step::Purpose, code))?;
        self.partner().map_err(|code| (Step::Partner, code))?;
        self.scope().map_err(|code| (Step::Scope, code))?;
        self.compartment().map_err(|code| (Step::Compartment, code))
    }

    fn purpose(&mut self) -> Result<(), Code> {
        if self.request.user.is_some() && !self.client.names_users {
            return Err(Code::UserNotAccepted);
        }
        let stated: Vec<&str> = self.request.purpose.into_iter().flat_map(words).collect();
        if stated.is_empty() {
            let default = self.client.default_purpose.as_ref().ok_or(Code::PurposeMissing)?;
            self.rules.push(format!("purpose:default {default}"));
            self.purpose.push(default.clone());
            return Ok(());
        }
        if stated.len() > PURPOSES.len() || stated.iter().any(|code| !PURPOSES.contains(code)) {
            return Err(Code::PurposeUnknown);
        }
        let partner = &self.policy.partners[self.client.partner];
        let default = self.client.default_purpose.as_deref();
        for code in stated {
            self.purpose.push(code.to_owned());
            if !self.client.names_purpose && default != Some(code) {
                return Err(Code::PurposeNotAccepted);
            }
            if !partner.purposes.iter().any(|agreed| agreed == code) {
                return Err(Code::PurposeNotAllowed);
            }
        }
        self.rules.push(format!("purpose:stated {}", self.purpose.join(" ")));
        Ok(())
    }

    fn partner(&mut self) -> Result<(), Code> {
        let partner = &self.policy.partners[self.client.partner];
        let (from, until) = partner.valid_ns;
        if self.request.started_ns < from || self.request.started_ns >= until {
            return Err(Code::PartnerNotValid);
        }
        // A Unix socket has no address of its own: it counts as this machine.
        let address = match (self.request.peer.address.parse::<IpAddr>(), self.request.channel) {
            (Ok(address), _) => address,
            (Err(_), Channel::Loopback) => IpAddr::V4(Ipv4Addr::LOCALHOST),
            (Err(_), _) => return Err(Code::AddressNotListed),
        };
        if !partner.ranges.iter().any(|range| range.contains(address)) {
            return Err(Code::AddressNotListed);
        }
        let interaction = self.request.interaction;
        if needs_listing(interaction) && !partner.may_list(interaction) {
            return Err(Code::InteractionNotListed);
        }
        if let (Some(kinds), Some(kind)) = (&partner.resources, self.request.resource)
            && needs_listing(interaction)
            && !kinds.iter().any(|listed| listed.as_str() == kind)
        {
            return Err(Code::ResourceNotListed);
        }
        self.rules.push(format!("partner:{}", partner.id));
        Ok(())
    }

    fn scope(&mut self) -> Result<(), Code> {
        self.grants.extend(&self.client.grants);
        if self.request.user.is_some() {
            self.grants.extend(&self.client.grants_with_user);
        }
        for right in needed(self.request) {
            if !self.grants.iter().any(|grant| covers(grant, self.request.resource, *right)) {
                return Err(Code::ScopeMissing);
            }
        }
        let role = self.client.settings.roles.contains(&Role::Compliance);
        if self.request.interaction == Interaction::Audit && !role {
            return Err(Code::ScopeMissing);
        }
        self.rules.push(self.client.scope_rules[usize::from(self.request.user.is_some())].clone());
        Ok(())
    }

    /// Here only what the address itself says is checked; a search in a compartment out of reach finds nothing, like one in the
    /// compartment of an absent patient. The compartment of a stored resource is checked by the store, against the reach.
    fn compartment(&mut self) -> Result<(), Code> {
        let named = match (self.request.patient, self.request.resource, self.request.id) {
            (Some(patient), _, _) => Some(patient),
            (None, Some("Patient"), Some(id)) => Some(id),
            _ => None,
        };
        // A merged record is the same patient under another id.
        let same = |only: &str, patient: &str| {
            only == patient || (self.request.merged)(only).iter().any(|merged| merged == patient)
        };
        let open = |patient: &str| {
            self.grants.iter().any(|grant| grant.patient.as_deref().is_none_or(|only| same(only, patient)))
        };
        if let Some(patient) = named
            && needs_listing(self.request.interaction)
            && self.request.interaction != Interaction::Search
            && !open(patient)
        {
            return Err(Code::OutsideCompartment);
        }
        let rule = if self.client.patients.is_empty() { "compartment:all" } else { "compartment:listed patients" };
        self.rules.push(rule.to_owned());
        Ok(())
    }

    /// The grants as they reach: what is granted for a patient is granted for each id that a merge has given to that patient. Links that a
    /// machine has made widen nothing.
    fn reaching(&self) -> Vec<Grant> {
        let mut grants: Vec<Grant> = Vec::with_capacity(self.grants.len());
        for grant in &self.grants {
            grants.push((*grant).clone());
            let merged = grant.patient.as_deref().map(self.request.merged).unwrap_or_default();
            grants.extend(merged.into_iter().map(|patient| Grant { patient: Some(patient), ..(*grant).clone() }));
        }
        grants
    }

    fn access(&mut self, refused: Option<Code>) -> Access {
        let request = self.request;
        let grants = if refused.is_some() { Vec::new() } else { self.reaching() };
        let partner = &self.policy.partners[self.client.partner];
        Access {
            request: request.request,
            interaction: request.interaction,
            route: request.route,
            client: Named {
                id: self.client.id.clone(),
                organisation: Some(partner.id.clone()),
                certificate_sha256: request.certificate.map(|shown| shown.sha256),
                subject_dn: request.certificate.map(|shown| shown.subject_dn.to_owned()),
            },
            peer: request.peer.clone(),
            user: request.user.clone(),
            purpose: Purpose { codes: std::mem::take(&mut self.purpose), ..Purpose::default() },
            decision: Decision {
                permit: refused.is_none(),
                rules: std::mem::take(&mut self.rules),
                policy_sha256: partner.sha256,
                consents: Vec::new(),
                reason: refused.map(|code| code.as_str().to_owned()),
            },
            reach: Reach { grants, closed: Arc::clone(&self.client.closed) },
            query: request.query.clone(),
            message: None,
            trace: request.trace,
            started_ns: request.started_ns,
        }
    }
}

impl Partner {
    fn lists(&self, interaction: Interaction) -> bool {
        self.interactions.iter().any(|listed| listed == interaction.as_str())
    }

    /// A Bundle is asked for as a batch until its type is known.
    fn may_list(&self, interaction: Interaction) -> bool {
        self.lists(interaction) || (interaction == Interaction::Batch && self.lists(Interaction::Transaction))
    }
}

/// What asks for no patient data and changes nothing needs no agreement on interactions.
fn needs_listing(interaction: Interaction) -> bool {
    !matches!(interaction, Interaction::Capabilities | Interaction::Options | Interaction::Other | Interaction::Audit)
}

/// The rights without which the request is refused at once. Entries of a Bundle and the resources that a message changes are
/// checked one by one against the reach.
fn needed(request: &Request<'_>) -> &'static [Right] {
    match request.interaction {
        Interaction::Read | Interaction::Vread => &[Right::Read],
        Interaction::History if request.id.is_some() => &[Right::Read],
        Interaction::History | Interaction::Search => &[Right::Search],
        Interaction::Create => &[Right::Create],
        Interaction::Update | Interaction::Patch => &[Right::Update],
        Interaction::Delete => &[Right::Delete],
        Interaction::Ingest => &[Right::Create, Right::Update],
        Interaction::Operation("everything" | "match" | "ihe-pix" | "card" | "explain") => {
            &[Right::Read, Right::Search]
        }
        Interaction::Operation("capture" | "resolve-capture") => &[Right::Read],
        Interaction::Operation("decide") | Interaction::Merge | Interaction::Unmerge => &[Right::Update],
        _ => &[],
    }
}

fn covers(grant: &Grant, resource: Option<&str>, right: Right) -> bool {
    grant.rights.has(right) && resource.is_none_or(|kind| grant.resource == "*" || grant.resource == kind)
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split([',', ' ']).map(str::trim).filter(|word| !word.is_empty())
}

/// Purposes of use that this gateway understands, of HL7 v3 ActReason. Break-glass is not among them: it is not offered.
pub(crate) const PURPOSES: &[&str] = &[
    "TREAT",
    "CAREMGT",
    "COORD",
    "HOPERAT",
    "HPAYMT",
    "HRESCH",
    "HSYSADMIN",
    "PATADMIN",
    "PATRQT",
    "PUBHLTH",
    "RECORDMGT",
];

/// The interactions that a partner file can list.
pub(crate) const INTERACTIONS: &[&str] = &[
    "read",
    "vread",
    "search",
    "history",
    "create",
    "update",
    "patch",
    "delete",
    "transaction",
    "batch",
    "ingest",
    "validate",
    "everything",
    "match",
    "ihe-pix",
    "card",
    "capture",
    "resolve-capture",
    "revoke-capture",
    "merge",
    "unmerge",
    "process-message",
    "decide",
    "explain",
];
