//! The lenses written in Rust at work: a value in, a FHIR value out, or a refusal; never a guess.

mod chinese_id;

use std::borrow::Cow;

use dukou_fhir::schema::TypeId;
use dukou_fhir::{Object, Value};
use dukou_terminology::{Table, Translation};
use dukou_wire::Node;

use crate::attachment;
use crate::builtin::Builtin;
use crate::moment::{self, Moment, Written};
use crate::number::{json_integer, json_number, range};
use crate::plan::{Options, TextForm, ZonePlan};
use crate::reading::{first_leaf, part, valued};
use crate::refusal::Refusal;
use crate::rule::Precision;
use crate::tally::{Claim, Tally};
use crate::{slot, spelling};

/// What a lens made.
#[derive(Debug)]
pub(crate) struct Made<'m> {
    pub(crate) value: Value<'m>,
    /// The type by name, where the lens decides it.
    pub(crate) kind: Option<&'static str>,
    /// What did not fit: the member of an extension and its value.
    pub(crate) rest: Option<Box<(&'static str, Value<'m>)>>,
}

impl<'m> Made<'m> {
    pub(crate) fn new(value: impl Into<Value<'m>>) -> Self {
        Made { value: value.into(), kind: None, rest: None }
    }
}

/// What a lens made of its sources; nothing where they hold no value.
pub(crate) type Outcome<'m> = Result<Option<Made<'m>>, Refusal>;

/// What a lens works with.
pub(crate) struct Hand<'h, 'm> {
    pub(crate) tally: &'h mut Tally,
    pub(crate) claim: Claim,
    /// The offset of the message or else of the site.
    pub(crate) zone: Option<&'h str>,
    pub(crate) systems: Option<&'m Table>,
    pub(crate) options: &'m Options,
    pub(crate) table: Option<&'m Table>,
    pub(crate) trim: bool,
    /// A fault that is told but does not refuse the value.
    pub(crate) note: Option<&'static str>,
}

impl<'m> Hand<'_, 'm> {
    /// The text of the first position of a node, which is then carried.
    pub(crate) fn text(&mut self, node: Node<'m>) -> Option<Cow<'m, str>> {
        carried(node, self.trim, self.claim, self.tally)
    }

    fn zone(&self) -> Option<&str> {
        match &self.options.zone {
            ZonePlan::Unsaid => None,
            ZonePlan::Site => self.zone,
            ZonePlan::Offset(offset) => Some(offset),
        }
    }

    fn lossy(&mut self, point: usize, lossy: bool) {
        if lossy {
            self.tally.lossy(point);
        }
    }
}

/// The text of the first position of a node, which is then carried.
pub(crate) fn carried<'m>(node: Node<'m>, trim: bool, claim: Claim, tally: &mut Tally) -> Option<Cow<'m, str>> {
    let leaf = first_leaf(node);
    let valued = valued(leaf);
    if valued || leaf.presence() == dukou_wire::Presence::Null {
        tally.emit(leaf, claim, false);
    }
    valued.then(|| match (leaf.text(), trim) {
        (text, false) => text,
        (Cow::Borrowed(text), true) => Cow::Borrowed(text.trim()),
        (Cow::Owned(text), true) => Cow::Owned(text.trim().to_owned()),
    })
}

