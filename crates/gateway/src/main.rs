//! The binary `dukou`.

use std::process::ExitCode;

/// Many small strings and trees are made and dropped for each message.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    dukou_gateway::main()
}
