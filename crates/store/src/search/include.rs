//! Resources that come along with the matches of a page.

use std::collections::HashSet;

use dukou_fhir::ResourceKey;
use dukou_fhir::search::{Direction, Query};

use super::meter::Context;
use super::plan::content;
use super::reach::Reach;
use crate::error::Error;
use crate::tables::Stored;
use crate::version::{Page, Version};

/// Adds to the page what its matches include: each resource once, none that is a match, none outside the reach.
pub(super) fn add(
    context: &Context<'_>,
    reach: Reach<'_>,
    query: &Query,
    matches: &[Stored],
    max: usize,
    page: &mut Page,
) -> Result<(), Error> {
    if query.includes().is_empty() {
        return Ok(());
    }
    let known = matches.iter().map(|stored| stored.version.key.clone()).collect();
    let mut found = Found { reach, known, max, includes: Vec::new(), cut: false };
    for stored in matches {
        let body = content(stored)?;
        for include in query.includes() {
            match include.direction() {
                Direction::Forward => {
                    for target in include.targets(&body) {
                        context.spend(1, "_include")?;
                        if found.known.contains(&target) {
                            continue;
                        }
                        if let Some(stored) = context.view.load_key(&target)? {
                            found.push(stored.version);
                        }
                    }
                }
                Direction::Reverse => {
                    for key in include.referrers(&stored.version.key) {
                        found.referrers(context, key.as_bytes())?;
                    }
                }
            }
        }
    }
    page.includes = found.includes;
    page.includes_cut = found.cut;
    Ok(())
}

struct Found<'a> {
    reach: Reach<'a>,
    known: HashSet<ResourceKey>,
    max: usize,
    includes: Vec<Version>,
    cut: bool,
}

impl Found<'_> {
    fn push(&mut self, version: Version) {
        if version.is_deleted() || !self.reach.shows(&version) || self.known.contains(&version.key) {
            return;
        }
        if self.includes.len() == self.max {
            self.cut = true;
            return;
        }
        self.known.insert(version.key.clone());
        self.includes.push(version);
    }

    fn referrers(&mut self, context: &Context<'_>, key: &[u8]) -> Result<(), Error> {
        let mut from = 0;
        let mut size = 16;
        while !self.cut {
            let mut numbers = Vec::with_capacity(size);
            context.view.seek(key, from, size, &mut numbers)?;
            context.spend(numbers.len() + 1, "_revinclude")?;
            for res in &numbers {
                if let Some(stored) = context.view.load(*res)? {
                    self.push(stored.version);
                }
            }
            match numbers.last() {
                Some(last) if numbers.len() == size => from = last + 1,
                _ => return Ok(()),
            }
            size = (size * 2).min(BLOCK_MAX);
        }
        Ok(())
    }
}

const BLOCK_MAX: usize = 256;
