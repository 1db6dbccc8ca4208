//! IncrementalAlterConfigs (44), versions 0-1 (KIP-339): set, delete, append to and subtract from single configs.

use kafka_protocol::messages::IncrementalAlterConfigsRequest;
use kafka_protocol::messages::incremental_alter_configs_request::AlterConfigsResource;
use kafka_protocol::messages::incremental_alter_configs_response::{AlterConfigsResourceResponse, IncrementalAlterConfigsResponse};

use super::alter_configs::{Change, alter};
use super::{Api, Context, HangUp, Reply};
use crate::broker::Refused;
use crate::config::{AlterOp, Alteration};
use crate::model::ErrorCode;
use crate::wire::convert::text;

pub struct IncrementalAlterConfigs;

impl Api for IncrementalAlterConfigs {
    const KEY: i16 = 44;
    const NAME: &'static str = "IncrementalAlterConfigs";
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=1;
    type Request = IncrementalAlterConfigsRequest;

    async fn handle(ctx: &Context, _version: i16, request: IncrementalAlterConfigsRequest) -> Result<Reply, HangUp> {
        let mut response = IncrementalAlterConfigsResponse::default();
        for (at, asked) in request.resources.iter().enumerate() {
            let alike = |(other, r): (usize, &AlterConfigsResource)| {
                other != at && r.resource_type == asked.resource_type && r.resource_name == asked.resource_name
            };
            let outcome = if request.resources.iter().enumerate().any(alike) {
                Err(Refused::new(ErrorCode::InvalidRequest, "Each resource must appear at most once."))
            } else {
                change(ctx, asked, request.validate_only).await
            };
            let mut result = AlterConfigsResourceResponse::default();
            result.resource_type = asked.resource_type;
            result.resource_name = asked.resource_name.clone();
            if let Err(refused) = outcome {
                result.error_code = refused.error.code();
                result.error_message = Some(text(&refused.message));
            }
            response.responses.push(result);
        }
        ctx.reply(&response)
    }
}

async fn change(ctx: &Context, asked: &AlterConfigsResource, validate_only: bool) -> Result<(), Refused> {
    let mut alterations = Vec::with_capacity(asked.configs.len());
    for config in &asked.configs {
        let Some(op) = AlterOp::from_code(config.config_operation) else {
            let text = format!("Unknown config operation {}", config.config_operation);
            return Err(Refused::new(ErrorCode::UnknownServerError, text));
        };
        let value = config.value.as_ref().map(|v| v.as_str().to_owned());
        alterations.push(Alteration { name: config.name.as_str().to_owned(), op, value });
    }
    let change = Change {
        topic: &|config, layers| config.altered(&alterations, layers),
        broker: &|layers, scope| layers.altered(scope, &alterations),
    };
    alter(ctx, asked.resource_type, asked.resource_name.as_str(), validate_only, &change).await
}
