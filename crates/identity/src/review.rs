//! What a person should look at: the findings that no machine settles.

use dukou_fhir::{LogicalId, Text};

use crate::person::{Bits, Grade};

/// What is found, in the words of the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ReviewKind {
    /// Two records are probably one person; one word joins them.
    ProbableLink,
    /// Two records agree in a strong identifier, and something forbids to join them.
    VetoConflict,
    /// A record would join two people who are held apart.
    RefusedUnion,
    /// The identity number belongs to a relative: another name and another birth date.
    RelativesNumber,
    /// The identity number belongs to somebody else of the same birth date.
    BorrowedNumber,
    /// The name has lost characters on its way.
    DamagedName,
    /// A result was filed under two people who were taken for one.
    InDoubt,
    /// One source holds two records of one person.
    DuplicateInSource,
    /// A source says that a person was registered in error.
    DeletedAtSource,
}

impl ReviewKind {
    /// All kinds, as they are listed.
    pub const ALL: [ReviewKind; 9] = [
        ReviewKind::ProbableLink,
        ReviewKind::VetoConflict,
        ReviewKind::RefusedUnion,
        ReviewKind::RelativesNumber,
        ReviewKind::BorrowedNumber,
        ReviewKind::DamagedName,
        ReviewKind::InDoubt,
        ReviewKind::DuplicateInSource,
        ReviewKind::DeletedAtSource,
    ];

    /// The code in `Task.reasonCode`.
    pub fn code(self) -> &'static str {
        match self {
            ReviewKind::ProbableLink => "probable-link",
            ReviewKind::VetoConflict => "veto-conflict",
            ReviewKind::RefusedUnion => "refused-union",
            ReviewKind::RelativesNumber => "relatives-number",
            ReviewKind::BorrowedNumber => "borrowed-number",
            ReviewKind::DamagedName => "damaged-name",
            ReviewKind::InDoubt => "in-doubt",
            ReviewKind::DuplicateInSource => "duplicate-in-source",
            ReviewKind::DeletedAtSource => "deleted-at-source",
        }
    }

    /// Reads a code.
    pub fn parse(code: &str) -> Option<ReviewKind> {
        ReviewKind::ALL.into_iter().find(|kind| kind.code() == code)
    }

    /// What the queue says about it.
    pub fn text(self) -> Text {
        match self {
            ReviewKind::ProbableLink => {
                Text::new("these two records are probably one person", "两份记录很可能是同一人")
            }
            ReviewKind::VetoConflict => Text::new(
                "the records share a strong identifier, but something speaks against one person",
                "两份记录有相同的强标识，但存在否决证据",
            ),
            ReviewKind::RefusedUnion => {
                Text::new("joining them would put two people into one", "若合并，会把两个人并成一人，已拒绝")
            }
            ReviewKind::RelativesNumber => {
                Text::new("the identity number seems to be a relative's", "证件号码疑似亲属的号码")
            }
            ReviewKind::BorrowedNumber => {
                Text::new("the identity number seems to be somebody else's", "证件号码疑似借用他人的号码")
            }
            ReviewKind::DamagedName => {
                Text::new("the name has lost characters; who is it?", "姓名有缺字或乱码，请核实是谁")
            }
            ReviewKind::InDoubt => {
                Text::new("whose is this since the two were separated?", "两人分开后，这份资料属于谁待定")
            }
            ReviewKind::DuplicateInSource => {
                Text::new("one source holds two records of one person", "同一来源系统中同一人有两份记录")
            }
            ReviewKind::DeletedAtSource => {
                Text::new("the source says that this person was registered in error", "来源系统表示此人登记有误")
            }
        }
    }
}

/// One finding about a record, or about two.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Review {
    /// What is found.
    pub kind: ReviewKind,
    /// The record that raised it.
    pub record: LogicalId,
    /// The record that it meets, where it meets one.
    pub other: Option<LogicalId>,
    /// How sure an answer about the two would be.
    pub grade: Grade,
    /// The evidence.
    pub bits: Bits,
    /// What speaks for and against it, a line each, every value masked.
    pub lines: Vec<Text>,
    /// Name and hash of the model.
    pub model: String,
    /// A number that decides has changed: the matter is asked again even where it was decided.
    pub again: bool,
}

impl Review {
    /// What makes a finding the same again: the two records in either order, or the one; a result in doubt is a matter of its own.
    pub fn finding(&self) -> String {
        let (first, second) = match &self.other {
            Some(other) if *other < self.record => (other.as_str(), self.record.as_str()),
            Some(other) => (self.record.as_str(), other.as_str()),
            None => (self.record.as_str(), ""),
        };
        let matter = match (self.kind, &self.other) {
            (ReviewKind::InDoubt, _) | (_, None) => self.kind.code(),
            _ => "pair",
        };
        format!("identity-review|{matter}|{first}|{second}")
    }
}

#[cfg(test)]
mod tests {
    use super::{Review, ReviewKind};
    use crate::{Bits, Grade};
    use dukou_fhir::LogicalId;

    fn review(kind: ReviewKind, record: &str, other: Option<&str>) -> Review {
        let id = |text: &str| LogicalId::parse(text).unwrap();
        let (grade, bits) = (Grade::Probable, Bits(9_000));
        Review {
            kind,
            record: id(record),
            other: other.map(id),
            grade,
            bits,
            lines: Vec::new(),
            model: String::new(),
            again: false,
        }
    }

    #[test]
    fn two_records_are_one_finding_whichever_came_first() {
        let one = review(ReviewKind::ProbableLink, "a", Some("b")).finding();
        assert_eq!(one, review(ReviewKind::VetoConflict, "b", Some("a")).finding());
        assert_ne!(one, review(ReviewKind::InDoubt, "a", Some("b")).finding());
        let alone = review(ReviewKind::DamagedName, "a", None).finding();
        assert_ne!(alone, review(ReviewKind::BorrowedNumber, "a", None).finding());
    }

    #[test]
    fn every_kind_has_a_code_of_its_own_that_reads_back() {
        for kind in ReviewKind::ALL {
            assert_eq!(ReviewKind::parse(kind.code()), Some(kind));
            assert!(!kind.text().zh.is_empty());
        }
    }
}
