//! What a payment says.

use serde::Deserialize;

use super::scalar::Scalar;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct PaymentEvent<'a> {
    #[serde(borrow)]
    pub event_id: Scalar<'a>,
    #[serde(borrow)]
    pub transaction_id: Scalar<'a>,
    #[serde(borrow)]
    pub user_id: Scalar<'a>,
    #[serde(borrow)]
    pub order_id: Scalar<'a>,
    #[serde(borrow)]
    pub amount: Scalar<'a>,
    #[serde(borrow)]
    pub amount_usd: Scalar<'a>,
    #[serde(borrow)]
    pub risk_score: Scalar<'a>,
    #[serde(borrow)]
    pub country: Scalar<'a>,
    #[serde(borrow)]
    pub timestamp: Scalar<'a>,
}

impl<'a> PaymentEvent<'a> {
    /// `None`: it is no JSON object.
    pub fn parse(value: &'a [u8]) -> Option<PaymentEvent<'a>> {
        if !value.trim_ascii_start().starts_with(b"{") {
            return None;
        }
        serde_json::from_slice(value).ok()
    }
}
