//! From a number to the card of the person who holds it.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use dukou_audit::{Permit, Unreleased};
use dukou_fhir::{LogicalId, ResourceKey, ResourceType, json};
use dukou_identity::number::sought;
use dukou_identity::patient::{Origin, stated};
use dukou_identity::{Class, PersonId, SiteKey, Stated, mask};
use dukou_store::{Outcome, Recalled, Version};

use crate::cards::{self, Card, Held, Load};
use crate::{Error, Exchange};

#[cfg(test)]
mod tests;

/// A card for those who do not see all of it: beside everything else that is shown with it each value still fits a thousand people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShownCard {
    /// `张*示`.
    pub name: String,
    /// GB/T 2261.1.
    pub sex: Option<char>,
    /// The year.
    pub birth: String,
    /// `199****0017`.
    pub phone: String,
    /// The address down to the district.
    pub address: String,
}

impl Card {
    /// The card masked.
    pub fn masked(&self) -> ShownCard {
        ShownCard {
            name: mask::name(&self.name),
            sex: self.sex,
            birth: mask::birth_date(&self.birth_date),
            phone: mask::phone(&self.phone),
            address: mask::address(&self.address),
        }
    }
}

/// One record that holds the number asked for, and the card of the person whom it belongs to.
#[derive(Clone, Debug)]
pub struct CardFound {
    /// The record that states the number.
    pub record: LogicalId,
    /// The person, by the live index: a merge or unmerge that was acknowledged shows here.
    pub person: PersonId,
    /// The card of the record that leads the person.
    pub card: Arc<Card>,
}

impl Exchange {
    /// Who holds a number: one entry for each record that states it, none where nobody does or the caller may see nobody. `system` may be
    /// any name of the authority; `value` may come with blanks, in lower case, or as a resident number of 15 digits.
    ///
    /// The answer is the same with and without a cache in between, and its record names the same resources: the record that holds the number
    /// and the one that leads the person.
    pub fn card(&self, permit: &Permit<'_>, system: &str, value: &str) -> Result<Unreleased<Vec<CardFound>>, Error> {
        let systems = &self.surroundings.systems;
        let system = systems.canonical_uri(system);
        let resident = || systems.of_class(Class::Resident, "").is_some_and(|uri| uri == system);
        let class = if value.len() == RESIDENT_OF_OLD && resident() { Class::Resident } else { Class::Other };
        let value = sought(class, value);
        let from = FromStore { exchange: self, permit, system: &system, value: &value };
        let now_ns = self.surroundings.clock.mono_ns();
        let found = self.cards.find(self.card_key().key128(&system, &value), now_ns, &from)?;
        let mut shown = permit.without_patient_data(Vec::with_capacity(found.len()));
        for held in found {
            let Some(own) = held.show(permit) else { continue };
            let person = self.people.read().person(&held.record);
            let person = person.unwrap_or_else(|| PersonId::led_by(held.record.clone()));
            let found = match *person.leader() == held.record {
                true => Some(own),
                false => {
                    self.leading(&person, now_ns, &from)?.map(|leading| own.and(leading).map(|(_, leading)| leading))
                }
            };
            // Where the caller may not see the leading record, the person is not there for it.
            let Some(found) = found else { continue };
            let record = held.record.clone();
            shown = shown.and(found).map(|(mut all, card)| {
                all.push(CardFound { record, person, card });
                all
            });
        }
        Ok(shown)
    }

    /// The card of the record that leads a person.
    fn leading(
        &self,
        person: &PersonId,
        now_ns: u64,
        from: &FromStore<'_>,
    ) -> Result<Option<Unreleased<Arc<Card>>>, Error> {
        let key = self.record_key(person.leader());
        let held = self.cards.of_record(key, person.leader(), now_ns, from)?;
        Ok(held.and_then(|held| held.show(from.permit)))
    }

    /// Tells the cards what a commit has changed, after it is durable and before its answer leaves.
    pub(crate) fn forget_cards(&self, outcome: &Outcome) {
        // Before the first look-up nothing is held and nothing is being loaded.
        let Some(key) = self.card_key.get() else { return };
        let versions = outcome.puts.iter().filter(|put| put.changed).filter_map(|put| put.version.as_ref());
        for version in versions.filter(|version| version.key.kind == ResourceType::PATIENT) {
            let stated = self.stated(version);
            let keys = stated.map(|stated| cards::keys(&stated, key)).unwrap_or_default();
            self.cards.changed(&version.key.id, version.seq, &keys);
            if let Some(warm) = &self.warm {
                warm.forget(self.record_key(&version.key.id));
            }
        }
    }

