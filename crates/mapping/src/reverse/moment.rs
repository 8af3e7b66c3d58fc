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
    }
}
