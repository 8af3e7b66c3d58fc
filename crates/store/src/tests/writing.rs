//! Versions, times, atomicity, audit rows.

use dukou_audit::Interaction;

use super::house::{House, access, all, batch, key, promises, put};
use crate::{Error, Expect, How, Integrity, JournalRow, Put};

promises!(
    versions_of_a_resource_count_without_gaps_even_over_a_deletion,
    the_same_content_again_writes_nothing,
    time_rises_for_each_resource_though_the_clock_steps_back,
    a_read_gives_exactly_the_canonical_bytes,
    a_batch_is_written_as_a_whole_or_not_at_all,
    a_version_that_has_moved_is_a_conflict,
    every_commit_leaves_one_audit_row_in_an_unbroken_run,
    trimming_keeps_the_highest_number,
    a_reference_needs_a_live_target_in_the_store_or_the_batch,
    a_resource_that_is_referred_to_is_not_deleted,
    a_warning_store_names_missing_targets_and_goes_on,
    numbers_go_on_after_a_restart,
    a_permit_that_does_not_reach_writes_nothing,
    a_task_of_the_node_needs_no_scope_of_the_client_and_nothing_else_is_spared,
    journal_entries_are_numbered_in_order,
    the_same_resource_twice_in_a_batch_is_refused,
);

