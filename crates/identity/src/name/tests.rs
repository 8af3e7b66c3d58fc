use std::cmp::Ordering;

use proptest::prelude::*;
use serde_json::Value;

use super::{NAME_KEYS_MAX, Name, NameLevel, NamePattern, compare};

fn pattern(a: &str, b: &str) -> NamePattern {
    let name = |text: &str| match text.contains('^') {
        true => Name::prepare("", text),
        false => Name::prepare(text, ""),
    };
    let (a, b) = (name(a), name(b));
    assert_eq!(compare(&a, &b), compare(&b, &a));
    compare(&a, &b).pattern
}

#[test]
fn every_kind_of_slip_has_a_pattern_of_its_own() {
    use NamePattern as P;
    for (a, b, expected) in [
        ("王 伟", "王伟", P::Same),
        ("張偉", "张伟", P::Variant),
        ("沈明明", "沈明茗", P::GivenHomophone),
        ("袁静", "袁净", P::GivenHomophone),
        ("张敏", "张梅", P::GivenLookAlike),
        ("彭䶮", "彭\u{e863}", P::Same),
        ("彭䶮", "彭?", P::GivenRare),
        ("付艳", "付yan", P::GivenRare),
        ("王畅强", "王强畅", P::GivenSwapped),
        ("韩军杰", "韩杰", P::GivenDropped),
        ("刘霞", "文霞", P::SurnameLookAlike),
        ("欧阳娜", "欧杨娜", P::SurnameHomophone),
        ("欧阳娜", "欧娜", P::SurnameRare),
        ("王伟", "伟王", P::SurnameMoved),
        ("张建国", "张建军", P::GivenPartial),
        ("王伟", "王强", P::GivenDifferent),
        ("王伟", "李伟", P::SurnameDifferent),
        ("王伟", "李强", P::Different),
        ("吕静桂", "LV^JINGGUI", P::PinyinSame),
        ("吕静桂", "LYU^JINGGUI", P::PinyinReading),
        ("解宇洋", "JIE^YUYANG", P::PinyinReading),
        ("郝凡香", "HAO^XIANGFAN", P::PinyinSwapped),
        ("张斌强", "ZHANG^QIANG", P::PinyinDropped),
        ("王伟", "LI^WEI", P::PinyinSurnameDifferent),
        ("阿依古丽·亚森", "阿依古丽 亚森", P::Same),
        ("阿依古丽·亚森", "阿依古丽亚森", P::Same),
        ("艾力·买买提", "艾里·麦麦提", P::Transliterated),
        ("吐尔逊·肉孜", "吐尔逊", P::Cut),
        ("艾力·肉孜", "艾力", P::Cut),
        ("阿依古丽·玉素甫", "玉素甫·阿依古丽", P::Turned),
        ("阿依古丽·吐尔逊", "阿衣古丽·吐逊", P::Transliterated),
        ("阿依古丽·吐尔洪", "阿依古丽·吐洪", P::PartNear),
        ("迪丽努尔·肉孜", "DILNUR^ROZI", P::Consonants),
        ("王頔", "王由页", P::GivenRare),
        ("尉迟苑", "尉迟", P::GivenDropped),
        ("欧阳畅心", "OU^YANGCHANGXIN", P::PinyinReading),
        ("KIM Anna", "KM Anna", P::LettersNear),
        ("LI^WEI", "LIU^WEI", P::LettersSurnameDifferent),
        ("彭?", "PENG^YAN", P::GivenRare),
        ("张伟1", "张伟2", P::GivenPartial),
        ("渡辺さくら", "渡辺さくら", P::Same),
        ("渡辺さくら", "渡辺ひかり", P::Different),
        ("김민수", "김민수", P::Same),
        ("김민수", "김영희", P::GivenDifferent),
        ("Иван Петров", "иван петров", P::Same),
        ("Иван Петров", "Петров Иван", P::Turned),
        ("UNKNOWN^PATIENT", "UNKNOWN^PATIENT", P::NoNameSame),
        ("WANGFANG^ZHIZI", "WANG^FANG", P::NoName),
        ("BABY^BOY", "WANG^FANG", P::NoName),
        ("吐尔逊·肉孜", "TURSUN^ROZI", P::Consonants),
        ("KHAN Carlos", "Carlos KHAN", P::Turned),
        ("KIM Aung", "KIM,AUNG", P::LettersSame),
        ("MÜLLER Anna", "MULLER^ANNA", P::LettersSame),
        ("PETROVA Olga", "PETRVA Olga", P::LettersNear),
        ("王伟", "", P::Missing),
        ("无名氏", "无名氏", P::NoNameSame),
        ("王芳之子", "王芳", P::NoName),
    ] {
        assert_eq!(pattern(a, b), expected, "{a} {b}");
    }
}

