//! The broker configs that Headwater works by, typed.

use super::broker::BrokerLayers;

/// Broker-wide settings in force. Per-topic ones are in `LogConfig`.
#[derive(Clone, Debug, PartialEq)]
pub struct BrokerConfig {
    pub node_id: i32,
    pub rack: Option<String>,
    pub auto_create_topics: bool,
    pub delete_topic: bool,
    pub num_partitions: i32,
    pub default_replication_factor: i32,

    pub request_bytes_max: usize,
    pub fetch_bytes_max: usize,
    pub connections_max: usize,
    pub user_connections_max: usize,
    pub user_partitions_max: usize,
    /// 0: as many as fit.
    pub user_storage_bytes_max: u64,
    /// Bytes a second. `None`: no limit.
    pub user_produce_rate: Option<f64>,
    pub user_fetch_rate: Option<f64>,
    /// Requests a second. `None`: no limit.
    pub user_requests_rate: Option<f64>,
    pub connections_idle_max_ms: i64,
    /// Connections a second.
    pub connection_rate_max: u32,
    pub listen_backlog: i32,
    /// Requests in memory, over all connections. `None`: no limit.
    pub request_memory_bytes_max: Option<usize>,
    pub answer_memory_bytes_max: usize,
    pub request_read_timeout_ms: i64,
    pub request_read_rate_min: u64,
    pub answer_drain_timeout_ms: i64,
    pub partitions_max: usize,
    pub failed_authentication_delay_ms: i64,
    pub sasl_receive_bytes_max: usize,
    pub fetch_sessions_max: usize,
    pub request_partitions_max: usize,

    pub group_session_timeout_min_ms: i32,
    pub group_session_timeout_max_ms: i32,
    pub group_initial_rebalance_delay_ms: i64,
    pub group_members_max: usize,
    pub groups_max: usize,
    pub member_metadata_bytes_max: usize,
    pub consumer_session_timeout_ms: i32,
    pub consumer_heartbeat_interval_ms: i32,
    pub consumer_members_max: usize,
    pub consumer_assignors: Vec<String>,
    pub offset_metadata_bytes_max: usize,
    pub offsets_retention_ms: i64,
    pub offsets_retention_check_interval_ms: i64,
    pub offsets_topic_partitions: i32,
    pub offsets_topic_segment_bytes: u64,

    pub transaction_timeout_max_ms: i64,
    pub transactional_id_expiration_ms: i64,
    pub transaction_abort_interval_ms: i64,
    pub transaction_expiry_interval_ms: i64,
    pub transaction_topic_partitions: i32,
    pub transaction_topic_segment_bytes: u64,
    pub producer_id_expiration_ms: i64,
    pub producer_ids_max: usize,
    pub producer_ids_rate_max: u32,

    pub retention_check_interval_ms: i64,
    pub cleaner_enabled: bool,
    pub cleaner_backoff_ms: i64,
    pub scrub_bytes_per_second: u64,
    pub scrub_interval_ms: i64,
}

