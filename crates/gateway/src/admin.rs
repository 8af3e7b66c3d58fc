//! The operators' listener: `/health`, `/ready`, `/metrics`. It answers when the gate is closed and shows no patient data.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode, header};
use hyper_util::rt::TokioIo;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::site::Site;

/// Serves the probes until the node stops.
pub(crate) async fn serve(
    listener: TcpListener,
    site: Arc<Site>,
    metrics: PrometheusHandle,
    mut stop: watch::Receiver<bool>,
) {
    let mut connections = tokio::task::JoinSet::new();
    loop {
        let stream = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                // Out of file handles: waiting a little is all that can be done.
                Err(_) => { tokio::time::sleep(ACCEPT_PAUSE).await; continue; }
            },
            _ = stop.changed() => break,
        };
        while connections.len() >= CONNECTIONS_MAX {
            connections.join_next().await;
        }
        let (site, metrics) = (Arc::clone(&site), metrics.clone());
        connections.spawn(async move {
            let service = service_fn(move |request: Request<Incoming>| {
                let answer = site.gate.probe(answer(&request, &site, &metrics)).into_inner();
                async move { Ok::<_, Infallible>(answer) }
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
        "/health" => (StatusCode::OK, "text/plain; charset=utf-8", "alive\n".to_owned()),
        "/ready" => match site.standing() {
            Ok(()) => (StatusCode::OK, "text/plain; charset=utf-8", "ready\n".to_owned()),
            Err(why) => (StatusCode::SERVICE_UNAVAILABLE, "text/plain; charset=utf-8", format!("not ready: {why}\n")),
        },
        "/metrics" => {
            site.publish_metrics();
            (StatusCode::OK, "text/plain; version=0.0.4; charset=utf-8", metrics.render())
        }
        _ => (StatusCode::NOT_FOUND, "text/plain; charset=utf-8", "/health, /ready, /metrics\n".to_owned()),
    };
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static(kind));
    response
}

const CONNECTIONS_MAX: usize = 32;
const ACCEPT_PAUSE: std::time::Duration = std::time::Duration::from_millis(50);
