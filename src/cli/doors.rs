//! Binds what the settings name, and makes it known to the broker: listeners with their certificate, the pages, the instructor's password.

use std::net::SocketAddr;
use std::sync::Arc;

use sha2::{Digest, Sha256};
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::reach::Surroundings;
use super::startup::{StartError, listen};
use crate::broker::security::INSTRUCTOR;
use crate::broker::{Broker, Endpoint};
use crate::config::{Advertise, Doors, Protocol};
use crate::security::Hash;
use crate::server::{Certificates, Listener, TlsConfig};

/// Everything that can be reached, bound before the data folder is opened: a port that is taken leaves no trace there.
pub(super) struct Bound {
    pub kafka: Vec<TcpListener>,
    pub http: Option<TcpListener>,
    pub https: Option<TcpListener>,
}

pub(super) async fn bind(doors: &Doors) -> Result<Bound, StartError> {
    if doors.has_tls() {
        Certificates::check(&doors.tls)?;
    }
    let mut kafka = Vec::new();
    for listener in &doors.listeners {
        kafka.push(listen(&listener.flag, &listener.bind).await?);
    }
    let http = match &doors.http {
        Some(address) => Some(listen("--http ", address).await?),
        None => None,
    };
    let https = match &doors.https {
        Some(address) => Some(listen("--https ", address).await?),
        None => None,
    };
    Ok(Bound { kafka, http, https })
}

/// Listeners that are ready to serve.
pub(super) struct Open {
    pub listeners: Vec<Listener>,
    pub certificates: Option<Certificates>,
    pub http: Option<TcpListener>,
    pub https: Option<(TcpListener, watch::Receiver<Arc<TlsConfig>>)>,
}

pub(super) fn open(broker: &Arc<Broker>, doors: &Doors, bound: Bound, around: &Surroundings) -> Result<Open, StartError> {
    let mut endpoints = Vec::new();
    for (setting, socket) in doors.listeners.iter().zip(&bound.kafka) {
        let at = local(socket)?;
        let told = setting.advertise.clone().unwrap_or_else(|| untold(doors, at, around));
        let mut endpoint = Endpoint::new(&setting.name, setting.protocol, at, told);
        endpoint.takes_plain |= doors.plain_in_clear;
        endpoints.push(broker.open_endpoint(endpoint).map_err(StartError::Listeners)?);
    }
    let certificates = doors.has_tls().then(|| Certificates::open(broker, &doors.tls)).transpose()?;
    let shown = certificates.as_ref().map(Certificates::shown);
    let listeners = bound.kafka.into_iter().zip(endpoints).map(|(socket, endpoint)| {
        let tls = shown.clone().filter(|_| endpoint.protocol.is_encrypted());
        Listener::new(socket, endpoint, tls)
    });
    let listeners = listeners.collect();
    let https = bound.https.zip(shown);
    if let Some((socket, _)) = &https {
        broker.node.set_https(local(socket)?);
    }
    Ok(Open { listeners, certificates, http: bound.http, https })
}

fn local(socket: &TcpListener) -> Result<SocketAddr, StartError> {
    socket.local_addr().map_err(StartError::Runtime)
}

/// The address that clients come to is the right one to come back to, but for a container's, which nobody outside knows.
fn untold(doors: &Doors, bound: SocketAddr, around: &Surroundings) -> Advertise {
    if doors.classroom && around.container && bound.ip().is_unspecified() {
        return Advertise::As { host: "localhost".to_owned(), port: None };
    }
    Advertise::Auto
}

/// What is known of the instructor's password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum InstructorSecret {
    /// Nobody logs in.
    Unused,
    /// Made just now: the one time that it can be shown.
    Made(String),
    /// By a setting.
    Given,
    /// Made or given at an earlier start.
    Kept,
}

pub(super) async fn instructor_secret(broker: &Broker, doors: &Doors) -> Result<InstructorSecret, StartError> {
    if !doors.has_logins() {
        return Ok(InstructorSecret::Unused);
    }
    let set = |secret: &str| broker.security.set_password(INSTRUCTOR, secret).map_err(StartError::Secret);
    if let Some(given) = &doors.instructor_secret {
        if !broker.security.fits(INSTRUCTOR, given).await {
            set(given)?;
        }
        return Ok(InstructorSecret::Given);
    }
    let has_one = Hash::ALL.iter().any(|hash| broker.security.rules().credentials.get(INSTRUCTOR, *hash).is_some());
    if has_one && !doors.new_instructor_secret {
        return Ok(InstructorSecret::Kept);
    }
    let secret = made_up_secret();
    set(&secret)?;
    Ok(InstructorSecret::Made(secret))
}

/// Small letters and digits that look like no others.
const SIGNS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
const GROUPS: usize = 4;
const GROUP_LEN: usize = 5;

/// A hundred bits, in groups that can be read out.
pub(super) fn made_up_secret() -> String {
    let chance = [uuid::Uuid::new_v4().into_bytes(), uuid::Uuid::new_v4().into_bytes()].concat();
    let signs: Vec<char> =
        Sha256::digest(chance).iter().filter_map(|byte| SIGNS.get(usize::from(byte & 31))).map(|sign| char::from(*sign)).collect();
    let groups: Vec<String> = signs.chunks(GROUP_LEN).take(GROUPS).map(|group| group.iter().collect()).collect();
    groups.join("-")
}

/// The row of a listener in what is printed: what to type, and what it is.
pub(super) fn shown_name(endpoint: &Endpoint) -> String {
    let Endpoint { name, protocol, .. } = endpoint;
    if Protocol::by_name(name) == Some(*protocol) { name.clone() } else { format!("{name}, {protocol}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_made_up_secret_has_a_hundred_bits_that_can_be_read_out() {
        let (one, other) = (made_up_secret(), made_up_secret());
        assert_ne!(one, other);
        assert_eq!(one.split('-').map(str::len).collect::<Vec<_>>(), [GROUP_LEN; GROUPS]);
        assert!(one.bytes().all(|sign| sign == b'-' || SIGNS.contains(&sign)));
    }
}
