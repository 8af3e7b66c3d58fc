//! The sequence number protocol: HL7 v2 chapter 2, MSH-13 and MSA-4.

/// What a sequence number means to the receiver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The message is accepted; the next one carries this number.
    Accept {
        /// The number expected next; `None` until the sender names one.
        next: Option<u64>,
    },
    /// The sender asks for the number expected next, which goes into MSA-4; -1 when there is none.
    Report {
        /// The number expected next.
        expected: Option<u64>,
    },
    /// The message is refused, with the number expected in MSA-4.
    Refuse {
        /// The number expected next.
        expected: u64,
    },
    /// MSH-13 is not a sequence number.
    Malformed,
}

/// Judges MSH-13. `0` asks for a start or resynchronisation, `-1` resets, the expected number advances.
#[must_use]
pub fn judge(expected: Option<u64>, received: &str) -> Step {
    match (received.trim(), expected) {
        ("", expected) => Step::Accept { next: expected },
        ("0", expected) => Step::Report { expected },
        ("-1", _) => Step::Accept { next: None },
        (text, expected) => match (text.parse::<u64>(), expected) {
            (Err(_), _) => Step::Malformed,
            (Ok(number), None) => Step::Accept { next: number.checked_add(1) },
            (Ok(number), Some(expected)) if number == expected => Step::Accept { next: number.checked_add(1) },
            (Ok(_), Some(expected)) => Step::Refuse { expected },
        },
    }
}
