//! Every SQL text of the house, in one place. Nothing builds SQL at run time: a statement is one of these constants, prepared once
//! a connection and cached there. A test reads the other sources of this crate and fails on SQL outside this file.

/// One script a schema version: script `n` (counted from 0) leads from `user_version` `n` to `n + 1`. Scripts are only ever added.
pub(crate) const MIGRATIONS: &[&str] = &[SCHEMA_1, SCHEMA_2];

/// Bodies live in tables with a row id: a large value in a table without one spreads over overflow pages and multiplies the file.
/// `postings` and `current` hold nothing but their key and a few small integers, so they are their own index.
const SCHEMA_1: &str = "
CREATE TABLE versions (
    seq        INTEGER PRIMARY KEY,
    res        INTEGER NOT NULL,
    vid        INTEGER NOT NULL,
    type       TEXT    NOT NULL,
    id         TEXT    NOT NULL,
    time       INTEGER NOT NULL,
    how        INTEGER NOT NULL,
    jseq       INTEGER NOT NULL,
    message    INTEGER,
    event_time INTEGER,
    patients   TEXT    NOT NULL,
    body       BLOB    NOT NULL
) STRICT;
CREATE UNIQUE INDEX versions_of_resource ON versions (res, vid);
CREATE INDEX versions_of_type ON versions (type);
CREATE TABLE current (
    type TEXT    NOT NULL,
    id   TEXT    NOT NULL,
    res  INTEGER NOT NULL,
    seq  INTEGER NOT NULL,
    live INTEGER NOT NULL,
    PRIMARY KEY (type, id)
) STRICT, WITHOUT ROWID;
CREATE TABLE postings (
    key BLOB    NOT NULL,
    res INTEGER NOT NULL,
    PRIMARY KEY (key, res)
) STRICT, WITHOUT ROWID;
CREATE TABLE inbox (
    number      INTEGER PRIMARY KEY,
    client      TEXT    NOT NULL,
    application TEXT    NOT NULL,
    facility    TEXT    NOT NULL,
    control_id  TEXT    NOT NULL,
    day         TEXT    NOT NULL,
    sha256      BLOB    NOT NULL,
    received    INTEGER NOT NULL,
    state       INTEGER NOT NULL,
    reason      TEXT,
    link        TEXT    NOT NULL,
    lane        TEXT    NOT NULL,
    accept      BLOB,
    application_answer BLOB,
    raw         BLOB    NOT NULL
) STRICT;
CREATE UNIQUE INDEX inbox_key ON inbox (client, application, facility, control_id, day);
CREATE INDEX inbox_unfinished ON inbox (number) WHERE state < 10;
CREATE TABLE lanes (
    lane    TEXT    PRIMARY KEY,
    owner   TEXT    NOT NULL,
    token   INTEGER NOT NULL,
    state   INTEGER NOT NULL,
    reason  TEXT,
    message INTEGER
) STRICT, WITHOUT ROWID;
CREATE TABLE tokens (
    kind    INTEGER NOT NULL,
    source  TEXT    NOT NULL,
    key     BLOB    NOT NULL,
    expires INTEGER NOT NULL,
    answer  BLOB
) STRICT;
CREATE UNIQUE INDEX tokens_key ON tokens (kind, source, key);
CREATE INDEX tokens_expiry ON tokens (expires);
CREATE TABLE booking (
    resource    TEXT    NOT NULL,
    unit        INTEGER NOT NULL,
    cell        INTEGER NOT NULL,
    appointment INTEGER NOT NULL,
    expires     INTEGER,
    PRIMARY KEY (resource, unit, cell)
) STRICT, WITHOUT ROWID;
CREATE TABLE outbox (
    number   INTEGER PRIMARY KEY,
    target   TEXT    NOT NULL,
    lane     TEXT    NOT NULL,
    what     INTEGER NOT NULL,
    due      INTEGER NOT NULL,
    lease    INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    intent   INTEGER,
    state    INTEGER NOT NULL,
    reason   TEXT
) STRICT;
CREATE INDEX outbox_waiting ON outbox (target, due) WHERE state = 0;
CREATE INDEX outbox_lane ON outbox (target, lane, number) WHERE state = 0;
CREATE TABLE audit_pending (
    jseq   INTEGER PRIMARY KEY,
    record BLOB
) STRICT;
CREATE TABLE identity_journal (
    seq  INTEGER PRIMARY KEY,
    time INTEGER NOT NULL,
    jseq INTEGER NOT NULL,
    kind TEXT    NOT NULL,
    body BLOB    NOT NULL
) STRICT;
PRAGMA user_version = 1;
";

