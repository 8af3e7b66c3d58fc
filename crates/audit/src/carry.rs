//! What a start needs to know beyond the tree. The first record of each segment carries it, so that only the last segment
//! has to be read.

use std::collections::BTreeSet;

use crate::cbor;
use crate::decode::Cbor;
use crate::record::{ADMIN, INTENT, OUTCOME, STOP, WRITE};

/// The running state of the log apart from its tree.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Carry {
    /// Highest row number of the store named by a record.
    pub(crate) jseq: u64,
    /// Leaves of INTENT records without an OUTCOME.
    pub(crate) intents: BTreeSet<u64>,
    /// Whether the last record is a STOP.
    pub(crate) stopped: bool,
}

impl Carry {
    /// Takes one more record (`type | content`) into account.
    pub(crate) fn take(&mut self, leaf: u64, record: &[u8]) {
        let Some((kind, content)) = record.split_first() else {
            return;
        };
        self.stopped = *kind == STOP;
        if *kind == INTENT {
            self.intents.insert(leaf);
        }
        if !matches!(*kind, WRITE | OUTCOME | ADMIN | crate::record::HEARTBEAT) {
            return;
        }
        let Some(content) = Cbor::parse(content) else {
            return;
        };
        match *kind {
            WRITE => {
                let row = content.key(23).and_then(|row| row.at(0)).and_then(Cbor::uint);
                self.jseq = row.unwrap_or(self.jseq);
            }
            OUTCOME => {
                content.key(24).and_then(Cbor::uint).map(|leaf| self.intents.remove(&leaf));
            }
            _ => self.take_detail(content.key(29)),
        }
    }

    /// A heartbeat at the head of a segment repeats the state; an accepted rollback sets the row number back.
    fn take_detail(&mut self, detail: Option<&Cbor>) {
        if let Some(jseq) = detail.and_then(|detail| detail.name("jseq")).and_then(Cbor::uint) {
            self.jseq = jseq;
        }
        if let Some(intents) = detail.and_then(|detail| detail.name("intents")) {
            self.intents = intents.items().iter().filter_map(Cbor::uint).collect();
        }
    }

    /// The detail of the heartbeat at the head of a segment.
    pub(crate) fn detail(&self) -> cbor::Cbor {
        let mut detail = cbor::Cbor::default();
        detail.map(2).text("jseq").uint(self.jseq);
        detail.text("intents").array(self.intents.len());
        for leaf in &self.intents {
            detail.uint(*leaf);
        }
        detail
    }
}
