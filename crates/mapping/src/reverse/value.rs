//! The lenses written in Rust, read backward: a FHIR value in, texts by source and part out, or a refusal. Nothing in
//! here knows segments.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use dukou_fhir::{Object, Value};
use dukou_terminology::{Otherwise, Table};

use super::{moment, plain};
use crate::builtin::Builtin;
use crate::plan::Options;

/// A text and where it belongs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Text<'v> {
    /// The number of the rule's source, from 0.
    pub(crate) source: u8,
    /// The number among the repeats that one value fills, from 0.
    pub(crate) repeat: u16,
    /// The component, 0 for the whole.
    pub(crate) part: u16,
    pub(crate) text: Cow<'v, str>,
    pub(crate) form: Form,
}

/// How a text came about; where two rules write one place, the later form wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Form {
    /// A guard asks for it.
    Equation,
    /// The profile says so where nothing else does.
    Default,
    /// Through a table.
    Translated,
    /// As it stands in the resource.
    Plain,
    /// As it stands, its line ends written as formatting commands.
    Formatted,
    /// The caller says so.
    Given,
}

/// What an inverse works with.
pub(crate) struct BackHand<'h> {
    pub(crate) options: &'h Options,
    /// The table of the rule or of the lens.
    pub(crate) table: Option<&'h Table>,
    pub(crate) systems: Option<&'h Table>,
    /// Whether the first source has components.
    pub(crate) parted: bool,
    /// How many sources the rule has.
    pub(crate) sources: usize,
    /// Whether a document of plain texts is written.
    pub(crate) flat: bool,
    /// What was sent in each source, where something was.
    pub(crate) sent: Vec<Option<Cow<'h, str>>>,
    /// The object in which the value stands.
    pub(crate) around: Option<&'h Object<'h>>,
}

/// The texts of a value, and the members of it that they carry (all where none is named).
pub(crate) type Printed<'v> = Option<Vec<Text<'v>>>;

/// A string or number as text; other values have none.
pub(crate) fn text_of<'v>(value: &Value<'v>) -> Option<Cow<'v, str>> {
    match value {
        Value::String(text) | Value::Number(text) => Some(text.clone()),
        Value::Bool(true) => Some(Cow::Borrowed("true")),
        Value::Bool(false) => Some(Cow::Borrowed("false")),
        _ => None,
    }
}

/// Prints a value; nothing where the lens cannot have made it.
pub(crate) fn print<'v>(lens: Builtin, value: &Value<'v>, hand: &BackHand<'_>) -> Printed<'v> {
    match lens {
        Builtin::Text | Builtin::Code => code(value, hand),
        Builtin::ChineseId | Builtin::Decimal | Builtin::Integer => whole(text_of(value)?),
        Builtin::YesNo => whole(Cow::Borrowed(if value.as_bool()? { "Y" } else { "N" })),
        Builtin::Quantity | Builtin::StructuredNumeric if hand.flat => {
            let (number, unit) = plain::quantity(value, hand)?;
            let unit = unit.map(|unit| Text::of(1, 0, unit.into()));
            Some(std::iter::once(Text::of(0, 0, number.into())).chain(unit).collect())
        }
        Builtin::Quantity => quantity(value, hand),
        Builtin::StructuredNumeric => structured(value),
        Builtin::Date | Builtin::DateTime | Builtin::Instant => whole(moment::compact(value.as_str()?)?.into()),
        Builtin::Time => whole(value.as_str()?.replace(':', "").into()),
        Builtin::Period => period(value),
        Builtin::TextJoin => lines(&text_of(value)?),
        Builtin::TextAttachment => lines(&attached_text(value)?),
        Builtin::FormattedLines => Some(vec![Text { form: Form::Formatted, ..Text::of(0, 0, text_of(value)?) }]),
        Builtin::Join => joined(text_of(value)?, hand),
        Builtin::Prefix => {
            let prefix = hand.options.argument.as_deref().unwrap_or("");
            whole(value.as_str()?.strip_prefix(prefix)?.to_owned().into())
        }
        Builtin::System => system(value.as_str()?, hand),
        Builtin::Attachment => embedded(value),
        Builtin::Pointer => pointer(value),
        Builtin::Range => range(value),
        // Pieces belong to one text of which only all of them together would be the whole.
        Builtin::RangeLow | Builtin::RangeHigh | Builtin::Pieces => None,
        Builtin::Slot => {
            let texts = plain::slot(value, hand)?;
            Some((0u8..).zip(texts).map(|(source, text)| Text::of(source, 0, text.into())).collect())
        }
        Builtin::Pattern => whole(plain::moment(value.as_str()?, hand)?.into()),
        Builtin::Before => whole(text_of(value)?),
        Builtin::After => {
            let mark = hand.options.argument.as_deref().unwrap_or(":");
            whole(format!("{mark}{}", text_of(value)?).into())
        }
        Builtin::ChineseName => whole(name(value)?),
        Builtin::Coded => coded(value, hand),
    }
}

