//! What a message tells beside changes: when its event happened, whose it is, and what it decides about identity.

use dukou_fhir::{ResourceKey, ResourceType};

use crate::decisions::{DecisionPlan, Is, Place};
use crate::identify::{self, Instead};
use crate::mapped::{Facts, Named, Told};
use crate::moment::Moment;
use crate::plan::{KeyAlternative, KeyPlan};
use crate::reading::{At, first_leaf};
use crate::rule::Precision;
use crate::run::{Instance, Run};

impl<'m> Run<'m> {
    pub(crate) fn facts(&self) -> Facts {
        let message = self.reading.message;
        // Documents tell the time in the heads of their maps; nothing is looked for in all their rows.
        let segments = message.format() == dukou_wire::Format::Er7;
        let moment = |segment: &str, field| {
            if !segments {
                return None;
            }
            let node = message.first(segment)?.field(field);
            let text = first_leaf(node).text();
            let moment = Moment::parse(&text)?;
            moment.date_time(Precision::Keep, self.zone.as_deref()).ok()
        };
        let mut facts = Facts {
            event_time: moment("EVN", 2).or_else(|| moment("MSH", 7)).map(|written| written.text),
            ..Facts::default()
        };
        for instance in &self.instances {
            if let Some(id) = &instance.id
                && instance.emit.kind == ResourceType::PATIENT
                && !facts.patients.contains(id)
            {
                facts.patients.push(id.clone());
            }
        }
        facts.told = self.told();
        facts
    }

    /// What the message decides, instance by instance.
    fn told(&self) -> Vec<Told> {
        if self.reading.message.format() != dukou_wire::Format::Er7 {
            return Vec::new();
        }
        let trigger = self.reading.message.header().trigger();
        let mut all: Vec<Told> = Vec::new();
        for (place, instance) in self.instances.iter().enumerate() {
            let heard = instance.map.decisions.iter().filter(|plan| plan.events.iter().any(|event| *event == trigger));
            for plan in heard {
                let told = self.decision(place, instance, plan);
                all.extend(told.filter(|told| !all.contains(told)));
            }
        }
        all
    }

    fn decision(&self, place: usize, instance: &Instance<'m>, plan: &DecisionPlan) -> Option<Told> {
        let key = ResourceKey::new(instance.emit.kind, instance.id.clone()?);
        let named = |places: &[Place]| places.iter().find_map(|place| self.named(instance, place));
        Some(match plan.is {
            Is::Merge => {
                let retired = named(&plan.prior)?;
                (retired.key != key).then_some(Told::Merge { survivor: key, retired })?
            }
            Is::Link | Is::Unlink => {
                // The second of a pair speaks for both: the two stand in the order of the message.
                let before = &self.instances[..place];
                let pair = |other: &&Instance<'m>| std::ptr::eq(other.emit, instance.emit) && other.id.is_some();
                let one = ResourceKey::new(key.kind, before.iter().find(pair)?.id.clone()?);
                match plan.is {
                    _ if one == key => return None,
                    Is::Link => Told::Link { one, other: key },
                    _ => Told::Unlink { one, other: key },
                }
            }
            Is::Move => {
                let (from, owner) = (named(&plan.from), named(&plan.to));
                Told::Move { to: key, moved: named(&plan.prior)?, from, owner }
            }
            Is::Change => {
                let (old, new) = (named(&plan.prior)?, named(&plan.now));
                Told::Change { of: key, old, new }
            }
            Is::Delete => Told::Delete { key },
        })
    }

    /// What an identifier in another field than that of the key names.
    fn named(&self, instance: &Instance<'m>, place: &Place) -> Option<Named> {
        let own = self.reading.message.segment(instance.place);
        let at = At::of(own);
        let segment = match own.id() == place.segment {
            true => instance.place,
            false => self.reading.nearest(&place.segment, at)?,
        };
        let of = instance.emit.id.keys.iter().find_map(|key| match key {
            KeyPlan::Source(alternatives) => alternatives.iter().find_map(|alternative| match alternative {
                KeyAlternative::Path(path, _) => Some(path),
                KeyAlternative::Constant(_) => None,
            }),
            KeyPlan::Nth => None,
        })?;
        let instead = Instead { segment, field: place.field, of };
        let emit = instance.emit;
        let key = identify::key(self.maker(), &emit.id, emit.kind, None, at, Some(instead))?;
        let (system, value, kind) = identify::identifier(self.maker(), &emit.id, at, instead)?;
        Some(Named { key: ResourceKey::new(emit.kind, key.id(1)), system, value, kind })
    }
}
