//! The certificate that listeners show: one that was given, read again when its file changes, or one that our own authority signs for
//! this machine's names and addresses, made anew when those change.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

use super::TlsConfig;
pub use super::tls_files::TlsError;
use super::tls_files::{CertificateFiles, Stamp, config};
use crate::broker::Broker;
use crate::config::{Advertise, TlsSetting};
use crate::security::certificate::{Authority, RENEWED_BEFORE};

/// How often files are looked at. A change is taken up at the second look that finds the same.
const FILES_EVERY: Duration = Duration::from_secs(1);
/// How often names and addresses of this machine are looked at.
const NAMES_EVERY: Duration = Duration::from_secs(10);
/// A given certificate that has less left is worth a line in the log.
const WARNED_BEFORE: i64 = 14 * 24 * 60 * 60;
const DAY: i64 = 24 * 60 * 60;

pub struct Certificates {
    broker: Arc<Broker>,
    source: Source,
    shown: watch::Sender<Arc<TlsConfig>>,
    not_after: Option<i64>,
}

enum Source {
    Given { files: CertificateFiles, stamp: Stamp },
    Made { authority: Box<Authority>, more: Vec<String>, names: BTreeSet<String> },
}

impl Certificates {
    /// Whether what was given can be used, before anything is opened. Blocks.
    pub fn check(setting: &TlsSetting) -> Result<(), TlsError> {
        let Some((certificate, key)) = setting.files.clone() else { return Ok(()) };
        CertificateFiles { certificate, key }.load().map(drop)
    }

    /// What was given, for pages without a broker. Blocks.
    pub fn given(setting: &TlsSetting) -> Result<Option<Arc<TlsConfig>>, TlsError> {
        let Some((certificate, key)) = setting.files.clone() else { return Ok(None) };
        CertificateFiles { certificate, key }.load().map(|loaded| Some(loaded.config))
    }

    /// The endpoints have to be known before, as a certificate holds for the addresses that they advertise. Blocks.
    pub fn open(broker: &Arc<Broker>, setting: &TlsSetting) -> Result<Certificates, TlsError> {
        if let Some((certificate, key)) = &setting.files {
            let files = CertificateFiles { certificate: certificate.clone(), key: key.clone() };
            let stamp = files.stamp();
            let loaded = files.load()?;
            let shown = watch::Sender::new(loaded.config);
            let certificates =
                Certificates { broker: Arc::clone(broker), source: Source::Given { files, stamp }, shown, not_after: loaded.not_after };
            certificates.warn_of_the_end();
            return Ok(certificates);
        }
        let authority = Box::new(broker.certificate_authority().map_err(TlsError::Authority)?);
        let names = names(broker, &setting.names);
        let (config, not_after) = issue(&authority, &names, broker.now().0 / 1000)?;
        let source = Source::Made { authority, more: setting.names.clone(), names };
        Ok(Certificates { broker: Arc::clone(broker), source, shown: watch::Sender::new(config), not_after: Some(not_after) })
    }

    /// What to show to the next client.
    pub fn shown(&self) -> watch::Receiver<Arc<TlsConfig>> {
        self.shown.subscribe()
    }

    /// Keeps the certificate good until the broker stops.
    pub async fn keep(mut self) {
        let broker = Arc::clone(&self.broker);
        let mut moves = broker.node.moves();
        let every = if matches!(self.source, Source::Given { .. }) { FILES_EVERY } else { NAMES_EVERY };
        let (mut seen, mut warned) = (None, broker.now().0 / 1000);
        loop {
            tokio::select! {
                () = tokio::time::sleep(every) => {}
                moved = moves.changed() => if moved.is_err() { return },
                () = broker.stopped() => return,
            }
            match &self.source {
                Source::Given { .. } => self.read_again(&mut seen),
                Source::Made { .. } => self.make_again(),
            }
            let now = broker.now().0 / 1000;
            if now > warned + DAY {
                warned = now;
                self.warn_of_the_end();
            }
        }
    }

    /// `seen` is what the last look found that is not in force.
    fn read_again(&mut self, seen: &mut Option<Stamp>) {
        let Source::Given { files, stamp } = &mut self.source else { return };
        let found = files.stamp();
        if found == *stamp {
            *seen = None;
            return;
        }
        // Certificate and key are rarely written in the same moment.
        if seen.replace(found) != Some(found) {
            return;
        }
        *stamp = found;
        match files.load() {
            Ok(loaded) => {
                tracing::info!(file = %files.certificate.display(), "the certificate was read again");
                self.shown.send_replace(loaded.config);
                self.not_after = loaded.not_after;
                self.warn_of_the_end();
            }
            Err(error) => tracing::error!("{error}; the certificate that was there before stays in use"),
        }
    }

