//! MLLP framing (HL7 v2 appendix C; Minimal Lower Layer Protocol, release 1): a frame is `0B` payload `1C 0D`. Release 2
//! adds commit acknowledgements, frames of one byte: the receiver has stored the message, or has not.
//!
//! The decoder has no socket and no timer: bytes are fed, frames are taken, and the result does not depend on how the
//! stream was cut.

use crate::charset::looks_like_utf16;
use crate::issue::{Issue, IssueCode};
use crate::{Limits, Site};

/// What a stream yields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A frame with a payload.
    Frame(Frame),
    /// A frame without a payload: no message, and no answer is owed.
    KeepAlive,
    /// A commit acknowledgement, on links of release 2: the message sent last is stored by the receiver, or it is not
    /// and is to be sent again. Until one comes the sender keeps the message.
    Commit {
        /// The message is stored.
        stored: bool,
    },
}

/// The payload of one frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// The number of the frame on this connection, from 1.
    pub sequence: u64,
    /// What stood between start and end block.
    pub payload: Vec<u8>,
    /// Bytes discarded before the frame's start block.
    pub stray_bytes: u32,
    /// What was odd about the framing; offsets are those of the payload.
    pub issues: Vec<Issue>,
}

/// Why a stream cannot go on. Every error poisons the decoder: the caller closes the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// Too many bytes came before a start block.
    #[error("{bytes} bytes without a start block, {}", .looks_like.text())]
    Preamble {
        /// Bytes discarded.
        bytes: usize,
        /// What the sender seems to speak.
        looks_like: LooksLike,
    },
    /// A frame is larger than allowed.
    #[error("a frame is larger than {limit} bytes")]
    FrameTooLarge {
        /// The limit, in bytes.
        limit: usize,
    },
    /// The payload is UTF-16, which this protocol cannot carry.
    #[error("the frame holds UTF-16")]
    Utf16,
    /// The stream ended inside a frame.
    #[error("the stream ended after {bytes} bytes of a frame")]
    Truncated {
        /// Payload bytes received.
        bytes: usize,
    },
    /// The stream had failed before.
    #[error("the stream has already failed")]
    Poisoned,
}

/// What the bytes on a wrong port look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LooksLike {
    /// A TLS handshake.
    Tls,
    /// An HTTP request.
    Http,
    /// Nothing known.
    Unknown,
}

impl LooksLike {
    fn of(head: &[u8]) -> Self {
        if head.starts_with(b"\x16\x03") {
            Self::Tls
        } else if [&b"GET "[..], b"POST", b"PUT ", b"HEAD"].iter().any(|method| head.starts_with(method)) {
            Self::Http
        } else {
            Self::Unknown
        }
    }

    fn text(self) -> &'static str {
        match self {
            Self::Tls => "which look like TLS",
            Self::Http => "which look like HTTP",
            Self::Unknown => "of no known protocol",
        }
    }
}

/// Why a payload cannot be framed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// The payload holds `1C 0D`.
    #[error("the payload holds an end block at byte {at}")]
    HoldsEnd {
        /// Where.
        at: usize,
    },
    /// The payload starts with `0B`.
    #[error("the payload starts with a start block")]
    StartsWithStart,
    /// The payload is empty: it would be a keep-alive.
    #[error("the payload is empty")]
    Empty,
}

/// Appends a frame of `payload` to `out`.
///
/// # Errors
/// When the payload could not be read back.
pub fn encode(payload: &[u8], out: &mut Vec<u8>) -> Result<(), EncodeError> {
    match payload.first() {
        None => return Err(EncodeError::Empty),
        Some(&START) => return Err(EncodeError::StartsWithStart),
        Some(_) => {}
    }
    if let Some(at) = memchr::memmem::find(payload, &[END, CR]) {
        return Err(EncodeError::HoldsEnd { at });
    }
    out.reserve(payload.len() + 3);
    out.push(START);
    out.extend_from_slice(payload);
    out.extend_from_slice(&[END, CR]);
    Ok(())
}

/// The commit acknowledgement of release 2.
#[must_use]
pub fn commit(stored: bool) -> [u8; 4] {
    [START, if stored { ACK } else { NAK }, END, CR]
}