/// Applies a lens to its sources, one place for each, empty where the source says nothing; for a lens that takes all
/// repeats the places are those of the first source.
pub(crate) fn apply<'m>(lens: Builtin, nodes: &[Option<Node<'m>>], hand: &mut Hand<'_, 'm>) -> Outcome<'m> {
    let second = nodes.get(1).copied().flatten();
    match lens {
        Builtin::Period => return period(nodes.first().copied().flatten(), second, hand),
        Builtin::TextJoin => return Ok(lines(nodes, hand).map(Made::new)),
        Builtin::TextAttachment => return Ok(lines(nodes, hand).map(|text| attachment::of_text(&text))),
        Builtin::FormattedLines => return Ok(lines(nodes.get(..1).unwrap_or_default(), hand).map(Made::new)),
        Builtin::Join => return Ok(joined(nodes, hand).map(Made::new)),
        Builtin::Slot => return time_slot(nodes, hand),
        _ => {}
    }
    let Some(first) = nodes.first().copied().flatten() else { return Ok(None) };
    match lens {
        Builtin::Quantity => return quantity(first, second, hand),
        Builtin::StructuredNumeric => return structured(first, second, hand),
        Builtin::System => return Ok(system(first, hand).map(Made::new)),
        Builtin::Attachment => return attachment::embedded(first, hand),
        Builtin::Pointer => return attachment::pointer(first, hand),
        Builtin::Range => return Ok(reference_range(first, second, hand)),
        _ => {}
    }
    let point = hand.tally.point();
    let Some(text) = hand.text(first) else { return Ok(None) };
    match lens {
        Builtin::Text => plain(text, hand),
        Builtin::Coded => coded(text, hand),
        Builtin::Code => code(text, hand),
        Builtin::YesNo => match text.as_ref() {
            "Y" | "y" => Ok(Some(Made::new(true))),
            "N" | "n" => Ok(Some(Made::new(false))),
            _ => Err(Refusal("not-yes-no")),
        },
        Builtin::Decimal => decimal(text).map(|number| Some(Made::new(Value::Number(number)))),
        Builtin::Integer => {
            let low = match hand.options.kind {
                "positiveInt" => 1,
                "unsignedInt" => 0,
                _ => i64::from(i32::MIN),
            };
            let number = json_integer(&text, low, i64::from(i32::MAX)).ok_or(Refusal("not-a-number"))?;
            Ok(Some(Made::new(Value::Number(Cow::Owned(number)))))
        }
        Builtin::RangeLow | Builtin::RangeHigh => {
            let limits = range(&text);
            let limit = if lens == Builtin::RangeLow { limits.low } else { limits.high };
            let limit = limit.ok_or(Refusal("not-a-range"))?.into_owned();
            Ok(Some(Made::new(Object::new().with("value", Value::Number(Cow::Owned(limit))))))
        }
        Builtin::Time => moment::time_of_day(&text).map(|text| Some(Made::new(text))).ok_or(Refusal("time-invalid")),
        Builtin::Date | Builtin::DateTime | Builtin::Instant => dated(lens, &text, point, hand),
        Builtin::Pattern => {
            let spelled = spelling::read(&text, hand.options.argument.as_deref()).ok_or(Refusal("date-invalid"))?;
            let lens = match hand.options.kind {
                "date" => Builtin::Date,
                "instant" => Builtin::Instant,
                _ => Builtin::DateTime,
            };
            let made = dated(lens, &spelled.moment, point, hand)?;
            let cut = lens == Builtin::Date && made.as_ref().is_some_and(|made| made.rest.is_some());
            hand.lossy(point, cut);
            Ok(made)
        }
        Builtin::Prefix => {
            let prefix = hand.options.argument.as_deref().unwrap_or("");
            Ok(Some(Made::new(format!("{prefix}{text}"))))
        }
        Builtin::Before | Builtin::After => Ok(Some(Made::new(marked(lens, &text, hand.options.argument.as_deref())?))),
        Builtin::ChineseName => Ok(Some(Made::new(Object::new().with("text", text)))),
        Builtin::ChineseId => Ok(Some(chinese_id::read(text, hand)?)),
        _ => Ok(None),
    }
}

/// Text as it is, or through a table.
fn plain<'m>(text: Cow<'m, str>, hand: &mut Hand<'_, 'm>) -> Outcome<'m> {
    if hand.table.is_some() {
        return translated(&text, hand);
    }
    acceptable(&text, hand.options)?;
    Ok(Some(Made::new(text)))
}

/// A code must be in the set of a required binding.
fn code<'m>(text: Cow<'m, str>, hand: &mut Hand<'_, 'm>) -> Outcome<'m> {
    if hand.table.is_some() {
        return translated(&text, hand);
    }
    if hand.options.form == TextForm::Code {
        acceptable(&text, hand.options)?;
    } else {
        bound(&text, hand.options)?;
    }
    Ok(Some(Made::new(text)))
}

/// Whether a text has the form of its target and is in its required binding.
pub(crate) fn acceptable(text: &str, options: &Options) -> Result<(), Refusal> {
    if !options.form.fits(text) {
        return Err(Refusal("format-invalid"));
    }
    bound(text, options)
}

