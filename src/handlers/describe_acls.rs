//! DescribeAcls (29), versions 1-3 (patterns: KIP-290 in v1, the type USER in v3).
//!
//! A filter with an UNKNOWN in it closes the connection, as in Kafka; a number that nobody knows matches nothing.

use std::collections::BTreeMap;

use kafka_protocol::messages::DescribeAclsRequest;
use kafka_protocol::messages::describe_acls_response::{AclDescription, DescribeAclsResource, DescribeAclsResponse};
use kafka_protocol::protocol::StrBytes;

use super::{Access, Api, Context, HangUp, Reply};
use crate::model::ErrorCode;
use crate::security::acl::PatternFilter;
use crate::security::{Acl, AclFilter, Operation, PatternType, Permission, ResourceType};
use crate::wire::WireError;
use crate::wire::convert::{optional_owned, text};

pub struct DescribeAcls;

pub const UNKNOWN: i8 = 0;
const ANY: i8 = 1;
const MATCH: i8 = 2;

/// Said to who has no right on the cluster.
pub const NOT_AUTHORIZED: &str = "Cluster authorization failed.";

impl Api for DescribeAcls {
    const KEY: i16 = 29;
    const NAME: &'static str = "DescribeAcls";
    const VERSIONS: std::ops::RangeInclusive<i16> = 1..=3;
    const ACCESS: Access = Access::Instructor(ErrorCode::ClusterAuthorizationFailed);
    type Request = DescribeAclsRequest;

    async fn handle(ctx: &Context, version: i16, request: DescribeAclsRequest) -> Result<Reply, HangUp> {
        let filter = WireFilter {
            resource: request.resource_type_filter,
            name: &request.resource_name_filter,
            pattern: request.pattern_type_filter,
            principal: &request.principal_filter,
            host: &request.host_filter,
            operation: request.operation,
            permission: request.permission_type,
        };
        filter.refuse_unknown(Self::NAME, version)?;
        let mut response = DescribeAclsResponse::default();
        response.error_message = Some(StrBytes::new());
        if let Err(error) = ctx.check_cluster(Operation::Describe) {
            response.error_code = error.code();
            response.error_message = Some(text(NOT_AUTHORIZED));
            return ctx.reply(&response);
        }
        // What no rule can be matches none.
        if let Some(filter) = filter.known() {
            response.resources = by_resource(ctx.rules.authorizer.acls().iter().filter(|acl| filter.matches(acl)));
        }
        ctx.reply(&response)
    }
}

fn by_resource<'a>(acls: impl Iterator<Item = &'a Acl>) -> Vec<DescribeAclsResource> {
    let mut resources: BTreeMap<(ResourceType, &str, PatternType), Vec<AclDescription>> = BTreeMap::new();
    for acl in acls {
        let mut description = AclDescription::default();
        description.principal = text(&acl.principal);
        description.host = text(&acl.host);
        description.operation = acl.operation.number();
        description.permission_type = acl.permission.number();
        resources.entry((acl.resource, &acl.name, acl.pattern)).or_default().push(description);
    }
    let described = resources.into_iter().map(|((resource, name, pattern), acls)| {
        let mut described = DescribeAclsResource::default();
        described.resource_type = resource.number();
        described.resource_name = text(name);
        described.pattern_type = pattern.number();
        described.acls = acls;
        described
    });
    described.collect()
}

/// A filter as it came.
pub struct WireFilter<'a> {
    pub resource: i8,
    pub name: &'a Option<StrBytes>,
    pub pattern: i8,
    pub principal: &'a Option<StrBytes>,
    pub host: &'a Option<StrBytes>,
    pub operation: i8,
    pub permission: i8,
}

impl WireFilter<'_> {
    pub fn refuse_unknown(&self, api: &'static str, version: i16) -> Result<(), HangUp> {
        refuse_unknown(api, version, [self.resource, self.pattern, self.operation, self.permission])
    }

    /// None if one of its numbers has no meaning.
    pub fn known(&self) -> Option<AclFilter> {
        fn some<T>(number: i8, from: impl Fn(i8) -> Option<T>) -> Option<Option<T>> {
            if number == ANY { Some(None) } else { from(number).map(Some) }
        }
        Some(AclFilter {
            resource: some(self.resource, ResourceType::from_number)?,
            name: optional_owned(self.name),
            pattern: match self.pattern {
                ANY => PatternFilter::Any,
                MATCH => PatternFilter::Match,
                number => PatternFilter::Exactly(PatternType::from_number(number)?),
            },
            principal: optional_owned(self.principal),
            host: optional_owned(self.host),
            operation: some(self.operation, Operation::from_number)?,
            permission: some(self.permission, Permission::from_number)?,
        })
    }
}

/// No client sends UNKNOWN: it stands for what the client itself could not read.
pub fn refuse_unknown(api: &'static str, version: i16, numbers: [i8; 4]) -> Result<(), HangUp> {
    if numbers.contains(&UNKNOWN) {
        return Err(HangUp::Wire(WireError::Decode { api, version, reason: "an ACL with an UNKNOWN part".to_owned() }));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_says_any_by_one_and_a_number_without_meaning_is_no_filter() {
        let filter = |resource, pattern, operation, permission| {
            WireFilter { resource, name: &None, pattern, principal: &None, host: &None, operation, permission }.known()
        };
        assert_eq!(filter(ANY, ANY, ANY, ANY), Some(AclFilter::default()));
        let found = filter(2, MATCH, 3, 3).unwrap();
        assert_eq!((found.resource, found.pattern), (Some(ResourceType::Topic), PatternFilter::Match));
        assert!([filter(77, 1, 1, 1), filter(1, 77, 1, 1), filter(1, 1, 77, 1), filter(1, 1, 1, 77)].iter().all(Option::is_none));
        assert!(refuse_unknown("DescribeAcls", 1, [1, 1, 1, 0]).is_err() && refuse_unknown("DescribeAcls", 1, [1, 1, 1, 77]).is_ok());
    }
}
