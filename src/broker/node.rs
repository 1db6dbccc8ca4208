//! Who this broker is, and where clients are told to find it.

use std::net::SocketAddr;

use crate::config::Advertise;
use crate::model::BrokerId;

pub struct Node {
    pub id: BrokerId,
    pub cluster_id: String,
    pub rack: Option<String>,
    pub advertise: Advertise,
}

impl Node {
    pub fn advertised(&self, reached: SocketAddr) -> (String, u16) {
        match &self.advertise {
            Advertise::As { host, port } => (host.clone(), port.unwrap_or(reached.port())),
            Advertise::Auto => (reached.ip().to_canonical().to_string(), reached.port()),
        }
    }
}
