//! The broker's configs: the layers in force, the typed values that follow from them, and the file that keeps dynamic changes.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use serde::{Deserialize, Serialize};

use crate::config::{BrokerConfig, BrokerLayers, BrokerScope};

/// Dynamic configs, in the data folder.
const FILE: &str = "broker-configs.json";

pub struct Configs {
    file: PathBuf,
    current: RwLock<Current>,
}

#[derive(Clone)]
struct Current {
    layers: Arc<BrokerLayers>,
    broker: Arc<BrokerConfig>,
}

impl Current {
    fn of(layers: BrokerLayers) -> Current {
        Current { broker: Arc::new(BrokerConfig::new(&layers)), layers: Arc::new(layers) }
    }
}

#[derive(Default, Serialize, Deserialize)]
struct Dynamic {
    all_brokers: BTreeMap<String, String>,
    this_broker: BTreeMap<String, String>,
}

impl Configs {
    /// `at_start` is what command line, environment and file gave.
    pub fn open(folder: &Path, at_start: BrokerLayers) -> io::Result<Configs> {
        let file = folder.join(FILE);
        let dynamic: Dynamic = match fs::read_to_string(&file) {
            Ok(text) => serde_json::from_str(&text)
                .map_err(|e| io::Error::new(io::ErrorKind::InvalidData, format!("{} cannot be read: {e}", file.display())))?,
            Err(e) if e.kind() == io::ErrorKind::NotFound => Dynamic::default(),
            Err(e) => return Err(e),
        };
        let layers = at_start.restore(BrokerScope::AllBrokers, dynamic.all_brokers).restore(BrokerScope::ThisBroker, dynamic.this_broker);
        Ok(Configs { file, current: RwLock::new(Current::of(layers)) })
    }

    pub fn layers(&self) -> Arc<BrokerLayers> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner).layers)
    }

    pub fn broker(&self) -> Arc<BrokerConfig> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner).broker)
    }

    /// Writes the dynamic part down and puts the new layers in force. Blocks.
    pub(super) fn replace(&self, layers: BrokerLayers) -> io::Result<()> {
        let dynamic = Dynamic {
            all_brokers: layers.dynamic(BrokerScope::AllBrokers).clone(),
            this_broker: layers.dynamic(BrokerScope::ThisBroker).clone(),
        };
        let temporary = self.file.with_extension("tmp");
        let mut out = File::create(&temporary)?;
        out.write_all(serde_json::to_string_pretty(&dynamic)?.as_bytes())?;
        out.sync_all()?;
        fs::rename(&temporary, &self.file)?;
        if let Some(folder) = self.file.parent() {
            File::open(folder)?.sync_all()?;
        }
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Current::of(layers);
        Ok(())
    }
}
