//! Who may do what: Kafka's ACLs, and the question that each request asks.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::principal::Principal;

/// The numbers are the protocol's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ResourceType {
    Topic = 2,
    Group = 3,
    Cluster = 4,
    TransactionalId = 5,
    DelegationToken = 6,
    User = 7,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum PatternType {
    Literal = 3,
    Prefixed = 4,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Operation {
    All = 2,
    Read = 3,
    Write = 4,
    Create = 5,
    Delete = 6,
    Alter = 7,
    Describe = 8,
    ClusterAction = 9,
    DescribeConfigs = 10,
    AlterConfigs = 11,
    IdempotentWrite = 12,
    CreateTokens = 13,
    DescribeTokens = 14,
    TwoPhaseCommit = 15,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Permission {
    Deny = 2,
    Allow = 3,
}

/// Gives a protocol enum its way back from a number.
macro_rules! numbered {
    ($type:ident: $($variant:ident),+) => {
        impl $type {
            pub const ALL_OF_THEM: &[$type] = &[$($type::$variant),+];

            pub fn number(self) -> i8 {
                self as i8
            }

            pub fn from_number(number: i8) -> Option<$type> {
                $type::ALL_OF_THEM.iter().copied().find(|known| known.number() == number)
            }
        }
    };
}

numbered!(ResourceType: Topic, Group, Cluster, TransactionalId, DelegationToken, User);
numbered!(PatternType: Literal, Prefixed);
numbered!(Operation: All, Read, Write, Create, Delete, Alter, Describe, ClusterAction, DescribeConfigs, AlterConfigs, IdempotentWrite,
    CreateTokens, DescribeTokens, TwoPhaseCommit);
numbered!(Permission: Deny, Allow);

/// The one name that the cluster has as a resource.
pub const CLUSTER: &str = "kafka-cluster";

/// Every resource of a type, as a literal name.
const ANY: &str = "*";

/// One thing that is asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resource<'a> {
    pub kind: ResourceType,
    pub name: &'a str,
}

impl<'a> Resource<'a> {
    pub fn topic(name: &'a str) -> Resource<'a> {
        Resource { kind: ResourceType::Topic, name }
    }

    pub fn group(name: &'a str) -> Resource<'a> {
        Resource { kind: ResourceType::Group, name }
    }

    pub fn transactional_id(name: &'a str) -> Resource<'a> {
        Resource { kind: ResourceType::TransactionalId, name }
    }

    pub fn user(name: &'a str) -> Resource<'a> {
        Resource { kind: ResourceType::User, name }
    }
}

impl Resource<'static> {
    pub const CLUSTER: Resource<'static> = Resource { kind: ResourceType::Cluster, name: CLUSTER };
}

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Acl {
    pub resource: ResourceType,
    pub name: String,
    pub pattern: PatternType,
    /// `User:name`, or `User:*` for everyone.
    pub principal: String,
    /// An address, or `*`.
    pub host: String,
    pub operation: Operation,
    pub permission: Permission,
}

impl Acl {
    fn covers(&self, principal: &Principal, host: &str, resource: Resource<'_>) -> bool {
        let named = match self.pattern {
            PatternType::Literal => self.name == resource.name || self.name == ANY,
            PatternType::Prefixed => resource.name.starts_with(&self.name),
        };
        let whom = self.principal.strip_prefix("User:").is_some_and(|name| name == ANY || name == principal.name());
        self.resource == resource.kind && named && whom && (self.host == ANY || self.host == host)
    }
}

/// What an admin client looks for; what is `None` matches all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AclFilter {
    pub resource: Option<ResourceType>,
    pub name: Option<String>,
    pub pattern: PatternFilter,
    pub principal: Option<String>,
    pub host: Option<String>,
    pub operation: Option<Operation>,
    pub permission: Option<Permission>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PatternFilter {
    #[default]
    Any,
    /// Every rule that covers the name.
    Match,
    Exactly(PatternType),
}

impl AclFilter {
    pub fn matches(&self, acl: &Acl) -> bool {
        fn fits<T: PartialEq>(wanted: &Option<T>, is: &T) -> bool {
            wanted.as_ref().is_none_or(|wanted| wanted == is)
        }
        let named = match (&self.name, self.pattern) {
            (name, PatternFilter::Any) => fits(name, &acl.name),
            (name, PatternFilter::Exactly(pattern)) => fits(name, &acl.name) && pattern == acl.pattern,
            (None, PatternFilter::Match) => true,
            (Some(name), PatternFilter::Match) => match acl.pattern {
                PatternType::Literal => acl.name == *name || acl.name == ANY,
                PatternType::Prefixed => name.starts_with(&acl.name),
            },
        };
        named
            && fits(&self.resource, &acl.resource)
            && fits(&self.principal, &acl.principal)
            && fits(&self.host, &acl.host)
            && fits(&self.operation, &acl.operation)
            && fits(&self.permission, &acl.permission)
    }
}

/// Answers who may do what. Nothing is allowed that no rule allows.
#[derive(Clone, Debug, Default)]
pub struct Authorizer {
    acls: Vec<Acl>,
    /// The same rules by the user they are about: a class has thousands, and each request asks.
    by_user: HashMap<String, Vec<Acl>>,
    /// Principals that may do everything.
    superusers: Vec<Principal>,
}

impl Authorizer {
    pub fn new(acls: Vec<Acl>, superusers: Vec<Principal>) -> Authorizer {
        let mut authorizer = Authorizer { superusers, ..Authorizer::default() };
        acls.into_iter().for_each(|acl| authorizer.add(acl));
        authorizer
    }

    pub fn is_superuser(&self, principal: &Principal) -> bool {
        self.superusers.contains(principal)
    }

    /// A rule that denies beats every rule that allows.
    pub fn allows(&self, principal: &Principal, host: &str, operation: Operation, resource: Resource<'_>) -> bool {
        if self.is_superuser(principal) {
            return true;
        }
        let covering = || self.of(principal).filter(|acl| acl.covers(principal, host, resource));
        let denied =
            covering().any(|acl| acl.permission == Permission::Deny && (acl.operation == Operation::All || acl.operation == operation));
        !denied && covering().any(|acl| acl.permission == Permission::Allow && implies(acl.operation, operation))
    }

    /// Whether there is any resource of a type on which it may do this.
    pub fn allows_on_any(&self, principal: &Principal, host: &str, operation: Operation, kind: ResourceType) -> bool {
        if self.is_superuser(principal) {
            return true;
        }
        self.of(principal).filter(|acl| acl.resource == kind && acl.permission == Permission::Allow).any(|acl| {
            let resource = Resource { kind, name: &acl.name };
            acl.covers(principal, host, resource) && implies(acl.operation, operation) && self.allows(principal, host, operation, resource)
        })
    }

    /// The rules that may be about somebody.
    fn of(&self, principal: &Principal) -> impl Iterator<Item = &Acl> {
        let named = |name: &str| self.by_user.get(name).into_iter().flatten();
        named(principal.name()).chain(named(ANY))
    }

    pub fn add(&mut self, acl: Acl) {
        match Principal::parse(&acl.principal) {
            // A user has few rules, a class thousands.
            Some(user) => {
                let of_user = self.by_user.entry(user.name().to_owned()).or_default();
                if of_user.contains(&acl) {
                    return;
                }
                of_user.push(acl.clone());
            }
            None if self.acls.contains(&acl) => return,
            None => {}
        }
        self.acls.push(acl);
    }

    /// Takes away what the filter matches, and gives it back.
    pub fn remove(&mut self, filter: &AclFilter) -> Vec<Acl> {
        let (gone, kept): (Vec<Acl>, Vec<Acl>) = std::mem::take(&mut self.acls).into_iter().partition(|acl| filter.matches(acl));
        *self = Authorizer::new(kept, std::mem::take(&mut self.superusers));
        gone
    }

    /// Whether any rule names this user.
    pub fn has_rules_for(&self, user: &str) -> bool {
        self.by_user.contains_key(user)
    }

    pub fn acls(&self) -> &[Acl] {
        &self.acls
    }
}

/// Who may read, write, delete or alter may look; who may alter configs may look at them.
fn implies(allowed: Operation, asked: Operation) -> bool {
    use Operation::{All, Alter, AlterConfigs, Delete, Describe, DescribeConfigs, Read, Write};
    allowed == asked
        || allowed == All
        || asked == Describe && matches!(allowed, Read | Write | Delete | Alter)
        || asked == DescribeConfigs && allowed == AlterConfigs
}

#[cfg(test)]
mod tests {
    use super::*;

    fn acl(pattern: PatternType, name: &str, principal: &str, operation: Operation, permission: Permission) -> Acl {
        Acl {
            resource: ResourceType::Topic,
            name: name.to_owned(),
            pattern,
            principal: format!("User:{principal}"),
            host: ANY.to_owned(),
            operation,
            permission,
        }
    }

    fn may(authorizer: &Authorizer, who: &str, operation: Operation, topic: &str) -> bool {
        authorizer.allows(&Principal::user(who), "127.0.0.1", operation, Resource::topic(topic))
    }

    #[test]
    fn nothing_is_allowed_that_no_rule_allows_and_denial_wins() {
        use Operation::{All, Create, Describe, Read, Write};
        use Permission::{Allow, Deny};
        let rules = vec![
            acl(PatternType::Literal, "orders", "ada", Read, Allow),
            acl(PatternType::Prefixed, "ws.otter.", "otter", All, Allow),
            acl(PatternType::Literal, "ws.otter.secret", "otter", Write, Deny),
            acl(PatternType::Literal, "*", "*", Describe, Allow),
        ];
        let authorizer = Authorizer::new(rules, vec![Principal::user("root")]);
        assert!(may(&authorizer, "ada", Read, "orders") && may(&authorizer, "ada", Describe, "orders"));
        assert!(!may(&authorizer, "ada", Write, "orders") && !may(&authorizer, "eve", Read, "orders"));
        assert!(may(&authorizer, "otter", Create, "ws.otter.c02") && !may(&authorizer, "otter", Create, "ws.otter"));
        assert!(!may(&authorizer, "otter", Write, "ws.otter.secret") && may(&authorizer, "otter", Read, "ws.otter.secret"));
        assert!(may(&authorizer, "eve", Describe, "anything") && !may(&authorizer, "eve", Read, "ws.otter.c02"));
        assert!(may(&authorizer, "root", Write, "ws.otter.secret"));
        let any = |who: &str, operation| authorizer.allows_on_any(&Principal::user(who), "h", operation, ResourceType::Topic);
        assert!(any("otter", Write) && !any("ada", Write));
    }

    #[test]
    fn a_rule_for_one_host_is_for_that_host() {
        let mut rule = acl(PatternType::Literal, "orders", "ada", Operation::Read, Permission::Allow);
        rule.host = "10.0.0.7".to_owned();
        let authorizer = Authorizer::new(vec![rule], Vec::new());
        let from = |host| authorizer.allows(&Principal::user("ada"), host, Operation::Read, Resource::topic("orders"));
        assert!(from("10.0.0.7") && !from("10.0.0.8"));
    }

    #[test]
    fn filters_find_and_remove_rules() {
        let rules = [
            acl(PatternType::Literal, "orders", "ada", Operation::Read, Permission::Allow),
            acl(PatternType::Prefixed, "ord", "ada", Operation::Write, Permission::Allow),
            acl(PatternType::Literal, "*", "bob", Operation::Read, Permission::Allow),
        ];
        let mut authorizer = Authorizer::new(rules.to_vec(), Vec::new());
        let count = |filter: AclFilter| rules.iter().filter(|acl| filter.matches(acl)).count();
        let named = |pattern| AclFilter { name: Some("orders".to_owned()), pattern, ..AclFilter::default() };
        assert_eq!(count(AclFilter::default()), 3);
        assert_eq!(count(named(PatternFilter::Match)), 3);
        assert_eq!(count(named(PatternFilter::Any)), 1);
        assert_eq!(count(named(PatternFilter::Exactly(PatternType::Prefixed))), 0);
        let gone = authorizer.remove(&AclFilter { principal: Some("User:ada".to_owned()), ..AclFilter::default() });
        assert_eq!((gone.len(), authorizer.acls().len()), (2, 1));
        authorizer.add(rules[2].clone());
        assert_eq!(authorizer.acls().len(), 1);
    }

    #[test]
    fn numbers_are_the_protocols_both_ways() {
        assert_eq!(Operation::from_number(12), Some(Operation::IdempotentWrite));
        assert_eq!((ResourceType::from_number(2), PatternType::from_number(4)), (Some(ResourceType::Topic), Some(PatternType::Prefixed)));
        assert_eq!((Operation::from_number(1), Permission::from_number(0), ResourceType::from_number(99)), (None, None, None));
    }
}
