// A permit cannot be kept past its closure.
use dukou_audit::{Access, Failure, Gate, Outcome, Permit, Recorded};

struct Answer;

impl Recorded for Answer {
    fn outcome(&self) -> Outcome {
        Outcome::default()
    }
}

impl From<Failure> for Answer {
    fn from(_: Failure) -> Self {
        Self
    }
}

fn keep(gate: &Gate, who: Access) {
    let mut kept: Option<&Permit<'_>> = None;
    let pending = gate.read(who, |permit| {
        kept = Some(permit);
        Ok::<_, Answer>(permit.without_patient_data(Answer))
    });
    drop(pending);
    drop(kept);
}

fn main() {}
