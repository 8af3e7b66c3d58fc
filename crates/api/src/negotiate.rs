//! What a caller accepts, sends and prefers: Accept, Content-Type, Prefer.

use hyper::HeaderMap;
use hyper::header::{ACCEPT, ACCEPT_LANGUAGE, CONTENT_TYPE, HeaderName};

use crate::fault::{Fault, fault};

use dukou_fhir::{IssueType, Language};

/// What the body of a request is said to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sent {
    /// FHIR JSON in one of its names.
    FhirJson,
    /// RFC 6902.
    JsonPatch,
    /// A form of search parameters.
    Form,
    /// An HL7 v2 message in its delimited form.
    Er7,
    /// XML, rows or bytes of any kind: what they are is told by their beginning.
    Document,
    /// No Content-Type.
    Unsaid,
}

/// `Prefer` (RFC 7240) as far as it can be honoured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Prefer {
    /// `return=`.
    pub(crate) body: Option<Return>,
    /// `handling=lenient` is true, `handling=strict` false.
    pub(crate) lenient: Option<bool>,
}

/// What a write answers with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Return {
    Minimal,
    Representation,
    OperationOutcome,
}

impl Prefer {
    /// Reads all `Prefer` headers; of a preference said twice the first counts, what is not understood is ignored.
    pub(crate) fn read(headers: &HeaderMap) -> Prefer {
        let mut prefer = Prefer::default();
        let lines = headers.get_all(HeaderName::from_static("prefer"));
        for part in lines.iter().filter_map(|line| line.to_str().ok()).flat_map(|line| line.split([',', ';'])) {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            let (name, value) = (name.trim().to_ascii_lowercase(), value.trim().trim_matches('"'));
            match (name.as_str(), value) {
                ("return", "minimal") => prefer.body = prefer.body.or(Some(Return::Minimal)),
                ("return", "representation") => prefer.body = prefer.body.or(Some(Return::Representation)),
                ("return", "OperationOutcome") => prefer.body = prefer.body.or(Some(Return::OperationOutcome)),
                ("handling", "lenient") => prefer.lenient = prefer.lenient.or(Some(true)),
                ("handling", "strict") => prefer.lenient = prefer.lenient.or(Some(false)),
                _ => {}
            }
        }
        prefer
    }

    /// The value of `Preference-Applied`, of the preferences that the interaction can honour.
    pub(crate) fn applied(self, writes: bool, searches: bool) -> Option<String> {
        let body = self.body.filter(|_| writes).map(|body| match body {
            Return::Minimal => "return=minimal",
            Return::Representation => "return=representation",
            Return::OperationOutcome => "return=OperationOutcome",
        });
        let handling = self
            .lenient
            .filter(|_| searches)
            .map(|lenient| if lenient { "handling=lenient" } else { "handling=strict" });
        let applied: Vec<&str> = body.into_iter().chain(handling).collect();
        (!applied.is_empty()).then(|| applied.join(", "))
    }
}

/// The language of texts.
pub(crate) fn language(headers: &HeaderMap) -> Language {
    headers.get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()).map_or(Language::English, Language::choose)
}

/// Whether FHIR JSON is acceptable. `_format` overrides the header.
///
/// # Errors
/// The issue of a 406.
pub(crate) fn accepts_json(headers: &HeaderMap, format: Option<&str>) -> Result<(), Fault> {
    let acceptable = match format.filter(|format| !format.is_empty()) {
        // In a query an unescaped plus sign arrives as a space.
        Some(format) => format == "json" || is_json(media_range(&format.replace(' ', "+"))),
        None => accept_ranges(headers).is_none_or(|ranges| ranges.iter().any(|range| is_json(media_range(range)))),
    };
    if acceptable {
        return Ok(());
    }
    Err(fault(
        IssueType::NotSupported,
        "not-acceptable",
        "only application/fhir+json of FHIR 4.0 can be answered",
        "只能返回 FHIR 4.0 的 application/fhir+json",
    ))
}

/// Whether the caller asks for an OperationOutcome rather than for the acknowledgement of a message.
pub(crate) fn prefers_outcome(headers: &HeaderMap) -> bool {
    let Some(ranges) = accept_ranges(headers) else { return false };
    let named =
        |wanted: fn(&str) -> bool| ranges.iter().any(|range| media_range(range).is_some_and(|(name, _)| wanted(&name)));
    named(|name| FHIR_JSON_NAMES.contains(&name)) && !named(|name| name == ER7 || name == "text/plain")
}

