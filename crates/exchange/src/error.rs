//! Why a use case was refused, and what the doors do about it.

use dukou_fhir::{Issue, IssueType, ResourceKey, Severity, Text, VersionId};
use dukou_store as store;

/// A refusal. Its text names no patient data; [`Error::issues`] is what a caller sees.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nothing by that name was ever there, or the caller may not know of it.
    #[error("reading {key}: not found")]
    NotFound {
        /// What was asked for.
        key: ResourceKey,
    },
    /// The resource was deleted.
    #[error("reading {key}: deleted")]
    Gone {
        /// What was asked for.
        key: ResourceKey,
        /// The version of the deletion.
        version: VersionId,
    },
    /// The content has faults; all of them are listed.
    #[error("checking the content: {} fault(s)", .0.len())]
    Invalid(Vec<Issue>),
    /// `If-Match` names another version than the current one.
    #[error("comparing If-Match: another version is current")]
    VersionMismatch,
    /// A condition matched several resources.
    #[error("resolving a condition: {count} or more matches")]
    SeveralMatches {
        /// Matches seen; the search for more stops at two.
        count: usize,
    },
    /// A conditional reference matched nothing.
    #[error("resolving a conditional reference: no match")]
    NoMatch {
        /// Where the reference stands.
        expression: String,
    },
    /// The id that the content brings is taken by a resource that the condition does not match.
    #[error("creating by condition: the id is taken")]
    IdTaken,
    /// The id in the content is not the one in the URL or of the match.
    #[error("comparing ids: the content has another id")]
    IdDiffers,
    /// The client may not choose ids.
    #[error("creating by client id: not allowed for this client")]
    IdNotAllowed,
    /// Other resources refer to the one to be deleted.
    #[error("deleting {key}: it is referenced")]
    Referenced {
        /// What was to be deleted.
        key: ResourceKey,
        /// Some of those that refer to it.
        by: Vec<ResourceKey>,
    },
    /// A reference has no target.
    #[error("checking references: {target} is not there")]
    MissingReference {
        /// The resource that is missing.
        target: ResourceKey,
    },
    /// The same resource twice in one transaction.
    #[error("ordering the transaction: {key} stands in it twice")]
    Twice {
        /// The resource.
        key: ResourceKey,
    },
    /// An identifier that is unique by policy is taken.
    #[error("checking unique identifiers: taken")]
    Duplicate,
    /// The search would take more work than is allowed.
    #[error("searching: more work than the limit allows")]
    TooCostly {
        /// The part of the query that costs most, and what would help.
        advice: String,
    },
    /// The cursor is not one of this query.
    #[error("reading the page cursor: it does not belong to this query")]
    BadCursor,
    /// The permit does not reach that far.
    #[error("using the permit: it does not cover this")]
    Forbidden,
    /// Others changed the same resources again and again.
    #[error("writing: gave way to other writers {attempts} times")]
    Contended {
        /// How often it was tried.
        attempts: u32,
    },
    /// An entry of a transaction failed; nothing was written.
    #[error("entry {index}")]
    Entry {
        /// Number of the entry, from 0.
        index: usize,
        /// What went wrong there.
        #[source]
        source: Box<Error>,
    },
    /// The identity journal holds an entry that this release cannot read.
    #[error("reading the identity journal")]
    Journal(#[source] dukou_identity::EntryError),
    /// The store cannot answer now: full, stopping or broken. The doors give their constant answer.
    #[error("using the store")]
    Unavailable(#[source] store::Error),
}

/// What happens to a message or request that was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disposition {
    /// It will never work as it is: AE or AR, a 4xx.
    Reject,
    /// The same may work later: no answer over MLLP, 503 over HTTP.
    Retry,
    /// It needs a person: kept, and its lane waits.
    Park,
}

impl Error {
    /// The one place where it is decided whether trying again can help.
    pub fn disposition(&self) -> Disposition {
        match self {
            Error::Unavailable(_) | Error::Journal(_) | Error::Contended { .. } => Disposition::Retry,
            Error::Entry { source, .. } => source.disposition(),
            Error::MissingReference { .. } | Error::Duplicate | Error::SeveralMatches { .. } => Disposition::Park,
            _ => Disposition::Reject,
        }
    }

    /// The refusal as issues of an OperationOutcome; the HTTP status follows from the kind of the first.
    pub fn issues(&self) -> Vec<Issue> {
        match self {
            Error::Invalid(issues) => issues.clone(),
            Error::Entry { index, source } => {
                source.issues().into_iter().map(|issue| within_entry(*index, issue)).collect()
            }
            other => vec![other.issue()],
        }
    }

    fn issue(&self) -> Issue {
        let (kind, code, en, zh) = self.words();
        let issue = Issue::new(Severity::Error, kind, code, Text::new(en, zh));
        match self {
            Error::NoMatch { expression } => issue.at(expression.clone()),
            Error::TooCostly { advice } => issue.with_diagnostics(advice.clone()),
            Error::Referenced { by, .. } if !by.is_empty() => {
                let names: Vec<String> = by.iter().map(ToString::to_string).collect();
                issue.with_diagnostics(format!("referenced by {}", names.join(", ")))
            }
            _ => issue,
        }
    }

