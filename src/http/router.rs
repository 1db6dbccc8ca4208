//! Every page, one line each, and the headers that all of them carry.

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use axum::routing::{delete, get, put};

use super::{HttpState, assets, generators, health, metrics, overview, page, schemas};

/// Nothing from elsewhere, no frames, no forms; scripts, styles, images and data from here.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const HEADERS: &[(&str, &str)] = &[
    ("content-security-policy", CONTENT_SECURITY_POLICY),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-resource-policy", "same-origin"),
];

pub(super) fn router(state: HttpState) -> Router {
    Router::new()
        .route("/", get(page::page))
        .route("/healthz", get(health::healthz))
        .route("/metrics", get(metrics::metrics))
        .route("/api/overview", get(overview::overview))
        .route("/schemas/{name}", get(schemas::schema))
        .route("/api/generators", get(generators::show))
        .route("/api/generators/rate", put(generators::rate))
        .route("/api/generators/pause", put(generators::pause))
        .route("/api/generators/resume", put(generators::resume))
        .route("/api/incidents", get(generators::kinds).post(generators::begin))
        .route("/api/incidents/{id}", delete(generators::end))
        .route("/assets/{name}", get(assets::asset))
        .with_state(state)
        .layer(from_fn(guard))
}

async fn guard(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}
