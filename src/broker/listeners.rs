//! The addresses that clients are told: from the settings, or as they were changed while the broker ran.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError};

use serde::{Deserialize, Serialize};

use super::{Broker, Endpoint, Refused};
use crate::config::Advertise;
use crate::log::kept_file::{self, Kept};
use crate::model::ErrorCode;

/// | field | content |
/// |---|---|
/// | `version` | 1 |
/// | `advertised` | by listener: what the setting said when it was changed (`setting`), and what holds instead (`advertise`) |
const FILE: &str = "listeners.json";

#[derive(Default, Serialize, Deserialize)]
struct ListenersFile {
    version: u32,
    advertised: BTreeMap<String, Change>,
}

#[derive(Clone, Serialize, Deserialize)]
struct Change {
    setting: String,
    advertise: String,
}

impl Broker {
    /// Makes a listener known, with the address that it had last. A change that was made while the broker ran holds until the setting
    /// says something else than it said then.
    pub fn open_endpoint(&self, endpoint: Endpoint) -> io::Result<Arc<Endpoint>> {
        let mut file = self.read_listeners()?;
        if let Some(Change { setting, advertise }) = file.advertised.get(&endpoint.name).cloned() {
            let listener = &endpoint.name;
            match Advertise::parse(&advertise).filter(|_| setting == endpoint.setting.to_string()) {
                Some(advertise) => {
                    tracing::info!(listener, %advertise, "clients are told the address that was set while the broker ran");
                    endpoint.set_advertise(advertise);
                }
                None => {
                    let setting = &endpoint.setting;
                    tracing::info!(listener, %setting, was = advertise, "the setting changed, and is what clients are told again");
                    file.advertised.remove(&endpoint.name);
                    kept_file::write(&self.listeners_file(), &file)?;
                }
            }
        }
        let endpoint = Arc::new(endpoint);
        self.node.add_endpoint(Arc::clone(&endpoint));
        Ok(endpoint)
    }

    /// Sends a listener's clients elsewhere from now on, and after a restart.
    pub async fn set_advertised(self: &Arc<Self>, listener: &str, advertise: Advertise) -> Result<(), Refused> {
        let refuse = |message: String| Err(Refused::new(ErrorCode::InvalidRequest, message));
        let Some(endpoint) = self.node.endpoint(listener) else {
            let names: Vec<String> = self.node.endpoints().iter().map(|endpoint| endpoint.name.clone()).collect();
            return refuse(format!("There is no listener {listener}; there is {}.", names.join(", ")));
        };
        if advertise == Advertise::Sni && !endpoint.protocol.is_encrypted() {
            return refuse(format!("sni is the name that a client asks for in TLS, and {} has none.", endpoint.protocol));
        }
        self.blocking(move |broker| {
            let _alone = broker.node.keeping.lock().unwrap_or_else(PoisonError::into_inner);
            let kept = broker.keep_advertised(&endpoint, &advertise);
            kept.map_err(|error| Refused::new(ErrorCode::KafkaStorageError, format!("cannot write {FILE}: {error}")))?;
            tracing::info!(listener = endpoint.name, %advertise, "clients are told a new address");
            endpoint.set_advertise(advertise);
            broker.node.moved.send_modify(|changes| *changes += 1);
            Ok(())
        })
        .await
    }

    fn keep_advertised(&self, endpoint: &Endpoint, advertise: &Advertise) -> io::Result<()> {
        let mut file = self.read_listeners()?;
        file.version = 1;
        if *advertise == endpoint.setting {
            file.advertised.remove(&endpoint.name);
        } else {
            let change = Change { setting: endpoint.setting.to_string(), advertise: advertise.to_string() };
            file.advertised.insert(endpoint.name.clone(), change);
        }
        kept_file::write(&self.listeners_file(), &file)
    }

    fn listeners_file(&self) -> PathBuf {
        self.folder.path().join(FILE)
    }

    /// A file that is of no use is as good as none: the settings hold then.
    fn read_listeners(&self) -> io::Result<ListenersFile> {
        let (value, aside) = match kept_file::read(&self.listeners_file())? {
            Kept::Absent => (None, None),
            Kept::Whole(value) => (Some(value), None),
            Kept::Restored(value, aside) => (Some(value), Some(aside)),
            Kept::Damaged(aside) => (None, Some(aside)),
        };
        if let Some(aside) = aside {
            tracing::error!(file = FILE, set_aside = %aside.display(), restored = value.is_some(), "was damaged");
        }
        Ok(value.and_then(|value| serde_json::from_value(value).ok()).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;
    use crate::broker::BrokerOptions;
    use crate::broker::security::Access;
    use crate::config::{BrokerLayers, Protocol};

    fn broker(folder: &std::path::Path) -> Arc<Broker> {
        let access = Access::Instructor;
        let options = BrokerOptions { data_dir: folder.to_owned(), access, configs: BrokerLayers::default(), guards: Default::default() };
        Broker::open(options).unwrap()
    }

    fn endpoint(name: &str, protocol: Protocol, told: &str) -> Endpoint {
        Endpoint::new(name, protocol, SocketAddr::from(([10, 0, 0, 1], 9093)), Advertise::parse(told).unwrap())
    }

    /// A run of the broker, with a runtime of its own: its tasks end with it.
    fn run<T>(folder: &std::path::Path, what: impl AsyncFnOnce(Arc<Broker>) -> T) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let broker = broker(folder);
            let given = what(Arc::clone(&broker)).await;
            broker.stop();
            broker.close();
            given
        })
    }

    #[test]
    fn a_change_outlives_a_restart_until_the_setting_changes() {
        let folder = tempfile::tempdir().unwrap();
        run(folder.path(), async |broker| {
            let open = broker.open_endpoint(endpoint("LAN", Protocol::SaslSsl, "lab-pc")).unwrap();
            broker.open_endpoint(endpoint("WAN", Protocol::SaslPlaintext, "auto")).unwrap();
            let moves = broker.node.moves();
            broker.set_advertised("lan", Advertise::parse("tunnel.example:443").unwrap()).await.unwrap();
            assert!(moves.has_changed().unwrap());
            assert_eq!(open.advertise().to_string(), "tunnel.example:443");
            let refused = broker.set_advertised("WAN", Advertise::Sni).await.unwrap_err();
            assert!(refused.message.contains("SASL_PLAINTEXT has none"), "{}", refused.message);
            let refused = broker.set_advertised("X", Advertise::Auto).await.unwrap_err();
            assert_eq!(refused.message, "There is no listener X; there is LAN, WAN.");
        });
        for (setting, wanted) in [("lab-pc", "tunnel.example:443"), ("other-pc", "other-pc"), ("lab-pc", "lab-pc")] {
            let told = run(folder.path(), async |broker| {
                broker.open_endpoint(endpoint("LAN", Protocol::SaslSsl, setting)).unwrap().advertise().to_string()
            });
            assert_eq!(told, wanted);
        }
    }

    #[test]
    fn the_authority_stays_and_only_its_owner_reads_it() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let made = || {
            run(folder.path(), async |broker| {
                assert!(broker.node.authority().is_none());
                let made = broker.certificate_authority().unwrap().fingerprint();
                assert_eq!(broker.node.authority().unwrap().fingerprint, made);
                made
            })
        };
        assert_eq!(made(), made());
        for file in ["certificate-authority.json", "certificate-authority.copy"] {
            let mode = std::fs::metadata(folder.path().join(file)).unwrap().permissions().mode();
            assert_eq!(mode & 0o077, 0, "{file}");
        }
    }
}
