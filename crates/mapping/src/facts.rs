//! What a message tells beside changes: when its event happened, whose it is, and which records became one.

use dukou_fhir::ResourceType;

use crate::identify::{self, Instead};
use crate::mapped::{Facts, Merge};
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
            facts.merges.extend(self.merge(instance).filter(|merge| !facts.merges.contains(merge)));
        }
        facts
    }

    fn merge(&self, instance: &Instance<'m>) -> Option<Merge> {
        let plan = instance.map.merge.as_ref()?;
        let survivor = instance.id.clone()?;
        let trigger = self.reading.message.header().trigger();
        if !plan.events.iter().any(|event| *event == trigger) || instance.emit.kind != ResourceType::PATIENT {
            return None;
        }
        let at = At::of(self.reading.message.segment(instance.place));
        let segment = self.reading.nearest(&plan.segment, at)?;
        let of = instance.emit.id.keys.iter().find_map(|key| match key {
            KeyPlan::Source(alternatives) => alternatives.iter().find_map(|alternative| match alternative {
                KeyAlternative::Path(path, _) => Some(path),
                KeyAlternative::Constant(_) => None,
            }),
            KeyPlan::Nth => None,
        })?;
        let instead = Some(Instead { segment, field: plan.field, of });
        let emit = instance.emit;
        let key = identify::key(self.maker(), &emit.id, emit.kind, None, at, instead)?;
        let retired = key.id(1);
        (retired != survivor).then_some(Merge { survivor, retired })
    }
}
