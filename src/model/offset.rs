//! Positions in a partition.

use super::ids::number;
use serde::{Deserialize, Serialize};
use std::fmt;

number!(
    /// Position of a record in its partition. An end offset is the next one to be written.
    Offset(i64)
);

impl Offset {
    pub const ZERO: Offset = Offset(0);
    /// "No offset", as in a commit that does not exist.
    pub const NONE: Offset = Offset(-1);

    /// The offset `count` records later. Saturates: an offset never wraps.
    pub fn plus(self, count: i64) -> Offset {
        Offset(self.0.saturating_add(count))
    }
}
