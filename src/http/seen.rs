//! `/api/seen`: what the broker saw of one's own clients; the instructor sees everybody, and those that nobody knows.

use axum::Json;
use axum::extract::{Extension, State};
use axum::http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::HttpState;
use super::answer::{InQuery, Refused};
use super::caller::{Caller, Peer};
use super::light::Light;
use super::live_page::watched_id;
use super::whose::unseen;
use crate::model::sighting::{Sighting, Trouble};
use crate::workshop::Role;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SeenQuery {
    /// One user alone.
    user: Option<String>,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Seen {
    users: Vec<Sighting>,
    /// What went wrong for those that nobody knows; for the instructor.
    strangers: Vec<Trouble>,
    /// Whether one's own clients get through.
    light: Light,
}

pub(super) async fn seen(
    State(state): State<HttpState>,
    Extension(caller): Extension<Caller>,
    Extension(peer): Extension<Peer>,
    InQuery(query): InQuery<SeenQuery>,
) -> Result<Json<Seen>, Refused> {
    let sightings = state.cluster.sightings().ok_or_else(|| unseen(&state, "what was seen of your clients"))?;
    let asked = query.user.as_deref();
    let from = peer.0.ip().to_canonical();
    let light = watched_id(&caller).map(|id| state.live.light_of(&state, &id, from)).unwrap_or_default();
    if caller.role == Role::Instructor {
        let users = match asked {
            Some(user) => sightings.user(user).into_iter().collect(),
            None => sightings.users(),
        };
        let strangers = if asked.is_none() { sightings.strangers() } else { Vec::new() };
        return Ok(Json(Seen { users, strangers, light }));
    }
    // A team sees both of its users.
    let team = caller.identity.iter().flat_map(|identity| &identity.users).map(|account| account.user.as_str());
    let users: Vec<Sighting> =
        team.filter(|user| asked.is_none_or(|asked| asked == *user)).filter_map(|user| sightings.user(user)).collect();
    if asked.is_some_and(|asked| !caller.identity.iter().flat_map(|i| &i.users).any(|account| account.user == asked)) {
        return Err(Refused::new(StatusCode::FORBIDDEN, "this is somebody else's", "leave ?user= out: it shows what is yours"));
    }
    Ok(Json(Seen { users, strangers: Vec::new(), light }))
}
