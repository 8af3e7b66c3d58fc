//! What goes in and comes out of the way back.

use dukou_fhir::{Issue, IssueType, Severity, Text, Value};
use dukou_wire::groups::structure_of;
use dukou_wire::{Charset, Message, Target};

use super::draft::{Draft, Spot, Written as Line};
use super::hints::Hints;
use super::print::{PrintFault, print};
use super::profile::Profile;
use super::run::{Back, Scope};
use super::seat::{BackSeat, Seating};
use super::tally::tally;
use super::value::Form;
use super::view::View;
use crate::plan::{EmitPlan, MapPlan, Program};
use crate::run::{MessageKind, Site};

/// The message that is wanted, and what only the caller knows.
#[derive(Clone, Debug)]
pub struct Outbound<'o> {
    /// The profile by name, such as `oru-r01`, or the map of the partner's documents or rows.
    pub profile: &'o str,
    /// MSH-10; empty where the view itself says it.
    pub control_id: &'o str,
    /// MSH-7 as v2 writes it, `20240102030405+0800`; empty where the view itself says it.
    pub time: &'o str,
    /// The receiver's name for its character set; empty for UTF-8.
    pub charset: &'o str,
}

/// A message made or changed from a view.
#[derive(Debug)]
pub struct Written {
    /// The message.
    pub bytes: Vec<u8>,
    /// What became of every leaf of the view.
    pub accounts: ViewAccounts,
    /// What could not be said, with places in the view; no values.
    pub issues: Vec<Issue>,
}

/// The sums over the leaves of a view: `leaves` is always the sum of the three classes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ViewAccounts {
    /// How many values the view has.
    pub leaves: u32,
    /// Those that stand in the message.
    pub written: u32,
    /// Those that the message says by its form: types, ids, references, constants, values derived from others.
    pub explained: u32,
    /// Those for which there is no rule or no room.
    pub reported: u32,
    /// Where the reported ones stand: `Patient/7.contact[0].gender`.
    pub reported_paths: Vec<String>,
}

