//! AlterClientQuotas (49), versions 0-1 (KIP-546).
//!
//! Each entity is changed whole or refused; one that comes twice, or a key that does, is refused. On disk before the answer. Unlike
//! Kafka, a part that comes twice in one entity, not-a-number and infinity are refused: a limit that cannot be kept is none.

use std::collections::{BTreeMap, HashSet};
use std::net::IpAddr;

use kafka_protocol::messages::AlterClientQuotasRequest;
use kafka_protocol::messages::alter_client_quotas_request::{EntityData, EntryData, OpData};
use kafka_protocol::messages::alter_client_quotas_response as answer;

use super::describe_acls::NOT_AUTHORIZED;
use super::{Access, Api, Context, HangUp, Reply};
use crate::broker::Refused;
use crate::broker::security::Rules;
use crate::model::ErrorCode;
use crate::security::Operation;
use crate::security::quota::{EntityType, Named, QuotaEntity, QuotaKey};
use crate::wire::convert::text;

pub struct AlterClientQuotas;

/// The keys of one entity with their new values, none to take one away.
type Change = (QuotaEntity, Vec<(QuotaKey, Option<f64>)>);

/// A rate may be off from a whole number by so little: clients compute with floating point.
const WHOLE_WITHIN: f64 = 1e-6;

impl Api for AlterClientQuotas {
    const KEY: i16 = 49;
    const NAME: &'static str = "AlterClientQuotas";
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=1;
    const ACCESS: Access = Access::Instructor(ErrorCode::ClusterAuthorizationFailed);
    type Request = AlterClientQuotasRequest;

    async fn handle(ctx: &Context, _version: i16, request: AlterClientQuotasRequest) -> Result<Reply, HangUp> {
        let allowed = ctx.check_cluster(Operation::AlterConfigs).map_err(|error| Refused::new(error, NOT_AUTHORIZED));
        let mut times: BTreeMap<QuotaEntity, usize> = BTreeMap::new();
        for entity in request.entries.iter().filter_map(|entry| entity(&entry.entity).ok()) {
            *times.entry(entity).or_default() += 1;
        }
        let (mut changes, mut outcomes) = (Vec::new(), Vec::with_capacity(request.entries.len()));
        for entry in &request.entries {
            let change = allowed.as_ref().map_err(Refused::again).and_then(|()| change(entry, &times));
            outcomes.push(change.map(|change| changes.push(change)));
        }
        if !request.validate_only && !changes.is_empty() {
            let apply = |rules: &mut Rules| {
                for (entity, values) in changes {
                    values.into_iter().for_each(|(key, value)| rules.quotas.change(&entity, key, value));
                }
            };
            if let Err(refused) = ctx.broker.change_rules(apply).await {
                outcomes.iter_mut().filter(|one| one.is_ok()).for_each(|one| *one = Err(refused.again()));
            }
        }
        let mut response = answer::AlterClientQuotasResponse::default();
        response.entries = request.entries.iter().zip(outcomes).map(|(entry, outcome)| result(entry, outcome)).collect();
        ctx.reply(&response)
    }
}

fn result(entry: &EntryData, outcome: Result<(), Refused>) -> answer::EntryData {
    let mut result = answer::EntryData::default();
    result.error_message = None;
    if let Err(refused) = outcome {
        result.error_code = refused.error.code();
        result.error_message = Some(text(&refused.message));
    }
    let parts = entry.entity.iter().map(|part| {
        let mut data = answer::EntityData::default();
        data.entity_type = part.entity_type.clone();
        data.entity_name = part.entity_name.clone();
        data
    });
    result.entity = parts.collect();
    result
}

fn invalid(message: String) -> Refused {
    Refused::new(ErrorCode::InvalidRequest, message)
}

fn change(entry: &EntryData, times: &BTreeMap<QuotaEntity, usize>) -> Result<Change, Refused> {
    let entity = entity(&entry.entity)?;
    if times.get(&entity).is_some_and(|times| *times > 1) {
        return Err(invalid("The entity is there twice in one request.".to_owned()));
    }
    let mut seen = HashSet::new();
    let mut values = Vec::with_capacity(entry.ops.len());
    for op in &entry.ops {
        if !seen.insert(op.key.as_str()) {
            return Err(invalid(format!("The key {} is there twice for one entity.", op.key.as_str())));
        }
        match QuotaKey::by_name(&op.key) {
            // What is not there can be taken away.
            None if op.remove => {}
            Some(key) if op.remove => values.push((key, None)),
            Some(key) if is_for(key, &entity) => values.push((key, Some(value(key, op)?))),
            _ => return Err(invalid(format!("Invalid configuration key {}", op.key.as_str()))),
        }
    }
    Ok((entity, values))
}

/// Connections are counted by address, everything else by user and client id.
fn is_for(key: QuotaKey, entity: &QuotaEntity) -> bool {
    (key == QuotaKey::ConnectionCreationRate) == entity.ip.is_some()
}

