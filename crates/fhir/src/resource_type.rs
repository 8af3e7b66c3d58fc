//! The names of the R4 resource types as a number.

use std::fmt;

/// One of the resource types of R4 that can stand in `resourceType`; a small number, its text is free to take.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResourceType(u16);

impl ResourceType {
    /// `Bundle`.
    pub const BUNDLE: ResourceType = ResourceType::known("Bundle");
    /// `Consent`.
    pub const CONSENT: ResourceType = ResourceType::known("Consent");
    /// `Encounter`.
    pub const ENCOUNTER: ResourceType = ResourceType::known("Encounter");
    /// `OperationOutcome`.
    pub const OPERATION_OUTCOME: ResourceType = ResourceType::known("OperationOutcome");
    /// `Patient`.
    pub const PATIENT: ResourceType = ResourceType::known("Patient");

    /// The type of that exact name; abstract types (`Resource`, `DomainResource`) are none.
    pub const fn parse(name: &str) -> Option<ResourceType> {
        let (mut low, mut high) = (0, NAMES.len());
        while low < high {
            let middle = low + (high - low) / 2;
            match order(NAMES[middle].as_bytes(), name.as_bytes()) {
                0 => return Some(ResourceType(middle as u16)),
                1 => high = middle,
                _ => low = middle + 1,
            }
        }
        None
    }

    /// The name, as it stands in `resourceType`.
    pub const fn as_str(self) -> &'static str {
        NAMES[self.0 as usize]
    }

    /// The place of this type in [`ResourceType::all`]; stable for one release of this program, not beyond.
    pub const fn index(self) -> u16 {
        self.0
    }

    /// The type at a place in [`ResourceType::all`].
    pub fn from_index(index: u16) -> Option<ResourceType> {
        (usize::from(index) < NAMES.len()).then_some(ResourceType(index))
    }

    /// All types in the order of their names.
    pub fn all() -> impl ExactSizeIterator<Item = ResourceType> {
        (0..NAMES.len() as u16).map(ResourceType)
    }

    const fn known(name: &str) -> ResourceType {
        match ResourceType::parse(name) {
            Some(kind) => kind,
            None => panic!("the name stands in the list below; evaluated when compiling"),
        }
    }
}

impl fmt::Display for ResourceType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for ResourceType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Byte order of two names in a form that constants can be computed with: 0 equal, 1 the first is greater, else 2.
const fn order(left: &[u8], right: &[u8]) -> u8 {
    let mut at = 0;
    while at < left.len() && at < right.len() {
        if left[at] != right[at] {
            return if left[at] > right[at] { 1 } else { 2 };
        }
        at += 1;
    }
    match (left.len(), right.len()) {
        (own, other) if own == other => 0,
        (own, other) if own > other => 1,
        _ => 2,
    }
}

/// Sorted; a test holds it against the definitions.
#[rustfmt::skip]
const NAMES: [&str; 146] = [
    "Account", "ActivityDefinition", "AdverseEvent", "AllergyIntolerance", "Appointment", "AppointmentResponse",
    "AuditEvent", "Basic", "Binary", "BiologicallyDerivedProduct", "BodyStructure", "Bundle", "CapabilityStatement",
    "CarePlan", "CareTeam", "CatalogEntry", "ChargeItem", "ChargeItemDefinition", "Claim", "ClaimResponse",
    "ClinicalImpression", "CodeSystem", "Communication", "CommunicationRequest", "CompartmentDefinition",
    "Composition", "ConceptMap", "Condition", "Consent", "Contract", "Coverage", "CoverageEligibilityRequest",
    "CoverageEligibilityResponse", "DetectedIssue", "Device", "DeviceDefinition", "DeviceMetric", "DeviceRequest",
    "DeviceUseStatement", "DiagnosticReport", "DocumentManifest", "DocumentReference", "EffectEvidenceSynthesis",
    "Encounter", "Endpoint", "EnrollmentRequest", "EnrollmentResponse", "EpisodeOfCare", "EventDefinition",
    "Evidence", "EvidenceVariable", "ExampleScenario", "ExplanationOfBenefit", "FamilyMemberHistory", "Flag", "Goal",
    "GraphDefinition", "Group", "GuidanceResponse", "HealthcareService", "ImagingStudy", "Immunization",
    "ImmunizationEvaluation", "ImmunizationRecommendation", "ImplementationGuide", "InsurancePlan", "Invoice",
    "Library", "Linkage", "List", "Location", "Measure", "MeasureReport", "Media", "Medication",
    "MedicationAdministration", "MedicationDispense", "MedicationKnowledge", "MedicationRequest",
    "MedicationStatement", "MedicinalProduct", "MedicinalProductAuthorization", "MedicinalProductContraindication",
    "MedicinalProductIndication", "MedicinalProductIngredient", "MedicinalProductInteraction",
    "MedicinalProductManufactured", "MedicinalProductPackaged", "MedicinalProductPharmaceutical",
    "MedicinalProductUndesirableEffect", "MessageDefinition", "MessageHeader", "MolecularSequence", "NamingSystem",
    "NutritionOrder", "Observation", "ObservationDefinition", "OperationDefinition", "OperationOutcome",
    "Organization", "OrganizationAffiliation", "Parameters", "Patient", "PaymentNotice", "PaymentReconciliation",
    "Person", "PlanDefinition", "Practitioner", "PractitionerRole", "Procedure", "Provenance", "Questionnaire",
    "QuestionnaireResponse", "RelatedPerson", "RequestGroup", "ResearchDefinition", "ResearchElementDefinition",
    "ResearchStudy", "ResearchSubject", "RiskAssessment", "RiskEvidenceSynthesis", "Schedule", "SearchParameter",
    "ServiceRequest", "Slot", "Specimen", "SpecimenDefinition", "StructureDefinition", "StructureMap", "Subscription",
    "Substance", "SubstanceNucleicAcid", "SubstancePolymer", "SubstanceProtein", "SubstanceReferenceInformation",
    "SubstanceSourceMaterial", "SubstanceSpecification", "SupplyDelivery", "SupplyRequest", "Task",
    "TerminologyCapabilities", "TestReport", "TestScript", "ValueSet", "VerificationResult", "VisionPrescription",
];
