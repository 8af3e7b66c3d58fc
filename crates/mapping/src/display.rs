//! What a Reference shows of the resource it points to.

use dukou_fhir::{Branch, Forest, NodeId};

/// The name of a small resource, else its first identifier; of a role, the person in it.
pub(crate) fn of(forest: &mut Forest<'_>, resource: NodeId) -> Option<NodeId> {
    let resource = forest.branch(resource);
    let within = |list: &str, member: &str| resource.get(list)?.items().next()?.get(member);
    let name = resource.get("name");
    let first = name.and_then(|names| names.items().next());
    let said = match (name, first) {
        (_, Some(person)) => {
            if let Some(text) = person.get("text") {
                Some(text)
            } else if let Some(text) = spoken(person) {
                return Some(forest.string(text));
            } else {
                None
            }
        }
        (Some(name), None) if name.as_str().is_some() => Some(name),
        _ => None,
    };
    let person = resource.get("practitioner").and_then(|person| person.get("display"));
    let said = said.or(person).or_else(|| within("deviceName", "name")).or_else(|| within("identifier", "value"));
    let said = said.filter(|value| value.as_str().is_some())?.node();
    Some(forest.copy(said))
}

/// A person's name as it is spoken.
fn spoken(name: Branch<'_, '_>) -> Option<String> {
    let family = name.text_at("family").unwrap_or("");
    let given: Vec<&str> =
        name.get("given").map(|given| given.items().filter_map(Branch::as_str).collect()).unwrap_or_default();
    // A Chinese name is written without blank, family name first.
    if family.chars().next().is_some_and(|c| c >= '\u{3400}') {
        return Some(format!("{family}{}", given.concat()));
    }
    let text = format!("{} {family}", given.join(" "));
    (!text.trim().is_empty()).then(|| text.trim().to_owned())
}
