//! The store's tables as ordered maps, with a log of how to undo each change.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use dukou_fhir::{Instant, LogicalId, ResourceKey, ResourceType, VersionId};

use crate::batch::TokenKind;
use crate::error::Error;
use crate::inbox::{Answers, InboxKey, InboxRow, InboxState, LaneRow, Received};
use crate::outbox::{OutboxRow, OutboxState};
use crate::tables::{Counters, CurrentRow, Postings, Stored, Tables, View, Walk};
use crate::version::JournalEntry;

/// All rows. What is committed is what is in here once the undo log is forgotten.
#[derive(Default)]
pub(super) struct State {
    versions: BTreeMap<u64, Stored>,
    of_resource: BTreeMap<(u64, VersionId), u64>,
    current: BTreeMap<ResourceKey, CurrentRow>,
    postings: BTreeSet<(Vec<u8>, u64)>,
    inbox: BTreeMap<u64, (InboxRow, Bytes)>,
    inbox_keys: BTreeMap<InboxKey, u64>,
    lanes: BTreeMap<String, LaneRow>,
    tokens: BTreeMap<TokenKey, (Instant, Option<Bytes>)>,
    outbox: BTreeMap<u64, OutboxRow>,
    records: BTreeMap<u64, Option<Vec<u8>>>,
    journal: BTreeMap<u64, JournalEntry>,
    pub(super) undo: Vec<Undo>,
}

/// Kind, source and key.
type TokenKey = (u8, String, Vec<u8>);

/// Takes one change back.
pub(super) type Undo = Box<dyn FnOnce(&mut State) + Send>;

impl State {
    /// Takes changes back until the log is as short as it was.
    pub(super) fn undo_to(&mut self, length: usize) {
        while self.undo.len() > length {
            if let Some(undo) = self.undo.pop() {
                undo(self);
            }
        }
    }
}

/// Puts a row into a map and remembers what stood there.
macro_rules! put {
    ($state:expr, $map:ident, $key:expr, $row:expr) => {{
        let key = $key;
        let before = $state.$map.insert(key.clone(), $row);
        $state.undo.push(Box::new(move |state: &mut State| {
            match before {
                Some(row) => state.$map.insert(key, row),
                None => state.$map.remove(&key),
            };
        }));
    }};
}

/// Takes a row out of a map and remembers it.
macro_rules! take {
    ($state:expr, $map:ident, $key:expr) => {{
        let key = $key;
        if let Some(row) = $state.$map.remove(&key) {
            $state.undo.push(Box::new(move |state: &mut State| {
                state.$map.insert(key, row);
            }));
        }
    }};
}

impl Postings for State {
    fn seek(&self, key: &[u8], from: u64, count: usize, out: &mut Vec<u64>) -> Result<(), Error> {
        let found = self.postings.range((key.to_vec(), from)..).take_while(|(own, _)| own == key);
        out.extend(found.take(count).map(|(_, res)| *res));
        Ok(())
    }

    fn range_up(
        &self,
        after: (&[u8], u64),
        end: &[u8],
        count: usize,
        each: &mut dyn FnMut(&[u8], u64),
    ) -> Result<(), Error> {
        use std::ops::Bound::{Excluded, Unbounded};
        let from = (after.0.to_vec(), after.1);
        let found = self.postings.range((Excluded(from), Unbounded)).take_while(|(key, _)| key.as_slice() < end);
        found.take(count).for_each(|(key, res)| each(key, *res));
        Ok(())
    }

    fn range_down(
        &self,
        before: (&[u8], u64),
        start: &[u8],
        count: usize,
        each: &mut dyn FnMut(&[u8], u64),
    ) -> Result<(), Error> {
        let found = self.postings.range(..(before.0.to_vec(), before.1)).rev();
        found.take_while(|(key, _)| key.as_slice() >= start).take(count).for_each(|(key, res)| each(key, *res));
        Ok(())
    }

