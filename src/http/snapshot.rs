//! Topics and groups as of one moment, for all pages that ask within half a second.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Mutex;

use super::HttpState;
use crate::cluster::{GroupSummary, TopicSummary};

const FRESH: Duration = Duration::from_millis(500);

pub(super) struct Snapshot {
    at: Instant,
    pub topics: Vec<TopicSummary>,
    pub groups: Vec<GroupSummary>,
}

#[derive(Default)]
pub(super) struct SnapshotCache(Mutex<Option<Arc<Snapshot>>>);

/// Those who come while one is being made wait for it.
pub(super) async fn snapshot(state: &HttpState) -> Arc<Snapshot> {
    let mut last = state.snapshot.0.lock().await;
    if let Some(snapshot) = last.as_ref().filter(|snapshot| snapshot.at.elapsed() < FRESH) {
        return Arc::clone(snapshot);
    }
    // The topics last: no end of theirs is before one that a group's lag was counted to.
    let now = state.groups.now(state.cluster.as_ref()).await;
    let groups = now.groups.iter().map(|group| group.summary.clone()).collect();
    let made = Arc::new(Snapshot { topics: state.cluster.topics(), groups, at: Instant::now() });
    *last = Some(Arc::clone(&made));
    made
}
