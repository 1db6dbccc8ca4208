//! Floor 3: one file per API key. A handler decodes nothing by itself, owns no state and borrows the part of the broker it names.
//!
//! Invariants: only what stands in `apis!` is advertised, and all of it is served; a request outside its row closes the
//! connection; a handler answers with an error code or hangs up, it never panics on what a client sent.
//! Start with `dispatch`.
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing))]

mod access;
mod alter_client_quotas;
mod alter_configs;
mod alter_user_scram_credentials;
mod api_versions;
mod context;
mod create_acls;
mod create_partitions;
mod create_topics;
mod delete_acls;
mod delete_groups;
mod delete_records;
mod delete_topics;
mod describe_acls;
mod describe_client_quotas;
mod describe_cluster;
mod describe_configs;
mod describe_groups;
mod describe_log_dirs;
mod describe_topic_partitions;
mod describe_user_scram_credentials;
mod fetch;
mod fetch_read;
mod find_coordinator;
mod heartbeat;
mod incremental_alter_configs;
mod init_producer_id;
mod join_group;
mod leave_group;
mod list_groups;
mod list_offsets;
mod login;
mod metadata;
mod offset_commit;
mod offset_delete;
mod offset_fetch;
mod offset_for_leader_epoch;
mod partition_map;
mod produce;
mod sasl_authenticate;
mod sasl_handshake;
mod sync_group;
mod thread_time;
mod throttle;
mod told;

pub use access::Access;
pub use context::{Context, Peer, Reply};
pub use login::bare_token;

use std::future::Future;
use std::ops::RangeInclusive;

use bytes::Bytes;
use kafka_protocol::protocol::Request;

use crate::wire::{WireError, request};

/// One API key: what it decodes, which versions it serves, what it does.
pub trait Api {
    const KEY: i16;
    const NAME: &'static str;
    /// The advertised versions.
    const VERSIONS: RangeInclusive<i16>;
    /// Who may ask. A required line: an API without one does not compile.
    const ACCESS: Access;
    /// The lowest version that is served; below it the connection closes although the version is listed.
    const SERVED_FROM: i16 = *Self::VERSIONS.start();
    type Request: Request + Send;

    fn handle(ctx: &Context, version: i16, request: Self::Request) -> impl Future<Output = Result<Reply, HangUp>> + Send;
}