    /// How many cards came from an earlier run, since the start.
    pub fn warm_cards(&self) -> u64 {
        self.warmed.load(Ordering::Relaxed)
    }

    /// Closes the folder of cards so that the next run goes on with it. What is looked up afterwards is made anew.
    pub fn close_cards(&self) {
        if let Some(warm) = &self.warm {
            warm.close();
        }
    }

    /// The cards as they are held.
    pub fn cards(&self) -> &cards::Cards {
        &self.cards
    }

    /// What a version states; none for a deletion.
    fn stated(&self, version: &Version) -> Option<Stated> {
        if version.is_deleted() {
            return None;
        }
        let patient = json::parse(&version.body, &json::Limits::default()).ok()?;
        let day = self.people.day(version.last_updated);
        let origin = Origin { record: &version.key.id, source: "", born: 0, day: &day };
        Some(stated(&patient, &self.surroundings.systems, &origin).0)
    }

    /// The keyed hash of a record's id: ids may be chosen by clients, and then say something.
    fn record_key(&self, record: &LogicalId) -> u128 {
        self.card_key().key128(RECORD, record.as_str())
    }

    /// The key under which numbers are held: the site's, else one made for this process.
    fn card_key(&self) -> &SiteKey {
        self.card_key.get_or_init(|| match &self.capture {
            Some(site) => site.key.clone(),
            None => {
                let mut secret = [0; 32];
                self.surroundings.random.fill(&mut secret);
                SiteKey::new(secret, 0)
            }
        })
    }
}

/// Cards from the index and the store, under the permit of the one who asks.
struct FromStore<'a> {
    exchange: &'a Exchange,
    permit: &'a Permit<'a>,
    system: &'a str,
    value: &'a str,
}

impl Load for FromStore<'_> {
    type Error = Error;

    fn holders(&self) -> Result<Vec<LogicalId>, Error> {
        Ok(self.exchange.people.read().holders(self.system, self.value))
    }

    fn card(&self, record: &LogicalId) -> Result<Option<Held>, Error> {
        let now_ns = self.exchange.surroundings.clock.mono_ns();
        if let Some(made) = self.warm(record)? {
            self.exchange.warmed.fetch_add(1, Ordering::Relaxed);
            return Ok(cards::hold(record.clone(), made, now_ns));
        }
        let key = ResourceKey::new(ResourceType::PATIENT, record.clone());
        let Some(read) = self.exchange.store.read(self.permit, &key)?.some() else { return Ok(None) };
        let made = read.try_map(|version| {
            let stated = self.exchange.stated(&version).ok_or(())?;
            let keys = cards::keys(&stated, self.exchange.card_key());
            let card = Card::of(&stated, version.version, version.seq, version.last_updated);
            if let Some(warm) = &self.exchange.warm {
                warm.put(self.exchange.record_key(record), card.seq, card.to_bytes(&keys));
            }
            Ok::<_, ()>((card, keys))
        });
        Ok(made.ok().and_then(|made| cards::hold(record.clone(), made, now_ns)))
    }
}

impl FromStore<'_> {
    /// The card of an earlier run, where the store says that the version it was made of still stands.
    fn warm(&self, record: &LogicalId) -> Result<Option<Unreleased<MadeCard>>, Error> {
        let Some(warm) = &self.exchange.warm else { return Ok(None) };
        let Some(bytes) = warm.read(self.exchange.record_key(record)) else { return Ok(None) };
        let Some((card, keys)) = Card::from_bytes(&bytes) else { return Ok(None) };
        if card.record != *record {
            return Ok(None);
        }
        let recalled = Recalled { patient: record, version: card.version, seq: card.seq, stored: card.stored };
        let stands = self.exchange.store.recall(self.permit, &recalled)?;
        Ok(stands.map(|stands| stands.map(|()| (card, keys))))
    }
}

/// A card with the keyed hashes of its record's numbers.
type MadeCard = (Card, Box<[u128]>);

/// Keeps the keys of records apart from those of numbers.
const RECORD: &str = "record";
/// Digits of a resident number before 1999.
const RESIDENT_OF_OLD: usize = 15;
