//! One frame, decoded as the server does; what the guard lets through must be read whole by the codec.

use bytes::Bytes;
use headwater::wire::guard;
use headwater::wire::request::RequestHeader;

use super::codec::codec;

pub fn run(input: &[u8]) {
    let frame = Bytes::copy_from_slice(input);
    let Ok((header, body)) = RequestHeader::split(&frame) else { return };
    let Ok(checked) = guard::check(header.api_key, header.api_version, &body) else { return };
    let codec = codec(header.api_key);
    assert_eq!((codec.unguarded)(header.api_version, &checked.body), Ok(0));
    guard::length_fields(header.api_key, header.api_version, &checked.body).expect("what was checked is well formed");
}
