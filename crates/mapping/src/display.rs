//! What a Reference shows of the resource it points to.

use dukou_fhir::Value;

/// The name of a small resource, else its first identifier.
pub(crate) fn of<'m>(resource: &Value<'m>) -> Option<Value<'m>> {
    let name = match resource.get("name") {
        Some(Value::String(name)) => Some(Value::String(name.clone())),
        Some(Value::Array(names)) => names.first().and_then(person),
        _ => None,
    };
    let name = name.or_else(|| resource.get("deviceName[0].name").cloned());
    name.or_else(|| resource.get("identifier[0].value").cloned()).filter(|value| value.as_str().is_some())
}

fn person<'m>(name: &Value<'m>) -> Option<Value<'m>> {
    if let Some(text) = name.get("text") {
        return Some(text.clone());
    }
    let family = name.text_at("family").unwrap_or("");
    let given: Vec<&str> = name.list_at("given").iter().filter_map(Value::as_str).collect();
    // A Chinese name is written without blank, family name first.
    if family.chars().next().is_some_and(|c| c >= '\u{3400}') {
        return Some(Value::from(format!("{family}{}", given.concat())));
    }
    let text = format!("{} {family}", given.join(" "));
    (!text.trim().is_empty()).then(|| Value::from(text.trim().to_owned()))
}
