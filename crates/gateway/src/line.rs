//! One connection under an HTTP listener: its framing is followed, and every wait on it ends.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

use crate::framing::Framing;

/// A stream that hands on only what has one reading, and that ends when its peer is too slow.
pub(crate) struct Line<S> {
    stream: S,
    framing: Framing,
    waits: Waits,
    /// Requests that are being answered: while there are some, silence of the peer is no idleness.
    open: Open,
    /// What is handed on before anything else, and then nothing more.
    last: Option<&'static [u8]>,
    /// When the head that is being read began.
    head_since: Option<Instant>,
    /// When bytes last moved, in either direction.
    moved: Instant,
    timer: Pin<Box<Sleep>>,
}

/// How long a peer may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Waits {
    /// From the first byte of a head to its last; the first head counts from the opening of the connection.
    pub(crate) head: Duration,
    /// Without a byte in either direction.
    pub(crate) idle: Duration,
}

/// What one connection still owes its peer.
#[derive(Debug, Clone, Default)]
pub(crate) struct Open(Arc<Owed>);

#[derive(Debug, Default)]
struct Owed {
    /// Requests that are being answered.
    requests: AtomicUsize,
    /// An answer waits for the peer to read.
    unread: AtomicBool,
}

/// One request that is being answered.
#[derive(Debug)]
pub(crate) struct Answering(Open);

impl Open {
    /// One more, until the value is dropped.
    pub(crate) fn enter(&self) -> Answering {
        self.0.requests.fetch_add(1, Ordering::Relaxed);
        Answering(self.clone())
    }

    /// Nothing is being answered, and no answer waits for the peer to read it.
    pub(crate) fn idle(&self) -> bool {
        !self.any() && !self.0.unread.load(Ordering::Relaxed)
    }

    fn any(&self) -> bool {
        self.0.requests.load(Ordering::Relaxed) > 0
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.0.0.requests.fetch_sub(1, Ordering::Relaxed);
    }
}

impl<S> Line<S> {
    /// A fresh connection.
    pub(crate) fn new(stream: S, waits: Waits, open: Open) -> Self {
        let now = Instant::now();
        Line {
            stream,
            framing: Framing::new(),
            waits,
            open,
            last: None,
            head_since: Some(now),
            moved: now,
            timer: Box::pin(tokio::time::sleep_until(now + waits.head.min(waits.idle))),
        }
    }

    /// Called where the stream has nothing for us: whether the peer has had its time. Otherwise the task is woken when it has.
    fn overdue(&mut self, cx: &mut Context<'_>, reading: bool) -> bool {
        loop {
            let now = Instant::now();
            let deadline = match self.head_since.filter(|_| reading) {
                Some(since) => since + self.waits.head,
                None if reading && self.open.any() => now + self.waits.idle,
                None => self.moved + self.waits.idle,
            };
            if now >= deadline {
                return true;
            }
            // A timer that is early is only looked at again; setting it anew for every byte would cost more.
            if self.timer.deadline() > deadline || self.timer.is_elapsed() {
                self.timer.as_mut().reset(deadline);
            }
            if self.timer.as_mut().poll(cx).is_pending() {
                return false;
            }
        }
    }

    /// Looks at what was just read into `buffer` behind `before`.
    fn arrived(&mut self, buffer: &mut ReadBuf<'_>, before: usize) {
        self.moved = Instant::now();
        if let Err(refused) = self.framing.look(&buffer.filled()[before..]) {
            buffer.set_filled(before + refused.after);
            self.last = Some(if refused.in_head { NO_HEAD } else { b"" });
        }
        self.head_since = self.framing.in_head().then(|| self.head_since.unwrap_or(self.moved));
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Line<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        if this.last.is_none() {
            match Pin::new(&mut this.stream).poll_read(cx, buffer) {
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Ready(Ok(())) if buffer.filled().len() == before => return Poll::Ready(Ok(())),
                Poll::Ready(Ok(())) => this.arrived(buffer, before),
                Poll::Pending if this.overdue(cx, true) => {
                    this.last = Some(if this.framing.in_head() { NO_HEAD } else { b"" });
                }
                Poll::Pending => return Poll::Pending,
            }
        }
        if let Some(last) = &mut this.last {
            let (now, later) = last.split_at(last.len().min(buffer.remaining()));
            buffer.put_slice(now);
            *last = later;
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> Line<S> {
    /// What a write came to; a peer that takes nothing for too long is given up.
    fn written<T>(&mut self, cx: &mut Context<'_>, result: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        self.open.0.unread.store(result.is_pending(), Ordering::Relaxed);
        match result {
            Poll::Ready(done) => {
                self.moved = Instant::now();
                Poll::Ready(done)
            }
            Poll::Pending if self.overdue(cx, false) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Line<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let result = Pin::new(&mut this.stream).poll_write(cx, bytes);
        this.written(cx, result)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let result = Pin::new(&mut this.stream).poll_write_vectored(cx, slices);
        this.written(cx, result)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let result = Pin::new(&mut this.stream).poll_flush(cx);
        this.written(cx, result)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let result = Pin::new(&mut this.stream).poll_shutdown(cx);
        this.written(cx, result)
    }
}

/// Ends any head that has begun in a way that hyper refuses: it answers 400 behind the answers that are still owed, and closes.
const NO_HEAD: &[u8] = b"\0\r\n\r\n";
