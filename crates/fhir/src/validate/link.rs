//! References: their form, the types they may point to, contained resources, and links within a Bundle.

use crate::reference::Target;
use crate::schema::TypeRef;
use crate::{Object, ResourceType, Value};

use super::finding;
use super::walk::Walk;

/// A resource that stands for itself, with what it contains.
pub(super) struct Container<'v> {
    kind: Option<ResourceType>,
    contained: Vec<Contained<'v>>,
    /// Which contained resource the walk is in.
    inside: Option<usize>,
}

struct Contained<'v> {
    id: &'v str,
    kind: Option<ResourceType>,
    used: bool,
}

impl<'v> Container<'v> {
    pub(super) fn of(resource: &'v Object<'v>) -> Self {
        let contained = resource.get("contained").and_then(Value::as_array).unwrap_or_default();
        let contained = contained.iter().map(|value| Contained {
            id: value.get("id").and_then(Value::as_str).unwrap_or_default(),
            kind: value.resource_type().and_then(ResourceType::parse),
            used: false,
        });
        Container { kind: kind_of(resource), contained: contained.collect(), inside: None }
    }
}

/// The full urls of a Bundle's entries and the types of their resources, sorted.
pub(super) struct Links<'v> {
    entries: Vec<(&'v str, Option<ResourceType>)>,
    /// Whether each `urn:` must lead to an entry.
    closed: bool,
}

impl<'v> Links<'v> {
    pub(super) fn of(bundle: &'v Object<'v>) -> Self {
        let entries = bundle.get("entry").and_then(Value::as_array).unwrap_or_default();
        let named = entries.iter().filter_map(|entry| {
            let kind = entry.get("resource").and_then(Value::resource_type).and_then(ResourceType::parse);
            Some((entry.get("fullUrl")?.as_str()?, kind))
        });
        let mut entries: Vec<_> = named.collect();
        entries.sort_unstable_by_key(|(url, _)| *url);
        let kind = bundle.get("type").and_then(Value::as_str).unwrap_or_default();
        Links { entries, closed: matches!(kind, "transaction" | "document" | "message") }
    }

    fn find(&self, url: &str) -> Option<Option<ResourceType>> {
        self.entries.binary_search_by(|(own, _)| (*own).cmp(url)).ok().map(|at| self.entries[at].1)
    }
}

/// What a contained resource may not hold, and which one the walk is in from now on.
pub(super) fn check_contained<'v>(walk: &mut Walk<'v>, resource: &'v Object<'v>) {
    if resource.contains("contained") {
        walk.fault_at("contained", finding::nested_contained);
    }
    if let Some(meta) = resource.get("meta").and_then(Value::as_object) {
        for name in ["versionId", "lastUpdated", "security"] {
            if meta.contains(name) {
                walk.within("meta", None, |walk| walk.fault_at(name, || finding::meta_of_contained(name)));
            }
        }
    }
    let at = walk.index();
    let Some(container) = walk.containers.last_mut() else {
        return;
    };
    container.inside = Some(at);
    let id = container.contained.get(at).map(|own| own.id).unwrap_or_default();
    let twice = !id.is_empty() && container.contained.iter().take(at).any(|other| other.id == id);
    if twice {
        walk.fault_at("id", finding::contained_id_twice);
    }
}

/// Names the contained resources that nothing pointed to.
pub(super) fn leave_container(walk: &mut Walk<'_>) {
    let Some(container) = walk.containers.pop() else {
        return;
    };
    for (index, contained) in container.contained.iter().enumerate() {
        if !contained.used {
            walk.within("contained", Some(index), |walk| walk.fault(finding::unused_contained));
        }
    }
}

/// A text `#id` was seen: what it names is used, and so is a contained resource that names its container.
pub(super) fn mark_used(walk: &mut Walk<'_>, text: &str) {
    let Some(container) = walk.containers.last_mut() else {
        return;
    };
    let id = text.strip_prefix('#').unwrap_or(text);
    let inside = container.inside;
    for (index, contained) in container.contained.iter_mut().enumerate() {
        if contained.id == id || (id.is_empty() && inside == Some(index)) {
            contained.used = true;
        }
    }
}

/// Checks where a Reference points to.
pub(super) fn check_reference<'v>(walk: &mut Walk<'v>, allowed: &'static TypeRef, reference: &'v Object<'v>) {
    let said = reference.get("type").and_then(Value::as_str);
    let said_kind = said.and_then(ResourceType::parse);
    let Some(text) = reference.get("reference").and_then(Value::as_str) else {
        return check_kind(walk, allowed, said_kind, "type");
    };
    let kind = match Target::parse(text, None) {
        Target::Local(key, _) => Some(key.kind),
        Target::Contained(id) => match contained_kind(walk, id) {
            Some(kind) => kind,
            None => return walk.fault_at("reference", finding::contained_missing),
        },
        Target::Urn(urn) => match bundled_kind(walk, urn) {
            Some(kind) => kind,
            None => {
                if walk.bundles.last().is_some_and(|links| links.closed) {
                    walk.fault_at("reference", finding::not_in_bundle);
                }
                said_kind
            }
        },
        Target::Conditional(kind, _) => ResourceType::parse(kind),
        Target::External(url) => bundled_kind(walk, url).unwrap_or_else(|| kind_in_url(url)),
        Target::Malformed => return walk.fault_at("reference", finding::malformed_reference),
    };
    check_kind(walk, allowed, kind.or(said_kind), "reference");
    if let (Some(kind), Some(said)) = (kind, said_kind)
        && kind != said
    {
        walk.fault_at("type", || finding::type_differs(said, kind));
    }
}

fn check_kind<'v>(walk: &mut Walk<'v>, allowed: &'static TypeRef, kind: Option<ResourceType>, at: &'v str) {
    if let Some(kind) = kind.filter(|kind| !allowed.targets.is_empty() && !allowed.targets.contains(kind)) {
        walk.fault_at(at, || finding::wrong_target(kind, &allowed.targets));
    }
}

fn contained_kind(walk: &Walk<'_>, id: &str) -> Option<Option<ResourceType>> {
    let container = walk.containers.last()?;
    if id.is_empty() {
        return Some(container.kind);
    }
    container.contained.iter().find(|own| own.id == id).map(|own| own.kind)
}

fn bundled_kind(walk: &Walk<'_>, url: &str) -> Option<Option<ResourceType>> {
    walk.bundles.iter().rev().find_map(|links| links.find(url))
}

/// The type in a REST url, `https://host/fhir/Patient/1`.
fn kind_in_url(url: &str) -> Option<ResourceType> {
    let url = url.split_once("/_history/").map_or(url, |(url, _)| url);
    let mut parts = url.rsplit('/');
    let _id = parts.next()?;
    parts.next().and_then(ResourceType::parse)
}

fn kind_of(resource: &Object<'_>) -> Option<ResourceType> {
    resource.get("resourceType").and_then(Value::as_str).and_then(ResourceType::parse)
}
