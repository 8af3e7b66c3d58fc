//! Text as it is compared, and what a name is good for. The stored value stays as it was received.

use std::sync::LazyLock;

use unicode_normalization::{UnicodeNormalization, is_nfkc};

use crate::readings::rows;

/// The form in which texts are compared: NFKC with full width made half, capital letters, characters of the private use area that once
/// stood for others put back, simplified characters, without blanks and dots. Folding twice changes nothing more.
#[must_use]
pub fn fold(text: &str) -> String {
    fold_cleaned(&clean(text))
}

/// The folded form of a text that is cleaned.
pub(crate) fn fold_cleaned(cleaned: &str) -> String {
    let strip =
        |text: &str| -> String { text.chars().filter(|c| !is_blank(*c) && !is_dot(*c)).map(simplify).collect() };
    let mut folded = strip(cleaned);
    // What is taken out may have kept a letter from its accent.
    while !folded.chars().all(is_clean) && !is_nfkc(&folded) {
        folded = strip(&clean(&folded));
    }
    folded
}

/// Characters that cleaning leaves as they are, whatever stands beside them: most texts consist of these alone.
fn is_clean(c: char) -> bool {
    matches!(c, ' '..='`' | '{'..='~' | '·' | '\u{4e00}'..='\u{9fff}')
}

/// NFKC, capitals, no private use where the character is known, no invisible marks; blanks and dots still stand.
pub(crate) fn clean(text: &str) -> String {
    if text.chars().all(is_clean) {
        return text.to_owned();
    }
    if text.is_ascii() {
        return text.to_ascii_uppercase();
    }
    let mut cleaned: String = text.chars().map(unprivate).filter(|c| !is_invisible(*c)).collect();
    for _ in 0..4 {
        if is_nfkc(&cleaned) && !cleaned.chars().any(char::is_lowercase) {
            break;
        }
        cleaned = cleaned.nfkc().flat_map(char::to_uppercase).filter(|c| !is_invisible(*c)).collect();
    }
    cleaned
}

/// The simplified form of a character.
pub(crate) fn simplify(character: char) -> char {
    if character < '\u{3400}' {
        return character;
    }
    let found = SIMPLIFIED.binary_search_by_key(&character, |(form, _)| *form);
    found.map_or(character, |at| SIMPLIFIED[at].1)
}

/// Dots between the parts of a name, in all the code points that keyboards give.
pub(crate) fn is_dot(c: char) -> bool {
    matches!(
        c,
        '.' | '·'
            | '•'
            | '․'
            | '‧'
            | '∙'
            | '⋅'
            | '●'
            | '。'
            | '・'
            | '･'
            | '᛫'
            | '⸱'
            | '⸳'
            | '﹒'
            | '．'
            | '｡'
            | '\u{387}'
    )
}

pub(crate) fn is_blank(c: char) -> bool {
    c.is_whitespace() || is_invisible(c)
}

/// Marks that take no room: zero width spaces and joiners, direction marks, variation selectors.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2064}' | '\u{feff}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}')
}

/// Chinese characters, those of the compatibility blocks and the supplementary planes too.
pub(crate) fn is_han(c: char) -> bool {
    matches!(c, '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{323af}' | '〇' | '々')
}

/// Letters of other scripts than Latin: Chinese characters, kana, hangul, Arabic, Cyrillic and the rest.
pub(crate) fn is_script(c: char) -> bool {
    is_han(c)
        || (c.is_alphabetic()
            && !matches!(c, '\0'..='\u{24f}' | '\u{1d00}'..='\u{1eff}' | '\u{2c60}'..='\u{2c7f}' | '\u{a720}'..='\u{a7ff}'))
}

/// GBK and GB 18030-2000 gave eighty characters (bytes FE 50 to FE A0) code points of private use, U+E815 to U+E864; GB 18030-2005 and
/// -2022 give them their own. Three more stand apart.
fn unprivate(c: char) -> char {
    match c {
        '\u{e815}'..='\u{e864}' => GBK_PRIVATE.chars().nth(c as usize - 0xe815).unwrap_or(c),
        '\u{e7c7}' => 'ḿ',
        '\u{e7c8}' => 'ǹ',
        '\u{e5e5}' => ' ',
        _ => c,
    }
}

