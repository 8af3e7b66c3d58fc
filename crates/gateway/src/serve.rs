//! Runs a node: opens it, opens its doors, keeps it, and stops it without losing anything.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use dukou_access::Channel;
use dukou_api::Crew;
use dukou_audit::{Interaction, Peer, Summary};
use dukou_exchange::{Arrival, IngestStep, Link};
use dukou_fhir::Instant;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use crate::config::{Config, MllpListener};
use crate::mllp::{Caller, Door};
use crate::site::{EXIT_TRY_AGAIN, Site, SiteError};
use crate::telemetry::{Telemetry, TelemetryError};
use crate::tls::{self, TlsError};
use crate::{admin, http};

/// A node whose doors are open.
pub(crate) struct Running {
    /// Its parts.
    pub(crate) site: Arc<Site>,
    /// Where FHIR is served.
    pub(crate) fhir: SocketAddr,
    /// Where the probes are served.
    pub(crate) admin: SocketAddr,
    /// Where messages come in, in the order of the configuration.
    pub(crate) mllp: Vec<SocketAddr>,
    /// Turns true when the node stops.
    pub(crate) stop: watch::Receiver<bool>,
}

/// Named threads for what blocks; a long search never holds one that a write needs.
#[derive(Clone)]
struct Crews {
    readers: Arc<Crew>,
    writers: Arc<Crew>,
}

