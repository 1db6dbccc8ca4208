//! `/api/students`: what the instructor does about who takes part.

use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::HttpState;
use super::answer::{Asked, InPath, Refused};
use super::joining::workshop;
use crate::model::Timestamp;
use crate::workshop::{Credential, Identity, Removed};

#[derive(Serialize, JsonSchema)]
pub(super) struct Student {
    /// The pseudonym.
    id: String,
    /// What is shown.
    name: String,
    /// Kafka users.
    users: Vec<String>,
    /// Topics that begin so are theirs.
    prefix: String,
    /// What a partner joins with, as long as there is room.
    invite: Option<String>,
    joined: Timestamp,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Students {
    /// What lets people in.
    code: String,
    students: Vec<Student>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Rename {
    name: String,
}

fn student(identity: &Identity) -> Student {
    Student {
        id: identity.id.clone(),
        name: identity.name.clone(),
        users: identity.users.iter().map(|account| account.user.clone()).collect(),
        prefix: identity.prefix(),
        invite: identity.invitation(),
        joined: identity.joined,
    }
}

pub(super) async fn list(State(state): State<HttpState>) -> Result<Json<Students>, Refused> {
    let workshop = workshop(&state)?;
    let students: Vec<Student> = workshop.roster().identities().map(student).collect();
    Ok(Json(Students { code: workshop.code(), students }))
}

pub(super) async fn reissue(State(state): State<HttpState>, InPath(id): InPath) -> Result<Json<Vec<Credential>>, Refused> {
    let credentials = workshop(&state)?.reissue(&id, None).await?;
    tracing::info!(id, "new passwords were given out");
    Ok(Json(credentials))
}

pub(super) async fn rename(
    State(state): State<HttpState>,
    InPath(id): InPath,
    Asked(asked): Asked<Rename>,
) -> Result<Json<Student>, Refused> {
    let identity = workshop(&state)?.rename(&id, &asked.name).await?;
    Ok(Json(student(&identity)))
}

pub(super) async fn remove(State(state): State<HttpState>, InPath(id): InPath) -> Result<Json<Removed>, Refused> {
    let removed = workshop(&state)?.remove(&id).await?;
    if let Some(course) = &state.course {
        // Cut short, the next start does it.
        course.erase(Some(&id)).await?;
    }
    tracing::info!(id, topics = removed.erased.topics.len(), groups = removed.erased.groups.len(), "a student was removed");
    Ok(Json(removed))
}
