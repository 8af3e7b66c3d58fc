//! Tables as ConceptMap (FHIR R4) and back: what goes out and comes in again is equal.
//!
//! `<->` is `equivalent`, `->` is `wider` (the target says less), `<-` is `narrower`; a code without a row is `unmatched` and
//! has no element. Rows keep their order: neighbours with the same target system are one group. What ConceptMap cannot say
//! (what becomes of other codes; codes with blanks that FHIR does not allow) stands in extensions.

use std::borrow::Cow;

use dukou_fhir::{FhirDateTime, Object, Value};

use crate::table::{Direction, Fault, Head, Otherwise, Row, Table};

/// Why a ConceptMap is no table.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImportError {
    /// It is something else.
    #[error("the resource is no ConceptMap")]
    NotAConceptMap,
    /// It has no name by which maps could call it.
    #[error("the ConceptMap has neither identifier nor name")]
    NoName,
    /// An element without code, or a target without code or equivalence.
    #[error("{0} lacks a code or an equivalence")]
    Incomplete(String),
    /// Codes or targets that are there twice.
    #[error("the rows contradict each other: {}", .0.iter().map(|fault| format!("row {}: {}", fault.row + 1, fault.kind)).collect::<Vec<_>>().join("; "))]
    Faults(Vec<Fault>),
}

impl Table {
    /// The table as a ConceptMap; `name` makes its id and url, where the table's own name is not unique.
    pub fn to_concept_map(&self, name: &str) -> Value<'static> {
        let head = self.head();
        let id: String =
            name.chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' || c == '.' { c } else { '-' }).collect();
        let mut map =
            Object::new().with("resourceType", "ConceptMap").with("id", id.chars().take(64).collect::<String>());
        let mut extensions = vec![extension(ELSE, written(self.otherwise()))];
        // Not every date of a value domain is one of FHIR.
        let date = FhirDateTime::parse(&head.date).is_some();
        for (url, text, said) in [(SOURCE, &head.source, true), (TARGET, &head.target, true), (DATE, &head.date, !date)]
        {
            if said && !text.is_empty() {
                extensions.push(extension(url, text.clone()));
            }
        }
        map.insert("extension", Value::Array(extensions));
        map.insert("url", format!("{BASE}ConceptMap/{id}"));
        map.insert("identifier", Object::new().with("system", format!("{BASE}table")).with("value", head.name.clone()));
        if !head.version.is_empty() {
            map.insert("version", head.version.clone());
        }
        map.insert("name", identifier(name));
        map.insert("status", "active");
        if date {
            map.insert("date", head.date.clone());
        }
        let groups = self.groups();
        if !groups.is_empty() {
            map.insert("group", Value::Array(groups));
        }
        Value::Object(map)
    }

    fn groups(&self) -> Vec<Value<'static>> {
        let mut groups: Vec<(Option<&str>, Vec<Value<'static>>)> = Vec::new();
        for row in self.rows() {
            let system = row.system.as_deref();
            match groups.last_mut().filter(|(last, _)| *last == system) {
                Some((_, elements)) => elements.push(element(row)),
                None => groups.push((system, vec![element(row)])),
            }
        }
        let head = self.head();
        let built = groups.into_iter().map(|(system, elements)| {
            let mut group = Object::new();
            if system.is_some() {
                group.insert("extension", Value::Array(vec![extension(OWN, "true".to_owned())]));
            }
            if !head.source.is_empty() {
                group.insert("source", head.source.clone());
            }
            let target = system.unwrap_or(&head.target);
            if !target.is_empty() {
                group.insert("target", target.to_owned());
            }
            group.insert("element", Value::Array(elements));
            if let Some(unmapped) = unmapped(self.otherwise()) {
                group.insert("unmapped", unmapped);
            }
            Value::Object(group)
        });
        built.collect()
    }

    /// Reads a table from a ConceptMap, one of ours or of another house.
    ///
    /// # Errors
    /// It is no ConceptMap, or rows lack codes or contradict each other.
    pub fn from_concept_map(map: &Value<'_>) -> Result<Table, ImportError> {
        if map.resource_type() != Some("ConceptMap") {
            return Err(ImportError::NotAConceptMap);
        }
        let name = map.text_at("identifier.value").or(map.text_at("name")).ok_or(ImportError::NoName)?;
        let groups = map.list_at("group");
        let text = |found: Option<&str>| found.unwrap_or("").to_owned();
        let first = |member: &str| groups.iter().find_map(|group| group.text_at(member));
        let ours = said(map, ELSE).is_some();
        let head = Head {
            name: name.to_owned(),
            source: text(if ours { said(map, SOURCE) } else { first("source") }),
            target: text(if ours { said(map, TARGET) } else { first("target") }),
            version: text(map.text_at("version")),
            date: text(said(map, DATE).or(map.text_at("date"))),
        };
        let mut rows = Vec::new();
        for (number, group) in groups.iter().enumerate() {
            let own = if ours { said(group, OWN).is_some() } else { group.text_at("target") != Some(&head.target) };
            let system = group.text_at("target").filter(|_| own).map(str::to_owned);
            for (at, element) in group.list_at("element").iter().enumerate() {
                read(element, &system, &format!("group {} element {}", number + 1, at + 1), &mut rows)?;
            }
        }
        let otherwise = match said(map, ELSE) {
            Some(text) => Otherwise::parse(text),
            None => groups.iter().find_map(|group| group.get("unmapped")).map_or(Otherwise::Refuse, other),
        };
        Table::build(head, rows, otherwise).map_err(ImportError::Faults)
    }
}

