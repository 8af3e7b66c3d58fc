//! How Chinese characters are read: every reading in pinyin without tones, and the readings that surnames have of their own.
//!
//! The table of characters comes from the Unihan database, the surnames are our own list; both are compiled in.

use std::collections::HashMap;
use std::sync::LazyLock;

/// A syllable without tone, such as `ZHANG`; ü is V.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Syllable(u16);

impl Syllable {
    /// The letters, all of them capitals of ASCII.
    pub(crate) fn letters(self) -> &'static [u8] {
        TABLE.syllables.get(usize::from(self.0)).map_or(&[], |text| text.as_bytes())
    }
}

/// The list of readings of a character, the usual one first. Characters that are read alike have the same list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Readings(u16);

impl Readings {
    /// No reading is known.
    pub(crate) const NONE: Readings = Readings(0);

    /// The readings of a character; none for what is no known Chinese character.
    pub(crate) fn of(character: char) -> Readings {
        let found = TABLE.characters.binary_search_by_key(&character, |(known, _)| *known);
        found.map_or(Readings::NONE, |at| TABLE.characters[at].1)
    }

    /// The readings of a surname of one character, its own before the usual ones.
    pub(crate) fn of_surname(character: char) -> Readings {
        TABLE.surnames.get(&character).copied().unwrap_or_else(|| Readings::of(character))
    }

    /// The one syllable that these letters write (`LV`, `LYU` and `NUE` are understood).
    pub(crate) fn spelled(letters: &str) -> Option<Readings> {
        let usual = match letters {
            "LYU" => "LV",
            "NYU" => "NV",
            "LUE" | "LYUE" => "LVE",
            "NUE" | "NYUE" => "NVE",
            other => other,
        };
        TABLE.spelled.get(usual).copied()
    }

    /// The syllables.
    pub(crate) fn list(self) -> &'static [Syllable] {
        let (from, to) = TABLE.lists[usize::from(self.0)];
        &TABLE.listed[usize::from(from)..usize::from(to)]
    }

    /// The usual reading.
    pub(crate) fn first(self) -> Option<Syllable> {
        self.list().first().copied()
    }

    /// Whether some reading of one is a reading of the other.
    pub(crate) fn meet(self, other: Readings) -> bool {
        if self == other {
            return self != Readings::NONE;
        }
        self.list().iter().any(|syllable| other.list().contains(syllable))
    }
}

/// Whether two characters together are a surname of two characters.
pub(crate) fn is_compound_surname(first: char, second: char) -> bool {
    TABLE.compounds.contains_key(&(first, second))
}

/// The readings of the two characters of such a surname.
pub(crate) fn compound_readings(first: char, second: char) -> Option<[Readings; 2]> {
    TABLE.compounds.get(&(first, second)).copied()
}

struct Table {
    syllables: Vec<&'static str>,
    /// Where each list begins and ends; number 0 is the empty one.
    lists: Vec<(u16, u16)>,
    listed: Vec<Syllable>,
    /// The number of each list.
    numbers: HashMap<Vec<Syllable>, Readings>,
    characters: Vec<(char, Readings)>,
    surnames: HashMap<char, Readings>,
    compounds: HashMap<(char, char), [Readings; 2]>,
    spelled: HashMap<&'static str, Readings>,
}

impl Table {
    fn load() -> Table {
        let rows = || rows(READINGS);
        let mut syllables: Vec<&'static str> = rows().flat_map(|(list, _)| list.split(' ')).collect();
        syllables.sort_unstable();
        syllables.dedup();
        let mut table = Table {
            syllables,
            lists: vec![(0, 0)],
            listed: Vec::new(),
            numbers: HashMap::new(),
            characters: Vec::new(),
            surnames: HashMap::new(),
            compounds: HashMap::new(),
            spelled: HashMap::new(),
        };
        for (list, characters) in rows() {
            let readings = table.add(list.split(' '));
            if !list.contains(' ') {
                table.spelled.insert(list, readings);
            }
            table.characters.extend(characters.chars().map(|character| (character, readings)));
        }
        table.characters.sort_unstable();
        table.add_surnames();
        table
    }

    fn add(&mut self, list: impl Iterator<Item = &'static str>) -> Readings {
        let known = |text: &str| self.syllables.binary_search(&text).ok().and_then(|at| u16::try_from(at).ok());
        let list = list.filter_map(known).map(Syllable).collect();
        self.push(list)
    }

