//! Client quotas: how fast a user or a client id may be, and how long one that was faster has to wait.
//!
//! Kafka's order of precedence (KIP-55, KIP-257): user and client id, user and any client id, user, any user and client id, any user and
//! any client id, any user, client id, any client id.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What can be limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum QuotaKey {
    #[serde(rename = "producer_byte_rate")]
    ProducerByteRate,
    #[serde(rename = "consumer_byte_rate")]
    ConsumerByteRate,
    #[serde(rename = "request_percentage")]
    RequestPercentage,
    #[serde(rename = "controller_mutation_rate")]
    ControllerMutationRate,
    #[serde(rename = "connection_creation_rate")]
    ConnectionCreationRate,
}

impl QuotaKey {
    pub const ALL: [QuotaKey; 5] = [
        QuotaKey::ProducerByteRate,
        QuotaKey::ConsumerByteRate,
        QuotaKey::RequestPercentage,
        QuotaKey::ControllerMutationRate,
        QuotaKey::ConnectionCreationRate,
    ];

    pub fn name(self) -> &'static str {
        match self {
            QuotaKey::ProducerByteRate => "producer_byte_rate",
            QuotaKey::ConsumerByteRate => "consumer_byte_rate",
            QuotaKey::RequestPercentage => "request_percentage",
            QuotaKey::ControllerMutationRate => "controller_mutation_rate",
            QuotaKey::ConnectionCreationRate => "connection_creation_rate",
        }
    }

    pub fn by_name(name: &str) -> Option<QuotaKey> {
        QuotaKey::ALL.into_iter().find(|key| key.name() == name)
    }
}

/// One part of an entity: somebody by name, or everyone who has no quota by name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Named {
    Default,
    Name(String),
}

impl Named {
    pub fn of(name: Option<&str>) -> Named {
        name.map_or(Named::Default, |name| Named::Name(name.to_owned()))
    }
}

/// Whom a quota is for. A part that is absent takes no part in the match.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct QuotaEntity {
    pub user: Option<Named>,
    pub client_id: Option<Named>,
    pub ip: Option<Named>,
}

/// All quotas that were set.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Quotas {
    /// A list, as JSON has no maps by struct.
    entries: Vec<(QuotaEntity, BTreeMap<QuotaKey, f64>)>,
}

impl Quotas {
    pub fn iter(&self) -> impl Iterator<Item = (&QuotaEntity, &BTreeMap<QuotaKey, f64>)> {
        self.entries.iter().map(|(entity, values)| (entity, values))
    }

    /// Sets a quota, or takes it away.
    pub fn change(&mut self, entity: &QuotaEntity, key: QuotaKey, value: Option<f64>) {
        if !self.entries.iter().any(|(known, _)| known == entity) {
            self.entries.push((entity.clone(), BTreeMap::new()));
        }
        if let Some((_, values)) = self.entries.iter_mut().find(|(known, _)| known == entity) {
            match value {
                Some(value) => values.insert(key, value),
                None => values.remove(&key),
            };
        }
        self.entries.retain(|(_, values)| !values.is_empty());
    }

    fn get(&self, user: Option<Named>, client_id: Option<Named>, key: QuotaKey) -> Option<f64> {
        let wanted = QuotaEntity { user, client_id, ip: None };
        self.entries.iter().find(|(entity, _)| *entity == wanted).and_then(|(_, values)| values.get(&key).copied())
    }

    /// What applies to a client, by precedence.
    pub fn limit(&self, user: &str, client_id: &str, key: QuotaKey) -> Option<f64> {
        if self.entries.is_empty() {
            return None;
        }
        let (by_user, by_client) = (|| Some(Named::Name(user.to_owned())), || Some(Named::Name(client_id.to_owned())));
        let default = || Some(Named::Default);
        let in_order = [
            (by_user(), by_client()),
            (by_user(), default()),
            (by_user(), None),
            (default(), by_client()),
            (default(), default()),
            (default(), None),
            (None, by_client()),
            (None, default()),
        ];
        in_order.into_iter().find_map(|(user, client_id)| self.get(user, client_id, key))
    }
}

/// How much was used lately, against a rate. What is over has to be waited for.
#[derive(Clone, Copy, Debug)]
pub struct Bucket {
    /// Amount that may be used at once; below 0 it is owed.
    left: f64,
    filled_at_ms: i64,
}

/// A bucket holds what comes in during this time: Kafka's eleven samples of a second.
const BURST_S: f64 = 10.0;

/// Nobody waits longer at a time; what is still owed is waited for with the next request.
pub const THROTTLE_MAX_MS: i64 = 30_000;

impl Bucket {
    pub fn full(rate: f64, now_ms: i64) -> Bucket {
        Bucket { left: rate * BURST_S, filled_at_ms: now_ms }
    }

    /// Takes an amount, and says for how many milliseconds its taker has to wait.
    pub fn take(&mut self, amount: f64, rate: f64, now_ms: i64) -> i64 {
        let elapsed_s = now_ms.saturating_sub(self.filled_at_ms).max(0) as f64 / 1000.0;
        self.left = (self.left + elapsed_s * rate).min(rate * BURST_S) - amount;
        self.filled_at_ms = now_ms;
        if self.left >= 0.0 || rate <= 0.0 {
            return if self.left >= 0.0 { 0 } else { THROTTLE_MAX_MS };
        }
        ((-self.left / rate * 1000.0).ceil() as i64).min(THROTTLE_MAX_MS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entity(user: Option<&str>, client_id: Option<&str>) -> QuotaEntity {
        let named = |name: &str| if name == "<default>" { Named::Default } else { Named::Name(name.to_owned()) };
        QuotaEntity { user: user.map(named), client_id: client_id.map(named), ip: None }
    }

    #[test]
    fn the_closest_quota_applies() {
        let mut quotas = Quotas::default();
        let key = QuotaKey::ProducerByteRate;
        assert_eq!(quotas.limit("ada", "app", key), None);
        let in_order = [
            (None, Some("<default>")),
            (None, Some("app")),
            (Some("<default>"), None),
            (Some("<default>"), Some("<default>")),
            (Some("<default>"), Some("app")),
            (Some("ada"), None),
            (Some("ada"), Some("<default>")),
            (Some("ada"), Some("app")),
        ];
        for (value, (user, client_id)) in in_order.into_iter().enumerate() {
            quotas.change(&entity(user, client_id), key, Some(value as f64));
            assert_eq!(quotas.limit("ada", "app", key), Some(value as f64), "{user:?} {client_id:?}");
        }
        assert_eq!(quotas.limit("bob", "other", key), Some(3.0));
        quotas.change(&entity(Some("ada"), Some("app")), key, None);
        assert_eq!((quotas.limit("ada", "app", key), quotas.iter().count()), (Some(6.0), 7));
    }

    #[test]
    fn who_uses_more_waits_until_it_is_earned() {
        let mut bucket = Bucket::full(100.0, 0);
        assert_eq!(bucket.take(1_000.0, 100.0, 0), 0, "ten seconds' worth at once");
        assert_eq!(bucket.take(50.0, 100.0, 0), 500);
        assert_eq!(bucket.take(0.0, 100.0, 500), 0);
        assert_eq!(bucket.take(1e9, 100.0, 500), THROTTLE_MAX_MS);
        assert_eq!(Bucket::full(0.0, 0).take(1.0, 0.0, 0), THROTTLE_MAX_MS);
        // A clock that goes back takes nothing away.
        assert_eq!(Bucket::full(100.0, 1_000).take(10.0, 100.0, 0), 0);
    }
}