fn bound(text: &str, options: &Options) -> Result<(), Refusal> {
    match options.binding {
        Some(set) if set.holds(None, text) == Some(false) => Err(Refusal("code-unknown")),
        _ => Ok(()),
    }
}

fn translated<'m>(text: &str, hand: &mut Hand<'_, 'm>) -> Outcome<'m> {
    let Some(table) = hand.table else { return Ok(None) };
    match table.translate(text) {
        Translation::Coded(found) => {
            if found.lossy {
                let point = hand.tally.point().saturating_sub(1);
                hand.tally.lossy(point);
            }
            if !hand.options.form.fits(&found.code) {
                return Err(Refusal("format-invalid"));
            }
            Ok(Some(Made::new(found.code.into_owned())))
        }
        Translation::Text if hand.options.binding.is_none() => Ok(Some(Made::new(text.to_owned()))),
        Translation::Text | Translation::Refused => Err(Refusal("code-unknown")),
    }
}

/// A bare code as a concept or coding; the table is applied by the rule.
fn coded<'m>(text: Cow<'m, str>, hand: &mut Hand<'_, 'm>) -> Outcome<'m> {
    let system = hand.table.map(|table| table.head().source.as_str()).filter(|system| !system.is_empty());
    let coding = Object::new();
    let coding = match system {
        Some(system) => coding.with("system", system),
        None => coding,
    };
    Ok(Some(Made::new(coding.with("code", text))))
}

fn decimal<'m>(text: Cow<'m, str>) -> Result<Cow<'m, str>, Refusal> {
    let number = match text {
        Cow::Borrowed(text) => json_number(text),
        Cow::Owned(text) => json_number(&text).map(|number| Cow::Owned(number.into_owned())),
    };
    number.ok_or(Refusal("not-a-number"))
}

fn dated<'m>(lens: Builtin, text: &str, point: usize, hand: &mut Hand<'_, 'm>) -> Outcome<'m> {
    let moment = Moment::parse(text).ok_or(Refusal("date-invalid"))?;
    let precision = hand.options.precision;
    let written = match lens {
        Builtin::Date => moment.date().ok_or(Refusal("date-invalid"))?,
        Builtin::Instant => moment.instant(precision, hand.zone()).map_err(Refusal)?,
        _ => moment.date_time(precision, hand.zone()).map_err(Refusal)?,
    };
    let Written { text, lossy } = written;
    hand.lossy(point, lossy);
    let mut made = Made::new(text);
    if lens == Builtin::Date && moment.has_time() {
        let whole = moment.date_time(precision, hand.zone.or(hand.zone()));
        made.rest = whole.ok().map(|written| Box::new(("valueDateTime", Value::from(written.text))));
    }
    Ok(Some(made))
}

/// Begin or end of a slot by the number of the target, or both in a Period. Its times say the minute, so that the
/// seconds of an instant are none that were left out.
fn time_slot<'m>(nodes: &[Option<Node<'m>>], hand: &mut Hand<'_, 'm>) -> Outcome<'m> {
    let texts: Vec<Option<Cow<'m, str>>> = nodes.iter().map(|node| node.and_then(|node| hand.text(node))).collect();
    if texts.iter().all(Option::is_none) {
        return Ok(None);
    }
    let slot = slot::read(&texts, hand.options.argument.as_deref()).ok_or(Refusal("slot-invalid"))?;
    let written = |digits: &str| -> Result<String, Refusal> {
        let moment = Moment::parse(digits).ok_or(Refusal("date-invalid"))?;
        let written = match hand.options.kind {
            "instant" => moment.instant(Precision::Second, hand.zone()),
            _ => moment.date_time(Precision::Keep, hand.zone()),
        };
        written.map(|written| written.text).map_err(Refusal)
    };
    if hand.options.kind == "Period" {
        let mut period = Object::new().with("start", written(&slot.start)?);
        if let Some(end) = &slot.end {
            period.insert("end", written(end)?);
        }
        return Ok(Some(Made::new(period)));
    }
    match (hand.options.part, &slot.end) {
        (0, _) => Ok(Some(Made::new(written(&slot.start)?))),
        (_, Some(end)) => Ok(Some(Made::new(written(end)?))),
        (_, None) => Ok(None),
    }
}