/// What waits for a person is looked for by itself; without an index each look would walk over the whole inbox.
const SCHEMA_2: &str = "
CREATE INDEX inbox_parked ON inbox (number) WHERE state = 13;
PRAGMA user_version = 2;
";

// Connection set-up.
pub(crate) const WRITER_SETUP: &str = "
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
PRAGMA wal_autocheckpoint = 0;
PRAGMA temp_store = MEMORY;
PRAGMA trusted_schema = OFF;
";
pub(crate) const READER_SETUP: &str = "
PRAGMA query_only = ON;
PRAGMA temp_store = MEMORY;
PRAGMA trusted_schema = OFF;
";
pub(crate) const USER_VERSION: &str = "PRAGMA user_version";
/// Does nothing but say how long the log is.
pub(crate) const CHECKPOINT_NOOP: &str = "PRAGMA wal_checkpoint(NOOP)";
pub(crate) const CHECKPOINT_PASSIVE: &str = "PRAGMA wal_checkpoint(PASSIVE)";
pub(crate) const CHECKPOINT_TRUNCATE: &str = "PRAGMA wal_checkpoint(TRUNCATE)";
pub(crate) const QUICK_CHECK: &str = "PRAGMA quick_check(20)";

// Transactions.
pub(crate) const BEGIN_WRITE: &str = "BEGIN IMMEDIATE";
pub(crate) const BEGIN_READ: &str = "BEGIN";
pub(crate) const COMMIT: &str = "COMMIT";
pub(crate) const ROLLBACK: &str = "ROLLBACK";
pub(crate) const SAVEPOINT: &str = "SAVEPOINT batch";
pub(crate) const RELEASE: &str = "RELEASE batch";
pub(crate) const ROLLBACK_TO: &str = "ROLLBACK TO batch";

// Counters, read once at opening.
pub(crate) const LAST_SEQ: &str = "SELECT seq, time FROM versions ORDER BY seq DESC LIMIT 1";
pub(crate) const LAST_RES: &str = "SELECT max(res) FROM versions";
pub(crate) const LAST_INBOX: &str = "SELECT max(number) FROM inbox";
pub(crate) const LAST_OUTBOX: &str = "SELECT max(number) FROM outbox";
pub(crate) const LAST_JSEQ: &str = "SELECT max(jseq) FROM audit_pending";
pub(crate) const LAST_JOURNAL: &str = "SELECT max(seq) FROM identity_journal";

// Versions.
pub(crate) const CURRENT: &str = "SELECT res, seq, live FROM current WHERE type = ?1 AND id = ?2";
pub(crate) const SET_CURRENT: &str = "INSERT INTO current (type, id, res, seq, live) VALUES (?1, ?2, ?3, ?4, ?5)
    ON CONFLICT (type, id) DO UPDATE SET seq = excluded.seq, live = excluded.live";
pub(crate) const INSERT_VERSION: &str =
    "INSERT INTO versions (seq, res, vid, type, id, time, how, jseq, message, event_time, patients, body)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)";
pub(crate) const VERSION_CURRENT: &str =
    "SELECT v.seq, v.res, v.vid, v.type, v.id, v.time, v.how, v.jseq, v.message, v.event_time, v.patients, v.body
    FROM current c JOIN versions v ON v.seq = c.seq WHERE c.type = ?1 AND c.id = ?2";
pub(crate) const VERSION_OF: &str =
    "SELECT v.seq, v.res, v.vid, v.type, v.id, v.time, v.how, v.jseq, v.message, v.event_time, v.patients, v.body
    FROM current c JOIN versions v ON v.res = c.res AND v.vid = ?3 WHERE c.type = ?1 AND c.id = ?2";
