//! `/api/seen`: what the broker saw of one's own clients; the instructor sees everybody, and those that nobody knows.

use std::collections::HashMap;

use axum::Json;
use axum::extract::{Extension, Query, State};
use axum::http::StatusCode;
use serde_json::{Value, json};

use super::HttpState;
use super::answer::Refused;
use super::caller::Caller;
use crate::model::sighting::Sighting;
use crate::workshop::Role;

pub(super) async fn seen(
    State(state): State<HttpState>,
    Extension(caller): Extension<Caller>,
    Query(query): Query<HashMap<String, String>>,
) -> Result<Json<Value>, Refused> {
    let sightings = state.cluster.sightings().ok_or_else(|| {
        Refused::new(StatusCode::NOT_IMPLEMENTED, "only a broker in this process sees its clients", "look at the cluster's own logs")
    })?;
    let asked = query.get("user").map(String::as_str);
    if caller.role == Role::Instructor {
        let users = match asked {
            Some(user) => sightings.user(user).into_iter().collect(),
            None => sightings.users(),
        };
        let strangers = if asked.is_none() { sightings.strangers() } else { Vec::new() };
        return Ok(Json(json!({ "users": users, "strangers": strangers })));
    }
    // A team sees both of its users.
    let team = caller.identity.iter().flat_map(|identity| &identity.users).map(|account| account.user.as_str());
    let users: Vec<Sighting> =
        team.filter(|user| asked.is_none_or(|asked| asked == *user)).filter_map(|user| sightings.user(user)).collect();
    if asked.is_some_and(|asked| !caller.identity.iter().flat_map(|i| &i.users).any(|account| account.user == asked)) {
        return Err(Refused::new(StatusCode::FORBIDDEN, "this is somebody else's", "leave ?user= out: it shows what is yours"));
    }
    Ok(Json(json!({ "users": users, "strangers": [] })))
}
