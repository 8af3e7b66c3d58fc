//! The shipped systems and tables, and what they make of identifiers.

use super::{Beside, Canonical, Gap, Systems, Written};
use crate::stated::Class;

/// The systems that are shipped, read from the repository.
pub(crate) fn shipped() -> Systems {
    Systems::load(&[file("identity/systems.toml")], &tables()).unwrap()
}

fn file(name: &str) -> (String, String) {
    let path = format!("{}/../../mappings/{name}", env!("CARGO_MANIFEST_DIR"));
    (name.to_owned(), std::fs::read_to_string(path).unwrap())
}

fn tables() -> dukou_terminology::Tables {
    let names = ["cn-certificate-health-system", "cn-certificate-name-system", "cn-certificate-insurance-system"];
    dukou_terminology::Tables::load(names.map(|name| file(&format!("codes/{name}.csv"))).into()).unwrap()
}

const HEALTH: &str = "urn:oid:2.16.156.10011.2.3.1.3";
const INSURANCE: &str = "https://dukou.dev/fhir/CodeSystem/cn-insurance-certificate";
const V2: &str = "http://terminology.hl7.org/CodeSystem/v2-0203";
const ANY: &str = "urn:oid:2.16.156.10011.1.3";
const RESIDENT: &str = "https://dukou.dev/fhir/system/CHN-resident-identity-card";

fn told(system: &str, types: &[(&str, &str)], text: &str, value: &str) -> Canonical {
    let beside = Beside { source: "HIS1", birth_date: "1985-07-14", sex: Some('2') };
    shipped().canonical(&Written { system, types, text, assigner: "", value }, &beside)
}

fn short(found: &Canonical) -> (Class, &str) {
    (found.class, found.system.rsplit('/').next().unwrap())
}

#[test]
fn the_same_two_digits_are_different_certificates_in_the_two_registers() {
    let health = told("", &[(HEALTH, "03")], "", "E00000041");
    let insurance = told("", &[(INSURANCE, "03")], "", "E00000041");
    assert_eq!(short(&health), (Class::Passport, "passport"));
    assert_eq!(short(&insurance), (Class::Other, "CHN-armed-police-officer"));
    assert_ne!(health.system, insurance.system, "they are never compared");
}

#[test]
fn a_leading_nought_of_a_certificate_code_says_nothing() {
    for register in [HEALTH, INSURANCE] {
        for code in ["1", "2", "3", "4", "5", "6", "7", "8"] {
            let padded = format!("0{code}");
            assert_eq!(
                told("", &[(register, code)], "", "1"),
                told("", &[(register, &padded)], "", "1"),
                "{register} {code}"
            );
        }
    }
}

#[test]
fn a_certificate_code_without_a_row_is_untyped_and_names_table_and_edition() {
    let found = told(ANY, &[(HEALTH, "77")], "", "860202198507140329");
    assert_eq!((found.class, found.system.as_str()), (Class::Untyped, ANY));
    let table = "cn-certificate-health-system".to_owned();
    assert_eq!(found.gap, Some(Gap::UnknownCertificate { table, edition: "WS 364.3-2011".to_owned() }));
}

#[test]
fn a_number_of_any_kind_is_told_by_its_type_else_by_its_form_where_birth_date_and_sex_agree() {
    assert_eq!(short(&told(ANY, &[(V2, "PPN")], "", "860202198507140329")), (Class::Passport, "passport"));
    assert_eq!(
        short(&told(ANY, &[], "居民身份证", "860202198507140329")),
        (Class::Resident, "CHN-resident-identity-card")
    );
    assert_eq!(short(&told(ANY, &[], "", "860202198507140329")), (Class::Resident, "CHN-resident-identity-card"));
    let residence = "CHN-residence-permit-hong-kong-macao-taiwan";
    assert_eq!(short(&told(ANY, &[], "", "810000198507140326")), (Class::HkMoTwResidence, residence));
    assert_eq!(short(&told(ANY, &[], "", "911156198507140328")), (Class::ForeignPermanent, "CHN-permanent-residence"));
    let other_birth = told(ANY, &[], "", "860101197707070015");
    assert_eq!((other_birth.class, other_birth.gap), (Class::Untyped, Some(Gap::Bare)));
}

#[test]
fn a_bare_number_without_a_system_is_untyped_however_it_looks() {
    assert_eq!(told("", &[], "", "860202198507140329").class, Class::Untyped);
    assert_eq!(
        told("http://NamingSystem.hl7fhir.cn/identityDocument", &[], "", "860202198507140329").class,
        Class::Untyped
    );
}

#[test]
fn every_alias_comes_in_as_its_canonical_system() {
    let systems = shipped();
    let mut seen = 0;
    for system in systems.authorities() {
        for alias in &system.aliases {
            let found =
                systems.canonical(&Written { system: alias, value: "1", ..Written::default() }, &Beside::default());
            assert_eq!((found.class, &found.system), (system.class, &system.uri), "{alias}");
            assert_eq!(systems.canonical_uri(alias), system.uri);
            assert!(systems.aliases(&system.uri).iter().any(|known| known == alias));
            seen += 1;
        }
    }
    assert!(seen >= 4);
    let document = "http://NamingSystem.hl7fhir.cn/identityDocument";
    assert_eq!(told(document, &[(V2, "NNCHN")], "", "1").system, RESIDENT);
}