/// The text before a mark, all of it where the mark is missing; or what stands behind a mark, which must be there.
fn marked(lens: Builtin, text: &str, mark: Option<&str>) -> Result<String, Refusal> {
    let mark = mark.unwrap_or(":");
    match (text.split_once(mark), lens) {
        (Some((before, _)), Builtin::Before) => Ok(before.trim().to_owned()),
        (Some((_, after)), _) => Ok(after.trim().to_owned()),
        (None, Builtin::Before) => Ok(text.to_owned()),
        (None, _) => Err(Refusal("mark-missing")),
    }
}

fn period<'m>(start: Option<Node<'m>>, end: Option<Node<'m>>, hand: &mut Hand<'_, 'm>) -> Outcome<'m> {
    let mut period = Object::new();
    for (name, node) in [("start", start), ("end", end)] {
        let Some(node) = node else { continue };
        let point = hand.tally.point();
        let Some(text) = hand.text(node) else { continue };
        if let Some(made) = dated(Builtin::DateTime, &text, point, hand)? {
            period.insert(name, made.value);
        }
    }
    Ok((!period.is_empty()).then(|| Made::new(period)))
}

fn quantity<'m>(node: Node<'m>, unit: Option<Node<'m>>, hand: &mut Hand<'_, 'm>) -> Outcome<'m> {
    let Some(text) = hand.text(node) else { return Ok(None) };
    let number = decimal(text)?;
    let quantity = Object::new().with("value", Value::Number(number));
    Ok(Some(Made::new(with_unit(quantity, unit, hand))))
}

/// Unit text, and system and code where the coding system is known and the code is one.
fn with_unit<'m>(mut quantity: Object<'m>, unit: Option<Node<'m>>, hand: &mut Hand<'_, 'm>) -> Object<'m> {
    let Some(unit) = unit else { return quantity };
    let (code, text, system) = (part(unit, 1), part(unit, 2), part(unit, 3));
    let said = if valued(text) { hand.text(text) } else { hand.text(code) };
    let Some(said) = said else { return quantity };
    let known = hand.table.and_then(|table| match table.translate(said.trim()) {
        Translation::Coded(found) => Some((found.system?.to_owned(), found.code.into_owned())),
        Translation::Text | Translation::Refused => None,
    });
    quantity.insert("unit", said);
    if let Some((system, code)) = known {
        quantity.insert("system", system);
        quantity.insert("code", code);
        return quantity;
    }
    if valued(system)
        && valued(code)
        && TextForm::Code.fits(&first_leaf(code).text())
        && let Some(uri) = named_system(first_leaf(system).text(), hand.systems)
        && let Some(code) = hand.text(code)
    {
        let _carried = hand.text(system);
        quantity.insert("system", uri);
        quantity.insert("code", code);
    }
    quantity
}

/// SN (HL7 v2 chapter 2A): comparator, number, separator or suffix, number.
fn structured<'m>(node: Node<'m>, unit: Option<Node<'m>>, hand: &mut Hand<'_, 'm>) -> Outcome<'m> {
    let mut said = |number| hand.text(part(node, number)).unwrap_or_default();
    let (comparator, first, separator, second) = (said(1), said(2), said(3), said(4));
    let only = first.is_empty() && separator.is_empty() && second.is_empty();
    if only && comparator.contains(|c: char| c.is_ascii_digit()) {
        return compared(&comparator, unit, hand);
    }
    let texts = [&comparator, &first, &separator, &second];
    if texts.iter().all(|text| text.is_empty()) {
        return Ok(None);
    }
    let quantity = |text: &str, hand: &mut Hand<'_, 'm>| -> Option<Object<'m>> {
        let number = json_number(text)?.into_owned();
        Some(with_unit(Object::new().with("value", Value::Number(Cow::Owned(number))), unit, hand))
    };
    let made = match (comparator.as_ref(), separator.as_ref(), second.is_empty()) {
        ("" | "=", "", true) => quantity(&first, hand).map(|made| (made, "Quantity")),
        (sign @ ("<" | "<=" | ">" | ">="), "", true) => {
            quantity(&first, hand).map(|made| (made.with("comparator", sign.to_owned()), "Quantity"))
        }
        ("" | "=", "-", false) => match (quantity(&first, hand), quantity(&second, hand)) {
            (Some(low), Some(high)) => Some((Object::new().with("low", low).with("high", high), "Range")),
            _ => None,
        },
        ("" | "=", "/" | ":", false) => match (quantity(&first, hand), quantity(&second, hand)) {
            (Some(one), Some(two)) => Some((Object::new().with("numerator", one).with("denominator", two), "Ratio")),
            _ => None,
        },
        _ => None,
    };
    let (value, kind) = match made {
        Some((object, kind)) => (Value::Object(object), kind),
        None => (Value::from(format!("{comparator}{first}{separator}{second}")), "string"),
    };
    Ok(Some(Made { value, kind: Some(kind), rest: None }))
}

