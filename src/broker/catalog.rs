//! Which topics there are. One admin lock orders every change; look-ups clone an `Arc` out and hold no lock.
//!
//! A topic is one file, `topics/<name>.json` in the data folder, written whole and synced before the topic is visible. Deleting
//! renames it to `<name>.gone` first, so that a crash in the middle is finished at the next start.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use dashmap::DashMap;
use serde::{Deserialize, Serialize};

use super::configs::Configs;
use super::groups::OFFSETS_TOPIC;
use super::partition::Partition;
use super::topic::Topic;
use crate::config::TopicConfig;
use crate::log::kept_file::{self, Kept};
use crate::log::{DataFolder, LastStop, LogError, OpenFacts, StartReport, Store};
use crate::model::{ErrorCode, Offset, PartitionId, Timestamp, TopicId, TopicName, TopicPartition};

const FOLDER: &str = "topics";
const LIVE: &str = "json";
/// No longer than `json`: a name of 249 characters leaves six for a file's ending.
const DYING: &str = "gone";
pub struct NewTopic {
    pub name: TopicName,
    pub partitions: i32,
    pub overrides: BTreeMap<String, String>,
}

/// Why a change of the catalog was refused, as the client gets it.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Refused {
    pub error: ErrorCode,
    pub message: String,
}

impl Refused {
    pub fn new(error: ErrorCode, message: impl Into<String>) -> Refused {
        Refused { error, message: message.into() }
    }

    /// The same for another part of a request.
    pub fn again(&self) -> Refused {
        Refused::new(self.error, self.message.clone())
    }

    /// What the client is told beside the code.
    pub fn words(&self) -> Option<&str> {
        (!self.message.is_empty()).then_some(self.message.as_str())
    }

    fn io(what: &str, error: &io::Error) -> Refused {
        Refused::new(ErrorCode::KafkaStorageError, format!("{what}: {error}"))
    }
}

/// A topic's file.
#[derive(Serialize, Deserialize)]
struct TopicFile {
    format: u32,
    name: TopicName,
    id: String,
    partitions: i32,
    configs: BTreeMap<String, String>,
}

const FORMAT: u32 = 1;

pub struct Catalog {
    folder: Arc<DataFolder>,
    configs: Arc<Configs>,
    by_name: DashMap<TopicName, Arc<Topic>>,
    by_id: DashMap<TopicId, TopicName>,
    /// Names that differ only in `.` and `_`.
    by_shape: DashMap<String, Vec<TopicName>>,
    admin: Mutex<()>,
    files_damaged: AtomicUsize,
    closed: AtomicUsize,
}

impl Catalog {
    /// Opens every topic of the folder. Blocks.
    pub fn open(folder: Arc<DataFolder>, configs: Arc<Configs>, report: &StartReport, now: Timestamp) -> io::Result<Catalog> {
        let catalog = Catalog {
            files_damaged: AtomicUsize::new(report.renamed_aside.len() + configs.restored),
            folder,
            configs,
            by_name: DashMap::new(),
            by_id: DashMap::new(),
            by_shape: DashMap::new(),
            admin: Mutex::new(()),
            closed: AtomicUsize::new(0),
        };
        fs::create_dir_all(catalog.topics_folder())?;
        for entry in fs::read_dir(catalog.topics_folder())? {
            let path = entry?.path();
            match path.extension().and_then(|e| e.to_str()) {
                Some(LIVE) => catalog.open_topic(&path, report, now)?,
                Some(DYING) => {
                    if let Err(error) = catalog.finish_deleting(&path) {
                        tracing::error!(file = %path.display(), %error, "cannot finish deleting a topic; the next start tries again");
                    }
                }
                _ => {}
            }
        }
        Ok(catalog)
    }

    fn topics_folder(&self) -> PathBuf {
        self.folder.path().join(FOLDER)
    }

    fn topic_file(&self, name: &TopicName, extension: &str) -> PathBuf {
        self.topics_folder().join(format!("{name}.{extension}"))
    }

    fn lock(&self) -> MutexGuard<'_, ()> {
        self.admin.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn get(&self, name: &str) -> Option<Arc<Topic>> {
        self.by_name.get(name).map(|t| Arc::clone(&t))
    }

    pub fn by_id(&self, id: TopicId) -> Option<Arc<Topic>> {
        let name = self.by_id.get(&id)?.clone();
        self.get(name.as_str()).filter(|topic| topic.id == id)
    }

    /// All topics, by name.
    pub fn list(&self) -> Vec<Arc<Topic>> {
        let mut topics: Vec<_> = self.by_name.iter().map(|t| Arc::clone(&t)).collect();
        topics.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        topics
    }

