//! AlterUserScramCredentials (51), version 0 (KIP-554).
//!
//! The password never arrives: the client sends what SCRAM derives of it. A user is changed once in a request. On disk before the
//! answer. The instructor's password is changed by the instructor only, and never taken away: nobody could administer the broker then.

use std::collections::BTreeMap;

use kafka_protocol::messages::AlterUserScramCredentialsRequest;
use kafka_protocol::messages::alter_user_scram_credentials_request::{ScramCredentialDeletion, ScramCredentialUpsertion};
use kafka_protocol::messages::alter_user_scram_credentials_response::{AlterUserScramCredentialsResponse, AlterUserScramCredentialsResult};
use kafka_protocol::protocol::StrBytes;

use super::describe_acls::NOT_AUTHORIZED;
use super::describe_user_scram_credentials::number;
use super::{Access, Api, Context, HangUp, Reply};
use crate::broker::Refused;
use crate::broker::security::{INSTRUCTOR, Rules};
use crate::model::ErrorCode;
use crate::security::credentials::{ITERATIONS_MAX, ITERATIONS_MIN, SALT_BYTES_MAX};
use crate::security::{Hash, Operation, Verifier};
use crate::wire::convert::text;

pub struct AlterUserScramCredentials;

/// What is done to a user.
enum Change {
    Delete(Hash),
    Put(Verifier),
}

impl Api for AlterUserScramCredentials {
    const KEY: i16 = 51;
    const NAME: &'static str = "AlterUserScramCredentials";
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=0;
    const ACCESS: Access = Access::Instructor(ErrorCode::ClusterAuthorizationFailed);
    type Request = AlterUserScramCredentialsRequest;

    async fn handle(ctx: &Context, _version: i16, request: AlterUserScramCredentialsRequest) -> Result<Reply, HangUp> {
        let mut named: BTreeMap<StrBytes, Vec<Result<Change, Refused>>> = BTreeMap::new();
        for asked in &request.deletions {
            named.entry(asked.name.clone()).or_default().push(deletion(asked));
        }
        for asked in &request.upsertions {
            named.entry(asked.name.clone()).or_default().push(upsertion(asked));
        }
        let mut outcomes: BTreeMap<StrBytes, Result<(), Refused>> = BTreeMap::new();
        let mut changes: Vec<(String, Change)> = Vec::new();
        for (user, asked) in named {
            let outcome = check(ctx, &user, asked).map(|change| changes.push((user.as_str().to_owned(), change)));
            outcomes.insert(user, outcome);
        }
        let changed: Vec<String> = changes.iter().map(|(user, _)| user.clone()).collect();
        if !changes.is_empty() {
            let applied = ctx.broker.change_rules(|rules| changes.into_iter().map(|(user, change)| apply(rules, &user, change)).collect());
            let applied: Result<Vec<_>, Refused> = applied.await;
            for (user, at) in changed.iter().zip(0..) {
                let one = match &applied {
                    Err(refused) => Err(refused.again()),
                    Ok(each) => each.get(at).map_or(Ok(()), |one: &Result<(), Refused>| one.as_ref().copied().map_err(Refused::again)),
                };
                outcomes.insert(text(user), one);
            }
        }
        let mut response = AlterUserScramCredentialsResponse::default();
        response.results = outcomes.into_iter().map(|(user, outcome)| result(user, outcome)).collect();
        ctx.reply(&response)
    }
}

/// The one thing that is asked of a user, if it may be done.
fn check(ctx: &Context, user: &str, asked: Vec<Result<Change, Refused>>) -> Result<Change, Refused> {
    ctx.check_cluster(Operation::Alter).map_err(|error| Refused::new(error, NOT_AUTHORIZED))?;
    let mut asked = asked.into_iter();
    let (Some(change), None) = (asked.next(), asked.next()) else {
        return Err(Refused::new(ErrorCode::DuplicateResource, "A user credential cannot be altered twice in the same request"));
    };
    let change = change?;
    if user == INSTRUCTOR {
        if !ctx.principal.as_ref().is_some_and(|principal| ctx.rules.authorizer.is_superuser(principal)) {
            return Err(Refused::new(ErrorCode::ClusterAuthorizationFailed, "Only the instructor changes the instructor's password."));
        }
        if matches!(change, Change::Delete(_)) {
            let text = "The instructor's credential cannot be deleted: nobody could administer this broker then. Give it a new password.";
            return Err(Refused::new(ErrorCode::UnacceptableCredential, text));
        }
    }
    Ok(change)
}

