//! ApiVersions (18), versions 0-4 (client software: KIP-511 in v3, features: KIP-584, features with minimum 0: v4).
//!
//! A version that is not served is answered in version 0 with UNSUPPORTED_VERSION and the range of this key alone, so that a newer
//! client can fall back (KIP-35). Of the features only `metadata.version` is finalized: `transaction.version` and the others name
//! things that are not served.

use kafka_protocol::messages::ApiVersionsRequest;
use kafka_protocol::messages::api_versions_response::{ApiVersion, ApiVersionsResponse, FinalizedFeatureKey, SupportedFeatureKey};
use kafka_protocol::protocol::StrBytes;

use super::{APIS, Access, Api, Context, HangUp, Reply};
use crate::model::ErrorCode;
use crate::wire::response;

pub struct ApiVersions;

const METADATA_VERSION: &str = "metadata.version";
/// Apache Kafka 4.3's levels.
const METADATA_VERSION_MIN: i16 = 7;
const METADATA_VERSION_MAX: i16 = 30;

impl Api for ApiVersions {
    const KEY: i16 = 18;
    const NAME: &'static str = "ApiVersions";
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=4;
    const ACCESS: Access = Access::BeforeLogin;
    type Request = ApiVersionsRequest;

    async fn handle(ctx: &Context, version: i16, request: ApiVersionsRequest) -> Result<Reply, HangUp> {
        let mut answer = ApiVersionsResponse::default();
        if version >= 3 {
            let (name, software_version) = (request.client_software_name.as_str(), request.client_software_version.as_str());
            if !is_software_name(name) || !is_software_name(software_version) {
                answer.error_code = ErrorCode::InvalidRequest.code();
                answer.finalized_features_epoch = -1;
                return ctx.reply(&answer);
            }
            ctx.peer.set_software(name, software_version);
            ctx.note_client();
            let mut supported = SupportedFeatureKey::default();
            supported.name = StrBytes::from_static_str(METADATA_VERSION);
            supported.min_version = METADATA_VERSION_MIN;
            supported.max_version = METADATA_VERSION_MAX;
            answer.supported_features = vec![supported];
            let mut finalized = FinalizedFeatureKey::default();
            finalized.name = StrBytes::from_static_str(METADATA_VERSION);
            finalized.min_version_level = METADATA_VERSION_MAX;
            finalized.max_version_level = METADATA_VERSION_MAX;
            answer.finalized_features = vec![finalized];
            answer.finalized_features_epoch = 0;
        }
        answer.api_keys = APIS.iter().map(|row| listed(row.key, row.min, row.max)).collect();
        ctx.reply(&answer)
    }
}

/// The answer to a version of this key that is not served.
pub fn unsupported(ctx: &Context) -> Result<Reply, HangUp> {
    let mut answer = ApiVersionsResponse::default();
    answer.error_code = ErrorCode::UnsupportedVersion.code();
    answer.api_keys = vec![listed(ApiVersions::KEY, *ApiVersions::VERSIONS.start(), *ApiVersions::VERSIONS.end())];
    Ok(Reply::Frame(response::encode(ApiVersions::KEY, 0, ctx.header.correlation_id, &answer)?))
}

fn listed(key: i16, min: i16, max: i16) -> ApiVersion {
    let mut listed = ApiVersion::default();
    listed.api_key = key;
    listed.min_version = min;
    listed.max_version = max;
    listed
}

/// KIP-511: `[a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?`
fn is_software_name(name: &str) -> bool {
    let inner = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.');
    let edge = |b: Option<u8>| b.is_some_and(|b| b.is_ascii_alphanumeric());
    edge(name.bytes().next()) && edge(name.bytes().last()) && name.bytes().all(inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn software_names_follow_kip_511() {
        for good in ["x", "a.b-c.d", "librdkafka", "2.16.1"] {
            assert!(is_software_name(good), "{good}");
        }
        for bad in ["", "-", "a b", "a_b", "-a", "a-", "1+2", "ä"] {
            assert!(!is_software_name(bad), "{bad}");
        }
    }
}
