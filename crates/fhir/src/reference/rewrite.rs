//! The list of all references of a resource, and their rewriting.

use std::ops::Range;

use crate::schema::{Form, Primitive, TypeId};
use crate::{Object, ResourceType, Value};

/// Every `Reference.reference` of a resource at any depth, also in extensions, contained resources and the entries of
/// a Bundle: the FHIRPath of the Reference element, `Observation.performer[0]`, and the text of the reference.
pub fn references<'v>(resource: &'v Value<'_>) -> Vec<(String, &'v str)> {
    let mut found = Vec::new();
    if let Some(kind) = resource_kind(resource) {
        let mut list = List {
            reference: TypeId::parse("Reference"),
            element: TypeId::parse("Element"),
            path: kind.as_str().to_owned(),
            found: &mut found,
        };
        list.resource(resource);
    }
    found
}

/// Rewrites what points to other resources, wherever the function knows a new text: `Reference.reference` at any depth,
/// primitives of the types uri, url, canonical, oid and uuid, and `href` and `src` in narratives. Elements that R4 does
/// not know are left alone. Gives how many texts were changed.
pub fn rewrite(resource: &mut Value<'_>, with: &mut dyn FnMut(&str) -> Option<String>) -> usize {
    let mut rewriting =
        Rewriting { reference: TypeId::parse("Reference"), element: TypeId::parse("Element"), with, changed: 0 };
    rewriting.resource(resource);
    rewriting.changed
}

struct List<'v, 'f> {
    reference: Option<TypeId>,
    element: Option<TypeId>,
    path: String,
    found: &'f mut Vec<(String, &'v str)>,
}

impl<'v> List<'v, '_> {
    fn resource(&mut self, value: &'v Value<'_>) {
        if let (Some(kind), Some(object)) = (resource_kind(value), value.as_object()) {
            self.object(TypeId::of(kind), object);
        }
    }

    fn object(&mut self, kind: TypeId, object: &'v Object<'_>) {
        if Some(kind) == self.reference
            && let Some(text) = object.get("reference").and_then(Value::as_str)
        {
            self.found.push((self.path.clone(), text));
        }
        for (name, value) in object.iter() {
            let (base, is_side) = name.strip_prefix('_').map_or((name, false), |base| (base, true));
            let Some(member) = kind.member(base) else {
                continue;
            };
            let content = member.content.kind;
            let content = match (is_side, content.form()) {
                (true, _) => match self.element {
                    Some(element) => element,
                    None => continue,
                },
                (false, Form::Primitive(_)) => continue,
                (false, _) => content,
            };
            let length = self.path.len();
            self.path.push('.');
            self.path.push_str(member.element.name);
            match value {
                Value::Array(items) => {
                    for (index, item) in items.iter().enumerate() {
                        let length = self.path.len();
                        self.path.push_str(&format!("[{index}]"));
                        self.content(content, item);
                        self.path.truncate(length);
                    }
                }
                _ => self.content(content, value),
            }
            self.path.truncate(length);
        }
    }

    fn content(&mut self, kind: TypeId, value: &'v Value<'_>) {
        match value {
            Value::Object(_) if kind.form() == Form::Resource => self.resource(value),
            Value::Object(object) => self.object(kind, object),
            _ => {}
        }
    }
}

struct Rewriting<'f> {
    reference: Option<TypeId>,
    element: Option<TypeId>,
    with: &'f mut dyn FnMut(&str) -> Option<String>,
    changed: usize,
}

impl Rewriting<'_> {
    fn resource(&mut self, value: &mut Value<'_>) {
        if let (Some(kind), Some(object)) = (resource_kind(value), value.as_object_mut()) {
            self.object(TypeId::of(kind), object);
        }
    }

    fn object(&mut self, kind: TypeId, object: &mut Object<'_>) {
        let is_reference = Some(kind) == self.reference;
        for (name, value) in object.iter_mut() {
            if is_reference && name == "reference" {
                self.text(value);
                continue;
            }
            let (base, is_side) = name.strip_prefix('_').map_or((name, false), |base| (base, true));
            let Some(member) = kind.member(base) else {
                continue;
            };
            let content = if is_side { self.element.unwrap_or(member.content.kind) } else { member.content.kind };
            match value {
                Value::Array(items) => items.iter_mut().for_each(|item| self.content(content, item)),
                _ => self.content(content, value),
            }
        }
    }

    fn content(&mut self, kind: TypeId, value: &mut Value<'_>) {
        match kind.form() {
            Form::Resource => self.resource(value),
            Form::Complex => {
                if let Value::Object(object) = value {
                    self.object(kind, object);
                }
            }
            Form::Primitive(
                Primitive::Uri | Primitive::Url | Primitive::Canonical | Primitive::Oid | Primitive::Uuid,
            ) => self.text(value),
            Form::Primitive(Primitive::Xhtml) => self.narrative(value),
            Form::Primitive(_) => {}
        }
    }

    fn text(&mut self, value: &mut Value<'_>) {
        if let Value::String(text) = value
            && let Some(new) = (self.with)(text)
        {
            *text = new.into();
            self.changed += 1;
        }
    }

    /// Rewrites the quoted values of `href` and `src`; the rest of the narrative stays as it is.
    fn narrative(&mut self, value: &mut Value<'_>) {
        let Value::String(text) = value else { return };
        let mut out = String::new();
        let (mut copied, mut changed) = (0, 0);
        for link in links(text) {
            if let Some(new) = (self.with)(&text[link.clone()].replace("&amp;", "&")) {
                out.push_str(&text[copied..link.start]);
                out.push_str(&new.replace('&', "&amp;").replace(['"', '\''], "&quot;").replace('<', "&lt;"));
                copied = link.end;
                changed += 1;
            }
        }
        if changed > 0 {
            out.push_str(&text[copied..]);
            *text = out.into();
            self.changed += changed;
        }
    }
}

