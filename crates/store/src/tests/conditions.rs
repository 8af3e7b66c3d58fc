//! Conditions are tested in the writer, in the transaction of the write.

use std::sync::Arc;

use dukou_audit::Interaction;

use super::house::{House, all, batch, key, promises, put, query};
use crate::{Batch, Condition, Error, Expect, Put};

promises!(
    a_condition_holds_against_the_truth_at_the_commit,
    a_wrong_if_match_fails_the_condition,
    a_unique_identifier_has_one_holder,
    resolving_names_at_most_two,
    many_clients_with_one_condition_make_one_resource,
);

const PATIENT: &str = r#"{"resourceType":"Patient","id":"ID","identifier":[{"system":"urn:x","value":"86001"}]}"#;

fn a_condition_holds_against_the_truth_at_the_commit(house: House) {
    let create = |id: &str, found: Vec<&str>| {
        let condition = Condition::Matches {
            query: query("Patient", "identifier=urn:x|86001"),
            found: found.into_iter().map(key).collect(),
        };
        let text = PATIENT.replace("ID", id);
        house.commit(|permit| Batch { conditions: vec![condition], ..batch(permit, vec![put(&text, Expect::Absent)]) })
    };
    create("p1", vec![]).unwrap();
    match create("p2", vec![]) {
        Err(Error::ConditionFailed { index: 0, found }) => assert_eq!(found, [key("Patient/p1")]),
        other => panic!("{:?}", other.map(|(_, written)| written)),
    }
    create("p2", vec!["Patient/p1"]).unwrap();
    assert!(matches!(create("p3", vec!["Patient/p1"]), Err(Error::ConditionFailed { found, .. }) if found.len() == 2));
    create("p3", vec!["Patient/p2", "Patient/p1"]).unwrap();
}

fn a_wrong_if_match_fails_the_condition(house: House) {
    let first = house.put(r#"{"resourceType":"Patient","id":"p1"}"#);
    let update = |active: bool| {
        let condition = Condition::Version { key: key("Patient/p1"), version: first.version };
        let text = format!(r#"{{"resourceType":"Patient","id":"p1","active":{active}}}"#);
        house.commit(|permit| Batch { conditions: vec![condition], ..batch(permit, vec![put(&text, Expect::Any)]) })
    };
    update(true).unwrap();
    assert!(matches!(update(false), Err(Error::ConditionFailed { index: 0, .. })));
}

fn a_unique_identifier_has_one_holder(house: House) {
    let create = |id: &str| {
        let condition = Condition::Unique {
            query: query("Patient", "identifier=urn:x|86001"),
            holder: key(&format!("Patient/{id}")),
        };
        let text = PATIENT.replace("ID", id);
        house.commit(|permit| Batch { conditions: vec![condition], ..batch(permit, vec![put(&text, Expect::Any)]) })
    };
    create("p1").unwrap();
    create("p1").unwrap();
    assert!(matches!(create("p2"), Err(Error::ConditionFailed { found, .. }) if found == [key("Patient/p1")]));
    house.delete("Patient/p1").unwrap();
    create("p2").unwrap();
}

fn resolving_names_at_most_two(house: House) {
    for id in ["a", "b", "c"] {
        house.put(&PATIENT.replace("ID", id));
    }
    let resolve = |text: &str| {
        let query = query("Patient", text);
        house.with(all(Interaction::Update), |permit| house.store.resolve(permit, &query).unwrap())
    };
    assert_eq!(resolve("identifier=urn:x|86001").len(), 2);
    assert_eq!(resolve("identifier=urn:x|86002").len(), 0);
    assert_eq!(resolve("identifier=urn:x|86001&_id=b"), [key("Patient/b")]);
}

fn many_clients_with_one_condition_make_one_resource(house: House) {
    const CLIENTS: usize = 8;
    const ROUNDS: usize = 12;
    let house = Arc::new(house);
    let run = |client: usize| {
        let mut won = 0;
        for round in 0..ROUNDS {
            let id = format!("c{client}r{round}");
            let text = PATIENT.replace("ID", &id);
            let condition = Condition::Matches { query: query("Patient", "identifier=urn:x|86001"), found: Vec::new() };
            let made = house.commit(|permit| Batch {
                conditions: vec![condition],
                ..batch(permit, vec![put(&text, Expect::Absent)])
            });
            match made {
                Ok(_) => won += 1,
                Err(Error::ConditionFailed { .. }) => {}
                Err(error) => panic!("{error}"),
            }
            house.put(&format!(r#"{{"resourceType":"Device","id":"d{client}","lotNumber":"{round}"}}"#));
            house
                .commit(|permit| batch(permit, vec![Put::delete(key(&format!("Device/none{client}")), Expect::Any)]))
                .unwrap();
        }
        won
    };
    let won: usize = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS).map(|client| scope.spawn(move || run(client))).collect();
        clients.into_iter().map(|client| client.join().unwrap()).sum()
    });
    assert_eq!(won, 1);
    let found =
        house.search(&query("Patient", "identifier=urn:x|86001"), &crate::SearchLimits::default(), None).unwrap();
    assert_eq!(found.matches.len(), 1);
    for client in 0..CLIENTS {
        let version = house.read(&format!("Device/d{client}")).unwrap().version.number();
        assert_eq!(version, ROUNDS as u64);
    }
}
