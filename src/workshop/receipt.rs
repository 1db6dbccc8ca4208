//! Receipts: answers that a notebook prints and a student pastes, where the notebook cannot reach the broker.
//!
//! `WS1.` and the base64url of a JSON object, with or without padding and line breaks; or the JSON object itself. What stands in it is a
//! matter of the kind of truth. The field `ticket` holds the nonce in all of them.

use base64::Engine;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde_json::Value;

const PREFIX: &str = "WS1.";

/// No receipt comes near it.
const BYTES_MAX: usize = 4 << 20;

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReceiptError {
    #[error("a receipt begins with WS1. or is a JSON object")]
    Unknown,
    #[error("the receipt is cut off or has other text in it: copy the whole line that begins with WS1.")]
    NotBase64,
    #[error("the receipt holds no JSON object: {0}")]
    NotJson(String),
    #[error("the receipt has no field `ticket` with the nonce of a ticket")]
    NoTicket,
    #[error("the receipt is longer than {} bytes", BYTES_MAX)]
    TooLong,
}

/// A receipt as somebody pasted it.
fn parse(text: &str) -> Result<Value, ReceiptError> {
    if text.len() > BYTES_MAX {
        return Err(ReceiptError::TooLong);
    }
    let text = text.trim().trim_matches(['"', '\'', '`']).trim();
    let value = match text.strip_prefix(PREFIX) {
        Some(encoded) => {
            let encoded: Vec<u8> = encoded.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
            let config = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
            let json = GeneralPurpose::new(&URL_SAFE, config).decode(encoded).map_err(|_| ReceiptError::NotBase64)?;
            serde_json::from_slice(&json).map_err(|error| ReceiptError::NotJson(error.to_string()))?
        }
        None if text.starts_with('{') => serde_json::from_str(text).map_err(|error| ReceiptError::NotJson(error.to_string()))?,
        None => return Err(ReceiptError::Unknown),
    };
    checked(value)
}

/// A receipt from a JSON document: the object, or the text that was pasted.
pub fn from_value(value: Value) -> Result<Value, ReceiptError> {
    match value {
        Value::String(text) => parse(&text),
        other => checked(other),
    }
}

/// As a notebook prints it.
#[cfg(test)]
fn print(receipt: &Value) -> String {
    let encoder = GeneralPurpose::new(&URL_SAFE, GeneralPurposeConfig::new().with_encode_padding(false));
    format!("{PREFIX}{}", encoder.encode(receipt.to_string()))
}

/// The nonce that a receipt belongs to.
fn ticket(receipt: &Value) -> Option<&str> {
    receipt.get("ticket").and_then(Value::as_str).filter(|nonce| !nonce.is_empty())
}

fn checked(value: Value) -> Result<Value, ReceiptError> {
    match &value {
        Value::Object(_) if ticket(&value).is_some() => Ok(value),
        Value::Object(_) => Err(ReceiptError::NoTicket),
        _ => Err(ReceiptError::NotJson("it is another kind of value".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_receipt_survives_being_printed_folded_quoted_and_pasted() {
        let receipt = json!({"ticket": "n-1", "rows": 3_u64 << 40, "text": "ÿ>?"});
        let printed = print(&receipt);
        assert!(printed.starts_with("WS1.") && !printed.contains(['=', '+', '/']));
        assert_eq!(parse(&printed).unwrap(), receipt);
        let (one, two) = printed.split_at(20);
        assert_eq!(parse(&format!(" \"{one}\n  {two}==\"\n")).unwrap_err(), ReceiptError::NotBase64);
        assert_eq!(parse(&format!(" \"{one}\n  {two}\"\n")).unwrap(), receipt);
        assert_eq!(parse(&receipt.to_string()).unwrap(), receipt);
        assert_eq!(from_value(json!(printed)).unwrap(), receipt);
        assert_eq!(from_value(receipt.clone()).unwrap(), receipt);
        assert_eq!(ticket(&receipt), Some("n-1"));
    }

    #[test]
    fn what_is_no_receipt_is_told_apart() {
        for (text, told) in [
            ("", ReceiptError::Unknown),
            ("rows: 12", ReceiptError::Unknown),
            ("WS1.é", ReceiptError::NotBase64),
            ("{\"rows\":1}", ReceiptError::NoTicket),
            ("{\"ticket\":\"\"}", ReceiptError::NoTicket),
        ] {
            assert_eq!(parse(text).unwrap_err(), told, "{text:?}");
        }
        assert!(matches!(parse("WS1.WzFd").unwrap_err(), ReceiptError::NotJson(_)));
        assert!(matches!(parse("{\"ticket\":").unwrap_err(), ReceiptError::NotJson(_)));
        assert!(matches!(from_value(json!([1])).unwrap_err(), ReceiptError::NotJson(_)));
    }
}
