//! Ids that follow from the seed: an event's sortable id, and the short ids of sessions, orders, payments and posts.

use super::random::mix;

/// Crockford's base 32: no I, L, O, U; sorts like the number it stands for.
const DIGITS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// An event's id, laid out like a ULID: 26 characters that sort by event time.
///
/// | bits | content |
/// |---|---|
/// | 48 | event time, milliseconds since 1970 |
/// | 80 | hash of seed, stream and the event's serial number |
pub fn event_id(seed: u64, stream: u64, serial: u64, happened_ms: i64) -> [u8; 26] {
    let low = mix(mix(mix(seed, 0x1d), stream), serial);
    let high = mix(low, 0x1d) & 0xffff;
    let time = happened_ms.max(0) as u128 & 0xffff_ffff_ffff;
    let mut rest = (time << 80) | (u128::from(high) << 64) | u128::from(low);
    let mut id = [0; 26];
    for digit in id.iter_mut().rev() {
        *digit = DIGITS[(rest & 31) as usize];
        rest >>= 5;
    }
    id
}

/// A prefix, a dash and twelve characters for the upper 60 bits of a hash.
pub fn short_id(prefix: &str, hash: u64) -> String {
    let mut id = String::with_capacity(prefix.len() + 13);
    id.push_str(prefix);
    id.push('-');
    for place in 1..=12 {
        let digit = DIGITS[((hash >> (64 - 5 * place)) & 31) as usize];
        id.push(char::from(digit.to_ascii_lowercase()));
    }
    id
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn event_ids_sort_by_event_time() {
        let early = event_id(1, 2, 99, 1_700_000_000_000);
        let late = event_id(1, 2, 3, 1_700_000_000_001);
        assert!(early < late);
        assert_ne!(event_id(1, 2, 3, 5), event_id(1, 3, 3, 5));
        assert_ne!(event_id(1, 2, 3, 5), event_id(2, 2, 3, 5));
    }

    #[test]
    fn short_ids_have_a_prefix_and_twelve_characters() {
        assert_eq!(short_id("o", 0), "o-000000000000");
        assert_eq!(short_id("post", u64::MAX), "post-zzzzzzzzzzzz");
    }
}
