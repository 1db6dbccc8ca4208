//! Who a web request comes from: a token that the server signs and does not keep.
//!
//! `user.generation.issued.mac`: the user name in hex, two decimal numbers (seconds since 1970 the second), and HMAC-SHA-256 over what
//! stands before and a mark of the user's password, in hex. It ends after `SESSION_DAYS`, when the user's generation moves on, or when the
//! password changes, by whatever way.

use hmac::{Hmac, Mac};
use sha2::Sha256;

use crate::model::Timestamp;

/// Who may do what on the web pages, least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    Nobody,
    Student,
    Instructor,
}

impl Role {
    pub fn name(self) -> &'static str {
        match self {
            Role::Nobody => "nobody",
            Role::Student => "student",
            Role::Instructor => "instructor",
        }
    }
}

/// Somebody who has logged in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    pub role: Role,
    pub user: String,
    /// Of a student.
    pub id: Option<String>,
}

pub const SESSION_DAYS: i64 = 14;
const DAY_S: i64 = 24 * 60 * 60;
/// More is no token.
const TOKEN_MAX: usize = 600;

/// What a token says that was signed here and is not too old.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Claim {
    pub user: String,
    pub generation: u32,
}

pub(super) fn sign(secret: &[u8], user: &str, generation: u32, mark: &[u8], now: Timestamp) -> String {
    let claim = format!("{}.{generation}.{}", hex(user.as_bytes()), now.0 / 1000);
    let mac = mac(secret, &claim, mark).map(|mac| hex(&mac.finalize().into_bytes())).unwrap_or_default();
    format!("{claim}.{mac}")
}

/// `mark` is asked for that of a user.
pub(super) fn verify(secret: &[u8], token: &str, mark: impl Fn(&str) -> Option<Vec<u8>>, now: Timestamp) -> Option<Claim> {
    if token.len() > TOKEN_MAX {
        return None;
    }
    let (claim, signature) = token.rsplit_once('.')?;
    let mut parts = claim.split('.');
    let (user, generation, issued) = (parts.next()?, parts.next()?, parts.next()?);
    let user = String::from_utf8(unhex(user)?).ok()?;
    // Compares in constant time.
    mac(secret, claim, &mark(&user)?)?.verify_slice(&unhex(signature)?).ok()?;
    let age_s = (now.0 / 1000).checked_sub(issued.parse().ok()?)?;
    // A clock that was put back is no reason to log everybody out.
    if !(-DAY_S..=SESSION_DAYS * DAY_S).contains(&age_s) {
        return None;
    }
    Some(Claim { user, generation: generation.parse().ok()? })
}

fn mac(secret: &[u8], claim: &str, mark: &[u8]) -> Option<Hmac<Sha256>> {
    let mut mac = <Hmac<Sha256> as Mac>::new_from_slice(secret).ok()?;
    mac.update(claim.as_bytes());
    mac.update(&[0]);
    mac.update(mark);
    Some(mac)
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(super) fn unhex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || !text.is_ascii() {
        return None;
    }
    let pair = |at: usize| text.get(at..at.checked_add(2)?).and_then(|pair| u8::from_str_radix(pair, 16).ok());
    (0..text.len()).step_by(2).map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_795_000_000_000);

    fn marked(_: &str) -> Option<Vec<u8>> {
        Some(b"mark".to_vec())
    }

    #[test]
    fn a_token_is_what_was_signed_for_fourteen_days() {
        let token = sign(b"secret", "quiet-otter", 3, b"mark", NOW);
        let claim = Claim { user: "quiet-otter".into(), generation: 3 };
        let after = |days: i64| Timestamp(NOW.0 + days * DAY_S * 1000);
        assert_eq!(verify(b"secret", &token, marked, NOW), Some(claim));
        assert!(verify(b"secret", &token, marked, after(14)).is_some());
        assert_eq!(verify(b"secret", &token, marked, Timestamp(after(14).0 + 1000)), None);
        assert_eq!(verify(b"secret", &token, |_| Some(b"new".to_vec()), NOW), None, "another password");
        assert_eq!(verify(b"secret", &token, |_| None, NOW), None, "no such user any more");
        assert_eq!(verify(b"other", &token, marked, NOW), None);
    }

    #[test]
    fn no_letter_of_a_token_can_be_changed() {
        let token = sign(b"secret", "quiet-otter", 3, b"mark", NOW);
        for at in 0..token.len() {
            let mut forged = token.clone().into_bytes();
            forged[at] = if forged[at] == b'1' { b'2' } else { b'1' };
            let forged = String::from_utf8(forged).unwrap();
            assert_eq!(verify(b"secret", &forged, marked, NOW), None, "{forged}");
            assert_eq!(verify(b"secret", &token[..at], marked, NOW), None);
        }
        for wrong in ["", ".", "...", "a.b.c.d", "é.1.2.3", &"x".repeat(10_000)] {
            assert_eq!(verify(b"secret", wrong, marked, NOW), None);
        }
    }
}