    fn words(&self) -> (IssueType, &'static str, String, String) {
        let text = |kind, code, en: &str, zh: &str| (kind, code, en.to_owned(), zh.to_owned());
        match self {
            Error::NotFound { key } => (
                IssueType::NotFound,
                "not-found",
                format!("{} is not here", key.kind),
                format!("未找到该 {}", key.kind),
            ),
            Error::Gone { key, .. } => (
                IssueType::Deleted,
                "deleted",
                format!("this {} was deleted", key.kind),
                format!("该 {} 已被删除", key.kind),
            ),
            Error::VersionMismatch => text(
                IssueType::Conflict,
                "version-mismatch",
                "another version is current; read it and try again",
                "当前版本与 If-Match 不同；请重新读取后再试",
            ),
            Error::SeveralMatches { .. } => text(
                IssueType::MultipleMatches,
                "several-matches",
                "the condition matches several resources; make it more exact",
                "条件匹配到多个资源；请给出更精确的条件",
            ),
            Error::NoMatch { .. } => text(
                IssueType::Processing,
                "reference-without-match",
                "the conditional reference matches nothing",
                "条件引用没有匹配到任何资源",
            ),
            Error::IdTaken => {
                text(IssueType::Conflict, "id-taken", "the id belongs to another resource", "该 id 已属于另一个资源")
            }
            Error::IdDiffers => text(
                IssueType::Invalid,
                "id-differs",
                "the id in the content is not the id addressed",
                "内容中的 id 与所寻址的 id 不一致",
            ),
            Error::IdNotAllowed => text(
                IssueType::NotSupported,
                "id-not-allowed",
                "this client may not choose ids: create by POST",
                "该客户端不能自行指定 id：请用 POST 创建",
            ),
            Error::Referenced { .. } => text(
                IssueType::Conflict,
                "referenced",
                "other resources refer to it; delete or change those first",
                "其他资源仍引用它；请先删除或修改那些资源",
            ),
            Error::MissingReference { target } => (
                IssueType::BusinessRule,
                "reference-without-target",
                format!("a reference to a {} has no target here", target.kind),
                format!("对 {} 的引用没有目标", target.kind),
            ),
            Error::Twice { key } => (
                IssueType::Invalid,
                "twice-in-transaction",
                format!("one {} stands in the transaction twice", key.kind),
                format!("同一 {} 在事务中出现两次", key.kind),
            ),
            _ => self.rarer_words(),
        }
    }

    fn rarer_words(&self) -> (IssueType, &'static str, String, String) {
        let text = |kind, code, en: &str, zh: &str| (kind, code, en.to_owned(), zh.to_owned());
        match self {
            Error::Duplicate => text(
                IssueType::Duplicate,
                "identifier-taken",
                "an identifier that is unique here belongs to another resource",
                "该标识在此必须唯一，但已属于另一个资源",
            ),
            Error::TooCostly { .. } => text(
                IssueType::TooCostly,
                "too-costly",
                "the search would take more work than is allowed; make it narrower",
                "检索工作量超出上限；请缩小范围",
            ),
            Error::BadCursor => text(
                IssueType::Invalid,
                "bad-cursor",
                "the page link does not belong to this search",
                "分页链接不属于本次检索",
            ),
            Error::Forbidden => {
                text(IssueType::Forbidden, "forbidden", "this client may not do that", "该客户端无权执行此操作")
            }
            Error::Contended { .. } => text(
                IssueType::LockError,
                "contended",
                "others keep changing the same resources; try again",
                "其他写入者正在修改相同资源；请稍后重试",
            ),
            _ => text(
                IssueType::Transient,
                "unavailable",
                "the service cannot answer now; try again later",
                "服务暂不可用；请稍后重试",
            ),
        }
    }
}

impl From<store::Error> for Error {
    fn from(error: store::Error) -> Error {
        match error {
            store::Error::TooCostly { .. } => Error::TooCostly { advice: error.to_string() },
            store::Error::MissingReference { key, .. } => Error::MissingReference { target: key },
            store::Error::NotPermitted => Error::Forbidden,
            store::Error::BadCursor => Error::BadCursor,
            other => Error::Unavailable(other),
        }
    }
}

/// `Patient.name` of entry 3 is `Bundle.entry[3].resource.name`.
fn within_entry(index: usize, mut issue: Issue) -> Issue {
    let prefix = format!("Bundle.entry[{index}]");
    if issue.expression.is_empty() {
        issue.expression.push(prefix);
        return issue;
    }
    for expression in &mut issue.expression {
        let rest = expression.find(['.', '[']).map_or("", |at| &expression[at..]);
        *expression = format!("{prefix}.resource{rest}");
    }
    issue
}
