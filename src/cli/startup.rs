//! What the start can trip over, each as one line that says what to do; and what it prints when all is well.

use std::fmt;
use std::io;
use std::path::PathBuf;

use tokio::net::TcpListener;

use crate::broker::StartError as BrokerError;
use crate::config::Address;
use crate::http::snippet::python_snippet;
use crate::log::data_folder::DataFolderError;

/// Why the broker did not start.
#[derive(Debug)]
pub enum StartError {
    /// The setting's flag, and the address it asked for.
    PortTaken {
        flag: &'static str,
        address: Address,
        free: Option<u16>,
    },
    PortNeedsRights {
        flag: &'static str,
        address: Address,
    },
    NotThisMachine {
        flag: &'static str,
        address: Address,
    },
    Listen {
        flag: &'static str,
        address: Address,
        error: io::Error,
    },
    Broker {
        folder: PathBuf,
        error: BrokerError,
    },
    Runtime(io::Error),
    Serve(io::Error),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StartError::PortTaken { flag, address, free } => {
                let other = free.map_or_else(|| "HOST:PORT".to_owned(), |port| Address { host: address.host.clone(), port }.to_string());
                write!(
                    f,
                    "port {} on {} is taken by another program; stop that one, or start with {flag} {other}",
                    address.port, address.host
                )
            }
            StartError::PortNeedsRights { flag, address } => {
                write!(f, "port {} needs rights that this user does not have; take one from 1024 on with {flag}", address.port)
            }
            StartError::NotThisMachine { flag, address } => {
                write!(
                    f,
                    "{} is not an address of this machine; use {flag} 127.0.0.1:{} or 0.0.0.0:{}",
                    address.host, address.port, address.port
                )
            }
            StartError::Listen { flag, address, error } => write!(f, "cannot listen on {address} ({flag}): {error}"),
            StartError::Broker { folder, error: BrokerError::Folder(DataFolderError::Locked { pid, .. }) } => {
                let by = pid.map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}"));
                write!(f, "the data folder {} is in use by {by}; stop it, or choose another folder with --data-dir", folder.display())
            }
            StartError::Broker { folder, error: BrokerError::Folder(DataFolderError::Io { path, error }) } => {
                let what = if path == folder { String::new() } else { format!(" ({})", path.display()) };
                write!(f, "cannot use the data folder {}{what}: {error}; choose another one with --data-dir", folder.display())
            }
            StartError::Broker { folder, error } => {
                write!(f, "cannot use the data folder {}: {error}; mend it, or choose another one with --data-dir", folder.display())
            }
            StartError::Runtime(error) => write!(f, "cannot start: {error}"),
            StartError::Serve(error) => write!(f, "stopped serving: {error}"),
        }
    }
}
impl std::error::Error for StartError {}

/// Binds an address that a setting named.
pub async fn listen(flag: &'static str, address: &Address) -> Result<TcpListener, StartError> {
    TcpListener::bind((address.host.as_str(), address.port)).await.map_err(|error| {
        let address = address.clone();
        match error.kind() {
            io::ErrorKind::AddrInUse => {
                let free = free_port_after(&address);
                StartError::PortTaken { flag, address, free }
            }
            io::ErrorKind::PermissionDenied => StartError::PortNeedsRights { flag, address },
            io::ErrorKind::AddrNotAvailable => StartError::NotThisMachine { flag, address },
            _ => StartError::Listen { flag, address, error },
        }
    })
}

/// The next port that could be bound just now.
fn free_port_after(address: &Address) -> Option<u16> {
    let mut candidates = (1..=20).filter_map(|more| address.port.checked_add(more));
    candidates.find(|port| std::net::TcpListener::bind((address.host.as_str(), *port)).is_ok())
}

/// The address that was really bound: port 0 has become a port.
pub fn bound(listener: &TcpListener, asked: &Address) -> Address {
    let port = listener.local_addr().map_or(asked.port, |address| address.port());
    Address { host: asked.host.clone(), port }
}

/// What stands on the terminal once the broker serves.
pub fn banner(kafka: &Address, http: Option<&Address>) -> String {
    let kafka = reachable(kafka);
    let page = http.map_or_else(|| "off".to_owned(), |http| format!("http://{}/", reachable(http)));
    // Not indented: what is copied from here has to run as it is.
    format!(
        "Headwater {}\n\n  Kafka clients   {kafka}\n  Web page        {page}\n\nFirst program, in Python:\n\n{}\n",
        env!("CARGO_PKG_VERSION"),
        python_snippet(&kafka)
    )
}

/// "All interfaces" is no address to connect to; this machine's own is.
fn reachable(address: &Address) -> Address {
    let host = if matches!(address.host.as_str(), "0.0.0.0" | "::") { "127.0.0.1" } else { address.host.as_str() };
    Address { host: host.to_owned(), port: address.port }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Address {
        Address::parse(text).unwrap()
    }

    #[tokio::test]
    async fn a_taken_port_is_named_with_what_to_do() {
        let first = listen("--listen", &address("127.0.0.1:0")).await.unwrap();
        let taken = bound(&first, &address("127.0.0.1:0"));
        assert_ne!(taken.port, 0);
        let message = listen("--listen", &taken).await.unwrap_err().to_string();
        assert!(message.starts_with(&format!("port {} on 127.0.0.1 is taken by another program", taken.port)), "{message}");
        assert!(message.contains("start with --listen 127.0.0.1:"), "{message}");
        let message = listen("--http", &address("192.0.2.1:8080")).await.unwrap_err().to_string();
        assert!(message.starts_with("192.0.2.1 is not an address of this machine; use --http"), "{message}");
    }

    #[test]
    fn the_banner_gives_addresses_that_work_on_this_machine() {
        let text = banner(&address("0.0.0.0:9092"), Some(&address("127.0.0.1:8080")));
        assert!(text.contains("Kafka clients   127.0.0.1:9092\n") && text.contains("http://127.0.0.1:8080/\n"));
        assert!(text.contains("\nfrom confluent_kafka import Consumer") && !text.contains("0.0.0.0"));
    }
}
