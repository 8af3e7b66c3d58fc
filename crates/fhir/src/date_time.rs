//! Dates and times of FHIR: text first, instants from it.

use std::fmt;

/// A point in time: milliseconds since 1970-01-01T00:00:00Z, leap seconds not counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(i64);

impl Instant {
    /// The instant that many milliseconds after the start of 1970 UTC; negative before it.
    pub const fn from_millis(millis: i64) -> Instant {
        Instant(millis)
    }

    /// The instant of a count of nanoseconds, cut to milliseconds.
    pub const fn from_nanos(nanos: i64) -> Instant {
        Instant(nanos.div_euclid(1_000_000))
    }

    /// Milliseconds since the start of 1970 UTC.
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// The instant of a FHIR instant: full date, seconds, zone. In UTC it must lie in the years 1 to 9999, else it could not be printed.
    pub fn parse(text: &str) -> Option<Instant> {
        let parsed = FhirDateTime::parse(text)?;
        let exact = matches!(parsed.precision(), Precision::Second | Precision::Fraction);
        Some(parsed.low(Offset::UTC)).filter(|instant| exact && (1..=9_999).contains(&instant.calendar().0))
    }

    /// The calendar day in UTC (year, month, day) and the milliseconds since its midnight.
    pub fn calendar(self) -> (i32, u8, u8, u32) {
        let (year, month, day) = date_of(self.0.div_euclid(DAY_MS));
        (year, month, day, self.0.rem_euclid(DAY_MS) as u32)
    }
}

impl fmt::Display for Instant {
    /// A FHIR instant in UTC with milliseconds: `2024-05-01T02:03:04.005Z`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day, rest) = self.calendar();
        let (second, milli) = (rest / 1000, rest % 1000);
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z")
    }
}

/// A distance from UTC in whole minutes, from -14:00 to +14:00.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Offset(i16);

impl Offset {
    /// UTC itself.
    pub const UTC: Offset = Offset(0);
    /// Where a day begins first.
    pub const EASTMOST: Offset = Offset(14 * 60);
    /// Where a day ends last.
    pub const WESTMOST: Offset = Offset(-14 * 60);

    /// The offset of that many minutes east of UTC.
    pub const fn from_minutes(minutes: i16) -> Option<Offset> {
        if minutes >= -14 * 60 && minutes <= 14 * 60 { Some(Offset(minutes)) } else { None }
    }

    /// The offset in `Z` or `+08:00`.
    pub fn parse(text: &str) -> Option<Offset> {
        if text == "Z" {
            return Some(Offset::UTC);
        }
        let [sign, h1, h2, b':', m1, m2] = *text.as_bytes() else {
            return None;
        };
        let (hour, minute) = (two_digits(h1, h2)?, two_digits(m1, m2)?);
        let minutes = i16::from(hour) * 60 + i16::from(minute);
        if minute > 59 {
            return None;
        }
        match sign {
            b'+' => Offset::from_minutes(minutes),
            b'-' => Offset::from_minutes(-minutes),
            _ => None,
        }
    }

    /// Minutes east of UTC.
    pub const fn minutes(self) -> i16 {
        self.0
    }
}

/// How much of a date or time was said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Precision {
    /// `2024`.
    Year,
    /// `2024-05`.
    Month,
    /// `2024-05-01`.
    Day,
    /// `2024-05-01T10:00`; only in searches.
    Minute,
    /// `2024-05-01T10:00:00+08:00`.
    Second,
    /// `2024-05-01T10:00:00.5+08:00`.
    Fraction,
}

/// A date, dateTime or instant that keeps its text and its precision; a value of low precision is a range of time.
///
/// The formats are those of the R4 datatypes, and the day must exist in the calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FhirDateTime<'a> {
    text: &'a str,
    precision: Precision,
    /// Milliseconds on the local calendar, without regard to the zone.
    local_low: i64,
    local_high: i64,
    zone: Option<Offset>,
}