impl BrokerConfig {
    pub fn new(layers: &BrokerLayers) -> BrokerConfig {
        let int = |name: &str| i32::try_from(layers.long(name)).unwrap_or(i32::MAX);
        let size = |name: &str| usize::try_from(layers.long(name)).unwrap_or(0);
        let long = |name: &str| layers.long(name);
        let rate = |name: &str| Some(layers.long(name) as f64).filter(|rate| *rate > 0.0);
        BrokerConfig {
            node_id: int("node.id"),
            rack: layers.value("broker.rack").filter(|rack| !rack.is_empty()),
            auto_create_topics: layers.flag("auto.create.topics.enable"),
            delete_topic: layers.flag("delete.topic.enable"),
            num_partitions: int("num.partitions"),
            default_replication_factor: int("default.replication.factor"),

            request_bytes_max: size("socket.request.max.bytes"),
            fetch_bytes_max: size("fetch.max.bytes"),
            connections_max: size("max.connections"),
            user_connections_max: size("headwater.user.connections.max"),
            user_partitions_max: size("headwater.user.partitions.max"),
            user_storage_bytes_max: u64::try_from(long("headwater.user.storage.bytes.max")).unwrap_or(0),
            user_produce_rate: rate("headwater.user.produce.byte.rate"),
            user_fetch_rate: rate("headwater.user.fetch.byte.rate"),
            user_requests_rate: rate("headwater.user.request.rate"),
            connections_idle_max_ms: long("connections.max.idle.ms"),
            connection_rate_max: u32::try_from(long("max.connection.creation.rate")).unwrap_or(0),
            listen_backlog: int("socket.listen.backlog.size"),
            request_memory_bytes_max: usize::try_from(long("queued.max.request.bytes")).ok().filter(|bytes| *bytes > 0),
            answer_memory_bytes_max: size("headwater.answers.max.bytes"),
            request_read_timeout_ms: long("headwater.request.read.timeout.ms"),
            request_read_rate_min: u64::try_from(long("headwater.request.read.rate.min")).unwrap_or(0),
            answer_drain_timeout_ms: long("headwater.answer.drain.timeout.ms"),
            partitions_max: size("headwater.partitions.max"),
            failed_authentication_delay_ms: long("connection.failed.authentication.delay.ms"),
            sasl_receive_bytes_max: size("sasl.server.max.receive.size"),
            fetch_sessions_max: size("max.incremental.fetch.session.cache.slots"),
            request_partitions_max: size("max.request.partition.size.limit"),

            group_session_timeout_min_ms: int("group.min.session.timeout.ms"),
            group_session_timeout_max_ms: int("group.max.session.timeout.ms"),
            group_initial_rebalance_delay_ms: long("group.initial.rebalance.delay.ms"),
            group_members_max: size("group.max.size"),
            groups_max: size("headwater.groups.max"),
            member_metadata_bytes_max: size("headwater.group.member.metadata.max.bytes"),
            consumer_session_timeout_ms: int("group.consumer.session.timeout.ms"),
            consumer_heartbeat_interval_ms: int("group.consumer.heartbeat.interval.ms"),
            consumer_members_max: size("group.consumer.max.size"),
            consumer_assignors: list(layers, "group.consumer.assignors"),
            offset_metadata_bytes_max: size("offset.metadata.max.bytes"),
            offsets_retention_ms: long("offsets.retention.minutes").saturating_mul(60_000),
            offsets_retention_check_interval_ms: long("offsets.retention.check.interval.ms"),
            offsets_topic_partitions: int("offsets.topic.num.partitions"),
            offsets_topic_segment_bytes: size("offsets.topic.segment.bytes") as u64,

            transaction_timeout_max_ms: long("transaction.max.timeout.ms"),
            transactional_id_expiration_ms: long("transactional.id.expiration.ms"),
            transaction_abort_interval_ms: long("transaction.abort.timed.out.transaction.cleanup.interval.ms"),
            transaction_expiry_interval_ms: long("transaction.remove.expired.transaction.cleanup.interval.ms"),
            transaction_topic_partitions: int("transaction.state.log.num.partitions"),
            transaction_topic_segment_bytes: size("transaction.state.log.segment.bytes") as u64,
            producer_id_expiration_ms: long("producer.id.expiration.ms"),
            producer_ids_max: size("headwater.producer.ids.max"),
            producer_ids_rate_max: u32::try_from(long("headwater.producer.ids.rate.max")).unwrap_or(1),

            retention_check_interval_ms: long("log.retention.check.interval.ms"),
            cleaner_enabled: layers.flag("log.cleaner.enable"),
            cleaner_backoff_ms: long("log.cleaner.backoff.ms"),
            scrub_bytes_per_second: u64::try_from(long("headwater.scrub.bytes.per.second")).unwrap_or(0),
            scrub_interval_ms: long("headwater.scrub.interval.ms"),
        }
    }
}

fn list(layers: &BrokerLayers, name: &str) -> Vec<String> {
    let text = layers.value(name).unwrap_or_default();
    super::def::split_list(&text).into_iter().map(str::to_owned).collect()
}
