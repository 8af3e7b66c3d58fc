//! The small demographic answer of a look-up.

use std::fmt;

use dukou_fhir::{Instant, LogicalId, VersionId};
use dukou_identity::number::sought;
use dukou_identity::{SiteKey, Stated, StatedIdentifier};
use zeroize::{Zeroize as _, Zeroizing};

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

    /// The card and the keyed hashes of its record's numbers as bytes, for the warm tier; [`Card::from_bytes`] reads them.
    pub(crate) fn to_bytes(&self, keys: &[u128]) -> Zeroizing<Vec<u8>> {
        let mut bytes = Zeroizing::new(Vec::with_capacity(self.weight() + keys.len() * 16));
        bytes.extend([LAYOUT, u8::from(self.active)]);
        bytes.extend(self.version.number().to_le_bytes());
        bytes.extend(self.seq.to_le_bytes());
        bytes.extend(self.stored.as_millis().to_le_bytes());
        bytes.extend(u32::from(self.sex.unwrap_or('\0')).to_le_bytes());
        for text in [self.record.as_str(), &self.name, &self.birth_date, &self.phone, &self.address] {
            bytes.extend(u32::try_from(text.len()).unwrap_or(u32::MAX).to_le_bytes());
            bytes.extend(text.as_bytes());
        }
        keys.iter().for_each(|key| bytes.extend(key.to_le_bytes()));
        bytes
    }

    /// Reads [`Card::to_bytes`]; anything else is none.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<(Card, Box<[u128]>)> {
        let mut rest = Rest(bytes);
        let [layout, active] = rest.array()?;
        let version = u64::from_le_bytes(rest.array()?);
        let seq = u64::from_le_bytes(rest.array()?);
        let stored = i64::from_le_bytes(rest.array()?);
        let sex = char::from_u32(u32::from_le_bytes(rest.array()?))?;
        let record = LogicalId::parse(rest.text()?)?;
        let [name, birth_date, phone, address] = [rest.text()?, rest.text()?, rest.text()?, rest.text()?];
        let (keys, odd) = rest.0.as_chunks::<16>();
        (layout == LAYOUT && active <= 1 && odd.is_empty()).then_some(())?;
        let keys = keys.iter().map(|key| u128::from_le_bytes(*key)).collect();
        let card = Card {
            record,
            version: VersionId::new(version)?,
            seq,
            stored: Instant::from_millis(stored),
            active: active == 1,
            name: name.into(),
            sex: (sex != '\0').then_some(sex),
            birth_date: birth_date.into(),
            phone: phone.into(),
            address: address.into(),
        };
        Some((card, keys))
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

/// What is left to read of a card's bytes.
struct Rest<'b>(&'b [u8]);

impl<'b> Rest<'b> {
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*head)
    }

    fn text(&mut self) -> Option<&'b str> {
        let length = usize::try_from(u32::from_le_bytes(self.array()?)).ok()?;
        let (head, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        std::str::from_utf8(head).ok()
    }
}

/// The layout of the bytes; another one is another card.
const LAYOUT: u8 = 1;

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
    fn a_card_comes_back_from_its_bytes_and_from_no_others() {
        let card = card("p1", 7);
        let keys = [5, u128::MAX];
        let bytes = card.to_bytes(&keys);
        let (read, found) = Card::from_bytes(&bytes).unwrap();
        assert_eq!((read, &*found), (card, &keys[..]));
        for length in 0..bytes.len() {
            let whole = length + 32 == bytes.len() || length + 16 == bytes.len();
            assert_eq!(Card::from_bytes(&bytes[..length]).is_some(), whole, "cut at {length}");
        }
    }

    #[test]
    fn debug_shows_nothing_of_the_person() {
        let shown = format!("{:?}", card("p1", 7));
        assert!(!shown.contains('彭') && !shown.contains("1990"), "{shown}");
    }
}
