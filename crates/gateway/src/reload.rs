//! Maps of a running node: read again as a whole, and taken as a whole or not at all.
//!
//! A faulty set never replaces the running one; what is wrong goes to the log, each finding with file and line. A message in
//! flight ends on the plan with which it began. The ledger says of every plan when it was taken.

use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use dukou_audit::{Admin, Gate, Outcome};
use dukou_mapping::{Diagnostic, DiagnosticSeverity, Program};

use crate::config::Maps;
use crate::maps::{MapError, MapFiles};

/// The maps in use, and where they come from.
pub(crate) struct Plans {
    settings: Maps,
    site: String,
    program: Arc<ArcSwap<Program>>,
    /// Why the last reload was refused; one reload at a time.
    refused: Mutex<Option<String>>,
}

/// What a reload came to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Reload {
    /// New maps are in use; their hash in hex.
    Taken(String),
    /// The files say what is in use already.
    Same(String),
}

/// Why the running maps stay.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReloadError {
    /// The files cannot be read or an overlay is missing.
    #[error("reading the maps again")]
    Read(#[from] MapError),
    /// Faults in the files.
    #[error("{} errors in the maps, the first: {}", .0.len(), .0.first().map(ToString::to_string).unwrap_or_default())]
    Faults(Vec<Diagnostic>),
    /// The ledger does not take the record, so nothing changes.
    #[error("recording the new maps: the ledger is closed")]
    Record,
}

impl Plans {
    /// Maps that were loaded at the start.
    pub(crate) fn new(settings: Maps, site: String, program: Arc<ArcSwap<Program>>) -> Self {
        Plans { settings, site, program, refused: Mutex::new(None) }
    }

    /// The hash of the maps in use, in hex.
    pub(crate) fn hash(&self) -> String {
        hex(&self.program.load())
    }

    /// Why the last reload was refused, in a line; nothing when it was taken.
    pub(crate) fn refusal(&self) -> Option<String> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reads all files again. Takes a second; the messages of that second run on the maps of before.
    pub(crate) fn reload(&self, gate: &Gate) -> Result<Reload, ReloadError> {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        let done = self.read_again(gate);
        let outcome = match &done {
            Ok(Reload::Taken(hash)) => {
                tracing::info!(%hash, "new maps are in use");
                "taken"
            }
            Ok(Reload::Same(hash)) => {
                tracing::info!(%hash, "the maps have not changed");
                "same"
            }
            Err(error) => {
                tell(error);
                "refused"
            }
        };
        metrics::counter!("dukou_map_reloads_total", "outcome" => outcome).increment(1);
        metrics::gauge!("dukou_map_reload_refused").set(if done.is_err() { 1.0 } else { 0.0 });
        *refused = done.as_ref().err().map(ToString::to_string);
        done
    }

    fn read_again(&self, gate: &Gate) -> Result<Reload, ReloadError> {
        let program = MapFiles::of(&self.settings, Some(&self.site))?.check().map_err(|mut found| {
            found.retain(|one| one.severity == DiagnosticSeverity::Error);
            ReloadError::Faults(found)
        })?;
        let hash = hex(&program);
        if program.hash() == self.program.load().hash() {
            return Ok(Reload::Same(hash));
        }
        // The record comes first: no message is mapped by a plan that the ledger does not know.
        let detail = vec![("maps_sha256", hash.clone())];
        let act = Admin { access: None, act: "config-load", detail, outcome: Outcome::default() };
        gate.admin(&act).wait().map_err(|_| ReloadError::Record)?;
        self.program.store(Arc::new(program));
        Ok(Reload::Taken(hash))
    }
}

/// Each finding is a line of the log; a map file holds no patient data.
fn tell(error: &ReloadError) {
    let ReloadError::Faults(found) = error else {
        tracing::error!(error = %causes(error), "the maps were not read again; those of before stay in use");
        return;
    };
    tracing::error!(errors = found.len(), "the new maps have errors; those of before stay in use");
    for one in found.iter().take(LOGGED_MAX) {
        tracing::error!(code = one.code, at = %format!("{}:{}:{}", one.file, one.line, one.column), hint = %one.hint, "{}", one.text);
    }
}

/// An error with its causes in a line.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(&format!(": {inner}"));
        cause = inner.source();
    }
    text
}

fn hex(program: &Program) -> String {
    program.hash().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Findings of one reload in the log; `dukou map check` shows all.
const LOGGED_MAX: usize = 50;
