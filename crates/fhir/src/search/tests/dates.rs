use super::{finds, found, refused};

fn encounter(start: &str, end: &str) -> String {
    let end = if end.is_empty() { String::new() } else { format!(r#","end":"{end}""#) };
    format!(r#"{{"resourceType":"Encounter","id":"1","period":{{"start":"{start}"{end}}}}}"#)
}

fn observed(date: &str) -> String {
    format!(r#"{{"resourceType":"Observation","id":"1","effectiveDateTime":"{date}"}}"#)
}

/// Which of the prefixes find an Observation of a date.
fn prefixes(asked: &str, date: &str) -> String {
    let all = ["eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap"];
    let found = all.into_iter().filter(|prefix| finds(&format!("Observation?date={prefix}{asked}"), &observed(date)));
    found.collect::<Vec<_>>().join(" ")
}

#[test]
fn a_day_asked_for_holds_all_its_hours() {
    assert_eq!(prefixes("2013-01-14", "2013-01-14"), "eq ge le ap");
    assert_eq!(prefixes("2013-01-14", "2013-01-14T00:00:00+08:00"), "eq ge le ap");
    assert_eq!(prefixes("2013-01-14", "2013-01-14T10:00:00+08:00"), "eq ge le ap");
    assert_eq!(prefixes("2013-01-14", "2013-01-15T00:00:00+08:00"), "ne gt ge sa ap");
    assert_eq!(prefixes("2013-01-14", "2013-01-13"), "ne lt le eb ap");
    assert_eq!(prefixes("2013-01-14", "2013-01-12"), "ne lt le eb");
}

#[test]
fn a_month_is_not_within_its_first_day_but_reaches_beyond_it() {
    assert_eq!(prefixes("2013-01-01", "2013-01"), "ne gt ge ap");
    assert_eq!(prefixes("2013-01-31", "2013-01"), "ne lt le ap");
    assert_eq!(prefixes("2013-01-15", "2013-01"), "ne gt lt ge le ap");
    assert_eq!(prefixes("2013", "2013-01"), "eq ge le ap");
}

#[test]
fn a_period_is_compared_by_its_ends_and_a_missing_end_is_open() {
    let closed = encounter("2013-01-21", "2013-06-01");
    assert!(finds("Encounter?date=gt2013-03-14", &closed));
    assert!(!finds("Encounter?date=sa2013-03-14", &closed));
    assert!(finds("Encounter?date=lt2013-03-14", &closed));
    assert!(!finds("Encounter?date=eb2013-03-14", &closed));
    assert!(finds("Encounter?date=eb2013-06-02", &closed));
    assert!(finds("Encounter?date=2013", &closed));
    assert!(!finds("Encounter?date=2013-03", &closed));
    let open = encounter("2013-01-21", "");
    assert!(finds("Encounter?date=gt2030-01-01", &open));
    assert!(finds("Encounter?date=sa2013-01-20", &open));
    assert!(!finds("Encounter?date=2013", &open));
    assert!(!finds("Encounter?date=eb2030", &open));
}

#[test]
fn zones_count_and_a_missing_one_is_that_of_the_site() {
    let late = observed("2013-01-14T18:00:00Z");
    assert!(finds("Observation?date=2013-01-15", &late));
    assert!(!finds("Observation?date=2013-01-14", &late));
    assert!(finds("Observation?date=2013-01-15T02:00", &late));
    assert!(finds("Observation?date=2013-01-15T02:00:00%2B08:00", &late));
    assert!(finds("Observation?date=2013-01-15T02:00:00+08:00", &late));
    assert!(finds("Observation?date=2013-01-14T18:00:00Z", &late));
    assert!(!finds("Observation?date=2013-01-14T18:00:00-05:00", &late));
}

#[test]
fn a_range_of_two_bounds_and_a_list_of_days() {
    let day = observed("2013-02-03");
    assert!(finds("Observation?date=ge2013-02-01&date=lt2013-03-01", &day));
    assert!(!finds("Observation?date=ge2013-02-04&date=lt2013-03-01", &day));
    assert!(finds("Observation?date=2013-01-01,2013-02-03", &day));
}

#[test]
fn only_the_outer_limits_of_a_schedule_count() {
    let order = r#"{"resourceType":"ServiceRequest","id":"1","occurrenceTiming":{"event":["2013-02-01","2013-02-09"],
        "repeat":{"boundsPeriod":{"start":"2013-01-30","end":"2013-02-05"}}}}"#;
    assert!(finds("ServiceRequest?occurrence=2013", order));
    assert!(finds("ServiceRequest?occurrence=gt2013-02-08", order));
    assert!(!finds("ServiceRequest?occurrence=sa2013-01-30", order));
    assert!(finds("ServiceRequest?occurrence=sa2013-01-29", order));
}

#[test]
fn what_is_no_date_is_refused() {
    for wrong in ["yesterday", "2013-13", "2013-02-30", "13-01-01", "2013-01-01T25:00", "gt", "xx2013"] {
        assert_eq!(refused(&format!("Observation?date={wrong}")).0, "bad-parameter-value", "{wrong}");
    }
    assert_eq!(refused("Observation?date:exact=2013").0, "unsupported-parameter");
}

#[test]
fn dates_sort_by_their_near_end() {
    let texts: Vec<String> = [("a", "2013-05"), ("b", "2013-05-10"), ("c", "2012"), ("e", "2014")]
        .iter()
        .map(|(id, date)| format!(r#"{{"resourceType":"Observation","id":"{id}","effectiveDateTime":"{date}"}}"#))
        .chain([r#"{"resourceType":"Observation","id":"d"}"#.to_owned()])
        .collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    assert_eq!(found("Observation?_sort=date", &texts), ["c", "a", "b", "e", "d"]);
    assert_eq!(found("Observation?_sort=-date", &texts), ["e", "a", "b", "c", "d"]);
    assert_eq!(found("Observation?_sort=-date,_id&date=gt2012", &texts), ["e", "a", "b"]);
}
