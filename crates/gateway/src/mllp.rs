//! The MLLP door: frames in, acknowledgements out, each after its record is durable.
//!
//! One connection is one queue: a frame is answered before the next one is looked at, so the order of a sender is kept and answers
//! cannot be mixed up. Where store or ledger refuse, nothing is answered and the connection is closed: the sender keeps its queue.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use dukou_access::{Certificate, Channel, Credential, Request};
use dukou_api::Crew;
use dukou_audit::{
    Access, Failure, Interaction, Outcome, Peer, Pending, Recorded, Released, RequestId, Settled, Summary,
};
use dukou_exchange::{Arrival, IngestStep, Ingested, Link};
use dukou_wire::mllp::{self, Decoder, Event, FrameError};
use dukou_wire::{batch, er7};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

use crate::site::Site;

/// What one listener needs to serve its connections.
pub(crate) struct Door {
    /// The parts of the node.
    pub(crate) site: Arc<Site>,
    /// Threads that carry messages across.
    pub(crate) crew: Arc<Crew>,
    /// Name of the listener in partner files and in the inbox.
    pub(crate) name: String,
    /// What was agreed with the senders.
    pub(crate) link: Link,
    /// Milliseconds a connection may idle.
    pub(crate) idle: Duration,
    /// Milliseconds from the first to the last byte of a frame.
    pub(crate) frame: Duration,
}

/// One peer on one connection.
pub(crate) struct Caller {
    /// Its address.
    pub(crate) peer: Peer,
    /// SHA-256 of its certificate.
    pub(crate) certificate: Option<[u8; 32]>,
    /// How the bytes arrive.
    pub(crate) channel: Channel,
}

/// What the door answers: the bytes of an acknowledgement, or none where the sender wants none.
struct Answer(Ingested);

impl Recorded for Answer {
    fn outcome(&self) -> Outcome {
        Outcome::ack(self.0.code)
    }

    fn body(&self) -> Option<&[u8]> {
        self.0.ack.as_deref()
    }
}

