//! The limit that a read is held against: hyper, the same number of bytes, one grouped `fdatasync` of 350 bytes before each answer.

use std::convert::Infallible;
use std::error::Error;
use std::sync::mpsc;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::sync::oneshot;

/// Serves until the process is killed.
pub(crate) fn serve(address: &str, length: usize, sync: bool) -> Result<(), Box<dyn Error>> {
    let body = Bytes::from(vec![b'x'; length.saturating_sub(120)]);
    let (queue, waiting) = mpsc::channel::<oneshot::Sender<()>>();
    std::thread::spawn(move || write(&waiting));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async move {
        let listener = tokio::net::TcpListener::bind(address).await?;
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let (body, queue) = (body.clone(), queue.clone());
            tokio::spawn(async move {
                let service = service_fn(move |_: Request<Incoming>| {
                    let (body, queue) = (body.clone(), queue.clone());
                    async move {
                        if sync {
                            let (done, durable) = oneshot::channel();
                            // The writer lives as long as the process; a lost wait would only make the limit faster.
                            let _queued = queue.send(done);
                            let _synced = durable.await;
                        }
                        Ok::<_, Infallible>(Response::new(Full::new(body)))
                    }
                });
                // A client that goes away ends its connection, nothing else.
                let _ended =
                    hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
            });
        }
    })
}

/// Natural group commit: what arrived during the last sync shares the next one.
fn write(waiting: &mpsc::Receiver<oneshot::Sender<()>>) {
    use std::os::unix::fs::FileExt;
    let Ok(file) = tempfile::tempfile() else { return };
    let mut at = 0;
    if file.write_all_at(&vec![0; 64 << 20], 0).and_then(|()| file.sync_all()).is_err() {
        return;
    }
    while let Ok(first) = waiting.recv() {
        let mut group = vec![first];
        group.extend(waiting.try_iter());
        let bytes = vec![7; 350 * group.len()];
        if file.write_all_at(&bytes, at).and_then(|()| file.sync_data()).is_err() {
            return;
        }
        at = (at + bytes.len() as u64) % (60 << 20);
        for done in group {
            // The client may be gone.
            let _answered = done.send(());
        }
    }
}
