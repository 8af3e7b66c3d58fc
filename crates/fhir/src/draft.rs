//! A resource ready for storage apart from what only the store's writer knows.

use bytes::{BufMut, Bytes, BytesMut};

use crate::json;
use crate::{Instant, Object, ResourceKey, Value, VersionId};

/// Canonical bytes of a resource with a place kept for `meta.versionId` and `meta.lastUpdated`.
///
/// Order of the stored form: `resourceType`, `id`, `meta` with `versionId` and `lastUpdated` first, then every other
/// member as sent. What was sent in `id`, `meta.versionId` and `meta.lastUpdated` (and their `_` members) is replaced;
/// the rest of `meta` and everything else stays, number text and member order included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    key: ResourceKey,
    /// The canonical form with a `meta` that lacks the two members; they are spliced in at `split`.
    bytes: Bytes,
    split: usize,
}

/// Why a tree cannot become a stored resource. Holds nothing of its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DraftError {
    /// The tree is not an object.
    #[error("the resource is not a JSON object")]
    NotAnObject,
    /// `resourceType` is missing or not that of the key.
    #[error("the resource type is not that of the key")]
    TypeDiffers,
    /// `meta` is not an object.
    #[error("meta is not a JSON object")]
    MetaNotAnObject,
}

impl Draft {
    /// Prepares a resource under a key.
    ///
    /// # Errors
    /// When the tree is no object, has another `resourceType`, or a `meta` that is no object.
    pub fn new(value: &Value<'_>, key: ResourceKey) -> Result<Draft, DraftError> {
        let object = value.as_object().ok_or(DraftError::NotAnObject)?;
        if value.resource_type() != Some(key.kind.as_str()) {
            return Err(DraftError::TypeDiffers);
        }
        let meta = match object.get("meta") {
            Some(Value::Object(meta)) => Some(meta),
            Some(_) => return Err(DraftError::MetaNotAnObject),
            None => None,
        };
        let mut bytes = Vec::with_capacity(1024);
        bytes.extend_from_slice(b"{\"resourceType\":");
        json::print_text(key.kind.as_str(), &mut bytes);
        bytes.extend_from_slice(b",\"id\":");
        json::print_text(key.id.as_str(), &mut bytes);
        bytes.extend_from_slice(b",\"meta\":{");
        let split = bytes.len();
        if let Some(meta) = meta {
            print_others(meta, &["versionId", "_versionId", "lastUpdated", "_lastUpdated"], false, &mut bytes);
        }
        bytes.push(b'}');
        print_others(object, &["resourceType", "id", "_id", "meta"], true, &mut bytes);
        bytes.push(b'}');
        Ok(Draft { key, bytes: bytes.into(), split })
    }

    /// The name under which the resource will be stored.
    pub fn key(&self) -> &ResourceKey {
        &self.key
    }

    /// The resource as a tree without version and time, read anew from the canonical bytes on each call.
    pub fn value(&self) -> Value<'_> {
        let limits = json::Limits { depth_max: u32::MAX, values_max: u32::MAX };
        json::parse(&self.bytes, &limits).unwrap_or(Value::Null)
    }

    /// How many bytes [`Draft::stamp`] will give, at most.
    pub fn stamped_len_max(&self) -> usize {
        self.bytes.len() + STAMP_BYTES_MAX
    }

    /// The exact bytes to store: the canonical form with this version and time.
    pub fn stamp(&self, version: VersionId, last_updated: Instant) -> Bytes {
        let (head, tail) = self.bytes.split_at(self.split);
        let mut out = BytesMut::with_capacity(self.stamped_len_max());
        out.put_slice(head);
        let comma = if tail.starts_with(b"}") { "" } else { "," };
        out.put_slice(format!("\"versionId\":\"{version}\",\"lastUpdated\":\"{last_updated}\"{comma}").as_bytes());
        out.put_slice(tail);
        out.freeze()
    }

    /// Whether stored canonical bytes of the same key say the same apart from version and time.
    pub fn same_content(&self, stored: &[u8]) -> bool {
        let (head, tail) = self.bytes.split_at(self.split);
        let rest = stored
            .strip_prefix(head)
            .and_then(|rest| after_member(rest, b"\"versionId\":\""))
            .and_then(|rest| after_member(rest.strip_prefix(b",")?, b"\"lastUpdated\":\""));
        match rest {
            Some(rest) => rest.strip_prefix(b",").unwrap_or(rest) == tail,
            None => false,
        }
    }
}

