//! A digest of a set of rows that does not depend on their order, and that Spark SQL, Python and Rust compute alike.
//!
//! | field | Spark SQL, with `c = crc32(concat(NONCE, '\|', ID))` |
//! |---|---|
//! | `count` | `count(c)` |
//! | `sum` | `sum(c)`, below 2^63 for 2^31 rows |
//! | `xor` | `bit_xor(c)` |
//!
//! `crc32` is zlib's. The nonce makes everybody's another; the three together leave no way for two wrongs to cancel out by chance.

use std::iter::Sum;
use std::ops::{Add, AddAssign};

use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Digest {
    pub count: u64,
    pub sum: u64,
    /// SQL has no value for the exclusive or of no rows.
    #[serde(default, deserialize_with = "or_nothing")]
    pub xor: u32,
}

fn or_nothing<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

impl Digest {
    pub fn put(&mut self, crc: u32) {
        self.put_times(crc, 1);
    }

    /// The same row some times.
    pub fn put_times(&mut self, crc: u32, times: u64) {
        self.count = self.count.wrapping_add(times);
        self.sum = self.sum.wrapping_add(u64::from(crc).wrapping_mul(times));
        if times % 2 == 1 {
            self.xor ^= crc;
        }
    }

    /// Whether rows could be added to it to make the other.
    pub fn may_be_part_of(self, whole: Digest) -> bool {
        match (self.count, whole.count) {
            (0, _) => self == Digest::default(),
            (part, all) if part == all => self == whole,
            (part, all) => part < all && self.sum <= whole.sum,
        }
    }
}

impl Add for Digest {
    type Output = Digest;

    #[allow(clippy::suspicious_arithmetic_impl, reason = "exclusive or is how this part of a digest adds up")]
    fn add(self, other: Digest) -> Digest {
        Digest { count: self.count.wrapping_add(other.count), sum: self.sum.wrapping_add(other.sum), xor: self.xor ^ other.xor }
    }
}

impl AddAssign for Digest {
    fn add_assign(&mut self, other: Digest) {
        *self = *self + other;
    }
}

impl Sum for Digest {
    fn sum<I: Iterator<Item = Digest>>(all: I) -> Digest {
        all.fold(Digest::default(), Digest::add)
    }
}

/// A nonce and the bar behind it, as the beginning of every id.
#[derive(Clone)]
pub struct Salt(crc32fast::Hasher);

impl Salt {
    pub fn new(nonce: &str) -> Salt {
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(nonce.as_bytes());
        hasher.update(b"|");
        Salt(hasher)
    }

    /// The checksum of an id that has one part.
    pub fn one(&self, id: &[u8]) -> u32 {
        let mut hasher = self.0.clone();
        hasher.update(id);
        hasher.finalize()
    }

    /// Of one of several, with bars between.
    pub fn of(&self, parts: &[&[u8]]) -> u32 {
        self.then(parts).0.finalize()
    }

    /// As the beginning of longer ids.
    pub fn then(&self, parts: &[&[u8]]) -> Salt {
        let mut hasher = self.0.clone();
        for (number, part) in parts.iter().enumerate() {
            if number > 0 {
                hasher.update(b"|");
            }
            hasher.update(part);
        }
        Salt(hasher)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `python3 -c "import zlib; print(zlib.crc32('n-7|01M84103|é'.encode()))"`, and Spark's
    /// `SELECT crc32(concat('n-7', '|', '01M84103|é'))`.
    const BY_ZLIB: u32 = 1_298_647_815;

    #[test]
    fn a_checksum_is_that_of_zlib_and_of_spark() {
        let salt = Salt::new("n-7");
        assert_eq!(salt.one("01M84103|é".as_bytes()), BY_ZLIB);
        assert_eq!(salt.of(&[b"01M84103", "é".as_bytes()]), BY_ZLIB);
        assert_eq!(salt.then(&[b"01M84103", b""]).one("é".as_bytes()), BY_ZLIB);
        assert_ne!(Salt::new("n-8").one("01M84103|é".as_bytes()), BY_ZLIB);
    }

    #[test]
    fn a_digest_knows_no_order_and_sees_a_row_twice() {
        let salt = Salt::new("n");
        let (a, b) = (salt.one(b"a"), salt.one(b"b"));
        let (mut one, mut two) = (Digest::default(), Digest::default());
        [a, b].into_iter().for_each(|crc| one.put(crc));
        [b, a].into_iter().for_each(|crc| two.put(crc));
        assert_eq!(one, two);
        two.put(a);
        assert_ne!(one, two);
        let mut twice = Digest::default();
        twice.put_times(a, 2);
        twice.put(b);
        assert_eq!(twice, two);
        assert!(one.may_be_part_of(two) && !two.may_be_part_of(one) && Digest::default().may_be_part_of(one));
        assert!(!Digest { count: 0, sum: 1, xor: 0 }.may_be_part_of(one));
    }

    #[test]
    fn the_digest_of_no_rows_has_no_value_in_sql() {
        let digest: Digest = serde_json::from_str(r#"{"count":0,"sum":0,"xor":null}"#).unwrap();
        assert_eq!(digest, Digest::default());
    }
}
