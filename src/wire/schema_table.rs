//! The requests themselves: names, versions and fields as Apache Kafka 4.3's message definitions give them.

use super::schema::{Api, Kind, NEVER, api, array, array_of, boolean, bytes, float64, int8, int16, int32, int64, object, string, uuid};

/// Every request that may be decoded, in the order of its key. Columns of `api`: key, name, first and last version, first flexible version.
#[rustfmt::skip]
pub static APIS: &[Api] = &[
    api(0, "Produce", 3, 12, 9, &[
        string("transactional_id").nullable(), int16("acks"), int32("timeout_ms"),
        array("topic_data", &[
            string("name"), array("partition_data", &[int32("index"), bytes("records").nullable()]),
        ]),
    ]),
    api(1, "Fetch", 4, 17, 12, &[
        int32("replica_id").until(14), int32("max_wait_ms"), int32("min_bytes"), int32("max_bytes"), int8("isolation_level"),
        int32("session_id").since(7), int32("session_epoch").since(7),
        array("topics", &[
            uuid("topic_id").since(13), string("topic").until(12),
            array("partitions", &[
                int32("partition"), int32("current_leader_epoch").since(9), int64("fetch_offset"),
                int32("last_fetched_epoch").since(12), int64("log_start_offset").since(5), int32("partition_max_bytes"),
                uuid("replica_directory_id").tag(0).since(17), int64("high_watermark").tag(1).since(18),
            ]),
        ]),
        array("forgotten_topics_data", &[
            uuid("topic_id").since(13), string("topic").until(12), array_of("partitions", &Kind::Int32),
        ]).since(7),
        string("rack_id").since(11), string("cluster_id").tag(0).since(12).nullable(),
        object("replica_state", &[int32("replica_id"), int64("replica_epoch")]).tag(1).since(15),
    ]),
    api(2, "ListOffsets", 1, 10, 6, &[
        int32("replica_id"), int8("isolation_level").since(2),
        array("topics", &[
            string("name"),
            array("partitions", &[
                int32("partition_index"), int32("current_leader_epoch").since(4), int64("timestamp"),
            ]),
        ]),
        int32("timeout_ms").since(10),
    ]),
    api(3, "Metadata", 0, 13, 9, &[
        array("topics", &[uuid("topic_id").since(10), string("name").nullable_since(10)]).nullable_since(1),
        boolean("allow_auto_topic_creation").since(4), boolean("include_cluster_authorized_operations").since(8).until(10),
        boolean("include_topic_authorized_operations").since(8),
    ]),
    api(8, "OffsetCommit", 2, 9, 8, &[
        string("group_id"), int32("generation_id_or_member_epoch"), string("member_id"),
        string("group_instance_id").since(7).nullable(), int64("retention_time_ms").until(4),
        array("topics", &[
            string("name"),
            array("partitions", &[
                int32("partition_index"), int64("committed_offset"), int32("committed_leader_epoch").since(6),
                string("committed_metadata").nullable(),
            ]),
        ]),
    ]),
    api(9, "OffsetFetch", 1, 9, 6, &[
        array("groups", &[
            string("group_id"), string("member_id").since(9).nullable(), int32("member_epoch").since(9),
            array("topics", &[string("name"), array_of("partition_indexes", &Kind::Int32)]).nullable(),
        ]).since(8),
        string("group_id").until(7),
        array("topics", &[string("name"), array_of("partition_indexes", &Kind::Int32)]).until(7).nullable_since(2),
        boolean("require_stable").since(7),
    ]),
    api(10, "FindCoordinator", 0, 5, 3, &[
        string("key").until(3), int8("key_type").since(1), array_of("coordinator_keys", &Kind::Str).since(4),
    ]),
    api(11, "JoinGroup", 0, 9, 6, &[
        string("group_id"), int32("session_timeout_ms"), int32("rebalance_timeout_ms").since(1), string("member_id"),
        string("group_instance_id").since(5).nullable(), string("protocol_type"),
        array("protocols", &[string("name"), bytes("metadata")]), string("reason").since(8).nullable(),
    ]),
    api(12, "Heartbeat", 0, 4, 4, &[
        string("group_id"), int32("generation_id"), string("member_id"), string("group_instance_id").since(3).nullable(),
    ]),
    api(13, "LeaveGroup", 0, 5, 4, &[
        string("group_id"),
        array("members", &[
            string("member_id"), string("group_instance_id").nullable(), string("reason").since(5).nullable(),
        ]).since(3),
        string("member_id").until(2),
    ]),
    api(14, "SyncGroup", 0, 5, 4, &[
        string("group_id"), int32("generation_id"), string("member_id"), string("group_instance_id").since(3).nullable(),
        string("protocol_type").since(5).nullable(), string("protocol_name").since(5).nullable(),
        array("assignments", &[string("member_id"), bytes("assignment")]),
    ]),
    api(15, "DescribeGroups", 0, 6, 5, &[
        array_of("groups", &Kind::Str), boolean("include_authorized_operations").since(3),
    ]),
    api(16, "ListGroups", 0, 5, 3, &[
        array_of("states_filter", &Kind::Str).since(4), array_of("types_filter", &Kind::Str).since(5),
    ]),
    api(17, "SaslHandshake", 0, 1, NEVER, &[
        string("mechanism"),
    ]),
    api(18, "ApiVersions", 0, 4, 3, &[
        string("client_software_name").since(3), string("client_software_version").since(3),
    ]),
    api(19, "CreateTopics", 2, 7, 5, &[
        array("topics", &[
            string("name"), int32("num_partitions"), int16("replication_factor"),
            array("assignments", &[int32("partition_index"), array_of("broker_ids", &Kind::Int32)]),
            array("configs", &[string("name"), string("value").nullable()]),
        ]),
        int32("timeout_ms"), boolean("validate_only"),
    ]),
    api(20, "DeleteTopics", 1, 6, 4, &[
        array("topics", &[string("name").nullable(), uuid("topic_id")]).since(6), array_of("topic_names", &Kind::Str).until(5),
        int32("timeout_ms"),
    ]),
    api(21, "DeleteRecords", 0, 2, 2, &[
        array("topics", &[string("name"), array("partitions", &[int32("partition_index"), int64("offset")])]), int32("timeout_ms"),
    ]),
    api(22, "InitProducerId", 0, 5, 2, &[
        string("transactional_id").nullable(), int32("transaction_timeout_ms"), int64("producer_id").since(3),
        int16("producer_epoch").since(3),
    ]),
    api(23, "OffsetForLeaderEpoch", 2, 4, 4, &[
        int32("replica_id").since(3),
        array("topics", &[
            string("topic"), array("partitions", &[int32("partition"), int32("current_leader_epoch"), int32("leader_epoch")]),
        ]),
    ]),
    api(24, "AddPartitionsToTxn", 0, 3, 3, &[
        string("v3_and_below_transactional_id"), int64("v3_and_below_producer_id"), int16("v3_and_below_producer_epoch"),
        array("v3_and_below_topics", &[string("name"), array_of("partitions", &Kind::Int32)]),
    ]),
    api(25, "AddOffsetsToTxn", 0, 4, 3, &[
        string("transactional_id"), int64("producer_id"), int16("producer_epoch"), string("group_id"),
    ]),
    api(26, "EndTxn", 0, 4, 3, &[
        string("transactional_id"), int64("producer_id"), int16("producer_epoch"), boolean("committed"),
    ]),
    api(28, "TxnOffsetCommit", 0, 4, 3, &[
        string("transactional_id"), string("group_id"), int64("producer_id"), int16("producer_epoch"),
        int32("generation_id").since(3), string("member_id").since(3), string("group_instance_id").since(3).nullable(),
        array("topics", &[
            string("name"),
            array("partitions", &[
                int32("partition_index"), int64("committed_offset"), int32("committed_leader_epoch").since(2),
                string("committed_metadata").nullable(),
            ]),
        ]),
    ]),
    api(29, "DescribeAcls", 1, 3, 2, &[
        int8("resource_type_filter"), string("resource_name_filter").nullable(), int8("pattern_type_filter"),
        string("principal_filter").nullable(), string("host_filter").nullable(), int8("operation"), int8("permission_type"),
    ]),
    api(30, "CreateAcls", 1, 3, 2, &[
        array("creations", &[
            int8("resource_type"), string("resource_name"), int8("resource_pattern_type"), string("principal"), string("host"),
            int8("operation"), int8("permission_type"),
        ]),
    ]),
    api(31, "DeleteAcls", 1, 3, 2, &[
        array("filters", &[
            int8("resource_type_filter"), string("resource_name_filter").nullable(), int8("pattern_type_filter"),
            string("principal_filter").nullable(), string("host_filter").nullable(), int8("operation"), int8("permission_type"),
        ]),
    ]),
    api(32, "DescribeConfigs", 1, 4, 4, &[
        array("resources", &[
            int8("resource_type"), string("resource_name"), array_of("configuration_keys", &Kind::Str).nullable(),
        ]),
        boolean("include_synonyms"), boolean("include_documentation").since(3),
    ]),
    api(33, "AlterConfigs", 0, 2, 2, &[
        array("resources", &[
            int8("resource_type"), string("resource_name"), array("configs", &[string("name"), string("value").nullable()]),
        ]),
        boolean("validate_only"),
    ]),
    api(35, "DescribeLogDirs", 1, 4, 2, &[
        array("topics", &[string("topic"), array_of("partitions", &Kind::Int32)]).nullable(),
    ]),
    api(36, "SaslAuthenticate", 0, 2, 2, &[
        bytes("auth_bytes"),
    ]),
    api(37, "CreatePartitions", 0, 3, 2, &[
        array("topics", &[
            string("name"), int32("count"), array("assignments", &[array_of("broker_ids", &Kind::Int32)]).nullable(),
        ]),
        int32("timeout_ms"), boolean("validate_only"),
    ]),
    api(42, "DeleteGroups", 0, 2, 2, &[
        array_of("groups_names", &Kind::Str),
    ]),
    api(43, "ElectLeaders", 0, 2, 2, &[
        int8("election_type").since(1),
        array("topic_partitions", &[string("topic"), array_of("partitions", &Kind::Int32)]).nullable(), int32("timeout_ms"),
    ]),
    api(44, "IncrementalAlterConfigs", 0, 1, 1, &[
        array("resources", &[
            int8("resource_type"), string("resource_name"),
            array("configs", &[string("name"), int8("config_operation"), string("value").nullable()]),
        ]),
        boolean("validate_only"),
    ]),
    api(45, "AlterPartitionReassignments", 0, 1, 0, &[
        int32("timeout_ms"), boolean("allow_replication_factor_change").since(1),
        array("topics", &[
            string("name"), array("partitions", &[int32("partition_index"), array_of("replicas", &Kind::Int32).nullable()]),
        ]),
    ]),
    api(46, "ListPartitionReassignments", 0, 0, 0, &[
        int32("timeout_ms"), array("topics", &[string("name"), array_of("partition_indexes", &Kind::Int32)]).nullable(),
    ]),
    api(47, "OffsetDelete", 0, 0, NEVER, &[
        string("group_id"), array("topics", &[string("name"), array("partitions", &[int32("partition_index")])]),
    ]),
    api(48, "DescribeClientQuotas", 0, 1, 1, &[
        array("components", &[string("entity_type"), int8("match_type"), string("match").nullable()]), boolean("strict"),
    ]),
    api(49, "AlterClientQuotas", 0, 1, 1, &[
        array("entries", &[
            array("entity", &[string("entity_type"), string("entity_name").nullable()]),
            array("ops", &[string("key"), float64("value"), boolean("remove")]),
        ]),
        boolean("validate_only"),
    ]),
    api(50, "DescribeUserScramCredentials", 0, 0, 0, &[
        array("users", &[string("name")]).nullable(),
    ]),
    api(51, "AlterUserScramCredentials", 0, 0, 0, &[
        array("deletions", &[string("name"), int8("mechanism")]),
        array("upsertions", &[
            string("name"), int8("mechanism"), int32("iterations"), bytes("salt"), bytes("salted_password"),
        ]),
    ]),
    api(55, "DescribeQuorum", 0, 2, 0, &[
        array("topics", &[string("topic_name"), array("partitions", &[int32("partition_index")])]),
    ]),
    api(60, "DescribeCluster", 0, 2, 0, &[
        boolean("include_cluster_authorized_operations"), int8("endpoint_type").since(1),
        boolean("include_fenced_brokers").since(2),
    ]),
    api(61, "DescribeProducers", 0, 0, 0, &[
        array("topics", &[string("name"), array_of("partition_indexes", &Kind::Int32)]),
    ]),
    api(65, "DescribeTransactions", 0, 0, 0, &[
        array_of("transactional_ids", &Kind::Str),
    ]),
    api(66, "ListTransactions", 0, 2, 0, &[
        array_of("state_filters", &Kind::Str), array_of("producer_id_filters", &Kind::Int64), int64("duration_filter").since(1),
        string("transactional_id_pattern").since(2).nullable(),
    ]),
    api(68, "ConsumerGroupHeartbeat", 0, 1, 0, &[
        string("group_id"), string("member_id"), int32("member_epoch"), string("instance_id").nullable(),
        string("rack_id").nullable(), int32("rebalance_timeout_ms"), array_of("subscribed_topic_names", &Kind::Str).nullable(),
        string("subscribed_topic_regex").since(1).nullable(), string("server_assignor").nullable(),
        array("topic_partitions", &[uuid("topic_id"), array_of("partitions", &Kind::Int32)]).nullable(),
    ]),
    api(69, "ConsumerGroupDescribe", 0, 1, 0, &[
        array_of("group_ids", &Kind::Str), boolean("include_authorized_operations"),
    ]),
    api(74, "ListConfigResources", 0, 1, 0, &[
        array_of("resource_types", &Kind::Int8).since(1),
    ]),
    api(75, "DescribeTopicPartitions", 0, 0, 0, &[
        array("topics", &[string("name")]), int32("response_partition_limit"),
        object("cursor", &[string("topic_name"), int32("partition_index")]).nullable(),
    ]),
];
