//! Whom demographics may belong to: `Patient/$match` (FHIR R4) as the profile PDQm asks for it (IHE ITI-119).
//!
//! The index says who and how sure; the resources shown are read from the store behind the same permit as any other, so that what is out
//! of reach is not shown and what is shown is recorded.

use std::collections::BTreeSet;

use dukou_audit::{Permit, Unreleased};
use dukou_fhir::{Instant, Issue, IssueType, LogicalId, ResourceKey, ResourceType, Text, Value};
use dukou_identity::patient::{Origin, stated};
use dukou_identity::{Class, Decision, Explanation, Grade, Record, ResolveLimits, Stated, Unproven, explain};
use dukou_store::Version;

use crate::{Error, Exchange};

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub struct MatchQuestion<'q> {
    /// A Patient with what is known.
    pub patient: &'q Value<'static>,
    /// Only what is certain, and only one person (`onlyCertainMatches`).
    pub only_certain: bool,
    /// Matches wanted, at most.
    pub count: usize,
    /// Records retired by a merge are shown beside the record that stands for them.
    pub with_inactive: bool,
    /// Each match says why.
    pub explained: bool,
}

/// One record of a person whom the question may be about.
#[derive(Clone, Debug)]
pub struct Match {
    /// The record.
    pub version: Version,
    /// How sure it is that the person is the one asked for.
    pub grade: Grade,
    /// 0 to 1; never more than that of the match before it.
    pub probability: f64,
    /// Why, field by field, with masked values; only where it was asked for.
    pub explanation: Option<Explanation>,
}

/// The answer.
#[derive(Clone, Debug, Default)]
pub struct Matched {
    /// Most likely first.
    pub matches: Vec<Match>,
    /// What the asker should know: numbers that could not be told, why nobody is certain, what the count left out.
    pub notes: Vec<Issue>,
}

/// A match before its record is read.
struct Named {
    record: LogicalId,
    grade: Grade,
    probability: f64,
    explanation: Option<Explanation>,
}

impl Exchange {
    /// Finds the people whom a Patient may be.
    ///
    /// # Errors
    /// [`Error::Invalid`] where too little is known to look for anybody: the issues name what is missing.
    pub fn match_patient(
        &self,
        permit: &Permit<'_>,
        question: &MatchQuestion<'_>,
    ) -> Result<Unreleased<Matched>, Error> {
        let asked = self.new_key(ResourceType::PATIENT).id;
        let day = self.people().day(Instant::from_nanos(self.surroundings().clock.wall_ns()));
        let origin = Origin { record: &asked, source: "", born: 0, day: &day };
        let (stated, mut notes) = stated(question.patient, &self.surroundings().systems, &origin);
        let missing = missing(&stated);
        if !missing.is_empty() {
            return Err(Error::Invalid(missing));
        }
        let candidate = Record::prepare(self.people().model(), &stated);
        let (decision, named) = self.named(&candidate, question);
        notes.extend(decision.unproven.map(unproven));
        self.shown(permit, named, question, notes)
    }

    /// The records of the people found, most likely first: of each person the records in use, then the retired ones.
    fn named(&self, candidate: &Record, question: &MatchQuestion<'_>) -> (Decision, Vec<Named>) {
        let people = self.people();
        let index = people.read();
        let limits = ResolveLimits { people_max: PEOPLE_MAX, ..ResolveLimits::default() };
        let decision = index.resolve(candidate, &limits);
        let wanted = |grade: Grade| grade == Grade::Certain || !question.only_certain;
        let mut named: Vec<Named> = Vec::new();
        for found in decision.candidates.iter().filter(|found| wanted(found.grade)) {
            let others = index.records(&found.record).into_iter().filter(|other| *other != found.record);
            let mut records: Vec<LogicalId> = std::iter::once(found.record.clone()).chain(others).collect();
            records.sort_by_key(|record| index.survivor(record).is_some());
            for record in records {
                let Some(known) = index.record(&record) else { continue };
                let explanation = question.explained.then(|| explain(people.model(), candidate, known));
                named.push(Named {
                    record,
                    grade: found.grade,
                    probability: f64::from(found.probability),
                    explanation,
                });
            }
        }
        (decision, named)
    }

