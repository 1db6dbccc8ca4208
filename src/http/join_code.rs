//! `/api/join-code`: the address that brings somebody to the page with the code filled in, as text and as a QR code.

use std::fmt::Write;

use axum::Json;
use axum::extract::{Extension, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use qrcode::{Color, EcLevel, QrCode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::HttpState;
use super::answer::{InQuery, Refused};
use super::caller::Secure;
use super::joining::workshop;

/// Light modules around the code; fewer are not read reliably.
const MARGIN: usize = 4;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct JoinCodeQuery {
    format: Option<String>,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct JoinCode {
    /// Opens the page with the code filled in. The code stands behind the `#`: no server on the way sees it.
    url: String,
    /// What one types.
    code: String,
    /// The page's address as it was asked for: what to type where nothing can be scanned.
    address: String,
}

pub(super) async fn join_code(
    State(state): State<HttpState>,
    Extension(Secure(secure)): Extension<Secure>,
    InQuery(wanted): InQuery<JoinCodeQuery>,
    headers: HeaderMap,
) -> Result<Response, Refused> {
    let code = workshop(&state)?.code();
    let host = headers.get(header::HOST).and_then(|value| value.to_str().ok()).unwrap_or("localhost");
    let address = format!("{}://{host}/", if secure { "https" } else { "http" });
    let url = format!("{address}#code={}", in_url(&code));
    match wanted.format.as_deref() {
        None | Some("json") => Ok(Json(JoinCode { url, code, address }).into_response()),
        Some("svg") => {
            let too_long =
                |_| Refused::new(StatusCode::CONFLICT, "the address does not fit into a QR code", "show the code and the address");
            let picture = svg(&QrCode::with_error_correction_level(url.as_bytes(), EcLevel::M).map_err(too_long)?);
            Ok(([(header::CONTENT_TYPE, "image/svg+xml"), (header::CACHE_CONTROL, "no-store")], picture).into_response())
        }
        Some(_) => Err(Refused::new(StatusCode::NOT_FOUND, "there is no such format", "ask for ?format=svg or ?format=json")),
    }
}

fn in_url(text: &str) -> String {
    let mut told = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            told.push(char::from(byte));
        } else {
            let _ = write!(told, "%{byte:02X}");
        }
    }
    told
}

/// Black on white, one path: a square for each run of dark modules in a row.
fn svg(code: &QrCode) -> String {
    let width = code.width();
    let side = width + 2 * MARGIN;
    let mut path = String::new();
    for (y, row) in code.to_colors().chunks(width.max(1)).enumerate() {
        let mut x = 0;
        for run in row.chunk_by(|a, b| a == b) {
            if run.first() == Some(&Color::Dark) {
                let _ = write!(path, "M{} {}h{}v1h-{}z", x + MARGIN, y + MARGIN, run.len(), run.len());
            }
            x += run.len();
        }
    }
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {side} {side}\" shape-rendering=\"crispEdges\" role=\"img\" \
         aria-label=\"QR code of the join address\"><rect width=\"{side}\" height=\"{side}\" fill=\"#fff\"/><path d=\"{path}\" \
         fill=\"#000\"/></svg>\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_picture_has_every_dark_module_once_and_a_margin() {
        let code = QrCode::with_error_correction_level(b"http://192.0.2.7:8080/#code=otter-4821", EcLevel::M).unwrap();
        let picture = svg(&code);
        let path = picture.split("d=\"").nth(1).unwrap().split('"').next().unwrap();
        let mut dark = 0;
        for run in path.split('M').skip(1) {
            let (place, rest) = run.split_once('h').unwrap();
            let (x, y) = place.split_once(' ').unwrap();
            let (x, y): (usize, usize) = (x.parse().unwrap(), y.parse().unwrap());
            let length: usize = rest.split('v').next().unwrap().parse().unwrap();
            assert!(x >= MARGIN && y >= MARGIN && x + length <= code.width() + MARGIN);
            assert!((x..x + length).all(|x| code[(x - MARGIN, y - MARGIN)] == Color::Dark));
            dark += length;
        }
        assert_eq!(dark, code.to_colors().iter().filter(|color| **color == Color::Dark).count());
        assert!(!picture.contains("script") && picture.starts_with("<svg"));
    }

    #[test]
    fn a_code_of_the_instructors_own_is_written_as_an_address_needs_it() {
        assert_eq!(in_url("otter-4821"), "otter-4821");
        assert_eq!(in_url("a b&ü"), "a%20b%26%C3%BC");
    }
}
