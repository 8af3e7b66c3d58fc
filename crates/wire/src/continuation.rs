//! Messages that come in several pieces: HL7 v2 chapter 2, continuation messages and segments, DSC and ADD.
//!
//! A piece ends with DSC, whose first field is a pointer; the next piece carries the pointer in MSH-14. A segment may be
//! cut at any byte, even inside an escape or a character, so pieces are joined before they are decoded: what follows
//! `ADD|` is appended to the last segment of the piece before. Each piece is a message with a control id of its own and
//! is acknowledged by itself, so nothing is lost at a crash as long as the caller has stored it: pushing the stored
//! pieces again gives the same state.

mod piece;

use std::collections::HashSet;
use std::fmt;

use self::piece::Piece;
use crate::{Limits, NotAMessage, Site};

/// Joins the pieces of one client's messages. Other messages may come between them. Time is milliseconds of any clock
/// that does not go back.
///
/// ```
/// use dukou_wire::{Limits, Site, continuation::{Pushed, Reassembler}};
///
/// let mut reassembler = Reassembler::new(&Limits::default(), &Site::default());
/// let first = b"MSH|^~\\&|LIS|H||||||1|P|2.4\rOBX|1|FT|||a long te\rADD|\rDSC|p1|F\r";
/// let last = b"MSH|^~\\&|LIS|H||||||2|P|2.4||p1\rADD|xt||||||F\r";
/// assert!(matches!(reassembler.push(first, 0)?, Pushed::Kept { pieces: 1 }));
/// let Pushed::Complete(joined) = reassembler.push(last, 5)? else { panic!("the message is whole") };
/// assert_eq!(joined.bytes, b"MSH|^~\\&|LIS|H||||||1|P|2.4\rOBX|1|FT|||a long text||||||F\r");
/// assert_eq!(joined.control_ids, ["1", "2"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Reassembler {
    limits: Limits,
    site: Site,
    chains: Vec<Chain>,
}

/// What became of a message that was pushed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pushed {
    /// The message is no piece of a longer one: read it as it is.
    Whole,
    /// The piece is kept until the others come; so many are there.
    Kept {
        /// Pieces so far.
        pieces: usize,
    },
    /// The last piece came.
    Complete(Joined),
}

/// A message whose pieces have all come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Joined {
    /// The header of the first piece and everything behind the headers of all; without DSC and without the ADD that
    /// only join.
    pub bytes: Vec<u8>,
    /// MSH-10 of the pieces, in their order.
    pub control_ids: Vec<String>,
}

/// Pieces that are given up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expired {
    /// Why.
    pub reason: ExpiredReason,
    /// MSH-10 of the pieces that came, in their order.
    pub control_ids: Vec<String>,
    /// Bytes that were held of them.
    pub bytes: usize,
}

/// Why pieces are given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExpiredReason {
    /// The next piece did not come in time.
    Age,
    /// The message has more pieces than allowed.
    Pieces,
    /// The message is larger than allowed.
    Bytes,
}

/// Why a message cannot be taken as a piece.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PieceError {
    /// The message has no readable header.
    #[error("the piece has no readable header")]
    NotAMessage(#[source] NotAMessage),
    /// MSH-14 names a pointer, and no piece that came ended with it.
    #[error("MSH-14 points to no piece that came before")]
    Unknown,
    /// Another message of this sender waits under the same pointer.
    #[error("DSC-1 repeats the pointer of another message that is not complete")]
    PointerTaken,
    /// The piece has other delimiters or another character set than the piece before it.
    #[error("the piece is written in other delimiters or another character set than the one before it")]
    Written,
    /// The piece continues a segment that cannot be continued.
    #[error("ADD follows a {0} segment, which cannot be continued")]
    Uncontinuable(String),
    /// With this piece the limits are exceeded: the pieces before it are given up with it.
    #[error("{0}")]
    GivenUp(Expired),
}

/// The pieces of one message so far.
#[derive(Debug)]
struct Chain {
    sender: (String, String),
    /// DSC-1 of the last piece.
    pointer: String,
    /// The first two fields of MSH, and MSH-18.
    written: (String, String),
    begun_ms: u64,
    bytes: Vec<u8>,
    /// Where the last line starts: a segment of many pieces is not looked through again for each.
    last_line: usize,
    control_ids: Vec<String>,
    /// The same, to tell pieces that come again.
    known: HashSet<String>,
}

impl Reassembler {
    /// For one client: pieces are told apart by MSH-3, MSH-4 and the pointer.
    #[must_use]
    pub fn new(limits: &Limits, site: &Site) -> Self {
        Self { limits: limits.clone(), site: site.clone(), chains: Vec::new() }
    }

