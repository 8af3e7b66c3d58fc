//! References: to resources of this server by type and id, to others by URL (search, 3.1.1.5.6).

use super::persons::{SamePerson, all_of};
use super::posting::{Form, PostingKey, digest};
use super::token;
use super::values::{Postings, Union};
use crate::path::Item;
use crate::{LogicalId, ResourceKey, ResourceType};

/// What a reference of a resource points to, read without allocation.
enum Target<'v> {
    Local {
        kind: ResourceType,
        id: &'v str,
        version: Option<&'v str>,
    },
    /// An absolute URL of another server, a URN or a canonical, and the version that its end names.
    Url {
        url: &'v str,
        version: Option<&'v str>,
    },
}

/// A reference as a client asks for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    place: WantedPlace,
    version: Option<String>,
    base: Option<Box<str>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum WantedPlace {
    /// Resources of this server: one, or with a bare id one for each type that may stand here.
    Local(Vec<ResourceKey>),
    Url(String),
}

impl Wanted {
    /// From `123`, `Patient/123`, a URL or a URN, each with a version or not. `targets` are the types that may be
    /// meant, any if empty; `base` is the public base of this server. The error says what is wrong.
    pub(crate) fn parse(text: &str, targets: &[ResourceType], base: Option<&str>) -> Result<Wanted, &'static str> {
        let (plain, version) = split_version(own_path(text, base).unwrap_or(text));
        let place = if plain.contains(':') {
            WantedPlace::Url(plain.to_owned())
        } else if plain.contains('/') {
            let key = ResourceKey::parse(plain).ok_or("a reference is an id, Type/id or a URL")?;
            if !targets.is_empty() && !targets.contains(&key.kind) {
                return Err("resources of this type cannot stand here");
            }
            WantedPlace::Local(vec![key])
        } else {
            let id = LogicalId::parse(plain).ok_or("an id has 1 to 64 of A-Z a-z 0-9 - .")?;
            let of = |kind| ResourceKey::new(kind, id.clone());
            WantedPlace::Local(match targets {
                [] => ResourceType::all().map(of).collect(),
                _ => targets.iter().copied().map(of).collect(),
            })
        };
        Ok(Wanted { place, version: version.map(str::to_owned), base: base.map(Box::from) })
    }

    pub(crate) fn matches(&self, item: &Item<'_>) -> bool {
        match (target(item, self.base.as_deref()), &self.place) {
            (Some(Target::Local { kind, id, version }), WantedPlace::Local(keys)) => {
                self.version_meets(version) && keys.iter().any(|key| key.kind == kind && key.id.as_str() == id)
            }
            (Some(Target::Url { url, version }), WantedPlace::Url(wanted)) => {
                self.version_meets(version) && wanted == url
            }
            _ => false,
        }
    }

    /// Lets each Patient stand for all records of the person.
    pub(crate) fn widen_patients(&mut self, same: &SamePerson<'_>) {
        let WantedPlace::Local(keys) = &mut self.place else { return };
        let patients: Vec<LogicalId> =
            keys.iter().filter(|key| key.kind == ResourceType::PATIENT).map(|key| key.id.clone()).collect();
        if patients.is_empty() || self.version.is_some() {
            return;
        }
        keys.retain(|key| key.kind != ResourceType::PATIENT);
        keys.extend(all_of(&patients, same).into_iter().map(|id| ResourceKey::new(ResourceType::PATIENT, id)));
    }

    /// Whether a Patient is asked for.
    pub(crate) fn names_patient(&self, id: &LogicalId) -> bool {
        let WantedPlace::Local(keys) = &self.place else { return false };
        self.version.is_none() && keys.iter().any(|key| key.kind == ResourceType::PATIENT && key.id == *id)
    }

    /// Without a version every version is meant.
    fn version_meets(&self, version: Option<&str>) -> bool {
        self.version.as_deref().is_none_or(|wanted| version == Some(wanted))
    }

    /// Exact unless a version is asked for, which no key tells: ids stand whole, URLs with 16 bytes of their hash.
    pub(crate) fn look_up(&self, union: &mut Union<'_>) {
        if self.version.is_some() {
            union.check_bodies();
        }
        match &self.place {
            WantedPlace::Local(keys) => {
                keys.iter().for_each(|key| union.key(Form::Reference, &local_bytes(key.kind, key.id.as_str())));
            }
            WantedPlace::Url(url) => union.key(Form::ReferenceUrl, &url_hash(url)),
        }
    }
}

