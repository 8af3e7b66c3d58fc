//! What goes wrong at a step.

use dukou_audit::SeededRandom;
use dukou_audit::storage;
use dukou_store::model;

/// One thing that goes wrong, or nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// A good day.
    None,
    /// The answer leaves and does not arrive.
    AnswerLost,
    /// The process dies before the request.
    KilledBefore,
    /// The process dies between the store's commit and the ledger; the number says which commit of the request.
    KilledBehindCommit(usize),
    /// The process dies between the ledger and the answer.
    KilledBehindLedger,
    /// A file of the ledger fails some operations later.
    Ledger(storage::Fault),
    /// The ledger's disk is full for a while; so many bytes are left.
    NoSpace(u64),
    /// The store fails at its next commit (the store in memory only).
    Store(model::Fault),
    /// Somebody else is faster.
    Rival,
    /// The node is stopped in good order and started again.
    Stopped,
}

impl Fault {
    /// Draws what goes wrong next. `syncs` and `writes` are those of the ledger's disk so far.
    pub(crate) fn draw(choice: &SeededRandom, syncs: u64, writes: u64) -> Fault {
        let pick = |n: u64| choice.number() % n;
        match pick(40) {
            0..3 => Fault::AnswerLost,
            3 => Fault::KilledBefore,
            4..6 => Fault::KilledBehindCommit(usize::try_from(pick(2)).unwrap_or(0)),
            6 => Fault::KilledBehindLedger,
            7 | 8 => Fault::Ledger(in_the_ledger(pick(6), syncs + 1 + pick(3), writes + 1 + pick(3))),
            9 => Fault::NoSpace(pick(40) << 10),
            10 => Fault::Store(model::Fault::Full),
            11 => Fault::Store(
                [model::Fault::LostCommit, model::Fault::LateFailure][usize::try_from(pick(2)).unwrap_or(0)],
            ),
            12..15 => Fault::Rival,
            15 => Fault::Stopped,
            _ => Fault::None,
        }
    }

    /// Whether the process dies in this step for certain.
    pub(crate) fn kills(self) -> bool {
        matches!(self, Fault::KilledBehindCommit(_) | Fault::KilledBehindLedger)
    }

    /// Whether what leaves is not heard.
    pub(crate) fn silences(self) -> bool {
        matches!(self, Fault::AnswerLost | Fault::KilledBehindLedger)
    }
}

/// A fault of the ledger's disk at the n-th sync or write from its beginning.
pub(crate) fn in_the_ledger(which: u64, sync: u64, write: u64) -> storage::Fault {
    match which {
        0 => storage::Fault::DiesAtSync(sync),
        1 => storage::Fault::DiesAtWrite(write),
        2 => storage::Fault::SyncFails(sync),
        3 => storage::Fault::WriteNoSpace(write),
        4 => storage::Fault::WriteShort(write),
        _ => storage::Fault::WriteInterrupted(write),
    }
}
