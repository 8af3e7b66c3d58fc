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
        let passage = self.people.concerns(&batch).then(|| self.in_flight.enter());
        let settled = self.store.commit(permit, batch).map(|settled| {
            settled.map(|outcome| {
                self.people.follow(&outcome, deciding);
                self.forget_cards(&outcome);
                outcome
            })
        });
        drop(passage);
        match &settled {
            // Somebody else has done it, perhaps just now.
            Ok(Settled::Unchanged(_)) | Err(store::Error::Duplicate { .. }) => self.catch_up()?,
            _ => {}
        }
        settled
    }

    /// Returns when everything that stood in the store at the call is known to what is derived from it. Whoever answers with what another
    /// request has done waits here first.
    pub(crate) fn catch_up(&self) -> Result<(), store::Error> {
        if self.in_flight.wait() { Ok(()) } else { Err(store::Error::Busy) }
    }
}
