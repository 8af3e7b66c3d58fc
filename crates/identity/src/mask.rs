//! Masked forms: enough to recognise a person who stands at the desk, too little to learn who somebody is.
//!
//! Whatever is shown beside a masked value counts: the year of birth, the sex and the district are known to whoever reads the
//! card, so a form is good only if at least [`CANDIDATES_MIN`] values still fit all of it. The tests count them. Two rules
//! follow from the count. No age, month or day of birth stands beside a masked identity number (the number's digits 7 to 14 are the date,
//! GB 11643); and of two identity numbers of one person, such as the old one of 15 digits and the new one, only the first is shown in
//! part. A date cut to its year is coarse, not masked: 365 days fit it.

/// How many values fit a masked one, at least, for whoever sees all of the card.
pub const CANDIDATES_MIN: usize = 1_000;

/// A name. Of Chinese characters the first and the last stay (`张*示`), of two the first (`张*`); of a name in letters the first letter of
/// each part, with stars that do not tell how many letters follow (`J*** S***`).
pub fn name(written: &str) -> String {
    let written = written.trim();
    if written.is_empty() {
        return String::new();
    }
    if !written.chars().any(is_han) {
        let parts = written.split([' ', ',', '^', '-', '·', '.']).filter(|part| !part.is_empty());
        let parts: Vec<String> = parts.map(|part| part.chars().take(1).chain(LETTERS.chars()).collect()).collect();
        return parts.join(" ");
    }
    let chars: Vec<char> = written.chars().collect();
    match chars.as_slice() {
        [] => String::new(),
        [_] => "*".to_owned(),
        [first, _] => format!("{first}*"),
        [first, middle @ .., last] => format!("{first}{}{last}", "*".repeat(middle.len())),
    }
}

/// An identity number, a card number or a number of the house: the first three and the last two characters stay, where six or more remain
/// hidden; of shorter ones the last two, where four remain; of still shorter ones nothing.
pub fn number(number: &str) -> String {
    let count = number.chars().count();
    match count {
        0 => String::new(),
        11.. => keep(number, 3, 2),
        6..=10 => keep(number, 0, 2),
        _ => "*".repeat(SHORT_STARS),
    }
}

/// A birth date: the year stays. What does not begin with four digits shows nothing.
pub fn birth_date(date: &str) -> String {
    let year: String = date.chars().take(4).collect();
    if year.len() == 4 && year.bytes().all(|b| b.is_ascii_digit()) { year } else { String::new() }
}

/// A telephone number: the first three and the last four digits stay (`199****0017`), where four or more remain hidden; of shorter ones
/// nothing.
pub fn phone(number: &str) -> String {
    let plain: String = number.chars().filter(|c| !c.is_whitespace() && *c != '-').collect();
    match plain.chars().count() {
        0 => String::new(),
        11.. => keep(&plain, 3, 4),
        _ => "*".repeat(SHORT_STARS),
    }
}

/// An address: the part up to the district stays (`示范省示范市样例区*`), else up to the city, else up to the province. Where none is
/// named, nothing does.
pub fn address(address: &str) -> String {
    let end = district_end(address)
        .or_else(|| last_end(address, "市"))
        .or_else(|| last_end(address, "自治区"))
        .or_else(|| last_end(address, "省"));
    match end {
        _ if address.trim().is_empty() => String::new(),
        Some(end) => format!("{}*", &address[..end]),
        None => "*".to_owned(),
    }
}

/// The numbers of one person beside each other: each masked, and one that tells digits of an earlier one wholly hidden.
pub fn numbers<'a>(values: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let mut shown: Vec<&str> = Vec::new();
    let mut masked = Vec::new();
    for value in values {
        if shown.iter().any(|earlier| *earlier != value && share_a_run(earlier, value)) {
            masked.push("*".repeat(SHORT_STARS));
        } else {
            masked.push(number(value));
            shown.push(value);
        }
    }
    masked
}

