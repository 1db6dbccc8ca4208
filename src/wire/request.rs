//! One request: its header, and the only way to its body.

use bytes::Bytes;
use kafka_protocol::protocol::Request;

use super::lossy_text::lossy_text;
use super::schema::Api;
use super::{WireError, guard};

/// What precedes every request's body.
///
/// | bytes | field | |
/// |---|---|---|
/// | 0..2 | api_key | int16 |
/// | 2..4 | api_version | int16 |
/// | 4..8 | correlation_id | int32, repeated in the answer |
/// | 8.. | client_id | int16 length and bytes, negative for null; also in flexible versions |
/// | | tagged fields | flexible versions only |
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestHeader {
    pub api_key: i16,
    pub api_version: i16,
    pub correlation_id: i32,
    pub client_id: Option<String>,
}

impl RequestHeader {
    /// Takes the header off a frame and leaves the body.
    ///
    /// Versions are not judged here. An ApiVersions request of an unknown version is answered in version 0, whatever follows
    /// its header, but its header must be whole: flexible above the versions that are known, not flexible below 0.
    pub fn split(frame: &Bytes) -> Result<(RequestHeader, Bytes), WireError> {
        let (fixed, mut rest) = frame.split_first_chunk::<8>().ok_or(WireError::Header("shorter than 8 bytes"))?;
        let [k0, k1, v0, v1, c0, c1, c2, c3] = *fixed;
        let (api_key, api_version) = (i16::from_be_bytes([k0, k1]), i16::from_be_bytes([v0, v1]));
        // It stands at the same place whatever the key, so that a request nobody knows still has a sender.
        let client_id = take_client_id(&mut rest)?;
        let Some(api) = Api::by_key(api_key) else {
            return Err(WireError::UnknownApi { key: api_key, version: api_version, client_id: client_id.unwrap_or_default() });
        };
        if api.is_flexible(api_version) {
            skip_tags(&mut rest)?;
        }
        let header = RequestHeader { api_key, api_version, correlation_id: i32::from_be_bytes([c0, c1, c2, c3]), client_id };
        Ok((header, frame.slice_ref(rest)))
    }
}

fn take_client_id(rest: &mut &[u8]) -> Result<Option<String>, WireError> {
    let (length, after) = rest.split_first_chunk::<2>().ok_or(WireError::Header("no client id"))?;
    *rest = after;
    let Ok(length) = usize::try_from(i16::from_be_bytes(*length)) else { return Ok(None) };
    let (text, after) = rest.split_at_checked(length).ok_or(WireError::Header("client id longer than the frame"))?;
    *rest = after;
    Ok(Some(lossy_text(text).into_owned()))
}

fn skip_tags(rest: &mut &[u8]) -> Result<(), WireError> {
    let count = take_varint(rest)?;
    for _ in 0..i32::try_from(count).unwrap_or(0) {
        take_varint(rest)?;
        let size = usize::try_from(take_varint(rest)?).unwrap_or(usize::MAX);
        let (_, after) = rest.split_at_checked(size).ok_or(WireError::Header("tagged field longer than the frame"))?;
        *rest = after;
    }
    Ok(())
}

fn take_varint(rest: &mut &[u8]) -> Result<u32, WireError> {
    let mut value = 0_u32;
    for shift in [0, 7, 14, 21, 28] {
        let (byte, after) = rest.split_first().ok_or(WireError::Header("tag section longer than the frame"))?;
        *rest = after;
        value |= u32::from(byte & 0x7f).wrapping_shl(shift);
        if *byte < 0x80 {
            return Ok(value);
        }
    }
    Err(WireError::Header("varint longer than five bytes"))
}

/// Decodes a request's body: the guard first, then the codec.
pub fn decode_body<T: Request>(version: i16, body: &Bytes) -> Result<T, WireError> {
    let mut checked = guard::check(T::KEY, version, body)?;
    T::decode(&mut checked.body, version).map_err(|error| WireError::Decode {
        api: Api::by_key(T::KEY).map_or("?", |api| api.name),
        version,
        reason: error.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(key: i16, version: i16, rest: &[u8]) -> Bytes {
        let head = [&key.to_be_bytes()[..], &version.to_be_bytes(), &77_i32.to_be_bytes()].concat();
        Bytes::from([&head, rest].concat())
    }

    #[test]
    fn a_header_is_taken_off_in_both_forms() {
        let (header, body) = RequestHeader::split(&frame(3, 1, b"\x00\x02me\x00\x00")).unwrap();
        assert_eq!(header, RequestHeader { api_key: 3, api_version: 1, correlation_id: 77, client_id: Some("me".into()) });
        assert_eq!(&body[..], [0, 0]);
        let (header, body) = RequestHeader::split(&frame(3, 9, b"\xff\xfe\x02\x09\x01x\x09\x00rest")).unwrap();
        assert_eq!(header.client_id, None);
        assert_eq!(&body[..], b"rest");
    }

    #[test]
    fn an_unknown_version_of_api_versions_needs_a_whole_flexible_header() {
        for version in [5, 99, i16::MAX] {
            assert!(RequestHeader::split(&frame(18, version, b"")).is_err());
            assert!(RequestHeader::split(&frame(18, version, b"\x00\x01x")).is_err());
            assert!(RequestHeader::split(&frame(18, version, b"\x00\x01x\x01\x00\x05")).is_err());
            let (header, body) = RequestHeader::split(&frame(18, version, b"\x00\x01x\x00garbage")).unwrap();
            assert_eq!((header.api_version, &body[..]), (version, &b"garbage"[..]));
        }
    }

    #[test]
    fn a_negative_version_of_api_versions_has_no_tags_in_its_header() {
        let (header, body) = RequestHeader::split(&frame(18, -1, b"\x00\x01x")).unwrap();
        assert_eq!((header.api_version, header.client_id.as_deref(), body.len()), (-1, Some("x"), 0));
    }

    #[test]
    fn no_cut_header_is_taken_for_a_whole_one() {
        let whole = frame(1, 12, b"\x00\x03abc\x01\x00\x02xy");
        for end in 0..whole.len() {
            assert!(RequestHeader::split(&whole.slice(..end)).is_err(), "{end} bytes");
        }
        assert!(RequestHeader::split(&whole).unwrap().1.is_empty());
        let unknown = RequestHeader::split(&frame(4, 7, b"\x00\x02me"));
        assert!(matches!(unknown, Err(WireError::UnknownApi { key: 4, version: 7, client_id }) if client_id == "me"));
    }
}
