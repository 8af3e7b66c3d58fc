//! From the pairs of a URL to a query: one decision for each parameter name.

mod condition;

use super::{Handling, Ignored, Options, Query};
use crate::schema::TypeId;
use crate::search::refusal::{self, Refusal};
use crate::search::{Direction, Include, Sort, Summary, Total, parameters};
use crate::{Issue, ResourceType};

pub(super) fn parse(
    kind: ResourceType,
    pairs: &[(String, String)],
    options: &Options<'_>,
) -> Result<Query, Vec<Issue>> {
    let mut parser = Parser { options, query: empty(kind, options), once: Vec::new() };
    let mut issues = Vec::new();
    for (name, value) in pairs {
        if matches!(name.as_str(), "_format" | "_pretty") {
            continue;
        }
        if value.is_empty() {
            let note = refusal::empty_value(name);
            parser.query.ignored.push(Ignored { name: name.clone(), note });
            continue;
        }
        match parser.pair(name, value) {
            Ok(used) => parser.query.used.push((name.clone(), used)),
            Err(refusal) if refusal.unsupported && options.handling == Handling::Lenient => {
                parser.query.ignored.push(Ignored { name: name.clone(), note: refusal.into_note() });
            }
            Err(refusal) => issues.push(*refusal.issue),
        }
    }
    match issues.is_empty() {
        true => Ok(parser.query),
        false => Err(issues),
    }
}

fn empty(kind: ResourceType, options: &Options<'_>) -> Query {
    let site = options.site;
    Query {
        kind,
        conditions: Vec::new(),
        sort: Vec::new(),
        includes: Vec::new(),
        count: options.count_default.min(options.count_max),
        total: None,
        summary: None,
        elements: Vec::new(),
        used: Vec::new(),
        ignored: Vec::new(),
        surroundings: vec![site.zone.minutes().to_string(), site.base.unwrap_or_default().to_owned()],
    }
}

struct Parser<'p> {
    options: &'p Options<'p>,
    query: Query,
    /// The result parameters seen, which may stand once only.
    once: Vec<&'static str>,
}

impl Parser<'_> {
    /// Takes one pair in and gives the value as used.
    fn pair(&mut self, name: &str, value: &str) -> Result<String, Refusal> {
        match name {
            "_count" => return self.count(value),
            "_sort" => self.sort(value)?,
            "_total" => {
                self.only_once("_total")?;
                let total = Total::parse(value);
                self.query.total =
                    Some(total.ok_or_else(|| {
                        bad(name, "it is none, estimate or accurate", "应为 none、estimate 或 accurate")
                    })?);
            }
            "_summary" => {
                self.only_once("_summary")?;
                let summary = Summary::parse(value);
                let expected = "true, text, data, count, false";
                self.query.summary = Some(summary.ok_or_else(|| bad(name, expected, expected))?);
            }
            "_elements" => self.elements(value)?,
            "_include" => self.include(Direction::Forward, value)?,
            "_revinclude" => self.include(Direction::Reverse, value)?,
            "_type" => self.types(value)?,
            _ if name.starts_with("_include:") || name.starts_with("_revinclude:") => {
                return Err(refusal::unsupported(name, "includes go one step", "引用包含只支持一步"));
            }
            "_filter" | "_list" | "_contained" | "_containedType" | "_explain" => {
                return Err(refusal::unsupported(name, "it is not offered", "未提供"));
            }
            _ => self.condition(name, value)?,
        }
        Ok(value.to_owned())
    }

    fn condition(&mut self, name: &str, value: &str) -> Result<(), Refusal> {
        let max = self.options.conditions_max;
        if self.query.conditions.len() >= max {
            return Err(refusal::too_many(name, "conditions", "条件", max));
        }
        let condition = condition::parse(self.query.kind, name, value, self.options)?;
        self.query.conditions.push(condition);
        Ok(())
    }

    fn only_once(&mut self, name: &'static str) -> Result<(), Refusal> {
        if self.once.contains(&name) {
            return Err(bad(name, "it stands more than once", "出现多次"));
        }
        self.once.push(name);
        Ok(())
    }

    fn count(&mut self, value: &str) -> Result<String, Refusal> {
        self.only_once("_count")?;
        let digits = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
        if !digits {
            return Err(bad("_count", "it is a whole number from 0", "应为不小于 0 的整数"));
        }
        // Digits that do not fit the number are a page larger than any.
        self.query.count = value.parse().unwrap_or(u32::MAX).min(self.options.count_max);
        Ok(self.query.count.to_string())
    }

    fn sort(&mut self, value: &str) -> Result<(), Refusal> {
        self.only_once("_sort")?;
        let keys = value.split(',');
        if keys.clone().count() > SORT_KEYS_MAX {
            return Err(refusal::too_many("_sort", "sort keys", "排序键", SORT_KEYS_MAX));
        }
        for key in keys {
            let (code, descending) = key.strip_prefix('-').map_or((key, false), |code| (code, true));
            let kind = self.query.kind;
            let parameter = parameters::find(kind, code).ok_or_else(|| refusal::unknown(kind, code))?;
            let sort = Sort::new(kind, parameter, descending, self.options.site);
            let sort =
                sort.ok_or_else(|| refusal::unsupported("_sort", "the parameter has no order", "该参数没有顺序"))?;
            self.query.sort.push(sort);
        }
        Ok(())
    }

    fn elements(&mut self, value: &str) -> Result<(), Refusal> {
        let kind = self.query.kind;
        let prefix = format!("{kind}.");
        for name in value.split(',') {
            let name = name.trim();
            let name = name.strip_prefix(&prefix).unwrap_or(name);
            let name = name.strip_suffix("[x]").unwrap_or(name);
            if !TypeId::of(kind).elements().any(|element| element.name == name) {
                return Err(bad("_elements", "the type has no such element", "该类型没有此元素"));
            }
            self.query.elements.push(name.to_owned());
        }
        Ok(())
    }

    fn include(&mut self, direction: Direction, value: &str) -> Result<(), Refusal> {
        let includes = Include::parse(direction, self.query.kind, value, self.options.site.base)?;
        self.query.includes.extend(includes);
        if self.query.includes.len() > INCLUDES_MAX {
            return Err(refusal::too_many("_include", "includes", "引用包含", INCLUDES_MAX));
        }
        Ok(())
    }

    /// `_type` chooses types before the query; here it only must name this one.
    fn types(&mut self, value: &str) -> Result<(), Refusal> {
        self.only_once("_type")?;
        match value.split(',').any(|name| name == self.query.kind.as_str()) {
            true => Ok(()),
            false => Err(bad("_type", "it does not name the type searched", "未包含被检索的类型")),
        }
    }
}

fn bad(name: &str, en: &str, zh: &str) -> Refusal {
    refusal::bad_value(name, en, zh)
}

const SORT_KEYS_MAX: usize = 8;
/// Above the number of resource types, so that `_revinclude=*` fits beside others.
const INCLUDES_MAX: usize = 200;
