use std::borrow::Cow;
use std::collections::BTreeMap;

use super::{PrintError, Printer};
use crate::{Charset, Delimiters, Path, Place, escape, facts};

/// A segment that is being written: values by place. Fields, repetitions and components grow as they are set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentDraft {
    id: String,
    /// Keys name a position with all its levels.
    values: BTreeMap<Place, Value>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Value {
    /// Text whose escapes are written when it is printed.
    Text(String),
    /// Text whose escapes are written already.
    Raw(String),
}

impl SegmentDraft {
    /// A segment of this id without any value.
    #[must_use]
    pub fn new(id: &str) -> Self {
        Self { id: id.to_owned(), values: BTreeMap::new() }
    }

    /// The segment id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// No value has been set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Writes a value in place of whatever stood at the place and below it; an empty one takes that away.
    pub fn set(&mut self, place: Place, text: &str) {
        self.clear(place);
        if !text.is_empty() {
            self.values.insert(place.first(), Value::Text(text.to_owned()));
        }
    }

    /// Writes a value as [`Self::set`] does; an empty one leaves the place there, with its delimiters.
    pub(crate) fn replace(&mut self, place: Place, text: &str) {
        let stood = self.has(place);
        self.set(place, text);
        if text.is_empty() && stood {
            self.values.insert(place.first(), Value::Raw(String::new()));
        }
    }

    /// Writes a null: the receiver is to delete the value.
    pub fn set_null(&mut self, place: Place) {
        self.clear(place);
        self.values.insert(place.first(), Value::Raw(NULL.to_owned()));
    }

    /// Writes what stands in another message with the same delimiters, escapes and lower delimiters included.
    pub fn set_raw(&mut self, place: Place, raw: &str, delimiters: Delimiters) {
        self.clear(place);
        if raw.is_empty() {
            return;
        }
        let mut at = place.first();
        // An open level is split, a named one is taken as it is.
        let open = [
            (delimiters.repetition, place.repetition == 0),
            (delimiters.component, place.component == 0),
            (delimiters.subcomponent, place.subcomponent == 0),
        ];
        let splits = |b: u8| b != 0 && open.iter().any(|&(delimiter, open)| open && delimiter == b);
        let mut start = 0;
        for (end, b) in raw.bytes().enumerate().filter(|&(_, b)| splits(b)) {
            self.values.insert(at, Value::Raw(raw[start..end].to_owned()));
            start = end + 1;
            at = after(at, b, delimiters);
        }
        self.values.insert(at, Value::Raw(raw[start..].to_owned()));
    }

