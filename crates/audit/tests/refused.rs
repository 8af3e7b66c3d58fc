//! What must not compile: each way around the gate.

#[test]
fn no_way_around_the_gate_compiles() {
    trybuild::TestCases::new().compile_fail("tests/refused/*.rs");
}