    pub fn partition_count(&self) -> usize {
        self.by_name.iter().map(|t| usize::try_from(t.partition_count()).unwrap_or(0)).sum()
    }

    /// An existing topic whose name differs from this one only in `.` and `_`.
    pub fn colliding(&self, name: &TopicName) -> Option<TopicName> {
        self.by_shape.get(&shape(name))?.iter().find(|other| *other != name).cloned()
    }

    fn publish(&self, topic: &Arc<Topic>) {
        self.by_id.insert(topic.id, topic.name.clone());
        self.by_shape.entry(shape(&topic.name)).or_default().push(topic.name.clone());
        self.by_name.insert(topic.name.clone(), Arc::clone(topic));
    }

    fn withdraw(&self, topic: &Topic) {
        self.by_name.remove(&topic.name);
        self.by_id.remove(&topic.id);
        if let Some(mut alike) = self.by_shape.get_mut(&shape(&topic.name)) {
            alike.retain(|name| *name != topic.name);
        }
        self.by_shape.remove_if(&shape(&topic.name), |_, alike| alike.is_empty());
    }

    /// Says whether `create` would succeed.
    pub fn check_new(&self, new: &NewTopic) -> Result<TopicConfig, Refused> {
        let name = &new.name;
        if self.by_name.contains_key(name) {
            return Err(Refused::new(ErrorCode::TopicAlreadyExists, format!("Topic '{name}' already exists.")));
        }
        if new.partitions < 1 {
            return Err(Refused::new(ErrorCode::InvalidPartitions, "Number of partitions must be larger than 0."));
        }
        self.check_room(usize::try_from(new.partitions).unwrap_or(0))?;
        TopicConfig::new(new.overrides.clone(), &self.configs.layers()).map_err(|e| Refused::new(e.code, e.message))
    }

    fn check_room(&self, more: usize) -> Result<(), Refused> {
        // Each takes file descriptors and maps.
        let (have, most) = (self.partition_count(), self.configs.broker().partitions_max);
        if have.saturating_add(more) > most {
            let all = have.saturating_add(more);
            let text = format!("{more} more partitions would make {all} in all; this broker holds {most} (headwater.partitions.max).");
            return Err(Refused::new(ErrorCode::PolicyViolation, text));
        }
        Ok(())
    }

    /// Creates a topic. Blocks on the disk.
    pub fn create(&self, new: NewTopic, now: Timestamp) -> Result<Arc<Topic>, Refused> {
        let _admin = self.lock();
        let config = self.check_new(&new)?;
        self.clear_place(&new.name)?;
        let id = TopicId(uuid::Uuid::new_v4().into_bytes());
        // Nothing is on disk until the file is: what fails before leaves no trace.
        let partitions = self.open_partitions(&new.name, id, 0..new.partitions, &config, |_| new_log(now)).map_err(cannot_open)?;
        if let Err(refused) = self.write_file(&new.name, id, new.partitions, config.values()) {
            let _ = kept_file::remove(&self.topic_file(&new.name, LIVE));
            return Err(refused);
        }
        let topic = Arc::new(Topic::new(new.name.clone(), id, partitions, config));
        self.publish(&topic);
        Ok(topic)
    }

    /// Makes sure that nothing of a former topic of this name is in the way of a new one.
    fn clear_place(&self, name: &TopicName) -> Result<(), Refused> {
        if self.topic_file(name, LIVE).exists() {
            let text = format!("A topic '{name}' is in the data folder and could not be opened at the start; the log says why.");
            return Err(Refused::new(ErrorCode::KafkaStorageError, text));
        }
        let dying = self.topic_file(name, DYING);
        if dying.exists() {
            self.finish_deleting(&dying).map_err(|e| Refused::io("cannot remove what is left of a deleted topic", &e))?;
        }
        Ok(())
    }

    /// A change was asked for on a topic that was looked up before the lock was taken.
    fn check_there(&self, topic: &Topic) -> Result<(), Refused> {
        if self.get(topic.name.as_str()).is_some_and(|current| current.id == topic.id) {
            return Ok(());
        }
        Err(Refused::new(ErrorCode::UnknownTopicOrPartition, format!("The topic '{}' was deleted.", topic.name)))
    }

    /// Deletes a topic: it is gone for every request that comes after, and its folders go. Blocks on the disk.
    pub fn delete(&self, name: &TopicName) -> Result<Arc<Topic>, Refused> {
        let missing = || Refused::new(ErrorCode::UnknownTopicOrPartition, "This server does not host this topic-partition.");
        self.delete_all(std::slice::from_ref(name)).pop().unwrap_or_else(|| Err(missing()))
    }

