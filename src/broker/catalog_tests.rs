use super::*;
use crate::broker::partition::OwnRecord;
use crate::config::BrokerLayers;

struct House {
    path: tempfile::TempDir,
}

impl House {
    fn new() -> House {
        House { path: tempfile::tempdir().unwrap() }
    }

    fn open(&self) -> Catalog {
        let fresh = || TopicId(uuid::Uuid::new_v4().into_bytes());
        let (folder, report) = DataFolder::open(self.path.path(), 1, (fresh(), fresh())).unwrap();
        let folder = Arc::new(folder);
        let configs = Arc::new(Configs::open(folder.path(), BrokerLayers::default()).unwrap());
        Catalog::open(folder, configs, &report, Timestamp(0)).unwrap()
    }

    fn files(&self) -> Vec<String> {
        let names = fs::read_dir(self.path.path().join(FOLDER)).unwrap();
        names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    fn partition_folders(&self) -> usize {
        let names = fs::read_dir(self.path.path()).unwrap().map(|entry| entry.unwrap());
        names.filter(|entry| entry.file_type().unwrap().is_dir() && entry.file_name() != FOLDER).count()
    }
}

fn new(name: &str, partitions: i32) -> NewTopic {
    NewTopic { name: name.into(), partitions, overrides: BTreeMap::new() }
}

fn write_one(topic: &Topic) {
    let record = OwnRecord { timestamp: Timestamp(1), key: None, value: Some(b"x".to_vec().into()) };
    topic.partition(PartitionId(0)).unwrap().append_own(&[record], Timestamp(1)).unwrap();
}

#[test]
fn a_topic_deleted_meanwhile_is_neither_grown_nor_configured() {
    let house = House::new();
    let catalog = house.open();
    let old = catalog.create(new("t", 1), Timestamp(0)).unwrap();
    catalog.delete(&old.name).unwrap();
    let code = |outcome: Result<(), Refused>| outcome.unwrap_err().error;
    assert_eq!(code(catalog.grow(&old, 4, Timestamp(0))), ErrorCode::UnknownTopicOrPartition);
    assert_eq!(code(catalog.set_config(&old, TopicConfig::default())), ErrorCode::UnknownTopicOrPartition);
    assert!(house.files().is_empty(), "{:?}", house.files());
    let young = catalog.create(new("t", 1), Timestamp(0)).unwrap();
    assert_eq!(code(catalog.set_config(&old, TopicConfig::default())), ErrorCode::UnknownTopicOrPartition);
    write_one(&young);
    drop((catalog, old));
    assert_eq!(house.open().get("t").unwrap().id, young.id);
}

#[test]
fn the_later_of_two_growths_never_shrinks_a_topic() {
    let house = House::new();
    let catalog = house.open();
    let topic = catalog.create(new("t", 1), Timestamp(0)).unwrap();
    catalog.grow(&topic, 6, Timestamp(0)).unwrap();
    assert_eq!(catalog.grow(&topic, 5, Timestamp(0)).unwrap_err().error, ErrorCode::InvalidPartitions);
    drop((catalog, topic));
    assert_eq!(house.open().get("t").unwrap().partition_count(), 6);
}

#[test]
fn a_topic_with_the_longest_name_can_be_deleted() {
    let house = House::new();
    let catalog = house.open();
    let topic = catalog.create(new(&"n".repeat(249), 1), Timestamp(0)).unwrap();
    write_one(&topic);
    assert_eq!(house.partition_folders(), 1);
    catalog.delete(&topic.name).unwrap();
    assert_eq!((house.files().len(), house.partition_folders()), (0, 0));
}

#[test]
fn a_deletion_that_a_crash_interrupted_is_finished() {
    let house = House::new();
    let catalog = house.open();
    write_one(&catalog.create(new("t", 1), Timestamp(0)).unwrap());
    fs::rename(catalog.topic_file(&"t".into(), LIVE), catalog.topic_file(&"t".into(), DYING)).unwrap();
    drop(catalog);
    let catalog = house.open();
    assert!(catalog.get("t").is_none() && house.files().is_empty());
    assert_eq!(house.partition_folders(), 0);
}

#[test]
fn what_is_left_of_a_deleted_topic_is_gone_before_a_new_one_takes_its_name() {
    let house = House::new();
    let catalog = house.open();
    let topic = catalog.create(new("t", 1), Timestamp(0)).unwrap();
    write_one(&topic);
    // As if the folder could not be removed.
    fs::rename(catalog.topic_file(&topic.name, LIVE), catalog.topic_file(&topic.name, DYING)).unwrap();
    catalog.by_name.remove(&topic.name);
    let again = catalog.create(new("t", 1), Timestamp(0)).unwrap();
    assert_eq!(again.partition(PartitionId(0)).unwrap().view().end_offset(), Offset::ZERO);
    write_one(&again);
}

#[test]
fn a_topic_that_cannot_be_opened_stays_closed_and_keeps_its_files() {
    let house = House::new();
    let catalog = house.open();
    write_one(&catalog.create(new("bad", 1), Timestamp(0)).unwrap());
    catalog.create(new("good", 1), Timestamp(0)).unwrap();
    drop(catalog);
    // The folder of another topic in the place of this one's.
    let metadata = house.path.path().join("bad-0/partition.metadata");
    fs::write(metadata, format!("version: 0\ntopic_id: {}", TopicId([7; 16]).to_base64())).unwrap();
    let catalog = house.open();
    assert!(catalog.get("good").is_some() && catalog.get("bad").is_none());
    let refused = catalog.create(new("bad", 1), Timestamp(0)).map(|_| ()).unwrap_err();
    assert_eq!(refused.error, ErrorCode::KafkaStorageError);
    assert_eq!(house.partition_folders(), 1);
}

#[test]
fn names_collide_when_they_differ_only_in_dots_and_underscores() {
    let house = House::new();
    let catalog = house.open();
    catalog.create(new("a.b_c", 1), Timestamp(0)).unwrap();
    let colliding = |name: &str| catalog.colliding(&TopicName::new(name)).map(|other| other.to_string());
    assert_eq!(colliding("a_b.c"), Some("a.b_c".to_owned()));
    assert_eq!((colliding("a.b_c"), colliding("a-b_c"), colliding("a.b_cc")), (None, None, None));
    catalog.delete(&TopicName::new("a.b_c")).unwrap();
    assert_eq!(colliding("a_b.c"), None);
}
