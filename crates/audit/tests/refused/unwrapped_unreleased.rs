// What the store returned cannot be copied, looked into or taken out.
use dukou_audit::Unreleased;

fn look(unreleased: Unreleased<String>) -> String {
    let copy = unreleased.clone();
    println!("{:?}", copy);
    let text: &str = &*unreleased;
    let inner = unreleased.value;
    unreleased.into_inner()
}

fn main() {}
