//! Codes that a table translated, and values that stand fuller in an extension.

use dukou_fhir::{Object, Value};
use dukou_terminology::Table;

use super::elements::Element;
use super::value::code_back;
use crate::plan::{RestPlan, Write};

/// The concept or coding as the sender had it: without the translation, or with the code that leads to it.
pub(crate) fn untranslated<'v>(value: &Value<'v>, table: &Table) -> Option<Value<'v>> {
    let object = value.as_object()?;
    let Some(codings) = object.get("coding").and_then(Value::as_array) else {
        // A coding, or a concept of text alone.
        return match object.get("code").and_then(Value::as_str) {
            Some(code) => Some(Value::Object(sent(object, table, code)?)),
            None => Some(value.clone()),
        };
    };
    let translated = codings.iter().position(|coding| is_translation(coding, table));
    let Some(translated) = translated else { return Some(value.clone()) };
    let mut own: Vec<Value<'v>> = Vec::with_capacity(codings.len());
    own.extend(codings.iter().enumerate().filter(|(at, _)| *at != translated).map(|(_, coding)| coding.clone()));
    let coding = codings[translated].as_object()?;
    let back = coding.get("code").and_then(Value::as_str).and_then(|code| sent(coding, table, code));
    // The sender's own coding stands behind the translation where the two say different things.
    let stands = own.first().is_some_and(|first| {
        let code = first.text_at("code");
        code.is_some_and(|code| leads_to(code, coding, table))
    });
    if !stands {
        own.insert(0, Value::Object(back?));
    }
    let mut concept = Object::with_capacity(object.len());
    for (name, value) in object.iter() {
        if name == "coding" {
            concept.insert("coding", Value::Array(std::mem::take(&mut own)));
        } else {
            concept.insert(name.to_owned(), value.clone());
        }
    }
    Some(Value::Object(concept))
}

/// Whether the table leads from a code to this value.
pub(crate) fn translates(table: &Table, code: &str, value: &Value<'_>) -> bool {
    match table.translate(code) {
        dukou_terminology::Translation::Coded(found) => value.as_str() == Some(found.code.as_ref()),
        _ => false,
    }
}

/// Whether the table leads from this code to that coding.
fn leads_to(code: &str, coding: &Object<'_>, table: &Table) -> bool {
    let target = coding.get("code").and_then(Value::as_str);
    match table.translate(code) {
        dukou_terminology::Translation::Coded(found) => Some(found.code.as_ref()) == target,
        _ => false,
    }
}

fn is_translation(coding: &Value<'_>, table: &Table) -> bool {
    let (system, code) = (coding.text_at("system"), coding.text_at("code"));
    let Some(code) = code else { return false };
    table.targets().any(|(target, known)| known == code && target == system)
}

fn sent<'v>(coding: &Object<'v>, table: &Table, code: &str) -> Option<Object<'v>> {
    let own = code_back(table, code)?.into_owned();
    let source = table.head().source.clone();
    let mut sent = Object::new();
    if !source.is_empty() {
        sent.insert("system", source);
    }
    sent.insert("code", own);
    if let Some(display) = coding.get("display") {
        sent.insert("display", display.clone());
    }
    Some(sent)
}

/// The value in full, where the rule puts what its lens cannot carry into an extension beside it.
pub(crate) fn fuller<'t, 'v>(write: &Write, element: &Element<'t, 'v>) -> Option<&'t Value<'v>> {
    let RestPlan::Extension(url) = &write.rest else { return None };
    let beside = &write.targets.first()?.beside;
    let extensions = element.parent.get(beside)?.get("extension")?.as_array()?;
    let own = extensions.iter().find(|extension| extension.text_at("url") == Some(url))?;
    let fuller = own.get("valueDateTime")?;
    // It counts only as long as it says the same day.
    fuller.as_str()?.starts_with(element.value.as_str()?).then_some(fuller)
}
