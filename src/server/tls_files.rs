//! Certificate and key as somebody gave them: PEM files, and what is usually wrong with them.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::NoServerSessionStorage;
use tokio_rustls::rustls::{self, crypto};

use super::TlsConfig;
use crate::security::certificate;

/// Why there is no TLS: one line that names the file and what to do.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("cannot read {} ({flag}): {error}", path.display())]
    Unreadable { flag: &'static str, path: PathBuf, error: io::Error },
    #[error("{} holds {found} and no {wanted}; give --tls-cert the certificate chain and --tls-key its private key, both PEM", path.display())]
    Without { path: PathBuf, found: &'static str, wanted: &'static str },
    #[error("the key in {} has a password; write it without one: openssl pkey -in {} -out key.pem", path.display(), path.display())]
    Locked { path: PathBuf },
    #[error("{} is damaged: {error}; copy it again, from its BEGIN to its END lines", path.display())]
    Damaged { path: PathBuf, error: String },
    #[error("the key in {} does not belong to the certificate in {}, of which the server's has to be the first", key.display(), certificate.display())]
    NoPair { certificate: PathBuf, key: PathBuf },
    #[error("the certificate in {} cannot be used: {error}", path.display())]
    Unusable { path: PathBuf, error: rustls::Error },
    #[error("{0}")]
    Made(#[from] certificate::CertificateError),
    #[error("cannot keep a certificate authority in the data folder: {0}")]
    Authority(io::Error),
    #[error("no TLS with the certificate that was made: {0}")]
    Config(rustls::Error),
}

/// The two files.
#[derive(Clone, Debug)]
pub struct CertificateFiles {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

/// What changes when a file does.
pub type Stamp = [Option<(SystemTime, u64)>; 2];

/// What was read, and when the server's certificate ends.
pub struct Loaded {
    pub config: Arc<TlsConfig>,
    pub not_after: Option<i64>,
}

impl CertificateFiles {
    pub fn stamp(&self) -> Stamp {
        [&self.certificate, &self.key].map(|path| {
            let metadata = std::fs::metadata(path).ok()?;
            Some((metadata.modified().ok()?, metadata.len()))
        })
    }

    pub fn load(&self) -> Result<Loaded, TlsError> {
        let chain = self.chain()?;
        let not_after = chain.first().and_then(|first| certificate::not_after(first));
        let key = self.private_key()?;
        let config = config(chain, key).map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => TlsError::NoPair { certificate: self.certificate.clone(), key: self.key.clone() },
            error => TlsError::Unusable { path: self.certificate.clone(), error },
        })?;
        Ok(Loaded { config, not_after })
    }

    fn chain(&self) -> Result<Vec<CertificateDer<'static>>, TlsError> {
        let path = &self.certificate;
        let text = read("--tls-cert", path)?;
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
        let chain = chain.map_err(|error| TlsError::Damaged { path: path.clone(), error: error.to_string() })?;
        if chain.is_empty() {
            return Err(TlsError::Without { path: path.clone(), found: found(&text), wanted: "certificate" });
        }
        Ok(chain)
    }

    fn private_key(&self) -> Result<PrivateKeyDer<'static>, TlsError> {
        use tokio_rustls::rustls::pki_types::pem::Error;
        let path = &self.key;
        let text = read("--tls-key", path)?;
        PrivateKeyDer::from_pem_slice(&text).map_err(|error| match error {
            _ if has_locked_key(&text) => TlsError::Locked { path: path.clone() },
            Error::NoItemsFound => TlsError::Without { path: path.clone(), found: found(&text), wanted: "private key" },
            error => TlsError::Damaged { path: path.clone(), error: error.to_string() },
        })
    }
}

fn read(flag: &'static str, path: &Path) -> Result<Vec<u8>, TlsError> {
    std::fs::read(path).map_err(|error| TlsError::Unreadable { flag, path: path.to_owned(), error })
}

fn has_locked_key(text: &[u8]) -> bool {
    let text = String::from_utf8_lossy(text);
    text.contains("BEGIN ENCRYPTED PRIVATE KEY") || text.contains("Proc-Type: 4,ENCRYPTED")
}

fn found(text: &[u8]) -> &'static str {
    let text = String::from_utf8_lossy(text);
    if text.contains("PRIVATE KEY-----") {
        "a private key"
    } else if text.contains("BEGIN CERTIFICATE-----") {
        "a certificate"
    } else if text.contains("-----BEGIN") {
        "something else in PEM"
    } else {
        "no PEM"
    }
}

/// TLS 1.2 and 1.3. A client that comes back shows a ticket, so that nothing is kept for those who do not.
pub fn config(chain: Vec<CertificateDer<'static>>, key: PrivateKeyDer<'static>) -> Result<Arc<TlsConfig>, rustls::Error> {
    let provider = Arc::new(crypto::ring::default_provider());
    let builder = TlsConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let mut config = builder.with_no_client_auth().with_single_cert(chain, key)?;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.ticketer = crypto::ring::Ticketer::new()?;
    config.send_tls13_tickets = 1;
    Ok(Arc::new(config))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::security::certificate::Authority;

    fn pem(kind: &str, der: &[u8]) -> String {
        use base64::Engine;
        let text = base64::engine::general_purpose::STANDARD.encode(der);
        let lines: Vec<&str> = text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
        format!("-----BEGIN {kind}-----\n{}\n-----END {kind}-----\n", lines.join("\n"))
    }

    #[test]
    fn what_is_wrong_with_the_files_is_one_line_that_names_them() {
        let folder = tempfile::tempdir().unwrap();
        let issued = || Authority::create(1_795_000_000).unwrap().issue(&["lab".to_owned()], 1_795_000_000).unwrap();
        let (one, other) = (issued(), issued());
        let (certificate, key) = (pem("CERTIFICATE", &one.chain[0]), pem("PRIVATE KEY", &one.key));
        let load = |certificate: &str, key: &str| {
            let files = CertificateFiles { certificate: folder.path().join("c.pem"), key: folder.path().join("k.pem") };
            std::fs::write(&files.certificate, certificate).unwrap();
            std::fs::write(&files.key, key).unwrap();
            files.load()
        };
        assert_eq!(load(&certificate, &key).unwrap().not_after, Some(one.not_after));
        assert!(load(&format!("{key}{certificate}"), &format!("{certificate}{key}")).is_ok(), "both in one file");
        for (certificate, key, wanted) in [
            (&key[..], &certificate[..], "c.pem holds a private key and no certificate; give --tls-cert"),
            (&certificate, &certificate, "k.pem holds a certificate and no private key"),
            ("", &key, "c.pem holds no PEM and no certificate"),
            (&certificate, &pem("PRIVATE KEY", &other.key), "k.pem does not belong to the certificate in"),
            (&certificate, "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n", "openssl pkey -in"),
            (&certificate.replace("-----END", "===END"), &key, "c.pem is damaged"),
            (&pem("CERTIFICATE", b"junk"), &key, "c.pem cannot be used"),
        ] {
            let said = load(certificate, key).err().unwrap().to_string();
            assert!(said.contains(wanted) && !said.contains('\n'), "{said}");
        }
        let gone = CertificateFiles { certificate: folder.path().join("gone"), key: folder.path().join("k.pem") };
        assert!(gone.load().err().unwrap().to_string().ends_with("gone (--tls-cert): No such file or directory (os error 2)"));
    }
}
