//! Folding of strings: what makes two spellings one for a search without `:exact`.

use std::borrow::Cow;

use unicode_normalization::UnicodeNormalization;

/// The string in compatibility form (NFKC: half and full width are one), lower case, accents of the Latin, Greek and
/// Cyrillic scripts taken off, runs of white space made one blank, none at the ends (search, 3.1.1.5.4).
pub(crate) fn fold(text: &str) -> Cow<'_, str> {
    if is_folded(text) {
        return Cow::Borrowed(text);
    }
    if text.is_ascii() {
        return Cow::Owned(one_blank(text.bytes().map(|byte| char::from(byte.to_ascii_lowercase()))));
    }
    let plain = text.nfkd().flat_map(char::to_lowercase).flat_map(expanded).filter(|c| !is_accent(*c));
    Cow::Owned(one_blank(plain.nfkc()))
}

/// The beginning of a folded string as it stands in a posting key; it may end inside a character.
pub(crate) fn key_part(folded: &str) -> &[u8] {
    &folded.as_bytes()[..folded.len().min(KEY_BYTES)]
}

/// Where the words of a folded string begin, the string's own beginning included.
pub(crate) fn word_starts(folded: &str) -> impl Iterator<Item = &str> {
    let inner = folded.char_indices().zip(folded.chars().skip(1)).filter_map(|((at, before), own)| {
        let starts = !before.is_alphanumeric() && own.is_alphanumeric();
        starts.then(|| &folded[at + before.len_utf8()..])
    });
    std::iter::once(folded).chain(inner)
}

/// Whether the text holds a Chinese character, so that family and given name are written without a blank between.
pub(crate) fn has_han(text: &str) -> bool {
    !text.is_ascii() && text.chars().any(|c| is_han(c) || matches!(c, '\u{f900}'..='\u{faff}' | '\u{3007}'))
}

/// Whether folding would change nothing, seen without folding: for plain lower-case text and Chinese characters.
fn is_folded(text: &str) -> bool {
    let mut before = ' ';
    let plain = text.chars().all(|c| {
        let doubled = before == ' ' && c == ' ';
        before = c;
        let letter = matches!(c, ' '..='@' | '['..='~') || (is_han(c) && !matches!(c, '\u{2f800}'..='\u{2fa1f}'));
        letter && !doubled
    });
    plain && (text.is_empty() || before != ' ')
}

/// Unified characters of every plane.
fn is_han(c: char) -> bool {
    matches!(c, '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{20000}'..='\u{3fffd}')
}

fn one_blank(chars: impl Iterator<Item = char>) -> String {
    let mut folded = String::new();
    let mut blank = false;
    for c in chars {
        if c.is_whitespace() {
            blank = !folded.is_empty();
            continue;
        }
        if std::mem::take(&mut blank) {
            folded.push(' ');
        }
        folded.push(c);
    }
    folded
}

/// The German sharp s has no accent to take off; it is written `ss` where the letter is missing.
fn expanded(c: char) -> impl Iterator<Item = char> {
    let (first, second) = if c == 'ß' { ('s', Some('s')) } else { (c, None) };
    std::iter::once(first).chain(second)
}

/// Marks that only change a letter's look. Vowel signs and voicing marks of Asian scripts make another letter: they
/// stay.
fn is_accent(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}' | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}')
        || matches!(c, '\u{20d0}'..='\u{20ff}' | '\u{fe20}'..='\u{fe2f}')
}

/// Bytes of a folded string in a posting key.
const KEY_BYTES: usize = 24;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_accents_width_and_blanks_do_not_count() {
        assert_eq!(fold("Müller"), "muller");
        assert_eq!(fold("  Van   der\tBERG "), "van der berg");
        assert_eq!(fold("ＬＩ　Ｍｉｎｇ"), "li ming");
        assert_eq!(fold("Ａ１（甲）"), "a1(甲)");
        assert_eq!(fold("Straße"), "strasse");
        assert_eq!(fold("İstanbul"), "istanbul");
        assert_eq!(fold("already folded"), "already folded");
        assert!(matches!(fold("already folded"), Cow::Borrowed(_)));
    }

    #[test]
    fn han_characters_of_every_plane_survive_and_compatibility_forms_become_one() {
        assert_eq!(fold("张三"), "张三");
        assert_eq!(fold("𠮷田"), "𠮷田");
        assert_eq!(fold("\u{f9dc}"), fold("\u{9686}"));
        assert_eq!(fold("ガ"), fold("ｶﾞ"));
        assert!(has_han("𠮷") && has_han("〇") && !has_han("Ōe"));
    }

    #[test]
    fn words_begin_after_anything_that_is_no_letter() {
        let words: Vec<&str> = word_starts("anna-maria o'neil").collect();
        assert_eq!(words, ["anna-maria o'neil", "maria o'neil", "o'neil", "neil"]);
        assert_eq!(word_starts("").count(), 1);
    }

    proptest::proptest! {
        #[test]
        fn what_looks_folded_is_not_changed_by_folding(text in "[ -@\\[-~\u{3400}-\u{9fff}\u{20000}-\u{2ffff}]{0,8}") {
            assert!(!is_folded(&text) || one_blank(text.nfkc()) == text);
        }

        #[test]
        fn folding_twice_changes_nothing(text in "\\PC{0,12}") {
            let once = fold(&text).into_owned();
            assert_eq!(fold(&once), once);
        }
    }
}
