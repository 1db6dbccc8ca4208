//! `/wheels/`: the packages of `--wheelhouse` as pip looks for them (the simple repository API of PEP 503), for a class that shares one
//! link to the Internet, or has none.

use std::fmt::Write;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Extension, OriginalUri, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::HttpState;
use super::answer::{InPath, Refused};
use super::caller::Peer;
use super::door::Occupied;
use super::download::{Pieces, hand_over};
use super::wheelhouse::{Shelf, Wheelhouse, normalised};

/// Read at a time; a download holds two or three of these.
const PIECE: u64 = 128 << 10;
/// Whoever takes none of these bytes for so long gets no more.
const TAKEN_WITHIN: Duration = Duration::from_secs(30);
/// A whole file may take a minute, and as long as it takes at so many bytes a second: forty laptops share one Wi-Fi.
const WITHIN: Duration = Duration::from_secs(60);
const BYTES_A_SECOND_MIN: u64 = 32 << 10;

fn house(state: &HttpState) -> Result<&Arc<Wheelhouse>, Refused> {
    let none = || {
        let fix = "start it with --wheelhouse FOLDER, a folder that pip download -d has filled; docs/setup.md says how";
        Refused::new(StatusCode::NOT_FOUND, "this broker has no wheelhouse", fix)
    };
    state.wheelhouse.as_ref().ok_or_else(none)
}

fn no_project() -> Refused {
    let fix = "/wheels/ lists the projects; the instructor adds more with pip download -d into the folder of --wheelhouse";
    Refused::new(StatusCode::NOT_FOUND, "the wheelhouse does not have this project", fix)
}

/// Names in it are letters, digits and `._+!-` (`wheelhouse.rs`): nothing to escape.
fn listing(title: &str, links: &str) -> Html<String> {
    Html(format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>{title}</title>\n\
         </head>\n<body>\n<h1>{title}</h1>\n{links}</body>\n</html>\n"
    ))
}

/// Links on a page are relative to its address, which ends with a slash.
pub(super) async fn with_slash(State(state): State<HttpState>, OriginalUri(uri): OriginalUri) -> Result<Redirect, Refused> {
    house(&state)?;
    Ok(Redirect::permanent(&format!("{}/", uri.path())))
}

pub(super) async fn projects(State(state): State<HttpState>) -> Result<Html<String>, Refused> {
    let shelf = house(&state)?.shelf().await?;
    let link = |project: &str| format!("<a href=\"{project}/\">{project}</a><br>\n");
    Ok(listing("Packages of this class", &shelf.projects().into_iter().map(link).collect::<String>()))
}

pub(super) async fn project(State(state): State<HttpState>, InPath(asked): InPath) -> Result<Response, Refused> {
    let shelf = house(&state)?.shelf().await?;
    let name = normalised(&asked);
    if !shelf.projects().contains(name.as_str()) {
        return Err(no_project());
    }
    if name != asked {
        return Ok(Redirect::permanent(&format!("../{name}/")).into_response());
    }
    Ok(listing(&name, &links(&shelf, &name)).into_response())
}

fn links(shelf: &Shelf, project: &str) -> String {
    let mut links = String::new();
    for (name, wheel) in shelf.packages().filter(|(_, wheel)| wheel.project == project) {
        let metadata = shelf.metadata(name).map_or_else(String::new, |metadata| {
            // The second is what older versions of pip look for (PEP 714).
            format!(" data-core-metadata=\"sha256={0}\" data-dist-info-metadata=\"sha256={0}\"", metadata.sha256)
        });
        let _ = writeln!(links, "<a href=\"{name}#sha256={}\"{metadata}>{name}</a><br>", wheel.sha256);
    }
    links
}

pub(super) async fn file(
    State(state): State<HttpState>,
    Extension(peer): Extension<Peer>,
    occupied: Option<Extension<Occupied>>,
    InPath((project, name)): InPath<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, Refused> {
    let house = Arc::clone(house(&state)?);
    let shelf = house.shelf().await?;
    let wheel = shelf.file(&name).filter(|wheel| wheel.project == normalised(&project)).ok_or_else(|| {
        let fix = "/wheels/ lists what there is";
        Refused::new(StatusCode::NOT_FOUND, "the wheelhouse does not have this file", fix)
    })?;
    let tag = format!("\"{}\"", wheel.sha256);
    let cached: [(HeaderName, String); 2] = [(header::ETAG, tag.clone()), (header::CACHE_CONTROL, "no-cache".to_owned())];
    if headers.get(header::IF_NONE_MATCH).is_some_and(|had| had.as_bytes() == tag.as_bytes()) {
        return Ok((StatusCode::NOT_MODIFIED, cached).into_response());
    }
    let place = house.place(peer.network())?;
    let file = house.file(&name, wheel).await?;
    let bytes = wheel.bytes();
    let (send, pieces) = mpsc::channel(1);
    let is_whole = Arc::new(AtomicBool::new(false));
    let body = Body::new(Pieces { pieces, is_whole: Arc::clone(&is_whole) });
    tokio::spawn(async move {
        let _held = (place, occupied.map(|Extension(occupied)| occupied.hold()));
        let live = Arc::clone(&state.live);
        let sent = tokio::select! {
            sent = send_file(&house, file, bytes, &send) => sent,
            () = live.ended() => Err("the broker stops".to_owned()),
        };
        match sent {
            Ok(()) => is_whole.store(true, Ordering::Release),
            Err(error) => tracing::debug!(error, "a package ended early"),
        }
        drop(send);
    });
    let headers = [(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream")), (header::CONTENT_LENGTH, bytes.into())];
    Ok((headers, cached, body).into_response())
}

async fn send_file(house: &Wheelhouse, file: File, bytes: u64, to: &mpsc::Sender<Bytes>) -> Result<(), String> {
    let until = Instant::now() + WITHIN + Duration::from_secs(bytes / BYTES_A_SECOND_MIN);
    let file = Arc::new(file);
    let mut at = 0;
    while at < bytes {
        let (from, count) = (at, PIECE.min(bytes.saturating_sub(at)));
        let read = {
            let _turn = house.reads.acquire().await.map_err(|error| error.to_string())?;
            let file = Arc::clone(&file);
            tokio::task::spawn_blocking(move || {
                let mut piece = vec![0; usize::try_from(count).unwrap_or_default()];
                file.read_exact_at(&mut piece, from).map(|()| piece)
            })
            .await
        };
        let piece = read.map_err(|error| error.to_string())?.map_err(|error| format!("the file cannot be read: {error}"))?;
        at = at.saturating_add(count);
        hand_over(to, Bytes::from(piece), TAKEN_WITHIN, until).await?;
    }
    Ok(())
}

#[cfg(test)]
#[path = "wheels_tests.rs"]
mod tests;
