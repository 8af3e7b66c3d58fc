//! The binary `dukou`: command line, configuration, sockets, TLS, timers, telemetry, shutdown.
//!
//! Everything that touches the outside world is here, so that the rest of the house need not. Start with `site.rs`, which
//! opens the parts of a node in their order, and `serve.rs`, which runs and stops them.

mod admin;
mod capture;
mod cards;
mod clock;
mod command;
pub mod config;
mod demo;
mod framing;
mod http;
mod line;
mod maps;
mod mllp;
mod people;
mod reload;
mod serve;
mod site;
mod telemetry;
mod tls;
mod upstream;

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// dukou (渡口): carries patient records between legacy hospital systems and HL7 FHIR R4.
#[derive(Debug, Parser)]
#[command(name = "dukou", version, about, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Run the gateway of a configuration.
    Serve {
        /// The configuration file.
        #[arg(long, default_value = "dukou.toml")]
        config: PathBuf,
    },
    /// Run a gateway on loopback with simulated hospital systems, and print things to try.
    Demo(demo::Demo),
    /// Write a commented site that `serve` runs as it is.
    Init(command::init::Init),
    /// Translate message files to FHIR, with the account of every leaf.
    Convert(command::convert::Convert),
    /// Check and explain maps.
    #[command(subcommand)]
    Map(command::map::Map),
    /// Who is who: look records up, explain, review, join and separate them.
    #[command(subcommand)]
    Identity(command::identity::Identity),
    /// Verify, show and repair the ledger.
    #[command(subcommand)]
    Audit(command::audit::Audit),
}

/// The maps built into this binary with the overlays named (`cn`, `vendor/acme`); for embedders and benches.
///
/// # Errors
/// The built-in maps do not compile, which a test of the house rules out.
pub fn built_in_program(overlays: &[String]) -> Result<dukou_mapping::Program, Box<dyn Error>> {
    Ok(maps::MapFiles::built_in().with_overlays(overlays).compile()?)
}

/// Runs the command line of this process and gives its exit code: 0 fine, 1 finding, 2 usage, 3 unavailable, 75 a failed disk
/// or a data folder that another process owns.
pub fn main() -> ExitCode {
    match run(Cli::parse()) {
        Ok(code) => code,
        Err(error) => {
            report(error.as_ref());
            ExitCode::from(exit_of(error.as_ref()))
        }
    }
}

fn run(cli: Cli) -> Result<ExitCode, Box<dyn Error>> {
    let finding = |fine: bool| if fine { ExitCode::SUCCESS } else { ExitCode::from(1) };
    match cli.verb {
        Verb::Serve { config } => serve::run(&config::Config::load(&config)?).map_err(Into::into),
        Verb::Demo(demo) => demo.run().map_err(Into::into),
        Verb::Init(init) => init.run(&clock::SystemRandom).map(|()| ExitCode::SUCCESS).map_err(Into::into),
        Verb::Convert(convert) => convert.run().map(finding).map_err(Into::into),
        Verb::Map(map) => map.run().map(finding).or_else(|error| {
            report(&error);
            Ok(ExitCode::from(if matches!(error, maps::MapError::Faults(_)) { 1 } else { 2 }))
        }),
        Verb::Identity(identity) => identity.run().map(finding).map_err(Into::into),
        Verb::Audit(audit) => audit.run().map_err(Into::into),
    }
}

/// 75 asks a supervisor to try again later: the data folder belongs to another process that may be about to end.
fn exit_of(error: &(dyn Error + 'static)) -> u8 {
    let mut cause = Some(error);
    while let Some(inner) = cause {
        if matches!(inner.downcast_ref(), Some(site::SiteError::Locked(_))) {
            return site::EXIT_TRY_AGAIN as u8;
        }
        cause = inner.source();
    }
    3
}

/// An error with its causes, one a line: what was attempted, then why it failed.
fn report(error: &dyn Error) {
    eprintln!("dukou: {error}");
    let mut cause = error.source();
    while let Some(inner) = cause {
        eprintln!("  because: {inner}");
        cause = inner.source();
    }
}
