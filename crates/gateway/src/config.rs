//! The configuration: one TOML file, every key known, secrets as file paths.
//!
//! A wrong key stops the start with file, line and the nearest key. Paths are relative to the file that names them.

mod identity;

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use dukou_exchange::{OnReported, ReportedPolicy};
use serde::Deserialize;

pub use identity::{HistorySource, Identity, TerminalGroup};

/// The whole of `dukou.toml`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// What this node is.
    pub node: Node,
    /// The HTTP listeners.
    pub listen: Listen,
    /// The MLLP listeners, one a sending system or group of systems.
    #[serde(default)]
    pub mllp: Vec<MllpListener>,
    /// Maps and code tables.
    #[serde(default)]
    pub maps: Maps,
    /// The ledger.
    #[serde(default)]
    pub audit: Audit,
    /// Numbers on everything that can grow.
    #[serde(default)]
    pub limits: Limits,
    /// One-time card capture.
    pub identity: Option<Identity>,
    /// Logs and traces, for operators; they carry no patient data.
    #[serde(default)]
    pub telemetry: Telemetry,
}

/// What this node is.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Node {
    /// Names the site; enters every id that is made from a message.
    pub site: String,
    /// Offset of local time, such as `+08:00`, for values without a zone.
    #[serde(default = "zone_default")]
    pub zone: String,
    /// Folder of the store and the ledger; one process owns it.
    pub data: PathBuf,
    /// Folder of the ledger's keys; may be on another mount.
    pub keys: PathBuf,
    /// Base of absolute URLs, such as `https://fhir.example.org/fhir`; without it the request's host is used.
    pub public_base: Option<String>,
    /// Folder of partner files, one a partner: every caller stands there. There is no anonymous access to patient data.
    pub partners: PathBuf,
}

/// The HTTP listeners.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listen {
    /// FHIR REST and ingest over HTTP.
    pub fhir: HttpListener,
    /// `/health`, `/ready`, `/metrics`; loopback unless named otherwise.
    pub admin: SocketAddr,
}

/// An HTTP listener.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpListener {
    /// Address and port.
    pub address: SocketAddr,
    /// TLS; needed on every address but loopback.
    pub tls: Option<Tls>,
    /// A named TLS-terminating front makes plain HTTP on other addresses acceptable.
    pub tls_front: Option<String>,
}

/// TLS of one listener: PEM files.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// Certificate chain of this server.
    pub certificate: PathBuf,
    /// Its private key, not readable by others.
    pub key: PathBuf,
    /// Authorities whose client certificates are accepted; with it a client certificate is asked for.
    pub client_ca: Option<PathBuf>,
    /// Refuse a handshake without client certificate.
    #[serde(default)]
    pub client_certificate_required: bool,
    /// Revocation list of the client authorities.
    pub client_crl: Option<PathBuf>,
}

/// An MLLP listener.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MllpListener {
    /// Address and port.
    pub address: SocketAddr,
    /// Name of this listener: the partner file that lists it says whose messages these are. Over TLS the certificate decides.
    pub name: String,
    /// Peer addresses allowed without TLS; loopback is always allowed.
    #[serde(default)]
    pub peers: Vec<std::net::IpAddr>,
    /// TLS with client certificates; the default for anything but loopback.
    pub tls: Option<Tls>,
    /// Charset where neither the message nor its bytes decide: `gb18030`, `utf-8`, `8859/1` ...
    #[serde(default = "charset_default")]
    pub charset: String,
    /// Accept frames that end in `1C 0A`, or in `1C` alone at idle.
    #[serde(default)]
    pub lenient_end: bool,
    /// MLLP release 2: answer every frame with a commit acknowledgement before that of HL7.
    #[serde(default)]
    pub commit_acks: bool,
    /// Join lines that start with no segment id to the segment before.
    #[serde(default)]
    pub join_broken_lines: bool,
    /// The sender uses a control id again for another message.
    #[serde(default)]
    pub reuses_control_ids: bool,
}

/// Maps and code tables.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Maps {
    /// Folder with maps and code tables; without it those built into the binary.
    pub folder: Option<PathBuf>,
    /// Overlays in order, such as `cn`, `vendor/acme`, `site/a01`.
    #[serde(default)]
    pub overlays: Vec<String>,
    /// What happens to a v2 message with a value that no rule carries, by place: `ZXX`, `PID-10`, or `*` for what no other line names.
    /// Without a line it is counted, and kept with the message like every other.
    #[serde(default)]
    pub reported: BTreeMap<String, Reported>,
}

/// What happens to a message with a value that no rule carries.
#[derive(Debug, Clone, Copy, Deserialize)]
pub enum Reported {
    /// Nothing: it is known and does not matter.
    #[serde(rename = "ignore")]
    Ignore,
    /// It is counted and named in the answer.
    #[serde(rename = "warn")]
    Warn,
    /// The message is answered with AE and not applied.
    #[serde(rename = "AE")]
    Refuse,
}

