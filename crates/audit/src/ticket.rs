//! Waiting for durability: a ticket for each queued record, and the future built on it.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use crate::queue::Shared;
use crate::release::{Closed, ClosedReason, Receipt, Released};

/// What a caller of the gate gets in the end: a released answer or a released refusal, or the closed gate.
pub type Answer<T, E> = Result<Released<Result<T, E>>, Closed>;

/// A place in the ledger's queue. It ends when the record is durable or can no longer become so.
#[derive(Clone)]
pub struct Ticket(pub(crate) Arc<Slot>);

pub(crate) struct Slot {
    state: Mutex<State>,
    changed: Condvar,
    pub(crate) since_ns: u64,
}

enum State {
    Waiting(Option<Waker>),
    Durable { leaf: u64, hash: [u8; 32] },
    Failed(ClosedReason),
}

impl Slot {
    pub(crate) fn new(since_ns: u64) -> Arc<Self> {
        let state = Mutex::new(State::Waiting(None));
        Arc::new(Self { state, changed: Condvar::new(), since_ns })
    }

    pub(crate) fn durable(&self, leaf: u64, hash: [u8; 32]) {
        self.end(State::Durable { leaf, hash });
    }

    pub(crate) fn failed(&self, reason: ClosedReason) {
        self.end(State::Failed(reason));
    }

    /// The first end stands: an answer once refused for lateness stays refused.
    fn end(&self, end: State) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let State::Waiting(waker) = &mut *state {
            let waker = waker.take();
            *state = end;
            drop(state);
            self.changed.notify_all();
            if let Some(waker) = waker {
                waker.wake();
            }
        }
    }

    fn poll(&self, context: &mut Context<'_>) -> Poll<Result<(u64, [u8; 32]), ClosedReason>> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *state {
            State::Durable { leaf, hash } => Poll::Ready(Ok((*leaf, *hash))),
            State::Failed(reason) => Poll::Ready(Err(*reason)),
            State::Waiting(waker) => {
                *waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }

    pub(crate) fn wait(&self) -> Result<(u64, [u8; 32]), ClosedReason> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            match &*state {
                State::Durable { leaf, hash } => return Ok((*leaf, *hash)),
                State::Failed(reason) => return Err(*reason),
                State::Waiting(_) => {
                    state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                }
            }
        }
    }

    pub(crate) fn ended(&self) -> bool {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        !matches!(*state, State::Waiting(_))
    }
}

/// An answer whose record is on its way. A standard future that holds no thread; or [`Pending::wait`] blocks on it.
///
/// Dropping it changes nothing: the record was queued when the gate returned, so it may say that something was shown
/// though nothing arrived. That is the safe side.
#[must_use = "an answer that nobody waits for never leaves"]
pub struct Pending<T, E> {
    answer: Option<Result<T, E>>,
    place: Result<Ticket, ClosedReason>,
    shared: Arc<Shared>,
}

// The answer is moved out as a whole and never polled in place.
impl<T, E> Unpin for Pending<T, E> {}

impl<T, E> Pending<T, E> {
    pub(crate) fn queued(answer: Result<T, E>, ticket: Ticket, shared: Arc<Shared>) -> Self {
        Self { answer: Some(answer), place: Ok(ticket), shared }
    }

    pub(crate) fn closed(reason: ClosedReason, shared: Arc<Shared>) -> Self {
        Self { answer: None, place: Err(reason), shared }
    }

    /// Blocks until the record is durable. Not for a thread of an asynchronous runtime.
    ///
    /// # Errors
    /// [`Closed`] if the record cannot become durable (in time).
    pub fn wait(mut self) -> Answer<T, E> {
        let end = match &self.place {
            Ok(ticket) => {
                self.shared.drive(&ticket.0);
                ticket.0.wait()
            }
            Err(reason) => Err(*reason),
        };
        self.finish(end)
    }

    fn finish(&mut self, end: Result<(u64, [u8; 32]), ClosedReason>) -> Answer<T, E> {
        let closed = |reason| Closed { reason, counters: Arc::clone(&self.shared.counters) };
        let (leaf, hash) = end.map_err(closed)?;
        let receipt = Receipt { origin: Arc::clone(&self.shared.origin), leaf, hash };
        match self.answer.take() {
            Some(answer) => Ok(Released::new(answer, Some(receipt))),
            None => Err(closed(ClosedReason::Stopped)),
        }
    }
}

impl<T, E> Future for Pending<T, E> {
    type Output = Answer<T, E>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let end = match &self.place {
            Err(reason) => Err(*reason),
            Ok(ticket) => {
                self.shared.drive(&ticket.0);
                match ticket.0.poll(context) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(end) => end,
                }
            }
        };
        Poll::Ready(self.finish(end))
    }
}
