//! How a connection logs in: SaslHandshake names the mechanism, then its tokens come, in SaslAuthenticate or bare (handshake version 0).

use std::sync::Arc;

use super::Context;
use crate::broker::security::Security;
use crate::model::ErrorCode;
use crate::security::{Mechanism, Principal, SaslExchange, SaslRefused, SaslStep};

/// How far a connection has come.
#[derive(Debug, Default)]
pub enum Login {
    /// Its listener asks nobody who they are.
    #[default]
    Open,
    /// Nothing but ApiVersions and a handshake is served.
    Expected,
    /// The mechanism is chosen. `bare`: tokens are frames of their own.
    Exchange { exchange: SaslExchange, bare: bool },
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
pub fn mechanisms(_: &Context) -> Vec<&'static str> {
    Mechanism::ALL.iter().map(|mechanism| mechanism.name()).collect()
}

/// Takes one token of the login that is under way.
pub async fn token(ctx: &Context, token: &[u8]) -> Answer {
    let security = Arc::clone(&ctx.broker.security);
    let state = ctx.peer.take_login();
    let Login::Exchange { mut exchange, bare } = state else {
        let over = matches!(state, Login::In(_) | Login::Open);
        ctx.peer.set_login(state);
        let message = if over { "SaslAuthenticate request received after successful authentication" } else { "SaslHandshake comes first" };
        return Answer::Refused { error: ErrorCode::IllegalSaslState, message: message.to_owned() };
    };
    let nonce = uuid::Uuid::new_v4().simple().to_string();
    let step = exchange.step(token, &security.rules().credentials, security.secret(), &nonce);
    let done = match step {
        Ok(SaslStep::Continue(bytes)) => {
            ctx.peer.set_login(Login::Exchange { exchange, bare });
            return Answer::Token(bytes);
        }
        Ok(SaslStep::Done(principal, bytes)) => Ok((principal, bytes)),
        Ok(SaslStep::Check(check)) => checked(&security, check).await.map(|principal| (principal, Vec::new())),
        Err(refused) => Err(refused),
    };
    settle(ctx, &security, done).await
}

/// A plain password, away from the network thread, and not more of them at a time than cores can bear.
async fn checked(security: &Arc<Security>, check: crate::security::sasl::PasswordCheck) -> Result<Principal, SaslRefused> {
    let user = check.user().to_owned();
    let failed = || SaslRefused { user: Some(user.clone()), mechanism: Mechanism::Plain };
    let Ok(_turn) = security.checks.acquire().await else { return Err(failed()) };
    tokio::task::spawn_blocking(move || check.run()).await.unwrap_or_else(|_| Err(failed()))
}

async fn settle(ctx: &Context, security: &Security, done: Result<(Principal, Vec<u8>), SaslRefused>) -> Answer {
    let from = ctx.peer.remote.ip();
    match done {
        Ok((principal, bytes)) => {
            security.succeeded(principal.name(), from);
            ctx.peer.set_login(Login::In(principal));
            Answer::Token(bytes)
        }
        Err(refused) => {
            let user = refused.user.clone().unwrap_or_default();
            security.failed(&user, from);
            ctx.peer.set_login(Login::Failed);
            tracing::info!(remote = %ctx.peer.remote, user, mechanism = refused.mechanism.name(), "a login failed");
            // Who guesses waits; nobody is locked out, as others could lock them out then.
            tokio::time::sleep(security.penalty(&user, from)).await;
            Answer::Refused { error: ErrorCode::SaslAuthenticationFailed, message: refused.message() }
        }
    }
}
