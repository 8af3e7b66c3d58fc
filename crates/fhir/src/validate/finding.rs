//! The wording of what was found: code, kind and text in both languages.
//!
//! No text holds a value that was sent, apart from codes that look like codes and names of elements and types.

use crate::schema::{Element, Primitive, TypeId, ValueSet};
use crate::{Issue, IssueType, ResourceType, Severity, Text, Value};

use super::invariant::Invariant;
use super::narrative::NarrativeFault;
use super::primitive::Misfit;

/// What stands in a place, by its form only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    Null,
    Bool,
    Number,
    Text(usize),
    List(usize),
    Object,
}

impl Found {
    pub(super) fn of(value: &Value<'_>) -> Found {
        match value {
            Value::Null => Found::Null,
            Value::Bool(_) => Found::Bool,
            Value::Number(_) => Found::Number,
            Value::String(text) => Found::Text(text.chars().count()),
            Value::Array(values) => Found::List(values.len()),
            Value::Object(_) => Found::Object,
        }
    }

    fn text(self) -> Text {
        match self {
            Found::Null => Text::new("null", "null"),
            Found::Bool => Text::new("a boolean", "一个布尔值"),
            Found::Number => Text::new("a number", "一个数字"),
            Found::Text(0) => Text::new("an empty string", "空字符串"),
            Found::Text(length) => {
                Text::new(format!("a string of {length} characters"), format!("长度为 {length} 的字符串"))
            }
            Found::List(length) => Text::new(format!("a list of {length}"), format!("含 {length} 项的列表")),
            Found::Object => Text::new("an object", "一个对象"),
        }
    }
}

/// Whether a text can be the name of an element or type, so that it may be shown.
pub(super) fn is_name(text: &str) -> bool {
    matches!(text.len(), 1..=64) && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// Whether a text looks like a code, so that it may be shown.
fn is_plain_code(text: &str) -> bool {
    matches!(text.len(), 1..=32)
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'/'))
}

/// The severity is that of the worst fault not listed, so that a refusal never hides in the rest.
pub(super) fn more(count: usize, worst: Severity) -> Issue {
    let text = Text::new(format!("and {count} more faults that are not listed"), format!("另有 {count} 处问题未列出"));
    Issue::new(worst, IssueType::Informational, "more-faults", text)
}

pub(super) fn wrong_json(found: Found, en: &str, zh: &str) -> Issue {
    let found = found.text();
    let text = Text::new(format!("expected {en}, found {}", found.en), format!("应为{zh}，实际为{}", found.zh));
    Issue::error(IssueType::Structure, "wrong-json-type", text)
}

pub(super) fn no_resource_type() -> Issue {
    let text = Text::new("expected a resource with resourceType", "资源缺少 resourceType");
    Issue::error(IssueType::Structure, "resource-type-missing", text)
}

pub(super) fn unknown_resource_type() -> Issue {
    let text = Text::new("resourceType names no resource type of FHIR R4", "resourceType 不是 FHIR R4 的资源类型");
    Issue::error(IssueType::Structure, "resource-type-unknown", text)
}

pub(super) fn empty_element() -> Issue {
    let text = Text::new("an element must have a value or children, found none", "元素须有值或子元素，实际为空");
    Issue::error(IssueType::Invariant, "empty-element", text)
}

pub(super) fn empty_list() -> Issue {
    let text = Text::new("a list must have members, found none", "列表不得为空");
    Issue::error(IssueType::Structure, "empty-list", text)
}

pub(super) fn too_deep() -> Issue {
    let text = Text::new("too many levels of elements", "元素嵌套层次过多");
    Issue::error(IssueType::Structure, "too-deep", text)
}

pub(super) fn unknown_element(name: &str, kind: TypeId) -> Issue {
    let kind = kind.name();
    let text = Text::new(format!("{name} is not an element of {kind}"), format!("{name} 不是 {kind} 的元素"));
    Issue::error(IssueType::Structure, "unknown-element", text)
}

pub(super) fn unknown_element_unnamed(kind: TypeId) -> Issue {
    let kind = kind.name();
    let text = Text::new(format!("a member that is not an element of {kind}"), format!("含有不属于 {kind} 的成员"));
    Issue::error(IssueType::Structure, "unknown-element", text)
}

