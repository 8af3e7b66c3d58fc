//! Names of resources and of their versions.

use std::fmt;
use std::sync::Arc;

use crate::ResourceType;

/// The logical id of a resource: 1 to 64 of `[A-Za-z0-9.-]` (FHIR datatype id).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LogicalId(Arc<str>);

impl LogicalId {
    /// The id, where the text is one.
    pub fn parse(text: &str) -> Option<LogicalId> {
        let known = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.';
        (matches!(text.len(), 1..=64) && text.bytes().all(known)).then(|| LogicalId(text.into()))
    }

    /// The text of the id.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for LogicalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for LogicalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The number of a version of one resource: 1, 2, 3 and on; a number is never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VersionId(u64);

impl VersionId {
    /// The first version of a resource.
    pub const FIRST: VersionId = VersionId(1);

    /// The version with that number, from 1.
    pub fn new(number: u64) -> Option<VersionId> {
        (number > 0).then_some(VersionId(number))
    }

    /// The version written in decimal without leading zeros; no other text is a version of ours.
    pub fn parse(text: &str) -> Option<VersionId> {
        let plain = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
        plain.then(|| text.parse().ok()).flatten().and_then(VersionId::new)
    }

    /// The number.
    pub fn number(self) -> u64 {
        self.0
    }

    /// The version after this one.
    #[must_use]
    pub fn next(self) -> VersionId {
        VersionId(self.0.saturating_add(1))
    }
}

impl fmt::Display for VersionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Type and logical id: the name under which a resource is stored. Displays as `Patient/x`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResourceKey {
    /// The resource type.
    pub kind: ResourceType,
    /// The logical id within the type.
    pub id: LogicalId,
}

impl ResourceKey {
    /// The key of a type and an id.
    pub fn new(kind: ResourceType, id: LogicalId) -> ResourceKey {
        ResourceKey { kind, id }
    }

    /// The key in `Patient/x`; neither a base before nor a version behind it.
    pub fn parse(text: &str) -> Option<ResourceKey> {
        let (kind, id) = text.split_once('/')?;
        Some(ResourceKey { kind: ResourceType::parse(kind)?, id: LogicalId::parse(id)? })
    }
}

impl fmt::Display for ResourceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind, self.id)
    }
}

impl fmt::Debug for ResourceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_logical_id_has_1_to_64_plain_characters() {
        for good in ["a", "A-1.b", &"9".repeat(64)] {
            assert_eq!(LogicalId::parse(good).unwrap().as_str(), good);
        }
        for bad in ["", "a_b", "a/b", "王", " a", &"9".repeat(65)] {
            assert_eq!(LogicalId::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_version_is_a_plain_number_from_1() {
        assert_eq!(VersionId::parse("1"), Some(VersionId::FIRST));
        assert_eq!(VersionId::parse("41").unwrap().next().to_string(), "42");
        for bad in ["", "0", "01", "+1", "-1", "1.0", "a", "18446744073709551616"] {
            assert_eq!(VersionId::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_key_reads_back_from_its_text() {
        let key = ResourceKey::parse("Patient/p-1").unwrap();
        assert_eq!(ResourceKey::parse(&key.to_string()), Some(key));
        for bad in ["Patient", "Patient/", "patient/1", "Resource/1", "Patient/1/_history/1", "http://a/Patient/1"] {
            assert_eq!(ResourceKey::parse(bad), None, "{bad}");
        }
    }
}