/// Why a connection is closed instead of answered.
#[derive(Debug, thiserror::Error)]
pub enum HangUp {
    #[error(transparent)]
    Wire(#[from] WireError),
    #[error("API key {key} version {version} is not served")]
    Unsupported { key: i16, version: i16 },
    #[error("a request before the login")]
    NotLoggedIn,
    #[error("a login failed")]
    LoginFailed,
    /// Whoever is removed while connected.
    #[error("the user is there no more")]
    UserGone,
    /// An error that a produce request with acks=0 has no other way to report (KIP-98's rule, Kafka closes too).
    #[error("a produce request with acks=0 failed: {0}")]
    UnacknowledgedProduce(String),
}

/// A row of the table of what is served.
#[derive(Clone, Copy, Debug)]
pub struct ApiRow {
    pub key: i16,
    pub name: &'static str,
    pub min: i16,
    pub max: i16,
    pub served_from: i16,
    pub access: Access,
}

async fn serve<A: Api>(ctx: &Context, body: Bytes) -> Result<Reply, HangUp> {
    let version = ctx.header.api_version;
    if version < A::SERVED_FROM || version > *A::VERSIONS.end() {
        return Err(HangUp::Unsupported { key: A::KEY, version });
    }
    let request = request::decode_body::<A::Request>(version, &body)?;
    A::handle(ctx, version, request).await
}

macro_rules! apis {
    ($($handler:ty),* $(,)?) => {
        /// Everything that is advertised, in the order of the keys.
        pub const APIS: &[ApiRow] = &[$(ApiRow {
            key: <$handler>::KEY,
            name: <$handler>::NAME,
            min: *<$handler>::VERSIONS.start(),
            max: *<$handler>::VERSIONS.end(),
            served_from: <$handler>::SERVED_FROM,
            access: <$handler>::ACCESS,
        }),*];

        /// Routes one request to its handler.
        pub async fn dispatch(ctx: &Context, body: Bytes) -> Result<Reply, HangUp> {
            if ctx.principal.is_none() && !BEFORE_LOGIN.contains(&ctx.header.api_key) {
                return Err(HangUp::NotLoggedIn);
            }
            if ctx.user_is_gone() {
                return Err(HangUp::UserGone);
            }
            match ctx.header.api_key {
                // The one key whose unknown versions are answered.
                18 if !api_versions::ApiVersions::VERSIONS.contains(&ctx.header.api_version) => api_versions::unsupported(ctx),
                // Boxed one by one: the future of a connection stays small whatever the largest handler needs.
                $(key if key == <$handler>::KEY => Box::pin(serve::<$handler>(ctx, body)).await,)*
                key => Err(HangUp::Unsupported { key, version: ctx.header.api_version }),
            }
        }
    };
}

/// What a connection may ask before anybody knows who it is.
const BEFORE_LOGIN: [i16; 3] =
    [sasl_handshake::SaslHandshake::KEY, api_versions::ApiVersions::KEY, sasl_authenticate::SaslAuthenticate::KEY];

/// What clients ask any broker that they know. All else they ask the one that an answer to these has named.
const ASKED_ANYWHERE: [i16; 8] = [
    metadata::Metadata::KEY,
    find_coordinator::FindCoordinator::KEY,
    sasl_handshake::SaslHandshake::KEY,
    api_versions::ApiVersions::KEY,
    init_producer_id::InitProducerId::KEY,
    sasl_authenticate::SaslAuthenticate::KEY,
    describe_cluster::DescribeCluster::KEY,
    describe_topic_partitions::DescribeTopicPartitions::KEY,
];

/// Whether a client asks this only where it means to work.
pub fn is_asked_at_work(key: i16) -> bool {
    !ASKED_ANYWHERE.contains(&key)
}

/// The key of the request that may tell late which software a client is.
pub const API_VERSIONS: i16 = api_versions::ApiVersions::KEY;

/// The key of the request that waits by its nature.
pub const FETCH: i16 = fetch::Fetch::KEY;

apis! {
    produce::Produce,
    fetch::Fetch,
    list_offsets::ListOffsets,
    metadata::Metadata,
    offset_commit::OffsetCommit,
    offset_fetch::OffsetFetch,
    find_coordinator::FindCoordinator,
    join_group::JoinGroup,
    heartbeat::Heartbeat,
    leave_group::LeaveGroup,
    sync_group::SyncGroup,
    describe_groups::DescribeGroups,
    list_groups::ListGroups,
    sasl_handshake::SaslHandshake,
    api_versions::ApiVersions,
    create_topics::CreateTopics,
    delete_topics::DeleteTopics,
    delete_records::DeleteRecords,
    init_producer_id::InitProducerId,
    offset_for_leader_epoch::OffsetForLeaderEpoch,
    describe_acls::DescribeAcls,
    create_acls::CreateAcls,
    delete_acls::DeleteAcls,
    describe_configs::DescribeConfigs,
    alter_configs::AlterConfigs,
    describe_log_dirs::DescribeLogDirs,
    sasl_authenticate::SaslAuthenticate,
    create_partitions::CreatePartitions,
    delete_groups::DeleteGroups,
    incremental_alter_configs::IncrementalAlterConfigs,
    offset_delete::OffsetDelete,
    describe_client_quotas::DescribeClientQuotas,
    alter_client_quotas::AlterClientQuotas,
    describe_user_scram_credentials::DescribeUserScramCredentials,
    alter_user_scram_credentials::AlterUserScramCredentials,
    describe_cluster::DescribeCluster,
    describe_topic_partitions::DescribeTopicPartitions,
}
