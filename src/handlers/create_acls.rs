//! CreateAcls (30), versions 1-3 (patterns: KIP-290 in v1, the type USER in v3).
//!
//! Each rule is taken or refused by itself; those taken are on disk before the answer. A rule that is there already is taken. Unlike
//! Kafka, a principal that nobody can have (another type than `User`, an empty name) is refused, and ANY is an invalid request.

use kafka_protocol::messages::CreateAclsRequest;
use kafka_protocol::messages::create_acls_request::AclCreation;
use kafka_protocol::messages::create_acls_response::{AclCreationResult, CreateAclsResponse};
use kafka_protocol::protocol::StrBytes;

use super::describe_acls::{NOT_AUTHORIZED, refuse_unknown};
use super::{Access, Api, Context, HangUp, Reply};
use crate::broker::Refused;
use crate::model::ErrorCode;
use crate::security::acl::CLUSTER;
use crate::security::{Acl, Operation, PatternType, Permission, Principal, ResourceType};
use crate::wire::convert::{owned, text};

pub struct CreateAcls;

impl Api for CreateAcls {
    const KEY: i16 = 30;
    const NAME: &'static str = "CreateAcls";
    const VERSIONS: std::ops::RangeInclusive<i16> = 1..=3;
    const ACCESS: Access = Access::Instructor(ErrorCode::ClusterAuthorizationFailed);
    type Request = CreateAclsRequest;

    async fn handle(ctx: &Context, version: i16, request: CreateAclsRequest) -> Result<Reply, HangUp> {
        for asked in &request.creations {
            let numbers = [asked.resource_type, asked.resource_pattern_type, asked.operation, asked.permission_type];
            refuse_unknown(Self::NAME, version, numbers)?;
        }
        let allowed = ctx.check_cluster(Operation::Alter).map_err(|error| Refused::new(error, NOT_AUTHORIZED));
        let mut outcomes: Vec<Result<(), Refused>> = Vec::with_capacity(request.creations.len());
        let mut acls = Vec::new();
        for asked in &request.creations {
            let one = allowed.as_ref().map_err(Refused::again).and_then(|()| acl(asked));
            outcomes.push(one.map(|acl| acls.push(acl)));
        }
        if !acls.is_empty()
            && let Err(refused) = ctx.broker.change_rules(|rules| acls.into_iter().for_each(|acl| rules.authorizer.add(acl))).await
        {
            outcomes.iter_mut().filter(|one| one.is_ok()).for_each(|one| *one = Err(refused.again()));
        }
        let mut response = CreateAclsResponse::default();
        response.results = outcomes.into_iter().map(result).collect();
        ctx.reply(&response)
    }
}

fn result(outcome: Result<(), Refused>) -> AclCreationResult {
    let mut result = AclCreationResult::default();
    result.error_message = Some(StrBytes::new());
    if let Err(refused) = outcome {
        result.error_code = refused.error.code();
        result.error_message = Some(text(&refused.message));
    }
    result
}

fn acl(asked: &AclCreation) -> Result<Acl, Refused> {
    let invalid = |message: String| Refused::new(ErrorCode::InvalidRequest, message);
    let number = |what: &str, number: i8| {
        let shown = if number == 1 {
            "ANY".to_owned()
        } else if number == 2 {
            "MATCH".to_owned()
        } else {
            "UNKNOWN".to_owned()
        };
        invalid(format!("Invalid {what} {shown}"))
    };
    if asked.resource_type == ResourceType::Cluster.number() && asked.resource_name.as_str() != CLUSTER {
        return Err(invalid(format!("The only valid name for the CLUSTER resource is {CLUSTER}")));
    }
    if asked.resource_name.is_empty() {
        return Err(invalid("Invalid empty resource name".to_owned()));
    }
    let acl = Acl {
        resource: ResourceType::from_number(asked.resource_type).ok_or_else(|| number("resourceType", asked.resource_type))?,
        name: owned(&asked.resource_name),
        pattern: PatternType::from_number(asked.resource_pattern_type).ok_or_else(|| number("patternType", asked.resource_pattern_type))?,
        principal: owned(&asked.principal),
        host: owned(&asked.host),
        operation: Operation::from_number(asked.operation).ok_or_else(|| number("operation", asked.operation))?,
        permission: Permission::from_number(asked.permission_type).ok_or_else(|| number("permissionType", asked.permission_type))?,
    };
    if Principal::parse(&acl.principal).is_none() {
        let text = format!("Could not parse principal from `{}`: it is User: and a name, or User:* for everybody", acl.principal);
        return Err(invalid(text));
    }
    Ok(acl)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(resource_type: i8, name: &'static str, principal: &'static str) -> AclCreation {
        let mut asked = AclCreation::default();
        asked.resource_type = resource_type;
        asked.resource_name = StrBytes::from_static_str(name);
        asked.resource_pattern_type = 3;
        asked.principal = StrBytes::from_static_str(principal);
        asked.host = StrBytes::from_static_str("*");
        asked.operation = 3;
        asked.permission_type = 3;
        asked
    }

    #[test]
    fn a_rule_names_one_resource_and_a_user_that_can_be() {
        assert_eq!(acl(&asked(2, "orders", "User:ada")).unwrap().principal, "User:ada");
        assert!(acl(&asked(2, "*", "User:*")).is_ok() && acl(&asked(4, CLUSTER, "User:ada")).is_ok());
        let bad =
            [(1, "orders", "User:ada"), (2, "", "User:ada"), (4, "other", "User:ada"), (2, "orders", "ada"), (2, "orders", "Group:x")];
        for (kind, name, principal) in bad {
            assert_eq!(acl(&asked(kind, name, principal)).unwrap_err().error, ErrorCode::InvalidRequest, "{kind} {name} {principal}");
        }
        let mut any = asked(2, "orders", "User:ada");
        any.operation = 1;
        assert_eq!(acl(&any).unwrap_err().message, "Invalid operation ANY");
    }
}
