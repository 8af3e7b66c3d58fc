//! A running node without sockets: ledger, store and use cases opened as the gateway opens them, and its two doors as functions.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll, Waker};

use arc_swap::ArcSwap;
use bytes::Bytes;
use dukou_audit::storage::Faulty;
use dukou_audit::{
    Access, Client, ClientId, Clock, ClosedReason, Decision, Failure, Gate, Grant, Interaction, Keys, Ledger,
    ManualClock, Opened, Options, Outcome, Peer, Pending, Permit, Purpose, Reach, Receipt, Recorded, RequestId, Rights,
    SeededRandom, Settled,
};
use dukou_exchange::{
    Arrival, Error, Exchange, IngestStep, Ingested, Integrity, Limits, Link, ReportedPolicy, Surroundings,
};
use dukou_fhir::Offset;
use dukou_mapping::Program;
use dukou_store::Store;
use dukou_store::model::Model;

use super::contest::Contest;
use super::rows::Rows;

/// The model that is shipped.
pub(crate) static MODEL: LazyLock<Arc<dukou_exchange::Model>> = LazyLock::new(|| {
    let text = include_str!("../../mappings/identity/model.toml");
    Arc::new(dukou_exchange::Model::load("model.toml", text).unwrap())
});

/// What outlives a restart: time, randomness, maps and the count of requests.
#[derive(Clone)]
pub(crate) struct Ground {
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) entropy: Arc<SeededRandom>,
    pub(crate) program: Arc<ArcSwap<Program>>,
    pub(crate) requests: Arc<AtomicU64>,
    pub(crate) segment_bytes: u64,
}

/// A node between two crashes.
pub(crate) struct Node {
    pub(crate) ledger: Ledger,
    pub(crate) gate: Gate,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) model: Option<Arc<Model>>,
    pub(crate) contest: Arc<Contest>,
    pub(crate) exchange: Exchange,
    pub(crate) ground: Ground,
}

/// Where the power goes while a request is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    /// Nowhere.
    Never,
    /// After this many commits that went well, between the store and the ledger.
    BehindCommit(usize),
}

/// An answer that left the house, and the record that was made for it.
#[derive(Clone, Debug)]
pub(crate) struct Left<T> {
    pub(crate) answer: T,
    pub(crate) receipt: Receipt,
    pub(crate) request: RequestId,
}

/// What a sender got for one message: the answers of its steps, and whether it was all.
pub(crate) struct Delivered {
    pub(crate) steps: Vec<Left<Ingested>>,
    pub(crate) answered: bool,
}

impl Node {
    /// Opens everything in the gateway's order: ledger, store, the rows that the ledger lacks, then the gate.
    pub(crate) fn open(ground: &Ground, disk: &Faulty, rows: &Rows) -> Result<Node, String> {
        let clock: Arc<dyn Clock> = ground.clock.clone();
        let files = Arc::new(disk.clone());
        let opened = Ledger::open(files, keys(), options(ground.segment_bytes), clock, ground.entropy.clone());
        let Opened { mut ledger, gate, seal, last_jseq, .. } = opened.map_err(|error| error.to_string())?;
        let (store, model) = rows.open(seal, ground.clock.clone());
        let mut pending = Vec::new();
        loop {
            let after = pending.last().map_or(last_jseq, |(jseq, _)| *jseq);
            let page = store.pending_records(after, PENDING_PAGE).unwrap();
            let ended = page.len() < PENDING_PAGE;
            pending.extend(page);
            if ended {
                break;
            }
        }
        ledger.complete(store.last_jseq().unwrap(), pending).map_err(|error| error.to_string())?;
        let contest = Arc::new(Contest::over(Arc::clone(&store)));
        let surroundings = Surroundings {
            clock: ground.clock.clone(),
            random: ground.entropy.clone(),
            site: "86H01".to_owned(),
            zone: east(),
            zone_text: "+08:00".to_owned(),
            public_base: None,
            integrity: Integrity::Enforce,
            reported: ReportedPolicy::default(),
            systems: Arc::default(),
            model: Arc::clone(&MODEL),
            limits: Limits::default(),
        };
        let exchange = Exchange::new(contest.clone(), Arc::clone(&ground.program), surroundings);
        let node = Node { ledger, gate, store, model, contest, exchange, ground: ground.clone() };
        node.load_people()?;
        Ok(node)
    }

