//! A disk in memory that loses, tears and refuses: what tests of durability run against.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{File, Files, Mode};
use crate::clock::SeededRandom;

/// One planned fault. Counts start at 1 and run over all files since the disk was made or restarted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The N-th sync of a file fails with EIO; what it covered is silently dropped and counts as clean, as Linux does.
    SyncFails(u64),
    /// The N-th write fails with ENOSPC.
    WriteNoSpace(u64),
    /// The N-th write is interrupted once.
    WriteInterrupted(u64),
    /// The N-th write stops after half of its bytes.
    WriteShort(u64),
    /// The process dies as the N-th sync begins: nothing works after it.
    DiesAtSync(u64),
    /// The process dies as the N-th write begins.
    DiesAtWrite(u64),
}

/// A disk in memory. Clones share it.
#[derive(Clone)]
pub struct Faulty(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    inodes: Vec<Inode>,
    names: BTreeMap<String, usize>,
    durable_names: BTreeMap<String, usize>,
    faults: Vec<Fault>,
    capacity: Option<u64>,
    syncs: u64,
    writes: u64,
    syncs_after_failure: u64,
    dead: bool,
}

#[derive(Default, Clone)]
struct Inode {
    current: Vec<u8>,
    durable: Vec<u8>,
    dirty: BTreeSet<usize>,
    resized: bool,
    sync_failed: bool,
}

impl Default for Faulty {
    fn default() -> Self {
        Self::new()
    }
}

impl Faulty {
    /// An empty disk without faults or bounds.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(Mutex::new(State::default())))
    }

    /// Plans a fault.
    pub fn plan(&self, fault: Fault) {
        self.state().faults.push(fault);
    }

    /// Bounds the bytes of all files together; more gives ENOSPC. `None` lifts the bound.
    pub fn limit(&self, bytes: Option<u64>) {
        self.state().capacity = bytes;
    }

    /// Bytes of all files together.
    #[must_use]
    pub fn used(&self) -> u64 {
        self.state().used()
    }

    /// Syncs of files so far.
    #[must_use]
    pub fn syncs(&self) -> u64 {
        self.state().syncs
    }

    /// Writes so far.
    #[must_use]
    pub fn writes(&self) -> u64 {
        self.state().writes
    }

    /// How often a file was synced again after a sync of it had failed, without being opened anew. Must stay 0.
    #[must_use]
    pub fn syncs_after_failure(&self) -> u64 {
        self.state().syncs_after_failure
    }

    /// The process dies (SIGKILL) and the page cache lives on: a new disk with the same bytes. The old one is dead.
    #[must_use]
    pub fn killed(&self) -> Self {
        let mut state = self.state();
        state.dead = true;
        let mut inodes = state.inodes.clone();
        for inode in &mut inodes {
            inode.sync_failed = false;
        }
        let next = State {
            inodes,
            names: state.names.clone(),
            durable_names: state.durable_names.clone(),
            capacity: state.capacity,
            ..State::default()
        };
        Self(Arc::new(Mutex::new(next)))
    }

    /// Power fails. Each 512-byte sector that was not synced is old, new or torn; each name not synced is old or new.
    /// The same seed gives the same loss. The old disk is dead.
    #[must_use]
    pub fn power_lost(&self, seed: u64) -> Self {
        let random = SeededRandom::new(seed);
        let mut state = self.state();
        state.dead = true;
        let mut next = State { capacity: state.capacity, ..State::default() };
        next.names = state.durable_names.clone();
        for (name, inode) in &state.names {
            if next.names.get(name) != Some(inode) && random.number().is_multiple_of(2) {
                next.names.insert(name.clone(), *inode);
            }
        }
        next.durable_names = next.names.clone();
        next.inodes = state.inodes.iter().map(|inode| inode.after_loss(&random)).collect();
        Self(Arc::new(Mutex::new(next)))
    }

    /// Power fails and every byte and name not synced is gone.
    #[must_use]
    pub fn unsynced_dropped(&self) -> Self {
        let mut state = self.state();
        state.dead = true;
        let names = state.durable_names.clone();
        let inodes = state.inodes.iter().map(|inode| Inode::settled(inode.durable.clone())).collect();
        let next = State { inodes, durable_names: names.clone(), names, capacity: state.capacity, ..State::default() };
        Self(Arc::new(Mutex::new(next)))
    }

    /// Changes bytes behind the ledger's back, durably. `false` if the file or the range does not exist.
    pub fn tamper(&self, path: &str, change: impl FnOnce(&mut Vec<u8>)) -> bool {
        let mut state = self.state();
        let Some(index) = state.names.get(path).copied() else {
            return false;
        };
        let inode = &mut state.inodes[index];
        change(&mut inode.current);
        *inode = Inode::settled(inode.current.clone());
        true
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn used(&self) -> u64 {
        self.names.values().map(|index| self.inodes[*index].current.len() as u64).sum()
    }

    fn alive(&self) -> io::Result<()> {
        if self.dead { Err(io::Error::other("the process is dead")) } else { Ok(()) }
    }

    fn planned(&self, fault: Fault) -> bool {
        self.faults.contains(&fault)
    }

    fn room_for(&self, growth: u64) -> io::Result<()> {
        match self.capacity {
            Some(capacity) if self.used() + growth > capacity => Err(io::ErrorKind::StorageFull.into()),
            _ => Ok(()),
        }
    }
}

