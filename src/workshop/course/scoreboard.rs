//! The leaderboard: off until the instructor switches it on, and frozen when the instructor says so.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::Timestamp;

/// The value of the record with the key `board`, as JSON.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "KeptLeaderboard")]
pub struct Board {
    pub on: bool,
    /// What is shown from then on, whatever happens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frozen: Option<Frozen>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "FrozenLeaderboard")]
pub struct Frozen {
    pub at_ms: Timestamp,
    /// It goes on with the room.
    #[serde(default)]
    pub with_room: bool,
    pub rows: Vec<Row>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "LeaderboardRow")]
pub struct Row {
    /// Those with as many points share one; the next has as many before it as there are better ones.
    pub rank: usize,
    pub student: String,
    pub name: String,
    pub points: u32,
    /// Challenges that count as solved.
    pub solved: usize,
}

/// Points and solved challenges by student, with what is shown of each. Time decides nothing: of two with as many points neither is better
/// for having been faster. Among them the order is that of the names.
pub(super) fn ranked(points: BTreeMap<String, (String, u32, usize)>) -> Vec<Row> {
    let row = |(student, (name, points, solved))| Row { rank: 0, student, name, points, solved };
    let mut rows: Vec<Row> = points.into_iter().map(row).collect();
    rows.sort_by(|a, b| b.points.cmp(&a.points).then_with(|| a.name.cmp(&b.name)));
    let (mut rank, mut last) = (0, None);
    for (place, row) in (1..).zip(rows.iter_mut()) {
        if last != Some(row.points) {
            (rank, last) = (place, Some(row.points));
        }
        row.rank = rank;
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_with_as_many_points_share_a_rank() {
        let points = [("a", 100), ("b", 250), ("c", 100), ("d", 0)];
        let rows = ranked(points.iter().map(|(who, points)| ((*who).to_owned(), ((*who).to_owned(), *points, 1))).collect());
        let told: Vec<(usize, &str)> = rows.iter().map(|row| (row.rank, row.student.as_str())).collect();
        assert_eq!(told, [(1, "b"), (2, "a"), (2, "c"), (4, "d")]);
    }
}
