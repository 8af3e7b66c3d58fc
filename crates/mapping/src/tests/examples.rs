use std::fs;

use super::{fixtures, sources};
use crate::compile;

#[test]
#[allow(clippy::disallowed_methods, reason = "BLESS=1 rewrites what is expected")]
fn a_failing_example_tells_what_differs_and_which_rule_is_behind_it() {
    let (maps, tables) = sources(&fixtures().join("examples"));
    let failures = compile(&maps, &tables).unwrap().run_tests();
    let found: String = failures.iter().map(|failure| format!("{failure}\n\n")).collect();
    let file = fixtures().join("examples/expected.txt");
    if std::env::var("BLESS").is_ok() {
        fs::write(&file, &found).unwrap();
    }
    assert_eq!(found, fs::read_to_string(&file).unwrap_or_default());
}
