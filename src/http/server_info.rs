//! `/api/server` and `/ca.pem`: what one has to know before joining.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::answer::Refused;
use super::{Entrance, HttpState};
use crate::broker::clock;
use crate::model::Timestamp;

#[derive(Serialize)]
struct Server {
    version: &'static str,
    time_ms: Timestamp,
    mode: &'static str,
    cluster_id: String,
    listeners: Vec<Listener>,
    ca_fingerprint: Option<String>,
    https_port: Option<u16>,
}

#[derive(Serialize)]
struct Listener {
    name: String,
    protocol: &'static str,
    /// What this client puts into `bootstrap.servers`.
    host: String,
    port: u16,
    mechanisms: Vec<&'static str>,
}

pub(super) async fn server(State(state): State<HttpState>, headers: HeaderMap) -> impl IntoResponse {
    let listener = |Entrance { listener, address }: Entrance| Listener {
        name: listener.name,
        protocol: listener.protocol.name(),
        host: address.host,
        port: address.port,
        mechanisms: listener.mechanisms,
    };
    Json(Server {
        version: env!("CARGO_PKG_VERSION"),
        time_ms: clock::now(),
        mode: if state.workshop.is_some() { "classroom" } else { "single" },
        cluster_id: state.cluster.cluster_id(),
        listeners: state.entrances(&headers).into_iter().map(listener).collect(),
        ca_fingerprint: state.authority.as_ref().map(|authority| authority.fingerprint.clone()),
        https_port: state.https_port,
    })
}

pub(super) async fn ca_pem(State(state): State<HttpState>) -> Result<Response, Refused> {
    let none = || {
        let fix = "use your system's certificates, or a listener without TLS; GET /api/server lists them";
        Refused::new(StatusCode::NOT_FOUND, "this broker has no certificate authority of its own", fix)
    };
    let authority = state.authority.as_ref().ok_or_else(none)?;
    let named = "attachment; filename=\"headwater-ca.pem\"";
    let headers = [(header::CONTENT_TYPE, "application/x-pem-file"), (header::CONTENT_DISPOSITION, named)];
    Ok((headers, authority.pem.clone()).into_response())
}
