//! What the form of an 18-character number says, where the stated birth date and sex confirm it.

use crate::stated::Class;

/// The class of a number of 18 characters with a valid check digit whose birth and sex digits are those stated beside it: a resident
/// identity card, or by its first digits the residence permit of Hong Kong, Macao or Taiwan (81, 82, 83) or the permanent residence card
/// of a foreigner (9). Nothing else is told by its form.
pub(crate) fn class_of(value: &str, birth_date: &str, sex: Option<char>) -> Option<Class> {
    let number = Number::parse(value)?;
    if number.birth_date != birth_date || Some(number.sex) != sex {
        return None;
    }
    Some(by_first_digits(value))
}

/// The class of a valid number by its first digits alone: enough to look for it, not to say what it is.
pub(crate) fn tells(value: &str) -> Option<Class> {
    Number::parse(value).map(|_| by_first_digits(value))
}

fn by_first_digits(value: &str) -> Class {
    match &value[..2] {
        "81" | "82" | "83" => Class::HkMoTwResidence,
        start if start.starts_with('9') => Class::ForeignPermanent,
        _ => Class::Resident,
    }
}

/// The parts of a valid number (GB 11643-1999) that are also stated in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Number {
    /// Digits 7 to 14 as `yyyy-MM-dd`.
    pub(crate) birth_date: String,
    /// Digit 17: GB/T 2261.1, odd is male.
    pub(crate) sex: char,
}

impl Number {
    /// A number of 18 characters with the right check digit.
    pub(crate) fn parse(value: &str) -> Option<Number> {
        let bytes: &[u8; 18] = value.as_bytes().try_into().ok()?;
        let (check, digits) = bytes.split_last()?;
        if !digits.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let sum: u32 = digits.iter().zip(WEIGHTS).map(|(digit, weight)| u32::from(digit - b'0') * weight).sum();
        let right = CHECKS[(sum % 11) as usize];
        if check.to_ascii_uppercase() != right {
            return None;
        }
        let birth_date = format!("{}-{}-{}", &value[6..10], &value[10..12], &value[12..14]);
        Some(Number { birth_date, sex: if bytes[16] % 2 == 1 { '1' } else { '2' } })
    }
}

const WEIGHTS: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
const CHECKS: [u8; 11] = *b"10X98765432";

#[cfg(test)]
mod tests {
    use super::class_of;
    use crate::stated::Class;

    #[test]
    fn a_form_counts_only_with_the_birth_date_and_the_sex_that_are_stated() {
        let number = "860202198507140329";
        assert_eq!(class_of(number, "1985-07-14", Some('2')), Some(Class::Resident));
        for (birth_date, sex) in
            [("1985-07-15", Some('2')), ("1985-07-14", Some('1')), ("1985-07-14", None), ("", Some('2'))]
        {
            assert_eq!(class_of(number, birth_date, sex), None, "{birth_date} {sex:?}");
        }
        assert_eq!(class_of("860202198507140320", "1985-07-14", Some('2')), None, "wrong check digit");
        assert_eq!(class_of("TEST00041", "1979-05-20", Some('2')), None);
    }
}
