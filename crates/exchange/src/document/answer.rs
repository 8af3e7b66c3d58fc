//! The answer to a document: an OperationOutcome with the numbers first and then each record that is held, in English with the Chinese
//! beside it. It names places and codes and never a value.

use bytes::Bytes;
use dukou_fhir::{Issue, IssueType, Language, Object, Severity, Text, Value, json};
use dukou_mapping::Mapped;
use dukou_wire::{Format, Message};

use super::{Document, Translated};
use crate::apply::Applied;
use crate::ingest::Leaves;

/// What became of the records of a document: `records` is the sum of the other three.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Records in the document.
    pub records: usize,
    /// They stand now.
    pub applied: usize,
    /// They said nothing that was not stored already.
    pub unchanged: usize,
    /// They wait for a person.
    pub held: usize,
}

/// Why a record may not be applied: faults of its content, and damage that a spreadsheet has done to one of its cells.
pub(super) fn reasons(path: &str, mapped: &Mapped<'_>, damages: &[&dukou_wire::Issue]) -> Vec<Issue> {
    let stops = |issue: &&Issue| issue.severity.is_error() || issue.code == ROUNDED;
    let own = mapped.issues.iter().filter(stops).cloned();
    let damaged = damages.iter().filter(|issue| lies_in(issue, path)).map(|issue| damage(issue));
    own.map(|issue| advised(issue, path)).chain(damaged).collect()
}

/// The numbers, and the answer that says them.
pub(super) fn of(
    document: &Document<'_>,
    records: &[Translated<'_>],
    applied: &Applied,
    notes: &[&dukou_wire::Issue],
    sums: Leaves,
) -> (Counts, Bytes) {
    let held = records.iter().filter(|record| !record.reasons.is_empty()).count();
    let news = applied.news.iter().filter(|news| **news).count();
    let counts = Counts { records: records.len(), applied: news, unchanged: records.len() - held - news, held };
    let mut issues = vec![told(counts)];
    issues.extend(records.iter().flat_map(|record| record.reasons.iter().cloned()));
    if !document.cut.is_empty() {
        issues.push(cut(document.cut.len()));
    }
    issues.extend(applied.issues.iter().cloned());
    let about_good = |record: &&Translated<'_>| record.reasons.is_empty();
    let warned = records.iter().filter(about_good).flat_map(|record| record.mapped.issues.iter());
    issues.extend(warned.cloned());
    issues.extend(notes.iter().map(|issue| crate::issues::of_wire(issue)));
    let left_out = issues.len().saturating_sub(ISSUES_MAX);
    issues.truncate(ISSUES_MAX);
    if left_out > 0 {
        issues.push(more(left_out));
    }
    let numbers = Object::new().with("url", SUMMARY).with("extension", Value::Array(summary(counts, sums)));
    (counts, print(&issues, Some(numbers)))
}

/// The answer to a document of which nothing can be applied.
pub(super) fn refusal(issues: &[Issue]) -> Bytes {
    print(issues, None)
}

fn print(issues: &[Issue], extension: Option<Object<'static>>) -> Bytes {
    let listed: Vec<Value<'static>> = issues.iter().map(bilingual).collect();
    let mut outcome = Object::new().with("resourceType", "OperationOutcome");
    if let Some(extension) = extension {
        outcome.insert("extension", vec![Value::Object(extension)]);
    }
    outcome.insert("issue", listed);
    let mut bytes = Vec::with_capacity(512);
    json::print(&Value::Object(outcome), &mut bytes);
    Bytes::from(bytes)
}

/// English text with its translation (FHIR R4 extension `translation`): stored bytes serve readers of both languages.
fn bilingual(issue: &Issue) -> Value<'static> {
    let part = |url: &'static str, member: &'static str, text: String| {
        Value::Object(Object::new().with("url", url).with(member, text))
    };
    let parts = vec![part("lang", "valueCode", "zh".to_owned()), part("content", "valueString", issue.text.zh.clone())];
    let translation = Object::new().with("url", TRANSLATION).with("extension", Value::Array(parts));
    let beside = Object::new().with("extension", vec![Value::Object(translation)]);
    let mut value = issue.to_value(Language::English);
    let details = value.as_object_mut().and_then(|members| members.get_mut("details")).and_then(Value::as_object_mut);
    if let Some(details) = details {
        details.insert("_text", beside);
    }
    value
}

fn summary(counts: Counts, sums: Leaves) -> Vec<Value<'static>> {
    let number = |url: &'static str, n: u64| {
        let digits = std::borrow::Cow::Owned(n.to_string());
        Value::Object(Object::new().with("url", url).with("valueUnsignedInt", Value::Number(digits)))
    };
    let record = [
        ("records", counts.records),
        ("applied", counts.applied),
        ("held", counts.held),
        ("unchanged", counts.unchanged),
    ];
    let leaf = [
        ("leaves", sums.leaves),
        ("emitted", sums.emitted),
        ("complement", sums.complement),
        ("dropped", sums.dropped),
        ("reported", sums.reported),
    ];
    let records = record.into_iter().map(|(url, n)| number(url, n as u64));
    records.chain(leaf.into_iter().map(|(url, n)| number(url, u64::from(n)))).collect()
}

