//! The present, read in one place. Everything below this floor gets it as an argument.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::model::Timestamp;

pub fn now() -> Timestamp {
    let ms = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis());
    Timestamp(i64::try_from(ms).unwrap_or(i64::MAX))
}