impl Maps {
    pub(crate) fn policy(&self) -> ReportedPolicy {
        ReportedPolicy::new(self.reported.iter().map(|(place, wanted)| {
            let wanted = match wanted {
                Reported::Ignore => OnReported::Ignore,
                Reported::Warn => OnReported::Warn,
                Reported::Refuse => OnReported::Refuse,
            };
            (place.clone(), wanted)
        }))
    }
}

/// The ledger.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Audit {
    /// Name in notes and receipts; fixed when the ledger is made.
    pub origin: String,
    /// Size of one segment file in bytes.
    pub segment_bytes: u64,
    /// Size of the reserve in bytes.
    pub reserve_bytes: u64,
}

/// Numbers on everything that can grow.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Threads that prepare writes; as many writes share one commit.
    pub writer_threads: usize,
    /// Threads that walk searches and histories.
    pub reader_threads: usize,
    /// Jobs that may wait for them.
    pub crew_queue: usize,
    /// Bytes of one request body.
    pub body_bytes_max: usize,
    /// Bytes of one Bundle body.
    pub bundle_bytes_max: usize,
    /// Entries of one Bundle.
    pub bundle_entries_max: usize,
    /// Bytes of one MLLP frame.
    pub frame_bytes_max: usize,
    /// Connections of all listeners together.
    pub connections_max: usize,
    /// Milliseconds for a request head.
    pub head_ms_max: u64,
    /// Milliseconds for a request body.
    pub body_ms_max: u64,
    /// Milliseconds a connection may idle.
    pub idle_ms_max: u64,
    /// Milliseconds from the first to the last byte of a frame.
    pub frame_ms_max: u64,
    /// Milliseconds that shutdown waits for what is in flight.
    pub shutdown_ms_max: u64,
    /// Memory for the cards of patients that are looked up by their numbers.
    pub cards_memory_bytes: u64,
    /// Disk for cards between two runs, sealed with the site's secret; 0: none. What is there can always be derived again.
    pub cards_disk_bytes: u64,
}

/// Logs and traces.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Telemetry {
    /// Filter such as `info` or `dukou=debug`.
    pub log: String,
    /// `text` or `json`.
    pub log_format: String,
    /// OTLP endpoint over HTTP, such as `http://127.0.0.1:4318/v1/traces`; none: no export.
    pub otlp_traces: Option<String>,
    /// Share of requests traced, in percent.
    pub otlp_sample_percent: u8,
}

impl Default for Audit {
    fn default() -> Self {
        Self { origin: "dukou.local/ledger".to_owned(), segment_bytes: 64 << 20, reserve_bytes: 32 << 20 }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            writer_threads: 64,
            reader_threads: 8,
            crew_queue: 1024,
            body_bytes_max: 16 << 20,
            bundle_bytes_max: 64 << 20,
            bundle_entries_max: 5_000,
            frame_bytes_max: 64 << 20,
            connections_max: 4_096,
            head_ms_max: 5_000,
            body_ms_max: 30_000,
            idle_ms_max: 60_000,
            frame_ms_max: 60_000,
            shutdown_ms_max: 10_000,
            cards_memory_bytes: 256 << 20,
            cards_disk_bytes: 4 << 30,
        }
    }
}

impl Default for Telemetry {
    fn default() -> Self {
        Self { log: "info".to_owned(), log_format: "text".to_owned(), otlp_traces: None, otlp_sample_percent: 1 }
    }
}

/// Why a configuration is refused: what, where, and the nearest right key.
#[derive(Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// File as named by the operator.
    pub file: String,
    /// Line, 1-based; 0 where the fault has no line.
    pub line: usize,
    /// What is wrong and what to write instead.
    pub text: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line == 0 {
            return write!(f, "{}: {}", self.file, self.text);
        }
        write!(f, "{}:{}: {}", self.file, self.line, self.text)
    }
}

impl std::error::Error for ConfigError {}

impl Config {
    /// Reads and checks a configuration file. Relative paths are taken from the file's folder.
    pub fn load(file: &Path) -> Result<Self, ConfigError> {
        let name = file.display().to_string();
        let text = std::fs::read_to_string(file).map_err(|e| ConfigError {
            file: name.clone(),
            line: 0,
            text: format!("cannot read the configuration: {e}; `dukou init DIR` writes a commented one"),
        })?;
        let mut config = Self::parse(&name, &text)?;
        config.anchor(file.parent().unwrap_or(Path::new(".")));
        Ok(config)
    }

