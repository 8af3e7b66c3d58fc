//! How much of the HL7 Version 2 to FHIR implementation guide a program covers, row by row.
//!
//! A row says that a field or component has its home in a FHIR element. It is covered when a rule leads from that place
//! to that element, directly or through lenses. A row that no rule covers needs a reason, otherwise it is unexplained.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::plan::{Program, RuleFacts};

/// Every row of the guide with what becomes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guide {
    /// In the order of the file.
    pub rows: Vec<GuideRow>,
    /// Reasons for rows that are covered by now, or that the guide does not have; they must go.
    pub stale: Vec<String>,
}

/// One row: where a value stands, and where the guide wants it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GuideRow {
    /// A field `PID-8`, or a component of a datatype `XPN.1`.
    pub source: String,
    /// The element with its resource or datatype, extensions by the last part of their URL.
    pub target: String,
    /// What becomes of it.
    pub status: GuideStatus,
    /// Map and rule, `adt-patient/pid8`: those that cover it, or those that treat the place otherwise.
    pub rules: Vec<String>,
    /// Why it differs or is not mapped; empty where it is covered.
    pub reason: String,
}

/// What becomes of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum GuideStatus {
    /// A rule leads there.
    Covered,
    /// Rules lead elsewhere, for a reason.
    Differs,
    /// No rule reads it, for a reason.
    Not,
    /// No rule leads there, and nobody says why.
    Unexplained,
}

impl Program {
    /// Compares the program with the rows of the guide (`source,target`) and the reasons for what differs
    /// (`source,target,reason`); lines that begin with `#` and head lines are passed over.
    pub fn guide(&self, rows: &str, differs: &str) -> Guide {
        let known = Known::of(&self.rules);
        let mut reasons: BTreeMap<(&str, &str), &str> = lines(differs)
            .filter_map(|line| {
                let mut parts = line.splitn(3, ',');
                Some(((parts.next()?, parts.next()?), parts.next()?.trim_matches('"')))
            })
            .collect();
        let mut guide = Guide { rows: Vec::new(), stale: Vec::new() };
        for (source, target) in lines(rows).filter_map(|line| line.split_once(',')) {
            let covering = known.covering(source, target);
            let reason = if covering.is_empty() { reasons.remove(&(source, target)) } else { None };
            let rules = if covering.is_empty() { known.reading(source) } else { covering.clone() };
            let status = match (covering.is_empty(), reason, rules.is_empty()) {
                (false, ..) => GuideStatus::Covered,
                (true, None, _) => GuideStatus::Unexplained,
                (true, Some(_), false) => GuideStatus::Differs,
                (true, Some(_), true) => GuideStatus::Not,
            };
            guide.rows.push(GuideRow {
                source: source.to_owned(),
                target: target.to_owned(),
                status,
                rules: rules.into_iter().take(RULES_MAX).collect(),
                reason: reason.unwrap_or_default().to_owned(),
            });
        }
        guide.stale = reasons.keys().map(|(source, target)| format!("{source},{target}")).collect();
        guide
    }
}

impl Guide {
    /// How many rows have this status.
    pub fn count(&self, status: GuideStatus) -> usize {
        self.rows.iter().filter(|row| row.status == status).count()
    }

    /// The fields and components of which at least one row is covered, and how many there are.
    pub fn places(&self) -> (usize, usize) {
        let all: BTreeSet<&str> = self.rows.iter().map(|row| row.source.as_str()).collect();
        let covered = self.rows.iter().filter(|row| row.status == GuideStatus::Covered);
        let covered: BTreeSet<&str> = covered.map(|row| row.source.as_str()).collect();
        (covered.len(), all.len())
    }

    /// The part of the rows that is covered, in percent.
    pub fn percent(&self) -> f64 {
        100.0 * self.count(GuideStatus::Covered) as f64 / self.rows.len().max(1) as f64
    }
}

impl fmt::Display for GuideStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            GuideStatus::Covered => "covered",
            GuideStatus::Differs => "differs",
            GuideStatus::Not => "not",
            GuideStatus::Unexplained => "unexplained",
        })
    }
}

