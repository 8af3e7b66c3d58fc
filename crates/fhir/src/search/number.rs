//! Numbers and quantities: exact decimals or intervals of them (search, 3.1.1.5.7 and 3.1.1.5.8).

use super::comparator::Comparator;
use super::decimal::{Decimal, Stated};
use super::posting::{Form, digest};
use super::values::{Postings, Union};
use crate::Value;
use crate::path::Item;

/// A number that a resource states: a point, or an interval with an open end where one is missing.
struct Interval {
    low: Option<Decimal>,
    high: Option<Decimal>,
}

/// A number with its unit.
struct Amount<'v> {
    interval: Interval,
    system: Option<&'v str>,
    code: Option<&'v str>,
    unit: Option<&'v str>,
}

/// A number as a client asks for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    comparator: Comparator,
    value: Decimal,
    low: Decimal,
    high: Decimal,
    unit: WantedUnit,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum WantedUnit {
    Any,
    /// `||mg`: the code or the text of the unit.
    Named(String),
    /// `|system|code`.
    Is {
        system: String,
        code: String,
    },
}

impl Wanted {
    pub(crate) fn parse(comparator: Comparator, text: &str) -> Option<Wanted> {
        let stated = Stated::parse(text)?;
        let value = stated.value.clone();
        let (low, high) = match comparator {
            Comparator::Approximately => (value.plus(&value.tenth().negated()), value.plus(&value.tenth())),
            _ => (stated.low(), stated.high()),
        };
        Some(Wanted { comparator, value, low, high, unit: WantedUnit::Any })
    }

    /// From the parts between the `|` of a value; the comparator is taken off the first.
    pub(crate) fn parse_quantity(comparator: Comparator, number: &str, rest: &[String]) -> Option<Wanted> {
        let wanted = Wanted::parse(comparator, number)?;
        let unit = match rest {
            [] => WantedUnit::Any,
            [system, code] if system.is_empty() && code.is_empty() => WantedUnit::Any,
            [system, code] if system.is_empty() => WantedUnit::Named(code.clone()),
            [_, code] if code.is_empty() => return None,
            [system, code] => WantedUnit::Is { system: system.clone(), code: code.clone() },
            _ => return None,
        };
        Some(Wanted { unit, ..wanted })
    }

    pub(crate) fn matches(&self, item: &Item<'_>) -> bool {
        amount(item).is_some_and(|amount| self.meets(&amount.interval) && self.unit.meets(&amount))
    }

    fn meets(&self, stated: &Interval) -> bool {
        let low = |test: &dyn Fn(&Decimal) -> bool, open: bool| stated.low.as_ref().map_or(open, test);
        let high = |test: &dyn Fn(&Decimal) -> bool, open: bool| stated.high.as_ref().map_or(open, test);
        let within = || low(&|low| *low >= self.low, false) && high(&|high| *high < self.high, false);
        match self.comparator {
            Comparator::Equal => within(),
            Comparator::NotEqual => !within(),
            Comparator::Greater => high(&|high| *high > self.value, true),
            Comparator::GreaterOrEqual => high(&|high| *high >= self.value, true),
            Comparator::Less => low(&|low| *low < self.value, true),
            Comparator::LessOrEqual => low(&|low| *low <= self.value, true),
            Comparator::StartsAfter => low(&|low| *low > self.value, false),
            Comparator::EndsBefore => high(&|high| *high < self.value, false),
            Comparator::Approximately => low(&|low| *low <= self.high, true) && high(&|high| *high >= self.low, true),
        }
    }

    /// Keys cut long numbers and stand for both forms of a value, so that the body always decides.
    pub(crate) fn look_up(&self, union: &mut Union<'_>) {
        union.check_bodies();
        let (points, lows, highs, unit) = match &self.unit {
            WantedUnit::Any => (Form::Point, Form::Low, Form::High, None),
            WantedUnit::Named(name) | WantedUnit::Is { code: name, .. } => {
                (Form::UnitPoint, Form::UnitLow, Form::UnitHigh, Some(name))
            }
        };
        let bytes = |number: Option<&Decimal>, open: u8| {
            let mut key = unit.map_or(Vec::new(), |unit| unit_hash(unit).to_vec());
            match number {
                Some(number) => number.append_key(&mut key),
                None => key.push(open),
            }
            key
        };
        let (form, from, to) = match self.comparator {
            Comparator::NotEqual => return union.presence(),
            Comparator::Equal => (lows, Some(&self.low), Some(&self.high)),
            Comparator::Greater | Comparator::GreaterOrEqual => (highs, Some(&self.value), None),
            Comparator::StartsAfter => (lows, Some(&self.value), None),
            Comparator::Less | Comparator::LessOrEqual => (lows, None, Some(&self.value)),
            Comparator::EndsBefore => (highs, None, Some(&self.value)),
            Comparator::Approximately => {
                union.range(points, &bytes(Some(&self.low), OPEN_LOW), &bytes(Some(&self.high), OPEN_HIGH));
                return union.range(lows, &bytes(None, OPEN_LOW), &bytes(Some(&self.high), OPEN_HIGH));
            }
        };
        union.range(points, &bytes(from, OPEN_LOW), &bytes(to, OPEN_HIGH));
        union.range(form, &bytes(from, OPEN_LOW), &bytes(to, OPEN_HIGH));
    }
}

