//! The way to a node: over HTTP to one that runs, or behind a door of its own to one that is stopped.

use std::fs::{File, TryLockError};
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use super::IdentityError;
use crate::config::Config;
use crate::serve::{Running, with_runtime};

/// Who asks, what for, and which node.
#[derive(Debug, clap::Args)]
pub(crate) struct Caller {
    /// The configuration of the node.
    #[arg(long, default_value = "dukou.toml")]
    config: PathBuf,
    /// Base address of a running node, such as http://127.0.0.1:8080/fhir, where the configuration does not say it.
    #[arg(long)]
    url: Option<String>,
    /// The registered client that asks.
    #[arg(long = "as", default_value = "identity")]
    client: String,
    /// File with its token; tokens/CLIENT beside the configuration otherwise.
    #[arg(long)]
    token: Option<PathBuf>,
    /// Purpose of use, such as TREAT or PATADMIN.
    #[arg(long)]
    purpose: Option<String>,
    /// Your name or number, for the record.
    #[arg(long)]
    user: Option<String>,
    /// Show values in full instead of masked; needs a purpose.
    #[arg(long, requires = "purpose")]
    pub(crate) show: bool,
}

/// An open way to a node.
pub(super) struct Door<'c> {
    caller: &'c Caller,
    address: String,
    prefix: String,
    token: String,
}

impl Caller {
    /// Runs something with the node.
    pub(super) fn with<T>(&self, body: impl FnOnce(&Door<'_>) -> Result<T, IdentityError>) -> Result<T, IdentityError> {
        if let Some(url) = &self.url {
            let folder = self.config.parent().unwrap_or(Path::new("."));
            let (address, prefix) = plain(url)?;
            return body(&Door { caller: self, address, prefix, token: self.read_token(folder)? });
        }
        let mut config = Config::load(&self.config)?;
        let token = self.read_token(self.config.parent().unwrap_or(Path::new(".")))?;
        let prefix = PREFIX.to_owned();
        if is_running(&config.node.data) {
            if config.listen.fhir.tls.is_some() {
                return Err(IdentityError::Address);
            }
            let address = own_host(config.listen.fhir.address).to_string();
            return body(&Door { caller: self, address, prefix, token });
        }
        // A stopped node opens with one door, on a free port of this host, and closes in good order.
        let free = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        (config.listen.fhir.address, config.listen.admin) = (free, free);
        config.listen.fhir.tls = None;
        config.mllp.clear();
        config.telemetry.log = "error".to_owned();
        config.telemetry.otlp_traces = None;
        let mut done = None;
        with_runtime(&config, async |running: Running| {
            let door = Door { caller: self, address: running.fhir.to_string(), prefix, token };
            done = Some(tokio::task::block_in_place(|| body(&door))?);
            Ok::<(), IdentityError>(())
        })?;
        done.ok_or(IdentityError::Answer)
    }

    fn read_token(&self, folder: &Path) -> Result<String, IdentityError> {
        let file = self.token.clone().unwrap_or_else(|| folder.join("tokens").join(&self.client));
        let failed = |source| {
            let (client, file) = (self.client.clone(), file.display().to_string());
            IdentityError::Token { client, file, source }
        };
        std::fs::read_to_string(&file).map(|text| text.trim().to_owned()).map_err(failed)
    }
}

impl Door<'_> {
    /// Asks for a resource by its address below the base.
    pub(super) fn get(&self, path: &str) -> Result<Value, IdentityError> {
        self.ask("GET", path, "application/fhir+json", "")
    }

    /// Calls an operation with a resource.
    pub(super) fn post(&self, path: &str, body: &Value) -> Result<Value, IdentityError> {
        self.ask("POST", path, "application/fhir+json", &body.to_string())
    }

    /// Searches by a form, so that no value stands in an address.
    pub(super) fn search(&self, kind: &str, pairs: &[(&str, &str)]) -> Result<Value, IdentityError> {
        let form: Vec<String> = pairs.iter().map(|(name, value)| format!("{name}={}", escaped(value))).collect();
        self.ask("POST", &format!("{kind}/_search"), "application/x-www-form-urlencoded", &form.join("&"))
    }

