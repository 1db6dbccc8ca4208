//! Which partitions a member was given: what the leader of a group of consumers wrote for it. Pages show it; the coordinator does not look.

use crate::model::{PartitionId, TopicName};

/// More is no assignment that a page shows.
const PARTITIONS_MAX: usize = 10_000;

/// Topics and partitions of a `ConsumerProtocolAssignment`, of which every version begins alike; None if it is none.
///
/// | field | size |
/// |---|---|
/// | version | i16 |
/// | number of topics | i32 |
/// | each topic | i16 length, UTF-8, i32 number of partitions, each i32 |
/// | user data | not looked at |
pub fn decode(assignment: &[u8]) -> Option<Vec<(TopicName, Vec<PartitionId>)>> {
    let (version, rest) = assignment.split_first_chunk::<2>()?;
    let (count, mut rest) = rest.split_first_chunk::<4>()?;
    if i16::from_be_bytes(*version) < 0 {
        return None;
    }
    let (mut topics, mut all) = (Vec::new(), 0_usize);
    for _ in 0..u32::try_from(i32::from_be_bytes(*count)).ok()? {
        let (length, tail) = rest.split_first_chunk::<2>()?;
        let (name, tail) = tail.split_at_checked(usize::try_from(i16::from_be_bytes(*length)).ok()?)?;
        let (count, tail) = tail.split_first_chunk::<4>()?;
        let count = usize::try_from(i32::from_be_bytes(*count)).ok()?;
        all = all.saturating_add(count);
        if all > PARTITIONS_MAX {
            return None;
        }
        let (ids, tail) = tail.split_at_checked(count.checked_mul(4)?)?;
        let ids = ids.as_chunks::<4>().0.iter().map(|id| PartitionId(i32::from_be_bytes(*id)));
        topics.push((TopicName::new(std::str::from_utf8(name).ok()?), ids.collect()));
        rest = tail;
    }
    Some(topics)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_are_read_whatever_follows() {
        let bytes = b"\0\x01\0\0\0\x02\0\x01a\0\0\0\x02\0\0\0\0\0\0\0\x07\0\x02bc\0\0\0\0\xff\xff\xff\xff";
        assert_eq!(decode(bytes), Some(vec![("a".into(), vec![PartitionId(0), PartitionId(7)]), ("bc".into(), vec![])]));
        assert_eq!(decode(b"\0\0\0\0\0\0"), Some(vec![]));
    }

    #[test]
    fn other_bytes_are_no_assignment() {
        let whole = b"\0\x01\0\0\0\x01\0\x01a\0\0\0\x02\0\0\0\0\0\0\0\x07";
        for cut in 0..whole.len() {
            assert_eq!(decode(&whole[..cut]), None, "{cut}");
        }
        for bytes in [
            &b"\0\x01\x7f\xff\xff\xff"[..],
            b"\0\x01\xff\xff\xff\xff",
            b"\xff\xff\0\0\0\0",
            b"\0\x01\0\0\0\x01\0\x01a\x7f\xff\xff\xff\0\0\0\0",
            b"\0\x01\0\0\0\x01\0\x01a\xff\xff\xff\xff",
        ] {
            assert_eq!(decode(bytes), None, "{bytes:?}");
        }
    }
}
