//! Dates and times of FHIR as v2 writes them: precision, fraction and offset stay.

use dukou_fhir::FhirDateTime;

/// `2024-02-29T15:30:00.5+08:00` as `20240229153000.5+0800` (HL7 v2 chapter 2A, DTM).
pub(crate) fn compact(text: &str) -> Option<String> {
    FhirDateTime::parse(text)?;
    let (date, time) = text.split_once('T').unwrap_or((text, ""));
    let mut written = String::with_capacity(text.len());
    written.extend(date.chars().filter(|c| *c != '-'));
    if let Some(clock) = time.strip_suffix('Z') {
        written.extend(clock.chars().filter(|c| *c != ':'));
        written.push_str("+0000");
    } else {
        written.extend(time.chars().filter(|c| *c != ':'));
    }
    Some(written)
}

/// By a pattern of `yyyy MM dd HH mm ss` and other characters; nothing where the value lacks what the pattern asks for.
pub(crate) fn by_pattern(text: &str, pattern: &str) -> Option<String> {
    let digits = compact(text)?;
    let digits = digits.split(['+', '-', '.']).next()?;
    let mut written = String::with_capacity(pattern.len());
    let mut rest = pattern;
    while let Some(c) = rest.chars().next() {
        let field = FIELDS.iter().find(|(name, _)| rest.starts_with(name));
        match field {
            Some((name, range)) => {
                written.push_str(digits.get(range.clone())?);
                rest = &rest[name.len()..];
            }
            None => {
                written.push(c);
                rest = &rest[c.len_utf8()..];
            }
        }
    }
    Some(written)
}

const FIELDS: [(&str, std::ops::Range<usize>); 6] =
    [("yyyy", 0..4), ("MM", 4..6), ("dd", 6..8), ("HH", 8..10), ("mm", 10..12), ("ss", 12..14)];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn precision_and_offset_stay() {
        let found: Vec<Option<String>> =
            ["2024", "2024-02", "2024-02-29", "2024-02-29T15:30:00Z", "2024-02-29T15:30:00.12-05:00", "2023-02-29"]
                .map(compact)
                .to_vec();
        let expected = [
            Some("2024"),
            Some("202402"),
            Some("20240229"),
            Some("20240229153000+0000"),
            Some("20240229153000.12-0500"),
            None,
        ];
        assert_eq!(found, expected.map(|text| text.map(str::to_owned)));
        assert_eq!(by_pattern("2024-02-29T15:30:00+08:00", "yyyy/MM/dd HH:mm"), Some("2024/02/29 15:30".into()));
        assert_eq!(by_pattern("2024-02", "yyyyMMdd"), None);
    }
}
