//! For tests: a member of a group, as a consumer would be one.

use bytes::Bytes;

use crate::broker::Broker;
use crate::coordinator::group::request::{CommitPartition, CommitTopic, JoinGroup, JoinProtocol, OffsetCommit, SyncGroup};
use crate::coordinator::group::{GroupId, MemberId, Reply, Request};
use crate::model::{LeaderEpoch, Offset, PartitionId, TopicName};

/// The one member of a group.
pub struct Reader {
    group: GroupId,
    generation: i32,
    id: MemberId,
}

impl Reader {
    /// It says that it reads these.
    pub async fn join(broker: &Broker, group: &str, topics: &[(&str, &[i32])]) -> Reader {
        let id = GroupId::from(group);
        let join = JoinGroup {
            version: 3,
            group: id.clone(),
            member_id: MemberId::default(),
            instance_id: None,
            client_id: "reader".to_owned(),
            client_host: "/127.0.0.1".to_owned(),
            session_timeout_ms: 60_000,
            rebalance_timeout_ms: 60_000,
            protocol_type: "consumer".to_owned(),
            protocols: vec![JoinProtocol { name: "range".to_owned(), metadata: Bytes::new() }],
        };
        let Ok(Reply::JoinGroup(joined)) = broker.groups.ask(&id, Request::JoinGroup(join)).await else { panic!("it cannot join") };
        let sync = SyncGroup {
            version: 3,
            group: id.clone(),
            generation: joined.generation,
            member_id: joined.member_id.clone(),
            instance_id: None,
            protocol_type: None,
            protocol_name: None,
            assignments: vec![(joined.member_id.clone(), assignment(topics))],
        };
        let Ok(Reply::SyncGroup(synced)) = broker.groups.ask(&id, Request::SyncGroup(sync)).await else { panic!("it gets nothing") };
        assert!(synced.error.is_ok());
        Reader { group: id, generation: joined.generation, id: joined.member_id }
    }

    /// Of partition 0.
    pub async fn commit(&self, broker: &Broker, topic: &str, offset: Offset) {
        let partition = CommitPartition { partition: PartitionId(0), offset, leader_epoch: LeaderEpoch::UNKNOWN, metadata: String::new() };
        let topic_id = broker.catalog.get(topic).unwrap().id;
        let commit = OffsetCommit {
            version: 7,
            group: self.group.clone(),
            generation: self.generation,
            member_id: self.id.clone(),
            instance_id: None,
            retention_ms: -1,
            topics: vec![CommitTopic { topic: TopicName::new(topic), topic_id, partitions: vec![partition] }],
        };
        let answered = broker.groups.ask(&self.group, Request::OffsetCommit(commit)).await;
        let Ok(Reply::OffsetCommit(topics)) = answered else { panic!("it cannot commit") };
        assert!(topics.iter().flat_map(|(_, partitions)| partitions).all(|(_, error)| error.is_ok()), "{topics:?}");
    }
}

/// What the leader of a group of consumers writes for a member.
fn assignment(topics: &[(&str, &[i32])]) -> Bytes {
    let count = |count: usize| i32::try_from(count).unwrap().to_be_bytes();
    let mut bytes = vec![0, 0];
    bytes.extend(count(topics.len()));
    for (name, partitions) in topics {
        bytes.extend(i16::try_from(name.len()).unwrap().to_be_bytes());
        bytes.extend(name.as_bytes());
        bytes.extend(count(partitions.len()));
        partitions.iter().for_each(|partition| bytes.extend(partition.to_be_bytes()));
    }
    bytes.into()
}