impl Inode {
    fn settled(bytes: Vec<u8>) -> Self {
        Self { durable: bytes.clone(), current: bytes, ..Self::default() }
    }

    fn sync(&mut self) {
        self.durable.resize(self.current.len(), 0);
        for sector in std::mem::take(&mut self.dirty) {
            let from = (sector * SECTOR).min(self.current.len());
            let to = (from + SECTOR).min(self.current.len());
            self.durable[from..to].copy_from_slice(&self.current[from..to]);
        }
        self.resized = false;
    }

    fn after_loss(&self, random: &SeededRandom) -> Self {
        let mut bytes = self.durable.clone();
        if self.resized && random.number().is_multiple_of(2) {
            bytes.resize(self.current.len(), 0);
        }
        for sector in &self.dirty {
            let from = (sector * SECTOR).min(bytes.len()).min(self.current.len());
            let to = (from + SECTOR).min(bytes.len()).min(self.current.len());
            let kept = match random.number() % 3 {
                0 => from,
                1 => to,
                _ => from + usize::try_from(random.number() % SECTOR as u64).unwrap_or(0).min(to - from),
            };
            bytes[from..kept].copy_from_slice(&self.current[from..kept]);
        }
        Self::settled(bytes)
    }
}

impl Files for Faulty {
    fn create_dir(&self, _: &str) -> io::Result<()> {
        self.state().alive()
    }

    fn list(&self, dir: &str) -> io::Result<Vec<String>> {
        let state = self.state();
        state.alive()?;
        let prefix = if dir.is_empty() { String::new() } else { format!("{dir}/") };
        let below = state.names.keys().filter_map(|name| name.strip_prefix(&prefix));
        Ok(below.filter(|name| !name.contains('/')).map(str::to_owned).collect())
    }