/// Why a node does not serve.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ServeError {
    /// Its parts do not open.
    #[error("opening the node")]
    Site(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// An address cannot be had.
    #[error("listening on {address}: change the address in the configuration, or stop what uses it (ss -ltnp)")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// Telemetry does not start.
    #[error("starting telemetry")]
    Telemetry(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A listener's TLS cannot be set up.
    #[error("setting up TLS")]
    Tls(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Threads or the runtime cannot be started.
    #[error("starting threads")]
    Threads(#[source] std::io::Error),
}

impl From<SiteError> for ServeError {
    fn from(error: SiteError) -> Self {
        Self::Site(Box::new(error))
    }
}

impl From<TelemetryError> for ServeError {
    fn from(error: TelemetryError) -> Self {
        Self::Telemetry(Box::new(error))
    }
}

impl From<TlsError> for ServeError {
    fn from(error: TlsError) -> Self {
        Self::Tls(Box::new(error))
    }
}

/// Serves until SIGTERM or SIGINT.
pub(crate) fn run(config: &Config) -> Result<ExitCode, ServeError> {
    with_runtime(config, async |running: Running| {
        tracing::info!(fhir = %running.fhir, admin = %running.admin, mllp = ?running.mllp, "serving");
        running.until_stopped().await;
        Ok::<(), ServeError>(())
    })
}

impl Running {
    /// Ends when the node is told to stop.
    pub(crate) async fn until_stopped(mut self) {
        // An error means that the sender is gone: the node is stopping as well.
        let _changed = self.stop.wait_for(|stop| *stop).await;
    }
}

/// Opens a node, runs `body` beside its doors, and stops everything when it ends or a signal comes.
pub(crate) fn with_runtime<E>(config: &Config, body: impl AsyncFnOnce(Running) -> Result<(), E>) -> Result<ExitCode, E>
where
    E: From<ServeError>,
{
    let telemetry = Telemetry::start(&config.telemetry).map_err(ServeError::from)?;
    // A second recorder in one process is refused; its own handle then counts for itself.
    let metrics = PrometheusBuilder::new()
        .install_recorder()
        .unwrap_or_else(|_| PrometheusBuilder::new().build_recorder().handle());
    let site = Arc::new(Site::open(config).map_err(ServeError::from)?);
    let limits = &config.limits;
    let writers = Crew::start("dukou-writer", limits.writer_threads, limits.crew_queue).map_err(ServeError::Threads)?;
    let readers = Crew::start("dukou-reader", limits.reader_threads, limits.crew_queue).map_err(ServeError::Threads)?;
    let crews = Crews { readers: Arc::new(readers), writers: Arc::new(writers) };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_name("dukou-worker")
        .build()
        .map_err(ServeError::Threads)?;
    let code = runtime.block_on(serve(config, Arc::clone(&site), crews.clone(), metrics, body))?;
    // What was taken is finished before the ledger closes; then nothing can be answered any more.
    crews.readers.stop();
    crews.writers.stop();
    site.stop();
    runtime.shutdown_timeout(Duration::from_secs(1));
    drop(telemetry);
    Ok(code)
}

async fn serve<E: From<ServeError>>(
    config: &Config,
    site: Arc<Site>,
    crews: Crews,
    metrics: PrometheusHandle,
    body: impl AsyncFnOnce(Running) -> Result<(), E>,
) -> Result<ExitCode, E> {
    let (stop_sender, stop) = watch::channel(false);
    // Whoever finds a door open may end the node in good order.
    let caught = Signals::catch();
    let (admin_listener, admin_at) = listen(config.listen.admin).await?;
    let (fhir_listener, fhir_at) = listen(config.listen.fhir.address).await?;
    let mut doors = JoinSet::new();
    let places = Arc::new(Semaphore::new(config.limits.connections_max));
    let readers = Arc::clone(&crews.readers);
    doors.spawn(admin::serve(admin_listener, Arc::clone(&site), readers, metrics, stop.clone()));
    let front = http::Front::new(config, &site, Arc::clone(&crews.readers), Arc::clone(&crews.writers))
        .map_err(ServeError::from)?;
    doors.spawn(http::serve(fhir_listener, front, Arc::clone(&places), stop.clone()));
    let mut mllp = Vec::new();
    for settings in &config.mllp {
        let (listener, at) = listen(settings.address).await?;
        mllp.push(at);
        let door = door(config, settings, &site, &crews.writers)?;
        resume(&site, &crews.writers, &door.link).await;
        let acceptor =
            settings.tls.as_ref().map(|tls| tls::server_config(tls, &[])).transpose().map_err(ServeError::from)?;
        let peers = settings.peers.clone();
        doors.spawn(accept_mllp(
            listener,
            Arc::new(door),
            acceptor.map(TlsAcceptor::from),
            peers,
            Arc::clone(&places),
            stop.clone(),
        ));
    }
    let running = Running { site: Arc::clone(&site), fhir: fhir_at, admin: admin_at, mllp, stop: stop.clone() };
    let keeper = keep(Arc::clone(&site), Arc::clone(&crews.readers), stop_sender.clone());
    let told = signals(caught, stop_sender.clone(), Arc::clone(&site), Arc::clone(&crews.readers));
    let ended = tokio::select! {
        ended = body(running) => ended.map(|()| ExitCode::SUCCESS),
        () = told => Ok(ExitCode::SUCCESS),
        () = keeper => Ok(ExitCode::from(EXIT_TRY_AGAIN as u8)),
    };
    // Every door stops taking, finishes what it has, and is joined, bounded in time.
    stop_sender.send_replace(true);
    let grace = Duration::from_millis(config.limits.shutdown_ms_max);
    let joined = tokio::time::timeout(grace, async { while doors.join_next().await.is_some() {} }).await;
    if joined.is_err() {
        tracing::warn!("some connections did not end in time and were cut");
        doors.shutdown().await;
    }
    ended
}

/// Local time as a v2 timestamp, `20261120081500`.
pub(crate) fn local_time(site: &Site) -> String {
    dukou_exchange::v2_time(Instant::from_nanos(site.clock.wall_ns()), site.zone)[..14].to_owned()
}

async fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), ServeError> {
    let failed = |source| ServeError::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let at = listener.local_addr().map_err(failed)?;
    Ok((listener, at))
}

fn door(config: &Config, settings: &MllpListener, site: &Arc<Site>, crew: &Arc<Crew>) -> Result<Door, ServeError> {
    Ok(Door {
        site: Arc::clone(site),
        crew: Arc::clone(crew),
        name: settings.name.clone(),
        link: crate::site::link(settings, config.limits.frame_bytes_max)?,
        idle: Duration::from_millis(config.limits.idle_ms_max),
        frame: Duration::from_millis(config.limits.frame_ms_max),
    })
}

async fn accept_mllp(
    listener: TcpListener,
    door: Arc<Door>,
    tls: Option<TlsAcceptor>,
    peers: Vec<std::net::IpAddr>,
    places: Arc<Semaphore>,
    mut stop: watch::Receiver<bool>,
) {
    let mut connections = JoinSet::new();
    loop {
        let (stream, from) = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(_) => { tokio::time::sleep(ACCEPT_PAUSE).await; continue; }
            },
            _ = stop.changed() => break,
            Some(_ended) = connections.join_next() => continue,
        };
        let peer = Peer { address: from.ip().to_string(), port: from.port(), terminal: None };
        let gate = &door.site.gate;
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
            drop(gate.summarise(&peer, http::TOO_MANY, ()));
            continue;
        };
        if tls.is_none() && !from.ip().is_loopback() && !peers.contains(&from.ip()) {
            drop(gate.summarise(&peer, NOT_LISTED, ()));
            tracing::warn!(listener = %door.name, "a peer that is not in the list was turned away");
            continue;
        }
        // Small answers must not wait for each other; a socket that refuses the option still works.
        let _best_effort = stream.set_nodelay(true);
        let (door, tls, stop) = (Arc::clone(&door), tls.clone(), stop.clone());
        connections.spawn(async move {
            mllp_connection(stream, peer, door, tls, stop).await;
            drop(place);
        });
    }
    while connections.join_next().await.is_some() {}
}