impl<'v> Text<'v> {
    fn of(source: u8, part: u16, text: Cow<'v, str>) -> Text<'v> {
        Text { source, repeat: 0, part, text, form: Form::Plain }
    }
}

fn whole(text: Cow<'_, str>) -> Printed<'_> {
    (!text.is_empty()).then(|| vec![Text::of(0, 0, text)])
}

fn code<'v>(value: &Value<'v>, hand: &BackHand<'_>) -> Printed<'v> {
    let text = text_of(value)?;
    let Some(table) = hand.table else { return whole(text) };
    let code = code_back(table, &text)?.into_owned();
    Some(vec![Text { form: Form::Translated, ..Text::of(0, 0, code.into()) }])
}

/// The sender's code behind a code of FHIR: by a row that leads back, else as the rest of the table keeps codes.
pub(crate) fn code_back<'t>(table: &'t Table, target: &'t str) -> Option<Cow<'t, str>> {
    if let Some(code) = table.reverse(target) {
        return Some(Cow::Borrowed(code));
    }
    match table.otherwise() {
        Otherwise::Keep | Otherwise::Text if table.find(target).is_none() => Some(Cow::Borrowed(target)),
        Otherwise::Pattern { before, after } => {
            let inner = target.strip_prefix(before.as_str())?.strip_suffix(after.as_str())?;
            percent_decoded(inner)
        }
        _ => None,
    }
}

fn percent_decoded(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains('%') {
        return Some(Cow::Borrowed(text));
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        let hex = behind.get(..2).and_then(|two| std::str::from_utf8(two).ok());
        match hex.filter(|_| *first == b'%').and_then(|two| u8::from_str_radix(two, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &behind[2..];
            }
            None => {
                bytes.push(*first);
                rest = behind;
            }
        }
    }
    String::from_utf8(bytes).ok().map(Cow::Owned)
}

fn quantity<'v>(value: &Value<'v>, hand: &BackHand<'_>) -> Printed<'v> {
    let quantity = value.as_object()?;
    if quantity.contains("comparator") {
        return None;
    }
    let mut texts = vec![Text::of(0, 0, text_of(quantity.get("value")?)?)];
    if hand.sources > 1 {
        unit(quantity, hand, &mut texts);
    }
    Some(texts)
}

/// The unit of a quantity in a coded element of its own: code, text where it says more, coding system.
fn unit<'v>(quantity: &Object<'v>, hand: &BackHand<'_>, texts: &mut Vec<Text<'v>>) {
    let text = |name: &str| quantity.get(name).and_then(text_of);
    let system = quantity.get("system").and_then(Value::as_str);
    let named = system.and_then(|system| system_name(system, hand.systems));
    let named = named.map(Cow::into_owned);
    match (text("code"), named, text("unit")) {
        (Some(code), Some(name), said) => {
            if let Some(said) = said.filter(|said| *said != code) {
                texts.push(Text::of(1, 2, said));
            }
            texts.push(Text::of(1, 1, code));
            texts.push(Text::of(1, 3, name.into()));
        }
        (Some(code), None, None) => texts.push(Text::of(1, 1, code)),
        (_, _, Some(said)) => texts.push(Text::of(1, 1, said)),
        (None, _, None) => {}
    }
}

fn structured<'v>(value: &Value<'v>) -> Printed<'v> {
    let object = value.as_object()?;
    let number = |name: &str| object.get(name)?.get("value").and_then(text_of);
    let sign = |text: &'static str| Text::of(0, 3, Cow::Borrowed(text));
    if let (Some(low), Some(high)) = (number("low"), number("high")) {
        return Some(vec![Text::of(0, 2, low), sign("-"), Text::of(0, 4, high)]);
    }
    if let (Some(one), Some(two)) = (number("numerator"), number("denominator")) {
        return Some(vec![Text::of(0, 2, one), sign(":"), Text::of(0, 4, two)]);
    }
    let mut texts = vec![Text::of(0, 2, text_of(object.get("value")?)?)];
    texts.extend(object.get("comparator").and_then(text_of).map(|comparator| Text::of(0, 1, comparator)));
    Some(texts)
}