pub(crate) const VERSION_NEWEST: &str =
    "SELECT seq, res, vid, type, id, time, how, jseq, message, event_time, patients, body
    FROM versions WHERE res = ?1 ORDER BY vid DESC LIMIT 1";
pub(crate) const VERSION_AT: &str =
    "SELECT seq, res, vid, type, id, time, how, jseq, message, event_time, patients, body FROM versions WHERE seq = ?1";
pub(crate) const TIME_AT: &str = "SELECT time FROM versions WHERE seq >= ?1 ORDER BY seq LIMIT 1";
pub(crate) const HISTORY_RESOURCE: &str =
    "SELECT seq, res, vid, type, id, time, how, jseq, message, event_time, patients, body
    FROM versions WHERE res = ?1 AND vid <= ?2 ORDER BY vid DESC LIMIT ?3";
pub(crate) const STANDING: &str =
    "SELECT v.seq, v.res, v.vid, v.type, v.id, v.time, v.how, v.jseq, v.message, v.event_time, v.patients, v.body, f.time
    FROM current c JOIN versions v ON v.seq = c.seq JOIN versions f ON f.res = c.res AND f.vid = 1
    WHERE c.type = ?1 AND c.id > ?2 ORDER BY c.id LIMIT ?3";
pub(crate) const HISTORY_TYPE: &str =
    "SELECT seq, res, vid, type, id, time, how, jseq, message, event_time, patients, body
    FROM versions WHERE type = ?1 AND seq <= ?2 ORDER BY seq DESC LIMIT ?3";
pub(crate) const HISTORY_SYSTEM: &str =
    "SELECT seq, res, vid, type, id, time, how, jseq, message, event_time, patients, body
    FROM versions WHERE seq <= ?1 ORDER BY seq DESC LIMIT ?2";
pub(crate) const COUNT_RESOURCE: &str = "SELECT count(*) FROM versions WHERE res = ?1 AND seq BETWEEN ?2 AND ?3";
pub(crate) const COUNT_TYPE: &str = "SELECT count(*) FROM versions WHERE type = ?1 AND seq BETWEEN ?2 AND ?3";

// Postings.
pub(crate) const POST: &str = "INSERT OR IGNORE INTO postings (key, res) VALUES (?1, ?2)";
pub(crate) const UNPOST: &str = "DELETE FROM postings WHERE key = ?1 AND res = ?2";
pub(crate) const SEEK: &str = "SELECT res FROM postings WHERE key = ?1 AND res >= ?2 ORDER BY res LIMIT ?3";
pub(crate) const RANGE_UP: &str =
    "SELECT key, res FROM postings WHERE (key, res) > (?1, ?2) AND key < ?3 ORDER BY key, res LIMIT ?4";
pub(crate) const RANGE_DOWN: &str =
    "SELECT key, res FROM postings WHERE (key, res) < (?1, ?2) AND key >= ?3 ORDER BY key DESC, res DESC LIMIT ?4";
pub(crate) const CLEAR_POSTINGS: &str = "DELETE FROM postings";

// Inbox and lanes.
pub(crate) const INSERT_INBOX: &str = "INSERT INTO inbox
    (number, client, application, facility, control_id, day, sha256, received, state, reason, link, lane, accept, application_answer, raw)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)";
pub(crate) const INBOX_BY_KEY: &str =
    "SELECT number, sha256, received, state, reason, link, lane, accept, application_answer, client, application, facility, control_id, day
    FROM inbox WHERE client = ?1 AND application = ?2 AND facility = ?3 AND control_id = ?4 AND day = ?5";
pub(crate) const INBOX_BY_NUMBER: &str =
    "SELECT number, sha256, received, state, reason, link, lane, accept, application_answer, client, application, facility, control_id, day
    FROM inbox WHERE number = ?1";
pub(crate) const INBOX_RAW: &str = "SELECT raw FROM inbox WHERE number = ?1";
pub(crate) const INBOX_UNFINISHED: &str =
    "SELECT number, sha256, received, state, reason, link, lane, accept, application_answer, client, application, facility, control_id, day
    FROM inbox WHERE state < 10 AND number > ?1 ORDER BY number LIMIT ?2";
