//! Verdicts, and which of several counts.

/// What a check found. The order is that in which they count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Verdict {
    Forked,
    RolledBack,
    Altered,
    Missing,
    BadSignature,
    Stale,
    TornTail,
    Ok,
}

impl Verdict {
    pub(crate) fn exit(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::TornTail => 2,
            Self::Altered => 3,
            Self::Missing => 4,
            Self::RolledBack => 5,
            Self::Forked => 6,
            Self::BadSignature => 7,
            Self::Stale => 9,
        }
    }

    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::TornTail => "TORN-TAIL",
            Self::Altered => "ALTERED",
            Self::Missing => "MISSING",
            Self::RolledBack => "ROLLED-BACK",
            Self::Forked => "FORKED",
            Self::BadSignature => "BAD-SIGNATURE",
            Self::Stale => "STALE",
        }
    }
}

/// One finding: leaves `from..to` and a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) verdict: Verdict,
    pub(crate) from: u64,
    pub(crate) to: u64,
    pub(crate) what: &'static str,
}

impl Finding {
    pub(crate) fn new(verdict: Verdict, from: u64, to: u64, what: &'static str) -> Self {
        Self { verdict, from, to: to.max(from), what }
    }
}
