use super::*;
use crate::broker::security::Access;
use crate::config::LogConfig;
use crate::coordinator::group::request::{CommitPartition, CommitTopic, OffsetCommit, OffsetFetch};
use crate::coordinator::group::{GroupId, MemberId, Reply};
use crate::model::{LeaderEpoch, PartitionId, TopicId};

fn open(folder: &std::path::Path) -> Arc<Broker> {
    open_with(folder, &[])
}

fn open_with(folder: &std::path::Path, more: &[(&str, &str)]) -> Arc<Broker> {
    let configs = [("offsets.topic.num.partitions", "4")].iter().chain(more).map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
    let configs = BrokerLayers::new(configs.collect()).unwrap();
    Broker::open(BrokerOptions { data_dir: folder.to_owned(), access: Access::Everyone, configs, guards: Default::default() }).unwrap()
}

async fn commit(broker: &Broker, topic: &str) {
    commit_at(broker, topic, Offset(7)).await;
}

async fn commit_at(broker: &Broker, topic: &str, offset: Offset) {
    let group = GroupId::from("g");
    let partition = CommitPartition { partition: PartitionId(0), offset, leader_epoch: LeaderEpoch(0), metadata: String::new() };
    let commit = Request::OffsetCommit(OffsetCommit {
        version: 8,
        group: group.clone(),
        generation: -1,
        member_id: MemberId::default(),
        instance_id: None,
        retention_ms: -1,
        topics: vec![CommitTopic { topic: topic.into(), topic_id: TopicId::ZERO, partitions: vec![partition] }],
    });
    let Reply::OffsetCommit(answer) = broker.groups.ask(&group, commit).await.unwrap() else { panic!() };
    assert_eq!(answer[0].1[0].1, ErrorCode::None);
}

async fn committed(broker: &Broker, topic: &str) -> Offset {
    let group = GroupId::from("g");
    let topics = Some(vec![(topic.into(), vec![PartitionId(0)])]);
    let fetch = OffsetFetch { group: group.clone(), topics, member_id: MemberId::default(), member_epoch: -1, require_stable: false };
    let Reply::OffsetFetch(answer) = broker.groups.ask(&group, Request::OffsetFetch(fetch)).await.unwrap() else { panic!() };
    answer.topics[0].1[0].offset
}

#[tokio::test]
async fn many_topics_and_their_groups_are_erased_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let broker = open(folder.path());
    let names: Vec<TopicName> = (0..150).map(|n| TopicName::new(&format!("ws.otter-{n}.c01"))).collect();
    for name in &names {
        broker.create_topic(NewTopic { name: name.clone(), partitions: 4, overrides: [].into() }).await.unwrap();
    }
    broker.create_topic(NewTopic { name: "kept".into(), partitions: 1, overrides: [].into() }).await.unwrap();
    let begun = std::time::Instant::now();
    broker.erase(names.clone(), vec!["nobody".into()]).await.unwrap();
    let took = begun.elapsed();
    println!("600 partitions erased in {} ms", took.as_millis());
    assert!(took.as_secs_f64() < 10.0 * 5.0 * 600.0 / 5_000.0, "{took:?}");
    assert_eq!(
        broker.catalog.list().iter().map(|topic| topic.name.as_str().to_owned()).filter(|n| !n.starts_with('_')).collect::<Vec<_>>(),
        ["kept"]
    );
    // Names that are gone already are no failure.
    broker.erase(names, Vec::new()).await.unwrap();
}

#[tokio::test]
async fn a_commit_makes_the_offsets_topic_and_is_there_after_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let broker = open(folder.path());
    commit(&broker, "t").await;
    let topic = broker.catalog.get(OFFSETS_TOPIC).unwrap();
    let grown = broker.grow_topic(topic, 8).await.map_err(|refused| refused.error);
    assert_eq!(grown, Err(ErrorCode::InvalidPartitions));
    // As a kill leaves it: nothing closed, the same files opened by another process.
    let copy = tempfile::tempdir().unwrap();
    let copied = std::process::Command::new("cp").arg("-r").arg(folder.path()).arg(copy.path().join("data")).status().unwrap();
    assert!(copied.success());
    assert_eq!(committed(&open(&copy.path().join("data")), "t").await, Offset(7));
}