    fn push(&mut self, list: Vec<Syllable>) -> Readings {
        if list.is_empty() {
            return Readings::NONE;
        }
        if let Some(same) = self.numbers.get(&list) {
            return *same;
        }
        let from = self.listed.len();
        self.listed.extend(&list);
        // The table is compiled in and far below the limit of sixteen bits; what were beyond it would have no reading.
        let (Ok(from), Ok(to), Ok(number)) =
            (u16::try_from(from), u16::try_from(self.listed.len()), u16::try_from(self.lists.len()))
        else {
            return Readings::NONE;
        };
        self.lists.push((from, to));
        self.numbers.insert(list, Readings(number));
        Readings(number)
    }

    fn add_surnames(&mut self) {
        for (surname, readings) in rows(SURNAMES) {
            match surname.chars().collect::<Vec<_>>()[..] {
                [single] => {
                    let both = self.add_before(readings.split(' '), single);
                    self.surnames.insert(single, both);
                }
                [first, second] => {
                    let mut parts = readings.split(' ');
                    let pair = [self.add_before(parts.next().into_iter(), first), self.add_before(parts, second)];
                    self.compounds.insert((first, second), pair);
                }
                _ => {}
            }
        }
    }

    /// The readings of a character in a surname, then its usual ones.
    fn add_before(&mut self, own: impl Iterator<Item = &'static str>, character: char) -> Readings {
        let own = self.add(own);
        let usual = self.characters.binary_search_by_key(&character, |(known, _)| *known);
        let usual = usual.map_or(Readings::NONE, |at| self.characters[at].1);
        let of = |readings: Readings| {
            let (from, to) = self.lists[usize::from(readings.0)];
            &self.listed[usize::from(from)..usize::from(to)]
        };
        let mut list = of(own).to_vec();
        for syllable in of(usual) {
            if !list.contains(syllable) {
                list.push(*syllable);
            }
        }
        self.push(list)
    }
}

/// The rows of a table of two columns.
pub(crate) fn rows(table: &'static str) -> impl Iterator<Item = (&'static str, &'static str)> {
    table.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once('\t'))
}

static TABLE: LazyLock<Table> = LazyLock::new(Table::load);

const READINGS: &str = include_str!("../data/readings.tsv");
const SURNAMES: &str = include_str!("../data/surnames.tsv");

#[cfg(test)]
mod tests {
    use super::{Readings, SURNAMES, TABLE, compound_readings, rows};

    fn written(readings: Readings) -> Vec<&'static str> {
        readings.list().iter().map(|syllable| std::str::from_utf8(syllable.letters()).unwrap()).collect()
    }

    #[test]
    fn a_surname_has_its_own_reading_first_and_keeps_the_others() {
        assert_eq!(written(Readings::of('单')), ["DAN", "CHAN", "SHAN"]);
        assert_eq!(written(Readings::of_surname('单')), ["SHAN", "DAN", "CHAN"]);
        assert_eq!(written(Readings::of_surname('区')), ["OU", "QU"]);
        assert_eq!(written(Readings::of_surname('王')), written(Readings::of('王')));
        assert_eq!(compound_readings('尉', '迟').map(|pair| pair.map(written)), Some([vec!["YU", "WEI"], vec!["CHI"]]));
    }

    #[test]
    fn every_syllable_of_the_surnames_is_one_that_characters_have() {
        for (surname, readings) in rows(SURNAMES) {
            for syllable in readings.split(' ') {
                assert!(TABLE.syllables.binary_search(&syllable).is_ok(), "{surname}: {syllable}");
            }
        }
    }

    #[test]
    fn characters_beyond_the_first_plane_are_read() {
        assert_eq!(written(Readings::of('𬱖')), ["DI"]);
        assert_eq!(written(Readings::of('䶮')), ["YAN"]);
        assert_eq!(Readings::of('A'), Readings::NONE);
    }

    #[test]
    fn readings_meet_where_one_is_shared() {
        assert!(Readings::of('伟').meet(Readings::of('玮')));
        assert!(!Readings::of('伟').meet(Readings::of('强')));
        assert!(!Readings::NONE.meet(Readings::NONE));
    }
}
