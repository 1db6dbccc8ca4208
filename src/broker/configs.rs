//! The broker's configs: the layers in force, the typed values that follow from them, and the file that keeps dynamic changes.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use serde::{Deserialize, Serialize};

use crate::config::{BrokerConfig, BrokerLayers, BrokerScope};
use crate::log::kept_file::{self, Kept};

/// Dynamic configs, in the data folder.
const FILE: &str = "broker-configs.json";

pub struct Configs {
    file: PathBuf,
    /// 1 if the file was found damaged.
    pub(super) restored: usize,
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
        let refuse = |why: String| io::Error::new(io::ErrorKind::InvalidData, format!("{} cannot be read: {why}", file.display()));
        let (value, restored) = match kept_file::read(&file)? {
            Kept::Absent => (None, 0),
            Kept::Whole(value) => (Some(value), 0),
            Kept::Restored(value, aside) => {
                tracing::error!(file = %file.display(), set_aside = %aside.display(), "a damaged file was replaced by its copy");
                (Some(value), 1)
            }
            // Retention by default settings might delete what these would have kept.
            Kept::Damaged(aside) => {
                fs::rename(&aside, &file)?;
                return Err(refuse("it is damaged. Correct it or remove it".to_owned()));
            }
        };
        let dynamic =
            value.map(serde_json::from_value::<Dynamic>).transpose().map_err(|error| refuse(error.to_string()))?.unwrap_or_default();
        let layers = at_start.restore(BrokerScope::AllBrokers, dynamic.all_brokers).restore(BrokerScope::ThisBroker, dynamic.this_broker);
        Ok(Configs { file, restored, current: RwLock::new(Current::of(layers)) })
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
        kept_file::write(&self.file, &dynamic)?;
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Current::of(layers);
        Ok(())
    }
}
