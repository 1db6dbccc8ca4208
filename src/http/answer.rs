//! Answers that say what happened and what to do next, and bodies as they are asked for.

use std::time::Duration;

use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::model::ErrorCode;
use crate::workshop::Refusal;

/// More is no body of a request to these pages.
pub(super) const BODY_BYTES_MAX: usize = 256 << 10;
const BODY_WITHIN: Duration = Duration::from_secs(10);

/// What every route answers with when it does not do what it was asked.
#[derive(Serialize, JsonSchema)]
pub(super) struct ErrorAnswer {
    /// What happened.
    error: String,
    /// What to do next.
    fix: String,
}

/// `{"error", "fix"}` with a status.
#[derive(Debug)]
pub(super) struct Refused {
    pub status: StatusCode,
    pub error: String,
    pub fix: String,
    pub retry_after: Option<Duration>,
}

impl Refused {
    pub fn new(status: StatusCode, error: impl Into<String>, fix: impl Into<String>) -> Refused {
        Refused { status, error: error.into(), fix: fix.into(), retry_after: None }
    }

    pub fn too_many(error: &str, wait: Duration) -> Refused {
        let seconds = wait.as_secs_f64().ceil().max(1.0);
        let fix = format!("wait {seconds} s and try again");
        Refused { retry_after: Some(Duration::from_secs_f64(seconds)), ..Refused::new(StatusCode::TOO_MANY_REQUESTS, error, fix) }
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let body = axum::Json(ErrorAnswer { error: self.error, fix: self.fix });
        let mut response = (self.status, body).into_response();
        if let Some(wait) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(wait.as_secs().max(1)));
        }
        response
    }
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Refused {
        let (status, fix) = match &refusal {
            Refusal::WrongCode => (StatusCode::FORBIDDEN, "ask the instructor for the code; it looks like otter-4821"),
            Refusal::WrongInvite => {
                (StatusCode::FORBIDDEN, "ask your partner for the invitation as /api/me shows it, or join without one; a team is two")
            }
            Refusal::WrongPassword => (StatusCode::UNAUTHORIZED, "check user and password; the instructor can give a new password"),
            Refusal::NotOneOfUs => (StatusCode::FORBIDDEN, "join with the workshop's code"),
            Refusal::Unknown(_) => (StatusCode::NOT_FOUND, "the class board lists everybody"),
            Refusal::Wrong(_) => (StatusCode::BAD_REQUEST, "change it and try again"),
            Refusal::Full => (StatusCode::SERVICE_UNAVAILABLE, "start a workshop in a new data folder"),
            Refusal::Cluster(error) if error.code == ErrorCode::UnsupportedVersion => {
                (StatusCode::NOT_IMPLEMENTED, "use the cluster's tools")
            }
            Refusal::Cluster(_) => (StatusCode::SERVICE_UNAVAILABLE, "try again; if it stays so, the broker's log says more"),
        };
        Refused::new(status, refusal.to_string(), fix)
    }
}

/// The JSON body of a request. None at all is an empty object.
pub(super) struct Asked<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Asked<T> {
    type Rejection = Refused;

    async fn from_request(request: Request, _: &S) -> Result<Asked<T>, Refused> {
        let reading = axum::body::to_bytes(request.into_body(), BODY_BYTES_MAX);
        let slow = |_| Refused::new(StatusCode::REQUEST_TIMEOUT, "the body of the request did not come", "send all of it at once");
        let bytes = tokio::time::timeout(BODY_WITHIN, reading).await.map_err(slow)?.map_err(|_| too_large())?;
        let text = if bytes.is_empty() { b"{}".as_slice() } else { &bytes };
        let wrong = |error: serde_json::Error| {
            Refused::new(StatusCode::BAD_REQUEST, format!("the body is not as expected: {error}"), "docs/http.md lists what is")
        };
        serde_json::from_slice(text).map(Asked).map_err(wrong)
    }
}

pub(super) fn too_large() -> Refused {
    Refused::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        "the body of the request is too large",
        format!("send less than {} KiB; records go through Kafka", BODY_BYTES_MAX >> 10),
    )
}

/// What stands in the path of a request.
pub(super) struct InPath<T = String>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for InPath<T> {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<InPath<T>, Refused> {
        let wrong = |_| Refused::new(StatusCode::BAD_REQUEST, "the path cannot be read", "docs/http.md lists all paths");
        Path::<T>::from_request_parts(parts, state).await.map(|Path(named)| InPath(named)).map_err(wrong)
    }
}

/// The query of a request.
pub(super) struct InQuery<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for InQuery<T> {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<InQuery<T>, Refused> {
        let wrong = |error: axum::extract::rejection::QueryRejection| {
            let fix = "docs/http.md lists what can stand behind the ? of each path";
            Refused::new(StatusCode::BAD_REQUEST, format!("the query is not as expected: {}", error.body_text()), fix)
        };
        Query::<T>::try_from_uri(&parts.uri).map(|Query(query)| InQuery(query)).map_err(wrong)
    }
}
