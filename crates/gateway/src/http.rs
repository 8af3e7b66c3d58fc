//! The HTTP listener: sockets, TLS and time-outs around the door in `api`.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use dukou_access::Channel;
use dukou_api::{ClientCertificate, Connection, Crew, CursorKey, Desk, Links, Runtime, Service};
use dukou_audit::{Gate, Peer, Released, Summary};
use dukou_exchange::Link;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{CONNECTION, HOST, HeaderValue};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode, Version};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use crate::config::Config;
use crate::line::{Line, Open, Waits};
use crate::site::Site;
use crate::tls::{self, TlsError};

/// One HTTP listener with the door behind it.
pub(crate) struct Front {
    service: Arc<Service>,
    gate: Gate,
    tls: Option<TlsAcceptor>,
    http: Builder<TokioExecutor>,
    waits: Waits,
}

impl Front {
    /// The door over the parts of a node.
    pub(crate) fn new(
        config: &Config,
        site: &Arc<Site>,
        readers: Arc<Crew>,
        writers: Arc<Crew>,
    ) -> Result<Front, TlsError> {
        let tls =
            config.listen.fhir.tls.as_ref().map(|tls| tls::server_config(tls, &[b"h2", b"http/1.1"])).transpose()?;
        let mut key = [0_u8; 32];
        site.random.fill(&mut key);
        let limits = dukou_api::Limits {
            body_bytes_max: config.limits.body_bytes_max,
            bundle_bytes_max: config.limits.bundle_bytes_max,
            bundle_entries_max: config.limits.bundle_entries_max,
            body_ms_max: config.limits.body_ms_max,
            ..dukou_api::Limits::default()
        };
        let runtime = Runtime {
            clock: Arc::clone(&site.clock),
            random: Arc::clone(&site.random),
            prefix: "/fhir".to_owned(),
            public_base: config.node.public_base.clone(),
            cursor_key: CursorKey::new(key),
            origins: Vec::new(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            date: site.started(),
            limits,
        };
        let desk = Desk {
            exchange: Arc::clone(&site.exchange),
            gate: site.gate.clone(),
            policy: Arc::clone(&site.policy),
            meter: Arc::clone(&site.meter),
            links: links(config),
            readers,
            writers,
            runtime,
        };
        let service = Arc::new(Service::new(desk));
        let waits = Waits {
            head: Duration::from_millis(config.limits.head_ms_max),
            idle: Duration::from_millis(config.limits.idle_ms_max),
        };
        Ok(Front { service, gate: site.gate.clone(), tls: tls.map(TlsAcceptor::from), http: builder(), waits })
    }
}

/// Limits on heads, streams and buffers. What hyper refuses before a request exists is answered by hyper with 400 and a close.
fn builder() -> Builder<TokioExecutor> {
    let mut http = Builder::new(TokioExecutor::new());
    http.http1()
        .timer(TokioTimer::new())
        // hyper's own timer would cut connections that idle between two requests; `Line` tells the two apart.
        .header_read_timeout(None)
        .max_buf_size(HEAD_BYTES_MAX)
        .max_headers(HEAD_FIELDS_MAX);
    http.http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_MAX)
        .max_header_list_size(HEAD_BYTES_MAX as u32)
        .max_pending_accept_reset_streams(STREAM_RESETS_MAX);
    http
}

/// Messages over HTTP: UTF-8 in front, GB18030 where the bytes say so.
fn links(config: &Config) -> Links {
    let limits = dukou_wire::Limits { frame_bytes_max: config.limits.frame_bytes_max, ..dukou_wire::Limits::default() };
    let link = Link { name: "http".to_owned(), site: dukou_wire::Site::default(), limits, reuses_control_ids: false };
    Links { by_client: HashMap::new(), otherwise: Arc::new(link) }
}

/// Accepts connections until the node stops, then lets those open finish what they are answering.
pub(crate) async fn serve(
    listener: TcpListener,
    front: Front,
    places: Arc<Semaphore>,
    mut stop: watch::Receiver<bool>,
) {
    let front = Arc::new(front);
    let mut connections = JoinSet::new();
    loop {
        let (stream, from) = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                // Out of file handles: waiting a little is all that can be done.
                Err(_) => { tokio::time::sleep(ACCEPT_PAUSE).await; continue; }
            },
            Some(_ended) = connections.join_next() => continue,
            _ = stop.changed() => break,
        };
        // Beyond the limit a connection is dropped at once; a queue of them would only hide the overload.
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
            drop(front.gate.summarise(&peer(from), TOO_MANY, ()));
            continue;
        };
        let (front, stop) = (Arc::clone(&front), stop.clone());
        connections.spawn(async move {
            front.connection(stream, from, stop).await;
            drop(place);
        });
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