    fn load(&self, res: u64) -> Result<Option<Stored>, Error> {
        let newest = self.of_resource.range((res, VersionId::FIRST)..).take_while(|((own, _), _)| *own == res).last();
        Ok(newest.and_then(|(_, seq)| self.versions.get(seq)).cloned())
    }

    fn load_key(&self, key: &ResourceKey) -> Result<Option<Stored>, Error> {
        Ok(self.current.get(key).and_then(|row| self.versions.get(&row.seq)).cloned())
    }
}

impl View for State {
    fn current(&self, key: &ResourceKey) -> Result<Option<CurrentRow>, Error> {
        Ok(self.current.get(key).copied())
    }

    fn version(&self, key: &ResourceKey, version: VersionId) -> Result<Option<Stored>, Error> {
        let seq = self.current.get(key).and_then(|row| self.of_resource.get(&(row.res, version)));
        Ok(seq.and_then(|seq| self.versions.get(seq)).cloned())
    }

    fn version_at(&self, seq: u64) -> Result<Option<Stored>, Error> {
        Ok(self.versions.get(&seq).cloned())
    }

    fn time_at(&self, seq: u64) -> Result<Option<Instant>, Error> {
        Ok(self.versions.range(seq..).next().map(|(_, stored)| stored.version.last_updated))
    }

    fn standing(
        &self,
        kind: ResourceType,
        after: Option<&LogicalId>,
        count: usize,
    ) -> Result<Vec<(Stored, Instant)>, Error> {
        let of_kind = self.current.iter().filter(|(key, _)| key.kind == kind);
        let behind = of_kind.filter(|(key, _)| after.is_none_or(|after| key.id > *after));
        let both = behind.filter_map(|(_, row)| {
            let first = self.of_resource.get(&(row.res, VersionId::FIRST)).and_then(|seq| self.versions.get(seq))?;
            Some((self.versions.get(&row.seq)?.clone(), first.version.last_updated))
        });
        Ok(both.take(count).collect())
    }

    fn history(&self, walk: Walk, from: u64, count: usize, out: &mut Vec<Stored>) -> Result<(), Error> {
        match walk {
            Walk::Resource(res) => {
                let up_to = VersionId::new(from).unwrap_or(VersionId::FIRST);
                let found = self.of_resource.range((res, VersionId::FIRST)..=(res, up_to)).rev().take(count);
                out.extend(found.filter_map(|(_, seq)| self.versions.get(seq)).cloned());
            }
            Walk::Type(kind) => {
                let found = self.versions.range(..=from).rev().filter(|(_, stored)| stored.version.key.kind == kind);
                out.extend(found.take(count).map(|(_, stored)| stored.clone()));
            }
            Walk::System => {
                out.extend(self.versions.range(..=from).rev().take(count).map(|(_, stored)| stored.clone()))
            }
        }
        Ok(())
    }

    fn count(&self, walk: Walk, low: u64, high: u64) -> Result<u64, Error> {
        if low > high {
            return Ok(0);
        }
        let of_walk = |stored: &Stored| match walk {
            Walk::Resource(res) => stored.res == res,
            Walk::Type(kind) => stored.version.key.kind == kind,
            Walk::System => true,
        };
        Ok(self.versions.range(low..=high).filter(|(_, stored)| of_walk(stored)).count() as u64)
    }

    fn counters(&self) -> Result<Counters, Error> {
        let newest = self.versions.last_key_value();
        Ok(Counters {
            seq: newest.map_or(0, |(seq, _)| *seq),
            time: newest.map_or(Instant::from_millis(0), |(_, stored)| stored.version.last_updated),
            res: self.of_resource.last_key_value().map_or(0, |((res, _), _)| *res),
            inbox: self.inbox.last_key_value().map_or(0, |(number, _)| *number),
            outbox: self.outbox.last_key_value().map_or(0, |(number, _)| *number),
            journal: self.journal.last_key_value().map_or(0, |(seq, _)| *seq),
            jseq: self.records.last_key_value().map_or(0, |(jseq, _)| *jseq),
        })
    }

