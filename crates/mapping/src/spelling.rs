//! Dates and times in the spellings of hospitals: `2026-11-21 8:05`, `2026/11/21`, `20261121 0805`, `2026年11月21日8时5分`.
//!
//! A spelling is a pattern of `yyyy`, `M` or `MM`, `d` or `dd`, `H` or `HH`, `m` or `mm`, `s` or `ss`, `SSS` and `Z`; all
//! other characters stand for themselves. A single letter takes one digit or two, `Z` an offset.

/// A text taken apart: its digits as HL7 v2 writes them, and the pattern that it was written in.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Spelled {
    /// `YYYYMMDDHHMMSS.SSS+08:00`, as far as the text says.
    pub(crate) moment: String,
    pub(crate) pattern: String,
}

/// Reads a text in one of several patterns joined by `|`; without any in whatever spelling is usual.
pub(crate) fn read(text: &str, patterns: Option<&str>) -> Option<Spelled> {
    let narrow = narrowed(text.trim());
    match patterns {
        Some(patterns) => patterns.split('|').find_map(|pattern| by_pattern(&narrow, pattern)),
        None => usual(&narrow),
    }
}

/// Writes a moment, its digits as HL7 v2 has them, in a pattern; nothing where the pattern asks for what it lacks.
pub(crate) fn write(moment: &str, pattern: &str) -> Option<String> {
    let at = moment.find(['+', '-', 'Z']).unwrap_or(moment.len());
    let (clock, offset) = moment.split_at(at);
    let (digits, fraction) = clock.split_once('.').unwrap_or((clock, ""));
    let mut text = String::with_capacity(pattern.len());
    for token in tokens(pattern) {
        let Token::Field(field) = token else {
            let Token::Literal(literal) = token else { continue };
            text.push(literal);
            continue;
        };
        match field.place() {
            Place::Digits(from, to) => {
                let part = digits.get(from..to)?;
                text.push_str(if field.loose() { part.strip_prefix('0').unwrap_or(part) } else { part });
            }
            Place::Fraction => text.push_str(&format!("{fraction:0<3}")[..3]),
            Place::Offset => text.push_str(offset),
        }
    }
    Some(text)
}

/// Whether a pattern holds a time of day.
pub(crate) fn has_time(pattern: &str) -> bool {
    tokens(pattern).any(|token| matches!(token, Token::Field(Field::Hour { .. })))
}

/// Full-width digits and signs as the plain ones.
fn narrowed(text: &str) -> String {
    let narrow = |c: char| match c {
        '\u{3000}' => ' ',
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(c as u32 - 0xfee0).unwrap_or(c),
        _ => c,
    };
    text.chars().map(narrow).collect()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    Year,
    Month { loose: bool },
    Day { loose: bool },
    Hour { loose: bool },
    Minute { loose: bool },
    Second { loose: bool },
    Fraction,
    Offset,
}

enum Place {
    Digits(usize, usize),
    Fraction,
    Offset,
}

impl Field {
    fn loose(self) -> bool {
        match self {
            Field::Month { loose }
            | Field::Day { loose }
            | Field::Hour { loose }
            | Field::Minute { loose }
            | Field::Second { loose } => loose,
            Field::Year | Field::Fraction | Field::Offset => false,
        }
    }

    /// Where the field stands in `YYYYMMDDHHMMSS`.
    fn place(self) -> Place {
        match self {
            Field::Year => Place::Digits(0, 4),
            Field::Month { .. } => Place::Digits(4, 6),
            Field::Day { .. } => Place::Digits(6, 8),
            Field::Hour { .. } => Place::Digits(8, 10),
            Field::Minute { .. } => Place::Digits(10, 12),
            Field::Second { .. } => Place::Digits(12, 14),
            Field::Fraction => Place::Fraction,
            Field::Offset => Place::Offset,
        }
    }
}

enum Token {
    Field(Field),
    Literal(char),
}

fn tokens(pattern: &str) -> impl Iterator<Item = Token> {
    let mut rest = pattern;
    std::iter::from_fn(move || {
        for (letters, field) in FIELDS {
            if let Some(after) = rest.strip_prefix(letters) {
                rest = after;
                return Some(Token::Field(field));
            }
        }
        let c = rest.chars().next()?;
        rest = &rest[c.len_utf8()..];
        Some(Token::Literal(c))
    })
}

