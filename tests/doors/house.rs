//! A gateway with a configuration of its own, as a process.

use std::fs;
use std::io::{Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use crate::node::{Answer, http};

use super::trail::Trail;

/// A folder with a site that can be changed before it is served.
pub(crate) struct House {
    folder: tempfile::TempDir,
    /// The sections of the configuration behind `[node]`.
    pub(crate) listen: String,
    pub(crate) limits: String,
    /// The section `[identity]`.
    pub(crate) identity: String,
    pub(crate) log: &'static str,
}

/// A gateway that serves a house.
pub(crate) struct Doors {
    child: Child,
    /// Address of the FHIR listener.
    pub(crate) fhir: String,
    pub(crate) admin: String,
    pub(crate) mllp: Vec<String>,
    /// The token of the client `system`.
    pub(crate) token: String,
}

impl House {
    /// A new site as `dukou init` writes it.
    pub(crate) fn new() -> House {
        let folder = tempfile::tempdir().unwrap();
        let made = Command::new(NODE).args(["init", "--site", "t01"]).arg(folder.path().join("site")).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let listen = "[listen]\nadmin = \"127.0.0.1:0\"\n[listen.fhir]\naddress = \"127.0.0.1:0\"\n\
                      [[mllp]]\nname = \"hl7\"\naddress = \"127.0.0.1:0\"\n";
        House { folder, listen: listen.to_owned(), limits: String::new(), identity: IDENTITY.to_owned(), log: "info" }
    }

    /// A path inside the site.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("site").join(name)
    }

    /// Adds to the partner file.
    pub(crate) fn add_partner(&self, text: &str) {
        let file = self.path("partners/house.toml");
        fs::write(&file, fs::read_to_string(&file).unwrap() + text).unwrap();
    }

    fn write(&self) {
        let text = format!(
            "[node]\nsite = \"t01\"\ndata = \"data\"\nkeys = \"keys\"\npartners = \"partners\"\n{}\n{}\n[audit]\norigin = \"t01/ledger\"\n\
             segment_bytes = 1048576\nreserve_bytes = 1048576\n[limits]\n{}\n[telemetry]\nlog = \"{}\"\n",
            self.listen, self.identity, self.limits, self.log
        );
        fs::write(self.path("dukou.toml"), text).unwrap();
    }

    /// Serves the site.
    pub(crate) fn open(&self) -> Doors {
        self.write();
        // Left by the run before; a missing one is as good.
        let _absent = fs::remove_file(self.path("log"));
        let log = fs::File::create(self.path("log")).unwrap();
        let child = self.command().stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap();
        let token = fs::read_to_string(self.path("tokens/system")).unwrap();
        let mut doors = Doors { child, fhir: String::new(), admin: String::new(), mllp: Vec::new(), token };
        let begun = Instant::now();
        while !doors.read_addresses(&self.printed()) {
            let ended = doors.child.try_wait().unwrap().is_some();
            assert!(!ended && begun.elapsed() < Duration::from_secs(30), "{}", self.printed());
            std::thread::sleep(Duration::from_millis(5));
        }
        doors
    }

    /// Tries to serve a site that should not be served.
    pub(crate) fn refused(&self) -> Output {
        self.write();
        self.command().output().unwrap()
    }

    fn command(&self) -> Command {
        let mut command = Command::new(NODE);
        command.arg("serve").arg("--config").arg(self.path("dukou.toml")).stdin(Stdio::null());
        command
    }

    /// Everything the process printed.
    pub(crate) fn printed(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap()
    }

    /// The files of the site that hold one of these marks: store, its log, ledger, caches, whatever lies there.
    pub(crate) fn found_on_disk(&self, marks: &[&[u8]]) -> Vec<String> {
        let mut folders = vec![self.path("")];
        let mut found = Vec::new();
        while let Some(folder) = folders.pop() {
            for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
                if path.is_dir() {
                    folders.push(path);
                    continue;
                }
                let bytes = fs::read(&path).unwrap();
                let holds = |mark: &&[u8]| bytes.windows(mark.len()).any(|part| part == *mark);
                if marks.iter().any(holds) {
                    found.push(path.display().to_string());
                }
            }
        }
        found
    }

    /// The ledger of a stopped site, after both verifiers found it whole and without a crash.
    pub(crate) fn trail(&self) -> Trail {
        Trail::of(&self.path("data/audit"))
    }
}

impl Doors {
    /// Takes the addresses from the line that says that the doors are open.
    fn read_addresses(&mut self, printed: &str) -> bool {
        let Some(line) = printed.lines().find(|line| line.contains("serving fhir=") && line.ends_with(']')) else {
            return false;
        };
        let value = |name: &str| line.split_once(name).unwrap().1.split(' ').next().unwrap().to_owned();
        (self.fhir, self.admin) = (value("fhir="), value("admin="));
        let listed = line.split_once("mllp=[").unwrap().1.trim_end_matches(']');
        self.mllp = listed.split(", ").filter(|at| !at.is_empty()).map(str::to_owned).collect();
        true
    }

