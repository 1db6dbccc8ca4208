//! Who asks.

use std::fmt;
use std::sync::Arc;

/// A Kafka principal of the type `User`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Principal(Arc<str>);

const TYPE: &str = "User:";

impl Principal {
    pub fn user(name: &str) -> Principal {
        Principal(Arc::from(name))
    }

    /// Who came in without a login.
    pub fn anonymous() -> Principal {
        Principal::user("ANONYMOUS")
    }

    pub fn name(&self) -> &str {
        &self.0
    }

    /// From `User:name`.
    pub fn parse(text: &str) -> Option<Principal> {
        text.strip_prefix(TYPE).filter(|name| !name.is_empty()).map(Principal::user)
    }
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{TYPE}{}", self.0)
    }
}