    /// Takes a message as it came. A piece that came before, by its control id, changes nothing.
    ///
    /// # Errors
    /// When the message says it is a piece and cannot be one.
    pub fn push(&mut self, bytes: &[u8], now_ms: u64) -> Result<Pushed, PieceError> {
        let piece = Piece::read(bytes, &self.limits, &self.site).map_err(PieceError::NotAMessage)?;
        if piece.is_whole() {
            return Ok(Pushed::Whole);
        }
        if let Some(known) = self.chains.iter().find(|chain| chain.has(&piece)) {
            return Ok(Pushed::Kept { pieces: known.control_ids.len() });
        }
        let before =
            self.chains.iter().position(|chain| chain.sender == piece.sender && chain.pointer == piece.continues);
        match before {
            _ if piece.continues.is_empty() => self.begin(piece, now_ms),
            Some(at) => self.extend(at, piece),
            None => Err(PieceError::Unknown),
        }
    }

    /// Gives up the messages whose first piece came too long ago.
    pub fn expire(&mut self, now_ms: u64) -> Vec<Expired> {
        let oldest = now_ms.saturating_sub(self.limits.reassembly_age_ms_max);
        let expired = self.chains.extract_if(.., |chain| chain.begun_ms < oldest);
        expired.map(|chain| chain.given_up(ExpiredReason::Age)).collect()
    }

    /// Bytes held of messages that are not complete.
    #[must_use]
    pub fn pending_bytes(&self) -> usize {
        self.chains.iter().map(|chain| chain.bytes.len()).sum()
    }

    fn begin(&mut self, piece: Piece<'_>, now_ms: u64) -> Result<Pushed, PieceError> {
        if self.is_taken(&piece, None) {
            return Err(PieceError::PointerTaken);
        }
        let last_line = piece.last_line();
        let chain = Chain {
            sender: piece.sender,
            pointer: piece.pointer,
            written: piece.written,
            begun_ms: now_ms,
            bytes: piece.bytes.to_vec(),
            last_line,
            known: HashSet::from([piece.control_id.clone()]),
            control_ids: vec![piece.control_id],
        };
        self.chains.push(chain);
        self.keep(self.chains.len() - 1)
    }

    fn extend(&mut self, at: usize, piece: Piece<'_>) -> Result<Pushed, PieceError> {
        if !piece.pointer.is_empty() && self.is_taken(&piece, Some(at)) {
            return Err(PieceError::PointerTaken);
        }
        let chain = &mut self.chains[at];
        if chain.written != piece.written {
            return Err(PieceError::Written);
        }
        piece.append_to(&mut chain.bytes, &mut chain.last_line).map_err(PieceError::Uncontinuable)?;
        chain.known.insert(piece.control_id.clone());
        chain.control_ids.push(piece.control_id);
        chain.pointer = piece.pointer;
        if !chain.pointer.is_empty() {
            return self.keep(at);
        }
        let Chain { mut bytes, control_ids, .. } = self.chains.swap_remove(at);
        bytes.shrink_to_fit();
        Ok(Pushed::Complete(Joined { bytes, control_ids }))
    }

    /// Another open message of the sender waits for the same pointer.
    fn is_taken(&self, piece: &Piece<'_>, own: Option<usize>) -> bool {
        let others = self.chains.iter().enumerate().filter(|&(at, _)| Some(at) != own);
        others.into_iter().any(|(_, chain)| chain.sender == piece.sender && chain.pointer == piece.pointer)
    }

    /// The limits count what is held of all messages together.
    fn keep(&mut self, at: usize) -> Result<Pushed, PieceError> {
        let pieces: usize = self.chains.iter().map(|chain| chain.control_ids.len()).sum();
        let reason = if pieces > self.limits.reassembly_fragments_max {
            ExpiredReason::Pieces
        } else if self.pending_bytes() > self.limits.reassembly_bytes_max {
            ExpiredReason::Bytes
        } else {
            return Ok(Pushed::Kept { pieces: self.chains[at].control_ids.len() });
        };
        Err(PieceError::GivenUp(self.chains.swap_remove(at).given_up(reason)))
    }
}

impl Chain {
    fn has(&self, piece: &Piece<'_>) -> bool {
        self.sender == piece.sender && !piece.control_id.is_empty() && self.known.contains(&piece.control_id)
    }

    fn given_up(self, reason: ExpiredReason) -> Expired {
        Expired { reason, bytes: self.bytes.len(), control_ids: self.control_ids }
    }
}

impl fmt::Display for Expired {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let why = match self.reason {
            ExpiredReason::Age => "the next piece did not come in time",
            ExpiredReason::Pieces => "there are more pieces than allowed",
            ExpiredReason::Bytes => "the message is larger than allowed",
        };
        write!(f, "a continued message is given up, {why}; pieces by MSH-10: {}", self.control_ids.join(", "))
    }
}
