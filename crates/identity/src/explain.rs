//! Why a score is what it is: one line a field, the lines adding up to the score exactly.

use dukou_fhir::Text;

use crate::block::BlockKind;
use crate::mask;
use crate::measure::{self, Measure};
use crate::model::{Field, Model};
use crate::person::{Bits, Grade};
use crate::record::Record;
use crate::score::{Scored, Vetoes, compare};
use crate::wording::Wording;

/// Two records side by side, every value masked.
#[derive(Clone, Debug, PartialEq)]
pub struct Explanation {
    /// Their bits add up to `bits`.
    pub lines: Vec<Line>,
    /// The score.
    pub bits: Bits,
    /// The score as a probability.
    pub probability: f64,
    /// How sure the two records alone are one person.
    pub grade: Grade,
    /// What forbids to join them.
    pub vetoes: Vetoes,
    /// What the two records have in common so that they were compared at all.
    pub met: Vec<BlockKind>,
    /// Name and hash of the model.
    pub model: String,
}

/// One part of a score.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The field in the model, `prior` for what every pair begins with, or the name of a cap.
    pub field: String,
    /// The field as a reader knows it.
    pub label: Text,
    /// The first record's value, masked.
    pub left: String,
    /// The second record's value, masked.
    pub right: String,
    /// The level of agreement, or empty.
    pub level: &'static str,
    /// What it adds.
    pub bits: Bits,
}

/// Explains the score of two records. Fields that one of them does not state add nothing and have no line.
pub fn explain(model: &Model, a: &Record, b: &Record) -> Explanation {
    let scored: Scored = compare(model, a, b);
    let mut lines = vec![line("prior", Text::new("before any field", "先验"), model.prior)];
    let mut sums = vec![Bits(0); model.caps.len()];
    for field in &model.fields {
        let Some(level) = field.measure.compare(a, b, model.file().grades.lunar_until) else { continue };
        let (left, right) = shown(field, a, b);
        let bits = field.bits[level];
        if let Some(cap) = field.cap {
            sums[cap] += bits;
        }
        let level = field.measure.levels()[level];
        lines.push(Line { field: field.name.clone(), label: field.label.clone(), left, right, level, bits });
    }
    for ((name, cap), sum) in model.caps.iter().zip(sums).filter(|((_, cap), sum)| sum > cap) {
        lines.push(line(name, Text::new("cap", "封顶"), *cap - sum));
    }
    let keys = b.block_keys();
    let mut met: Vec<BlockKind> =
        a.block_keys().into_iter().filter(|key| keys.binary_search(key).is_ok()).map(|key| key.kind()).collect();
    met.sort_unstable();
    met.dedup();
    Explanation {
        lines,
        bits: scored.bits,
        probability: model.probability(scored.bits),
        grade: scored.grade(model),
        vetoes: scored.vetoes,
        met,
        model: model.version().to_owned(),
    }
}

fn line(field: &str, label: Text, bits: Bits) -> Line {
    Line { field: field.to_owned(), label, left: String::new(), right: String::new(), level: "", bits }
}

/// Both values of a field, masked.
fn shown(field: &Field, a: &Record, b: &Record) -> (String, String) {
    let each = |show: fn(&Record) -> String| (show(a), show(b));
    match &field.measure {
        Measure::Name => each(|record| record.shown.to_string()),
        Measure::Birth => each(|record| record.birth.map(|date| format!("{:04}", date.year())).unwrap_or_default()),
        Measure::Sex => each(|record| record.sex.map(String::from).unwrap_or_default()),
        Measure::Phone => {
            each(|record| record.phones.first().map(|phone| mask::phone(&phone.to_string())).unwrap_or_default())
        }
        Measure::Address => each(|record| record.address.district().to_owned()),
        Measure::Text { at, .. } => {
            let text = |record: &Record| record.text(*at).map(Wording::masked).unwrap_or_default();
            (text(a), text(b))
        }
        Measure::Number(classes) => match measure::numbers(a, b, classes) {
            Some((left, right, _)) => (mask::number(&left.value), mask::number(&right.value)),
            None => (String::new(), String::new()),
        },
    }
}
