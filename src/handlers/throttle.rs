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
use crate::security::quota::Limit;
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
        self.broker.limit(&self.rules, principal, self.client_id(), meter)
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
    /// there.
    pub async fn room_for(&self, topic: &str, more: i32) -> Result<Option<MutexGuard<'_, ()>>, Refused> {
        if self.is_superuser() { Ok(None) } else { self.broker.room_for(topic, more).await }
    }

    /// Whether a topic's owner has room for more records.
    pub fn room_for_records(&self, topic: &str) -> Result<(), Refused> {
        if self.is_superuser() { Ok(()) } else { self.broker.room_for_records(topic) }
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
