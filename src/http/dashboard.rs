//! The dashboard: one page under several paths, and its files. All of it is built into the binary, compressed; nothing is read from a
//! disk, so there is no path to escape from. A binary that was built without it serves the plain page instead.

use std::io::Read;

use axum::extract::{Extension, OriginalUri, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use flate2::read::GzDecoder;
use include_dir::{Dir, include_dir};

use super::answer::{InPath, Refused};
use super::caller::{Caller, Secure};
use super::{HttpState, plain};

static BUILT: Dir<'static> = include_dir!("$OUT_DIR/dashboard");

/// The first words of the paths at which the page is. `/metrics` is for Prometheus, so the charts have another name.
const PAGES: [&str; 12] =
    ["", "challenges", "charts", "console", "groups", "help", "instructor", "leaderboard", "report", "requests", "topics", "tutorial"];

pub(super) async fn page(
    state: State<HttpState>,
    caller: Extension<Caller>,
    secure: Extension<Secure>,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
) -> Response {
    let first = uri.path().split('/').nth(1).unwrap_or_default();
    let is_page = PAGES.contains(&first);
    // A person who mistyped gets the page, which says so; a program an answer that it can read.
    let is_person = headers.get(header::ACCEPT).and_then(|kinds| kinds.to_str().ok()).is_some_and(|kinds| kinds.contains("text/html"));
    if !is_page && (!is_person || first == "api") {
        return Refused::new(StatusCode::NOT_FOUND, "there is nothing here", "docs/http.md lists all paths").into_response();
    }
    let mut page = match file("index.html", &headers) {
        Some(page) => page,
        None => plain::page(state, caller, secure, headers).await.into_response(),
    };
    if !is_page {
        *page.status_mut() = StatusCode::NOT_FOUND;
    }
    page
}

pub(super) async fn asset(InPath(name): InPath, headers: HeaderMap) -> Response {
    let missing = || Refused::new(StatusCode::NOT_FOUND, "there is no such file", "reload the page").into_response();
    file(&format!("assets/{name}"), &headers).unwrap_or_else(missing)
}

/// Whether this binary has a dashboard.
pub(super) fn is_built() -> bool {
    BUILT.get_file("index.html.gz").is_some()
}

/// A file that `build.rs` has put beside it.
pub(super) fn built_in(name: &str, headers: &HeaderMap) -> Response {
    let missing = || Refused::new(StatusCode::NOT_FOUND, "this program was built without it", "build it with make").into_response();
    file(name, headers).unwrap_or_else(missing)
}

fn file(name: &str, asked: &HeaderMap) -> Option<Response> {
    let packed = BUILT.get_file(format!("{name}.gz"))?.contents();
    // The checksum of the content, as gzip keeps it near the end.
    let tag = format!("\"{}\"", packed.iter().rev().take(8).map(|byte| format!("{byte:02x}")).collect::<String>());
    // The names of what the build makes carry a digest of their content.
    let cache = if name.starts_with("assets/") && is_digested(name) { "public, max-age=31536000, immutable" } else { "no-cache" };
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(kind(name))),
        (header::CACHE_CONTROL, HeaderValue::from_static(cache)),
        (header::ETAG, HeaderValue::from_str(&tag).ok()?),
        (header::VARY, HeaderValue::from_static("accept-encoding")),
    ];
    if asked.get(header::IF_NONE_MATCH).is_some_and(|had| had.as_bytes() == tag.as_bytes()) {
        return Some((StatusCode::NOT_MODIFIED, headers).into_response());
    }
    let takes_gzip = asked.get(header::ACCEPT_ENCODING).and_then(|value| value.to_str().ok()).is_some_and(|value| value.contains("gzip"));
    if takes_gzip {
        return Some((headers, [(header::CONTENT_ENCODING, "gzip")], packed).into_response());
    }
    let mut content = Vec::new();
    GzDecoder::new(packed).read_to_end(&mut content).ok()?;
    Some((headers, content).into_response())
}

fn is_digested(name: &str) -> bool {
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    stem.rsplit_once('-').is_some_and(|(_, digest)| digest.len() == 8)
}

fn kind(name: &str) -> &'static str {
    match name.rsplit_once('.').map_or("", |(_, ending)| ending) {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        "json" => "application/json",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_with_a_digest_are_kept_for_a_year() {
        assert!(is_digested("assets/index-Dd0YLPIo.css") && !is_digested("assets/theme.js") && !is_digested("assets/icon.svg"));
    }

    #[test]
    fn what_is_built_in_comes_packed_or_plain() {
        if !is_built() {
            assert!(file("index.html", &HeaderMap::new()).is_none());
            return;
        }
        let plain = file("index.html", &HeaderMap::new()).unwrap();
        assert!(!plain.headers().contains_key(header::CONTENT_ENCODING));
        let mut asked = HeaderMap::from_iter([(header::ACCEPT_ENCODING, HeaderValue::from_static("gzip, br"))]);
        let packed = file("index.html", &asked).unwrap();
        assert_eq!(packed.headers()[header::CONTENT_ENCODING], "gzip");
        asked.insert(header::IF_NONE_MATCH, packed.headers()[header::ETAG].clone());
        assert_eq!(file("index.html", &asked).unwrap().status(), StatusCode::NOT_MODIFIED);
        assert!(file("assets/none.js", &asked).is_none());
    }
}
