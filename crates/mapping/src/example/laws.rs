//! What must hold of every message, whatever a map says.

use dukou_fhir::{Value, validate};
use dukou_wire::{Format, Limits, Message, delimited, er7, json, xml};

use crate::plan::Program;
use crate::reverse::Outbound;
use crate::run::Site;

/// The laws by which an example may be asked to abide; `all` is all of them.
pub(crate) const NAMES: [&str; 8] = ["all", "L1", "L2", "L3", "L4", "L5", "L7", "L8"];

impl Program {
    /// The laws that a message breaks, each in a sentence; nothing where all hold: what nobody changed gives back the message
    /// byte for byte, the account adds up, a second run gives the same, the changes applied to their own result change nothing, every resource is valid R4, `""` is never a value
    /// and what is left out deletes nothing.
    pub fn broken_laws(&self, message: &Message<'_>, site: &Site<'_>) -> Vec<String> {
        let mut broken = Vec::new();
        let mapped = self.to_fhir(message, site);
        let accounts = &mapped.accounts;
        if accounts.leaves != accounts.emitted + accounts.complement + accounts.dropped + accounts.reported {
            broken.push("L4: the account of the leaves does not add up".to_owned());
        }
        if self.to_fhir(message, site).to_bundle() != mapped.to_bundle() {
            broken.push("L5: a second run gives another result".to_owned());
        }
        for change in &mapped.changes {
            let made = change.apply(None);
            if change.apply(Some(&made)) != made {
                broken.push(format!("L5: {} changes when the same message comes again", change.key.kind));
            }
            let faults = validate::validate(&made, &validate::Options::default());
            for fault in faults.iter().filter(|fault| fault.severity.is_error()) {
                broken.push(format!("L7: {} is not valid R4: {}", fault.expression.join(", "), fault.text.en));
            }
        }
        self.way_back(message, &mapped.to_bundle(), site, &mut broken);
        self.nulls(message, site, &mut broken);
        broken
    }

    /// A view that nobody changed gives back the message byte for byte.
    fn way_back(&self, message: &Message<'_>, view: &Value<'_>, site: &Site<'_>, broken: &mut Vec<String>) {
        let sent = match message.format() {
            Format::Er7 => er7::print(message),
            Format::Xml => xml::print(message),
            Format::Json => json::print(message),
            Format::Delimited => delimited::print(message),
        };
        let nothing = Outbound { profile: "", control_id: "", time: "", charset: "" };
        match self.from_fhir(view, &nothing, Some(message), site) {
            Ok(written) if written.bytes == sent => {}
            Ok(written) => {
                let same = written.bytes.iter().zip(&sent).take_while(|(one, two)| one == two).count();
                broken.push(format!("L1: the way back gives another message, from byte {} on", same + 1));
            }
            Err(error) => broken.push(format!("L1: there is no way back: {error}")),
        }
    }

    /// Each field in turn says `""`, then nothing at all.
    fn nulls(&self, message: &Message<'_>, site: &Site<'_>, broken: &mut Vec<String>) {
        if message.format() != Format::Er7 {
            return;
        }
        let cleared = |text: &str| -> Option<(bool, Vec<String>)> {
            let (message, _) = er7::parse(text.as_bytes(), &Limits::default(), &dukou_wire::Site::default()).ok()?;
            let mapped = self.to_fhir(&message, site);
            let literal = mapped.changes.iter().any(|change| holds_null(&change.apply(None)));
            let clears = mapped.changes.iter().flat_map(|change| &change.clear).map(ToString::to_string).collect();
            Some((literal, clears))
        };
        let Ok(whole) = String::from_utf8(er7::print(message)) else { return };
        // Where something is deleted already, an empty field may leave the turn to another rule that deletes.
        let silent = !whole.contains("\"\"");
        let Some((_, already)) = cleared(&whole) else { return };
        let segments: Vec<&str> = whole.split('\r').collect();
        for (number, segment) in segments.iter().enumerate().filter(|(_, segment)| !segment.starts_with("MSH")) {
            let fields: Vec<&str> = segment.split('|').collect();
            for (field, _) in fields.iter().enumerate().skip(1).filter(|(_, text)| !text.is_empty()).take(FIELDS_MAX) {
                let with = |said: &str| {
                    let mut fields = fields.clone();
                    fields[field] = said;
                    let line = fields.join("|");
                    let mut segments = segments.clone();
                    segments[number] = &line;
                    segments.join("\r")
                };
                let path = format!("{}-{field}", fields[0]);
                if cleared(&with("\"\"")).is_some_and(|(literal, _)| literal) {
                    broken.push(format!("L8: \"\" in {path} becomes a value"));
                }
                if silent && cleared(&with("")).is_some_and(|(_, now)| now.iter().any(|one| !already.contains(one))) {
                    broken.push(format!("L8: an empty {path} deletes something"));
                }
            }
        }
    }
}

fn holds_null(value: &Value<'_>) -> bool {
    match value {
        Value::String(text) => text == "\"\"",
        Value::Array(items) => items.iter().any(holds_null),
        Value::Object(object) => object.iter().any(|(_, value)| holds_null(value)),
        _ => false,
    }
}

/// Fields of one segment that are tried; examples are short.
const FIELDS_MAX: usize = 64;