    /// Parses the text of a configuration; `name` stands in errors.
    pub fn parse(name: &str, text: &str) -> Result<Self, ConfigError> {
        let line_of = |at: usize| text[..at.min(text.len())].matches('\n').count() + 1;
        let config: Self = toml::from_str(text).map_err(|e| {
            let line = e.span().map_or(0, |s| line_of(s.start));
            ConfigError { file: name.to_owned(), line, text: with_nearest_key(e.message()) }
        })?;
        config.check().map_err(|text| ConfigError { file: name.to_owned(), line: 0, text })?;
        let identity = config.identity.as_ref().map_or(Ok(()), Identity::check);
        identity.map_err(|(at, text)| ConfigError { file: name.to_owned(), line: line_of(at), text })?;
        Ok(config)
    }

    fn check(&self) -> Result<(), String> {
        let http = &self.listen.fhir;
        if http.tls.is_none() && http.tls_front.is_none() && !http.address.ip().is_loopback() {
            return Err(format!(
                "listen.fhir.address {} is not loopback and has no TLS: add listen.fhir.tls, or name the front in tls_front",
                http.address
            ));
        }
        for listener in &self.mllp {
            if listener.tls.is_none() && listener.peers.is_empty() && !listener.address.ip().is_loopback() {
                return Err(format!(
                    "mllp listener {} is plain and open: add tls, or list its peers",
                    listener.address
                ));
            }
        }
        Ok(())
    }

    fn anchor(&mut self, base: &Path) {
        let fix = |p: &mut PathBuf| {
            if p.is_relative() {
                *p = base.join(&*p);
            }
        };
        fix(&mut self.node.data);
        fix(&mut self.node.keys);
        fix(&mut self.node.partners);
        self.maps.folder.iter_mut().for_each(fix);
        if let Some(identity) = &mut self.identity {
            fix(&mut identity.key);
            let files = identity.source.iter_mut().flat_map(|source| [source.token.as_mut(), source.ca.as_mut()]);
            files.flatten().for_each(fix);
        }
        let listeners = self.listen.fhir.tls.iter_mut().chain(self.mllp.iter_mut().filter_map(|m| m.tls.as_mut()));
        for tls in listeners {
            fix(&mut tls.certificate);
            fix(&mut tls.key);
            tls.client_ca.iter_mut().for_each(fix);
            tls.client_crl.iter_mut().for_each(fix);
        }
    }
}

/// `unknown field `x`, expected one of `a`, `b`` becomes a sentence that names the nearest key only.
fn with_nearest_key(message: &str) -> String {
    let quoted: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
    match quoted.split_first() {
        Some((wrong, known)) if message.starts_with("unknown field") && !known.is_empty() => {
            let nearest = known.iter().min_by_key(|k| distance(wrong, k)).unwrap_or(&known[0]);
            format!("unknown key '{wrong}'; did you mean '{nearest}'? known here: {}", known.join(", "))
        }
        _ => message.replace('\n', " "),
    }
}

/// Edits between two short words (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, cb) in b.iter().enumerate() {
            let kept = diagonal + usize::from(ca != *cb);
            diagonal = row[j + 1];
            row[j + 1] = kept.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

fn zone_default() -> String {
    "+08:00".to_owned()
}

fn charset_default() -> String {
    "gb18030".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: &str = r#"
[node]
site = "a01"
data = "data"
keys = "keys"
partners = "partners"
[listen]
admin = "127.0.0.1:0"
[listen.fhir]
address = "127.0.0.1:0"
"#;

    #[test]
    fn a_wrong_key_is_named_with_its_line_and_the_nearest_key() {
        let text = SMALL.replace("site = ", "sight = \"x\"\nsite = ");
        let error = Config::parse("dukou.toml", &text).unwrap_err();
        assert_eq!(error.line, 3);
        assert!(error.text.contains("unknown key 'sight'; did you mean 'site'?"), "{error}");
    }

    #[test]
    fn plain_http_off_loopback_needs_a_named_front() {
        let text = SMALL.replace("address = \"127.0.0.1:0\"", "address = \"0.0.0.0:8080\"");
        assert!(Config::parse("dukou.toml", &text).unwrap_err().text.contains("not loopback"));
    }

    #[test]
    fn a_plain_mllp_listener_off_loopback_needs_its_peers() {
        let text = format!("{SMALL}[[mllp]]\naddress = \"0.0.0.0:2575\"\nname = \"his\"\n");
        assert!(Config::parse("dukou.toml", &text).unwrap_err().text.contains("list its peers"));
    }

    #[test]
    fn paths_are_relative_to_the_file_that_names_them() {
        let mut config = Config::parse("dukou.toml", SMALL).unwrap();
        config.anchor(Path::new("/etc/dukou"));
        assert_eq!(config.node.data, Path::new("/etc/dukou/data"));
    }
}