pub(super) fn wrong_choice(name: &str, element: &Element) -> Issue {
    let names: Vec<String> = element.types.iter().take(LISTED_MAX).map(|it| element.json_name(it.kind)).collect();
    let (base, names) = (element.name, names.join(", "));
    let text = Text::new(
        format!("{name} is not a form of {base}[x]; expected one of {names}"),
        format!("{name} 不是 {base}[x] 的合法形式，应为 {names} 之一"),
    );
    Issue::error(IssueType::Structure, "unknown-element", text)
}

pub(super) fn choice_repeated(name: &str) -> Issue {
    let text = Text::new(format!("only one form of {name}[x] may be present"), format!("{name}[x] 只能出现一种形式"));
    Issue::error(IssueType::Structure, "choice-repeated", text)
}

pub(super) fn missing(element: &Element) -> Issue {
    let name = element.name;
    let text = Text::new(format!("{name} is required and missing"), format!("缺少必填元素 {name}"));
    Issue::error(IssueType::Required, "element-missing", text)
}

pub(super) fn is_a_list(element: &Element, count: usize) -> Issue {
    let name = element.name;
    let text = Text::new(
        format!("{name} holds one value, found a list of {count}"),
        format!("{name} 只能有一个值，实际为含 {count} 项的列表"),
    );
    Issue::error(IssueType::Structure, "unexpected-list", text)
}

pub(super) fn not_a_list(element: &Element, found: Found) -> Issue {
    let (name, found) = (element.name, found.text());
    let text =
        Text::new(format!("{name} must be a list, found {}", found.en), format!("{name} 应为列表，实际为{}", found.zh));
    Issue::error(IssueType::Structure, "list-expected", text)
}

pub(super) fn too_many(element: &Element, count: usize) -> Issue {
    let (name, max) = (element.name, element.max);
    let text = Text::new(
        format!("{name} may be present {max} times, found {count}"),
        format!("{name} 最多出现 {max} 次，实际 {count} 次"),
    );
    Issue::error(IssueType::Structure, "too-many", text)
}

pub(super) fn side_of_complex(base: &str) -> Issue {
    let text = Text::new(
        format!("_{base} is only for primitives, and {base} is none"),
        format!("_{base} 仅用于基本类型，而 {base} 不是"),
    );
    Issue::error(IssueType::Structure, "unknown-element", text)
}

pub(super) fn sides_uneven(base: &str) -> Issue {
    let text = Text::new(
        format!("_{base} and {base} must be lists of the same length"),
        format!("_{base} 与 {base} 的列表长度须一致"),
    );
    Issue::error(IssueType::Structure, "uneven-lists", text)
}

pub(super) fn misfit(primitive: Primitive, misfit: Misfit, found: Found) -> Issue {
    let (name, found) = (primitive.as_str(), found.text());
    let (en, zh) = format_of(primitive);
    match misfit {
        Misfit::Json => wrong_json_of(primitive, &found),
        Misfit::Format => Issue::error(
            IssueType::Value,
            "bad-format",
            Text::new(
                format!("found {} that is not a valid {name}; expected {en}", found.en),
                format!("{}不符合 {name} 的格式，应为{zh}", found.zh),
            ),
        ),
        Misfit::TooLong => Issue::error(
            IssueType::Value,
            "text-too-long",
            Text::new(
                format!("found {}; a {name} holds 1048576 at most", found.en),
                format!("{}过长，{name} 最多 1048576 个字符", found.zh),
            ),
        ),
    }
}

fn wrong_json_of(primitive: Primitive, found: &Text) -> Issue {
    let (en, zh) = match primitive {
        Primitive::Boolean => ("a JSON boolean", "JSON 布尔值"),
        Primitive::Decimal | Primitive::Integer | Primitive::PositiveInt | Primitive::UnsignedInt => {
            ("a JSON number", "JSON 数字")
        }
        _ => ("a JSON string", "JSON 字符串"),
    };
    let name = primitive.as_str();
    let text = Text::new(
        format!("expected {en} for {name}, found {}", found.en),
        format!("{name} 应为 {zh}，实际为{}", found.zh),
    );
    Issue::error(IssueType::Structure, "wrong-json-type", text)
}

