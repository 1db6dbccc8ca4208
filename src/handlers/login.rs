//! How a connection logs in: SaslHandshake names the mechanism, then its tokens come, in SaslAuthenticate or bare (handshake version 0).

use std::sync::Arc;

use super::{HangUp, Peer, Reply};
use crate::broker::Broker;
use crate::broker::sightings::Mishap;
use crate::model::ErrorCode;
use crate::security::{Mechanism, Principal, SaslExchange, SaslRefused, SaslStep};

/// How far a connection has come.
#[derive(Debug)]
pub enum Login {
    /// Nothing but ApiVersions and a handshake is served.
    Expected,
    /// The mechanism is chosen. `bare`: tokens are frames of their own.
    Exchange { exchange: SaslExchange, bare: bool },
    /// Done, or its listener asks nobody who they are.
    In(Principal),
    /// It failed; the connection ends with the answer that says so.
    Failed,
}

/// What a token led to.
#[derive(Debug)]
pub enum Answer {
    /// Bytes to go back; the login goes on, or is done.
    Token(Vec<u8>),
    /// The answer is the last one.
    Refused { error: ErrorCode, message: String },
}

/// Names of the mechanisms of this connection's listener.
pub fn mechanisms(peer: &Peer) -> Vec<Mechanism> {
    Mechanism::ALL.into_iter().filter(|mechanism| *mechanism != Mechanism::Plain || peer.endpoint.takes_plain).collect()
}

/// Takes one token of the login that is under way.
pub async fn token(broker: &Broker, peer: &Peer, token: &[u8]) -> Answer {
    let security = Arc::clone(&broker.security);
    let state = peer.take_login();
    let Login::Exchange { mut exchange, bare } = state else {
        let over = matches!(state, Login::In(_));
        peer.set_login(state);
        let message = if over { "SaslAuthenticate request received after successful authentication" } else { "SaslHandshake comes first" };
        return Answer::Refused { error: ErrorCode::IllegalSaslState, message: message.to_owned() };
    };
    let mechanism = exchange.mechanism();
    let nonce = uuid::Uuid::new_v4().simple().to_string();
    let step = exchange.step(token, &security.rules().credentials, security.secret(), &nonce);
    let done = match step {
        Ok(SaslStep::Continue(bytes)) => {
            peer.set_login(Login::Exchange { exchange, bare });
            return Answer::Token(bytes);
        }
        Ok(SaslStep::Done(principal, bytes)) => Ok((principal, bytes)),
        Ok(SaslStep::Check(check)) => security.check(check).await.map(|principal| (principal, Vec::new())),
        Err(refused) => Err(refused),
    };
    settle(broker, peer, mechanism, done).await
}

/// Takes a token that came as a frame of its own, after a handshake of version 0. Nothing says that such a login failed: the connection
/// ends.
pub async fn bare_token(broker: &Broker, peer: &Peer, frame: &[u8]) -> Result<Reply, HangUp> {
    match token(broker, peer, frame).await {
        Answer::Token(bytes) => {
            let size = i32::try_from(bytes.len()).unwrap_or(0);
            Ok(Reply::Frame([&size.to_be_bytes()[..], &bytes].concat().into()))
        }
        Answer::Refused { .. } => Err(HangUp::LoginFailed),
    }
}

async fn settle(broker: &Broker, peer: &Peer, mechanism: Mechanism, done: Result<(Principal, Vec<u8>), SaslRefused>) -> Answer {
    let (security, from) = (&broker.security, peer.remote.ip());
    match done {
        Ok((principal, bytes)) => {
            security.succeeded(principal.name(), from);
            if let Some(refusal) = seat(broker, peer, &principal) {
                return refusal;
            }
            broker.sightings.logged_in(&principal, mechanism.name(), peer.place(), broker.now());
            peer.set_login(Login::In(principal));
            Answer::Token(bytes)
        }
        Err(refused) => {
            let user = refused.user.clone().unwrap_or_default();
            security.failed(&user, from);
            peer.set_login(Login::Failed);
            if broker.metrics.may_log() {
                tracing::info!(remote = %peer.remote, user, mechanism = mechanism.name(), "a login failed");
            }
            let known = security.rules().credentials.any(&user).is_some();
            if known {
                peer.set_claimed(&user);
            }
            let mishap = if known { wrong_password(&user) } else { unknown_user(&user) };
            broker.sightings.trouble(Some(user.as_str()).filter(|_| known), mishap, peer.place(), broker.now());
            // Who guesses waits; nobody is locked out, as others could lock them out then.
            tokio::time::sleep(security.penalty(&user, from)).await;
            Answer::Refused { error: ErrorCode::SaslAuthenticationFailed, message: refused.message() }
        }
    }
}

/// Takes a place among the user's connections, or says that there is none. Clients show the reason of a refused login; of a connection
/// that just closes they show nothing.
fn seat(broker: &Broker, peer: &Peer, principal: &Principal) -> Option<Answer> {
    if broker.security.rules().authorizer.is_superuser(principal) {
        return None;
    }
    let most = broker.configs.broker().user_connections_max;
    if let Some(seat) = broker.meters.seat(principal, most) {
        peer.take_seat(seat);
        return None;
    }
    peer.set_login(Login::Failed);
    let user = principal.name();
    if broker.metrics.may_log() {
        tracing::info!(remote = %peer.remote, user, most, "a login was refused: the user has too many connections");
    }
    let what = format!("Too many connections: {user} has {most} open, which is the most one user may have");
    let fix = "Close clients you no longer need; use one producer for many sends.";
    broker.sightings.trouble(Some(user), Mishap::new(what.clone(), fix), peer.place(), broker.now());
    let message = format!("{what} (headwater.user.connections.max). {fix}");
    Some(Answer::Refused { error: ErrorCode::SaslAuthenticationFailed, message })
}

fn wrong_password(user: &str) -> Mishap {
    Mishap::new(format!("a login as {user} with a wrong password"), "Take user and password as join gave them, or ask for a new password.")
}

fn unknown_user(user: &str) -> Mishap {
    // Others at the same address read it, and it may be a password at the wrong place: only what looks like a pseudonym is repeated.
    let words: Vec<&str> = user.split('-').collect();
    let is_word = |word: &&str| (2..=12).contains(&word.len()) && word.bytes().all(|letter| letter.is_ascii_lowercase());
    let is_name = match words.as_slice() {
        [first, second] | [first, second, "2"] => [first, second].into_iter().all(is_word),
        _ => false,
    };
    let who = if is_name { format!("{user:?}") } else { "somebody".to_owned() };
    Mishap::new(format!("a login as {who}, who is not known"), "The user is the name that join gave, such as quiet-otter; see whoami.")
}
