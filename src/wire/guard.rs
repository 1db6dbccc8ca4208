//! The guard: walks over a request's body by its schema before the codec sees it.
//!
//! The codec takes a length field at its word (`Vec::with_capacity(n)`), so one forged array length aborts the process.
//! The walk checks every length against the bytes that are left, bounds the number of elements, and accepts what Apache
//! Kafka accepts. Where the codec is stricter than Kafka or reads something else, the walk hands it a copy of the body in
//! which those bytes are rewritten, all but text in their own width so that nothing moves:
//!
//! | in the body | Kafka reads | rewritten to |
//! |---|---|---|
//! | nullable string, bytes or array with a length below -1 | null | length -1, compact 0 |
//! | nullable struct whose first byte is neither 1 nor negative | a struct | 1 |
//! | a negative number of tagged fields | none | 0 |
//! | a known tag in a version that has no such field | refuses it; clients do send it | an unknown tag |
//! | a string that is not UTF-8 | U+FFFD for each wrong sequence | the same, with its new length |
//!
//! As in Kafka, bytes after a complete body are dropped, unknown tags may come in any order and twice, and of a tag that
//! comes twice the last one counts.

use std::borrow::Cow;
use std::ops::Range;

use bytes::{BufMut, Bytes};

use super::WireError;
use super::lossy_text::lossy_text;
use super::schema::{Api, Field, Kind};
use super::varint::put_varint;

/// Most array elements and tagged fields in one request. A frame of one-byte elements would otherwise become gigabytes of structs.
pub const ELEMENTS_MAX: usize = 200_000;

/// Kafka's limit for strings, also where the length field could say more.
const STRING_MAX: usize = i16::MAX as usize;

/// How much longer marks for wrong bytes may make a body: one wrong byte becomes three.
const MARKS_BYTES_MAX: usize = 1 << 20;

/// A body that the codec may decode.
#[derive(Clone, Debug)]
pub struct Checked {
    /// The body without what follows it; the same memory as the frame unless something had to be rewritten.
    pub body: Bytes,
    /// Array elements and tagged fields in it.
    pub elements: usize,
}

/// How a length stands in a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LengthKind {
    /// int16, -1 for null: strings.
    Int16,
    /// int32, -1 for null: bytes and arrays.
    Int32,
    /// Unsigned varint of length + 1, 0 for null: strings, bytes and arrays of flexible versions.
    Compact,
    /// Unsigned varint: how many tagged fields follow, or how long one of them is.
    Tagged,
}

/// Where a length stands in a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LengthField {
    pub field: &'static str,
    pub at: usize,
    pub width: usize,
    pub kind: LengthKind,
}

/// Checks a body for the codec.
pub fn check(api_key: i16, version: i16, body: &Bytes) -> Result<Checked, WireError> {
    let mut walker = Walker::start(api_key, version, body)?;
    walker.walk_fields(walker.api.fields)?;
    let length = walker.position();
    let elements = walker.elements;
    let mut body = walker.rewritten.map_or_else(|| body.clone(), Bytes::from);
    body.truncate(length);
    Ok(Checked { body: replace(body, walker.texts), elements })
}

/// A string with its length, and what stands in its place.
struct Text {
    place: Range<usize>,
    encoded: Vec<u8>,
}

fn replace(body: Bytes, texts: Vec<Text>) -> Bytes {
    if texts.is_empty() {
        return body;
    }
    let mut replaced = Vec::with_capacity(body.len());
    let mut kept_from = 0;
    for Text { place, encoded } in texts {
        replaced.extend_from_slice(body.get(kept_from..place.start).unwrap_or_default());
        replaced.extend(encoded);
        kept_from = place.end;
    }
    replaced.extend_from_slice(body.get(kept_from..).unwrap_or_default());
    Bytes::from(replaced)
}

