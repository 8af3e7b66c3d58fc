//! Two records against each other: the evidence as bits, what it consists of, and what forbids to join them.

use dukou_fhir::Text;

use crate::birth::BirthLevel;
use crate::measure::{self, Measure};
use crate::model::Model;
use crate::number::{NumberLevel, Standing};
use crate::person::{Bits, Grade};
use crate::phone::PhoneLevel;
use crate::record::Record;

/// What comparing two records gives: small, and enough to grade them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scored {
    /// All evidence with the prior odds of a pair that met in a block.
    pub bits: Bits,
    /// What forbids to join them.
    pub vetoes: Vetoes,
    pub(crate) evidence: Evidence,
}

/// What forbids a machine to join two records, whatever else speaks for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Veto {
    /// Two different good numbers of a type that lasts a life.
    LifelongNumber,
    /// A newborn named by the mother, or a name that stands for none.
    NoName,
    /// Different places in the order of birth.
    BirthOrder,
    /// Birth dates more than one edit apart, and different numbers of a type that lasts a life, good or not.
    BirthAndNumber,
    /// A person has said that they are two.
    NotSame,
}

impl Veto {
    /// All of them, in the order in which they are named.
    pub const ALL: [Veto; 5] =
        [Veto::LifelongNumber, Veto::NoName, Veto::BirthOrder, Veto::BirthAndNumber, Veto::NotSame];

    /// A code for machines.
    pub fn code(self) -> &'static str {
        match self {
            Veto::LifelongNumber => "lifelong-number",
            Veto::NoName => "no-name",
            Veto::BirthOrder => "birth-order",
            Veto::BirthAndNumber => "birth-and-number",
            Veto::NotSame => "not-same",
        }
    }

    /// What a reader sees.
    pub fn text(self) -> Text {
        match self {
            Veto::LifelongNumber => Text::new("two different valid identity numbers", "两个不同的有效身份号码"),
            Veto::NoName => Text::new("a newborn's or placeholder name", "新生儿或占位姓名"),
            Veto::BirthOrder => Text::new("different order of birth", "出生顺序不同"),
            Veto::BirthAndNumber => {
                Text::new("birth dates and identity numbers both differ", "出生日期与身份号码均不同")
            }
            Veto::NotSame => Text::new("a person decided that they are two", "人工判定不是同一人"),
        }
    }
}

/// A set of vetoes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Vetoes(u8);

impl Vetoes {
    /// Nothing forbids it.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// With one more.
    #[must_use]
    pub fn with(self, veto: Veto) -> Vetoes {
        Vetoes(self.0 | 1 << veto as u8)
    }

    /// Whether it is among them.
    pub fn contains(self, veto: Veto) -> bool {
        self.0 & 1 << veto as u8 != 0
    }

    /// The vetoes, in the order of `Veto::ALL`.
    pub fn iter(self) -> impl Iterator<Item = Veto> {
        Veto::ALL.into_iter().filter(move |veto| self.contains(*veto))
    }
}

/// What a score consists of, as far as grades ask for it. Ordered: equal evidence grades equally.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Evidence(u32);

impl Evidence {
    pub(crate) const NAME_WRITTEN: Evidence = Evidence(1);
    pub(crate) const NAME_PINYIN: Evidence = Evidence(1 << 1);
    pub(crate) const NAME_NEAR: Evidence = Evidence(1 << 2);
    pub(crate) const BIRTH_EQUAL: Evidence = Evidence(1 << 3);
    pub(crate) const BIRTH_NEAR: Evidence = Evidence(1 << 4);
    pub(crate) const SEX_CONFLICT: Evidence = Evidence(1 << 5);
    pub(crate) const SEX_EQUAL: Evidence = Evidence(1 << 6);
    pub(crate) const PHONE: Evidence = Evidence(1 << 7);
    pub(crate) const STRONG_PERSONAL: Evidence = Evidence(1 << 8);
    pub(crate) const STRONG_CARD: Evidence = Evidence(1 << 9);
    pub(crate) const NUMBER_SLIP: Evidence = Evidence(1 << 10);

    pub(crate) fn has(self, all: Evidence) -> bool {
        self.0 & all.0 == all.0
    }

    pub(crate) fn any(self, some: Evidence) -> bool {
        self.0 & some.0 != 0
    }

    pub(crate) const fn or(self, other: Evidence) -> Evidence {
        Evidence(self.0 | other.0)
    }

    fn add(&mut self, other: Evidence) {
        self.0 |= other.0;
    }
}

