//! Floor 1: who somebody is and what they may do. Credentials, certificates, the SASL exchanges, ACLs and quotas; no sockets, no files, no clock.
//!
//! Start with `sasl.rs`: what a connection goes through before it may ask for anything. A password is never kept: `credentials` has what
//! it takes to verify one (RFC 5802).
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing))]

pub mod acl;
pub mod certificate;
pub mod credentials;
pub mod principal;
pub mod quota;
pub mod sasl;
mod scram;

pub use acl::{Acl, AclFilter, Authorizer, Operation, PatternType, Permission, Resource, ResourceType};
pub use credentials::{Credentials, Hash, Verifier};
pub use principal::Principal;
pub use sasl::{Mechanism, SaslExchange, SaslRefused, SaslStep};