/// What a written name is good for in a comparison.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Standing {
    /// Nothing is written.
    #[default]
    Empty,
    /// A name.
    Named,
    /// A name with a hole: `彭?`, `张某`, `王**`.
    Incomplete,
    /// Words that stand where no name is known: 无名氏, 未知, 不详.
    Placeholder,
    /// A child named by its mother: 王芳之子, 新生儿.
    Newborn,
    /// Text whose characters were lost on the way: U+FFFD, 锟斤拷, `Ã`, `??`.
    Damaged,
}

impl Standing {
    /// Whether agreement of such a text says anything about a person.
    #[must_use]
    pub fn names_somebody(self) -> bool {
        matches!(self, Standing::Named | Standing::Incomplete)
    }
}

/// What a written name is good for.
#[must_use]
pub fn standing(name: &str) -> Standing {
    standing_of(name, &fold(name))
}

/// What a written name is good for, by its folded form too.
pub(crate) fn standing_of(name: &str, folded: &str) -> Standing {
    if folded.is_empty() {
        Standing::Empty
    } else if is_damaged(name, folded) {
        Standing::Damaged
    } else if is_placeholder(folded) {
        Standing::Placeholder
    } else if mother_of(folded).is_some() || NEWBORNS.iter().any(|word| folded.contains(word)) {
        Standing::Newborn
    } else if folded.chars().any(is_hole) || folded.chars().skip(1).any(|c| c == '某') || hidden_by_crosses(folded) {
        Standing::Incomplete
    } else {
        Standing::Named
    }
}

/// What a name is good for that is stated in letters only, as image archives have it: `UNKNOWN^PATIENT`, `WANGFANG^ZHIZI`.
pub(crate) fn standing_of_letters(letters: &[u8]) -> Standing {
    let is = |words: &[&str]| words.iter().any(|word| word.as_bytes() == letters);
    let starts = |words: &[&str]| words.iter().any(|word| letters.starts_with(word.as_bytes()));
    // A surname and a given name of one syllable stand before the child: ten letters are WANGFANG and ZI.
    let child =
        letters.len() > 10 && ["ZHIZI", "ZHINV", "ZHINU", "ZHIER"].iter().any(|end| letters.ends_with(end.as_bytes()));
    if is(&LETTER_PLACEHOLDERS) {
        Standing::Placeholder
    } else if child || starts(&["NEWBORN", "BABYBOY", "BABYGIRL", "BABYOF", "BOYOF", "GIRLOF"]) {
        Standing::Newborn
    } else {
        Standing::Named
    }
}

/// A mark that stands for a character that could not be written or may not be shown.
pub(crate) fn is_hole(c: char) -> bool {
    matches!(c, '?' | '□' | '■' | '◇' | '◆' | '○' | '〓' | '*' | '_' | '×' | '▢' | '☐' | '\u{fffd}')
}

/// 张X, 张XX: capital crosses after Chinese characters.
fn hidden_by_crosses(folded: &str) -> bool {
    let rest = folded.trim_end_matches('X');
    rest.len() < folded.len() && !rest.is_empty() && rest.chars().all(is_han)
}

fn is_damaged(name: &str, folded: &str) -> bool {
    let marks = ["\u{fffd}", "锟斤", "斤拷", "锟拷", "烫烫", "屯屯"];
    if marks.iter().any(|mark| name.contains(mark)) || folded.chars().any(|c| c.is_control()) {
        return true;
    }
    let questions = folded.chars().filter(|c| *c == '?').count();
    let known = folded.chars().filter(|c| c.is_alphabetic()).count();
    let strange = folded.chars().any(|c| matches!(c, '\u{80}'..='\u{17f}' | 'Ǐ' | 'Ǖ' | 'Ǘ' | 'Ǚ' | 'Ǜ'));
    (questions > 0 && (known == 0 || strange)) || is_read_as_latin(name)
}

