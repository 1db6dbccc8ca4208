//! What is a valid event of the web shop, and what a purchase is.

use serde::Deserialize;

use crate::cluster::StoredRecord;
use crate::model::Timestamp;

use super::scalar::Scalar;

const TYPES: [&str; 6] = ["view", "search", "add_to_cart", "remove_from_cart", "checkout", "purchase"];

/// How far ahead of its arrival an event may say that it happened: clocks differ.
const AHEAD_MS: i64 = 300_000;

/// The fields that rules and derived columns look at.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct ShopEvent<'a> {
    #[serde(borrow)]
    pub event_id: Scalar<'a>,
    #[serde(borrow)]
    pub user_id: Scalar<'a>,
    #[serde(borrow)]
    pub event_type: Scalar<'a>,
    #[serde(borrow)]
    pub product_id: Scalar<'a>,
    #[serde(borrow)]
    pub price: Scalar<'a>,
    #[serde(borrow)]
    pub timestamp: Scalar<'a>,
    #[serde(borrow)]
    pub order_id: Scalar<'a>,
    #[serde(borrow)]
    pub is_test: Scalar<'a>,
    #[serde(borrow)]
    product: Option<Product<'a>>,
    #[serde(borrow)]
    context: Option<Context<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Product<'a> {
    #[serde(borrow)]
    category: Scalar<'a>,
    #[serde(borrow)]
    brand: Scalar<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Context<'a> {
    #[serde(borrow)]
    device: Option<Device<'a>>,
    #[serde(borrow)]
    geo: Option<Geo<'a>>,
    #[serde(borrow)]
    campaign: Scalar<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Device<'a> {
    #[serde(borrow, rename = "type")]
    kind: Scalar<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Geo<'a> {
    #[serde(borrow)]
    country: Scalar<'a>,
}

/// Why an event is not valid: the first rule that it breaks. What cannot be parsed has no event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    Malformed,
    NullUser,
    MissingField,
    UnknownType,
    TextPrice,
    PriceNotPositive,
    Future,
}

impl Reason {
    pub const ALL: [Reason; 7] = [
        Reason::Malformed,
        Reason::NullUser,
        Reason::MissingField,
        Reason::UnknownType,
        Reason::TextPrice,
        Reason::PriceNotPositive,
        Reason::Future,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Reason::Malformed => "malformed JSON",
            Reason::NullUser => "no user_id",
            Reason::MissingField => "a missing field",
            Reason::UnknownType => "an unknown event_type",
            Reason::TextPrice => "a price that is no number",
            Reason::PriceNotPositive => "a price that is not above 0",
            Reason::Future => "a timestamp in the future",
        }
    }
}

/// How an event says that it is a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Test {
    No,
    /// `is_test` is true.
    Marked,
    /// `user_id` begins with `test-`.
    Account,
}

impl<'a> ShopEvent<'a> {
    /// `None`: it is no JSON object.
    pub fn parse(value: &'a [u8]) -> Option<ShopEvent<'a>> {
        if !value.trim_ascii_start().starts_with(b"{") {
            return None;
        }
        serde_json::from_slice(value).ok()
    }

    pub fn category(&self) -> Option<&str> {
        self.product.as_ref()?.category.text()
    }

    pub fn brand(&self) -> Option<&str> {
        self.product.as_ref()?.brand.text()
    }

    pub fn device_type(&self) -> Option<&str> {
        self.context.as_ref()?.device.as_ref()?.kind.text()
    }

    pub fn country(&self) -> Option<&str> {
        self.context.as_ref()?.geo.as_ref()?.country.text()
    }

    pub fn campaign(&self) -> Option<&str> {
        self.context.as_ref()?.campaign.text()
    }

    /// The first rule that it breaks, if it arrived at this time.
    pub fn broken(&self, arrival: Timestamp) -> Option<Reason> {
        let Some(happened) = self.timestamp.time() else { return Some(Reason::MissingField) };
        if self.user_id.text().is_none() {
            Some(Reason::NullUser)
        } else if !self.event_id.is_there() || !self.product_id.is_there() || !self.event_type.is_there() || !self.price.is_there() {
            Some(Reason::MissingField)
        } else if !self.event_type.text().is_some_and(|kind| TYPES.contains(&kind)) {
            Some(Reason::UnknownType)
        } else if self.price.number().is_none() {
            Some(Reason::TextPrice)
        } else if self.price.number().is_none_or(|price| price <= 0.0) {
            Some(Reason::PriceNotPositive)
        } else if happened.since(arrival) > AHEAD_MS {
            Some(Reason::Future)
        } else {
            None
        }
    }

    pub fn test(&self) -> Test {
        if self.is_test == Scalar::Bool(true) {
            Test::Marked
        } else if self.user_id.text().is_some_and(|user| user.starts_with("test-")) {
            Test::Account
        } else {
            Test::No
        }
    }
}

/// How long after it happened an event arrived. Of one that does not say when, nothing is late.
pub fn lateness_ms(happened: Option<Timestamp>, record: &StoredRecord) -> i64 {
    happened.map_or(0, |happened| record.timestamp.since(happened))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLEAN: &str = r#"{"event_id":"01M","schema_version":1,"user_id":"u-1","event_type":"purchase","product_id":"p-1","price":380.00,"timestamp":"2026-11-23T10:59:59.753Z","session_id":"s-w","quantity":1,"currency":"USD","order_id":"o-8","is_test":false,"product":{"category":"books","brand":"B"},"context":{"device":{"type":"mobile","os":"x","browser":"y"},"geo":{"country":"DE","city":"Hamburg"},"referrer":"direct","campaign":null}}"#;

    fn broken(from: &str, to: &str) -> Option<Reason> {
        let text = CLEAN.replacen(from, to, 1);
        assert!(from == to || text != CLEAN, "{from}");
        let event = ShopEvent::parse(text.as_bytes()).unwrap();
        event.broken(Timestamp(1_795_431_600_000))
    }

    #[test]
    fn each_rule_finds_what_breaks_it() {
        assert_eq!(broken("x", "x"), None);
        assert_eq!(broken("\"u-1\"", "null"), Some(Reason::NullUser));
        assert_eq!(broken("\"product_id\":\"p-1\",", ""), Some(Reason::MissingField));
        assert_eq!(broken("\"purchase\"", "\"hover\""), Some(Reason::UnknownType));
        assert_eq!(broken("380.00", "\"380.00\""), Some(Reason::TextPrice));
        assert_eq!(broken("380.00", "-380.00"), Some(Reason::PriceNotPositive));
        assert_eq!(broken("380.00", "0"), Some(Reason::PriceNotPositive));
        assert_eq!(broken("2026-11-23", "2026-11-25"), Some(Reason::Future));
        assert_eq!(broken("10:59:59", "11:04:59"), None);
        assert!(ShopEvent::parse(&CLEAN.as_bytes()[..60]).is_none() && ShopEvent::parse(b"[1]").is_none());
    }

    #[test]
    fn a_test_says_so_or_has_an_account_of_its_own() {
        let test = |from: &str, to: &str| ShopEvent::parse(CLEAN.replacen(from, to, 1).as_bytes()).unwrap().test();
        assert_eq!(test("x", "x"), Test::No);
        assert_eq!(test("false", "true"), Test::Marked);
        assert_eq!(test("false", "null"), Test::No);
        assert_eq!(test("u-1", "test-03"), Test::Account);
    }
}