async fn mllp_connection(
    stream: TcpStream,
    peer: Peer,
    door: Arc<Door>,
    tls: Option<TlsAcceptor>,
    mut stop: watch::Receiver<bool>,
) {
    let Some(acceptor) = tls else {
        let loopback = stream.peer_addr().is_ok_and(|from| from.ip().is_loopback());
        let channel = if loopback { Channel::Loopback } else { Channel::Plain };
        return door.serve(stream, Caller { peer, certificate: None, channel }, stop).await;
    };
    let shaken = tokio::select! {
        shaken = tokio::time::timeout(HANDSHAKE_MAX, acceptor.accept(stream)) => shaken,
        _ = stop.changed() => return,
    };
    match shaken {
        Ok(Ok(stream)) => {
            let certificate = tls::peer_certificate(stream.get_ref().1);
            let channel = if certificate.is_some() { Channel::MutualTls } else { Channel::Tls };
            door.serve(stream, Caller { peer, certificate, channel }, stop).await;
        }
        Ok(Err(_)) | Err(_) => drop(door.site.gate.summarise(&peer, http::BAD_TLS, ())),
    }
}

/// Enhanced mode: messages that were accepted (CA) and not applied when the process ended are applied now.
async fn resume(site: &Arc<Site>, crew: &Arc<Crew>, link: &Link) {
    let (site, link) = (Arc::clone(site), link.clone());
    let job = crew.hand(move || {
        for (client, raw) in crate::mllp::unfinished(&site, &link) {
            let arrival = Arrival::open(&raw, &client, &link);
            let mut access = site.own_access(Interaction::Ingest);
            access.message = Some(arrival.reference());
            if !crate::mllp::apply_again(&site, access, &arrival, IngestStep::Apply) {
                tracing::warn!("a message accepted before the restart could not be applied yet");
            }
        }
    });
    if let Ok(job) = job {
        // The job logs its own failures.
        let _done = job.await;
    }
}

/// Every second the node is tidied; ends only when a disk failed.
async fn keep(site: Arc<Site>, crew: Arc<Crew>, stop: watch::Sender<bool>) {
    let mut second = tokio::time::interval(Duration::from_secs(1));
    loop {
        second.tick().await;
        if *stop.borrow() {
            std::future::pending::<()>().await;
        }
        let site = Arc::clone(&site);
        if let Ok(job) = crew.hand(move || site.keep())
            && let Ok(false) = job.await
        {
            tracing::error!("the store's disk failed; a restart is needed");
            return;
        }
    }
}

/// The signals that a node obeys.
struct Signals {
    term: Signal,
    int: Signal,
    hangup: Signal,
}

impl Signals {
    fn catch() -> std::io::Result<Signals> {
        let [term, int, hangup] = [SignalKind::terminate(), SignalKind::interrupt(), SignalKind::hangup()].map(signal);
        Ok(Signals { term: term?, int: int?, hangup: hangup? })
    }
}

/// Ends at SIGTERM or SIGINT; a second one ends the process at once. SIGHUP reads the maps again.
async fn signals(caught: std::io::Result<Signals>, stop: watch::Sender<bool>, site: Arc<Site>, crew: Arc<Crew>) {
    let Ok(Signals { mut term, mut int, mut hangup }) = caught else {
        tracing::error!("signals cannot be caught; end the process by hand");
        return std::future::pending().await;
    };
    loop {
        tokio::select! {
            _ = term.recv() => break,
            _ = int.recv() => break,
            _ = hangup.recv() => {
                let site = Arc::clone(&site);
                // What came of it stands in the log.
                let handed = crew.hand(move || drop(site.plans.reload(&site.gate)));
                if handed.is_err() {
                    tracing::warn!("no thread is free to read the maps again: send SIGHUP once more");
                }
            }
        }
    }
    stop.send_replace(true);
}

const NOT_LISTED: Summary = Summary { what: "peer-not-listed", status: 0, route: crate::mllp::MLLP_ROUTE };
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
const HANDSHAKE_MAX: Duration = Duration::from_secs(10);