    /// Builds what is derived from the store, before any door opens.
    fn load_people(&self) -> Result<(), String> {
        let loaded = self.ask("dukou", Interaction::Operation("load-people"), Cut::Never, |exchange, permit| {
            Ok(Settled::Unchanged(permit.without_patient_data(exchange.load_people(permit, 1)?)))
        });
        match loaded {
            Some(Left { answer: Ok(_), .. }) => Ok(()),
            Some(Left { answer: Err(error), .. }) => Err(error.to_string()),
            None => Err("the gate is closed".to_owned()),
        }
    }

    /// Whether a write failed somewhere, so that the process has to end.
    pub(crate) fn is_poisoned(&self) -> bool {
        self.ledger.poisoned() || self.store.poisoned()
    }

    /// The MLLP door: one message through all steps that its sender asks for.
    pub(crate) fn deliver(&self, client: &str, link: &Link, raw: &Bytes, cut: Cut) -> Delivered {
        let mut delivered = Delivered { steps: Vec::new(), answered: false };
        for (n, step) in link.steps(raw).iter().enumerate() {
            let here = if cut == Cut::BehindCommit(n) { cut } else { Cut::Never };
            let Some(left) = self.cross(client, link, raw, *step, here) else { return delivered };
            let ended = left.answer.code != *b"CA";
            delivered.steps.push(left);
            if ended {
                break;
            }
        }
        delivered.answered = true;
        delivered
    }

    /// What the start takes up: messages of a link that were accepted and not applied. Their answers leave with a resend.
    pub(crate) fn resume(&self, link: &Link) -> Vec<(String, Bytes, Left<Ingested>)> {
        let kept = self.ask("dukou", Interaction::Operation("resume"), Cut::Never, |exchange, permit| {
            Ok(Settled::Unchanged(exchange.unfinished(permit, &link.name)?))
        });
        let Some(Left { answer: Ok(kept), .. }) = kept else { return Vec::new() };
        let applied = kept.into_iter().filter_map(|(client, raw)| {
            let left = self.cross(&client, link, &raw, IngestStep::Apply, Cut::Never)?;
            Some((client, raw, left))
        });
        applied.collect()
    }

    /// One step of one message behind the gate.
    fn cross(&self, client: &str, link: &Link, raw: &Bytes, step: IngestStep, cut: Cut) -> Option<Left<Ingested>> {
        let arrival = Arrival::open(raw, client, link);
        let mut access = self.access(client, Interaction::Ingest);
        access.message = Some(arrival.reference());
        let request = access.request;
        let pending = self.gate.write(access, |permit| {
            let settled = self.exchange.ingest(permit, &arrival, step).map_err(Refused::Exchange)?;
            Ok(settled.map(|done| {
                let outcome = Outcome::ack(done.code);
                Shell { answer: done, outcome }
            }))
        });
        if cut != Cut::Never {
            return None;
        }
        let (answer, receipt) = self.wait(pending)?;
        Some(Left { answer: answer.ok()?, receipt, request })
    }

    /// The FHIR door: runs a use case behind the gate. `None`: no answer left but a constant.
    pub(crate) fn ask<T>(
        &self,
        client: &str,
        interaction: Interaction,
        cut: Cut,
        run: impl FnOnce(&Exchange, &Permit<'_>) -> Result<Settled<T>, Error>,
    ) -> Option<Left<Result<T, Error>>> {
        let access = self.access(client, interaction);
        let request = access.request;
        let run = |permit: &Permit<'_>| -> Result<Settled<Shell<T>>, Refused> {
            let settled = run(&self.exchange, permit).map_err(Refused::Exchange)?;
            Ok(settled.map(|answer| Shell { answer, outcome: Outcome::http(200) }))
        };
        let reads =
            matches!(interaction, Interaction::Read | Interaction::Vread | Interaction::Search | Interaction::History);
        let pending = if reads {
            self.gate.read(access, |permit| match run(permit)? {
                Settled::Unchanged(unreleased) => Ok(unreleased),
                Settled::Committed(_) => panic!("a read has written"),
            })
        } else {
            self.gate.write(access, run)
        };
        if cut != Cut::Never {
            return None;
        }
        let (answer, receipt) = self.wait(pending)?;
        let answer = match answer {
            Ok(answer) => Ok(answer),
            Err(Refused::Exchange(error)) => Err(error),
            Err(Refused::Gate(failure)) => panic!("the gate failed: {failure}"),
        };
        Some(Left { answer, receipt, request })
    }

