//! Strings: names, addresses, titles (search, 3.1.1.5.9).

use super::fold::{fold, has_han, key_part, word_starts};
use super::posting::Form;
use super::values::{Postings, Union};
use crate::Value;
use crate::path::Item;

/// A string as a client asks for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// The beginning of a value, or of a word of a person's name; folded.
    Prefix(String),
    /// The whole value, byte for byte.
    Exact(String),
    /// Any part of a value; folded.
    Contains(String),
}

impl Wanted {
    pub(crate) fn matches(&self, item: &Item<'_>) -> bool {
        any(item, &mut |text, is_name| match self {
            Wanted::Exact(wanted) => text == wanted,
            Wanted::Contains(wanted) => fold(text).contains(wanted.as_str()),
            Wanted::Prefix(wanted) if is_name => word_starts(&fold(text)).any(|word| word.starts_with(wanted.as_str())),
            Wanted::Prefix(wanted) => fold(text).starts_with(wanted.as_str()),
        })
    }

    pub(crate) fn look_up(&self, union: &mut Union<'_>) {
        match self {
            Wanted::Prefix(folded) => {
                let part = key_part(folded);
                if part.len() < folded.len() {
                    union.check_bodies();
                }
                union.range(Form::String, part, part);
            }
            Wanted::Exact(text) => {
                union.check_bodies();
                let folded = fold(text);
                union.key(Form::String, key_part(&folded));
            }
            Wanted::Contains(_) => {
                union.check_bodies();
                union.presence();
            }
        }
    }
}

/// The keys of every string of an element; of a name also from the beginning of each word.
pub(crate) fn post(item: &Item<'_>, postings: &mut Postings<'_>) {
    any(item, &mut |text, is_name| {
        let folded = fold(text);
        if is_name {
            word_starts(&folded).for_each(|word| postings.add(Form::String, key_part(word)));
        } else {
            postings.add(Form::String, key_part(&folded));
        }
        false
    });
}

/// Whether the test holds for one of the strings of an element; it is told whether they are parts of a person's name.
fn any(item: &Item<'_>, test: &mut dyn FnMut(&str, bool) -> bool) -> bool {
    match item.datatype {
        "HumanName" => {
            any_member(item.value, &["text", "family", "given", "prefix", "suffix"], &mut |text| test(text, true))
                || written_together(item.value).is_some_and(|text| test(&text, true))
        }
        "Address" => {
            let members = ["text", "line", "city", "district", "state", "postalCode", "country"];
            any_member(item.value, &members, &mut |text| test(text, false))
        }
        "CodeableConcept" => any_member(item.value, &["text"], &mut |text| test(text, false)),
        _ => item.value.as_str().is_some_and(|text| test(text, false)),
    }
}

fn any_member(value: &Value<'_>, names: &[&str], test: &mut dyn FnMut(&str) -> bool) -> bool {
    let Some(object) = value.as_object() else { return false };
    object.iter().filter(|(name, _)| names.contains(name)).any(|(_, member)| match member {
        Value::String(text) => test(text),
        Value::Array(values) => values.iter().filter_map(Value::as_str).any(&mut *test),
        _ => false,
    })
}

/// Family and given name without a blank, as Chinese names are written and asked for.
fn written_together(name: &Value<'_>) -> Option<String> {
    let family = name.text_at("family").filter(|family| has_han(family))?;
    let given: String = name.list_at("given").iter().filter_map(Value::as_str).collect();
    (!given.is_empty()).then(|| format!("{family}{given}"))
}
