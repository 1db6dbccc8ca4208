//! Users of the broker in this process: rights become ACLs, limits quotas, passwords verifiers.

use std::io;
use std::sync::Arc;

use super::embedded::blocking;
use super::{BoxFuture, ClusterError, Embedded, Limits, Rights, UserChange, Users};
use crate::broker::security::{Rules, verifiers_of};
use crate::model::ErrorCode;
use crate::security::acl::{AclFilter, CLUSTER};
use crate::security::quota::{Named, QuotaEntity, QuotaKey};
use crate::security::{Acl, Operation, PatternType, Permission, Principal, ResourceType, Verifier};

const HASHING_THREADS: usize = 2;

impl Users for Embedded {
    fn change_users(&self, changes: Vec<UserChange>) -> BoxFuture<'_, Result<(), ClusterError>> {
        let security = Arc::clone(&self.broker.security);
        Box::pin(async move {
            // The costly part, before anything is locked. On two threads: the others are for those who wait for the disk.
            let passwords: Vec<Option<String>> = changes.iter().map(|change| change.password.clone()).collect();
            let share = passwords.len().div_ceil(HASHING_THREADS).max(1);
            let hash = |part: &[Option<String>]| {
                let part = part.to_vec();
                tokio::task::spawn_blocking(move || part.iter().map(|p| p.as_deref().map(verifiers_of)).collect::<Vec<_>>())
            };
            let hashing: Vec<_> = passwords.chunks(share).map(hash).collect();
            let mut hashed = Vec::with_capacity(changes.len());
            for part in hashing {
                hashed.extend(part.await.map_err(|_| failed("a password could not be hashed"))?);
            }
            let write = move || {
                let apply = |rules: &mut Rules| changes.iter().zip(hashed).for_each(|(change, made)| apply(rules, change, made));
                security.change(apply).map_err(unwritten)
            };
            blocking(write).await
        })
    }

    fn remove_users(&self, users: Vec<String>) -> BoxFuture<'_, Result<(), ClusterError>> {
        let security = Arc::clone(&self.broker.security);
        users.iter().for_each(|user| self.broker.requests.forget(user));
        let remove = move |rules: &mut Rules| {
            for user in &users {
                rules.credentials.remove_user(user);
                rules.authorizer.remove(&rules_of(user));
                QuotaKey::ALL.into_iter().for_each(|key| rules.quotas.change(&entity(Some(user)), key, None));
            }
        };
        Box::pin(async move { blocking(move || security.change(remove).map_err(unwritten)).await })
    }

    fn set_limits<'a>(&'a self, user: Option<&'a str>, limits: Limits) -> BoxFuture<'a, Result<(), ClusterError>> {
        let (security, entity) = (Arc::clone(&self.broker.security), entity(user));
        let set = move |rules: &mut Rules| {
            rules.quotas.change(&entity, QuotaKey::ProducerByteRate, limits.produced_bytes_per_s);
            rules.quotas.change(&entity, QuotaKey::ConsumerByteRate, limits.fetched_bytes_per_s);
            rules.quotas.change(&entity, QuotaKey::ControllerMutationRate, limits.changes_per_s);
        };
        Box::pin(async move { blocking(move || security.change(set).map_err(unwritten)).await })
    }

    fn password_mark(&self, user: &str) -> Option<Vec<u8>> {
        self.broker.security.rules().credentials.mark(user)
    }

    fn password_fits<'a>(&'a self, user: &'a str, password: &'a str) -> BoxFuture<'a, Result<bool, ClusterError>> {
        Box::pin(async move { Ok(self.broker.security.fits(user, password).await) })
    }
}

fn apply(rules: &mut Rules, change: &UserChange, verifiers: Option<[Verifier; 2]>) {
    for verifier in verifiers.into_iter().flatten() {
        rules.credentials.put(&change.user, verifier);
    }
    if let Some(rights) = &change.rights {
        let wanted = acls(&change.user, rights);
        // To take rules away means to go through everybody's.
        if rules.authorizer.has_rules_for(&change.user) {
            rules.authorizer.remove(&rules_of(&change.user));
        }
        wanted.into_iter().for_each(|acl| rules.authorizer.add(acl));
    }
}

