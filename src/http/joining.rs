//! `/api/join`, `/api/login`, `/api/logout`, `/api/me`: coming in, being known, going.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Extension, State};
use axum::http::{HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::HttpState;
use super::answer::{Asked, Refused};
use super::caller::{Caller, Peer, Secure, cookie, cookie_gone};
use crate::cluster::INSTRUCTOR;
use crate::workshop::{Identity, Joined, Refusal, Role, Workshop};

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Join {
    /// The workshop's.
    code: String,
    /// A partner's, to share their identity.
    invite: Option<String>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Login {
    user: String,
    password: String,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Logout {
    /// True: all sessions of the user.
    #[serde(default)]
    everywhere: bool,
}

/// An identity, and the session that has begun.
#[derive(Serialize, JsonSchema)]
pub(super) struct Arrived {
    /// The pseudonym.
    id: String,
    /// For Kafka clients.
    user: String,
    /// Told this once; null for who came with a session.
    password: Option<String>,
    /// Topics that begin so are theirs.
    prefix: String,
    /// Groups that begin so are theirs.
    group_prefix: String,
    /// What a partner joins with, as long as there is room.
    invite: Option<String>,
    token: String,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct LoggedIn {
    role: Role,
    user: String,
    /// The pseudonym of a student.
    id: Option<String>,
    token: String,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct LoggedOut {
    role: Role,
}

/// Who is asking. Null is what an instructor, a single user or nobody does not have.
#[derive(Serialize, JsonSchema)]
pub(super) struct Me {
    role: Role,
    id: Option<String>,
    name: Option<String>,
    user: Option<String>,
    prefix: Option<String>,
    group_prefix: Option<String>,
    /// The users of the identity.
    team: Vec<String>,
    invite: Option<String>,
    /// What lets people in, for the instructor.
    code: Option<String>,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct NewPassword {
    password: Option<String>,
    user: String,
    token: String,
}

/// Longer is nobody's name, and is not remembered as one that was tried.
const USER_BYTES_MAX: usize = 200;

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
        let body = arrived(identity, user, None, &token);
        return Ok((with_session(&token, secure), Json(body)).into_response());
    }
    let (from, invite) = (peer.network(), asked.invite.as_deref());
    let too_many = |wait| Refused::too_many("too many wrong codes came from this address", wait);
    state.attempts.may_try_code(from).map_err(too_many)?;
    workshop.admits(&asked.code, invite).inspect_err(|_| state.attempts.wrong_code(from))?;
    state.attempts.begin_join(from).map_err(|wait| Refused::too_many("too many have joined from this address", wait))?;
    let Joined { identity, credential, token } = workshop.join(&asked.code, invite).await?;
    tracing::info!(id = identity.id, user = credential.user, peer = %peer.0.ip(), "somebody joined");
    let body = arrived(&identity, &credential.user, Some(credential.password), &token);
    Ok((with_session(&token, secure), Json(body)).into_response())
}

fn arrived(identity: &Identity, user: &str, password: Option<String>, token: &str) -> Arrived {
    Arrived {
        id: identity.id.clone(),
        user: user.to_owned(),
        password,
        prefix: identity.prefix(),
        group_prefix: identity.group_prefix().to_owned(),
        invite: identity.invitation(),
        token: token.to_owned(),
    }
}

pub(super) async fn login(
    State(state): State<HttpState>,
    Extension(peer): Extension<Peer>,
    Extension(secure): Extension<Secure>,
    Asked(asked): Asked<Login>,
) -> Result<Response, Refused> {
    let workshop = workshop(&state)?;
    if asked.user.len() > USER_BYTES_MAX {
        return Err(Refusal::WrongPassword.into());
    }
    let from = peer.network();
    let too_many = |wait| Refused::too_many("too many logins were tried", wait);
    if asked.user == INSTRUCTOR {
        tokio::time::sleep(state.attempts.instructor_waits(from)).await;
    } else {
        state.attempts.begin_login(&asked.user, from).map_err(too_many)?;
    }
    let (session, token) = workshop.log_in(&asked.user, &asked.password).await?;
    state.attempts.logged_in(&asked.user, from);
    let cookie = with_session(&token, secure);
    Ok((cookie, Json(LoggedIn { role: session.role, user: session.user, id: session.id, token })).into_response())
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
    Ok((gone, Json(LoggedOut { role: Role::Nobody })).into_response())
}

pub(super) async fn me(State(state): State<HttpState>, Extension(caller): Extension<Caller>) -> Json<Me> {
    let identity = caller.identity.as_ref();
    let team = |identity: &Identity| identity.users.iter().map(|account| account.user.clone()).collect::<Vec<_>>();
    let code = state.workshop.as_ref().filter(|_| caller.role == Role::Instructor).map(|workshop| workshop.code());
    Json(Me {
        role: caller.role,
        id: identity.map(|identity| identity.id.clone()),
        name: identity.map(|identity| identity.name.clone()),
        prefix: identity.map(Identity::prefix),
        group_prefix: identity.map(|identity| identity.group_prefix().to_owned()),
        team: identity.map(team).unwrap_or_default(),
        invite: identity.and_then(Identity::invitation),
        code,
        user: caller.user,
    })
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
    Ok((with_session(&token, secure), Json(NewPassword { password, user: user.clone(), token })).into_response())
}
