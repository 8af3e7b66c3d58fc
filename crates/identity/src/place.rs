//! What a person should look at when a version of a record comes: pairs that no machine may settle, and names that lost characters.

use std::collections::BTreeMap;

use dukou_fhir::{LogicalId, Text};

use crate::evidence::Evidence;
use crate::explain::explain;
use crate::index::Index;
use crate::name::Name;
use crate::number::Number;
use crate::person::{Bits, Grade};
use crate::record::Record;
use crate::review::{Review, ReviewKind};
use crate::score::{Scored, Veto, Vetoes, compare};
use crate::text::Standing;

impl Index {
    /// The findings that this version of a record raises, the weightiest first. The record may be in the index already, as it was before;
    /// what was decided about it is raised again only where a number that decides has changed.
    pub fn findings(&self, record: &Record) -> Vec<Review> {
        if !record.active() {
            return Vec::new();
        }
        let own = self.place(record.id());
        let before = own.and_then(|place| self.slots[place as usize].record.as_ref());
        if before.is_some_and(|before| before.says(record)) {
            return Vec::new();
        }
        let again = before.is_some_and(|before| self.deciding_numbers(before) != self.deciding_numbers(record));
        let mut found: BTreeMap<(std::cmp::Reverse<Bits>, LogicalId), Review> = BTreeMap::new();
        let mut nearest: Option<(Bits, &Record, Scored)> = None;
        for place in self.met(record, own).places {
            let Some(other) = self.slots[place as usize].record.as_ref().filter(|other| other.active()) else {
                continue;
            };
            let scored = compare(&self.model, record, other);
            if nearest.as_ref().is_none_or(|(bits, ..)| scored.bits > *bits) {
                nearest = Some((scored.bits, other, scored));
            }
            let is_decided = self.decision(record.id(), other.id()).is_some();
            if is_decided && !again {
                continue;
            }
            if let Some(kind) = self.kind_of(record, own, other, scored) {
                let review = self.review(kind, record, Some((other, scored)), again);
                found.insert((std::cmp::Reverse(scored.bits), other.id().clone()), review);
            }
        }
        if is_damaged(record) && before.is_none_or(|before| !is_damaged(before)) {
            let listed = nearest.filter(|(_, _, scored)| scored.grade(&self.model) > Grade::None);
            let review =
                self.review(ReviewKind::DamagedName, record, listed.map(|(_, other, scored)| (other, scored)), again);
            let key = (std::cmp::Reverse(review.bits), review.other.clone().unwrap_or_else(|| record.id().clone()));
            found.insert(key, review);
        }
        // A source that holds somebody ten times is told once for each record, with the nearest.
        let mut told = false;
        let once =
            |review: &Review| review.kind != ReviewKind::DuplicateInSource || !std::mem::replace(&mut told, true);
        found.into_values().filter(once).take(FINDINGS_MAX).collect()
    }

    /// What is to be asked about two records; nothing where the machine joins them, or where nothing speaks for one person.
    fn kind_of(&self, record: &Record, own: Option<u32>, other: &Record, scored: Scored) -> Option<ReviewKind> {
        let grade = scored.grade(&self.model);
        let of_one_source = record.source() == other.source() && !record.source().is_empty();
        if grade == Grade::Certain && !self.apart(record, own, other).is_empty() {
            return Some(ReviewKind::RefusedUnion);
        }
        if grade >= Grade::Probable && of_one_source {
            return Some(ReviewKind::DuplicateInSource);
        }
        if grade == Grade::Probable {
            let are_one = own.is_some() && self.person(record.id()) == self.person(other.id());
            return (!are_one).then_some(ReviewKind::ProbableLink);
        }
        let evidence = scored.evidence;
        let names_agree = evidence.has(Evidence::NAME_NEAR);
        let by_placeholder = scored.vetoes.contains(Veto::NoName);
        if grade == Grade::Certain || by_placeholder && !evidence.any(STRONG) || !evidence.any(STRONG) {
            return None;
        }
        Some(match () {
            () if evidence.any(NUMBER) && !names_agree && evidence.has(Evidence::BIRTH_EQUAL) => {
                ReviewKind::BorrowedNumber
            }
            () if evidence.any(NUMBER) && !names_agree => ReviewKind::RelativesNumber,
            () if scored.vetoes.is_empty() => return None,
            () => ReviewKind::VetoConflict,
        })
    }

