//! Rows of SQLite as rows of the store.

use bytes::Bytes;
use dukou_fhir::{Instant, LogicalId, ResourceKey, ResourceType, VersionId};
use rusqlite::{ErrorCode, Row};

use crate::batch::{How, TokenKind};
use crate::error::{Error, Fault};
use crate::inbox::{Answers, InboxKey, InboxRow, InboxState, LaneRow, LaneState, LaneWrite};
use crate::outbox::{OutboxRow, OutboxState};
use crate::tables::{Stored, split_patients};
use crate::version::{JournalEntry, Version};

/// A failure of a reading connection; its text is that of the result code, never of a statement or a value.
pub(super) fn read_failed(error: rusqlite::Error) -> Error {
    match error {
        rusqlite::Error::InvalidColumnType(..) | rusqlite::Error::IntegralValueOutOfRange(..) => {
            Error::Corrupt { what: "a column's type" }
        }
        error => Error::Read(fault(&error)),
    }
}

/// A failure of the writing connection: out of space is told apart, a broken constraint is our own fault, and after anything else nobody
/// knows what is on the disk.
pub(super) fn write_failed(error: rusqlite::Error) -> Error {
    let Some(code) = error.sqlite_error().copied() else { return read_failed(error) };
    match code.code {
        ErrorCode::DiskFull => Error::Full,
        // The shared index of the log could not grow; the log itself is untouched.
        ErrorCode::SystemIoFailure if code.extended_code == IOERR_SHMSIZE => Error::Full,
        ErrorCode::ConstraintViolation => Error::Corrupt { what: "a constraint" },
        _ => Error::Poisoned,
    }
}

pub(super) fn fault(error: &rusqlite::Error) -> Fault {
    let text = match error.sqlite_error() {
        Some(code) => code.to_string(),
        None => "unexpected answer of the engine".to_owned(),
    };
    Fault { text }
}

/// Columns: seq, res, vid, type, id, time, how, jseq, message, event_time, patients, body.
pub(super) fn stored(row: &Row<'_>) -> Result<Stored, Error> {
    let corrupt = |what| move || Error::Corrupt { what };
    let text = |column: usize| row.get_ref(column).and_then(|value| Ok(value.as_str()?)).map_err(read_failed);
    let kind = ResourceType::parse(text(3)?).ok_or_else(corrupt("versions.type"))?;
    let id = LogicalId::parse(text(4)?).ok_or_else(corrupt("versions.id"))?;
    let body = row.get_ref(11).and_then(|value| Ok(value.as_blob()?)).map_err(read_failed)?;
    let version = Version {
        key: ResourceKey { kind, id },
        version: VersionId::new(number(row, 2)?).ok_or_else(corrupt("versions.vid"))?,
        seq: number(row, 0)?,
        last_updated: instant(row, 5)?,
        how: how(integer(row, 6)?).ok_or_else(corrupt("versions.how"))?,
        message: optional(row, 8)?.map(|number: i64| number as u64),
        event_time: optional(row, 9)?.map(Instant::from_millis),
        patients: split_patients(text(10)?).ok_or_else(corrupt("versions.patients"))?,
        body: Bytes::copy_from_slice(body),
    };
    Ok(Stored { res: number(row, 1)?, jseq: number(row, 7)?, version })
}

/// Columns: number, sha256, received, state, reason, link, lane, accept, application_answer, client, application, facility, control_id, day.
pub(super) fn inbox_row(row: &Row<'_>) -> Result<InboxRow, Error> {
    Ok(InboxRow {
        number: number(row, 0)?,
        sha256: column(row, 1)?,
        received: instant(row, 2)?,
        state: InboxState::from_code(integer(row, 3)?).ok_or(Error::Corrupt { what: "inbox.state" })?,
        reason: column(row, 4)?,
        link: column(row, 5)?,
        lane: column(row, 6)?,
        answers: Answers { accept: bytes(row, 7)?, application: bytes(row, 8)? },
        key: InboxKey {
            client: column(row, 9)?,
            application: column(row, 10)?,
            facility: column(row, 11)?,
            control_id: column(row, 12)?,
            day: column(row, 13)?,
        },
    })
}

/// Columns: lane, owner, token, state, reason, message.
pub(super) fn lane_row(row: &Row<'_>) -> Result<LaneRow, Error> {
    let write = LaneWrite {
        lane: column(row, 0)?,
        owner: column(row, 1)?,
        token: number(row, 2)?,
        state: LaneState::from_code(integer(row, 3)?).ok_or(Error::Corrupt { what: "lanes.state" })?,
        reason: column(row, 4)?,
    };
    Ok(LaneRow { write, message: optional(row, 5)?.map(|number: i64| number as u64) })
}

/// Columns: number, target, lane, what, due, lease, attempts, intent, state, reason.
pub(super) fn outbox_row(row: &Row<'_>) -> Result<OutboxRow, Error> {
    Ok(OutboxRow {
        number: number(row, 0)?,
        target: column(row, 1)?,
        lane: column(row, 2)?,
        what: number(row, 3)?,
        due: instant(row, 4)?,
        lease: instant(row, 5)?,
        attempts: column(row, 6)?,
        intent: optional(row, 7)?.map(|leaf: i64| leaf as u64),
        state: OutboxState::from_code(integer(row, 8)?).ok_or(Error::Corrupt { what: "outbox.state" })?,
        reason: column(row, 9)?,
    })
}

/// Columns: seq, time, jseq, kind, body.
pub(super) fn journal_entry(row: &Row<'_>) -> Result<JournalEntry, Error> {
    Ok(JournalEntry {
        seq: number(row, 0)?,
        time: instant(row, 1)?,
        jseq: number(row, 2)?,
        kind: column(row, 3)?,
        body: column::<Vec<u8>>(row, 4)?.into(),
    })
}

pub(super) fn column<T: rusqlite::types::FromSql>(row: &Row<'_>, at: usize) -> Result<T, Error> {
    row.get(at).map_err(read_failed)
}

pub(super) fn optional<T: rusqlite::types::FromSql>(row: &Row<'_>, at: usize) -> Result<Option<T>, Error> {
    column(row, at)
}

pub(super) fn bytes(row: &Row<'_>, at: usize) -> Result<Option<Bytes>, Error> {
    Ok(column::<Option<Vec<u8>>>(row, at)?.map(Bytes::from))
}

pub(super) fn integer(row: &Row<'_>, at: usize) -> Result<i64, Error> {
    column(row, at)
}

/// A number of ours: counted from 0, far below the top.
pub(super) fn number(row: &Row<'_>, at: usize) -> Result<u64, Error> {
    u64::try_from(integer(row, at)?).map_err(|_| Error::Corrupt { what: "a negative number" })
}

pub(super) fn instant(row: &Row<'_>, at: usize) -> Result<Instant, Error> {
    integer(row, at).map(Instant::from_millis)
}

pub(super) fn how_code(how: How) -> i64 {
    match how {
        How::Create => 0,
        How::Update => 1,
        How::UpdateAsCreate => 2,
        How::Delete => 3,
    }
}

fn how(code: i64) -> Option<How> {
    [How::Create, How::Update, How::UpdateAsCreate, How::Delete].into_iter().find(|how| how_code(*how) == code)
}

pub(super) fn token_code(kind: TokenKind) -> i64 {
    match kind {
        TokenKind::Capture => 0,
        TokenKind::Assertion => 1,
        TokenKind::Idempotency => 2,
    }
}

/// SQLITE_IOERR_SHMSIZE.
const IOERR_SHMSIZE: i32 = 10 | (19 << 8);
