//! Topic configs: the overrides a topic carries, what they resolve to, and how they are shown and changed.
//!
//! A topic keeps the texts it was given. A key that it does not override takes its value from the broker config that
//! is the key's synonym, so the two tables are read together.

use super::broker::BrokerLayers;
use super::def::{ConfigDef, ConfigError, ConfigType, parse_double, parse_integer, split_list};
use super::entry::{AlterOp, Alteration, ConfigEntry, ConfigSource, ConfigSynonym, ConfigValues, check_request, edit_list};
use super::log::{CompressionType, LogConfig, TimestampType};
use super::topic_rows::TOPIC_ROWS;

/// A topic config and the broker configs that stand in for it.
#[derive(Clone, Copy, Debug)]
pub struct TopicRow {
    pub def: ConfigDef,
    /// Broker configs in the order they are asked, each with the factor from its unit to this key's.
    pub synonyms: &'static [(&'static str, i64)],
}

/// The row of a topic config. The table is sorted by name.
pub fn topic_row(name: &str) -> Option<&'static TopicRow> {
    TOPIC_ROWS.binary_search_by(|row| row.def.name.cmp(name)).ok().and_then(|at| TOPIC_ROWS.get(at))
}

pub fn topic_rows() -> &'static [TopicRow] {
    TOPIC_ROWS
}

/// The configs that a topic overrides.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TopicConfig {
    values: ConfigValues,
}

impl TopicConfig {
    /// Checks a full set of overrides, as CreateTopics and AlterConfigs bring it.
    pub fn new(values: ConfigValues, broker: &BrokerLayers) -> Result<TopicConfig, ConfigError> {
        if let Some(name) = values.keys().find(|name| topic_row(name).is_none()) {
            return Err(ConfigError::invalid(format!("Unknown topic config name: {name}")));
        }
        for (name, value) in &values {
            if let Some(row) = topic_row(name) {
                row.def.normalise(value)?;
            }
        }
        let config = TopicConfig { values };
        config.check_together(broker)?;
        Ok(config)
    }

