//! What an answer about a person is made of: who, how sure, and by how much evidence.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Sub};

use dukou_fhir::LogicalId;

/// A person: the logical id of the record that leads it. A merge or an unmerge may give a record another leader, so what has to last
/// names records and asks for the person when it is needed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PersonId(LogicalId);

impl PersonId {
    /// The person whom this record leads.
    pub fn led_by(record: LogicalId) -> PersonId {
        PersonId(record)
    }

    /// The leading record.
    pub fn leader(&self) -> &LogicalId {
        &self.0
    }
}

impl fmt::Display for PersonId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// How sure an answer is, from nothing to certain; the words of FHIR's match-grade except the last, which is `certainly-not` there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Grade {
    /// Not shown.
    None,
    /// Listed; a photograph or a document decides.
    Possible,
    /// Shown first; one person's word joins it.
    Probable,
    /// Joined without asking.
    Certain,
}

impl Grade {
    /// The code of the extension `http://hl7.org/fhir/StructureDefinition/match-grade` (FHIR R4, Patient/$match).
    pub fn code(self) -> &'static str {
        match self {
            Grade::Certain => "certain",
            Grade::Probable => "probable",
            Grade::Possible => "possible",
            Grade::None => "certainly-not",
        }
    }
}

/// Evidence in thousandths of a bit. Whole numbers, so that the parts of an explanation add up to its sum exactly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bits(pub i32);

impl Bits {
    /// The number of bits.
    pub fn as_f64(self) -> f64 {
        f64::from(self.0) / 1000.0
    }
}

impl Add for Bits {
    type Output = Bits;

    fn add(self, other: Bits) -> Bits {
        Bits(self.0.saturating_add(other.0))
    }
}

impl AddAssign for Bits {
    fn add_assign(&mut self, other: Bits) {
        *self = *self + other;
    }
}

impl Sub for Bits {
    type Output = Bits;

    fn sub(self, other: Bits) -> Bits {
        Bits(self.0.saturating_sub(other.0))
    }
}

impl Sum for Bits {
    fn sum<I: Iterator<Item = Bits>>(parts: I) -> Bits {
        parts.fold(Bits(0), Add::add)
    }
}

impl fmt::Display for Bits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}{}.{:03}",
            if self.0 < 0 { "-" } else { "" },
            self.0.unsigned_abs() / 1000,
            self.0.unsigned_abs() % 1000
        )
    }
}

#[cfg(test)]
mod tests {
    use super::{Bits, Grade};

    #[test]
    fn bits_are_written_with_their_sign_and_three_places() {
        let written: Vec<String> = [0, 5, 1_250, -1_250, -5].map(|bits| Bits(bits).to_string()).into();
        assert_eq!(written, ["0.000", "0.005", "1.250", "-1.250", "-0.005"]);
    }

    #[test]
    fn a_sum_of_parts_is_exact_and_never_wraps() {
        assert_eq!([Bits(1), Bits(2), Bits(-4)].into_iter().sum::<Bits>(), Bits(-1));
        assert_eq!(Bits(i32::MAX) + Bits(1), Bits(i32::MAX));
    }

    #[test]
    fn grades_rise_from_none_to_certain() {
        assert!(Grade::None < Grade::Possible && Grade::Possible < Grade::Probable && Grade::Probable < Grade::Certain);
    }
}