impl<'a> FhirDateTime<'a> {
    /// Reads a dateTime (so also a date or an instant): a time needs seconds and a zone.
    pub fn parse(text: &'a str) -> Option<FhirDateTime<'a>> {
        let parsed = FhirDateTime::parse_lenient(text)?;
        let complete = parsed.precision >= Precision::Second && parsed.zone.is_some();
        (parsed.precision <= Precision::Day || complete).then_some(parsed)
    }

    /// Reads what a search may say: as [`FhirDateTime::parse`], but seconds and zone may be missing (R4 search, date).
    pub fn parse_lenient(text: &'a str) -> Option<FhirDateTime<'a>> {
        let (date, time) = match text.split_once('T') {
            Some((date, time)) => (date, Some(time)),
            None => (text, None),
        };
        let (precision, first, past) = days(date)?;
        let Some(time) = time else {
            return Some(FhirDateTime {
                text,
                precision,
                local_low: first * DAY_MS,
                local_high: past * DAY_MS - 1,
                zone: None,
            });
        };
        if precision != Precision::Day {
            return None;
        }
        let zone_at = time.find(['Z', '+', '-']).unwrap_or(time.len());
        let (clock, zone) = time.split_at(zone_at);
        let zone = if zone.is_empty() { None } else { Some(Offset::parse(zone)?) };
        let (precision, low, high) = clock_millis(clock)?;
        let midnight = first * DAY_MS;
        Some(FhirDateTime { text, precision, local_low: midnight + low, local_high: midnight + high, zone })
    }

    /// The text as it was read.
    pub fn as_str(&self) -> &'a str {
        self.text
    }

    /// How much was said.
    pub fn precision(&self) -> Precision {
        self.precision
    }

    /// The zone, where one was said.
    pub fn zone(&self) -> Option<Offset> {
        self.zone
    }

    /// The first millisecond of the range; `site` stands in for a missing zone.
    pub fn low(&self, site: Offset) -> Instant {
        Instant(self.local_low - self.shift(site))
    }

    /// The last millisecond of the range (inclusive); `site` stands in for a missing zone.
    pub fn high(&self, site: Offset) -> Instant {
        Instant(self.local_high - self.shift(site))
    }

    fn shift(&self, site: Offset) -> i64 {
        i64::from(self.zone.unwrap_or(site).0) * 60_000
    }
}

impl fmt::Display for FhirDateTime<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text)
    }
}

/// A time of day of the datatype time: `hh:mm:ss` with an optional fraction, no zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Time<'a> {
    text: &'a str,
    low: i64,
}

impl<'a> Time<'a> {
    /// Reads a time; hours, minutes and seconds must all be there.
    pub fn parse(text: &'a str) -> Option<Time<'a>> {
        let (precision, low, _) = clock_millis(text)?;
        (precision >= Precision::Second).then_some(Time { text, low })
    }

    /// The text as it was read.
    pub fn as_str(&self) -> &'a str {
        self.text
    }

    /// Milliseconds since midnight.
    pub fn millis(&self) -> i64 {
        self.low
    }
}

/// Precision, first day and the day after the last of `YYYY[-MM[-DD]]`, in days since 1970-01-01.
fn days(date: &str) -> Option<(Precision, i64, i64)> {
    let bytes = date.as_bytes();
    let (y1, y2) = (two_digits(*bytes.first()?, *bytes.get(1)?)?, two_digits(*bytes.get(2)?, *bytes.get(3)?)?);
    let year = i32::from(y1) * 100 + i32::from(y2);
    if year == 0 {
        return None;
    }
    let [b'-', m1, m2, rest @ ..] = bytes.get(4..)? else {
        return (bytes.len() == 4).then(|| (Precision::Year, day_number(year, 1, 1), day_number(year + 1, 1, 1)));
    };
    let month = two_digits(*m1, *m2).filter(|month| (1..=12).contains(month))?;
    let first = day_number(year, month, 1);
    let length = month_length(year, month);
    match *rest {
        [] => Some((Precision::Month, first, first + i64::from(length))),
        [b'-', d1, d2] => {
            let day = two_digits(d1, d2).filter(|day| (1..=length).contains(day))?;
            let number = first + i64::from(day) - 1;
            Some((Precision::Day, number, number + 1))
        }
        _ => None,
    }
}

