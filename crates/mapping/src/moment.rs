//! Dates and times of v2: precision, fraction and offset as sent.

use dukou_fhir::FhirDateTime;

use crate::rule::Precision;

/// A v2 date or time taken apart (HL7 v2 chapter 2A, DTM): `YYYY[MM[DD[HH[MM[SS[.S[S[S[S]]]]]]]]][+/-ZZZZ]`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Moment<'t> {
    year: &'t str,
    month: &'t str,
    day: &'t str,
    hour: &'t str,
    minute: &'t str,
    second: &'t str,
    fraction: &'t str,
    /// `+0800`, `+08:00`, or empty.
    offset: &'t str,
}

/// A date or time in the form of FHIR.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Written {
    pub(crate) text: String,
    /// Whether something that was said is not in it.
    pub(crate) lossy: bool,
}

impl<'t> Moment<'t> {
    pub(crate) fn parse(text: &'t str) -> Option<Moment<'t>> {
        let text = text.trim();
        let at = text.find(['+', '-']).unwrap_or(text.len());
        let (clock, offset) = text.split_at(at);
        let (digits, fraction) = clock.split_once('.').unwrap_or((clock, ""));
        let numbers = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        // Many interfaces write the offset with a colon, as ISO 8601 does.
        let (hours, minutes) =
            (offset.get(1..3).unwrap_or(""), offset.get(offset.len().saturating_sub(2)..).unwrap_or(""));
        let shape = offset.len() == 5 || (offset.len() == 6 && offset.as_bytes()[3] == b':');
        let two = |part: &str| part.len() == 2 && numbers(part);
        let offset_fits = offset.is_empty() || (shape && two(hours) && two(minutes));
        if !numbers(digits) || !numbers(fraction) || !offset_fits || !matches!(digits.len(), 4 | 6 | 8 | 10 | 12 | 14) {
            return None;
        }
        if (clock.contains('.') && fraction.is_empty()) || (!fraction.is_empty() && digits.len() != 14) {
            return None;
        }
        let part = |from: usize, to: usize| digits.get(from..to).unwrap_or("");
        Some(Moment {
            year: part(0, 4),
            month: part(4, 6),
            day: part(6, 8),
            hour: part(8, 10),
            minute: part(10, 12),
            second: part(12, 14),
            fraction,
            offset,
        })
    }

    /// The offset as FHIR writes it.
    pub(crate) fn zone(&self) -> Option<String> {
        let minutes = self.offset.len().checked_sub(2)?;
        Some(format!("{}:{}", &self.offset[..3], &self.offset[minutes..]))
    }

    /// Year, month and day as far as they were said.
    pub(crate) fn date(&self) -> Option<Written> {
        let text = self.day_text();
        FhirDateTime::parse(&text)?;
        Some(Written { text, lossy: !self.hour.is_empty() })
    }

    /// Whether a time of day other than midnight was said.
    pub(crate) fn has_time(&self) -> bool {
        [self.hour, self.minute, self.second].iter().any(|part| part.bytes().any(|byte| byte != b'0'))
    }

    /// A dateTime: a time needs an offset, and minutes without seconds are filled with zero as R4 allows; an hour
    /// without minutes is left out.
    pub(crate) fn date_time(&self, precision: Precision, zone: Option<&str>) -> Result<Written, &'static str> {
        if self.minute.is_empty() || precision == Precision::Day {
            return self.date().ok_or(BAD_DATE);
        }
        let own = self.zone();
        let zone = own.as_deref().or(zone).ok_or("zone-missing")?;
        let fraction = if precision == Precision::Second { "" } else { self.fraction };
        let written = self.with_time(fraction, zone).ok_or(BAD_DATE)?;
        Ok(Written { text: written, lossy: fraction.len() != self.fraction.len() })
    }

