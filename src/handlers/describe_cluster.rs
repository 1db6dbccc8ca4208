//! DescribeCluster (60), versions 0-2 (KIP-700, endpoint type: KIP-919, fenced brokers: KIP-1073).
//!
//! One broker, which is also what a client is told is the controller. Asking for controllers is refused as Kafka's brokers do.

use kafka_protocol::messages::describe_cluster_response::DescribeClusterBroker;
use kafka_protocol::messages::{BrokerId, DescribeClusterRequest, DescribeClusterResponse};
use kafka_protocol::protocol::StrBytes;

use super::access::OPERATIONS_OMITTED;
use super::{Access, Api, Context, HangUp, Reply};
use crate::model::ErrorCode;
use crate::security::Resource;
use crate::wire::convert::optional_text;

pub struct DescribeCluster;

const BROKERS: i8 = 1;
const CONTROLLERS: i8 = 2;

impl Api for DescribeCluster {
    const KEY: i16 = 60;
    const NAME: &'static str = "DescribeCluster";
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=2;
    const ACCESS: Access = Access::LoggedIn;
    type Request = DescribeClusterRequest;

    async fn handle(ctx: &Context, version: i16, request: DescribeClusterRequest) -> Result<Reply, HangUp> {
        let endpoint_type = if version >= 1 { request.endpoint_type } else { BROKERS };
        let mut response = DescribeClusterResponse::default();
        response.endpoint_type = endpoint_type;
        if endpoint_type != BROKERS {
            let (error, message) = if endpoint_type == CONTROLLERS {
                (ErrorCode::MismatchedEndpointType, "this is a broker endpoint: ask for endpoint type 1")
            } else {
                (ErrorCode::UnsupportedEndpointType, "the endpoint type is neither broker (1) nor controller (2)")
            };
            response.error_code = error.code();
            response.error_message = Some(StrBytes::from_static_str(message));
            response.endpoint_type = BROKERS;
            response.controller_id = BrokerId(-1);
            response.cluster_authorized_operations = OPERATIONS_OMITTED;
            return ctx.reply(&response);
        }
        let (host, port) = ctx.advertised();
        let mut broker = DescribeClusterBroker::default();
        broker.broker_id = BrokerId(ctx.broker.node.id.0);
        broker.host = host;
        broker.port = port;
        broker.rack = optional_text(ctx.broker.node.rack.as_deref());
        response.cluster_id = StrBytes::from_string(ctx.broker.node.cluster_id.clone());
        response.controller_id = BrokerId(ctx.broker.node.id.0);
        response.brokers = vec![broker];
        response.cluster_authorized_operations =
            if request.include_cluster_authorized_operations { ctx.operations(Resource::CLUSTER) } else { OPERATIONS_OMITTED };
        ctx.reply(&response)
    }
}
