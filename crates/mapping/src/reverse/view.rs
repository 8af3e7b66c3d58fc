//! The resources that are to become a message: found by key, by full URL, or inside of another.

use std::collections::HashMap;

use dukou_fhir::{Object, ResourceType, Value};

/// Resources in the order of their bundle.
#[derive(Debug)]
pub(crate) struct View<'v> {
    pub(crate) resources: Vec<Shown<'v>>,
    by_key: HashMap<(&'v str, &'v str), usize>,
    by_url: HashMap<&'v str, usize>,
}

/// One resource.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shown<'v> {
    pub(crate) kind: ResourceType,
    pub(crate) id: &'v str,
    pub(crate) object: &'v Object<'v>,
}

impl<'v> View<'v> {
    /// The resources of a Bundle, or the one resource.
    pub(crate) fn new(value: &'v Value<'v>) -> View<'v> {
        let mut view = View { resources: Vec::new(), by_key: HashMap::new(), by_url: HashMap::new() };
        if value.resource_type() != Some("Bundle") {
            view.add(value, None);
            return view;
        }
        for entry in value.list_at("entry") {
            if let Some(resource) = entry.get("resource") {
                view.add(resource, entry.text_at("fullUrl"));
            }
        }
        view
    }

    fn add(&mut self, resource: &'v Value<'v>, url: Option<&'v str>) {
        let (Some(kind), Some(object)) = (resource.resource_type().and_then(ResourceType::parse), resource.as_object())
        else {
            return;
        };
        let number = self.resources.len();
        let id = resource.text_at("id").unwrap_or("");
        self.resources.push(Shown { kind, id, object });
        if !id.is_empty() {
            self.by_key.entry((kind.as_str(), id)).or_insert(number);
        }
        if let Some(url) = url {
            self.by_url.entry(url).or_insert(number);
        }
    }

    /// The number of the resource behind a Reference.
    pub(crate) fn find(&self, reference: &str) -> Option<usize> {
        if let Some(found) = self.by_url.get(reference) {
            return Some(*found);
        }
        let mut parts = reference.split("/_history/").next()?.rsplit('/');
        let (id, kind) = (parts.next()?, parts.next()?);
        self.by_key.get(&(kind, id)).copied()
    }

    /// The resource of a key.
    pub(crate) fn keyed(&self, kind: &str, id: &str) -> Option<usize> {
        self.by_key.get(&(kind, id)).copied()
    }

    /// The content behind a Reference: a resource of the view, or one contained in `around`.
    pub(crate) fn resolve(&self, reference: &str, around: &'v Object<'v>) -> Option<&'v Object<'v>> {
        if let Some(local) = reference.strip_prefix('#') {
            let contained = around.get("contained").and_then(Value::as_array)?;
            return contained.iter().find(|one| one.text_at("id") == Some(local))?.as_object();
        }
        self.find(reference).map(|at| self.resources[at].object)
    }
}

/// The type of a resource.
pub(crate) fn kind_of(object: &Object<'_>) -> Option<ResourceType> {
    object.get("resourceType").and_then(Value::as_str).and_then(ResourceType::parse)
}
