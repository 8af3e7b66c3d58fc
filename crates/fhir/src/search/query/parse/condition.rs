//! One condition from a name with modifiers, chains or `_has`, and its values.

use super::bad;
use crate::search::comparator::Comparator;
use crate::search::condition::{Condition, Join, JoinBranch, Test};
use crate::search::fold::fold;
use crate::search::grammar::{split, unescape};
use crate::search::parameters::{self, Parameter};
use crate::search::refusal::{self, Refusal};
use crate::search::values::Wanted;
use crate::search::{Kind, Options, date, number, reference, string, token, uri};
use crate::{LogicalId, ResourceType};

/// Reads a condition on resources of a type.
pub(super) fn parse(kind: ResourceType, name: &str, value: &str, options: &Options<'_>) -> Result<Condition, Refusal> {
    if let Some(rest) = name.strip_prefix("_has:") {
        return has(kind, name, rest, value, options);
    }
    match name.split_once('.') {
        Some((link, rest)) => chain(kind, name, (link, rest), value, options),
        None => plain(kind, name, value, options),
    }
}

/// `_has:Observation:patient:code`: the others refer to this one.
fn has(kind: ResourceType, name: &str, rest: &str, value: &str, options: &Options<'_>) -> Result<Condition, Refusal> {
    let mut parts = rest.splitn(3, ':');
    let (Some(other), Some(link), Some(inner)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(bad(name, "it is _has:Type:reference:parameter", "格式应为 _has:类型:引用参数:参数"));
    };
    let other = ResourceType::parse(other).ok_or_else(|| bad(name, "its type is not known", "类型不存在"))?;
    if inner.starts_with("_has") || inner.contains('.') {
        return Err(refusal::unsupported(name, "_has goes one step", "_has 只支持一步"));
    }
    let parameter = link_parameter(other, name, link)?;
    if !parameter.targets().is_empty() && !parameter.targets().contains(&kind) {
        return Err(bad(name, "its reference cannot be to the type searched", "该引用不能指向被检索的类型"));
    }
    let condition = Box::new(plain(other, inner, value, options)?);
    let branches = vec![JoinBranch { kind: other, condition }];
    Ok(joined(kind, name, parameter, true, branches, options))
}

/// `subject:Patient.name`: this one refers to the others.
fn chain(
    kind: ResourceType,
    name: &str,
    (link, inner): (&str, &str),
    value: &str,
    options: &Options<'_>,
) -> Result<Condition, Refusal> {
    let (code, target) = link.split_once(':').map_or((link, None), |(code, target)| (code, Some(target)));
    if inner.contains('.') || inner.starts_with("_has") {
        return Err(refusal::unsupported(name, "chains go one step", "链式检索只支持一步"));
    }
    let parameter = link_parameter(kind, name, code)?;
    let targets = match target {
        None => parameter.targets().to_vec(),
        Some(target) => {
            let target = ResourceType::parse(target).ok_or_else(|| bad(name, "its type is not known", "类型不存在"))?;
            if !parameter.targets().is_empty() && !parameter.targets().contains(&target) {
                return Err(bad(name, "its reference cannot be to this type", "该引用不能指向此类型"));
            }
            vec![target]
        }
    };
    let inner_code = inner.split(':').next().unwrap_or(inner);
    let mut branches = Vec::new();
    for target in targets.iter().copied() {
        // Without a named type the chain goes to those that have the parameter.
        if targets.len() > 1 && parameters::find(target, inner_code).is_none() {
            continue;
        }
        let condition = Box::new(plain(target, inner, value, options)?);
        branches.push(JoinBranch { kind: target, condition });
    }
    if branches.is_empty() {
        return Err(refusal::unsupported(name, "no type it refers to has the parameter", "所引用的类型没有此参数"));
    }
    Ok(joined(kind, name, parameter, false, branches, options))
}

fn link_parameter(kind: ResourceType, name: &str, code: &str) -> Result<&'static Parameter, Refusal> {
    let parameter = parameters::find(kind, code).ok_or_else(|| refusal::unknown(kind, code))?;
    match parameter.is_link() {
        true => Ok(parameter),
        false => Err(bad(name, "its first parameter is no reference to a resource", "第一个参数不是对资源的引用")),
    }
}

fn joined(
    kind: ResourceType,
    name: &str,
    parameter: &'static Parameter,
    reverse: bool,
    branches: Vec<JoinBranch>,
    options: &Options<'_>,
) -> Condition {
    let join = Join { parameter, reverse, branches, base: options.site.base.map(Box::from) };
    Condition { name: name.to_owned(), kind, test: Test::Join(join) }
}

