//! What a score consists of, and which of it is enough: the routes to certainty.

use crate::address::AddressLevel;
use crate::birth::BirthLevel;
use crate::measure::{self, Measure};
use crate::model::{Field, Model};
use crate::number::{Number, NumberLevel, Soundness};
use crate::phone::PhoneLevel;
use crate::record::Record;
use crate::stated::{Class, Obtained};
use crate::text::Standing;

/// A set of findings about two records, or about the records of two people.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Evidence(u32);

impl Evidence {
    /// Full names written the same.
    pub(crate) const NAME_WRITTEN: Evidence = Evidence(1);
    /// Names of the same sound, one of them stated by its sound only.
    pub(crate) const NAME_SOUND: Evidence = Evidence(1 << 1);
    /// Names no more than a slip apart; the two before among them.
    pub(crate) const NAME_NEAR: Evidence = Evidence(1 << 2);
    /// Two names.
    pub(crate) const NAME_APART: Evidence = Evidence(1 << 3);
    /// The same stated day, not a 1 January.
    pub(crate) const BIRTH_EQUAL: Evidence = Evidence(1 << 4);
    /// No more than a slip apart.
    pub(crate) const BIRTH_NEAR: Evidence = Evidence(1 << 5);
    /// Two dates.
    pub(crate) const BIRTH_APART: Evidence = Evidence(1 << 6);
    pub(crate) const SEX_EQUAL: Evidence = Evidence(1 << 7);
    pub(crate) const SEX_APART: Evidence = Evidence(1 << 8);
    pub(crate) const PHONE: Evidence = Evidence(1 << 9);
    pub(crate) const DWELLING: Evidence = Evidence(1 << 10);
    /// A good number that belongs to a person.
    pub(crate) const NUMBER: Evidence = Evidence(1 << 11);
    /// A broken number and what it may have been.
    pub(crate) const SLIP: Evidence = Evidence(1 << 12);
    pub(crate) const PERMIT: Evidence = Evidence(1 << 13);
    pub(crate) const INSURANCE: Evidence = Evidence(1 << 14);
    /// A hospital's own card or number.
    pub(crate) const HOSPITAL: Evidence = Evidence(1 << 15);

    /// A telephone with one digit off.
    pub(crate) const PHONE_NEAR: Evidence = Evidence(1 << 16);
    /// The house agrees, the room is not stated.
    pub(crate) const HOUSE: Evidence = Evidence(1 << 17);
    /// A card with one digit off.
    pub(crate) const CARD_SLIP: Evidence = Evidence(1 << 18);

    /// The same good number of a person, which is not this person's by the birth date that it tells.
    pub(crate) const ANOTHERS: Evidence = Evidence(1 << 19);

    /// A number or card whose agreement may be enough together with the name and the birth date.
    pub(crate) const STRONG: Evidence =
        Evidence(Evidence::NUMBER.0 | Evidence::PERMIT.0 | Evidence::INSURANCE.0 | Evidence::HOSPITAL.0);
    const CARDS: Evidence = Evidence(Evidence::PERMIT.0 | Evidence::INSURANCE.0 | Evidence::HOSPITAL.0);

    pub(crate) fn has(self, all: Evidence) -> bool {
        self.0 & all.0 == all.0
    }

    pub(crate) fn any(self, some: Evidence) -> bool {
        self.0 & some.0 != 0
    }

    pub(crate) const fn or(self, other: Evidence) -> Evidence {
        Evidence(self.0 | other.0)
    }

    pub(crate) fn add(&mut self, other: Evidence) {
        self.0 |= other.0;
    }

    pub(crate) fn only(self, these: Evidence) -> Evidence {
        Evidence(self.0 & these.0)
    }

    /// How many documents agree, each issued apart from the others.
    fn documents(self) -> u32 {
        (self.0 & Evidence::STRONG.0).count_ones()
    }

    /// Name, birth date and a document, or name, birth date, sex and telephone: enough to be certain.
    pub(crate) fn is_certain(self) -> bool {
        let plain = self.has(Evidence::BIRTH_EQUAL) && !self.has(Evidence::SEX_APART);
        let name = self.any(Evidence::NAME_WRITTEN.or(Evidence::NAME_SOUND));
        let full = Evidence::NAME_WRITTEN.or(Evidence::SEX_EQUAL).or(Evidence::PHONE);
        plain
            && (self.documents() >= 1 && name
                || self.documents() >= 2 && self.has(Evidence::NAME_NEAR)
                || self.has(full))
    }

    /// One word of a person joins them.
    pub(crate) fn is_probable(self) -> bool {
        let sound = self.any(Evidence::NAME_WRITTEN.or(Evidence::NAME_SOUND));
        self.documents() >= 1 && self.has(Evidence::NAME_NEAR)
            || self.any(Evidence::CARDS) && self.has(Evidence::BIRTH_EQUAL)
            || sound && self.has(Evidence::BIRTH_EQUAL) && self.any(Evidence::PHONE.or(Evidence::SLIP))
    }

    /// Whether something beside name, birth date and sex agrees.
    pub(crate) fn has_piece(self) -> bool {
        self.any(Evidence(
            Evidence::STRONG.0
                | Evidence::SLIP.0
                | Evidence::PHONE.0
                | Evidence::DWELLING.0
                | Evidence::PHONE_NEAR.0
                | Evidence::HOUSE.0
                | Evidence::CARD_SLIP.0,
        ))
    }

