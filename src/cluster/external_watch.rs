//! What is known of another cluster at the moment: its topics with the ends of their partitions, and whether it answers.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, Weak};
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::metadata::{Metadata, MetadataTopic};
use rdkafka::{ClientConfig, Offset as At, TopicPartitionList};

use super::external_groups::Described;
use super::remote_client::{CONNECT_WITHIN, Talk, advice, blocking, reading, refused, unanswered};
use super::settling::{ANSWERED_WITHIN, SETTLES_WITHIN, again, partition_count, passes, settled, unsettled};
use super::{ClusterError, PartitionSummary, TopicSummary};
use crate::model::{ErrorCode, Offset, PartitionId, TopicId, TopicName};

const LOOK_EVERY: Duration = Duration::from_secs(1);
/// A broker that has just died does not answer for what it led; another one is asked, and leads it some seconds later.
const LOOK_WITHIN: Duration = ANSWERED_WITHIN;
/// A cluster that says for so long nothing of what it has is away.
const AWAY_AFTER: Duration = Duration::from_secs(8);
/// A topic that was known and that a broker does not know.
const FORGOTTEN_WITHIN: Duration = Duration::from_secs(1);
/// A topic that is deleted.
const GONE_WITHIN: Duration = Duration::from_secs(5);
/// Names that begin so are the cluster's own. What begins with one `_` is hidden like Headwater's own records.
const CLUSTERS_OWN: &str = "__";
const HIDDEN: char = '_';

/// Start and end of a partition.
type Ends = HashMap<(String, i32), (i64, i64)>;

#[derive(Clone, Debug, Default)]
pub(super) struct View {
    pub topics: BTreeMap<String, TopicSummary>,
    /// Partitions that no broker leads at the moment, and since when.
    leaderless: HashMap<(String, i32), Instant>,
}

impl View {
    /// How long to wait for what leads a partition. `None`: nobody has led it for so long that waiting is no use.
    pub fn patience(&self, topic: &str, partition: PartitionId) -> Option<Duration> {
        let since = self.leaderless.get(&(topic.to_owned(), partition.0));
        let left = since.map_or(SETTLES_WITHIN, |since| SETTLES_WITHIN.saturating_sub(since.elapsed()));
        (!left.is_zero()).then_some(left)
    }

    /// Where a partition ends.
    pub fn end(&self, topic: &str, partition: PartitionId) -> Option<Offset> {
        let found = self.topics.get(topic)?.partitions.iter().find(|one| one.partition == partition);
        found.map(|one| one.end_offset)
    }
}

pub(super) struct Watch {
    address: String,
    cluster_id: String,
    asker: Arc<BaseConsumer<Talk>>,
    talk: Talk,
    view: RwLock<Arc<View>>,
    /// How often one topic was put into the view.
    puts: AtomicU64,
    problem: Mutex<Option<String>>,
    /// When it last said what it has.
    answered: Mutex<Instant>,
    /// Said by somebody else, such as who waits for the streams.
    remark: Mutex<Option<String>>,
}

impl Watch {
    pub async fn begin(config: &ClientConfig, address: &str) -> Result<Arc<Watch>, ClusterError> {
        let talk = Talk::default();
        let asker: BaseConsumer<Talk> =
            reading(config).create_with_context(talk.clone()).map_err(|error| refused(&error, &format!("cannot use {address}")))?;
        let asker = Arc::new(asker);
        let ask = Arc::clone(&asker);
        let first = blocking(move || {
            let view = settled(CONNECT_WITHIN, || look(&ask, &View::default()))?;
            Ok((view, ask.client().fetch_cluster_id(CONNECT_WITHIN)))
        });
        let (view, cluster_id) = first.await?.map_err(|error: KafkaError| unanswered(address, &talk, &error))?;
        let watch = Arc::new(Watch {
            address: address.to_owned(),
            cluster_id: cluster_id.unwrap_or_default(),
            asker,
            talk,
            view: RwLock::new(Arc::new(view)),
            puts: AtomicU64::default(),
            problem: Mutex::default(),
            answered: Mutex::new(Instant::now()),
            remark: Mutex::default(),
        });
        tokio::spawn(keep_looking(Arc::downgrade(&watch)));
        Ok(watch)
    }

