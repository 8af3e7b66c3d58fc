//! Load over real sockets: keep-alive HTTP and MLLP, one thread a connection.

use std::error::Error;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A request as bytes.
pub(crate) fn request(method: &str, path: &str, token: &str, body: &[u8]) -> Vec<u8> {
    let mut bytes = format!(
        "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\nAccept: application/fhir+json\r\n\
         Content-Type: application/fhir+json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    )
    .into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

/// One answer on a fresh connection, head and body.
pub(crate) fn once(address: &str, request: &[u8]) -> Result<String, Box<dyn Error>> {
    let mut stream = TcpStream::connect(address)?;
    let mut answer = Vec::new();
    stream.write_all(request)?;
    receive(&mut stream, &mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// The same request again and again on several connections; how many answers came.
pub(crate) fn hammer(address: &str, request: &[u8], connections: usize, time: Duration) -> Result<u64, Box<dyn Error>> {
    let answers = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..connections {
            scope.spawn(|| {
                let Ok(mut stream) = TcpStream::connect(address) else { return };
                // Without it the answers wait for each other; the count shows it if it fails.
                let _best_effort = stream.set_nodelay(true);
                let (begun, mut answer) = (Instant::now(), Vec::new());
                while begun.elapsed() < time {
                    answer.clear();
                    if stream.write_all(request).and_then(|()| receive(&mut stream, &mut answer)).is_err() {
                        return;
                    }
                    if answer.starts_with(b"HTTP/1.1 200") {
                        answers.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    match answers.into_inner() {
        0 => Err("no answer with status 200".into()),
        n => Ok(n),
    }
}

/// Requests in turn on several connections; how long each answer with status 200 took, in microseconds.
pub(crate) fn timed(
    address: &str,
    requests: &[Vec<u8>],
    connections: usize,
    time: Duration,
) -> Result<Vec<u32>, Box<dyn Error>> {
    let times = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for connection in 0..connections {
            let times = &times;
            scope.spawn(move || {
                let Ok(mut stream) = TcpStream::connect(address) else { return };
                // Without it the answers wait for each other; the times show it if it fails.
                let _best_effort = stream.set_nodelay(true);
                let (begun, mut answer, mut own) = (Instant::now(), Vec::new(), Vec::new());
                for request in requests.iter().cycle().skip(connection * 61) {
                    let sent = Instant::now();
                    if sent - begun >= time {
                        break;
                    }
                    answer.clear();
                    if stream.write_all(request).and_then(|()| receive(&mut stream, &mut answer)).is_err() {
                        break;
                    }
                    if answer.starts_with(b"HTTP/1.1 200") {
                        own.push(u32::try_from(sent.elapsed().as_micros()).unwrap_or(u32::MAX));
                    }
                }
                times.lock().unwrap_or_else(PoisonError::into_inner).extend(own);
            });
        }
    });
    let times = times.into_inner().unwrap_or_else(PoisonError::into_inner);
    if times.is_empty() { Err("no answer with status 200".into()) } else { Ok(times) }
}

/// Messages with ids of their own on several connections; how many were acknowledged, in how many seconds.
pub(crate) fn messages(
    address: &str,
    message: &str,
    senders: usize,
    time: Duration,
) -> Result<(u64, f64), Box<dyn Error>> {
    let acknowledged = AtomicU64::new(0);
    let begun = Instant::now();
    std::thread::scope(|scope| {
        for sender in 0..senders {
            let acknowledged = &acknowledged;
            scope.spawn(move || {
                let Ok(mut stream) = TcpStream::connect(address) else { return };
                // Without it frames wait for each other; the count shows it if it fails.
                let _best_effort = stream.set_nodelay(true);
                let mut answer = vec![0; 4096];
                for n in 0_u64.. {
                    if begun.elapsed() > time {
                        return;
                    }
                    let id = format!("S{sender}N{n}");
                    let text = message
                        .replace("BENCH0001", &id)
                        .replace("10000001", &format!("3{sender:07}"))
                        .replace("000001", &id);
                    let frame = [b"\x0B", text.as_bytes(), b"\x1C\r"].concat();
                    if stream.write_all(&frame).is_err() {
                        return;
                    }
                    match stream.read(&mut answer) {
                        Ok(len) if answer[..len].windows(7).any(|w| w == b"MSA|AA|") => {
                            acknowledged.fetch_add(1, Ordering::Relaxed)
                        }
                        _ => return,
                    };
                }
            });
        }
    });
    match acknowledged.into_inner() {
        0 => Err("no message was acknowledged".into()),
        n => Ok((n, begun.elapsed().as_secs_f64())),
    }
}

/// Reads one answer by its Content-Length.
fn receive(stream: &mut TcpStream, answer: &mut Vec<u8>) -> io::Result<()> {
    let mut buffer = [0; 16 * 1024];
    loop {
        let n = stream.read(&mut buffer)?;
        if n == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        answer.extend_from_slice(&buffer[..n]);
        let Some(end) = answer.windows(4).position(|w| w == b"\r\n\r\n") else { continue };
        let head = String::from_utf8_lossy(&answer[..end]).to_ascii_lowercase();
        let length =
            head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok()).unwrap_or(0);
        if answer.len() >= end + 4 + length {
            return Ok(());
        }
    }
}
