//! The embedded durable engine: SQLite with a write-ahead log, every commit synced, one writer thread, many readers.
//!
//! One process owns the file; the lock on the data directory is the gateway's.

mod changes;
mod readers;
mod rows;
mod statements;
mod view;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use dukou_audit::{Clock, StoreSeal};
use dukou_fhir::search::Site;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use self::readers::Readers;
use self::statements as sql;
use self::view::Books;
use self::writer::{Bounds, Writer};
use crate::doors::{Engine, Frame};
use crate::error::{Error, OpenError};
use crate::group::Job;
use crate::home::Home;
use crate::tables::View;

/// Numbers of the engine. Bytes and counts are upper bounds.
#[derive(Clone, Debug)]
pub struct Options {
    /// Jobs in front of the writer; beyond, senders wait.
    pub queue_jobs_max: usize,
    /// Bytes that one transaction gathers; a larger batch gets a transaction of its own.
    pub group_bytes_max: usize,
    /// How long a request waits for a place in the queue or for a reader.
    pub wait: Duration,
    /// Connections for reading.
    pub readers_max: usize,
    /// Page cache of each reader in KiB.
    pub reader_cache_kib: u32,
    /// Page cache of the writer in KiB.
    pub writer_cache_kib: u32,
    /// Size of the log from which a checkpoint moves it into the database.
    pub checkpoint_bytes: u64,
    /// Size from which a checkpoint also cuts the log's file.
    pub log_bytes_max: u64,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            queue_jobs_max: 4_096,
            group_bytes_max: 1 << 20,
            wait: Duration::from_secs(2),
            readers_max: 16,
            reader_cache_kib: 2_048,
            writer_cache_kib: 32_768,
            checkpoint_bytes: 16 << 20,
            log_bytes_max: 256 << 20,
        }
    }
}

/// The store in an SQLite file. Dropping it does what is queued and closes the file.
pub struct Sqlite {
    writer: Writer,
    readers: Readers,
    frame: Frame,
}

impl Sqlite {
    /// Opens or creates the store at `path`. Before this returns, whatever recovery found is in the database file and synced: nothing is
    /// answered from bytes that only a page cache held. Postings made under other rules (another release, another site) are rebuilt.
    ///
    /// # Errors
    /// See [`OpenError`]; nothing was served.
    pub fn open(
        path: &Path,
        options: &Options,
        site: Site<'_>,
        seal: StoreSeal,
        clock: Arc<dyn Clock>,
    ) -> Result<Sqlite, OpenError> {
        let books = open_writer(path, options)?;
        migrate(&books)?;
        let (held, _) = books.checkpoint(sql::CHECKPOINT_TRUNCATE).map_err(OpenError::Content)?;
        if held {
            return Err(OpenError::Held);
        }
        let counters = books.counters().map_err(OpenError::Content)?;
        let frame = Frame { seal: Arc::new(seal), clock: Arc::clone(&clock), home: Home::of(site) };
        let bounds = Bounds {
            queue_jobs_max: options.queue_jobs_max.max(1),
            group_bytes_max: options.group_bytes_max,
            wait: options.wait,
            checkpoint_bytes: options.checkpoint_bytes,
            log_bytes_max: options.log_bytes_max,
        };
        let writer = Writer::start(books, log_of(path), counters, Arc::clone(&frame.seal), clock, bounds)
            .map_err(OpenError::Thread)?;
        let readers = Readers::new(path, options.readers_max, options.wait, options.reader_cache_kib);
        let store = Sqlite { writer, readers, frame };
        store.renew_postings().map_err(OpenError::Content)?;
        Ok(store)
    }

