//! Tokens: codes, identifiers, booleans (search, 3.1.1.5.10).

use std::borrow::Cow;

use super::fold;
use super::posting::{Form, digest};
use super::values::{Postings, Union};
use crate::Value;
use crate::path::Item;

/// One coded value of a resource.
struct Coded<'v> {
    system: System<'v>,
    code: &'v str,
    /// Whether case counts.
    exact: bool,
}

enum System<'v> {
    /// As it stands beside the code, or nothing beside it.
    Said(Option<&'v str>),
    /// The element's binding tells it; the resource does not.
    Implied,
}

/// A token as a client asks for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    system: WantedSystem,
    /// Nothing for `system|`.
    code: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum WantedSystem {
    /// `code`.
    Any,
    /// `|code`.
    Without,
    /// `system|code`.
    Is(String),
}

/// `identifier:of-type=system|code|value`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct WantedOfType {
    system: String,
    code: String,
    value: String,
}

impl Wanted {
    /// From the parts between the `|` of a value.
    pub(crate) fn parse(parts: &[String]) -> Option<Wanted> {
        match parts {
            [code] if !code.is_empty() => Some(Wanted { system: WantedSystem::Any, code: Some(code.clone()) }),
            [system, code] if system.is_empty() && code.is_empty() => None,
            [system, code] => {
                let code = Some(code.clone()).filter(|code| !code.is_empty());
                let system = match system.is_empty() {
                    true => WantedSystem::Without,
                    false => WantedSystem::Is(system.clone()),
                };
                Some(Wanted { system, code })
            }
            _ => None,
        }
    }

    pub(crate) fn matches(&self, item: &Item<'_>) -> bool {
        any(item, &mut |coded| self.meets(coded))
    }

    /// The system and the code of `system|code`; no code for `system|`.
    pub(crate) fn in_system(&self) -> Option<(&str, Option<&str>)> {
        match &self.system {
            WantedSystem::Is(system) => Some((system, self.code.as_deref())),
            _ => None,
        }
    }

    /// The same code in another system.
    pub(crate) fn with_system(&self, system: String) -> Wanted {
        Wanted { system: WantedSystem::Is(system), code: self.code.clone() }
    }

    fn meets(&self, coded: &Coded<'_>) -> bool {
        let system = match (&self.system, &coded.system) {
            (WantedSystem::Any, _) | (WantedSystem::Without, System::Said(None) | System::Implied) => true,
            (WantedSystem::Is(wanted), System::Said(Some(said))) => wanted == said,
            (WantedSystem::Is(wanted), System::Implied) => BOUND_SYSTEMS.iter().any(|begin| wanted.starts_with(begin)),
            _ => false,
        };
        let code = self.code.as_deref().is_none_or(|wanted| match coded.exact {
            true => wanted == coded.code,
            false => same_code(wanted, coded.code),
        });
        system && code
    }

    /// The keys of the resources that may match; never exact, since short hashes stand in them.
    pub(crate) fn look_up(&self, union: &mut Union<'_>) {
        union.check_bodies();
        let Some(code) = &self.code else { return union.presence() };
        // A code whose system is implied has no key with a system; where no element is so, the sharper key does.
        let implied = union.parameter().datatypes().iter().any(|datatype| is_bound_code(datatype));
        match &self.system {
            WantedSystem::Is(system) if !implied => union.key(Form::Token, &full_hash(system, code)),
            _ => union.key(Form::TokenCode, &code_hash(code)),
        }
    }
}

impl WantedOfType {
    /// From the three parts between the `|` of a value.
    pub(crate) fn parse(parts: &[String]) -> Option<WantedOfType> {
        let [system, code, value] = parts else { return None };
        let full = !system.is_empty() && !code.is_empty() && !value.is_empty();
        full.then(|| WantedOfType { system: system.clone(), code: code.clone(), value: value.clone() })
    }

    pub(crate) fn matches(&self, item: &Item<'_>) -> bool {
        let typed = item.value.list_at("type.coding").iter().any(|coding| {
            coding.text_at("system") == Some(&self.system)
                && coding.text_at("code").is_some_and(|code| same_code(code, &self.code))
        });
        item.datatype == "Identifier" && typed && item.value.text_at("value") == Some(&self.value)
    }

    pub(crate) fn look_up(&self, union: &mut Union<'_>) {
        union.check_bodies();
        union.key(Form::TokenCode, &code_hash(&self.value));
    }
}

/// Whether one of the types, as system and code, stands beside an identifier.
pub(crate) fn is_of_type(item: &Item<'_>, types: &[(String, String)]) -> bool {
    item.value.list_at("type.coding").iter().any(|coding| {
        let (system, code) = (coding.text_at("system"), coding.text_at("code"));
        types.iter().any(|(of, wanted)| system == Some(of) && code.is_some_and(|code| same_code(code, wanted)))
    })
}