    fn ask(&self, method: &str, path: &str, kind: &str, body: &str) -> Result<Value, IdentityError> {
        let failed = |source| IdentityError::Ask { address: self.address.clone(), source };
        let (status, answer) = self.exchange(method, path, kind, body).map_err(failed)?;
        let answer: Value = serde_json::from_slice(&answer).map_err(|_| IdentityError::Answer)?;
        if status < 300 { Ok(answer) } else { Err(IdentityError::Refused { status, text: said(&answer) }) }
    }

    fn exchange(&self, method: &str, path: &str, kind: &str, body: &str) -> io::Result<(u16, Vec<u8>)> {
        let mut socket = TcpStream::connect(&self.address)?;
        socket.set_read_timeout(Some(ANSWER_MAX))?;
        socket.set_write_timeout(Some(ANSWER_MAX))?;
        let language = if std::io::IsTerminal::is_terminal(&io::stdout()) { "zh-CN, en;q=0.5" } else { "en" };
        let named = [("X-Purpose-Of-Use", &self.caller.purpose), ("X-User", &self.caller.user)];
        let named: String = named
            .into_iter()
            .filter_map(|(name, value)| value.as_ref().map(|value| format!("{name}: {}\r\n", plain_line(value))))
            .collect();
        let head = format!(
            "{method} {}/{path} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\nAccept: application/fhir+json\r\n\
             Accept-Language: {language}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n{named}Connection: close\r\n\r\n",
            self.prefix,
            self.address,
            self.token,
            body.len()
        );
        socket.write_all(head.as_bytes())?;
        socket.write_all(body.as_bytes())?;
        let mut all = Vec::new();
        socket.take(ANSWER_BYTES_MAX).read_to_end(&mut all)?;
        let cut = || io::Error::from(io::ErrorKind::UnexpectedEof);
        let end = all.windows(4).position(|four| four == b"\r\n\r\n").ok_or_else(cut)?;
        let status =
            all.get(9..12).and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok()).ok_or_else(cut)?;
        Ok((status, all.split_off(end + 4)))
    }
}

/// What an OperationOutcome says, a sentence an issue.
fn said(outcome: &Value) -> String {
    let issues = outcome["issue"].as_array().map(Vec::as_slice).unwrap_or_default();
    let text = |issue: &Value| {
        let text = issue["details"]["text"].as_str().or(issue["diagnostics"].as_str());
        text.map(str::to_owned)
    };
    issues.iter().filter_map(text).collect::<Vec<_>>().join("; ")
}

/// Host and port, and the path, of an address in plain HTTP.
fn plain(url: &str) -> Result<(String, String), IdentityError> {
    let rest = url.strip_prefix("http://").ok_or(IdentityError::Address)?;
    let (address, prefix) = rest.trim_end_matches('/').split_once('/').unwrap_or((rest.trim_end_matches('/'), ""));
    let prefix = if prefix.is_empty() { PREFIX.to_owned() } else { format!("/{prefix}") };
    Ok((address.to_owned(), prefix))
}

/// A node that listens on every address is asked on this host.
fn own_host(address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() { SocketAddr::from((Ipv4Addr::LOCALHOST, address.port())) } else { address }
}

/// Whether a process owns the data folder.
fn is_running(data: &Path) -> bool {
    File::open(data.join("lock")).is_ok_and(|file| matches!(file.try_lock(), Err(TryLockError::WouldBlock)))
}

/// Percent-encoding of everything but unreserved characters (RFC 3986, 2.3).
fn escaped(value: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    value.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

/// A header value of one line.
fn plain_line(value: &str) -> String {
    value.chars().filter(|c| !c.is_control()).collect()
}

const PREFIX: &str = "/fhir";
const ANSWER_MAX: Duration = Duration::from_secs(30);
const ANSWER_BYTES_MAX: u64 = 64 << 20;

#[cfg(test)]
mod tests {
    use super::{escaped, plain};

    #[test]
    fn an_address_is_host_port_and_path() {
        let read = |url| plain(url).ok();
        let both = |address: &str, prefix: &str| Some((address.to_owned(), prefix.to_owned()));
        assert_eq!(read("http://127.0.0.1:8080/fhir"), both("127.0.0.1:8080", "/fhir"));
        assert_eq!(read("http://127.0.0.1:8080/"), both("127.0.0.1:8080", "/fhir"));
        assert_eq!(read("https://node/fhir"), None);
    }

    #[test]
    fn values_of_a_form_are_escaped() {
        assert_eq!(escaped("urn:oid:1|张&1"), "urn%3Aoid%3A1%7C%E5%BC%A0%261");
    }
}
