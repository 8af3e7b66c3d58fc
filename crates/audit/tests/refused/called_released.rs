// The step from an answer to a released one cannot be called.
use dukou_audit::Released;

fn main() {
    let _ = Released::new("patient data", None);
}