fn element(row: &Row) -> Value<'static> {
    let mut target = coded(&row.target);
    if let Some(display) = &row.display {
        target.insert("display", display.clone());
    }
    let equivalence = match row.direction {
        Direction::Both => "equivalent",
        Direction::Forward => "wider",
        Direction::Back => "narrower",
    };
    target.insert("equivalence", equivalence);
    Value::Object(coded(&row.code).with("target", Value::Array(vec![Value::Object(target)])))
}

/// A code as FHIR allows it; another one stands in an extension.
fn coded(code: &str) -> Object<'static> {
    let blank = |c: Option<char>| c.is_none_or(char::is_whitespace);
    let fits = !blank(code.chars().next())
        && !blank(code.chars().next_back())
        && !code.contains("  ")
        && !code.contains(|c: char| c < ' ');
    match fits {
        true => Object::new().with("code", code.to_owned()),
        false => Object::new().with("extension", Value::Array(vec![extension(CODE, code.to_owned())])),
    }
}

fn code<'v>(value: &'v Value<'_>) -> Option<&'v str> {
    value.text_at("code").or(said(value, CODE))
}

fn read(element: &Value<'_>, system: &Option<String>, place: &str, rows: &mut Vec<Row>) -> Result<(), ImportError> {
    let incomplete = || ImportError::Incomplete(place.to_owned());
    let source = code(element).ok_or_else(incomplete)?;
    for target in element.list_at("target") {
        let direction = match target.text_at("equivalence").ok_or_else(incomplete)? {
            "equivalent" | "equal" => Direction::Both,
            "wider" | "subsumes" | "inexact" | "relatedto" => Direction::Forward,
            "narrower" | "specializes" => Direction::Back,
            // Unmatched and disjoint: no row.
            _ => continue,
        };
        rows.push(Row {
            code: source.to_owned(),
            direction,
            target: code(target).ok_or_else(incomplete)?.to_owned(),
            display: target.text_at("display").map(str::to_owned),
            system: system.clone(),
        });
    }
    Ok(())
}

fn extension(url: &str, text: String) -> Value<'static> {
    Value::Object(Object::new().with("url", format!("{BASE}StructureDefinition/{url}")).with("valueString", text))
}

/// The text of an extension of ours.
fn said<'v>(value: &'v Value<'_>, url: &str) -> Option<&'v str> {
    let found = value.list_at("extension").iter().find(|one| {
        one.text_at("url")
            .and_then(|found| found.strip_prefix(BASE))
            .and_then(|found| found.strip_prefix("StructureDefinition/"))
            == Some(url)
    });
    found?.text_at("valueString")
}

/// The right side of an `else` row.
fn written(otherwise: &Otherwise) -> String {
    match otherwise {
        Otherwise::Refuse => "error".to_owned(),
        Otherwise::Code(code) => code.clone(),
        Otherwise::Text => "text".to_owned(),
        Otherwise::Keep => "keep".to_owned(),
        Otherwise::Pattern { before, after } => format!("{before}{{}}{after}"),
    }
}

/// For readers of other houses: the fixed code, or the code as it is.
fn unmapped(otherwise: &Otherwise) -> Option<Object<'static>> {
    match otherwise {
        Otherwise::Code(code) => Some(Object::new().with("mode", "fixed").with("code", code.clone())),
        Otherwise::Keep => Some(Object::new().with("mode", "provided")),
        Otherwise::Refuse | Otherwise::Text | Otherwise::Pattern { .. } => None,
    }
}

