//! Values in plain text, as documents have them: dates in the sender's spelling, slots, numbers with their signs.

use std::borrow::Cow;

use dukou_fhir::{Object, Value};
use jiff::Timestamp;
use jiff::tz::{Offset, TimeZone};

use super::moment::compact;
use super::value::{BackHand, text_of};
use crate::plan::ZonePlan;
use crate::{slot, spelling};

/// A date or time in the spelling of the text that it replaces, else in the first pattern of the rule.
pub(crate) fn moment(text: &str, hand: &BackHand<'_>) -> Option<String> {
    let patterns = hand.options.argument.as_deref();
    let digits = local(&compact(text)?, &hand.options.zone);
    let sent = hand.sent.first().and_then(Option::as_deref);
    let spelled = sent.and_then(|sent| spelling::read(sent, patterns)).map(|spelled| spelled.pattern);
    let usual = match digits.len() {
        4 => "yyyy",
        6 => "yyyy-MM",
        8 => "yyyy-MM-dd",
        _ => "yyyy-MM-dd HH:mm:ss",
    };
    let first = patterns.map_or(usual, |patterns| patterns.split('|').next().unwrap_or(usual));
    let written = spelled.and_then(|pattern| spelling::write(&digits, &pattern));
    written.or_else(|| spelling::write(&digits, first)).or_else(|| spelling::write(&digits, usual))
}

/// The texts of a slot, one for each source of the rule, from the start and end that stand side by side.
pub(crate) fn slot(value: &Value<'_>, hand: &BackHand<'_>) -> Option<Vec<String>> {
    let digits = |name: &str| {
        let beside =
            value.as_object().map_or_else(|| hand.around.and_then(|around| around.get(name)), |own| own.get(name));
        let text = beside.and_then(Value::as_str)?;
        Some(local(&compact(text)?, &hand.options.zone))
    };
    let (start, end) = (digits("start")?, digits("end"));
    let pattern = hand.options.argument.as_deref();
    let sent: Vec<Option<&str>> = hand.sent.iter().map(Option::as_deref).collect();
    slot::write(&start, end.as_deref(), pattern, hand.sources, &sent)
}

/// `<0.5` of a quantity, and its unit where the rule reads one.
pub(crate) fn quantity(value: &Value<'_>, hand: &BackHand<'_>) -> Option<(String, Option<String>)> {
    let quantity = value.as_object()?;
    let number = text_of(quantity.get("value")?)?;
    let sign = quantity.get("comparator").and_then(Value::as_str).unwrap_or("");
    Some((format!("{sign}{number}"), unit(quantity, hand)))
}

fn unit(quantity: &Object<'_>, hand: &BackHand<'_>) -> Option<String> {
    if hand.sources < 2 {
        return None;
    }
    let said = ["unit", "code"].into_iter().find_map(|name| quantity.get(name).and_then(text_of));
    said.map(Cow::into_owned)
}

/// The clock of the zone that the rule names, without an offset.
fn local(digits: &str, zone: &ZonePlan) -> String {
    let at = digits.find(['+', '-']).unwrap_or(digits.len());
    let (clock, own) = digits.split_at(at);
    let wanted = match zone {
        ZonePlan::Offset(wanted) => seconds(&wanted.replace(':', "")),
        ZonePlan::Site | ZonePlan::Unsaid => None,
    };
    match (seconds(own), wanted) {
        (Some(own), Some(wanted)) if own != wanted => moved(clock, own, wanted).unwrap_or_else(|| clock.to_owned()),
        _ => clock.to_owned(),
    }
}

fn seconds(offset: &str) -> Option<i32> {
    let hours: i32 = offset.get(1..3)?.parse().ok()?;
    let minutes: i32 = offset.get(3..5)?.parse().ok()?;
    let sign = if offset.starts_with('-') { -1 } else { 1 };
    Some(sign * (hours * 3600 + minutes * 60))
}

fn moved(clock: &str, own: i32, wanted: i32) -> Option<String> {
    let (digits, fraction) = clock.split_at(clock.find('.').unwrap_or(clock.len()));
    let zone = TimeZone::fixed(Offset::from_seconds(own).ok()?);
    let at: Timestamp = slot::civil(digits)?.to_zoned(zone).ok()?.timestamp();
    let there = at.to_zoned(TimeZone::fixed(Offset::from_seconds(wanted).ok()?));
    let text = there.strftime("%Y%m%d%H%M%S").to_string();
    Some(text.get(..digits.len())?.to_owned() + fraction)
}
