//! Records as JSON: what people wrote is hostile and leaves as text, however it is made.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::IgnoredAny;

use crate::cluster::StoredRecord;

/// Bytes shown of a key, value or header in a list, and of one record that is looked at.
pub(super) const IN_LIST: usize = 2 << 10;
pub(super) const WHOLE: usize = 1 << 20;
/// Headers of one record that are shown.
const HEADERS_MAX: usize = 100;
const HEADER_BYTES_MAX: usize = 32 << 10;
const HEADER_NAME_CHARS_MAX: usize = 200;
/// What an answer has of them beside their bytes.
const AROUND_RECORD: usize = 200;
const AROUND_HEADER: usize = 64;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum ContentKind {
    /// An object or an array.
    Json,
    Text,
    Binary,
}

/// Bytes of a record as they can be shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(super) struct Content {
    pub kind: ContentKind,
    /// The text, or base64 of what is no UTF-8.
    pub text: String,
    /// Of all of it.
    pub bytes: usize,
    /// `text` is only the beginning.
    pub cut: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(super) struct RecordHeader {
    pub name: String,
    pub value: Option<Content>,
}

/// One record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(super) struct StreamRecord {
    pub partition: i32,
    pub offset: i64,
    /// When it was made, or when the broker took it: as the topic is set.
    pub timestamp_ms: i64,
    /// `null`: it has no key.
    pub key: Option<Content>,
    /// `null`: a tombstone.
    pub value: Option<Content>,
    /// In their order; names may repeat. Not more than a hundred.
    pub headers: Vec<RecordHeader>,
    /// How many more there are.
    pub headers_left_out: usize,
    /// Of key, value and headers.
    pub size_bytes: usize,
}

impl Content {
    pub fn of(bytes: &[u8], bytes_max: usize) -> Content {
        let cut = bytes.len() > bytes_max;
        let (kind, text) = match std::str::from_utf8(bytes) {
            Ok(text) => {
                let end = text.floor_char_boundary(bytes_max);
                let kind = if is_json(bytes) { ContentKind::Json } else { ContentKind::Text };
                (kind, text.get(..end).unwrap_or_default().to_owned())
            }
            Err(_) => (ContentKind::Binary, STANDARD.encode(bytes.get(..bytes_max).unwrap_or(bytes))),
        };
        Content { kind, text, bytes: bytes.len(), cut }
    }
}

/// Whether it is an object or an array in JSON, and nothing else.
pub(super) fn is_json(bytes: &[u8]) -> bool {
    let first = bytes.iter().find(|byte| !byte.is_ascii_whitespace());
    matches!(first, Some(b'{' | b'[')) && serde_json::from_slice::<IgnoredAny>(bytes).is_ok()
}

impl StreamRecord {
    pub fn of(stored: &StoredRecord, bytes_max: usize) -> StreamRecord {
        let content = |bytes: &Option<Bytes>| bytes.as_deref().map(|bytes| Content::of(bytes, bytes_max));
        let mut room = HEADER_BYTES_MAX.max(bytes_max);
        let mut headers = Vec::new();
        for (name, value) in stored.headers.iter().take(HEADERS_MAX) {
            let value = value.as_deref().map(|bytes| Content::of(bytes, bytes_max.min(room)));
            let name: String = name.chars().take(HEADER_NAME_CHARS_MAX).collect();
            room = room.saturating_sub(name.len()).saturating_sub(value.as_ref().map_or(0, |value| value.text.len()));
            headers.push(RecordHeader { name, value });
        }
        StreamRecord {
            partition: stored.partition.0,
            offset: stored.offset.0,
            timestamp_ms: stored.timestamp.0,
            key: content(&stored.key),
            value: content(&stored.value),
            headers_left_out: stored.headers.len().saturating_sub(headers.len()),
            headers,
            size_bytes: stored.size(),
        }
    }

    /// About how much it takes in an answer.
    pub fn weight(&self) -> usize {
        let text = |content: &Option<Content>| content.as_ref().map_or(0, |content| content.text.len());
        let headers = self.headers.iter().map(|header| header.name.len().saturating_add(text(&header.value)).saturating_add(AROUND_HEADER));
        headers.fold(text(&self.key).saturating_add(text(&self.value)).saturating_add(AROUND_RECORD), usize::saturating_add)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_told_as_what_they_are_and_cut_between_letters() {
        let kind = |bytes: &[u8]| Content::of(bytes, 100).kind;
        assert_eq!([kind(b"{\"a\":1}"), kind(b" [1]\n"), kind(b"{\"a\":}")], [ContentKind::Json, ContentKind::Json, ContentKind::Text]);
        assert_eq!([kind(b"42"), kind(b""), kind(b"\xff{}")], [ContentKind::Text, ContentKind::Text, ContentKind::Binary]);
        let cut = Content::of("ääää".as_bytes(), 3);
        assert_eq!((cut.text.as_str(), cut.bytes, cut.cut), ("ä", 8, true));
        let binary = Content::of(&[0xff; 9], 3);
        assert_eq!((binary.text.as_str(), binary.bytes, binary.cut), ("////", 9, true));
        assert_eq!(kind(&[b'['; 5000]), ContentKind::Text, "too deep to be parsed");
    }
}
