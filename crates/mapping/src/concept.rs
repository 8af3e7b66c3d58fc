//! Translated codes beside the codes that were sent.

use dukou_fhir::{Object, Value};

/// The translated coding stands first; the sender's own stays behind it unless the two say the same: same code and
/// system, no system, or the system of a table (`source`) that leads back from the translation.
pub(crate) fn concept_with<'m>(
    mut concept: Object<'m>,
    translated: Option<Object<'m>>,
    source: Option<&str>,
    text: &str,
) -> Object<'m> {
    // A bare code comes as a coding without a concept around it.
    let bare = concept.contains("code") && !concept.contains("coding");
    let own: Vec<Value<'m>> = match concept.remove("coding") {
        Some(Value::Array(own)) => own,
        _ if bare => vec![Value::Object(std::mem::take(&mut concept))],
        _ => Vec::new(),
    };
    let Some(mut translated) = translated else {
        if !concept.contains("text") {
            concept.insert("text", text.to_owned());
        }
        return concept;
    };
    let mut codings = Vec::with_capacity(own.len() + 1);
    let same = |coding: &Value<'m>, translated: &Object<'m>| {
        let equal = |name: &str| coding.get(name) == translated.get(name);
        let own = coding.text_at("system");
        let leads_back = source.is_some_and(|source| own == Some(source) && coding.text_at("code") == Some(text));
        leads_back || (equal("code") && (equal("system") || own.is_none()))
    };
    let mut own = own;
    own.retain(|coding| {
        let twin = same(coding, &translated);
        if twin && let Some(display) = coding.get("display") {
            translated.insert("display", display.clone());
        }
        !twin
    });
    codings.push(Value::Object(translated));
    codings.extend(own);
    concept.insert("coding", Value::Array(codings));
    concept
}
