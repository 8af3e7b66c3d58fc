//! Shortened and pretty answers: `_summary`, `_elements`, `_pretty` (FHIR R4, search, 3.1.1.5).

use bytes::Bytes;
use dukou_fhir::schema::TypeId;
use dukou_fhir::{IssueType, Object, ResourceType, Value, json};

use crate::fault::{Fault, fault};

/// How an answer is to be shortened and printed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(crate) summary: Summary,
    /// `_elements`, without the names of types.
    pub(crate) elements: Vec<Element>,
    pub(crate) pretty: bool,
}

/// `_summary`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Summary {
    #[default]
    False,
    True,
    Text,
    Data,
    Count,
}

/// One name of `_elements`, for all types or one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Element {
    kind: Option<ResourceType>,
    name: String,
}

impl Summary {
    /// Reads the value of `_summary`.
    pub(crate) fn parse(text: &str) -> Result<Summary, Fault> {
        match text {
            "false" | "" => Ok(Summary::False),
            "true" => Ok(Summary::True),
            "text" => Ok(Summary::Text),
            "data" => Ok(Summary::Data),
            "count" => Ok(Summary::Count),
            _ => Err(fault(
                IssueType::Invalid,
                "bad-parameter",
                "_summary is one of true, text, data, count, false",
                "_summary 只能是 true、text、data、count、false",
            )),
        }
    }
}

impl Shape {
    /// Adds the names of one `_elements` parameter.
    pub(crate) fn add_elements(&mut self, text: &str) {
        for name in text.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            let (kind, name) = match name.split_once('.') {
                Some((kind, name)) => (ResourceType::parse(kind), name),
                None => (None, name),
            };
            self.elements.push(Element { kind, name: name.to_owned() });
        }
    }

    /// Whether resources lose elements.
    pub(crate) fn shortens(&self) -> bool {
        !self.elements.is_empty() || matches!(self.summary, Summary::True | Summary::Text | Summary::Data)
    }

    /// A resource as it is to be shown. What is not shortened is given back as the stored bytes.
    pub(crate) fn apply(&self, body: &Bytes) -> Bytes {
        if !self.shortens() {
            return body.clone();
        }
        // Stored bytes are JSON of our own printing; were they not, showing nothing shorter is the honest end.
        let Ok(Value::Object(mut resource)) = json::parse(body, &json::Limits::default()) else { return body.clone() };
        let Some(kind) = resource.get("resourceType").and_then(Value::as_str).and_then(ResourceType::parse) else {
            return body.clone();
        };
        let schema = TypeId::of(kind);
        resource.retain(|member, _| self.keeps(kind, schema, member));
        tag(&mut resource);
        Bytes::from(crate::reply::print(&Value::Object(resource)))
    }

    fn keeps(&self, kind: ResourceType, schema: TypeId, member: &str) -> bool {
        let name = member.strip_prefix('_').unwrap_or(member);
        if matches!(name, "resourceType" | "id" | "meta") {
            return true;
        }
        let Some(found) = schema.member(name) else { return self.elements.is_empty() && self.summary == Summary::Data };
        let element = found.element;
        if element.min > 0 {
            return true;
        }
        if !self.elements.is_empty() {
            let named = |listed: &Element| listed.name == element.name && listed.kind.is_none_or(|only| only == kind);
            return self.elements.iter().any(named);
        }
        match self.summary {
            Summary::True => element.summary,
            Summary::Text => name == "text",
            Summary::Data => name != "text",
            Summary::False | Summary::Count => true,
        }
    }

    /// The final text of an answer.
    pub(crate) fn print(&self, body: Bytes) -> Bytes {
        if !self.pretty {
            return body;
        }
        let Ok(value) = json::parse(&body, &json::Limits::default()) else { return body };
        let mut out = Vec::with_capacity(body.len() * 2);
        json::print_pretty(&value, &mut out);
        Bytes::from(out)
    }
}

/// Marks a resource as shortened: it may not be written back.
fn tag(resource: &mut Object<'_>) {
    let mark = Object::new().with("system", SUBSETTED_SYSTEM).with("code", SUBSETTED);
    let Some(Value::Object(meta)) = resource.get_mut("meta") else {
        resource.insert("meta", Object::new().with("tag", vec![Value::from(mark)]));
        return;
    };
    match meta.get_mut("tag") {
        Some(Value::Array(tags)) => tags.push(Value::from(mark)),
        _ => {
            meta.insert("tag", vec![Value::from(mark)]);
        }
    }
}

/// Whether a resource carries the mark of a shortened one.
pub(crate) fn is_subsetted(resource: &Value<'_>) -> bool {
    resource
        .list_at("meta.tag")
        .iter()
        .any(|tag| tag.text_at("code") == Some(SUBSETTED) && tag.text_at("system") == Some(SUBSETTED_SYSTEM))
}

const SUBSETTED: &str = "SUBSETTED";
const SUBSETTED_SYSTEM: &str = "http://terminology.hl7.org/CodeSystem/v3-ObservationValue";

#[cfg(test)]
mod tests {
    use super::{Shape, Summary, is_subsetted};
    use bytes::Bytes;
    use dukou_fhir::json;

    const BODY: &str = r#"{"resourceType":"Observation","id":"o1","meta":{"versionId":"1"},"text":{"status":"generated"},"status":"final","code":{"text":"Hb"},"_issued":{"id":"x"},"note":[{"text":"n"}],"valueQuantity":{"value":5.10},"device":{"reference":"Device/1"}}"#;

    fn members(shape: &Shape) -> Vec<String> {
        let body = shape.apply(&Bytes::from_static(BODY.as_bytes()));
        let value = json::parse(&body, &json::Limits::default()).unwrap();
        assert!(is_subsetted(&value));
        value.as_object().unwrap().iter().map(|(name, _)| name.to_owned()).collect()
    }

    fn of(summary: Summary) -> Shape {
        Shape { summary, ..Shape::default() }
    }

    #[test]
    fn a_whole_answer_is_the_stored_bytes() {
        let body = Bytes::from_static(BODY.as_bytes());
        assert_eq!(of(Summary::False).apply(&body), body);
    }

    #[test]
    fn a_summary_keeps_what_the_definition_marks() {
        assert_eq!(
            members(&of(Summary::True)),
            ["resourceType", "id", "meta", "status", "code", "_issued", "valueQuantity"]
        );
        assert_eq!(members(&of(Summary::Text)), ["resourceType", "id", "meta", "text", "status", "code"]);
        let data = members(&of(Summary::Data));
        assert!(!data.contains(&"text".to_owned()) && data.contains(&"note".to_owned()));
    }

    #[test]
    fn named_elements_come_with_the_required_ones() {
        let mut shape = Shape::default();
        shape.add_elements("Observation.value, Patient.note");
        assert_eq!(members(&shape), ["resourceType", "id", "meta", "status", "code", "valueQuantity"]);
    }

    #[test]
    fn a_decimal_survives_shortening() {
        let body = of(Summary::True).apply(&Bytes::from_static(BODY.as_bytes()));
        assert!(body.windows(4).any(|bytes| bytes == b"5.10"));
    }
}
