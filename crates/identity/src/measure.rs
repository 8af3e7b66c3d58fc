//! How the values of one field are compared: the levels of agreement and which of them two records reach.

use std::sync::LazyLock;

use crate::address::AddressLevel;
use crate::birth::BirthLevel;
use crate::name::{self, NameLevel, NamePattern};
use crate::number::{Number, NumberLevel};
use crate::phone::{self, PhoneLevel};
use crate::record::Record;
use crate::stated::Class;
use crate::wording::WordingLevel;

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
    /// Any further text, by its place among the texts of the model.
    Text {
        /// The text.
        at: usize,
        /// The text with which it may have changed places.
        or: Option<usize>,
    },
}

/// The levels of a text that may have changed places with another.
const CROSSWISE: &[&str] = &["same", "one-edit", "two-edits", "three-edits", "cut", "different", "changed-over"];
/// The place of the last of them.
const CHANGED_OVER: usize = CROSSWISE.len() - 1;

impl Measure {
    /// The names in model files.
    pub(crate) const NAMES: &'static [&'static str] =
        &["name", "birth-date", "sex", "number", "phone", "address", "text"];

    /// The measure of a field. `texts` are the further texts of the model, `or` the one with which a text may change places.
    pub(crate) fn parse(
        compare: &str,
        field: &str,
        classes: Vec<Class>,
        texts: &[String],
        or: Option<&str>,
    ) -> Option<Measure> {
        let place = |name: &str| texts.iter().position(|text| text == name);
        Some(match compare {
            "name" => Measure::Name,
            "birth-date" => Measure::Birth,
            "sex" => Measure::Sex,
            "number" => Measure::Number(classes),
            "phone" => Measure::Phone,
            "address" => Measure::Address,
            "text" => Measure::Text { at: place(field)?, or: or.and_then(place) },
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
            Measure::Text { or: None, .. } => WordingLevel::NAMES,
            Measure::Text { or: Some(_), .. } => CROSSWISE,
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
            Measure::Text { at, or } => texts(a, b, *at, *or),
        }
    }
}

/// The best agreement between the names of two records. None: one of them has no name that says who somebody is.
pub(crate) fn names(a: &Record, b: &Record) -> Option<NameLevel> {
    let pairs = a.names.iter().flat_map(|left| b.names.iter().map(move |right| name::compare(left, right)));
    pairs.filter(|level| level.is_compared()).min_by_key(|level| level.pattern)
}

/// The level of two texts. Where neither they nor their partners are near, but text and partner are crosswise, they have changed places.
fn texts(a: &Record, b: &Record, at: usize, or: Option<usize>) -> Option<usize> {
    let level = |left: usize, right: usize| Some(a.text(left)?.compare(b.text(right)?));
    let straight = level(at, at);
    let apart = |level: Option<WordingLevel>| level.is_none_or(|level| level > WordingLevel::ThreeEdits);
    if let Some(or) = or
        && apart(straight)
        && apart(level(or, or))
    {
        let crossed = [level(at, or), level(or, at)];
        let near = crossed.iter().flatten().count() > 0 && crossed.iter().flatten().all(|level| !apart(Some(*level)));
        if near {
            return Some(CHANGED_OVER);
        }
    }
    straight.map(|level| level as usize)
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

#[cfg(test)]
mod tests {
    use dukou_fhir::LogicalId;

    use crate::{Bits, Model, Record, Stated, explain};

    const FILE: &str = include_str!("../../../mappings/identity/febrl.toml");

    fn record(model: &Model, id: &str, texts: &[(&str, &str)]) -> Record {
        let mut stated = Stated::new(LogicalId::parse(id).unwrap(), "file");
        stated.other = texts.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
        Record::prepare(model, &stated)
    }

    #[test]
    fn texts_that_changed_places_are_told_masked_and_add_up() {
        let model = Model::load("febrl.toml", FILE).unwrap();
        let a = record(&model, "a", &[("given_name", "chevonne"), ("surname", "simmonds"), ("postcode", "2074")]);
        let b = record(&model, "b", &[("given_name", "simonds"), ("surname", "chevonne"), ("postcode", "2047")]);
        let explained = explain(&model, &a, &b);
        let lines: Vec<(&str, &str, &str)> =
            explained.lines[1..].iter().map(|it| (it.field.as_str(), it.level, it.left.as_str())).collect();
        let expected = [
            ("given_name", "changed-over", "C*******"),
            ("surname", "changed-over", "S*******"),
            ("postcode", "one-edit", "2***"),
        ];
        assert_eq!(lines, expected);
        assert_eq!(explained.lines.iter().map(|line| line.bits).sum::<Bits>(), explained.bits);
        assert_eq!(explain(&model, &b, &a).bits, explained.bits);
    }

    #[test]
    fn a_text_that_no_field_compares_is_refused_by_name_with_those_that_are() {
        for (line, wrong) in [("or = \"surname\"", "or = \"sirname\""), ("\"soc_sec_id\"]", "\"sirname\"]")] {
            let file = FILE.replacen(line, wrong, 1);
            assert_ne!(file, FILE);
            let told = Model::load("febrl.toml", &file).unwrap_err().to_string();
            assert!(told.contains("'sirname' is not known; known are given_name, surname"), "{told}");
        }
    }
}
