//! The one way to the store's writer: every use case that changes something ends here.

use std::collections::HashSet;

use dukou_audit::{Permit, Settled};
use dukou_fhir::ResourceKey;
use dukou_store::{self as store, Batch, Outcome};

use crate::Exchange;

impl Exchange {
    /// Does a batch as a whole or not at all, and with it the Tasks of what a person should look at because of it. When this returns, the
    /// batch is durable and whatever is derived from it knows of it, so that no answer to an acknowledged write can come from before it.
    pub(crate) fn commit(&self, permit: &Permit<'_>, mut batch: Batch) -> Result<Settled<Outcome>, store::Error> {
        let raised = self.raised(permit, &batch)?;
        let opened: HashSet<ResourceKey> = batch.puts.iter().map(|put| put.key.clone()).collect();
        batch.puts.extend(raised.into_iter().filter(|put| !opened.contains(&put.key)));
        let deciding = self.people.deciding(&batch)?;
        let settled = self.store.commit(permit, batch)?;
        Ok(settled.map(|outcome| {
            self.people.follow(&outcome, deciding);
            self.forget_cards(&outcome);
            outcome
        }))
    }
}
