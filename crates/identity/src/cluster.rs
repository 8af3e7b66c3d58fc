//! Records of one connected component to people: a pure function that knows no order.

use std::cmp::Reverse;

use crate::evidence::Evidence;
use crate::model::Model;
use crate::person::{Bits, Grade};
use crate::record::Record;
use crate::score::{Scored, Veto, Vetoes, compare};

/// Two records of a component, by their places in it, with what comparing them gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pair {
    /// The lower place.
    pub a: usize,
    /// The higher place.
    pub b: usize,
    /// What comparing them gave.
    pub scored: Scored,
}

/// What people decided about the records of a component, by their places.
#[derive(Clone, Debug, Default)]
pub struct Constraints {
    /// Pairs that are one person, whatever machines think.
    pub same: Vec<(usize, usize)>,
    /// Pairs that no machine may join, not over others either.
    pub apart: Vec<(usize, usize)>,
}

/// The people of a component.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Clusters {
    /// The records of each person by their places, rising; people in the order of their first record.
    pub persons: Vec<Vec<usize>>,
    /// Unions that were refused although the pair alone was certain: a person should look at them.
    pub refused: Vec<Refused>,
}

/// A union that would have put two people into one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The pair that asked for it.
    pub a: usize,
    /// Its other record.
    pub b: usize,
    /// What forbids it, found between any two records of the two sides; empty where a person's decision does.
    pub vetoes: Vetoes,
}

/// The people among the records of one component. `pairs` are the ties (`Scored::ties`) in any order; the answer is the same for any
/// order of records and pairs, up to the numbering of places.
///
/// Groups are united best pair first, as long as one is left that is certain or that all records of both sides corroborate. A union that
/// anything between the two sides forbids is refused; so is one whose group could as well join another that may not join the first.
pub fn cluster(model: &Model, records: &[&Record], pairs: &[Pair], constraints: &Constraints) -> Clusters {
    let mut groups = Groups::new(model, records, pairs, constraints);
    while let Some((a, b)) = groups.best() {
        groups.unite(a, b);
    }
    groups.finish()
}

/// Records grouped so far, and what stands between every two groups.
struct Groups {
    /// The places of each group; empty where it went into another.
    members: Vec<Vec<usize>>,
    /// What lies between two groups, a row for the lower of them.
    between: Vec<Between>,
    /// The place of each record in an order that does not depend on how records are called or when they came.
    order: Vec<usize>,
    margin: Bits,
}

/// Everything between two groups.
#[derive(Clone, Copy, Debug, Default)]
struct Between {
    /// The best pair, where a pair ties them.
    best: Option<(Bits, usize, usize)>,
    certain: bool,
    evidence: Evidence,
    /// What more than one pair shows.
    twice: Evidence,
    vetoes: Vetoes,
    /// A person has decided that they are two.
    apart: bool,
    /// A number on one side is not its holder's by its own digits.
    suspect: bool,
}

impl Between {
    fn joins(&self) -> bool {
        self.best.is_some() && (self.certain || self.evidence.is_corroborated(self.twice))
    }

    fn forbidden(&self) -> bool {
        self.apart || !self.vetoes.is_empty()
    }

    /// Two different people for a reason that lies in what they are, not in what one of them is called so far.
    fn is_rival(&self) -> bool {
        self.apart || self.vetoes.iter().any(|veto| veto != Veto::NoName)
    }

    fn add(&mut self, other: &Between) {
        self.best = self.best.max(other.best);
        self.certain |= other.certain;
        self.twice.add(other.twice.or(self.evidence.only(other.evidence)));
        self.evidence.add(other.evidence);
        self.vetoes = other.vetoes.iter().fold(self.vetoes, Vetoes::with);
        self.apart |= other.apart;
        self.suspect |= other.suspect;
    }
}