    pub fn view(&self) -> Arc<View> {
        Arc::clone(&self.view.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub fn cluster_id(&self) -> String {
        self.cluster_id.clone()
    }

    pub fn problem(&self) -> Option<String> {
        self.problem.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn warning(&self) -> Option<String> {
        let remark = self.remark.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let leaderless = self.view().leaderless.len();
        let led =
            || (leaderless > 0).then(|| format!("{leaderless} partitions of the cluster have no leader: nobody can read or write them"));
        remark.or_else(led)
    }

    pub fn remark(&self, what: Option<String>) {
        *self.remark.lock().unwrap_or_else(PoisonError::into_inner) = what;
    }

    /// One topic as it is now: what it has is asked again until the leader of each partition has said it. What is known of the others
    /// stays.
    pub async fn look_at(&self, name: &str) -> Result<Option<TopicSummary>, ClusterError> {
        let before = self.view();
        // One that was just made is not known to every broker yet.
        let within = if before.topics.contains_key(name) { FORGOTTEN_WITHIN } else { Duration::ZERO };
        let look = move |asker: &BaseConsumer<Talk>, name: &str| {
            again(within, || settled(SETTLES_WITHIN, || look_whole(asker, name, &before)), |found| !matches!(found, Ok(None)))
        };
        let found = self.ask(name, look).await?;
        self.put(name, found.clone());
        Ok(found)
    }

    /// A topic that was just made, as soon as it can be used.
    pub async fn appeared(&self, name: &str) -> Result<TopicSummary, ClusterError> {
        let before = self.view();
        let look = move |asker: &BaseConsumer<Talk>, name: &str| {
            let is_final = |found: &Result<Option<TopicSummary>, KafkaError>| match found {
                Ok(found) => found.is_some(),
                Err(error) => !passes(error),
            };
            again(SETTLES_WITHIN, || look_whole(asker, name, &before), is_final)
        };
        let found = self.ask(name, look).await?.ok_or_else(|| {
            let message = format!("{name} was created and did not appear");
            ClusterError { code: ErrorCode::UnknownTopicOrPartition, message }
        })?;
        self.put(name, Some(found.clone()));
        Ok(found)
    }

    pub async fn is_there(&self, name: &str) -> Result<bool, ClusterError> {
        self.ask(name, |asker, name| settled(SETTLES_WITHIN, || partition_count(asker, name))).await.map(|found| found.is_some())
    }

    /// Until no broker knows a topic any more, so that one of the same name can be made.
    pub async fn gone(&self, name: &str) {
        let look =
            |asker: &BaseConsumer<Talk>, name: &str| again(GONE_WITHIN, || partition_count(asker, name), |found| matches!(found, Ok(None)));
        if matches!(self.ask(name, look).await, Ok(None)) {
            self.put(name, None);
        }
    }

    /// Asks something about a topic.
    async fn ask<T: Send + 'static>(
        &self,
        name: &str,
        ask: impl FnOnce(&BaseConsumer<Talk>, &str) -> Result<T, KafkaError> + Send + 'static,
    ) -> Result<T, ClusterError> {
        let (asker, asked) = (Arc::clone(&self.asker), name.to_owned());
        let answer = blocking(move || ask(&asker, &asked)).await?;
        answer.map_err(|error| unsettled(&error, &format!("cannot look at {name} at {}", self.address)))
    }

    /// One group, or all of them.
    pub async fn group_list(&self, group: Option<String>) -> Result<Vec<Described>, ClusterError> {
        let asker = Arc::clone(&self.asker);
        let ask = move || {
            let found = asker.client().fetch_group_list(group.as_deref(), LOOK_WITHIN)?;
            Ok(found.groups().iter().map(Described::of).collect())
        };
        blocking(ask).await?.map_err(|error: KafkaError| refused(&error, &format!("cannot list the groups at {}", self.address)))
    }

    pub fn put(&self, name: &str, topic: Option<TopicSummary>) {
        let mut kept = self.view.write().unwrap_or_else(PoisonError::into_inner);
        let mut view = View::clone(&kept);
        match topic {
            Some(topic) => view.topics.insert(name.to_owned(), topic),
            None => view.topics.remove(name),
        };
        *kept = Arc::new(view);
        self.puts.fetch_add(1, Ordering::AcqRel);
    }

    /// What a look found that began after so many puts. One that was overtaken by a newer look at a topic changes nothing.
    fn take(&self, looked: Result<View, KafkaError>, puts: u64) {
        let problem = match looked {
            Ok(view) => {
                self.talk.forget();
                *self.answered.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
                let mut kept = self.view.write().unwrap_or_else(PoisonError::into_inner);
                if self.puts.load(Ordering::Acquire) == puts {
                    *kept = Arc::new(view);
                }
                None
            }
            Err(_) if self.answered.lock().unwrap_or_else(PoisonError::into_inner).elapsed() < AWAY_AFTER => return,
            Err(error) => {
                let reason = self.talk.last().map_or_else(|| error.to_string(), |reason| reason.replace('\n', " "));
                Some(format!("the Kafka cluster at {} does not answer: {reason}; {}", self.address, advice(&reason)))
            }
        };
        let before = std::mem::replace(&mut *self.problem.lock().unwrap_or_else(PoisonError::into_inner), problem.clone());
        match (before, problem) {
            (None, Some(problem)) => tracing::warn!("{problem}"),
            (Some(_), None) => tracing::info!(address = self.address, "the Kafka cluster answers again"),
            _ => {}
        }
    }
}

/// Until nobody needs it any more.
async fn keep_looking(watch: Weak<Watch>) {
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let Some(watch) = watch.upgrade() else { return };
        let puts = watch.puts.load(Ordering::Acquire);
        let (asker, before) = (Arc::clone(&watch.asker), watch.view());
        let looked = blocking(move || look(&asker, &before)).await;
        watch.take(looked.unwrap_or(Err(KafkaError::MetadataFetch(RDKafkaErrorCode::Fail))), puts);
    }
}

fn look(asker: &BaseConsumer<Talk>, before: &View) -> Result<View, KafkaError> {
    let metadata = asker.fetch_metadata(None, LOOK_WITHIN)?;
    Ok(view_of(asker, &metadata, before).0)
}

/// One topic with all that its partitions have.
fn look_whole(asker: &BaseConsumer<Talk>, name: &str, before: &View) -> Result<Option<TopicSummary>, KafkaError> {
    let metadata = asker.fetch_metadata(Some(name), LOOK_WITHIN)?;
    let (mut view, unknown) = view_of(asker, &metadata, before);
    let silent = KafkaError::MetadataFetch(RDKafkaErrorCode::LeaderNotAvailable);
    if unknown == 0 { Ok(view.topics.remove(name)) } else { Err(silent) }
}

/// Of a partition that cannot be asked at the moment, what was known before stays. Also tells how many these are.
fn view_of(asker: &BaseConsumer<Talk>, metadata: &Metadata, before: &View) -> (View, usize) {
    let shown = |topic: &&MetadataTopic| {
        let is_gone = matches!(
            topic.error().map(RDKafkaErrorCode::from),
            Some(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic | RDKafkaErrorCode::TopicAuthorizationFailed)
        );
        !topic.name().starts_with(CLUSTERS_OWN) && !topic.partitions().is_empty() && !is_gone
    };
    let topics: Vec<&MetadataTopic> = metadata.topics().iter().filter(shown).collect();
    let mut by_leader: HashMap<i32, Vec<(&str, i32)>> = HashMap::new();
    let (mut leaderless, now) = (HashMap::new(), Instant::now());
    for topic in &topics {
        for partition in topic.partitions() {
            match partition.leader() {
                leader if leader >= 0 => by_leader.entry(leader).or_default().push((topic.name(), partition.id())),
                _ => {
                    let key = (topic.name().to_owned(), partition.id());
                    let since = before.leaderless.get(&key).copied().unwrap_or(now);
                    leaderless.insert(key, since);
                }
            }
        }
    }
    let ends = ends(asker, by_leader);
    let unknown = topics.iter().map(|topic| topic.partitions().len()).sum::<usize>().saturating_sub(ends.len());
    let topics = topics.iter().filter_map(|topic| summary(topic, &ends, before.topics.get(topic.name())));
    (View { topics: topics.map(|topic| (topic.name.to_string(), topic)).collect(), leaderless }, unknown)
}

/// Each broker is asked for what it leads, all at the same time: one that has just gone does not hide what the others know.
fn ends(asker: &BaseConsumer<Talk>, by_leader: HashMap<i32, Vec<(&str, i32)>>) -> Ends {
    let of_leader = |partitions: &[(&str, i32)]| {
        let starts = offsets(asker, partitions, At::Beginning)?;
        let ends = offsets(asker, partitions, At::End)?;
        let both = |(key, start): (&(String, i32), &i64)| ends.get(key).map(|end| (key.clone(), (*start, *end)));
        Ok::<Ends, KafkaError>(starts.iter().filter_map(both).collect())
    };
    std::thread::scope(|scope| {
        let asking: Vec<_> = by_leader.values().map(|partitions| scope.spawn(move || of_leader(partitions))).collect();
        asking.into_iter().filter_map(|one| one.join().ok()?.ok()).flatten().collect()
    })
}

/// The protocol takes -2 and -1 for a time: the first offset, and the one after the last. They are what the client calls these two.
fn offsets(asker: &BaseConsumer<Talk>, partitions: &[(&str, i32)], which: At) -> Result<HashMap<(String, i32), i64>, KafkaError> {
    let mut asked = TopicPartitionList::with_capacity(partitions.len());
    for (topic, partition) in partitions {
        asked.add_partition_offset(topic, *partition, which)?;
    }
    let found = asker.offsets_for_times(asked, ANSWERED_WITHIN)?;
    let offset = |element: &rdkafka::topic_partition_list::TopicPartitionListElem<'_>| match (element.error(), element.offset()) {
        (Ok(()), At::Offset(offset)) => Some(((element.topic().to_owned(), element.partition()), offset)),
        _ => None,
    };
    Ok(found.elements().iter().filter_map(offset).collect())
}