    fn make_again(&mut self) {
        let Source::Made { authority, more, names: holds } = &mut self.source else { return };
        let now = self.broker.now().0 / 1000;
        let wanted = names(&self.broker, more);
        let ends_soon = self.not_after.is_some_and(|end| end < now + RENEWED_BEFORE);
        if wanted == *holds && !ends_soon {
            return;
        }
        if authority.not_after < now + RENEWED_BEFORE {
            match self.broker.certificate_authority() {
                Ok(renewed) => **authority = renewed,
                Err(error) => tracing::error!(%error, "cannot make a new certificate authority"),
            }
        }
        match issue(authority, &wanted, now) {
            Ok((config, not_after)) => {
                tracing::info!(names = wanted.iter().cloned().collect::<Vec<_>>().join(","), "a new certificate was made");
                self.shown.send_replace(config);
                self.not_after = Some(not_after);
            }
            Err(error) => tracing::error!("{error}; the certificate that was there before stays in use"),
        }
        *holds = wanted;
    }

    fn warn_of_the_end(&self) {
        let Source::Given { files, .. } = &self.source else { return };
        let Some(left) = self.not_after.map(|end| end - self.broker.now().0 / 1000) else { return };
        let file = files.certificate.display();
        if left < 0 {
            tracing::error!("the certificate in {file} ended {} days ago: clients refuse it; renew it", -left / DAY);
        } else if left < WARNED_BEFORE {
            tracing::warn!("the certificate in {file} ends in {} days; renew it", left / DAY);
        }
    }
}

fn issue(authority: &Authority, names: &BTreeSet<String>, now: i64) -> Result<(Arc<TlsConfig>, i64), TlsError> {
    let names: Vec<String> = names.iter().cloned().collect();
    let issued = authority.issue(&names, now)?;
    let chain = issued.chain.map(CertificateDer::from).to_vec();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(issued.key));
    Ok((config(chain, key).map_err(TlsError::Config)?, issued.not_after))
}

/// By which a client may come here: the names and addresses of this machine, those that listeners advertise, and `more`.
fn names(broker: &Broker, more: &[String]) -> BTreeSet<String> {
    let mut names: BTreeSet<String> = own_addresses().iter().map(IpAddr::to_string).collect();
    names.extend(["localhost".to_owned(), Ipv4Addr::LOCALHOST.to_string(), Ipv6Addr::LOCALHOST.to_string()]);
    let host_name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    names.insert(host_name.clone());
    // What a Mac or a phone in the same room looks it up by.
    names.insert(format!("{}.local", host_name.split('.').next().unwrap_or_default()));
    for endpoint in broker.node.endpoints() {
        if let Advertise::As { host, .. } = endpoint.advertise() {
            names.insert(host);
        }
        if !endpoint.bound.ip().is_unspecified() {
            names.insert(endpoint.bound.ip().to_canonical().to_string());
        }
    }
    names.extend(more.iter().cloned());
    // A name that no certificate can hold would leave all the others without one.
    names.retain(|name| name.is_ascii() && !name.is_empty() && !name.contains(['%', '_']) && !name.starts_with('.'));
    names
}

/// The addresses of this machine's interfaces that others may reach, the one of the way out first.
pub fn own_addresses() -> Vec<IpAddr> {
    let mut addresses = Vec::new();
    // Nothing is sent: to connect only looks up the way.
    let way_out = UdpSocket::bind("0.0.0.0:0").and_then(|socket| socket.connect("192.0.2.1:9").and_then(|()| socket.local_addr()));
    if let Ok(local) = way_out {
        addresses.push(local.ip());
    }
    let read = |path: &str| std::fs::read_to_string(Path::new(path)).unwrap_or_default();
    addresses.extend(addresses_v4(&read("/proc/net/fib_trie")).into_iter().map(IpAddr::V4));
    addresses.extend(addresses_v6(&read("/proc/net/if_inet6")).into_iter().map(IpAddr::V6));
    let mut seen = BTreeSet::new();
    addresses.retain(|address| !address.is_loopback() && !address.is_unspecified() && seen.insert(*address));
    addresses
}

/// Of the kernel's routing table: a line with an address, before a line that says it is a host's and local.
fn addresses_v4(table: &str) -> Vec<Ipv4Addr> {
    let mut last: Option<Ipv4Addr> = None;
    let mut addresses = Vec::new();
    for line in table.lines().map(str::trim) {
        if let Some(address) = line.strip_prefix("|-- ") {
            last = address.parse().ok();
        } else if line.starts_with("/32 host LOCAL") {
            addresses.extend(last.take());
        }
    }
    addresses.sort_unstable();
    addresses.dedup();
    addresses
}

