//! Answers as frames.

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::protocol::Encodable;

use super::WireError;
use super::schema::Api;

const API_VERSIONS: i16 = 18;

/// Whether an answer's header ends with a tag section (header v1). ApiVersions never has one: its reader does not know yet
/// what the broker speaks.
pub fn has_flexible_header(api_key: i16, version: i16) -> bool {
    api_key != API_VERSIONS && Api::by_key(api_key).is_some_and(|api| api.is_flexible(version))
}

/// Encodes an answer with everything before it.
///
/// | bytes | field | |
/// |---|---|---|
/// | 0..4 | size | int32, without itself |
/// | 4..8 | correlation_id | int32, the request's |
/// | 8 | tagged fields | 0, flexible versions only |
/// | .. | body | |
pub fn encode<T: Encodable>(api_key: i16, version: i16, correlation_id: i32, response: &T) -> Result<Bytes, WireError> {
    let failed = |reason: String| WireError::Encode { key: api_key, version, reason };
    let body = response.compute_size(version).map_err(|error| failed(error.to_string()))?;
    let header = if has_flexible_header(api_key, version) { 5 } else { 4 };
    let size = body.saturating_add(header);
    let prefix = i32::try_from(size).map_err(|_| failed("larger than a frame can be".into()))?;
    let mut frame = BytesMut::with_capacity(size.saturating_add(4));
    frame.put_i32(prefix);
    put_header(&mut frame, api_key, version, correlation_id);
    response.encode(&mut frame, version).map_err(|error| failed(error.to_string()))?;
    if frame.len() != size.saturating_add(4) {
        return Err(failed(format!("{body} bytes computed, {} written", frame.len())));
    }
    Ok(frame.freeze())
}

/// The response header, without the size before it.
pub fn put_header(frame: &mut BytesMut, api_key: i16, version: i16, correlation_id: i32) {
    frame.put_i32(correlation_id);
    if has_flexible_header(api_key, version) {
        frame.put_u8(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::schema_table::APIS;
    use kafka_protocol::messages::{ApiKey, ApiVersionsResponse, HeartbeatResponse, MetadataResponse};

    #[test]
    fn the_header_follows_key_and_version() {
        for api in APIS {
            for version in api.version_min..=api.version_max {
                let codec = ApiKey::try_from(api.key).unwrap().response_header_version(version);
                assert_eq!(codec == 1, has_flexible_header(api.key, version), "{} v{version}", api.name);
            }
        }
    }

    #[test]
    fn size_and_correlation_id_precede_the_body() {
        let heartbeat = HeartbeatResponse::default().with_error_code(27);
        assert_eq!(&encode(12, 1, 9, &heartbeat).unwrap()[..], b"\0\0\0\x0a\0\0\0\x09\0\0\0\0\0\x1b");
        assert_eq!(&encode(12, 4, 9, &heartbeat).unwrap()[..], b"\0\0\0\x0c\0\0\0\x09\0\0\0\0\0\0\x1b\0");
        let versions = encode(18, 3, 9, &ApiVersionsResponse::default()).unwrap();
        assert_eq!(&versions[..12], b"\0\0\0\x0c\0\0\0\x09\0\0\x01\0", "no tag section in the header");
    }

    #[test]
    fn what_the_codec_refuses_is_an_error() {
        assert!(matches!(encode(3, 99, 1, &MetadataResponse::default()), Err(WireError::Encode { key: 3, version: 99, .. })));
    }
}
