//! References and identifiers: thin readers, the list of all references of a resource, and their rewriting.

mod rewrite;

use crate::{ResourceKey, Value, VersionId};

pub use rewrite::{references, rewrite};

/// A Reference element, read in place.
#[derive(Clone, Copy, Debug)]
pub struct Reference<'v> {
    /// `Reference.reference`: relative, absolute, `urn:` or `#id`.
    pub reference: Option<&'v str>,
    /// `Reference.type`.
    pub kind: Option<&'v str>,
    /// `Reference.identifier`.
    pub identifier: Option<Identifier<'v>>,
    /// `Reference.display`.
    pub display: Option<&'v str>,
}

impl<'v> Reference<'v> {
    /// Reads an object as a Reference; what is missing or of a wrong form is left out.
    pub fn read(value: &'v Value<'_>) -> Option<Reference<'v>> {
        value.as_object()?;
        Some(Reference {
            reference: value.text_at("reference"),
            kind: value.text_at("type"),
            identifier: value.get("identifier").and_then(Identifier::read),
            display: value.text_at("display"),
        })
    }
}

/// An Identifier element, read in place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identifier<'v> {
    /// `Identifier.system`.
    pub system: Option<&'v str>,
    /// `Identifier.value`.
    pub value: Option<&'v str>,
    /// `Identifier.use`.
    pub usage: Option<&'v str>,
}

impl<'v> Identifier<'v> {
    /// Reads an object as an Identifier; what is missing or of a wrong form is left out.
    pub fn read(value: &'v Value<'_>) -> Option<Identifier<'v>> {
        value.as_object()?;
        Some(Identifier { system: value.text_at("system"), value: value.text_at("value"), usage: value.text_at("use") })
    }
}

/// What the text of a reference points to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target<'v> {
    /// A resource of this server: `Patient/1`, or the same under the server's own base.
    Local(ResourceKey, Option<VersionId>),
    /// A contained resource, by its id; empty for the container itself.
    Contained(&'v str),
    /// `urn:uuid:` or `urn:oid:`, the whole text.
    Urn(&'v str),
    /// A condition: `Patient?identifier=..`; type and query.
    Conditional(&'v str, &'v str),
    /// An absolute url of another server, or a canonical one.
    External(&'v str),
    /// None of these.
    Malformed,
}

impl<'v> Target<'v> {
    /// Reads the text of a reference; `base` is the server's own public base, without a slash at its end.
    pub fn parse(reference: &'v str, base: Option<&str>) -> Target<'v> {
        if let Some(id) = reference.strip_prefix('#') {
            return Target::Contained(id);
        }
        if reference.starts_with("urn:") {
            return Target::Urn(reference);
        }
        let own = base.and_then(|base| reference.strip_prefix(base)).and_then(|rest| rest.strip_prefix('/'));
        let relative = match own {
            Some(relative) => relative,
            None if has_scheme(reference) => return Target::External(reference),
            None => reference,
        };
        if let Some((kind, query)) = relative.split_once('?') {
            let known = crate::ResourceType::parse(kind).is_some();
            return if known { Target::Conditional(kind, query) } else { Target::Malformed };
        }
        let (key, version) = match relative.split_once("/_history/") {
            Some((key, version)) => match VersionId::parse(version) {
                Some(version) => (key, Some(version)),
                None => return Target::Malformed,
            },
            None => (relative, None),
        };
        ResourceKey::parse(key).map_or(Target::Malformed, |key| Target::Local(key, version))
    }
}

/// Whether a text starts with a scheme as urls do: `http:`, `ldap:`.
fn has_scheme(text: &str) -> bool {
    let Some((scheme, _)) = text.split_once(':') else {
        return false;
    };
    scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_told_apart_by_their_form() {
        let own = Some("https://dukou.example/fhir");
        let local = |text| ResourceKey::parse(text).unwrap();
        for (text, target) in [
            ("Patient/1", Target::Local(local("Patient/1"), None)),
            ("Patient/1/_history/3", Target::Local(local("Patient/1"), VersionId::new(3))),
            ("https://dukou.example/fhir/Patient/1", Target::Local(local("Patient/1"), None)),
            ("https://dukou.example/fhir2/Patient/1", Target::External("https://dukou.example/fhir2/Patient/1")),
            ("https://other.example/Patient/1", Target::External("https://other.example/Patient/1")),
            ("#a", Target::Contained("a")),
            ("urn:uuid:1", Target::Urn("urn:uuid:1")),
            ("Patient?identifier=a|b", Target::Conditional("Patient", "identifier=a|b")),
            ("Nobody?identifier=a", Target::Malformed),
            ("Patient/1/2", Target::Malformed),
            ("", Target::Malformed),
        ] {
            assert_eq!(Target::parse(text, own), target, "{text}");
        }
    }

    #[test]
    fn a_reader_leaves_out_what_is_not_there() {
        let text = br#"{"reference":5,"identifier":{"system":"urn:x","value":"1"},"display":"a"}"#;
        let value = crate::json::parse(text, &crate::json::Limits::default()).unwrap();
        let reference = Reference::read(&value).unwrap();
        assert_eq!((reference.reference, reference.display), (None, Some("a")));
        let identifier = reference.identifier.unwrap();
        assert_eq!((identifier.system, identifier.value, identifier.usage), (Some("urn:x"), Some("1"), None));
        assert!(Reference::read(&Value::Null).is_none());
    }
}