/// A number in plain text, with or without a sign of comparison: `<0.5`, `≥ 100`, `7.86`.
fn compared<'m>(text: &str, unit: Option<Node<'m>>, hand: &mut Hand<'_, 'm>) -> Outcome<'m> {
    let text = text.trim();
    let signs =
        [("<=", "<="), ("≤", "<="), ("＜", "<"), ("<", "<"), (">=", ">="), ("≥", ">="), ("＞", ">"), (">", ">")];
    let found = signs.iter().find_map(|(sign, comparator)| Some((text.strip_prefix(sign)?, *comparator)));
    let number = json_number(found.map_or(text, |(rest, _)| rest)).ok_or(Refusal("not-a-number"))?.into_owned();
    let quantity = Object::new().with("value", Value::Number(Cow::Owned(number)));
    let quantity = match found {
        Some((_, comparator)) => quantity.with("comparator", comparator),
        None => quantity,
    };
    let value = Value::Object(with_unit(quantity, unit, hand));
    Ok(Some(Made { value, kind: Some("Quantity"), rest: None }))
}

/// All values, one on each line; formatting commands that break a line do so.
fn lines<'m>(nodes: &[Option<Node<'m>>], hand: &mut Hand<'_, 'm>) -> Option<Cow<'m, str>> {
    let mut all: Option<Cow<'m, str>> = None;
    for node in nodes.iter().flatten() {
        let leaf = first_leaf(*node);
        let Some(text) = hand.text(leaf) else { continue };
        let text = if leaf.raw().contains("\\.") { Cow::Owned(broken(leaf)) } else { text };
        all = Some(match all {
            None => text,
            Some(before) => Cow::Owned(format!("{before}\n{text}")),
        });
    }
    all.filter(|text| !text.trim().is_empty())
}

fn broken(leaf: Node<'_>) -> String {
    let mut text = String::new();
    for run in leaf.formatted() {
        match run {
            dukou_wire::escape::Run::Text(run) => text.push_str(&run),
            dukou_wire::escape::Run::Command(command) if command.starts_with("br") || command.starts_with("sp") => {
                text.push('\n')
            }
            dukou_wire::escape::Run::Command(_) => {}
        }
    }
    text
}

/// The sources one after the other; blanks between them, but none between Chinese characters.
fn joined<'m>(nodes: &[Option<Node<'m>>], hand: &mut Hand<'_, 'm>) -> Option<Cow<'m, str>> {
    let texts: Vec<Cow<'m, str>> = nodes.iter().flatten().filter_map(|node| hand.text(*node)).collect();
    join_texts(texts.into_iter(), hand.options.argument.as_deref())
}

/// Texts one after the other; blanks between them, but none between Chinese characters.
pub(crate) fn join_texts<'m>(
    texts: impl Iterator<Item = Cow<'m, str>>,
    separator: Option<&str>,
) -> Option<Cow<'m, str>> {
    let mut all: Option<Cow<'m, str>> = None;
    for text in texts {
        all = Some(match all {
            None => text,
            Some(before) => {
                let chinese = |c: Option<char>| {
                    c.is_some_and(|c| matches!(c, '\u{3400}'..='\u{9fff}' | '\u{20000}'..='\u{3ffff}'))
                };
                let dense = chinese(before.chars().next_back()) && chinese(text.chars().next());
                let between = match separator {
                    Some(separator) => separator,
                    None if dense => "",
                    None => " ",
                };
                Cow::Owned(format!("{before}{between}{text}"))
            }
        });
    }
    all
}