    /// An instant: at least the second must have been said, unless `prec second` lets the seconds be filled.
    pub(crate) fn instant(&self, precision: Precision, zone: Option<&str>) -> Result<Written, &'static str> {
        let enough = !self.second.is_empty() || (precision == Precision::Second && !self.minute.is_empty());
        if !enough {
            return Err("date-imprecise");
        }
        let precision = if precision == Precision::Day { Precision::Keep } else { precision };
        self.date_time(precision, zone)
    }

    fn with_time(&self, fraction: &str, zone: &str) -> Option<String> {
        let second = if self.second.is_empty() { "00" } else { self.second };
        let dot = if fraction.is_empty() { "" } else { "." };
        let mut text = self.day_text();
        for part in ["T", self.hour, ":", self.minute, ":", second, dot, fraction, zone] {
            text.push_str(part);
        }
        FhirDateTime::parse(&text)?;
        Some(text)
    }

    fn day_text(&self) -> String {
        let mut text = String::with_capacity(32);
        text.push_str(self.year);
        for part in [self.month, self.day] {
            if !part.is_empty() {
                text.push('-');
                text.push_str(part);
            }
        }
        text
    }
}

/// A time of day, `HH[MM[SS[.S]]]`, as FHIR writes it; hours alone say too little.
pub(crate) fn time_of_day(text: &str) -> Option<String> {
    let text = text.trim();
    let text = text.split(['+', '-']).next().unwrap_or(text);
    let (digits, fraction) = text.split_once('.').unwrap_or((text, ""));
    let part = |from: usize, to: usize| digits.get(from..to);
    let (hour, minute) = (part(0, 2)?, part(2, 4)?);
    let second = part(4, 6).unwrap_or("00");
    let dot = if fraction.is_empty() { "" } else { "." };
    let text = format!("{hour}:{minute}:{second}{dot}{fraction}");
    dukou_fhir::Time::parse(&text).is_some().then_some(text)
}

const BAD_DATE: &str = "date-invalid";

#[cfg(test)]
mod tests {
    use super::*;

    fn date_time(text: &str, zone: Option<&str>) -> Result<String, &'static str> {
        let moment = Moment::parse(text).ok_or("no date")?;
        moment.date_time(Precision::Keep, zone).map(|written| written.text)
    }

    #[test]
    fn precision_and_offset_stay_as_sent() {
        assert_eq!(date_time("2024", None), Ok("2024".into()));
        assert_eq!(date_time("202402", None), Ok("2024-02".into()));
        assert_eq!(date_time("20240229", None), Ok("2024-02-29".into()));
        assert_eq!(date_time("202402291530", Some("+08:00")), Ok("2024-02-29T15:30:00+08:00".into()));
        assert_eq!(date_time("20240229153000.1234-0500", Some("+08:00")), Ok("2024-02-29T15:30:00.1234-05:00".into()));
        assert_eq!(date_time("20240229153000+08:00", None), Ok("2024-02-29T15:30:00+08:00".into()));
        assert_eq!(date_time("2024022915", Some("+08:00")), Ok("2024-02-29".into()));
    }

    #[test]
    fn what_is_no_date_is_refused() {
        assert_eq!(date_time("20230229", None), Err("date-invalid"));
        assert_eq!(date_time("202402291530", None), Err("zone-missing"));
        assert_eq!(date_time("00000000", None), Err("date-invalid"));
        for text in [
            "",
            "2024-02-29",
            "20240229T10",
            "abcd",
            "20240229153000.",
            "2024022915300",
            "202402291530+8",
            "20240229153000+8:000",
            "20240229153000-\u{11d67}",
        ] {
            assert_eq!(Moment::parse(text), None, "{text}");
        }
    }

    #[test]
    fn an_instant_needs_seconds_unless_they_may_be_filled() {
        let moment = Moment::parse("202402291530").unwrap();
        assert_eq!(moment.instant(Precision::Keep, Some("Z")), Err("date-imprecise"));
        let filled = moment.instant(Precision::Second, Some("+08:00")).unwrap();
        assert_eq!(filled.text, "2024-02-29T15:30:00+08:00");
    }

    #[test]
    fn a_time_of_day_stands_alone() {
        assert_eq!(time_of_day("1530"), Some("15:30:00".into()));
        assert_eq!(time_of_day("2530"), None);
    }
}
