//! The gateway's own main function, as a process that tests may kill.

use std::process::ExitCode;

fn main() -> ExitCode {
    dukou_gateway::main()
}