/// UTF-8 read as ISO 8859-1 or Windows-1252 (`Ã¥`), or GBK read so (`ÍõÎ°`): letters with accents beside signs that no name has, or
/// a text of at least four characters in which nothing else stands.
fn is_read_as_latin(name: &str) -> bool {
    let upper = |c: char| matches!(c, '\u{80}'..='\u{ff}');
    let accents = name.chars().filter(|c| upper(*c)).count();
    let signs = name.chars().filter(|c| matches!(c, '\u{80}'..='\u{9f}' | '¡'..='¶' | '¸'..='¿' | '×' | '÷')).count();
    let others = name.chars().filter(|c| !upper(*c) && !is_blank(*c)).count();
    (accents >= 2 && signs >= 1) || (accents >= 4 && others == 0)
}

fn is_placeholder(folded: &str) -> bool {
    let bare = folded.trim_end_matches(|c: char| c.is_ascii_digit() || "()-_#甲乙丙丁".contains(c));
    bare.is_empty()
        || PLACEHOLDERS.contains(&bare)
        || PLACEHOLDER_STARTS.iter().any(|start| folded.starts_with(start))
        || (bare.chars().all(|c| c == 'X' || is_hole(c)) && !bare.contains('?'))
}

/// The name of the mother in the folded name of a newborn such as 王芳之子, 王芳之女2, 李娜之双胞胎大.
pub(crate) fn mother_of(folded: &str) -> Option<&str> {
    let bare = folded.trim_end_matches(|c: char| c.is_ascii_digit() || "()[]AB甲乙丙丁大小一二三四".contains(c));
    let (mother, child) = bare.rsplit_once('之')?;
    let child = child.trim_start_matches(['大', '小', '长', '次', '幼', '双', '甲', '乙', '丙', '一', '二', '三']);
    (mother.chars().count() >= 2 && CHILDREN.contains(&child)).then_some(mother)
}

static SIMPLIFIED: LazyLock<Vec<(char, char)>> = LazyLock::new(|| {
    let pairs = |(form, characters): (&'static str, &'static str)| {
        let form = form.chars().next();
        characters.chars().filter_map(move |character| Some((character, form?)))
    };
    let mut table: Vec<(char, char)> = rows(include_str!("../data/simplified.tsv")).flat_map(pairs).collect();
    table.sort_unstable();
    table
});

const GBK_PRIVATE: &str = "⺁𠂇𠂉𠃌⺄㑳㑇⺈⺋龴㖞㘚㘎⺌⺗㥮㤘龵㧏㧟㩳㧐龶龷㭎㱮㳠⺧𡗗龸⺪䁖䅟⺮䌷⺳⺶⺷𢦏䎱䎬⺻䏝䓖䙡䙌龹䜣䜩䝼䞍⻊䥇䥺䥽䦂䦃䦅䦆䦟䦛䦷䦶龺𤇾䲣䲟䲠䲡䱷䲢䴓䴔䴕䴖䴗䴘䴙䶮龻";

/// What may follow 之 in the name of a newborn.
const CHILDREN: [&str; 14] =
    ["子", "女", "婴", "男", "儿", "儿子", "女儿", "男婴", "女婴", "男孩", "女孩", "宝", "宝宝", "双胞胎"];

const NEWBORNS: [&str; 7] = ["新生儿", "新生婴", "初生儿", "弃婴", "男婴", "女婴", "婴儿"];

const PLACEHOLDER_STARTS: [&str; 12] = [
    "无名氏",
    "无名男",
    "无名女",
    "无名尸",
    "未知名",
    "未知男",
    "未知女",
    "不知名",
    "姓名不",
    "姓名未",
    "不明身",
    "身份不",
];

const LETTER_PLACEHOLDERS: [&str; 14] = [
    "UNKNOWN",
    "UNKNOWNPATIENT",
    "PATIENTUNKNOWN",
    "UNKNOWNNAME",
    "NONAME",
    "NAMENO",
    "ANONYMOUS",
    "ANONYMIZED",
    "ANONYMOUSPATIENT",
    "WUMINGSHI",
    "WEIZHI",
    "TESTPATIENT",
    "PATIENTTEST",
    "TESTTEST",
];

