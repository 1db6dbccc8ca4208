//! Broker configs: the layers a value can come from, dynamic updates, and how DescribeConfigs shows them.
//!
//! Four layers, first wins: set for this broker, set for all brokers, given at the start, default.

use std::collections::BTreeSet;

use super::broker_change::check_change;
use super::broker_rows::BROKER_ROWS;
use super::def::{ConfigDef, ConfigError, ConfigType, UpdateMode, parse_double, parse_integer};
use super::entry::{AlterOp, Alteration, ConfigEntry, ConfigSource, ConfigSynonym, ConfigValues, check_request, edit_list};

/// Configs that are asked one after the other for the same setting.
const SYNONYMS: &[&[&str]] = &[
    &["log.retention.ms", "log.retention.minutes", "log.retention.hours"],
    &["log.roll.ms", "log.roll.hours"],
    &["log.roll.jitter.ms", "log.roll.jitter.hours"],
];

/// Replication throttles: not broker configs by Kafka's table, yet settable like them.
const THROTTLES: &[&str] =
    &["follower.replication.throttled.rate", "leader.replication.throttled.rate", "replica.alter.log.dirs.io.max.bytes.per.second"];

/// Keys that Kafka lets change only for one listener, by `listener.name.<listener>.<key>`.
const PER_LISTENER_ONLY: &[&str] = &[
    "ssl.key.password",
    "ssl.keystore.certificate.chain",
    "ssl.keystore.key",
    "ssl.keystore.location",
    "ssl.keystore.password",
    "ssl.keystore.type",
    "ssl.truststore.certificates",
    "ssl.truststore.location",
    "ssl.truststore.password",
    "ssl.truststore.type",
];

/// What the names of the rows begin with that Apache Kafka does not have.
pub const OWN: &str = "headwater.";

/// The row of a broker config. The table is sorted by name.
pub fn broker_row(name: &str) -> Option<&'static ConfigDef> {
    BROKER_ROWS.binary_search_by(|row| row.name.cmp(name)).ok().and_then(|at| BROKER_ROWS.get(at))
}

pub fn broker_rows() -> &'static [ConfigDef] {
    BROKER_ROWS
}

/// Which of the two sets of dynamic broker configs is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BrokerScope {
    /// Resource name "": every broker.
    AllBrokers,
    /// Resource name = this broker's id.
    ThisBroker,
}

/// Every broker config with all the places its value can come from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BrokerLayers {
    this_broker: ConfigValues,
    all_brokers: ConfigValues,
    at_start: ConfigValues,
}

impl BrokerLayers {
    /// `at_start`: what command line, environment and file gave. Every key must be known and every value valid.
    pub fn new(at_start: ConfigValues) -> Result<BrokerLayers, ConfigError> {
        for (name, value) in &at_start {
            let row = broker_row(name).ok_or_else(|| ConfigError::invalid(format!("Unknown broker config name: {name}")))?;
            row.normalise(value)?;
        }
        let layers = BrokerLayers { at_start, ..BrokerLayers::default() };
        layers.check_together()?;
        Ok(layers)
    }

    /// Puts back dynamic configs that this broker wrote down earlier. A value that is no longer valid is left out.
    pub fn restore(mut self, scope: BrokerScope, values: ConfigValues) -> BrokerLayers {
        let mut values = values;
        values.retain(|name, value| broker_row(name).is_none_or(|row| row.update != UpdateMode::ReadOnly && row.normalise(value).is_ok()));
        *self.layer_mut(scope) = values;
        self
    }

    /// The dynamic configs of one scope, as texts: what has to be written down.
    pub fn dynamic(&self, scope: BrokerScope) -> &ConfigValues {
        match scope {
            BrokerScope::AllBrokers => &self.all_brokers,
            BrokerScope::ThisBroker => &self.this_broker,
        }
    }

    /// The value in force, in the spelling Kafka shows. None: no value, or no such config.
    pub fn value(&self, name: &str) -> Option<String> {
        let row = broker_row(name)?;
        let text = self.text(name).or(row.default)?;
        Some(row.normalise(text).unwrap_or_else(|_| text.to_owned()))
    }

    /// A number in force; 0 where the key has none.
    pub fn long(&self, name: &str) -> i64 {
        self.value(name).and_then(|text| parse_integer(&text)).unwrap_or(0)
    }

    pub fn double(&self, name: &str) -> f64 {
        self.value(name).and_then(|text| parse_double(&text)).unwrap_or(0.0)
    }

