//! Hostile variants of a well-formed request: each length field overstated and understated, and every truncation.
//!
//! For the decoder and for a live broker alike: a variant is a frame without its size field.

use bytes::Bytes;
use headwater::wire::guard::{self, LengthKind};
use headwater::wire::request::RequestHeader;

pub struct Variant {
    pub name: String,
    pub frame: Bytes,
    /// The frame claims more than it holds, so it can only be refused.
    pub impossible: bool,
}

/// A length field of a frame.
struct Place {
    field: &'static str,
    at: usize,
    width: usize,
    kind: LengthKind,
}

/// How many variants change a length; the rest are truncations.
#[allow(dead_code, reason = "each test uses its part")]
pub fn length_fields(frame: &Bytes) -> usize {
    places(frame).len()
}

pub fn variants(frame: &Bytes) -> Vec<Variant> {
    let mut found = Vec::new();
    for place in places(frame) {
        let left = frame.len() - place.at - place.width;
        for (what, length) in
            [("-1", -1), ("0", 0), ("left + 1", left as i64 + 1), ("2^31 - 1", i64::from(i32::MAX)), ("2^32 - 2", 0xffff_fffe)]
        {
            let Some(field) = encoded(place.kind, length) else { continue };
            let frame = [&frame[..place.at], &field[..], &frame[place.at + place.width..]].concat();
            let impossible = length > left as i64 && length <= i64::from(i32::MAX) && place.kind != LengthKind::Tagged;
            found.push(Variant { name: format!("{} at {} = {what}", place.field, place.at), frame: frame.into(), impossible });
        }
    }
    for end in 0..frame.len() {
        found.push(Variant { name: format!("cut after {end} bytes"), frame: frame.slice(..end), impossible: false });
    }
    found
}

/// A length as its field holds it, if it can.
fn encoded(kind: LengthKind, length: i64) -> Option<Vec<u8>> {
    match kind {
        LengthKind::Int16 => Some(i16::try_from(length.min(i64::from(i16::MAX))).ok()?.to_be_bytes().to_vec()),
        LengthKind::Int32 => Some(i32::try_from(length).ok()?.to_be_bytes().to_vec()),
        LengthKind::Compact => Some(varint(u32::try_from(length + 1).ok()?)),
        LengthKind::Tagged => Some(varint(u32::try_from(length).unwrap_or(u32::MAX))),
    }
}

fn varint(mut value: u32) -> Vec<u8> {
    let mut out = Vec::new();
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
    out
}

/// Every length field of a frame: the header's and the body's.
fn places(frame: &Bytes) -> Vec<Place> {
    let (header, body) = RequestHeader::split(frame).expect("a well-formed request");
    let start = frame.len() - body.len();
    let client_id = header.client_id.map_or(0, |id| id.len());
    let mut found = vec![Place { field: "client_id", at: 8, width: 2, kind: LengthKind::Int16 }];
    if start > 10 + client_id {
        found.push(Place { field: "header tags", at: 10 + client_id, width: 1, kind: LengthKind::Tagged });
    }
    let lengths = guard::length_fields(header.api_key, header.api_version, &body).expect("a well-formed body");
    found.extend(lengths.into_iter().map(|length| Place {
        field: length.field,
        at: start + length.at,
        width: length.width,
        kind: length.kind,
    }));
    found
}