/// `None`: the ends of a partition are not known and never were.
fn summary(topic: &MetadataTopic, ends: &Ends, before: Option<&TopicSummary>) -> Option<TopicSummary> {
    let mut partitions = Vec::with_capacity(topic.partitions().len());
    for partition in topic.partitions() {
        let id = PartitionId(partition.id());
        let fresh = ends.get(&(topic.name().to_owned(), id.0));
        let kept = before.and_then(|before| before.partitions.iter().find(|kept| kept.partition == id));
        let (start, end) = fresh.copied().or_else(|| kept.map(|kept| (kept.start_offset.0, kept.end_offset.0)))?;
        partitions.push(PartitionSummary {
            partition: id,
            start_offset: Offset(start),
            end_offset: Offset(end),
            size_bytes: None,
            damaged: Vec::new(),
            indexes_rebuilt: 0,
        });
    }
    partitions.sort_by_key(|partition| partition.partition);
    Some(TopicSummary {
        name: TopicName::new(topic.name()),
        id: TopicId::ZERO,
        internal: topic.name().starts_with(HIDDEN),
        durability: None,
        partitions,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ago(time: Duration) -> Instant {
        Instant::now().checked_sub(time).unwrap()
    }

    #[test]
    fn a_partition_is_waited_for_until_nobody_has_led_it_for_long() {
        let key = |partition| ("a".to_owned(), partition);
        let leaderless = HashMap::from([(key(1), ago(Duration::from_secs(5))), (key(2), ago(SETTLES_WITHIN))]);
        let view = View { leaderless, ..View::default() };
        let patience = |partition| view.patience("a", PartitionId(partition));
        assert_eq!(patience(0), Some(SETTLES_WITHIN));
        assert!(patience(1).is_some_and(|left| left <= SETTLES_WITHIN - Duration::from_secs(5)));
        assert_eq!(patience(2), None);
        assert_eq!(view.patience("b", PartitionId(2)), Some(SETTLES_WITHIN));
    }

    #[test]
    fn a_cluster_is_away_when_it_has_said_nothing_for_a_while() {
        let talk = Talk::default();
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", "127.0.0.1:1");
        let watch = Watch {
            address: "127.0.0.1:1".to_owned(),
            cluster_id: String::new(),
            asker: Arc::new(reading(&config).create_with_context(talk.clone()).unwrap()),
            talk,
            view: RwLock::default(),
            puts: AtomicU64::default(),
            problem: Mutex::default(),
            answered: Mutex::new(Instant::now()),
            remark: Mutex::default(),
        };
        let silent = || Err(KafkaError::MetadataFetch(RDKafkaErrorCode::OperationTimedOut));
        watch.take(silent(), 0);
        assert_eq!(watch.problem(), None, "one broker may have gone");
        *watch.answered.lock().unwrap() = ago(AWAY_AFTER);
        watch.take(silent(), 0);
        assert!(watch.problem().is_some_and(|problem| problem.contains("does not answer")), "{:?}", watch.problem());
        watch.take(Ok(View::default()), 0);
        assert_eq!(watch.problem(), None);
        watch.take(silent(), 0);
        assert_eq!(watch.problem(), None, "it has just answered");
        let made =
            TopicSummary { name: TopicName::new("made"), id: TopicId::ZERO, internal: false, durability: None, partitions: Vec::new() };
        watch.put("made", Some(made));
        watch.take(Ok(View::default()), 0);
        assert!(watch.view().topics.contains_key("made"), "a look that began before knows nothing of it");
        watch.take(Ok(View::default()), 1);
        assert!(watch.view().topics.is_empty());
    }
}
