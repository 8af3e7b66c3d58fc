//! A bounded pool of read-only connections. A read checks one out on its own thread and gives it back.

use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::rows;
use super::statements as sql;
use super::view::Books;
use crate::error::Error;
use crate::tables::View;

pub(super) struct Readers {
    path: PathBuf,
    free: Mutex<Free>,
    freed: Condvar,
    count_max: usize,
    wait: Duration,
    cache_kib: u32,
}

struct Free {
    connections: Vec<Books>,
    /// Connections that exist, free or in use.
    open: usize,
}

impl Readers {
    pub(super) fn new(path: &Path, count_max: usize, wait: Duration, cache_kib: u32) -> Readers {
        let free = Mutex::new(Free { connections: Vec::new(), open: 0 });
        Readers { path: path.to_owned(), free, freed: Condvar::new(), count_max: count_max.max(1), wait, cache_kib }
    }

    /// Reads with one connection. With `steady`, everything read is of one moment.
    pub(super) fn with<T>(&self, steady: bool, read: impl FnOnce(&dyn View) -> Result<T, Error>) -> Result<T, Error> {
        let lent = Lent { books: Some(self.take()?), readers: self };
        let books = lent.books.as_ref().ok_or(Error::Busy)?;
        if steady {
            books.run(sql::BEGIN_READ)?;
        }
        let result = read(books);
        if steady && result.is_ok() {
            books.run(sql::COMMIT)?;
        }
        result
    }

    fn take(&self) -> Result<Books, Error> {
        let mut free = self.lock();
        if free.connections.is_empty() && free.open >= self.count_max {
            let full = |free: &mut Free| free.connections.is_empty() && free.open >= self.count_max;
            free = self.freed.wait_timeout_while(free, self.wait, full).unwrap_or_else(PoisonError::into_inner).0;
        }
        if let Some(books) = free.connections.pop() {
            return Ok(books);
        }
        if free.open >= self.count_max {
            return Err(Error::Busy);
        }
        free.open += 1;
        drop(free);
        self.open().inspect_err(|_| {
            self.lock().open -= 1;
            self.freed.notify_one();
        })
    }

    fn open(&self) -> Result<Books, Error> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let open = || {
            let connection = Connection::open_with_flags(&self.path, flags)?;
            connection.busy_timeout(self.wait)?;
            connection.execute_batch(sql::READER_SETUP)?;
            super::set_up(&connection, self.cache_kib)?;
            Ok(connection)
        };
        open().map(|connection| Books { connection, writes: false }).map_err(|error| Error::Read(rows::fault(&error)))
    }

    fn give_back(&self, books: Books) {
        // A read that failed or panicked may have left its moment open; a connection that cannot end it is not used again.
        let sound = books.connection.is_autocommit() || books.run(sql::ROLLBACK).is_ok();
        let mut free = self.lock();
        if sound {
            free.connections.push(books);
        } else {
            free.open -= 1;
        }
        drop(free);
        self.freed.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, Free> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection on loan; comes back whatever happens.
struct Lent<'a> {
    books: Option<Books>,
    readers: &'a Readers,
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        if let Some(books) = self.books.take() {
            self.readers.give_back(books);
        }
    }
}
