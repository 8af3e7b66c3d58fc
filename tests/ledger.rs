//! What a ledger is asked after a test pulled the plug: is it whole, and does it hold what was promised?

use std::path::Path;

use dukou_audit::storage::Disk;

/// The gateway's own check and the independent verifier agree that the ledger is whole.
pub(crate) fn assert_sound(folder: &Path) {
    let report = dukou_audit::verify(&Disk::new(folder), false, None).unwrap();
    assert!(matches!(report.verdict(), dukou_audit::Verdict::Ok), "{:?}", report.findings);
    assert_eq!(dukou_verify::exit_code_of(folder), 0, "the independent verifier");
}

/// Every receipt that a caller holds names a leaf of this ledger with this hash.
pub(crate) fn assert_holds(folder: &Path, receipts: &[String]) {
    let hashes = dukou_audit::leaf_hashes(&Disk::new(folder)).unwrap();
    for receipt in receipts {
        let parts: Vec<&str> = receipt.split(' ').collect();
        let leaf: usize = parts[1].parse().unwrap();
        assert_eq!(hashes.get(leaf).map(String::as_str), Some(parts[2]), "receipt of leaf {leaf}");
    }
}
