//! Time slots: a day with begin and end, or a begin and a length in minutes.

use std::borrow::Cow;

use jiff::ToSpan;
use jiff::civil::DateTime;

use crate::spelling::{self, Spelled};

/// Begin and end, in the digits of HL7 v2.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Slot {
    pub(crate) start: String,
    pub(crate) end: Option<String>,
}

/// How the parts of a slot are written; each without a pattern in a usual spelling.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Form<'p> {
    pub(crate) start: Option<&'p str>,
    /// The end is a number of minutes after the start.
    pub(crate) minutes: bool,
    pub(crate) end: Option<&'p str>,
    /// What stands between begin and end in one text.
    pub(crate) between: Option<&'p str>,
}

impl<'p> Form<'p> {
    /// Reads `yyyy-MM-dd HH:mm~HH:mm`, `yyyyMMdd HHmm + minutes` or `yyyy-MM-dd, HH:mm, HH:mm`.
    pub(crate) fn parse(pattern: Option<&'p str>) -> Self {
        let Some(pattern) = pattern else { return Form::default() };
        if let Some((start, "minutes")) = pattern.split_once('+').map(|(a, b)| (a.trim(), b.trim())) {
            return Form { start: Some(start), minutes: true, ..Form::default() };
        }
        for sign in SIGNS {
            if let Some((start, end)) = pattern.split_once(sign).filter(|_| sign != "-") {
                return Form { start: Some(start.trim()), end: Some(end.trim()), between: Some(sign), minutes: false };
            }
        }
        Form { start: Some(pattern), ..Form::default() }
    }
}