/// Cuts a byte stream into frames.
#[derive(Debug)]
pub struct Decoder {
    frame_bytes_max: usize,
    preamble_bytes_max: usize,
    lenient: bool,
    commits: bool,
    buffer: Vec<u8>,
    /// Where the unread bytes start in `buffer`: after the start block when a frame is open.
    start: usize,
    /// How far the open frame was searched for its end.
    searched: usize,
    open: bool,
    idle: bool,
    poisoned: bool,
    sequence: u64,
    stray: usize,
    stray_head: [u8; 4],
    abandoned: usize,
    spare: Vec<u8>,
}

impl Decoder {
    /// A decoder for one connection.
    #[must_use]
    pub fn new(limits: &Limits, site: &Site) -> Self {
        Self {
            frame_bytes_max: limits.frame_bytes_max,
            preamble_bytes_max: limits.preamble_bytes_max,
            lenient: site.lenient_end,
            commits: site.commit_acks,
            buffer: Vec::new(),
            start: 0,
            searched: 0,
            open: false,
            idle: false,
            poisoned: false,
            sequence: 0,
            stray: 0,
            stray_head: [0; 4],
            abandoned: 0,
            spare: Vec::new(),
        }
    }

    /// Takes bytes from the stream. Take all frames before feeding more: then memory stays below the frame limit plus
    /// one read.
    pub fn feed(&mut self, bytes: &[u8]) {
        if self.poisoned {
            return;
        }
        self.idle = false;
        if self.start > 0 {
            self.buffer.drain(..self.start);
            self.searched = self.searched.saturating_sub(self.start);
            self.start = 0;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// The next complete frame; `None` when more bytes are needed.
    ///
    /// # Errors
    /// When the stream cannot go on; the decoder is poisoned then.
    pub fn next_frame(&mut self) -> Result<Option<Event>, FrameError> {
        if self.poisoned {
            return Err(FrameError::Poisoned);
        }
        let result = self.advance();
        self.poisoned = result.is_err();
        result
    }

    /// The link has been silent for the idle limit: an open frame may end leniently or be given up for a later one.
    /// Call [`Self::next_frame`] afterwards.
    pub fn idle(&mut self) {
        self.idle = true;
    }

    /// The stream has ended.
    ///
    /// # Errors
    /// When a frame is open.
    pub fn end(&self) -> Result<(), FrameError> {
        if self.open { Err(FrameError::Truncated { bytes: self.pending_bytes() }) } else { Ok(()) }
    }

    /// Bytes held of a frame that is not complete.
    #[must_use]
    pub fn pending_bytes(&self) -> usize {
        self.buffer.len() - self.start
    }

    /// A start block came and its end block did not.
    #[must_use]
    pub fn frame_open(&self) -> bool {
        self.open
    }

    /// Takes back the payload of a frame that is no longer needed, so that the next one needs no allocation.
    pub fn recycle(&mut self, payload: Vec<u8>) {
        self.spare = payload;
    }

    fn advance(&mut self) -> Result<Option<Event>, FrameError> {
        if !self.open && !self.find_start()? {
            return Ok(None);
        }
        self.skip_doubled_start();
        if looks_like_utf16(&self.buffer[self.start..]) {
            return Err(FrameError::Utf16);
        }
        loop {
            if let Some((end, after, lenient)) = self.find_end() {
                return Ok(Some(self.take(end, after, lenient)));
            }
            let held = self.pending_bytes();
            let too_large = held >= self.frame_bytes_max.saturating_add(2);
            if !(too_large || self.idle) {
                return Ok(None);
            }
            if !self.resynchronise() {
                self.idle = false;
                let limit = self.frame_bytes_max;
                return if too_large { Err(FrameError::FrameTooLarge { limit }) } else { Ok(None) };
            }
        }
    }

    /// Discards bytes up to a start block.
    fn find_start(&mut self) -> Result<bool, FrameError> {
        let unread = &self.buffer[self.start..];
        let found = memchr::memchr(START, unread);
        let skipped = found.unwrap_or(unread.len());
        for (at, &b) in unread[..skipped].iter().enumerate().take(4) {
            if let Some(slot) = self.stray_head.get_mut(self.stray + at) {
                *slot = b;
            }
        }
        self.stray += skipped;
        self.start += skipped;
        if self.stray > self.preamble_bytes_max {
            let looks_like = LooksLike::of(&self.stray_head);
            return Err(FrameError::Preamble { bytes: self.preamble_bytes_max, looks_like });
        }
        if found.is_some() {
            self.start += 1;
            self.searched = self.start;
            self.open = true;
        }
        Ok(self.open)
    }

    /// `0B 0B`: an interface engine wrapped the frame twice.
    fn skip_doubled_start(&mut self) {
        while self.buffer.get(self.start) == Some(&START) {
            self.start += 1;
            self.stray += 1;
        }
        self.searched = self.searched.max(self.start);
    }

    /// The end of the payload, where the next bytes start, and whether the end was a lenient one.
    fn find_end(&mut self) -> Option<(usize, usize, bool)> {
        let limit = self.start.saturating_add(self.frame_bytes_max);
        let window = self.buffer.len().min(limit.saturating_add(2));
        while let Some(found) = memchr::memchr(END, &self.buffer[self.searched..window]) {
            let at = self.searched + found;
            match self.buffer[..window].get(at + 1) {
                Some(&CR) => return Some((at, at + 2, false)),
                Some(&LF) if self.lenient => return Some((at, at + 2, true)),
                Some(&START) if self.lenient => return Some((at, at + 1, true)),
                Some(_) => self.searched = at + 1,
                None if self.lenient && self.idle => return Some((at, at + 1, true)),
                None => {
                    self.searched = at;
                    return None;
                }
            }
        }
        self.searched = window;
        None
    }

    fn take(&mut self, end: usize, after: usize, lenient: bool) -> Event {
        let mut payload = std::mem::take(&mut self.spare);
        payload.clear();
        payload.extend_from_slice(&self.buffer[self.start..end]);
        (self.start, self.searched, self.open) = (after, after, false);
        let wordless = match payload.as_slice() {
            [] => Some(Event::KeepAlive),
            [byte @ (ACK | NAK)] if self.commits => Some(Event::Commit { stored: *byte == ACK }),
            _ => None,
        };
        if let Some(event) = wordless {
            self.spare = payload;
            (self.stray, self.abandoned) = (0, 0);
            return event;
        }
        self.sequence += 1;
        let length = payload.len() as u32;
        let mut issues = Vec::new();
        if self.abandoned > 0 {
            issues.push(Issue::new(IssueCode::FrameAbandoned, 0).with_numbers(0, self.abandoned as u64));
        }
        if self.stray > 0 {
            issues.push(Issue::new(IssueCode::FrameStrayBytes, 0).with_numbers(0, self.stray as u64));
        }
        if let Some(at) = inner_start(&payload) {
            issues.push(Issue::new(IssueCode::FrameInside, at as u32));
        }
        if lenient {
            issues.push(Issue::new(IssueCode::FrameLenientEnd, length));
        }
        let stray_bytes = std::mem::take(&mut self.stray) as u32;
        self.abandoned = 0;
        Event::Frame(Frame { sequence: self.sequence, payload, stray_bytes, issues })
    }

    /// Gives up the open frame for a later one inside it: the last start block that a header follows.
    fn resynchronise(&mut self) -> bool {
        let window = self.buffer.len().min(self.start.saturating_add(self.frame_bytes_max).saturating_add(2));
        let Some(at) = inner_start(&self.buffer[self.start..window]) else { return false };
        self.abandoned += at;
        self.start += at + 1;
        self.searched = self.start;
        true
    }
}

/// The last start block inside a payload that a header follows.
fn inner_start(payload: &[u8]) -> Option<usize> {
    memchr::memrchr_iter(START, payload)
        .find(|&at| [&b"MSH"[..], b"FHS", b"BHS"].iter().any(|id| payload[at + 1..].starts_with(id)))
}

const START: u8 = 0x0B;
const END: u8 = 0x1C;
const CR: u8 = 0x0D;
const LF: u8 = 0x0A;
const ACK: u8 = 0x06;
const NAK: u8 = 0x15;
