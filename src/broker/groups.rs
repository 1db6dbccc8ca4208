//! Runs the group state machine: one task per shard, requests in by a channel, replies out by a oneshot, no locks.
//!
//! Groups are spread over shards by the partition of `__consumer_offsets` that holds their records, so that each partition has one
//! writer. A shard replays its partitions before it takes its first request; requests wait for that in its inbox.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use rand::SeedableRng;
use tokio::sync::{mpsc, oneshot, watch};

use super::catalog::{Catalog, NewTopic};
use super::clock;
use super::flusher::Flusher;
use super::group_clerk::Clerk;
use super::partition::{OwnRecord, Partition, error_code};
use super::space::Space;
use crate::coordinator::Token;
use crate::coordinator::group::{Effects, GroupConfig, GroupId, GroupShard, Output, Reply, Request};
use crate::coordinator::records::{self, Record, RecordError};
use crate::log::{LastStop, LogError};
use crate::model::{ErrorCode, Offset, Timestamp, TopicName};

pub const OFFSETS_TOPIC: &str = "__consumer_offsets";
const SHARDS: usize = 2;
const INBOX: usize = 4096;
const NEVER: Duration = Duration::from_secs(3600);

pub struct Groups {
    shards: Vec<mpsc::Sender<Job>>,
    stop: watch::Sender<bool>,
    catalog: Arc<Catalog>,
    space: Arc<Space>,
    partitions: i32,
}

/// What the shards work with.
#[derive(Clone)]
pub(super) struct GroupMeans {
    pub catalog: Arc<Catalog>,
    pub flusher: Flusher,
    pub space: Arc<Space>,
    pub last_stop: LastStop,
}

struct Job {
    request: Request,
    reply: oneshot::Sender<Reply>,
}

impl Groups {
    /// Starts the shard tasks. `partitions` is `offsets.topic.num.partitions`, for when the topic has to be made.
    pub(super) fn start(means: &GroupMeans, config: &GroupConfig, partitions: i32, seed: u64) -> Groups {
        let stop = watch::Sender::new(false);
        let counts: Arc<[AtomicUsize; SHARDS]> = Arc::default();
        let shards = (0..SHARDS)
            .map(|index| {
                let (sender, inbox) = mpsc::channel(INBOX);
                let shard = Shard {
                    index,
                    counts: Arc::clone(&counts),
                    machine: GroupShard::new(config.clone()),
                    ids: rand_chacha::ChaCha12Rng::seed_from_u64(seed.wrapping_add(index as u64)),
                    desk: Desk {
                        means: means.clone(),
                        waiting: HashMap::new(),
                        next_token: 0,
                        wake: None,
                        clerk: Clerk::start(),
                        written: None,
                    },
                };
                tokio::spawn(shard.run(inbox, stop.subscribe()));
                sender
            })
            .collect();
        Groups { shards, stop, catalog: Arc::clone(&means.catalog), space: Arc::clone(&means.space), partitions }
    }

    /// No group changes any more: what is written stays as it is.
    pub fn stop(&self) {
        self.stop.send_replace(true);
    }

    /// Asks the shard of this group.
    pub async fn ask(&self, group: &GroupId, request: Request) -> Result<Reply, ErrorCode> {
        if matches!(request, Request::JoinGroup(_) | Request::OffsetCommit(_)) {
            // These may make a group, and a group needs a place to be written to.
            self.ensure_offsets_topic().await?;
        }
        let partition = records::offsets_partition_for(group, self.partition_count());
        let shard = usize::try_from(partition.0).unwrap_or(0) % SHARDS;
        self.send(shard, request).await
    }

    /// Asks every shard, for what is not about one group.
    pub async fn ask_all(&self, request: Request) -> Result<Vec<Reply>, ErrorCode> {
        let mut replies = Vec::with_capacity(SHARDS);
        for shard in 0..SHARDS {
            replies.push(self.send(shard, request.clone()).await?);
        }
        Ok(replies)
    }

    async fn send(&self, shard: usize, request: Request) -> Result<Reply, ErrorCode> {
        let (reply, answer) = oneshot::channel();
        let inbox = self.shards.get(shard).ok_or(ErrorCode::CoordinatorNotAvailable)?;
        inbox.send(Job { request, reply }).await.map_err(|_| ErrorCode::CoordinatorNotAvailable)?;
        answer.await.map_err(|_| ErrorCode::CoordinatorNotAvailable)
    }

