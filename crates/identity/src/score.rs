//! Two records against each other: the evidence as bits, what it consists of, and what forbids to join them.

use dukou_fhir::Text;

use crate::birth::BirthLevel;
use crate::evidence::{self, Evidence};
use crate::measure::{self, Measure};
use crate::model::Model;
use crate::number::{Number, NumberLevel, Soundness};
use crate::person::{Bits, Grade};
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
        evidence.add(evidence::of_level(model, field, level, a, b));
    }
    for ((_, cap), sum) in model.caps.iter().zip(capped) {
        bits += sum.min(*cap);
    }
    Scored { bits, vetoes: vetoes(model, a, b, birth), evidence }
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
    if a.has_no_name() || b.has_no_name() {
        vetoes = vetoes.with(Veto::NoName);
    }
    if let (Some(left), Some(right)) = (a.marks.birth_order, b.marks.birth_order)
        && (left != right || left == 0)
        && !same_number(model, a, b)
    {
        vetoes = vetoes.with(Veto::BirthOrder);
    }
    vetoes
}

/// Whether a good number that lasts a life is the same on both: what no twin has.
fn same_number(model: &Model, a: &Record, b: &Record) -> bool {
    let same = |(left, _, level): (&Number, &Number, NumberLevel)| {
        left.soundness != Soundness::Broken && matches!(level, NumberLevel::Equal | NumberLevel::Linked)
    };
    measure::numbers(a, b, &model.lifelong).is_some_and(same)
}

impl Scored {
    /// How sure two records alone are one person; whether a second person comes near is for `decide`.
    pub fn grade(&self, model: &Model) -> Grade {
        let by_bits = model.certain().is_some_and(|least| self.bits >= least);
        let (certain, probable) = (by_bits || self.evidence.is_certain(), self.evidence.is_probable());
        let listed = self.bits >= crate::model::bits_of(model.file().grades.possible);
        match self.vetoes.is_empty() {
            true if certain => Grade::Certain,
            true if probable => Grade::Probable,
            _ if listed || certain || probable => Grade::Possible,
            _ => Grade::None,
        }
    }

    /// Whether the pair holds two records in one component: only records that such pairs connect can come to be one person.
    pub fn ties(&self, model: &Model) -> bool {
        let e = self.evidence;
        let near = e.has(Evidence::NAME_NEAR) && !e.has(Evidence::BIRTH_APART) && e.has_piece();
        self.vetoes.is_empty() && near || self.grade(model) >= Grade::Probable
    }
}
