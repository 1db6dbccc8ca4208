//! A student's own tables, layer by layer: how many rows the receipts said that they have.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::work::{Standing, Work};
use super::{Course, Student};
use crate::model::Timestamp;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LayerName {
    Bronze,
    Silver,
    Gold,
}

/// One table of the student's, as the last receipt described it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "MedallionLayer")]
pub struct Layer {
    pub layer: LayerName,
    /// `null`: nothing has been handed in yet.
    pub rows: Option<u64>,
    /// What went elsewhere: into the quarantine, or purchases without a payment.
    pub rejected: Option<u64>,
    /// The challenge that it belongs to.
    pub from: String,
    /// When it was judged.
    pub at_ms: Option<Timestamp>,
    /// What the figures are, and what the check says of them.
    pub note: String,
}

/// The kinds of truth that are about a table, in the order in which the tables are made from each other.
const KINDS: [(&str, LayerName, &str); 4] = [
    ("bronze", LayerName::Bronze, "the stream as it came, every record once"),
    ("silver", LayerName::Silver, "valid events, flat and typed; the rest is in the quarantine"),
    ("fraud-windows", LayerName::Gold, "a row for each window and country"),
    ("payment-join", LayerName::Gold, "purchases beside their payments; rejected are purchases that nobody paid, as far as they were kept"),
];

impl Course {
    /// In the order of the layers; a challenge that is not there has none.
    pub fn medallion(&self, student: &Student) -> Vec<Layer> {
        let mut layers = Vec::new();
        for (kind, layer, about) in KINDS {
            for challenge in self.challenges.all().iter().filter(|challenge| challenge.sheet.truth.kind == kind) {
                let receipt = self.progress.receipt(&student.id, challenge.id());
                let work = self.progress.work(&student.id, challenge.id());
                let (rows, rejected) = receipt.as_ref().map_or((None, None), |receipt| figures(kind, receipt));
                layers.push(Layer {
                    layer,
                    rows,
                    rejected,
                    from: challenge.id().to_owned(),
                    at_ms: work.last.as_ref().filter(|_| rows.is_some()).map(|last| last.at_ms),
                    note: format!("{about}: {}", standing(&work, rows.is_some())),
                });
            }
        }
        layers
    }
}

fn standing(work: &Work, handed_in: bool) -> &'static str {
    match (work.standing(), handed_in) {
        (Standing::Pass | Standing::Granted, true) => "solved",
        (Standing::Pass | Standing::Granted, false) => "solved, without a receipt",
        (Standing::Partial, _) => "partly right",
        (_, true) => "handed in, not right yet",
        (_, false) => "nothing handed in yet",
    }
}

/// Rows of the table, and what went elsewhere. The receipt may say anything.
fn figures(kind: &str, receipt: &Value) -> (Option<u64>, Option<u64>) {
    let count = |field: &str| receipt.get(field)?.get("count")?.as_u64();
    let length = |field: &str| receipt.get(field)?.as_array().and_then(|list| u64::try_from(list.len()).ok());
    match kind {
        "bronze" => {
            let parts = receipt.get("partitions").and_then(Value::as_object);
            let rows = |parts: &serde_json::Map<String, Value>| {
                parts.values().filter_map(|part| part.get("rows")?.as_u64()).fold(0, u64::saturating_add)
            };
            (parts.map(rows), None)
        }
        "silver" => (count("on_time").map(|rows| rows.saturating_add(count("late").unwrap_or(0))), count("quarantine")),
        "fraud-windows" => (length("windows"), None),
        "payment-join" => (count("on_time").map(|rows| rows.saturating_add(length("late").unwrap_or(0))), length("unmatched")),
        _ => (None, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn rows_come_out_of_the_receipts_and_nonsense_has_none() {
        let of = |kind, receipt| figures(kind, &receipt);
        assert_eq!(of("bronze", json!({ "partitions": { "0": { "rows": 5 }, "1": { "rows": 7 } } })), (Some(12), None));
        let silver = json!({ "on_time": { "count": 10 }, "late": { "count": 2 }, "quarantine": { "count": 3 } });
        assert_eq!(of("silver", silver), (Some(12), Some(3)));
        assert_eq!(of("fraud-windows", json!({ "windows": [[], []] })), (Some(2), None));
        assert_eq!(of("payment-join", json!({ "on_time": { "count": 9 }, "late": [1], "unmatched": [4, 5] })), (Some(10), Some(2)));
        for kind in ["bronze", "silver", "fraud-windows", "payment-join"] {
            for nonsense in [json!({}), json!({ "partitions": [], "on_time": "x", "windows": {} }), json!({ "on_time": { "count": -1 } })] {
                assert_eq!(of(kind, nonsense).0, None, "{kind}");
            }
        }
        let huge = json!({ "partitions": { "0": { "rows": u64::MAX }, "1": { "rows": 7 } } });
        assert_eq!(of("bronze", huge).0, Some(u64::MAX));
    }
}
