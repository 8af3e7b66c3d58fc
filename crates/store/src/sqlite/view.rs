//! Reading: each method is one prepared statement.

use bytes::Bytes;
use dukou_fhir::{Instant, LogicalId, ResourceKey, ResourceType, VersionId};
use rusqlite::{Connection, OptionalExtension as _, Params, Row, params};

use super::rows;
use super::statements as sql;
use crate::batch::TokenKind;
use crate::error::Error;
use crate::inbox::{InboxKey, InboxRow, LaneRow};
use crate::outbox::{OutboxRow, OutboxState};
use crate::tables::{Counters, CurrentRow, Postings, Stored, View, Walk};
use crate::version::JournalEntry;

/// A connection with its prepared statements: the writer's, or a reader's.
pub(super) struct Books {
    pub(super) connection: Connection,
    /// Whether this is the writer's: then a failure may have hurt the file.
    pub(super) writes: bool,
}

impl Books {
    pub(super) fn failed(&self, error: rusqlite::Error) -> Error {
        if self.writes { rows::write_failed(error) } else { rows::read_failed(error) }
    }

    /// The first row of a statement.
    fn one<T>(
        &self,
        text: &str,
        values: impl Params,
        read: impl Fn(&Row<'_>) -> Result<T, Error>,
    ) -> Result<Option<T>, Error> {
        let mut statement = self.connection.prepare_cached(text).map_err(|error| self.failed(error))?;
        let mut found = statement.query(values).map_err(|error| self.failed(error))?;
        match found.next().map_err(|error| self.failed(error))? {
            Some(row) => read(row).map(Some),
            None => Ok(None),
        }
    }

    /// All rows of a statement.
    fn each(
        &self,
        text: &str,
        values: impl Params,
        mut read: impl FnMut(&Row<'_>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mut statement = self.connection.prepare_cached(text).map_err(|error| self.failed(error))?;
        let mut found = statement.query(values).map_err(|error| self.failed(error))?;
        while let Some(row) = found.next().map_err(|error| self.failed(error))? {
            read(row)?;
        }
        Ok(())
    }

    fn all<T>(
        &self,
        text: &str,
        values: impl Params,
        read: impl Fn(&Row<'_>) -> Result<T, Error>,
    ) -> Result<Vec<T>, Error> {
        let mut list = Vec::new();
        self.each(text, values, |row| {
            list.push(read(row)?);
            Ok(())
        })?;
        Ok(list)
    }

    /// The highest number in a table, 0 where it is empty.
    fn highest(&self, text: &str) -> Result<u64, Error> {
        let found: Option<Option<i64>> =
            self.connection.query_row(text, [], |row| row.get(0)).optional().map_err(|error| self.failed(error))?;
        u64::try_from(found.flatten().unwrap_or(0)).map_err(|_| Error::Corrupt { what: "a negative number" })
    }
}

impl Postings for Books {
    fn seek(&self, key: &[u8], from: u64, count: usize, out: &mut Vec<u64>) -> Result<(), Error> {
        self.each(sql::SEEK, params![key, signed(from), size(count)], |row| {
            out.push(rows::number(row, 0)?);
            Ok(())
        })
    }

    fn range_up(
        &self,
        after: (&[u8], u64),
        end: &[u8],
        count: usize,
        each: &mut dyn FnMut(&[u8], u64),
    ) -> Result<(), Error> {
        self.each(sql::RANGE_UP, params![after.0, signed(after.1), end, size(count)], |row| posting(row, each))
    }

    fn range_down(
        &self,
        before: (&[u8], u64),
        start: &[u8],
        count: usize,
        each: &mut dyn FnMut(&[u8], u64),
    ) -> Result<(), Error> {
        self.each(sql::RANGE_DOWN, params![before.0, signed(before.1), start, size(count)], |row| posting(row, each))
    }

    fn load(&self, res: u64) -> Result<Option<Stored>, Error> {
        self.one(sql::VERSION_NEWEST, params![signed(res)], rows::stored)
    }

    fn load_key(&self, key: &ResourceKey) -> Result<Option<Stored>, Error> {
        self.one(sql::VERSION_CURRENT, params![key.kind.as_str(), key.id.as_str()], rows::stored)
    }
}

impl View for Books {
    fn current(&self, key: &ResourceKey) -> Result<Option<CurrentRow>, Error> {
        self.one(sql::CURRENT, params![key.kind.as_str(), key.id.as_str()], |row| {
            Ok(CurrentRow { res: rows::number(row, 0)?, seq: rows::number(row, 1)?, live: rows::integer(row, 2)? != 0 })
        })
    }

    fn version(&self, key: &ResourceKey, version: VersionId) -> Result<Option<Stored>, Error> {
        let values = params![key.kind.as_str(), key.id.as_str(), signed(version.number())];
        self.one(sql::VERSION_OF, values, rows::stored)
    }

    fn version_at(&self, seq: u64) -> Result<Option<Stored>, Error> {
        self.one(sql::VERSION_AT, params![signed(seq)], rows::stored)
    }

    fn time_at(&self, seq: u64) -> Result<Option<Instant>, Error> {
        self.one(sql::TIME_AT, params![signed(seq)], |row| rows::instant(row, 0))
    }

    fn standing(
        &self,
        kind: ResourceType,
        after: Option<&LogicalId>,
        count: usize,
    ) -> Result<Vec<(Stored, Instant)>, Error> {
        let after = after.map_or("", LogicalId::as_str);
        self.all(sql::STANDING, params![kind.as_str(), after, size(count)], |row| {
            Ok((rows::stored(row)?, rows::instant(row, 12)?))
        })
    }

    fn history(&self, walk: Walk, from: u64, count: usize, out: &mut Vec<Stored>) -> Result<(), Error> {
        let push = |row: &Row<'_>| {
            out.push(rows::stored(row)?);
            Ok(())
        };
        let (from, count) = (signed(from), size(count));
        match walk {
            Walk::Resource(res) => self.each(sql::HISTORY_RESOURCE, params![signed(res), from, count], push),
            Walk::Type(kind) => self.each(sql::HISTORY_TYPE, params![kind.as_str(), from, count], push),
            Walk::System => self.each(sql::HISTORY_SYSTEM, params![from, count], push),
        }
    }

    fn count(&self, walk: Walk, low: u64, high: u64) -> Result<u64, Error> {
        let (low, high) = (signed(low), signed(high));
        let read = |row: &Row<'_>| rows::number(row, 0);
        let found = match walk {
            Walk::Resource(res) => self.one(sql::COUNT_RESOURCE, params![signed(res), low, high], read),
            Walk::Type(kind) => self.one(sql::COUNT_TYPE, params![kind.as_str(), low, high], read),
            // No number is left out, so the store's whole history needs no counting.
            Walk::System => return Ok((high - low + 1).max(0).unsigned_abs()),
        };
        Ok(found?.unwrap_or(0))
    }

    fn counters(&self) -> Result<Counters, Error> {
        let newest = self.one(sql::LAST_SEQ, [], |row| Ok((rows::number(row, 0)?, rows::instant(row, 1)?)))?;
        let (seq, time) = newest.unwrap_or((0, Instant::from_millis(0)));
        Ok(Counters {
            seq,
            time,
            res: self.highest(sql::LAST_RES)?,
            inbox: self.highest(sql::LAST_INBOX)?,
            outbox: self.highest(sql::LAST_OUTBOX)?,
            journal: self.highest(sql::LAST_JOURNAL)?,
            jseq: self.highest(sql::LAST_JSEQ)?,
        })
    }

    fn inbox_by_key(&self, key: &InboxKey) -> Result<Option<InboxRow>, Error> {
        let values = params![key.client, key.application, key.facility, key.control_id, key.day];
        self.one(sql::INBOX_BY_KEY, values, rows::inbox_row)
    }

    fn inbox_by_number(&self, number: u64) -> Result<Option<InboxRow>, Error> {
        self.one(sql::INBOX_BY_NUMBER, params![signed(number)], rows::inbox_row)
    }

    fn inbox_raw(&self, number: u64) -> Result<Option<Bytes>, Error> {
        self.one(sql::INBOX_RAW, params![signed(number)], |row| Ok(rows::bytes(row, 0)?.unwrap_or_default()))
    }

    fn inbox_unfinished(&self, after: u64, count: usize) -> Result<Vec<InboxRow>, Error> {
        self.all(sql::INBOX_UNFINISHED, params![signed(after), size(count)], rows::inbox_row)
    }

    fn inbox_parked(&self, after: u64, count: usize) -> Result<Vec<InboxRow>, Error> {
        self.all(sql::INBOX_PARKED, params![signed(after), size(count)], rows::inbox_row)
    }

    fn lane(&self, lane: &str) -> Result<Option<LaneRow>, Error> {
        self.one(sql::LANE, params![lane], rows::lane_row)
    }

    fn lanes(&self, after: &str, count: usize) -> Result<Vec<LaneRow>, Error> {
        self.all(sql::LANES, params![after, size(count)], rows::lane_row)
    }

    fn token(&self, kind: TokenKind, source: &str, key: &[u8]) -> Result<Option<(Instant, Option<Bytes>)>, Error> {
        let values = params![rows::token_code(kind), source, key];
        self.one(sql::TOKEN, values, |row| Ok((rows::instant(row, 0)?, rows::bytes(row, 1)?)))
    }

    fn outbox_row(&self, number: u64) -> Result<Option<OutboxRow>, Error> {
        self.one(sql::OUTBOX, params![signed(number)], rows::outbox_row)
    }

    fn outbox_ready(&self, target: &str, now: Instant, count: usize) -> Result<Vec<OutboxRow>, Error> {
        self.all(sql::OUTBOX_READY, params![target, now.as_millis(), size(count)], rows::outbox_row)
    }

    fn outbox(&self, state: OutboxState, after: u64, count: usize) -> Result<Vec<OutboxRow>, Error> {
        self.all(sql::OUTBOX_IN_STATE, params![state.code(), signed(after), size(count)], rows::outbox_row)
    }

    fn records(&self, after: u64, count: usize) -> Result<Vec<(u64, Vec<u8>)>, Error> {
        let read = |row: &Row<'_>| Ok((rows::number(row, 0)?, rows::column(row, 1)?));
        self.all(sql::RECORDS, params![signed(after), size(count)], read)
    }

    fn journal(&self, after: u64, count: usize) -> Result<Vec<JournalEntry>, Error> {
        self.all(sql::JOURNAL, params![signed(after), size(count)], rows::journal_entry)
    }
}

fn posting(row: &Row<'_>, each: &mut dyn FnMut(&[u8], u64)) -> Result<(), Error> {
    let res = rows::number(row, 1)?;
    let key = row.get_ref(0).and_then(|value| Ok(value.as_blob()?)).map_err(rows::read_failed)?;
    each(key, res);
    Ok(())
}

/// SQLite's integers have a sign. Our numbers never reach the top; `u64::MAX`, said for "no end", becomes the highest there is.
pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn size(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
