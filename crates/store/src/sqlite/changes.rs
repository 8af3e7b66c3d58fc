//! Writing: each method is one prepared statement of the writer's connection.

use dukou_fhir::{Instant, ResourceKey};
use rusqlite::{Params, params};

use super::rows;
use super::statements as sql;
use super::view::{Books, signed};
use crate::batch::TokenKind;
use crate::error::Error;
use crate::inbox::{Answers, InboxState, LaneRow, Received};
use crate::outbox::OutboxRow;
use crate::tables::{CurrentRow, Stored, Tables, Transaction, join_patients};
use crate::version::JournalEntry;

impl Books {
    fn change(&self, text: &str, values: impl Params) -> Result<(), Error> {
        let mut statement = self.connection.prepare_cached(text).map_err(|error| self.failed(error))?;
        statement.execute(values).map_err(|error| self.failed(error))?;
        Ok(())
    }

    /// Runs one statement for each key, without fetching it anew.
    fn change_each(&self, text: &str, keys: &[Vec<u8>], res: u64) -> Result<(), Error> {
        if keys.is_empty() {
            return Ok(());
        }
        let mut statement = self.connection.prepare_cached(text).map_err(|error| self.failed(error))?;
        for key in keys {
            statement.execute(params![key, signed(res)]).map_err(|error| self.failed(error))?;
        }
        Ok(())
    }
}

impl Tables for Books {
    fn set_current(&mut self, key: &ResourceKey, row: CurrentRow) -> Result<(), Error> {
        let values = params![key.kind.as_str(), key.id.as_str(), signed(row.res), signed(row.seq), i64::from(row.live)];
        self.change(sql::SET_CURRENT, values)
    }

    fn insert_version(&mut self, row: &Stored) -> Result<(), Error> {
        let version = &row.version;
        let values = params![
            signed(version.seq),
            signed(row.res),
            signed(version.version.number()),
            version.key.kind.as_str(),
            version.key.id.as_str(),
            version.last_updated.as_millis(),
            rows::how_code(version.how),
            signed(row.jseq),
            version.message.map(signed),
            version.event_time.map(Instant::as_millis),
            join_patients(&version.patients),
            &version.body[..],
        ];
        self.change(sql::INSERT_VERSION, values)
    }

    fn post(&mut self, keys: &[Vec<u8>], res: u64) -> Result<(), Error> {
        self.change_each(sql::POST, keys, res)
    }

    fn unpost(&mut self, keys: &[Vec<u8>], res: u64) -> Result<(), Error> {
        self.change_each(sql::UNPOST, keys, res)
    }

    fn clear_postings(&mut self) -> Result<(), Error> {
        self.change(sql::CLEAR_POSTINGS, [])
    }

    fn insert_inbox(&mut self, number: u64, time: Instant, received: &Received) -> Result<(), Error> {
        let key = &received.key;
        let values = params![
            signed(number),
            key.client,
            key.application,
            key.facility,
            key.control_id,
            key.day,
            &received.sha256[..],
            time.as_millis(),
            received.state.code(),
            received.reason,
            received.link,
            received.lane,
            received.answers.accept.as_deref(),
            received.answers.application.as_deref(),
            &received.raw[..],
        ];
        self.change(sql::INSERT_INBOX, values)
    }

    fn update_inbox(
        &mut self,
        number: u64,
        state: InboxState,
        reason: Option<&str>,
        answers: &Answers,
    ) -> Result<(), Error> {
        let values =
            params![signed(number), state.code(), reason, answers.accept.as_deref(), answers.application.as_deref()];
        self.change(sql::UPDATE_INBOX, values)
    }

    fn set_lane(&mut self, row: &LaneRow) -> Result<(), Error> {
        let write = &row.write;
        let values = params![
            write.lane,
            write.owner,
            signed(write.token),
            write.state.code(),
            write.reason,
            row.message.map(signed)
        ];
        self.change(sql::SET_LANE, values)
    }

    fn set_token(
        &mut self,
        kind: TokenKind,
        source: &str,
        key: &[u8],
        expires: Instant,
        answer: Option<&[u8]>,
    ) -> Result<(), Error> {
        self.change(sql::SET_TOKEN, params![rows::token_code(kind), source, key, expires.as_millis(), answer])
    }

    fn forget_tokens(&mut self, now: Instant) -> Result<(), Error> {
        self.change(sql::FORGET_TOKENS, params![now.as_millis()])
    }

    fn set_outbox(&mut self, row: &OutboxRow) -> Result<(), Error> {
        let values = params![
            signed(row.number),
            row.target,
            row.lane,
            signed(row.what),
            row.due.as_millis(),
            row.lease.as_millis(),
            row.attempts,
            row.intent.map(signed),
            row.state.code(),
            row.reason,
        ];
        self.change(sql::SET_OUTBOX, values)
    }

    fn insert_record(&mut self, jseq: u64, record: &[u8]) -> Result<(), Error> {
        self.change(sql::INSERT_RECORD, params![signed(jseq), record])
    }

    fn trim_records(&mut self, up_to: u64) -> Result<(), Error> {
        self.change(sql::TRIM_RECORDS, params![signed(up_to)])?;
        self.change(sql::MARK_RECORD, params![signed(up_to)])
    }

    fn insert_journal(&mut self, entry: &JournalEntry) -> Result<(), Error> {
        let values =
            params![signed(entry.seq), entry.time.as_millis(), signed(entry.jseq), entry.kind, &entry.body[..]];
        self.change(sql::INSERT_JOURNAL, values)
    }
}

impl Transaction for Books {
    fn tables(&mut self) -> &mut dyn Tables {
        self
    }

    fn begin(&mut self) -> Result<(), Error> {
        self.change(sql::BEGIN_WRITE, [])
    }

    fn commit(&mut self) -> Result<(), Error> {
        self.change(sql::COMMIT, [])
    }

    fn rollback(&mut self) -> Result<(), Error> {
        if self.is_open() { self.change(sql::ROLLBACK, []) } else { Ok(()) }
    }

    fn savepoint(&mut self) -> Result<(), Error> {
        self.change(sql::SAVEPOINT, [])
    }

    fn release(&mut self) -> Result<(), Error> {
        self.change(sql::RELEASE, [])
    }

    fn rollback_to_savepoint(&mut self) -> Result<(), Error> {
        self.change(sql::ROLLBACK_TO, [])?;
        self.change(sql::RELEASE, [])
    }

    fn is_open(&self) -> bool {
        !self.connection.is_autocommit()
    }
}
