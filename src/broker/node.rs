//! Who this broker is, and where clients are told to find it.

use std::net::SocketAddr;

use crate::model::BrokerId;

/// The address in Metadata answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Advertise {
    /// The address that the client reached.
    Auto,
    Fixed { host: String, port: u16 },
}

pub struct Node {
    pub id: BrokerId,
    pub cluster_id: String,
    pub rack: Option<String>,
    pub advertise: Advertise,
}

impl Node {
    pub fn advertised(&self, reached: SocketAddr) -> (String, u16) {
        match &self.advertise {
            Advertise::Fixed { host, port } => (host.clone(), *port),
            Advertise::Auto => (reached.ip().to_canonical().to_string(), reached.port()),
        }
    }
}