fn by_pattern(text: &str, pattern: &str) -> Option<Spelled> {
    let mut found = [""; 8];
    let mut rest = text;
    for token in tokens(pattern) {
        match token {
            Token::Literal(literal) => rest = rest.strip_prefix(narrow_one(literal))?,
            Token::Field(Field::Offset) => (found[7], rest) = (rest, ""),
            Token::Field(field) => {
                let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
                let (least, most) = match field {
                    Field::Year => (4, 4),
                    Field::Fraction => (1, 9),
                    _ if field.loose() => (1, 2),
                    _ => (2, 2),
                };
                if digits < least {
                    return None;
                }
                let (part, after) = rest.split_at(digits.min(most));
                let at = match field.place() {
                    Place::Digits(0, _) => 0,
                    Place::Digits(from, _) => from / 2 - 1,
                    Place::Fraction | Place::Offset => 6,
                };
                (found[at], rest) = (part, after);
            }
        }
    }
    rest.is_empty().then(|| Spelled { moment: joined(&found), pattern: pattern.to_owned() })
}

fn narrow_one(c: char) -> char {
    narrowed(c.encode_utf8(&mut [0; 4])).chars().next().unwrap_or(c)
}

/// Year, month, day, hour, minute, second, fraction and offset in one text.
fn joined(parts: &[&str; 8]) -> String {
    let mut text = String::with_capacity(24);
    for (at, part) in parts.iter().enumerate() {
        match at {
            0..=5 if part.is_empty() => {}
            0..=5 => text.push_str(&format!("{part:0>2}")),
            6 if !part.is_empty() => {
                text.push('.');
                text.push_str(part);
            }
            7 if *part == "Z" => text.push_str("+0000"),
            _ => text.push_str(part),
        }
    }
    text
}

/// Reads the spellings that people and systems use without saying so.
fn usual(text: &str) -> Option<Spelled> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (date, after) = match digits {
        4 => written_date(&text[4..])?,
        6 => ("yyyyMM".to_owned(), &text[6..]),
        8 | 12 | 14 | 17 => ("yyyyMMdd".to_owned(), &text[8..]),
        _ => return None,
    };
    let clock = match digits {
        12 => "HHmm".to_owned() + offset_of(&text[12..])?,
        14 if text[14..].starts_with('.') => "HHmmss.SSS".to_owned() + offset_of(after_fraction(&text[14..]))?,
        14 => "HHmmss".to_owned() + offset_of(&text[14..])?,
        17 => "HHmmssSSS".to_owned() + offset_of(&text[17..])?,
        _ => written_time(after)?,
    };
    by_pattern(text, &(date + &clock))
}

/// The pattern of a date behind its year, and what follows it.
fn written_date(text: &str) -> Option<(String, &str)> {
    let Some(sign) = text.chars().next().filter(|c| matches!(c, '-' | '/' | '.' | '年')) else {
        return text.is_empty().then(|| ("yyyy".to_owned(), text));
    };
    let chinese = sign == '年';
    let mut pattern = format!("yyyy{sign}");
    let rest = &text[sign.len_utf8()..];
    if rest.is_empty() {
        return chinese.then_some((pattern, rest));
    }
    let (month, rest) = number(rest, 'M')?;
    pattern.push_str(month);
    let behind = if chinese { '月' } else { sign };
    let Some(rest) = rest.strip_prefix(behind) else {
        return (rest.is_empty() && !chinese).then_some((pattern, rest));
    };
    pattern.push(behind);
    if rest.is_empty() {
        return chinese.then_some((pattern, rest));
    }
    let (day, rest) = number(rest, 'd')?;
    pattern.push_str(day);
    match rest.strip_prefix('日') {
        Some(rest) if chinese => {
            pattern.push('日');
            Some((pattern, rest))
        }
        _ => (!chinese).then_some((pattern, rest)),
    }
}

/// The pattern of a time of day with what stands between it and the date.
fn written_time(text: &str) -> Option<String> {
    if text.is_empty() {
        return Some(String::new());
    }
    let (between, clock) = match text.strip_prefix('T') {
        Some(clock) => ("T", clock),
        None => text.split_at(text.len() - text.trim_start_matches(' ').len()),
    };
    if clock.is_empty() {
        return None;
    }
    let mut pattern = between.to_owned();
    let run = clock.bytes().take_while(u8::is_ascii_digit).count();
    if run == 4 || run == 6 {
        pattern.push_str(if run == 4 { "HHmm" } else { "HHmmss" });
        return Some(pattern + offset_of(&clock[run..])?);
    }
    let (hour, rest) = number(clock, 'H')?;
    pattern.push_str(hour);
    let sign = rest.chars().next().filter(|c| matches!(c, ':' | '时' | '點' | '点'))?;
    pattern.push(sign);
    let chinese = sign != ':';
    let rest = &rest[sign.len_utf8()..];
    if rest.is_empty() {
        return None;
    }
    let (minute, rest) = number(rest, 'm')?;
    pattern.push_str(minute);
    let behind = if chinese { '分' } else { ':' };
    let Some(rest) = rest.strip_prefix(behind) else { return Some(pattern + offset_of(rest)?) };
    pattern.push(behind);
    if rest.is_empty() {
        return chinese.then_some(pattern);
    }
    let (second, rest) = number(rest, 's')?;
    pattern.push_str(second);
    if chinese {
        return (rest == "秒").then(|| pattern + "秒");
    }
    if rest.starts_with('.') {
        return Some(pattern + ".SSS" + offset_of(after_fraction(rest))?);
    }
    Some(pattern + offset_of(rest)?)
}

