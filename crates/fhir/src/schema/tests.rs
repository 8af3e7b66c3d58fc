use super::*;

#[test]
fn every_resource_type_has_a_definition() {
    for kind in ResourceType::all() {
        assert_eq!(TypeId::of(kind).name(), kind.as_str());
        assert_eq!(TypeId::of(kind).form(), Form::Resource);
        assert_eq!(ResourceType::parse(kind.as_str()), Some(kind));
    }
    assert_eq!(ResourceType::parse("Resource"), None);
    assert_eq!(ResourceType::all().len(), 146);
}

#[test]
fn inherited_elements_stand_before_the_own_ones() {
    let patient = TypeId::of(ResourceType::PATIENT);
    let names: Vec<&str> = patient.elements().map(|element| element.name).collect();
    assert_eq!(
        names[..12],
        [
            "id",
            "meta",
            "implicitRules",
            "language",
            "text",
            "contained",
            "extension",
            "modifierExtension",
            "identifier",
            "active",
            "name",
            "telecom"
        ]
    );
    let contact: Vec<&str> = TypeId::parse("Patient.contact").unwrap().elements().map(|element| element.name).collect();
    assert_eq!(contact[..5], ["id", "extension", "modifierExtension", "relationship", "name"]);
}

#[test]
fn a_choice_is_found_by_its_json_name() {
    let observation = TypeId::parse("Observation").unwrap();
    let member = observation.member("valueQuantity").unwrap();
    assert_eq!((member.element.name, member.content.kind.name()), ("value", "Quantity"));
    assert_eq!(observation.elements().nth(usize::from(member.place)).unwrap().name, "value");
    assert!(observation.member("value").is_none());
    assert!(observation.member("valueDecimal").is_none());
    assert_eq!(member.element.json_name(member.content.kind), "valueQuantity");
}

#[test]
fn content_of_another_element_has_the_type_of_that_element() {
    let component = TypeId::parse("Observation.component").unwrap();
    let range = component.member("referenceRange").unwrap();
    assert_eq!(range.content.kind.name(), "Observation.referenceRange");
}

#[test]
fn references_know_what_they_may_point_to() {
    let subject = TypeId::parse("Observation").unwrap().member("subject").unwrap();
    let targets: Vec<&str> = subject.content.targets.iter().map(|kind| kind.as_str()).collect();
    assert_eq!(targets, ["Patient", "Group", "Device", "Location"]);
    let focus = TypeId::parse("Observation").unwrap().member("focus").unwrap();
    assert!(focus.content.targets.is_empty() && focus.element.is_list());
}

#[test]
fn required_codes_are_listed() {
    let status = TypeId::parse("Observation").unwrap().member("status").unwrap();
    let set = status.element.binding.unwrap();
    assert_eq!(set.url(), "http://hl7.org/fhir/ValueSet/observation-status");
    assert_eq!(set.holds(None, "final"), Some(true));
    assert_eq!(set.holds(None, "done"), Some(false));
    assert_eq!(set.holds(Some("http://hl7.org/fhir/observation-status"), "final"), Some(true));
    assert_eq!(set.holds(Some("urn:x"), "final"), Some(false));
    assert!(status.element.modifier && status.element.summary);
}

#[test]
fn sets_without_a_list_are_judged_by_form_or_left_open() {
    let set = |kind: &str, name: &str| TypeId::parse(kind).unwrap().member(name).unwrap().element.binding.unwrap();
    let media = set("Attachment", "contentType");
    assert_eq!(media.holds(None, "text/plain; charset=utf-8"), Some(true));
    assert_eq!(media.holds(None, "plain"), Some(false));
    assert_eq!(set("Money", "currency").holds(None, "CNY"), Some(true));
    assert_eq!(set("Money", "currency").holds(None, "yuan"), Some(false));
}

#[test]
fn specialisations_are_what_their_base_is() {
    let named = |name: &str| TypeId::parse(name).unwrap();
    assert!(named("Age").is_a(named("Quantity")));
    assert!(named("Patient").is_a(named("DomainResource")));
    assert!(named("positiveInt").is_a(named("integer")));
    assert!(!named("Bundle").is_a(named("DomainResource")));
}

#[test]
fn the_patient_compartment_names_its_parameters() {
    let kind = |name: &str| ResourceType::parse(name).unwrap();
    assert_eq!(compartment("Patient", kind("Observation")), ["subject", "performer"]);
    assert!(compartment("Patient", kind("Organization")).is_empty());
}

#[test]
fn every_member_name_leads_to_its_element() {
    for at in 0..TypeId::count() {
        let kind = TypeId(at as u16);
        for (place, element) in kind.elements().enumerate() {
            for content in &element.types {
                let member = kind.member(&element.json_name(content.kind)).unwrap();
                assert_eq!(usize::from(member.place), place, "{}.{}", kind.name(), element.name);
                assert!(std::ptr::eq(member.element, element));
            }
        }
    }
}
