//! What a complement tells the way back: which rule wrote what, and what was sent.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use dukou_wire::{Message, Presence};

use super::draft::Spot;
use super::tree::SharedPlaces;

/// Everything known of the message that is changed; empty where one is made anew.
#[derive(Debug, Default)]
pub(crate) struct Hints<'v> {
    pub(crate) message: Option<&'v Message<'v>>,
    /// Of a document where its places are.
    pub(crate) places: Option<SharedPlaces>,
    /// Rules that fired, by seat.
    pub(crate) fired: HashSet<(u32, u32)>,
    /// Which alternative of its source a rule took, by seat.
    pub(crate) alternatives: HashMap<(u32, u32), u16>,
    /// The segments of all seats of the same emit, by seat.
    pub(crate) siblings: HashMap<u32, Vec<u32>>,
    /// List items by address and seat: the rules that wrote them and the numbers of their repeats.
    pub(crate) origins: HashMap<(usize, u32), Vec<(u32, u32)>>,
    /// Positions that the unchanged view fills: in the changed one they are empty unless they are filled again.
    pub(crate) carried: HashSet<Spot>,
}

impl<'v> Hints<'v> {
    pub(crate) fn is_empty(&self) -> bool {
        self.message.is_none()
    }

    pub(crate) fn fired(&self, seat: u32, rule: u32) -> bool {
        self.fired.contains(&(seat, rule))
    }

    pub(crate) fn alternative(&self, seat: u32, rule: u32) -> Option<usize> {
        self.alternatives.get(&(seat, rule)).map(|number| usize::from(*number))
    }

    /// The segments of all seats of the same emit.
    pub(crate) fn siblings(&self, seat: u32) -> &[u32] {
        self.siblings.get(&seat).map_or(&[], Vec::as_slice)
    }

    /// The rules that wrote a list item.
    pub(crate) fn origin(&self, item: usize, seat: u32) -> Option<&[(u32, u32)]> {
        self.origins.get(&(item, seat)).map(Vec::as_slice)
    }

    /// The repeat of its source for which a rule wrote a list item.
    pub(crate) fn ordinal(&self, item: usize, seat: u32, rule: u32) -> Option<u32> {
        let origin = self.origin(item, seat)?;
        origin.iter().find(|(known, _)| *known == rule).map(|(_, ordinal)| *ordinal)
    }

    /// The text that was sent at a position.
    pub(crate) fn sent(&self, leaf: Spot) -> Option<Cow<'v, str>> {
        let leaf = leaf.leaf();
        if self.carried.contains(&leaf) { None } else { self.original(leaf) }
    }

    /// The text that stood at a position, whether or not the view says it.
    pub(crate) fn original(&self, leaf: Spot) -> Option<Cow<'v, str>> {
        let leaf = leaf.leaf();
        if let (Some(places), Some(message)) = (&self.places, self.message) {
            let node = places.node(message, leaf)?;
            return (node.presence() == Presence::Value).then(|| node.trimmed());
        }
        let segment = self.segment(leaf.segment)?;
        let node = segment.field(leaf.field).child(leaf.repetition).child(leaf.component).child(leaf.subcomponent);
        (node.presence() == Presence::Value).then(|| node.text())
    }

    fn segment(&self, number: u32) -> Option<dukou_wire::Segment<'v>> {
        let (message, at) = (self.message?, number as usize);
        (at < message.segment_count()).then(|| message.segment(at))
    }

    /// Whether something was sent at or below a place.
    pub(crate) fn is_valued(&self, spot: Spot) -> bool {
        if self.places.is_some() {
            let leaf = spot.leaf();
            return self.sent(leaf).is_some_and(|text| !text.is_empty());
        }
        let Some(segment) = self.segment(spot.segment) else { return false };
        let field = segment.field(spot.field);
        for (repetition, one) in (1u16..).zip(field.children()) {
            for (component, part) in (1u16..).zip(one.children()) {
                for (subcomponent, leaf) in (1u16..).zip(part.children()) {
                    let here = Spot { repetition, component, subcomponent, ..spot };
                    if spot.holds(here) && leaf.presence() == Presence::Value && !self.carried.contains(&here) {
                        return true;
                    }
                }
            }
        }
        false
    }

    /// How many repetitions of a field were sent.
    pub(crate) fn repetitions(&self, segment: u32, field: u16) -> u16 {
        if let (Some(places), Some(message)) = (&self.places, self.message) {
            return places.repetitions(message, segment, field);
        }
        let node = self.segment(segment).map(|segment| segment.field(field));
        node.filter(|node| !node.raw().is_empty()).map_or(0, |node| node.child_count())
    }
}
