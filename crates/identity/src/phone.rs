//! Telephone numbers: a key of a household rather than of a person.

/// The digits of a telephone number without country code, blanks and hyphens; None for too few, too many or a placeholder.
pub(crate) fn parse(text: &str) -> Option<u64> {
    let mut digits: String =
        text.chars().filter_map(|c| crate::number::half_width(c).filter(char::is_ascii_digit)).collect();
    let international = text.trim_start().starts_with(['+', '＋']) || digits.starts_with("0086");
    if international || (digits.len() == 13 && digits.starts_with("86")) {
        let code = digits.trim_start_matches("00");
        digits = code.strip_prefix("86").unwrap_or(code).to_owned();
    }
    let placeholder =
        digits.bytes().rev().take(PLACEHOLDER_RUN).collect::<Vec<_>>().windows(2).all(|two| two[0] == two[1]);
    let counted = matches!(digits.len(), 5..=15) && !placeholder && !COUNTING.contains(&digits.as_str());
    counted.then(|| digits.parse().ok()).flatten()
}

/// How two numbers agree, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum PhoneLevel {
    /// The same number.
    Equal,
    /// One digit wrong or two neighbours swapped.
    Near,
    /// Two numbers.
    Different,
}

impl PhoneLevel {
    /// The names in model files, in the order of the levels.
    pub(crate) const NAMES: &'static [&'static str] = &["equal", "near", "different"];
}

/// The best level between the numbers of two records. None: one of them states none.
pub(crate) fn compare(a: &[u64], b: &[u64]) -> Option<PhoneLevel> {
    a.iter().flat_map(|left| b.iter().map(|right| one(*left, *right))).min()
}

fn one(a: u64, b: u64) -> PhoneLevel {
    if a == b {
        return PhoneLevel::Equal;
    }
    let (mut a, mut b, mut place, mut wrong) = (a, b, 0_u32, [(0, 0, 0); 2]);
    let mut count = 0;
    while a > 0 || b > 0 {
        if a % 10 != b % 10 {
            if count == 2 {
                return PhoneLevel::Different;
            }
            wrong[count] = (place, a % 10, b % 10);
            count += 1;
        }
        (a, b, place) = (a / 10, b / 10, place + 1);
    }
    let swapped = wrong[1].0 == wrong[0].0 + 1 && wrong[0].1 == wrong[1].2 && wrong[0].2 == wrong[1].1;
    if count == 1 || swapped { PhoneLevel::Near } else { PhoneLevel::Different }
}

/// So many equal digits at the end of a number are nobody's.
const PLACEHOLDER_RUN: usize = 7;
/// Numbers that fingers type where none is known.
const COUNTING: [&str; 4] = ["12345678", "123456789", "1234567890", "12345678901"];

#[cfg(test)]
mod tests {
    use super::{PhoneLevel, compare, parse};

    #[test]
    fn forms_of_one_number_are_one_number_and_placeholders_are_none() {
        for form in ["19900000017", "+86 199-0000-0017", "008619900000017", "8619900000017", "１９９０００００017"]
        {
            assert_eq!(parse(form), Some(19_900_000_017), "{form}");
        }
        for none in ["", "无", "1234", "13800000000", "11111111111", "12345678901", "1234567890123456"] {
            assert_eq!(parse(none), None, "{none}");
        }
    }

    #[test]
    fn one_wrong_digit_or_two_swapped_are_near() {
        let level = |a: u64, b: u64| compare(&[a], &[b]).unwrap();
        assert_eq!(level(19_900_000_017, 19_900_000_017), PhoneLevel::Equal);
        assert_eq!(level(19_900_000_017, 19_900_000_018), PhoneLevel::Near);
        assert_eq!(level(19_900_000_017, 19_900_000_071), PhoneLevel::Near);
        assert_eq!(level(19_900_000_017, 19_910_000_018), PhoneLevel::Different);
        assert_eq!(compare(&[], &[1]), None);
        assert_eq!(compare(&[11_111, 22_222], &[33_333, 22_222]), Some(PhoneLevel::Equal));
    }
}