/// What the request says its body is.
///
/// # Errors
/// The issue of a 415: a media type or a character set that is not taken.
pub(crate) fn sent(headers: &HeaderMap) -> Result<Sent, Fault> {
    let Some(value) = headers.get(CONTENT_TYPE) else { return Ok(Sent::Unsaid) };
    let text = value.to_str().unwrap_or("");
    let (name, parameters) = media_type(text);
    let utf8 = parameters.iter().all(|(name, value)| *name != "charset" || value.eq_ignore_ascii_case("utf-8"));
    let version = parameters.iter().all(|(name, value)| *name != "fhirversion" || value.starts_with("4.0"));
    let sent = match name.as_str() {
        ER7 | "application/hl7-v2" | "application/hl7-v2+er7" => return Ok(Sent::Er7),
        name if DOCUMENT_NAMES.contains(&name) => return Ok(Sent::Document),
        "application/json-patch+json" => Sent::JsonPatch,
        "application/x-www-form-urlencoded" => Sent::Form,
        name if FHIR_JSON_NAMES.contains(&name) => Sent::FhirJson,
        _ => return Err(media_type_refused()),
    };
    if utf8 && version { Ok(sent) } else { Err(media_type_refused()) }
}

/// The issue of a 415.
pub(crate) fn media_type_refused() -> Fault {
    fault(
        IssueType::NotSupported,
        "media-type",
        "the media type of the body is not taken here: send FHIR as application/fhir+json; messages and documents go to /ingest as \
         application/hl7-v2, application/xml, text/csv, text/plain or application/json",
        "不支持该请求体的媒体类型：FHIR 资源请用 application/fhir+json；消息与文件请发送至 /ingest，类型为 application/hl7-v2、\
         application/xml、text/csv、text/plain 或 application/json",
    )
}

/// The media ranges with a weight above zero; none where the header is absent or empty.
fn accept_ranges(headers: &HeaderMap) -> Option<Vec<String>> {
    let lines: Vec<&str> = headers.get_all(ACCEPT).iter().filter_map(|line| line.to_str().ok()).collect();
    let ranges: Vec<String> = lines
        .iter()
        .flat_map(|line| line.split(','))
        .map(|range| range.trim().to_owned())
        .filter(|range| !range.is_empty())
        .collect();
    let wanted = |range: &String| media_type(range).1.iter().all(|(name, value)| *name != "q" || !is_zero(value));
    (!ranges.is_empty()).then(|| ranges.into_iter().filter(wanted).collect())
}

/// Name and `fhirVersion` of a media range.
fn media_range(text: &str) -> Option<(String, Option<String>)> {
    let (name, parameters) = media_type(text);
    let version = parameters.into_iter().find(|(name, _)| *name == "fhirversion").map(|(_, value)| value.to_owned());
    (!name.is_empty()).then_some((name, version))
}

fn is_json(range: Option<(String, Option<String>)>) -> bool {
    let Some((name, version)) = range else { return false };
    let named = FHIR_JSON_NAMES.contains(&name.as_str()) || matches!(name.as_str(), "*/*" | "application/*" | "text/*");
    named && version.is_none_or(|version| version == "4.0" || version.starts_with("4.0."))
}

/// The name and the parameters of a media type, names in lower case.
fn media_type(text: &str) -> (String, Vec<(String, &str)>) {
    let mut parts = text.split(';');
    let name = parts.next().unwrap_or("").trim().to_ascii_lowercase();
    let parameters = parts.filter_map(|part| part.split_once('='));
    let parameters = parameters.map(|(name, value)| (name.trim().to_ascii_lowercase(), value.trim().trim_matches('"')));
    (name, parameters.collect())
}

fn is_zero(weight: &str) -> bool {
    weight.starts_with('0') && weight.bytes().all(|byte| matches!(byte, b'0' | b'.'))
}

/// HL7 v2 over HTTP names its delimited form so.
pub(crate) const ER7: &str = "x-application/hl7-v2+er7";
/// The charset that such a header states is no more than a hint (senders copy it), so it is not looked at.
const DOCUMENT_NAMES: [&str; 9] = [
    "text/plain",
    "text/csv",
    "text/xml",
    "text/tab-separated-values",
    "application/octet-stream",
    "application/xml",
    "application/soap+xml",
    "application/cda+xml",
    "application/hl7-cda+xml",
];

