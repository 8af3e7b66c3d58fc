//! What the world outside knows: every answer that left, and what it promised.

use std::collections::BTreeMap;

use bytes::Bytes;
use dukou_audit::{Receipt, RequestId};
use dukou_exchange::{Done, EntryResult, Error, Ingested};
use dukou_fhir::{ResourceKey, VersionId};

use super::callers::{Order, shown, written};
use super::node::{Delivered, Left};

/// Everything that left the house.
#[derive(Default)]
pub(crate) struct Heard {
    /// One for each answer, with its request; none where the answer says that the end is not known (503).
    pub(crate) receipts: Vec<(Receipt, Option<RequestId>)>,
    /// The answers of each message, by client and bytes; one for each step.
    pub(crate) answers: BTreeMap<(String, Bytes), BTreeMap<usize, Option<Bytes>>>,
    /// The order in which messages were first answered.
    pub(crate) order: Vec<(String, Bytes)>,
    /// Versions that clients were told of as written.
    pub(crate) versions: Vec<(ResourceKey, VersionId, Bytes)>,
    /// What answers showed, by the leaf of their record.
    pub(crate) shown: Vec<(u64, ResourceKey, VersionId)>,
    /// Conditional creates and pairs that were acknowledged.
    pub(crate) acknowledged: Vec<Order>,
    /// Patches that were acknowledged, and the versions they made.
    pub(crate) patched: Vec<(u64, ResourceKey, VersionId)>,
}

impl Heard {
    /// The answers to one message, or to the part of its steps that was answered.
    pub(crate) fn message(&mut self, client: &str, raw: &Bytes, delivered: &Delivered) {
        for (step, left) in delivered.steps.iter().enumerate() {
            self.step(client, raw, step, left);
        }
    }

    /// The answer of one step. What was answered once is answered the same for ever, but for a control id used twice.
    pub(crate) fn step(&mut self, client: &str, raw: &Bytes, step: usize, left: &Left<Ingested>) {
        self.receipts.push((left.receipt.clone(), Some(left.request)));
        if is_conflict(&left.answer) {
            return;
        }
        let key = (client.to_owned(), raw.clone());
        if !self.answers.contains_key(&key) {
            self.order.push(key.clone());
        }
        let ack = left.answer.ack.clone();
        let before = self.answers.entry(key).or_default().entry(step).or_insert_with(|| ack.clone());
        assert_eq!(*before, ack, "a message is answered the same each time");
    }

    /// The answer to an order.
    pub(crate) fn reply(&mut self, order: &Order, left: &Left<Result<Vec<EntryResult>, Error>>) {
        let known = !matches!(left.answer, Err(Error::Unavailable(_)));
        self.receipts.push((left.receipt.clone(), known.then_some(left.request)));
        let Ok(results) = &left.answer else { return };
        let leaf = left.receipt.leaf();
        self.shown.extend(shown(results).into_iter().map(|(key, version)| (leaf, key, version)));
        self.versions.extend(written(results));
        if let Order::Put { if_match, .. } | Order::Patch { if_match, .. } = order
            && let Some(Ok(Done::Updated(version))) = results.first()
        {
            let expected = if_match.map(VersionId::next);
            assert!(expected.is_none_or(|next| next == version.version), "If-Match holds up to the commit");
            if let Order::Patch { n, .. } = order {
                self.patched.push((*n, version.key.clone(), version.version));
            }
        }
        if matches!(order, Order::Once { .. } | Order::Pair { .. }) {
            self.acknowledged.push(order.clone());
        }
    }
}

/// Whether this answers another content under a control id that was used.
pub(crate) fn is_conflict(done: &Ingested) -> bool {
    done.issues.iter().any(|issue| issue.code == "control-id-conflict")
}