    /// One request of the client `system`.
    pub(crate) fn ask(&self, method: &str, path: &str, body: &str) -> Answer {
        http(&format!("http://{}/fhir", self.fhir), &self.token, method, path, body.as_bytes()).unwrap()
    }

    /// One request with head lines of its own, `Name: value` each with its line end.
    pub(crate) fn request(&self, method: &str, path: &str, lines: &str, body: &[u8]) -> std::io::Result<Answer> {
        let mut socket = TcpStream::connect(&self.fhir)?;
        socket.set_read_timeout(Some(Duration::from_secs(20)))?;
        let length = body.len();
        let close = "Connection: close\r\n\r\n";
        let head =
            format!("{method} {path} HTTP/1.1\r\nHost: {}\r\n{lines}Content-Length: {length}\r\n{close}", self.fhir);
        socket.write_all(head.as_bytes())?;
        socket.write_all(body)?;
        let mut all = Vec::new();
        socket.read_to_end(&mut all)?;
        let end = all.windows(4).position(|w| w == b"\r\n\r\n").ok_or(std::io::ErrorKind::UnexpectedEof)?;
        let head = String::from_utf8_lossy(&all[..end]).into_owned();
        let status = head.get(9..12).and_then(|s| s.parse().ok()).ok_or(std::io::ErrorKind::InvalidData)?;
        Ok(Answer { status, head, body: all[end + 4..].to_vec() })
    }

    /// Sends the bytes of a case: `<<token>>` and `<<host>>` are filled in, `<<x*3>>` is `xxx`, `<<pause>>` waits, `<<end>>` half-closes.
    pub(crate) fn send_raw(&self, socket: &mut TcpStream, raw: &[u8]) {
        let mut out: Vec<u8> = Vec::new();
        let mut rest = raw;
        while let Some(at) = rest.windows(2).position(|two| two == b"<<") {
            out.extend_from_slice(&rest[..at]);
            let end = at + rest[at..].windows(2).position(|two| two == b">>").unwrap();
            let word = std::str::from_utf8(&rest[at + 2..end]).unwrap();
            match word {
                "token" => out.extend_from_slice(self.token.as_bytes()),
                "host" => out.extend_from_slice(self.fhir.as_bytes()),
                "pause" | "end" => {
                    // The gateway may have closed already: that is what some cases are about.
                    let _told = socket.write_all(&std::mem::take(&mut out));
                    if word == "end" {
                        socket.shutdown(Shutdown::Write).unwrap();
                    } else {
                        std::thread::sleep(PAUSE);
                    }
                }
                _ => {
                    let (letter, times) = word.split_once('*').unwrap();
                    out.extend_from_slice(letter.repeat(times.parse().unwrap()).as_bytes());
                }
            }
            rest = &rest[end + 2..];
        }
        out.extend_from_slice(rest);
        let _told = socket.write_all(&out);
    }

    pub(crate) fn metrics(&self) -> String {
        let answer = http(&format!("http://{}/metrics", self.admin), "", "GET", "", b"").unwrap();
        assert_eq!(answer.status, 200);
        String::from_utf8(answer.body).unwrap()
    }

    pub(crate) fn tell(&self, signal: &str) {
        assert!(Command::new("kill").args([signal, &self.child.id().to_string()]).status().unwrap().success());
    }

    /// SIGTERM; the exit code.
    pub(crate) fn stop(mut self) -> Option<i32> {
        self.tell("-TERM");
        self.child.wait().unwrap().code()
    }

    /// SIGKILL.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Doors {
    fn drop(&mut self) {
        // A test that failed leaves its process behind otherwise; one that ended is gone already.
        let _gone = self.child.kill();
        let _ended = self.child.wait();
    }
}

/// A connection from an address of its own, so that the ledger tells the callers apart.
pub(crate) fn connect_from(from: IpAddr, to: &str) -> TcpStream {
    let to: SocketAddr = to.parse().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
    let stream = runtime.block_on(async {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::new(from, 0)).unwrap();
        socket.connect(to).await.unwrap().into_std().unwrap()
    });
    stream.set_nonblocking(false).unwrap();
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream
}

/// A folder of cases below `fixtures/hostile`, sorted by name.
pub(crate) fn cases(group: &str) -> Vec<(String, PathBuf)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/hostile").join(group);
    let mut cases: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), path))
        .collect();
    cases.sort();
    cases
}

/// Longer than the limits that the cases set.
const PAUSE: Duration = Duration::from_millis(900);
pub(crate) const NODE: &str = env!("CARGO_BIN_EXE_dukou-node");
/// Two paths of desks: `A-` and `B-`.
const IDENTITY: &str = "[identity]\nkey = \"keys/site.key\"\n\
    [[identity.terminal_group]]\nname = \"clinic\"\nterminals = [\"A-*\"]\n\
    [[identity.terminal_group]]\nname = \"radiology\"\nterminals = [\"B-*\"]\n";