/// Whether a text that stands beside the code (`text`, `display`, the text of an identifier's type) has a word that
/// begins with an already folded one: the modifier `:text`.
pub(crate) fn matches_text(item: &Item<'_>, folded: &str) -> bool {
    let begins = |text: Option<&str>| {
        text.is_some_and(|text| fold::word_starts(&fold::fold(text)).any(|word| word.starts_with(folded)))
    };
    let concept = |value: &Value<'_>| {
        begins(value.text_at("text")) || value.list_at("coding").iter().any(|coding| begins(coding.text_at("display")))
    };
    match item.datatype {
        "CodeableConcept" => concept(item.value),
        "Coding" => begins(item.value.text_at("display")),
        "Identifier" => item.value.get("type").is_some_and(concept),
        "ContactPoint" => false,
        _ => begins(item.value.as_str()),
    }
}

/// The keys of every coded value of an element.
pub(crate) fn post(item: &Item<'_>, postings: &mut Postings<'_>) {
    any(item, &mut |coded| {
        postings.add(Form::TokenCode, &code_hash(coded.code));
        match coded.system {
            System::Said(Some(system)) => postings.add(Form::Token, &full_hash(system, coded.code)),
            System::Said(None) | System::Implied => {}
        }
        false
    });
}

/// What the token sorts by: its code in lower case, then its system.
pub(crate) fn sort_texts(item: &Item<'_>, found: &mut dyn FnMut(String)) {
    any(item, &mut |coded| {
        let system = match coded.system {
            System::Said(Some(system)) => system,
            _ => "",
        };
        found(format!("{}\0{system}", lower(coded.code)));
        false
    });
}

/// Whether the test holds for one of the coded values of an element.
fn any<'v>(item: &Item<'v>, test: &mut dyn FnMut(&Coded<'v>) -> bool) -> bool {
    let value = item.value;
    match item.datatype {
        "CodeableConcept" => value.list_at("coding").iter().any(|coding| any_coding(coding, test)),
        "Coding" => any_coding(value, test),
        "Identifier" => member(value, "value")
            .is_some_and(|code| test(&Coded { system: System::Said(member(value, "system")), code, exact: true })),
        "ContactPoint" => member(value, "value")
            .is_some_and(|code| test(&Coded { system: System::Said(member(value, "system")), code, exact: false })),
        "boolean" => value.as_bool().is_some_and(|flag| {
            test(&Coded { system: System::Implied, code: if flag { "true" } else { "false" }, exact: false })
        }),
        "id" | "uri" | "url" | "canonical" | "oid" | "uuid" | "string" => value
            .as_str()
            .is_some_and(|code| test(&Coded { system: System::Said(None), code, exact: item.datatype != "string" })),
        _ => value.as_str().is_some_and(|code| test(&Coded { system: System::Implied, code, exact: false })),
    }
}

fn any_coding<'v>(coding: &'v Value<'v>, test: &mut dyn FnMut(&Coded<'v>) -> bool) -> bool {
    let system = member(coding, "system");
    let exact = system.is_some_and(|system| CASE_SENSITIVE.contains(&system));
    member(coding, "code").is_some_and(|code| test(&Coded { system: System::Said(system), code, exact }))
}

fn member<'v>(value: &'v Value<'v>, name: &str) -> Option<&'v str> {
    value.as_object()?.get(name)?.as_str()
}

fn is_bound_code(datatype: &str) -> bool {
    matches!(datatype, "code" | "boolean")
}

fn code_hash(code: &str) -> [u8; 8] {
    digest(&[lower(code).as_bytes()])
}

fn full_hash(system: &str, code: &str) -> [u8; 8] {
    digest(&[system.as_bytes(), lower(code).as_bytes()])
}

pub(crate) fn same_code(one: &str, other: &str) -> bool {
    one.eq_ignore_ascii_case(other) || lower(one) == lower(other)
}

pub(crate) fn lower(code: &str) -> Cow<'_, str> {
    match code.bytes().any(|byte| byte.is_ascii_uppercase() || !byte.is_ascii()) {
        true => Cow::Owned(code.to_lowercase()),
        false => Cow::Borrowed(code),
    }
}

/// Where the systems of elements with a bound code live; the resource itself does not name them.
const BOUND_SYSTEMS: [&str; 4] = ["http://hl7.org/fhir/", "http://terminology.hl7.org/", "urn:ietf:", "urn:iso:"];

/// Code systems whose codes differ by case alone.
const CASE_SENSITIVE: [&str; 1] = ["http://unitsofmeasure.org"];
