//! The doors as a stranger meets them: a real process, raw bytes over real sockets, and the ledger read afterwards.

mod canary;
mod capture;
mod documents;
mod house;
mod http;
mod maps;
mod mllp;
mod routes;
mod stop;
mod tls;
pub(crate) mod trail;
