//! What pages change in another cluster. Its own limits count; Headwater has none there.

use rdkafka::admin::{ConfigEntry, ConfigSource, ResourceSpecifier};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use super::external::External;
use super::remote_client::refused;
use super::remote_write::{create_with, send, waiting};
use super::settling::{administered, unsettled};
use super::{BoxFuture, Cluster, ClusterError, Desk, NewRecord, Produced, TopicSetting, TopicWish};
use crate::config::topic_row;
use crate::model::{ErrorCode, PartitionId, TopicName};

impl External {
    async fn make_topic(&self, wish: TopicWish) -> Result<i32, ClusterError> {
        self.reachable()?;
        let name = wish.name.as_str();
        if self.watch.is_there(name).await? {
            let message = format!("there is a topic {name} already");
            return Err(ClusterError { code: ErrorCode::TopicAlreadyExists, message });
        }
        let configs: Vec<(&str, &str)> = wish.configs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        // -1: as many as the cluster gives a new topic.
        create_with(&self.admin, name, wish.partitions.unwrap_or(-1), &configs).await?;
        let made = self.watch.appeared(name).await?;
        Ok(i32::try_from(made.partitions.len()).unwrap_or(i32::MAX))
    }

    async fn drop_topic(&self, name: &TopicName) -> Result<(), ClusterError> {
        self.reachable()?;
        let answers = administered(&self.admin, || self.admin.delete_topics(&[name.as_str()], &waiting())).await;
        let answers = answers.map_err(|error| unsettled(&error, &format!("cannot delete {name}")))?;
        self.watch.gone(name.as_str()).await;
        match answers.into_iter().next() {
            Some(Err((_, code))) => Err(refused(&KafkaError::AdminOp(code), &format!("cannot delete {name}"))),
            _ => Ok(()),
        }
    }

    /// What is not there any more is no failure. Groups with members stay.
    pub(super) async fn erase_all(&self, topics: Vec<TopicName>, groups: Vec<String>) -> Result<(), ClusterError> {
        for topic in topics {
            match self.drop_topic(&topic).await {
                Err(error) if error.code != ErrorCode::UnknownTopicOrPartition => return Err(error),
                _ => {}
            }
        }
        for group in groups {
            if let Err(error) = self.drop_group(&group).await {
                tracing::debug!(group, %error, "a group was not deleted");
            }
        }
        Ok(())
    }

    async fn settings_of(&self, topic: &str) -> Result<Vec<TopicSetting>, ClusterError> {
        self.reachable()?;
        let failed = |error: &KafkaError| unsettled(error, &format!("cannot ask for the configs of {topic}"));
        let (asked, options) = ([ResourceSpecifier::Topic(topic)], waiting());
        let answers = administered(&self.admin, || self.admin.describe_configs(&asked, &options)).await.map_err(|error| failed(&error))?;
        let found = match answers.into_iter().next() {
            Some(Ok(found)) => found,
            Some(Err(code)) => return Err(failed(&KafkaError::AdminOp(code))),
            None => return Err(failed(&KafkaError::AdminOp(RDKafkaErrorCode::UnknownTopicOrPartition))),
        };
        let mut settings: Vec<TopicSetting> = found.entries.into_iter().map(setting).collect();
        settings.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(settings)
    }
}

fn setting(entry: ConfigEntry) -> TopicSetting {
    let known = topic_row(&entry.name);
    let overridden = matches!(entry.source, ConfigSource::DynamicTopic);
    TopicSetting {
        // The client does not say what would be in force instead.
        default: if overridden { None } else { entry.value.clone() },
        overridden,
        value: entry.value,
        kind: known.map_or("STRING", |row| row.def.kind.name()),
        about: known.map_or("", |row| row.def.doc),
        name: entry.name,
        idle: None,
    }
}

impl Desk for External {
    fn create_topic<'a>(&'a self, _: Option<&'a str>, wish: TopicWish) -> BoxFuture<'a, Result<i32, ClusterError>> {
        Box::pin(self.make_topic(wish))
    }

    fn delete_topic<'a>(&'a self, _: Option<&'a str>, topic: &'a TopicName) -> BoxFuture<'a, Result<(), ClusterError>> {
        Box::pin(self.drop_topic(topic))
    }

    fn produce<'a>(
        &'a self,
        _: Option<&'a str>,
        topic: &'a TopicName,
        partition: PartitionId,
        records: Vec<NewRecord>,
    ) -> BoxFuture<'a, Result<Produced, ClusterError>> {
        Box::pin(async move {
            self.reachable()?;
            // A producer's question would create it.
            let is_there = self.topic(topic.as_str()).is_some_and(|topic| topic.partitions.iter().any(|one| one.partition == partition));
            if !is_there {
                let message = format!("there is no partition {topic}-{partition}");
                return Err(ClusterError { code: ErrorCode::UnknownTopicOrPartition, message });
            }
            let produced = send(&self.producer, topic.as_str(), partition, &records).await?;
            // Whoever sent them looks for them next.
            if let Err(error) = self.watch.look_at(topic.as_str()).await {
                tracing::debug!(%error, "a topic that was just written to");
            }
            Ok(produced)
        })
    }

    fn topic_settings<'a>(&'a self, topic: &'a str) -> BoxFuture<'a, Result<Vec<TopicSetting>, ClusterError>> {
        Box::pin(self.settings_of(topic))
    }
}
