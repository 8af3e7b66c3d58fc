//! Another FHIR server as a source of history: one batch a question, recorded before it leaves, bounded in time and size.

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use dukou_audit::{Access, Failure, Gate, Intent, Interaction, Outcome, Recorded};
use dukou_exchange::{HistorySource, SourceFault, SourceQuestion};
use dukou_fhir::{Object, Value, json};
use rustls::pki_types::{CertificateDer, ServerName, pem::PemObject};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::config::HistorySource as Settings;
use crate::tls::refuse_open_key;

/// Why a source cannot be set up.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SourceError {
    /// Its token cannot be read.
    #[error("reading the token of source '{name}' in {}: a file with mode 0600", path.display())]
    Token {
        /// The source.
        name: String,
        /// The file.
        path: PathBuf,
    },
    /// Its authorities cannot be read.
    #[error("reading the authorities of source '{name}' in {}: a PEM file", path.display())]
    Authorities {
        /// The source.
        name: String,
        /// The file.
        path: PathBuf,
    },
    /// Its address is not understood.
    #[error("reading the base of source '{0}': write http://host:port/path on loopback, else https://host:port/path")]
    Base(String),
}

/// A FHIR server.
pub(crate) struct Upstream {
    name: String,
    base: String,
    systems: Vec<String>,
    host: String,
    authority: String,
    path: String,
    token: Option<String>,
    tls: Option<Arc<ClientConfig>>,
    gate: Gate,
}

impl Upstream {
    /// A source of the configuration.
    pub(crate) fn new(settings: &Settings, gate: &Gate) -> Result<Upstream, SourceError> {
        let name = settings.name.get_ref().clone();
        let base = settings.base.get_ref();
        let (secure, rest) = match (base.strip_prefix("https://"), base.strip_prefix("http://")) {
            (Some(rest), _) => (true, rest),
            (None, Some(rest)) => (false, rest),
            (None, None) => return Err(SourceError::Base(name)),
        };
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
        let port = if secure { 443 } else { 80 };
        let with_port = if authority.contains(':') { authority.to_owned() } else { format!("{authority}:{port}") };
        let token = settings.token.as_ref().map(|path| {
            let failed = || SourceError::Token { name: name.clone(), path: path.clone() };
            refuse_open_key(path).map_err(|_| failed())?;
            std::fs::read_to_string(path).map(|text| text.trim().to_owned()).map_err(|_| failed())
        });
        let tls = if secure { Some(client_config(settings, &name)?) } else { None };
        Ok(Upstream {
            base: base.trim_end_matches('/').to_owned(),
            systems: settings.systems.get_ref().clone(),
            host: host.trim_matches(['[', ']']).to_owned(),
            authority: with_port,
            path: format!("/{}", path.trim_end_matches('/')),
            token: token.transpose()?,
            tls,
            gate: gate.clone(),
            name,
        })
    }

    /// One POST on a connection of its own. HTTP/1.0, so that the body ends with the connection.
    fn post(&self, body: &[u8], until: Instant) -> Result<Vec<u8>, SourceFault> {
        let address = self.authority.to_socket_addrs().ok().and_then(|mut found| found.next());
        let address = address.ok_or(SourceFault::Unreachable)?;
        let mut socket = Bounded { socket: TcpStream::connect_timeout(&address, left(until)?).map_err(fault)?, until };
        let token = self.token.as_ref().map_or(String::new(), |token| format!("Authorization: Bearer {token}\r\n"));
        let head = format!(
            "POST {} HTTP/1.0\r\nHost: {}\r\n{token}Content-Type: application/fhir+json\r\nAccept: application/fhir+json\r\n\
             Content-Length: {}\r\n\r\n",
            self.path,
            self.host,
            body.len()
        );
        let mut answer = Vec::new();
        match &self.tls {
            None => talk(&mut socket, head.as_bytes(), body, &mut answer)?,
            Some(config) => {
                let name = ServerName::try_from(self.host.clone()).map_err(|_| SourceFault::Unreachable)?;
                let session = ClientConnection::new(Arc::clone(config), name).map_err(|_| SourceFault::Unreachable)?;
                talk(&mut StreamOwned::new(session, socket), head.as_bytes(), body, &mut answer)?;
            }
        }
        let end = answer.windows(4).position(|four| four == b"\r\n\r\n").ok_or(SourceFault::Malformed)?;
        match answer.get(9..12) {
            Some(b"200") => Ok(answer.split_off(end + 4)),
            Some(_) => Err(SourceFault::Refused),
            None => Err(SourceFault::Malformed),
        }
    }
}

impl HistorySource for Upstream {
    fn name(&self) -> &str {
        &self.name
    }

    fn base(&self) -> &str {
        &self.base
    }

    fn systems(&self) -> &[String] {
        &self.systems
    }

    fn ask(&self, question: &SourceQuestion<'_>) -> Result<Vec<Value<'static>>, SourceFault> {
        #[allow(clippy::disallowed_methods, reason = "a socket waits by the clock of the system")]
        let until = Instant::now() + question.within;
        let access = Access { interaction: Interaction::Upstream, query: None, ..question.access.clone() };
        let intent = Intent {
            access,
            organisation: Some(self.name.clone()),
            endpoint: Some(self.authority.clone()),
            patients: vec![question.patient.to_string()],
            resources: Vec::new(),
            previous: None,
        };
        let body = batch(question);
        let sent = self.gate.send(intent, |_| self.post(&body, until).map_err(Told));
        let answer = match sent {
            Ok(released) => released.into_inner().map_err(|Told(fault)| fault)?,
            Err(_) => return Err(SourceFault::Unrecorded),
        };
        resources(&answer, question.kinds).ok_or(SourceFault::Malformed)
    }
}

/// A fault as the ledger records it.
struct Told(SourceFault);

impl Recorded for Told {
    fn outcome(&self) -> Outcome {
        let (status, code) = match self.0 {
            SourceFault::TimedOut => (504, "source-timed-out"),
            SourceFault::Unreachable => (502, "source-unreachable"),
            SourceFault::Refused => (502, "source-refused"),
            SourceFault::Malformed => (502, "source-malformed"),
            SourceFault::Unrecorded => (503, "source-unrecorded"),
        };
        Outcome::http(status).issue(code)
    }
}

impl From<Failure> for Told {
    fn from(_: Failure) -> Told {
        Told(SourceFault::Malformed)
    }
}

/// A socket whose every wait ends at one moment.
struct Bounded {
    socket: TcpStream,
    until: Instant,
}

impl Read for Bounded {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = left(self.until).map_err(|_| io::ErrorKind::TimedOut)?;
        self.socket.set_read_timeout(Some(left))?;
        self.socket.read(buffer)
    }
}

