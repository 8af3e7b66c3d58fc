//! Names of people: prepared once a record, compared surname with surname and given name with given name.

mod foreign;
mod han;
mod level;
mod skeleton;
mod spelled;
mod words;

pub use level::{Level, NameLevel, NamePattern};

use crate::text::{self, Standing};
use han::Written;
use words::Words;

/// A name made ready for comparison: what is written, in characters or letters, and what is stated in pinyin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    standing: Standing,
    body: Body,
    /// The pinyin that the source states, or a name written in letters.
    letters: Option<Box<Words>>,
    /// Of the folded text; two placeholders of the same words are told by it.
    hash: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Body {
    Nothing,
    /// Surname and given name in Chinese characters.
    Han(Written),
    /// A name of another language in Chinese characters: own name, then father's name.
    Dotted(Written),
}

impl Name {
    /// Prepares a name. Either part may be empty; the pinyin may be `SURNAME^GIVEN` (DICOM PS3.5, PN) or words.
    #[must_use]
    pub fn prepare(written: &str, pinyin: &str) -> Name {
        let standing = text::standing(written);
        let cleaned = text::clean(written);
        let mut name =
            Name { standing, body: Body::Nothing, letters: Words::parse(&text::clean(pinyin)).map(Box::new), hash: 0 };
        name.hash = text::fold(written).chars().fold(Hash64::default(), |hash, c| hash.add(u32::from(c))).finish();
        if standing.names_somebody() {
            name.body = match Written::parse(&cleaned) {
                Some(written) if written.is_foreign() => Body::Dotted(written),
                Some(written) => Body::Han(written),
                None => Body::Nothing,
            };
            if name.body == Body::Nothing {
                name.letters = Words::parse(&cleaned).map(Box::new).or(name.letters);
            }
        }
        if name.standing == Standing::Empty && name.letters.is_some() {
            name.standing = Standing::Named;
        }
        name
    }

    /// What the written name is good for; a name that is stated in pinyin only is a name.
    #[must_use]
    pub fn standing(&self) -> Standing {
        self.standing
    }

    /// Whether Chinese characters are written.
    #[must_use]
    pub fn is_written(&self) -> bool {
        self.body != Body::Nothing
    }

    fn written(&self) -> Option<&Written> {
        match &self.body {
            Body::Nothing => None,
            Body::Han(written) | Body::Dotted(written) => Some(written),
        }
    }

    /// What the frequency of a name is counted by.
    #[must_use]
    pub fn frequency_keys(&self) -> FrequencyKeys {
        let standing = self.standing.names_somebody();
        let written = self.written().filter(|_| standing).map(|written| written.folded_hash());
        FrequencyKeys {
            written: written.or_else(|| self.letters.as_ref().filter(|_| standing).map(|words| words.hash())),
            pinyin: self.pinyin_key(),
        }
    }

    /// The key of the name as it sounds: characters by their first readings, and pinyin as it is stated, give the same.
    fn pinyin_key(&self) -> Option<u64> {
        match (self.written().filter(|_| self.standing.names_somebody()), &self.letters) {
            (Some(written), _) => written.sound_hash(),
            (None, Some(words)) => Some(words.hash()),
            (None, None) => None,
        }
    }

    /// Keys under which records of one person meet: the sound of the whole name by the first readings, by a surname's other reading and by
    /// the pinyin that is stated. At most [`NAME_KEYS_MAX`].
    pub fn block_keys(&self, mut give: impl FnMut(u64)) {
        let mut given = [0_u64; NAME_KEYS_MAX];
        let mut count = 0;
        let mut once = |key: u64| {
            if count < NAME_KEYS_MAX && !given[..count].contains(&key) {
                given[count] = key;
                count += 1;
                give(key);
            }
        };
        if let Some(written) = self.written().filter(|_| self.standing.names_somebody()) {
            written.sound_hashes(&mut once);
        }
        if let Some(words) = &self.letters {
            words.sound_hashes(&mut once);
        }
    }
}

/// The most blocking keys that one name has.
pub const NAME_KEYS_MAX: usize = 8;

/// What the frequency of a name is counted by; equal names have equal keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FrequencyKeys {
    /// The folded characters, or the letters of a name that is written in letters.
    pub written: Option<u64>,
    /// The pinyin of the first readings, or the pinyin that is stated.
    pub pinyin: Option<u64>,
}

/// Compares two names, the better of what is written and what is spelled. It does not matter which name stands first, and nothing is
/// allocated.
#[must_use]
pub fn compare(a: &Name, b: &Name) -> NameLevel {
    if a.standing == Standing::Empty || b.standing == Standing::Empty {
        return NameLevel::MISSING;
    }
    if !a.standing.names_somebody() || !b.standing.names_somebody() {
        return NameLevel::of_no_name(a.standing == b.standing && a.hash == b.hash);
    }
    match (&a.body, &b.body) {
        (Body::Nothing, _) | (_, Body::Nothing) => spelled(a, b),
        (Body::Han(one), Body::Han(other)) => against(han::compare(one, other), a, b),
        (Body::Dotted(one) | Body::Han(one), Body::Dotted(other) | Body::Han(other)) => {
            against(foreign::compare(one, other), a, b)
        }
    }
}

/// The best of what can be compared by sound: characters with letters, or letters with letters where neither side has characters.
fn spelled(a: &Name, b: &Name) -> NameLevel {
    let crossed = a.written().zip(b.letters.as_deref()).map(|(one, other)| spelled::compare(one, other));
    let back = b.written().zip(a.letters.as_deref()).map(|(one, other)| spelled::compare(one, other));
    let by_sound = crossed.into_iter().chain(back).min();
    if by_sound.is_some_and(NameLevel::is_same_sound) {
        return by_sound.unwrap_or(NameLevel::MISSING);
    }
    let words = a.letters.as_deref().zip(b.letters.as_deref()).map(|(one, other)| words::compare(one, other));
    let words = words.map(|level| if by_sound.is_some() { level.of_stated_pinyin() } else { level });
    words.into_iter().chain(by_sound).min().unwrap_or(NameLevel::MISSING)
}

/// A stated pinyin that agrees says that different characters are slips of writing.
fn against(level: NameLevel, a: &Name, b: &Name) -> NameLevel {
    if level.is_near() || (a.letters.is_none() && b.letters.is_none()) {
        return level;
    }
    if spelled(a, b).is_same_sound() { NameLevel::AGAINST_WRITING } else { level }
}

/// FNV-1a over code points, mixed at the end; the same in every process.
#[derive(Clone, Copy)]
struct Hash64(u64);

impl Default for Hash64 {
    fn default() -> Hash64 {
        Hash64(0xcbf2_9ce4_8422_2325)
    }
}

impl Hash64 {
    fn add(self, value: u32) -> Hash64 {
        Hash64((self.0 ^ u64::from(value)).wrapping_mul(0x0100_0000_01b3))
    }

    fn letters(self, letters: &[u8]) -> Hash64 {
        letters.iter().fold(self, |hash, letter| hash.add(u32::from(*letter)))
    }

    fn finish(self) -> u64 {
        let mixed = (self.0 ^ (self.0 >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        mixed ^ (mixed >> 29)
    }
}

#[cfg(test)]
mod tests {
    use super::{Name, NamePattern, compare};

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
    fn a_slip_of_the_pen_stands_above_a_stranger_and_a_brother() {
        assert!(pattern("王伟", "王玮") < pattern("王伟", "王强"));
        assert!(pattern("张建国", "张健国") < pattern("张建国", "张建军"));
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
}
