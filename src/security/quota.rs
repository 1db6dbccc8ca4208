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

/// Kinds of parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum EntityType {
    User,
    ClientId,
    Ip,
}

impl EntityType {
    pub const ALL: [EntityType; 3] = [EntityType::User, EntityType::ClientId, EntityType::Ip];

    pub fn name(self) -> &'static str {
        match self {
            EntityType::User => "user",
            EntityType::ClientId => "client-id",
            EntityType::Ip => "ip",
        }
    }

    pub fn by_name(name: &str) -> Option<EntityType> {
        EntityType::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// Whom a quota is for. A part that is absent takes no part in the match.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct QuotaEntity {
    pub user: Option<Named>,
    pub client_id: Option<Named>,
    pub ip: Option<Named>,
}

impl QuotaEntity {
    pub fn part(&self, kind: EntityType) -> Option<&Named> {
        match kind {
            EntityType::User => self.user.as_ref(),
            EntityType::ClientId => self.client_id.as_ref(),
            EntityType::Ip => self.ip.as_ref(),
        }
    }

    /// Gives back what was there.
    pub fn set_part(&mut self, kind: EntityType, named: Named) -> Option<Named> {
        match kind {
            EntityType::User => self.user.replace(named),
            EntityType::ClientId => self.client_id.replace(named),
            EntityType::Ip => self.ip.replace(named),
        }
    }

    pub fn parts(&self) -> impl Iterator<Item = (EntityType, &Named)> {
        EntityType::ALL.into_iter().filter_map(|kind| self.part(kind).map(|named| (kind, named)))
    }
}

/// What applies to a client, and who shares it: all with the same user, the same client id, or both.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limit {
    pub rate: f64,
    pub by_user: bool,
    pub by_client_id: bool,
}

/// All quotas that were set.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Quotas {
    #[serde(with = "as_list")]
    entries: Entries,
}

type Entries = BTreeMap<QuotaEntity, BTreeMap<QuotaKey, f64>>;

/// JSON has no maps by struct.
mod as_list {
    use super::{BTreeMap, Entries, QuotaEntity, QuotaKey};
    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(entries: &Entries, to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(entries)
    }

    pub fn deserialize<'a, D: Deserializer<'a>>(from: D) -> Result<Entries, D::Error> {
        let list: Vec<(QuotaEntity, BTreeMap<QuotaKey, f64>)> = Deserialize::deserialize(from)?;
        Ok(list.into_iter().collect())
    }
}

impl Quotas {
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub fn iter(&self) -> impl Iterator<Item = (&QuotaEntity, &BTreeMap<QuotaKey, f64>)> {
        self.entries.iter()
    }

    /// Sets a quota, or takes it away.
    pub fn change(&mut self, entity: &QuotaEntity, key: QuotaKey, value: Option<f64>) {
        let values = self.entries.entry(entity.clone()).or_default();
        match value {
            Some(value) => values.insert(key, value),
            None => values.remove(&key),
        };
        if values.is_empty() {
            self.entries.remove(entity);
        }
    }

    /// What applies to a client, by precedence.
    pub fn limit(&self, user: &str, client_id: &str, key: QuotaKey) -> Option<Limit> {
        if self.entries.is_empty() {
            return None;
        }
        let (of_user, of_client) = (Some(Named::Name(user.to_owned())), Some(Named::Name(client_id.to_owned())));
        let anyone = Some(Named::Default);
        let in_order = [
            (&of_user, &of_client),
            (&of_user, &anyone),
            (&of_user, &None),
            (&anyone, &of_client),
            (&anyone, &anyone),
            (&anyone, &None),
            (&None, &of_client),
            (&None, &anyone),
        ];
        in_order.into_iter().find_map(|(user, client_id)| {
            let entity = QuotaEntity { user: user.clone(), client_id: client_id.clone(), ip: None };
            let rate = *self.entries.get(&entity)?.get(&key)?;
            Some(Limit { rate, by_user: user.is_some(), by_client_id: client_id.is_some() })
        })
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
const IDLE_MS: i64 = 60_000;

/// Nobody waits longer at a time; what is still owed is waited for with the next request. Far below the 30 s in which clients expect an
/// answer to whatever they ask meanwhile.
pub const THROTTLE_MAX_MS: i64 = 10_000;

impl Bucket {
    pub fn full(rate: f64, now_ms: i64) -> Bucket {
        Bucket { left: rate * BURST_S, filled_at_ms: now_ms }
    }

    /// When it was used last.
    pub fn used_at_ms(&self) -> i64 {
        self.filled_at_ms
    }

    /// Whether whoever has not used it for this long finds it full again, or nearly so.
    pub fn is_idle(&self, now_ms: i64) -> bool {
        now_ms.saturating_sub(self.filled_at_ms) > IDLE_MS
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
            let limit = Limit { rate: value as f64, by_user: user.is_some(), by_client_id: client_id.is_some() };
            assert_eq!(quotas.limit("ada", "app", key), Some(limit), "{user:?} {client_id:?}");
        }
        assert_eq!(quotas.limit("bob", "other", key).map(|limit| limit.rate), Some(3.0));
        quotas.change(&entity(Some("ada"), Some("app")), key, None);
        assert_eq!((quotas.limit("ada", "app", key).map(|limit| limit.rate), quotas.iter().count()), (Some(6.0), 7));
        let text = serde_json::to_string(&quotas).unwrap();
        assert_eq!(serde_json::from_str::<Quotas>(&text).unwrap(), quotas);
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
