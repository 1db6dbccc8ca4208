//! `/api/room`: what the instructor tells everybody, and whether the room is frozen.

use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};

use super::HttpState;
use super::answer::{Asked, Refused};
use super::course::course;
use crate::workshop::Room;
use crate::workshop::course::{RoomWish, TimerWish};

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RoomChange {
    /// What everybody reads; `null` takes it away.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "Option<String>")]
    announcement: Option<Option<String>>,
    /// No check counts, and the leaderboard stays as it is.
    frozen: Option<bool>,
    /// `null` takes it away.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "Option<TimerWish>")]
    timer: Option<Option<TimerWish>>,
    /// Minutes for which the timer that there is goes on longer; from now on if its time is up. 0.1 to 600.
    longer: Option<f64>,
}

/// Tells what is null from what is not there.
fn given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

pub(super) async fn show(State(state): State<HttpState>) -> Result<Json<Room>, Refused> {
    Ok(Json(course(&state)?.room()))
}

pub(super) async fn change(State(state): State<HttpState>, Asked(asked): Asked<RoomChange>) -> Result<Json<Room>, Refused> {
    let RoomChange { announcement, frozen, timer, longer } = asked;
    Ok(Json(course(&state)?.set_room(RoomWish { announcement, frozen, timer, longer }).await?))
}
