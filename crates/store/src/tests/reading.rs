//! History, and how far a permit reaches.

use dukou_audit::{Grant, Interaction, Rights};

use super::house::{House, access, all, key, promises, query};
use crate::{Error, HistoryPage, HistoryQuery, HistoryScope, How, SearchLimits};

promises!(
    history_lists_every_version_once_newest_first,
    history_begins_and_ends_where_it_is_told,
    a_deletion_stays_in_history_without_a_body,
    a_permit_for_one_patient_sees_that_patient_alone,
    includes_outside_the_reach_are_left_out,
    who_refers_to_a_resource_is_named_once_and_at_most_so_many,
    all_resources_of_a_type_are_walked_once_as_they_stand_with_the_time_of_their_first_version,
);

fn history(house: &House, query: &HistoryQuery) -> HistoryPage {
    house.ask(all(Interaction::History), |store, permit| store.history(permit, query)).unwrap()
}

fn seqs(page: &HistoryPage) -> Vec<u64> {
    page.entries.iter().map(|version| version.seq).collect()
}

fn patient(house: &House, id: &str, active: bool) {
    house.put(&format!(r#"{{"resourceType":"Patient","id":"{id}","active":{active}}}"#));
    house.clock.pass(1_000_000_000);
}

fn history_lists_every_version_once_newest_first(house: House) {
    for round in 0..50 {
        patient(&house, "p1", round % 2 == 0);
        patient(&house, "p2", round % 2 == 0);
        house.put(&format!(r#"{{"resourceType":"Device","id":"d1","lotNumber":"{round}"}}"#));
    }
    let scopes = [
        (HistoryScope::Instance(key("Patient/p1")), 50),
        (HistoryScope::Type(key("Patient/p1").kind), 100),
        (HistoryScope::System, 150),
        (HistoryScope::Instance(key("Patient/none")), 0),
    ];
    for (scope, expected) in scopes {
        let mut query = HistoryQuery { count: 7, ..HistoryQuery::new(scope) };
        let mut all = Vec::new();
        loop {
            let page = history(&house, &query);
            assert_eq!(page.total, expected);
            all.extend(seqs(&page));
            match page.next {
                Some(next) => query.before = Some(next),
                None => break,
            }
        }
        assert_eq!(all.len() as u64, expected);
        assert!(all.windows(2).all(|pair| pair[0] > pair[1]));
    }
}

fn who_refers_to_a_resource_is_named_once_and_at_most_so_many(house: House) {
    patient(&house, "p1", true);
    patient(&house, "p2", true);
    for n in 0..70 {
        let about = if n % 2 == 0 { "p1" } else { "p2" };
        house.put(&format!(
            r#"{{"resourceType":"Observation","id":"o{n}","status":"final","code":{{"text":"x"}},"subject":{{"reference":"Patient/{about}"}},"performer":[{{"reference":"Patient/{about}"}}]}}"#
        ));
    }
    let target = key("Patient/p1");
    let of = |count| house.with(all(Interaction::Transaction), |p| house.store.referrers(p, &target, count).unwrap());
    let names: Vec<String> = of(100).iter().map(|version| version.key.to_string()).collect();
    assert_eq!((names.len(), names[0].as_str(), names[34].as_str()), (35, "Observation/o0", "Observation/o68"));
    assert_eq!((of(33).len(), of(0).len()), (33, 0));
}

fn all_resources_of_a_type_are_walked_once_as_they_stand_with_the_time_of_their_first_version(house: House) {
    let begun = house.put(r#"{"resourceType":"Patient","id":"p2"}"#).last_updated;
    house.clock.pass(1_000_000_000);
    house.put(r#"{"resourceType":"Device","id":"d1"}"#);
    for id in ["p3", "p1", "p2", "p4"] {
        patient(&house, id, true);
    }
    house.delete("Patient/p3").unwrap();
    let kind = key("Patient/p1").kind;
    let walk = |after: Option<&str>| {
        let after = after.map(|id| key(&format!("Patient/{id}")).id);
        house.with(all(Interaction::Transaction), |p| house.store.standing(p, kind, after.as_ref(), 3).unwrap())
    };
    let (first, second) = (walk(None), walk(Some("p3")));
    let ids: Vec<&str> = first.iter().chain(&second).map(|standing| standing.version.key.id.as_str()).collect();
    assert_eq!(ids, ["p1", "p2", "p3", "p4"]);
    assert_eq!((first[1].born, first[1].version.version.number()), (begun, 2), "born with its first version");
    assert!(first[2].version.is_deleted(), "what was deleted is named, too");
    assert!(walk(Some("p4")).is_empty());
}

fn history_begins_and_ends_where_it_is_told(house: House) {
    for round in 0..10 {
        patient(&house, "p1", round % 2 == 0);
    }
    let all = history(&house, &HistoryQuery::new(HistoryScope::System));
    let time = |seq: usize| Some(all.entries[10 - seq].last_updated);
    for scope in
        [HistoryScope::System, HistoryScope::Instance(key("Patient/p1")), HistoryScope::Type(key("Patient/p1").kind)]
    {
        let whole = HistoryQuery::new(scope);
        let since = history(&house, &HistoryQuery { since: time(8), ..whole.clone() });
        assert_eq!((seqs(&since), since.total), (vec![10, 9, 8], 3));
        let until = history(&house, &HistoryQuery { until: time(2), ..whole.clone() });
        assert_eq!((seqs(&until), until.total), (vec![2, 1], 2));
        let both = history(&house, &HistoryQuery { since: time(4), until: time(5), count: 1, ..whole });
        assert_eq!((seqs(&both), both.total, both.next), (vec![5], 2, Some(5)));
    }
}

fn a_deletion_stays_in_history_without_a_body(house: House) {
    patient(&house, "p1", true);
    house.delete("Patient/p1").unwrap();
    let page = history(&house, &HistoryQuery::new(HistoryScope::Instance(key("Patient/p1"))));
    assert_eq!(page.entries[0].how, How::Delete);
    assert!(page.entries[0].body.is_empty());
    assert_eq!(page.entries[0].patients, page.entries[1].patients);
}

fn one_patient(interaction: Interaction, id: &str) -> dukou_audit::Access {
    access(interaction, vec![Grant { resource: "*".to_owned(), rights: Rights::ALL, patient: Some(id.to_owned()) }])
}

fn a_permit_for_one_patient_sees_that_patient_alone(house: House) {
    for id in ["p1", "p2"] {
        patient(&house, id, true);
        house.put(&format!(
            r#"{{"resourceType":"Observation","id":"o-{id}","status":"final","code":{{"text":"血钾"}},"subject":{{"reference":"Patient/{id}"}}}}"#
        ));
    }
    let who = |interaction| one_patient(interaction, "p1");
    let read = |name: &str| house.ask(who(Interaction::Read), |store, permit| store.read(permit, &key(name))).unwrap();
    assert!(read("Observation/o-p1").is_some());
    assert!(read("Observation/o-p2").is_none());
    assert!(read("Patient/p2").is_none());
    let find = |kind: &str, text: &str| {
        let query = query(kind, text);
        let page = house.ask(who(Interaction::Search), |store, permit| {
            store.search(permit, &query, &SearchLimits::default(), None)
        });
        let page = page.unwrap();
        (page.matches.iter().map(|version| version.key.to_string()).collect::<Vec<_>>(), page.total)
    };
    assert_eq!(find("Observation", ""), (vec!["Observation/o-p1".to_owned()], Some(1)));
    assert_eq!(find("Observation", "_sort=date"), (vec!["Observation/o-p1".to_owned()], Some(1)));
    assert_eq!(find("Observation", "_summary=count"), (vec![], Some(1)));
    assert_eq!(find("Observation", "patient=p2"), (vec![], Some(0)));
    assert_eq!(find("Patient", "_has:Observation:subject:status=final"), (vec!["Patient/p1".to_owned()], Some(1)));
    for scope in [HistoryScope::System, HistoryScope::Type(key("Patient/p1").kind)] {
        let page = house.ask(who(Interaction::History), |store, permit| {
            store.history(permit, &HistoryQuery { count: 1, ..HistoryQuery::new(scope.clone()) })
        });
        let page = page.unwrap();
        let total = if scope == HistoryScope::System { 2 } else { 1 };
        assert_eq!((page.total, page.next.is_some()), (total, total == 2));
    }
    let other =
        access(Interaction::Search, vec![Grant { resource: "Device".to_owned(), rights: Rights::ALL, patient: None }]);
    let refused =
        house.ask(other, |store, permit| store.search(permit, &query("Patient", ""), &SearchLimits::default(), None));
    assert!(matches!(refused, Err(Error::NotPermitted)));
}

fn includes_outside_the_reach_are_left_out(house: House) {
    patient(&house, "p1", true);
    house.put(r#"{"resourceType":"Practitioner","id":"d1"}"#);
    house.put(
        r#"{"resourceType":"Observation","id":"o1","status":"final","code":{"text":"x"},"subject":{"reference":"Patient/p1"},"performer":[{"reference":"Practitioner/d1"}]}"#,
    );
    let query = query("Observation", "_include=Observation:subject&_include=Observation:performer");
    let names = |who| {
        let page =
            house.ask(who, |store, permit| store.search(permit, &query, &SearchLimits::default(), None)).unwrap();
        assert_eq!(page.total, Some(1));
        page.includes.iter().map(|version| version.key.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(names(all(Interaction::Search)), ["Patient/p1", "Practitioner/d1"]);
    assert_eq!(names(one_patient(Interaction::Search, "p1")), ["Patient/p1"]);
}
