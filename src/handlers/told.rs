//! What the log of requests takes from an answer: the first error, how many things it lists, and the name of the first of them.

use kafka_protocol::messages::*;
use kafka_protocol::protocol::StrBytes;

use crate::model::request_seen::RequestFacts;

/// An answer that can be noted.
pub trait Told {
    fn told(&self, facts: &mut RequestFacts);
}

/// Of a list the first that failed is named, else the first.
fn list<'a>(facts: &mut RequestFacts, items: impl Iterator<Item = (i16, Option<&'a str>)>) {
    let mut first = None;
    for (error, name) in items {
        facts.parts = facts.parts.saturating_add(1);
        if error != 0 && facts.error == 0 {
            facts.error = error;
            first = name;
        }
        if first.is_none() && facts.error == 0 {
            first = name;
        }
    }
    if let Some(name) = first.filter(|name| !name.is_empty()) {
        facts.name_text(name);
    }
}

fn named(name: &StrBytes) -> Option<&str> {
    Some(name.as_str())
}

/// An answer with one error code for all of it.
macro_rules! whole {
    ($($response:ident),* $(,)?) => {
        $(impl Told for $response {
            fn told(&self, facts: &mut RequestFacts) {
                facts.error = self.error_code;
            }
        })*
    };
}

/// An answer with a list, each with an error code, maybe below a name.
macro_rules! lists {
    ($($response:ident: |$answer:ident| $items:expr;)*) => {
        $(impl Told for $response {
            fn told(&self, facts: &mut RequestFacts) {
                let $answer = self;
                list(facts, $items);
            }
        })*
    };
}

whole!(
    HeartbeatResponse,
    SyncGroupResponse,
    SaslHandshakeResponse,
    SaslAuthenticateResponse,
    ApiVersionsResponse,
    InitProducerIdResponse,
    DescribeAclsResponse,
    DescribeClientQuotasResponse,
    DescribeClusterResponse,
);

lists! {
    ListOffsetsResponse: |a| a.topics.iter().flat_map(|t| t.partitions.iter().map(|p| (p.error_code, named(&t.name.0))));
    MetadataResponse: |a| a.topics.iter().map(|t| (t.error_code, t.name.as_ref().and_then(|name| named(&name.0))));
    OffsetCommitResponse: |a| a.topics.iter().flat_map(|t| t.partitions.iter().map(|p| (p.error_code, None)));
    DescribeGroupsResponse: |a| a.groups.iter().map(|g| (g.error_code, named(&g.group_id.0)));
    CreateTopicsResponse: |a| a.topics.iter().map(|t| (t.error_code, named(&t.name.0)));
    DeleteTopicsResponse: |a| a.responses.iter().map(|t| (t.error_code, t.name.as_ref().and_then(|name| named(&name.0))));
    DeleteRecordsResponse: |a| a.topics.iter().flat_map(|t| t.partitions.iter().map(|p| (p.error_code, named(&t.name.0))));
    OffsetForLeaderEpochResponse: |a| a.topics.iter().flat_map(|t| t.partitions.iter().map(|p| (p.error_code, named(&t.topic.0))));
    CreateAclsResponse: |a| a.results.iter().map(|r| (r.error_code, None));
    DeleteAclsResponse: |a| a.filter_results.iter().map(|r| (r.error_code, None));
    DescribeConfigsResponse: |a| a.results.iter().map(|r| (r.error_code, named(&r.resource_name)));
    AlterConfigsResponse: |a| a.responses.iter().map(|r| (r.error_code, named(&r.resource_name)));
    IncrementalAlterConfigsResponse: |a| a.responses.iter().map(|r| (r.error_code, named(&r.resource_name)));
    DescribeLogDirsResponse: |a| a.results.iter().map(|r| (r.error_code, None));
    CreatePartitionsResponse: |a| a.results.iter().map(|r| (r.error_code, named(&r.name.0)));
    DeleteGroupsResponse: |a| a.results.iter().map(|r| (r.error_code, named(&r.group_id.0)));
    AlterClientQuotasResponse: |a| a.entries.iter().map(|e| (e.error_code, None));
    DescribeUserScramCredentialsResponse: |a| a.results.iter().map(|r| (r.error_code, named(&r.user)));
    AlterUserScramCredentialsResponse: |a| a.results.iter().map(|r| (r.error_code, named(&r.user)));
    DescribeTopicPartitionsResponse: |a| a.topics.iter().map(|t| (t.error_code, t.name.as_ref().and_then(|name| named(&name.0))));
}

/// Noted while it is made.
impl Told for ProduceResponse {
    fn told(&self, _: &mut RequestFacts) {}
}

impl Told for FindCoordinatorResponse {
    fn told(&self, facts: &mut RequestFacts) {
        facts.error = self.error_code;
        list(facts, self.coordinators.iter().map(|c| (c.error_code, named(&c.key))));
    }
}

impl Told for ListGroupsResponse {
    fn told(&self, facts: &mut RequestFacts) {
        facts.error = self.error_code;
        facts.parts = u32::try_from(self.groups.len()).unwrap_or(u32::MAX);
    }
}

impl Told for JoinGroupResponse {
    fn told(&self, facts: &mut RequestFacts) {
        facts.error = self.error_code;
        facts.number = self.generation_id;
        // Only the leader is told the members.
        facts.parts = u32::try_from(self.members.len()).unwrap_or(u32::MAX);
    }
}

impl Told for LeaveGroupResponse {
    fn told(&self, facts: &mut RequestFacts) {
        facts.error = self.error_code;
        list(facts, self.members.iter().map(|m| (m.error_code, None)));
    }
}

impl Told for OffsetFetchResponse {
    fn told(&self, facts: &mut RequestFacts) {
        facts.error = self.error_code;
        list(facts, self.topics.iter().flat_map(|t| t.partitions.iter().map(|p| (p.error_code, None))));
        for group in &self.groups {
            if facts.error == 0 {
                facts.error = group.error_code;
            }
            list(facts, group.topics.iter().flat_map(|t| t.partitions.iter().map(|p| (p.error_code, None))));
        }
    }
}

impl Told for OffsetDeleteResponse {
    fn told(&self, facts: &mut RequestFacts) {
        facts.error = self.error_code;
        list(facts, self.topics.iter().flat_map(|t| t.partitions.iter().map(|p| (p.error_code, named(&t.name.0)))));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kafka_protocol::messages::create_topics_response::CreatableTopicResult;

    fn result(name: &'static str, error_code: i16) -> CreatableTopicResult {
        let mut result = CreatableTopicResult::default();
        result.name = StrBytes::from_static_str(name).into();
        result.error_code = error_code;
        result
    }

    #[test]
    fn of_several_the_first_that_failed_is_told() {
        let mut response = CreateTopicsResponse::default();
        response.topics = vec![result("a", 0), result("b", 36), result("c", 29)];
        let mut facts = RequestFacts::default();
        response.told(&mut facts);
        assert_eq!((facts.error, facts.parts, facts.about.as_deref()), (36, 3, Some("b")));
        response.topics.truncate(1);
        let mut facts = RequestFacts::default();
        response.told(&mut facts);
        assert_eq!((facts.error, facts.parts, facts.about.as_deref()), (0, 1, Some("a")));
    }
}
