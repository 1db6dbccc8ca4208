//! The page's own files, built into the binary. Nothing is read from a disk, so there is no path to escape from.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::answer::{InPath, Refused};

const ASSETS: &[(&str, &str, &str)] = &[
    ("page.css", "text/css; charset=utf-8", include_str!("assets/page.css")),
    ("page.js", "text/javascript; charset=utf-8", include_str!("assets/page.js")),
    ("challenges.js", "text/javascript; charset=utf-8", include_str!("assets/challenges.js")),
    ("icon.svg", "image/svg+xml", include_str!("assets/icon.svg")),
];

pub(super) async fn asset(InPath(name): InPath) -> Response {
    match ASSETS.iter().find(|(known, _, _)| *known == name) {
        Some((_, kind, text)) => ([(header::CONTENT_TYPE, *kind), (header::CACHE_CONTROL, "no-cache")], *text).into_response(),
        None => Refused::new(StatusCode::NOT_FOUND, "there is no such file", "reload the page").into_response(),
    }
}
