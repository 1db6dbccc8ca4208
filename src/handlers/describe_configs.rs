//! DescribeConfigs (32), versions 1-4 (synonyms: KIP-226 in v1, types and documentation: KIP-569 in v3).
//!
//! Topics and this broker, every key with its default. Resource "" of type broker is what was set for all brokers. The other types
//! Kafka knows (broker loggers, client metrics, groups) hold nothing here and answer with no entries.

use std::collections::HashSet;

use kafka_protocol::messages::DescribeConfigsRequest;
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::describe_configs_response::{
    DescribeConfigsResourceResult, DescribeConfigsResponse, DescribeConfigsResult, DescribeConfigsSynonym,
};
use kafka_protocol::protocol::StrBytes;

use super::{Access, Api, Context, HangUp, Reply};
use crate::broker::Refused;
use crate::config::ConfigEntry;
use crate::model::{ErrorCode, TopicName};
use crate::security::Operation;
use crate::wire::convert::{optional_text, text};

pub struct DescribeConfigs;

/// Kinds of resources, as numbered on the wire.
pub mod resource {
    pub const TOPIC: i8 = 2;
    pub const BROKER: i8 = 4;
    pub const BROKER_LOGGER: i8 = 8;
    pub const CLIENT_METRICS: i8 = 16;
    pub const GROUP: i8 = 32;
    pub const ALL: &[i8] = &[TOPIC, BROKER, BROKER_LOGGER, CLIENT_METRICS, GROUP];
}

impl Api for DescribeConfigs {
    const KEY: i16 = 32;
    const NAME: &'static str = "DescribeConfigs";
    const VERSIONS: std::ops::RangeInclusive<i16> = 1..=4;
    const ACCESS: Access = Access::Owner(ErrorCode::TopicAuthorizationFailed);
    type Request = DescribeConfigsRequest;

    async fn handle(ctx: &Context, version: i16, request: DescribeConfigsRequest) -> Result<Reply, HangUp> {
        let mut response = DescribeConfigsResponse::default();
        // A kind that is none fails the whole request.
        let odd = request.resources.iter().map(|asked| asked.resource_type).find(|kind| !resource::ALL.contains(kind));
        // Each once, however often it is named: a small request must not ask for a large multiple of the same answer.
        let mut seen = HashSet::new();
        for asked in request.resources.iter().filter(|asked| seen.insert((asked.resource_type, asked.resource_name.clone()))) {
            let mut result = DescribeConfigsResult::default();
            result.resource_type = asked.resource_type;
            result.resource_name = asked.resource_name.clone();
            match odd.map_or_else(|| entries(ctx, asked), |kind| Err(unknown_kind(kind))) {
                Ok(entries) => {
                    result.error_message = Some(StrBytes::new());
                    let wanted = |entry: &ConfigEntry| match &asked.configuration_keys {
                        None => true,
                        Some(keys) => keys.is_empty() || keys.iter().any(|key| key.as_str() == entry.name),
                    };
                    result.configs = entries.into_iter().filter(wanted).map(|e| shown(version, &request, e)).collect();
                }
                Err(refused) => {
                    result.error_code = refused.error.code();
                    result.error_message = Some(text(&refused.message));
                }
            }
            response.results.push(result);
        }
        ctx.reply(&response)
    }
}

fn entries(ctx: &Context, asked: &DescribeConfigsResource) -> Result<Vec<ConfigEntry>, Refused> {
    let name = asked.resource_name.as_str();
    check(ctx, Operation::DescribeConfigs, asked.resource_type, name)?;
    let layers = ctx.broker.configs.layers();
    match asked.resource_type {
        resource::TOPIC => Ok(topic(ctx, name)?.config().describe(&layers)),
        resource::BROKER if name.is_empty() => Ok(layers.describe_all_brokers()),
        resource::BROKER => {
            this_broker(ctx, name)?;
            Ok(layers.describe())
        }
        resource::BROKER_LOGGER => this_broker(ctx, name).map(|()| Vec::new()),
        resource::CLIENT_METRICS | resource::GROUP if name.is_empty() => {
            Err(Refused::new(ErrorCode::InvalidRequest, "A subscription for client metrics, or a group, has to be named."))
        }
        resource::CLIENT_METRICS | resource::GROUP => Ok(Vec::new()),
        other => Err(unknown_kind(other)),
    }
}

/// Whether who asks may do this to the configs of a resource.
pub fn check(ctx: &Context, operation: Operation, kind: i8, name: &str) -> Result<(), Refused> {
    let allowed = match kind {
        resource::TOPIC => ctx.check_topic(operation, name),
        resource::GROUP => ctx.check_group(operation, name),
        _ => ctx.check_cluster(operation),
    };
    allowed.map_err(|error| Refused::new(error, ""))
}

fn unknown_kind(kind: i8) -> Refused {
    Refused::new(ErrorCode::InvalidRequest, format!("Unsupported resource type: {kind}"))
}

fn topic(ctx: &Context, name: &str) -> Result<std::sync::Arc<crate::broker::Topic>, Refused> {
    check_topic_name(name)?;
    ctx.broker.catalog.get(name).ok_or(Refused::new(ErrorCode::UnknownTopicOrPartition, ""))
}

pub fn check_topic_name(name: &str) -> Result<(), Refused> {
    if TopicName::is_legal(name) {
        return Ok(());
    }
    Err(Refused::new(ErrorCode::InvalidTopicException, format!("Topic name {name:?} is illegal.")))
}

pub fn this_broker(ctx: &Context, name: &str) -> Result<(), Refused> {
    let own = ctx.broker.node.id.0;
    match name.parse::<i32>() {
        Ok(id) if id == own => Ok(()),
        Ok(id) => {
            Err(Refused::new(ErrorCode::InvalidRequest, format!("Unexpected broker id, expected {own} or empty string, but received {id}")))
        }
        Err(_) => Err(Refused::new(ErrorCode::InvalidRequest, format!("Broker id must be an integer, but it is: {name}"))),
    }
}

fn shown(version: i16, request: &DescribeConfigsRequest, entry: ConfigEntry) -> DescribeConfigsResourceResult {
    let mut shown = DescribeConfigsResourceResult::default();
    shown.name = text(&entry.name);
    shown.value = optional_text(entry.value.as_deref());
    shown.read_only = entry.read_only;
    shown.config_source = entry.source.code();
    shown.is_sensitive = entry.sensitive;
    if request.include_synonyms {
        shown.synonyms = entry
            .synonyms
            .iter()
            .map(|s| {
                let mut synonym = DescribeConfigsSynonym::default();
                synonym.name = text(&s.name);
                synonym.value = optional_text(s.value.as_deref());
                synonym.source = s.source.code();
                synonym
            })
            .collect();
    }
    if version >= 3 {
        shown.config_type = entry.type_code();
        shown.documentation = if request.include_documentation { optional_text(entry.doc) } else { None };
    }
    shown
}
