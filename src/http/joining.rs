//! `/api/join`, `/api/login`, `/api/logout`, `/api/me`: coming in, being known, going.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Extension, State};
use axum::http::{HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::HttpState;
use super::answer::{Asked, Refused};
use super::caller::{Caller, Peer, Secure, cookie, cookie_gone};
use crate::cluster::INSTRUCTOR;
use crate::workshop::{Identity, Joined, Role, Workshop};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Join {
    code: String,
    invite: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Login {
    user: String,
    password: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Logout {
    #[serde(default)]
    everywhere: bool,
}

type SetCookie = [(HeaderName, String); 1];

fn with_session(token: &str, secure: Secure) -> SetCookie {
    [(header::SET_COOKIE, cookie(token, secure))]
}

pub(super) fn workshop(state: &HttpState) -> Result<&Arc<Workshop>, Refused> {
    let none = || {
        let error = "this broker has one user, and nobody logs in";
        Refused::new(StatusCode::CONFLICT, error, "connect without a password; a class is served by headwater serve --classroom")
    };
    state.workshop.as_ref().ok_or_else(none)
}

pub(super) async fn join(
    State(state): State<HttpState>,
    Extension(caller): Extension<Caller>,
    Extension(peer): Extension<Peer>,
    Extension(secure): Extension<Secure>,
    Asked(asked): Asked<Join>,
) -> Result<Response, Refused> {
    let workshop = workshop(&state)?;
    if let (Some(identity), Some(user)) = (&caller.identity, &caller.user) {
        let token = workshop.token(user).unwrap_or_default();
        let body = identity_json(identity, user, &json!(null), &token);
        return Ok((with_session(&token, secure), Json(body)).into_response());
    }
    let (from, invite) = (peer.network(), asked.invite.as_deref());
    let too_many = |wait| Refused::too_many("too many wrong codes came from this address", wait);
    state.attempts.may_try_code(from).map_err(too_many)?;
    workshop.admits(&asked.code, invite).inspect_err(|_| state.attempts.wrong_code(from))?;
    state.attempts.begin_join(from).map_err(|wait| Refused::too_many("too many have joined from this address", wait))?;
    let Joined { identity, credential, token } = workshop.join(&asked.code, invite).await?;
    tracing::info!(id = identity.id, user = credential.user, peer = %peer.0.ip(), "somebody joined");
    let body = identity_json(&identity, &credential.user, &json!(credential.password), &token);
    Ok((with_session(&token, secure), Json(body)).into_response())
}

fn identity_json(identity: &Identity, user: &str, password: &Value, token: &str) -> Value {
    json!({
        "id": identity.id,
        "user": user,
        "password": password,
        "prefix": identity.prefix(),
        "group_prefix": identity.group_prefix(),
        "invite": identity.invitation(),
        "token": token,
    })
}

pub(super) async fn login(
    State(state): State<HttpState>,
    Extension(peer): Extension<Peer>,
    Extension(secure): Extension<Secure>,
    Asked(asked): Asked<Login>,
) -> Result<Response, Refused> {
    let workshop = workshop(&state)?;
    let from = peer.network();
    let too_many = |wait| Refused::too_many("too many logins were tried", wait);
    if asked.user == INSTRUCTOR {
        tokio::time::sleep(state.attempts.instructor_waits(from)).await;
    } else {
        state.attempts.begin_login(&asked.user, from).map_err(too_many)?;
    }
    let (session, token) = workshop.log_in(&asked.user, &asked.password).await?;
    state.attempts.logged_in(&asked.user, from);
    let body = json!({ "role": session.role.name(), "user": session.user, "id": session.id, "token": token });
    Ok((with_session(&token, secure), Json(body)).into_response())
}

pub(super) async fn logout(
    State(state): State<HttpState>,
    Extension(caller): Extension<Caller>,
    Extension(secure): Extension<Secure>,
    Asked(asked): Asked<Logout>,
) -> Result<Response, Refused> {
    if let (true, Some(user)) = (asked.everywhere, &caller.user) {
        workshop(&state)?.log_out_everywhere(user).await?;
    }
    let gone = [(header::SET_COOKIE, cookie_gone(secure))];
    Ok((gone, Json(json!({ "role": Role::Nobody.name() }))).into_response())
}

pub(super) async fn me(State(state): State<HttpState>, Extension(caller): Extension<Caller>) -> Json<Value> {
    let identity = caller.identity.as_ref();
    let team = |identity: &Identity| identity.users.iter().map(|account| account.user.clone()).collect::<Vec<_>>();
    let code = state.workshop.as_ref().filter(|_| caller.role == Role::Instructor).map(|workshop| workshop.code());
    Json(json!({
        "role": caller.role.name(),
        "id": identity.map(|identity| &identity.id),
        "name": identity.map(|identity| &identity.name),
        "user": caller.user,
        "prefix": identity.map(Identity::prefix),
        "group_prefix": identity.map(Identity::group_prefix),
        "team": identity.map(team).unwrap_or_default(),
        "invite": identity.and_then(Identity::invitation),
        "code": code,
    }))
}

pub(super) async fn password(
    State(state): State<HttpState>,
    Extension(caller): Extension<Caller>,
    Extension(secure): Extension<Secure>,
) -> Result<Response, Refused> {
    let workshop = workshop(&state)?;
    let (Some(identity), Some(user)) = (&caller.identity, &caller.user) else {
        let fix = "change the instructor's with Kafka's own tools: kafka-configs.sh --alter --entity-type users";
        return Err(Refused::new(StatusCode::CONFLICT, "this is for students", fix));
    };
    let credentials = workshop.reissue(&identity.id, Some(user)).await?;
    let password = credentials.into_iter().next().map(|credential| credential.password);
    let token = workshop.token(user).unwrap_or_default();
    Ok((with_session(&token, secure), Json(json!({ "password": password, "user": user, "token": token }))).into_response())
}
