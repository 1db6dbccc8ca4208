//! How much a user may have and use: by the quota that names them, else by the `headwater.user` configs; and what their topics hold.

use tokio::sync::MutexGuard;

use super::meters::Meter;
use super::security::Rules;
use super::{Broker, Refused};
use crate::model::ErrorCode;
use crate::security::Principal;
use crate::security::quota::{Limit, QuotaKey};

impl Broker {
    /// What limits a user. Those who may do everything have only limits that were set.
    pub fn limit(&self, rules: &Rules, principal: &Principal, client_id: &str, meter: Meter) -> Option<Limit> {
        let settings = self.configs.broker();
        let (key, default) = match meter {
            Meter::ProducedBytes => (Some(QuotaKey::ProducerByteRate), settings.user_produce_rate),
            Meter::FetchedBytes => (Some(QuotaKey::ConsumerByteRate), settings.user_fetch_rate),
            Meter::Requests => (None, settings.user_requests_rate),
            Meter::ThreadTime => (Some(QuotaKey::RequestPercentage), None),
            Meter::Partitions => (Some(QuotaKey::ControllerMutationRate), None),
        };
        let set = key.and_then(|key| rules.quotas.limit(principal.name(), client_id, key));
        set.or_else(|| {
            let rate = default.filter(|_| !rules.authorizer.is_superuser(principal))?;
            Some(Limit { rate, by_user: true, by_client_id: false })
        })
    }

    /// Whether so many more partitions of this topic leave its owner within what one may have. What comes back is held until they are
    /// there: of two requests at once each counts what the other adds.
    pub async fn room_for(&self, topic: &str, more: i32) -> Result<Option<MutexGuard<'_, ()>>, Refused> {
        let Some(owner) = owner(topic) else { return Ok(None) };
        let alone = self.meters.adding_partitions.lock().await;
        let most = self.configs.broker().user_partitions_max;
        let theirs = self.catalog.list().into_iter().filter(|one| self::owner(one.name.as_str()) == Some(owner));
        let have: usize = theirs.map(|topic| usize::try_from(topic.partition_count()).unwrap_or(0)).sum();
        let wanted = have.saturating_add(usize::try_from(more).unwrap_or(0));
        if wanted > most {
            let text = format!(
                "{owner} has {have} partitions and may have {most} (headwater.user.partitions.max); {more} more would make {wanted}. \
                 Delete topics that you no longer need, or give this one fewer partitions."
            );
            return Err(Refused::new(ErrorCode::PolicyViolation, text));
        }
        Ok(Some(alone))
    }

    /// Whether a topic's owner has room for more records: a disk is everybody's.
    pub fn room_for_records(&self, topic: &str) -> Result<(), Refused> {
        let most = self.configs.broker().user_storage_bytes_max;
        let Some(owner) = owner(topic).filter(|_| most > 0) else { return Ok(()) };
        let have = self.meters.stored(owner, || {
            let theirs = self.catalog.list().into_iter().filter(|one| self::owner(one.name.as_str()) == Some(owner));
            theirs.flat_map(|topic| topic.partitions().iter().map(|one| one.view().size_bytes()).collect::<Vec<_>>()).sum()
        });
        if have < most {
            return Ok(());
        }
        let text = format!(
            "the topics of {owner} keep {have} bytes and may keep {most} (headwater.user.storage.bytes.max). Delete topics that you no longer \
             need, or give them a retention.bytes."
        );
        Err(Refused::new(ErrorCode::PolicyViolation, text))
    }
}

/// Whose topic it is by its name: `ws.<id>.` and whatever follows, or the feed that each student makes.
fn owner(topic: &str) -> Option<&str> {
    let own = topic.strip_prefix("ws.").and_then(|rest| rest.split_once('.')).map(|(id, _)| id);
    own.or_else(|| topic.strip_prefix("processed-social-feed.")).filter(|id| !id.is_empty())
}

#[cfg(test)]
mod tests {
    use super::owner;

    #[test]
    fn a_topic_is_owned_by_whom_its_name_says() {
        assert_eq!(owner("ws.quiet-otter.c02"), Some("quiet-otter"));
        assert_eq!(owner("ws.quiet-otter.a.b"), Some("quiet-otter"));
        assert_eq!(owner("processed-social-feed.quiet-otter"), Some("quiet-otter"));
        assert_eq!(["ws.quiet-otter", "ws..x", "orders", "ws.", "processed-social-feed."].map(owner), [None; 5]);
    }
}
