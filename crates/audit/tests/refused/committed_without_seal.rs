// Neither a commit nor a read can be claimed without the store's seal, and the seal cannot be made.
use dukou_audit::{Committed, Shown, StoreSeal, Unreleased};

fn claim(ticket: dukou_audit::Ticket) {
    let _ = Committed::new("data", ticket);
    let _ = Unreleased::new("data", Shown::default());
    let _ = StoreSeal {};
}

fn main() {}
