//! Floor 0: every setting, each a row in a table. Parses and validates; never reads a file or the environment.
//!
//! `def.rs` is what a row is. `topic.rs` and `broker.rs` are Kafka's configs with their tables in `*_rows.rs`: a topic's
//! overrides sit on top of the broker's layers, and `broker_change.rs` says which steps those may take at run time. `log.rs` and `broker_config.rs` are what comes out: typed values.
//! `settings.rs` is the command's own: flags, variables and file keys from one table.

pub mod broker;
mod broker_change;
pub mod broker_config;
mod broker_rows;
pub mod clock;
pub mod def;
pub mod docs;
pub mod doors;
pub mod entry;
mod guards;
pub mod listener;
pub mod log;
pub mod settings;
pub mod topic;
mod topic_rows;

pub use broker::{BrokerLayers, BrokerScope};
pub use broker_config::BrokerConfig;
pub use clock::{ClockSetting, Speed};
pub use def::{ConfigDef, ConfigError, ConfigType, Honoured};
pub use doors::{Doors, TlsSetting};
pub use entry::{AlterOp, Alteration, ConfigEntry, ConfigSource, ConfigSynonym, ConfigValues};
pub use guards::Guards;
pub use listener::{Advertise, ListenerSetting, Protocol};
pub use log::{CompressionType, Durability, LogConfig, TimestampType};
pub use settings::{Address, ClusterSetting, Given, SettingError, Settings};
pub use topic::{TopicConfig, topic_row};
