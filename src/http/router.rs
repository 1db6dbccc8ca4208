//! From the table of routes to a router, what every request passes on its way, and the headers that every answer carries.

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::Response;

use super::answer::Refused;
use super::caller::{Secure, authorize, know};
use super::guards::guard;
use super::routes::ROUTES;
use super::{HttpState, routes};

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
    let with_role = |router: Router<HttpState>, route: &routes::Route| {
        router.route(route.path, (route.endpoint)().route_layer(from_fn_with_state(route.who, authorize)))
    };
    ROUTES
        .iter()
        .fold(Router::new(), with_role)
        .fallback(nothing_here)
        .method_not_allowed_fallback(not_in_this_way)
        .layer(from_fn_with_state(state.clone(), know))
        .layer(from_fn_with_state(state.clone(), guard))
        .layer(from_fn(add_headers))
        .with_state(state)
}

async fn nothing_here() -> Refused {
    Refused::new(StatusCode::NOT_FOUND, "there is nothing here", "docs/http.md lists all paths")
}

async fn not_in_this_way() -> Refused {
    Refused::new(StatusCode::METHOD_NOT_ALLOWED, "this path is not asked in this way", "docs/http.md lists the methods of each path")
}

async fn add_headers(request: Request, next: Next) -> Response {
    let secure = request.extensions().get::<Secure>().is_some_and(|secure| secure.0);
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    // Browsers ignore it without encryption, and complain.
    if secure {
        headers.insert(HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin"));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}
