//! Any bytes as the names and numbers of two people.

use dukou_identity::{Name, Wording, compare_names, text};
use dukou_terminology::gb11643;

use super::{fuzz, own};

/// Four lines: two written names with the pinyin of each.
const NAMES: [&str; 8] = [
    "王伟\nWANG^WEI\n王玮\n",
    "欧阳畅心\n\n歐陽\nOU^YANGCHANGXIN",
    "迪丽努尔·玉素甫\nDILNUR^YUSUP\n玉苏甫・迪力努尔\n",
    "彭\u{e863}\n\n彭?\nPENG^YAN",
    "KHAN Carlos\n\nCarlos KHAN\nKHAN^CARLOS",
    "王由页\n\n王頔\nWANG^DI",
    "李娜之女2\n\n无名氏2026\nUNKNOWN^PATIENT",
    "锟斤拷\n\nÍõÎ°\n??ǖ",
];

const NUMBERS: [&str; 5] =
    ["860101198808080110", "860101450815010", "86010119880808011０x", "8.60101E+17", "'860 101 1988 0808 0110"];

const TOKENS: &[&[u8]] =
    &["·".as_bytes(), "^".as_bytes(), "，".as_bytes(), "之子".as_bytes(), "?".as_bytes(), b"X", b"E+", b"\n"];

#[test]
fn any_two_names_compare_the_same_both_ways_and_are_near_themselves() {
    fuzz("names", &own(&NAMES), TOKENS, |mutator| {
        let input = mutator.input();
        let input = String::from_utf8_lossy(&input);
        let mut lines = input.split('\n');
        let mut line = || lines.next().unwrap_or_default();
        let (one, other) = (Name::prepare(line(), line()), Name::prepare(line(), line()));
        assert_eq!(compare_names(&one, &other), compare_names(&other, &one));
        let itself = compare_names(&one, &one);
        assert!(itself.is_near() || !itself.is_compared());
        let folded = text::fold(&input);
        assert_eq!(text::fold(&folded), folded);
        if let (Some(a), Some(b)) = (Wording::prepare(&input), Wording::prepare(&folded)) {
            assert_eq!(a.compare(&b), b.compare(&a));
        }
    });
}

#[test]
fn any_text_is_an_identity_number_or_refused_and_no_repair_is_a_guess_of_two_slips() {
    fuzz("identity-numbers", &own(&NUMBERS), TOKENS, |mutator| {
        let input = mutator.input();
        let input = String::from_utf8_lossy(&input);
        if let Ok(number) = gb11643::parse(&input).or_else(|_| gb11643::upgrade(&input)) {
            assert_eq!(gb11643::parse(number.as_str()), Ok(number));
        }
        for repair in gb11643::repairs(&input, None, None) {
            assert!(gb11643::slip(&input, &repair).is_some());
        }
    });
}
