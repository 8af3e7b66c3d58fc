use super::{options, query, refused};
use crate::ResourceType;
use crate::search::{Handling, Options, Query, Summary, Total, includes, pairs, reverse_includes, types};

#[test]
fn an_unknown_parameter_is_refused_with_the_nearest_known_one() {
    assert_eq!(refused("Patient?brithdate=2000"), ("unknown-parameter".into(), "http.brithdate".into()));
    let issues = query("Patient?brithdate=2000&frobnicate=1&gender=male").unwrap_err();
    assert_eq!(issues.len(), 2);
    assert!(issues[0].text.en.ends_with("the nearest is 'birthdate'"), "{}", issues[0].text.en);
    assert!(issues[0].text.zh.contains("birthdate"));
    assert!(!issues[1].text.en.contains("nearest"));
}

#[test]
fn what_r4_knows_and_we_do_not_offer_is_refused_by_name() {
    for name in [
        "_text=x",
        "_content=x",
        "_query=x",
        "_filter=x",
        "_list=x",
        "_contained=true",
        "phonetic=x",
        "name:below=x",
        "_id:missing=true",
        "_id:text=x",
        "gender:in=x",
        "gender:above=x",
        "birthdate:exact=2000",
        "name:nonsense=x",
        "_revinclude:iterate=Observation:subject",
    ] {
        assert_eq!(refused(&format!("Patient?{name}")).0, "unsupported-parameter", "{name}");
    }
    assert_eq!(refused("Location?near=1|2").0, "unsupported-parameter");
    assert_eq!(refused("ValueSet?url:below=http://x").0, "unsupported-parameter");
}

#[test]
fn lenient_handling_leaves_out_the_unknown_and_says_so_but_refuses_the_wrong() {
    let lenient = Options { handling: Handling::Lenient, ..options() };
    let parse = |text: &str| Query::parse(ResourceType::PATIENT, &pairs(text), &lenient);
    let query = parse("gendr=male&gender=male&name:sounds=x&family=").unwrap();
    assert_eq!(query.self_pairs(), pairs("gender=male"));
    let ignored: Vec<(&str, &str)> = query.ignored().iter().map(|one| (one.name.as_str(), one.note.code)).collect();
    let expected =
        [("gendr", "unknown-parameter"), ("name:sounds", "unsupported-parameter"), ("family", "empty-parameter-value")];
    assert_eq!(ignored, expected);
    assert!(query.ignored().iter().all(|one| !one.note.severity.is_error()));
    assert_eq!(parse("birthdate=soon").unwrap_err()[0].code, "bad-parameter-value");
}

#[test]
fn the_shape_of_the_result_is_read() {
    let query = query(
        "Observation?_count=5000&_sort=-date,code&_total=accurate&_summary=data&_elements=code,Observation.value,id",
    )
    .unwrap();
    assert_eq!(query.count(), 1000);
    assert_eq!(query.self_pairs()[0], ("_count".to_owned(), "1000".to_owned()));
    assert_eq!(query.total(), Some(Total::Accurate));
    assert_eq!(query.summary(), Some(Summary::Data));
    assert_eq!(query.elements(), ["code", "value", "id"]);
    assert_eq!(query.sort().iter().map(|sort| sort.descending()).collect::<Vec<_>>(), [true, false]);
    assert!(super::query("Patient?_count=0").unwrap().counts_only());
    assert!(super::query("Patient?_summary=count").unwrap().counts_only());
    assert_eq!(super::query("Patient?_format=json&_pretty=true").unwrap().self_pairs(), []);
}

#[test]
fn a_wrong_shape_is_refused() {
    for wrong in [
        "_count=-1",
        "_count=x",
        "_count=1&_count=2",
        "_sort=nonsense",
        "_total=maybe",
        "_summary=short",
        "_elements=nothing",
        "_sort=near",
        "_type=Observation",
    ] {
        assert!(query(&format!("Patient?{wrong}")).is_err(), "{wrong}");
    }
    assert_eq!(refused("Observation?_sort=code-value-quantity").0, "unsupported-parameter");
    let many = vec!["1"; 1001].join(",");
    assert_eq!(refused(&format!("Patient?_id={many}")).0, "too-many-in-search");
    assert_eq!(refused(&format!("Patient?{}", vec!["gender=male"; 51].join("&"))).0, "too-many-in-search");
    assert_eq!(refused("Patient?_id=a_b").0, "bad-parameter-value");
    assert_eq!(refused("Patient?gender:missing=yes").0, "bad-parameter-value");
}

#[test]
fn equal_queries_have_equal_canonical_bytes_and_others_other() {
    let canonical = |url: &str| query(url).unwrap().canonical();
    assert_eq!(canonical("Patient?gender=male&family=li"), canonical("Patient?family=li&gender=male"));
    assert_ne!(canonical("Patient?gender=male"), canonical("Patient?gender=female"));
    assert_ne!(canonical("Patient?_id=1"), canonical("Observation?_id=1"));
    assert_ne!(canonical("Patient?family=a&given=b"), canonical("Patient?family=a%26given%3Db"));
    let elsewhere = Query::parse(ResourceType::PATIENT, &pairs("gender=male"), &Options::default()).unwrap();
    assert_ne!(elsewhere.canonical(), canonical("Patient?gender=male"));
}

#[test]
fn pairs_are_decoded_as_forms_are() {
    let expected = [("a", "b c"), ("d", "e|f"), ("g", ""), ("h", ""), ("%", "%2"), ("名", "张\u{fffd}")];
    let expected: Vec<_> = expected.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    assert_eq!(pairs("a=b+c&&d=e%7Cf&g=&h&%=%2&%E5%90%8D=%e5%bc%a0%ff"), expected);
    assert_eq!(types(&pairs("_type=Patient,Observation,Patient")).unwrap().len(), 2);
    assert!(types(&pairs("_type=Patient,Nothing")).is_err());
}

#[test]
fn the_includes_of_a_type_can_be_listed() {
    let observation = ResourceType::parse("Observation").unwrap();
    assert!(includes(observation).contains(&"Observation:subject".to_owned()));
    assert!(reverse_includes(ResourceType::PATIENT).contains(&"Observation:subject".to_owned()));
    assert!(!reverse_includes(ResourceType::PATIENT).contains(&"Observation:specimen".to_owned()));
}

proptest::proptest! {
    #[test]
    fn no_query_makes_the_parser_panic(name in "(name|_has|Observation|code|date|value-quantity|[:.]|_sort|_include|\\PC){1,6}",
                                       value in "(\\||,|\\$|\\\\|Patient|/|1|e|gt|-|2013|http:|\\PC){0,8}") {
        for kind in [ResourceType::PATIENT, ResourceType::parse("Observation").unwrap()] {
            let pairs = [(name.clone(), value.clone())];
            if let Ok(query) = Query::parse(kind, &pairs, &options()) {
                query.conditions().iter().for_each(|condition| _ = condition.plan());
            }
        }
    }
}
