//! What one Patient says about others: `Patient.link` (FHIR R4), and numbers that it no longer uses.

use dukou_fhir::{LogicalId, Object, ResourceKey, Value};

/// The record that goes on for this one.
pub(crate) fn replaced_by(patient: &Value<'_>) -> Option<LogicalId> {
    let link = patient.list_at("link").iter().find(|link| link.text_at("type") == Some("replaced-by"))?;
    let key = ResourceKey::parse(link.text_at("other.reference")?)?;
    (key.kind == dukou_fhir::ResourceType::PATIENT).then_some(key.id)
}

/// The number by which a link names the record that goes on, where it names it by number alone (IHE PIXm, ITI-104).
pub(crate) fn replaced_by_number(patient: &Value<'_>) -> Option<(String, String)> {
    let link = patient.list_at("link").iter().find(|link| link.text_at("type") == Some("replaced-by"))?;
    if link.text_at("other.reference").is_some() {
        return None;
    }
    let text = |path: &str| link.text_at(path).map(str::to_owned);
    Some((text("other.identifier.system")?, text("other.identifier.value")?))
}

/// Writes the record that goes on into the link that named it by number.
pub(crate) fn name_survivor(patient: &mut Value<'static>, survivor: &ResourceKey) {
    let Some(links) = patient.get_mut("link").and_then(Value::as_array_mut) else { return };
    let replaced = links.iter_mut().find(|link| link.text_at("type") == Some("replaced-by"));
    if let Some(other) = replaced.and_then(|link| link.get_mut("other")).and_then(Value::as_object_mut) {
        other.insert("reference", survivor.to_string());
    }
}

/// Whether the Patient has this link.
pub(crate) fn has(patient: &Value<'_>, kind: &str, to: &LogicalId) -> bool {
    let to = format!("Patient/{to}");
    patient.list_at("link").iter().any(|link| is(link, kind, &to))
}

/// Adds a link, once. A record that is replaced is no longer active.
pub(crate) fn add(patient: &mut Value<'static>, kind: &'static str, to: &LogicalId) {
    let is_there = has(patient, kind, to);
    let Some(patient) = patient.as_object_mut() else { return };
    if kind == "replaced-by" {
        patient.insert("active", false);
    }
    if is_there {
        return;
    }
    let other = Object::new().with("reference", format!("Patient/{to}"));
    push(patient, "link", Object::new().with("other", other).with("type", kind));
}

/// Takes a link away. A record that nobody replaces any more is active again.
pub(crate) fn remove(patient: &mut Value<'static>, kind: &str, to: &LogicalId) {
    let was_there = has(patient, kind, to);
    let to = format!("Patient/{to}");
    let Some(patient) = patient.as_object_mut() else { return };
    retain(patient, "link", |link| !is(link, kind, &to));
    if was_there && kind == "replaced-by" {
        patient.insert("active", true);
    }
}

/// Marks a number as used until a day, FHIR date or dateTime; adds it where it is missing.
pub(crate) fn close(resource: &mut Value<'static>, system: &str, value: &str, kind: Option<&str>, until: Option<&str>) {
    let Some(object) = resource.as_object_mut() else { return };
    let mut identifiers = match object.remove("identifier") {
        Some(Value::Array(known)) => known,
        _ => Vec::new(),
    };
    let place = identifiers.iter().position(|one| is_number(one, system, value));
    if place.is_none() {
        identifiers.push(number(system, value, kind));
    }
    let at = place.unwrap_or(identifiers.len() - 1);
    if let Some(identifier) = identifiers[at].as_object_mut() {
        identifier.insert("use", "old");
        if let Some(until) = until {
            let mut period = match identifier.remove("period") {
                Some(Value::Object(period)) => period,
                _ => Object::new(),
            };
            period.insert("end", until.to_owned());
            identifier.insert("period", period);
        }
    }
    object.insert("identifier", Value::Array(identifiers));
}

/// Whether the resource holds a number.
pub(crate) fn holds(resource: &Value<'_>, system: &str, value: &str) -> bool {
    resource.list_at("identifier").iter().any(|one| is_number(one, system, value))
}

