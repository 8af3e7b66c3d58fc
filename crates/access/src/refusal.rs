//! A refusal: at which step, why, and whether the client was known.

use std::fmt;

use dukou_audit::Access;

/// The steps in the order in which they run. The first refusal ends the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// How often this peer and this client ask.
    Rate,
    /// Who asks.
    Authentication,
    /// For which user and purpose.
    Purpose,
    /// What the partner's file allows.
    Partner,
    /// What the client's scopes allow.
    Scope,
    /// Which patients the client may see.
    Compartment,
}

impl Step {
    /// The step's word in rule ids and partner files.
    pub fn as_str(self) -> &'static str {
        match self {
            Step::Rate => "rate",
            Step::Authentication => "authentication",
            Step::Purpose => "purpose",
            Step::Partner => "partner",
            Step::Scope => "scope",
            Step::Compartment => "compartment",
        }
    }

    /// The step of a word.
    pub fn parse(word: &str) -> Option<Step> {
        [Step::Rate, Step::Authentication, Step::Purpose, Step::Partner, Step::Scope, Step::Compartment]
            .into_iter()
            .find(|step| step.as_str() == word)
    }
}

/// Why a request was refused. The code is stable; the texts carry no data of the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// Too many requests of this peer or client.
    TooManyRequests,
    /// No credential and no client certificate.
    CredentialMissing,
    /// A credential of another kind, or more than one.
    CredentialUnusable,
    /// A token, certificate or listener of no registered client.
    CredentialUnknown,
    /// A static token over a channel where it is not accepted.
    TokenChannel,
    /// The connection's certificate belongs to another client than the token.
    CertificateMismatch,
    /// No purpose of use, neither in the request nor as the client's default.
    PurposeMissing,
    /// A purpose outside the known code list.
    PurposeUnknown,
    /// A purpose that is not among the partner's.
    PurposeNotAllowed,
    /// The client may not name another purpose than its default.
    PurposeNotAccepted,
    /// The client may not name users.
    UserNotAccepted,
    /// The partner's file is not yet, or no longer, valid.
    PartnerNotValid,
    /// The peer address is outside the partner's ranges.
    AddressNotListed,
    /// The interaction is not in the partner's list.
    InteractionNotListed,
    /// The resource type is not in the partner's list.
    ResourceNotListed,
    /// No scope gives the right that the interaction needs.
    ScopeMissing,
    /// The patient is outside the client's reach; answered like an absent one.
    OutsideCompartment,
}

impl Code {
    /// The stable code, as it stands in records and answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Code::TooManyRequests => "too-many-requests",
            Code::CredentialMissing => "credential-missing",
            Code::CredentialUnusable => "credential-unusable",
            Code::CredentialUnknown => "credential-unknown",
            Code::TokenChannel => "token-channel",
            Code::CertificateMismatch => "certificate-mismatch",
            Code::PurposeMissing => "purpose-missing",
            Code::PurposeUnknown => "purpose-unknown",
            Code::PurposeNotAllowed => "purpose-not-allowed",
            Code::PurposeNotAccepted => "purpose-not-accepted",
            Code::UserNotAccepted => "user-not-accepted",
            Code::PartnerNotValid => "partner-not-valid",
            Code::AddressNotListed => "address-not-listed",
            Code::InteractionNotListed => "interaction-not-listed",
            Code::ResourceNotListed => "resource-not-listed",
            Code::ScopeMissing => "scope-missing",
            Code::OutsideCompartment => "outside-compartment",
        }
    }

    /// The reason in English.
    pub fn text_en(self) -> &'static str {
        match self {
            Code::TooManyRequests => "too many requests; ask again later",
            Code::CredentialMissing => "a bearer token or a client certificate is needed",
            Code::CredentialUnusable => "exactly one Authorization header with a bearer token is accepted",
            Code::CredentialUnknown => "the credential belongs to no registered client",
            Code::TokenChannel => "static tokens are accepted on loopback and with a client certificate only",
            Code::CertificateMismatch => "the client certificate and the token belong to different clients",
            Code::PurposeMissing => "a purpose of use is needed",
            Code::PurposeUnknown => "the purpose of use is not a known code",
            Code::PurposeNotAllowed => "the purpose of use is not agreed with this partner",
            Code::PurposeNotAccepted => "this client may not name a purpose other than its default",
            Code::UserNotAccepted => "this client may not name users",
            Code::PartnerNotValid => "the agreement with this partner is not in force today",
            Code::AddressNotListed => "the address is not agreed with this partner",
            Code::InteractionNotListed => "the interaction is not agreed with this partner",
            Code::ResourceNotListed => "the resource type is not agreed with this partner",
            Code::ScopeMissing => "no scope of this client gives this right",
            Code::OutsideCompartment => "not found",
        }
    }

    /// The reason in Chinese.
    pub fn text_zh(self) -> &'static str {
        match self {
            Code::TooManyRequests => "请求过于频繁，请稍后再试",
            Code::CredentialMissing => "需要访问令牌或客户端证书",
            Code::CredentialUnusable => "只接受一个携带 Bearer 令牌的 Authorization 头",
            Code::CredentialUnknown => "凭据不属于任何已登记的客户端",
            Code::TokenChannel => "静态令牌只能在本机回环或双向 TLS 连接上使用",
            Code::CertificateMismatch => "客户端证书与令牌不属于同一客户端",
            Code::PurposeMissing => "必须说明使用目的",
            Code::PurposeUnknown => "使用目的代码未知",
            Code::PurposeNotAllowed => "该使用目的未与合作方约定",
            Code::PurposeNotAccepted => "该客户端不得自行声明其他使用目的",
            Code::UserNotAccepted => "该客户端不得声明用户身份",
            Code::PartnerNotValid => "与合作方的约定当前不在有效期内",
            Code::AddressNotListed => "该地址未与合作方约定",
            Code::InteractionNotListed => "该操作未与合作方约定",
            Code::ResourceNotListed => "该资源类型未与合作方约定",
            Code::ScopeMissing => "该客户端没有此项权限",
            Code::OutsideCompartment => "未找到",
        }
    }
}

/// The end of the chain.
pub struct Refusal {
    /// Where it ended.
    pub step: Step,
    /// Why.
    pub code: Code,
    /// Seconds after which asking again may succeed; only at [`Step::Rate`].
    pub retry_after_s: Option<u32>,
    /// The access with its denying decision when the client is known: to be recorded. None: to be counted in the peer's summary.
    pub authenticated: Option<Box<Access>>,
}

impl fmt::Debug for Refusal {
    /// Step and code only: the access may name users and queries.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Refusal").field("step", &self.step).field("code", &self.code).finish_non_exhaustive()
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.code.text_en())
    }
}

impl std::error::Error for Refusal {}
