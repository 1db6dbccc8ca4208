//! Opens a data folder and makes a broker of it.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use tokio::sync::watch;

use super::evidence::Evidences;
use super::fetch_sessions::FetchSessions;
use super::groups::GroupMeans;
use super::node::Node;
use super::producer_ids::ProducerIds;
use super::request_log::RequestLog;
use super::security::{Access, Security};
use super::sightings::Sightings;
use super::{Broker, Catalog, Configs, Flusher, Groups, Metrics, Space, clock};
use crate::config::{BrokerLayers, Guards};
use crate::coordinator::group::GroupConfig;
use crate::log::data_folder::DataFolderError;
use crate::log::{DataFolder, LastStop, StartReport};
use crate::model::{BrokerId, TopicId};

pub struct BrokerOptions {
    pub data_dir: PathBuf,
    pub access: Access,
    /// Broker configs given at the start.
    pub configs: BrokerLayers,
    pub guards: Guards,
}

#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Folder(#[from] DataFolderError),
    #[error("{what}: {source}")]
    Io { what: String, source: io::Error },
}

fn io_error(what: &str) -> impl FnOnce(io::Error) -> StartError + use<> {
    let what = what.to_owned();
    move |source| StartError::Io { what, source }
}

/// One line each for what an operator should know about the start.
fn tell(report: &StartReport, catalog: &Catalog) {
    if report.last_stop != LastStop::Clean && report.unclean_starts > 0 {
        tracing::info!(unclean_starts = report.unclean_starts, "the last run did not end cleanly; logs were checked");
    }
    for warning in &report.facts.warnings {
        tracing::warn!("{warning}");
    }
    for name in &report.renamed_aside {
        tracing::warn!(file = name, "a file that could not be read was renamed aside");
    }
    for (partition, _) in &report.partitions {
        if catalog.get(partition.topic.as_str()).and_then(|t| t.partition(partition.partition)).is_none() {
            tracing::warn!(%partition, "a folder of no known topic was left alone");
        }
    }
}

impl Broker {
    /// Blocks on the disk; must run inside the runtime, where the group tasks start.
    pub fn open(options: BrokerOptions) -> Result<Arc<Broker>, StartError> {
        // The id may not change while the broker runs, so what was given at the start is what holds.
        let node_id = i32::try_from(options.configs.long("node.id")).unwrap_or(1);
        let fresh = || TopicId(uuid::Uuid::new_v4().into_bytes());
        let (folder, report) = DataFolder::open(&options.data_dir, node_id, (fresh(), fresh()))?;
        let folder = Arc::new(folder);
        let configs = Configs::open(folder.path(), options.configs).map_err(io_error("cannot read the broker's configs"))?;
        let configs = Arc::new(configs);
        let settings = configs.broker();
        let node = Node::new(BrokerId(settings.node_id), folder.cluster_id().to_owned(), settings.rack.clone());
        let security = Security::open(folder.path(), options.access).map_err(io_error("cannot read who may come in"))?;
        let catalog = Catalog::open(Arc::clone(&folder), Arc::clone(&configs), &report, clock::now());
        let catalog = catalog.map_err(io_error("cannot open the topics"))?;
        tell(&report, &catalog);
        let catalog = Arc::new(catalog);
        let seed = uuid::Uuid::new_v4().as_u64_pair();
        let group_config = GroupConfig {
            session_timeout_min_ms: settings.group_session_timeout_min_ms,
            session_timeout_max_ms: settings.group_session_timeout_max_ms,
            initial_rebalance_delay_ms: i32::try_from(settings.group_initial_rebalance_delay_ms).unwrap_or(i32::MAX),
            group_size_max: settings.group_members_max,
            groups_max: settings.groups_max,
            member_metadata_bytes_max: settings.member_metadata_bytes_max,
            offset_metadata_bytes_max: settings.offset_metadata_bytes_max,
            offsets_retention_ms: settings.offsets_retention_ms,
            offsets_retention_check_interval_ms: settings.offsets_retention_check_interval_ms,
        };
        let space = Arc::new(Space::new(Arc::clone(&folder), options.guards, report.unclean_starts));
        if let Some(reason) = space.refusal() {
            tracing::error!("{reason}");
        }
        let flusher = Flusher::start(Arc::clone(&folder));
        let means =
            GroupMeans { catalog: Arc::clone(&catalog), flusher: flusher.clone(), space: Arc::clone(&space), last_stop: report.last_stop };
        let broker = Arc::new(Broker {
            node,
            groups: Groups::start(&means, &group_config, settings.offsets_topic_partitions, seed.0),
            producer_ids: ProducerIds::open(folder.path(), catalog.producer_ids_end()).map_err(io_error("cannot read the producer ids"))?,
            // Odd high bits per run: a session of a former run must not be taken for one of this run.
            fetch_sessions: FetchSessions::new(settings.fetch_sessions_max, (seed.1 >> 34) as i32),
            metrics: Metrics::new(clock::now()),
            meters: Arc::default(),
            security: Arc::new(security),
            sightings: Sightings::default(),
            requests: RequestLog::default(),
            evidence: Evidences::default(),
            space,
            flusher,
            config_changes: tokio::sync::Mutex::default(),
            checkpoint_files: Mutex::default(),
            shutdown: watch::Sender::new(false),
            folder,
            configs,
            catalog,
        });
        broker.start_housekeeping();
        Ok(broker)
    }

    /// Tells everybody to stop. Connections end by themselves; `close` comes after them.
    pub fn stop(&self) {
        self.shutdown.send_replace(true);
    }

    /// Closes every log and says in the folder that all was written. Blocks.
    pub fn close(&self) {
        let mut clean = true;
        self.groups.stop();
        self.space.make_room();
        // All records first and at once: to close one log after the other takes its time.
        self.flush_everything_blocking();
        for topic in self.catalog.list() {
            for partition in topic.partitions().iter() {
                if let Err(error) = partition.close() {
                    tracing::error!(partition = %partition.name, %error, "cannot close a log cleanly");
                    clean = false;
                }
            }
        }
        if let Err(error) = self.write_checkpoints() {
            tracing::error!(%error, "cannot write the checkpoints");
            clean = false;
        }
        if clean && let Err(error) = self.folder.mark_clean() {
            tracing::error!(%error, "cannot write the clean-shutdown marker");
        }
    }
}