/// Whether two numbers have a run of digits in common that one could be read off the other by; the old form of an identity number has the
/// nine digits of birth and sequence in common with the new one, and the six of the place.
fn share_a_run(a: &str, b: &str) -> bool {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    a.windows(RUN_MIN).any(|run| b.windows(RUN_MIN).any(|other| run == other))
}

/// Where the district ends: the first 区, 县 or 旗 that is neither of an autonomous region nor of a housing estate and stands before
/// any road or house.
fn district_end(address: &str) -> Option<usize> {
    let chars: Vec<(usize, char)> = address.char_indices().collect();
    for (n, (at, c)) in chars.iter().enumerate() {
        let before = |back: usize| n.checked_sub(back).map(|place| chars[place].1);
        match c {
            '路' | '街' | '道' | '巷' | '弄' | '号' | '村' => return None,
            '区' if before(1) == Some('治') || matches!(before(1), Some('小' | '社' | '园' | '厂')) => {}
            '区' | '县' | '旗' => return Some(at + c.len_utf8()),
            _ => {}
        }
    }
    None
}

fn last_end(address: &str, word: &str) -> Option<usize> {
    let road = address.find(['路', '街', '号']).unwrap_or(address.len());
    address[..road].rfind(word).map(|at| at + word.len())
}

fn keep(text: &str, head: usize, tail: usize) -> String {
    let chars: Vec<char> = text.chars().collect();
    let hidden = chars.len().saturating_sub(head + tail);
    let head: String = chars[..head.min(chars.len())].iter().collect();
    let tail: String = chars[chars.len() - tail.min(chars.len())..].iter().collect();
    format!("{head}{}{tail}", "*".repeat(hidden))
}

/// Characters of the Chinese script, the rare ones of the supplementary planes and the private use of older code pages among them.
fn is_han(c: char) -> bool {
    matches!(c, '\u{3400}'..='\u{9FFF}' | '\u{E000}'..='\u{FAFF}' | '\u{20000}'..='\u{3FFFF}')
}

/// Stars behind the first letter of a name in letters.
const LETTERS: &str = "***";

/// Stars that stand for a value of which nothing is shown; their number tells nothing.
const SHORT_STARS: usize = 6;

/// Length of a run that two numbers may not share when both are shown in part.
const RUN_MIN: usize = 6;

#[cfg(test)]
mod tests {
    use super::{CANDIDATES_MIN, address, birth_date, name, number, numbers, phone};

    #[test]
    fn masked_forms_show_what_a_desk_needs_and_no_more() {
        let names = ["张示", "张三示", "欧阳晚晴", "买买提·吐尔逊", "王", "", "SMITH, John", "O"];
        let expected = ["张*", "张*示", "欧**晴", "买*****逊", "*", "", "S*** J***", "O***"];
        assert_eq!(names.map(name), expected);
        let given = ["86010119901231019X", "860101450815010", "E12345678", "H12345678", "12345", ""];
        let expected = ["860*************9X", "860**********10", "*******78", "*******78", "******", ""];
        assert_eq!(given.map(number), expected);
        assert_eq!(["1990-12-31", "19901231", "1990", "?"].map(birth_date), ["1990", "1990", "1990", ""]);
        assert_eq!(
            ["19900000017", "199 0000 0017", "8888666", ""].map(phone),
            ["199****0017", "199****0017", "******", ""]
        );
    }

    #[test]
    fn an_address_ends_at_its_district() {
        let cases = [
            ("示范省示范市样例区测试路1号", "示范省示范市样例区*"),
            ("示范自治区示范市样例县某镇", "示范自治区示范市样例县*"),
            ("示范省示范市样例街道阳光小区3号", "示范省示范市*"),
            ("示范市测试路阳光小区3号", "示范市*"),
            ("示范自治区某地", "示范自治区*"),
            ("测试路1号", "*"),
            ("", ""),
        ];
        for (given, expected) in cases {
            assert_eq!(address(given), expected, "{given}");
        }
    }