    /// Looks at everything, for the checks: nothing of it leaves the house. `None` while the gate is closed.
    pub(crate) fn look<R>(&self, look: impl FnOnce(&dyn Store, &Permit<'_>) -> R) -> Option<R> {
        let mut seen = None;
        let pending = self.gate.write(self.access("observer", Interaction::Other), |permit| {
            seen = Some(look(&*self.store, permit));
            let shell = Shell { answer: (), outcome: Outcome::http(200) };
            Ok::<_, Refused>(Settled::Unchanged(permit.without_patient_data(shell)))
        });
        self.wait(pending)?.0.ok()?;
        seen
    }

    /// Turns the ledger until the record is durable or refused.
    fn wait<T>(&self, mut pending: Pending<Shell<T>, Refused>) -> Option<(Result<T, Refused>, Receipt)> {
        for _ in 0..TURNS_MAX {
            match Pin::new(&mut pending).poll(&mut Context::from_waker(Waker::noop())) {
                Poll::Ready(Ok(released)) => {
                    let receipt = released.receipt().unwrap().clone();
                    return Some((released.into_inner().map(|shell| shell.answer), receipt));
                }
                Poll::Ready(Err(closed)) => {
                    assert_ne!(closed.reason(), ClosedReason::NotServing, "a node serves once it is open");
                    // The constant that leaves is counted; a receiver takes it for no answer.
                    drop(closed.release(()));
                    return None;
                }
                Poll::Pending => {
                    self.ground.clock.pass(50_000_000);
                    self.ledger.tick();
                }
            }
        }
        panic!("an answer that never comes");
    }

    fn access(&self, client: &str, interaction: Interaction) -> Access {
        let number = self.ground.requests.fetch_add(1, Ordering::Relaxed);
        let mut request = [0; 16];
        request[8..].copy_from_slice(&number.to_be_bytes());
        let id = ClientId::parse(client).unwrap();
        Access {
            request: RequestId(request),
            interaction,
            route: 1,
            client: Client { id, organisation: None, certificate_sha256: None, subject_dn: None },
            peer: Peer { address: "192.0.2.7".to_owned(), port: 40_000, terminal: None },
            user: None,
            purpose: Purpose { codes: vec!["TREAT".to_owned()], ..Purpose::default() },
            decision: Decision { permit: true, ..Decision::default() },
            reach: Reach {
                grants: vec![Grant { resource: "*".to_owned(), rights: Rights::ALL, patient: None }],
                ..Reach::default()
            },
            query: None,
            message: None,
            trace: None,
            started_ns: self.ground.clock.wall_ns(),
        }
    }
}

/// An answer on its way out of the gate.
struct Shell<T> {
    answer: T,
    outcome: Outcome,
}

impl<T> Recorded for Shell<T> {
    fn outcome(&self) -> Outcome {
        self.outcome
    }
}

enum Refused {
    Exchange(Error),
    Gate(Failure),
}

impl Recorded for Refused {
    fn outcome(&self) -> Outcome {
        match self {
            Refused::Exchange(Error::Unavailable(_)) => Outcome::http(503),
            Refused::Exchange(_) => Outcome::http(400),
            Refused::Gate(_) => Outcome::http(500),
        }
    }
}

impl From<Failure> for Refused {
    fn from(failure: Failure) -> Refused {
        Refused::Gate(failure)
    }
}

pub(crate) fn keys() -> Keys {
    Keys::generate(&SeededRandom::new(86)).unwrap()
}

/// Small segments, so that a run crosses several.
pub(crate) fn options(segment_bytes: u64) -> Options {
    Options {
        threads: false,
        segment_bytes,
        first_segment_bytes: 64 << 10,
        reserve_bytes: 64 << 10,
        note_leaves: 40,
        ..Options::default()
    }
}

/// China has one zone.
pub(crate) fn east() -> Offset {
    Offset::from_minutes(480).unwrap()
}

const PENDING_PAGE: usize = 3;
const TURNS_MAX: usize = 200;
