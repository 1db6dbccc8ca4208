//! DeleteAcls (31), versions 1-3 (patterns: KIP-290 in v1, the type USER in v3).
//!
//! What each filter matches goes. A rule that two filters match is named by both, as in Kafka. Gone from the disk before the answer.

use kafka_protocol::messages::DeleteAclsRequest;
use kafka_protocol::messages::delete_acls_response::{DeleteAclsFilterResult, DeleteAclsMatchingAcl, DeleteAclsResponse};

use super::describe_acls::{NOT_AUTHORIZED, WireFilter};
use super::{Access, Api, Context, HangUp, Reply};
use crate::broker::Refused;
use crate::broker::security::Rules;
use crate::model::ErrorCode;
use crate::security::{Acl, AclFilter, Operation};
use crate::wire::convert::text;

pub struct DeleteAcls;

impl Api for DeleteAcls {
    const KEY: i16 = 31;
    const NAME: &'static str = "DeleteAcls";
    const VERSIONS: std::ops::RangeInclusive<i16> = 1..=3;
    const ACCESS: Access = Access::Instructor(ErrorCode::ClusterAuthorizationFailed);
    type Request = DeleteAclsRequest;

    async fn handle(ctx: &Context, version: i16, request: DeleteAclsRequest) -> Result<Reply, HangUp> {
        let mut filters = Vec::with_capacity(request.filters.len());
        for asked in &request.filters {
            let filter = WireFilter {
                resource: asked.resource_type_filter,
                name: &asked.resource_name_filter,
                pattern: asked.pattern_type_filter,
                principal: &asked.principal_filter,
                host: &asked.host_filter,
                operation: asked.operation,
                permission: asked.permission_type,
            };
            filter.refuse_unknown(Self::NAME, version)?;
            filters.push(filter.known());
        }
        let deleted = match ctx.check_cluster(Operation::Alter) {
            Err(error) => Err(Refused::new(error, NOT_AUTHORIZED)),
            Ok(()) => delete(ctx, filters.clone()).await,
        };
        let mut response = DeleteAclsResponse::default();
        response.filter_results = match deleted {
            Err(refused) => filters.iter().map(|_| refusal(&refused)).collect(),
            Ok(deleted) => deleted.into_iter().map(result).collect(),
        };
        ctx.reply(&response)
    }
}

/// What each filter took away; nothing for one that is none.
async fn delete(ctx: &Context, filters: Vec<Option<AclFilter>>) -> Result<Vec<Option<Vec<Acl>>>, Refused> {
    let change = move |rules: &mut Rules| {
        let before = rules.authorizer.acls();
        let matching = |filter: &AclFilter| before.iter().filter(|acl| filter.matches(acl)).cloned().collect();
        let found: Vec<Option<Vec<Acl>>> = filters.iter().map(|filter| filter.as_ref().map(matching)).collect();
        filters.iter().flatten().for_each(|filter| drop(rules.authorizer.remove(filter)));
        found
    };
    ctx.broker.change_rules(change).await
}

fn refusal(refused: &Refused) -> DeleteAclsFilterResult {
    let mut result = DeleteAclsFilterResult::default();
    result.error_code = refused.error.code();
    result.error_message = Some(text(&refused.message));
    result
}

fn result(deleted: Option<Vec<Acl>>) -> DeleteAclsFilterResult {
    let Some(deleted) = deleted else {
        return refusal(&Refused::new(ErrorCode::InvalidRequest, "The filter has a number that means nothing."));
    };
    let mut result = DeleteAclsFilterResult::default();
    result.error_message = None;
    result.matching_acls = deleted.iter().map(matching).collect();
    result
}

fn matching(acl: &Acl) -> DeleteAclsMatchingAcl {
    let mut matching = DeleteAclsMatchingAcl::default();
    matching.error_message = None;
    matching.resource_type = acl.resource.number();
    matching.resource_name = text(&acl.name);
    matching.pattern_type = acl.pattern.number();
    matching.principal = text(&acl.principal);
    matching.host = text(&acl.host);
    matching.operation = acl.operation.number();
    matching.permission_type = acl.permission.number();
    matching
}