    /// Deletes topics, which is faster at once than one by one. In the order of the names; those that are not there are left out.
    pub fn delete_all(&self, names: &[TopicName]) -> Vec<Result<Arc<Topic>, Refused>> {
        let _admin = self.lock();
        let mut outcomes = Vec::with_capacity(names.len());
        let mut dying = Vec::with_capacity(names.len());
        for topic in names.iter().filter_map(|name| self.get(name.as_str())) {
            let file = self.topic_file(&topic.name, DYING);
            match fs::rename(self.topic_file(&topic.name, LIVE), &file) {
                Ok(()) => {
                    self.withdraw(&topic);
                    dying.push((Arc::clone(&topic), file));
                    outcomes.push(Ok(topic));
                }
                Err(error) => outcomes.push(Err(Refused::io("cannot rename the topic's file", &error))),
            }
        }
        let synced = self.sync_topics().map_err(|error| error.kind());
        for (topic, file) in dying {
            let mut outcome = synced.map_err(io::Error::from);
            for partition in topic.partitions().iter() {
                outcome = outcome.and(partition.delete());
            }
            // The file stays as long as a folder does: it says what still has to go.
            if let Err(error) = outcome.and_then(|()| kept_file::remove(&file)) {
                tracing::error!(topic = %topic.name, %error, "a deleted topic's files are not all gone; the next start tries again");
            }
        }
        outcomes
    }

    /// Adds partitions up to `count`. Blocks on the disk.
    pub fn grow(&self, topic: &Topic, count: i32, now: Timestamp) -> Result<(), Refused> {
        let _admin = self.lock();
        self.check_there(topic)?;
        if topic.name.as_str() == OFFSETS_TOPIC {
            let text = "The number of its partitions says where each group is kept; it cannot change.";
            return Err(Refused::new(ErrorCode::InvalidPartitions, text));
        }
        let have = topic.partition_count();
        if count <= have {
            return Err(Refused::new(ErrorCode::InvalidPartitions, format!("Topic already has {have} partition(s).")));
        }
        self.check_room(usize::try_from(count.saturating_sub(have)).unwrap_or(0))?;
        let config = topic.config();
        let mut partitions = topic.partitions().to_vec();
        let more = self.open_partitions(&topic.name, topic.id, have..count, &config, |_| new_log(now));
        partitions.extend(more.map_err(cannot_open)?);
        self.write_file(&topic.name, topic.id, count, config.values())?;
        topic.set_partitions(partitions);
        Ok(())
    }

    /// Replaces a topic's overrides. Blocks on the disk.
    pub fn set_config(&self, topic: &Topic, config: TopicConfig) -> Result<(), Refused> {
        let _admin = self.lock();
        self.check_there(topic)?;
        self.write_file(&topic.name, topic.id, topic.partition_count(), config.values())?;
        topic.set_config(config);
        self.apply_config(topic);
        Ok(())
    }

    /// Gives every log its settings anew, after a broker config changed.
    pub fn reconfigure(&self) {
        // A topic that is being made takes its settings from before the change or is in the list.
        let _admin = self.lock();
        for topic in self.list() {
            self.apply_config(&topic);
        }
    }

    fn apply_config(&self, topic: &Topic) {
        let resolved = Arc::new(topic.config().resolve(&self.configs.layers()));
        for partition in topic.partitions().iter() {
            partition.set_config(Arc::clone(&resolved));
        }
    }

    fn open_partitions(
        &self,
        name: &TopicName,
        id: TopicId,
        range: std::ops::Range<i32>,
        config: &TopicConfig,
        facts: impl Fn(&TopicPartition) -> OpenFacts,
    ) -> Result<Vec<Arc<Partition>>, LogError> {
        let resolved = Arc::new(config.resolve(&self.configs.layers()));
        range
            .map(|index| {
                let tp = TopicPartition { topic: name.clone(), partition: PartitionId(index) };
                let facts = facts(&tp);
                Partition::open(Arc::new(self.folder.store(&tp)), tp, id, Arc::clone(&resolved), facts).map(Arc::new)
            })
            .collect()
    }

    fn write_file(&self, name: &TopicName, id: TopicId, partitions: i32, configs: &BTreeMap<String, String>) -> Result<(), Refused> {
        let file = TopicFile { format: FORMAT, name: name.clone(), id: id.to_base64(), partitions, configs: configs.clone() };
        kept_file::write(&self.topic_file(name, LIVE), &file).map_err(|e| Refused::io("cannot write the topic's file", &e))
    }

    /// Makes creations, renames and removals of topics durable.
    fn sync_topics(&self) -> io::Result<()> {
        File::open(self.topics_folder())?.sync_all()
    }

