//! From partner files to a policy: every fault is collected, then the examples of each file are run.

use std::sync::Arc;

use dukou_audit::{ClientId, Grant, Right, Rights};
use dukou_fhir::{LogicalId, ResourceType};
use sha2::{Digest, Sha256};
use toml::Spanned;

use crate::address::Range;
use crate::credential::{TokenHash, parse_sha256};
use crate::decide::{INTERACTIONS, PURPOSES};
use crate::example;
use crate::fault::LoadError;
use crate::partner::{self, PartnerFile, PolicyFiles, TokenFile, Written, WrittenClient, WrittenPartner, WrittenRate};
use crate::policy::{Client, ClientSettings, Partner, Policy, Role};
use crate::rate::Rate;
use crate::scope::{Context, Scope};

/// Builds the policy or names every fault.
pub(crate) fn policy(files: PolicyFiles) -> Result<Policy, Vec<LoadError>> {
    let mut loading = Loading { tokens: files.tokens, faults: Vec::new(), policy: Policy::empty() };
    let mut partners = files.partners;
    partners.sort_by(|left, right| left.name.cmp(&right.name));
    let mut whole = Sha256::new();
    let mut examples = Vec::new();
    for file in &partners {
        whole.update(Sha256::digest(file.text.as_bytes()));
        match partner::parse(file) {
            Ok(written) => examples.push((file, loading.partner(file, written))),
            Err(fault) => loading.faults.push(fault),
        }
    }
    let Loading { mut faults, mut policy, .. } = loading;
    policy.sha256 = whole.finalize().into();
    close_domains(&mut policy);
    if faults.is_empty() {
        for (file, stated) in examples {
            example::check(&policy, file, &stated, &mut faults);
        }
    }
    if faults.is_empty() { Ok(policy) } else { Err(faults) }
}

/// What one client is the source of is closed to all others.
fn close_domains(policy: &mut Policy) {
    for place in 0..policy.clients.len() {
        let others = policy.clients.iter().enumerate().filter(|(other, _)| *other != place);
        let closed = others.flat_map(|(_, other)| other.settings.domains.iter().cloned()).collect();
        policy.clients[place].closed = closed;
    }
}

/// The `allow` and `deny` examples of one file.
pub(crate) struct Stated {
    pub(crate) partner: usize,
    pub(crate) allow: Vec<Spanned<partner::WrittenExample>>,
    pub(crate) deny: Vec<Spanned<partner::WrittenExample>>,
}

struct Loading {
    tokens: Vec<TokenFile>,
    faults: Vec<LoadError>,
    policy: Policy,
}

impl Loading {
    fn partner(&mut self, file: &PartnerFile, written: Written) -> Stated {
        let place = self.policy.partners.len();
        let partner = self.terms(file, written.partner);
        if self.policy.partners.iter().any(|known| known.id == partner.id) {
            self.fault(file, 0, format!("the partner id `{}` stands in another file, too", partner.id));
        }
        self.policy.partners.push(partner);
        if written.client.is_empty() {
            self.fault(file, 0, "a partner has at least one [[client]]");
        }
        for client in written.client {
            self.client(file, place, client);
        }
        Stated { partner: place, allow: written.allow, deny: written.deny }
    }

    fn terms(&mut self, file: &PartnerFile, written: WrittenPartner) -> Partner {
        let from = written.valid_from.map_or(i64::MIN, |day| self.day_start_ns(file, &day));
        let to = written.valid_to.map_or(i64::MAX, |day| self.day_start_ns(file, &day).saturating_add(DAY_NS));
        for purpose in &written.purposes {
            self.known_word(file, purpose, PURPOSES, "purpose of use");
        }
        for interaction in &written.interactions {
            self.known_word(file, interaction, INTERACTIONS, "interaction");
        }
        let ranges = written.addresses.iter().filter_map(|text| match Range::parse(text.get_ref()) {
            Ok(range) => Some(range),
            Err(error) => {
                self.fault(file, text.span().start, error.to_string());
                None
            }
        });
        let ranges = ranges.collect();
        Partner {
            id: written.id,
            sha256: Sha256::digest(file.text.as_bytes()).into(),
            file: file.name.clone(),
            name: written.name,
            contact: written.contact,
            valid_ns: (from, to),
            purposes: written.purposes.into_iter().map(Spanned::into_inner).collect(),
            resources: self.resources(file, &written.resources),
            interactions: written.interactions.into_iter().map(Spanned::into_inner).collect(),
            ranges,
        }
    }

