//! What a listener is told: where it binds, what it speaks, where its clients are sent.

use std::fmt;

use super::settings::{Address, Advertise};

/// Kafka's security protocols.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    Plaintext,
    SaslPlaintext,
    Ssl,
    SaslSsl,
}

impl Protocol {
    pub const ALL: [Protocol; 4] = [Protocol::Plaintext, Protocol::SaslPlaintext, Protocol::Ssl, Protocol::SaslSsl];

    pub fn name(self) -> &'static str {
        match self {
            Protocol::Plaintext => "PLAINTEXT",
            Protocol::SaslPlaintext => "SASL_PLAINTEXT",
            Protocol::Ssl => "SSL",
            Protocol::SaslSsl => "SASL_SSL",
        }
    }

    pub fn by_name(name: &str) -> Option<Protocol> {
        Protocol::ALL.into_iter().find(|protocol| protocol.name().eq_ignore_ascii_case(name))
    }

    pub fn is_encrypted(self) -> bool {
        matches!(self, Protocol::Ssl | Protocol::SaslSsl)
    }

    /// Whether who comes in has to say who it is.
    pub fn logs_in(self) -> bool {
        matches!(self, Protocol::SaslPlaintext | Protocol::SaslSsl)
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One listener as it was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenerSetting {
    pub name: String,
    pub protocol: Protocol,
    pub bind: Address,
    pub advertise: Advertise,
}