fn after_fraction(text: &str) -> &str {
    text.trim_start_matches('.').trim_start_matches(|c: char| c.is_ascii_digit())
}

fn offset_of(text: &str) -> Option<&'static str> {
    match text.chars().next() {
        None => Some(""),
        Some('Z' | '+' | '-') => Some("Z"),
        Some(_) => None,
    }
}

/// The letters for a number of one digit or two, and what follows it.
fn number(text: &str, letter: char) -> Option<(&'static str, &str)> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (one, two) = match letter {
        'M' => ("M", "MM"),
        'd' => ("d", "dd"),
        'H' => ("H", "HH"),
        'm' => ("m", "mm"),
        _ => ("s", "ss"),
    };
    // Whether `10` was meant as one letter or two cannot be seen; it is written back the same either way.
    match digits {
        1 => Some((one, &text[1..])),
        // Nobody writes 8:5 for five minutes past eight who writes 8:30.
        2 if text.starts_with('0') || matches!(letter, 'm' | 's') => Some((two, &text[2..])),
        2 => Some((one, &text[2..])),
        _ => None,
    }
}

const FIELDS: [(&str, Field); 13] = [
    ("yyyy", Field::Year),
    ("MM", Field::Month { loose: false }),
    ("M", Field::Month { loose: true }),
    ("dd", Field::Day { loose: false }),
    ("d", Field::Day { loose: true }),
    ("HH", Field::Hour { loose: false }),
    ("H", Field::Hour { loose: true }),
    ("mm", Field::Minute { loose: false }),
    ("m", Field::Minute { loose: true }),
    ("ss", Field::Second { loose: false }),
    ("s", Field::Second { loose: true }),
    ("SSS", Field::Fraction),
    ("Z", Field::Offset),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(text: &str) -> Option<String> {
        read(text, None).map(|spelled| spelled.moment)
    }

    #[test]
    fn the_usual_spellings_are_read_without_being_told() {
        for (text, expected) in [
            ("20261121", "20261121"),
            ("202611210805", "202611210805"),
            ("20261111093000", "20261111093000"),
            ("20261121082959012", "20261121082959.012"),
            ("2026-11-11 07:52:00", "20261111075200"),
            ("2026/11/11 8:30", "202611110830"),
            ("2026.1.9", "20260109"),
            ("2026-11", "202611"),
            ("2026", "2026"),
            ("2026年1月2日", "20260102"),
            ("2026年11月21日8时5分", "202611210805"),
            ("2026年11月21日 8时5分9秒", "20261121080509"),
            ("20261109 0810", "202611090810"),
            ("2026-11-21T08:05:09.123+08:00", "20261121080509.123+08:00"),
            ("2026-11-21T08:05:09Z", "20261121080509+0000"),
            ("２０２６－１１－２１　８：０５", "202611210805"),
            (" 1990/12/31 ", "19901231"),
        ] {
            assert_eq!(moment(text).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_spelling_is_refused() {
        for text in
            ["", "35岁", "2026-", "2026-11-21 8", "2026-11/21", "2026年11", "昨天", "20261", "2026-11-21 8:5:", "1:30"]
        {
            assert_eq!(moment(text), None, "{text}");
        }
    }

    #[test]
    fn a_text_is_written_again_as_it_was() {
        for text in ["2026/1/9 8:05", "20261109 0810", "2026-11-11 07:52:00", "2026年1月2日8时5分", "20261121082959012"]
        {
            let spelled = read(text, None).unwrap();
            assert_eq!(write(&spelled.moment, &spelled.pattern).as_deref(), Some(text));
        }
        let spelled = read("2026/1/9 8:05", None).unwrap();
        assert_eq!(write("202610101205", &spelled.pattern).as_deref(), Some("2026/10/10 12:05"));
        assert_eq!(write("2026", &spelled.pattern), None, "a date without a day has not that spelling");
    }

    #[test]
    fn the_first_pattern_that_fits_counts() {
        let patterns = Some("yyyyMMdd|yyyy/M/d H:mm|yyyy-MM-dd");
        assert_eq!(read("2026/1/9 8:05", patterns).unwrap().pattern, "yyyy/M/d H:mm");
        assert_eq!(read("2026-01-09", patterns).unwrap().moment, "20260109");
        assert_eq!(read("2026-1-09", patterns), None);
    }
}
