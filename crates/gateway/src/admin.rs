//! The operators' listener: `/health`, `/ready`, `/metrics`, and `POST /maps/reload` from the same host. It answers when the
//! gate is closed and shows no patient data.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use dukou_api::Crew;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode, header};
use hyper_util::rt::TokioIo;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::reload::{Reload, ReloadError};
use crate::site::Site;

/// Serves the probes until the node stops.
pub(crate) async fn serve(
    listener: TcpListener,
    site: Arc<Site>,
    readers: Arc<Crew>,
    metrics: PrometheusHandle,
    mut stop: watch::Receiver<bool>,
) {
    let mut connections = tokio::task::JoinSet::new();
    loop {
        let (stream, from) = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                // Out of file handles: waiting a little is all that can be done.
                Err(_) => { tokio::time::sleep(ACCEPT_PAUSE).await; continue; }
            },
            _ = stop.changed() => break,
        };
        while connections.len() >= CONNECTIONS_MAX {
            connections.join_next().await;
        }
        let (site, readers, metrics) = (Arc::clone(&site), Arc::clone(&readers), metrics.clone());
        connections.spawn(async move {
            let service = service_fn(move |request: Request<Incoming>| {
                let (site, readers, metrics) = (Arc::clone(&site), Arc::clone(&readers), metrics.clone());
                async move {
                    let answer = match (request.method(), request.uri().path()) {
                        (&Method::POST, "/maps/reload") if from.ip().is_loopback() => reload(&site, &readers).await,
                        _ => answer(&request, &site, &metrics),
                    };
                    Ok::<_, Infallible>(site.gate.probe(answer).into_inner())
                }
            });
            let http = hyper::server::conn::http1::Builder::new();
            if let Err(error) = http.serve_connection(TokioIo::new(stream), service).await {
                tracing::debug!(%error, "a probe's connection broke");
            }
        });
    }
    connections.shutdown().await;
}

fn answer(request: &Request<Incoming>, site: &Site, metrics: &PrometheusHandle) -> Response<Full<Bytes>> {
    let (status, kind, body) = match request.uri().path() {
        "/health" => (StatusCode::OK, TEXT, health(site)),
        "/ready" => match site.standing() {
            Ok(()) => (StatusCode::OK, TEXT, "ready\n".to_owned()),
            Err(why) => (StatusCode::SERVICE_UNAVAILABLE, TEXT, format!("not ready: {why}\n")),
        },
        "/metrics" => {
            site.publish_metrics();
            (StatusCode::OK, "text/plain; version=0.0.4; charset=utf-8", metrics.render())
        }
        _ => {
            let known = "/health, /ready, /metrics; POST /maps/reload from this host\n";
            (StatusCode::NOT_FOUND, TEXT, known.to_owned())
        }
    };
    respond(status, kind, body)
}

/// Alive, with a note where the last maps were refused: the node works, but not with what somebody meant it to.
fn health(site: &Site) -> String {
    match site.plans.refusal() {
        None => "alive\n".to_owned(),
        Some(why) => {
            format!("alive\nthe last reload of the maps was refused; {} is in use: {why}\n", site.plans.hash())
        }
    }
}

/// Reads the maps again and says what came of it.
async fn reload(site: &Arc<Site>, readers: &Crew) -> Response<Full<Bytes>> {
    let job = Arc::clone(site);
    let done = match readers.hand(move || job.plans.reload(&job.gate)) {
        Ok(done) => done.await,
        Err(busy) => return respond(StatusCode::SERVICE_UNAVAILABLE, TEXT, format!("{busy}\n")),
    };
    match done {
        Ok(Ok(Reload::Taken(hash))) => respond(StatusCode::OK, TEXT, format!("taken {hash}\n")),
        Ok(Ok(Reload::Same(hash))) => respond(StatusCode::OK, TEXT, format!("same {hash}\n")),
        Ok(Err(ReloadError::Faults(found))) => {
            let shown: Vec<String> = found.iter().map(ToString::to_string).collect();
            respond(StatusCode::UNPROCESSABLE_ENTITY, TEXT, format!("refused\n{}\n", shown.join("\n\n")))
        }
        Ok(Err(error)) => respond(StatusCode::UNPROCESSABLE_ENTITY, TEXT, format!("refused\n{error}\n")),
        Err(_) => respond(StatusCode::SERVICE_UNAVAILABLE, TEXT, "the node is stopping\n".to_owned()),
    }
}

fn respond(status: StatusCode, kind: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static(kind));
    response
}

const TEXT: &str = "text/plain; charset=utf-8";
const CONNECTIONS_MAX: usize = 32;
const ACCEPT_PAUSE: std::time::Duration = std::time::Duration::from_millis(50);
