//! By what a broker is known again on another connection, without logging in.

use std::io;
use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::client::verify_server_name;
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::server::ParsedCertificate;
use tokio_rustls::rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme};

use crate::config::Protocol;

const ANSWER_MAX: usize = 1 << 20;
const METADATA: i16 = 3;
const SASL_HANDSHAKE: i16 = 17;
const SASL_AUTHENTICATE: i16 = 36;
const CLIENT_ID: &str = "headwater-dials-itself";
/// A user that nobody is. Its salt is made up, from what only this broker knows.
const NOBODY: &[u8] = b"n,,n=headwater-dials-itself,r=d2hvLWlzLXRoZXJl";

pub(super) enum Likeness {
    /// What Metadata says of the cluster, or the salt of a user.
    Answer(Vec<u8>),
    Certificate(CertificateDer<'static>),
}

impl Likeness {
    pub fn is(&self, other: &Likeness) -> bool {
        match (self, other) {
            (Likeness::Answer(one), Likeness::Answer(other)) => one == other,
            (Likeness::Certificate(one), Likeness::Certificate(other)) => one == other,
            _ => false,
        }
    }

    /// Whether clients that ask for this host take the certificate.
    pub fn holds_for(&self, host: &str) -> bool {
        let Likeness::Certificate(certificate) = self else { return true };
        let Ok(name) = ServerName::try_from(host) else { return false };
        ParsedCertificate::try_from(certificate).is_ok_and(|parsed| verify_server_name(&parsed, &name).is_ok())
    }
}

/// Of whatever is at the other end of this connection. An error: it is no Kafka broker, or it does not speak this protocol.
pub(super) async fn of(mut stream: TcpStream, protocol: Protocol, host: &str) -> io::Result<Likeness> {
    match protocol {
        Protocol::Ssl | Protocol::SaslSsl => certificate(stream, host).await.map(Likeness::Certificate),
        // Version 2, no topics: brokers, cluster id, controller.
        Protocol::Plaintext => ask(&mut stream, METADATA, 2, &0i32.to_be_bytes()).await.map(Likeness::Answer),
        Protocol::SaslPlaintext => salt(&mut stream).await.map(Likeness::Answer),
    }
}

async fn certificate(stream: TcpStream, host: &str) -> io::Result<CertificateDer<'static>> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions();
    let builder = builder.map_err(io::Error::other)?.dangerous().with_custom_certificate_verifier(Arc::new(Anybody(provider)));
    let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
    let stream = TlsConnector::from(Arc::new(builder.with_no_client_auth())).connect(name, stream).await?;
    let first = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first().cloned());
    first.ok_or_else(|| io::Error::other("no certificate"))
}

/// Takes every certificate: which one it is, is what is asked. That the other end has its key is proved all the same.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        tokio_rustls::rustls::crypto::verify_tls12_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        tokio_rustls::rustls::crypto::verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

async fn salt(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    ask(stream, SASL_HANDSHAKE, 1, &text("SCRAM-SHA-256")).await?;
    let length = u32::try_from(NOBODY.len()).unwrap_or(0);
    let answer = ask(stream, SASL_AUTHENTICATE, 0, &[&length.to_be_bytes()[..], NOBODY].concat()).await?;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let salt = answer.split(',').find_map(|part| part.strip_prefix("s="));
    salt.map(|salt| salt.as_bytes().to_vec()).ok_or_else(|| io::Error::other("no salt"))
}

fn text(text: &str) -> Vec<u8> {
    let length = u16::try_from(text.len()).unwrap_or(0);
    [&length.to_be_bytes()[..], text.as_bytes()].concat()
}

/// One request of a version without tagged fields, and what comes behind the answer's correlation id.
async fn ask(stream: &mut TcpStream, key: i16, version: i16, body: &[u8]) -> io::Result<Vec<u8>> {
    let correlation = 7i32.to_be_bytes();
    let frame = [&key.to_be_bytes()[..], &version.to_be_bytes(), &correlation, &text(CLIENT_ID), body].concat();
    let length = i32::try_from(frame.len()).unwrap_or(0);
    stream.write_all(&[&length.to_be_bytes()[..], &frame].concat()).await?;
    let length = usize::try_from(stream.read_i32().await?).unwrap_or(usize::MAX);
    if !(4..=ANSWER_MAX).contains(&length) {
        return Err(io::Error::other("not Kafka"));
    }
    let mut answer = vec![0; length];
    stream.read_exact(&mut answer).await?;
    let behind = answer.strip_prefix(&correlation);
    behind.map(<[u8]>::to_vec).ok_or_else(|| io::Error::other("not Kafka"))
}
