//! Why a connection ended.

use std::io;

use crate::handlers::HangUp;
use crate::wire::WireError;

#[derive(Debug, thiserror::Error)]
pub(super) enum Ended {
    #[error("closed by the client")]
    Closed,
    #[error("idle for too long")]
    Idle,
    #[error("no login within the time allowed")]
    LoginTooSlow,
    #[error("too many others came in without a login")]
    PushedOut,
    #[error("the answer said why")]
    Answered,
    #[error("a frame was not complete within the time allowed")]
    SlowFrame,
    #[error("the client does not read its answers")]
    SlowReader,
    #[error("answers that others do not read fill the memory for answers")]
    NoMemory,
    #[error("the broker shuts down")]
    Shutdown,
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    HangUp(#[from] HangUp),
}

impl From<WireError> for Ended {
    fn from(error: WireError) -> Self {
        Ended::HangUp(HangUp::Wire(error))
    }
}
