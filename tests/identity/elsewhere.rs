//! Other hospitals in a scene: FHIR servers of their own that the node asks for a person's history. One answers, another is silent.

use std::fs;
use std::io::Read;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::Value;

use super::ingest;
use crate::doors::trail::Trail;
use crate::node::Node;

/// One other hospital.
pub(super) struct Elsewhere {
    name: String,
    server: Server,
}

enum Server {
    /// A gateway of its own, with its own people and its own ledger.
    Answers(tempfile::TempDir, Node),
    /// Takes every connection and says nothing: what was asked lies in the socket until it is read.
    Silent(TcpListener),
}

impl Elsewhere {
    /// Starts the server that the scene describes and tells it what it is to know.
    pub(super) fn start(folder: &Path, scene: &Value) -> Elsewhere {
        let name = scene["name"].as_str().unwrap().to_owned();
        if scene["silent"] == true {
            return Elsewhere { name, server: Server::Silent(TcpListener::bind("127.0.0.1:0").unwrap()) };
        }
        let home = tempfile::tempdir().unwrap();
        let node = Node::start(home.path());
        for file in scene["ingest"].as_array().unwrap() {
            let answer = ingest(&node, folder, file.as_str().unwrap());
            assert_eq!(answer.status, 200, "{name}: {}", String::from_utf8_lossy(&answer.body));
        }
        Elsewhere { name, server: Server::Answers(home, node) }
    }

    /// Its section in the configuration of a site, and the secret that the section names.
    pub(super) fn section(&self, site: &Path, scene: &Value) -> String {
        let (base, token) = match &self.server {
            Server::Answers(_, node) => (node.fhir.clone(), node.token.clone()),
            Server::Silent(listener) => (format!("http://{}/fhir", listener.local_addr().unwrap()), "none".to_owned()),
        };
        let (name, systems) = (&self.name, &scene["systems"]);
        let file = site.join("tokens").join(name);
        fs::write(&file, token).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        format!(
            "\n[[identity.source]]\nname = \"{name}\"\nbase = \"{base}\"\ntoken = \"{}\"\nsystems = {systems}\n",
            file.display()
        )
    }

    /// Every question that reached it is one that the asking node's ledger holds, and tells the numbers it may be told, no others.
    pub(super) fn judge(self, scene: &Value, recorded: &[(String, String)]) {
        let name = self.name;
        let recorded = recorded.iter().filter(|(source, _)| *source == name).count();
        let reached = match self.server {
            Server::Answers(home, node) => {
                assert_eq!(node.stop(), Some(0), "{name}");
                let primaries = Trail::of(&Node::audit_folder(home.path())).primaries();
                primaries.iter().filter(|one| one.interaction == "batch" && one.status == 200).count()
            }
            Server::Silent(listener) => {
                let questions = heard(&listener);
                for question in &questions {
                    let holds = |number: &Value| question.contains(&escaped(number.as_str().unwrap()));
                    assert!(scene["told"].as_array().unwrap().iter().all(holds), "{name}: {question}");
                    assert!(!scene["untold"].as_array().unwrap().iter().any(holds), "{name}: {question}");
                }
                questions.len()
            }
        };
        assert_eq!(reached, recorded, "{name}: questions that reached it, and records of them");
    }
}

/// What lies in the socket of a silent server, a text each connection.
fn heard(listener: &TcpListener) -> Vec<String> {
    listener.set_nonblocking(true).unwrap();
    let connections = std::iter::from_fn(|| listener.accept().ok());
    let read = connections.map(|(mut socket, _)| {
        socket.set_nonblocking(false).unwrap();
        let mut bytes = Vec::new();
        socket.read_to_end(&mut bytes).unwrap();
        String::from_utf8(bytes).unwrap()
    });
    read.collect()
}

/// A number as it stands in a search: every byte escaped.
fn escaped(number: &str) -> String {
    number.bytes().map(|byte| format!("%{byte:02X}")).collect()
}
