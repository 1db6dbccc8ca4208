//! A small blocking Kafka client inside TLS, and what it takes to make and to check certificates.
#![allow(dead_code, reason = "each test uses its part")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::messages::{
    MetadataRequest, MetadataResponse, ResponseHeader, SaslAuthenticateRequest, SaslHandshakeRequest, SaslHandshakeResponse,
};
use kafka_protocol::protocol::{Decodable, HeaderVersion, Request};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned, crypto};

use super::client::{frame, text};

const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// In clear or inside TLS.
pub trait Wire: Read + Write {}
impl<T: Read + Write> Wire for T {}

pub struct Door {
    pub wire: Box<dyn Wire>,
    correlation_id: i32,
}

/// The certificate authority that a data folder holds, as PEM.
pub fn authority_of(data: &Path) -> String {
    let text = std::fs::read_to_string(data.join("certificate-authority.json")).expect("an authority");
    let value: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    value["certificate_pem"].as_str().expect("PEM").to_owned()
}

fn socket(address: SocketAddr) -> TcpStream {
    let socket = TcpStream::connect(address).expect("connect");
    socket.set_read_timeout(Some(ANSWER_WITHIN)).expect("timeout");
    socket
}

impl Door {
    pub fn in_clear(address: SocketAddr) -> Door {
        Door { wire: Box::new(socket(address)), correlation_id: 0 }
    }

    /// Asks for `name`, trusts `authority` (PEM) and nobody else. The error is the handshake's.
    pub fn encrypted(address: SocketAddr, name: &str, authority: &str) -> Result<Door, String> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(authority.as_bytes()).expect("PEM")).expect("an authority");
        let builder = ClientConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()));
        let config = builder.with_safe_default_protocol_versions().expect("versions").with_root_certificates(roots).with_no_client_auth();
        let name = ServerName::try_from(name.to_owned()).expect("a name");
        let connection = ClientConnection::new(Arc::new(config), name).expect("a connection");
        let mut stream = StreamOwned::new(connection, socket(address));
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock).map_err(|error| error.to_string())?;
        }
        Ok(Door { wire: Box::new(stream), correlation_id: 0 })
    }

    pub fn ask<T: Request>(&mut self, version: i16, request: &T) -> T::Response {
        self.correlation_id += 1;
        self.wire.write_all(&frame(version, self.correlation_id, request)).expect("send");
        let mut size = [0; 4];
        self.wire.read_exact(&mut size).expect("an answer");
        let mut answer = vec![0; usize::try_from(i32::from_be_bytes(size)).expect("a size")];
        self.wire.read_exact(&mut answer).expect("an answer");
        let mut answer = Bytes::from(answer);
        ResponseHeader::decode(&mut answer, T::Response::header_version(version)).expect("a header");
        T::Response::decode(&mut answer, version).expect("an answer")
    }

    pub fn metadata(&mut self) -> MetadataResponse {
        self.ask(9, &MetadataRequest::default().with_topics(None))
    }

    /// The address that this listener's clients are told.
    pub fn told(&mut self) -> String {
        let metadata = self.metadata();
        format!("{}:{}", metadata.brokers[0].host, metadata.brokers[0].port)
    }

    pub fn handshake(&mut self, mechanism: &str) -> SaslHandshakeResponse {
        self.ask(1, &SaslHandshakeRequest::default().with_mechanism(text(mechanism)))
    }

    /// Logs in by SASL PLAIN; the error's number.
    pub fn log_in(&mut self, user: &str, password: &str) -> i16 {
        assert_eq!(self.handshake("PLAIN").error_code, 0);
        let token = Bytes::from(format!("\0{user}\0{password}"));
        self.ask(2, &SaslAuthenticateRequest::default().with_auth_bytes(token)).error_code
    }

    pub fn get(mut self, path: &str) -> String {
        write!(self.wire, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").expect("request");
        let mut answer = Vec::new();
        let _ = self.wire.read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).into_owned()
    }
}

/// A certificate for a name that signs itself, as one that an operator brings.
pub struct Brought {
    pub certificate: String,
    pub key: String,
}

impl Brought {
    pub fn new(name: &str) -> Brought {
        let key = rcgen::KeyPair::generate().expect("a key");
        let mut params = rcgen::CertificateParams::new(vec![name.to_owned()]).expect("a name");
        params.is_ca = rcgen::IsCa::NoCa;
        Brought { certificate: params.self_signed(&key).expect("a certificate").pem(), key: key.serialize_pem() }
    }

    /// Writes both files into a folder and gives the flags that name them.
    pub fn write(&self, folder: &Path) -> [String; 4] {
        let (certificate, key) = (folder.join("cert.pem"), folder.join("key.pem"));
        std::fs::write(&certificate, &self.certificate).expect("write");
        std::fs::write(&key, &self.key).expect("write");
        let path = |path: &Path| path.to_str().expect("a path").to_owned();
        ["--tls-cert".to_owned(), path(&certificate), "--tls-key".to_owned(), path(&key)]
    }
}