/// 32 hex digits at the beginning of a line. Those that only hold on one cable are left out.
fn addresses_v6(table: &str) -> Vec<Ipv6Addr> {
    let address = |line: &str| u128::from_str_radix(line.split_whitespace().next()?, 16).ok().map(Ipv6Addr::from);
    table.lines().filter_map(address).filter(|address| address.segments().first().is_some_and(|first| first & 0xffc0 != 0xfe80)).collect()
}

#[cfg(test)]
mod tests {
    use tokio_rustls::rustls::client::verify_server_name;
    use tokio_rustls::rustls::pki_types::ServerName;
    use tokio_rustls::rustls::server::{ParsedCertificate, ResolvesServerCert};

    use super::*;
    use crate::broker::security::Access;
    use crate::broker::{BrokerOptions, Endpoint};
    use crate::config::{BrokerLayers, Protocol};

    /// Whether the certificate that is made for these names holds for a host.
    fn holds_for(names: &BTreeSet<String>, host: &str) -> bool {
        let now = 1_795_000_000;
        let names: Vec<String> = names.iter().cloned().collect();
        let issued = Authority::create(now).unwrap().issue(&names, now).unwrap();
        let certificate = CertificateDer::from(issued.chain[0].clone());
        let parsed = ParsedCertificate::try_from(&certificate).unwrap();
        verify_server_name(&parsed, &ServerName::try_from(host.to_owned()).unwrap()).is_ok()
    }

    #[tokio::test]
    async fn a_new_advertised_address_is_on_a_new_certificate_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let (data_dir, access) = (folder.path().to_owned(), Access::Instructor);
        let broker =
            Broker::open(BrokerOptions { data_dir, access, configs: BrokerLayers::default(), guards: Default::default() }).unwrap();
        let bound = std::net::SocketAddr::from(([0, 0, 0, 0], 9093));
        let told = Advertise::parse("one.example").unwrap();
        broker.open_endpoint(Endpoint::new("LAN", Protocol::SaslSsl, bound, told)).unwrap();
        let more = vec!["*.lab.example".to_owned(), "10.1.2.3".to_owned()];
        let certificates = Certificates::open(&broker, &TlsSetting { files: None, names: more.clone() }).unwrap();
        for host in ["localhost", "127.0.0.1", "::1", "one.example", "pc.lab.example", "10.1.2.3"] {
            assert!(holds_for(&names(&broker, &more), host), "{host}");
        }
        assert!(!holds_for(&names(&broker, &more), "two.example"));
        let mut shown = certificates.shown();
        let before = Arc::clone(&shown.borrow_and_update());
        tokio::spawn(certificates.keep());
        tokio::task::yield_now().await;
        broker.set_advertised("LAN", Advertise::parse("two.example:443").unwrap()).await.unwrap();
        tokio::time::timeout(Duration::from_secs(5), shown.changed()).await.expect("a new certificate").unwrap();
        let resolver = |config: &TlsConfig| -> Arc<dyn ResolvesServerCert> { Arc::clone(&config.cert_resolver) };
        assert!(!Arc::ptr_eq(&resolver(&before), &resolver(&shown.borrow())));
        assert!(holds_for(&names(&broker, &more), "two.example"));
        broker.stop();
    }

    #[test]
    fn the_kernels_tables_name_the_addresses() {
        let v4 = "Main:\n  +-- 0.0.0.0/0 3 0 5\n     |-- 0.0.0.0\n        /0 universe UNICAST\n     |-- 10.0.0.0\n        /24 link UNICAST\n\
                  Local:\n     |-- 10.0.0.5\n        /32 host LOCAL\n     |-- 127.0.0.1\n        /32 host LOCAL\n     |-- 10.0.0.255\n        \
                  /32 link BROADCAST\n     |-- 10.0.0.5\n        /32 host LOCAL\n";
        assert_eq!(addresses_v4(v4), [Ipv4Addr::new(10, 0, 0, 5), Ipv4Addr::LOCALHOST]);
        let v6 = "fe800000000000000042acfffe110002 0c 40 20 80 eth0\nfd000000000000000000000000000005 0c 40 00 80 eth0\n";
        assert_eq!(addresses_v6(v6), ["fd00::5".parse::<Ipv6Addr>().unwrap()]);
        assert!(own_addresses().iter().all(|address| !address.is_loopback()));
    }
}
