//! Whose cluster the pages are about, and what of it they cannot show.

use schemars::JsonSchema;
use serde::Serialize;

use super::HttpState;
use super::answer::Refused;
use crate::cluster::Kind;
use axum::http::StatusCode;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum ClusterKind {
    /// The broker in this process.
    Embedded,
    /// Another one, which others may use too.
    External,
}

/// Whose cluster it is.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "WhoseCluster")]
pub(super) struct Whose {
    kind: ClusterKind,
    /// `HOST:PORT[,...]` of another cluster.
    address: Option<String>,
    /// What only a broker sees and these pages cannot show, a sentence each.
    missing: Vec<String>,
}

/// What the brokers of another cluster do not tell.
const MISSING: &[&str] = &[
    "Your requests and the light on the start page: which client asked what, and what went wrong with it.",
    "Open connections, bytes per second, the size of topics on the disk.",
    "Evidence in verdicts: which records a client was handed, what it committed, how many consumers joined, whether it waited for answers.",
    "Users, rights and limits of Kafka clients: they are made with the cluster's own tools. That topics ws.ID.* are for one student alone is \
     a custom here; the cluster keeps to it only by rules that its administrator gives it.",
];

pub(super) fn whose(state: &HttpState) -> Whose {
    match state.cluster.kind() {
        Kind::Embedded => Whose { kind: ClusterKind::Embedded, address: None, missing: Vec::new() },
        Kind::External { address } => {
            let missing = MISSING.iter().map(|what| (*what).to_owned()).collect();
            Whose { kind: ClusterKind::External, address: Some(address), missing }
        }
    }
}

/// What is the matter, for those who are not told what of this machine: of another cluster nothing is this machine's.
pub(super) fn told_to_all(state: &HttpState, problem: &str) -> String {
    match state.cluster.kind() {
        Kind::Embedded => "the broker has a problem; the instructor's page says which".to_owned(),
        Kind::External { .. } => problem.to_owned(),
    }
}

/// Asked for what only a broker in this process sees.
pub(super) fn unseen(state: &HttpState, what: &str) -> Refused {
    let (error, fix) = match state.cluster.kind() {
        Kind::External { address } => (
            format!("{what} cannot be shown: the brokers of the Kafka cluster at {address} do not tell Headwater"),
            "look at that cluster's own logs and console; docs/another-cluster.md lists what else is missing".to_owned(),
        ),
        Kind::Embedded => (format!("{what} cannot be shown here"), "look at the cluster's own logs".to_owned()),
    };
    Refused::new(StatusCode::NOT_IMPLEMENTED, error, fix)
}
