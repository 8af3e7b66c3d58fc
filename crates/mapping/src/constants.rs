//! Constants and defaults: literals checked against the type that they fill.

use dukou_fhir::schema::{Form, TypeId, ValueSet};
use dukou_fhir::{FhirDateTime, Object, Value};

use crate::compiler::{Compiler, Context};
use crate::place::Word;
use crate::plan::Constant;
use crate::targets::{TypedTarget, member_names, short};

impl Compiler<'_, '_> {
    /// A literal as a value of the target's type.
    pub(crate) fn constant(&mut self, word: &Word, target: &TypedTarget, context: &Context<'_>) -> Option<Constant> {
        match word.value.as_str() {
            "$plan" => return Some(Constant::Plan),
            "$site" => return Some(Constant::Site),
            "$table" => return Some(Constant::CodeTable),
            "$document" => return Some(Constant::Document),
            "$map" => return Some(Constant::Fixed(Value::from(context.owner.to_owned()))),
            _ => {}
        }
        let [_] = target.kinds.as_slice() else {
            self.findings.error("E-TYPE", word.place, "a constant needs one type", "name the type: valueString");
            return None;
        };
        self.literal(word, target.plan.kind, target.binding, context).map(Constant::Fixed)
    }

    /// A literal as a value of a type.
    pub(crate) fn literal(
        &mut self,
        word: &Word,
        kind: TypeId,
        binding: Option<&'static ValueSet>,
        context: &Context<'_>,
    ) -> Option<Value<'static>> {
        let text = word.value.as_str();
        let value = match kind.name() {
            "Coding" => coding(text, context).map(Value::Object),
            "CodeableConcept" => {
                let concept =
                    |coding| Value::Object(Object::new().with("coding", Value::Array(vec![Value::Object(coding)])));
                coding(text, context).map(concept)
            }
            "boolean" => matches!(text, "true" | "false").then(|| Value::Bool(text == "true")),
            "decimal" | "integer" | "positiveInt" | "unsignedInt" => {
                crate::number::json_number(text).map(|text| Value::Number(text.into_owned().into()))
            }
            "date" | "dateTime" | "instant" => FhirDateTime::parse(text).map(|_| Value::from(text.to_owned())),
            "uri" | "url" | "canonical" | "oid" | "uuid" => {
                Some(Value::from(context.words.system(text).unwrap_or(text).to_owned()))
            }
            _ if matches!(kind.form(), Form::Primitive(_)) => Some(Value::from(text.to_owned())),
            _ => None,
        };
        let Some(value) = value else {
            self.findings.error("E-TYPE", word.place, format!("'{text}' is no {}", kind.name()), "");
            return None;
        };
        self.bound(word, &value, binding)?;
        Some(value)
    }

    fn bound(&mut self, word: &Word, value: &Value<'_>, binding: Option<&'static ValueSet>) -> Option<()> {
        let Some(set) = binding else { return Some(()) };
        let (system, code) = match value {
            Value::String(code) => (None, code.as_ref()),
            other => {
                let coding = other.get("coding[0]").unwrap_or(other);
                (coding.text_at("system"), coding.text_at("code")?)
            }
        };
        if set.holds(system, code) == Some(false) {
            let text = format!("'{code}' is not in {} (required)", short(set));
            self.findings.error("E-BINDING", word.place, text, set.codes().join(" | "));
            return None;
        }
        Some(())
    }

    /// Elements that `default k=v` fills in the object that a lens makes.
    pub(crate) fn fills(
        &mut self,
        defaults: &[(Option<Word>, Word)],
        kind: TypeId,
        context: &Context<'_>,
    ) -> Option<Vec<(String, Value<'static>)>> {
        let mut fills = Vec::new();
        for (key, word) in defaults {
            let Some(key) = key else { continue };
            let (first, value) = self.fill(key, &key.value, word, kind, context)?;
            fills.push((first, value));
        }
        Some(fills)
    }

    /// `type.text=VN` fills the element `type` with an object that holds `text`.
    fn fill(
        &mut self,
        key: &Word,
        path: &str,
        word: &Word,
        kind: TypeId,
        context: &Context<'_>,
    ) -> Option<(String, Value<'static>)> {
        let (name, below) = path.split_once('.').map_or((path, None), |(name, below)| (name, Some(below)));
        let Some(member) = kind.member(name) else {
            let names = member_names(kind);
            let hint = crate::diagnostic::nearest(name, names.iter().map(String::as_str));
            let text = format!("{} has no element '{name}'", kind.name());
            self.findings.error("E-TARGET", key.place, text, hint);
            return None;
        };
        let value = match below {
            None => self.literal(word, member.content.kind, member.element.binding, context)?,
            Some(below) => {
                let (inner, value) = self.fill(key, below, word, member.content.kind, context)?;
                Value::Object(Object::new().with(inner, value))
            }
        };
        let value = if member.element.is_list() { Value::Array(vec![value]) } else { value };
        Some((name.to_owned(), value))
    }
}

/// `SYS|code`, `SYS|code|Display` or a bare code.
fn coding(text: &str, context: &Context<'_>) -> Option<Object<'static>> {
    let mut parts = text.splitn(3, '|');
    let (first, code, display) = (parts.next()?, parts.next(), parts.next());
    let mut coding = Object::new();
    match code {
        Some(code) => {
            coding.insert("system", context.words.system(first).unwrap_or(first).to_owned());
            coding.insert("code", code.to_owned());
        }
        None => {
            coding.insert("code", first.to_owned());
        }
    }
    if let Some(display) = display {
        coding.insert("display", display.to_owned());
    }
    Some(coding)
}
