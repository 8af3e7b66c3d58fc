//! Which lens a rule uses: the one it names, or the only one that fits.

use dukou_fhir::schema::{Form, TypeId, TypeRef};
use dukou_wire::facts;

use crate::builtin::{Builtin, Reads};
use crate::compiler::{Compiler, Context, LensHead};
use crate::diagnostic::nearest;
use crate::plan::LensUse;
use crate::rule::{Direction, Rule};
use crate::targets::{TypedTarget, short};
use crate::tree_sources::SourceShape;

impl Compiler<'_, '_> {
    /// The lens from a source type to the type of a target.
    pub(crate) fn lens(
        &mut self,
        rule: &Rule,
        types: &[String],
        target: &TypedTarget,
        context: &Context<'_>,
    ) -> Option<LensUse> {
        let kinds: Vec<TypeId> = match target.kinds.as_slice() {
            [] => vec![target.plan.kind],
            kinds => kinds.iter().map(|content| content.kind).collect(),
        };
        let found = match &rule.via {
            Some(_) => self.named_lens(rule, types, &kinds)?,
            None => match self.only_lens(rule, types, &kinds, context) {
                Some(found) => found,
                None => {
                    self.no_lens(rule, types, target);
                    return None;
                }
            },
        };
        if rule.direction == Direction::Both {
            self.way_back(rule, &found, &kinds);
        }
        Some(found)
    }

    /// `<->` needs a lens that FHIR leads back through.
    fn way_back(&mut self, rule: &Rule, lens: &LensUse, kinds: &[TypeId]) {
        let name = match lens {
            LensUse::Builtin(lens) if !lens.facts().inverse => lens.facts().name,
            LensUse::Composite(at) if !self.lenses[*at].inverse => &self.lenses[*at].name,
            _ => return,
        };
        let others = Builtin::giving(kinds.first().map_or("", |kind| kind.name()));
        let other = others.filter(|facts| facts.inverse).map(|facts| facts.name).next();
        let hint = other.map_or_else(|| "write: ->".to_owned(), |other| format!("write: ->   or: via {other}"));
        let place = rule.via.as_ref().map_or(rule.text.place, |call| call.name.place);
        let text = format!("lens {name} has no inverse, so <-> is not possible");
        self.findings.error("E-LENS-ONE-WAY", place, text, hint);
    }

    fn named_lens(&mut self, rule: &Rule, types: &[String], kinds: &[TypeId]) -> Option<LensUse> {
        let call = rule.via.as_ref()?;
        let name = call.name.value.as_str();
        let heads: Vec<(usize, Vec<String>, TypeId)> =
            self.lenses_named(name).map(|(at, head)| (at, head.v2.clone(), head.kind)).collect();
        let fits = |kind: TypeId| kinds.iter().any(|wanted| wanted.is_a(kind) && same_json(*wanted, kind));
        let mut fitting = heads.iter().filter(|(_, _, kind)| fits(*kind));
        if let Some((at, v2, _)) = fitting.next() {
            if !types.is_empty() && !v2.is_empty() && !types.iter().any(|datatype| v2.contains(datatype)) {
                let text = format!("lens {name} reads {}, not {}", v2.join(", "), types[0]);
                self.findings.error("E-TYPE", call.name.place, text, "");
                return None;
            }
            return Some(LensUse::Composite(*at));
        }
        if let Some(lens) = Builtin::named(name) {
            return self.builtin(rule, lens, types, kinds);
        }
        if heads.is_empty() {
            let files = self.lenses.iter().map(|head| head.name.clone());
            let known: Vec<String> = files.chain(Builtin::names().map(str::to_owned)).collect();
            let near = nearest(name, known.iter().map(String::as_str));
            let hint = if near.is_empty() { self.fitting_lenses(types, kinds) } else { near };
            self.findings.error("E-LENS", call.name.place, format!("no lens '{name}'"), hint);
        } else {
            let gives: Vec<&str> = heads.iter().map(|(_, _, kind)| kind.name()).collect();
            let text = format!("lens {name} gives {}, not {}", gives.join(", "), names(kinds));
            self.findings.error("E-TYPE", call.name.place, text, "");
        }
        None
    }

    /// The lenses that lead from a type to one of the types wanted.
    fn fitting_lenses(&self, types: &[String], kinds: &[TypeId]) -> String {
        let files = self.lenses.iter().filter(|head| {
            kinds.contains(&head.kind) && (types.is_empty() || types.iter().any(|datatype| head.v2.contains(datatype)))
        });
        let mut fitting: Vec<&str> = files.map(|head| head.name.as_str()).collect();
        for kind in kinds {
            fitting
                .extend(Builtin::giving(kind.name()).filter(|facts| reads(facts.reads, types)).map(|facts| facts.name));
        }
        if fitting.is_empty() { String::new() } else { format!("lenses that fit: {}", fitting.join(", ")) }
    }

    fn builtin(&mut self, rule: &Rule, lens: Builtin, types: &[String], kinds: &[TypeId]) -> Option<LensUse> {
        let facts = lens.facts();
        let place = rule.via.as_ref().map_or(rule.text.place, |call| call.name.place);
        if !kinds.iter().any(|kind| facts.gives.contains(&kind.name())) {
            let text = format!("lens {} gives {}, not {}", facts.name, facts.gives.join(", "), names(kinds));
            self.findings.error("E-TYPE", place, text, "");
            return None;
        }
        if !reads(facts.reads, types) {
            let text = format!("lens {} does not read {}", facts.name, types.first().map_or("", String::as_str));
            self.findings.error("E-TYPE", place, text, "");
            return None;
        }
        Some(LensUse::Builtin(lens))
    }

