//! Records of one connected component to people: a pure function that knows no order.

use crate::model::Model;
use crate::person::Grade;
use crate::record::Record;
use crate::score::{Scored, Vetoes, compare};

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
pub fn cluster(model: &Model, records: &[&Record], pairs: &[Pair], constraints: &Constraints) -> Clusters {
    let mut members: Vec<Vec<usize>> = (0..records.len()).map(|place| vec![place]).collect();
    let mut person: Vec<usize> = (0..records.len()).collect();
    for (a, b) in &constraints.same {
        unite(&mut person, &mut members, *a, *b);
    }
    let mut ordered: Vec<&Pair> = pairs.iter().filter(|pair| pair.scored.grade(model) == Grade::Certain).collect();
    ordered.sort_by(|x, y| {
        let ids = |pair: &Pair| {
            let (a, b) = (records[pair.a].id(), records[pair.b].id());
            if a < b { (a, b) } else { (b, a) }
        };
        y.scored.bits.cmp(&x.scored.bits).then_with(|| ids(x).cmp(&ids(y)))
    });
    let mut refused = Vec::new();
    for pair in ordered {
        let (left, right) = (person[pair.a], person[pair.b]);
        if left == right {
            continue;
        }
        let crossing =
            |a: usize, b: usize| (person[a] == left && person[b] == right) || (person[a] == right && person[b] == left);
        let apart = constraints.apart.iter().any(|(a, b)| crossing(*a, *b));
        let vetoes = members[left]
            .iter()
            .flat_map(|a| members[right].iter().map(move |b| compare(model, records[*a], records[*b]).vetoes))
            .find(|vetoes| !vetoes.is_empty())
            .unwrap_or_default();
        if apart || !vetoes.is_empty() {
            refused.push(Refused { a: pair.a, b: pair.b, vetoes });
        } else {
            unite(&mut person, &mut members, pair.a, pair.b);
        }
    }
    let mut persons: Vec<Vec<usize>> = members.into_iter().filter(|places| !places.is_empty()).collect();
    persons.iter_mut().for_each(|places| places.sort_unstable());
    persons.sort_unstable();
    Clusters { persons, refused }
}

fn unite(person: &mut [usize], members: &mut [Vec<usize>], a: usize, b: usize) {
    let (into, from) = (person[a].min(person[b]), person[a].max(person[b]));
    if into != from {
        let moved = std::mem::take(&mut members[from]);
        moved.iter().for_each(|place| person[*place] = into);
        members[into].extend(moved);
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
            assert_eq!(found.refused.len(), 1);
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
            assert!(!persons.iter().any(|ids| ids.contains(&"a") && ids.contains(&"c")));
            persons.into_iter().map(|ids| ids.join(" ")).collect::<Vec<_>>()
        });
        orders.sort();
        assert_eq!(orders[0], orders[2], "the order of the records makes no difference");
    }
}