fn reference_range<'m>(node: Node<'m>, unit: Option<Node<'m>>, hand: &mut Hand<'_, 'm>) -> Option<Made<'m>> {
    let text = hand.text(node)?;
    let limits = range(&text);
    let (low, high) = (limits.low.map(Cow::into_owned), limits.high.map(Cow::into_owned));
    let mut made = Object::new();
    for (name, limit) in [("low", low), ("high", high)] {
        if let Some(limit) = limit {
            made.insert(name, with_unit(Object::new().with("value", Value::Number(Cow::Owned(limit))), unit, hand));
        }
    }
    Some(Made::new(made.with("text", text)))
}

/// The URI behind an HD or a name (HL7 v2 chapter 2A, HD): universal id by its type, else the name by the table.
fn system<'m>(node: Node<'m>, hand: &mut Hand<'_, 'm>) -> Option<Cow<'m, str>> {
    let table = match hand.options.table {
        Some(_) => hand.table.or(hand.systems),
        None => hand.systems,
    };
    let (uri, from_universal) = authority(node, table)?;
    if from_universal {
        let _carried = (hand.text(part(node, 2)), hand.text(part(node, 3)));
    } else {
        let _carried = hand.text(part(node, 1));
    }
    Some(uri)
}

/// The URI of an authority, and whether the universal id gave it.
pub(crate) fn authority<'m>(node: Node<'m>, table: Option<&'m Table>) -> Option<(Cow<'m, str>, bool)> {
    let text = |number| {
        let leaf = first_leaf(part(node, number));
        valued(leaf).then(|| leaf.text())
    };
    parted_authority(text(1), text(2), text(3), table)
}

/// The same for the three parts apart, as EI has them.
pub(crate) fn parted_authority<'m>(
    name: Option<Cow<'m, str>>,
    universal: Option<Cow<'m, str>>,
    kind: Option<Cow<'m, str>>,
    table: Option<&'m Table>,
) -> Option<(Cow<'m, str>, bool)> {
    if let Some(id) = universal {
        let id = id.trim();
        if let Some(row) = table.and_then(|table| table.find(id)) {
            return Some((row.code, true));
        }
        let typed = match kind.as_deref().map(str::trim) {
            Some("ISO") if is_oid(id) => Some(format!("urn:oid:{id}")),
            Some("UUID" | "GUID") if is_uuid(id) => Some(format!("urn:uuid:{}", id.to_ascii_lowercase())),
            _ => by_look(id),
        };
        if let Some(uri) = typed {
            return Some((Cow::Owned(uri), true));
        }
    }
    named_system(name?, table).map(|uri| (uri, false))
}

/// The URI of a system by its name.
fn named_system<'m>(name: Cow<'m, str>, table: Option<&'m Table>) -> Option<Cow<'m, str>> {
    let name = name.trim();
    if let Some(row) = table.and_then(|table| table.find(name)) {
        return Some(row.code);
    }
    if let Some(uri) = by_look(name) {
        return Some(Cow::Owned(uri));
    }
    match table?.translate(name) {
        Translation::Coded(found) => Some(Cow::Owned(found.code.into_owned())),
        Translation::Text | Translation::Refused => None,
    }
}

fn by_look(text: &str) -> Option<String> {
    if is_oid(text) {
        Some(format!("urn:oid:{text}"))
    } else if is_uuid(text) {
        Some(format!("urn:uuid:{}", text.to_ascii_lowercase()))
    } else if ["http://", "https://", "urn:"].iter().any(|scheme| text.starts_with(scheme))
        && !text.contains(char::is_whitespace)
    {
        Some(text.to_owned())
    } else {
        None
    }
}

fn is_oid(text: &str) -> bool {
    if !text.as_bytes().first().is_some_and(u8::is_ascii_digit) {
        return false;
    }
    let mut arcs = text.split('.');
    let fits = |arc: &str| {
        !arc.is_empty() && arc.bytes().all(|byte| byte.is_ascii_digit()) && (arc == "0" || !arc.starts_with('0'))
    };
    matches!(arcs.next(), Some("0" | "1" | "2")) && arcs.clone().count() >= 2 && arcs.all(fits)
}

fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.split('-').map(str::len).eq([8, 4, 4, 4, 12])
        && text.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
}

/// The member name of a choice for the type that a lens gave.
pub(crate) fn choice_name<'p>(choices: &'p [(TypeId, String)], kind: &str) -> Option<&'p str> {
    choices.iter().find(|(known, _)| known.name() == kind).map(|(_, name)| name.as_str())
}