    fn resources(&mut self, file: &PartnerFile, written: &[Spanned<String>]) -> Option<Vec<ResourceType>> {
        if written.iter().any(|name| name.get_ref() == "*") {
            return None;
        }
        let mut kinds = Vec::new();
        for name in written {
            match ResourceType::parse(name.get_ref()) {
                Some(kind) => kinds.push(kind),
                None => self.fault(file, name.span().start, format!("`{}` is no R4 resource type", name.get_ref())),
            }
        }
        Some(kinds)
    }

    fn client(&mut self, file: &PartnerFile, partner: usize, written: WrittenClient) {
        let at = written.id.span().start;
        let Some(id) = ClientId::parse(written.id.get_ref()) else {
            self.fault(file, at, "a client id is 1 to 64 printable ASCII characters without a space");
            return;
        };
        if self.policy.clients.iter().any(|known| known.id == id) {
            self.fault(file, at, format!("the client id `{id}` is registered twice"));
        }
        self.credentials(file, &written);
        let certificates = self.certificates(file, &written);
        let scopes = self.scopes(file, &written.scopes);
        self.contradictions(file, partner, &written, &scopes);
        let rate = self.rate(file, written.rate.as_ref());
        let settings = ClientSettings {
            create_with_id: written.create_with_id,
            delete_many: written.delete_many,
            if_match_required: written.if_match_required,
            roles: self.roles(file, &written.roles),
            domains: self.domains(file, &written.domains),
        };
        let patients: Vec<String> = written.patients.into_iter().map(Spanned::into_inner).collect();
        let terms = &self.policy.partners[partner];
        let all: Vec<&Scope> = scopes.iter().collect();
        let (with_user, alone): (Vec<&Scope>, Vec<&Scope>) =
            scopes.iter().partition(|scope| scope.context == Context::User);
        let client = Client {
            grants: grants(&alone, terms, &patients),
            grants_with_user: grants(&with_user, terms, &patients),
            id,
            partner,
            scope_rules: [scope_rule(&alone, &settings), scope_rule(&all, &settings)],
            patients,
            default_purpose: written.default_purpose.map(Spanned::into_inner),
            names_purpose: written.names_purpose,
            names_users: written.names_users,
            certificates,
            rate,
            settings,
            closed: Arc::default(),
        };
        self.policy.clients.push(client);
    }

    /// What each part allows alone, but not together.
    fn contradictions(&mut self, file: &PartnerFile, partner: usize, written: &WrittenClient, scopes: &[Scope]) {
        if let Some(purpose) = &written.default_purpose
            && !self.policy.partners[partner].purposes.contains(purpose.get_ref())
        {
            self.fault(file, purpose.span().start, "the default purpose is not among the partner's purposes");
        }
        if scopes.iter().any(|scope| scope.context == Context::Patient) && written.patients.is_empty() {
            self.fault(file, written.scopes.span().start, "a patient/ scope needs the list `patients`");
        }
        for patient in &written.patients {
            if LogicalId::parse(patient.get_ref()).is_none() {
                self.fault(file, patient.span().start, "a patient is named by its logical id");
            }
        }
    }

    /// Registers tokens and listeners for the client that is about to be pushed.
    fn credentials(&mut self, file: &PartnerFile, written: &WrittenClient) {
        let place = self.policy.clients.len();
        for name in &written.token_files {
            match self.tokens.iter().find(|token| token.name == *name.get_ref()) {
                Some(token) if token.bytes.trim_ascii().len() >= TOKEN_BYTES_MIN => {
                    let hash = TokenHash::of(token.bytes.trim_ascii());
                    self.token(file, name, hash, place);
                }
                Some(_) => self.fault(file, name.span().start, format!("a token has at least {TOKEN_BYTES_MIN} bytes")),
                None => {
                    self.fault(file, name.span().start, format!("the token file `{}` was not read", name.get_ref()))
                }
            }
        }
        for text in &written.token_sha256 {
            match parse_sha256(text.get_ref()) {
                Some(hash) => self.token(file, text, TokenHash::from_bytes(hash), place),
                None => self.fault(file, text.span().start, "a SHA-256 has 64 hexadecimal digits"),
            }
        }
        for name in &written.listeners {
            if self.policy.listeners.insert(name.get_ref().clone(), place).is_some() {
                self.fault(
                    file,
                    name.span().start,
                    format!("the listener `{}` belongs to two clients", name.get_ref()),
                );
            }
        }
        if written.token_files.is_empty()
            && written.token_sha256.is_empty()
            && written.certificate_sha256.is_empty()
            && written.listeners.is_empty()
        {
            self.fault(file, written.id.span().start, "a client has a token, a certificate or a listener");
        }
    }

