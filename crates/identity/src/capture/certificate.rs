//! Certificates as the medical insurance and the health cards name them: kind, canonical system, checks of the number.

use crate::stated::Class;

/// The class and the canonical system of a certificate of the medical insurance (`psn_cert_type`; the same rows stand in
/// `mappings/codes/cn-certificate-insurance-system.csv`). An unknown code is untyped and names no system.
pub(super) fn of_insurance(code: &str) -> (Class, &'static str) {
    match code.trim().trim_start_matches('0') {
        "1" => (Class::Resident, RESIDENT),
        "4" => (Class::Permit, "https://dukou.dev/fhir/system/CHN-permit-hong-kong"),
        "5" => (Class::Permit, "https://dukou.dev/fhir/system/CHN-permit-macao"),
        "6" => (Class::Permit, "https://dukou.dev/fhir/system/CHN-permit-taiwan"),
        "7" => (Class::ForeignPermanent, "https://dukou.dev/fhir/system/CHN-permanent-residence"),
        "8" => (Class::Passport, PASSPORT),
        "90" => (Class::InsuranceCard, INSURANCE_CARD),
        "990201" => (Class::BirthCertificate, BIRTH_CERTIFICATE),
        _ => (Class::Untyped, ""),
    }
}

/// The class and the canonical system of a certificate in health systems (WS 364.3, CV02.01.101).
pub(super) fn of_health(code: &str) -> (Class, &'static str) {
    match code.trim().trim_start_matches('0') {
        "1" => (Class::Resident, RESIDENT),
        "3" => (Class::Passport, PASSPORT),
        "6" => (Class::Permit, "https://dukou.dev/fhir/system/CHN-permit-hong-kong-macao"),
        "7" => (Class::Permit, "https://dukou.dev/fhir/system/CHN-permit-taiwan"),
        "8" => (Class::HkMoTwResidence, "https://dukou.dev/fhir/system/CHN-residence-permit-hong-kong-macao-taiwan"),
        "15" => (Class::ForeignPermanent, "https://dukou.dev/fhir/system/CHN-permanent-residence"),
        _ => (Class::Untyped, ""),
    }
}

pub(super) const RESIDENT: &str = "https://dukou.dev/fhir/system/CHN-resident-identity-card";
pub(super) const PASSPORT: &str = "https://dukou.dev/fhir/system/passport";
pub(super) const INSURANCE_NUMBER: &str = "https://dukou.dev/fhir/system/CHN-medical-insurance";
pub(super) const INSURANCE_CARD: &str = "https://dukou.dev/fhir/system/CHN-social-security-card";
pub(super) const CREDENTIAL_INDEX: &str = "https://dukou.dev/fhir/system/CHN-insurance-credential-index";
pub(super) const HEALTH_CARD: &str = "urn:oid:2.16.156.10011.1.19";
pub(super) const BIRTH_CERTIFICATE: &str = "https://dukou.dev/fhir/system/CHN-birth-certificate";
pub(super) const BOOKING: &str = "urn:dukou:booking";