    fn only_lens(&self, rule: &Rule, types: &[String], kinds: &[TypeId], context: &Context<'_>) -> Option<LensUse> {
        let own =
            |head: &LensHead| context.lens.is_some_and(|(_, kind)| head.kind == kind && head.name == context.owner);
        // A leaf of a document is plain text; lenses from datatypes of v2 stand aside.
        if let (false, [kind]) = (matches!(context.source, SourceShape::Segments), kinds)
            && let Some(plain) = default_builtin(kind.name(), types, rule.clauses.table.is_some())
        {
            return Some(LensUse::Builtin(plain));
        }
        for datatype in types {
            let mut fitting = self
                .lenses
                .iter()
                .enumerate()
                .filter(|(_, head)| !own(head) && head.v2.contains(datatype) && kinds.contains(&head.kind));
            if let (Some((at, _)), None) = (fitting.next(), fitting.next()) {
                return Some(LensUse::Composite(at));
            }
        }
        let [kind] = kinds else { return None };
        default_builtin(kind.name(), types, rule.clauses.table.is_some()).map(LensUse::Builtin)
    }

    fn no_lens(&mut self, rule: &Rule, types: &[String], target: &TypedTarget) {
        let from = types.first().map_or("a value of unknown type", String::as_str);
        let kinds: Vec<&str> = target.kinds.iter().map(|content: &&TypeRef| content.kind.name()).collect();
        let kinds = if kinds.is_empty() { target.plan.kind.name().to_owned() } else { kinds.join(" | ") };
        let text = format!("no lens from {from} to {kinds}");
        let hint = describe(target, &kinds);
        let place = match &rule.action {
            crate::rule::Action::Write(targets) => targets.first().map_or(rule.text.place, |target| target.place),
            _ => rule.text.place,
        };
        self.findings.error("E-TYPE", place, text, hint);
    }
}

/// `Patient.gender is code 0..1, required binding administrative-gender`.
fn describe(target: &TypedTarget, kinds: &str) -> String {
    let Some(element) = target.element else { return String::new() };
    let max = if element.is_list() { "*".to_owned() } else { element.max.to_string() };
    let binding = target.binding.map_or_else(String::new, |set| format!(", required binding {}", short(set)));
    format!("{} is {kinds} {}..{max}{binding}", target.plan.text, element.min)
}

fn names(kinds: &[TypeId]) -> String {
    let names: Vec<&str> = kinds.iter().map(|kind| kind.name()).collect();
    names.join(" | ")
}

/// A specialised primitive has rules of its own, so a lens must name it; a specialised Quantity is only a Quantity.
fn same_json(wanted: TypeId, kind: TypeId) -> bool {
    let text = wanted.name() == "markdown" && kind.name() == "string";
    wanted == kind || text || !matches!(wanted.form(), Form::Primitive(_))
}

fn default_builtin(kind: &str, types: &[String], table: bool) -> Option<Builtin> {
    let lens = match kind {
        "code" if table && !types.iter().all(|datatype| moment(datatype)) => Builtin::Text,
        "code" => Builtin::Code,
        "string" | "markdown" | "id" | "uri" | "url" | "canonical" | "oid" | "uuid" => Builtin::Text,
        "boolean" => Builtin::YesNo,
        "decimal" => Builtin::Decimal,
        "integer" | "positiveInt" | "unsignedInt" => Builtin::Integer,
        "date" => Builtin::Date,
        "dateTime" => Builtin::DateTime,
        "instant" => Builtin::Instant,
        "time" => Builtin::Time,
        "Coding" | "CodeableConcept" if table => Builtin::Coded,
        "Attachment" if types.iter().any(|datatype| datatype == "ED") => Builtin::Attachment,
        "Attachment" if types.iter().any(|datatype| datatype == "RP") => Builtin::Pointer,
        _ => return None,
    };
    // A date becomes text only where the rule says so.
    let plain = lens != Builtin::Text || types.is_empty() || types.iter().any(|datatype| plain(datatype));
    (plain && reads(lens.facts().reads, types)).then_some(lens)
}

/// Whether one of the datatypes is read.
fn reads(reads: Reads, types: &[String]) -> bool {
    types.is_empty()
        || types.iter().any(|datatype| match reads {
            Reads::Anything => true,
            Reads::Types(known) => known.contains(&datatype.as_str()),
            Reads::Moment => moment(datatype) || texty(datatype),
            Reads::Number => matches!(datatype.as_str(), "NM" | "SI" | "SN") || texty(datatype),
            Reads::Plain => plain(datatype),
            Reads::Text => plain(datatype) || moment(datatype),
        })
}

fn moment(datatype: &str) -> bool {
    matches!(datatype, "DTM" | "TS" | "DT" | "TM")
}

fn texty(datatype: &str) -> bool {
    matches!(datatype, "ST" | "TX" | "FT" | "ID" | "IS")
}

/// One value, or a coded type whose first component is the value; not a date, which has lenses of its own.
fn plain(datatype: &str) -> bool {
    let coded = matches!(datatype, "CWE" | "CE" | "CNE" | "CF");
    !moment(datatype) && (coded || facts::component_count(datatype) == 0)
}
