//! How much who asks may use, and how long the connection rests when that was more.
//!
//! A quota that was set applies to whom it names, the instructor too. Where none does, users without the right to everything have the
//! limits of the `headwater.user` configs. Costs nothing where neither is the case.

use std::time::Duration;

use tokio::sync::MutexGuard;

use super::Context;
use crate::broker::Refused;
use crate::broker::meters::Meter;
use crate::coordinator::group::request::{DescribeGroup, ListGroups};
use crate::coordinator::group::{GroupId, Reply as Answer, Request};
use crate::model::ErrorCode;
use crate::security::quota::{Limit, QuotaKey};
use crate::security::{Operation, Principal, Resource};

/// What is done when a quota on topic changes is used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenUsedUp {
    /// Clients know the error THROTTLING_QUOTA_EXCEEDED (KIP-599) and try again.
    Refuse,
    Rest,
}

impl Context {
    pub fn is_superuser(&self) -> bool {
        self.principal.as_ref().is_some_and(|principal| self.rules.authorizer.is_superuser(principal))
    }

    /// Whether any limit could apply.
    fn is_limited(&self) -> bool {
        !self.rules.quotas.is_empty() || !self.is_superuser()
    }

    fn limit(&self, principal: &Principal, meter: Meter) -> Option<Limit> {
        let settings = self.broker.configs.broker();
        let (key, default) = match meter {
            Meter::ProducedBytes => (Some(QuotaKey::ProducerByteRate), settings.user_produce_rate),
            Meter::FetchedBytes => (Some(QuotaKey::ConsumerByteRate), settings.user_fetch_rate),
            Meter::Requests => (None, settings.user_requests_rate),
            Meter::ThreadTime => (Some(QuotaKey::RequestPercentage), None),
            Meter::Partitions => (Some(QuotaKey::ControllerMutationRate), None),
        };
        let set = key.and_then(|key| self.rules.quotas.limit(principal.name(), self.client_id(), key));
        set.or_else(|| {
            let rate = default.filter(|_| !self.is_superuser())?;
            Some(Limit { rate, by_user: true, by_client_id: false })
        })
    }

    fn rest_for(&self, ms: i64) -> i32 {
        let ms = i32::try_from(ms).unwrap_or(i32::MAX);
        self.rest_ms.fetch_max(ms, std::sync::atomic::Ordering::Relaxed);
        ms
    }

    /// Takes an amount of what is limited. The connection rests after the answer if it was too much.
    pub fn charge(&self, meter: Meter, amount: f64) {
        if let Some(principal) = self.principal.as_ref().filter(|_| self.is_limited())
            && let Some(limit) = self.limit(principal, meter)
        {
            self.rest_for(self.broker.meters.charge(meter, (principal, self.client_id()), limit, amount));
        }
    }

    /// Takes partitions that are about to be created or deleted.
    pub fn charge_partitions(&self, count: i32, when: WhenUsedUp) -> Result<(), Refused> {
        let Some(principal) = self.principal.as_ref().filter(|_| self.is_limited()) else { return Ok(()) };
        let Some(limit) = self.limit(principal, Meter::Partitions) else { return Ok(()) };
        let who = (principal, self.client_id());
        // What is owed already, before these come to it.
        if when == WhenUsedUp::Refuse && self.rest_for(self.broker.meters.charge(Meter::Partitions, who, limit, 0.0)) > 0 {
            return Err(Refused::new(ErrorCode::ThrottlingQuotaExceeded, "The throttling quota has been exceeded."));
        }
        let wait = self.broker.meters.charge(Meter::Partitions, who, limit, f64::from(count));
        if when == WhenUsedUp::Rest {
            self.rest_for(wait);
        }
        Ok(())
    }

    /// What an answer says about the rest that follows it, as far as it is known.
    pub fn throttle_time_ms(&self) -> i32 {
        self.rest_ms.load(std::sync::atomic::Ordering::Relaxed)
    }

    /// Takes the request itself, and the time that the thread has spent on the connection. Gives the whole rest.
    pub fn rest(&self) -> Option<Duration> {
        let principal = self.principal.as_ref()?;
        if !self.is_limited() {
            self.peer.time.stop();
            return None;
        }
        let spent = self.peer.time.take();
        self.charge(Meter::Requests, 1.0);
        self.charge(Meter::ThreadTime, spent.as_secs_f64() * 100.0);
        if !self.is_superuser() {
            self.rest_for(self.broker.meters.share(principal, spent));
        }
        let ms = u64::try_from(self.throttle_time_ms()).unwrap_or(0);
        (ms > 0).then(|| Duration::from_millis(ms))
    }

    /// Whether so many more partitions of this topic leave its owner within what one may have. What comes back is held until they are
    /// there: of two requests at once each counts what the other adds.
    pub async fn room_for(&self, topic: &str, more: i32) -> Result<Option<MutexGuard<'_, ()>>, Refused> {
        let Some(owner) = owner(topic).filter(|_| !self.is_superuser()) else { return Ok(None) };
        let alone = self.broker.meters.adding_partitions.lock().await;
        let most = self.broker.configs.broker().user_partitions_max;
        let theirs = self.broker.catalog.list().into_iter().filter(|one| self::owner(one.name.as_str()) == Some(owner));
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
}

impl Context {
    /// Whether a topic's owner has room for more records: a disk is everybody's.
    pub fn room_for_records(&self, topic: &str) -> Result<(), Refused> {
        let most = self.broker.configs.broker().user_storage_bytes_max;
        let Some(owner) = owner(topic).filter(|_| most > 0 && !self.is_superuser()) else { return Ok(()) };
        let have = self.broker.meters.stored(owner, || {
            let theirs = self.broker.catalog.list().into_iter().filter(|one| self::owner(one.name.as_str()) == Some(owner));
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

/// Groups that one user may have, and groups of names that everybody may use: of all groups there is room for enough others.
const GROUPS_OF_ONE_MAX: usize = 200;
const GROUPS_OF_ALL_NAMES_MAX: usize = 1_000;

impl Context {
    /// Whether a group that is not there yet may be made by who asks.
    pub async fn room_for_group(&self, group: &GroupId) -> Result<(), ErrorCode> {
        if self.is_superuser() {
            return Ok(());
        }
        let describe = Request::DescribeGroup(DescribeGroup { version: 0, group: group.clone() });
        let is_there = matches!(self.broker.groups.ask(group, describe).await?, Answer::DescribeGroup(known) if known.state != "Dead");
        if is_there {
            return Ok(());
        }
        let listed = self.broker.groups.ask_all(Request::ListGroups(ListGroups::default())).await?;
        let groups = listed.into_iter().flat_map(|answer| if let Answer::ListGroups(list) = answer { list.groups } else { Vec::new() });
        // What one may delete is one's own; names that tools make up are everybody's.
        let owns = |group: &GroupId| self.may(Operation::Delete, Resource::group(group));
        let own = owns(group);
        let most = if own { GROUPS_OF_ONE_MAX } else { GROUPS_OF_ALL_NAMES_MAX };
        let alike = groups.filter(|other| owns(&other.group) == own && self.may(Operation::Read, Resource::group(&other.group)));
        if alike.count() >= most { Err(ErrorCode::GroupMaxSizeReached) } else { Ok(()) }
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
