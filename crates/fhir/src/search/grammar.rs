//! Separators and escapes of parameter values (search, 3.1.1.4.4): `\,` `\|` `\$` `\\`.

/// The parts of a value between separators that are not escaped; escapes stay for the next step.
pub(crate) fn split(text: &str, separator: char) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut start, mut escaped) = (0, false);
    for (at, c) in text.char_indices() {
        if escaped {
            escaped = false;
        } else if c == '\\' {
            escaped = true;
        } else if c == separator {
            parts.push(&text[start..at]);
            start = at + c.len_utf8();
        }
    }
    parts.push(&text[start..]);
    parts
}

/// The text with its escapes resolved; nothing if a backslash escapes anything else.
pub(crate) fn unescape(text: &str) -> Option<String> {
    let mut plain = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        plain.push(match c {
            '\\' => chars.next().filter(|escaped| matches!(escaped, ',' | '|' | '$' | '\\'))?,
            c => c,
        });
    }
    Some(plain)
}

/// How far two names are apart: letters to insert, delete or change.
pub(crate) fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in other.iter().enumerate() {
            let changed = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escaped_separators_do_not_separate() {
        assert_eq!(split(r"a\,b,c\\,d", ','), [r"a\,b", r"c\\", "d"]);
        assert_eq!(split("", ','), [""]);
        assert_eq!(unescape(r"a\,b\|c\$d\\e").as_deref(), Some(r"a,b|c$d\e"));
        assert_eq!(unescape(r"a\n"), None);
        assert_eq!(unescape(r"a\"), None);
    }

    #[test]
    fn distance_counts_letters() {
        assert_eq!(distance("birthdate", "birthday"), 2);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("code", "code"), 0);
    }
}
