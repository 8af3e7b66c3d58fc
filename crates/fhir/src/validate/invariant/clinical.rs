//! Rules about people, places and clinical content.

use crate::{FhirDateTime, Object, Offset, Value};

use super::{Invariant, any, count, each, each_rule, has, is_coded, is_true, rule, text};

#[rustfmt::skip]
pub(super) const RULES: &[Invariant] = &[
    rule("pat-1", "Patient.contact", |o| count(o, &["name", "telecom", "address", "organization"]) > 0,
        "a contact has a name, telecom, address or organization", "联系人须有 name、telecom、address 或 organization"),
    rule("org-1", "Organization", |o| count(o, &["identifier", "name"]) > 0,
        "an organization has a name or an identifier", "机构须有 name 或 identifier"),
    each_rule("org-2", "Organization", "address", |_, it| text(it, "use") != "home",
        "the address of an organization is never of use home", "机构地址的 use 不得为 home"),
    each_rule("org-3", "Organization", "telecom", |_, it| text(it, "use") != "home",
        "the telecom of an organization is never of use home", "机构联系方式的 use 不得为 home"),
    rule("grp-1", "Group", |o| !has(o, "member") || is_true(o, "actual"),
        "only an actual group has members", "仅实际群组可有成员"),
    rule("obs-3", "Observation.referenceRange", |o| count(o, &["low", "high", "text"]) > 0,
        "a reference range has low, high or text", "参考范围须有 low、high 或 text"),
    rule("obs-6", "Observation", |o| !has(o, "dataAbsentReason") || !any(o, "value"),
        "dataAbsentReason is only present without a value", "有值时不得有 dataAbsentReason"),
    rule("obs-7", "Observation", |o| !any(o, "value") || !component_repeats_code(o),
        "an observation with a value has no component of the same code", "有值的观察不得含同一代码的分量"),
    rule("ait-1", "AllergyIntolerance", |o| entered_in_error(o, ALLERGY_VERIFICATION) || has(o, "clinicalStatus"),
        "clinicalStatus is present unless the record was entered in error", "除非录入有误，须有 clinicalStatus"),
    rule("ait-2", "AllergyIntolerance", |o| !entered_in_error(o, ALLERGY_VERIFICATION) || !has(o, "clinicalStatus"),
        "a record entered in error has no clinicalStatus", "录入有误的记录不得有 clinicalStatus"),
    rule("con-1", "Condition.stage", |o| count(o, &["summary", "assessment"]) > 0,
        "a stage has a summary or an assessment", "分期须有 summary 或 assessment"),
    rule("con-2", "Condition.evidence", |o| count(o, &["code", "detail"]) > 0,
        "evidence has a code or details", "证据须有 code 或 detail"),
    rule("con-4", "Condition", |o| !any(o, "abatement")
            || is_coded(o, "clinicalStatus", CONDITION_CLINICAL, &["resolved", "remission", "inactive"]),
        "an abated condition is inactive, resolved or in remission", "已缓解的诊断，clinicalStatus 须为 inactive、resolved 或 remission"),
    rule("con-5", "Condition", |o| !entered_in_error(o, CONDITION_VERIFICATION) || !has(o, "clinicalStatus"),
        "a record entered in error has no clinicalStatus", "录入有误的记录不得有 clinicalStatus"),
    rule("fhs-1", "FamilyMemberHistory", |o| !any(o, "age") || !any(o, "born"),
        "either age or born, not both", "age 与 born 不得同时出现"),
    rule("fhs-2", "FamilyMemberHistory", |o| any(o, "age") || !has(o, "estimatedAge"),
        "estimatedAge stands beside an age", "有 estimatedAge 时须有 age"),
    rule("imm-1", "Immunization.education", |o| count(o, &["documentType", "reference"]) > 0,
        "education has a documentType or a reference", "须有 documentType 或 reference"),
    rule("imr-1", "ImmunizationRecommendation.recommendation", |o| count(o, &["vaccineCode", "targetDisease"]) > 0,
        "a recommendation has a vaccineCode or a targetDisease", "须有 vaccineCode 或 targetDisease"),
    rule("mad-1", "MedicationAdministration.dosage", |o| has(o, "dose") || any(o, "rate"),
        "a dosage has a dose or a rate", "剂量须有 dose 或 rate"),
    rule("mdd-1", "MedicationDispense", handed_over_after_prepared,
        "whenHandedOver is not before whenPrepared", "whenHandedOver 不得早于 whenPrepared"),
    rule("msq-3", "MolecularSequence", |o| matches!(o.get("coordinateSystem").and_then(Value::as_number), None | Some("0" | "1")),
        "coordinateSystem is 0 or 1", "coordinateSystem 须为 0 或 1"),
    rule("msq-5", "MolecularSequence.referenceSeq", |o| has(o, "chromosome") == has(o, "genomeBuild"),
        "genomeBuild and chromosome stand together", "genomeBuild 与 chromosome 须同时出现"),
    rule("msq-6", "MolecularSequence.referenceSeq",
        |o| count(o, &["genomeBuild", "referenceSeqId", "referenceSeqPointer", "referenceSeqString"]) == 1,
        "exactly one of genomeBuild, referenceSeqId, referenceSeqPointer, referenceSeqString",
        "genomeBuild、referenceSeqId、referenceSeqPointer、referenceSeqString 须有且仅有其一"),
    rule("gol-1", "Goal.target", |o| !any(o, "detail") || has(o, "measure"),
        "a target with detail has a measure", "目标有 detail 时须有 measure"),
    rule("cpl-3", "CarePlan.activity", |o| !has(o, "detail") || !has(o, "reference"),
        "either a reference or detail, not both", "reference 与 detail 不得同时出现"),
    rule("cmp-1", "Composition.section", |o| count(o, &["text", "entry", "section"]) > 0,
        "a section has text, entries or sections", "章节须有 text、entry 或 section"),
    rule("cmp-2", "Composition.section", |o| !has(o, "emptyReason") || !has(o, "entry"),
        "a section with an emptyReason has no entries", "有 emptyReason 的章节不得有 entry"),
    rule("lst-1", "List", |o| !has(o, "emptyReason") || !has(o, "entry"),
        "a list with an emptyReason has no entries", "有 emptyReason 的列表不得有 entry"),
    each_rule("lst-2", "List", "entry", |o, it| text(o, "mode") == "changes" || !has(it, "deleted"),
        "deleted is only for lists of mode changes", "仅 mode 为 changes 时可用 deleted"),
    each_rule("lst-3", "List", "entry", |o, it| text(o, "mode") == "working" || !has(it, "date"),
        "an entry date is only for lists of mode working", "仅 mode 为 working 时可用条目日期"),
    rule("ppc-1", "Consent", |o| count(o, &["policy", "policyRule"]) > 0,
        "a consent has a policy or a policyRule", "知情同意须有 policy 或 policyRule"),
    rule("sev-1", "AuditEvent.entity", |o| !has(o, "name") || !has(o, "query"),
        "either a name or a query, not both", "name 与 query 不得同时出现"),
];