/// Adds a number, once.
pub(crate) fn add_number(resource: &mut Value<'static>, system: &str, value: &str, kind: Option<&str>) {
    if !holds(resource, system, value)
        && let Some(object) = resource.as_object_mut()
    {
        let Value::Object(made) = number(system, value, kind) else { return };
        push(object, "identifier", made);
    }
}

/// Takes a number away.
pub(crate) fn drop_number(resource: &mut Value<'static>, system: &str, value: &str) {
    if let Some(object) = resource.as_object_mut() {
        retain(object, "identifier", |one| !is_number(one, system, value));
    }
}

fn number(system: &str, value: &str, kind: Option<&str>) -> Value<'static> {
    let mut identifier = Object::new();
    if let Some(kind) = kind {
        let coding = Object::new().with("system", V2_0203).with("code", kind.to_owned());
        identifier.insert("type", Object::new().with("coding", vec![Value::from(coding)]));
    }
    if !system.is_empty() {
        identifier.insert("system", system.to_owned());
    }
    Value::from(identifier.with("value", value.to_owned()))
}

fn is_number(identifier: &Value<'_>, system: &str, value: &str) -> bool {
    identifier.text_at("system").unwrap_or_default() == system && identifier.text_at("value") == Some(value)
}

fn is(link: &Value<'_>, kind: &str, to: &str) -> bool {
    link.text_at("type") == Some(kind) && link.text_at("other.reference") == Some(to)
}

pub(crate) fn push(object: &mut Object<'static>, list: &'static str, item: Object<'static>) {
    match object.get_mut(list).and_then(Value::as_array_mut) {
        Some(items) => items.push(item.into()),
        None => {
            object.insert(list, vec![Value::from(item)]);
        }
    }
}

/// Keeps some items of a list; a list without items is no element.
pub(crate) fn retain(object: &mut Object<'static>, list: &'static str, keeps: impl Fn(&Value<'static>) -> bool) {
    let Some(items) = object.get_mut(list).and_then(Value::as_array_mut) else { return };
    items.retain(keeps);
    if items.is_empty() {
        object.remove(list);
    }
}

const V2_0203: &str = "http://terminology.hl7.org/CodeSystem/v2-0203";

#[cfg(test)]
mod tests {
    use super::{add, add_number, close, drop_number, remove, replaced_by};
    use dukou_fhir::{LogicalId, Value, json};

    fn id(text: &str) -> LogicalId {
        LogicalId::parse(text).unwrap()
    }

    fn printed(value: &Value<'_>) -> String {
        let mut out = Vec::new();
        json::print(value, &mut out);
        String::from_utf8(out).unwrap()
    }

    fn patient() -> Value<'static> {
        json::parse(br#"{"resourceType":"Patient"}"#, &json::Limits::default()).unwrap().into_static()
    }

    #[test]
    fn a_link_is_added_once_and_leaves_no_trace_when_taken_away() {
        let mut patient = patient();
        add(&mut patient, "replaced-by", &id("b"));
        add(&mut patient, "replaced-by", &id("b"));
        assert_eq!(
            printed(&patient),
            r#"{"resourceType":"Patient","active":false,"link":[{"other":{"reference":"Patient/b"},"type":"replaced-by"}]}"#
        );
        assert_eq!(replaced_by(&patient), Some(id("b")));
        remove(&mut patient, "replaced-by", &id("c"));
        assert_eq!(replaced_by(&patient), Some(id("b")));
        remove(&mut patient, "replaced-by", &id("b"));
        assert_eq!(printed(&patient), r#"{"resourceType":"Patient","active":true}"#);
    }

    #[test]
    fn a_number_that_is_no_longer_used_is_kept_with_its_last_day() {
        let mut patient = patient();
        add_number(&mut patient, "urn:oid:1", "7", Some("MR"));
        close(&mut patient, "urn:oid:1", "7", None, Some("2026-03-15"));
        close(&mut patient, "", "8", None, None);
        assert!(printed(&patient).contains(
            r#""system":"urn:oid:1","value":"7","use":"old","period":{"end":"2026-03-15"}},{"value":"8","use":"old"}"#
        ));
        drop_number(&mut patient, "urn:oid:1", "7");
        drop_number(&mut patient, "", "8");
        assert_eq!(printed(&patient), r#"{"resourceType":"Patient"}"#);
    }
}