    fn partition_count(&self) -> i32 {
        self.catalog.get(OFFSETS_TOPIC).map_or(self.partitions, |topic| topic.partition_count())
    }

    /// `__consumer_offsets` is made when the first coordinator is looked up, as in Kafka.
    pub async fn ensure_offsets_topic(&self) -> Result<(), ErrorCode> {
        if self.catalog.get(OFFSETS_TOPIC).is_some() {
            return Ok(());
        }
        let (catalog, space, partitions) = (Arc::clone(&self.catalog), Arc::clone(&self.space), self.partitions);
        let made = tokio::task::spawn_blocking(move || {
            space.make_room();
            make_offsets_topic_blocking(&catalog, partitions)
        })
        .await;
        made.unwrap_or(Err(ErrorCode::CoordinatorNotAvailable))
    }
}

fn make_offsets_topic_blocking(catalog: &Catalog, partitions: i32) -> Result<(), ErrorCode> {
    let configs = [("cleanup.policy", "compact"), ("compression.type", "producer"), ("segment.bytes", "104857600")];
    let new = NewTopic {
        name: TopicName::new(OFFSETS_TOPIC),
        partitions,
        overrides: configs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
    };
    match catalog.create(new, clock::now()) {
        Ok(_) => Ok(()),
        Err(refused) if refused.error == ErrorCode::TopicAlreadyExists => Ok(()),
        Err(refused) => {
            tracing::error!(error = refused.message, "cannot create {OFFSETS_TOPIC}");
            Err(ErrorCode::CoordinatorNotAvailable)
        }
    }
}

struct Shard {
    index: usize,
    /// How many groups each shard has.
    counts: Arc<[AtomicUsize; SHARDS]>,
    machine: GroupShard,
    ids: rand_chacha::ChaCha12Rng,
    desk: Desk,
}

impl Shard {
    async fn run(self, inbox: mpsc::Receiver<Job>, stop: watch::Receiver<bool>) {
        let replay = move || {
            let mut shard = self;
            shard.replay();
            if shard.desk.means.last_stop != LastStop::Clean {
                shard.move_commits_back();
            }
            shard
        };
        // A long log takes seconds to read back: not on the network thread.
        match tokio::task::spawn_blocking(replay).await {
            Ok(shard) => shard.serve(inbox, stop).await,
            Err(error) => tracing::error!(%error, "groups cannot be read back and are not served"),
        }
    }

    async fn serve(mut self, mut inbox: mpsc::Receiver<Job>, mut stop: watch::Receiver<bool>) {
        let first = self.machine.start(clock::now());
        self.carry_out(first);
        loop {
            let rest = self.desk.wake.map_or(NEVER, |at| Duration::from_millis(u64::try_from(at.since(clock::now())).unwrap_or(0)));
            tokio::select! {
                job = inbox.recv() => match job {
                    Some(job) => self.take(job),
                    None => return,
                },
                _ = stop.wait_for(|stopped| *stopped) => return,
                () = tokio::time::sleep(rest) => {
                    self.desk.wake = None;
                    let due = self.machine.tick(clock::now());
                    self.carry_out(due);
                }
            }
        }
    }

    fn take(&mut self, job: Job) {
        let token = Token(self.desk.next_token);
        self.desk.next_token += 1;
        self.desk.waiting.insert(token, job.reply);
        let others = self.counts.iter().enumerate().filter(|(index, _)| *index != self.index);
        self.machine.set_elsewhere(others.map(|(_, count)| count.load(Relaxed)).sum());
        let steps = self.machine.decide(clock::now(), token, job.request, &mut self.ids);
        self.carry_out(steps);
    }

    fn carry_out(&mut self, steps: Vec<Output>) {
        self.desk.written = None;
        self.machine.carry_out(clock::now(), steps, &mut self.desk);
        if let Some(count) = self.counts.get(self.index) {
            count.store(self.machine.group_count(), Relaxed);
        }
    }

