//! The only door to the store: every use case on a page.
//!
//! A message goes `wire -> mapping -> fhir -> store` in [`ingest`]; FHIR writes go through [`submit`]; reading is in [`read`]. Every method
//! takes a [`Permit`](dukou_audit::Permit), so nothing here can be reached past the gate, and gives back values that only the gate can release.
//!
//! This crate knows no HTTP, no socket, no clock and no SQL. Start with `ingest.rs`: whoever reads it has read the product.

mod apply;
mod capture;
pub mod cards;
mod commit;
mod crossref;
mod document;
mod domains;
mod error;
mod in_flight;
mod ingest;
pub mod issues;
mod journal;
mod kin;
mod linked;
mod links;
mod lookup;
mod matching;
mod merge;
mod moves;
mod naming;
mod patch;
mod people;
mod prepare;
mod read;
mod reported;
mod review;
mod submit;
mod told;
mod unmerge;

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwap;
use dukou_audit::{Clock, Random};
use dukou_fhir::{LogicalId, Offset, ResourceKey, ResourceType, search};
use dukou_mapping::Program;
use dukou_store::Store;
use dukou_store::warm::Warm;

pub use capture::{
    CaptureRequest, CaptureSite, Captured, Choice, HistorySource, HistoryView, MaskedCandidate, MaskedCard,
    MaskedNumber, Outside, ResolveRequest, Resolved, RevokeRequest, Revoked, SourceFault, SourceQuestion, Standing,
    TerminalGroup,
};
pub use crossref::{CrossReference, CrossReferenceFault, CrossReferenced};
pub use document::{Counts, Document, HeldDocument, Taken, is_document};
pub use dukou_identity::capture::{LifeRules, Medium};
pub use dukou_identity::{Bits, Explanation, Grade, Model, SiteKey, Systems};
pub use dukou_store::{
    Cursor, HistoryPage, HistoryQuery, HistoryScope, How, InboxKey, InboxRow, InboxState, Integrity, Page,
    SearchLimits, Version,
};
pub use error::{Disposition, Error};
pub use ingest::{Arrival, IngestStep, Ingested, Leaves, Link, v2_time};
pub use lookup::{CardFound, ShownCard};
pub use matching::{Match, MatchQuestion, Matched};
pub use merge::{MergeAsked, Merged, Party};
pub use patch::Patch;
pub use people::People;
pub use prepare::unmerge_not_here;
pub use reported::{OnReported, ReportedPolicy};
pub use review::{Decided, Pair, ReviewAction};
pub use submit::{Done, Effect, Entry, EntryResult, Mode, Operation, Statuses};
pub use unmerge::{UnmergeAsked, Unmerged};

/// The use cases over one store, one set of maps and one surrounding.
pub struct Exchange {
    store: Arc<dyn Store>,
    program: Arc<ArcSwap<Program>>,
    surroundings: Surroundings,
    counters: reported::ReportedCounters,
    people: People,
    in_flight: in_flight::InFlight,
    capture: Option<CaptureSite>,
    cards: cards::Cards,
    card_key: OnceLock<SiteKey>,
    warm: Option<Arc<Warm>>,
    warmed: AtomicU64,
}

/// Everything from outside that the use cases need: no globals, no environment.
#[derive(Clone)]
pub struct Surroundings {
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Random bytes for new ids.
    pub random: Arc<dyn Random>,
    /// Names the site; enters every id that is made from a message.
    pub site: String,
    /// Offset of local time, for values without one.
    pub zone: Offset,
    /// The same as written, `+08:00`.
    pub zone_text: String,
    /// The public base without a slash at its end: absolute URLs below it are our own resources.
    pub public_base: Option<String>,
    /// What happens to a write that leaves a reference without its target.
    pub integrity: Integrity,
    /// What happens to messages with leaves that no rule speaks of.
    pub reported: ReportedPolicy,
    /// The authorities of patient numbers and their aliases.
    pub systems: Arc<Systems>,
    /// How records are compared.
    pub model: Arc<Model>,
    /// Numbers on what can grow.
    pub limits: Limits,
}

/// Numbers on what can grow.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How often one write is prepared before it gives way.
    pub prepare_attempts_max: u32,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { prepare_attempts_max: 50 }
    }
}

impl Exchange {
    /// The use cases over a store and a set of maps. The maps may be swapped whole while messages are in flight: each message runs on
    /// those it began with.
    pub fn new(store: Arc<dyn Store>, program: Arc<ArcSwap<Program>>, surroundings: Surroundings) -> Exchange {
        let people = People::new(&surroundings);
        let counters = reported::ReportedCounters::default();
        let in_flight = in_flight::InFlight::default();
        let cards = cards::Cards::new(cards::CardLimits::default());
        let card_key = OnceLock::new();
        Exchange {
            store,
            program,
            surroundings,
            counters,
            people,
            in_flight,
            capture: None,
            cards,
            card_key,
            warm: None,
            warmed: AtomicU64::new(0),
        }
    }

    /// The same use cases, and cards are captured.
    #[must_use]
    pub fn with_capture(mut self, site: CaptureSite) -> Exchange {
        self.capture = Some(site);
        self
    }

    /// The same use cases with other numbers on the cards that are held.
    #[must_use]
    pub fn with_cards(mut self, limits: cards::CardLimits) -> Exchange {
        self.cards = cards::Cards::new(limits);
        self
    }

    /// The same use cases with what an earlier run left of its cards. It is used only with a key of the site, under which it was left.
    #[must_use]
    pub fn with_warm_cards(mut self, warm: Arc<Warm>) -> Exchange {
        self.warm = self.capture.is_some().then_some(warm);
        self
    }

    /// What this exchange was given from outside.
    pub fn surroundings(&self) -> &Surroundings {
        &self.surroundings
    }

    /// A key that nothing has yet: 128 random bits in lower-case hexadecimal.
    fn new_key(&self, kind: ResourceType) -> ResourceKey {
        let mut bytes = [0_u8; 16];
        self.surroundings.random.fill(&mut bytes);
        let text = ingest::hexadecimal(&bytes);
        let id = LogicalId::parse(&text).unwrap_or_else(|| unreachable!("32 hexadecimal digits are an id"));
        ResourceKey::new(kind, id)
    }

    /// What stored resources and queries are read by.
    pub fn search_site(&self) -> search::Site<'_> {
        search::Site { zone: self.surroundings.zone, base: self.surroundings.public_base.as_deref() }
    }

    fn mapping_site(&self) -> dukou_mapping::Site<'_> {
        dukou_mapping::Site { id: &self.surroundings.site, zone: &self.surroundings.zone_text }
    }

    /// Control id and time (MSH-10, MSH-7) of an acknowledgement that is made now.
    pub fn stamp(&self) -> (String, String) {
        let mut bytes = [0_u8; 8];
        self.surroundings.random.fill(&mut bytes);
        let control_id = format!("{:016X}", u64::from_be_bytes(bytes));
        let now = dukou_fhir::Instant::from_nanos(self.surroundings.clock.wall_ns());
        (control_id, crate::ingest::v2_time(now, self.surroundings.zone))
    }
}