    pub fn flag(&self, name: &str) -> bool {
        self.value(name).as_deref() == Some("true")
    }

    /// IncrementalAlterConfigs: these layers with the changes made, or the reason why not. All or nothing.
    pub fn altered(&self, scope: BrokerScope, alterations: &[Alteration]) -> Result<BrokerLayers, ConfigError> {
        self.altered_from(self.clone(), scope, alterations)
    }

    /// AlterConfigs: `sets` become the whole set of this scope.
    pub fn replaced(&self, scope: BrokerScope, sets: &[Alteration]) -> Result<BrokerLayers, ConfigError> {
        let mut emptied = self.clone();
        emptied.layer_mut(scope).clear();
        self.altered_from(emptied, scope, sets)
    }

    fn altered_from(&self, mut next: BrokerLayers, scope: BrokerScope, alterations: &[Alteration]) -> Result<BrokerLayers, ConfigError> {
        check_request(alterations)?;
        for Alteration { name, op, value } in alterations {
            let value = value.as_deref().unwrap_or("");
            let values = next.layer_mut(scope);
            match op {
                AlterOp::Set => {
                    values.insert(name.clone(), value.to_owned());
                }
                AlterOp::Delete => {
                    values.remove(name);
                }
                AlterOp::Append | AlterOp::Subtract => {
                    let row = broker_row(name).ok_or_else(|| ConfigError::invalid(format!("Unknown config name: {name}")))?;
                    if row.kind != ConfigType::List {
                        let op = op.name().to_lowercase();
                        return Err(ConfigError::invalid(format!("Config value {op} is not allowed for config key: {name}")));
                    }
                    let current = values.get(name).cloned().or_else(|| self.value(name)).unwrap_or_default();
                    values.insert(name.clone(), edit_list(&current, *op, value));
                }
            }
        }
        next.check_dynamic(scope)?;
        next.check_together().map_err(|e| ConfigError::request(e.message))?;
        check_change(self, &next)?;
        Ok(next)
    }

    /// DescribeConfigs of this broker: every known key and every unknown one that was set, sorted by name.
    pub fn describe(&self) -> Vec<ConfigEntry> {
        let known = BROKER_ROWS.iter().map(|row| row.name);
        let set = self.this_broker.keys().chain(self.all_brokers.keys()).map(String::as_str);
        let names: BTreeSet<&str> = known.chain(set).collect();
        names.into_iter().map(|name| self.entry(name, self.synonyms(name), self.value(name))).collect()
    }

    /// DescribeConfigs of resource "": what was set for all brokers.
    pub fn describe_all_brokers(&self) -> Vec<ConfigEntry> {
        let entry = |(name, text): (&String, &String)| {
            let mut synonyms = self.synonyms(name);
            synonyms.retain(|s| s.source == ConfigSource::DynamicDefaultBroker);
            self.entry(name, synonyms, Some(text.clone()))
        };
        self.all_brokers.iter().map(entry).collect()
    }

    fn entry(&self, name: &str, synonyms: Vec<ConfigSynonym>, value: Option<String>) -> ConfigEntry {
        let row = broker_row(name);
        let sensitive = row.is_none_or(ConfigDef::sensitive);
        ConfigEntry {
            name: name.to_owned(),
            value: value.filter(|_| !sensitive),
            source: synonyms.first().map_or(ConfigSource::Default, |s| s.source),
            read_only: row.is_none_or(|row| row.update == UpdateMode::ReadOnly),
            sensitive,
            kind: row.map(|row| row.kind),
            doc: row.map(|row| row.doc),
            synonyms,
        }
    }

    /// All places a key's value could come from, first wins. Kafka drops what stands before the key's own name.
    pub fn synonyms(&self, name: &str) -> Vec<ConfigSynonym> {
        let own = [name];
        let names: &[&str] = match name {
            "log.flush.interval.ms" => &["log.flush.interval.ms", "log.flush.scheduler.interval.ms"],
            _ => SYNONYMS.iter().copied().find(|group| group.contains(&name)).unwrap_or(&own),
        };
        let sensitive = broker_row(name).is_none_or(ConfigDef::sensitive);
        let mut found = Vec::new();
        let layers = [
            (ConfigSource::DynamicBroker, &self.this_broker),
            (ConfigSource::DynamicDefaultBroker, &self.all_brokers),
            (ConfigSource::StaticBroker, &self.at_start),
        ];
        let mut push = |name: &str, value: &str, source| {
            let value = (!sensitive).then(|| value.to_owned());
            found.push(ConfigSynonym { name: name.to_owned(), value, source });
        };
        for (source, layer) in layers {
            for name in names {
                if let Some(value) = layer.get(*name) {
                    push(name, value, source);
                }
            }
        }
        for name in names {
            if let Some(value) = broker_row(name).and_then(|row| row.default) {
                push(name, value, ConfigSource::Default);
            }
        }
        let before = found.iter().take_while(|s| s.name != name).count();
        found.split_off(before.min(found.len()))
    }

