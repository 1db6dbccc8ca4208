//! A class that comes in at once: encrypted connections that log in by SCRAM and then wait, and come back when the broker was killed.
//!
//! `CROWD=10000 cargo test --release --test crowd -- --nocapture` is the full size; without it there are 600.

#[path = "process/classroom.rs"]
mod classroom;
#[path = "process/client.rs"]
mod client;
#[path = "process/running.rs"]
mod running;

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use classroom::Scram;
use client::{frame, text};
use kafka_protocol::messages::{SaslAuthenticateRequest, SaslAuthenticateResponse, SaslHandshakeRequest};
use kafka_protocol::protocol::Decodable;
use running::Running;
use rustix::process::Signal;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, pem::PemObject};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

const SECRET: &str = "a-secret-of-this-test";
const CLIENTS_DEFAULT: usize = 600;
/// A memory of idle connections in MiB, for 10,000 of them.
const IDLE_MIB: f64 = 400.0;
/// For 9,000 connections to be back.
const BACK_S: f64 = 30.0;
/// Handshakes that the clients make at a time: a client waits a little before it tries again, so not all come in one moment.
const AT_ONCE: usize = 200;

/// One for all: what a password costs the client is not what is measured.
struct Crowd {
    port: u16,
    tls: TlsConnector,
    salted: std::sync::OnceLock<Vec<u8>>,
    turns: Semaphore,
    inside: AtomicUsize,
    failures: AtomicUsize,
}

async fn exchange(stream: &mut TlsStream<TcpStream>, request: Vec<u8>, header: usize) -> io::Result<Vec<u8>> {
    stream.write_all(&request).await?;
    let size = stream.read_i32().await?;
    let mut answer = vec![0; usize::try_from(size).map_err(io::Error::other)?];
    stream.read_exact(&mut answer).await?;
    Ok(answer.split_off(header))
}

impl Crowd {
    async fn token(&self, stream: &mut TlsStream<TcpStream>, bytes: &[u8]) -> io::Result<Vec<u8>> {
        let request = SaslAuthenticateRequest::default().with_auth_bytes(bytes.to_vec().into());
        let answer = exchange(stream, frame(1, 1, &request), 4).await?;
        let answer = SaslAuthenticateResponse::decode(&mut bytes::Bytes::from(answer), 1).map_err(io::Error::other)?;
        if answer.error_code == 0 { Ok(answer.auth_bytes.to_vec()) } else { Err(io::Error::other(format!("{answer:?}"))) }
    }

    async fn come_in(&self) -> io::Result<TlsStream<TcpStream>> {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).await?;
        let name = ServerName::try_from("localhost").map_err(io::Error::other)?;
        let mut stream = self.tls.connect(name, stream).await?;
        exchange(&mut stream, frame(1, 1, &SaslHandshakeRequest::default().with_mechanism(text("SCRAM-SHA-256"))), 4).await?;
        let it = Scram::new("instructor", SECRET);
        let challenge = String::from_utf8(self.token(&mut stream, it.first().as_bytes()).await?).map_err(io::Error::other)?;
        let part = |name: &str| challenge.split(',').find_map(|p| p.strip_prefix(name)).unwrap_or_default();
        let salt = STANDARD.decode(part("s=")).map_err(io::Error::other)?;
        let salted = self.salted.get_or_init(|| it.hash.salted_password(SECRET.as_bytes(), &salt, 4_096));
        let (last, _) = it.prove_by(salted, &challenge, part("r="));
        self.token(&mut stream, last.as_bytes()).await?;
        Ok(stream)
    }

    /// Stays in, and comes back when the connection breaks.
    async fn member(self: Arc<Self>, number: usize) {
        let mut tries = 0_u32;
        loop {
            let turn = self.turns.acquire().await.expect("turns");
            let within = tokio::time::timeout(Duration::from_secs(20), self.come_in()).await;
            drop(turn);
            match within.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
                Ok(mut stream) => {
                    tries = 0;
                    self.inside.fetch_add(1, Relaxed);
                    let _ = stream.read_i32().await;
                    self.inside.fetch_sub(1, Relaxed);
                }
                Err(error) => {
                    if !matches!(error.kind(), io::ErrorKind::ConnectionRefused) {
                        self.failures.fetch_add(1, Relaxed);
                    }
                    tries += 1;
                }
            }
            // As clients do: 50 ms at first, a second at most, each a little different.
            let pause = 50_u64.saturating_mul(1 << tries.min(5)).min(1_000) + (number as u64 * 37) % 50;
            tokio::time::sleep(Duration::from_millis(pause)).await;
        }
    }

    async fn all_in(&self, count: usize) -> Duration {
        let begun = Instant::now();
        while self.inside.load(Relaxed) < count {
            assert!(
                begun.elapsed() < Duration::from_secs(300),
                "{} of {count} are in, {} failures",
                self.inside.load(Relaxed),
                self.failures.load(Relaxed)
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        begun.elapsed()
    }
}

fn authority(folder: &Path) -> RootCertStore {
    let text = std::fs::read_to_string(folder.join("data/certificate-authority.json")).expect("the authority");
    let value: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let pem = value
        .as_object()
        .expect("fields")
        .values()
        .filter_map(|v| v.as_str())
        .find(|v| v.contains("BEGIN CERTIFICATE"))
        .expect("a certificate");
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(pem.as_bytes()).expect("PEM")).expect("a root");
    roots
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port").port()
}