    fn inbox_by_key(&self, key: &InboxKey) -> Result<Option<InboxRow>, Error> {
        Ok(self.inbox_keys.get(key).and_then(|number| self.inbox.get(number)).map(|(row, _)| row.clone()))
    }

    fn inbox_by_number(&self, number: u64) -> Result<Option<InboxRow>, Error> {
        Ok(self.inbox.get(&number).map(|(row, _)| row.clone()))
    }

    fn inbox_raw(&self, number: u64) -> Result<Option<Bytes>, Error> {
        Ok(self.inbox.get(&number).map(|(_, raw)| raw.clone()))
    }

    fn inbox_unfinished(&self, after: u64, count: usize) -> Result<Vec<InboxRow>, Error> {
        let rows = self.inbox.range(after.saturating_add(1)..).map(|(_, (row, _))| row);
        Ok(rows.filter(|row| row.state.is_unfinished()).take(count).cloned().collect())
    }

    fn inbox_parked(&self, after: u64, count: usize) -> Result<Vec<InboxRow>, Error> {
        let rows = self.inbox.range(after.saturating_add(1)..).map(|(_, (row, _))| row);
        Ok(rows.filter(|row| row.state == InboxState::Parked).take(count).cloned().collect())
    }

    fn lane(&self, lane: &str) -> Result<Option<LaneRow>, Error> {
        Ok(self.lanes.get(lane).cloned())
    }

    fn lanes(&self, after: &str, count: usize) -> Result<Vec<LaneRow>, Error> {
        let later = self.lanes.iter().filter(|(lane, _)| lane.as_str() > after);
        Ok(later.take(count).map(|(_, row)| row.clone()).collect())
    }

    fn token(&self, kind: TokenKind, source: &str, key: &[u8]) -> Result<Option<(Instant, Option<Bytes>)>, Error> {
        Ok(self.tokens.get(&(kind as u8, source.to_owned(), key.to_vec())).cloned())
    }

    fn outbox_row(&self, number: u64) -> Result<Option<OutboxRow>, Error> {
        Ok(self.outbox.get(&number).cloned())
    }

    fn outbox_ready(&self, target: &str, now: Instant, count: usize) -> Result<Vec<OutboxRow>, Error> {
        let mut lanes = BTreeSet::new();
        let waiting = self.outbox.values().filter(|row| row.state == OutboxState::Waiting && row.target == target);
        let first = waiting.filter(|row| lanes.insert(row.lane.as_str()));
        let mut ready: Vec<OutboxRow> = first.filter(|row| row.due <= now && row.lease <= now).cloned().collect();
        ready.sort_by_key(|row| (row.due, row.number));
        ready.truncate(count);
        Ok(ready)
    }

    fn outbox(&self, state: OutboxState, after: u64, count: usize) -> Result<Vec<OutboxRow>, Error> {
        let later = self.outbox.range(after.saturating_add(1)..).map(|(_, row)| row);
        Ok(later.filter(|row| row.state == state).take(count).cloned().collect())
    }

    fn records(&self, after: u64, count: usize) -> Result<Vec<(u64, Vec<u8>)>, Error> {
        let later = self.records.range(after.saturating_add(1)..);
        Ok(later.filter_map(|(jseq, bytes)| Some((*jseq, bytes.clone()?))).take(count).collect())
    }

    fn journal(&self, after: u64, count: usize) -> Result<Vec<JournalEntry>, Error> {
        Ok(self.journal.range(after.saturating_add(1)..).take(count).map(|(_, entry)| entry.clone()).collect())
    }
}

impl Tables for State {
    fn set_current(&mut self, key: &ResourceKey, row: CurrentRow) -> Result<(), Error> {
        put!(self, current, key.clone(), row);
        Ok(())
    }

