//! Who a request comes from, and whether that is enough.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::HttpState;
use super::answer::Refused;
use crate::workshop::{Identity, Role, SESSION_DAYS};

pub(super) const COOKIE: &str = "headwater_session";

/// The other end of the connection.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub SocketAddr);

impl Peer {
    /// Whom attempts are counted by: an IPv6 network counts as one address.
    pub(super) fn network(self) -> IpAddr {
        match self.0.ip().to_canonical() {
            IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64)),
            v4 => v4,
        }
    }
}

/// Whether the request came by HTTPS.
#[derive(Clone, Copy, Debug)]
pub struct Secure(pub bool);

/// Who asks. Every request has one.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    pub role: Role,
    /// `None` for nobody, and where nobody logs in.
    pub user: Option<String>,
    /// Of a student.
    pub identity: Option<Identity>,
}

impl Caller {
    /// A broker without a workshop has one user, who may do everything.
    pub fn of(state: &HttpState, headers: &HeaderMap) -> Caller {
        let Some(workshop) = &state.workshop else { return Caller { role: Role::Instructor, user: None, identity: None } };
        let session = token(headers).and_then(|token| workshop.session(token));
        let Some(session) = session else { return Caller { role: Role::Nobody, user: None, identity: None } };
        let identity = session.id.and_then(|id| workshop.roster().get(&id).cloned());
        Caller { role: session.role, user: Some(session.user), identity }
    }

    pub fn owns_topic(&self, topic: &str) -> bool {
        self.identity.as_ref().is_some_and(|identity| identity.owns_topic(topic))
    }

    pub fn owns_group(&self, group: &str) -> bool {
        self.identity.as_ref().is_some_and(|identity| identity.owns_group(group))
    }
}

fn token(headers: &HeaderMap) -> Option<&str> {
    let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    match given {
        Some(given) => given.split_once(' ').filter(|(kind, _)| kind.eq_ignore_ascii_case("bearer")).map(|(_, token)| token.trim()),
        None => in_cookie(headers),
    }
}

/// The session in the cookies of a browser.
pub(super) fn in_cookie(headers: &HeaderMap) -> Option<&str> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok()).flat_map(|text| text.split(';'));
    cookies.filter_map(|cookie| cookie.trim().split_once('=')).find(|(name, _)| *name == COOKIE).map(|(_, token)| token)
}

/// What a browser keeps. Script cannot read it, and no other site's request carries it.
pub(super) fn cookie(token: &str, Secure(secure): Secure) -> String {
    let age_s = SESSION_DAYS * 24 * 60 * 60;
    // Over plain HTTP a browser would drop a Secure cookie.
    let secure = if secure { "; Secure" } else { "" };
    format!("{COOKIE}={token}; Max-Age={age_s}; Path=/; HttpOnly; SameSite=Strict{secure}")
}

pub(super) fn cookie_gone(Secure(secure): Secure) -> String {
    format!("{COOKIE}=; Max-Age=0; Path=/; HttpOnly; SameSite=Strict{}", if secure { "; Secure" } else { "" })
}

pub(super) async fn know(State(state): State<HttpState>, mut request: Request, next: Next) -> Response {
    let caller = Caller::of(&state, request.headers());
    request.extensions_mut().insert(caller);
    next.run(request).await
}

/// Lets only those through who have at least this role.
pub(super) async fn authorize(State(least): State<Role>, request: Request, next: Next) -> Response {
    let role = request.extensions().get::<Caller>().map_or(Role::Nobody, |caller| caller.role);
    if role >= least {
        return next.run(request).await;
    }
    let refused = match role {
        Role::Nobody => {
            Refused::new(StatusCode::UNAUTHORIZED, "nobody is logged in", "join with the workshop's code, or log in (POST /api/login)")
        }
        _ => Refused::new(StatusCode::FORBIDDEN, "this is for the instructor", "ask the instructor"),
    };
    refused.into_response()
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    #[test]
    fn a_session_is_found_among_other_cookies_and_a_bearer_goes_first() {
        let mut headers = HeaderMap::new();
        headers.append(header::COOKIE, HeaderValue::from_static("a=b; xheadwater_session=no"));
        assert_eq!(token(&headers), None);
        headers.append(header::COOKIE, HeaderValue::from_static("c=d;headwater_session=yes"));
        assert_eq!(token(&headers), Some("yes"));
        headers.insert(header::AUTHORIZATION, HeaderValue::from_static("Bearer mine"));
        assert_eq!(token(&headers), Some("mine"));
        headers.insert(header::AUTHORIZATION, HeaderValue::from_static("Basic mine"));
        assert_eq!(token(&headers), None);
    }

    #[test]
    fn an_ipv6_network_counts_as_one() {
        let network = |text: &str| Peer(SocketAddr::new(text.parse().unwrap(), 1)).network();
        assert_eq!(network("2001:db8::1:2"), network("2001:db8::9"));
        assert_ne!(network("2001:db8:0:1::1"), network("2001:db8::1"));
        assert_eq!(network("::ffff:10.0.0.1"), network("10.0.0.1"));
    }

    #[test]
    fn cookies_are_secure_where_they_can_be() {
        assert!(!cookie("t", Secure(false)).contains("Secure"));
        assert!(cookie("t", Secure(true)).ends_with("; HttpOnly; SameSite=Strict; Secure"));
    }
}