/// The unit of what a structured numeric stands for: that of the quantity, or of its first number.
pub(crate) fn structured_unit<'v>(value: &Value<'v>, hand: &BackHand<'_>, texts: &mut Vec<Text<'v>>) {
    let Some(object) = value.as_object() else { return };
    let inner = ["low", "numerator"].iter().find_map(|name| object.get(name)?.as_object());
    unit(inner.unwrap_or(object), hand, texts);
}

fn period<'v>(value: &Value<'v>) -> Printed<'v> {
    let mut texts = Vec::new();
    for (source, name) in [(0, "start"), (1, "end")] {
        if let Some(text) = value.text_at(name) {
            texts.push(Text::of(source, 0, moment::compact(text)?.into()));
        }
    }
    (!texts.is_empty()).then_some(texts)
}

/// One repeat for each line.
fn lines(text: &str) -> Printed<'static> {
    let lines = text.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line).to_owned());
    let texts = (0u16..).zip(lines).map(|(repeat, line)| Text { repeat, ..Text::of(0, 0, line.into()) });
    Some(texts.take(REPEATS_MAX).collect())
}

fn attached_text(value: &Value<'_>) -> Option<String> {
    if !value.text_at("contentType")?.starts_with("text/plain") {
        return None;
    }
    String::from_utf8(STANDARD.decode(value.text_at("data")?).ok()?).ok()
}

fn joined<'v>(text: Cow<'v, str>, hand: &BackHand<'_>) -> Printed<'v> {
    let Some(separator) = hand.options.argument.as_deref().filter(|separator| !separator.is_empty()) else {
        // Without a mark between them nobody can tell where one source ends.
        return if hand.sources == 1 { whole(text) } else { None };
    };
    let pieces: Vec<String> = text.split(separator).map(str::to_owned).collect();
    if pieces.len() > hand.sources {
        return whole(text);
    }
    let texts = (0u8..).zip(pieces).filter(|(_, piece)| !piece.is_empty());
    Some(texts.map(|(source, piece)| Text::of(source, 0, piece.into())).collect())
}

fn system(uri: &str, hand: &BackHand<'_>) -> Printed<'static> {
    let table = match hand.options.table {
        Some(_) => hand.table.or(hand.systems),
        None => hand.systems,
    };
    let typed = |text: &str, kind: &'static str| {
        let text = Cow::Owned(text.to_owned());
        match hand.parted {
            true => vec![Text::of(0, 2, text), Text::of(0, 3, Cow::Borrowed(kind))],
            false => vec![Text::of(0, 0, text)],
        }
    };
    if let Some(name) = system_name(uri, table) {
        return Some(vec![Text {
            form: Form::Translated,
            ..Text::of(0, u16::from(hand.parted), name.into_owned().into())
        }]);
    }
    if let Some(oid) = uri.strip_prefix("urn:oid:") {
        return Some(typed(oid, "ISO"));
    }
    if let Some(uuid) = uri.strip_prefix("urn:uuid:") {
        return Some(typed(uuid, "UUID"));
    }
    Some(typed(uri, "URI"))
}

/// The name that senders use for a system.
pub(crate) fn system_name<'t>(uri: &'t str, systems: Option<&'t Table>) -> Option<Cow<'t, str>> {
    code_back(systems?, uri)
}

fn embedded<'v>(value: &Value<'v>) -> Printed<'v> {
    let data = text_of(value.get("data")?)?;
    let mut texts = media(value, 2);
    texts.push(Text::of(0, 4, Cow::Borrowed("Base64")));
    texts.push(Text::of(0, 5, data));
    Some(texts)
}

fn pointer<'v>(value: &Value<'v>) -> Printed<'v> {
    let mut texts = vec![Text::of(0, 1, text_of(value.get("url")?)?)];
    texts.extend(media(value, 3));
    Some(texts)
}

/// Type and subtype in two components, the first of them given.
fn media<'v>(value: &Value<'v>, first: u16) -> Vec<Text<'v>> {
    let kind = value.text_at("contentType").and_then(|kind| kind.split(';').next());
    let Some((kind, subtype)) = kind.and_then(|kind| kind.split_once('/')) else { return Vec::new() };
    vec![Text::of(0, first, kind.trim().to_owned().into()), Text::of(0, first + 1, subtype.trim().to_owned().into())]
}