    fn insert_version(&mut self, row: &Stored) -> Result<(), Error> {
        put!(self, of_resource, (row.res, row.version.version), row.version.seq);
        put!(self, versions, row.version.seq, row.clone());
        Ok(())
    }

    fn post(&mut self, keys: &[Vec<u8>], res: u64) -> Result<(), Error> {
        for key in keys {
            let entry = (key.clone(), res);
            if self.postings.insert(entry.clone()) {
                self.undo.push(Box::new(move |state| {
                    state.postings.remove(&entry);
                }));
            }
        }
        Ok(())
    }

    fn unpost(&mut self, keys: &[Vec<u8>], res: u64) -> Result<(), Error> {
        for key in keys {
            let entry = (key.clone(), res);
            if self.postings.remove(&entry) {
                self.undo.push(Box::new(move |state| {
                    state.postings.insert(entry);
                }));
            }
        }
        Ok(())
    }

    fn clear_postings(&mut self) -> Result<(), Error> {
        let all = std::mem::take(&mut self.postings);
        self.undo.push(Box::new(move |state| state.postings = all));
        Ok(())
    }

    fn insert_inbox(&mut self, number: u64, time: Instant, received: &Received) -> Result<(), Error> {
        let row = InboxRow {
            number,
            key: received.key.clone(),
            sha256: received.sha256,
            received: time,
            state: received.state,
            reason: received.reason.clone(),
            link: received.link.clone(),
            lane: received.lane.clone(),
            answers: received.answers.clone(),
        };
        put!(self, inbox_keys, received.key.clone(), number);
        put!(self, inbox, number, (row, received.raw.clone()));
        Ok(())
    }

    fn update_inbox(
        &mut self,
        number: u64,
        state: InboxState,
        reason: Option<&str>,
        answers: &Answers,
    ) -> Result<(), Error> {
        let Some((mut row, raw)) = self.inbox.get(&number).cloned() else { return Ok(()) };
        row.state = state;
        row.reason = reason.map(str::to_owned);
        row.answers.accept = answers.accept.clone().or(row.answers.accept);
        row.answers.application = answers.application.clone().or(row.answers.application);
        put!(self, inbox, number, (row, raw));
        Ok(())
    }

    fn set_lane(&mut self, row: &LaneRow) -> Result<(), Error> {
        put!(self, lanes, row.write.lane.clone(), row.clone());
        Ok(())
    }

    fn set_token(
        &mut self,
        kind: TokenKind,
        source: &str,
        key: &[u8],
        expires: Instant,
        answer: Option<&[u8]>,
    ) -> Result<(), Error> {
        let answer = answer.map(Bytes::copy_from_slice);
        put!(self, tokens, (kind as u8, source.to_owned(), key.to_vec()), (expires, answer));
        Ok(())
    }

    fn forget_tokens(&mut self, now: Instant) -> Result<(), Error> {
        let expired = self.tokens.iter().filter(|(_, (expires, _))| *expires <= now);
        let expired: Vec<_> = expired.map(|(key, _)| key.clone()).collect();
        for key in expired {
            take!(self, tokens, key);
        }
        Ok(())
    }

    fn set_outbox(&mut self, row: &OutboxRow) -> Result<(), Error> {
        put!(self, outbox, row.number, row.clone());
        Ok(())
    }

    fn insert_record(&mut self, jseq: u64, record: &[u8]) -> Result<(), Error> {
        put!(self, records, jseq, Some(record.to_vec()));
        Ok(())
    }

    fn trim_records(&mut self, up_to: u64) -> Result<(), Error> {
        let old: Vec<u64> = self.records.range(..up_to).map(|(jseq, _)| *jseq).collect();
        for jseq in old {
            take!(self, records, jseq);
        }
        if self.records.contains_key(&up_to) {
            put!(self, records, up_to, None);
        }
        Ok(())
    }

    fn insert_journal(&mut self, entry: &JournalEntry) -> Result<(), Error> {
        put!(self, journal, entry.seq, entry.clone());
        Ok(())
    }
}