/// Where the values of `href` and `src` attributes stand within the tags of a narrative.
fn links(text: &str) -> Vec<Range<usize>> {
    let mut links = Vec::new();
    let mut rest = 0;
    while let Some(tag) = text[rest..].find('<') {
        rest += tag + 1;
        // From quote to quote; what stands before an opening quote ends with the attribute's name.
        while let Some(next) = text[rest..].find(['"', '\'', '>']) {
            let (before, quote) = (&text[rest..rest + next], text.as_bytes()[rest + next]);
            rest += next + 1;
            let Some(length) = (quote != b'>').then(|| text[rest..].find(char::from(quote))).flatten() else {
                break;
            };
            let name = before.trim_end().trim_end_matches('=').split_whitespace().next_back();
            if matches!(name, Some("href" | "src")) {
                links.push(rest..rest + length);
            }
            rest += length + 1;
        }
    }
    links
}

fn resource_kind(value: &Value<'_>) -> Option<ResourceType> {
    ResourceType::parse(value.resource_type()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json;

    fn read(text: &str) -> Value<'_> {
        json::parse(text.as_bytes(), &json::Limits::default()).unwrap()
    }

    const OBSERVATION: &str = r##"{"resourceType":"Observation","status":"final",
        "text":{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\"><a class=\"x\" href=\"urn:uuid:1\">a</a> src=\"urn:uuid:1\" <img src='urn:uuid:2'/></div>"},
        "contained":[{"resourceType":"Specimen","id":"s","subject":{"reference":"urn:uuid:1"}}],
        "implicitRules":"urn:uuid:1",
        "identifier":[{"system":"urn:uuid:1","value":"urn:uuid:1"}],
        "subject":{"reference":"urn:uuid:1"},
        "_status":{"extension":[{"url":"u","valueReference":{"reference":"urn:uuid:1"}}]},
        "performer":[{"display":"a"},{"reference":"urn:uuid:2"}]}"##;

    #[test]
    fn references_are_found_at_any_depth() {
        let value = read(OBSERVATION);
        let found: Vec<(String, &str)> = references(&value);
        let places: Vec<&str> = found.iter().map(|(place, _)| place.as_str()).collect();
        assert_eq!(
            places,
            [
                "Observation.contained[0].subject",
                "Observation.subject",
                "Observation.status.extension[0].value",
                "Observation.performer[1]"
            ]
        );
        assert_eq!(found[3].1, "urn:uuid:2");
    }

    #[test]
    fn rewriting_reaches_references_uris_and_narrative_links_and_nothing_else() {
        let mut value = read(OBSERVATION);
        let changed = rewrite(&mut value, &mut |text| (text == "urn:uuid:1").then(|| "Patient/p&1".to_owned()));
        assert_eq!(changed, 6);
        assert_eq!(value.text_at("subject.reference"), Some("Patient/p&1"));
        assert_eq!(value.text_at("contained[0].subject.reference"), Some("Patient/p&1"));
        assert_eq!(value.text_at("identifier[0].system"), Some("Patient/p&1"));
        assert_eq!(value.text_at("identifier[0].value"), Some("urn:uuid:1"));
        assert_eq!(value.text_at("performer[1].reference"), Some("urn:uuid:2"));
        let narrative = value.text_at("text.div").unwrap();
        assert!(
            narrative.contains("href=\"Patient/p&amp;1\"")
                && narrative.contains("a> src=\"urn:uuid:1\" <img src='urn:uuid:2'/>"),
            "{narrative}"
        );
    }

    #[test]
    fn rewriting_with_nothing_to_say_leaves_the_bytes_as_they_are() {
        let mut value = read(OBSERVATION);
        assert_eq!(rewrite(&mut value, &mut |_| None), 0);
        assert_eq!(value, read(OBSERVATION));
    }
}