fn unwritten(error: io::Error) -> ClusterError {
    ClusterError { code: ErrorCode::KafkaStorageError, message: format!("the users cannot be written: {error}") }
}

fn failed(what: &str) -> ClusterError {
    ClusterError { code: ErrorCode::UnknownServerError, message: what.to_owned() }
}

fn entity(user: Option<&str>) -> QuotaEntity {
    QuotaEntity { user: Some(Named::of(user)), ..QuotaEntity::default() }
}

fn rules_of(user: &str) -> AclFilter {
    AclFilter { principal: Some(Principal::user(user).to_string()), ..AclFilter::default() }
}

/// The rules that give somebody these rights and no more.
fn acls(user: &str, rights: &Rights) -> Vec<Acl> {
    use Operation::{All, Delete, Describe, DescribeConfigs, IdempotentWrite, Read};
    use PatternType::{Literal, Prefixed};
    use ResourceType::{Cluster, Group, Topic, TransactionalId};
    let mut acls = Vec::new();
    let mut allow = |resource, pattern, names: &[String], operations: &[Operation]| {
        for name in names {
            acls.extend(operations.iter().map(|operation| Acl {
                resource,
                name: name.clone(),
                pattern,
                principal: Principal::user(user).to_string(),
                host: "*".to_owned(),
                operation: *operation,
                permission: Permission::Allow,
            }));
        }
    };
    allow(Topic, Literal, &rights.readable_topics, &[Read, Describe, DescribeConfigs]);
    allow(Topic, Prefixed, &rights.own_topic_prefixes, &[All]);
    allow(Topic, Literal, &rights.own_topics, &[All]);
    allow(Group, Prefixed, &rights.own_group_prefixes, &[Read, Describe, Delete]);
    allow(Group, Prefixed, &rights.usable_group_prefixes, &[Read, Describe]);
    allow(TransactionalId, Prefixed, &rights.transactional_id_prefixes, &[All]);
    // Not Describe: that would show everybody's rules, groups and topics.
    allow(Cluster, Literal, &[CLUSTER.to_owned()], &[IdempotentWrite]);
    acls
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::security::{Authorizer, Resource};

    #[test]
    fn rights_allow_what_they_say_and_nothing_else() {
        let rights = Rights {
            readable_topics: vec!["stream".to_owned()],
            own_topic_prefixes: vec!["ws.otter.".to_owned()],
            own_topics: vec!["results.otter".to_owned()],
            own_group_prefixes: vec!["otter".to_owned()],
            usable_group_prefixes: vec!["console-".to_owned()],
            transactional_id_prefixes: vec!["otter".to_owned()],
        };
        let authorizer = Authorizer::new(acls("otter", &rights), Vec::new());
        let otter = Principal::user("otter");
        let may = |operation, resource| authorizer.allows(&otter, "h", operation, resource);
        use Operation::{Alter, AlterConfigs, Create, Delete, Describe, DescribeConfigs, IdempotentWrite, Read, Write};
        for operation in [Read, Describe, DescribeConfigs] {
            assert!(may(operation, Resource::topic("stream")) && !may(operation, Resource::topic("stream2")), "{operation:?}");
        }
        for operation in [Write, Create, Delete, Alter, AlterConfigs] {
            assert!(!may(operation, Resource::topic("stream")), "{operation:?}");
            assert!(may(operation, Resource::topic("ws.otter.c02")) && may(operation, Resource::topic("results.otter")), "{operation:?}");
            assert!(!may(operation, Resource::topic("ws.otterly.x")) && !may(operation, Resource::topic("results.otter2")));
        }
        assert!(may(Read, Resource::group("otter-1")) && may(Delete, Resource::group("otter-1")) && !may(Read, Resource::group("eve")));
        assert!(may(Read, Resource::group("console-9")) && !may(Delete, Resource::group("console-9")));
        assert!(may(Write, Resource::transactional_id("otter-t")) && !may(Write, Resource::transactional_id("eve")));
        assert!(may(IdempotentWrite, Resource::CLUSTER) && !may(Describe, Resource::CLUSTER) && !may(Alter, Resource::CLUSTER));
        assert!(!may(Alter, Resource::user("otter")));
        assert!(!authorizer.allows(&Principal::user("eve"), "h", Read, Resource::topic("stream")));
    }
}
