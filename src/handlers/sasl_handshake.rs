//! SaslHandshake (17), versions 0-1. After version 0 the tokens are frames of their own, after version 1 they come in SaslAuthenticate
//! (KIP-152).

use kafka_protocol::messages::SaslHandshakeRequest;
use kafka_protocol::messages::sasl_handshake_response::SaslHandshakeResponse;
use kafka_protocol::protocol::StrBytes;

use super::login::{self, Login};
use super::{Access, Api, Context, HangUp, Reply};
use crate::broker::sightings::Mishap;
use crate::model::ErrorCode;
use crate::security::{Mechanism, SaslExchange};

pub struct SaslHandshake;

impl Api for SaslHandshake {
    const KEY: i16 = 17;
    const NAME: &'static str = "SaslHandshake";
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=1;
    const ACCESS: Access = Access::BeforeLogin;
    type Request = SaslHandshakeRequest;

    async fn handle(ctx: &Context, version: i16, request: SaslHandshakeRequest) -> Result<Reply, HangUp> {
        let mut answer = SaslHandshakeResponse::default();
        if !ctx.peer.with_login(|login| matches!(login, Login::Expected)) {
            answer.error_code = ErrorCode::IllegalSaslState.code();
            return ctx.reply(&answer);
        }
        let mechanisms = login::mechanisms(&ctx.peer);
        answer.mechanisms = mechanisms.iter().map(|mechanism| StrBytes::from_static_str(mechanism.name())).collect();
        match Mechanism::by_name(&request.mechanism).filter(|asked| mechanisms.contains(asked)) {
            Some(mechanism) => {
                ctx.peer.set_login(Login::Exchange { exchange: SaslExchange::new(mechanism), bare: version == 0 });
                ctx.reply(&answer)
            }
            None => {
                let asked: String = request.mechanism.chars().take(40).collect();
                let offered = mechanisms.iter().map(|mechanism| mechanism.name()).collect::<Vec<_>>().join(", ");
                let mishap = Mishap::new(
                    format!("a client asked for the SASL mechanism {asked}"),
                    format!("Set sasl.mechanism to one of {offered}."),
                );
                ctx.broker.sightings.trouble(None, mishap, ctx.peer.place(), ctx.broker.now());
                answer.error_code = ErrorCode::UnsupportedSaslMechanism.code();
                ctx.peer.set_login(Login::Failed);
                ctx.reply(&answer).map(Reply::and_hang_up)
            }
        }
    }
}