fn other(unmapped: &Value<'_>) -> Otherwise {
    match (unmapped.text_at("mode"), unmapped.text_at("code")) {
        (Some("fixed"), Some(code)) => Otherwise::Code(code.to_owned()),
        (Some("provided"), _) => Otherwise::Keep,
        _ => Otherwise::Refuse,
    }
}

/// A name that programs can use (invariant cmd-0): a capital letter, then letters, digits and `_`.
fn identifier(name: &str) -> Cow<'static, str> {
    let mut text: String = name
        .split(|c: char| !c.is_ascii_alphanumeric())
        .map(|part| {
            let mut letters = part.chars();
            letters.next().map_or_else(String::new, |first| first.to_ascii_uppercase().to_string() + letters.as_str())
        })
        .collect();
    if !text.starts_with(|c: char| c.is_ascii_uppercase()) {
        text.insert_str(0, "Table");
    }
    Cow::Owned(text)
}

const BASE: &str = "https://dukou.dev/fhir/";
const ELSE: &str = "table-else";
const SOURCE: &str = "table-source";
const TARGET: &str = "table-target";
const DATE: &str = "table-date";
const OWN: &str = "table-row-system";
const CODE: &str = "table-code";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Tables;

    fn table(rows: &str) -> Table {
        let text = format!(
            "table,t\nsource,urn:s\ntarget,http://x\nversion,1\ndate,2024-01\ncode,op,target,display,system\n{rows}"
        );
        Tables::load(vec![("t.csv".to_owned(), text)]).unwrap().table("t").unwrap().clone()
    }

    #[test]
    fn a_table_that_goes_out_and_comes_in_again_is_equal() {
        let rows = ["", "else,->,text,", "else,->,error,", "else,->,keep,", "else,->,urn:id:{},", "else,->,other,"];
        for otherwise in rows {
            let rows = format!(
                "M,<->,male,Male,\nA,->,other,,\nX,<-,unknown,,http://y\n\" 男\",->,男  x,,http://y\nB,<->,b,,\n{otherwise}\n"
            );
            let table = table(&rows);
            assert_eq!(Table::from_concept_map(&table.to_concept_map("m.t")).unwrap(), table, "{otherwise}");
        }
        let empty = table("else,->,text,\n");
        assert_eq!(Table::from_concept_map(&empty.to_concept_map("t")).unwrap(), empty);
        let unnamed =
            Table::build(Head { date: "old".to_owned(), ..Head::default() }, Vec::new(), Otherwise::Keep).unwrap();
        assert_eq!(Table::from_concept_map(&unnamed.to_concept_map("t")).unwrap(), unnamed);
    }

    #[test]
    fn a_concept_map_is_valid_and_says_what_the_rows_say() {
        let map = table("M,<->,male,Male,\nA,->,other,,\nelse,->,unknown,,\n").to_concept_map("patient/sex");
        let faults = dukou_fhir::validate::validate(&map, &dukou_fhir::validate::Options::default());
        assert!(faults.iter().all(|fault| !fault.severity.is_error()), "{faults:?}");
        assert_eq!(map.text_at("group[0].element[1].target[0].equivalence"), Some("wider"));
        assert_eq!(map.text_at("group[0].unmapped.code"), Some("unknown"));
        assert_eq!(map.text_at("id"), Some("patient-sex"));
    }

    #[test]
    fn a_map_of_another_house_is_read_and_a_broken_one_refused() {
        let element = |code: &'static str, equivalence: &'static str| {
            let target = Object::new().with("code", "x").with("equivalence", equivalence);
            Value::Object(Object::new().with("code", code).with("target", Value::Array(vec![Value::Object(target)])))
        };
        let of = |elements: Vec<Value<'static>>| {
            let group =
                Object::new().with("source", "urn:a").with("target", "urn:b").with("element", Value::Array(elements));
            let map = Object::new().with("resourceType", "ConceptMap").with("name", "Other");
            Value::Object(map.with("group", Value::Array(vec![Value::Object(group)])))
        };
        let table =
            Table::from_concept_map(&of(vec![element("a", "equal"), element("b", "wider"), element("c", "unmatched")]))
                .unwrap();
        assert_eq!((table.rows().len(), table.head().target.as_str()), (2, "urn:b"));
        let twice = Table::from_concept_map(&of(vec![element("a", "equal"), element("b", "equal")])).unwrap_err();
        assert_eq!(twice.to_string(), "the rows contradict each other: row 2: two rows lead back from the same target");
        let none = Value::Object(Object::new().with("resourceType", "Patient"));
        assert_eq!(Table::from_concept_map(&none), Err(ImportError::NotAConceptMap));
    }
}
