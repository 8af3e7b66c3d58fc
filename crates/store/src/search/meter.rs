//! What a search may cost, and what it has cost.

use std::cell::Cell;

use crate::error::Error;
use crate::tables::View;

/// The tables, and the work done on them: postings touched and bodies checked.
pub(super) struct Context<'v> {
    pub(super) view: &'v dyn View,
    limit: u64,
    spent: Cell<u64>,
}

impl<'v> Context<'v> {
    pub(super) fn new(view: &'v dyn View, limit: u64) -> Context<'v> {
        Context { view, limit, spent: Cell::new(0) }
    }

    /// Counts work done for a criterion; past the limit the whole search is refused, never cut.
    pub(super) fn spend(&self, units: usize, conjunct: &str) -> Result<(), Error> {
        let spent = self.spent.get() + units as u64;
        self.spent.set(spent);
        if spent > self.limit { Err(self.too_costly(conjunct)) } else { Ok(()) }
    }

    pub(super) fn too_costly(&self, conjunct: &str) -> Error {
        Error::TooCostly { conjunct: conjunct.to_owned(), limit: self.limit }
    }

    pub(super) fn spent(&self) -> u64 {
        self.spent.get()
    }
}
