//! Who may log in to the pages, where the cluster is another. Its own users, rules and quotas are its administrator's: what is kept here,
//! as verifiers in a compacted topic, opens the pages and nothing else.

use std::sync::{Arc, PoisonError, RwLock};

use bytes::Bytes;
use tokio::sync::{Mutex, Semaphore};
use uuid::Uuid;

use super::external::External;
use super::remote_client::blocking;
use super::{BoxFuture, ClusterError, Limits, NewRecord, Topics, UserChange, Users};
use crate::broker::clock;
use crate::broker::security::verifiers_of;
use crate::model::{ErrorCode, PartitionId, TopicName};
use crate::security::sasl::PasswordCheck;
use crate::security::{Credentials, Verifier};

/// A record for each user: its verifiers as JSON, nothing for one that is gone.
const TOPIC: &str = "_headwater_users";
/// A check takes a core for milliseconds.
const CHECKS_AT_ONCE: usize = 2;

pub(super) struct KeptUsers {
    known: RwLock<Arc<Credentials>>,
    /// Held from the record to what is known: of two changes at once neither gets lost.
    changing: Mutex<()>,
    checks: Semaphore,
    /// What made-up verifiers of unknown users are derived from.
    secret: Vec<u8>,
}

impl Default for KeptUsers {
    fn default() -> KeptUsers {
        let secret = [Uuid::new_v4().into_bytes(), Uuid::new_v4().into_bytes()].concat();
        KeptUsers { known: RwLock::default(), changing: Mutex::default(), checks: Semaphore::new(CHECKS_AT_ONCE), secret }
    }
}

impl KeptUsers {
    fn known(&self) -> Arc<Credentials> {
        Arc::clone(&self.known.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn publish(&self, known: Credentials) {
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(known);
    }
}

fn unreadable(error: &serde_json::Error) -> ClusterError {
    ClusterError { code: ErrorCode::InvalidRecord, message: format!("a record of {TOPIC} cannot be read: {error}") }
}

impl External {
    /// Reads who may log in.
    pub async fn open_users(&self) -> Result<(), ClusterError> {
        let topic = TopicName::new(TOPIC);
        self.ensure_topic(&topic, 1, &[("cleanup.policy", "compact".to_owned())]).await?;
        let mut known = Credentials::default();
        for record in self.tail(&topic, PartitionId(0), usize::MAX).await? {
            let Some(user) = record.key.as_deref().and_then(|key| std::str::from_utf8(key).ok()) else { continue };
            known.remove_user(user);
            let verifiers: Vec<Verifier> = match &record.value {
                Some(value) => serde_json::from_slice(value).map_err(|error| unreadable(&error))?,
                None => Vec::new(),
            };
            verifiers.into_iter().for_each(|verifier| known.put(user, verifier));
        }
        self.kept_users.publish(known);
        Ok(())
    }

    /// Each user with what it can log in by from now on.
    async fn keep_users(&self, users: Vec<(String, Vec<Verifier>)>) -> Result<(), ClusterError> {
        if users.is_empty() {
            return Ok(());
        }
        let _alone = self.kept_users.changing.lock().await;
        let mut known = Credentials::clone(&self.kept_users.known());
        let mut records = Vec::with_capacity(users.len());
        for (user, verifiers) in users {
            let value = serde_json::to_vec(&verifiers).map_err(|error| unreadable(&error))?;
            let value = (!verifiers.is_empty()).then(|| Bytes::from(value));
            records.push(NewRecord { key: Some(Bytes::from(user.clone())), value, timestamp: clock::now(), headers: Vec::new() });
            known.remove_user(&user);
            verifiers.into_iter().for_each(|verifier| known.put(&user, verifier));
        }
        self.append(&TopicName::new(TOPIC), PartitionId(0), records).await?;
        self.kept_users.publish(known);
        Ok(())
    }
}

impl Users for External {
    fn change_users(&self, changes: Vec<UserChange>) -> BoxFuture<'_, Result<(), ClusterError>> {
        Box::pin(async move {
            let hash = |changes: Vec<UserChange>| {
                let with = changes.into_iter().filter_map(|change| Some((change.user, change.password?)));
                with.map(|(user, password)| (user, verifiers_of(&password).to_vec())).collect()
            };
            let users = blocking(move || hash(changes)).await?;
            self.keep_users(users).await
        })
    }

    fn remove_users(&self, users: Vec<String>) -> BoxFuture<'_, Result<(), ClusterError>> {
        Box::pin(self.keep_users(users.into_iter().map(|user| (user, Vec::new())).collect()))
    }

    /// The cluster's quotas are not Headwater's.
    fn set_limits<'a>(&'a self, _: Option<&'a str>, _: Limits) -> BoxFuture<'a, Result<(), ClusterError>> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn password_mark(&self, user: &str) -> Option<Vec<u8>> {
        self.kept_users.known().mark(user)
    }

    fn password_fits<'a>(&'a self, user: &'a str, password: &'a str) -> BoxFuture<'a, Result<bool, ClusterError>> {
        Box::pin(async move {
            let check = PasswordCheck::new(user, password, &self.kept_users.known(), &self.kept_users.secret);
            let _turn = self.kept_users.checks.acquire().await;
            blocking(move || check.run().is_ok()).await
        })
    }
}
