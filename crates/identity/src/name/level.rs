//! How much two names agree.

/// How much one part of two names agrees, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// The same characters or letters.
    Same,
    /// The same after folding traditional into simplified characters.
    Variant,
    /// The same sound by a reading that is not the usual one of the character.
    Reading,
    /// Another character of the same sound; for names of other languages another way to write their sound.
    Homophone,
    /// Another character of a like shape.
    LookAlike,
    /// A rare character and what is written in its place: `?`, a part, a simpler twin, its pinyin.
    Rare,
    /// The characters of the given name in another order, or surname and given name changed over.
    Swapped,
    /// One character is missing.
    Dropped,
    /// One letter or one syllable differs.
    Near,
    /// Cut off: a father's name or a second given name that one side does not have.
    Cut,
    /// Some characters are the same, others differ.
    Partial,
    /// Different.
    Different,
    /// One side has nothing to compare.
    Missing,
}

/// How much two names agree: surname, given name, and the pattern of both, which is what a weight is learnt for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NameLevel {
    /// The pattern of the whole.
    pub pattern: NamePattern,
    /// The surname; the father's name in names such as 迪丽努尔·玉素甫.
    pub surname: Level,
    /// The given name; the person's own name in names such as 迪丽努尔·玉素甫.
    pub given: Level,
}