/// Every length field of a body, in wire order.
pub fn length_fields(api_key: i16, version: i16, body: &[u8]) -> Result<Vec<LengthField>, WireError> {
    let mut walker = Walker::start(api_key, version, body)?;
    walker.lengths = Some(Vec::new());
    walker.walk_fields(walker.api.fields)?;
    Ok(walker.lengths.unwrap_or_default())
}

struct Walker<'a> {
    api: &'static Api,
    version: i16,
    flexible: bool,
    body: &'a [u8],
    rest: &'a [u8],
    elements: usize,
    rewritten: Option<Vec<u8>>,
    /// Strings that were not UTF-8, in wire order.
    texts: Vec<Text>,
    marks_bytes: usize,
    lengths: Option<Vec<LengthField>>,
}

impl<'a> Walker<'a> {
    fn start(api_key: i16, version: i16, body: &'a [u8]) -> Result<Walker<'a>, WireError> {
        let api = Api::by_key(api_key).ok_or(WireError::UnknownApi { key: api_key, version, client_id: String::new() })?;
        if !api.has_version(version) {
            return Err(WireError::UnknownVersion { api: api.name, version });
        }
        let flexible = api.is_flexible(version);
        Ok(Walker {
            api,
            version,
            flexible,
            body,
            rest: body,
            elements: 0,
            rewritten: None,
            texts: Vec::new(),
            marks_bytes: 0,
            lengths: None,
        })
    }

    fn walk_fields(&mut self, fields: &'static [Field]) -> Result<(), WireError> {
        for field in fields {
            if field.tag.is_none() && field.is_in(self.version) {
                self.walk_field(field)?;
            }
        }
        if self.flexible { self.walk_tags(fields) } else { Ok(()) }
    }

    fn walk_field(&mut self, field: &'static Field) -> Result<(), WireError> {
        let nullable = field.is_nullable_in(self.version);
        match field.kind {
            Kind::Struct(fields) => {
                if nullable && !self.is_struct_present(field)? {
                    return Ok(());
                }
                self.walk_fields(fields)
            }
            Kind::StructArray(fields) => {
                for _ in 0..self.array_length(field, nullable)? {
                    self.walk_fields(fields)?;
                }
                Ok(())
            }
            Kind::Array(kind) => {
                for _ in 0..self.array_length(field, nullable)? {
                    self.walk_plain(field, *kind, false)?;
                }
                Ok(())
            }
            kind => self.walk_plain(field, kind, nullable),
        }
    }

    /// A value without fields of its own.
    fn walk_plain(&mut self, field: &'static Field, kind: Kind, nullable: bool) -> Result<(), WireError> {
        let width = match kind {
            Kind::Boolean | Kind::Int8 => 1,
            Kind::Int16 => 2,
            Kind::Int32 => 4,
            Kind::Int64 | Kind::Float64 => 8,
            Kind::Uuid => 16,
            Kind::Str => return self.walk_string(field, nullable),
            Kind::Bytes => self.length(field, LengthKind::Int32, nullable)?.unwrap_or(0),
            Kind::Struct(_) | Kind::StructArray(_) | Kind::Array(_) => return Err(self.malformed(field.name, "nested array")),
        };
        self.take(field.name, width).map(|_| ())
    }

    fn walk_string(&mut self, field: &'static Field, nullable: bool) -> Result<(), WireError> {
        let start = self.position();
        let Some(length) = self.length(field, LengthKind::Int16, nullable)? else { return Ok(()) };
        if length > STRING_MAX {
            return Err(self.malformed(field.name, "string longer than 32767 bytes"));
        }
        let bytes = self.take(field.name, length)?;
        match lossy_text(bytes) {
            Cow::Borrowed(_) => Ok(()),
            Cow::Owned(text) => self.replace_text(field, start, &text),
        }
    }

    /// Puts `text` in the place of what stands between `start` and the present position.
    fn replace_text(&mut self, field: &'static Field, start: usize, text: &str) -> Result<(), WireError> {
        let place = start..self.position();
        let Some(length) = i16::try_from(text.len()).ok() else {
            return Err(self.malformed(field.name, "string longer than 32767 bytes"));
        };
        self.marks_bytes = self.marks_bytes.saturating_add(text.len().saturating_sub(place.len()));
        if self.marks_bytes > MARKS_BYTES_MAX {
            return Err(self.malformed(field.name, "too many strings that are not UTF-8"));
        }
        let mut encoded = Vec::with_capacity(text.len().saturating_add(3));
        if self.flexible {
            put_varint(&mut encoded, u32::from(length.cast_unsigned()).saturating_add(1));
        } else {
            encoded.put_i16(length);
        }
        encoded.extend_from_slice(text.as_bytes());
        self.texts.push(Text { place, encoded });
        Ok(())
    }

    /// The tag section that ends every struct of a flexible version: how many; then tag, size and content of each.
    fn walk_tags(&mut self, fields: &'static [Field]) -> Result<(), WireError> {
        const NAME: &str = "tagged fields";
        let at = self.position();
        let count = self.varint(NAME)?;
        self.note(NAME, at, LengthKind::Tagged);
        let Ok(count) = i32::try_from(count) else {
            self.rewrite(at, &[0x80, 0x80, 0x80, 0x80, 0]);
            return Ok(());
        };
        self.count_elements(NAME, usize::try_from(count).unwrap_or(0))?;
        for _ in 0..count {
            let at = self.position();
            let tag = self.varint(NAME)?;
            let size_at = self.position();
            let size = self.varint(NAME)?;
            self.note(NAME, size_at, LengthKind::Tagged);
            match fields.iter().find(|field| field.tag == Some(tag)) {
                Some(field) if field.is_in(self.version) => self.walk_field(field)?,
                known => {
                    if known.is_some() {
                        self.rename_tag(at, size_at);
                    }
                    self.take(NAME, usize::try_from(size).unwrap_or(usize::MAX))?;
                }
            }
        }
        Ok(())
    }

    /// Replaces the tag between two positions by the largest one of that width, which no message defines.
    fn rename_tag(&mut self, from: usize, to: usize) {
        let last = to.saturating_sub(1);
        for at in from..last {
            self.rewrite(at, &[0xff]);
        }
        let width_max = last.saturating_sub(from) >= 4;
        self.rewrite(last, if width_max { &[0x0f] } else { &[0x7f] });
    }

    /// Whether a nullable struct is there: a byte before it, negative for null.
    fn is_struct_present(&mut self, field: &'static Field) -> Result<bool, WireError> {
        let at = self.position();
        match self.take(field.name, 1)? {
            [byte] if *byte < 0x80 => {
                if *byte != 1 {
                    self.rewrite(at, &[1]);
                }
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    /// Number of elements to come, 0 for null. Each takes at least a byte, so no array is longer than what is left.
    fn array_length(&mut self, field: &'static Field, nullable: bool) -> Result<usize, WireError> {
        let length = self.length(field, LengthKind::Int32, nullable)?.unwrap_or(0);
        self.count_elements(field.name, length)?;
        Ok(length)
    }

    fn count_elements(&mut self, field: &'static str, count: usize) -> Result<(), WireError> {
        if count > self.rest.len() {
            return Err(self.malformed(field, "more elements than bytes left"));
        }
        self.elements = self.elements.saturating_add(count);
        if self.elements > ELEMENTS_MAX {
            return Err(self.malformed(field, "too many elements in one request"));
        }
        Ok(())
    }

    /// A length, None for null. `classic` is its form outside flexible versions.
    fn length(&mut self, field: &'static Field, classic: LengthKind, nullable: bool) -> Result<Option<usize>, WireError> {
        let at = self.position();
        let kind = if self.flexible { LengthKind::Compact } else { classic };
        let (length, is_plain_null) = match kind {
            LengthKind::Compact | LengthKind::Tagged => {
                let value = self.varint(field.name)?;
                // Kafka's reader works in int32: what is too large for it is a negative length.
                (value.cast_signed().wrapping_sub(1), value == 0)
            }
            LengthKind::Int16 => {
                let length = i16::from_be_bytes(self.take_array(field.name)?);
                (i32::from(length), length == -1)
            }
            LengthKind::Int32 => {
                let length = i32::from_be_bytes(self.take_array(field.name)?);
                (length, length == -1)
            }
        };
        self.note(field.name, at, kind);
        if let Ok(length) = usize::try_from(length) {
            return Ok(Some(length));
        }
        if !nullable {
            return Err(self.malformed(field.name, "null where a value must be"));
        }
        if !is_plain_null {
            match kind {
                LengthKind::Compact | LengthKind::Tagged => self.rewrite(at, &[0x80, 0x80, 0x80, 0x80, 0]),
                LengthKind::Int16 => self.rewrite(at, &[0xff; 2]),
                LengthKind::Int32 => self.rewrite(at, &[0xff; 4]),
            }
        }
        Ok(None)
    }

    /// An unsigned varint of at most five bytes.
    fn varint(&mut self, field: &'static str) -> Result<u32, WireError> {
        let mut value = 0_u32;
        for shift in [0, 7, 14, 21, 28] {
            let [byte] = self.take_array(field)?;
            value |= u32::from(byte & 0x7f).wrapping_shl(shift);
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(self.malformed(field, "varint longer than five bytes"))
    }

    fn take(&mut self, field: &'static str, count: usize) -> Result<&'a [u8], WireError> {
        let Some((taken, rest)) = self.rest.split_at_checked(count) else {
            return Err(self.malformed(field, "longer than the frame"));
        };
        self.rest = rest;
        Ok(taken)
    }

    fn take_array<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], WireError> {
        let Some((taken, rest)) = self.rest.split_first_chunk::<N>() else {
            return Err(self.malformed(field, "longer than the frame"));
        };
        self.rest = rest;
        Ok(*taken)
    }

    fn position(&self) -> usize {
        self.body.len().saturating_sub(self.rest.len())
    }

    /// Remembers the length field between `at` and the present position, if someone asked for them.
    fn note(&mut self, field: &'static str, at: usize, kind: LengthKind) {
        let width = self.position().saturating_sub(at);
        if let Some(lengths) = &mut self.lengths {
            lengths.push(LengthField { field, at, width, kind });
        }
    }

    fn rewrite(&mut self, at: usize, bytes: &[u8]) {
        let body = self.body;
        let copy = self.rewritten.get_or_insert_with(|| body.to_vec());
        for (place, byte) in copy.iter_mut().skip(at).zip(bytes) {
            *place = *byte;
        }
    }

    fn malformed(&self, field: &'static str, problem: &'static str) -> WireError {
        WireError::Malformed { api: self.api.name, version: self.version, field, at: self.position(), problem }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::request::decode_body;
    use kafka_protocol::messages::{DescribeTopicPartitionsRequest, FetchRequest, JoinGroupRequest, MetadataRequest};

    fn body(parts: &[&[u8]]) -> Bytes {
        Bytes::from(parts.concat())
    }

    /// A full Fetch v12 without topics, up to its tag section.
    const FETCH_V12: &[u8] = b"\xff\xff\xff\xff\0\0\0\x0a\0\0\0\x01\0\0\x03\xe8\0\0\0\0\0\xff\xff\xff\xff\x01\x01\x01";

    #[test]
    fn a_length_beyond_the_frame_is_refused_before_the_codec_sees_it() {
        for forged in [&b"\x7f\xff\xff\xff"[..], b"\x00\x00\x00\x02\x00\x00", b"\x00\x00\x00\x01\x7f\xff"] {
            assert!(matches!(check(3, 1, &body(&[forged])), Err(WireError::Malformed { .. })), "{forged:?}");
        }
        let produce_v9 = b"\x00\xff\xff\x00\x00\x00\x01\xff\xff\xff\xff\x07";
        assert!(matches!(check(0, 9, &body(&[produce_v9])), Err(WireError::Malformed { field: "topic_data", .. })));
    }

    #[test]
    fn lengths_below_minus_one_are_null_where_null_may_be() {
        for null in [&b"\xff\xff\xff\xff"[..], b"\xff\xff\xff\xfe", b"\x80\x00\x00\x00"] {
            assert_eq!(decode_body::<MetadataRequest>(1, &body(&[null])).unwrap().topics, None);
            assert!(decode_body::<MetadataRequest>(0, &body(&[null])).is_err(), "version 0 has no null");
        }
        let flexible = |length: &[u8]| decode_body::<MetadataRequest>(12, &body(&[length, b"\0\0\0"]));
        assert_eq!(flexible(b"\x00").unwrap().topics, None);
        assert_eq!(flexible(b"\xff\xff\xff\xff\x0f").unwrap().topics, None);
        assert!(flexible(b"\x80\x80\x80\x80\x08").is_err(), "2^31 - 1 elements");
        assert!(flexible(b"\xff\xff\xff\xff\x8f\x00").is_err(), "six bytes of varint");
    }

    #[test]
    fn a_nullable_struct_is_there_unless_its_byte_is_negative() {
        for present in [0, 1, 2, 0x7f] {
            let request = body(&[b"\x01\0\0\0\x0a", &[present], b"\x02a\0\0\0\x03\0", b"\0"]);
            let decoded = decode_body::<DescribeTopicPartitionsRequest>(0, &request).unwrap();
            assert_eq!(decoded.cursor.expect("a cursor").partition_index, 3, "{present}");
        }
        for absent in [0x80, 0xff] {
            let request = body(&[b"\x01\0\0\0\x0a", &[absent], b"\0"]);
            assert_eq!(decode_body::<DescribeTopicPartitionsRequest>(0, &request).unwrap().cursor, None);
        }
    }

    #[test]
    fn tags_are_read_as_kafka_reads_them() {
        let fetch = |tags: &[u8]| decode_body::<FetchRequest>(12, &body(&[FETCH_V12, tags]));
        let cluster = |tags: &[u8]| fetch(tags).unwrap().cluster_id.map(|id| id.to_string());
        assert_eq!(cluster(b"\x01\x00\x04\x04abc"), Some("abc".into()));
        assert_eq!(cluster(b"\x01\x00\x7f\x04abc"), Some("abc".into()), "the declared size of a known tag does not matter");
        assert_eq!(cluster(b"\x02\x00\x04\x04abc\x00\x04\x04xyz"), Some("xyz".into()), "of two the last counts");
        assert_eq!(cluster(b"\x03\x50\x02ab\x00\x04\x04abc\x50\x01c"), Some("abc".into()), "unknown ones are skipped");
        assert_eq!(cluster(b"\xff\xff\xff\xff\x0f"), None, "a negative number of tags is none");
        assert_eq!(cluster(b"\x01\x01\x0d\0\0\0\x01\0\0\0\0\0\0\0\x01\0"), None, "a tag of version 15 is skipped in version 12");
        for cut in [&b"\x01\x50\x03ab"[..], b"\x01\x50\xff\xff\xff\xff\x0f", b"\x02\x50\x00", b"\x01\x00\x04\x05abc", b""] {
            assert!(fetch(cut).is_err(), "{cut:?}");
        }
    }

    #[test]
    fn a_tag_of_a_later_version_does_not_move_what_follows_it() {
        let tag_in_five_bytes = b"\x02\x81\x80\x80\x80\x00\x01x\x00\x04\x04abc";
        let decoded = decode_body::<FetchRequest>(12, &body(&[FETCH_V12, tag_in_five_bytes])).unwrap();
        assert_eq!(decoded.cluster_id.map(|id| id.to_string()), Some("abc".into()));
    }

    #[test]
    fn text_that_is_not_utf8_is_read_with_marks() {
        let request = body(&[b"\0\0\0\x01\0\x06a\xff\xe2\x82\xc3b"]);
        let decoded = decode_body::<MetadataRequest>(1, &request).unwrap();
        let name = decoded.topics.unwrap().remove(0).name.unwrap();
        assert_eq!(name.as_str(), "a\u{fffd}\u{fffd}\u{fffd}b");
    }

    #[test]
    fn text_with_marks_grows_and_what_surrounds_it_stays() {
        let two = |first: &[u8], second: &[u8]| {
            let length = |text: &[u8]| [(text.len() + 1) as u8];
            let id = [0; 16];
            body(&[b"\x03", &id, &length(first), first, b"\0", &id, &length(second), second, b"\0", b"\x01\0\0", b"rest"])
        };
        let request = two(&[0xff; 50], b"b\xfe");
        let checked = check(3, 12, &request).unwrap();
        assert_eq!(checked.body.len(), request.len() - 4 + 100 + 1 + 2, "50 bytes became 150, so the length takes two bytes");
        let decoded = decode_body::<MetadataRequest>(12, &request).unwrap();
        let names: Vec<String> = decoded.topics.unwrap().into_iter().map(|t| t.name.unwrap().to_string()).collect();
        assert_eq!(names, ["\u{fffd}".repeat(50), "b\u{fffd}".to_owned()]);
        assert!(decoded.allow_auto_topic_creation);
    }

    #[test]
    fn marks_do_not_multiply_the_memory_of_a_request() {
        let names = |count: u32, length: u16| {
            let name = [&length.to_be_bytes()[..], &vec![0xff; usize::from(length)]].concat();
            body(&[&count.to_be_bytes(), &name.repeat(count as usize)])
        };
        assert!(check(3, 1, &names(50, 10_000)).is_ok());
        assert!(matches!(check(3, 1, &names(60, 10_000)), Err(WireError::Malformed { .. })));
        assert!(matches!(check(3, 1, &names(1, 11_000)), Err(WireError::Malformed { .. })), "its length would not fit");
    }

    #[test]
    fn bytes_after_the_body_are_dropped_and_nothing_is_copied() {
        let request = body(&[b"\0\0\0\x01\0\x01a", b"garbage"]);
        let checked = check(3, 1, &request).unwrap();
        assert_eq!((&checked.body[..], checked.elements), (&b"\0\0\0\x01\0\x01a"[..], 1));
        assert_eq!(checked.body.as_ptr(), request.as_ptr());
    }

    #[test]
    fn the_number_of_elements_is_bounded() {
        let names = |count: u32| body(&[&count.to_be_bytes(), &vec![0; count as usize * 2]]);
        assert!(check(3, 1, &names(200_000)).is_ok());
        assert!(matches!(check(3, 1, &names(200_001)), Err(WireError::Malformed { .. })));
    }

    #[test]
    fn length_fields_are_reported_with_place_and_kind() {
        let group = b"\0\x01g\0\0\0\x01\0\0\0\x01\0\0\0\x01p\0\0\0\x01\0\x01n\0\0\0\x02xy";
        assert!(decode_body::<JoinGroupRequest>(1, &body(&[group])).is_ok());
        let found: Vec<(&str, usize, LengthKind)> =
            length_fields(11, 1, group).unwrap().iter().map(|length| (length.field, length.at, length.kind)).collect();
        let expected = [
            ("group_id", 0, LengthKind::Int16),
            ("member_id", 11, LengthKind::Int16),
            ("protocol_type", 13, LengthKind::Int16),
            ("protocols", 16, LengthKind::Int32),
            ("name", 20, LengthKind::Int16),
            ("metadata", 23, LengthKind::Int32),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn what_the_table_does_not_have_is_refused() {
        assert!(matches!(check(4, 0, &Bytes::new()), Err(WireError::UnknownApi { key: 4, .. })));
        for version in [-1, 2, 13] {
            assert!(matches!(check(0, version, &Bytes::new()), Err(WireError::UnknownVersion { .. })), "{version}");
        }
    }
}
