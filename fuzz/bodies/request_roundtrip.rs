//! What was decoded and encoded again is the same request: the second time round no byte changes.
//!
//! The first byte of the input picks a row of the table of requests, the second its version; the rest is the body.

use bytes::Bytes;
use headwater::wire::schema_table::APIS;

use super::codec::codec;

pub fn run(input: &[u8]) {
    let [row, version, body @ ..] = input else { return };
    let api = &APIS[usize::from(*row) % APIS.len()];
    let version = api.version_min + i16::from(*version) % (api.version_max - api.version_min + 1);
    let codec = codec(api.key);
    let Ok(first) = (codec.request)(version, &Bytes::copy_from_slice(body)) else { return };
    // The codec counts an unknown tag above the largest int32 and does not write it. We never write a request.
    let large = |five: &[u8]| matches!(five, [a, b, c, d, e] if [a, b, c, d].into_iter().all(|byte| *byte >= 0x80) && e & 0x88 == 8);
    if body.windows(5).any(large) {
        return;
    }
    let second = (codec.request)(version, &first).expect("what we wrote can be read");
    assert_eq!(first, second, "key {} v{version}", api.key);
}
