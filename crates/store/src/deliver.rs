//! The life of an outbox row.

use dukou_fhir::Instant;

use crate::error::Error;
use crate::outbox::{Claim, OutboxRow, OutboxState, Settlement};
use crate::tables::Tables;

/// Leases rows that are ready and counts the attempt.
pub(crate) fn claim(tables: &mut dyn Tables, claim: &Claim) -> Result<Vec<OutboxRow>, Error> {
    let mut rows = tables.outbox_ready(&claim.target, claim.now, claim.count)?;
    for row in &mut rows {
        row.lease = claim.lease;
        row.attempts = row.attempts.saturating_add(1);
        tables.set_outbox(row)?;
    }
    Ok(rows)
}

/// Writes down what became of a delivery. What does not fit the row's state is refused.
pub(crate) fn settle(tables: &mut dyn Tables, number: u64, settlement: Settlement) -> Result<(), Error> {
    let mut row = tables.outbox_row(number)?.ok_or(Error::NoSuchDelivery { number })?;
    let begins_with = match settlement {
        Settlement::Again(_) => OutboxState::Dead,
        _ => OutboxState::Waiting,
    };
    if row.state != begins_with {
        return Err(Error::NoSuchDelivery { number });
    }
    match settlement {
        Settlement::Intent(leaf) => row.intent = Some(leaf),
        Settlement::Delivered => row.state = OutboxState::Delivered,
        Settlement::Retry(due) => {
            row.due = due;
            row.lease = Instant::from_millis(0);
        }
        Settlement::Dead(reason) => {
            row.state = OutboxState::Dead;
            row.reason = Some(reason);
        }
        Settlement::Again(due) => {
            row.state = OutboxState::Waiting;
            row.due = due;
            row.lease = Instant::from_millis(0);
            row.reason = None;
        }
    }
    tables.set_outbox(&row)
}