const PLACEHOLDERS: [&str; 52] = [
    "无名",
    "未知",
    "不详",
    "不明",
    "无",
    "佚名",
    "匿名",
    "未命名",
    "待查",
    "待定",
    "待补",
    "待核",
    "空",
    "缺失",
    "未提供",
    "未登记",
    "未录入",
    "未填",
    "未填写",
    "无姓名",
    "无名者",
    "未知姓名",
    "未知患者",
    "未知病人",
    "路人",
    "路人甲",
    "某",
    "某某",
    "某人",
    "患者",
    "病人",
    "急诊",
    "急诊患者",
    "急诊病人",
    "测试",
    "测试患者",
    "测试病人",
    "测试用户",
    "拒绝提供",
    "保密",
    "UNKNOWN",
    "UNKNOW",
    "UNNAMED",
    "NONAME",
    "NULL",
    "NONE",
    "NIL",
    "NA",
    "N/A",
    "ANONYMOUS",
    "TEST",
    "UNDEFINED",
];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Standing, fold, mother_of, standing};

    #[test]
    fn what_looks_the_same_is_folded_to_the_same() {
        assert_eq!(fold("彭\u{e863}"), "彭䶮");
        assert_eq!(fold("張　偉"), "张伟");
        for dotted in
            ["阿依古丽·亚森", "阿依古丽・亚森", "阿依古丽•亚森", "阿依古丽.亚森", "阿依古丽．亚森", "阿依古丽 亚森"]
        {
            assert_eq!(fold(dotted), "阿依古丽亚森");
        }
        assert_eq!(fold("ｋｉｍ Hans"), "KIMHANS");
    }

    #[test]
    fn folding_any_character_twice_changes_nothing_more() {
        // Behind these planes is nothing that folds.
        for c in ('\0'..='\u{323ff}').chain('\u{e0000}'..='\u{e0fff}') {
            let once = fold(&format!("A{c}B"));
            assert_eq!(fold(&once), once, "U+{:04X}", u32::from(c));
        }
    }

    proptest! {
        #[test]
        fn folding_any_text_twice_changes_nothing_more(text in any::<String>(), mixed in "[王伟張　·.a-zÀ-ÿ\u{300}-\u{304}\u{a0}\u{b4}\u{e863}ﬁ]{0,12}") {
            for text in [text, mixed] {
                let once = fold(&text);
                prop_assert_eq!(&fold(&once), &once);
                prop_assert_eq!(standing(&text) == Standing::Empty, once.is_empty());
            }
        }
    }

    #[test]
    fn what_is_no_name_is_told_apart_from_names() {
        for (name, expected) in [
            ("", Standing::Empty),
            (" · ", Standing::Empty),
            ("王伟", Standing::Named),
            ("SMITH Anna", Standing::Named),
            ("MÜLLER Anna", Standing::Named),
            ("彭?", Standing::Incomplete),
            ("彭？", Standing::Incomplete),
            ("张某某", Standing::Incomplete),
            ("张XX", Standing::Incomplete),
            ("王*", Standing::Incomplete),
            ("无名氏", Standing::Placeholder),
            ("无名氏2026111801", Standing::Placeholder),
            ("不 详", Standing::Placeholder),
            ("unknown", Standing::Placeholder),
            ("王芳之子", Standing::Newborn),
            ("王芳之女2", Standing::Newborn),
            ("王芳之大女", Standing::Newborn),
            ("新生儿", Standing::Newborn),
            ("王\u{fffd}", Standing::Damaged),
            ("锟斤拷锟斤拷", Standing::Damaged),
            ("??", Standing::Damaged),
            ("??ǖ", Standing::Damaged),
            ("Ã¥Â¼Â", Standing::Damaged),
            ("ÍõÎ°", Standing::Damaged),
        ] {
            assert_eq!(standing(name), expected, "{name}");
        }
        assert_eq!(mother_of("王芳之子"), Some("王芳"));
    }
}
