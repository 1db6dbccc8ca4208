//! Which topics are moved, and how they are made at the target.

use rdkafka::admin::{AdminOptions, ConfigSource, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use super::end::{ANSWER_WITHIN, End};
use super::journal::TOPIC as JOURNAL;
use super::{MirrorError, Wishes};
use crate::cluster::settling::again;

/// What a Headwater broker keeps for itself: seed and orders, how far everybody is, the ledger, who has joined. Its lists of topics
/// leave them out, and its producers are refused there.
const WORKSHOP: [&str; 4] = ["_headwater", "_progress", "_truth", "_workshop"];

/// They say how a cluster keeps its copies, which is the target's own.
const OF_REPLICATION: [&str; 3] =
    ["follower.replication.throttled.replicas", "leader.replication.throttled.replicas", "min.insync.replicas"];

const COMPACT: (&str, &str) = ("cleanup.policy", "compact");
const STAMPED: (&str, &str) = ("message.timestamp.type", "LogAppendTime");

/// A topic that is moved.
#[derive(Debug, Clone)]
pub(super) struct Topic {
    pub name: String,
    pub partitions: i32,
    /// Its own, without those that everybody has by default.
    pub configs: Vec<(String, String)>,
    /// Configs that it does not get there, with the reason.
    pub left_out: Vec<(String, &'static str)>,
    /// Whether the target has it already.
    pub exists: bool,
    /// At one of the ends.
    pub compacted: bool,
    /// The largest batch that both ends take.
    pub batch_bytes: i64,
    /// So many replicas have to be in sync there.
    pub min_in_sync: usize,
}

/// `*` stands for anything.
pub(super) fn matches(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((before, after)) => name.strip_prefix(before).is_some_and(|rest| {
            let ends = rest.char_indices().map(|(at, _)| at).chain([rest.len()]);
            ends.filter_map(|at| rest.get(at..)).any(|rest| matches(after, rest))
        }),
    }
}

pub(super) fn is_wanted(patterns: &[String], name: &str) -> bool {
    patterns.is_empty() || patterns.iter().any(|pattern| matches(pattern, name))
}

/// The topics that are wished for, sorted by name. An error names all that stand in the way.
pub(super) fn find(from: &End, to: &End, wishes: &Wishes) -> Result<Vec<Topic>, MirrorError> {
    let mut all = from.partition_counts()?;
    all.retain(|(name, _)| !name.starts_with("__") && name != JOURNAL && !WORKSHOP.contains(&name.as_str()));
    for hidden in WORKSHOP {
        let named = wishes.topics.iter().any(|pattern| pattern == hidden);
        if (wishes.workshop || named)
            && let Some(count) = from.partition_count(hidden)?.filter(|count| *count > 0)
        {
            all.push((hidden.to_owned(), count));
        }
    }
    all.retain(|(name, _)| is_wanted(&wishes.topics, name) || wishes.workshop && WORKSHOP.contains(&name.as_str()));
    for (name, count) in all.iter_mut().filter(|(_, count)| *count == 0) {
        *count = partitions_of(from, name)?.unwrap_or(0);
    }
    all.retain(|(_, count)| *count > 0);
    all.sort();
    if let Some(missing) = wishes.topics.iter().find(|pattern| !all.iter().any(|(name, _)| matches(pattern, name))) {
        return Err(from.wrong(&format!("no topic is called {missing}; see its list of topics, and give --topics accordingly")));
    }
    let names: Vec<&str> = all.iter().map(|(name, _)| name.as_str()).collect();
    let mut configs = configs(from, &names)?;
    let (mut topics, mut in_the_way) = (Vec::new(), Vec::new());
    for (name, partitions) in all {
        let own = configs.remove(&name).unwrap_or_default();
        let mut topic = Topic {
            partitions: i32::try_from(partitions).unwrap_or(i32::MAX),
            configs: Vec::new(),
            left_out: Vec::new(),
            exists: false,
            compacted: own.is_compacted(),
            batch_bytes: own.batch_bytes(),
            min_in_sync: 1,
            name,
        };
        for (config, value) in own.overridden {
            if OF_REPLICATION.contains(&config.as_str()) {
                topic.left_out.push((config, "replication is the target's own"));
            } else if (config.as_str(), value.as_str()) == STAMPED {
                topic.left_out.push((config, "the records keep their times"));
            } else {
                topic.configs.push((config, value));
            }
        }
        match partitions_of(to, &topic.name)? {
            None => {}
            Some(count) if count == partitions => topic.exists = true,
            Some(count) => in_the_way.push(format!(
                "{} has {count} partitions there and {partitions} here; delete it there, or leave it out by --topics",
                topic.name
            )),
        }
        topics.push(topic);
    }
    let there: Vec<&str> = topics.iter().filter(|topic| topic.exists).map(|topic| topic.name.as_str()).collect();
    let theirs = self::configs(to, &there)?;
    for topic in topics.iter_mut().filter(|topic| topic.exists) {
        let Some(found) = theirs.get(&topic.name) else { continue };
        topic.compacted |= found.is_compacted();
        topic.batch_bytes = topic.batch_bytes.min(found.batch_bytes());
        topic.min_in_sync = found.min_in_sync;
        if found.stamps {
            in_the_way.push(stamps(&topic.name));
        }
    }
    if in_the_way.is_empty() { Ok(topics) } else { Err(to.wrong(&in_the_way.join("; "))) }
}

/// How many partitions it has, once its leaders are chosen; none if it does not exist.
fn partitions_of(end: &End, name: &str) -> Result<Option<usize>, MirrorError> {
    match again(ANSWER_WITHIN, || end.partition_count(name), |found| !matches!(found, Ok(Some(0))))? {
        Some(0) => {
            let leaderless = KafkaError::MetadataFetch(RDKafkaErrorCode::LeaderNotAvailable);
            Err(end.failed(&format!("cannot look at {name}"), &leaderless))
        }
        count => Ok(count),
    }
}

fn stamps(name: &str) -> String {
    format!(
        "{name} stamps records by itself there (message.timestamp.type=LogAppendTime), so that their times would be lost; set it to CreateTime"
    )
}

/// The configs of a topic.
#[derive(Default)]
struct Configs {
    overridden: Vec<(String, String)>,
    cleanup: String,
    stamps: bool,
    message_bytes: Option<i64>,
    min_in_sync: usize,
}

impl Configs {
    fn is_compacted(&self) -> bool {
        self.cleanup.contains("compact")
    }

    /// Less than the largest that is taken, as a batch has a header.
    fn batch_bytes(&self) -> i64 {
        self.message_bytes.map_or(1_000_000, |most| (most - 200).clamp(1_000, 1_000_000))
    }
}

fn configs(end: &End, names: &[&str]) -> Result<std::collections::HashMap<String, Configs>, MirrorError> {
    let mut found = std::collections::HashMap::new();
    let options = AdminOptions::new().request_timeout(Some(ANSWER_WITHIN));
    for some in names.chunks(100) {
        let asked: Vec<ResourceSpecifier<'_>> = some.iter().map(|name| ResourceSpecifier::Topic(name)).collect();
        let answers = end.wait_for(end.admin.describe_configs(&asked, &options));
        let answers = answers.map_err(|error| end.failed("cannot read the topics' configs", &error))?;
        for (name, answer) in some.iter().zip(answers) {
            let resource = answer.map_err(|code| end.failed(&format!("cannot read the configs of {name}"), &KafkaError::AdminOp(code)))?;
            let mut configs = Configs::default();
            for entry in resource.entries {
                let Some(value) = entry.value else { continue };
                match entry.name.as_str() {
                    "cleanup.policy" => configs.cleanup.clone_from(&value),
                    "min.insync.replicas" => configs.min_in_sync = value.parse().unwrap_or(1),
                    "max.message.bytes" => configs.message_bytes = value.parse().ok(),
                    name if name == STAMPED.0 => configs.stamps = value == STAMPED.1,
                    _ => {}
                }
                if entry.source == ConfigSource::DynamicTopic && !entry.is_sensitive {
                    configs.overridden.push((entry.name, value));
                }
            }
            configs.overridden.sort();
            found.insert((*name).to_owned(), configs);
        }
    }
    Ok(found)
}

impl Topic {
    /// Makes it at the target, without the configs that the target does not take.
    pub fn create(&mut self, to: &End) -> Result<(), MirrorError> {
        if !accepts(to, &self.name, self.partitions, &self.configs) {
            let (name, partitions, mut refused) = (self.name.clone(), self.partitions, Vec::new());
            self.configs.retain(|config| {
                let fits = accepts(to, &name, partitions, std::slice::from_ref(config));
                if !fits {
                    refused.push((config.0.clone(), "the target does not take it"));
                }
                fits
            });
            self.left_out.append(&mut refused);
        }
        create(to, &self.name, self.partitions, &self.configs)?;
        self.exists = true;
        match configs(to, &[self.name.as_str()])?.remove(&self.name) {
            Some(made) if made.stamps => Err(to.wrong(&stamps(&self.name))),
            Some(made) => {
                self.compacted |= made.is_compacted();
                self.batch_bytes = self.batch_bytes.min(made.batch_bytes());
                Ok(())
            }
            None => Ok(()),
        }
    }
}

fn new_topic<'a>(name: &'a str, partitions: i32, configs: &'a [(String, String)]) -> NewTopic<'a> {
    // The replication factor is the target's default.
    let plain = NewTopic::new(name, partitions, TopicReplication::Fixed(-1));
    configs.iter().fold(plain, |topic, (key, value)| topic.set(key, value))
}

/// Whether it would make this topic. Only a refusal of the configs counts.
fn accepts(to: &End, name: &str, partitions: i32, configs: &[(String, String)]) -> bool {
    let options = AdminOptions::new().request_timeout(Some(ANSWER_WITHIN)).validate_only(true);
    let answers = to.wait_for(to.admin.create_topics([&new_topic(name, partitions, configs)], &options));
    !matches!(answers.ok().and_then(|answers| answers.into_iter().next()), Some(Err((_, RDKafkaErrorCode::InvalidConfig))))
}

/// It is read as a whole, and what was written over goes soon: without these configs Kafka would keep a gigabyte of it.
pub(super) fn create_journal(to: &End) -> Result<(), MirrorError> {
    let own = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    let mut configs: Vec<_> = [COMPACT, ("segment.bytes", "16777216"), ("min.cleanable.dirty.ratio", "0.1")].map(own).into();
    if !accepts(to, JOURNAL, 1, &configs) {
        configs.truncate(1);
    }
    create(to, JOURNAL, 1, &configs)
}

fn create(to: &End, name: &str, partitions: i32, configs: &[(String, String)]) -> Result<(), MirrorError> {
    let options = AdminOptions::new().operation_timeout(Some(ANSWER_WITHIN)).request_timeout(Some(ANSWER_WITHIN));
    let failed = |error: &KafkaError| to.failed(&format!("cannot create {name}"), error);
    let answers = to.wait_for(to.admin.create_topics([&new_topic(name, partitions, configs)], &options));
    match answers.map_err(|error| failed(&error))?.into_iter().next() {
        Some(Err((_, code))) if code != RDKafkaErrorCode::TopicAlreadyExists => return Err(failed(&KafkaError::AdminOp(code))),
        _ => {}
    }
    if to.appears(name)? {
        return Ok(());
    }
    Err(to.wrong(&format!("{name} was created and did not appear; look at the cluster, then run this again")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_anything() {
        for (pattern, name, fits) in [
            ("orders", "orders", true),
            ("orders", "orders2", false),
            ("ws.*", "ws.quiet-otter.out", true),
            ("ws.*", "wsx", false),
            ("*.out", "ws.quiet-otter.out", true),
            ("*", "", true),
            ("a*b*c", "a1b2b3c", true),
            ("a*b*c", "a1b2b3", false),
            ("*é", "aé", true),
        ] {
            assert_eq!(matches(pattern, name), fits, "{pattern} {name}");
        }
    }

    #[test]
    fn a_batch_fits_into_what_the_topic_takes() {
        let of = |bytes: i64| Configs { message_bytes: Some(bytes), ..Configs::default() }.batch_bytes();
        assert_eq!((of(1_048_588), of(10_000), of(100)), (1_000_000, 9_800, 1_000));
    }
}
