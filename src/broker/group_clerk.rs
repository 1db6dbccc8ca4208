//! Holds back group replies until the disk has what they speak of.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{mpsc, oneshot};

use super::flusher::FlushWait;
use crate::coordinator::group::Reply;
use crate::model::ErrorCode;

struct Held {
    to: oneshot::Sender<Reply>,
    reply: Reply,
    flush: Option<FlushWait>,
}

/// Replies leave in the order they were given: one that tells what an earlier one waits for waits with it.
pub(super) struct Clerk {
    held: mpsc::UnboundedSender<Held>,
    count: Arc<AtomicUsize>,
}

impl Clerk {
    /// Ends with the clerk.
    pub fn start() -> Clerk {
        // Each reply has a request that waits for it, so their number is bounded by the connections.
        let (held, mut queue) = mpsc::unbounded_channel::<Held>();
        let count = Arc::new(AtomicUsize::new(0));
        let left = Arc::clone(&count);
        tokio::spawn(async move {
            while let Some(Held { to, reply, flush }) = queue.recv().await {
                let flushed = match flush {
                    Some(flush) => flush.ended().await.is_ok(),
                    None => true,
                };
                // As Kafka answers a group when its own log cannot be written. The connection may be gone.
                let _ = to.send(if flushed { reply } else { reply.refused(ErrorCode::NotCoordinator) });
                left.fetch_sub(1, Ordering::Release);
            }
        });
        Clerk { held, count }
    }

    pub fn send(&self, to: oneshot::Sender<Reply>, reply: Reply, flush: Option<FlushWait>) {
        if flush.is_none() && self.count.load(Ordering::Acquire) == 0 {
            let _ = to.send(reply);
            return;
        }
        self.count.fetch_add(1, Ordering::AcqRel);
        let _ = self.held.send(Held { to, reply, flush });
    }
}