    /// What forbids to join the person of one with the person of the other.
    fn apart(&self, record: &Record, own: Option<u32>, other: &Record) -> Vetoes {
        let mine = own.map(|_| self.records(record.id())).unwrap_or_default();
        let theirs = self.records(other.id());
        let mut found = Vetoes::default();
        if theirs.contains(record.id()) {
            return found;
        }
        let mine = mine.iter().filter(|id| *id != record.id()).filter_map(|id| self.record(id));
        let mine: Vec<&Record> = std::iter::once(record).chain(mine).collect();
        for theirs in theirs.iter().filter_map(|id| self.record(id)) {
            for mine in &mine {
                found = compare(&self.model, mine, theirs).vetoes.iter().fold(found, Vetoes::with);
            }
        }
        let mine: Vec<LogicalId> = mine.iter().map(|record| record.id().clone()).collect();
        if self.is_held_apart(&mine, &theirs) { found.with(Veto::NotSame) } else { found }
    }

    fn review(&self, kind: ReviewKind, record: &Record, other: Option<(&Record, Scored)>, again: bool) -> Review {
        let mut lines = Vec::new();
        if let Some((other, scored)) = other {
            let said = explain(&self.model, record, other);
            lines.extend(said.lines.iter().map(|line| {
                let values = if line.left.is_empty() && line.right.is_empty() {
                    String::new()
                } else {
                    format!(" {} / {}", line.left, line.right)
                };
                let both = |label: &str| format!("{label}{values} {} {}", line.level, line.bits);
                Text::new(both(&line.label.en), both(&line.label.zh))
            }));
            lines.extend(scored.vetoes.iter().map(Veto::text));
        }
        Review {
            kind,
            record: record.id().clone(),
            other: other.map(|(other, _)| other.id().clone()),
            grade: other.map_or(Grade::None, |(_, scored)| scored.grade(&self.model)),
            bits: other.map_or(Bits(0), |(_, scored)| scored.bits),
            lines,
            model: self.model.version().to_owned(),
            again,
        }
    }

    /// The numbers of a record by which people are decided about.
    fn deciding_numbers<'r>(&self, record: &'r Record) -> Vec<&'r Number> {
        record.numbers.iter().filter(|number| self.model.strong.contains(&number.class)).collect()
    }
}

/// Whether no name of the record is whole and one has lost characters.
fn is_damaged(record: &Record) -> bool {
    let standings = || record.names.iter().map(Name::standing);
    standings().any(|one| matches!(one, Standing::Damaged | Standing::Incomplete))
        && !standings().any(|one| one == Standing::Named)
}

/// Agreement in a number of a person or of a card.
const STRONG: Evidence = Evidence::STRONG.or(Evidence::ANOTHERS);
/// Agreement in a number of a person.
const NUMBER: Evidence = Evidence::NUMBER.or(Evidence::ANOTHERS);

