//! What a ledger is asked after a test pulled the plug: is it whole, and does it hold what was promised?

use std::path::Path;
use std::process::Command;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use dukou_audit::storage::Disk;

/// The gateway's own check and the independent verifier agree that the ledger is whole.
pub(crate) fn assert_sound(folder: &Path) {
    let report = dukou_audit::verify(&Disk::new(folder), false, None).unwrap();
    assert!(matches!(report.verdict(), dukou_audit::Verdict::Ok), "{:?}", report.findings);
    let told = Command::new(env!("CARGO_BIN_EXE_dukou-verify-node")).arg(folder).output().unwrap();
    assert!(told.status.success(), "the independent verifier: {}", String::from_utf8_lossy(&told.stderr));
}

/// Every receipt that a caller holds names a leaf of this ledger with this hash.
pub(crate) fn assert_holds(folder: &Path, receipts: &[String]) {
    let hashes = dukou_audit::leaf_hashes(&Disk::new(folder)).unwrap();
    for receipt in receipts {
        let parts: Vec<&str> = receipt.split(' ').collect();
        let leaf: usize = parts[1].parse().unwrap();
        let hash = hashes.get(leaf).map(|hash| STANDARD.encode(hash));
        assert_eq!(hash.as_deref(), Some(parts[2]), "receipt of leaf {leaf}");
    }
}