/// The key of the resources of a type that refer to one of this server through a parameter.
pub(crate) fn key_of_referrers(kind: ResourceType, parameter: u16, target: &ResourceKey) -> PostingKey {
    PostingKey::start(kind, parameter, Form::Reference).with(&local_bytes(target.kind, target.id.as_str()))
}

/// The resource of this server that an element refers to.
pub(crate) fn local_target(item: &Item<'_>, base: Option<&str>) -> Option<ResourceKey> {
    match target(item, base)? {
        Target::Local { kind, id, .. } => Some(ResourceKey::new(kind, LogicalId::parse(id)?)),
        Target::Url { .. } => None,
    }
}

/// The keys of a reference, and of the identifier beside it as a token.
pub(crate) fn post(item: &Item<'_>, postings: &mut Postings<'_>) {
    match target(item, postings.site.base) {
        Some(Target::Local { kind, id, .. }) => postings.add(Form::Reference, &local_bytes(kind, id)),
        Some(Target::Url { url, .. }) => postings.add(Form::ReferenceUrl, &url_hash(url)),
        None => {}
    }
    if let Some(identifier) = identifier(item) {
        token::post(&identifier, postings);
    }
}

/// The identifier in a Reference, for the modifier `:identifier`.
pub(crate) fn identifier<'v>(item: &Item<'v>) -> Option<Item<'v>> {
    if item.datatype != "Reference" {
        return None;
    }
    let value = item.value.as_object()?.get("identifier")?;
    Some(Item { value, datatype: "Identifier" })
}

fn target<'v>(item: &Item<'v>, base: Option<&str>) -> Option<Target<'v>> {
    let object = item.value.as_object();
    let (text, is_canonical) = match item.datatype {
        "Reference" => (object?.get("reference")?.as_str()?, false),
        "canonical" | "uri" | "url" => (item.value.as_str()?, true),
        // A resource that stands inline is its own target.
        _ => {
            let kind = ResourceType::parse(object?.get("resourceType")?.as_str()?)?;
            return Some(Target::Local { kind, id: object?.get("id")?.as_str()?, version: None });
        }
    };
    if text.starts_with('#') {
        return None;
    }
    let (plain, version) = split_version(own_path(text, base).unwrap_or(text));
    if is_canonical || plain.contains(':') {
        return Some(Target::Url { url: split_version(text).0, version });
    }
    let (kind, id) = plain.split_once('/')?;
    Some(Target::Local { kind: ResourceType::parse(kind)?, id, version })
}

/// What stands behind the public base of this server.
fn own_path<'t>(text: &'t str, base: Option<&str>) -> Option<&'t str> {
    text.strip_prefix(base?)?.strip_prefix('/')
}

/// The text before `/_history/` or `|`, and the version behind.
pub(crate) fn split_version(text: &str) -> (&str, Option<&str>) {
    match text.split_once("/_history/").or_else(|| text.split_once('|')) {
        Some((plain, version)) => (plain, Some(version)),
        None => (text, None),
    }
}

fn local_bytes(kind: ResourceType, id: &str) -> Vec<u8> {
    [&kind.index().to_be_bytes()[..], id.as_bytes()].concat()
}

fn url_hash(url: &str) -> [u8; 16] {
    digest(&[url.as_bytes()])
}