#[test]
fn a_class_comes_in_and_back_over_tls_and_scram() {
    let count: usize = std::env::var("CROWD").ok().map_or(CLIENTS_DEFAULT, |text| text.parse().expect("a number"));
    let folder = tempfile::tempdir().expect("a folder");
    // Not one that connections of this machine take for their own end.
    let port = 20_000 + free_port() % 10_000;
    let listener = format!("CROWD=SASL_SSL://127.0.0.1:{port}");
    let flags = ["--classroom", "--https", "off", "--listener", &listener, "--instructor-secret", SECRET, "--read-only-after", "0"];
    let mut broker = Running::start(folder.path(), &flags);
    let empty = broker.memory_kib("VmRSS");
    let tls = ClientConfig::builder().with_root_certificates(authority(folder.path())).with_no_client_auth();
    let crowd = Arc::new(Crowd {
        port,
        tls: TlsConnector::from(Arc::new(tls)),
        salted: std::sync::OnceLock::new(),
        turns: Semaphore::new(AT_ONCE),
        inside: AtomicUsize::new(0),
        failures: AtomicUsize::new(0),
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let begun = Instant::now();
        for number in 0..count {
            tokio::spawn(Arc::clone(&crowd).member(number));
        }
        crowd.all_in(count).await;
        let came = begun.elapsed();
        tokio::time::sleep(Duration::from_secs(2)).await;
        let full = broker.memory_kib("VmRSS");
        let each = (full - empty) as f64 / count as f64;
        println!(
            "{count} connections in after {:.1} s ({:.0}/s), {} failures",
            came.as_secs_f64(),
            count as f64 / came.as_secs_f64(),
            crowd.failures.load(Relaxed)
        );
        println!("memory {:.1} MiB with them, {:.1} without: {each:.1} KiB each", full as f64 / 1024.0, empty as f64 / 1024.0);
        assert!(each * 10_000.0 / 1024.0 < 10.0 * IDLE_MIB);

        let at_most = count * 9 / 10;
        broker.end(Signal::KILL);
        while crowd.inside.load(Relaxed) > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        crowd.failures.store(0, Relaxed);
        let mut again = Running::start(folder.path(), &flags);
        let begun = Instant::now();
        crowd.all_in(at_most).await;
        let back = begun.elapsed();
        crowd.all_in(count).await;
        println!(
            "{at_most} back {:.1} s after the start, all {count} after {:.1} s, {} failures",
            back.as_secs_f64(),
            begun.elapsed().as_secs_f64(),
            crowd.failures.load(Relaxed)
        );
        assert!(back.as_secs_f64() < 10.0 * BACK_S);
        assert!(again.is_alive());
    });
}
