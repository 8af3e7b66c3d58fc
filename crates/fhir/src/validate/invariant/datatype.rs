//! Rules about datatypes.

use crate::{FhirDateTime, Object, Offset, Value};

use super::{Invariant, UCUM, any, count, has, number, rule, text};

#[rustfmt::skip]
pub(super) const RULES: &[Invariant] = &[
    rule("ext-1", "Extension", |o| has(o, "extension") != any(o, "value"),
        "an extension has either a value or extensions of its own", "扩展须有值或子扩展，二者有且仅有其一"),
    rule("att-1", "Attachment", |o| !has(o, "data") || has(o, "contentType"),
        "an attachment with data has a contentType", "附件有 data 时须有 contentType"),
    rule("cpt-2", "ContactPoint", |o| !has(o, "value") || has(o, "system"),
        "a contact point with a value has a system", "联系方式有 value 时须有 system"),
    rule("per-1", "Period", is_ordered_period,
        "start is not after end", "start 不得晚于 end"),
    rule("qty-3", "Quantity", |o| !has(o, "code") || has(o, "system"),
        "a quantity with a unit code has a system", "数量有单位代码时须有 system"),
    rule("rng-2", "Range", is_ordered_range,
        "low is not above high", "low 不得大于 high"),
    rule("rat-1", "Ratio", |o| has(o, "numerator") == has(o, "denominator") && (has(o, "numerator") || has(o, "extension")),
        "numerator and denominator are both present, or both absent beside an extension", "numerator 与 denominator 须同时出现；均无时须有扩展"),
    rule("age-1", "Age", |o| has_ucum_code(o) && number(o, "value").is_none_or(|value| value > 0.0),
        "an age has a UCUM code of time and a value above 0", "年龄须用 UCUM 时间代码且值大于 0"),
    rule("cnt-3", "Count", |o| has_ucum_code(o) && matches!(text(o, "code"), "" | "1") && !decimal_point(o),
        "a count is a whole number with the code 1", "计数须为整数且代码为 1"),
    rule("dis-1", "Distance", has_ucum_code,
        "a distance has a UCUM code of length", "距离须用 UCUM 长度代码"),
    rule("drt-1", "Duration", |o| !has(o, "code") || (text(o, "system") == UCUM && has(o, "value")),
        "a duration with a code has a value and the system UCUM", "时长有代码时须有值且 system 为 UCUM"),
    rule("exp-1", "Expression", |o| has(o, "expression") || has(o, "reference"),
        "an expression or a reference is present", "须有 expression 或 reference"),
    rule("tim-1", "Timing.repeat", |o| !has(o, "duration") || has(o, "durationUnit"),
        "a duration has a durationUnit", "有 duration 时须有 durationUnit"),
    rule("tim-2", "Timing.repeat", |o| !has(o, "period") || has(o, "periodUnit"),
        "a period has a periodUnit", "有 period 时须有 periodUnit"),
    rule("tim-4", "Timing.repeat", |o| number(o, "duration").is_none_or(|it| it >= 0.0),
        "duration is not negative", "duration 不得为负"),
    rule("tim-5", "Timing.repeat", |o| number(o, "period").is_none_or(|it| it >= 0.0),
        "period is not negative", "period 不得为负"),
    rule("tim-6", "Timing.repeat", |o| !has(o, "periodMax") || has(o, "period"),
        "periodMax stands beside a period", "有 periodMax 时须有 period"),
    rule("tim-7", "Timing.repeat", |o| !has(o, "durationMax") || has(o, "duration"),
        "durationMax stands beside a duration", "有 durationMax 时须有 duration"),
    rule("tim-8", "Timing.repeat", |o| !has(o, "countMax") || has(o, "count"),
        "countMax stands beside a count", "有 countMax 时须有 count"),
    rule("tim-9", "Timing.repeat", |o| !has(o, "offset") || (has(o, "when") && !names_a_meal(o)),
        "offset stands beside a when that is not C, CM, CD or CV", "有 offset 时须有 when，且不得为 C、CM、CD、CV"),
    rule("tim-10", "Timing.repeat", |o| !has(o, "timeOfDay") || !has(o, "when"),
        "timeOfDay and when exclude each other", "timeOfDay 与 when 不得同时出现"),
    rule("trd-1", "TriggerDefinition", |o| !has(o, "data") || !any(o, "timing"),
        "either timing or data, not both", "timing 与 data 不得同时出现"),
    rule("trd-2", "TriggerDefinition", |o| !has(o, "condition") || has(o, "data"),
        "a condition stands beside data", "有 condition 时须有 data"),
    rule("trd-3", "TriggerDefinition", |o| match text(o, "type") {
            "named-event" => has(o, "name"),
            "periodic" => any(o, "timing"),
            other => !other.starts_with("data-") || has(o, "data"),
        },
        "a named event has a name, a periodic one timing, a data event data", "命名事件须有 name，周期事件须有 timing，数据事件须有 data"),
    rule("drq-1", "DataRequirement.codeFilter", |o| count(o, &["path", "searchParam"]) == 1,
        "either path or searchParam", "path 与 searchParam 须有且仅有其一"),
    rule("drq-2", "DataRequirement.dateFilter", |o| count(o, &["path", "searchParam"]) == 1,
        "either path or searchParam", "path 与 searchParam 须有且仅有其一"),
    rule("eld-8", "ElementDefinition", |o| !any(o, "pattern") || !any(o, "fixed"),
        "pattern and fixed exclude each other", "pattern 与 fixed 不得同时出现"),
    rule("eld-15", "ElementDefinition", |o| !any(o, "defaultValue") || !has(o, "meaningWhenMissing"),
        "a default value and meaningWhenMissing exclude each other", "默认值与 meaningWhenMissing 不得同时出现"),
    rule("eld-22", "ElementDefinition", |o| !has(o, "sliceIsConstraining") || has(o, "sliceName"),
        "sliceIsConstraining stands beside a sliceName", "有 sliceIsConstraining 时须有 sliceName"),
];