impl Front {
    async fn connection(self: Arc<Self>, stream: TcpStream, from: SocketAddr, mut stop: watch::Receiver<bool>) {
        // Small answers must not wait for each other; a socket that refuses the option still works.
        let _best_effort = stream.set_nodelay(true);
        let peer = peer(from);
        let Some(acceptor) = &self.tls else {
            let channel = if from.ip().is_loopback() { Channel::Loopback } else { Channel::Plain };
            let caller = Connection { peer, channel, certificate: None, https: false };
            return self.converse(stream, caller, stop).await;
        };
        let shaken = tokio::select! {
            shaken = tokio::time::timeout(HANDSHAKE_MAX, acceptor.accept(stream)) => shaken,
            _ = stop.changed() => return,
        };
        match shaken {
            Ok(Ok(stream)) => {
                let certificate = tls::peer_certificate(stream.get_ref().1);
                let certificate = certificate.map(|sha256| ClientCertificate { sha256, subject_dn: String::new() });
                let channel = if certificate.is_some() { Channel::MutualTls } else { Channel::Tls };
                self.converse(stream, Connection { peer, channel, certificate, https: true }, stop).await;
            }
            Ok(Err(_)) | Err(_) => drop(self.gate.summarise(&peer, BAD_TLS, ())),
        }
    }

    async fn converse<S>(&self, stream: S, caller: Connection, mut stop: watch::Receiver<bool>)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (peer, open) = (caller.peer.clone(), Open::default());
        let line = Line::new(stream, self.waits, open.clone());
        let (door, gate, counter) = (Arc::clone(&self.service), self.gate.clone(), open.clone());
        let service = service_fn(move |request: Request<Incoming>| {
            let (door, gate, caller, answering) = (Arc::clone(&door), gate.clone(), caller.clone(), counter.enter());
            // The only thing that goes to the socket is what the gate released.
            async move {
                let version = request.version();
                let released = if names_two_hosts(&request) {
                    gate.summarise(&caller.peer, BAD_HTTP, refusal())
                } else {
                    door.respond(request, &caller).await
                };
                drop(answering);
                Ok::<_, Infallible>(last_where_unread(Released::into_inner(released), version))
            }
        });
        let mut connection = pin!(self.http.serve_connection(TokioIo::new(line), service));
        let ended = tokio::select! {
            ended = connection.as_mut() => Some(ended),
            _ = stop.changed() => None,
        };
        let ended = match ended {
            Some(ended) => ended,
            None => {
                connection.as_mut().graceful_shutdown();
                // A peer in the middle of a head, or one that says nothing, has nothing to wait for.
                loop {
                    match tokio::time::timeout(LAST_WORDS, connection.as_mut()).await {
                        Ok(ended) => break ended,
                        Err(_) if open.idle() => break Ok(()),
                        Err(_) => {}
                    }
                }
            }
        };
        if let Err(error) = ended
            && let Some(status) = error.downcast_ref::<hyper::Error>().and_then(fault_of_the_peer)
        {
            // hyper has answered and closed; what is left is the count.
            drop(self.gate.summarise(&peer, Summary { status, ..BAD_HTTP }, ()));
        }
    }
}

/// The status that hyper answered a broken stream with, 0 over HTTP/2; none where the connection merely ended.
fn fault_of_the_peer(error: &hyper::Error) -> Option<u16> {
    let ended = error.is_incomplete_message() || error.is_closed() || error.is_canceled() || error.is_shutdown();
    let broke = std::error::Error::source(error).is_some_and(<dyn std::error::Error>::is::<std::io::Error>);
    match error.is_parse() {
        true if error.is_parse_too_large() => Some(431),
        true => Some(400),
        false => (!ended && !broke).then_some(0),
    }
}

fn peer(from: SocketAddr) -> Peer {
    Peer { address: from.ip().to_string(), port: from.port(), terminal: None }
}

/// HTTP/2 names the host in `:authority`; a `Host` beside it must say the same (RFC 9113, 8.3.1). HTTP/1.1 was looked at before.
fn names_two_hosts(request: &Request<Incoming>) -> bool {
    let hosts: Vec<_> = request.headers().get_all(HOST).iter().collect();
    match (request.uri().authority(), hosts.as_slice()) {
        (_, [_, _, ..]) => true,
        (Some(authority), [host]) => !host.as_bytes().eq_ignore_ascii_case(authority.as_str().as_bytes()),
        _ => false,
    }
}

fn refusal() -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = StatusCode::BAD_REQUEST;
    response
}

/// Where a request was not read to its end, what follows on the connection is not the next request: it ends with the answer.
fn last_where_unread(mut response: Response<Full<Bytes>>, version: Version) -> Response<Full<Bytes>> {
    let unread = matches!(response.status().as_u16(), 408 | 413 | 414 | 431);
    if unread && version < Version::HTTP_2 {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

const BAD_HTTP: Summary = Summary { what: "bad-http", status: 400, route: 0 };
pub(crate) const TOO_MANY: Summary = Summary { what: "too-many-connections", status: 0, route: 0 };
pub(crate) const BAD_TLS: Summary = Summary { what: "bad-tls", status: 0, route: 0 };
const HEAD_BYTES_MAX: usize = 64 * 1024;
const HEAD_FIELDS_MAX: usize = 100;
const STREAMS_MAX: u32 = 128;
const STREAM_RESETS_MAX: usize = 20;
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// What an answer takes from the door into the socket's own buffer.
const LAST_WORDS: Duration = Duration::from_millis(100);
const HANDSHAKE_MAX: Duration = Duration::from_secs(10);
