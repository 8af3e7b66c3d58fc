//! How the values of one field are compared: the levels of agreement and which of them two records reach.

use std::sync::LazyLock;

use crate::address::AddressLevel;
use crate::birth::BirthLevel;
use crate::name::{self, NameLevel, NamePattern};
use crate::number::{Number, NumberLevel};
use crate::phone::{self, PhoneLevel};
use crate::record::Record;
use crate::stated::Class;

/// A way to compare a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Measure {
    /// The written name or its pinyin.
    Name,
    /// The birth date.
    Birth,
    /// The sex.
    Sex,
    /// Numbers of these classes, within one system.
    Number(Vec<Class>),
    /// Telephone numbers.
    Phone,
    /// The address.
    Address,
}

impl Measure {
    /// The names in model files.
    pub(crate) const NAMES: &'static [&'static str] = &["name", "birth-date", "sex", "number", "phone", "address"];

    pub(crate) fn parse(compare: &str, _field: &str, classes: Vec<Class>) -> Option<Measure> {
        Some(match compare {
            "name" => Measure::Name,
            "birth-date" => Measure::Birth,
            "sex" => Measure::Sex,
            "number" => Measure::Number(classes),
            "phone" => Measure::Phone,
            "address" => Measure::Address,
            _ => return None,
        })
    }

    /// The names of the levels, best first.
    pub(crate) fn levels(&self) -> &'static [&'static str] {
        match self {
            Measure::Name => &NAME_LEVELS,
            Measure::Birth => BirthLevel::NAMES,
            Measure::Sex => &["equal", "different"],
            Measure::Number(_) => NumberLevel::NAMES,
            Measure::Phone => PhoneLevel::NAMES,
            Measure::Address => AddressLevel::NAMES,
        }
    }

    /// The level that two records reach. None: one of them states nothing.
    pub(crate) fn compare(&self, a: &Record, b: &Record, lunar_until: u16) -> Option<usize> {
        match self {
            Measure::Name => names(a, b).map(NameLevel::index),
            Measure::Birth => Some(a.birth?.compare(b.birth?, lunar_until) as usize),
            Measure::Sex => Some(usize::from(a.sex? != b.sex?)),
            Measure::Number(classes) => numbers(a, b, classes).map(|(_, _, level)| level as usize),
            Measure::Phone => phone::compare(&a.phones, &b.phones).map(|level| level as usize),
            Measure::Address => a.address.compare(&b.address).map(|level| level as usize),
        }
    }
}

/// The best agreement between the names of two records. None: one of them has no name that says who somebody is.
pub(crate) fn names(a: &Record, b: &Record) -> Option<NameLevel> {
    let pairs = a.names.iter().flat_map(|left| b.names.iter().map(move |right| name::compare(left, right)));
    pairs.filter(|level| level.is_compared()).min_by_key(|level| level.pattern)
}

/// The patterns of names that are compared at all.
static NAME_LEVELS: LazyLock<Vec<&'static str>> = LazyLock::new(|| {
    let compared = NamePattern::ALL.iter().take_while(|pattern| **pattern != NamePattern::NoNameSame);
    compared.map(|pattern| pattern.code()).collect()
});

/// The best agreement between numbers of one system, with the two numbers. None: no system holds a number of both.
pub(crate) fn numbers<'a>(
    a: &'a Record,
    b: &'a Record,
    classes: &[Class],
) -> Option<(&'a Number, &'a Number, NumberLevel)> {
    let of = |number: &&Number| classes.contains(&number.class);
    let pairs = a.numbers.iter().filter(of).flat_map(|left| {
        let same_system = move |right: &&Number| right.system == left.system;
        b.numbers.iter().filter(same_system).map(move |right| (left, right, left.compare(right)))
    });
    pairs.min_by_key(|(_, _, level)| *level)
}