fn apply(rules: &mut Rules, user: &str, change: Change) -> Result<(), Refused> {
    match change {
        Change::Put(verifier) => rules.credentials.put(user, verifier),
        Change::Delete(hash) if rules.credentials.remove(user, hash) => {}
        Change::Delete(_) => {
            return Err(Refused::new(ErrorCode::ResourceNotFound, "Attempt to delete a user credential that does not exist"));
        }
    }
    Ok(())
}

/// What both have to say of user and mechanism.
fn mechanism(user: &str, mechanism: i8) -> Result<Hash, Refused> {
    if user.is_empty() {
        return Err(Refused::new(ErrorCode::UnacceptableCredential, "Username must not be empty"));
    }
    let unknown = || Refused::new(ErrorCode::UnsupportedSaslMechanism, "Unknown SCRAM mechanism");
    Hash::ALL.into_iter().find(|hash| number(*hash) == mechanism).ok_or_else(unknown)
}

fn deletion(asked: &ScramCredentialDeletion) -> Result<Change, Refused> {
    mechanism(&asked.name, asked.mechanism).map(Change::Delete)
}

fn upsertion(asked: &ScramCredentialUpsertion) -> Result<Change, Refused> {
    let hash = mechanism(&asked.name, asked.mechanism)?;
    let unacceptable = |text: String| Refused::new(ErrorCode::UnacceptableCredential, text);
    let iterations = u32::try_from(asked.iterations).unwrap_or(0);
    if iterations < ITERATIONS_MIN {
        return Err(unacceptable("Too few iterations".to_owned()));
    }
    if iterations > ITERATIONS_MAX {
        return Err(unacceptable("Too many iterations".to_owned()));
    }
    if asked.salted_password.len() != hash.len() {
        let (have, want) = (asked.salted_password.len(), hash.len());
        return Err(unacceptable(format!("The salted password has {have} bytes where this mechanism makes {want}")));
    }
    if asked.salt.is_empty() || asked.salt.len() > SALT_BYTES_MAX {
        return Err(unacceptable(format!("A salt has 1 to {SALT_BYTES_MAX} bytes")));
    }
    Ok(Change::Put(Verifier::of_salted_password(hash, &asked.salted_password, asked.salt.to_vec(), iterations)))
}

fn result(user: StrBytes, outcome: Result<(), Refused>) -> AlterUserScramCredentialsResult {
    let mut result = AlterUserScramCredentialsResult::default();
    result.user = user;
    result.error_message = None;
    if let Err(refused) = outcome {
        result.error_code = refused.error.code();
        result.error_message = Some(text(&refused.message));
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn asked(mechanism: i8, iterations: i32, salted: &[u8]) -> ScramCredentialUpsertion {
        let mut asked = ScramCredentialUpsertion::default();
        asked.name = StrBytes::from_static_str("ada");
        (asked.mechanism, asked.iterations) = (mechanism, iterations);
        (asked.salt, asked.salted_password) = (Bytes::from_static(b"salt"), Bytes::copy_from_slice(salted));
        asked
    }

    #[test]
    fn what_a_client_derives_of_a_password_verifies_that_password() {
        let salted = Hash::Sha512.salted_password(b"pencil", b"salt", 4096);
        let Ok(Change::Put(verifier)) = upsertion(&asked(2, 4096, &salted)) else { panic!("refused") };
        assert!(verifier.fits("pencil") && !verifier.fits("pen"));
    }

    #[test]
    fn a_credential_that_is_too_weak_or_none_is_refused() {
        let error = |mechanism, iterations, len: usize| upsertion(&asked(mechanism, iterations, &vec![1; len])).err().map(|e| e.error);
        assert_eq!((error(1, 4096, 32), error(1, 16_384, 32), error(2, 4096, 64)), (None, None, None));
        let unacceptable = Some(ErrorCode::UnacceptableCredential);
        let weak = [error(1, 4095, 32), error(1, 16_385, 32), error(1, -1, 32), error(1, 4096, 31), error(2, 4096, 32)];
        assert_eq!(weak, [unacceptable; 5]);
        assert_eq!([error(0, 4096, 32), error(3, 4096, 32)], [Some(ErrorCode::UnsupportedSaslMechanism); 2]);
        assert_eq!(mechanism("", 1).unwrap_err().error, ErrorCode::UnacceptableCredential);
    }
}
