//! How much of the HL7 Version 2 to FHIR guide the base maps carry. `BLESS=1` rewrites the page.

use std::fs;
use std::path::Path;

use dukou_mapping::GuideStatus;

/// What part of the fields and components of the guide must reach a home that it names, in percent.
const PLACES_MIN: usize = 95;

#[test]
fn every_row_of_the_guide_is_covered_or_explained_and_the_page_says_so() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../mappings");
    let read = |name: &str| fs::read_to_string(folder.join(name)).unwrap();
    let program = dukou_gateway::built_in_program(&[]).unwrap();
    let guide = program.guide(&read("hl7v2/ig-rows.csv"), &read("hl7v2/ig-differs.csv"));
    assert!(guide.stale.is_empty(), "reasons for rows that are covered or no rows: {:?}", guide.stale);
    let bare: Vec<_> = guide.rows.iter().filter(|row| row.status == GuideStatus::Unexplained).collect();
    assert!(bare.is_empty(), "rows that nothing covers or explains: {bare:?}");
    let (reached, all) = guide.places();
    assert!(reached * 100 >= all * PLACES_MIN, "{reached} of {all} places reach a home that the guide names");
    let page = guide.to_string();
    if std::env::var("BLESS").is_ok() {
        fs::write(folder.join("COVERAGE.md"), &page).unwrap();
    }
    assert!(read("COVERAGE.md") == page, "mappings/COVERAGE.md is not current: BLESS=1");
}