    fn text(&self, name: &str) -> Option<&str> {
        let layers = [&self.this_broker, &self.all_brokers, &self.at_start];
        layers.iter().find_map(|layer| layer.get(name)).map(String::as_str)
    }

    fn layer_mut(&mut self, scope: BrokerScope) -> &mut ConfigValues {
        match scope {
            BrokerScope::AllBrokers => &mut self.all_brokers,
            BrokerScope::ThisBroker => &mut self.this_broker,
        }
    }

    /// May these keys change while the broker runs, in this scope, to these values? Unknown keys may: plug-ins have theirs.
    fn check_dynamic(&self, scope: BrokerScope) -> Result<(), ConfigError> {
        let values = self.dynamic(scope);
        let refused = |refuse: &dyn Fn(&str) -> bool| {
            let names: Vec<&str> = values.keys().map(String::as_str).filter(|name| refuse(name)).collect();
            (!names.is_empty()).then(|| names.join(", "))
        };
        if let Some(names) = refused(&|name| broker_row(name).is_some_and(|row| row.update == UpdateMode::ReadOnly)) {
            return Err(ConfigError::request(format!("Cannot update these configs dynamically: [{names}]")));
        }
        if let Some(names) = refused(&|name| PER_LISTENER_ONLY.contains(&name)) {
            return Err(ConfigError::request(format!(
                "These security configs can be dynamically updated only per-listener using the listener prefix: [{names}]"
            )));
        }
        let per_broker = |name: &str| broker_row(without_listener(name)).is_some_and(|row| row.update == UpdateMode::PerBroker);
        if scope == BrokerScope::AllBrokers
            && let Some(names) = refused(&per_broker)
        {
            return Err(ConfigError::request(format!(
                "Cannot update these configs at default cluster level, broker id must be specified: [{names}]"
            )));
        }
        for (name, value) in values {
            check_dynamic_value(name, value).map_err(|e| ConfigError::request(e.message))?;
        }
        Ok(())
    }

    /// Rules that Kafka states for a value in force, whatever its source.
    fn check_together(&self) -> Result<(), ConfigError> {
        let at_least = |name: &str, low: i64| match self.value(name).and_then(|text| parse_integer(&text)) {
            Some(value) if value < low => {
                Err(ConfigError::invalid(format!("requirement failed: {name} must be greater than or equal to {low}")))
            }
            _ => Ok(()),
        };
        at_least("log.roll.ms", 1)?;
        let retention = ["log.retention.ms", "log.retention.minutes", "log.retention.hours"].iter().find_map(|name| self.value(name));
        if retention.as_deref() == Some("0") {
            return Err(ConfigError::invalid("requirement failed: log.retention.ms must be unlimited (-1) or at least 1"));
        }
        at_least("log.roll.jitter.ms", 0)?;
        for protocol in ["group.consumer", "group.share", "group.streams"] {
            let (name, limit) = (format!("{protocol}.assignment.interval.ms"), format!("{protocol}.max.assignment.interval.ms"));
            if self.long(&name) > self.long(&limit) {
                return Err(ConfigError::invalid(format!("{name} must be less than or equal to {limit}")));
            }
        }
        if self.long("group.min.session.timeout.ms") > self.long("group.max.session.timeout.ms") {
            return Err(ConfigError::invalid("group.min.session.timeout.ms must be at most group.max.session.timeout.ms"));
        }
        Ok(())
    }
}

/// `listener.name.<listener>.<key>` is about `<key>`.
fn without_listener(name: &str) -> &str {
    name.strip_prefix("listener.name.").and_then(|rest| rest.split_once('.')).map_or(name, |(_, key)| key)
}