    fn open(&self, path: &str, mode: Mode) -> io::Result<Box<dyn File>> {
        let mut state = self.state();
        state.alive()?;
        let known = state.names.get(path).copied();
        let index = match (mode, known) {
            (Mode::Create, Some(index)) => {
                let inode = &mut state.inodes[index];
                inode.current.clear();
                inode.resized = true;
                index
            }
            (Mode::Create, None) => {
                state.inodes.push(Inode::default());
                let index = state.inodes.len() - 1;
                state.names.insert(path.to_owned(), index);
                index
            }
            (_, Some(index)) => index,
            (_, None) => return Err(io::ErrorKind::NotFound.into()),
        };
        state.inodes[index].sync_failed = false;
        drop(state);
        Ok(Box::new(Open { disk: self.clone(), index, writable: mode != Mode::Read }))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.state();
        state.alive()?;
        let index = state.names.remove(from).ok_or(io::ErrorKind::NotFound)?;
        state.names.insert(to.to_owned(), index);
        Ok(())
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        let mut state = self.state();
        state.alive()?;
        state.names.remove(path).map(|_| ()).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn sync_dir(&self, dir: &str) -> io::Result<()> {
        let mut state = self.state();
        state.alive()?;
        let inside = |name: &str| name.rsplit_once('/').map_or("", |(parent, _)| parent) == dir;
        let current: Vec<_> = state.names.iter().map(|(n, i)| (n.clone(), *i)).collect();
        state.durable_names.retain(|name, _| !inside(name));
        for (name, index) in current.into_iter().filter(|(name, _)| inside(name)) {
            state.durable_names.insert(name, index);
        }
        Ok(())
    }
}

struct Open {
    disk: Faulty,
    index: usize,
    writable: bool,
}

impl File for Open {
    fn len(&self) -> io::Result<u64> {
        let state = self.disk.state();
        state.alive()?;
        Ok(state.inodes[self.index].current.len() as u64)
    }

    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        let state = self.disk.state();
        state.alive()?;
        let current = &state.inodes[self.index].current;
        let from = usize::try_from(offset).unwrap_or(usize::MAX).min(current.len());
        let n = bytes.len().min(current.len() - from);
        bytes[..n].copy_from_slice(&current[from..from + n]);
        Ok(n)
    }

    fn write_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        let mut state = self.disk.state();
        state.alive()?;
        if !self.writable {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        state.writes += 1;
        let n = state.writes;
        if state.planned(Fault::WriteInterrupted(n)) {
            return Err(io::ErrorKind::Interrupted.into());
        }
        if state.planned(Fault::WriteNoSpace(n)) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let short = state.planned(Fault::WriteShort(n)) || state.planned(Fault::DiesAtWrite(n));
        let bytes = if short { &bytes[..bytes.len() / 2] } else { bytes };
        let from = usize::try_from(offset).map_err(|_| io::ErrorKind::InvalidInput)?;
        let to = from + bytes.len();
        let growth = to.saturating_sub(state.inodes[self.index].current.len());
        state.room_for(growth as u64)?;
        let inode = &mut state.inodes[self.index];
        if growth > 0 {
            inode.current.resize(to, 0);
            inode.resized = true;
        }
        inode.current[from..to].copy_from_slice(bytes);
        if !bytes.is_empty() {
            inode.dirty.extend(from / SECTOR..=(to - 1) / SECTOR);
        }
        if state.planned(Fault::DiesAtWrite(n)) {
            state.dead = true;
            return Err(io::Error::other("the process is dead"));
        }
        Ok(bytes.len())
    }

    fn sync_data(&mut self) -> io::Result<()> {
        let mut state = self.disk.state();
        state.alive()?;
        state.syncs += 1;
        let n = state.syncs;
        if state.inodes[self.index].sync_failed {
            state.syncs_after_failure += 1;
        }
        if state.planned(Fault::DiesAtSync(n)) {
            state.dead = true;
            return Err(io::Error::other("the process is dead"));
        }
        let fails = state.planned(Fault::SyncFails(n));
        let inode = &mut state.inodes[self.index];
        if fails {
            inode.dirty.clear();
            inode.sync_failed = true;
            return Err(io::Error::other("input/output error"));
        }
        inode.sync();
        Ok(())
    }

    fn set_len(&mut self, len: u64) -> io::Result<()> {
        let mut state = self.disk.state();
        state.alive()?;
        let len = usize::try_from(len).map_err(|_| io::ErrorKind::InvalidInput)?;
        let inode = &mut state.inodes[self.index];
        inode.current.resize(len, 0);
        inode.durable.resize(len, 0);
        inode.resized = false;
        Ok(())
    }
}

const SECTOR: usize = 512;