fn value(key: QuotaKey, op: &OpData) -> Result<f64, Refused> {
    let (name, value) = (key.name(), op.value);
    // Zero, below, or not a number.
    if value.is_nan() || value <= 0.0 {
        return Err(invalid(format!("Quota {name} must be greater than 0")));
    }
    let most = match key {
        QuotaKey::RequestPercentage | QuotaKey::ControllerMutationRate => f64::MAX,
        QuotaKey::ConnectionCreationRate => f64::from(i32::MAX),
        QuotaKey::ProducerByteRate | QuotaKey::ConsumerByteRate => i64::MAX as f64,
    };
    if value > most {
        let kind = match key {
            QuotaKey::ConnectionCreationRate => "an INT",
            QuotaKey::ProducerByteRate | QuotaKey::ConsumerByteRate => "a LONG",
            QuotaKey::RequestPercentage | QuotaKey::ControllerMutationRate => "a DOUBLE",
        };
        return Err(invalid(format!("Proposed value for {name} is too large for {kind}.")));
    }
    if most < f64::MAX && (value - value.round()).abs() > WHOLE_WITHIN {
        return Err(invalid(format!("{name} cannot be a fractional value.")));
    }
    Ok(value)
}

fn entity(parts: &[EntityData]) -> Result<QuotaEntity, Refused> {
    if parts.is_empty() {
        return Err(invalid("Invalid empty client quota entity".to_owned()));
    }
    let mut entity = QuotaEntity::default();
    for part in parts {
        let name = part.entity_type.as_str();
        let kind = EntityType::by_name(name).ok_or_else(|| invalid(format!("Unhandled client quota entity type: {name}")))?;
        let named = part.entity_name.as_ref().map(|named| named.as_str());
        if named == Some("") {
            return Err(invalid(format!("Empty {name} not supported")));
        }
        if let (EntityType::Ip, Some(ip)) = (kind, named)
            && ip.parse::<IpAddr>().is_err()
        {
            return Err(invalid(format!("{ip} is not a valid IP address.")));
        }
        if entity.set_part(kind, Named::of(named)).is_some() {
            return Err(invalid(format!("The entity has {name} twice.")));
        }
    }
    if entity.ip.is_some() && (entity.user.is_some() || entity.client_id.is_some()) {
        return Err(invalid("Invalid quota entity combination, an IP entity cannot be combined with user or client-id".to_owned()));
    }
    Ok(entity)
}

#[cfg(test)]
mod tests {
    use super::*;
    use kafka_protocol::protocol::StrBytes;

    fn entry(parts: &[(&'static str, Option<&'static str>)], ops: &[(&'static str, Option<f64>)]) -> EntryData {
        let mut entry = EntryData::default();
        for (kind, name) in parts {
            let mut part = EntityData::default();
            part.entity_type = StrBytes::from_static_str(kind);
            part.entity_name = name.map(StrBytes::from_static_str);
            entry.entity.push(part);
        }
        for (key, value) in ops {
            let mut op = OpData::default();
            op.key = StrBytes::from_static_str(key);
            (op.value, op.remove) = (value.unwrap_or(0.0), value.is_none());
            entry.ops.push(op);
        }
        entry
    }

    fn changed(parts: &[(&'static str, Option<&'static str>)], ops: &[(&'static str, Option<f64>)]) -> Option<Change> {
        change(&entry(parts, ops), &BTreeMap::new()).ok()
    }

    #[test]
    fn a_quota_is_a_positive_number_of_a_key_that_the_entity_can_have() {
        let ada: &[(&'static str, Option<&'static str>)] = &[("user", Some("ada"))];
        let rate = |value| changed(ada, &[("producer_byte_rate", Some(value))]);
        assert!(rate(1024.0).is_some() && rate(1e18).is_some());
        assert!([0.0, -1.0, 1.5, f64::NAN, f64::INFINITY, 1e19].into_iter().all(|value| rate(value).is_none()));
        assert!(changed(ada, &[("request_percentage", Some(0.5))]).is_some());
        assert!(changed(ada, &[("request_percentage", Some(f64::INFINITY))]).is_none());
        assert!(changed(ada, &[("connection_creation_rate", Some(5.0))]).is_none());
        assert!(changed(&[("ip", Some("10.0.0.7"))], &[("connection_creation_rate", Some(5.0))]).is_some());
        assert!(changed(&[("ip", Some("10.0.0.7"))], &[("producer_byte_rate", Some(5.0))]).is_none());
        assert!(changed(ada, &[("speed", Some(5.0))]).is_none());
        assert_eq!(changed(ada, &[("speed", None), ("producer_byte_rate", None)]).unwrap().1, [(QuotaKey::ProducerByteRate, None)]);
        assert!(changed(ada, &[("producer_byte_rate", None), ("producer_byte_rate", Some(5.0))]).is_none());
    }

    #[test]
    fn an_entity_is_a_user_a_client_id_both_or_an_address() {
        let is = |parts: &[(&'static str, Option<&'static str>)]| changed(parts, &[]).is_some();
        assert!(is(&[("user", None)]) && is(&[("client-id", None), ("user", Some("ada"))]) && is(&[("ip", None)]));
        assert!(!is(&[]) && !is(&[("group", None)]) && !is(&[("user", Some(""))]) && !is(&[("ip", Some("laptop"))]));
        assert!(!is(&[("user", None), ("user", None)]) && !is(&[("user", None), ("ip", None)]));
    }
}