/// A parameter of the type itself, with a modifier or not.
fn plain(kind: ResourceType, name: &str, value: &str, options: &Options<'_>) -> Result<Condition, Refusal> {
    let (code, modifier) = name.split_once(':').map_or((name, None), |(code, modifier)| (code, Some(modifier)));
    let parameter = parameters::find(kind, code).ok_or_else(|| refusal::unknown(kind, code))?;
    if let Some(reason) = parameter.unsupported() {
        return Err(refusal::unsupported(name, &reason.to_string(), "暂不提供"));
    }
    let condition = |test| Condition { name: name.to_owned(), kind, test };
    // The index has no keys of ids, and every resource has one.
    if parameter.is_id() && modifier.is_some_and(|modifier| modifier != "not") {
        return Err(refusal::unsupported(name, NO_MODIFIER_EN, NO_MODIFIER_ZH));
    }
    if modifier == Some("missing") && parameter.components().is_empty() {
        let missing = match value {
            "true" => true,
            "false" => false,
            _ => return Err(bad(name, "it is true or false", "应为 true 或 false")),
        };
        return Ok(condition(Test::Missing { parameter, missing }));
    }
    let values = split(value, ',');
    if values.len() > options.values_max {
        return Err(refusal::too_many(name, "values", "值", options.values_max));
    }
    let negated = modifier == Some("not") && parameter.kind() == Kind::Token;
    let modifier = modifier.filter(|_| !negated);
    if parameter.is_id() {
        let id = |text: &str| LogicalId::parse(text).ok_or_else(|| bad(name, ID_FORM_EN, ID_FORM_ZH));
        let ids = values.into_iter().map(id).collect::<Result<_, _>>()?;
        return Ok(condition(Test::Ids { ids, negated }));
    }
    let read = Reader { name, parameter, kind, options };
    let wanted = values.into_iter().map(|text| read.value(modifier, text)).collect::<Result<_, _>>()?;
    Ok(condition(Test::Any { parameter, negated, wanted }))
}

/// Reads the single values of one parameter.
struct Reader<'r> {
    name: &'r str,
    parameter: &'static Parameter,
    kind: ResourceType,
    options: &'r Options<'r>,
}

