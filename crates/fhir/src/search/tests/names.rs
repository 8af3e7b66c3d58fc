use super::{finds, found, refused};
use crate::ResourceType;
use crate::search::keys;

fn named(name: &str) -> String {
    format!(r#"{{"resourceType":"Patient","id":"1","name":[{name}]}}"#)
}

#[test]
fn a_string_is_found_by_its_folded_beginning() {
    for (given, hit) in
        [("Eve", true), ("Evelyn", true), ("eve", true), ("Éve", true), ("Steve", false), ("severine", false)]
    {
        assert_eq!(finds("Patient?given=eve", &named(&format!(r#"{{"given":["{given}"]}}"#))), hit, "{given}");
    }
    assert!(finds("Patient?given=EVÉ", &named(r#"{"given":["Evelyn"]}"#)));
}

#[test]
fn contains_finds_any_part_and_exact_only_the_same_bytes() {
    let severine = named(r#"{"given":["Severine"]}"#);
    assert!(finds("Patient?given:contains=eve", &severine));
    assert!(!finds("Patient?given:exact=severine", &severine));
    assert!(finds("Patient?given:exact=Severine", &severine));
    assert!(!finds("Patient?given:exact=Sever", &severine));
}

#[test]
fn every_part_and_word_of_a_name_is_a_beginning() {
    let name = named(r#"{"text":"Dr. Anna-Maria van der Berg","family":"van der Berg","given":["Anna-Maria"]}"#);
    for hit in ["anna", "maria", "berg", "van der", "dr", "Anna-Maria van"] {
        assert!(finds(&format!("Patient?name={hit}"), &name), "{hit}");
    }
    for miss in ["nna", "erg", "annamaria", "van berg"] {
        assert!(!finds(&format!("Patient?name={miss}"), &name), "{miss}");
    }
    assert!(finds("Patient?family=van", &name));
    assert!(!finds("Patient?family=berg", &name));
}

#[test]
fn chinese_names_are_found_by_family_given_and_both_without_a_blank() {
    let parts = named(r#"{"family":"欧阳","given":["晓","明"]}"#);
    for hit in ["欧阳", "欧", "晓", "明", "欧阳晓", "欧阳晓明"] {
        assert!(finds(&format!("Patient?name={hit}"), &parts), "{hit}");
    }
    assert!(!finds("Patient?name=阳", &parts));
    assert!(finds("Patient?name:contains=阳晓", &parts));
    assert!(finds("Patient?name:exact=欧阳晓明", &parts));
    assert!(finds("Patient?name=张三", &named(r#"{"text":"张三"}"#)));
}

#[test]
fn width_compatibility_forms_and_rare_characters_are_folded_or_kept() {
    assert!(finds("Patient?name=li", &named(r#"{"text":"ＬＩ　Ｍｉｎｇ"}"#)));
    assert!(finds("Patient?name=ｌｉ", &named(r#"{"text":"Li Ming"}"#)));
    assert!(finds("Patient?family=𠮷", &named(r#"{"family":"𠮷田"}"#)));
    assert!(!finds("Patient?family=吉", &named(r#"{"family":"𠮷田"}"#)));
    assert!(finds("Patient?family=隆", &named("{\"family\":\"\u{f9dc}\"}")));
    assert!(finds("Patient?given=䶮", &named(r#"{"given":["䶮"]}"#)));
}

#[test]
fn strings_longer_than_a_key_are_told_apart() {
    let one = named(r#"{"family":"诸葛亮诸葛亮诸葛亮诸葛亮甲"}"#);
    assert!(finds("Patient?family=诸葛亮诸葛亮诸葛亮诸葛亮甲", &one));
    assert!(!finds("Patient?family=诸葛亮诸葛亮诸葛亮诸葛亮乙", &one));
    assert!(!finds("Patient?family:exact=诸葛亮诸葛亮诸葛亮诸葛亮乙", &one));
}

#[test]
fn an_address_is_found_by_each_of_its_parts() {
    let patient = r#"{"resourceType":"Patient","id":"1","address":[{"line":["中山路 8 号","2 单元"],"city":"杭州市","postalCode":"860001"}]}"#;
    for hit in ["address=中山路", "address=2 单元", "address=杭州", "address-city=杭州", "address-postalcode=8600"]
    {
        assert!(finds(&format!("Patient?{hit}"), patient), "{hit}");
    }
    assert!(!finds("Patient?address-city=中山路", patient));
}

#[test]
fn an_escaped_comma_belongs_to_the_value() {
    let patient = named(r#"{"family":"Smith, Jr."}"#);
    assert!(finds(r"Patient?family=smith\, jr", &patient));
    assert!(finds("Patient?family=none,smith", &patient));
    assert_eq!(refused("Patient?family=smith,").0, "bad-parameter-value");
}

#[test]
fn names_sort_by_their_lowest_folded_value() {
    let texts = [
        r#"{"resourceType":"Patient","id":"a","name":[{"family":"Zhang"}]}"#,
        r#"{"resourceType":"Patient","id":"b"}"#,
        r#"{"resourceType":"Patient","id":"c","name":[{"family":"li"},{"family":"Zhou"}]}"#,
    ];
    assert_eq!(found("Patient?_sort=family", &texts), ["c", "a", "b"]);
    assert_eq!(found("Patient?_sort=-family", &texts), ["c", "a", "b"]);
    assert_eq!(found("Patient?_sort=-gender,family", &texts), ["c", "a", "b"]);
}

#[test]
fn keys_come_sorted_and_once() {
    let patient = named(r#"{"text":"Li Li","given":["Li"],"family":"Li"}"#);
    let patient = super::resource(&patient);
    let keys = keys(&patient, ResourceType::PATIENT, super::site());
    assert!(keys.windows(2).all(|pair| pair[0] < pair[1]));
}