/// Reads a slot from one text, from begin and minutes, or from day, begin and end.
pub(crate) fn read(texts: &[Option<Cow<'_, str>>], pattern: Option<&str>) -> Option<Slot> {
    let form = Form::parse(pattern);
    let text = |at: usize| texts.get(at).and_then(Option::as_deref).map(str::trim).filter(|text| !text.is_empty());
    match (texts.len(), text(0)?) {
        (3, day) => {
            let mut patterns = pattern.unwrap_or("").split(',').map(str::trim).filter(|one| !one.is_empty());
            let day = spelling::read(day, patterns.next())?.moment;
            let begin = text(1).map(|begin| time_of_day(begin, patterns.next()));
            let end = text(2).map(|end| time_of_day(end, patterns.next()));
            let start = format!("{}{}", day, begin.unwrap_or_else(|| Some(String::new()))?);
            let end = match end {
                Some(end) => Some(format!("{day}{}", end?)),
                None => None,
            };
            Some(Slot { start, end })
        }
        (2, begin) => {
            let start = match form.start {
                None if said_in_v2(begin) => begin.to_owned(),
                pattern => spelling::read(begin, pattern)?.moment,
            };
            let Some(length) = text(1) else { return Some(Slot { start, end: None }) };
            let end = if length.len() <= MINUTES_DIGITS && length.bytes().all(|byte| byte.is_ascii_digit()) {
                later(&start, length.parse().ok()?)?
            } else {
                end_of(&start, length, form.end)?
            };
            Some(Slot { start, end: Some(end) })
        }
        (_, whole) => from_one(whole, form),
    }
}

/// Whether a text is a moment of HL7 v2 with a time of day, which keeps its seconds and offset.
fn said_in_v2(text: &str) -> bool {
    let digits = text.find(['+', '-', '.']).unwrap_or(text.len());
    matches!(digits, 12 | 14) && crate::moment::Moment::parse(text).is_some()
}

/// `2026-11-21 09:15~09:30`.
fn from_one(text: &str, form: Form<'_>) -> Option<Slot> {
    for sign in SIGNS {
        // A hyphen may stand in the date, so the last one counts.
        let Some((begin, end)) = text.rsplit_once(sign) else { continue };
        let Some(Spelled { moment: start, pattern }) = spelling::read(begin, form.start) else { continue };
        if let (true, Some(end)) = (spelling::has_time(&pattern), end_of(&start, end.trim(), form.end)) {
            return Some(Slot { start, end: Some(end) });
        }
    }
    let start = spelling::read(text, form.start)?.moment;
    Some(Slot { start, end: None })
}

/// The end as a time of the day of the start, or as a date with a time.
fn end_of(start: &str, text: &str, pattern: Option<&str>) -> Option<String> {
    let own = spelling::read(text, pattern).filter(|end| spelling::has_time(&end.pattern) && end.moment.len() >= 8);
    if let Some(end) = own.filter(|end| end.pattern.starts_with('y')) {
        return Some(end.moment);
    }
    Some(format!("{}{}", start.get(..8)?, time_of_day(text, pattern)?))
}

/// `HHmm` or `HHmmss` of a time of day.
fn time_of_day(text: &str, pattern: Option<&str>) -> Option<String> {
    // With a day in front it can be read as any other moment.
    let whole = match pattern {
        Some(pattern) => {
            let patterns: Vec<String> = pattern.split('|').map(|one| format!("yyyyMMdd {one}")).collect();
            spelling::read(&format!("{ANY_DAY} {text}"), Some(&patterns.join("|")))?
        }
        None => spelling::read(&format!("{ANY_DAY} {text}"), None)?,
    };
    whole.moment.get(8..).filter(|clock| clock.len() >= 4).map(str::to_owned)
}

/// Writes a slot into as many texts as the rule has sources, each in the spelling of what stood there, else as the pattern
/// says, else in a usual spelling.
pub(crate) fn write(
    start: &str,
    end: Option<&str>,
    pattern: Option<&str>,
    sources: usize,
    sent: &[Option<&str>],
) -> Option<Vec<String>> {
    let form = Form::parse(pattern);
    let like = |at: usize, patterns: Option<&str>| {
        let text = sent.get(at).copied().flatten()?;
        Some(spelling::read(text, patterns)?.pattern)
    };
    match sources {
        3 => {
            let mut patterns = pattern.unwrap_or("yyyy-MM-dd, HH:mm, HH:mm").split(',').map(str::trim);
            let day = like(0, patterns.next()).unwrap_or_else(|| "yyyy-MM-dd".to_owned());
            let clocks = [patterns.next().unwrap_or("HH:mm"), patterns.next().unwrap_or("HH:mm")];
            let mut texts = vec![spelling::write(start, &day)?, spelling::write(start, clocks[0])?];
            texts.extend(end.and_then(|end| spelling::write(end, clocks[1])));
            Some(texts)
        }
        2 => {
            let first = like(0, form.start).unwrap_or_else(|| form.start.unwrap_or("yyyy-MM-dd HH:mm").to_owned());
            let mut texts = vec![spelling::write(start, &first)?];
            texts.extend(end.and_then(|end| minutes_between(start, end)).map(|minutes| minutes.to_string()));
            Some(texts)
        }
        _ => Some(vec![in_one(start, end, form, sent.first().copied().flatten())?]),
    }
}

/// `2026-11-21 09:15~09:30`, with the sign and the spelling of the text that it replaces.
fn in_one(start: &str, end: Option<&str>, form: Form<'_>, sent: Option<&str>) -> Option<String> {
    let parted = sent.and_then(|sent| {
        SIGNS.iter().find_map(|sign| {
            let (begin, _) = sent.rsplit_once(sign)?;
            let begin = spelling::read(begin, form.start).filter(|begin| spelling::has_time(&begin.pattern))?;
            Some((begin.pattern, *sign))
        })
    });
    let (begin, sign) =
        parted.unwrap_or_else(|| (form.start.unwrap_or("yyyy-MM-dd HH:mm").to_owned(), form.between.unwrap_or("~")));
    let text = spelling::write(start, &begin)?;
    let Some(end) = end else { return Some(text) };
    let clock = form.end.map(str::to_owned).unwrap_or_else(|| clock_of(&begin));
    // An end on another day says its day.
    let pattern = if start.get(..8) == end.get(..8) { clock } else { begin };
    Some(format!("{text}{sign}{}", spelling::write(end, &pattern)?))
}

/// The part of a pattern from its hour on.
fn clock_of(pattern: &str) -> String {
    pattern.find('H').map_or_else(|| "HH:mm".to_owned(), |at| pattern[at..].to_owned())
}

/// So many minutes later, in the same digits.
pub(crate) fn later(start: &str, minutes: i64) -> Option<String> {
    let (digits, offset) = start.split_at(start.find(['+', '-', '.']).unwrap_or(start.len()));
    let moved = civil(digits)?.checked_add(minutes.minutes()).ok()?;
    let text = moved.strftime("%Y%m%d%H%M%S").to_string();
    Some(text.get(..digits.len())?.to_owned() + offset)
}

/// How many minutes lie between two moments.
fn minutes_between(start: &str, end: &str) -> Option<i64> {
    let seconds = civil(end)?.since(civil(start)?).ok()?.total(jiff::Unit::Second).ok()?;
    (seconds >= 0.0 && seconds % 60.0 == 0.0).then_some((seconds / 60.0) as i64)
}

/// Twelve or fourteen digits as a date with a time.
pub(crate) fn civil(digits: &str) -> Option<DateTime> {
    let digits = digits.split(['+', '-', '.']).next().unwrap_or(digits);
    let part = |from: usize, to: usize| digits.get(from..to).and_then(|part| part.parse::<i16>().ok());
    let small = |from: usize, to: usize| part(from, to).and_then(|number| i8::try_from(number).ok());
    let second = if digits.len() >= 14 { small(12, 14)? } else { 0 };
    DateTime::new(part(0, 4)?, small(4, 6)?, small(6, 8)?, small(8, 10)?, small(10, 12)?, second, 0).ok()
}

/// What stands between begin and end.
const SIGNS: [&str; 5] = ["~", "～", "至", "—", "-"];
/// A longer number is no number of minutes.
const MINUTES_DIGITS: usize = 4;
const ANY_DAY: &str = "20000101";

#[cfg(test)]
mod tests {
    use super::*;

    fn slot(texts: &[&str], pattern: Option<&str>) -> Option<(String, String)> {
        let texts: Vec<Option<Cow<'_, str>>> = texts.iter().map(|text| Some(Cow::Borrowed(*text))).collect();
        let slot = read(&texts, pattern)?;
        Some((slot.start, slot.end.unwrap_or_default()))
    }

    fn some(start: &str, end: &str) -> Option<(String, String)> {
        Some((start.to_owned(), end.to_owned()))
    }

    #[test]
    fn a_slot_in_one_text_has_begin_and_end() {
        let expected = some("202611210915", "202611210930");
        assert_eq!(slot(&["2026-11-21 09:15~09:30"], Some("yyyy-MM-dd HH:mm~HH:mm")), expected);
        for text in ["2026-11-21 09:15~09:30", "2026-11-21 9:15-9:30", "2026/11/21 09:15至09:30", "20261121 0915～0930"]
        {
            assert_eq!(slot(&[text], None), expected, "{text}");
        }
        assert_eq!(slot(&["2026-11-21 23:50~2026-11-22 00:10"], None), some("202611212350", "202611220010"));
        assert_eq!(slot(&["2026-11-21 09:15"], None), some("202611210915", ""));
    }

    #[test]
    fn a_begin_and_its_minutes_give_the_end() {
        let pattern = Some("yyyyMMdd HHmm + minutes");
        assert_eq!(slot(&["20261121 1400", "15"], pattern), some("202611211400", "202611211415"));
        assert_eq!(slot(&["20261231 2350", "30"], None), some("202612312350", "202701010020"), "over the year's end");
        assert_eq!(slot(&["20261121 1400", ""], pattern), some("202611211400", ""));
        assert_eq!(slot(&["20261231235000+0800", "30"], None), some("20261231235000+0800", "20270101002000+0800"));
        assert_eq!(minutes_between("202612312350", "202701010020"), Some(30));
    }

    #[test]
    fn day_begin_and_end_may_stand_apart() {
        let expected = some("202611211400", "202611211415");
        assert_eq!(slot(&["2026-11-21", "14:00", "14:15"], None), expected);
        assert_eq!(slot(&["2026-11-21", "14:00", "14:15"], Some("yyyy-MM-dd, HH:mm, HH:mm")), expected);
    }

    #[test]
    fn what_is_no_slot_is_refused() {
        for texts in
            [&["上午"][..], &["20261121 1400", "x"], &["2026-11-21", "noon", "14:00"], &["", "15"], &["2026-13"]]
        {
            let found = slot(texts, None);
            // A month that is none is found out where the date is made.
            assert!(found.is_none() || texts == ["2026-13"], "{texts:?} {found:?}");
        }
    }
}
