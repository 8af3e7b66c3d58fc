//! `Patient/$card`: a number in, the masked card of whoever holds it out. The look-up of a counter, thousands of times an hour.

use dukou_audit::Permit;
use dukou_exchange::CardFound;
use dukou_fhir::{IssueType, Object, Value};

use crate::ask::Ask;
use crate::desk::Desk;
use crate::fault::{Fault, fault_at};
use crate::read::Shown;
use crate::reply::{Reply, print};

/// Takes one `identifier` (`valueIdentifier` with system and value) and answers one `card` for each record that states the number: its
/// `record`, the `person` by the record that leads it, and the person's card with every value masked. Nobody: no `card`, with 200.
pub(crate) fn card(desk: &Desk, ask: &Ask, permit: &Permit<'_>, content: &Value<'_>) -> Shown {
    let refuse = |fault: Fault| Reply::fault(fault, ask.language);
    let parts = content.list_at("parameter");
    let [part] = parts else { return Err(refuse(one_identifier())) };
    let text = |name: &str| part.get("valueIdentifier").and_then(|identifier| identifier.text_at(name)).unwrap_or("");
    let (system, value) = (text("system"), text("value"));
    if part.text_at("name") != Some("identifier") || system.is_empty() || value.is_empty() {
        return Err(refuse(one_identifier()));
    }
    let found = desk.exchange.card(permit, system, value).map_err(|error| Reply::error(&error, ask.language))?;
    Ok(found.map(|found| {
        let cards: Vec<Value<'static>> = found.iter().map(one).collect();
        let nobody = cards.is_empty();
        let mut answer = Object::new().with("resourceType", "Parameters");
        if !nobody {
            answer.insert("parameter", cards);
        }
        Reply::fhir(200, print(&answer.into())).missed(nobody)
    }))
}

fn one(found: &CardFound) -> Value<'static> {
    let part = |name: &'static str, of: &'static str, value: Value<'static>| -> Value<'static> {
        Object::new().with("name", name).with(of, value).into()
    };
    let reference = |id: &str| Value::from(Object::new().with("reference", format!("Patient/{id}")));
    let masked = found.card.masked();
    let mut parts = vec![
        part("record", "valueReference", reference(found.record.as_str())),
        part("person", "valueReference", reference(found.person.leader().as_str())),
        part("active", "valueBoolean", found.card.active.into()),
    ];
    let texts = [("name", masked.name), ("birth", masked.birth), ("phone", masked.phone), ("address", masked.address)];
    let stated = texts.into_iter().filter(|(_, text)| !text.is_empty());
    parts.extend(stated.map(|(name, text)| part(name, "valueString", text.into())));
    parts.extend(masked.sex.map(|sex| part("sex", "valueCode", sex.to_string().into())));
    Object::new().with("name", "card").with("part", parts).into()
}

fn one_identifier() -> Fault {
    let en = "$card takes exactly one identifier, a valueIdentifier with system and value";
    let zh = "$card 需要且只需要一个 identifier，即含 system 与 value 的 valueIdentifier";
    fault_at(IssueType::Invalid, "card-identifier", "Parameters.parameter", en, zh)
}
