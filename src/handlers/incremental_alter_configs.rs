//! IncrementalAlterConfigs (44), versions 0-1 (KIP-339): set, delete, append to and subtract from single configs.

use kafka_protocol::messages::IncrementalAlterConfigsRequest;
use kafka_protocol::messages::incremental_alter_configs_request::AlterConfigsResource;
use kafka_protocol::messages::incremental_alter_configs_response::{AlterConfigsResourceResponse, IncrementalAlterConfigsResponse};

use super::alter_configs::{Change, alter, named_twice};
use super::describe_configs::{check, resource, this_broker};
use super::{Access, Api, Context, HangUp, Reply};
use crate::broker::Refused;
use crate::config::{AlterOp, Alteration};
use crate::model::ErrorCode;
use crate::security::Operation;
use crate::wire::convert::optional_text;

pub struct IncrementalAlterConfigs;

const ROOT_LOGGER: &str = "root";

impl Api for IncrementalAlterConfigs {
    const KEY: i16 = 44;
    const NAME: &'static str = "IncrementalAlterConfigs";
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=1;
    const ACCESS: Access = Access::Owner(ErrorCode::TopicAuthorizationFailed);
    type Request = IncrementalAlterConfigsRequest;

    async fn handle(ctx: &Context, _version: i16, request: IncrementalAlterConfigsRequest) -> Result<Reply, HangUp> {
        let mut response = IncrementalAlterConfigsResponse::default();
        let twice = named_twice(request.resources.iter().map(|r| (r.resource_type, &r.resource_name)));
        for asked in &request.resources {
            let outcome = if twice.contains(&(asked.resource_type, asked.resource_name.clone())) {
                Err(Refused::new(ErrorCode::InvalidRequest, "Each resource must appear at most once."))
            } else {
                change(ctx, asked, request.validate_only).await
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

async fn change(ctx: &Context, asked: &AlterConfigsResource, validate_only: bool) -> Result<(), Refused> {
    check(ctx, Operation::AlterConfigs, asked.resource_type, &asked.resource_name)?;
    let mut alterations = Vec::with_capacity(asked.configs.len());
    let nulls = asked.configs.iter().any(|config| config.value.is_none() && config.config_operation != AlterOp::Delete as i8);
    for config in &asked.configs {
        let op = match AlterOp::from_code(config.config_operation) {
            Some(op) => op,
            None if nulls || asked.resource_type == resource::BROKER => {
                let text = format!("Unknown config operation {}, or a null where a value belongs", config.config_operation);
                return Err(Refused::new(ErrorCode::InvalidRequest, text));
            }
            None => return Err(Refused::new(ErrorCode::UnknownServerError, "")),
        };
        let value = config.value.as_ref().map(|v| v.as_str().to_owned());
        alterations.push(Alteration { name: config.name.as_str().to_owned(), op, value });
    }
    if asked.resource_type == resource::BROKER_LOGGER {
        this_broker(ctx, &asked.resource_name)?;
        return alterations.iter().try_for_each(check_logger);
    }
    let change = Change {
        topic: &|config, layers| config.edited(&alterations, layers),
        broker: &|layers, scope| layers.altered(scope, &alterations),
    };
    alter(ctx, asked.resource_type, asked.resource_name.as_str(), validate_only, &change).await
}

/// There are no loggers to set one by one. Kafka refuses a level for a logger it does not have, and some things for all.
fn check_logger(alteration: &Alteration) -> Result<(), Refused> {
    let Alteration { name, op, .. } = alteration;
    match op {
        AlterOp::Append | AlterOp::Subtract => {
            Err(Refused::new(ErrorCode::InvalidRequest, format!("{} is not allowed for a logger.", op.name())))
        }
        AlterOp::Delete if name == ROOT_LOGGER => {
            Err(Refused::new(ErrorCode::InvalidRequest, "The level of the root logger cannot be taken away."))
        }
        _ => Err(Refused::new(ErrorCode::InvalidConfig, format!("Logger {name} does not exist. The level of all is set by --log-level."))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loggers_are_refused_as_unknown_ones_are_in_kafka() {
        let refused = |name: &str, op| check_logger(&Alteration { name: name.to_owned(), op, value: None }).unwrap_err().error;
        assert_eq!(refused("a.b", AlterOp::Set), ErrorCode::InvalidConfig);
        assert_eq!(refused("root", AlterOp::Set), ErrorCode::InvalidConfig);
        assert_eq!(refused("root", AlterOp::Delete), ErrorCode::InvalidRequest);
        assert_eq!(refused("a.b", AlterOp::Append), ErrorCode::InvalidRequest);
    }
}
