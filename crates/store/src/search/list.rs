//! Sorted lists of resource numbers, walked by leaps: "the first number from here on".

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::meter::Context;
use crate::error::Error;

/// A sorted list. The numbers asked for never fall.
pub(super) enum List {
    /// The resources under one key.
    Key(KeyList),
    /// The resources under any of several keys.
    Union(Union),
    /// Numbers in memory, sorted, each once.
    Fixed(Vec<u64>),
}

impl List {
    /// The resources under any of these keys. Small lists are taken into memory at once.
    pub(super) fn of_keys(context: &Context<'_>, keys: Vec<Vec<u8>>, name: &str) -> Result<List, Error> {
        let mut lists = Vec::with_capacity(keys.len());
        for key in keys {
            let mut list = KeyList::new(key, name);
            list.fetch(context, 0)?;
            lists.push(list);
        }
        if lists.iter().all(|list| list.ended) {
            let mut numbers: Vec<u64> = lists.into_iter().flat_map(|list| list.block).collect();
            numbers.sort_unstable();
            numbers.dedup();
            return Ok(List::Fixed(numbers));
        }
        Ok(match (lists.pop(), lists.is_empty()) {
            (Some(list), true) => List::Key(list),
            (last, _) => {
                lists.extend(last);
                List::Union(Union { lists, heads: BinaryHeap::new(), begun: false })
            }
        })
    }

    /// The number of entries, where it is known without more work.
    pub(super) fn size(&self) -> Option<usize> {
        match self {
            List::Fixed(numbers) => Some(numbers.len()),
            List::Key(_) | List::Union(_) => None,
        }
    }

    /// Lets the next walk begin anywhere again.
    pub(super) fn rewind(&mut self) {
        match self {
            List::Key(list) => list.rewind(),
            List::Union(union) => {
                union.begun = false;
                union.heads.clear();
                union.lists.iter_mut().for_each(KeyList::rewind);
            }
            List::Fixed(_) => {}
        }
    }

    /// The first number in the list that is not below `from`.
    pub(super) fn seek(&mut self, context: &Context<'_>, from: u64) -> Result<Option<u64>, Error> {
        match self {
            List::Key(list) => list.seek(context, from),
            List::Union(union) => union.seek(context, from),
            List::Fixed(numbers) => {
                let at = numbers.partition_point(|number| *number < from);
                Ok(numbers.get(at).copied())
            }
        }
    }

    /// Whether a number is in the list, asked in any order.
    pub(super) fn contains(&self, context: &Context<'_>, number: u64) -> Result<bool, Error> {
        match self {
            List::Key(list) => list.contains(context, number),
            List::Fixed(numbers) => Ok(numbers.binary_search(&number).is_ok()),
            List::Union(union) => {
                for list in &union.lists {
                    if list.contains(context, number)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
        }
    }
}

/// The resources under one key, read in blocks.
pub(super) struct KeyList {
    key: Vec<u8>,
    name: String,
    block: Vec<u64>,
    at: usize,
    size: usize,
    /// Whether the block reaches the end of the list.
    ended: bool,
}

impl KeyList {
    fn new(key: Vec<u8>, name: &str) -> KeyList {
        KeyList { key, name: name.to_owned(), block: Vec::new(), at: 0, size: PROBE, ended: false }
    }

    fn seek(&mut self, context: &Context<'_>, from: u64) -> Result<Option<u64>, Error> {
        loop {
            self.at += self.block[self.at..].partition_point(|number| *number < from);
            if let Some(number) = self.block.get(self.at) {
                return Ok(Some(*number));
            }
            if self.ended {
                return Ok(None);
            }
            // A walk reads ever larger blocks, a leap reads small ones.
            let walks = self.block.last().is_none_or(|last| from <= last + 1);
            self.size = if walks { (self.size * 2).min(BLOCK_MAX) } else { (self.size / 2).max(BLOCK_MIN) };
            self.fetch(context, from)?;
        }
    }

    fn fetch(&mut self, context: &Context<'_>, from: u64) -> Result<(), Error> {
        self.block.clear();
        self.at = 0;
        context.view.seek(&self.key, from, self.size, &mut self.block)?;
        self.ended = self.block.len() < self.size;
        context.spend(self.block.len() + 1, &self.name)
    }

    fn rewind(&mut self) {
        self.block.clear();
        self.at = 0;
        self.size = PROBE / 2;
        self.ended = false;
    }

    fn contains(&self, context: &Context<'_>, number: u64) -> Result<bool, Error> {
        let mut found = Vec::with_capacity(1);
        context.view.seek(&self.key, number, 1, &mut found)?;
        context.spend(1, &self.name)?;
        Ok(found.first() == Some(&number))
    }
}

/// The merge of several lists.
pub(super) struct Union {
    lists: Vec<KeyList>,
    /// The next number of each list that has one, with the list's place.
    heads: BinaryHeap<Reverse<(u64, usize)>>,
    begun: bool,
}

impl Union {
    fn seek(&mut self, context: &Context<'_>, from: u64) -> Result<Option<u64>, Error> {
        if !self.begun {
            self.begun = true;
            for (place, list) in self.lists.iter_mut().enumerate() {
                self.heads.extend(list.seek(context, from)?.map(|number| Reverse((number, place))));
            }
        }
        while let Some(Reverse((number, place))) = self.heads.peek().copied() {
            if number >= from {
                return Ok(Some(number));
            }
            self.heads.pop();
            let next = self.lists[place].seek(context, from)?;
            self.heads.extend(next.map(|number| Reverse((number, place))));
        }
        Ok(None)
    }
}

const PROBE: usize = 64;
const BLOCK_MIN: usize = 2;
const BLOCK_MAX: usize = 512;
