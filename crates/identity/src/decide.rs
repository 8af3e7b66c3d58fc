//! The answer to a desk: which people a candidate may be, how sure, and whether that can be said at all.

use dukou_fhir::LogicalId;

use crate::model::Model;
use crate::person::{Bits, Grade, PersonId};
use crate::record::Record;
use crate::score::{Scored, Veto, Vetoes, compare};

/// Whom a candidate may be, most likely first.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    /// At most the limit; a person is named once.
    pub candidates: Vec<Candidate>,
    /// Why nobody can be called certain, where that is so.
    pub unproven: Option<Unproven>,
    /// Name and hash of the model.
    pub model: String,
}

/// One person whom the candidate may be.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    /// The person.
    pub person: PersonId,
    /// The person's record that agrees best.
    pub record: LogicalId,
    /// How sure.
    pub grade: Grade,
    /// The evidence.
    pub bits: Bits,
    /// The evidence as a probability.
    pub probability: f32,
    /// What forbids to join them.
    pub vetoes: Vetoes,
}

/// Why uniqueness cannot be proven.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unproven {
    /// More records share the candidate's values than are compared.
    Cut,
    /// A block over the limit was passed over.
    BlockSkipped,
    /// A second person is certain too, or comes too near.
    SecondPerson,
}

/// A person who shares a block with the candidate: all records of the person, the leading one first.
#[derive(Clone, Debug)]
pub struct Found<'a> {
    /// The person.
    pub person: PersonId,
    /// All records.
    pub records: Vec<&'a Record>,
    /// A person has decided that the candidate's record is not this one.
    pub not_same: bool,
}

/// Decides between the people found. `limit`: how many candidates are named; `cut`: the search for people was cut short.
pub fn decide(model: &Model, candidate: &Record, found: &[Found<'_>], limit: usize, cut: Option<Unproven>) -> Decision {
    let mut candidates: Vec<Candidate> = found.iter().filter_map(|person| judge(model, candidate, person)).collect();
    candidates.sort_by(|a, b| {
        b.grade.cmp(&a.grade).then(b.bits.cmp(&a.bits)).then_with(|| a.person.leader().cmp(b.person.leader()))
    });
    let margin = crate::model::bits_of(model.file().grades.margin);
    let mut unproven = cut;
    if let Some(best) = candidates.first().cloned()
        && best.grade == Grade::Certain
        && candidates[1..].iter().any(|other| other.grade == Grade::Certain || other.bits + margin > best.bits)
    {
        unproven = unproven.or(Some(Unproven::SecondPerson));
    }
    if unproven.is_some() {
        for candidate in candidates.iter_mut().filter(|candidate| candidate.grade == Grade::Certain) {
            candidate.grade = Grade::Probable;
        }
    }
    candidates.truncate(limit);
    Decision { candidates, unproven, model: model.version().to_owned() }
}

fn judge(model: &Model, candidate: &Record, found: &Found<'_>) -> Option<Candidate> {
    let scored: Vec<(&Record, Scored)> =
        found.records.iter().map(|record| (*record, compare(model, candidate, record))).collect();
    let vetoes = scored.iter().flat_map(|(_, scored)| scored.vetoes.iter()).fold(Vetoes::default(), Vetoes::with);
    let vetoes = if found.not_same { vetoes.with(Veto::NotSame) } else { vetoes };
    let (record, best) = scored
        .iter()
        .max_by(|(a, x), (b, y)| {
            x.grade(model).cmp(&y.grade(model)).then(x.bits.cmp(&y.bits)).then_with(|| b.id().cmp(a.id()))
        })
        .copied()?;
    let grade = best.grade(model);
    let grade = if vetoes.is_empty() { grade } else { grade.min(Grade::Possible) };
    (grade > Grade::None).then(|| Candidate {
        person: found.person.clone(),
        record: record.id().clone(),
        grade,
        bits: best.bits,
        probability: model.probability(best.bits) as f32,
        vetoes,
    })
}
