//! Addresses: weak evidence that never decides.

use crate::mask;
use crate::number::{half_width, hash};

/// The parts of an address that survive the ways of writing it: names of places, and the numbers between them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Address {
    /// Hashes of the names of districts, roads and estates, sorted.
    places: Box<[u32]>,
    /// House, building and room, in their order.
    numbers: Box<[u32]>,
    /// What may be shown of it.
    district: Box<str>,
}

impl Address {
    pub(crate) fn parse(text: &str) -> Address {
        let (mut places, mut numbers) = (Vec::new(), Vec::new());
        let (mut word, mut number) = (String::new(), String::new());
        for c in text.chars().take(CHARACTERS_MAX).filter_map(half_width).chain([' ']) {
            if c.is_ascii_digit() {
                end_word(&mut word, &mut places);
                number.push(c);
            } else {
                if !number.is_empty() {
                    numbers.extend(number.parse::<u32>());
                    number.clear();
                }
                word.extend(c.to_uppercase());
                if PLACE_ENDS.contains(&c) || !c.is_alphanumeric() {
                    end_word(&mut word, &mut places);
                }
            }
        }
        places.sort_unstable();
        places.dedup();
        Address { places: places.into(), numbers: numbers.into(), district: mask::address(text).into() }
    }

    /// The address up to its district, masked behind it.
    pub(crate) fn district(&self) -> &str {
        &self.district
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.places.is_empty() && self.numbers.is_empty()
    }

    /// How two addresses agree. None: one of them is not stated.
    pub(crate) fn compare(&self, other: &Address) -> Option<AddressLevel> {
        if self.is_empty() || other.is_empty() {
            return None;
        }
        let shared = self.places.iter().filter(|place| other.places.binary_search(place).is_ok()).count();
        let dwelling = |address: &Address| -> Option<[u32; 2]> { address.numbers.last_chunk().copied() };
        Some(match (dwelling(self), dwelling(other)) {
            (Some(a), Some(b)) if a == b && shared > 0 => AddressLevel::Dwelling,
            (Some(_), Some(_)) => AddressLevel::Different,
            _ if shared > 1 && self.numbers.iter().any(|number| other.numbers.contains(number)) => AddressLevel::House,
            _ => AddressLevel::Different,
        })
    }
}

fn end_word(word: &mut String, places: &mut Vec<u32>) {
    let name = word.trim_matches(|c: char| !c.is_alphanumeric());
    if name.chars().count() > 1 {
        places.push(hash(0, name.as_bytes()) as u32);
    }
    word.clear();
}

/// How two addresses agree, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum AddressLevel {
    /// The same building and room of one place.
    Dwelling,
    /// The same number of one road; building or room is not stated on one side.
    House,
    /// Two addresses.
    Different,
}

impl AddressLevel {
    /// The names in model files, in the order of the levels.
    pub(crate) const NAMES: &'static [&'static str] = &["dwelling", "house", "different"];
}

/// Characters behind which the name of a place ends.
const PLACE_ENDS: [char; 12] = ['省', '市', '州', '区', '县', '旗', '镇', '乡', '路', '街', '道', '村'];
/// An address is read so far.
const CHARACTERS_MAX: usize = 200;

#[cfg(test)]
mod tests {
    use super::{Address, AddressLevel};

    #[test]
    fn the_short_and_the_long_way_to_write_a_dwelling_agree() {
        let level = |a: &str, b: &str| Address::parse(a).compare(&Address::parse(b));
        let long = "云峰市白塔区长江路223号金色家园15栋2401室";
        assert_eq!(level(long, "白塔区金色家园15-2401"), Some(AddressLevel::Dwelling));
        assert_eq!(level(long, "云峰市白塔区长江路２２３号"), Some(AddressLevel::House));
        assert_eq!(level(long, "白塔区金色家园15-2402"), Some(AddressLevel::Different));
        assert_eq!(level(long, "平阳州北关区学院路37号和谐小区15栋2401室"), Some(AddressLevel::Different));
        assert_eq!(level(long, ""), None);
    }
}
