//! Between the codec's words and the model's.
//!
//! The codec's strings are views into the request's frame: a name that is kept would keep the whole frame in memory.
//! Everything that comes out of here is a copy.

use kafka_protocol::messages::TopicName as WireTopicName;
use kafka_protocol::protocol::StrBytes;
use uuid::Uuid;

use crate::model::{TopicId, TopicName};

/// A string for a response.
pub fn text(value: &str) -> StrBytes {
    StrBytes::from_string(value.to_owned())
}

/// A nullable string for a response.
pub fn optional_text(value: Option<&str>) -> Option<StrBytes> {
    value.map(text)
}

/// A string of a request, owned.
pub fn owned(value: &StrBytes) -> String {
    value.as_str().to_owned()
}

/// A nullable string of a request, owned.
pub fn optional_owned(value: &Option<StrBytes>) -> Option<String> {
    value.as_ref().map(owned)
}

/// A topic's name of a request, owned.
pub fn topic_name(name: &WireTopicName) -> TopicName {
    TopicName::new(name.as_str())
}

/// A topic's name for a response.
pub fn wire_topic_name(name: &TopicName) -> WireTopicName {
    WireTopicName(text(name.as_str()))
}

pub fn topic_id(id: Uuid) -> TopicId {
    TopicId(id.into_bytes())
}

pub fn wire_topic_id(id: TopicId) -> Uuid {
    Uuid::from_bytes(id.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    #[test]
    fn a_kept_name_does_not_pin_its_frame() {
        let frame = Bytes::from(vec![b'x'; 1000]);
        let name = WireTopicName(StrBytes::from_utf8(frame.slice(10..20)).unwrap());
        let kept = topic_name(&name);
        drop(name);
        assert!(frame.is_unique());
        assert_eq!(kept.as_str(), "xxxxxxxxxx");
        assert_eq!(wire_topic_name(&kept).as_str(), "xxxxxxxxxx");
        assert_eq!(topic_id(wire_topic_id(TopicId([7; 16]))), TopicId([7; 16]));
    }
}