    /// CreateTopics' list of configs, where a null value is a bad config.
    pub fn from_request<'a>(
        entries: impl IntoIterator<Item = (&'a str, Option<&'a str>)>,
        broker: &BrokerLayers,
    ) -> Result<TopicConfig, ConfigError> {
        let mut values = ConfigValues::new();
        for (name, value) in entries {
            let value = value.ok_or_else(|| ConfigError::invalid(format!("Null value not supported for topic configs: {name}")))?;
            values.insert(name.to_owned(), value.to_owned());
        }
        TopicConfig::new(values, broker)
    }

    /// Overrides read back from this broker's own files: what is no longer known or valid is left out.
    pub fn restore(values: ConfigValues) -> TopicConfig {
        let known = |name: &String, value: &mut String| topic_row(name).is_some_and(|row| row.def.normalise(value).is_ok());
        let mut values = values;
        values.retain(known);
        TopicConfig { values }
    }

    pub fn values(&self) -> &ConfigValues {
        &self.values
    }

    /// These overrides with the changes made, or why that is no sound request. All or nothing. Whether keys and values are
    /// good is for `new` to say: Kafka looks at the topic's name in between.
    pub fn edited(&self, alterations: &[Alteration], broker: &BrokerLayers) -> Result<ConfigValues, ConfigError> {
        check_request(alterations)?;
        let mut values = self.values.clone();
        for Alteration { name, op, value } in alterations {
            let value = value.as_deref().unwrap_or("");
            match op {
                AlterOp::Set => {
                    values.insert(name.clone(), value.to_owned());
                }
                AlterOp::Delete => {
                    values.remove(name);
                }
                AlterOp::Append | AlterOp::Subtract => {
                    let row = topic_row(name)
                        .filter(|row| row.def.kind == ConfigType::List)
                        .ok_or_else(|| ConfigError::invalid(format!("Can't {} to key {name} because its type is not LIST.", op.name())))?;
                    let current = values.get(name).cloned().or_else(|| inherited(row, broker)).unwrap_or_default();
                    values.insert(name.clone(), edit_list(&current, *op, value));
                }
            }
        }
        Ok(values)
    }

    /// The value in force, in the spelling Kafka shows.
    pub fn value(&self, name: &str, broker: &BrokerLayers) -> Option<String> {
        let row = topic_row(name)?;
        let text = self.values.get(name).cloned().or_else(|| inherited(row, broker))?;
        Some(row.def.normalise(&text).unwrap_or(text))
    }

    /// The typed settings that the log works by.
    pub fn resolve(&self, broker: &BrokerLayers) -> LogConfig {
        let defaults = LogConfig::default();
        let text = |name: &str| self.value(name, broker);
        let long = |name: &str, otherwise: i64| text(name).and_then(|t| parse_integer(&t)).unwrap_or(otherwise);
        let size = |name: &str, otherwise: u64| text(name).and_then(|t| parse_integer(&t)).map_or(otherwise, |v| v.max(0) as u64);
        let policy = text("cleanup.policy").unwrap_or_default();
        let policies = split_list(&policy);
        LogConfig {
            segment_bytes: size("internal.segment.bytes", size("segment.bytes", defaults.segment_bytes)),
            segment_ms: long("segment.ms", defaults.segment_ms),
            index_interval_bytes: size("index.interval.bytes", defaults.index_interval_bytes),
            retention_ms: long("retention.ms", defaults.retention_ms),
            retention_bytes: long("retention.bytes", defaults.retention_bytes),
            file_delete_delay_ms: long("file.delete.delay.ms", defaults.file_delete_delay_ms),
            max_message_bytes: size("max.message.bytes", defaults.max_message_bytes),
            flush_messages: size("flush.messages", defaults.flush_messages),
            flush_ms: long("flush.ms", defaults.flush_ms),
            timestamp_type: match text("message.timestamp.type").as_deref() {
                Some("LogAppendTime") => TimestampType::LogAppendTime,
                _ => TimestampType::CreateTime,
            },
            timestamp_before_max_ms: long("message.timestamp.before.max.ms", defaults.timestamp_before_max_ms),
            timestamp_after_max_ms: long("message.timestamp.after.max.ms", defaults.timestamp_after_max_ms),
            compression_type: compression_type(text("compression.type").as_deref()),
            cleanup_delete: policies.contains(&"delete"),
            cleanup_compact: policies.contains(&"compact"),
            delete_retention_ms: long("delete.retention.ms", defaults.delete_retention_ms),
            min_cleanable_dirty_ratio: text("min.cleanable.dirty.ratio")
                .and_then(|t| parse_double(&t))
                .unwrap_or(defaults.min_cleanable_dirty_ratio),
            min_compaction_lag_ms: long("min.compaction.lag.ms", defaults.min_compaction_lag_ms),
            max_compaction_lag_ms: long("max.compaction.lag.ms", defaults.max_compaction_lag_ms),
            producer_id_expiration_ms: broker.long("producer.id.expiration.ms"),
        }
    }

    /// DescribeConfigs of the topic: every key, sorted by name.
    pub fn describe(&self, broker: &BrokerLayers) -> Vec<ConfigEntry> {
        let shown = |row: &&TopicRow| !row.def.hidden || self.values.contains_key(row.def.name);
        TOPIC_ROWS.iter().filter(shown).map(|row| self.describe_row(row, broker)).collect()
    }

    fn describe_row(&self, row: &TopicRow, broker: &BrokerLayers) -> ConfigEntry {
        let name = row.def.name;
        let value = self.value(name, broker);
        let mut synonyms = Vec::new();
        if self.values.contains_key(name) {
            synonyms.push(ConfigSynonym { name: name.to_owned(), value: value.clone(), source: ConfigSource::DynamicTopic });
        }
        if let Some((first, _)) = row.synonyms.first() {
            synonyms.extend(broker.synonyms(first));
        }
        ConfigEntry {
            name: name.to_owned(),
            value,
            source: synonyms.first().map_or(ConfigSource::Default, |s| s.source),
            read_only: false,
            sensitive: false,
            kind: Some(row.def.kind),
            doc: Some(row.def.doc),
            synonyms,
        }
    }

    /// Rules that need more than one key, or that hold for every topic of this broker.
    fn check_together(&self, broker: &BrokerLayers) -> Result<(), ConfigError> {
        let long = |name: &str| self.value(name, broker).and_then(|t| parse_integer(&t));
        if self.value("remote.storage.enable", broker).as_deref() == Some("true") {
            return Err(ConfigError::invalid(
                "Tiered Storage functionality is disabled in the broker. Topic cannot be configured with remote log storage.",
            ));
        }
        if let (Some(low), Some(high)) = (long("min.compaction.lag.ms"), long("max.compaction.lag.ms"))
            && low > high
        {
            return Err(ConfigError::invalid(format!(
                "conflict topic config setting min.compaction.lag.ms ({low}) > max.compaction.lag.ms ({high})"
            )));
        }
        Ok(())
    }
}

