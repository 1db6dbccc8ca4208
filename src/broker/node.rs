//! Who this broker is, and where clients are told to find it.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use tokio::sync::watch;

use crate::config::{Advertise, Protocol};
use crate::model::BrokerId;

pub struct Node {
    pub id: BrokerId,
    pub cluster_id: String,
    pub rack: Option<String>,
    endpoints: RwLock<Vec<Arc<Endpoint>>>,
    authority: RwLock<Option<Arc<CaInfo>>>,
    /// Where the pages inside TLS are.
    https: RwLock<Option<SocketAddr>>,
    /// Counts changes of advertised addresses.
    pub(super) moved: watch::Sender<u64>,
    /// Held while the file of advertised addresses is changed.
    pub(super) keeping: Mutex<()>,
}

/// The certificate authority that clients have to trust, where it is our own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaInfo {
    pub pem: String,
    /// SHA-256 in hex with colons.
    pub fingerprint: String,
}

impl Node {
    pub fn new(id: BrokerId, cluster_id: String, rack: Option<String>) -> Node {
        Node {
            id,
            cluster_id,
            rack,
            endpoints: RwLock::default(),
            authority: RwLock::default(),
            https: RwLock::default(),
            moved: watch::Sender::new(0),
            keeping: Mutex::default(),
        }
    }

    /// `None` where no listener encrypts, or with a certificate that was given.
    pub fn authority(&self) -> Option<Arc<CaInfo>> {
        self.authority.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn set_authority(&self, authority: CaInfo) {
        *self.authority.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(authority));
    }

    pub fn https(&self) -> Option<SocketAddr> {
        *self.https.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn set_https(&self, bound: SocketAddr) {
        *self.https.write().unwrap_or_else(PoisonError::into_inner) = Some(bound);
    }

    /// Tells of each change of an advertised address.
    pub fn moves(&self) -> watch::Receiver<u64> {
        self.moved.subscribe()
    }

    pub fn endpoint(&self, name: &str) -> Option<Arc<Endpoint>> {
        self.endpoints().into_iter().find(|endpoint| endpoint.name.eq_ignore_ascii_case(name))
    }

    pub fn add_endpoint(&self, endpoint: Arc<Endpoint>) {
        self.endpoints.write().unwrap_or_else(PoisonError::into_inner).push(endpoint);
    }

    pub fn endpoints(&self) -> Vec<Arc<Endpoint>> {
        self.endpoints.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// A listener as clients meet it.
#[derive(Debug)]
pub struct Endpoint {
    pub name: String,
    pub protocol: Protocol,
    /// Where it is bound.
    pub bound: SocketAddr,
    /// Whether a password may come in clear text: on an encrypted listener, or where it was asked for.
    pub takes_plain: bool,
    /// What the settings say; what holds may have been changed since.
    pub setting: Advertise,
    advertise: RwLock<Advertise>,
}

impl Endpoint {
    pub fn new(name: &str, protocol: Protocol, bound: SocketAddr, advertise: Advertise) -> Endpoint {
        let takes_plain = protocol.is_encrypted() || bound.ip().is_loopback();
        Endpoint { name: name.to_owned(), protocol, bound, takes_plain, setting: advertise.clone(), advertise: RwLock::new(advertise) }
    }

    /// One that asks nobody who they are.
    pub fn plaintext(bound: SocketAddr) -> Arc<Endpoint> {
        Arc::new(Endpoint::new("PLAINTEXT", Protocol::Plaintext, bound, Advertise::Auto))
    }

    pub fn advertise(&self) -> Advertise {
        self.advertise.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn set_advertise(&self, advertise: Advertise) {
        *self.advertise.write().unwrap_or_else(PoisonError::into_inner) = advertise;
    }

    /// Where a client is told to come back to, that reached this address, by this name if it gave one (TLS).
    pub fn advertised(&self, reached: SocketAddr, by_name: Option<&str>) -> (String, u16) {
        let by_address = || (reached.ip().to_canonical().to_string(), reached.port());
        match &*self.advertise.read().unwrap_or_else(PoisonError::into_inner) {
            Advertise::As { host, port } => (host.clone(), port.unwrap_or(reached.port())),
            Advertise::Sni => by_name.map_or_else(by_address, |name| (name.to_owned(), reached.port())),
            Advertise::Auto => by_address(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_are_told_what_they_reached_or_what_was_set() {
        let reached = SocketAddr::from(([10, 0, 0, 5], 9093));
        let endpoint = Endpoint::new("LAN", Protocol::SaslSsl, SocketAddr::from(([0, 0, 0, 0], 9093)), Advertise::Auto);
        assert_eq!(endpoint.advertised(reached, Some("lab.example")), ("10.0.0.5".to_owned(), 9093));
        endpoint.set_advertise(Advertise::Sni);
        assert_eq!(endpoint.advertised(reached, Some("lab.example")), ("lab.example".to_owned(), 9093));
        assert_eq!(endpoint.advertised(reached, None), ("10.0.0.5".to_owned(), 9093));
        endpoint.set_advertise(Advertise::As { host: "lab".to_owned(), port: None });
        assert_eq!(endpoint.advertised(reached, None), ("lab".to_owned(), 9093));
        endpoint.set_advertise(Advertise::As { host: "lab".to_owned(), port: Some(443) });
        assert_eq!(endpoint.advertised(reached, None), ("lab".to_owned(), 443));
        assert!(endpoint.takes_plain && !Endpoint::new("L", Protocol::SaslPlaintext, reached, Advertise::Auto).takes_plain);
    }
}
