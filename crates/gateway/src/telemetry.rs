//! Logs and traces for operators. They may be lost and carry no patient data; the ledger is another thing.
//!
//! Traces leave by OTLP over HTTP to the one collector that the configuration names. The exporter runs on its own thread and
//! a slow collector costs spans, never requests.

use std::future::Future;
use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::pin::Pin;
use std::time::Duration;

use opentelemetry::trace::TracerProvider;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, fmt};

use crate::config::Telemetry as Settings;

/// Keeps the exporter alive; dropping it sends what is left, bounded in time.
pub(crate) struct Telemetry {
    provider: Option<SdkTracerProvider>,
}

/// Why telemetry cannot start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TelemetryError {
    /// The filter does not parse.
    #[error("reading telemetry.log '{0}': write a level such as info, or target=level")]
    Filter(String),
    /// Only plain HTTP to a collector beside the gateway is spoken.
    #[error("reading telemetry.otlp_traces '{0}': write http://host:port/path of a collector")]
    Endpoint(String),
    /// The exporter refused its settings.
    #[error("starting the trace exporter")]
    Exporter(#[source] opentelemetry_otlp::ExporterBuildError),
}

impl Telemetry {
    /// Installs the subscriber of this process. A second call in one process keeps the first.
    pub(crate) fn start(settings: &Settings) -> Result<Self, TelemetryError> {
        let filter = EnvFilter::try_new(&settings.log).map_err(|_| TelemetryError::Filter(settings.log.clone()))?;
        let lines = if settings.log_format == "json" {
            fmt::layer().json().with_writer(std::io::stderr).boxed()
        } else {
            fmt::layer().with_target(true).with_writer(std::io::stderr).boxed()
        };
        let provider =
            settings.otlp_traces.as_deref().map(|url| exporter(url, settings.otlp_sample_percent)).transpose()?;
        let spans = provider.as_ref().map(|p| tracing_opentelemetry::layer().with_tracer(p.tracer("dukou")));
        // A second subscriber is refused by design of `tracing`; the first one goes on serving.
        let _kept = tracing_subscriber::registry().with(spans).with(lines.with_filter(filter)).try_init();
        Ok(Self { provider })
    }
}

impl Drop for Telemetry {
    fn drop(&mut self) {
        if let Some(provider) = self.provider.take()
            && let Err(error) = provider.shutdown()
        {
            tracing::warn!(%error, "the last spans were not delivered");
        }
    }
}

fn exporter(url: &str, percent: u8) -> Result<SdkTracerProvider, TelemetryError> {
    let collector = Collector::parse(url).ok_or_else(|| TelemetryError::Endpoint(url.to_owned()))?;
    let exporter = SpanExporter::builder()
        .with_http()
        .with_http_client(collector)
        .with_endpoint(url)
        .with_timeout(EXPORT_TIMEOUT)
        .build()
        .map_err(TelemetryError::Exporter)?;
    let share = f64::from(percent.min(100)) / 100.0;
    Ok(SdkTracerProvider::builder()
        .with_batch_exporter(exporter)
        .with_sampler(Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(share))))
        .with_resource(Resource::builder().with_service_name("dukou").build())
        .build())
}

/// One POST a batch on a fresh connection, on the exporter's own thread. A collector on the same host needs no more.
#[derive(Debug)]
struct Collector {
    authority: String,
}

impl Collector {
    fn parse(url: &str) -> Option<Self> {
        let rest = url.strip_prefix("http://")?;
        let authority = rest.split('/').next().filter(|a| !a.is_empty())?;
        let authority = if authority.contains(':') { authority.to_owned() } else { format!("{authority}:80") };
        Some(Self { authority })
    }

    fn post(&self, request: &Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let address = self.authority.to_socket_addrs()?.next().ok_or("the collector's name has no address")?;
        let mut socket = TcpStream::connect_timeout(&address, EXPORT_TIMEOUT)?;
        socket.set_read_timeout(Some(EXPORT_TIMEOUT))?;
        socket.set_write_timeout(Some(EXPORT_TIMEOUT))?;
        let path = request.uri().path_and_query().map_or("/", |p| p.as_str());
        let mut head = format!(
            "POST {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Length: {}\r\n",
            self.authority,
            request.body().len()
        );
        for (name, value) in request.headers() {
            if let Ok(value) = value.to_str() {
                head.push_str(&format!("{name}: {value}\r\n"));
            }
        }
        head.push_str("\r\n");
        socket.write_all(head.as_bytes())?;
        socket.write_all(request.body())?;
        let mut answer = Vec::new();
        socket.take(ANSWER_BYTES_MAX).read_to_end(&mut answer)?;
        let status = answer.get(9..12).and_then(|s| std::str::from_utf8(s).ok()).and_then(|s| s.parse::<u16>().ok());
        Ok(Response::builder().status(status.ok_or("the collector's answer is not HTTP")?).body(Bytes::new())?)
    }
}

impl HttpClient for Collector {
    fn send_bytes<'a, 'f>(
        &'a self,
        request: Request<Bytes>,
    ) -> Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'f>>
    where
        'a: 'f,
        Self: 'f,
    {
        Box::pin(async move { self.post(&request) })
    }
}

const EXPORT_TIMEOUT: Duration = Duration::from_secs(5);
const ANSWER_BYTES_MAX: u64 = 64 * 1024;
