//! SaslAuthenticate (36), versions 0-2 (session lifetime: KIP-368 in v1; a login here lasts as long as its connection).

use bytes::Bytes;
use kafka_protocol::messages::SaslAuthenticateRequest;
use kafka_protocol::messages::sasl_authenticate_response::SaslAuthenticateResponse;
use kafka_protocol::protocol::StrBytes;

use super::login::{self, Answer};
use super::{Access, Api, Context, HangUp, Reply};

pub struct SaslAuthenticate;

impl Api for SaslAuthenticate {
    const KEY: i16 = 36;
    const NAME: &'static str = "SaslAuthenticate";
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=2;
    const ACCESS: Access = Access::BeforeLogin;
    type Request = SaslAuthenticateRequest;

    async fn handle(ctx: &Context, _: i16, request: SaslAuthenticateRequest) -> Result<Reply, HangUp> {
        let mut answer = SaslAuthenticateResponse::default();
        match login::token(&ctx.broker, &ctx.peer, &request.auth_bytes).await {
            Answer::Token(bytes) => {
                if ctx.peer.is_logged_in() {
                    ctx.note_client();
                }
                answer.auth_bytes = Bytes::from(bytes);
                ctx.reply(&answer)
            }
            Answer::Refused { error, message } => {
                answer.error_code = error.code();
                answer.error_message = Some(StrBytes::from_string(message));
                ctx.reply(&answer).map(Reply::and_hang_up)
            }
        }
    }
}