impl Groups {
    fn new(model: &Model, records: &[&Record], pairs: &[Pair], constraints: &Constraints) -> Groups {
        let mut order = vec![0; records.len()];
        let mut places: Vec<usize> = (0..records.len()).collect();
        places.sort_unstable_by_key(|place| (records[*place].digest(), records[*place].id()));
        places.iter().enumerate().for_each(|(rank, place)| order[*place] = rank);
        let members = (0..records.len()).map(|place| vec![place]).collect();
        let margin = crate::model::bits_of(model.file().grades.margin);
        let between = vec![Between::default(); records.len() * records.len()];
        let mut groups = Groups { members, between, order, margin };
        for pair in pairs {
            let (a, b) = (pair.a.min(pair.b), pair.a.max(pair.b));
            groups.between_mut(a, b).best = Some((pair.scored.bits, a, b));
        }
        for a in 0..records.len() {
            for b in a + 1..records.len() {
                let scored = compare(model, records[a], records[b]);
                let certain = scored.grade(model) == Grade::Certain;
                // A name that lost characters is near to many: only a person's number joins its record.
                let whole = records[a].is_named() && records[b].is_named();
                let near = scored.evidence.has(Evidence::NAME_NEAR) && (whole || scored.evidence.has(Evidence::NUMBER));
                let found = groups.between_mut(a, b);
                found.certain = certain && found.best.is_some();
                found.evidence = if near { scored.evidence } else { scored.evidence.only(Evidence::NAME_APART) };
                found.vetoes = scored.vetoes;
                found.suspect = records[a].is_suspect() || records[b].is_suspect();
            }
        }
        for (a, b) in &constraints.apart {
            groups.between_mut(*a, *b).apart = true;
        }
        for (a, b) in &constraints.same {
            let group =
                |place: usize| groups.members.iter().position(|places| places.contains(&place)).unwrap_or(place);
            let (a, b) = (group(*a), group(*b));
            groups.unite(a.min(b), a.max(b));
        }
        groups
    }

    /// The two groups to unite next: those with a certain pair first, those whose numbers are their own first, then by evidence.
    fn best(&self) -> Option<(usize, usize)> {
        let alive: Vec<usize> = (0..self.members.len()).filter(|group| !self.members[*group].is_empty()).collect();
        let pairs = alive.iter().enumerate().flat_map(|(at, a)| alive[at + 1..].iter().map(|b| (*a, *b)));
        let mut open: Vec<_> = pairs
            .filter_map(|(a, b)| {
                let between = self.between(a, b);
                let rank = || (between.certain, !between.suspect, between.best.map(|best| best.0));
                (between.joins() && !between.forbidden()).then(|| (rank(), Reverse(self.order(between)), (a, b)))
            })
            .collect();
        // Whether a pair is ambiguous is dear to ask, and the best seldom is.
        while let Some(at) = (0..open.len()).max_by_key(|at| (open[*at].0, open[*at].1)) {
            let (_, _, (a, b)) = open.swap_remove(at);
            if !self.ambiguous(a, b) {
                return Some((a, b));
            }
        }
        None
    }

    /// What tells two equal pairs apart, whichever record came first: what stands on the records, and their ids last.
    fn order(&self, between: &Between) -> [usize; 2] {
        let (a, b) = between.best.map_or((0, 0), |(_, a, b)| (a, b));
        let mut places = [self.order[a], self.order[b]];
        places.sort_unstable();
        places
    }

    /// Whether one of the two could as well join a third that may not join the other.
    fn ambiguous(&self, a: usize, b: usize) -> bool {
        let Some((bits, ..)) = self.between(a, b).best else { return true };
        let rival = |one: usize, other: usize| {
            (0..self.members.len()).filter(|third| *third != a && *third != b).any(|third| {
                let near = self.between(one, third);
                let against = self.between(other, third);
                near.joins()
                    && !near.forbidden()
                    && !near.suspect
                    && near.best.is_some_and(|best| best.0 + self.margin > bits)
                    && against.is_rival()
            })
        };
        rival(a, b) || rival(b, a)
    }

    fn between(&self, a: usize, b: usize) -> &Between {
        &self.between[a.min(b) * self.members.len() + a.max(b)]
    }

    fn between_mut(&mut self, a: usize, b: usize) -> &mut Between {
        let row = self.members.len();
        &mut self.between[a.min(b) * row + a.max(b)]
    }

    fn unite(&mut self, a: usize, b: usize) {
        if a == b {
            return;
        }
        let moved = std::mem::take(&mut self.members[b]);
        self.members[a].extend(moved);
        *self.between_mut(a, b) = Between::default();
        for third in (0..self.members.len()).filter(|third| *third != a && *third != b) {
            let found = std::mem::take(self.between_mut(b, third));
            self.between_mut(a, third).add(&found);
        }
    }

