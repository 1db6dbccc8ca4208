//! DescribeUserScramCredentials (50), version 0 (KIP-554).
//!
//! Users with their mechanisms and iterations; nothing of what verifies a password. No user or null asks for all.

use std::collections::BTreeMap;

use kafka_protocol::messages::DescribeUserScramCredentialsRequest;
use kafka_protocol::messages::describe_user_scram_credentials_response::{
    CredentialInfo, DescribeUserScramCredentialsResponse, DescribeUserScramCredentialsResult,
};
use kafka_protocol::protocol::StrBytes;

use super::describe_acls::NOT_AUTHORIZED;
use super::{Access, Api, Context, HangUp, Reply};
use crate::broker::Refused;
use crate::model::ErrorCode;
use crate::security::{Hash, Operation, Verifier};
use crate::wire::convert::text;

pub struct DescribeUserScramCredentials;

impl Api for DescribeUserScramCredentials {
    const KEY: i16 = 50;
    const NAME: &'static str = "DescribeUserScramCredentials";
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=0;
    const ACCESS: Access = Access::Instructor(ErrorCode::ClusterAuthorizationFailed);
    type Request = DescribeUserScramCredentialsRequest;

    async fn handle(ctx: &Context, _version: i16, request: DescribeUserScramCredentialsRequest) -> Result<Reply, HangUp> {
        let mut response = DescribeUserScramCredentialsResponse::default();
        response.error_message = Some(StrBytes::new());
        if let Err(error) = ctx.check_cluster(Operation::Describe) {
            response.error_code = error.code();
            response.error_message = Some(text(NOT_AUTHORIZED));
            return ctx.reply(&response);
        }
        let known = &ctx.rules.credentials;
        let asked = request.users.unwrap_or_default();
        if asked.is_empty() {
            response.results = known.iter().map(|(user, verifiers)| result(user, Ok(verifiers))).collect();
            return ctx.reply(&response);
        }
        let mut times: BTreeMap<&str, usize> = BTreeMap::new();
        for user in &asked {
            *times.entry(user.name.as_str()).or_default() += 1;
        }
        let described = times.into_iter().map(|(user, times)| {
            let outcome = match known.of(user) {
                _ if times > 1 => {
                    let text = format!("Cannot describe SCRAM credentials for the same user twice in a single request: {user}");
                    Err(Refused::new(ErrorCode::DuplicateResource, text))
                }
                [] => {
                    let text = format!("Attempt to describe a user credential that does not exist: {user}");
                    Err(Refused::new(ErrorCode::ResourceNotFound, text))
                }
                verifiers => Ok(verifiers),
            };
            result(user, outcome)
        });
        response.results = described.collect();
        ctx.reply(&response)
    }
}

/// A mechanism's number in these requests.
pub fn number(hash: Hash) -> i8 {
    match hash {
        Hash::Sha256 => 1,
        Hash::Sha512 => 2,
    }
}

fn result(user: &str, outcome: Result<&[Verifier], Refused>) -> DescribeUserScramCredentialsResult {
    let mut result = DescribeUserScramCredentialsResult::default();
    result.user = text(user);
    result.error_message = Some(StrBytes::new());
    match outcome {
        Err(refused) => {
            result.error_code = refused.error.code();
            result.error_message = Some(text(&refused.message));
        }
        Ok(verifiers) => {
            let info = |verifier: &Verifier| {
                let mut info = CredentialInfo::default();
                info.mechanism = number(verifier.hash);
                info.iterations = i32::try_from(verifier.iterations).unwrap_or(i32::MAX);
                info
            };
            result.credential_infos = verifiers.iter().map(info).collect();
        }
    }
    result
}
