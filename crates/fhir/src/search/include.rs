//! Resources that come along with the matches: `_include` and `_revinclude` (search, 3.1.1.5.5).

use super::parameters::{self, Parameter};
use super::{reference, refusal};
use crate::{ResourceKey, ResourceType, Value};
use refusal::Refusal;

/// Which way the references go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// The matches refer to the included (`_include`).
    Forward,
    /// The included refer to the matches (`_revinclude`).
    Reverse,
}

/// One kind of resources to add to the matches of a page.
#[derive(Clone, Debug)]
pub struct Include {
    direction: Direction,
    source: ResourceType,
    parameters: Vec<&'static Parameter>,
    target: Option<ResourceType>,
    base: Option<Box<str>>,
}

/// The values of `_include` that a search of a type takes: `Observation:subject` and so on.
pub fn includes(kind: ResourceType) -> Vec<String> {
    references(kind).map(|parameter| format!("{kind}:{}", parameter.code())).collect()
}

/// The values of `_revinclude` that a search of a type takes: `Observation:subject` for Patient and so on.
pub fn reverse_includes(kind: ResourceType) -> Vec<String> {
    let fits = |parameter: &&Parameter| parameter.targets().is_empty() || parameter.targets().contains(&kind);
    let of = |source: ResourceType| {
        references(source).filter(fits).map(move |parameter| format!("{source}:{}", parameter.code()))
    };
    ResourceType::all().flat_map(of).collect()
}

/// The parameters of a type that refer to resources.
fn references(kind: ResourceType) -> impl Iterator<Item = &'static Parameter> {
    parameters::of(kind).iter().filter(|parameter| parameter.is_link())
}

impl Include {
    /// Which way the references go.
    pub fn direction(&self) -> Direction {
        self.direction
    }

    /// The type that holds the references: for `_revinclude` that of the included.
    pub fn source(&self) -> ResourceType {
        self.source
    }

    /// For `_include`: what a match refers to.
    pub fn targets(&self, matched: &Value<'_>) -> Vec<ResourceKey> {
        let mut targets = Vec::new();
        for program in self.parameters.iter().filter_map(|parameter| parameter.program()) {
            program.each(matched, |item| {
                let key = reference::local_target(&item, self.base.as_deref());
                targets.extend(key.filter(|key| self.target.is_none_or(|kind| kind == key.kind)));
            });
        }
        targets.sort_unstable();
        targets.dedup();
        targets
    }

    /// For `_revinclude`: the keys of the resources that refer to a match.
    pub fn referrers(&self, matched: &ResourceKey) -> Vec<super::PostingKey> {
        let key =
            |parameter: &&'static Parameter| reference::key_of_referrers(self.source, parameter.number(), matched);
        self.parameters.iter().map(key).collect()
    }

    /// Reads `Observation:subject:Patient`, `Observation:*` or `*` for a search of `kind`.
    pub(crate) fn parse(
        direction: Direction,
        kind: ResourceType,
        value: &str,
        base: Option<&str>,
    ) -> Result<Vec<Include>, Refusal> {
        let name = match direction {
            Direction::Forward => "_include",
            Direction::Reverse => "_revinclude",
        };
        let bad = |en: &str, zh: &str| refusal::bad_value(name, en, zh);
        let include =
            |source, parameters, target| Include { direction, source, parameters, target, base: base.map(Box::from) };
        let fits = |parameter: &Parameter| match direction {
            Direction::Forward => true,
            Direction::Reverse => parameter.targets().is_empty() || parameter.targets().contains(&kind),
        };
        let all = |source: ResourceType| -> Vec<&'static Parameter> {
            references(source).filter(|parameter| fits(parameter)).collect()
        };
        let mut parts = value.split(':');
        let (source, code) = (parts.next().unwrap_or_default(), parts.next());
        let target = parts
            .next()
            .map(|target| ResourceType::parse(target).ok_or_else(|| bad("its target is no type", "目标类型不存在")));
        let target = target.transpose()?;
        if parts.next().is_some() {
            return Err(bad(
                "it is Type:parameter or Type:parameter:Target",
                "格式应为 类型:参数 或 类型:参数:目标类型",
            ));
        }
        if source == "*" && code.is_none() {
            let sources: Vec<ResourceType> = match direction {
                Direction::Forward => vec![kind],
                Direction::Reverse => ResourceType::all().collect(),
            };
            let includes = sources.into_iter().map(|source| include(source, all(source), None));
            return Ok(includes.filter(|include| !include.parameters.is_empty()).collect());
        }
        let source = ResourceType::parse(source).ok_or_else(|| bad("its source is no type", "来源类型不存在"))?;
        if direction == Direction::Forward && source != kind {
            return Err(bad("its source is not the type searched", "来源类型不是被检索的类型"));
        }
        if direction == Direction::Reverse && target.is_some_and(|target| target != kind) {
            return Err(bad("its target is not the type searched", "目标类型不是被检索的类型"));
        }
        let code = code.ok_or_else(|| bad("it names no parameter", "未指明参数"))?;
        if code == "*" {
            return Ok(vec![include(source, all(source), target)]);
        }
        let parameter = parameters::find(source, code).ok_or_else(|| refusal::unknown(source, code))?;
        if !parameter.is_link() || !fits(parameter) {
            return Err(bad("its parameter is no reference between these types", "该参数不是这些类型之间的引用"));
        }
        Ok(vec![include(source, vec![parameter], target)])
    }
}