/// No answer is possible: the connection is closed.
struct Unanswered(&'static str);

impl Recorded for Unanswered {
    fn outcome(&self) -> Outcome {
        Outcome { fhir: 8, ..Outcome::default() }.issue(self.0)
    }
}

impl From<Failure> for Unanswered {
    fn from(_: Failure) -> Self {
        Self("internal")
    }
}

/// Why a connection ends.
enum End {
    /// The peer closed, or idled too long, or the node stops.
    Quiet,
    /// The stream is not MLLP, or breaks a limit.
    Broken(&'static str),
    /// Nothing can be accepted now, or the caller may not send.
    Refused,
}

impl Door {
    /// Serves one connection until it ends.
    pub(crate) async fn serve<S>(self: Arc<Self>, mut stream: S, caller: Caller, mut stop: watch::Receiver<bool>)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send,
    {
        let end = self.converse(&mut stream, &caller, &mut stop).await;
        match end {
            Ok(End::Quiet) => {}
            Ok(End::Refused) => {
                tracing::warn!(listener = %self.name, "an MLLP connection was closed without an answer")
            }
            Ok(End::Broken(what)) => {
                drop(self.site.gate.summarise(&caller.peer, Summary { what, status: 0, route: 0 }, ()));
                tracing::warn!(listener = %self.name, what, "an MLLP connection was closed");
            }
            Err(error) => tracing::debug!(listener = %self.name, %error, "an MLLP connection broke"),
        }
        // The peer may have gone; there is nothing left to tell it.
        let _gone = timeout(SHUTDOWN_MAX, stream.shutdown()).await;
    }

    async fn converse<S>(
        self: &Arc<Self>,
        stream: &mut S,
        caller: &Caller,
        stop: &mut watch::Receiver<bool>,
    ) -> io::Result<End>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send,
    {
        let mut decoder = Decoder::new(&self.link.limits, &self.link.site);
        let mut buffer = vec![0_u8; READ_BYTES];
        // When the frame that is open began.
        let mut begun: Option<Instant> = None;
        let mut spoken = false;
        loop {
            loop {
                match decoder.next_frame() {
                    Err(error) => return Ok(End::Broken(code_of(&error))),
                    Ok(None) => break,
                    // This side sends no messages, so nothing can be acknowledged to it.
                    Ok(Some(Event::KeepAlive | Event::Commit { .. })) => begun = None,
                    Ok(Some(Event::Frame(frame))) => {
                        begun = None;
                        if !self.answer(Bytes::from(frame.payload), caller, stream).await? {
                            return Ok(End::Refused);
                        }
                    }
                }
            }
            begun = decoder.frame_open().then(|| begun.unwrap_or_else(Instant::now));
            if *stop.borrow() && begun.is_none() {
                return Ok(End::Quiet);
            }
            let left = begun.map_or(self.idle, |begun| (begun + self.frame).saturating_duration_since(Instant::now()));
            if begun.is_some() && left.is_zero() {
                return Ok(End::Broken("frame-timeout"));
            }
            // Where a frame may end without its last byte, a short silence says that nothing follows.
            let silence = if begun.is_some() && self.link.site.lenient_end { left.min(LENIENT_SILENCE) } else { left };
            let read = tokio::select! {
                read = timeout(silence, stream.read(&mut buffer)) => read,
                _ = stop.changed(), if begun.is_none() => return Ok(End::Quiet),
            };
            match read {
                Err(_) if begun.is_none() => return Ok(End::Quiet),
                // What is open may end leniently, or give way to a later frame inside it.
                Err(_) => decoder.idle(),
                Ok(Err(error)) => return Err(error),
                Ok(Ok(0)) => return Ok(decoder.end().map_or_else(|e| End::Broken(code_of(&e)), |()| End::Quiet)),
                // Discarding in silence would leave whoever took the wrong port waiting.
                Ok(Ok(n)) if !spoken && speaks_otherwise(&buffer[..n]) => return Ok(End::Broken("mllp-preamble")),
                Ok(Ok(n)) => {
                    spoken = true;
                    decoder.feed(&buffer[..n]);
                }
            }
        }
    }

    /// Carries one message across and sends what is owed, each answer as soon as its own record is durable. False: nothing more may
    /// be answered.
    async fn answer<S>(self: &Arc<Self>, raw: Bytes, caller: &Caller, stream: &mut S) -> io::Result<bool>
    where
        S: AsyncWrite + Unpin,
    {
        if raw.starts_with(b"FHS") || raw.starts_with(b"BHS") {
            return self.answer_batch(&raw, caller, stream).await;
        }
        let Ok(access) = self.decide(caller) else { return Ok(false) };
        let steps = self.link.steps(&raw);
        let mut out = Vec::new();
        let mut committed = false;
        for step in steps {
            let Some(ingested) = self.step(raw.clone(), access.clone(), *step).await else {
                return self.leave(committed, stream).await;
            };
            out.clear();
            self.commit(&mut committed, &mut out);
            if let Some(ack) = ingested.ack
                && mllp::encode(&ack, &mut out).is_err()
            {
                return Ok(false);
            }
            // A sender that reads no answers must not hold its place for ever.
            timeout(self.frame, stream.write_all(&out)).await??;
            if ingested.code != *b"CA" {
                break;
            }
        }
        Ok(true)
    }

    /// A frame that holds a batch is its messages one after another, each with its own record. Their answers leave as one batch when
    /// all of them are durable; a batch sent again gets the stored ones (HL7 v2 chapter 2, batch protocol).
    async fn answer_batch<S>(self: &Arc<Self>, raw: &Bytes, caller: &Caller, stream: &mut S) -> io::Result<bool>
    where
        S: AsyncWrite + Unpin,
    {
        let mut heard = Vec::new();
        for part in batch::Reader::new(raw, &self.link.limits) {
            let Ok(access) = self.decide(caller) else { return Ok(false) };
            let message = raw.slice_ref(part.bytes);
            let Some(ingested) = self.step(message, access, IngestStep::Whole).await else {
                return self.leave(false, stream).await;
            };
            heard.push((part, ingested.ack));
        }
        // Time and id of the batch are those of its first answer, so that a batch sent again gets the same bytes.
        let first = heard.iter().find_map(|(_, ack)| ack.as_deref().and_then(|ack| self.named(ack)));
        let (control_id, time) = first.unwrap_or_else(|| self.site.exchange.stamp());
        let mut answers = batch::Answers::new(&self.link.site, &time, &control_id);
        for (part, ack) in &heard {
            match ack {
                Some(ack) => answers.push(part, ack),
                None => answers.enter(part),
            }
        }
        let mut out = Vec::new();
        self.commit(&mut false, &mut out);
        if mllp::encode(&answers.finish(), &mut out).is_err() {
            return Ok(false);
        }
        timeout(self.frame, stream.write_all(&out)).await??;
        Ok(true)
    }

    /// Id and time of an answer.
    fn named(&self, ack: &[u8]) -> Option<(String, String)> {
        let (ack, _) = er7::parse(ack, &self.link.limits, &self.link.site).ok()?;
        let header = ack.header();
        Some((header.control_id().into_owned(), header.date_time().into_owned()))
    }

    /// On links of MLLP release 2: the message is stored, which is said once and before the answer of HL7.
    fn commit(&self, committed: &mut bool, out: &mut Vec<u8>) {
        if self.link.site.commit_acks && !std::mem::replace(committed, true) {
            out.extend(mllp::commit(true));
        }
    }

    /// Nothing more may be answered. On links of release 2 a sender that was not told otherwise hears that its message was not stored.
    async fn leave<S>(&self, committed: bool, stream: &mut S) -> io::Result<bool>
    where
        S: AsyncWrite + Unpin,
    {
        if self.link.site.commit_acks && !committed {
            timeout(self.frame, stream.write_all(&mllp::commit(false))).await??;
        }
        Ok(false)
    }

    /// One step of one message on a crew thread, behind the gate.
    async fn step(self: &Arc<Self>, raw: Bytes, access: Access, step: IngestStep) -> Option<Ingested> {
        let door = Arc::clone(self);
        let pending = self.crew.hand(move || door.through_the_gate(&raw, access, step)).ok()?.await.ok()?;
        match pending.await {
            Ok(released) => Released::into_inner(released).ok().map(|answer| answer.0),
            Err(closed) => {
                // Nothing leaves over MLLP while the ledger is closed; the constant is the silence, and it is counted.
                drop(closed.release(()));
                None
            }
        }
    }

    fn through_the_gate(&self, raw: &Bytes, mut access: Access, step: IngestStep) -> Pending<Answer, Unanswered> {
        let client = access.client.id.to_string();
        let arrival = Arrival::open(raw, &client, &self.link);
        access.message = Some(arrival.reference());
        cross(&self.site, access, &arrival, step)
    }

    fn decide(&self, caller: &Caller) -> Result<Access, ()> {
        let policy = self.site.policy.load();
        let random = self.site.random.as_ref();
        let certificate = caller.certificate.map(|sha256| Certificate { sha256, subject_dn: "" });
        let decision = policy.decide(&Request {
            request: RequestId::new(self.site.clock.as_ref(), random),
            interaction: Interaction::Ingest,
            route: MLLP_ROUTE,
            resource: None,
            id: None,
            patient: None,
            credential: if certificate.is_some() { Credential::None } else { Credential::Listener(&self.name) },
            certificate,
            channel: caller.channel,
            peer: caller.peer.clone(),
            merged: &|_| Vec::new(),
            purpose: None,
            user: None,
            query: None,
            trace: None,
            started_ns: self.site.clock.wall_ns(),
            meter: &self.site.meter,
        });
        decision.map_err(|refusal| {
            tracing::warn!(listener = %self.name, code = refusal.code.as_str(), "an MLLP sender was refused");
            match refusal.authenticated {
                Some(access) => {
                    // The answer is silence; its record is all that is wanted.
                    drop(self.site.gate.refuse(*access, Unanswered(refusal.code.as_str())));
                }
                None => {
                    let what = Summary { what: refusal.code.as_str(), status: 0, route: MLLP_ROUTE };
                    drop(self.site.gate.summarise(&caller.peer, what, ()));
                }
            }
        })
    }
}

fn cross(site: &Site, access: Access, arrival: &Arrival<'_>, step: IngestStep) -> Pending<Answer, Unanswered> {
    site.gate.write(access, |permit| match site.exchange.ingest(permit, arrival, step) {
        Ok(settled) => Ok(settled.map(Answer)),
        Err(error) => {
            tracing::warn!(%error, "a message was left unanswered");
            Err(Unanswered("unavailable"))
        }
    })
}

/// What a restart finds: messages accepted and not yet applied, each with its client.
struct Kept(Vec<(String, Bytes)>);

impl Recorded for Kept {
    fn outcome(&self) -> Outcome {
        Outcome::default()
    }
}

/// The messages of a link that a restart has to take up.
pub(crate) fn unfinished(site: &Site, link: &Link) -> Vec<(String, Bytes)> {
    let access = site.own_access(Interaction::Operation("resume"));
    let pending = site.gate.write(access, |permit| match site.exchange.unfinished(permit, &link.name) {
        Ok(kept) => Ok(Settled::Unchanged(kept.map(Kept))),
        Err(error) => {
            tracing::error!(%error, "unfinished messages could not be read");
            Err(Unanswered("unavailable"))
        }
    });
    match pending.wait() {
        Ok(released) => released.into_inner().map_or_else(|_| Vec::new(), |kept| kept.0),
        Err(_) => Vec::new(),
    }
}

/// Carries a message across that was accepted before a restart. Its answer has nobody to go to; it is stored and given to a resend.
pub(crate) fn apply_again(site: &Site, access: Access, arrival: &Arrival<'_>, step: IngestStep) -> bool {
    match cross(site, access, arrival, step).wait() {
        Ok(released) => released.into_inner().is_ok(),
        Err(_) => false,
    }
}

/// The first bytes are those of TLS or HTTP.
fn speaks_otherwise(first: &[u8]) -> bool {
    [&b"\x16\x03"[..], b"GET ", b"POST ", b"PUT ", b"HEAD ", b"OPTIONS ", b"PRI * "]
        .iter()
        .any(|start| first.starts_with(start))
}

/// A stable word for what ended a stream, for logs and summaries.
fn code_of(error: &FrameError) -> &'static str {
    match error {
        FrameError::Preamble { .. } => "mllp-preamble",
        FrameError::FrameTooLarge { .. } => "mllp-frame-too-large",
        FrameError::Utf16 => "mllp-utf-16",
        FrameError::Truncated { .. } => "mllp-truncated",
        _ => "mllp-failed",
    }
}

const READ_BYTES: usize = 64 * 1024;
const LENIENT_SILENCE: Duration = Duration::from_secs(1);
const SHUTDOWN_MAX: Duration = Duration::from_secs(5);

/// Number of this door in records; the HTTP routes count from 1.
pub(crate) const MLLP_ROUTE: u16 = 1_000;