    fn finish(mut self) -> Clusters {
        let refused = self.between.iter().filter(|between| between.certain);
        let refused =
            refused.filter_map(|between| between.best.map(|(_, a, b)| Refused { a, b, vetoes: between.vetoes }));
        let refused = refused.collect();
        let mut persons: Vec<Vec<usize>> = self.members.drain(..).filter(|places| !places.is_empty()).collect();
        persons.iter_mut().for_each(|places| places.sort_unstable());
        persons.sort_unstable();
        Clusters { persons, refused }
    }
}

#[cfg(test)]
mod tests {
    use super::{Constraints, Pair, cluster};
    use crate::{Bits, Class, Model, Obtained, Record, Stated, StatedIdentifier, StatedName, compare, explain};
    use dukou_fhir::LogicalId;

    fn record(model: &Model, id: &str, number: &str, phone: &str) -> Record {
        let mut stated = Stated::new(LogicalId::parse(id).unwrap(), "HIS1");
        stated.names = vec![StatedName { written: "张示例".into(), pinyin: String::new() }];
        stated.sex = Some('1');
        stated.birth_date = "1988-08-08".into();
        stated.phones = vec![phone.into()];
        if !number.is_empty() {
            stated.identifiers = vec![StatedIdentifier {
                class: Class::Resident,
                system: "urn:example:resident".into(),
                value: number.into(),
                obtained: Obtained::Feed,
                in_period: true,
            }];
        }
        Record::prepare(model, &stated)
    }

    #[test]
    fn a_hundred_records_of_one_person_are_one_person() {
        let model = Model::load("model.toml", include_str!("../../../mappings/identity/model.toml")).unwrap();
        let records: Vec<Record> =
            (0..100).map(|n| record(&model, &format!("r{n}"), "86010119880808009X", "19900000017")).collect();
        let records: Vec<&Record> = records.iter().collect();
        let places = (0..records.len()).flat_map(|a| (a + 1..100).map(move |b| (a, b)));
        let pairs: Vec<Pair> =
            places.map(|(a, b)| Pair { a, b, scored: compare(&model, records[a], records[b]) }).collect();
        let found = cluster(&model, &records, &pairs, &Constraints::default());
        assert_eq!((found.persons.len(), found.refused.len()), (1, 0));
    }

    #[test]
    fn two_good_numbers_never_come_into_one_person_whatever_lies_between_them() {
        let model = Model::load("model.toml", include_str!("../../../mappings/identity/model.toml")).unwrap();
        let records = [
            record(&model, "a", "86010119880808009X", "19900000017"),
            record(&model, "b", "", "19900000017"),
            record(&model, "c", "860101198808080110", "19900000017"),
        ];
        let mut orders = [[0, 1, 2], [2, 1, 0], [1, 2, 0]].map(|order| {
            let records: Vec<&Record> = order.iter().map(|place| &records[*place]).collect();
            let pairs: Vec<Pair> = [(0, 1), (0, 2), (1, 2)]
                .map(|(a, b)| Pair { a, b, scored: compare(&model, records[a], records[b]) })
                .into_iter()
                .filter(|pair| pair.scored.ties(&model))
                .collect();
            assert_eq!(pairs.len(), 2, "the two numbers veto their pair");
            for pair in &pairs {
                let explained = explain(&model, records[pair.a], records[pair.b]);
                assert_eq!(explained.lines.iter().map(|line| line.bits).sum::<Bits>(), pair.scored.bits);
            }
            let found = cluster(&model, &records, &pairs, &Constraints::default());
            assert_eq!(found.refused.len(), 2, "who could be either is joined with neither");
            let mut persons: Vec<Vec<&str>> = found
                .persons
                .iter()
                .map(|places| {
                    let mut ids: Vec<&str> = places.iter().map(|place| records[*place].id().as_str()).collect();
                    ids.sort_unstable();
                    ids
                })
                .collect();
            persons.sort();
            assert_eq!(persons.len(), 3);
            persons.into_iter().map(|ids| ids.join(" ")).collect::<Vec<_>>()
        });
        orders.sort();
        assert_eq!(orders[0], orders[2], "the order of the records makes no difference");
    }
}