    const DAYS: [u32; 12] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

    fn checked(seventeen: &str) -> String {
        let weights = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
        let sum: u32 = seventeen.bytes().zip(weights).map(|(digit, weight)| u32::from(digit - b'0') * weight).sum();
        format!("{seventeen}{}", char::from(b"10X98765432"[(sum % 11) as usize]))
    }

    /// Every identity number that fits a masked one for somebody who knows the district, the year of birth and the sex.
    fn numbers_that_fit(masked: &str, district: &str, year: &str, male: bool) -> usize {
        let mut fit = 0;
        for (month, days) in DAYS.iter().enumerate() {
            for day in 1..=*days {
                for sequence in (0..1_000).filter(|sequence| (sequence % 2 == 1) == male) {
                    let full = checked(&format!("{district}{year}{:02}{day:02}{sequence:03}", month + 1));
                    fit += usize::from(number(&full) == masked);
                }
            }
        }
        fit
    }

    #[test]
    fn a_masked_identity_number_fits_a_thousand_people_even_beside_district_year_and_sex() {
        for full in ["86010119901231019", "86010119450815010", "86010120260101001", "86010119000101999"] {
            let full = checked(full);
            let male = (full.as_bytes()[16] - b'0') % 2 == 1;
            let fit = numbers_that_fit(&number(&full), &full[..6], &birth_date(&full[6..14]), male);
            assert!(fit >= CANDIDATES_MIN, "{fit} numbers fit");
        }
    }

    #[test]
    fn the_old_form_of_a_number_beside_the_new_one_tells_nothing_of_it() {
        // With the last two digits of both, 365 days and one digit would be left, and the check digit divides by eleven.
        let shown = numbers(["860101194508150107", "860101450815010", "ZZ0000017", "860101194508150107"]);
        assert_eq!(shown, ["860*************07", "******", "*******17", "860*************07"]);
        let fit = numbers_that_fit(&shown[0], "860101", "1945", false);
        assert!(fit >= CANDIDATES_MIN, "{fit} numbers fit");
    }

    #[test]
    fn an_old_number_alone_fits_a_thousand_people() {
        let masked = number("860101450815010");
        let fits = |month: usize, day: u32, sequence: u32| {
            number(&format!("86010145{month:02}{day:02}{sequence:03}")) == masked
        };
        let days = DAYS.iter().enumerate().flat_map(|(month, days)| (1..=*days).map(move |day| (month + 1, day)));
        let fit =
            days.map(|(month, day)| (0..1_000).filter(|n| n % 2 == 0 && fits(month, day, *n)).count()).sum::<usize>();
        assert!(fit >= CANDIDATES_MIN, "{fit} numbers fit");
    }

    #[test]
    fn a_masked_name_telephone_or_card_number_fits_a_thousand_values() {
        // The characters of GB 2312, level one, which make up nearly all given names: rows 16 to 55 of 94, the last one short.
        let characters: usize = 39 * 94 + 89;
        let hidden = |masked: &str| u32::try_from(masked.chars().filter(|c| *c == '*').count()).unwrap();
        for full in ["张示", "张三示", "欧阳晚晴"] {
            assert!(characters.pow(hidden(&name(full))) >= CANDIDATES_MIN, "{full}");
        }
        for full in ["John", "Li", "O"] {
            assert!(26_usize.pow(hidden(&name(full))) >= CANDIDATES_MIN, "{full}");
        }
        for full in ["19900000017", "057188886666"] {
            assert!(10_usize.pow(hidden(&phone(full))) >= CANDIDATES_MIN, "{full}");
        }
        for full in ["ZZ0000017", "E12345678", "123456", "10000001", "0000451287", "99010000000000000000000017"] {
            assert!(10_usize.saturating_pow(hidden(&number(full))) >= CANDIDATES_MIN, "{full}");
        }
    }
}
