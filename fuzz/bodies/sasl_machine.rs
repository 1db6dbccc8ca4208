//! Messages of a login in any order and shape: only a proof over what was really said lets anybody in, and after a refusal nothing does.
//!
//! The first byte is the mechanism, then come messages, each with its length in two bytes. In a message the byte 1 stands for the nonce
//! of the server's challenge and the byte 2 for the right proof, which no fuzzer would find.

use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use headwater::security::{Credentials, Hash, Mechanism, SaslExchange, SaslStep, Verifier};

const SALT: [u8; 24] = [7; 24];
const ITERATIONS: u32 = 4_096;
const NONCE: &str = "of-the-server";

/// The only user, and per hash the key that the password gives.
static ADA: LazyLock<(Credentials, [Vec<u8>; 2])> = LazyLock::new(|| {
    let mut credentials = Credentials::default();
    let salted = Hash::ALL.map(|hash| {
        let salted = hash.salted_password(b"lovelace", &SALT, ITERATIONS);
        credentials.put("ada", Verifier::of_salted_password(hash, &salted, SALT.to_vec(), ITERATIONS));
        salted
    });
    (credentials, salted)
});

/// The right proof for these messages, in base64.
fn proof(hash: Hash, first: &[u8], challenge: &[u8], without_proof: &[u8]) -> String {
    let salted = &ADA.1[Hash::ALL.iter().position(|one| *one == hash).expect("a hash")];
    let bare = first.splitn(3, |byte| *byte == b',').nth(2).unwrap_or(&[]);
    let message = [bare, b",", challenge, b",", without_proof].concat();
    let key = hash.hmac(salted, &[b"Client Key"]);
    let signature = hash.hmac(&hash.digest(&key), &[&message]);
    STANDARD.encode(key.iter().zip(signature).map(|(a, b)| a ^ b).collect::<Vec<u8>>())
}

fn without_proof(message: &[u8]) -> &[u8] {
    let end = message.windows(3).rposition(|three| three == b",p=").unwrap_or(message.len());
    &message[..end]
}

fn filled(message: &[u8], hash: Option<Hash>, first: &[u8], challenge: &[u8]) -> Vec<u8> {
    let nonce: Vec<u8> = challenge.split(|byte| *byte == b',').next().and_then(|part| part.strip_prefix(b"r=")).unwrap_or(&[]).to_vec();
    let with_nonce: Vec<u8> = message.iter().flat_map(|byte| if *byte == 1 { nonce.clone() } else { vec![*byte] }).collect();
    let Some(hash) = hash else { return with_nonce };
    let right = proof(hash, first, challenge, without_proof(&with_nonce));
    with_nonce.iter().flat_map(|byte| if *byte == 2 { right.clone().into_bytes() } else { vec![*byte] }).collect()
}

pub fn run(input: &[u8]) {
    let Some((which, mut rest)) = input.split_first() else { return };
    let mechanism = Mechanism::ALL[usize::from(*which) % Mechanism::ALL.len()];
    let hash = match mechanism {
        Mechanism::Plain => None,
        Mechanism::Scram(hash) => Some(hash),
    };
    let mut exchange = SaslExchange::new(mechanism);
    let (mut first, mut challenge, mut over) = (Vec::new(), Vec::new(), false);
    while let Some((length, after)) = rest.split_first_chunk::<2>() {
        let length = usize::from(u16::from_be_bytes(*length)).min(after.len());
        let message = filled(&after[..length], hash, &first, &challenge);
        rest = &after[length..];
        match exchange.step(&message, &ADA.0, b"secret", NONCE) {
            Ok(SaslStep::Continue(bytes)) => {
                assert!(!over && challenge.is_empty() && hash.is_some(), "one challenge, and only of SCRAM");
                (first, challenge) = (message, bytes);
            }
            Ok(SaslStep::Done(principal, _)) => {
                let hash = hash.expect("PLAIN is done by its check");
                assert!(!over && principal.name() == "ada", "{principal}");
                let sent = &message[without_proof(&message).len()..];
                assert_eq!(sent, format!(",p={}", proof(hash, &first, &challenge, without_proof(&message))).as_bytes());
                over = true;
            }
            Ok(SaslStep::Check(check)) => {
                assert!(!over && hash.is_none());
                let parts: Vec<&[u8]> = message.split(|byte| *byte == 0).collect();
                assert!(parts.len() == 3 && parts[1] == check.user().as_bytes() && (parts[0].is_empty() || parts[0] == parts[1]));
                over = true;
            }
            Err(_) => over = true,
        }
    }
}