impl fmt::Display for Guide {
    /// The page for readers, in Markdown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "# Coverage of the HL7 Version 2 to FHIR guide\n\n{PREFACE}\n")?;
        let (covered, places) = self.places();
        writeln!(
            f,
            "{covered} of {places} fields and components ({:.1} %) reach a home that the guide names. Of its {} rows {} ({:.1} %) are \
             covered, {} differ, {} are not mapped, {} are unexplained.",
            100.0 * covered as f64 / places.max(1) as f64,
            self.rows.len(),
            self.count(GuideStatus::Covered),
            self.percent(),
            self.count(GuideStatus::Differs),
            self.count(GuideStatus::Not),
            self.count(GuideStatus::Unexplained),
        )?;
        let mut part = "";
        for row in &self.rows {
            let own = row.source.split(['-', '.']).next().unwrap_or_default();
            if own != part {
                part = own;
                writeln!(
                    f,
                    "\n## {part}\n\n| place | FHIR element | status | rules | reason |\n|---|---|---|---|---|"
                )?;
            }
            let rules = row.rules.join(", ");
            writeln!(f, "| {} | {} | {} | {rules} | {} |", row.source, row.target, row.status, row.reason)?;
        }
        Ok(())
    }
}

/// The rules by map or lens, and lenses by name.
struct Known<'p> {
    maps: Vec<&'p RuleFacts>,
    lenses: BTreeMap<&'p str, Vec<&'p RuleFacts>>,
}

impl<'p> Known<'p> {
    fn of(rules: &'p [RuleFacts]) -> Self {
        let mut known = Known { maps: Vec::new(), lenses: BTreeMap::new() };
        for rule in rules {
            if rule.reads.is_empty() {
                known.maps.push(rule);
            } else {
                known.lenses.entry(&rule.map).or_default().push(rule);
            }
        }
        known
    }

    /// The rules that lead from a place to an element.
    fn covering(&self, source: &str, target: &str) -> Vec<String> {
        let mut found = BTreeSet::new();
        for place in &places(source, target) {
            let row = Row { place, target };
            for rule in self.maps.iter().copied().chain(self.lenses.values().flatten().copied()) {
                let elements = rule.elements.iter().map(|element| under(&rule.root, element));
                let elements: Vec<String> = elements.collect();
                if says(&rule.lens, place, target) {
                    found.insert(format!("{} (built in)", rule.lens));
                }
                let mut places = places_of(rule);
                if places.any(|from| elements.iter().any(|element| self.leads(rule, &from, element, &row, 0))) {
                    found.insert(format!("{}/{}", rule.map, rule.id));
                }
            }
        }
        found.into_iter().collect()
    }

    /// Whether a rule, read at `from` and writing `element`, says what the row says; lenses are followed.
    fn leads(&self, rule: &RuleFacts, from: &str, element: &str, row: &Row<'_>, depth: u8) -> bool {
        if !row.stands_at(from, true) {
            return false;
        }
        let lens = self.lenses.get(rule.lens.as_str());
        let whole = rule.class == "reference" || (lens.is_none() && !rule.lens.is_empty());
        if row.stands_at(from, whole) && row.goes_to(element, whole) {
            return true;
        }
        let Some(inner) = lens.filter(|_| depth < DEPTH_MAX) else { return false };
        let of_resource = rule.class == "reference";
        inner.iter().any(|step| {
            step.elements.iter().any(|own| {
                let deeper = under(if of_resource { &step.root } else { element }, own);
                let here = parts_of(step).map(|part| below(from, part));
                here.chain(places_of(step)).any(|place| self.leads(step, &place, &deeper, row, depth + 1))
            })
        })
    }

    /// The rules that read a place, whatever they write.
    fn reading(&self, source: &str) -> Vec<String> {
        let mut found = BTreeSet::new();
        for place in &places(source, "MessageHeader") {
            let row = Row { place, target: "" };
            for rule in self.maps.iter().copied().chain(self.lenses.values().flatten().copied()) {
                if places_of(rule).any(|from| row.stands_at(&from, false)) {
                    found.insert(format!("{}/{}", rule.map, rule.id));
                }
            }
        }
        found.into_iter().collect()
    }
}

/// What is looked for.
struct Row<'r> {
    place: &'r str,
    target: &'r str,
}

impl Row<'_> {
    /// Whether a rule that reads `from` reads this place: the place itself, a part of it, or all of what it is part of.
    fn stands_at(&self, from: &str, whole: bool) -> bool {
        from == self.place
            || from.strip_prefix(self.place).is_some_and(|rest| rest.starts_with('.'))
            || whole && self.place.strip_prefix(from).is_some_and(|rest| rest.starts_with(['.', '-']))
    }

    /// Whether a rule that writes `element` writes this one.
    fn goes_to(&self, element: &str, whole: bool) -> bool {
        let (mut own, mut wanted) = (parts(element), parts(self.target));
        loop {
            match (own.next(), wanted.next()) {
                (_, None) => return true,
                (None, Some(_)) => return whole,
                // `value[x]` stands for each of its types.
                (Some(own), Some(wanted)) => {
                    let choice = own.strip_suffix("[x]").is_some_and(|stem| wanted.starts_with(stem));
                    if own != wanted && !choice {
                        return false;
                    }
                }
            }
        }
    }
}