/// What a topic without an override gets: the first of the key's broker configs that has a value, else the key's default.
fn inherited(row: &TopicRow, broker: &BrokerLayers) -> Option<String> {
    for (name, factor) in row.synonyms {
        if let Some(text) = broker.value(name) {
            return match (factor, parse_integer(&text)) {
                // Any negative age means "keep"; Kafka writes it as -1.
                (_, Some(count)) if count < 0 && row.def.name == "retention.ms" => Some("-1".to_owned()),
                (1, _) | (_, None) => Some(text),
                (factor, Some(count)) => Some(count.saturating_mul(*factor).to_string()),
            };
        }
    }
    row.def.default.map(str::to_owned)
}

fn compression_type(text: Option<&str>) -> CompressionType {
    match text {
        Some("uncompressed") => CompressionType::Uncompressed,
        Some("gzip") => CompressionType::Gzip,
        Some("snappy") => CompressionType::Snappy,
        Some("lz4") => CompressionType::Lz4,
        Some("zstd") => CompressionType::Zstd,
        _ => CompressionType::Producer,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::BrokerScope;

    fn values(pairs: &[(&str, &str)]) -> ConfigValues {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    fn topic(pairs: &[(&str, &str)]) -> TopicConfig {
        TopicConfig::new(values(pairs), &BrokerLayers::default()).unwrap()
    }

    fn alteration(name: &str, op: AlterOp, value: &str) -> Alteration {
        Alteration { name: name.to_owned(), op, value: Some(value.to_owned()) }
    }

    fn describe(config: &TopicConfig, broker: &BrokerLayers, name: &str) -> ConfigEntry {
        config.describe(broker).into_iter().find(|e| e.name == name).unwrap()
    }

    fn sources(entry: &ConfigEntry) -> Vec<(String, String, i8)> {
        entry.synonyms.iter().map(|s| (s.name.clone(), s.value.clone().unwrap_or_default(), s.source.code())).collect()
    }

    #[test]
    fn the_table_is_sorted_and_its_defaults_and_synonyms_are_good() {
        assert!(TOPIC_ROWS.is_sorted_by_key(|row| row.def.name));
        for row in TOPIC_ROWS {
            if let Some(default) = row.def.default {
                assert_eq!(row.def.normalise(default).as_deref(), Ok(default), "{}", row.def.name);
            }
            for (name, _) in row.synonyms {
                assert!(crate::config::broker::broker_row(name).is_some(), "{name}");
            }
            assert!(row.def.doc.ends_with('.'), "{}", row.def.name);
        }
        assert_eq!(TOPIC_ROWS.len(), 34);
    }

    #[test]
    fn kafkas_refusals_are_repeated() {
        let broker = BrokerLayers::default();
        for (pairs, message) in [
            (&[("nope", "1")][..], "Unknown topic config name: nope"),
            (&[("retention.ms", "abc")], "Invalid value abc for configuration retention.ms: Not a number of type LONG"),
            (&[("retention.ms", "-3"), ("nope", "5")], "Unknown topic config name: nope"),
            (&[("segment.bytes", "14")], "Invalid value 14 for configuration segment.bytes: Value must be at least 1048576"),
            (&[("message.format.version", "3.0")], "Unknown topic config name: message.format.version"),
            (
                &[("compression.type", "none")],
                "Invalid value none for configuration compression.type: String must be one of: uncompressed, zstd, lz4, snappy, gzip, producer",
            ),
            (
                &[("max.compaction.lag.ms", "5"), ("min.compaction.lag.ms", "10")],
                "conflict topic config setting min.compaction.lag.ms (10) > max.compaction.lag.ms (5)",
            ),
        ] {
            let error = TopicConfig::new(values(pairs), &broker).unwrap_err();
            assert_eq!((error.code.code(), error.message.as_str()), (40, message));
        }
        for pairs in [
            &[("cleanup.policy", "")][..],
            &[("min.insync.replicas", "2")],
            &[("retention.bytes", "-5")],
            &[("internal.segment.bytes", "1000")],
        ] {
            topic(pairs);
        }
        assert_eq!(TopicConfig::from_request([("retention.ms", None)], &broker).unwrap_err().code.code(), 40);
    }

    #[test]
    fn a_topic_without_overrides_follows_the_broker() {
        let plain = TopicConfig::default().resolve(&BrokerLayers::default());
        assert_eq!(plain, LogConfig { flush_ms: 100, ..LogConfig::default() });

        let broker = BrokerLayers::new(values(&[
            ("log.retention.hours", "2"),
            ("log.roll.hours", "3"),
            ("log.cleanup.policy", "compact"),
            ("message.max.bytes", "1000"),
            ("log.flush.interval.messages", "1"),
        ]))
        .unwrap();
        let log = TopicConfig::default().resolve(&broker);
        assert_eq!((log.retention_ms, log.segment_ms, log.max_message_bytes, log.flush_messages), (7_200_000, 10_800_000, 1000, 1));
        assert!(log.cleanup_compact && !log.cleanup_delete);
        let finer = BrokerLayers::new(values(&[("log.retention.hours", "2"), ("log.retention.minutes", "5")])).unwrap();
        assert_eq!(TopicConfig::default().resolve(&finer).retention_ms, 300_000);
        let forever = BrokerLayers::new(values(&[("log.retention.hours", "-1")])).unwrap();
        assert_eq!(TopicConfig::default().resolve(&forever).retention_ms, -1);
    }

    #[test]
    fn overrides_win_over_the_broker() {
        let config = topic(&[
            ("cleanup.policy", "compact, delete"),
            ("retention.ms", "5"),
            ("internal.segment.bytes", "100000"),
            ("message.timestamp.type", "LogAppendTime"),
            ("compression.type", "zstd"),
            ("min.cleanable.dirty.ratio", "1"),
        ]);
        let log = config.resolve(&BrokerLayers::default());
        assert!(log.cleanup_compact && log.cleanup_delete);
        assert_eq!((log.retention_ms, log.segment_bytes), (5, 100_000));
        assert_eq!((log.timestamp_type, log.compression_type), (TimestampType::LogAppendTime, CompressionType::Zstd));
        let nothing = topic(&[("cleanup.policy", "")]).resolve(&BrokerLayers::default());
        assert!(!nothing.cleanup_compact && !nothing.cleanup_delete);
    }

    #[test]
    fn descriptions_name_every_source_as_kafka_does() {
        let broker = BrokerLayers::new(ConfigValues::new()).unwrap();
        let set = |layers: &BrokerLayers, scope, name: &str, value: &str| {
            layers.altered(scope, &[alteration(name, AlterOp::Set, value)]).unwrap()
        };
        let broker = set(&broker, BrokerScope::AllBrokers, "log.cleaner.delete.retention.ms", " 86400001 ");
        let broker = set(&broker, BrokerScope::ThisBroker, "log.cleaner.delete.retention.ms", "86400002");
        let config = topic(&[("delete.retention.ms", "+77"), ("cleanup.policy", "compact, delete")]);
        let entry = describe(&config, &broker, "delete.retention.ms");
        assert_eq!((entry.value.as_deref(), entry.source, entry.is_default()), (Some("77"), ConfigSource::DynamicTopic, false));
        let name = "log.cleaner.delete.retention.ms".to_owned();
        assert_eq!(
            sources(&entry),
            [
                ("delete.retention.ms".to_owned(), "77".to_owned(), 1),
                (name.clone(), "86400002".to_owned(), 2),
                (name.clone(), " 86400001 ".to_owned(), 3),
                (name, "86400000".to_owned(), 5)
            ]
        );
        let policy = describe(&config, &broker, "cleanup.policy");
        assert_eq!(policy.value.as_deref(), Some("compact,delete"));
        assert_eq!(sources(&policy).first().unwrap().1, "compact,delete");
        let retention = describe(&config, &broker, "retention.ms");
        assert_eq!((retention.value.as_deref(), retention.is_default(), retention.synonyms.len()), (Some("604800000"), true, 0));
        assert_eq!(config.describe(&broker).len(), 33);
        assert_eq!(topic(&[("internal.segment.bytes", "1000")]).describe(&broker).len(), 34);
    }

    #[test]
    fn list_edits_start_from_the_value_in_force_and_keep_its_spelling() {
        let broker = BrokerLayers::default();
        let altered = |config: &TopicConfig, alteration| TopicConfig::new(config.edited(&[alteration], &broker)?, &broker);
        let edit = |config: &TopicConfig, op, value: &str| altered(config, alteration("cleanup.policy", op, value));
        let shown = |config: &TopicConfig| config.value("cleanup.policy", &broker).unwrap();
        let both = edit(&TopicConfig::default(), AlterOp::Append, "compact").unwrap();
        assert_eq!(shown(&both), "delete,compact");
        assert_eq!(shown(&edit(&TopicConfig::default(), AlterOp::Subtract, "delete").unwrap()), "");
        assert_eq!(shown(&edit(&topic(&[("cleanup.policy", "compact, delete")]), AlterOp::Subtract, "delete").unwrap()), "compact,delete");
        assert_eq!(shown(&edit(&TopicConfig::default(), AlterOp::Subtract, "foo").unwrap()), "delete");
        assert_eq!(edit(&TopicConfig::default(), AlterOp::Append, "foo").unwrap_err().code.code(), 40);
        let error = altered(&both, alteration("retention.ms", AlterOp::Append, "5")).unwrap_err();
        assert_eq!((error.code.code(), error.message.as_str()), (40, "Can't APPEND to key retention.ms because its type is not LIST."));
        assert_eq!(altered(&both, alteration("nope", AlterOp::Delete, "")), Ok(both));
    }

    #[test]
    fn an_edit_refuses_what_is_no_sound_request_and_leaves_the_rest_to_the_check() {
        let broker = BrokerLayers::default();
        let edited = |alteration| TopicConfig::default().edited(&[alteration], &broker);
        assert_eq!(edited(Alteration::set("nope", Some("7"))), Ok(values(&[("nope", "7")])));
        assert_eq!(edited(Alteration::set("nope", None)).unwrap_err().code.code(), 42);
        assert_eq!(edited(alteration("nope", AlterOp::Append, "7")).unwrap_err().code.code(), 40);
    }
}