macro_rules! patterns {
    ($($(#[$doc:meta])* $name:ident $code:literal $english:literal $chinese:literal $nearness:ident,)*) => {
        /// The pattern of agreement of two names. Each has a weight of its own in a model.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum NamePattern { $($(#[$doc])* $name,)* }

        impl NamePattern {
            /// Every pattern, in the order of [`NameLevel::index`].
            pub const ALL: &'static [NamePattern] = &[$(NamePattern::$name,)*];

            /// The code in model files and explanations.
            #[must_use]
            pub fn code(self) -> &'static str {
                match self { $(NamePattern::$name => $code,)* }
            }

            /// The words that a person reads, in English and in Chinese.
            #[must_use]
            pub fn words(self) -> (&'static str, &'static str) {
                match self { $(NamePattern::$name => ($english, $chinese),)* }
            }

            fn nearness(self) -> Nearness {
                match self { $(NamePattern::$name => Nearness::$nearness,)* }
            }
        }
    };
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Nearness {
    Written,
    Sound,
    Near,
    Apart,
    Nothing,
}

patterns! {
    /// Both written the same.
    Same "same" "written the same" "书写相同" Written,
    /// The same after folding traditional characters.
    Variant "variant" "the same but for traditional characters" "繁简相同" Written,
    /// A given name of the same sound.
    GivenHomophone "given-homophone" "given name of the same sound" "名同音" Near,
    /// A given name of a like shape.
    GivenLookAlike "given-look-alike" "given name of a like shape" "名形近" Near,
    /// A rare character of the given name replaced.
    GivenRare "given-rare" "a rare character of the given name replaced" "名中生僻字被替代" Near,
    /// The characters of the given name in another order.
    GivenSwapped "given-swapped" "characters of the given name changed over" "名字颠倒" Near,
    /// A character of the given name is missing.
    GivenDropped "given-dropped" "a character of the given name missing" "名缺一字" Near,
    /// A surname of the same sound.
    SurnameHomophone "surname-homophone" "surname of the same sound" "姓同音" Near,
    /// A surname of a like shape.
    SurnameLookAlike "surname-look-alike" "surname of a like shape" "姓形近" Near,
    /// A rare character of the surname replaced.
    SurnameRare "surname-rare" "a rare character of the surname replaced" "姓中生僻字被替代" Near,
    /// Surname missing or behind the given name.
    SurnameMoved "surname-moved" "surname missing or behind the given name" "姓缺失或置后" Near,
    /// One slip in each part.
    BothNear "both-near" "a slip in surname and given name" "姓与名各有一处出入" Near,
    /// A father's name cut off, the rest written alike.
    Cut "cut" "father's name cut off" "缺父名" Near,
    /// A name of another language written in other characters for its sound.
    Transliterated "transliterated" "another transliteration" "译音用字不同" Near,
    /// Own name and father's name changed over.
    Turned "turned" "parts of the name in another order" "顺序颠倒" Near,
    /// One part has one slip of a letter or syllable.
    PartNear "part-near" "one part differs by a letter or syllable" "一处拼写出入" Near,
    /// The same letters, neither side in characters.
    LettersSame "letters-same" "same letters" "字母相同" Sound,
    /// Characters and pinyin agree by usual readings.
    PinyinSame "pinyin-same" "same pinyin" "拼音相同" Sound,
    /// Characters and pinyin agree by another reading.
    PinyinReading "pinyin-reading" "same pinyin by another reading" "多音字拼音相同" Sound,
    /// Different in writing, yet a stated pinyin agrees.
    AgainstWriting "pinyin-against-writing" "written differently, stated pinyin agrees" "书写不同而所述拼音相同" Sound,
    /// Characters and letters have the same consonants, as names of other languages do.
    Consonants "consonants" "same consonants in letters" "拉丁拼写音近" Near,
    /// By pinyin the given name is changed over.
    PinyinSwapped "pinyin-swapped" "pinyin of the given name changed over" "名拼音颠倒" Near,
    /// By pinyin a character of the given name is missing.
    PinyinDropped "pinyin-dropped" "a syllable of the given name missing" "名拼音缺一音节" Near,
    /// By pinyin one letter differs.
    PinyinNear "pinyin-near" "pinyin differs by a letter" "拼音差一字母" Near,
    /// In letters the given name is changed over.
    LettersSwapped "letters-swapped" "letters of the given name changed over" "名字母颠倒" Near,
    /// In letters a part of the given name is missing.
    LettersDropped "letters-dropped" "a part of the given name missing" "名缺一部分" Near,
    /// In letters one letter differs.
    LettersNear "letters-near" "a letter differs" "差一字母" Near,
    /// The surname is the same, the given name shares a character.
    GivenPartial "given-partial" "same surname, one character of the given name the same" "同姓且名有一字相同" Apart,
    /// The surname is the same, the given name differs.
    GivenDifferent "given-different" "same surname, other given name" "同姓异名" Apart,
    /// A slip in the surname and another given name.
    SurnameNearOnly "surname-near-only" "like surname, other given name" "姓近名异" Apart,
    /// The given name is the same, the surname differs.
    SurnameDifferent "surname-different" "other surname, same given name" "异姓同名" Apart,
    /// The given name is near, the surname differs.
    GivenNearOnly "given-near-only" "other surname, like given name" "异姓名近" Apart,
    /// By pinyin the surname is the same, the given name differs.
    PinyinGivenDifferent "pinyin-given-different" "same pinyin of the surname only" "仅姓拼音相同" Apart,
    /// By pinyin the given name is the same, the surname differs.
    PinyinSurnameDifferent "pinyin-surname-different" "same pinyin of the given name only" "仅名拼音相同" Apart,
    /// Different by pinyin.
    PinyinDifferent "pinyin-different" "other pinyin" "拼音不同" Apart,
    /// In letters the surname is the same, the given name differs.
    LettersGivenDifferent "letters-given-different" "same letters of the surname only" "仅姓字母相同" Apart,
    /// In letters the given name is the same, the surname differs.
    LettersSurnameDifferent "letters-surname-different" "same letters of the given name only" "仅名字母相同" Apart,
    /// Different in letters.
    LettersDifferent "letters-different" "other letters" "字母不同" Apart,
    /// Different.
    Different "different" "different" "不同" Apart,
    /// Placeholders or newborns of the same words.
    NoNameSame "no-name-same" "the same words that are no name" "同为非姓名用语" Nothing,
    /// One of the two is no name.
    NoName "no-name" "not a name" "非姓名" Nothing,
    /// One of the two is missing.
    Missing "missing" "missing" "缺失" Nothing,
}

impl NameLevel {
    /// How many different indices there are.
    pub const COUNT: usize = NamePattern::ALL.len();
    /// One side has no name.
    pub(crate) const MISSING: NameLevel =
        NameLevel { pattern: NamePattern::Missing, surname: Level::Missing, given: Level::Missing };
    pub(crate) const AGAINST_WRITING: NameLevel =
        NameLevel { pattern: NamePattern::AgainstWriting, surname: Level::Reading, given: Level::Reading };

    pub(super) fn new(pattern: NamePattern, surname: Level, given: Level) -> NameLevel {
        NameLevel { pattern, surname, given }
    }

    pub(super) fn of_no_name(same: bool) -> NameLevel {
        let pattern = if same { NamePattern::NoNameSame } else { NamePattern::NoName };
        NameLevel { pattern, surname: Level::Missing, given: Level::Missing }
    }

    /// Letters that are compared where characters stand too are pinyin.
    pub(super) fn of_stated_pinyin(self) -> NameLevel {
        let pattern = match self.pattern {
            NamePattern::LettersSame | NamePattern::Turned => NamePattern::PinyinReading,
            NamePattern::LettersSwapped => NamePattern::PinyinSwapped,
            NamePattern::LettersDropped => NamePattern::PinyinDropped,
            NamePattern::LettersNear => NamePattern::PinyinNear,
            NamePattern::LettersGivenDifferent => NamePattern::PinyinGivenDifferent,
            NamePattern::LettersSurnameDifferent => NamePattern::PinyinSurnameDifferent,
            NamePattern::LettersDifferent => NamePattern::PinyinDifferent,
            other => other,
        };
        NameLevel { pattern, ..self }
    }

    /// A dense number below [`NameLevel::COUNT`] for tables of weights; model files name the code instead.
    #[must_use]
    pub fn index(self) -> usize {
        self.pattern as usize
    }

    /// The code of the pattern in model files and explanations.
    #[must_use]
    pub fn code(self) -> &'static str {
        self.pattern.code()
    }

    /// Equal in writing, traditional and simplified characters being one.
    #[must_use]
    pub fn is_same_writing(self) -> bool {
        self.pattern.nearness() == Nearness::Written
    }

    /// Equal by sound as far as one side is spelled in letters.
    #[must_use]
    pub fn is_same_sound(self) -> bool {
        self.pattern.nearness() == Nearness::Sound
    }

    /// Equal, or apart by no more than a slip of writing. What differs in surname or given name is never near.
    #[must_use]
    pub fn is_near(self) -> bool {
        matches!(self.pattern.nearness(), Nearness::Written | Nearness::Sound | Nearness::Near)
    }

    /// Whether there was something to compare.
    #[must_use]
    pub fn is_compared(self) -> bool {
        self.pattern.nearness() != Nearness::Nothing
    }
}
