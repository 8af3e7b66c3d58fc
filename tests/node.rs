//! A gateway as a real process with real sockets and real files, for tests that kill it, starve it and look at what is left.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// A running node over a data folder that outlives it.
pub(crate) struct Node {
    child: Child,
    pub(crate) fhir: String,
    pub(crate) mllp: String,
    pub(crate) token: String,
}

impl Node {
    /// Starts a node over a folder, new or left by an earlier one.
    pub(crate) fn start(folder: &Path) -> Node {
        let started = Node::try_start(folder, Command::new(env!("CARGO_BIN_EXE_dukou-node")));
        started.unwrap_or_else(|| panic!("{}", fs::read_to_string(folder.join("node.log")).unwrap()))
    }

    /// Starts a node through a command that ends in the node's own binary, such as a tracer. `None` if it ends before it is ready.
    pub(crate) fn try_start(folder: &Path, mut command: Command) -> Option<Node> {
        let info = folder.join("info.json");
        // Left by the run before; a missing one is as good.
        let _absent = fs::remove_file(&info);
        let log = fs::File::options().create(true).append(true).open(folder.join("node.log")).unwrap();
        let mut child = command
            .args(["demo", "--quiet", "--any-port", "--messages", "0", "--data"])
            .arg(folder.join("site"))
            .arg("--info")
            .arg(&info)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let begun = Instant::now();
        while !info.exists() {
            if child.try_wait().unwrap().is_some() || begun.elapsed() > READY_MAX {
                // It may be gone already.
                let _gone = child.kill();
                child.wait().unwrap();
                return None;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        let info: Value = serde_json::from_str(&fs::read_to_string(&info).unwrap()).unwrap();
        let text = |name: &str| info[name].as_str().unwrap().to_owned();
        let token = info["tokens"]["system"].as_str().unwrap().to_owned();
        Some(Node { child, fhir: text("fhir"), mllp: text("mllp"), token })
    }

    /// SIGKILL, as a power switch for the process.
    pub(crate) fn kill(self) {
        drop(self);
    }

    /// SIGKILL while others still hold the node.
    pub(crate) fn cut(&self) {
        assert!(Command::new("kill").arg("-KILL").arg(self.child.id().to_string()).status().unwrap().success());
    }

    /// SIGTERM; the exit code.
    pub(crate) fn stop(mut self) -> Option<i32> {
        let told = Command::new("kill").arg("-TERM").arg(self.child.id().to_string()).status().unwrap();
        assert!(told.success());
        self.child.wait().unwrap().code()
    }

    /// Waits until the process ends by itself.
    pub(crate) fn ended(mut self) -> Option<i32> {
        let begun = Instant::now();
        while begun.elapsed() < READY_MAX {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        None
    }

    /// One HTTP request on a fresh connection with the system client's token.
    pub(crate) fn http(&self, method: &str, path: &str, body: &[u8]) -> std::io::Result<Answer> {
        http(&self.fhir, &self.token, method, path, body)
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.http("GET", path, b"").unwrap()
    }

    pub(crate) fn audit_folder(folder: &Path) -> PathBuf {
        folder.join("site/data/audit")
    }
}

/// A test that fails must not leave its node running.
impl Drop for Node {
    fn drop(&mut self) {
        // It may have ended already.
        let _gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// An HTTP answer.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}

/// One HTTP request on a fresh connection; `base` is the URL that the node states.
pub(crate) fn http(base: &str, token: &str, method: &str, path: &str, body: &[u8]) -> std::io::Result<Answer> {
    http_typed(base, token, "application/fhir+json", method, path, body)
}

/// The same with a body of another media type.
pub(crate) fn http_typed(
    base: &str,
    token: &str,
    kind: &str,
    method: &str,
    path: &str,
    body: &[u8],
) -> std::io::Result<Answer> {
    let rest = base.strip_prefix("http://").unwrap();
    let (authority, prefix) = rest.split_once('/').unwrap();
    let mut socket = TcpStream::connect(authority)?;
    socket.set_read_timeout(Some(Duration::from_secs(20)))?;
    let head = format!(
        "{method} /{prefix}{path} HTTP/1.1\r\nHost: {authority}\r\nAuthorization: Bearer {token}\r\nAccept: application/fhir+json\r\n\
         Content-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    socket.write_all(head.as_bytes())?;
    socket.write_all(body)?;
    let mut all = Vec::new();
    socket.read_to_end(&mut all)?;
    let end = all.windows(4).position(|w| w == b"\r\n\r\n").ok_or(std::io::ErrorKind::UnexpectedEof)?;
    let head = String::from_utf8_lossy(&all[..end]).into_owned();
    let status = head.get(9..12).and_then(|s| s.parse().ok()).ok_or(std::io::ErrorKind::InvalidData)?;
    let answer = Answer { status, head, body: all[end + 4..].to_vec() };
    match answer.header("content-length").and_then(|n| n.parse::<usize>().ok()) {
        Some(length) if length != answer.body.len() && method != "HEAD" => {
            Err(std::io::ErrorKind::UnexpectedEof.into())
        }
        _ => Ok(answer),
    }
}

/// One MLLP connection, and what came of answers that were not asked for yet: two may come in one read.
pub(crate) struct Sender(TcpStream, Vec<u8>);

impl Sender {
    pub(crate) fn connect(address: &str) -> std::io::Result<Sender> {
        let socket = TcpStream::connect(address)?;
        socket.set_read_timeout(Some(Duration::from_secs(20)))?;
        socket.set_nodelay(true)?;
        Ok(Sender(socket, Vec::new()))
    }

    /// Sends one message and reads the frame that answers it; an error if the connection ends first.
    pub(crate) fn send(&mut self, message: &[u8]) -> std::io::Result<String> {
        let mut frame = vec![0x0B];
        frame.extend_from_slice(message);
        frame.extend_from_slice(&[0x1C, 0x0D]);
        self.0.write_all(&frame)?;
        self.receive()
    }

    pub(crate) fn receive(&mut self) -> std::io::Result<String> {
        let mut buffer = [0_u8; 4096];
        loop {
            if let Some(end) = self.1.windows(2).position(|two| two == [0x1C, 0x0D]) {
                let frame: Vec<u8> = self.1.drain(..end + 2).collect();
                return Ok(String::from_utf8_lossy(&frame[1..end]).into_owned());
            }
            let n = self.0.read(&mut buffer)?;
            if n == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            self.1.extend_from_slice(&buffer[..n]);
        }
    }
}

/// MSA-1 and MSA-2 of an acknowledgement.
pub(crate) fn msa(ack: &str) -> (String, String) {
    let fields: Vec<&str> =
        ack.split(['\r', '\n']).find(|line| line.starts_with("MSA")).unwrap_or("MSA||").split('|').collect();
    (fields[1].to_owned(), fields.get(2).copied().unwrap_or("").to_owned())
}

const READY_MAX: Duration = Duration::from_secs(30);
