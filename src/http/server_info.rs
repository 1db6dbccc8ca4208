//! `/api/server` and `/ca.pem`: what one has to know before joining.

use axum::Json;
use axum::extract::{Extension, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::answer::{Asked, InPath, Refused};
use super::caller::Caller;
use super::whose::{Whose, whose};
use super::{Entrance, HttpState};
use crate::broker::clock;
use crate::config::{Advertise, Protocol};
use crate::model::{ErrorCode, Timestamp};
use crate::workshop::Role;

#[derive(Serialize, JsonSchema)]
pub(super) struct Server {
    version: &'static str,
    time_ms: Timestamp,
    mode: Mode,
    cluster_id: String,
    cluster: Whose,
    listeners: Vec<Listener>,
    /// SHA-256 of the certificate at /ca.pem.
    ca_fingerprint: Option<String>,
    /// Where these pages are encrypted.
    https_port: Option<u16>,
    /// Projects that can be installed from /wheels/; none without `--wheelhouse`.
    wheelhouse: Vec<String>,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Mode {
    /// One person, who does not log in.
    Single,
    Classroom,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Listener {
    name: String,
    protocol: &'static str,
    /// What this client puts into `bootstrap.servers`.
    host: String,
    port: u16,
    mechanisms: Vec<&'static str>,
    /// What clients log in by where the cluster is another; only for those who are logged in to these pages.
    login: Option<Login>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ClusterLogin")]
struct Login {
    /// `null`: each student has one of their own.
    user: Option<String>,
    password: Option<String>,
}

pub(super) async fn server(State(state): State<HttpState>, Extension(caller): Extension<Caller>, headers: HeaderMap) -> Json<Server> {
    let theirs = state.student_login.as_ref().filter(|_| caller.role != Role::Nobody);
    let login = |protocol: Protocol| {
        let login = theirs.filter(|_| protocol.logs_in())?;
        Some(Login { user: login.user.clone(), password: login.password.clone() })
    };
    let listener = |Entrance { listener, address }: Entrance| Listener {
        login: login(listener.protocol),
        name: listener.name,
        protocol: listener.protocol.name(),
        host: address.host,
        port: address.port,
        mechanisms: listener.mechanisms,
    };
    Json(Server {
        version: env!("CARGO_PKG_VERSION"),
        time_ms: clock::now(),
        mode: if state.workshop.is_some() { Mode::Classroom } else { Mode::Single },
        cluster_id: state.cluster.cluster_id(),
        cluster: whose(&state),
        listeners: state.entrances(&headers).into_iter().map(listener).collect(),
        ca_fingerprint: state.authority.as_ref().map(|authority| authority.fingerprint.clone()),
        https_port: state.https_port,
        wheelhouse: state.wheelhouse.as_ref().map(|house| house.projects()).unwrap_or_default(),
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

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewAddress {
    /// `HOST`, `HOST:PORT`, `auto` or `sni`.
    advertise: String,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Advertised {
    /// The listener's.
    name: String,
    advertise: String,
}

/// Changes where the clients of a listener are sent, at once and for later starts.
pub(super) async fn advertise(
    State(state): State<HttpState>,
    InPath(name): InPath,
    Asked(asked): Asked<NewAddress>,
) -> Result<Json<Advertised>, Refused> {
    let parsed = Advertise::parse(&asked.advertise).ok_or_else(|| {
        let fix = "give HOST, HOST:PORT, auto (the address that each client came to) or sni (the name it asked for in TLS)";
        Refused::new(StatusCode::BAD_REQUEST, format!("{:?} is no address to send clients to", asked.advertise), fix)
    })?;
    let advertise = parsed.to_string();
    state.cluster.set_advertised(&name, parsed).await.map_err(|error| match error.code {
        ErrorCode::InvalidRequest => Refused::new(StatusCode::BAD_REQUEST, error.message, "GET /api/server lists the listeners"),
        _ => Refused::new(StatusCode::SERVICE_UNAVAILABLE, error.message, "try again; if it stays so, the broker's log says more"),
    })?;
    Ok(Json(Advertised { name, advertise }))
}