#[test]
fn what_a_profile_writes_comes_back_as_the_same_canonical_system() {
    let systems = shipped();
    for profile in ["hl7-cn", "cn-core", "unknown"] {
        for system in systems.authorities() {
            let written = systems.written_for(profile, &system.uri);
            let types: Vec<(&str, &str)> = system.types.iter().filter_map(|code| code.split_once('|')).collect();
            let back = Written { system: written, types: &types, value: "1", ..Written::default() };
            assert_eq!(systems.canonical(&back, &Beside::default()).system, system.uri, "{profile} {written}");
        }
    }
}

#[test]
fn the_system_decides_and_the_type_code_does_not() {
    let one = told("urn:oid:1.2.3", &[(V2, "MR")], "", "770021");
    let other = told("urn:oid:1.2.4", &[(V2, "MR")], "", "770021");
    assert_eq!((one.class, other.class), (Class::MedicalRecord, Class::MedicalRecord));
    assert_ne!(one.system, other.system);
    let national = told("urn:oid:1.2.3", &[(V2, "NI")], "", "860202198507140329");
    assert_eq!((national.system.as_str(), national.gap), ("urn:oid:1.2.3", Some(Gap::UnknownAuthority)));
    assert_eq!(told(RESIDENT, &[(V2, "PPN")], "", "1").class, Class::Resident);
}

#[test]
fn numbers_of_one_organisation_are_not_those_of_another() {
    let systems = shipped();
    let of = |assigner: &str| {
        let written = Written { system: "urn:oid:2.16.156.10011.1.13", assigner, value: "1", ..Written::default() };
        systems.canonical(&written, &Beside { source: "HIS1", ..Beside::default() }).system
    };
    assert_ne!(of("99000002"), of("99000003"));
    assert_eq!(of(""), of("HIS1"), "without an assigner they are those of the source");
    let china =
        Written { system: "http://hl7.org/fhir/sid/passport", assigner: "CHN", value: "E1", ..Written::default() };
    let found = systems.canonical(&china, &Beside::default());
    assert_eq!(found.system, "https://dukou.dev/fhir/system/passport-CHN");
    let again = Written { system: "http://hl7.org/fhir/sid/passport-CHN", value: "E1", ..Written::default() };
    assert_eq!(systems.canonical(&again, &Beside::default()), found);
    assert_eq!(systems.of_class(Class::Passport, "CHN").as_deref(), Some(found.system.as_str()));
}

#[test]
fn visit_numbers_are_visits_wherever_they_come_from() {
    for (system, types) in
        [("urn:oid:2.16.156.10011.1.11", &[][..]), ("", &[(V2, "VN")][..]), ("urn:oid:1.2.3", &[(V2, "AN")][..])]
    {
        assert_eq!(told(system, types, "", "MZ26120600042").class, Class::Visit, "{system}");
    }
}

#[test]
fn a_site_adds_its_own_authorities_and_may_not_claim_those_of_another() {
    let site = |text: &str| ("site.toml".to_owned(), format!("version = \"1\"\ndate = \"2026-11-22\"\n{text}"));
    let load = |text: &str| Systems::load(&[file("identity/systems.toml"), site(text)], &tables());
    let own = format!(
        "[[system]]\nuri = \"{RESIDENT}\"\naliases = [\"urn:oid:1.2.3\"]\n[[source]]\nname = \"HIS1\"\nyear_only = true\n"
    );
    let systems = load(&own).unwrap();
    assert_eq!(systems.canonical_uri("urn:oid:1.2.3"), RESIDENT);
    assert!(systems.year_only("HIS1") && !systems.year_only("HIS2"));
    assert_eq!(systems.version(), "2026-11+1");
    let twice =
        "[[system]]\nuri = \"urn:oid:9\"\nclass = \"other\"\naliases = [\"urn:oid:2.16.840.1.113883.18.3.7\"]\n";
    assert!(load(twice).unwrap_err().to_string().contains("belongs to two systems"));
    assert!(
        load("[[system]]\nuri = \"urn:oid:9\"\nclass = \"card\"\n")
            .unwrap_err()
            .to_string()
            .contains("no class of numbers")
    );
    assert!(
        load("[[certificates]]\nsystem = \"urn:oid:9\"\ntables = [\"none\"]\n")
            .unwrap_err()
            .to_string()
            .contains("no code table")
    );
    assert!(load("colour = 1\n").unwrap_err().to_string().contains("site.toml"));
}

#[test]
fn a_search_by_any_name_looks_under_every_name_the_number_may_stand_under() {
    let systems = shipped();
    let looks = |system: &str, value: &str, under: &str| {
        systems.names(system, value).iter().any(|alias| alias.system == under && alias.types.is_empty())
    };
    let number = "860202198507140329";
    for asked in [RESIDENT, "urn:oid:2.16.840.1.113883.2.23.1.19.1", ANY] {
        assert!(looks(asked, number, RESIDENT), "{asked}");
        assert!(looks(asked, number, "urn:oid:2.16.840.1.113883.18.3.7"), "{asked}");
    }
    assert!(looks(RESIDENT, number, ANY), "a valid number tells what it is");
    let passport = "https://dukou.dev/fhir/system/passport";
    assert!(!looks(passport, "E00000041", ANY), "a passport does not");
    let typed = systems.names(passport, "E00000041").into_iter().find(|alias| alias.system == ANY).unwrap();
    assert!(
        typed.types.contains(&(V2.to_owned(), "PPN".to_owned()))
            && typed.types.contains(&(HEALTH.to_owned(), "03".to_owned()))
    );
    assert!(!typed.types.contains(&(INSURANCE.to_owned(), "03".to_owned())));
    assert!(systems.names("urn:oid:1.2.3", "1").is_empty(), "an unknown system has no other name");
}