fn told(counts: Counts) -> Issue {
    let Counts { records, applied, unchanged, held } = counts;
    let en = format!("{records} records: {applied} applied, {unchanged} unchanged, {held} held");
    let zh = format!("共 {records} 条记录：已写入 {applied} 条，无变化 {unchanged} 条，暂存待处理 {held} 条");
    Issue::new(Severity::Information, IssueType::Informational, "ingested", Text::new(en, zh))
}

/// Damage that spreadsheets do: the cell is not what was typed, and nobody here may guess what that was. Signs such as `+-` are
/// results and no formula.
pub(super) fn is_damage(issue: &dukou_wire::Issue, message: &Message<'_>) -> bool {
    let text = || issue.path.as_ref().and_then(|path| message.get(path)).map(|node| node.text().into_owned());
    match issue.code.as_str() {
        "cell-formula" => text().is_some_and(|text| text.starts_with(['=', '@'])),
        code => DAMAGE.contains(&code),
    }
}

fn lies_in(issue: &dukou_wire::Issue, record: &str) -> bool {
    let place = issue.path.as_ref().map(ToString::to_string).unwrap_or_default();
    place.strip_prefix(record).is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '[', '@', '-']))
}

fn damage(issue: &dukou_wire::Issue) -> Issue {
    let place = issue.path.as_ref().map(ToString::to_string).unwrap_or_default();
    let text = Text::new(
        format!("{}; the record is held", issue.code.text_en()),
        format!("{}；该记录暂存待处理", issue.code.text_zh()),
    );
    Issue::error(IssueType::Value, issue.code.as_str(), text).at(place).with_diagnostics(
        "correct the cell in the source system, export it as text and send the file again; \
         请在源系统中更正该单元格，以文本格式导出后重新发送",
    )
}

/// A fault of the mapping, with the place of its record where it states none, and what to do.
fn advised(issue: Issue, path: &str) -> Issue {
    let issue = Issue { severity: Severity::Error, ..issue };
    let issue = if issue.expression.is_empty() { issue.at(path.to_owned()) } else { issue };
    match &issue.diagnostics {
        Some(_) => issue,
        None => issue.with_diagnostics(
            "correct the record and send it again, the others need not be sent; 请更正该记录后重新发送，其他记录无需重发",
        ),
    }
}

fn cut(count: usize) -> Issue {
    let text = Text::new(
        format!("{count} values that may not be kept (tokens, balances, employers, signatures) were cut out"),
        format!("已剔除 {count} 个不得保存的值（令牌、余额、单位、签名）"),
    );
    Issue::new(Severity::Information, IssueType::Suppressed, "forbidden-cut", text)
}

fn more(count: usize) -> Issue {
    let text = Text::new(format!("{count} more issues are left out"), format!("另有 {count} 条未列出"));
    Issue::new(Severity::Information, IssueType::Informational, "more-issues", text)
}

pub(super) fn too_many(most: usize) -> Issue {
    let text = Text::new(
        format!("a document has at most {most} records; divide it and send the parts"),
        format!("单个文件最多包含 {most} 条记录；请拆分后发送"),
    );
    Issue::error(IssueType::TooLong, "too-many-records", text)
}

pub(super) fn empty() -> Issue {
    let text = Text::new("the document holds no record; nothing was applied", "文件中没有任何记录；未写入任何内容");
    Issue::error(IssueType::Required, "no-record", text)
        .with_diagnostics("see whether the export was cut off, and send it again; 请检查导出是否被截断，然后重新发送")
}

pub(super) fn unmapped(format: Format) -> Issue {
    let text = Text::new(
        format!("no map speaks of this {} document", format.as_str()),
        format!("没有适用于该 {} 文件的映射", format.as_str()),
    );
    Issue::error(IssueType::NotSupported, "unmapped", text).with_diagnostics(
        "write a map whose source head names the root of this document, see mappings/README.md; 请编写与该文件根元素相符的映射",
    )
}

pub(super) fn forbidden() -> Issue {
    let text = Text::new(
        "the bytes cannot be read and speak of values that may not be kept, so nothing of them was kept",
        "内容无法读取且含有不得保存的值，因此未予保存",
    );
    Issue::error(IssueType::Structure, "unreadable-forbidden", text)
}

/// Codes of `wire` that hold a record: traps of cells, and entries of a document that belong together by order and do not come in
/// pairs. A leading apostrophe is none: it says only that a cell is text.
const DAMAGE: [&str; 4] = ["cell-scientific", "cell-decimal-comma", "row-width", "cda-counts-unequal"];

/// An identity number that a spreadsheet has rounded: its owner is lost, and with it the patient of the record.
const ROUNDED: &str = "id-as-number";

/// Issues in one answer, at most; the stored document can be translated again for the rest.
const ISSUES_MAX: usize = 1_000;

const SUMMARY: &str = "https://dukou.dev/fhir/StructureDefinition/ingest-summary";
const TRANSLATION: &str = "http://hl7.org/fhir/StructureDefinition/translation";
