//! Names of people: prepared once a record, compared surname with surname and given name with given name.

mod foreign;
mod han;
mod level;
mod skeleton;
mod spelled;
#[cfg(test)]
mod tests;
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
        let cleaned = text::clean(written);
        let folded = text::fold_cleaned(&cleaned);
        let standing = text::standing_of(written, &folded);
        let hash = folded.chars().fold(Hash64::default(), |hash, c| hash.add(u32::from(c))).finish();
        let letters = Words::parse(&text::clean(pinyin)).map(Box::new);
        let mut name = Name { standing, body: Body::Nothing, letters, hash };
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
        if let (Standing::Empty, Some(words)) = (name.standing, &name.letters) {
            name.standing = text::standing_of_letters(words.all());
            name.hash = words.hash();
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
