//! Version tags and dates in headers (RFC 9110, 8.8 and 13.1).

use dukou_fhir::{Instant, VersionId};

/// `W/"3"`.
pub(crate) fn print(version: VersionId) -> String {
    format!("W/\"{version}\"")
}

/// One version of an `If-Match` header: weak, quoted or bare.
pub(crate) fn parse(text: &str) -> Option<VersionId> {
    let text = text.trim();
    let tag = text.strip_prefix("W/").or_else(|| text.strip_prefix("w/")).unwrap_or(text);
    let tag = tag.strip_prefix('"').map_or(Some(tag), |rest| rest.strip_suffix('"'))?;
    VersionId::parse(tag)
}

/// Whether an `If-None-Match` header names the version, or everything by `*`.
pub(crate) fn names(header: &str, version: VersionId) -> bool {
    header.split(',').any(|tag| tag.trim() == "*" || parse(tag) == Some(version))
}

/// An IMF-fixdate (RFC 9110, 5.6.7); milliseconds are cut.
pub(crate) fn http_date(instant: Instant) -> String {
    let (year, month, day, of_day) = instant.calendar();
    // The first day of 1970 was a Thursday.
    let weekday = (instant.as_millis().div_euclid(86_400_000) + 4).rem_euclid(7);
    let weekday = usize::try_from(weekday).map_or("", |place| WEEKDAYS[place]);
    let month = MONTHS[usize::from(month - 1)];
    let second = of_day / 1_000;
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{weekday}, {day:02} {month} {year:04} {hour:02}:{minute:02}:{second:02} GMT")
}

/// Whether the time in an `If-Modified-Since` header is not before the instant, both in whole seconds.
///
/// Only the form that we print is understood; RFC 9110 lets a recipient ignore any other.
pub(crate) fn unmodified_since(header: &str, instant: Instant) -> bool {
    parse_http_date(header.trim()).is_some_and(|since| since >= instant.as_millis().div_euclid(1_000))
}

/// Seconds since 1970 of an IMF-fixdate.
fn parse_http_date(text: &str) -> Option<i64> {
    let (_, rest) = text.split_once(", ")?;
    let [day, month, year, time, zone] = rest.split(' ').collect::<Vec<_>>().try_into().ok()?;
    let month = MONTHS.iter().position(|known| *known == month)? + 1;
    if zone != "GMT" || !day.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let instant = Instant::parse(&format!("{year}-{month:02}-{day}T{time}Z"))?;
    Some(instant.as_millis().div_euclid(1_000))
}

const WEEKDAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

#[cfg(test)]
mod tests {
    use super::{http_date, names, parse, print, unmodified_since};
    use dukou_fhir::{Instant, VersionId};

    #[test]
    fn a_tag_is_read_weak_quoted_or_bare() {
        let three = VersionId::new(3);
        for text in ["W/\"3\"", "\"3\"", "3", " w/\"3\" "] {
            assert_eq!(parse(text), three, "{text}");
        }
        for text in ["", "W/", "\"3", "W/\"x\"", "\"\"", "*", "3,4", "03"] {
            assert_eq!(parse(text), None, "{text}");
        }
        assert_eq!(print(VersionId::FIRST), "W/\"1\"");
    }

    #[test]
    fn any_tag_of_a_list_is_found() {
        let three = VersionId::new(3).unwrap();
        assert!(names("W/\"1\", \"3\"", three) && names("*", three) && names("3", three));
        assert!(!names("W/\"1\", \"2\"", three) && !names("", three));
    }

    #[test]
    fn a_date_is_printed_and_compared_in_whole_seconds() {
        let instant = Instant::from_millis(784_111_777_900);
        assert_eq!(http_date(instant), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert!(unmodified_since("Sun, 06 Nov 1994 08:49:37 GMT", instant));
        assert!(!unmodified_since("Sun, 06 Nov 1994 08:49:36 GMT", instant));
        for text in ["", "yesterday", "Sun, 06 Nov 1994 08:49:37 CET", "Sun, 6x Nov 1994 08:49:37 GMT"] {
            assert!(!unmodified_since(text, instant), "{text}");
        }
    }
}