fn check_dynamic_value(name: &str, value: &str) -> Result<(), ConfigError> {
    if THROTTLES.contains(&name) {
        return match parse_integer(value.trim()) {
            None => Err(ConfigError::invalid(format!("Invalid value {value} for configuration {name}: Not a number of type LONG"))),
            Some(rate) if rate < 0 => {
                Err(ConfigError::invalid(format!("Invalid value {rate} for configuration {name}: Value must be at least 0")))
            }
            Some(_) => Ok(()),
        };
    }
    let Some(row) = broker_row(without_listener(name)) else { return Ok(()) };
    row.normalise(value)?;
    // No value here ever names code to be loaded.
    if row.kind == ConfigType::Class && row.default != Some(value) {
        return Err(ConfigError::invalid(format!("Invalid value {value} for configuration {name}: Class {value} could not be found.")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::BrokerConfig;

    fn set(name: &str, value: &str) -> Alteration {
        Alteration { name: name.to_owned(), op: AlterOp::Set, value: Some(value.to_owned()) }
    }

    fn refusal(scope: BrokerScope, name: &str, value: &str) -> (i16, String) {
        let error = BrokerLayers::default().altered(scope, &[set(name, value)]).unwrap_err();
        (error.code.code(), error.message)
    }

    #[test]
    fn the_table_is_sorted_complete_and_its_defaults_are_good() {
        assert!(BROKER_ROWS.is_sorted_by_key(|row| row.name));
        let own = BROKER_ROWS.iter().filter(|row| row.name.starts_with(OWN)).count();
        assert_eq!((BROKER_ROWS.len() - own, own), (340, 17));
        for row in BROKER_ROWS {
            if let Some(default) = row.default {
                assert_eq!(row.normalise(default).as_deref(), Ok(default), "{}", row.name);
            }
            assert!(row.doc.ends_with('.') && row.doc.len() > 10, "{}", row.name);
            assert!(row.kafka_default.is_none() || row.kafka_default != row.default, "{}", row.name);
        }
        assert!(BrokerLayers::default().check_together().is_ok());
    }

    #[test]
    fn the_defaults_are_headwaters_where_it_says_so() {
        let config = BrokerConfig::new(&BrokerLayers::default());
        assert_eq!((config.num_partitions, config.auto_create_topics, config.group_initial_rebalance_delay_ms), (4, true, 0));
        assert_eq!((config.fetch_bytes_max, config.request_bytes_max), (16 << 20, 16 << 20));
        assert_eq!((config.node_id, config.rack.clone(), config.offsets_retention_ms), (1, None, 604_800_000));
        assert_eq!(config.consumer_assignors, ["uniform", "range"]);
        let given =
            ConfigValues::from([("node.id".to_owned(), "7".to_owned()), ("auto.create.topics.enable".to_owned(), "False".to_owned())]);
        let config = BrokerConfig::new(&BrokerLayers::new(given).unwrap());
        assert_eq!((config.node_id, config.auto_create_topics), (7, false));
    }

    #[test]
    fn dynamic_updates_are_refused_as_kafka_refuses_them() {
        use BrokerScope::{AllBrokers, ThisBroker};
        for scope in [AllBrokers, ThisBroker] {
            assert_eq!(refusal(scope, "node.id", "2"), (42, "Cannot update these configs dynamically: [node.id]".to_owned()));
            assert_eq!(refusal(scope, "log.retention.hours", "5").0, 42);
            let message = "Invalid value x for configuration log.retention.ms: Not a number of type LONG".to_owned();
            assert_eq!(refusal(scope, "log.retention.ms", "x"), (42, message));
            assert_eq!(refusal(scope, "log.roll.ms", "0").0, 42);
            assert_eq!(refusal(scope, "log.retention.ms", "0").0, 42);
            assert_eq!(refusal(scope, "leader.replication.throttled.rate", "-10").0, 42);
            assert_eq!(refusal(scope, "principal.builder.class", "foo").0, 42);
            let message =
                "These security configs can be dynamically updated only per-listener using the listener prefix: [ssl.keystore.password]";
            assert_eq!(refusal(scope, "ssl.keystore.password", "x"), (42, message.to_owned()));
        }
        let message = "Cannot update these configs at default cluster level, broker id must be specified: [listeners]".to_owned();
        assert_eq!(refusal(AllBrokers, "listeners", "PLAINTEXT://:1"), (42, message));
        assert_eq!(refusal(AllBrokers, "listener.name.plaintext.ssl.client.auth", "none").0, 42);
        let fine = [("nope", "1"), ("retention.ms", "5"), ("log.cleanup.policy", ""), ("listener.name.x.max.connections", "5")];
        for (name, value) in fine {
            assert!(BrokerLayers::default().altered(AllBrokers, &[set(name, value)]).is_ok(), "{name}");
        }
        assert!(BrokerLayers::default().altered(ThisBroker, &[set("sasl.enabled.mechanisms", "PLAIN")]).is_ok());
    }

    #[test]
    fn list_operations_want_a_list_that_is_known() {
        let append = |name: &str, value: &str| {
            let alteration = Alteration { op: AlterOp::Append, ..set(name, value) };
            BrokerLayers::default().altered(BrokerScope::AllBrokers, &[alteration])
        };
        assert_eq!(append("log.cleanup.policy", "compact").unwrap().value("log.cleanup.policy").unwrap(), "delete,compact");
        let message = |result: Result<BrokerLayers, ConfigError>| result.map_err(|e| (e.code.code(), e.message)).unwrap_err();
        assert_eq!(message(append("nope", "1")), (40, "Unknown config name: nope".to_owned()));
        assert_eq!(message(append("node.id", "1")), (40, "Config value append is not allowed for config key: node.id".to_owned()));
        assert_eq!(message(append("log.dirs", "7")).0, 42);
    }

    #[test]
    fn nothing_changes_when_one_key_of_several_is_refused_and_deleting_is_always_fine() {
        let layers = BrokerLayers::default().altered(BrokerScope::ThisBroker, &[set("log.cleaner.backoff.ms", "7")]).unwrap();
        assert!(layers.altered(BrokerScope::ThisBroker, &[set("log.cleaner.backoff.ms", "8"), set("node.id", "3")]).is_err());
        assert_eq!(layers.long("log.cleaner.backoff.ms"), 7);
        let delete = |name: &str| Alteration { name: name.to_owned(), op: AlterOp::Delete, value: None };
        let back = layers.altered(BrokerScope::ThisBroker, &[delete("log.cleaner.backoff.ms"), delete("node.id"), delete("nope")]);
        assert_eq!(back, Ok(BrokerLayers::default()));
    }

    #[test]
    fn descriptions_show_layers_hide_secrets_and_list_unknown_keys() {
        let given = ConfigValues::from([("num.partitions".to_owned(), "8".to_owned())]);
        let layers = BrokerLayers::new(given).unwrap();
        let layers = layers
            .altered(
                BrokerScope::AllBrokers,
                &[set("log.roll.jitter.ms", "0"), set("log.cleaner.min.cleanable.ratio", "0.50"), set("nope", "5")],
            )
            .unwrap();
        let all = layers.describe();
        assert_eq!(all.len(), BROKER_ROWS.len() + 1);
        let entry = |name: &str| all.iter().find(|e| e.name == name).unwrap();
        let partitions = entry("num.partitions");
        assert_eq!((partitions.source, partitions.read_only, partitions.value.as_deref()), (ConfigSource::StaticBroker, true, Some("8")));
        assert_eq!(partitions.synonyms.len(), 2);
        let ratio = entry("log.cleaner.min.cleanable.ratio");
        assert_eq!((ratio.value.as_deref(), ratio.synonyms.first().unwrap().value.as_deref()), (Some("0.5"), Some("0.50")));
        let jitter: Vec<&str> = entry("log.roll.jitter.ms").synonyms.iter().map(|s| s.name.as_str()).collect();
        assert_eq!(jitter, ["log.roll.jitter.ms", "log.roll.jitter.hours"]);
        let retention = entry("log.retention.ms");
        assert_eq!((retention.value.as_deref(), retention.source, retention.synonyms.len()), (None, ConfigSource::Default, 0));
        let unknown = entry("nope");
        assert_eq!((unknown.value.as_deref(), unknown.sensitive, unknown.read_only, unknown.type_code()), (None, true, true, 0));
        assert!(entry("ssl.key.password").sensitive);
        let defaults = layers.describe_all_brokers();
        assert_eq!(defaults.len(), 3);
        assert!(defaults.iter().all(|e| e.source == ConfigSource::DynamicDefaultBroker && e.synonyms.len() == 1));
        assert_eq!(defaults.first().unwrap().value.as_deref(), Some("0.50"));
    }

    #[test]
    fn what_was_written_down_comes_back_without_what_went_bad() {
        let saved = ConfigValues::from([("log.cleaner.backoff.ms".to_owned(), "7".to_owned()), ("log.roll.ms".to_owned(), "x".to_owned())]);
        let layers = BrokerLayers::default().restore(BrokerScope::AllBrokers, saved);
        assert_eq!(layers.dynamic(BrokerScope::AllBrokers).len(), 1);
        assert_eq!(layers.long("log.cleaner.backoff.ms"), 7);
    }
}
