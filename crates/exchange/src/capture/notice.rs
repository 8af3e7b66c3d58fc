//! The notice or consent text that was shown at the first capture, as a Consent of the patient: who showed it, when, which version.

use dukou_audit::Permit;
use dukou_fhir::{Instant, Issue, LogicalId, Object, ResourceKey, ResourceType, Value};
use dukou_store::Put;
use sha2::{Digest, Sha256};

use super::CaptureRequest;
use crate::Exchange;
use crate::ingest::hexadecimal;

impl Exchange {
    /// The Consent that remembers the notice; none where none was shown, or where this version stands already.
    pub(super) fn notice(
        &self,
        permit: &Permit<'_>,
        request: &CaptureRequest<'_>,
        record: &LogicalId,
        now: Instant,
    ) -> Result<Option<Put>, Issue> {
        let Some(version) = request.notice else { return Ok(None) };
        let refused = || {
            super::note(
                "notice-not-recorded",
                "the notice was not recorded: this client may not create Consent, or the version is not plain text",
                "告知记录未保存：该客户端无 Consent 创建权限，或版本号格式不符",
            )
        };
        let plain = (1..=VERSION_BYTES_MAX).contains(&version.len()) && version.bytes().all(|b| b.is_ascii_graphic());
        if !plain || !Exchange::may_create(permit, ResourceType::CONSENT) {
            return Err(refused());
        }
        // One Consent a person and version: its id is made of both.
        let hash = Sha256::digest(format!("notice\n{record}\n{version}"));
        let id = LogicalId::parse(&hexadecimal(&hash[..16])).ok_or_else(refused)?;
        let key = ResourceKey::new(ResourceType::CONSENT, id);
        if self.current(permit, &key).map_err(|_| refused())?.is_some() {
            return Ok(None);
        }
        let content = self.consent(permit, request, record, version, &key, now);
        self.fresh_put(key, &content).map(Some).map_err(|_| refused())
    }

    fn consent(
        &self,
        permit: &Permit<'_>,
        request: &CaptureRequest<'_>,
        record: &LogicalId,
        version: &str,
        key: &ResourceKey,
        now: Instant,
    ) -> Value<'static> {
        let coding = |system: &'static str, code: &'static str| -> Value<'static> {
            let coding = Object::new().with("system", system).with("code", code);
            Object::new().with("coding", vec![Value::from(coding)]).into()
        };
        let who = permit.access().user.as_ref().map(|user| user.subject.clone());
        let shown_by = Object::new()
            .with(
                "identifier",
                Object::new().with("value", who.unwrap_or_else(|| permit.access().client.id.to_string())),
            )
            .with("display", request.terminal.to_owned());
        Object::new()
            .with("resourceType", "Consent")
            .with("id", key.id.as_str().to_owned())
            .with("status", "active")
            .with("scope", coding("http://terminology.hl7.org/CodeSystem/consentscope", "patient-privacy"))
            .with("category", vec![coding("http://loinc.org", "57016-8")])
            .with("patient", Object::new().with("reference", format!("Patient/{record}")))
            .with("dateTime", now.to_string())
            .with("performer", vec![Value::from(shown_by)])
            .with("policy", vec![Value::from(Object::new().with("uri", format!("urn:dukou:notice:{version}")))])
            .into()
    }
}

const VERSION_BYTES_MAX: usize = 64;
