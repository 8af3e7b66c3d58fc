use super::{finds, refused};

fn measured(quantity: &str) -> String {
    format!(r#"{{"resourceType":"Observation","id":"1","valueQuantity":{{{quantity}}}}}"#)
}

fn mg(value: &str) -> String {
    measured(&format!(r#""value":{value},"unit":"milligram","system":"http://unitsofmeasure.org","code":"mg""#))
}

fn risk(value: &str) -> String {
    format!(r#"{{"resourceType":"RiskAssessment","id":"1","prediction":[{{"probabilityDecimal":{value}}}]}}"#)
}

#[test]
fn a_number_stands_for_the_range_that_its_precision_says() {
    for (asked, hits, misses) in [
        ("100", vec!["99.5", "100", "100.4999"], vec!["99.49", "100.5"]),
        ("100.00", vec!["99.995", "100", "1e2"], vec!["99.99", "100.005"]),
        ("1e2", vec!["95", "100", "104.9"], vec!["94.9", "105"]),
        ("lt100", vec!["99.9999", "-1"], vec!["100", "100.1"]),
        ("le100", vec!["100", "99"], vec!["100.0001"]),
        ("gt100", vec!["100.0001"], vec!["100", "99"]),
        ("ge100", vec!["100", "101"], vec!["99.99"]),
        ("ne100", vec!["99.4", "100.5"], vec!["100", "100.4"]),
        ("ap100", vec!["90", "110", "100"], vec!["89.9", "110.1"]),
        ("ap-100", vec!["-90", "-110"], vec!["-89.9", "100"]),
        ("sa100", vec!["100.1"], vec!["100"]),
        ("eb100", vec!["99.9"], vec!["100"]),
    ] {
        for hit in hits {
            assert!(finds(&format!("RiskAssessment?probability={asked}"), &risk(hit)), "{asked} {hit}");
        }
        for miss in misses {
            assert!(!finds(&format!("RiskAssessment?probability={asked}"), &risk(miss)), "{asked} {miss}");
        }
    }
}

#[test]
fn a_quantity_is_found_with_its_unit_by_system_and_code_by_name_or_without() {
    let dose = mg("5.40");
    for hit in ["5.4|http://unitsofmeasure.org|mg", "5.4||mg", "5.4||milligram", "5.4", "le5.4||mg", "ap5||mg", "5.44"]
    {
        assert_eq!(finds(&format!("Observation?value-quantity={hit}"), &dose), hit != "5.44", "{hit}");
    }
    for miss in [
        "5.4|http://unitsofmeasure.org|g",
        "5.4||MG",
        "5.4|urn:x|mg",
        "gt5.4||mg",
        "5.4|http://unitsofmeasure.org|milligram",
    ] {
        assert!(!finds(&format!("Observation?value-quantity={miss}"), &dose), "{miss}");
    }
    assert!(finds(
        "Observation?value-quantity=5.40e-3|http://unitsofmeasure.org|g",
        &measured(r#""value":0.0054,"system":"http://unitsofmeasure.org","code":"g""#)
    ));
}

#[test]
fn a_comparator_in_the_resource_opens_an_end() {
    let below = measured(r#""value":5,"comparator":"<""#);
    assert!(finds("Observation?value-quantity=lt3", &below));
    assert!(finds("Observation?value-quantity=eb6", &below));
    assert!(!finds("Observation?value-quantity=eb4", &below));
    assert!(!finds("Observation?value-quantity=5", &below));
    assert!(!finds("Observation?value-quantity=gt5", &below));
    let above = measured(r#""value":5,"comparator":">=""#);
    assert!(finds("Observation?value-quantity=gt1000", &above));
    assert!(finds("Observation?value-quantity=sa4.9", &above));
    assert!(!finds("Observation?value-quantity=lt5", &above));
}

#[test]
fn a_range_and_samples_are_compared_by_their_ends() {
    let onset = r#"{"resourceType":"Condition","id":"1","onsetRange":{"low":{"value":30,"code":"a"},"high":{"value":40,"code":"a"}}}"#;
    for (asked, hit) in
        [("gt35", true), ("lt35", true), ("sa35", false), ("eb41||a", true), ("35", false), ("ap33", true)]
    {
        assert_eq!(finds(&format!("Condition?onset-age={asked}"), onset), hit, "{asked}");
    }
    let samples = r#"{"resourceType":"Observation","id":"1","valueSampledData":{"origin":{"value":100,"code":"mV"},
        "period":10,"dimensions":1,"factor":0.5,"data":"2 -4 E 10"}}"#;
    for (asked, hit) in [("ge105||mV", true), ("gt105", false), ("lt98.5", true), ("lt98", false)] {
        assert_eq!(finds(&format!("Observation?value-quantity={asked}"), samples), hit, "{asked}");
    }
}

#[test]
fn money_is_a_quantity_of_its_currency() {
    let invoice = r#"{"resourceType":"Invoice","id":"1","totalNet":{"value":12.50,"currency":"CNY"}}"#;
    assert!(finds("Invoice?totalnet=12.5|urn:iso:std:iso:4217|CNY", invoice));
    assert!(finds("Invoice?totalnet=gt12||CNY", invoice));
    assert!(!finds("Invoice?totalnet=12.5||USD", invoice));
}

#[test]
fn digits_beyond_those_of_a_key_still_count() {
    let long = risk("0.12345678901234567890123");
    assert!(finds("RiskAssessment?probability=gt0.12345678901234567890122", &long));
    assert!(!finds("RiskAssessment?probability=gt0.12345678901234567890123", &long));
    assert!(finds("RiskAssessment?probability=lt0.12345678901234567890124", &long));
}

#[test]
fn what_is_no_number_is_refused() {
    for wrong in ["five", "5,4x", "5|mg", "5|a|b|c", "1e999", "5|http://unitsofmeasure.org|", ""] {
        let url = format!("Observation?value-quantity={wrong}");
        if wrong.is_empty() {
            continue;
        }
        assert_eq!(refused(&url).0, "bad-parameter-value", "{wrong}");
    }
}