const FHIR_JSON_NAMES: [&str; 3] = ["application/fhir+json", "application/json", "text/json"];

#[cfg(test)]
mod tests {
    use super::{Prefer, Return, Sent, accepts_json, prefers_outcome, sent};
    use hyper::HeaderMap;
    use hyper::header::{HeaderName, HeaderValue};

    fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in lines {
            map.append(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
        }
        map
    }

    #[test]
    fn json_is_given_to_whoever_can_take_it() {
        let cases = [
            (None, None, true),
            (Some("application/fhir+json"), None, true),
            (Some("application/json"), None, true),
            (Some("text/json"), None, true),
            (Some("*/*"), None, true),
            (Some("application/xml, */*;q=0.1"), None, true),
            (Some("application/fhir+json;q=0, application/xml"), None, false),
            (Some("application/fhir+json; fhirVersion=4.0"), None, true),
            (Some("application/fhir+json; fhirVersion=3.0"), None, false),
            (Some("application/fhir+xml"), None, false),
            (Some("text/html, application/xhtml+xml"), None, false),
            (Some("text/html"), Some("json"), true),
            (None, Some("application/fhir json"), true),
            (None, Some("application/fhir+json"), true),
            (None, Some("xml"), false),
            (None, Some("application/fhir+xml"), false),
            (Some(""), None, true),
        ];
        for (accept, format, taken) in cases {
            let lines: Vec<_> = accept.map(|accept| ("accept", accept)).into_iter().collect();
            assert_eq!(accepts_json(&headers(&lines), format).is_ok(), taken, "{accept:?} {format:?}");
        }
    }

    #[test]
    fn a_body_is_taken_under_its_known_names_in_utf_8() {
        let cases = [
            ("application/fhir+json", Some(Sent::FhirJson)),
            ("application/fhir+json; charset=utf-8", Some(Sent::FhirJson)),
            ("Application/JSON;charset=UTF-8", Some(Sent::FhirJson)),
            ("application/fhir+json; fhirVersion=4.0", Some(Sent::FhirJson)),
            ("application/fhir+json; fhirVersion=5.0", None),
            ("application/json; charset=gb18030", None),
            ("application/json-patch+json", Some(Sent::JsonPatch)),
            ("application/x-www-form-urlencoded", Some(Sent::Form)),
            ("x-application/hl7-v2+er7; charset=gb18030", Some(Sent::Er7)),
            ("application/fhir+xml", None),
            ("", None),
        ];
        for (name, expected) in cases {
            assert_eq!(sent(&headers(&[("content-type", name)])).ok(), expected, "{name}");
        }
        assert_eq!(sent(&HeaderMap::new()).ok(), Some(Sent::Unsaid));
    }

    #[test]
    fn preferences_are_read_from_every_form_of_the_header() {
        let read =
            |lines: &[&str]| Prefer::read(&headers(&lines.iter().map(|line| ("prefer", *line)).collect::<Vec<_>>()));
        assert_eq!(
            read(&["return=minimal, handling=lenient"]),
            Prefer { body: Some(Return::Minimal), lenient: Some(true) }
        );
        assert_eq!(read(&["return=\"representation\"; foo=1"]).body, Some(Return::Representation));
        assert_eq!(
            read(&["handling=strict", "return=OperationOutcome"]),
            Prefer { body: Some(Return::OperationOutcome), lenient: Some(false) }
        );
        assert_eq!(read(&["return=minimal", "return=representation"]).body, Some(Return::Minimal), "the first counts");
        assert_eq!(read(&["return=everything, wait=5, respond-async"]), Prefer::default());
    }

    #[test]
    fn only_what_was_honoured_is_said_to_be_applied() {
        let prefer = Prefer { body: Some(Return::Minimal), lenient: Some(true) };
        assert_eq!(prefer.applied(true, true).as_deref(), Some("return=minimal, handling=lenient"));
        assert_eq!(prefer.applied(false, true).as_deref(), Some("handling=lenient"));
        assert_eq!(prefer.applied(false, false), None);
    }

    #[test]
    fn an_outcome_instead_of_an_acknowledgement_is_asked_for_by_name() {
        for (accept, outcome) in
            [("application/fhir+json", true), ("*/*", false), ("x-application/hl7-v2+er7, application/json", false)]
        {
            assert_eq!(prefers_outcome(&headers(&[("accept", accept)])), outcome, "{accept}");
        }
        assert!(!prefers_outcome(&HeaderMap::new()));
    }
}