fn format_of(primitive: Primitive) -> (&'static str, &'static str) {
    match primitive {
        Primitive::Date => {
            ("YYYY, YYYY-MM or YYYY-MM-DD, a day of the calendar", " YYYY、YYYY-MM 或 YYYY-MM-DD，且日期存在")
        }
        Primitive::DateTime => (
            "a date, or YYYY-MM-DDThh:mm:ss with a zone (Z or +08:00)",
            "日期，或带时区（Z 或 +08:00）的 YYYY-MM-DDThh:mm:ss",
        ),
        Primitive::Instant => {
            ("YYYY-MM-DDThh:mm:ss with a zone (Z or +08:00)", "带时区（Z 或 +08:00）的 YYYY-MM-DDThh:mm:ss")
        }
        Primitive::Time => ("hh:mm:ss", " hh:mm:ss"),
        Primitive::Id => ("1 to 64 of A-Z, a-z, 0-9, - and .", " 1 至 64 个 A-Z、a-z、0-9、- 和 . 字符"),
        Primitive::Code => {
            ("text without blanks at its ends and only single blanks within", "首尾无空白、中间仅有单个空白的文本")
        }
        Primitive::Uri | Primitive::Url | Primitive::Canonical => ("a uri without blanks", "不含空白的 URI"),
        Primitive::Oid => ("urn:oid: and numbers parted by dots", " urn:oid: 加以点分隔的数字"),
        Primitive::Uuid => ("urn:uuid: and a UUID in lower case", " urn:uuid: 加小写 UUID"),
        Primitive::Base64Binary => ("base64 in groups of four", "四个一组的 base64"),
        Primitive::Integer => ("a whole number of 32 bits", " 32 位整数"),
        Primitive::UnsignedInt => ("a whole number from 0 to 2147483647", " 0 至 2147483647 的整数"),
        Primitive::PositiveInt => ("a whole number from 1 to 2147483647", " 1 至 2147483647 的整数"),
        Primitive::Decimal => ("a number", "数字"),
        Primitive::Boolean => ("true or false", " true 或 false"),
        Primitive::String | Primitive::Markdown | Primitive::Xhtml => {
            ("text that is not empty and has no control characters", "非空且不含控制字符的文本")
        }
    }
}

pub(super) fn code_not_in_set(code: &str, set: &ValueSet) -> Issue {
    let shown = if is_plain_code(code) { format!("\"{code}\"") } else { String::new() };
    let url = set.url();
    let (mut en, mut zh) = (
        format!("the code {shown} is not in the required value set {url}"),
        format!("代码 {shown} 不在必需值集 {url} 中"),
    );
    if shown.is_empty() {
        (en, zh) = (format!("the code is not in the required value set {url}"), format!("代码不在必需值集 {url} 中"));
    }
    let codes = set.codes();
    if matches!(codes.len(), 1..=LISTED_MAX) {
        let listed = codes.join(", ");
        en.push_str(&format!("; expected one of {listed}"));
        zh.push_str(&format!("，应为 {listed} 之一"));
    }
    Issue::error(IssueType::CodeInvalid, "code-not-in-value-set", Text::new(en, zh))
}

pub(super) fn no_coding_in_set(set: &ValueSet) -> Issue {
    let url = set.url();
    let text = Text::new(
        format!("none of the codings is in the required value set {url} (system and code count)"),
        format!("没有任何编码属于必需值集 {url}（按 system 与 code 判断）"),
    );
    Issue::error(IssueType::CodeInvalid, "code-not-in-value-set", text)
}

pub(super) fn code_wanted(set: &ValueSet) -> Issue {
    let url = set.url();
    let text =
        Text::new(format!("a code of the required value set {url} is missing"), format!("缺少必需值集 {url} 中的代码"));
    Issue::error(IssueType::CodeInvalid, "code-missing", text)
}

pub(super) fn set_not_held(set: &ValueSet) -> Issue {
    let url = set.url();
    let text = Text::new(
        format!("the required value set {url} is not held here; the code was not checked"),
        format!("本系统未收录必需值集 {url}，代码未经核对"),
    );
    Issue::warning(IssueType::NotSupported, "value-set-not-held", text)
}

pub(super) fn comparator() -> Issue {
    let text = Text::new("a quantity here has no comparator", "此处的数量不得带比较符");
    Issue::error(IssueType::Invariant, "sqty-1", text)
}

