//! Points in time as Kafka counts them. Below floor 2 the present is always an argument.

use super::ids::number;
use serde::{Deserialize, Serialize};
use std::fmt;

number!(
    /// Milliseconds since 1970-01-01T00:00:00Z.
    Timestamp(i64)
);

impl Timestamp {
    /// As Kafka says that there is none.
    pub const NONE: Timestamp = Timestamp(-1);

    pub fn plus_ms(self, ms: i64) -> Timestamp {
        Timestamp(self.0.saturating_add(ms))
    }

    /// Milliseconds from `earlier` to `self`, negative if `earlier` is later.
    pub fn since(self, earlier: Timestamp) -> i64 {
        self.0.saturating_sub(earlier.0)
    }
}
