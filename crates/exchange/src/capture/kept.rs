//! What is kept of a capture: a nonce, a keyed hash, the record, the desk. No value of the card.

use bytes::Bytes;
use dukou_fhir::{Instant, LogicalId, Object, Value, json};
use dukou_identity::capture::{LifeRules, Reading, Visit};
use dukou_identity::{SiteKey, Token};
use dukou_store::{TokenKind, TokenRow};

use super::{CaptureRequest, CaptureSite, Planned, Standing};

/// One capture as it is kept.
#[derive(Clone)]
pub(super) struct Kept {
    pub(super) nonce: [u8; 16],
    pub(super) key_id: u32,
    pub(super) record: LogicalId,
    pub(super) group: String,
    pub(super) captured: Instant,
    pub(super) standing: Standing,
    pub(super) encounter: Option<LogicalId>,
    /// The canonical system of the card's first number, and the keyed hash of that number.
    pub(super) system: String,
    pub(super) number: u128,
    /// Whether the record itself is made of the card: then losing the number ends the capture.
    pub(super) holds: bool,
}

impl Kept {
    pub(super) fn of(
        site: &CaptureSite,
        request: &CaptureRequest<'_>,
        reading: &Reading,
        plan: &Planned<'_>,
        nonce: [u8; 16],
        captured: Instant,
    ) -> Kept {
        let (system, number) = first_number(&site.key, reading);
        Kept {
            nonce,
            key_id: site.key.key_id(),
            record: plan.record.clone(),
            group: plan.group.name.clone(),
            captured,
            standing: plan.standing,
            encounter: request.encounter.cloned(),
            system,
            number,
            holds: plan.holds,
        }
    }

    /// Whether a reading is of the card that this was made of.
    pub(super) fn is_of(&self, site: &CaptureSite, reading: &Reading) -> bool {
        first_number(&site.key, reading).1 == self.number
    }

    /// The rows of a new capture: under the look-up key of its token, and under the request that made it.
    pub(super) fn rows(
        &self,
        site: &CaptureSite,
        token: &Token,
        request: &CaptureRequest<'_>,
        life: &LifeRules,
        now: Instant,
    ) -> Vec<TokenRow> {
        let answer = Some(Bytes::from(self.to_bytes()));
        // A capture without encounter may still be bound to a stay: the row outlives every rule, and the rules decide.
        let expires = life.expires(now, Visit::Inpatient);
        let row = |source: String, key: Vec<u8>, expires| TokenRow {
            kind: TokenKind::Capture,
            source,
            key,
            expires,
            answer: answer.clone(),
            replaces: false,
        };
        let repeats = Instant::from_millis(now.as_millis() + REPEAT_MS);
        vec![
            row(TOKENS.to_owned(), site.key.lookup(token).to_vec(), expires),
            row(request_source(request.terminal), request.request_id.as_bytes().to_vec(), repeats),
        ]
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let text = |text: &str| Value::from(text.to_owned());
        let mut object = Object::new()
            .with("nonce", text(&crate::ingest::hexadecimal(&self.nonce)))
            .with("key", u64::from(self.key_id))
            .with("record", text(self.record.as_str()))
            .with("group", text(&self.group))
            .with("captured", self.captured.as_millis())
            .with("standing", self.standing.code())
            .with("system", text(&self.system))
            .with("number", text(&format!("{:032x}", self.number)))
            .with("holds", self.holds);
        if let Some(encounter) = &self.encounter {
            object.insert("encounter", text(encounter.as_str()));
        }
        let mut out = Vec::new();
        json::print(&object.into(), &mut out);
        out
    }

    /// Reads a row; one that is not whole is none.
    pub(super) fn parse(bytes: &[u8]) -> Option<Kept> {
        let value = json::parse(bytes, &json::Limits::default()).ok()?;
        let whole = |name: &str| value.get(name)?.as_number()?.parse::<i64>().ok();
        let nonce = u128::from_str_radix(value.text_at("nonce")?, 16).ok()?.to_be_bytes();
        Some(Kept {
            nonce,
            key_id: u32::try_from(whole("key")?).ok()?,
            record: LogicalId::parse(value.text_at("record")?)?,
            group: value.text_at("group")?.to_owned(),
            captured: Instant::from_millis(whole("captured")?),
            standing: Standing::parse(value.text_at("standing")?)?,
            encounter: value.text_at("encounter").and_then(LogicalId::parse),
            system: value.text_at("system")?.to_owned(),
            number: u128::from_str_radix(value.text_at("number")?, 16).ok()?,
            holds: value.get("holds")?.as_bool()?,
        })
    }
}

/// The number that stands for the card, as a keyed hash.
fn first_number(key: &SiteKey, reading: &Reading) -> (String, u128) {
    match reading.numbers.first() {
        Some(number) => (number.system.clone(), key.key128(&number.system, &number.value)),
        None => (String::new(), 0),
    }
}

/// Under what the request of a terminal is remembered.
pub(super) fn request_source(terminal: &str) -> String {
    format!("request:{terminal}")
}

/// A row that says that something has ended.
pub(super) fn ended(source: &str, key: Vec<u8>, at: Instant, expires: Instant) -> TokenRow {
    TokenRow {
        kind: TokenKind::Capture,
        source: source.to_owned(),
        key,
        expires,
        answer: Some(Bytes::from(at.as_millis().to_string())),
        replaces: true,
    }
}

/// Sources of the rows: tokens by their look-up key, tokens that were revoked, records whose captures were revoked.
pub(super) const TOKENS: &str = "capture";
pub(super) const ENDED: &str = "ended";
pub(super) const PERSON_ENDED: &str = "person-ended";

/// How long a repeat of a request is known as one: a kiosk retries for seconds, a queue after an outage for hours.
const REPEAT_MS: i64 = 48 * 3_600_000;

#[cfg(test)]
mod tests {
    use dukou_fhir::{Instant, LogicalId};

    use super::{Kept, Standing};

    #[test]
    fn what_is_kept_reads_back_and_half_of_it_does_not() {
        let kept = Kept {
            nonce: [0x0f; 16],
            key_id: 3,
            record: LogicalId::parse("p-1").unwrap(),
            group: "outpatient".to_owned(),
            captured: Instant::from_millis(1_763_000_000_000),
            standing: Standing::New,
            encounter: LogicalId::parse("e-1"),
            system: "urn:s".to_owned(),
            number: 17,
            holds: true,
        };
        let bytes = kept.to_bytes();
        let again = Kept::parse(&bytes).unwrap();
        assert_eq!(again.to_bytes(), bytes);
        assert_eq!((again.nonce, again.number, again.encounter), (kept.nonce, 17, kept.encounter));
        for end in 0..bytes.len() {
            assert!(Kept::parse(&bytes[..end]).is_none());
        }
    }
}
