//! What the benches of the doors set beside each other: the gateway and a bare hyper server, each a process of its own.

use std::error::Error;
use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use dukou_benches::resident_mib;

type Outcome<T> = Result<T, Box<dyn Error>>;

/// The gateway as a process of its own.
pub(crate) struct Gateway {
    child: Child,
    pub(crate) fhir: String,
    pub(crate) mllp: String,
    pub(crate) token: String,
    pub(crate) ready: Duration,
    pub(crate) idle_mib: f64,
}

impl Gateway {
    /// Starts it over an empty folder.
    pub(crate) fn start(site: PathBuf, info: PathBuf) -> Outcome<Self> {
        let program =
            std::env::current_exe()?.parent().and_then(|deps| deps.parent()).ok_or("no target folder")?.join("dukou");
        if !program.exists() {
            return Err(format!("{} is missing: run cargo build --release first", program.display()).into());
        }
        let begun = Instant::now();
        let mut command = Command::new(program);
        command.args(["demo", "--quiet", "--any-port", "--messages", "0", "--data"]).arg(site).arg("--info").arg(&info);
        let child = command.stdout(Stdio::null()).stderr(Stdio::inherit()).spawn()?;
        while !info.exists() {
            if begun.elapsed() > Duration::from_secs(30) {
                return Err("the gateway does not come up".into());
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        let ready = begun.elapsed();
        std::thread::sleep(Duration::from_secs(2));
        let text: serde_json::Value = serde_json::from_str(&fs::read_to_string(&info)?)?;
        let field = |name: &str| text[name].as_str().unwrap_or_default().to_owned();
        let token = text["tokens"]["system"].as_str().unwrap_or_default().to_owned();
        let idle_mib = resident_mib(child.id());
        Ok(Self { child, fhir: field("fhir"), mllp: field("mllp"), token, ready, idle_mib })
    }

    pub(crate) fn process(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        // The process may have ended by itself; then there is nothing to stop.
        let _gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// A bare hyper server as a process of its own.
pub(crate) struct Echo {
    child: Child,
    pub(crate) address: String,
}

impl Echo {
    /// Starts it; `sync` waits for a grouped sync before each answer, `bare` does not.
    pub(crate) fn start(length: usize, mode: &str) -> Outcome<Self> {
        let address = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string();
        let child =
            Command::new(std::env::current_exe()?).args(["echo", &address, &length.to_string(), mode]).spawn()?;
        std::thread::sleep(Duration::from_millis(300));
        Ok(Self { child, address })
    }

    pub(crate) fn process(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        // Killing a process that is gone fails, which is as good.
        let _gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// The middle one.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}
