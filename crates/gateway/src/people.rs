//! What stands before any door opens: the index of people, built from what is stored, and the authorities of their numbers.

use dukou_audit::{Failure, Interaction, Outcome, Recorded, Settled};
use dukou_fhir::Instant;

use crate::site::{Site, SiteError};

/// Builds the index. That it was done, or why not, stands in the ledger.
pub(crate) fn load(site: &Site) -> Result<(), SiteError> {
    let now_ms = || Instant::from_nanos(site.clock.wall_ns()).as_millis();
    let began_ms = now_ms();
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let mut failed = None;
    let access = site.own_access(Interaction::Operation("load-people"));
    let pending = site.gate.write(access, |permit| match site.exchange.load_people(permit, threads) {
        Ok(records) => Ok(Settled::Unchanged(permit.without_patient_data(Loaded(records)))),
        Err(error) => {
            failed = Some(error);
            Err(NotLoaded)
        }
    });
    match (pending.wait().map(dukou_audit::Released::into_inner), failed) {
        (Ok(Ok(Loaded(records))), _) => {
            tracing::info!(records, took_ms = now_ms() - began_ms, "the index of people stands");
            Ok(())
        }
        (_, Some(error)) => Err(SiteError::People(error)),
        _ => Err(SiteError::Record),
    }
}

/// Stores the authorities of patient numbers as NamingSystem resources, where the files say something new.
pub(crate) fn publish_systems(site: &Site) -> Result<(), SiteError> {
    let mut failed = None;
    let access = site.own_access(Interaction::Operation("publish-systems"));
    let pending = site.gate.write(access, |permit| {
        site.exchange.publish_systems(permit).map(|settled| settled.map(Loaded)).map_err(|error| {
            failed = Some(error);
            NotLoaded
        })
    });
    match (pending.wait().map(dukou_audit::Released::into_inner), failed) {
        (Ok(Ok(Loaded(written))), _) => {
            tracing::info!(written, "the authorities of patient numbers are published");
            Ok(())
        }
        (_, Some(error)) => Err(SiteError::Systems(error)),
        _ => Err(SiteError::Record),
    }
}

/// How many records were read, or written.
struct Loaded(usize);

impl Recorded for Loaded {
    fn outcome(&self) -> Outcome {
        Outcome::default()
    }
}

/// It could not be done; the operator is told why, the ledger that.
struct NotLoaded;

impl Recorded for NotLoaded {
    fn outcome(&self) -> Outcome {
        Outcome { fhir: 8, ..Outcome::default() }.issue("unavailable")
    }
}

impl From<Failure> for NotLoaded {
    fn from(_: Failure) -> Self {
        NotLoaded
    }
}
