//! The small demographic answer of a look-up.

use std::fmt;

use dukou_fhir::{Instant, LogicalId, VersionId};
use dukou_identity::number::sought;
use dukou_identity::{SiteKey, Stated, StatedIdentifier};
use zeroize::Zeroize as _;

/// What a desk needs to recognise the person in front of it, of one record. No number of the person is in it. `Debug` shows the record and
/// its version only; the texts are overwritten when the last holder lets go of it.
#[derive(Clone, PartialEq, Eq)]
pub struct Card {
    /// The record.
    pub record: LogicalId,
    /// The version that the card was made of.
    pub version: VersionId,
    /// The place of that version in the history of the store.
    pub seq: u64,
    /// When that version was stored.
    pub stored: Instant,
    /// False: retired by a merge, or not in use.
    pub active: bool,
    /// The usual name as written, else in pinyin.
    pub name: Box<str>,
    /// GB/T 2261.1: `'1'` male, `'2'` female, `'9'` not stated, `'0'` unknown.
    pub sex: Option<char>,
    /// The birth date as stated.
    pub birth_date: Box<str>,
    /// The first telephone number.
    pub phone: Box<str>,
    /// The address on one line.
    pub address: Box<str>,
}

impl Card {
    /// The card of a version, by what it states.
    pub fn of(stated: &Stated, version: VersionId, seq: u64, stored: Instant) -> Card {
        let name = stated.names.first().map_or("", |name| match name.written.is_empty() {
            true => &name.pinyin,
            false => &name.written,
        });
        Card {
            record: stated.record.clone(),
            version,
            seq,
            stored,
            active: stated.active,
            name: name.into(),
            sex: stated.sex,
            birth_date: stated.birth_date.as_str().into(),
            phone: stated.phones.first().map_or("", String::as_str).into(),
            address: stated.address.as_str().into(),
        }
    }

    /// About how many bytes of memory the card takes.
    pub(crate) fn weight(&self) -> usize {
        let texts = [&self.name, &self.birth_date, &self.phone, &self.address];
        size_of::<Card>() + self.record.as_str().len() + texts.iter().map(|text| text.len()).sum::<usize>()
    }
}

/// The keyed hashes of every number that a record states: under these its card is found.
pub(crate) fn keys(stated: &Stated, key: &SiteKey) -> Box<[u128]> {
    let of =
        |identifier: &StatedIdentifier| key.key128(&identifier.system, &sought(identifier.class, &identifier.value));
    let mut keys: Vec<u128> = stated.identifiers.iter().map(of).collect();
    keys.sort_unstable();
    keys.dedup();
    keys.into()
}

impl Drop for Card {
    fn drop(&mut self) {
        for text in [&mut self.name, &mut self.birth_date, &mut self.phone, &mut self.address] {
            text.zeroize();
        }
    }
}

impl fmt::Debug for Card {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Card").field("record", &self.record).field("version", &self.version).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use dukou_fhir::{Instant, LogicalId, VersionId};

    use super::Card;

    fn card(record: &str, seq: u64) -> Card {
        Card {
            record: LogicalId::parse(record).unwrap(),
            version: VersionId::new(3).unwrap(),
            seq,
            stored: Instant::from_nanos(1_772_323_200_000_000_000),
            active: true,
            name: "彭䶮".into(),
            sex: Some('2'),
            birth_date: "1990-12-31".into(),
            phone: "19900000017".into(),
            address: "示范省示范市样例区".into(),
        }
    }

    #[test]
    fn debug_shows_nothing_of_the_person() {
        let shown = format!("{:?}", card("p1", 7));
        assert!(!shown.contains('彭') && !shown.contains("1990"), "{shown}");
    }
}
