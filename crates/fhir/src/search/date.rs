//! Dates: every value is a range of time, as long as its precision says (search, 3.1.1.5.4).

use super::comparator::Comparator;
use super::posting::Form;
use super::values::{Postings, Union};
use crate::path::Item;
use crate::{FhirDateTime, Offset, Value};

/// A range of time, both ends included, in milliseconds since 1970 UTC; an open end is the last number there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) low: i64,
    pub(crate) high: i64,
}

/// A date as a client asks for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    comparator: Comparator,
    span: Span,
    /// The zone of values that say none.
    site: Offset,
}

impl Wanted {
    pub(crate) fn parse(comparator: Comparator, text: &str, site: Offset) -> Option<Wanted> {
        let parsed = FhirDateTime::parse_lenient(text)?;
        let exact = Span { low: parsed.low(site).as_millis(), high: parsed.high(site).as_millis() };
        // About a date is its own length more to either side: about a day is the days around it as well.
        let length = exact.high - exact.low + 1;
        let span = match comparator {
            Comparator::Approximately => Span { low: exact.low - length, high: exact.high + length },
            _ => exact,
        };
        Some(Wanted { comparator, span, site })
    }

    pub(crate) fn matches(&self, item: &Item<'_>) -> bool {
        let mut matched = false;
        each(item, self.site, &mut |value| matched |= self.meets(value));
        matched
    }

    fn meets(&self, value: Span) -> bool {
        let wanted = self.span;
        let within = wanted.low <= value.low && value.high <= wanted.high;
        match self.comparator {
            Comparator::Equal => within,
            Comparator::NotEqual => !within,
            Comparator::Greater => value.high > wanted.high,
            Comparator::Less => value.low < wanted.low,
            Comparator::GreaterOrEqual => value.high > wanted.high || within,
            Comparator::LessOrEqual => value.low < wanted.low || within,
            Comparator::StartsAfter => value.low > wanted.high,
            Comparator::EndsBefore => value.high < wanted.low,
            Comparator::Approximately => value.low <= wanted.high && wanted.low <= value.high,
        }
    }

    /// One comparison of one end is exact; where both ends count, one of them narrows and the body decides.
    pub(crate) fn look_up(&self, union: &mut Union<'_>) {
        let Span { low, high } = self.span;
        // A parameter whose values are points of time has one key for both ends.
        let high_form = if union.parameter().is_last_updated() { Form::DateLow } else { Form::DateHigh };
        let (form, from, to, exact) = match self.comparator {
            Comparator::Equal => (Form::DateLow, low, high, false),
            Comparator::NotEqual => {
                union.check_bodies();
                return union.presence();
            }
            Comparator::Greater => (high_form, high.saturating_add(1), i64::MAX, true),
            Comparator::Less => (Form::DateLow, i64::MIN, low.saturating_sub(1), true),
            Comparator::GreaterOrEqual => (high_form, low, i64::MAX, false),
            Comparator::LessOrEqual | Comparator::Approximately => (Form::DateLow, i64::MIN, high, false),
            Comparator::StartsAfter => (Form::DateLow, high.saturating_add(1), i64::MAX, true),
            Comparator::EndsBefore => (high_form, i64::MIN, low.saturating_sub(1), true),
        };
        if !exact {
            union.check_bodies();
        }
        union.range(form, &sorting(from), &sorting(to));
    }
}

/// The keys of every range of time of an element.
pub(crate) fn post(item: &Item<'_>, postings: &mut Postings<'_>) {
    each(item, postings.site.zone, &mut |span| {
        postings.add(Form::DateLow, &sorting(span.low));
        postings.add(Form::DateHigh, &sorting(span.high));
    });
}

/// The bytes of a point of time that sort as it does.
pub(crate) fn sorting(millis: i64) -> [u8; 8] {
    (millis ^ i64::MIN).to_be_bytes()
}

fn each(item: &Item<'_>, site: Offset, found: &mut dyn FnMut(Span)) {
    match item.datatype {
        "Period" => period(item.value, site).into_iter().for_each(found),
        "Timing" => timing(item.value, site).into_iter().for_each(found),
        "date" | "dateTime" | "instant" => said(item.value, site).into_iter().for_each(found),
        _ => {}
    }
}

fn said(value: &Value<'_>, site: Offset) -> Option<Span> {
    let parsed = FhirDateTime::parse_lenient(value.as_str()?)?;
    Some(Span { low: parsed.low(site).as_millis(), high: parsed.high(site).as_millis() })
}

/// A missing end is open.
fn period(value: &Value<'_>, site: Offset) -> Option<Span> {
    let end = |name: &str| value.get(name).and_then(|end| said(end, site));
    match (end("start"), end("end")) {
        (None, None) => None,
        (start, end) => {
            Some(Span { low: start.map_or(i64::MIN, |span| span.low), high: end.map_or(i64::MAX, |span| span.high) })
        }
    }
}

/// Only the outer limits of a schedule count.
fn timing(value: &Value<'_>, site: Offset) -> Option<Span> {
    let bounds = value.get("repeat.boundsPeriod").and_then(|bounds| period(bounds, site));
    let events = value.list_at("event").iter().filter_map(|event| said(event, site));
    bounds.into_iter().chain(events).reduce(|a, b| Span { low: a.low.min(b.low), high: a.high.max(b.high) })
}