/// What follows a member whose value is a string without escapes.
fn after_member<'b>(bytes: &'b [u8], opening: &[u8]) -> Option<&'b [u8]> {
    let value = bytes.strip_prefix(opening)?;
    let quote = memchr::memchr(b'"', value)?;
    value.get(quote + 1..)
}

/// Prints the members apart from some, each after a comma or only with commas between them.
fn print_others(object: &Object<'_>, apart_from: &[&str], mut comma: bool, out: &mut Vec<u8>) {
    for (name, value) in object.iter().filter(|(name, _)| !apart_from.contains(name)) {
        if comma {
            out.push(b',');
        }
        comma = true;
        json::print_text(name, out);
        out.push(b':');
        json::print(value, out);
    }
}

/// Two member names, the longest version number and an instant.
const STAMP_BYTES_MAX: usize = 96;

#[cfg(test)]
mod tests {
    use super::*;

    fn draft(text: &str) -> Draft {
        let value = json::parse(text.as_bytes(), &json::Limits::default()).unwrap();
        Draft::new(&value, ResourceKey::parse("Patient/p1").unwrap()).unwrap()
    }

    fn stamped(draft: &Draft, version: u64) -> String {
        let bytes = draft.stamp(VersionId::new(version).unwrap(), Instant::from_millis(version as i64));
        assert!(bytes.len() <= draft.stamped_len_max());
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    #[test]
    fn id_version_and_time_sent_are_replaced_and_all_else_is_kept() {
        let sent = r#"{ "active":true, "meta":{"source":"urn:x","versionId":"77","lastUpdated":"2001-01-01T00:00:00Z","tag":[]},
            "id":"other", "resourceType":"Patient", "extension":[{"url":"u","valueDecimal":5.10}] }"#;
        let expected = concat!(
            r#"{"resourceType":"Patient","id":"p1","meta":{"versionId":"3","lastUpdated":"1970-01-01T00:00:00.003Z","#,
            r#""source":"urn:x","tag":[]},"active":true,"extension":[{"url":"u","valueDecimal":5.10}]}"#
        );
        assert_eq!(stamped(&draft(sent), 3), expected);
    }

    #[test]
    fn the_stamp_stands_in_a_meta_of_its_own_where_none_was_sent() {
        let expected = r#"{"resourceType":"Patient","id":"p1","meta":{"versionId":"1","lastUpdated":"1970-01-01T00:00:00.001Z"},"active":true}"#;
        assert_eq!(stamped(&draft(r#"{"resourceType":"Patient","active":true}"#), 1), expected);
    }

    #[test]
    fn content_is_the_same_whatever_version_and_time_say() {
        for text in
            [r#"{"resourceType":"Patient","active":true}"#, r#"{"resourceType":"Patient","meta":{"source":"a"}}"#]
        {
            let own = draft(text);
            assert!(own.same_content(stamped(&own, 1).as_bytes()));
            assert!(own.same_content(stamped(&own, u64::MAX).as_bytes()));
            let other = draft(r#"{"resourceType":"Patient","active":false}"#);
            assert!(!other.same_content(stamped(&own, 1).as_bytes()));
        }
        let number = draft(r#"{"resourceType":"Patient","extension":[{"url":"u","valueDecimal":5.1}]}"#);
        let longer = draft(r#"{"resourceType":"Patient","extension":[{"url":"u","valueDecimal":5.10}]}"#);
        assert!(!number.same_content(stamped(&longer, 1).as_bytes()));
    }

    #[test]
    fn a_stored_form_drafted_again_is_the_same_content() {
        let first = draft(r#"{"resourceType":"Patient","meta":{"source":"a"},"active":true}"#);
        let stored = stamped(&first, 4);
        assert_eq!(draft(&stored), first);
    }

    #[test]
    fn what_is_no_resource_of_the_key_is_refused() {
        let key = ResourceKey::parse("Patient/p1").unwrap();
        let make = |text: &str| {
            let value = json::parse(text.as_bytes(), &json::Limits::default()).unwrap();
            Draft::new(&value, key.clone())
        };
        assert_eq!(make("[]"), Err(DraftError::NotAnObject));
        assert_eq!(make(r#"{"resourceType":"Group"}"#), Err(DraftError::TypeDiffers));
        assert_eq!(make(r#"{"resourceType":"Patient","meta":[]}"#), Err(DraftError::MetaNotAnObject));
    }
}
