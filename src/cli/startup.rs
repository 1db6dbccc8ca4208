//! What the start can trip over, each as one line that says what to do; and what it prints when all is well.

use std::fmt;
use std::io;
use std::path::PathBuf;

use tokio::net::TcpListener;

use super::doors::InstructorSecret;
use crate::broker::StartError as BrokerError;
use crate::cluster::ClusterError;
use crate::config::Address;
use crate::config::listener::is_loopback;
use crate::http::snippet::python_snippet;
use crate::log::data_folder::DataFolderError;
use crate::server::{TlsError, own_addresses};

/// Why the broker did not start.
#[derive(Debug)]
pub enum StartError {
    /// What to type before another address, and the address that was asked for.
    PortTaken {
        flag: String,
        address: Address,
        free: Option<u16>,
    },
    PortNeedsRights {
        flag: String,
        address: Address,
    },
    NotThisMachine {
        flag: String,
        address: Address,
    },
    Listen {
        flag: String,
        address: Address,
        error: io::Error,
    },
    Broker {
        folder: PathBuf,
        error: BrokerError,
    },
    Tls(TlsError),
    Listeners(io::Error),
    Secret(io::Error),
    /// The other cluster, or what was given of it.
    Cluster(String),
    Workshop(ClusterError),
    Challenges(String),
    Wheelhouse(String),
    Runtime(io::Error),
}

impl From<TlsError> for StartError {
    fn from(error: TlsError) -> StartError {
        StartError::Tls(error)
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StartError::PortTaken { flag, address, free } => {
                let other = free.map_or_else(|| "HOST:PORT".to_owned(), |port| Address { host: address.host.clone(), port }.to_string());
                write!(
                    f,
                    "port {} on {} is taken by another program; stop that one, or start with {flag}{other}",
                    address.port, address.host
                )
            }
            StartError::PortNeedsRights { flag, address } => {
                write!(
                    f,
                    "port {} needs rights that this user does not have; take one from 1024 on with {flag}{}:PORT",
                    address.port, address.host
                )
            }
            StartError::NotThisMachine { flag, address } => {
                let own: Vec<String> = own_addresses().iter().map(|own| format!(", {own}")).collect();
                let here = Address { host: "127.0.0.1".to_owned(), port: address.port };
                write!(f, "{} is not an address of this machine, which has 127.0.0.1{}; use {flag}{here}", address.host, own.concat())
            }
            StartError::Listen { flag, address, error } => write!(f, "cannot listen on {address} ({}): {error}", flag.trim()),
            StartError::Broker { folder, error: BrokerError::Folder(DataFolderError::Locked { pid, .. }) } => {
                let by = pid.map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}"));
                write!(f, "the data folder {} is in use by {by}; stop it, or choose another folder with --data-dir", folder.display())
            }
            StartError::Broker { folder, error: BrokerError::Folder(DataFolderError::Io { path, error }) } => {
                let what = if path == folder { String::new() } else { format!(" ({})", path.display()) };
                // Known by its number only where a folder of the host is put into a container.
                let user = rustix::process::geteuid();
                let give = if error.kind() == io::ErrorKind::PermissionDenied {
                    format!("give it to the user that this runs as (chown {}), or ", user.as_raw())
                } else {
                    String::new()
                };
                write!(f, "cannot use the data folder {}{what}: {error}; {give}choose another one with --data-dir", folder.display())
            }
            StartError::Broker { folder, error } => {
                write!(f, "cannot use the data folder {}: {error}; mend it, or choose another one with --data-dir", folder.display())
            }
            StartError::Cluster(message) => f.write_str(message),
            StartError::Runtime(error) => write!(f, "cannot start: {error}"),
            StartError::Tls(error) => error.fmt(f),
            StartError::Listeners(error) => write!(f, "cannot read which addresses clients are told: {error}"),
            StartError::Workshop(error) => write!(f, "cannot open the workshop in the data folder: {error}"),
            StartError::Challenges(error) => write!(f, "--challenges: {error}"),
            StartError::Wheelhouse(error) => write!(f, "--wheelhouse: {error}"),
            StartError::Secret(error) => write!(f, "cannot keep the instructor's password in the data folder: {error}"),
        }
    }
}
impl std::error::Error for StartError {}

