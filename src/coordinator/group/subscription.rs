//! The topics in a consumer's subscription: all that the coordinator ever reads of what members say to each other.

use crate::model::TopicName;

/// Topics of a `ConsumerProtocolSubscription`, of which every version begins alike; None if it is none.
///
/// | field | size |
/// |---|---|
/// | version | i16 |
/// | number of topics | i32 |
/// | each topic | i16 length, UTF-8 |
/// | user data and what later versions add | not looked at |
pub(super) fn topics(metadata: &[u8]) -> Option<Vec<TopicName>> {
    let (version, rest) = metadata.split_first_chunk::<2>()?;
    let (count, mut rest) = rest.split_first_chunk::<4>()?;
    if i16::from_be_bytes(*version) < 0 {
        return None;
    }
    let mut topics = Vec::new();
    for _ in 0..u32::try_from(i32::from_be_bytes(*count)).ok()? {
        let (length, tail) = rest.split_first_chunk::<2>()?;
        let (name, tail) = tail.split_at_checked(usize::try_from(i16::from_be_bytes(*length)).ok()?)?;
        topics.push(TopicName::new(std::str::from_utf8(name).ok()?));
        rest = tail;
    }
    Some(topics)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_are_read_whatever_follows() {
        assert_eq!(topics(b"\0\x01\0\0\0\x02\0\x01a\0\x02bc\xff\xff"), Some(vec!["a".into(), "bc".into()]));
        assert_eq!(topics(b"\0\0\0\0\0\0"), Some(vec![]));
    }

    #[test]
    fn other_bytes_are_no_subscription() {
        for bytes in
            [&b""[..], b"\0", b"\0\x01\x7f\xff\xff\xff", b"\0\x01\xff\xff\xff\xff", b"\0\x01\0\0\0\x01\xff\xff", b"\xff\xff\0\0\0\0"]
        {
            assert_eq!(topics(bytes), None, "{bytes:?}");
        }
    }
}