    /// Reads back what this shard's partitions hold.
    fn replay(&mut self) {
        let Some(topic) = self.desk.means.catalog.get(OFFSETS_TOPIC) else { return };
        for partition in topic.partitions().iter() {
            if usize::try_from(partition.id().0).unwrap_or(0) % SHARDS != self.index {
                continue;
            }
            let id = partition.id().0;
            let machine = &mut self.machine;
            let read = partition.read_own(Offset::ZERO, |offset, record| {
                match Record::decode(&record.key.unwrap_or_default(), record.value.as_deref()) {
                    Ok(record) => machine.apply(&record),
                    // A kind of record that this version does not know stays in the log and is left alone.
                    Err(RecordError::OtherKey(_)) => {}
                    Err(error) => {
                        tracing::error!(topic = OFFSETS_TOPIC, partition = id, offset = offset.0, %error, "group record skipped");
                    }
                }
            });
            if let Err(error) = read {
                tracing::error!(topic = OFFSETS_TOPIC, partition = id, %error, "cannot read back all group records");
            }
        }
    }
}

impl Shard {
    /// No commit is beyond the end of its partition. On the disk before anything is appended there that an old commit would skip. Blocks.
    fn move_commits_back(&mut self) {
        let catalog = Arc::clone(&self.desk.means.catalog);
        let moved = self.machine.commits_beyond_the_end(|topic, id| Some(catalog.get(topic.as_str())?.partition(id)?.view().end_offset()));
        for of_group in moved.chunk_by(|one, next| one.group() == next.group()) {
            let Some(group) = of_group.first().map(Record::group) else { continue };
            tracing::warn!(%group, partitions = of_group.len(), "records that were read are lost; the group's commits went back to the end");
            // Logged where it fails.
            let _ = self.desk.append(group, of_group);
            of_group.iter().for_each(|record| self.machine.apply(record));
            if let Some((partition, _)) = self.desk.written.take() {
                let _ = partition.flush();
            }
        }
    }
}

/// What the state machine cannot do itself: write, answer, be woken.
struct Desk {
    means: GroupMeans,
    waiting: HashMap<Token, oneshot::Sender<Reply>>,
    next_token: u64,
    wake: Option<Timestamp>,
    clerk: Clerk,
    /// Where this turn wrote something that has to be on the disk before it is spoken of.
    written: Option<(Arc<Partition>, Offset)>,
}

impl Desk {
    /// Group state is small and others wait for it: on a full disk the ballast makes room for it.
    fn write(&self, partition: &Partition, batch: &[OwnRecord], now: Timestamp) -> Result<Offset, LogError> {
        match partition.append_own(batch, now) {
            Err(error) if self.means.space.make_room_for(&error) => partition.append_own(batch, now),
            outcome => outcome,
        }
    }
}

impl Effects for Desk {
    /// One batch in the group's partition.
    fn append(&mut self, group: &GroupId, list: &[Record]) -> Result<(), ErrorCode> {
        let topic = self.means.catalog.get(OFFSETS_TOPIC).ok_or(ErrorCode::CoordinatorNotAvailable)?;
        let id = records::offsets_partition_for(group, topic.partition_count());
        let partition = topic.partition(id).ok_or(ErrorCode::CoordinatorNotAvailable)?;
        let now = clock::now();
        let own = |record: &Record| OwnRecord {
            timestamp: now,
            key: Some(record.encode_key().into()),
            value: record.encode_value().map(Into::into),
        };
        let batch: Vec<OwnRecord> = list.iter().map(own).collect();
        let written = self.write(&partition, &batch, now).map_err(|error| {
            tracing::error!(topic = OFFSETS_TOPIC, partition = id.0, %error, "cannot write group state");
            // As Kafka answers a group when its own log cannot be written.
            match error_code(&error) {
                ErrorCode::KafkaStorageError => ErrorCode::NotCoordinator,
                _ => ErrorCode::UnknownServerError,
            }
        })?;
        self.written = Some((partition, written.plus(i64::try_from(batch.len()).unwrap_or(0))));
        Ok(())
    }

    fn reply(&mut self, token: Token, reply: Reply) {
        // The connection may be gone.
        let Some(waiting) = self.waiting.remove(&token) else { return };
        let flush = self.written.as_ref().and_then(|(partition, end)| self.means.flusher.due(partition, *end));
        self.clerk.send(waiting, reply, flush);
    }

    fn wake(&mut self, at: Timestamp) {
        self.wake = Some(at);
    }
}