/// The places where a row of a datatype may be found, since some datatypes are only read where they stand.
fn places(source: &str, target: &str) -> Vec<String> {
    let mut places = vec![source.to_owned()];
    let (kind, part) = source.split_once('.').unwrap_or((source, ""));
    let header = target.starts_with("MessageHeader");
    for (_, place) in WITHIN.iter().filter(|(name, _)| *name == kind && (*name != "HD" || header)) {
        places.push(format!("{place}.{part}"));
    }
    places
}

/// Where a rule reads: of a lens, below each datatype or segment that it takes.
fn places_of(rule: &RuleFacts) -> impl Iterator<Item = String> {
    let own = parts_of(rule).filter(|_| rule.reads.is_empty()).cloned();
    let lens = rule.reads.iter().flat_map(|kind| parts_of(rule).map(|part| below(kind, part)));
    own.chain(lens)
}

/// What a rule reads; a constant says what its guards read.
fn parts_of(rule: &RuleFacts) -> impl Iterator<Item = &String> {
    rule.sources.iter().chain(rule.guards.iter().filter(|_| rule.class == "constant"))
}

/// Whether a lens written in Rust leads from a component to an element.
fn says(lens: &str, place: &str, target: &str) -> bool {
    BUILT_IN.iter().any(|(name, from, to)| *name == lens && *from == place && *to == target)
}

/// A part of a place: `self` is the place itself, the fields of a whole segment follow a hyphen.
fn below(place: &str, part: &str) -> String {
    match (part, dukou_wire::facts::field_count(place) > 0) {
        ("self", _) => place.to_owned(),
        (_, true) => format!("{place}-{part}"),
        (_, false) => format!("{place}.{part}"),
    }
}

/// An element of a lens or resource, seen from the element that it fills.
fn under(element: &str, own: &str) -> String {
    match (element, own) {
        (_, "self") => element.to_owned(),
        ("", _) => own.to_owned(),
        _ => format!("{element}.{own}"),
    }
}

/// The parts of an element; extension URLs hold dots of their own.
fn parts(target: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0;
    target.split(move |c| {
        match c {
            '[' => depth += 1,
            ']' => depth -= 1,
            _ => {}
        }
        c == '.' && depth == 0
    })
}

fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter(|line| !line.is_empty() && !line.starts_with('#') && !line.starts_with("source,"))
}

/// More lenses within lenses than any map has.
const DEPTH_MAX: u8 = 4;
/// As many rules as a reader wants to see.
const RULES_MAX: usize = 3;
/// Datatypes that no lens has to itself, and the place where they are read.
const WITHIN: [(&str, &str); 12] = [
    ("EIP", "SPM-2"),
    ("FN", "XPN.1"),
    ("HD", "MSH-3"),
    ("MSG", "MSH-9"),
    ("OG", "OBX-4"),
    ("PT", "MSH-11"),
    ("RI", "TQ.2"),
    ("SAD", "XAD.1"),
    ("SPS", "OBR-15"),
    ("TQ", "OBR-27"),
    ("TQ", "RXE-1"),
    ("TQ", "SCH-11"),
];

/// What the lenses written in Rust do with the components that they read.
const BUILT_IN: [(&str, &str, &str); 14] = [
    ("ED", "ED.3", "Attachment.contentType"),
    ("ED", "ED.5", "Attachment.data"),
    ("NM/quantity", "CWE.1", "Quantity.code"),
    ("NM/quantity", "CWE.1", "Quantity.unit"),
    ("NM/quantity", "CWE.2", "Quantity.unit"),
    ("NM/quantity", "CWE.3", "Quantity.system"),
    ("RP", "RP.1", "Attachment.url"),
    ("RP", "RP.3", "Attachment.contentType"),
    ("SN", "SN.1", "Quantity.comparator"),
    ("SN", "SN.2", "Quantity.value"),
    ("SN", "SN.2", "Range.low.value"),
    ("SN", "SN.2", "Ratio.numerator.value"),
    ("SN", "SN.4", "Range.high.value"),
    ("SN", "SN.4", "Ratio.denominator.value"),
];

/// What stands above the tables.
const PREFACE: &str = "\
The guide says for fields and components which FHIR element is their home. This page says for each of its rows which rule of the
base maps leads there, or why none does. It is made from `hl7v2/ig-rows.csv`, `hl7v2/ig-differs.csv` and the compiled maps by
`dukou map coverage --guide`; a test keeps it current (`BLESS=1` rewrites it). A reference is followed to the resource referred
to, and an extension is named by the end of its URL.";
