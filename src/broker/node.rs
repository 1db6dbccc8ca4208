//! Who this broker is, and where clients are told to find it.

use std::fs::{self, File};
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::Path;

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

/// The cluster's id, drawn at the first start and kept in the data folder's file `cluster-id`.
pub fn cluster_id(folder: &Path) -> io::Result<String> {
    let file = folder.join("cluster-id");
    match fs::read_to_string(&file) {
        Ok(text) if !text.trim().is_empty() => return Ok(text.trim().to_owned()),
        Ok(_) => {}
        Err(e) if e.kind() == io::ErrorKind::NotFound => {}
        Err(e) => return Err(e),
    }
    let id = crate::model::TopicId(uuid::Uuid::new_v4().into_bytes()).to_base64();
    let mut out = File::create(&file)?;
    writeln!(out, "{id}")?;
    out.sync_all()?;
    Ok(id)
}
