//! Who may ask what. Each API says so in one word, from which the table of keys and roles is made; the checks themselves stand in the
//! handlers, on the resource that each of them names.

use super::Context;
use crate::model::ErrorCode;
use crate::security::{Operation, Resource, ResourceType};

/// Who is served by an API. Where it is about a resource, the answer to others is the error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Also before the login.
    BeforeLogin,
    /// Whoever is logged in; the answer shows what they may see.
    LoggedIn,
    /// Who has the right to the resource.
    Owner(ErrorCode),
    /// Who has rights on the cluster itself: the instructor.
    Instructor(ErrorCode),
}

/// ALTER, ALTER_CONFIGS, CLUSTER_ACTION, CREATE, DESCRIBE, DESCRIBE_CONFIGS, IDEMPOTENT_WRITE.
const CLUSTER_OPERATIONS: &[Operation] = &[
    Operation::Create,
    Operation::Alter,
    Operation::Describe,
    Operation::ClusterAction,
    Operation::DescribeConfigs,
    Operation::AlterConfigs,
    Operation::IdempotentWrite,
];
/// ALTER, ALTER_CONFIGS, CREATE, DELETE, DESCRIBE, DESCRIBE_CONFIGS, READ, WRITE.
const TOPIC_OPERATIONS: &[Operation] = &[
    Operation::Read,
    Operation::Write,
    Operation::Create,
    Operation::Delete,
    Operation::Alter,
    Operation::Describe,
    Operation::DescribeConfigs,
    Operation::AlterConfigs,
];
/// DELETE, DESCRIBE, DESCRIBE_CONFIGS, ALTER_CONFIGS, READ.
const GROUP_OPERATIONS: &[Operation] =
    &[Operation::Read, Operation::Delete, Operation::Describe, Operation::DescribeConfigs, Operation::AlterConfigs];
/// The bit field's value when operations were not asked for.
pub const OPERATIONS_OMITTED: i32 = i32::MIN;

impl Context {
    pub fn check_topic(&self, operation: Operation, name: &str) -> Result<(), ErrorCode> {
        if self.allowed(operation, Resource::topic(name)) { Ok(()) } else { Err(ErrorCode::TopicAuthorizationFailed) }
    }

    pub fn check_group(&self, operation: Operation, name: &str) -> Result<(), ErrorCode> {
        if self.allowed(operation, Resource::group(name)) { Ok(()) } else { Err(ErrorCode::GroupAuthorizationFailed) }
    }

    pub fn check_cluster(&self, operation: Operation) -> Result<(), ErrorCode> {
        if self.allowed(operation, Resource::CLUSTER) { Ok(()) } else { Err(ErrorCode::ClusterAuthorizationFailed) }
    }

    /// Whether the topic may be created: by a right on the cluster or on its name.
    pub fn check_creation(&self, name: &str) -> Result<(), ErrorCode> {
        if self.may(Operation::Create, Resource::CLUSTER) { Ok(()) } else { self.check_topic(Operation::Create, name) }
    }

    /// The operations that who asks may do, as a bit field (KIP-430).
    pub fn operations(&self, resource: Resource<'_>) -> i32 {
        let all = match resource.kind {
            ResourceType::Topic => TOPIC_OPERATIONS,
            ResourceType::Group => GROUP_OPERATIONS,
            _ => CLUSTER_OPERATIONS,
        };
        let allowed = all.iter().filter(|operation| self.may(**operation, resource));
        allowed.fold(0, |bits, operation| bits | 1 << operation.number())
    }
}
