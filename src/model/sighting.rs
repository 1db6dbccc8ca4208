//! What a broker saw of a client: who logged in, with which software, and what went wrong.

use schemars::JsonSchema;
use serde::Serialize;

use super::Timestamp;

/// What was seen of one user.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Sighting {
    pub user: String,
    /// Open now.
    pub connections: u64,
    /// The newest last.
    pub logins: Vec<LoginSeen>,
    /// One for each software, client id and listener, the one seen last at the end.
    pub clients: Vec<ClientSeen>,
    /// The newest last.
    pub troubles: Vec<Trouble>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct LoginSeen {
    pub at_ms: Timestamp,
    /// Address of the client.
    pub from: String,
    pub listener: String,
    pub mechanism: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ClientSeen {
    /// Name and version as the client gave them (KIP-511), empty if it did not.
    pub software: String,
    pub version: String,
    pub client_id: String,
    pub listener: String,
    /// Address of the client, the last time.
    pub from: String,
    /// How often it connected.
    pub times: u64,
    /// The last time.
    pub at_ms: Timestamp,
}

/// Something that went wrong, in plain words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Trouble {
    /// The last time.
    pub at_ms: Timestamp,
    pub times: u64,
    /// Address of the client.
    pub from: String,
    pub listener: String,
    /// What happened.
    pub what: String,
    /// What to do about it.
    pub fix: String,
}

/// The newest of each that was seen of one user.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Latest {
    /// Open now.
    pub connections: u64,
    pub login_ms: Option<Timestamp>,
    pub client: Option<ClientSeen>,
    pub trouble: Option<Trouble>,
}