/// Findings of one version, at most: whoever resembles more people is a matter for the batch tools.
const FINDINGS_MAX: usize = 20;

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{Index, Record, ReviewKind};
    use crate::{Class, Decided, Entry, Model, Obtained, Stated, StatedIdentifier, StatedName};
    use dukou_fhir::LogicalId;

    const MODEL: &str = include_str!("../../../mappings/identity/model.toml");
    const RESIDENT: &str = "https://dukou.dev/fhir/system/CHN-resident-identity-card";

    struct House {
        model: Arc<Model>,
        index: Index,
        seq: u64,
    }

    fn id(text: &str) -> LogicalId {
        LogicalId::parse(text).unwrap()
    }

    fn stated(record: &str, source: &str, name: &str, birth: &str, number: &str, phone: &str) -> Stated {
        let mut stated = Stated::new(id(record), source);
        stated.active = true;
        stated.names.push(StatedName { written: name.to_owned(), pinyin: String::new() });
        stated.birth_date = birth.to_owned();
        stated.sex = Some('1');
        if !number.is_empty() {
            stated.identifiers.push(StatedIdentifier {
                class: Class::Resident,
                system: RESIDENT.to_owned(),
                value: number.to_owned(),
                obtained: Obtained::Feed,
                in_period: true,
            });
        }
        stated.phones.extend(Some(phone.to_owned()).filter(|phone| !phone.is_empty()));
        stated
    }

    impl House {
        fn new() -> House {
            let model = Arc::new(Model::load("model", MODEL).unwrap());
            House { index: Index::new(Arc::clone(&model)), model, seq: 0 }
        }

        /// The findings of a version, as kind and other record; then the version is put.
        fn put(&mut self, stated: &Stated) -> Vec<(ReviewKind, Option<String>, bool)> {
            let record = Record::prepare(&self.model, stated);
            let found = self.index.findings(&record);
            self.seq += 1;
            self.index.put(self.seq, record);
            found.into_iter().map(|one| (one.kind, one.other.map(|id| id.to_string()), one.again)).collect()
        }

        fn say_not_same(&mut self, a: &str, b: &str) {
            self.seq += 1;
            let decided = Decided::AssertNotSame { a: id(a), b: id(b) };
            let nothing = String::new;
            self.index.decide(Entry {
                seq: self.seq,
                time_ms: 0,
                decided,
                actor: nothing(),
                reason: nothing(),
                evidence: nothing(),
                model: nothing(),
            });
        }
    }

    const NUMBER: &str = "86010119880808009X";
    const OTHERS: &str = "860101197707070015";

    #[test]
    fn what_the_machine_joins_and_what_nothing_speaks_for_asks_nobody() {
        let mut house = House::new();
        assert_eq!(house.put(&stated("a", "HIS", "吴体检", "1988-08-08", NUMBER, "")), []);
        assert_eq!(house.put(&stated("b", "LIS", "吴体检", "1988-08-08", NUMBER, "")), []);
        assert_eq!(house.put(&stated("c", "LIS", "赵无关", "1977-07-07", OTHERS, "")), []);
        assert_eq!(house.index.person(&id("a")), house.index.person(&id("b")));
    }

    #[test]
    fn a_number_under_another_name_is_borrowed_or_a_relatives() {
        let mut house = House::new();
        house.put(&stated("a", "HIS", "吴体检", "1988-08-08", NUMBER, ""));
        let borrowed = house.put(&stated("b", "CLINIC", "陈另人", "1988-08-08", NUMBER, ""));
        assert_eq!(borrowed, [(ReviewKind::BorrowedNumber, Some("a".to_owned()), false)]);
        let relatives = house.put(&stated("c", "LIS", "吴小小", "2015-01-02", NUMBER, ""));
        assert!(relatives.contains(&(ReviewKind::RelativesNumber, Some("a".to_owned()), false)), "{relatives:?}");
        assert_ne!(house.index.person(&id("a")), house.index.person(&id("b")));
    }

    #[test]
    fn two_records_of_one_source_are_a_duplicate() {
        let mut house = House::new();
        house.put(&stated("a", "HIS", "吴体检", "1988-08-08", NUMBER, ""));
        let found = house.put(&stated("b", "HIS", "吴体检", "1988-08-08", NUMBER, ""));
        assert_eq!(found, [(ReviewKind::DuplicateInSource, Some("a".to_owned()), false)]);
    }

    #[test]
    fn a_damaged_name_is_asked_about_with_the_record_that_is_nearest() {
        let mut house = House::new();
        house.put(&stated("a", "HIS", "彭䶮", "1990-12-31", "", "19900000017"));
        let found = house.put(&stated("b", "KIOSK", "彭?", "1990-12-31", "", "19900000017"));
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].1.as_deref(), Some("a"));
        let alone = house.put(&stated("c", "KIOSK", "钱锟斤拷", "1931-02-01", "", ""));
        assert_eq!(alone, [(ReviewKind::DamagedName, None, false)]);
        assert_eq!(
            house.put(&stated("c", "KIOSK", "钱锟斤拷", "1931-02-01", "", "")),
            [],
            "the same again asks nothing"
        );
    }

    #[test]
    fn what_was_decided_is_asked_again_only_where_a_number_that_decides_has_changed() {
        let mut house = House::new();
        house.put(&stated("a", "HIS", "吴体检", "1988-08-08", NUMBER, ""));
        let first = stated("b", "CLINIC", "陈另人", "1988-08-08", NUMBER, "");
        assert_eq!(house.put(&first).len(), 1);
        house.say_not_same("a", "b");
        assert_eq!(house.put(&first), []);
        assert_eq!(house.put(&stated("b", "CLINIC", "陈另人", "1988-08-08", NUMBER, "19900000091")), []);
        house.put(&stated("b", "CLINIC", "陈另人", "1988-08-08", "", ""));
        let again = house.put(&first);
        assert_eq!(again, [(ReviewKind::BorrowedNumber, Some("a".to_owned()), true)]);
    }
}