    /// Evidence of all records of two people together is enough, although no two of the records are certain: what is slightly off in one
    /// field agrees in others, and nothing is apart.
    pub(crate) fn is_corroborated(self, twice: Evidence) -> bool {
        let written = self.has(Evidence::NAME_WRITTEN);
        let near = self.has(Evidence::NAME_NEAR);
        let name = self.any(Evidence::NAME_WRITTEN.or(Evidence::NAME_SOUND));
        let sex_apart = self.has(Evidence::SEX_APART) && !self.has(Evidence::SEX_EQUAL);
        let birth = self.has(Evidence::BIRTH_EQUAL);
        let birth_apart = self.has(Evidence::BIRTH_APART) && !self.has(Evidence::BIRTH_NEAR);
        let soft = self.any(Evidence::PHONE_NEAR.or(Evidence::HOUSE).or(Evidence::CARD_SLIP));
        let phone = self.any(Evidence::PHONE);
        let household = u32::from(phone) + u32::from(self.any(Evidence::DWELLING));
        let documents = self.documents() + u32::from(self.has(Evidence::SLIP));
        let pieces = documents + household.min(1) + u32::from(soft);
        // Twins share birth date, telephone and dwelling, and their names may be a slip apart: only a document tells who it is.
        if !near || birth_apart || !name && documents == 0 {
            return false;
        }
        let several = twice.has(Evidence::NAME_NEAR);
        // What is less than equal: each costs a piece.
        let off = u32::from(!name) + u32::from(!birth) + u32::from(sex_apart);
        match off {
            0 => documents >= 1 || household == 2 || household == 1 && soft || several && (household >= 1 || soft),
            1 => {
                let one = documents >= 1 || birth && household >= 1 || written && phone;
                pieces >= 2 || household == 2 || several && one
            }
            _ => pieces >= 2 && documents >= 1,
        }
    }
}

/// What the level that two records reach in a field says.
pub(crate) fn of_level(model: &Model, field: &Field, level: usize, a: &Record, b: &Record) -> Evidence {
    let when = |is: bool, evidence: Evidence| if is { evidence } else { Evidence::default() };
    match &field.measure {
        Measure::Name => of_names(a, b),
        Measure::Birth if level == BirthLevel::Equal as usize => Evidence::BIRTH_EQUAL.or(Evidence::BIRTH_NEAR),
        Measure::Birth if level == BirthLevel::Different as usize => Evidence::BIRTH_APART,
        Measure::Birth => Evidence::BIRTH_NEAR,
        Measure::Sex => {
            if level == 0 {
                Evidence::SEX_EQUAL
            } else {
                Evidence::SEX_APART
            }
        }
        Measure::Phone if level == PhoneLevel::Equal as usize => Evidence::PHONE,
        Measure::Phone => when(level == PhoneLevel::Near as usize, Evidence::PHONE_NEAR),
        Measure::Address if level == AddressLevel::Dwelling as usize => Evidence::DWELLING,
        Measure::Address => when(level == AddressLevel::House as usize, Evidence::HOUSE),
        Measure::Number(classes) => of_numbers(model, classes, a, b),
        Measure::Text { .. } => Evidence::default(),
    }
}

/// An incomplete name is near at most, whatever it is compared with.
fn of_names(a: &Record, b: &Record) -> Evidence {
    let Some(level) = measure::names(a, b) else { return Evidence::default() };
    let whole = |record: &Record| record.names.iter().any(|name| name.standing() == Standing::Named);
    match level {
        level if level.is_same_writing() && whole(a) && whole(b) => Evidence::NAME_WRITTEN.or(Evidence::NAME_NEAR),
        level if level.is_same_sound() => Evidence::NAME_SOUND.or(Evidence::NAME_NEAR),
        level if level.is_near() => Evidence::NAME_NEAR,
        _ => Evidence::NAME_APART,
    }
}

fn of_numbers(model: &Model, classes: &[Class], a: &Record, b: &Record) -> Evidence {
    let Some((left, right, agreement)) = measure::numbers(a, b, classes) else { return Evidence::default() };
    // A number that tells another birth date than the one stated beside it is perhaps a relative's.
    let own = |number: &Number, record: &Record| {
        number.birth.is_none_or(|told| record.birth.is_none_or(|stated| !stated.is_apart(told)))
    };
    let good = |number: &Number| number.soundness != Soundness::Broken && number.in_period;
    match agreement {
        NumberLevel::Equal | NumberLevel::Linked if !good(left) || !good(right) => Evidence::default(),
        NumberLevel::Equal | NumberLevel::Linked if !model.strong.contains(&left.class) => Evidence::default(),
        NumberLevel::Equal | NumberLevel::Linked if !own(left, a) || !own(right, b) => Evidence::ANOTHERS,
        NumberLevel::Equal | NumberLevel::Linked => document(model, left, right, a, b),
        NumberLevel::SameSlip | NumberLevel::Slip if model.personal.contains(&left.class) => Evidence::SLIP,
        NumberLevel::Slip => Evidence::CARD_SLIP,
        _ => Evidence::default(),
    }
}

/// Which document a strong number stands on. The number printed on an insurance card and the card itself are one piece of evidence where
/// both were read from the card.
fn document(model: &Model, left: &Number, right: &Number, a: &Record, b: &Record) -> Evidence {
    match left.class {
        class if model.personal.contains(&class) => Evidence::NUMBER,
        Class::Passport | Class::Permit => Evidence::PERMIT,
        Class::InsuranceCard | Class::InsuranceNumber => {
            let read = |number: &Number, record: &Record| {
                let other = |other: &&Number| model.personal.contains(&other.class) && other.obtained == Obtained::Chip;
                number.obtained == Obtained::Chip && record.numbers.iter().any(|number| other(&number))
            };
            if read(left, a) || read(right, b) { Evidence::default() } else { Evidence::INSURANCE }
        }
        _ => Evidence::HOSPITAL,
    }
}