/// Compares two records: cheap, and the same whichever comes first.
pub fn compare(model: &Model, a: &Record, b: &Record) -> Scored {
    let mut bits = model.prior;
    let mut evidence = Evidence::default();
    let mut capped = [Bits(0); crate::model::FIELDS_MAX];
    let mut birth = None;
    for field in &model.fields {
        let Some(level) = field.measure.compare(a, b, model.file().grades.lunar_until) else { continue };
        match field.cap {
            Some(cap) => capped[cap] += field.bits[level],
            None => bits += field.bits[level],
        }
        if field.measure == Measure::Birth {
            birth = Some(level);
        }
        note(model, field, level, a, b, &mut evidence);
    }
    for ((_, cap), sum) in model.caps.iter().zip(capped) {
        bits += sum.min(*cap);
    }
    Scored { bits, vetoes: vetoes(model, a, b, birth), evidence }
}

/// What a level of a field says for the grades.
fn note(model: &Model, field: &crate::model::Field, level: usize, a: &Record, b: &Record, evidence: &mut Evidence) {
    match &field.measure {
        Measure::Name if level == 0 => evidence.add(Evidence::NAME_WRITTEN.or(Evidence::NAME_NEAR)),
        Measure::Birth if level == BirthLevel::Equal as usize || level == BirthLevel::Weak as usize => {
            evidence.add(Evidence::BIRTH_EQUAL.or(Evidence::BIRTH_NEAR));
        }
        Measure::Birth if level < BirthLevel::Different as usize => evidence.add(Evidence::BIRTH_NEAR),
        Measure::Sex => evidence.add(if level == 0 { Evidence::SEX_EQUAL } else { Evidence::SEX_CONFLICT }),
        Measure::Phone if level == PhoneLevel::Equal as usize => evidence.add(Evidence::PHONE),
        Measure::Number(classes) => {
            let Some((left, right, agreement)) = measure::numbers(a, b, classes) else { return };
            let good = left.standing != Standing::Broken && left.in_period && right.in_period;
            match agreement {
                NumberLevel::Equal | NumberLevel::Linked if good && model.strong.contains(&left.class) => {
                    let personal = model.personal.contains(&left.class);
                    evidence.add(if personal { Evidence::STRONG_PERSONAL } else { Evidence::STRONG_CARD });
                }
                NumberLevel::SameSlip | NumberLevel::Slip => evidence.add(Evidence::NUMBER_SLIP),
                _ => {}
            }
        }
        _ => {}
    }
}

fn vetoes(model: &Model, a: &Record, b: &Record, birth: Option<usize>) -> Vetoes {
    let mut vetoes = Vetoes::default();
    let apart = birth == Some(BirthLevel::Different as usize);
    for class in &model.lifelong {
        match measure::numbers(a, b, &[*class]) {
            Some((_, _, NumberLevel::Different)) => vetoes = vetoes.with(Veto::LifelongNumber),
            Some((_, _, NumberLevel::Unclear)) if apart => vetoes = vetoes.with(Veto::BirthAndNumber),
            _ => {}
        }
    }
    if a.marks.newborn || b.marks.newborn || a.marks.anonymous || b.marks.anonymous {
        vetoes = vetoes.with(Veto::NoName);
    }
    if let (Some(left), Some(right)) = (a.marks.birth_order, b.marks.birth_order)
        && left != right
    {
        vetoes = vetoes.with(Veto::BirthOrder);
    }
    vetoes
}

impl Scored {
    /// How sure two records alone are one person; whether a second person comes near is for `decide`.
    pub fn grade(&self, model: &Model) -> Grade {
        let e = self.evidence;
        let strong = Evidence::STRONG_PERSONAL.or(Evidence::STRONG_CARD);
        let name = e.any(Evidence::NAME_WRITTEN.or(Evidence::NAME_PINYIN));
        let plain = e.has(Evidence::BIRTH_EQUAL) && !e.has(Evidence::SEX_CONFLICT);
        let certain = plain && (e.any(strong) && name)
            || plain && e.has(strong.or(Evidence::NAME_NEAR))
            || plain && e.has(Evidence::NAME_WRITTEN.or(Evidence::SEX_EQUAL).or(Evidence::PHONE));
        let probable = e.any(strong) && e.has(Evidence::NAME_NEAR)
            || e.has(Evidence::STRONG_CARD.or(Evidence::BIRTH_EQUAL))
            || name && e.has(Evidence::BIRTH_EQUAL) && e.any(Evidence::PHONE.or(Evidence::NUMBER_SLIP));
        let listed = self.bits >= crate::model::bits_of(model.file().grades.possible) || e.any(strong);
        match self.vetoes.is_empty() {
            true if certain => Grade::Certain,
            true if probable => Grade::Probable,
            _ if listed || certain || probable => Grade::Possible,
            _ => Grade::None,
        }
    }

    /// Whether the pair holds two records in one component: only records that such pairs connect can come to be one person.
    pub fn ties(&self, model: &Model) -> bool {
        self.grade(model) >= Grade::Probable
    }
}
