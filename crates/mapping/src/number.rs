//! Decimal numbers as text: their digits are kept, only what JSON forbids is changed.

use std::borrow::Cow;

/// The number as JSON writes it: `5.10` stays, `+5` loses its sign, `.5` gains a zero, `007` loses two.
pub(crate) fn json_number(text: &str) -> Option<Cow<'_, str>> {
    let text = text.trim();
    let (sign, digits) = match text.as_bytes().first()? {
        b'-' => ("-", &text[1..]),
        b'+' => ("", &text[1..]),
        _ => ("", text),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let number = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if !number(whole) || !number(fraction) || (whole.is_empty() && fraction.is_empty()) || digits.len() > DIGITS_MAX {
        return None;
    }
    let clean = whole.trim_start_matches('0');
    let clean = if clean.is_empty() { "0" } else { clean };
    let untouched = clean.len() == whole.len() && !digits.ends_with('.') && !text.starts_with('+');
    if untouched {
        return Some(Cow::Borrowed(text));
    }
    let dot = if fraction.is_empty() { "" } else { "." };
    Some(Cow::Owned(format!("{sign}{clean}{dot}{fraction}")))
}

/// A whole number from `low` to `high`.
pub(crate) fn json_integer(text: &str, low: i64, high: i64) -> Option<String> {
    let number = json_number(text)?;
    if number.contains('.') {
        return None;
    }
    let number: i64 = number.parse().ok()?;
    (low..=high).contains(&number).then(|| number.to_string())
}

/// FHIR asks for at most 18 digits; more are carried all the same, but not without end.
const DIGITS_MAX: usize = 64;

/// Low and high limit of a reference range in plain text.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Range<'t> {
    pub(crate) low: Option<Cow<'t, str>>,
    pub(crate) high: Option<Cow<'t, str>>,
}

/// Reads `7-40`, `7 ~ 40`, `41--81`, `<3`, `>=5`; another text has no limits.
pub(crate) fn range(text: &str) -> Range<'_> {
    let text = text.trim();
    let below = ["<=", "≤", "<", "＜"];
    let above = [">=", "≥", ">", "＞"];
    if let Some(rest) = below.iter().find_map(|mark| text.strip_prefix(mark)) {
        return Range { low: None, high: json_number(rest) };
    }
    if let Some(rest) = above.iter().find_map(|mark| text.strip_prefix(mark)) {
        return Range { low: json_number(rest), high: None };
    }
    let Some((low, rest)) = leading_number(text) else { return Range::default() };
    let marks = ["--", "-", "~", "～", "—", "–", "－"];
    let rest = rest.trim_start();
    let Some(rest) = marks.iter().find_map(|mark| rest.strip_prefix(mark)) else { return Range::default() };
    match (json_number(low), json_number(rest)) {
        (Some(low), Some(high)) => Range { low: Some(low), high: Some(high) },
        _ => Range::default(),
    }
}

fn leading_number(text: &str) -> Option<(&str, &str)> {
    let sign = usize::from(text.starts_with(['-', '+']));
    let end = text[sign..].find(|c: char| !c.is_ascii_digit() && c != '.').map(|at| at + sign)?;
    (end > sign).then(|| text.split_at(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digits_of_a_number_are_kept() {
        let found: Vec<Option<String>> = ["5.10", "+5", ".5", "007", "-0.0", "5.", "1e3", "<5", "", "."]
            .iter()
            .map(|text| json_number(text).map(Cow::into_owned))
            .collect();
        let expected =
            [Some("5.10"), Some("5"), Some("0.5"), Some("7"), Some("-0.0"), Some("5"), None, None, None, None];
        assert_eq!(found, expected.map(|text| text.map(str::to_owned)));
    }

    #[test]
    fn ranges_are_read_in_the_ways_they_are_written() {
        let limits = |text| {
            let range = range(text);
            let text = |limit: Option<Cow<'_, str>>| limit.map_or_else(|| "?".to_owned(), Cow::into_owned);
            format!("{} {}", text(range.low), text(range.high))
        };
        let found: Vec<String> =
            ["7-40", "7 ~ 40", "41--81", "<3", ">=5", "-5-10", "阴性", "1:80"].map(limits).to_vec();
        assert_eq!(found, ["7 40", "7 40", "41 81", "? 3", "5 ?", "-5 10", "? ?", "? ?"]);
    }
}