/// Precision, first and last millisecond since midnight of `hh:mm[:ss[.f]]`; second 60 is a leap second.
fn clock_millis(clock: &str) -> Option<(Precision, i64, i64)> {
    let [h1, h2, b':', m1, m2, rest @ ..] = clock.as_bytes() else {
        return None;
    };
    let hour = two_digits(*h1, *h2).filter(|hour| *hour < 24)?;
    let minute = two_digits(*m1, *m2).filter(|minute| *minute < 60)?;
    let low = (i64::from(hour) * 60 + i64::from(minute)) * 60_000;
    let [b':', s1, s2, fraction @ ..] = rest else {
        return rest.is_empty().then_some((Precision::Minute, low, low + 59_999));
    };
    let second = two_digits(*s1, *s2).filter(|second| *second <= 60)?;
    let low = low + i64::from(second) * 1000;
    let [b'.', digits @ ..] = fraction else {
        return fraction.is_empty().then_some((Precision::Second, low, low + 999));
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let (mut millis, mut width) = (0, 1000);
    for digit in digits.iter().take(3) {
        width /= 10;
        millis += i64::from(digit - b'0') * width;
    }
    Some((Precision::Fraction, low + millis, low + millis + width - 1))
}

fn two_digits(tens: u8, ones: u8) -> Option<u8> {
    (tens.is_ascii_digit() && ones.is_ascii_digit()).then(|| (tens - b'0') * 10 + (ones - b'0'))
}

fn month_length(year: i32, month: u8) -> u8 {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01 to a day of the proleptic Gregorian calendar; years are counted from March, so that the leap
/// day stands at the end.
fn day_number(year: i32, month: u8, day: u8) -> i64 {
    let year = i64::from(year) - i64::from(month <= 2);
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let month_from_march = (i64::from(month) + 9) % 12;
    let of_year = (153 * month_from_march + 2) / 5 + i64::from(day) - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// The inverse of [`day_number`].
fn date_of(number: i64) -> (i32, u8, u8) {
    let shifted = number + 719_468;
    let (era, of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12 + 1;
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    (year as i32, month as u8, day as u8)
}

const DAY_MS: i64 = 86_400_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_of_low_precision_is_a_range() {
        let china = Offset::parse("+08:00").unwrap();
        let year = FhirDateTime::parse("2024").unwrap();
        assert_eq!(year.low(china).to_string(), "2023-12-31T16:00:00.000Z");
        assert_eq!(year.high(china).to_string(), "2024-12-31T15:59:59.999Z");
        let month = FhirDateTime::parse("2024-02").unwrap();
        assert_eq!(month.high(Offset::UTC).to_string(), "2024-02-29T23:59:59.999Z");
    }

    #[test]
    fn a_said_zone_wins_over_that_of_the_site() {
        let china = Offset::parse("+08:00").unwrap();
        let at = FhirDateTime::parse("2024-05-01T10:00:00.25-05:00").unwrap();
        assert_eq!(at.low(china).to_string(), "2024-05-01T15:00:00.250Z");
        assert_eq!(at.high(china).to_string(), "2024-05-01T15:00:00.259Z");
        assert_eq!(at.precision(), Precision::Fraction);
        assert_eq!(at.as_str(), "2024-05-01T10:00:00.25-05:00");
    }

    #[test]
    fn days_that_do_not_exist_are_refused() {
        for text in ["2023-02-29", "1900-02-29", "2024-04-31", "2024-13", "2024-00-01", "0000", "2024-1-1", "24"] {
            assert!(FhirDateTime::parse(text).is_none(), "{text}");
        }
        assert!(FhirDateTime::parse("2000-02-29").is_some());
    }

    #[test]
    fn a_time_needs_seconds_and_a_zone_but_not_in_a_search() {
        for text in ["2024-05-01T10:00Z", "2024-05-01T10:00:00", "2024-05-01T10", "2024-05T10:00:00Z"] {
            assert!(FhirDateTime::parse(text).is_none(), "{text}");
        }
        assert!(FhirDateTime::parse_lenient("2024-05-01T10:00").is_some());
        assert!(FhirDateTime::parse_lenient("2024-05-01T10").is_none());
        for text in
            ["2024-05-01T24:00:00Z", "2024-05-01T10:00:61Z", "2024-05-01T10:00:00+14:30", "2024-05-01T10:00:00.Z"]
        {
            assert!(FhirDateTime::parse_lenient(text).is_none(), "{text}");
        }
    }

    #[test]
    fn instants_print_and_read_back() {
        for millis in [0, -1, 1_714_528_984_005, -62_135_596_800_000, 253_402_300_799_999] {
            let instant = Instant::from_millis(millis);
            assert_eq!(Instant::parse(&instant.to_string()), Some(instant));
        }
        assert_eq!(Instant::parse("2024-05-01"), None);
    }

    #[test]
    fn a_time_of_day_has_no_zone() {
        assert_eq!(Time::parse("23:59:60.5").unwrap().millis(), 86_400_500);
        assert!(Time::parse("10:00").is_none());
        assert!(Time::parse("10:00:00Z").is_none());
    }
}
