//! What a request has to look like before anybody asks what it wants: by a name of ours, not from another site, with a body in JSON.

use axum::extract::{Request, State};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::HttpState;
use super::answer::{BODY_BYTES_MAX, Refused, too_large};
use super::caller::in_cookie;
use crate::config::Advertise;

/// Answers everybody, by whatever name: it says "ok" and no more.
const ANY_HOST: &str = "/healthz";

pub(super) async fn guard(State(state): State<HttpState>, request: Request, next: Next) -> Response {
    let host = host_of(&request);
    let refused = host_is_ours(&state, &request, host.as_ref())
        .and_then(|()| from_our_pages(&request, host.as_ref()))
        .and_then(|()| body_is_json(&request))
        .err();
    match refused {
        Some(refused) => refused.into_response(),
        None => next.run(request).await,
    }
}

fn host_of(request: &Request) -> Option<Authority> {
    let header = || request.headers().get(header::HOST)?.to_str().ok()?.parse().ok();
    request.uri().authority().cloned().or_else(header)
}

/// A page elsewhere can make its own name point to this machine and read what we answer, unless we answer to our names only.
fn host_is_ours(state: &HttpState, request: &Request, host: Option<&Authority>) -> Result<(), Refused> {
    if request.uri().path() == ANY_HOST || host.is_some_and(|host| !host.as_str().contains('@') && is_ours(state, host.host())) {
        return Ok(());
    }
    let name = host.map_or("", Authority::host);
    let (error, fix) = match name {
        "" => ("the request names no host".to_owned(), "send a Host header".to_owned()),
        name => {
            (format!("this broker does not know itself as {name}"), format!("use its IP address, or start it with --http-names {name}"))
        }
    };
    Err(Refused::new(StatusCode::MISDIRECTED_REQUEST, error, fix))
}

fn is_ours(state: &HttpState, host: &str) -> bool {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    if bare.parse::<std::net::IpAddr>().is_ok() || host == "localhost" || host.ends_with(".localhost") {
        return true;
    }
    let advertised = |name: &str| state.cluster.listeners().iter().any(|listener| names(&listener.advertise, name));
    state.host_names.iter().any(|name| fits(name, &host)) || advertised(&host)
}

/// `*.lab.example` stands for any one word in front.
fn fits(name: &str, host: &str) -> bool {
    match name.strip_prefix("*.") {
        None => name == host,
        Some(domain) => host.split_once('.').is_some_and(|(word, rest)| !word.is_empty() && rest == domain),
    }
}

fn names(advertise: &Advertise, name: &str) -> bool {
    matches!(advertise, Advertise::As { host, .. } if host.eq_ignore_ascii_case(name))
}

/// This machine's own name, as others on its network may call it.
pub(super) fn machine_names() -> Vec<String> {
    let name = rustix::system::uname().nodename().to_string_lossy().to_ascii_lowercase();
    if name.is_empty() { Vec::new() } else { vec![format!("{name}.local"), name] }
}

/// A browser says where a request comes from. One that changes something has to come from our own pages, or from no browser at all.
fn from_our_pages(request: &Request, host: Option<&Authority>) -> Result<(), Refused> {
    if matches!(*request.method(), Method::GET | Method::HEAD) {
        return Ok(());
    }
    let headers = request.headers();
    let site = text(headers, "sec-fetch-site");
    let origin = text(headers, "origin");
    let ours = match (site, origin) {
        // Not a browser: it may be whoever it can prove to be, but not by a browser's cookie.
        (None, None) => in_cookie(headers).is_none() || headers.contains_key(header::AUTHORIZATION),
        (site, origin) => {
            site.is_none_or(|site| site == "same-origin") && origin.is_none_or(|origin| host.is_some_and(|host| is_origin(origin, host)))
        }
    };
    if ours {
        return Ok(());
    }
    Err(Refused::new(StatusCode::FORBIDDEN, "the request comes from another site", "open the broker's own page and do it there"))
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).map(|value| value.to_str().unwrap_or(""))
}

fn is_origin(origin: &str, host: &Authority) -> bool {
    let Some((scheme, authority)) = origin.split_once("://") else { return false };
    let usual = match scheme {
        "http" => 80,
        "https" => 443,
        _ => return false,
    };
    let Ok(origin) = authority.parse::<Authority>() else { return false };
    let port = |authority: &Authority| authority.port_u16().unwrap_or(usual);
    origin.host().eq_ignore_ascii_case(host.host()) && port(&origin) == port(host)
}

fn body_is_json(request: &Request) -> Result<(), Refused> {
    let headers = request.headers();
    let length = text(headers, "content-length").and_then(|length| length.parse::<u64>().ok());
    if length.is_some_and(|length| length > BODY_BYTES_MAX as u64) {
        return Err(too_large());
    }
    let has_body = length.is_some_and(|length| length > 0) || headers.contains_key(header::TRANSFER_ENCODING);
    let kind = text(headers, "content-type").map(|kind| kind.split(';').next().unwrap_or(kind).trim());
    if has_body && !kind.is_some_and(|kind| kind.eq_ignore_ascii_case("application/json")) {
        let fix = "send the header content-type: application/json";
        return Err(Refused::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "the body is not declared as JSON", fix));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_scheme_host_and_port() {
        let is = |origin, host: &str| is_origin(origin, &host.parse().unwrap());
        assert!(is("http://192.168.0.5:8080", "192.168.0.5:8080") && is("http://Lab:80", "lab") && is("https://lab", "lab:443"));
        assert!(!is("http://lab:3000", "lab:8080") && !is("null", "lab") && !is("http://evil", "lab") && !is("file://", "lab"));
        assert!(!is("http://lab.evil.example:8080", "lab:8080") && !is("ftp://lab:8080", "lab:8080"));
    }
}