pub(crate) const INBOX_PARKED: &str =
    "SELECT number, sha256, received, state, reason, link, lane, accept, application_answer, client, application, facility, control_id, day
    FROM inbox WHERE state = 13 AND number > ?1 ORDER BY number LIMIT ?2";
pub(crate) const UPDATE_INBOX: &str = "UPDATE inbox SET state = ?2, reason = ?3, accept = coalesce(?4, accept),
    application_answer = coalesce(?5, application_answer) WHERE number = ?1";
pub(crate) const LANE: &str = "SELECT lane, owner, token, state, reason, message FROM lanes WHERE lane = ?1";
pub(crate) const LANES: &str =
    "SELECT lane, owner, token, state, reason, message FROM lanes WHERE lane > ?1 ORDER BY lane LIMIT ?2";
pub(crate) const SET_LANE: &str =
    "INSERT INTO lanes (lane, owner, token, state, reason, message) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
    ON CONFLICT (lane) DO UPDATE SET owner = excluded.owner, token = excluded.token, state = excluded.state,
    reason = excluded.reason, message = excluded.message";

// Once-only keys.
pub(crate) const TOKEN: &str = "SELECT expires, answer FROM tokens WHERE kind = ?1 AND source = ?2 AND key = ?3";
pub(crate) const SET_TOKEN: &str = "INSERT INTO tokens (kind, source, key, expires, answer) VALUES (?1, ?2, ?3, ?4, ?5)
    ON CONFLICT (kind, source, key) DO UPDATE SET expires = excluded.expires, answer = excluded.answer";
pub(crate) const FORGET_TOKENS: &str = "DELETE FROM tokens WHERE expires <= ?1";

// Outbox.
pub(crate) const SET_OUTBOX: &str =
    "INSERT INTO outbox (number, target, lane, what, due, lease, attempts, intent, state, reason)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
    ON CONFLICT (number) DO UPDATE SET due = excluded.due, lease = excluded.lease, attempts = excluded.attempts,
    intent = excluded.intent, state = excluded.state, reason = excluded.reason";
pub(crate) const OUTBOX: &str =
    "SELECT number, target, lane, what, due, lease, attempts, intent, state, reason FROM outbox WHERE number = ?1";
/// A row is ready only if no earlier row of its lane still waits: delivery keeps the order of a patient.
pub(crate) const OUTBOX_READY: &str = "SELECT o.number, o.target, o.lane, o.what, o.due, o.lease, o.attempts, o.intent, o.state, o.reason
    FROM outbox o WHERE o.state = 0 AND o.target = ?1 AND o.due <= ?2 AND o.lease <= ?2
    AND NOT EXISTS (SELECT 1 FROM outbox e WHERE e.state = 0 AND e.target = o.target AND e.lane = o.lane AND e.number < o.number)
    ORDER BY o.due, o.number LIMIT ?3";
pub(crate) const OUTBOX_IN_STATE: &str =
    "SELECT number, target, lane, what, due, lease, attempts, intent, state, reason FROM outbox
    WHERE state = ?1 AND number > ?2 ORDER BY number LIMIT ?3";
// Audit rows and the identity journal.
pub(crate) const INSERT_RECORD: &str = "INSERT INTO audit_pending (jseq, record) VALUES (?1, ?2)";
pub(crate) const RECORDS: &str =
    "SELECT jseq, record FROM audit_pending WHERE jseq > ?1 AND record IS NOT NULL ORDER BY jseq LIMIT ?2";
/// The highest trimmed row stays as an empty mark, so that numbering goes on after it.
pub(crate) const TRIM_RECORDS: &str = "DELETE FROM audit_pending WHERE jseq < ?1";
pub(crate) const MARK_RECORD: &str = "UPDATE audit_pending SET record = NULL WHERE jseq = ?1";
pub(crate) const INSERT_JOURNAL: &str =
    "INSERT INTO identity_journal (seq, time, jseq, kind, body) VALUES (?1, ?2, ?3, ?4, ?5)";
pub(crate) const JOURNAL: &str =
    "SELECT seq, time, jseq, kind, body FROM identity_journal WHERE seq > ?1 ORDER BY seq LIMIT ?2";
