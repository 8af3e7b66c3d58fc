//! `dukou demo`: one command, a whole gateway on loopback, four simulated systems that send real messages over real sockets.

mod screen;
mod traffic;

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use dukou_wire::mllp;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;

use crate::clock::SystemRandom;
use crate::command::init::{self, InitError, Plan, TOKEN_CLIENTS};
use crate::config::{Config, ConfigError};
use crate::serve::{Running, ServeError};
use crate::site::Site;
use screen::Screen;
use traffic::Sender;

/// What the demo may be told.
#[derive(Debug, clap::Args)]
pub(crate) struct Demo {
    /// Folder for the demo's site; a temporary one otherwise.
    #[arg(long)]
    data: Option<PathBuf>,
    /// File that gets addresses and tokens as JSON when the demo is ready.
    #[arg(long)]
    info: Option<PathBuf>,
    /// Take any free ports, new ones at each start, instead of 8080, 2575 and 8081.
    #[arg(long)]
    any_port: bool,
    /// Print nothing but errors.
    #[arg(long)]
    quiet: bool,
    /// Milliseconds between two messages of one simulated system.
    #[arg(long, default_value_t = 1_500)]
    pace_ms: u64,
    /// Messages that each simulated system sends; without it they send until the end.
    #[arg(long)]
    messages: Option<usize>,
}

/// Why the demo cannot run.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DemoError {
    /// The site cannot be written.
    #[error("writing the demo's site")]
    Init(#[from] InitError),
    /// Its configuration cannot be read again.
    #[error("reading the demo's configuration")]
    Config(#[from] ConfigError),
    /// It cannot be served.
    #[error("serving the demo")]
    Serve(#[from] ServeError),
    /// A file or socket failed.
    #[error("using {}", path.display())]
    Io {
        /// The path or address.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

impl Demo {
    /// Runs until SIGTERM or Ctrl-C.
    pub(crate) fn run(&self) -> Result<ExitCode, DemoError> {
        let dir = match &self.data {
            Some(dir) => dir.clone(),
            None => std::env::temp_dir().join(format!("dukou-demo-{}", std::process::id())),
        };
        let config = site(&dir, self.any_port)?;
        let screen = Screen::new(self.quiet);
        let tokens = tokens(&dir)?;
        let outcome = crate::serve::with_runtime(&config, async |running: Running| {
            screen.welcome(&running, &tokens);
            if let Some(file) = &self.info {
                write_info(file, &running, &config, &tokens)?;
            }
            let senders = Sender::ALL.map(|sender| {
                let walk = Walk {
                    sender,
                    to: running.mllp[0],
                    pace: Duration::from_millis(self.pace_ms),
                    limit: self.messages.unwrap_or(usize::MAX),
                };
                tokio::spawn(walk.send(std::sync::Arc::clone(&running.site), screen, running.stop.clone()))
            });
            running.until_stopped().await;
            for sender in senders {
                // A sender that panicked has nothing to hand over; the node's own end counts.
                let _ended = sender.await;
            }
            Ok::<(), DemoError>(())
        })?;
        if self.data.is_none() {
            // A temporary folder that cannot be removed is the system's to clean.
            let _left = std::fs::remove_dir_all(&dir);
        }
        Ok(outcome)
    }
}

/// The demo's site: the one of a folder that has one, else a new one on the usual ports or on free ones.
fn site(dir: &Path, any_port: bool) -> Result<Config, DemoError> {
    let file = dir.join("dukou.toml");
    if !file.exists() {
        let [fhir, mllp, admin] = [8080, 2575, 8081].map(|wanted| port(if any_port { 0 } else { wanted }));
        let plan = Plan {
            site: "demo",
            maps: false,
            fhir: &fhir.to_string(),
            admin: &admin.to_string(),
            mllp: &mllp.to_string(),
            segment_bytes: 1 << 20,
            reserve_bytes: 1 << 20,
        };
        init::write_site(dir, &plan, &SystemRandom)?;
    }
    let mut config = Config::load(&file)?;
    config.telemetry.log = "warn".to_owned();
    Ok(config)
}

/// The wanted port on loopback, or 0 (any free one at each start) where it is taken.
fn port(wanted: u16) -> SocketAddr {
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, wanted)).is_ok();
    SocketAddr::from((Ipv4Addr::LOCALHOST, if free { wanted } else { 0 }))
}

/// The token of each client, as written in the site's files.
fn tokens(dir: &Path) -> Result<Vec<(&'static str, String)>, DemoError> {
    let read = |name: &'static str| {
        let path = dir.join("tokens").join(name);
        std::fs::read_to_string(&path)
            .map(|text| (name, text.trim().to_owned()))
            .map_err(|source| DemoError::Io { path, source })
    };
    TOKEN_CLIENTS.into_iter().map(read).collect()
}

fn write_info(file: &Path, running: &Running, config: &Config, tokens: &[(&str, String)]) -> Result<(), DemoError> {
    let tokens: serde_json::Map<String, serde_json::Value> =
        tokens.iter().map(|(name, token)| ((*name).to_owned(), token.clone().into())).collect();
    let info = serde_json::json!({
        "fhir": format!("http://{}/fhir", running.fhir),
        "mllp": running.mllp[0].to_string(),
        "admin": format!("http://{}", running.admin),
        "data": config.node.data.display().to_string(),
        "tokens": tokens,
    });
    // Whoever waits for the file must never read half of it.
    let half = file.with_extension("partial");
    let text = format!("{info:#}\n");
    std::fs::write(&half, text)
        .and_then(|()| std::fs::rename(&half, file))
        .map_err(|source| DemoError::Io { path: file.to_path_buf(), source })
}

/// One simulated system on its own connection.
struct Walk {
    sender: Sender,
    to: SocketAddr,
    pace: Duration,
    limit: usize,
}

impl Walk {
    async fn send(self, site: std::sync::Arc<Site>, screen: Screen, mut stop: watch::Receiver<bool>) {
        let mut connection = None;
        let mut sent = 0;
        while !*stop.borrow() && sent < self.limit {
            if connection.is_none() {
                connection = TcpStream::connect(self.to).await.ok();
            }
            if let Some(socket) = &mut connection {
                let now = crate::serve::local_time(site.as_ref());
                let message = self.sender.message(sent, &now);
                match exchange(socket, &message).await {
                    Ok(answer) => screen.arrived(self.sender, &message, &answer),
                    Err(_) => connection = None,
                }
                sent += 1;
            }
            tokio::select! {
                () = tokio::time::sleep(self.pace) => {}
                _ = stop.changed() => {}
            }
        }
    }
}

/// Sends one frame and waits for the frame that answers it.
async fn exchange(socket: &mut TcpStream, message: &[u8]) -> io::Result<Vec<u8>> {
    let mut out = Vec::with_capacity(message.len() + 3);
    mllp::encode(message, &mut out).map_err(io::Error::other)?;
    socket.write_all(&out).await?;
    let mut answer = Vec::new();
    let mut buffer = [0_u8; 4_096];
    while !answer.ends_with(&[0x1C, 0x0D]) {
        let n = socket.read(&mut buffer).await?;
        if n == 0 || answer.len() > ANSWER_BYTES_MAX {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        answer.extend_from_slice(&buffer[..n]);
    }
    Ok(answer)
}

const ANSWER_BYTES_MAX: usize = 1 << 20;