pub(super) fn narrative(fault: NarrativeFault) -> Issue {
    let (kind, code, en, zh) = match fault {
        NarrativeFault::NotADiv => (
            IssueType::Structure,
            "narrative-not-a-div",
            "a narrative is one div in the namespace http://www.w3.org/1999/xhtml",
            "叙述文本应为一个命名空间为 http://www.w3.org/1999/xhtml 的 div",
        ),
        NarrativeFault::NotWellFormed => (
            IssueType::Structure,
            "narrative-not-well-formed",
            "the narrative is not well-formed XHTML",
            "叙述文本不是格式良好的 XHTML",
        ),
        NarrativeFault::ForbiddenElement => (
            IssueType::Invariant,
            "txt-1",
            "the narrative holds an element that is not for formatting",
            "叙述文本含有非排版用的元素",
        ),
        NarrativeFault::ForbiddenAttribute => (
            IssueType::Invariant,
            "txt-1",
            "the narrative holds an attribute that can run a script",
            "叙述文本含有可执行脚本的属性",
        ),
        NarrativeFault::Empty => (IssueType::Invariant, "txt-2", "the narrative has no content", "叙述文本没有内容"),
    };
    Issue::error(kind, code, Text::new(en, zh))
}

pub(super) fn invariant(rule: &Invariant) -> Issue {
    let key = rule.key;
    let text = Text::new(format!("{key}: {}", rule.en), format!("{key}：{}", rule.zh));
    Issue::error(IssueType::Invariant, key, text)
}

pub(super) fn nested_contained() -> Issue {
    let text = Text::new("a contained resource contains no others", "被包含的资源不得再包含其他资源");
    Issue::error(IssueType::Invariant, "dom-2", text)
}

pub(super) fn meta_of_contained(name: &str) -> Issue {
    let key = if name == "security" { "dom-5" } else { "dom-4" };
    let text = Text::new(format!("a contained resource has no meta.{name}"), format!("被包含的资源不得有 meta.{name}"));
    Issue::error(IssueType::Invariant, key, text)
}

pub(super) fn contained_id_twice() -> Issue {
    let text = Text::new("two contained resources have the same id", "两个被包含的资源 id 相同");
    Issue::error(IssueType::Invariant, "contained-id-twice", text)
}

pub(super) fn unused_contained() -> Issue {
    let text = Text::new("nothing refers to this contained resource", "没有任何引用指向该被包含资源");
    Issue::warning(IssueType::Invariant, "dom-3", text)
}

pub(super) fn contained_missing() -> Issue {
    let text = Text::new("no contained resource has the id of this reference", "没有与该引用 id 相符的被包含资源");
    Issue::error(IssueType::Invariant, "ref-1", text)
}

pub(super) fn not_in_bundle() -> Issue {
    let text =
        Text::new("no entry of the Bundle has this reference as fullUrl", "Bundle 中没有 fullUrl 与该引用相符的条目");
    Issue::error(IssueType::Value, "reference-not-in-bundle", text)
}

pub(super) fn malformed_reference() -> Issue {
    let text = Text::new(
        "expected Type/id, an absolute url, urn:uuid, urn:oid or #id",
        "引用应为 类型/id、绝对 URL、urn:uuid、urn:oid 或 #id",
    );
    Issue::error(IssueType::Value, "reference-malformed", text)
}

pub(super) fn wrong_target(found: ResourceType, allowed: &[ResourceType]) -> Issue {
    let names: Vec<&str> = allowed.iter().map(|kind| kind.as_str()).collect();
    let names = names.join(", ");
    let text = Text::new(
        format!("the reference points to {found}; expected {names}"),
        format!("引用指向 {found}，应为 {names}"),
    );
    Issue::error(IssueType::Value, "reference-target-type", text)
}

pub(super) fn type_differs(said: ResourceType, found: ResourceType) -> Issue {
    let text = Text::new(
        format!("type says {said}, the reference points to {found}"),
        format!("type 为 {said}，但引用指向 {found}"),
    );
    Issue::error(IssueType::Value, "reference-type-differs", text)
}

/// How many alternatives a text lists.
const LISTED_MAX: usize = 12;
