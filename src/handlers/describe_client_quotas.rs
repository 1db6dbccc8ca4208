//! DescribeClientQuotas (48), versions 0-1 (KIP-546).
//!
//! What was set, not what applies. A strict filter wants entities of exactly its types; one without components is taken for all, and
//! strict for none, as in Kafka.

use kafka_protocol::messages::DescribeClientQuotasRequest;
use kafka_protocol::messages::describe_client_quotas_request::ComponentData;
use kafka_protocol::messages::describe_client_quotas_response::{DescribeClientQuotasResponse, EntityData, EntryData, ValueData};
use kafka_protocol::protocol::StrBytes;

use super::describe_acls::NOT_AUTHORIZED;
use super::{Access, Api, Context, HangUp, Reply};
use crate::broker::Refused;
use crate::model::ErrorCode;
use crate::security::Operation;
use crate::security::quota::{EntityType, Named, QuotaEntity};
use crate::wire::convert::{optional_text, text};

pub struct DescribeClientQuotas;

impl Api for DescribeClientQuotas {
    const KEY: i16 = 48;
    const NAME: &'static str = "DescribeClientQuotas";
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=1;
    const ACCESS: Access = Access::Instructor(ErrorCode::ClusterAuthorizationFailed);
    type Request = DescribeClientQuotasRequest;

    async fn handle(ctx: &Context, _version: i16, request: DescribeClientQuotasRequest) -> Result<Reply, HangUp> {
        let mut response = DescribeClientQuotasResponse::default();
        let allowed = ctx.check_cluster(Operation::DescribeConfigs).map_err(|error| Refused::new(error, NOT_AUTHORIZED));
        match allowed.and_then(|()| filter(&request.components)) {
            Err(refused) => {
                response.error_code = refused.error.code();
                response.error_message = optional_text(refused.words());
                response.entries = None;
            }
            Ok(filter) => {
                let wanted = ctx.rules.quotas.iter().filter(|(entity, _)| fits(&filter, entity, request.strict));
                let entries = wanted.map(|(entity, values)| {
                    let mut entry = EntryData::default();
                    entry.entity = entity.parts().map(|(kind, named)| part(kind, named)).collect();
                    entry.values = values
                        .iter()
                        .map(|(key, value)| {
                            let mut data = ValueData::default();
                            data.key = text(key.name());
                            data.value = *value;
                            data
                        })
                        .collect();
                    entry
                });
                response.error_message = Some(StrBytes::new());
                response.entries = Some(entries.collect());
            }
        }
        ctx.reply(&response)
    }
}

fn part(kind: EntityType, named: &Named) -> EntityData {
    let mut data = EntityData::default();
    data.entity_type = text(kind.name());
    data.entity_name = match named {
        Named::Default => None,
        Named::Name(name) => Some(text(name)),
    };
    data
}

/// What one part of an entity has to be.
#[derive(Debug, PartialEq)]
enum Wanted {
    Exactly(Named),
    /// By name or the default.
    Any,
}

type Filter = Vec<(EntityType, Wanted)>;

fn filter(components: &[ComponentData]) -> Result<Filter, Refused> {
    let invalid = |message: String| Refused::new(ErrorCode::InvalidRequest, message);
    let mut filter: Filter = Vec::new();
    for component in components {
        let name = component.entity_type.as_str();
        if name.is_empty() {
            return Err(invalid("Invalid empty entity type.".to_owned()));
        }
        let unknown = || Refused::new(ErrorCode::UnsupportedVersion, format!("Unsupported entity type {name}"));
        let kind = EntityType::by_name(name).ok_or_else(unknown)?;
        if filter.iter().any(|(known, _)| *known == kind) {
            return Err(invalid(format!("Entity type {name} cannot appear more than once in the filter.")));
        }
        let wanted = match (component.match_type, &component._match) {
            (0, Some(name)) => Wanted::Exactly(Named::Name(name.as_str().to_owned())),
            (0, None) => return Err(invalid("Request specified MATCH_TYPE_EXACT, but set match string to null.".to_owned())),
            (1, None) => Wanted::Exactly(Named::Default),
            (2, None) => Wanted::Any,
            (kind @ (1 | 2), Some(_)) => {
                let name = if kind == 1 { "DEFAULT" } else { "SPECIFIED" };
                return Err(invalid(format!("Request specified MATCH_TYPE_{name}, but also specified a match string.")));
            }
            (kind, _) => return Err(invalid(format!("Unknown match type {kind}"))),
        };
        filter.push((kind, wanted));
    }
    if filter.len() > 1 && filter.iter().any(|(kind, _)| *kind == EntityType::Ip) {
        let text = "Invalid entity filter component combination. IP filter component should not be used with user or clientId filter \
                    component.";
        return Err(invalid(text.to_owned()));
    }
    Ok(filter)
}

fn fits(filter: &Filter, entity: &QuotaEntity, strict: bool) -> bool {
    let part_fits = |(kind, wanted): &(EntityType, Wanted)| match (entity.part(*kind), wanted) {
        (None, _) => false,
        (Some(_), Wanted::Any) => true,
        (Some(is), Wanted::Exactly(named)) => is == named,
    };
    filter.iter().all(part_fits) && (!strict || entity.parts().count() == filter.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn component(kind: &'static str, match_type: i8, name: Option<&'static str>) -> ComponentData {
        let mut component = ComponentData::default();
        component.entity_type = StrBytes::from_static_str(kind);
        component.match_type = match_type;
        component._match = name.map(StrBytes::from_static_str);
        component
    }

    #[test]
    fn a_strict_filter_wants_no_other_part() {
        let ada = || Some(Named::Name("ada".to_owned()));
        let user = QuotaEntity { user: ada(), ..QuotaEntity::default() };
        let both = QuotaEntity { user: ada(), client_id: Some(Named::Default), ..QuotaEntity::default() };
        let exact = filter(&[component("user", 0, Some("ada"))]).unwrap();
        assert!(fits(&exact, &user, true) && fits(&exact, &both, false) && !fits(&exact, &both, true));
        let any = filter(&[component("user", 2, None), component("client-id", 1, None)]).unwrap();
        assert!(fits(&any, &both, true) && !fits(&any, &user, false));
        assert!(fits(&filter(&[]).unwrap(), &both, false) && !fits(&filter(&[]).unwrap(), &both, true));
    }

    #[test]
    fn a_filter_that_says_nothing_clear_is_refused() {
        let error = |components: &[ComponentData]| filter(components).unwrap_err().error;
        assert_eq!(error(&[component("group", 2, None)]), ErrorCode::UnsupportedVersion);
        let unclear = [component("user", 0, None), component("user", 1, Some("a")), component("user", 9, None), component("", 2, None)];
        assert!(unclear.into_iter().all(|one| error(&[one]) == ErrorCode::InvalidRequest));
        assert_eq!(error(&[component("user", 2, None), component("user", 1, None)]), ErrorCode::InvalidRequest);
        assert_eq!(error(&[component("user", 2, None), component("ip", 2, None)]), ErrorCode::InvalidRequest);
    }
}
