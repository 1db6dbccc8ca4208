//! `/healthz`: 200 and "ok", or 503 and the reason.

use axum::extract::State;
use axum::http::StatusCode;

use super::HttpState;
use crate::cluster::Kind;

pub(super) async fn healthz(State(state): State<HttpState>) -> (StatusCode, String) {
    match state.cluster.health() {
        Ok(()) => (StatusCode::OK, "ok\n".to_owned()),
        Err(reason) if state.cluster.kind() != Kind::Embedded => (StatusCode::SERVICE_UNAVAILABLE, format!("{reason}\n")),
        // The reason names folders and topics: in a class the instructor's page shows it.
        Err(_) if state.workshop.is_some() => (StatusCode::SERVICE_UNAVAILABLE, "the broker has a problem\n".to_owned()),
        Err(reason) => (StatusCode::SERVICE_UNAVAILABLE, format!("{reason}\n")),
    }
}
