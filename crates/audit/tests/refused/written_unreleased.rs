// A writer that takes released answers takes nothing else.
use dukou_audit::{Released, Unreleased};

fn write_out(answer: Released<Vec<u8>>) {
    drop(answer.into_inner());
}

fn leak(unreleased: Unreleased<Vec<u8>>) {
    write_out(unreleased);
}

fn main() {}