#[tokio::test]
async fn a_commit_beyond_the_end_of_what_a_crash_left_goes_back_to_it_for_good() {
    let folder = tempfile::tempdir().unwrap();
    let broker = open(folder.path());
    broker.create_topic(NewTopic { name: "t".into(), partitions: 1, overrides: Default::default() }).await.unwrap();
    let partition = broker.catalog.get("t").unwrap().partition(PartitionId(0)).unwrap().clone();
    let record = OwnRecord { timestamp: clock::now(), key: None, value: Some("v".into()) };
    partition.append_own(&vec![record.clone(); 5], clock::now()).unwrap();
    commit(&broker, "t").await;
    let killed = |from: &std::path::Path| {
        let copy = tempfile::tempdir().unwrap();
        let data = copy.path().join("data");
        assert!(std::process::Command::new("cp").arg("-r").arg(from).arg(&data).status().unwrap().success());
        (copy, data)
    };
    let (_first, data) = killed(folder.path());
    let broker = open(&data);
    assert_eq!(committed(&broker, "t").await, Offset(5));
    let partition = broker.catalog.get("t").unwrap().partition(PartitionId(0)).unwrap().clone();
    partition.append_own(&vec![record; 5], clock::now()).unwrap();
    let (_second, data) = killed(&data);
    assert_eq!(committed(&open(&data), "t").await, Offset(5), "the old commit would skip records that were never read");
}