impl Write for Bounded {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let left = left(self.until).map_err(|_| io::ErrorKind::TimedOut)?;
        self.socket.set_write_timeout(Some(left))?;
        self.socket.write(buffer)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.socket.flush()
    }
}

fn talk(stream: &mut (impl Read + Write), head: &[u8], body: &[u8], answer: &mut Vec<u8>) -> Result<(), SourceFault> {
    stream.write_all(head).and_then(|()| stream.write_all(body)).and_then(|()| stream.flush()).map_err(fault)?;
    match stream.take(ANSWER_BYTES_MAX + 1).read_to_end(answer) {
        Ok(_) if answer.len() as u64 > ANSWER_BYTES_MAX => Err(SourceFault::Malformed),
        Ok(_) => Ok(()),
        // A peer that closes without the last words of TLS: what came is looked at, and half a Bundle does not parse.
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(()),
        Err(error) => Err(fault(error)),
    }
}

fn fault(error: io::Error) -> SourceFault {
    match error.kind() {
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => SourceFault::TimedOut,
        _ => SourceFault::Unreachable,
    }
}

#[allow(clippy::disallowed_methods, reason = "a socket waits by the clock of the system")]
fn left(until: Instant) -> Result<Duration, SourceFault> {
    let left = until.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(SourceFault::TimedOut) } else { Ok(left) }
}

fn client_config(settings: &Settings, name: &str) -> Result<Arc<ClientConfig>, SourceError> {
    let path = settings.ca.clone().unwrap_or_default();
    let failed = || SourceError::Authorities { name: name.to_owned(), path: path.clone() };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(&path).map_err(|_| failed())? {
        roots.add(certificate.map_err(|_| failed())?).map_err(|_| failed())?;
    }
    if roots.is_empty() {
        return Err(failed());
    }
    Ok(Arc::new(ClientConfig::builder().with_root_certificates(roots).with_no_client_auth()))
}

/// One search a type and number, in one batch: no number stands in an address that a log could keep (FHIR R4, http.html#transaction).
fn batch(question: &SourceQuestion<'_>) -> Vec<u8> {
    let escaped = |text: &str| -> String { text.bytes().map(|byte| format!("%{byte:02X}")).collect() };
    let mut entries: Vec<Value<'static>> = Vec::new();
    for kind in question.kinds {
        for (system, value) in question.numbers {
            let patient = format!("patient.identifier={}%7C{}", escaped(system), escaped(value));
            let url = format!("{kind}?{patient}&_sort=-_lastUpdated&_count={COUNT}");
            entries.push(Object::new().with("request", Object::new().with("method", "GET").with("url", url)).into());
        }
    }
    let bundle = Object::new().with("resourceType", "Bundle").with("type", "batch").with("entry", entries);
    let mut out = Vec::new();
    json::print(&bundle.into(), &mut out);
    out
}

/// The resources of the wanted types in a batch-response of searchsets, each once.
fn resources(answer: &[u8], kinds: &[&str]) -> Option<Vec<Value<'static>>> {
    let bundle = json::parse(answer, &json::Limits::default()).ok()?;
    if bundle.text_at("type") != Some("batch-response") {
        return None;
    }
    let mut found: Vec<Value<'static>> = Vec::new();
    for entry in bundle.list_at("entry") {
        let set = entry.get("resource")?;
        for hit in set.list_at("entry") {
            let Some(resource) = hit.get("resource") else { continue };
            let wanted =
                resource.resource_type().is_some_and(|kind| kinds.contains(&kind)) && resource.get("id").is_some();
            if wanted && found.len() < FOUND_MAX && !found.iter().any(|known| known == resource) {
                found.push(resource.clone().into_static());
            }
        }
    }
    Some(found)
}

const COUNT: usize = 50;
const FOUND_MAX: usize = 1_000;
const ANSWER_BYTES_MAX: u64 = 16 << 20;

#[cfg(test)]
mod tests {
    use super::resources;

    #[test]
    fn only_resources_of_the_wanted_types_are_taken_each_once() {
        let set = r#"{"resourceType":"Bundle","type":"searchset","entry":[{"resource":{"resourceType":"Encounter","id":"e1"}},
            {"resource":{"resourceType":"Patient","id":"p1"}},{"resource":{"resourceType":"Encounter"}},{}]}"#;
        let answer = format!(
            r#"{{"resourceType":"Bundle","type":"batch-response","entry":[{{"resource":{set}}},{{"resource":{set}}}]}}"#
        );
        assert_eq!(resources(answer.as_bytes(), &["Encounter"]).unwrap().len(), 1);
        for bad in [&answer.as_bytes()[..40], b"{}", b"", b"[]", br#"{"type":"batch-response","entry":[{}]}"#] {
            assert!(resources(bad, &["Encounter"]).is_none());
        }
    }
}