fn component_repeats_code(observation: &Object<'_>) -> bool {
    let Some(code) = observation.get("code").and_then(Value::as_object) else {
        return false;
    };
    let mut codes = each(observation, "component").filter_map(|component| component.get("code")?.as_object());
    codes.any(|component| each(component, "coding").any(|coding| each(code, "coding").any(|own| own == coding)))
}

fn entered_in_error(object: &Object<'_>, system: &str) -> bool {
    is_coded(object, "verificationStatus", system, &["entered-in-error"])
}

fn handed_over_after_prepared(dispense: &Object<'_>) -> bool {
    let handed_over = FhirDateTime::parse(text(dispense, "whenHandedOver"));
    let prepared = FhirDateTime::parse(text(dispense, "whenPrepared"));
    match (prepared, handed_over) {
        (Some(prepared), Some(handed_over)) => prepared.low(Offset::EASTMOST) <= handed_over.high(Offset::WESTMOST),
        _ => true,
    }
}

const ALLERGY_VERIFICATION: &str = "http://terminology.hl7.org/CodeSystem/allergyintolerance-verification";
const CONDITION_VERIFICATION: &str = "http://terminology.hl7.org/CodeSystem/condition-ver-status";
const CONDITION_CLINICAL: &str = "http://terminology.hl7.org/CodeSystem/condition-clinical";