impl WantedUnit {
    fn meets(&self, amount: &Amount<'_>) -> bool {
        match self {
            WantedUnit::Any => true,
            WantedUnit::Named(name) => amount.code == Some(name) || amount.unit == Some(name),
            WantedUnit::Is { system, code } => amount.system == Some(system) && amount.code == Some(code),
        }
    }
}

/// The keys of a number, and of a quantity once more for each way to name its unit.
pub(crate) fn post(item: &Item<'_>, postings: &mut Postings<'_>) {
    let Some(amount) = amount(item) else { return };
    let unit = amount.unit.filter(|unit| Some(*unit) != amount.code);
    let plain = [(Form::Point, Form::Low, Form::High, Vec::new())];
    let named = amount
        .code
        .into_iter()
        .chain(unit)
        .map(|name| (Form::UnitPoint, Form::UnitLow, Form::UnitHigh, unit_hash(name).to_vec()));
    for (point, low, high, start) in plain.into_iter().chain(named) {
        let bytes = |number: &Option<Decimal>, open: u8| {
            let mut key = start.clone();
            match number {
                Some(number) => number.append_key(&mut key),
                None => key.push(open),
            }
            key
        };
        let Interval { low: from, high: to } = &amount.interval;
        if from.is_some() && from == to {
            postings.add(point, &bytes(from, OPEN_LOW));
        } else {
            postings.add(low, &bytes(from, OPEN_LOW));
            postings.add(high, &bytes(to, OPEN_HIGH));
        }
    }
}

/// The number that an element states, with its unit.
fn amount<'v>(item: &Item<'v>) -> Option<Amount<'v>> {
    let value = item.value;
    match item.datatype {
        "Range" => {
            let (low, high) = (member(value, "low"), member(value, "high"));
            let unit = low.or(high)?;
            let interval = Interval { low: low.and_then(stated), high: high.and_then(stated) };
            Some(Amount { interval, ..with_unit(unit) })
        }
        "SampledData" => {
            let origin = member(value, "origin")?;
            Some(Amount { interval: sampled(value, &stated(origin)?)?, ..with_unit(origin) })
        }
        "Money" => {
            let code = text(value, "currency");
            let system = code.map(|_| "urn:iso:std:iso:4217");
            Some(Amount { interval: Interval::point(stated(value)?), system, code, unit: None })
        }
        "decimal" | "integer" | "positiveInt" | "unsignedInt" => {
            let number = Decimal::parse(value.as_number()?)?;
            Some(Amount { interval: Interval::point(number), system: None, code: None, unit: None })
        }
        _ => {
            let number = stated(value)?;
            let interval = match text(value, "comparator") {
                Some("<" | "<=") => Interval { low: None, high: Some(number) },
                Some(">" | ">=") => Interval { low: Some(number), high: None },
                _ => Interval::point(number),
            };
            Some(Amount { interval, ..with_unit(value) })
        }
    }
}

impl Interval {
    fn point(number: Decimal) -> Interval {
        Interval { low: Some(number.clone()), high: Some(number) }
    }
}

fn with_unit<'v>(quantity: &'v Value<'v>) -> Amount<'v> {
    Amount {
        interval: Interval { low: None, high: None },
        system: text(quantity, "system"),
        code: text(quantity, "code"),
        unit: text(quantity, "unit"),
    }
}

/// From the lowest to the highest sample: `sample * factor + origin` (datatypes, SampledData).
fn sampled(value: &Value<'_>, origin: &Decimal) -> Option<Interval> {
    let factor = match value.get("factor") {
        Some(factor) => Decimal::parse(factor.as_number()?)?,
        None => Decimal::parse("1")?,
    };
    let samples = || value.text_at("data").unwrap_or_default().split_ascii_whitespace().filter_map(Decimal::parse);
    let scaled = |sample: Decimal| sample.times(&factor).plus(origin);
    let (one, other) = (scaled(samples().min()?), scaled(samples().max()?));
    let ordered = one <= other;
    let (low, high) = if ordered { (one, other) } else { (other, one) };
    Some(Interval { low: Some(low), high: Some(high) })
}

fn stated(quantity: &Value<'_>) -> Option<Decimal> {
    Decimal::parse(quantity.get("value")?.as_number()?)
}

fn member<'v>(value: &'v Value<'v>, name: &str) -> Option<&'v Value<'v>> {
    value.as_object()?.get(name)
}

fn text<'v>(value: &'v Value<'v>, name: &str) -> Option<&'v str> {
    member(value, name)?.as_str()
}

fn unit_hash(name: &str) -> [u8; 8] {
    digest(&[name.as_bytes()])
}

const OPEN_LOW: u8 = 0;
const OPEN_HIGH: u8 = u8::MAX;