fn versions_of_a_resource_count_without_gaps_even_over_a_deletion(house: House) {
    assert_eq!(house.put(r#"{"resourceType":"Patient","id":"p1","active":true}"#).version.number(), 1);
    assert_eq!(house.put(r#"{"resourceType":"Patient","id":"p1","active":false}"#).version.number(), 2);
    let (outcome, written) = house.delete("Patient/p1").unwrap();
    assert!(written);
    assert_eq!(outcome.puts[0].version.as_ref().unwrap().version.number(), 3);
    assert!(house.read("Patient/p1").unwrap().is_deleted());
    assert!(!house.delete("Patient/p1").unwrap().1);
    assert!(!house.delete("Patient/never").unwrap().1);
    let again = house.put(r#"{"resourceType":"Patient","id":"p1","active":false}"#);
    assert_eq!((again.version.number(), again.how), (4, How::UpdateAsCreate));
    assert_eq!(house.vread("Patient/p1", 2).unwrap().how, How::Update);
    assert_eq!(house.vread("Patient/p1", 5), None);
}

fn the_same_content_again_writes_nothing(house: House) {
    let text = r#"{"resourceType":"Patient","id":"p1","multipleBirthInteger":2,"extension":[{"url":"u","valueDecimal":1.10}]}"#;
    let first = house.put(text);
    let (outcome, written) = house.commit(|permit| batch(permit, vec![put(text, Expect::Any)])).unwrap();
    assert!(!written);
    assert_eq!(outcome.jseq, None);
    assert_eq!(outcome.puts[0].version.as_ref(), Some(&first));
    assert_eq!(house.store.last_jseq().unwrap(), 1);
    let longer = house.put(&text.replace("1.10", "1.1"));
    assert_eq!(longer.version.number(), 2);
}

fn time_rises_for_each_resource_though_the_clock_steps_back(house: House) {
    let first = house.put(r#"{"resourceType":"Patient","id":"p1","active":true}"#);
    house.clock.jump(-3_600_000_000_000);
    let second = house.put(r#"{"resourceType":"Patient","id":"p1","active":false}"#);
    let third = house.put(r#"{"resourceType":"Patient","id":"p1","active":true}"#);
    let other = house.put(r#"{"resourceType":"Patient","id":"p2"}"#);
    assert!(first.last_updated < second.last_updated && second.last_updated < third.last_updated);
    assert!(other.last_updated >= third.last_updated);
    let house = house.restart();
    let fourth = house.put(r#"{"resourceType":"Patient","id":"p1"}"#);
    assert!(fourth.last_updated > third.last_updated);
}

fn a_read_gives_exactly_the_canonical_bytes(house: House) {
    let written =
        house.put(r#"{"id":"p1","resourceType":"Patient","extension":[{"url":"u","valueDecimal":1e2}],"active":true}"#);
    let read = house.read("Patient/p1").unwrap();
    assert_eq!(read, written);
    let expected = r#"{"resourceType":"Patient","id":"p1","meta":{"versionId":"1","lastUpdated":"2024-05-01T04:00:00.000Z"},"extension":[{"url":"u","valueDecimal":1e2}],"active":true}"#;
    assert_eq!(std::str::from_utf8(&read.body).unwrap(), expected);
    assert_eq!(read.patients.iter().map(|id| id.as_str()).collect::<Vec<_>>(), ["p1"]);
}

fn a_batch_is_written_as_a_whole_or_not_at_all(house: House) {
    let puts = || {
        vec![
            put(r#"{"resourceType":"Patient","id":"p1"}"#, Expect::Absent),
            put(r#"{"resourceType":"Patient","id":"p2"}"#, Expect::Absent),
        ]
    };
    house.put(r#"{"resourceType":"Patient","id":"p2"}"#);
    let refused = house.commit(|permit| batch(permit, puts()));
    assert!(matches!(refused, Err(Error::Conflict { key }) if key.to_string() == "Patient/p2"));
    assert_eq!(house.read("Patient/p1"), None);
    house.delete("Patient/p2").unwrap();
    let (outcome, _) = house.commit(|permit| batch(permit, puts())).unwrap();
    assert!(outcome.puts.iter().all(|put| put.created && put.changed));
    assert_eq!(house.read("Patient/p2").unwrap().version.number(), 3);
}

fn a_version_that_has_moved_is_a_conflict(house: House) {
    let first = house.put(r#"{"resourceType":"Patient","id":"p1"}"#);
    house.put(r#"{"resourceType":"Patient","id":"p1","active":true}"#);
    let late = put(r#"{"resourceType":"Patient","id":"p1","active":false}"#, Expect::Version(first.version));
    assert!(matches!(house.commit(|permit| batch(permit, vec![late])), Err(Error::Conflict { .. })));
    assert_eq!(house.read("Patient/p1").unwrap().version.number(), 2);
}

fn every_commit_leaves_one_audit_row_in_an_unbroken_run(house: House) {
    for active in [true, false, true] {
        house.put(&format!(r#"{{"resourceType":"Patient","id":"p1","active":{active}}}"#));
    }
    house.delete("Patient/none").unwrap();
    house.delete("Patient/p1").unwrap();
    let rows = house.store.pending_records(0, 100).unwrap();
    assert_eq!(rows.iter().map(|(jseq, _)| *jseq).collect::<Vec<_>>(), [1, 2, 3, 4]);
    assert!(rows.iter().all(|(_, record)| !record.as_bytes().is_empty()));
    assert_eq!(house.store.pending_records(2, 1).unwrap()[0].0, 3);
}

fn trimming_keeps_the_highest_number(house: House) {
    house.put(r#"{"resourceType":"Patient","id":"p1"}"#);
    house.put(r#"{"resourceType":"Patient","id":"p2"}"#);
    house.store.trim_records(u64::MAX).unwrap();
    assert_eq!(house.store.pending_records(0, 100).unwrap().len(), 0);
    assert_eq!(house.store.last_jseq().unwrap(), 2);
    let house = house.restart();
    house.put(r#"{"resourceType":"Patient","id":"p3"}"#);
    assert_eq!(house.store.last_jseq().unwrap(), 3);
    assert_eq!(house.store.pending_records(0, 100).unwrap().len(), 1);
}

fn a_reference_needs_a_live_target_in_the_store_or_the_batch(house: House) {
    let observation = r#"{"resourceType":"Observation","id":"o1","status":"final","code":{"text":"血钾"},
        "subject":{"reference":"Patient/p1"},"extension":[{"url":"u","valueReference":{"reference":"https://fhir.hospital.example/r4/Device/d1"}}]}"#;
    let patient = r#"{"resourceType":"Patient","id":"p1"}"#;
    let device = r#"{"resourceType":"Device","id":"d1"}"#;
    house.put(device);
    let refused = house.commit(|permit| batch(permit, vec![put(observation, Expect::Any)]));
    assert!(matches!(refused, Err(Error::MissingReference { put: 0, key }) if key.to_string() == "Patient/p1"));
    house.commit(|permit| batch(permit, vec![put(observation, Expect::Any), put(patient, Expect::Any)])).unwrap();
    let both = vec![put(&observation.replace("o1", "o2"), Expect::Any), Put::delete(key("Device/d1"), Expect::Any)];
    let refused = house.commit(|permit| batch(permit, both));
    assert!(matches!(refused, Err(Error::MissingReference { put: 0, key }) if key.to_string() == "Device/d1"));
}

fn a_resource_that_is_referred_to_is_not_deleted(house: House) {
    house.put(r#"{"resourceType":"Patient","id":"p1"}"#);
    let observation = r#"{"resourceType":"Observation","id":"o1","status":"final","code":{"text":"血钾"},"subject":{"reference":"Patient/p1"}}"#;
    house.put(observation);
    match house.delete("Patient/p1") {
        Err(Error::Referenced { put: 0, by }) => assert_eq!(by, [key("Observation/o1")]),
        other => panic!("{:?}", other.map(|(_, written)| written)),
    }
    let together = vec![Put::delete(key("Patient/p1"), Expect::Any), Put::delete(key("Observation/o1"), Expect::Any)];
    house.commit(|permit| batch(permit, together)).unwrap();
    assert!(house.read("Patient/p1").unwrap().is_deleted());
    house.put(r#"{"resourceType":"Patient","id":"p1"}"#);
    house.put(observation);
    house.put(r#"{"resourceType":"Observation","id":"o1","status":"final","code":{"text":"血钾"}}"#);
    house.delete("Patient/p1").unwrap();
}

fn a_warning_store_names_missing_targets_and_goes_on(house: House) {
    let observation = r#"{"resourceType":"Observation","id":"o1","status":"final","code":{"text":"x"},"subject":{"reference":"Patient/p1"}}"#;
    let (outcome, _) = house
        .commit(|permit| crate::Batch {
            integrity: Integrity::Warn,
            ..batch(permit, vec![put(observation, Expect::Any)])
        })
        .unwrap();
    assert_eq!(outcome.missing, [(0, key("Patient/p1"))]);
    assert!(house.read("Observation/o1").is_some());
}

fn numbers_go_on_after_a_restart(house: House) {
    let first = house.put(r#"{"resourceType":"Patient","id":"p1"}"#);
    let house = house.restart();
    assert_eq!(house.read("Patient/p1").unwrap(), first);
    let second = house.put(r#"{"resourceType":"Patient","id":"p1","active":true}"#);
    assert_eq!((second.version.number(), second.seq), (2, 2));
    assert_eq!(house.store.last_jseq().unwrap(), 2);
}

fn a_permit_that_does_not_reach_writes_nothing(house: House) {
    let grant = |resource: &str, letters: &str, patient: Option<&str>| dukou_audit::Grant {
        resource: resource.to_owned(),
        rights: dukou_audit::Rights::parse(letters).unwrap(),
        patient: patient.map(str::to_owned),
    };
    let try_as = |grants, interaction| {
        let text = r#"{"resourceType":"Patient","id":"p1"}"#;
        house.commit_as(access(interaction, grants), |permit| batch(permit, vec![put(text, Expect::Any)])).map(|_| ())
    };
    assert!(matches!(try_as(vec![grant("*", "rs", None)], Interaction::Update), Err(Error::NotPermitted)));
    assert!(matches!(try_as(vec![grant("Observation", "cruds", None)], Interaction::Update), Err(Error::NotPermitted)));
    assert!(matches!(
        try_as(vec![grant("Patient", "cruds", Some("p2"))], Interaction::Update),
        Err(Error::NotPermitted)
    ));
    assert!(matches!(try_as(vec![grant("Patient", "cruds", None)], Interaction::Read), Err(Error::NotPermitted)));
    assert_eq!(house.read("Patient/p1"), None);
    try_as(vec![grant("Patient", "cruds", Some("p1"))], Interaction::Update).unwrap();
    let read = house.with(all(Interaction::Update), |permit| house.store.basis(permit, &[key("Patient/p1")]).unwrap());
    assert_eq!(read.versions[0].as_ref().unwrap().version.number(), 1);
}

fn a_task_of_the_node_needs_no_scope_of_the_client_and_nothing_else_is_spared(house: House) {
    let may = dukou_audit::Rights::parse("cu").unwrap();
    let grants = || vec![dukou_audit::Grant { resource: "Patient".to_owned(), rights: may, patient: None }];
    let try_put = |text: &str, of_the_node| {
        let put = Put { of_the_node, ..put(text, Expect::Any) };
        house.commit_as(access(Interaction::Ingest, grants()), |permit| batch(permit, vec![put])).map(|_| ())
    };
    let task = r#"{"resourceType":"Task","id":"t1","status":"requested","intent":"proposal"}"#;
    assert!(matches!(try_put(task, false), Err(Error::NotPermitted)));
    try_put(task, true).unwrap();
    let result = r#"{"resourceType":"Device","id":"d1"}"#;
    assert!(matches!(try_put(result, true), Err(Error::NotPermitted)));
}

fn journal_entries_are_numbered_in_order(house: House) {
    let row = |kind: &str| JournalRow { kind: kind.to_owned(), body: bytes::Bytes::from_static(b"{}") };
    let (outcome, written) = house
        .commit(|permit| crate::Batch { journal: vec![row("merge"), row("unmerge")], ..batch(permit, Vec::new()) })
        .unwrap();
    assert!(written);
    assert_eq!(outcome.journal, [1, 2]);
    let entries = house.with(all(Interaction::Merge), |permit| house.store.journal(permit, 1, 10).unwrap());
    assert_eq!(
        entries.iter().map(|entry| (entry.seq, entry.kind.as_str(), entry.jseq)).collect::<Vec<_>>(),
        [(2, "unmerge", 1)]
    );
}

fn the_same_resource_twice_in_a_batch_is_refused(house: House) {
    let puts =
        vec![Put::delete(key("Patient/p1"), Expect::Any), put(r#"{"resourceType":"Patient","id":"p1"}"#, Expect::Any)];
    assert!(matches!(house.commit(|permit| batch(permit, puts)), Err(Error::Twice { put: 1 })));
}