/// Binds an address that a setting named.
pub async fn listen(flag: &str, address: &Address) -> Result<TcpListener, StartError> {
    TcpListener::bind((address.host.as_str(), address.port)).await.map_err(|error| {
        let (address, flag) = (address.clone(), flag.to_owned());
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

/// What there is to tell once the broker serves.
pub(super) struct Banner {
    pub classroom: bool,
    /// Where each listener is, how it is called, and where its clients are sent if that is somewhere else.
    pub listeners: Vec<(Address, String, Option<String>)>,
    /// Where the Kafka cluster is, if it is another.
    pub cluster: Option<String>,
    pub http: Option<Address>,
    pub https: Option<Address>,
    /// Of the certificate authority that is our own.
    pub fingerprint: Option<String>,
    pub secret: InstructorSecret,
    /// What students join with.
    pub workshop_code: Option<String>,
    /// Whether a program without a login works on the first listener.
    pub open: bool,
    /// By which others reach this machine, as far as is known.
    pub own: String,
    pub container: bool,
}

impl Banner {
    /// What stands on the terminal.
    pub fn text(&self) -> String {
        let mode = if self.classroom { ", classroom" } else { "" };
        let mut text = format!("Headwater {}{mode}\n\n", env!("CARGO_PKG_VERSION"));
        let mut row = |label: &str, content: &str| text.push_str(&format!("  {label:<15} {content}\n"));
        for (n, (address, name, told)) in self.listeners.iter().enumerate() {
            let told = told.as_ref().filter(|told| **told != self.reachable(address).to_string());
            let told = told.map_or_else(String::new, |told| format!(", clients are told {told}"));
            let name = if self.listeners.len() == 1 && told.is_empty() { String::new() } else { format!(" ({name}{told})") };
            row(if n == 0 { "Kafka clients" } else { "" }, &format!("{}{name}", self.reachable(address)));
        }
        if let Some(cluster) = &self.cluster {
            row("Kafka cluster", &format!("{cluster} (not this program's: its users, rules and limits are its own)"));
        }
        let page = |scheme: &str, address: &Option<Address>| address.as_ref().map(|at| format!("{scheme}://{}/", self.reachable(at)));
        let pages: Vec<String> = [page("http", &self.http), page("https", &self.https)].into_iter().flatten().collect();
        row("Web page", pages.first().map_or("off", String::as_str));
        pages.iter().skip(1).for_each(|page| row("", page));
        if let Some(fingerprint) = &self.fingerprint {
            row("Certificate", "signed by Headwater workshop CA (/ca.pem), whose SHA-256 fingerprint is");
            row("", fingerprint);
        }
        match &self.secret {
            InstructorSecret::Unused => {}
            InstructorSecret::Made(secret) => {
                row("Instructor", &format!("user instructor, password {secret}"));
                row("", "Write it down: it is shown this once. A new one: headwater serve --classroom --new-instructor-secret");
            }
            InstructorSecret::Given => row("Instructor", "user instructor, password as given"),
            InstructorSecret::Kept => {
                row("Instructor", "user instructor, password as before. A new one: headwater serve --classroom --new-instructor-secret");
            }
        }
        if let Some(code) = &self.workshop_code {
            row("Workshop code", code);
        }
        text.push_str(&self.first_step(pages.first()));
        text
    }

    fn first_step(&self, page: Option<&String>) -> String {
        match (self.listeners.first(), page) {
            // Not indented: what is copied from here has to run as it is.
            (Some((address, ..)), _) if self.open => {
                format!("\nFirst program, in Python:\n\n{}\n", python_snippet(&self.reachable(address)))
            }
            (Some((address, ..)), Some(page)) if self.classroom && self.is_for_all_by_a_local_name(address) => self.for_others(page),
            (_, Some(page)) if self.classroom => format!("\nStudents open {page} and join with the workshop code.\n"),
            _ => "\nReady.\n".to_owned(),
        }
    }

    /// Other machines reach it, but not by the name that is printed.
    fn is_for_all_by_a_local_name(&self, address: &Address) -> bool {
        is_all_interfaces(address) && is_loopback(&self.own)
    }

    /// What only the instructor knows is the address of this machine, so how to give it is said.
    fn for_others(&self, page: &str) -> String {
        let machine = if self.container { "the machine that runs this container" } else { "this machine" };
        let elsewhere = page.replacen(&self.own, "ADDRESS", 1);
        format!(
            "\nOnly this machine finds {}. Students on others need the address of {machine}: start with --advertise ADDRESS\n\
             (HEADWATER_ADVERTISE), or open {elsewhere} as instructor and press \"Use ADDRESS for all\" on the tab Room; no restart.\n\
             \nStudents open {page} on this machine, {elsewhere} on others, and join with the workshop code.\n",
            self.own
        )
    }

    /// "All interfaces" is no address to connect to; this machine's own is. In a classroom the one that others reach.
    fn reachable(&self, address: &Address) -> Address {
        let own = if self.classroom { self.own.as_str() } else { "127.0.0.1" };
        let host = if is_all_interfaces(address) { own } else { address.host.as_str() };
        Address { host: host.to_owned(), port: address.port }
    }
}

fn is_all_interfaces(address: &Address) -> bool {
    matches!(address.host.as_str(), "0.0.0.0" | "::")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Address {
        Address::parse(text).unwrap()
    }

    #[tokio::test]
    async fn a_taken_port_is_named_with_what_to_do() {
        let first = listen("--listen ", &address("127.0.0.1:0")).await.unwrap();
        let taken = bound(&first, &address("127.0.0.1:0"));
        assert_ne!(taken.port, 0);
        let message = listen("--listen ", &taken).await.unwrap_err().to_string();
        assert!(message.starts_with(&format!("port {} on 127.0.0.1 is taken by another program", taken.port)), "{message}");
        assert!(message.contains("start with --listen 127.0.0.1:"), "{message}");
        let message = listen("--http ", &address("192.0.2.1:8080")).await.unwrap_err().to_string();
        assert!(message.starts_with("192.0.2.1 is not an address of this machine, which has 127.0.0.1"), "{message}");
        assert!(message.ends_with("; use --http 127.0.0.1:8080"), "{message}");
    }

    #[test]
    fn a_folder_that_belongs_to_another_user_is_refused_with_the_number_of_this_one() {
        let refused = |kind: io::ErrorKind| {
            let folder = PathBuf::from("/data");
            let error = BrokerError::Folder(DataFolderError::Io { path: folder.clone(), error: kind.into() });
            StartError::Broker { folder, error }.to_string()
        };
        let user = rustix::process::geteuid().as_raw();
        let message = refused(io::ErrorKind::PermissionDenied);
        assert!(message.contains(&format!("(chown {user}), or choose another one")), "{message}");
        assert!(!refused(io::ErrorKind::NotFound).contains("chown"));
    }

    fn simple() -> Banner {
        Banner {
            classroom: false,
            listeners: vec![(address("127.0.0.1:9092"), "PLAINTEXT".to_owned(), None)],
            cluster: None,
            http: Some(address("127.0.0.1:8080")),
            https: None,
            fingerprint: None,
            secret: InstructorSecret::Unused,
            workshop_code: None,
            open: true,
            own: "10.0.0.5".to_owned(),
            container: false,
        }
    }

    #[test]
    fn the_banner_gives_addresses_that_work_on_this_machine() {
        let text = simple().text();
        assert!(text.contains("Kafka clients   127.0.0.1:9092\n") && text.contains("http://127.0.0.1:8080/\n"));
        assert!(text.contains("\nfrom confluent_kafka import Consumer") && text.ends_with("consumer.close()\n\n"));
        let told = vec![(address("127.0.0.1:9092"), "PLAINTEXT".to_owned(), Some("lab-pc:9092".to_owned()))];
        assert!(Banner { listeners: told, ..simple() }.text().contains("127.0.0.1:9092 (PLAINTEXT, clients are told lab-pc:9092)\n"));
    }

    #[test]
    fn a_classroom_gives_what_the_instructor_needs_once_and_the_address_for_students() {
        let listeners = vec![
            (address("0.0.0.0:9092"), "SASL_PLAINTEXT".to_owned(), None),
            (address("0.0.0.0:9093"), "LAN, SASL_SSL".to_owned(), Some("lab-pc:9093".to_owned())),
        ];
        let banner = Banner {
            classroom: true,
            listeners,
            https: Some(address("0.0.0.0:8443")),
            http: Some(address("0.0.0.0:8080")),
            fingerprint: Some(vec!["AB"; 32].join(":")),
            secret: InstructorSecret::Made("aaaaa-bbbbb".to_owned()),
            workshop_code: Some("otter-4821".to_owned()),
            open: false,
            ..simple()
        };
        let text = banner.text();
        for wanted in [
            "Kafka clients   10.0.0.5:9092 (SASL_PLAINTEXT)\n",
            "                10.0.0.5:9093 (LAN, SASL_SSL, clients are told lab-pc:9093)\n",
            "http://10.0.0.5:8080/\n",
            "https://10.0.0.5:8443/\n",
            "password aaaaa-bbbbb\n",
            "Workshop code   otter-4821\n",
            "\nStudents open http://10.0.0.5:8080/ and join",
        ] {
            assert!(text.contains(wanted), "{wanted} {text}");
        }
        assert!(!text.contains("0.0.0.0") && !text.contains("confluent_kafka"));
        let later = Banner { secret: InstructorSecret::Kept, http: None, https: None, ..banner }.text();
        assert!(later.contains("password as before") && later.contains("Web page        off\n") && later.ends_with("\nReady.\n"));
    }

    #[test]
    fn a_classroom_that_prints_a_local_name_says_what_students_elsewhere_need() {
        let all = Banner {
            classroom: true,
            listeners: vec![(address("0.0.0.0:9092"), "SASL_PLAINTEXT".to_owned(), Some("localhost:9092".to_owned()))],
            http: Some(address("0.0.0.0:8080")),
            open: false,
            own: "localhost".to_owned(),
            container: true,
            ..simple()
        };
        let text = all.text();
        for wanted in [
            "Only this machine finds localhost. Students on others need the address of the machine that runs this container: ",
            "start with --advertise ADDRESS\n(HEADWATER_ADVERTISE), or open http://ADDRESS:8080/ as instructor",
            "\nStudents open http://localhost:8080/ on this machine, http://ADDRESS:8080/ on others, and join",
        ] {
            assert!(text.contains(wanted), "{wanted} {text}");
        }
        let here = Banner { listeners: vec![(address("127.0.0.1:9092"), "SASL_PLAINTEXT".to_owned(), None)], ..all };
        assert!(!here.text().contains("ADDRESS"), "nobody else could come in: {}", here.text());
        let named = Banner { own: "lab-pc".to_owned(), listeners: vec![(address("0.0.0.0:9092"), "LAN".to_owned(), None)], ..here };
        assert!(named.text().ends_with("\nStudents open http://lab-pc:8080/ and join with the workshop code.\n"));
    }
}