#[test]
fn a_stated_pinyin_that_agrees_outweighs_a_slip_of_writing() {
    let (a, b) = (Name::prepare("田亮轩", "TIAN^DAPING"), Name::prepare("田大平", ""));
    assert_eq!(compare(&a, &b).pattern, NamePattern::AgainstWriting);
}

#[test]
fn a_name_in_characters_and_the_same_in_pinyin_meet_in_a_key() {
    for (written, pinyin) in [("解宇洋", "JIE^YUYANG"), ("王伟", "WANG^WEI"), ("迪丽努尔·玉素甫", "DILNUR^YUSUP")]
    {
        let mut keys = Vec::new();
        Name::prepare(written, "").block_keys(|key| keys.push(key));
        let mut met = false;
        Name::prepare("", pinyin).block_keys(|key| met |= keys.contains(&key));
        assert!(met, "{written} {pinyin}");
    }
}

fn judged() -> Value {
    serde_json::from_str(include_str!("../../../../fixtures/identity/names.json")).unwrap()
}

fn prepared(side: &Value) -> Name {
    let text = |key: &str| side.get(key).and_then(Value::as_str).unwrap_or_default();
    Name::prepare(text("written"), text("pinyin"))
}

#[test]
fn every_judged_pair_of_names_has_the_level_it_was_given() {
    let judged = judged();
    let pairs = judged["pairs"].as_array().unwrap();
    assert!(pairs.len() >= 200, "{} pairs", pairs.len());
    let mut wrong = Vec::new();
    for pair in pairs {
        let (a, b) = (prepared(&pair["a"]), prepared(&pair["b"]));
        let (level, back) = (compare(&a, &b), compare(&b, &a));
        assert_eq!(level, back, "{pair}");
        if level.code() != pair["level"] {
            wrong.push(format!("{pair}: {}", level.code()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn comparing_allocates_nothing() {
    let names: Vec<Name> = judged()["pairs"].as_array().unwrap().iter().map(|pair| prepared(&pair["a"])).collect();
    // The tables are read at the first comparison that asks them.
    let levels = || -> usize { names.iter().flat_map(|a| names.iter().map(|b| compare(a, b).index())).sum() };
    let before = levels();
    let mut after = 0;
    let allocated = allocation_counter::measure(|| after = levels());
    assert_eq!((allocated.count_total, after), (0, before));
}

#[test]
fn every_level_that_a_model_weighs_has_a_judged_pair() {
    let judged = judged();
    let judged: Vec<&str> =
        judged["pairs"].as_array().unwrap().iter().filter_map(|pair| pair["level"].as_str()).collect();
    let without: Vec<&str> =
        NamePattern::ALL.iter().map(|pattern| pattern.code()).filter(|code| !judged.contains(code)).collect();
    assert!(without.is_empty(), "{without:?}");
}

#[test]
fn a_slip_of_the_pen_stands_above_a_stranger_and_a_brother() {
    for ranking in judged()["rankings"].as_array().unwrap() {
        let names: Vec<Name> =
            ranking.as_array().unwrap().iter().map(|it| Name::prepare(it.as_str().unwrap(), "")).collect();
        let levels: Vec<NameLevel> = names[1..].iter().map(|other| compare(&names[0], other)).collect();
        assert!(levels.is_sorted_by(|one, other| one.cmp(other) == Ordering::Less), "{ranking}");
        assert!(levels[0].is_near(), "{ranking}");
        assert!(names[0] != names[2] && levels.iter().all(|level| level.is_compared()), "{ranking}");
    }
}

/// Names of every kind and text of no kind.
fn any_name() -> impl Strategy<Value = String> {
    prop_oneof![
        "[王李张刘陈欧阳单区曾䶮伟玮强静婧建国健军梓辛頔由页?□]{0,6}",
        "[阿依古丽艾力买麦提吐尔逊玉素甫·• ]{0,40}",
        "[A-Za-zÀ-ÿ ^,'-]{0,40}",
        "[王李张伟a-z0-9·. ?*]{0,12}",
        "\\PC{0,60}",
        any::<String>(),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn comparison_is_symmetric_and_total_on_any_text(a in any_name(), a_pinyin in any_name(), b in any_name(), b_pinyin in any_name()) {
        let (one, other) = (Name::prepare(&a, &a_pinyin), Name::prepare(&b, &b_pinyin));
        prop_assert_eq!(compare(&one, &other), compare(&other, &one));
        prop_assert!(compare(&one, &other).index() < NameLevel::COUNT);
        let mut keys = 0;
        one.block_keys(|_| keys += 1);
        prop_assert!(keys <= NAME_KEYS_MAX);
    }

    #[test]
    fn a_name_is_near_itself(a in any_name(), pinyin in any_name()) {
        let name = Name::prepare(&a, &pinyin);
        let level = compare(&name, &name);
        prop_assert!(level.is_near() || !level.is_compared(), "{} {}", a, level.code());
    }
}