/// Why a view became no message.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FromFhirError {
    /// No profile of that name.
    #[error("no profile '{name}'; there are: {known}")]
    Profile {
        /// What was asked for.
        name: String,
        /// What there is.
        known: String,
    },
    /// The receiver's character set is not known.
    #[error("no character set '{0}'; write UNICODE UTF-8 or GB18030-2000")]
    Charset(String),
    /// There is no resource.
    #[error("the view holds no resource")]
    Empty,
    /// A value cannot be written for the receiver.
    #[error("{path} holds a character that {charset} lacks")]
    Unencodable {
        /// Where in the message.
        path: String,
        /// What the receiver calls its character set.
        charset: String,
    },
    /// The changed document cannot be written.
    #[error("writing the change into the document")]
    Document(#[source] dukou_wire::SetError),
    /// The new document cannot be written.
    #[error("writing the document")]
    New(#[source] dukou_wire::draft::PrintError),
    /// No resource of the view is one that the message makes.
    #[error("none of the resources was made of this message: the ids are those of another message or of another site")]
    Foreign,
    /// The changed message cannot be written.
    #[error("writing the change into the message")]
    Change(#[source] dukou_wire::draft::PrintError),
}

impl Program {
    /// Makes a message of a view (a Bundle or one resource), or writes a changed view into the message of which it was
    /// made.
    ///
    /// # Errors
    /// When the profile or the character set is not known, or a value cannot be written in it.
    pub fn from_fhir(
        &self,
        view: &Value<'_>,
        outbound: &Outbound<'_>,
        complement: Option<&Message<'_>>,
        site: &Site<'_>,
    ) -> Result<Written, FromFhirError> {
        match complement {
            Some(message) => self.put(view, message, site),
            None => match self.document_map(outbound.profile) {
                Some(map) => self.create_document(map, view, outbound),
                None => self.create(view, outbound),
            },
        }
    }

    /// The map of documents that has this name.
    fn document_map(&self, name: &str) -> Option<&MapPlan> {
        let known = self.maps.iter().find(|map| map.name == name)?;
        (!matches!(known.documents.source, crate::source_plan::SourcePlan::Segments)).then_some(known)
    }

    /// The names of all profiles.
    pub fn profiles(&self) -> impl Iterator<Item = &str> {
        self.profiles.iter().map(|profile| profile.name.as_str())
    }

    fn profile(&self, name: &str) -> Result<&Profile, FromFhirError> {
        let found = self.profiles.iter().find(|profile| profile.name == name);
        found.ok_or_else(|| FromFhirError::Profile {
            name: name.to_owned(),
            known: self.profiles().collect::<Vec<_>>().join(", "),
        })
    }

    fn create(&self, view: &Value<'_>, outbound: &Outbound<'_>) -> Result<Written, FromFhirError> {
        let profile = self.profile(outbound.profile)?;
        let target = match outbound.charset {
            "" => Target::of(Charset::Utf8),
            name => Target::named(name).ok_or_else(|| FromFhirError::Charset(name.to_owned()))?,
        };
        let shown = View::new(view);
        if shown.resources.is_empty() {
            return Err(FromFhirError::Empty);
        }
        let mut back = Back {
            program: self,
            view: shown,
            draft: Draft::new(profile.structure),
            version: &profile.version,
            hints: Hints::default(),
            places: Default::default(),
            resource: None,
            marks: Vec::new(),
            issues: Vec::new(),
        };
        back.header(profile, outbound);
        let kind = MessageKind {
            version: &profile.version,
            trigger: &profile.event,
            code: &profile.code,
            structure: structure_of(&profile.code, &profile.event, profile.structure),
            stated: profile.structure,
        };
        let emits = back.emits(&kind);
        let mut seating = Seating::new(&mut back, emits);
        seating.fill(profile);
        let seats = seating.seats;
        back.run(&seats);
        back.constants(profile, outbound);
        back.number();
        back.keep_limits();
        let bytes = print(&back.draft, &target)
            .map_err(|PrintFault { path, charset }| FromFhirError::Unencodable { path, charset })?;
        back.unseated(&seats);
        let accounts = tally(&back.view, &mut back.marks);
        Ok(Written { bytes, accounts, issues: back.issues })
    }
}

impl<'v> Back<'v> {
    /// The emits of all maps that are meant for a kind of message.
    pub(crate) fn emits(&self, kind: &MessageKind<'_>) -> Vec<(u32, u32, &'v EmitPlan)> {
        let program = self.program;
        let maps = (0u32..).zip(&program.maps).filter(|(_, map)| map.is_for(kind));
        maps.flat_map(|(map, plan)| (0u32..).zip(&plan.emits).map(move |(emit, plan)| (map, emit, plan)))
            .filter(|(_, _, emit)| !self.message_denies(&emit.guard))
            .collect()
    }

    /// What the header says of the kind of message and of this one.
    fn header(&mut self, profile: &'v Profile, outbound: &Outbound<'_>) {
        let given = [
            (7, 1, outbound.time.to_owned()),
            (9, 1, profile.code.clone()),
            (9, 2, profile.event.clone()),
            (9, 3, profile.structure.to_owned()),
            (10, 1, outbound.control_id.to_owned()),
            (12, 1, profile.version.clone()),
        ];
        for (field, component, text) in given {
            self.say(0, field, component, text, Form::Given);
        }
    }

    fn say(&mut self, segment: u32, field: u16, component: u16, text: String, form: Form) {
        if !text.is_empty() {
            let spot = Spot { segment, field, repetition: 1, component, subcomponent: 1 };
            self.draft.write(Line { spot, form, rule: u32::MAX, seat: u32::MAX, text: text.into(), dead: false });
        }
    }

    /// Runs the rules of every seat.
    pub(crate) fn run(&mut self, seats: &[BackSeat<'v>]) {
        for seat in seats {
            let object = self.view.resources[seat.resource].object;
            self.resource = Some(object);
            let mut scope = Scope::new(seat.segment, object, seat.number);
            self.body(&seat.emit.body, &mut scope);
        }
    }

    /// Values of the profile for places that nothing else fills.
    fn constants(&mut self, profile: &'v Profile, outbound: &Outbound<'_>) {
        for (id, field, component, text) in &profile.constants {
            let text = text.replace("{time}", outbound.time).replace("{event}", &profile.event);
            self.draft.require(id);
            let mut segments: Vec<u32> = (0..self.draft.segments.len() as u32).collect();
            segments.retain(|at| self.draft.segments[*at as usize].id == id.as_str());
            for segment in segments {
                self.say(segment, *field, *component, text.clone(), Form::Default);
            }
        }
    }

    /// Set ids: the number of the segment among those of its kind in the same order, patient or message.
    pub(crate) fn number(&mut self) {
        let program = self.program;
        if self.hints.is_empty() {
            program.ordinals.iter().for_each(|(id, _)| self.draft.require(id));
        }
        let mut counted: std::collections::HashMap<(u32, &str), u32> = std::collections::HashMap::new();
        for at in self.draft.in_order() {
            let id = self.draft.segments[at as usize].id.clone();
            let Some((id, field)) = program.ordinals.iter().find(|(known, _)| *known == id) else { continue };
            let new = self.draft.segments[at as usize].original.is_none();
            // A group that needs its first segment gets it with its number alone.
            let empty = self.draft.alive(at).next().is_none();
            if new && empty && !(self.hints.is_empty() && self.draft.is_required(at)) {
                continue;
            }
            let number = counted.entry((self.circle(at), id)).or_insert(0);
            *number += 1;
            if new {
                let text = number.to_string();
                self.say(at, *field, 1, text, if empty { Form::Default } else { Form::Given });
            }
        }
    }

    /// The group in which a segment is counted.
    fn circle(&self, segment: u32) -> u32 {
        let mut group = self.draft.segments[segment as usize].group;
        if self.draft.repeats(segment) {
            return group;
        }
        while let Some(parent) = self.draft.groups[group as usize].parent {
            let repeats = self.draft.group_repeats(group);
            group = parent;
            if repeats {
                break;
            }
        }
        group
    }

    /// Tells of resources that stand nowhere: neither at a segment nor in a field.
    pub(crate) fn unseated(&mut self, seats: &[BackSeat<'v>]) {
        let mut carried: Vec<usize> = self.marks.iter().map(|mark| mark.0).collect();
        carried.sort_unstable();
        for (at, shown) in self.view.resources.iter().enumerate() {
            if seats.iter().any(|seat| seat.resource == at) || super::tally::any(shown.object, &carried) {
                continue;
            }
            let kind = shown.kind;
            let text =
                Text::new(format!("the message has no place for this {kind}"), format!("该消息中没有 {kind} 的位置"));
            let issue = Issue::new(Severity::Warning, IssueType::NotSupported, "no-place", text);
            self.issues.push(issue.at(format!("{kind}/{}", shown.id)));
            if self.issues.len() >= ISSUES_MAX {
                return;
            }
        }
    }
}

/// Issues of one view beyond this number are not kept.
const ISSUES_MAX: usize = 1_000;
