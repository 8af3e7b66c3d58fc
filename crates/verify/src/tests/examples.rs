//! The example logs beside the format page.

use std::path::Path;

use crate::verdict::Verdict;
use crate::{Arguments, verify};

fn judged(name: &str) -> (u64, Verdict) {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../audit/logs").join(name);
    let (_, judgement) = verify(&Arguments { dir, ..Arguments::default() }).unwrap();
    (judgement.leaves, judgement.verdict())
}

#[test]
fn the_example_logs_have_the_verdicts_their_page_names() {
    assert_eq!(judged("whole").1, Verdict::Ok);
    assert_eq!(judged("crashed").1, Verdict::Ok);
    assert_eq!(judged("altered").1, Verdict::Altered);
}