impl Reader<'_> {
    fn value(&self, modifier: Option<&str>, text: &str) -> Result<Wanted, Refusal> {
        match (self.parameter.kind(), modifier) {
            (Kind::Token, None) => {
                let wanted = token::Wanted::parse(&self.parts(text)?);
                wanted.map(Wanted::Token).ok_or_else(|| self.bad(TOKEN_FORM_EN, TOKEN_FORM_ZH))
            }
            (Kind::Token, Some("text")) => Ok(Wanted::TokenText(self.folded(text)?)),
            (Kind::Token, Some("of-type")) if self.parameter.datatypes().contains(&"Identifier") => {
                let wanted = token::WantedOfType::parse(&self.parts(text)?);
                let form = || {
                    self.bad(
                        "it is system|code|value of the identifier's type and value",
                        "应为 类型系统|类型代码|标识值",
                    )
                };
                wanted.map(Wanted::TokenOfType).ok_or_else(form)
            }
            (Kind::String, None) => Ok(Wanted::String(string::Wanted::Prefix(self.folded(text)?))),
            (Kind::String, Some("exact")) => Ok(Wanted::String(string::Wanted::Exact(self.text(text)?))),
            (Kind::String, Some("contains")) => Ok(Wanted::String(string::Wanted::Contains(self.folded(text)?))),
            (Kind::Date, None) => self.date(text),
            (Kind::Number, None) => {
                let (comparator, number) = Comparator::split(text);
                let wanted = number::Wanted::parse(comparator, number);
                wanted.map(Wanted::Number).ok_or_else(|| self.bad("it is a decimal number", "应为十进制数"))
            }
            (Kind::Quantity, None) => self.quantity(text),
            (Kind::Reference, Some("identifier")) => {
                let wanted = token::Wanted::parse(&self.parts(text)?);
                wanted.map(Wanted::ReferenceIdentifier).ok_or_else(|| self.bad(TOKEN_FORM_EN, TOKEN_FORM_ZH))
            }
            (Kind::Reference, modifier) => self.reference(modifier, text),
            (Kind::Uri, None) => Ok(Wanted::Uri(uri::Wanted(self.text(text)?))),
            (Kind::Composite, None) => self.composite(text),
            (_, Some(_)) => Err(refusal::unsupported(self.name, NO_MODIFIER_EN, NO_MODIFIER_ZH)),
            (Kind::Special, None) => Err(refusal::unsupported(self.name, "it is not offered", "未提供")),
        }
    }

    fn date(&self, text: &str) -> Result<Wanted, Refusal> {
        // A plus sign that was sent unescaped has become a blank; no date holds one.
        let text = text.replace(' ', "+");
        let (comparator, date) = Comparator::split(&text);
        let wanted = date::Wanted::parse(comparator, date, self.options.site.zone);
        wanted.map(Wanted::Date).ok_or_else(|| {
            self.bad(
                "it is YYYY, YYYY-MM, YYYY-MM-DD or YYYY-MM-DDThh:mm[:ss] with a zone",
                "应为 YYYY、YYYY-MM、YYYY-MM-DD 或带时区的 YYYY-MM-DDThh:mm[:ss]",
            )
        })
    }

    fn quantity(&self, text: &str) -> Result<Wanted, Refusal> {
        let (comparator, rest) = Comparator::split(text);
        let parts = self.parts(rest)?;
        let wanted =
            parts.split_first().and_then(|(number, unit)| number::Wanted::parse_quantity(comparator, number, unit));
        wanted.map(Wanted::Number).ok_or_else(|| {
            self.bad("it is number, number|system|code or number||code", "应为 数值、数值|系统|代码 或 数值||代码")
        })
    }

    /// The only other modifier is the name of a type.
    fn reference(&self, modifier: Option<&str>, text: &str) -> Result<Wanted, Refusal> {
        let named;
        let targets = match modifier {
            None => self.parameter.targets(),
            Some(name) => {
                let unknown = || refusal::unsupported(self.name, NO_MODIFIER_EN, NO_MODIFIER_ZH);
                named = [ResourceType::parse(name).ok_or_else(unknown)?];
                let allowed = self.parameter.targets();
                if !allowed.is_empty() && !allowed.contains(&named[0]) {
                    return Err(self.bad("its reference cannot be to this type", "该引用不能指向此类型"));
                }
                &named
            }
        };
        let wanted = reference::Wanted::parse(&self.text(text)?, targets, self.options.site.base);
        wanted.map(Wanted::Reference).map_err(|en| self.bad(en, "应为 id、类型/id 或 URL，且类型适合此参数"))
    }

    /// One value for each component, joined by `$`.
    fn composite(&self, text: &str) -> Result<Wanted, Refusal> {
        let parts = split(text, '$');
        let components = self.parameter.components();
        if parts.len() != components.len() {
            return Err(
                self.bad("its parts are joined by $, one for each component", "各部分以 $ 连接，每个组成部分一个")
            );
        }
        let part = |(part, code): (&str, &str)| {
            let parameter = parameters::find(self.kind, code).ok_or_else(|| refusal::unknown(self.kind, code))?;
            Reader { parameter, ..*self }.value(None, part)
        };
        let wanted = parts.into_iter().zip(components.iter().map(|component| component.code)).map(part);
        Ok(Wanted::Composite(wanted.collect::<Result<_, _>>()?))
    }

    /// The parts between `|`, escapes resolved.
    fn parts(&self, text: &str) -> Result<Vec<String>, Refusal> {
        split(text, '|').into_iter().map(|part| self.unescaped(part)).collect()
    }

    fn folded(&self, text: &str) -> Result<String, Refusal> {
        let folded = fold(&self.text(text)?).into_owned();
        match folded.is_empty() {
            true => Err(self.bad("it is empty", "为空")),
            false => Ok(folded),
        }
    }

    fn text(&self, text: &str) -> Result<String, Refusal> {
        let text = self.unescaped(text)?;
        match text.is_empty() {
            true => Err(self.bad("it is empty", "为空")),
            false => Ok(text),
        }
    }

    fn unescaped(&self, text: &str) -> Result<String, Refusal> {
        unescape(text).ok_or_else(|| {
            self.bad("a backslash stands only before , | $ and itself", "反斜杠只能位于 , | $ 或反斜杠之前")
        })
    }

    fn bad(&self, en: &str, zh: &str) -> Refusal {
        bad(self.name, en, zh)
    }
}

const NO_MODIFIER_EN: &str = "the modifier is not offered here";
const NO_MODIFIER_ZH: &str = "此处不支持该修饰符";
const ID_FORM_EN: &str = "an id has 1 to 64 of A-Z a-z 0-9 - .";
const ID_FORM_ZH: &str = "标识由 1 至 64 个 A-Z a-z 0-9 - . 组成";
const TOKEN_FORM_EN: &str = "it is code, system|code, |code or system|";
const TOKEN_FORM_ZH: &str = "应为 代码、系统|代码、|代码 或 系统|";