/// Only what is surely wrong counts: with a zone on one side only, a day's difference may be the zone's.
fn is_ordered_period(period: &Object<'_>) -> bool {
    let (start, end) = (FhirDateTime::parse(text(period, "start")), FhirDateTime::parse(text(period, "end")));
    let (Some(start), Some(end)) = (start, end) else {
        return true;
    };
    let unsure = start.zone().is_some() != end.zone().is_some();
    let (earliest, latest) = if unsure { (Offset::EASTMOST, Offset::WESTMOST) } else { (Offset::UTC, Offset::UTC) };
    start.low(earliest) <= end.high(latest)
}

fn is_ordered_range(range: &Object<'_>) -> bool {
    let side = |name: &str| range.get(name).and_then(Value::as_object);
    let (Some(low), Some(high)) = (side("low"), side("high")) else {
        return true;
    };
    let same_unit = ["unit", "system", "code"].iter().all(|name| text(low, name) == text(high, name));
    match (number(low, "value"), number(high, "value")) {
        (Some(low), Some(high)) if same_unit => low <= high,
        _ => true,
    }
}

fn has_ucum_code(quantity: &Object<'_>) -> bool {
    (has(quantity, "code") || !has(quantity, "value")) && matches!(text(quantity, "system"), "" | UCUM)
}

fn decimal_point(quantity: &Object<'_>) -> bool {
    quantity.get("value").and_then(Value::as_number).is_some_and(|value| value.contains('.'))
}

fn names_a_meal(repeat: &Object<'_>) -> bool {
    let whens = repeat.get("when").and_then(Value::as_array).unwrap_or_default();
    whens.iter().any(|when| matches!(when.as_str(), Some("C" | "CM" | "CD" | "CV")))
}