    fn certificates(&mut self, file: &PartnerFile, written: &WrittenClient) -> Vec<[u8; 32]> {
        let place = self.policy.clients.len();
        let mut certificates = Vec::new();
        for text in &written.certificate_sha256 {
            match parse_sha256(text.get_ref()) {
                Some(hash) if self.policy.certificates.insert(hash, place).is_none() => certificates.push(hash),
                Some(_) => self.fault(file, text.span().start, "the certificate is registered twice"),
                None => self.fault(file, text.span().start, "a SHA-256 has 64 hexadecimal digits"),
            }
        }
        certificates
    }

    fn token(&mut self, file: &PartnerFile, at: &Spanned<String>, hash: TokenHash, place: usize) {
        if self.policy.tokens.iter().any(|(known, _)| known.same(&hash)) {
            self.fault(file, at.span().start, "the token is registered twice");
        }
        self.policy.tokens.push((hash, place));
    }

    fn scopes(&mut self, file: &PartnerFile, written: &Spanned<String>) -> Vec<Scope> {
        let mut scopes = Vec::new();
        for text in written.get_ref().split_ascii_whitespace() {
            match Scope::parse(text) {
                Ok(scope) => scopes.push(scope),
                Err(error) => self.fault(file, written.span().start, format!("`{text}`: {error}")),
            }
        }
        if scopes.is_empty() {
            self.fault(file, written.span().start, "a client has at least one scope");
        }
        scopes
    }

    fn rate(&mut self, file: &PartnerFile, written: Option<&Spanned<WrittenRate>>) -> Rate {
        let Some(rate) = written else {
            return Rate::default();
        };
        let WrittenRate { per_second, burst } = *rate.get_ref();
        if per_second == 0 || burst == 0 {
            self.fault(file, rate.span().start, "a rate is at least 1 in both numbers");
        }
        Rate { per_second, burst }
    }

    fn roles(&mut self, file: &PartnerFile, written: &[Spanned<String>]) -> Vec<Role> {
        let mut roles = Vec::new();
        for role in written {
            match role.get_ref().as_str() {
                "compliance" => roles.push(Role::Compliance),
                other => self.fault(file, role.span().start, format!("`{other}` is no role; known: compliance")),
            }
        }
        roles
    }

    /// A domain has one source.
    fn domains(&mut self, file: &PartnerFile, written: &[Spanned<String>]) -> Vec<String> {
        for domain in written {
            let name = domain.get_ref();
            if name.is_empty() || name.contains(['|', ' ', ',']) {
                self.fault(file, domain.span().start, "a domain is the URI of a system of patient numbers");
            }
            if self.policy.clients.iter().any(|known| known.settings.domains.contains(name)) {
                self.fault(file, domain.span().start, format!("the domain `{name}` belongs to two clients"));
            }
        }
        written.iter().map(|domain| domain.get_ref().clone()).collect()
    }

    fn known_word(&mut self, file: &PartnerFile, word: &Spanned<String>, known: &[&str], what: &str) {
        if !known.contains(&word.get_ref().as_str()) {
            let reason = format!("`{}` is no {what}; known: {}", word.get_ref(), known.join(", "));
            self.fault(file, word.span().start, reason);
        }
    }

    fn day_start_ns(&mut self, file: &PartnerFile, day: &Spanned<String>) -> i64 {
        days_since_1970(day.get_ref()).map_or_else(
            || {
                self.fault(file, day.span().start, "a date is written 2026-01-31");
                0
            },
            |days| days.saturating_mul(DAY_NS),
        )
    }

    fn fault(&mut self, file: &PartnerFile, offset: usize, reason: impl Into<String>) {
        self.faults.push(LoadError::at(&file.name, &file.text, offset, reason));
    }
}