    /// The value at a position, with its escapes decoded.
    #[must_use]
    pub fn get(&self, place: Place, delimiters: Delimiters, charset: Charset) -> Option<Cow<'_, str>> {
        match self.values.get(&place.first())? {
            Value::Text(text) => Some(Cow::Borrowed(text)),
            Value::Raw(raw) => Some(escape::decode(raw, delimiters, charset)),
        }
    }

    /// The highest field that was set.
    #[must_use]
    pub fn field_count(&self) -> u16 {
        self.values.last_key_value().map_or(0, |(place, _)| place.field)
    }

    /// Whether something stands at the place or below it.
    #[must_use]
    pub fn has(&self, place: Place) -> bool {
        self.values.range(place.first()..=place.last()).next().is_some()
    }

    fn clear(&mut self, place: Place) {
        let below: Vec<Place> = self.values.range(place.first()..=place.last()).map(|(at, _)| *at).collect();
        for at in below {
            self.values.remove(&at);
        }
    }

    /// Appends the segment without a line end.
    pub(crate) fn print(&self, printer: Printer<'_>, path: &Path, bytes: &mut Vec<u8>) -> Result<(), PrintError> {
        bytes.extend_from_slice(self.id.as_bytes());
        let mut at = Place::field(0);
        if matches!(self.id.as_str(), "MSH" | "FHS" | "BHS") {
            bytes.push(printer.delimiters.field);
            bytes.extend(printer.delimiters.declared());
            at = Place::field(2);
        }
        let from = Place::field(at.field + 1);
        for (&place, value) in self.values.range(from..) {
            step(at, place, printer.delimiters, bytes)
                .ok_or_else(|| PrintError::LevelOff { path: place.in_segment(path.clone()) })?;
            self.write(value, place, printer, path, bytes)?;
            at = place;
        }
        Ok(())
    }

    /// Appends one field without the separator before it.
    pub(crate) fn print_field(
        &self,
        number: u16,
        printer: Printer<'_>,
        path: &Path,
        bytes: &mut Vec<u8>,
    ) -> Result<(), PrintError> {
        let whole = Place::field(number);
        let mut at = whole.first();
        for (&place, value) in self.values.range(whole.first()..=whole.last()) {
            step(at, place, printer.delimiters, bytes)
                .ok_or_else(|| PrintError::LevelOff { path: place.in_segment(path.clone()) })?;
            self.write(value, place, printer, path, bytes)?;
            at = place;
        }
        Ok(())
    }

    fn write(
        &self,
        value: &Value,
        place: Place,
        printer: Printer<'_>,
        path: &Path,
        bytes: &mut Vec<u8>,
    ) -> Result<(), PrintError> {
        let Printer { delimiters, target } = printer;
        let located = || place.in_segment(path.clone());
        let unencodable = |text: &str, at: usize| PrintError::Unencodable {
            path: located(),
            character: text[..at].chars().count() + 1,
            charset: target.name().to_owned(),
        };
        let text = match value {
            Value::Raw(raw) => return target.encode_into(raw, bytes).map_err(|at| unencodable(raw, at)),
            Value::Text(text) => text,
        };
        let escaped =
            |text| escape::encode(text, delimiters).ok_or_else(|| PrintError::Unescapable { path: located() });
        match target.encode_into(&escaped(text)?, bytes) {
            Ok(()) => Ok(()),
            Err(_) if target.writes_references() && self.is_free_text(place) => {
                let referenced = target.referenced(text);
                let written = escaped(&referenced)?;
                target.encode_into(&written, bytes).map_err(|at| unencodable(&written, at))
            }
            Err(at) => Err(unencodable(&escaped(text)?, at)),
        }
    }

    /// TX and FT, and the texts of coded elements: nothing that names or identifies.
    fn is_free_text(&self, place: Place) -> bool {
        let stated = Place::at(2, 1, 1, 1);
        let datatype = match (self.id.as_str(), place.field) {
            ("OBX", 5) => match self.values.get(&stated) {
                Some(Value::Text(text) | Value::Raw(text)) => text.as_str(),
                None => "",
            },
            (id, field) => facts::field(id, field).map_or("", |facts| facts.datatype),
        };
        match datatype {
            "TX" | "FT" => true,
            "CE" | "CWE" | "CNE" => matches!(place.component, 2 | 5 | 9),
            _ => false,
        }
    }
}

/// The position after one that this delimiter ends.
fn after(at: Place, delimiter: u8, delimiters: Delimiters) -> Place {
    let Place { field, repetition, component, subcomponent } = at;
    let next = |number: u16| number.saturating_add(1);
    if delimiter == delimiters.repetition {
        Place { field, repetition: next(repetition), component: 1, subcomponent: 1 }
    } else if delimiter == delimiters.component {
        Place { field, repetition, component: next(component), subcomponent: 1 }
    } else {
        Place { field, repetition, component, subcomponent: next(subcomponent) }
    }
}

/// Appends the delimiters between two positions; `None` when one of them is switched off.
fn step(from: Place, to: Place, delimiters: Delimiters, bytes: &mut Vec<u8>) -> Option<()> {
    let mut anew = from.field != to.field;
    let levels = [
        (from.field, to.field, delimiters.field),
        (from.repetition, to.repetition, delimiters.repetition),
        (from.component, to.component, delimiters.component),
        (from.subcomponent, to.subcomponent, delimiters.subcomponent),
    ];
    for (level, (from, to, delimiter)) in levels.into_iter().enumerate() {
        let start = if level > 0 && anew { 1 } else { from };
        let count = to.saturating_sub(start);
        anew |= from != to;
        if count > 0 && delimiter == 0 {
            return None;
        }
        bytes.extend(std::iter::repeat_n(delimiter, usize::from(count)));
    }
    Some(())
}

const NULL: &str = "\"\"";