    fn open_topic(&self, path: &std::path::Path, report: &StartReport, now: Timestamp) -> io::Result<()> {
        let value = match kept_file::read(path)? {
            Kept::Whole(value) => Some(value),
            Kept::Restored(value, aside) => {
                self.files_damaged.fetch_add(1, Relaxed);
                tracing::error!(file = %path.display(), set_aside = %aside.display(), "a topic's damaged file was replaced by its copy");
                Some(value)
            }
            Kept::Absent | Kept::Damaged(_) => None,
        };
        let found = value.is_some();
        let parsed = value.and_then(|value| serde_json::from_value::<TopicFile>(value).ok());
        let Some((file, id)) = parsed.and_then(|f| TopicId::from_base64(&f.id).map(|id| (f, id))) else {
            // Never deleted: its partitions' folders stay, and so does what it says.
            tracing::error!(file = %path.display(), "cannot read a topic's file; it is set aside and the topic stays closed");
            self.files_damaged.fetch_add(1, Relaxed);
            self.closed.fetch_add(1, Relaxed);
            return if found { kept_file::set_aside(path) } else { Ok(()) };
        };
        if file.format > FORMAT {
            let text = format!("{} has format {}, newer than this version knows; use a newer headwater", path.display(), file.format);
            return Err(io::Error::new(io::ErrorKind::InvalidData, text));
        }
        let config = TopicConfig::restore(file.configs);
        let partitions = match self.open_partitions(&file.name, id, 0..file.partitions, &config, |tp| facts(report, tp, now)) {
            Ok(partitions) => partitions,
            Err(error @ LogError::NewerFormat { .. }) => return Err(io::Error::other(format!("{}: {error}", file.name))),
            Err(error) => {
                // One topic's trouble does not keep the others from being served.
                tracing::error!(topic = %file.name, %error, "cannot open a topic's partitions; the topic stays closed");
                self.closed.fetch_add(1, Relaxed);
                return Ok(());
            }
        };
        for partition in &partitions {
            partition.restore_cleaner_offset(report.checkpoints.get(&partition.name).and_then(|checkpoint| checkpoint.cleaner_offset));
        }
        self.publish(&Arc::new(Topic::new(file.name, id, partitions, config)));
        Ok(())
    }

    /// A deletion that a crash interrupted.
    fn finish_deleting(&self, path: &std::path::Path) -> io::Result<()> {
        let file = kept_file::whole(&fs::read(path)?).and_then(|value| serde_json::from_value::<TopicFile>(value).ok());
        if let Some(file) = file
            && !self.topic_file(&file.name, LIVE).exists()
        {
            for index in 0..file.partitions {
                self.folder.store(&TopicPartition { topic: file.name.clone(), partition: PartitionId(index) }).delete_folder()?;
            }
        }
        kept_file::remove(path)
    }

    /// Files found damaged at the start, those of the folder and of partitions included.
    pub fn files_damaged(&self) -> usize {
        let of = |topic: &Arc<Topic>| topic.partitions().iter().map(|partition| partition.files_set_aside).sum::<usize>();
        self.files_damaged.load(Relaxed) + self.list().iter().map(of).sum::<usize>()
    }

    /// Topics of the folder that could not be opened at the start.
    pub fn closed(&self) -> usize {
        self.closed.load(Relaxed)
    }

    /// Above every producer id that a log remembers.
    pub fn producer_ids_end(&self) -> i64 {
        let of = |topic: &Arc<Topic>| topic.partitions().iter().filter_map(|partition| partition.producer_id_max()).max();
        self.list().iter().filter_map(of).max().map_or(0, |id| id.0.saturating_add(1))
    }
}

fn cannot_open(error: LogError) -> Refused {
    Refused::new(ErrorCode::KafkaStorageError, format!("cannot open a partition: {error}"))
}

/// What the folder's checkpoints say about a partition.
fn facts(report: &StartReport, partition: &TopicPartition, now: Timestamp) -> OpenFacts {
    let checkpoint = report.checkpoints.get(partition).copied().unwrap_or_default();
    OpenFacts {
        last_stop: report.last_stop,
        recovery_point: checkpoint.recovery_point.unwrap_or(Offset::ZERO),
        log_start: checkpoint.log_start.unwrap_or(Offset::ZERO),
        now,
    }
}

/// A partition that is being made has nothing to recover.
fn new_log(now: Timestamp) -> OpenFacts {
    OpenFacts { last_stop: LastStop::Clean, recovery_point: Offset::ZERO, log_start: Offset::ZERO, now }
}

#[cfg(test)]
#[path = "catalog_tests.rs"]
mod tests;

/// What two names have in common that differ only in `.` and `_`.
fn shape(name: &TopicName) -> String {
    name.as_str().replace('.', "_")
}
