// An answer cannot be released by hand.
use dukou_audit::Released;

fn main() {
    let _ = Released { value: "patient data", receipt: None };
}
