// A permit cannot be made outside the gate.
fn main() {
    let _ = dukou_audit::Permit { intent_leaf: None };
}