/// The rule that a record names for the scope step.
fn scope_rule(scopes: &[&Scope], settings: &ClientSettings) -> String {
    let scopes: Vec<String> = scopes.iter().map(|scope| scope.to_string()).collect();
    let role = if settings.roles.contains(&Role::Compliance) { " role compliance" } else { "" };
    format!("scope:{}{role}", scopes.join(" "))
}

/// What scopes, types, interactions and patients leave together: each can only narrow.
fn grants(scopes: &[&Scope], terms: &Partner, patients: &[String]) -> Vec<Grant> {
    let mut grants = Vec::new();
    for scope in scopes {
        let kinds: Vec<&str> = match (scope.resource, &terms.resources) {
            (None, None) => vec!["*"],
            (None, Some(kinds)) => kinds.iter().map(|kind| kind.as_str()).collect(),
            (Some(kind), Some(kinds)) if !kinds.contains(&kind) => Vec::new(),
            (Some(kind), _) => vec![kind.as_str()],
        };
        let rights = narrow(scope.rights, &terms.interactions);
        if rights == Rights::NONE {
            continue;
        }
        for kind in kinds {
            let grant = |patient| Grant { resource: kind.to_owned(), rights, patient };
            if patients.is_empty() {
                grants.push(grant(None));
            } else {
                grants.extend(patients.iter().map(|patient| grant(Some(patient.clone()))));
            }
        }
    }
    grants
}

/// The rights that the listed interactions can use at all; an entry of a Bundle has no interaction check of its own.
fn narrow(rights: Rights, interactions: &[String]) -> Rights {
    let listed = |words: &[&str]| interactions.iter().any(|listed| words.contains(&listed.as_str()));
    let usable = [
        (Right::Create, listed(&["create", "ingest", "process-message", "capture"])),
        (
            Right::Read,
            listed(&[
                "read",
                "vread",
                "history",
                "everything",
                "match",
                "ihe-pix",
                "card",
                "explain",
                "capture",
                "resolve-capture",
            ]),
        ),
        (Right::Update, listed(&["update", "patch", "ingest", "merge", "unmerge", "process-message", "decide"])),
        (Right::Delete, listed(&["delete"])),
        (
            Right::Search,
            listed(&[
                "search",
                "history",
                "everything",
                "match",
                "ihe-pix",
                "card",
                "explain",
                "capture",
                "resolve-capture",
            ]),
        ),
    ];
    usable
        .into_iter()
        .filter(|(right, listed)| *listed && rights.has(*right))
        .fold(Rights::NONE, |left, (right, _)| left.with(right))
}

/// Days of `2026-01-31` since 1970-01-01 in the Gregorian calendar.
fn days_since_1970(text: &str) -> Option<i64> {
    let [year, month, day] = text.split('-').collect::<Vec<_>>().try_into().ok()?;
    if year.len() != 4 || month.len() != 2 || day.len() != 2 {
        return None;
    }
    let (year, month, day): (i64, i64, i64) = (year.parse().ok()?, month.parse().ok()?, day.parse().ok()?);
    let leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    let last = match month {
        2 => 28 + i64::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if !(1970..=2261).contains(&year) || !(1..=last).contains(&day) {
        return None;
    }
    // Years counted from March, so that the leap day is the last day of the year.
    let shifted = if month > 2 { year } else { year - 1 };
    let (era, of_era) = (shifted.div_euclid(400), shifted.rem_euclid(400));
    let of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    Some(era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468)
}

const DAY_NS: i64 = 86_400_000_000_000;
const TOKEN_BYTES_MIN: usize = 24;

#[cfg(test)]
mod tests {
    use super::days_since_1970;

    #[test]
    fn a_date_is_a_day_number() {
        let cases = [("1970-01-01", 0), ("2000-02-29", 11_016), ("2026-01-31", 20_484), ("2100-03-01", 47_541)];
        for (text, days) in cases {
            assert_eq!(days_since_1970(text), Some(days), "{text}");
        }
        for text in ["2026-02-29", "2026-13-01", "2026-1-1", "26-01-01", "2026-01-00", "", "2026-01-01T00:00:00"] {
            assert_eq!(days_since_1970(text), None, "{text}");
        }
    }
}
