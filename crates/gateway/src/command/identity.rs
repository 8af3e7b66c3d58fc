//! `dukou identity`: who is who, and what a person decides about it. Asks a running node through its own door, or opens the data
//! folder of a stopped one behind that same door: either way each access is decided by the partner files and stands in the ledger. The verbs
//! on files of rows touch no node.

mod batch;
mod door;
mod explain;
mod lookup;
mod relate;
mod review;
mod rows;
mod shown;

use std::io;

use serde_json::Value;

use crate::config::ConfigError;
use crate::serve::ServeError;

/// The verbs on people and their records.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Identity {
    /// Find records by id, by identifier or by what somebody at the desk says; values are masked.
    Lookup(lookup::Lookup),
    /// What speaks for and against two records being one person, with bits that add up.
    Explain(explain::Explain),
    /// List the review queue, show one finding, or act on it.
    Review(review::Review),
    /// Say that two records are one person.
    Join(relate::Relate),
    /// Say that two records are two people.
    Separate(relate::Relate),
    /// Files of rows: which of them are one person.
    Link(batch::Link),
    /// Files of rows: whom the queries of a registration desk mean.
    Desk(batch::Ask),
    /// Files of rows: learn the weights of a model, without knowing who is who.
    Train(batch::Train),
}

/// Why a verb did not work.
#[derive(Debug, thiserror::Error)]
pub(crate) enum IdentityError {
    /// The configuration does not load.
    #[error("reading the configuration: name it with --config, or a running node with --url")]
    Config(#[from] ConfigError),
    /// The token of the client cannot be read.
    #[error("reading the token of client '{client}' from {file}: name another client with --as or a file with --token")]
    Token {
        /// The client.
        client: String,
        /// The file.
        file: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The address is none of plain HTTP.
    #[error(
        "reading the address: a node is asked over http:// on this host; one that serves TLS is asked when it is stopped, or over HTTPS by any FHIR client"
    )]
    Address,
    /// The node does not answer.
    #[error("asking the node at {address}")]
    Ask {
        /// Its address.
        address: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The node refuses.
    #[error("the node refused ({status}): {text}")]
    Refused {
        /// HTTP status.
        status: u16,
        /// The words of its OperationOutcome.
        text: String,
    },
    /// The answer is not what the door promises.
    #[error("reading the node's answer: it is not the JSON of this release")]
    Answer,
    /// The stopped node cannot be opened.
    #[error("opening the stopped node")]
    Serve(#[from] ServeError),
    /// A file of rows cannot be used.
    #[error(transparent)]
    Rows(#[from] rows::RowsError),
    /// A model cannot be used.
    #[error("loading the model")]
    Model(#[from] dukou_identity::ModelError),
    /// Something to look for is missing.
    #[error("reading the command line: {0}")]
    Usage(&'static str),
    /// Standard input cannot be read.
    #[error("reading a value from standard input")]
    Input(#[source] io::Error),
}

impl Identity {
    /// Runs the verb. False: nothing was found.
    pub(crate) fn run(&self) -> Result<bool, IdentityError> {
        match self {
            Identity::Lookup(lookup) => lookup.run(),
            Identity::Explain(explain) => explain.run(),
            Identity::Review(review) => review.run(),
            Identity::Join(relate) => relate.run("assert-link"),
            Identity::Separate(relate) => relate.run("assert-not-same"),
            Identity::Link(link) => link.run(),
            Identity::Desk(ask) => ask.run(),
            Identity::Train(train) => train.run(),
        }
    }
}

/// A Parameters resource of codes and texts.
fn parameters(parts: &[(&str, &str)]) -> Value {
    let part = |(name, value): &(&str, &str)| serde_json::json!({"name": name, "valueString": value});
    serde_json::json!({"resourceType": "Parameters", "parameter": parts.iter().map(part).collect::<Vec<_>>()})
}