    /// Reads the whole file and says what is unsound in it; empty when all is well. Takes as long as the file is large.
    ///
    /// # Errors
    /// When the file cannot be read at all.
    pub fn check(path: &Path) -> Result<Vec<String>, OpenError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let found = Connection::open_with_flags(path, flags).and_then(|connection| {
            let mut statement = connection.prepare(sql::QUICK_CHECK)?;
            let lines = statement.query_map([], |row| row.get::<_, String>(0))?;
            lines.collect::<Result<Vec<_>, _>>()
        });
        let mut lines = found.map_err(|error| OpenError::Engine(rows::fault(&error)))?;
        lines.retain(|line| line != "ok");
        Ok(lines)
    }

    /// The highest number of an audit row that a store at rest ever committed, read without opening it for service.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn last_jseq_of(path: &Path) -> Result<u64, OpenError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let found = Connection::open_with_flags(path, flags).and_then(|connection| {
            let last: Option<i64> = connection.query_row(sql::LAST_JSEQ, [], |row| row.get(0))?;
            Ok(last.unwrap_or(0))
        });
        let last = found.map_err(|error| OpenError::Engine(rows::fault(&error)))?;
        Ok(u64::try_from(last).unwrap_or(0))
    }
}

impl Engine for Sqlite {
    fn view<T>(&self, steady: bool, read: impl FnOnce(&dyn View) -> Result<T, Error>) -> Result<T, Error> {
        self.readers.with(steady, read)
    }

    fn submit(&self, job: Job) -> Result<(), Error> {
        self.writer.submit(job)
    }

    fn frame(&self) -> &Frame {
        &self.frame
    }

    fn is_poisoned(&self) -> bool {
        self.writer.poisoned()
    }
}

impl Books {
    fn run(&self, text: &str) -> Result<(), Error> {
        let mut statement = self.connection.prepare_cached(text).map_err(|error| self.failed(error))?;
        statement.execute([]).map(drop).map_err(|error| self.failed(error))
    }

    /// Runs a checkpoint; says whether others held it up, and how many pages of the log are not in the database.
    fn checkpoint(&self, text: &str) -> Result<(bool, u64), Error> {
        let read = |row: &rusqlite::Row<'_>| -> rusqlite::Result<(i64, i64, i64)> {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        };
        let (busy, log, done) = self.connection.query_row(text, [], read).map_err(|error| self.failed(error))?;
        Ok((busy != 0, u64::try_from(log - done).unwrap_or(0)))
    }
}

/// The writer's side alone, for tests of whole groups.
#[cfg(test)]
pub(crate) fn with_writer<R>(path: &Path, run: impl FnOnce(&mut dyn crate::tables::Transaction) -> R) -> R {
    let mut books = open_writer(path, &Options::default()).unwrap();
    migrate(&books).unwrap();
    run(&mut books)
}

fn open_writer(path: &Path, options: &Options) -> Result<Books, OpenError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let open = || {
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(options.wait)?;
        connection.execute_batch(sql::WRITER_SETUP)?;
        set_up(&connection, options.writer_cache_kib)?;
        Ok(connection)
    };
    open().map(|connection| Books { connection, writes: true }).map_err(|error| OpenError::Engine(rows::fault(&error)))
}

/// Brings the schema to this build's version, each step in a transaction of its own.
fn migrate(books: &Books) -> Result<(), OpenError> {
    let failed = |error: rusqlite::Error| OpenError::Engine(rows::fault(&error));
    let connection = &books.connection;
    let found: i64 = connection.query_row(sql::USER_VERSION, [], |row| row.get(0)).map_err(failed)?;
    let known = sql::MIGRATIONS.len() as i64;
    let from = usize::try_from(found).map_err(|_| OpenError::Newer { found, known })?;
    if found > known {
        return Err(OpenError::Newer { found, known });
    }
    for script in sql::MIGRATIONS.iter().skip(from) {
        let step = || {
            connection.execute_batch(sql::BEGIN_WRITE)?;
            connection.execute_batch(script)?;
            connection.execute_batch(sql::COMMIT)
        };
        step().map_err(failed)?;
    }
    Ok(())
}

fn set_up(connection: &Connection, cache_kib: u32) -> rusqlite::Result<()> {
    // Plans must not depend on bound values: otherwise each new value has the statement prepared anew.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    connection.pragma_update(None, "cache_size", -i64::from(cache_kib))
}

/// More than there are statements, so that none is ever prepared twice.
const STATEMENTS_MAX: usize = 128;

fn log_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push("-wal");
    PathBuf::from(name)
}