    /// Reads the records and leaves out what may not stand alone.
    fn shown(
        &self,
        permit: &Permit<'_>,
        named: Vec<Named>,
        question: &MatchQuestion<'_>,
        mut notes: Vec<Issue>,
    ) -> Result<Unreleased<Matched>, Error> {
        let mut shown = permit.without_patient_data(Matched::default());
        let mut ceiling = 1.0_f64;
        let (mut taken, mut certain_left_out) = (0, 0);
        let mut standing: BTreeSet<LogicalId> = BTreeSet::new();
        for one in named {
            let retired = self.people().read().survivor(&one.record);
            let beside = retired.as_ref().is_none_or(|survivor| question.with_inactive && standing.contains(survivor));
            if !beside {
                continue;
            }
            let key = ResourceKey::new(ResourceType::PATIENT, one.record.clone());
            let Some(found) = self.store.read(permit, &key)?.some() else { continue };
            let mut live = false;
            let found = found.map(|version| {
                live = !version.is_deleted() && (retired.is_some() || in_use(&version));
                version
            });
            if !live {
                continue;
            }
            if taken == question.count {
                certain_left_out += usize::from(one.grade == Grade::Certain);
                continue;
            }
            taken += 1;
            standing.insert(one.record);
            ceiling = ceiling.min(one.probability);
            let (grade, probability, explanation) = (one.grade, ceiling, one.explanation);
            shown = shown.and(found).map(|(mut all, version)| {
                all.matches.push(Match { version, grade, probability, explanation });
                all
            });
        }
        if certain_left_out > 0 {
            notes.push(left_out(certain_left_out));
        }
        Ok(shown.map(|all| Matched { notes, ..all }))
    }
}

/// Whether a Patient is in use: one that is inactive without a merge is never named.
fn in_use(version: &Version) -> bool {
    Exchange::tree(version).is_ok_and(|tree| tree.get("active").and_then(Value::as_bool) != Some(false))
}

/// What is missing for a search of people: a number that tells a person, or a name with a birth date or a telephone number.
fn missing(stated: &Stated) -> Vec<Issue> {
    let telling = |class: Class| !matches!(class, Class::Visit | Class::Untyped);
    let number = stated.identifiers.iter().any(|identifier| telling(identifier.class));
    let (name, birth, phone) = (!stated.names.is_empty(), !stated.birth_date.is_empty(), !stated.phones.is_empty());
    if number || (name && (birth || phone)) {
        return Vec::new();
    }
    let lack = |is_there: bool, place: &str| (!is_there).then(|| place.to_owned());
    let places = [
        lack(name, "Patient.name"),
        lack(birth || (phone && !name), "Patient.birthDate"),
        lack(phone || (birth && !name), "Patient.telecom"),
        lack(number, "Patient.identifier"),
    ];
    let text = Text::new(
        "too little to look for a person: needed is a name with a birth date or a telephone number, or a number with its system",
        "信息不足：需要姓名加出生日期或电话，或带系统的证件、就诊号码",
    );
    let mut issue = Issue::error(IssueType::Incomplete, "too-few-properties", text);
    issue.expression = places.into_iter().flatten().collect();
    vec![issue]
}

fn unproven(why: Unproven) -> Issue {
    let text = match why {
        Unproven::Cut => Text::new(
            "uniqueness unproven: more records share these values than are compared, so nobody is called certain",
            "无法证明唯一：符合的记录过多，未能全部比对，因此不给出确定结果",
        ),
        Unproven::BlockSkipped(kind) => Text::new(
            format!(
                "uniqueness unproven: {} is shared by too many records to be looked at, so nobody is called certain",
                kind.text().en
            ),
            format!("无法证明唯一：{}被过多记录共用，因此不给出确定结果", kind.text().zh),
        ),
        Unproven::SecondPerson => Text::new(
            "uniqueness unproven: a second person comes as near, so nobody is called certain",
            "无法证明唯一：另有一人同样接近，因此不给出确定结果",
        ),
    };
    Issue::warning(IssueType::MultipleMatches, "uniqueness-unproven", text)
}

fn left_out(count: usize) -> Issue {
    let text = Text::new(
        format!("{count} more records of the person are certain and were left out by `count`"),
        format!("另有 {count} 条确定的记录因 count 限制未列出"),
    );
    Issue::warning(IssueType::Incomplete, "certain-left-out", text)
}

/// People that are weighed before `count` cuts: a second one who comes near must be seen.
const PEOPLE_MAX: usize = 50;