fn range<'v>(value: &Value<'v>) -> Printed<'v> {
    if let Some(text) = value.get("text").and_then(text_of) {
        return whole(text);
    }
    let number = |name: &str| value.get(name)?.get("value").and_then(text_of);
    whole(match (number("low"), number("high")) {
        (Some(low), Some(high)) => format!("{low}-{high}").into(),
        (Some(low), None) => format!(">={low}").into(),
        (None, Some(high)) => format!("<={high}").into(),
        (None, None) => return None,
    })
}

/// The name as it is written, else its parts in the order of the script.
fn name<'v>(value: &Value<'v>) -> Option<Cow<'v, str>> {
    if let Some(text) = value.get("text").and_then(text_of) {
        return Some(text);
    }
    let family = value.text_at("family").unwrap_or("");
    let given: Vec<&str> = value.list_at("given").iter().filter_map(Value::as_str).collect();
    // A Chinese name is written without blank, family name first.
    let text = match family.chars().next().is_some_and(|c| c >= '\u{3400}') {
        true => format!("{family}{}", given.concat()),
        false => format!("{} {family}", given.join(" ")),
    };
    (!text.trim().is_empty()).then(|| Cow::Owned(text.trim().to_owned()))
}

fn coded<'v>(value: &Value<'v>, hand: &BackHand<'_>) -> Printed<'v> {
    let coding = value.get("coding[0]").unwrap_or(value);
    let code = coding.get("code").and_then(text_of).or_else(|| value.get("text").and_then(text_of))?;
    match hand.table {
        Some(table) => {
            let code = code_back(table, &code)?.into_owned();
            Some(vec![Text { form: Form::Translated, ..Text::of(0, 0, code.into()) }])
        }
        None => whole(code),
    }
}

/// The members of a value that a lens carries; none named means all of them.
pub(crate) fn carried(lens: Builtin) -> &'static [&'static str] {
    match lens {
        Builtin::Quantity | Builtin::StructuredNumeric => &["value", "unit", "system", "code", "comparator"],
        Builtin::Period | Builtin::Slot => &["start", "end"],
        Builtin::Attachment | Builtin::TextAttachment => &["contentType", "data"],
        Builtin::Pointer => &["contentType", "url"],
        Builtin::Range => &["text", "value", "unit", "system", "code"],
        Builtin::ChineseName => &["text", "family", "given"],
        Builtin::Coded => &["code", "system", "display", "text"],
        _ => &[],
    }
}

/// Lines of a text beyond this number stay unwritten; a field does not repeat more often.
const REPEATS_MAX: usize = 10_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(lens: Builtin, json: &str, sources: usize, parted: bool) -> String {
        let value = dukou_fhir::json::parse(json.as_bytes(), &dukou_fhir::json::Limits::default()).unwrap();
        let options = Options::default();
        let hand = BackHand {
            options: &options,
            table: None,
            systems: None,
            parted,
            sources,
            flat: false,
            sent: Vec::new(),
            around: None,
        };
        let texts = print(lens, &value, &hand).unwrap_or_default();
        let shown: Vec<String> =
            texts.iter().map(|text| format!("{}.{}.{}={}", text.source, text.repeat, text.part, text.text)).collect();
        shown.join(" ")
    }

    #[test]
    fn every_lens_leads_back_to_what_it_would_have_read() {
        let found = [
            shown(Builtin::YesNo, "true", 1, false),
            shown(Builtin::Decimal, "5.10", 1, false),
            shown(Builtin::DateTime, r#""2024-02-29T15:30:00+08:00""#, 1, false),
            shown(Builtin::Quantity, r#"{"value":5.10,"unit":"g/L"}"#, 2, false),
            shown(Builtin::Quantity, r#"{"value":5,"comparator":"<"}"#, 2, false),
            shown(Builtin::StructuredNumeric, r#"{"value":5,"comparator":"<"}"#, 1, true),
            shown(Builtin::StructuredNumeric, r#"{"low":{"value":1},"high":{"value":2}}"#, 1, true),
            shown(Builtin::TextJoin, r#""a\nb""#, 1, false),
            shown(Builtin::System, r#""urn:oid:1.2.3""#, 1, true),
            shown(Builtin::Range, r#"{"low":{"value":1},"high":{"value":2}}"#, 1, false),
        ];
        let expected = [
            "0.0.0=Y",
            "0.0.0=5.10",
            "0.0.0=20240229153000+0800",
            "0.0.0=5.10 1.0.1=g/L",
            "",
            "0.0.2=5 0.0.1=<",
            "0.0.2=1 0.0.3=- 0.0.4=2",
            "0.0.0=a 0.1.0=b",
            "0.0.2=1.2.3 0.0.3=ISO",
            "0.0.0=1-2",
        ];
        assert_eq!(found, expected);
    }
}