#[tokio::test]
async fn a_topic_made_after_the_start_is_flushed_as_soon_as_any_other() {
    let folder = tempfile::tempdir().unwrap();
    let broker = open(folder.path());
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    broker.create_topic(NewTopic { name: "t".into(), partitions: 1, overrides: Default::default() }).await.unwrap();
    let partition = broker.catalog.get("t").unwrap().partition(PartitionId(0)).unwrap().clone();
    partition.append_own(&[OwnRecord { timestamp: clock::now(), key: None, value: Some("v".into()) }], clock::now()).unwrap();
    let written = std::time::Instant::now();
    while partition.checkpoint_row().0 < Offset(1) {
        assert!(written.elapsed() < std::time::Duration::from_millis(600), "not flushed");
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn deleting_a_topic_drops_its_committed_offsets_even_if_nobody_waits_for_the_answer() {
    let folder = tempfile::tempdir().unwrap();
    let broker = open(folder.path());
    broker.create_topic(NewTopic { name: "t".into(), partitions: 1, overrides: Default::default() }).await.unwrap();
    commit(&broker, "t").await;
    let name = TopicName::new("t");
    {
        let mut deleting = std::pin::pin!(broker.delete_topic(&name));
        let polled = std::future::poll_fn(|cx| std::task::Poll::Ready(deleting.as_mut().poll(cx))).await;
        assert!(polled.is_pending());
    }
    let started = std::time::Instant::now();
    while committed(&broker, "t").await != Offset::NONE {
        assert!(started.elapsed() < std::time::Duration::from_secs(10));
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    assert!(broker.catalog.get("t").is_none());
}

#[tokio::test]
async fn many_who_ask_for_a_topic_at_once_all_get_it() {
    let folder = tempfile::tempdir().unwrap();
    let broker = open(folder.path());
    let ask = |_| {
        let broker = Arc::clone(&broker);
        tokio::spawn(async move { broker.auto_create(&TopicName::new("t")).await })
    };
    for asked in (0..30).map(ask).collect::<Vec<_>>() {
        asked.await.unwrap().unwrap();
    }
    assert_eq!(broker.catalog.list().len(), 1);
}

/// Records of group state that are written, and those of them that are on the disk.
fn group_records(broker: &Broker) -> (i64, i64) {
    let partitions = broker.catalog.get(OFFSETS_TOPIC).unwrap().partitions();
    partitions.iter().fold((0, 0), |(written, synced), p| (written + p.view().end_offset().0, synced + p.checkpoint_row().0.0))
}

#[tokio::test]
async fn an_acknowledged_commit_is_on_the_disk_if_the_broker_or_the_offsets_topic_asks_for_that() {
    const NO_BACKGROUND: (&str, &str) = ("log.flush.interval.ms", "9223372036854775807");
    let folder = tempfile::tempdir().unwrap();
    let broker = open_with(&folder.path().join("d2"), &[NO_BACKGROUND, ("log.flush.interval.messages", "1")]);
    for _ in 0..3 {
        commit(&broker, "t").await;
        let (written, synced) = group_records(&broker);
        assert!(written > 0 && written == synced, "{synced} of {written}");
    }
    let broker = open_with(&folder.path().join("d0"), &[NO_BACKGROUND]);
    commit(&broker, "t").await;
    assert_eq!(group_records(&broker).1, 0, "without being asked it waits for no disk");
    let topic = broker.catalog.get(OFFSETS_TOPIC).unwrap();
    let asked = [crate::config::Alteration { name: "flush.messages".into(), op: crate::config::AlterOp::Set, value: Some("1".into()) }];
    let layers = broker.configs.layers();
    let config = crate::config::TopicConfig::new(topic.config().edited(&asked, &layers).unwrap(), &layers).unwrap();
    broker.set_topic_config(topic, config).await.unwrap();
    commit(&broker, "t").await;
    let (written, synced) = group_records(&broker);
    assert_eq!(written, synced);
}

#[tokio::test]
async fn what_the_flush_interval_leaves_the_background_brings_to_the_disk() {
    let folder = tempfile::tempdir().unwrap();
    let broker = open_with(folder.path(), &[("log.flush.interval.ms", "20")]);
    commit(&broker, "t").await;
    let started = std::time::Instant::now();
    while group_records(&broker).1 < group_records(&broker).0 {
        assert!(started.elapsed() < std::time::Duration::from_secs(10));
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}

fn small_segments(topic: &Topic) {
    for partition in topic.partitions().iter() {
        partition.set_config(Arc::new(LogConfig { segment_bytes: 20_000, ..(*partition.config()).clone() }));
    }
}

#[tokio::test]
async fn the_cleaner_works_by_itself_unless_it_is_turned_off() {
    for (enable, works) in [("true", true), ("false", false)] {
        let folder = tempfile::tempdir().unwrap();
        let broker = open_with(folder.path(), &[("log.cleaner.backoff.ms", "5"), ("log.cleaner.enable", enable)]);
        commit(&broker, "a").await;
        small_segments(&broker.catalog.get(OFFSETS_TOPIC).unwrap());
        let started = std::time::Instant::now();
        let mut offset = 0;
        while broker.metrics.compactions.get() == 0 && started.elapsed() < std::time::Duration::from_secs(if works { 20 } else { 1 }) {
            commit_at(&broker, "a", Offset(offset)).await;
            offset += 1;
        }
        assert_eq!(broker.metrics.compactions.get() > 0, works);
        assert!(offset > 100);
        assert_eq!(committed(&broker, "a").await, Offset(offset - 1));
        broker.stop();
        tokio::task::spawn_blocking(move || broker.close()).await.unwrap();
    }
}

#[tokio::test]
async fn many_commits_are_compacted_to_few_and_read_back_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let broker = open_with(folder.path(), &[("log.cleaner.enable", "false")]);
    commit(&broker, "never again").await;
    let topic = broker.catalog.get(OFFSETS_TOPIC).unwrap();
    small_segments(&topic);
    for offset in 0..2000 {
        commit_at(&broker, ["a", "b", "c"][offset as usize % 3], Offset(offset)).await;
    }
    let bytes = || topic.partitions().iter().map(|partition| partition.view().size_bytes()).sum::<u64>();
    let (before, held) = (bytes(), topic.partitions().iter().map(|partition| partition.view()).collect::<Vec<_>>());
    broker.compact_all();
    assert!(bytes() * 5 < before, "{before} {}", bytes());
    assert!(broker.metrics.compactions.get() > 0 && broker.metrics.compaction_bytes_reclaimed.get() == before - bytes());
    assert_eq!(held.iter().map(|view| view.size_bytes()).sum::<u64>(), before, "held views are as they were");
    let runs = broker.metrics.compactions.get();
    broker.compact_all();
    assert_eq!(broker.metrics.compactions.get(), runs, "nothing is dirty");
    let expected = [("never again", 7), ("a", 1998), ("b", 1999), ("c", 1997)];
    for (name, offset) in expected {
        assert_eq!(committed(&broker, name).await, Offset(offset));
    }
    // As a kill leaves it.
    let copy = tempfile::tempdir().unwrap();
    let copied = std::process::Command::new("cp").arg("-r").arg(folder.path()).arg(copy.path().join("data")).status().unwrap();
    assert!(copied.success());
    let checkpoint = std::fs::read_to_string(copy.path().join("data/cleaner-offset-checkpoint")).unwrap();
    assert!(checkpoint.starts_with("0\n2\n__consumer_offsets "), "{checkpoint}");
    let again = open(&copy.path().join("data"));
    for (name, offset) in expected {
        assert_eq!(committed(&again, name).await, Offset(offset));
    }
    again.compact_all();
    assert_eq!(again.metrics.compactions.get(), 0, "how far it came is known");
}
