//! The answer to a desk: which people a candidate may be, how sure, and whether that can be said at all.

use dukou_fhir::LogicalId;

use crate::block::BlockKind;
use crate::cluster::{Constraints, Pair, cluster};
use crate::model::{Model, bits_of};
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
    BlockSkipped(BlockKind),
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
///
/// Certain are the people whom the cluster rule would unite with the candidate if it were stored: usually one; several where the candidate
/// itself shows that they are one. Nobody is certain where anybody else comes within the margin.
pub fn decide(model: &Model, candidate: &Record, found: &[Found<'_>], limit: usize, cut: Option<Unproven>) -> Decision {
    let mut judged: Vec<Judged<'_>> = found.iter().filter_map(|person| judge(model, candidate, person)).collect();
    unite(model, candidate, &mut judged);
    let margin = bits_of(model.file().grades.margin);
    let best = judged.iter().filter(|person| person.united).map(|person| person.scored.bits).max();
    let near = |person: &Judged<'_>| !person.united && best.is_some_and(|best| person.scored.bits + margin > best);
    let mut unproven = cut;
    if judged.iter().any(near) {
        unproven = unproven.or(Some(Unproven::SecondPerson));
    }
    let mut candidates: Vec<Candidate> =
        judged.iter().map(|person| person.candidate(model, unproven.is_some())).collect();
    candidates.retain(|candidate| candidate.grade > Grade::None);
    candidates.sort_by(|a, b| {
        b.grade.cmp(&a.grade).then(b.bits.cmp(&a.bits)).then_with(|| a.person.leader().cmp(b.person.leader()))
    });
    candidates.truncate(limit);
    Decision { candidates, unproven, model: model.version().to_owned() }
}

/// A person beside the candidate.
struct Judged<'a> {
    found: &'a Found<'a>,
    /// The record that agrees best, and how.
    record: &'a Record,
    scored: Scored,
    /// Of all records.
    vetoes: Vetoes,
    /// The cluster rule would unite the person with the candidate.
    united: bool,
}

impl Judged<'_> {
    fn candidate(&self, model: &Model, unproven: bool) -> Candidate {
        let grade = match (self.united && !unproven, self.vetoes.is_empty()) {
            (true, _) => Grade::Certain,
            (false, true) => self.scored.grade(model).min(Grade::Probable).max(if self.united {
                Grade::Probable
            } else {
                Grade::None
            }),
            (false, false) => self.scored.grade(model).min(Grade::Possible),
        };
        Candidate {
            person: self.found.person.clone(),
            record: self.record.id().clone(),
            grade,
            bits: self.scored.bits,
            probability: model.probability(self.scored.bits) as f32,
            vetoes: self.vetoes,
        }
    }
}

fn judge<'a>(model: &Model, candidate: &Record, found: &'a Found<'a>) -> Option<Judged<'a>> {
    let scored = found.records.iter().map(|record| (*record, compare(model, candidate, record)));
    let scored: Vec<(&Record, Scored)> = scored.collect();
    let vetoes = scored.iter().flat_map(|(_, scored)| scored.vetoes.iter()).fold(Vetoes::default(), Vetoes::with);
    let vetoes = if found.not_same { vetoes.with(Veto::NotSame) } else { vetoes };
    let best = scored.iter().max_by(|(a, x), (b, y)| {
        x.grade(model).cmp(&y.grade(model)).then(x.bits.cmp(&y.bits)).then_with(|| b.id().cmp(a.id()))
    });
    best.map(|(record, scored)| Judged { found, record, scored: *scored, vetoes, united: false })
}

/// Marks the people whom the cluster rule unites with the candidate.
fn unite(model: &Model, candidate: &Record, judged: &mut [Judged<'_>]) {
    let mut records = vec![candidate];
    let mut constraints = Constraints::default();
    let mut tied: Vec<(usize, usize)> = Vec::new();
    for (n, person) in judged.iter().enumerate() {
        if !person.vetoes.is_empty() || !person.scored.ties(model) || records.len() > RECORDS_MAX {
            continue;
        }
        let first = records.len();
        tied.push((n, first));
        records.extend(person.found.records.iter().copied());
        constraints.same.extend((first + 1..records.len()).map(|place| (first, place)));
    }
    let pairs: Vec<Pair> = (1..records.len())
        .map(|place| Pair { a: 0, b: place, scored: compare(model, candidate, records[place]) })
        .filter(|pair| pair.scored.ties(model))
        .collect();
    let clusters = cluster(model, &records, &pairs, &constraints);
    let own = clusters.persons.iter().find(|places| places.contains(&0));
    for (n, first) in tied {
        judged[n].united = own.is_some_and(|places| places.contains(&first));
    }
}

/// So many records beside the candidate are weighed together; nobody beyond them is certain.
const RECORDS_MAX: usize = 200;
