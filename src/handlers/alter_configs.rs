//! AlterConfigs (33), versions 0-2: the given configs become the resource's whole set. Deprecated in favour of
//! IncrementalAlterConfigs (KIP-339), still what AKHQ and old clients send.

use std::collections::HashSet;

use kafka_protocol::messages::AlterConfigsRequest;
use kafka_protocol::messages::alter_configs_response::{AlterConfigsResourceResponse, AlterConfigsResponse};
use kafka_protocol::protocol::StrBytes;

use super::describe_configs::{check, check_topic_name, resource, this_broker};
use super::{Access, Api, Context, HangUp, Reply};
use crate::broker::Refused;
use crate::config::{Alteration, BrokerLayers, BrokerScope, ConfigError, ConfigValues, TopicConfig};
use crate::model::ErrorCode;
use crate::security::Operation;
use crate::wire::convert::optional_text;

pub struct AlterConfigs;

impl Api for AlterConfigs {
    const KEY: i16 = 33;
    const NAME: &'static str = "AlterConfigs";
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=2;
    const ACCESS: Access = Access::Owner(ErrorCode::TopicAuthorizationFailed);
    type Request = AlterConfigsRequest;

    async fn handle(ctx: &Context, _version: i16, request: AlterConfigsRequest) -> Result<Reply, HangUp> {
        let mut response = AlterConfigsResponse::default();
        let twice = named_twice(request.resources.iter().map(|r| (r.resource_type, &r.resource_name)));
        for asked in &request.resources {
            let outcome = if twice.contains(&(asked.resource_type, asked.resource_name.clone())) {
                Err(Refused::new(ErrorCode::InvalidRequest, "Each resource must appear at most once."))
            } else {
                let sets: Vec<Alteration> =
                    asked.configs.iter().map(|c| Alteration::set(&c.name, c.value.as_ref().map(|v| v.as_str()))).collect();
                let change = Change {
                    topic: &|_, layers| TopicConfig::default().edited(&sets, layers),
                    broker: &|layers, scope| layers.replaced(scope, &sets),
                };
                alter(ctx, asked.resource_type, asked.resource_name.as_str(), request.validate_only, &change).await
            };
            let mut result = AlterConfigsResourceResponse::default();
            result.resource_type = asked.resource_type;
            result.resource_name = asked.resource_name.clone();
            result.error_message = None;
            if let Err(refused) = outcome {
                result.error_code = refused.error.code();
                result.error_message = optional_text(refused.words());
            }
            response.responses.push(result);
        }
        ctx.reply(&response)
    }
}

/// The resources that a request names more than once.
pub fn named_twice<'a>(named: impl Iterator<Item = (i8, &'a StrBytes)>) -> HashSet<(i8, StrBytes)> {
    let mut seen = HashSet::new();
    named.filter(|resource| !seen.insert(*resource)).map(|(kind, name)| (kind, name.clone())).collect()
}

/// What a request makes of the configs that are there, for either kind of resource.
pub struct Change<'a> {
    pub topic: &'a (dyn Fn(&TopicConfig, &BrokerLayers) -> Result<ConfigValues, ConfigError> + Send + Sync),
    pub broker: &'a (dyn Fn(&BrokerLayers, BrokerScope) -> Result<BrokerLayers, ConfigError> + Send + Sync),
}

/// Makes a change of one resource, or only says whether it could be made.
pub async fn alter(ctx: &Context, kind: i8, name: &str, validate_only: bool, change: &Change<'_>) -> Result<(), Refused> {
    check(ctx, Operation::AlterConfigs, kind, name)?;
    let _alone = ctx.broker.config_changes.lock().await;
    let layers = ctx.broker.configs.layers();
    let refused = |e: ConfigError| Refused::new(e.code, e.message);
    match kind {
        resource::TOPIC => {
            let topic = ctx.broker.catalog.get(name);
            let current = topic.as_ref().map(|topic| topic.config()).unwrap_or_default();
            let values = (change.topic)(&current, &layers).map_err(refused)?;
            if name.is_empty() {
                return Err(Refused::new(ErrorCode::InvalidRequest, "Default topic resources are not allowed."));
            }
            check_topic_name(name)?;
            let config = TopicConfig::new(values, &layers).map_err(refused)?;
            let missing = || Refused::new(ErrorCode::UnknownTopicOrPartition, format!("The topic '{name}' does not exist."));
            let topic = topic.ok_or_else(missing)?;
            if validate_only { Ok(()) } else { ctx.broker.set_topic_config(topic, config).await }
        }
        resource::BROKER => {
            let scope = if name.is_empty() {
                BrokerScope::AllBrokers
            } else {
                this_broker(ctx, name)?;
                BrokerScope::ThisBroker
            };
            let altered = (change.broker)(&layers, scope).map_err(refused)?;
            if validate_only { Ok(()) } else { ctx.broker.set_broker_configs(altered).await }
        }
        other => {
            let text = format!("Resource type {other} has no configs that can be changed here; topics (2) and brokers (4) have.");
            Err(Refused::new(ErrorCode::InvalidRequest, text))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::security::Access;
    use crate::broker::{Broker, BrokerOptions, Endpoint, NewTopic};
    use crate::config::{AlterOp, Alteration};
    use crate::handlers::Peer;
    use crate::wire::request::RequestHeader;

    #[tokio::test]
    async fn of_two_changes_at_once_none_is_lost() {
        let folder = tempfile::tempdir().unwrap();
        let options = BrokerOptions {
            data_dir: folder.path().to_owned(),
            access: Access::Everyone,
            configs: BrokerLayers::default(),
            guards: Default::default(),
        };
        let broker = Broker::open(options).unwrap();
        let topic = broker.create_topic(NewTopic { name: "t".into(), partitions: 1, overrides: [].into() }).await.unwrap();
        let address = std::net::SocketAddr::from(([127, 0, 0, 1], 1));
        let header = RequestHeader { api_key: 33, api_version: 0, correlation_id: 1, client_id: None };
        let ctx = Context::new(broker, header, std::sync::Arc::new(Peer::new(address, address, Endpoint::plaintext(address), None)));
        let set = async |name: &str, value: &str| {
            let alterations = [Alteration { name: name.to_owned(), op: AlterOp::Set, value: Some(value.to_owned()) }];
            let change = Change {
                topic: &|config, layers| config.edited(&alterations, layers),
                broker: &|layers, scope| layers.altered(scope, &alterations),
            };
            alter(&ctx, resource::TOPIC, "t", false, &change).await.unwrap();
        };
        tokio::join!(set("retention.ms", "1000"), set("segment.ms", "2000"), set("retention.bytes", "3000"));
        assert_eq!(topic.config().values().len(), 3);
    }
}
