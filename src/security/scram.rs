//! The server's side of SCRAM (RFC 5802) without channel binding, as Kafka has it.
//!
//! ```text
//! client  n,,n=user,r=C
//! server  r=CS,s=salt,i=iterations
//! client  c=biws,r=CS,p=proof
//! server  v=signature
//! ```

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::credentials::Verifier;

/// The client's first message, taken apart.
#[derive(Debug, PartialEq, Eq)]
pub struct ClientFirst {
    pub user: String,
    /// Whom it wants to be; only itself is allowed.
    pub authorization_id: String,
    nonce: String,
    gs2_header: String,
    bare: String,
}

/// What was said so far: all that the proof is about.
#[derive(Debug)]
pub struct Challenge {
    gs2_header: String,
    /// The client's part.
    client_nonce: String,
    /// Both parts.
    nonce: String,
    /// Client's first message and server's first message, with a comma between.
    so_far: String,
    pub verifier: Verifier,
}

/// A user name of more bytes is nobody's.
pub(super) const USER_MAX: usize = 255;
const NONCE_MAX: usize = 256;

impl ClientFirst {
    pub fn parse(message: &[u8]) -> Option<ClientFirst> {
        let text = std::str::from_utf8(message).ok()?;
        let (binding, rest) = text.split_once(',')?;
        // `p=...` asks for channel binding, which nobody offered.
        if !matches!(binding, "n" | "y") {
            return None;
        }
        let (authorization, bare) = rest.split_once(',')?;
        let authorization_id = match authorization {
            "" => String::new(),
            named => unescaped(named.strip_prefix("a=")?)?,
        };
        let mut attributes = bare.split(',');
        // An extension before the name (`m=`) must be understood, and none is.
        let user = unescaped(attributes.next()?.strip_prefix("n=")?)?;
        let nonce = attributes.next()?.strip_prefix("r=")?.to_owned();
        // Kafka's extensions say that a delegation token logs in; there are none.
        if attributes.any(|extension| extension.eq_ignore_ascii_case("tokenauth=true")) {
            return None;
        }
        let printable = nonce.bytes().all(|byte| byte.is_ascii_graphic());
        if user.is_empty() || user.len() > USER_MAX || nonce.is_empty() || nonce.len() > NONCE_MAX || !printable {
            return None;
        }
        Some(ClientFirst { user, authorization_id, nonce, gs2_header: format!("{binding},{authorization},"), bare: bare.to_owned() })
    }

    /// The server's answer, with a nonce of its own.
    pub fn challenge(self, verifier: Verifier, server_nonce: &str) -> (String, Challenge) {
        let nonce = format!("{}{server_nonce}", self.nonce);
        let answer = format!("r={nonce},s={},i={}", STANDARD.encode(&verifier.salt), verifier.iterations);
        let so_far = format!("{},{answer}", self.bare);
        (answer, Challenge { gs2_header: self.gs2_header, client_nonce: self.nonce, nonce, so_far, verifier })
    }
}

impl Challenge {
    /// librdkafka before 2.6.1, and so the kcat of many systems, says its own part twice. The server's part is in it all the same, and the
    /// proof is about what was said.
    fn is_nonce(&self, said: &str) -> bool {
        said == self.nonce || said.strip_prefix(&self.client_nonce) == Some(&self.nonce)
    }

    /// The server's last word if the proof is right.
    pub fn verify(&self, message: &[u8]) -> Option<String> {
        let text = std::str::from_utf8(message).ok()?;
        let (without_proof, proof) = text.rsplit_once(",p=")?;
        let mut attributes = without_proof.split(',');
        let binding = STANDARD.decode(attributes.next()?.strip_prefix("c=")?).ok()?;
        let nonce = attributes.next()?.strip_prefix("r=")?;
        if binding != self.gs2_header.as_bytes() || !self.is_nonce(nonce) {
            return None;
        }
        let proof = STANDARD.decode(proof).ok()?;
        let auth_message = format!("{},{without_proof}", self.so_far);
        if !self.verifier.proves(&proof, auth_message.as_bytes()) {
            return None;
        }
        let signature = self.verifier.hash.hmac(&self.verifier.server_key, &[auth_message.as_bytes()]);
        Some(format!("v={}", STANDARD.encode(signature)))
    }
}

/// Commas and equals signs in names stand as `=2C` and `=3D`.
fn unescaped(name: &str) -> Option<String> {
    let mut parts = name.split('=');
    let mut plain = parts.next()?.to_owned();
    for part in parts {
        let (sign, rest) = if let Some(rest) = part.strip_prefix("2C") { (',', rest) } else { ('=', part.strip_prefix("3D")?) };
        plain.push(sign);
        plain.push_str(rest);
    }
    Some(plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::security::credentials::Hash;

    fn rfc_7677() -> Challenge {
        let first = ClientFirst::parse(b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO").unwrap();
        let salt = STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap();
        let verifier = Verifier::of_password(Hash::Sha256, "pencil", salt, 4_096);
        let (answer, challenge) = first.challenge(verifier, "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0");
        assert_eq!(answer, "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096");
        challenge
    }

    const FINAL: &str = "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";

    #[test]
    fn the_exchange_of_rfc_7677_is_answered_as_there() {
        assert_eq!(rfc_7677().verify(FINAL.as_bytes()).unwrap(), "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
    }

    #[test]
    fn a_proof_that_differs_in_anything_is_refused() {
        let challenge = rfc_7677();
        let changed = [
            FINAL.replace("dHzb", "dHzc"),
            FINAL.replace("biws", "eSws"),
            FINAL.replace("k0,", "k1,"),
            FINAL.replace("r=rOpr", "x=1,r=rOpr"),
            FINAL.replace(",p=", ",p=AAAA"),
            FINAL.split_once(",p=").unwrap().0.to_owned() + ",p=",
            FINAL.split_once(",p=").unwrap().0.to_owned(),
            String::new(),
        ];
        for message in changed {
            assert_eq!(challenge.verify(message.as_bytes()), None, "{message}");
        }
        for at in 0..FINAL.len() {
            let mut flipped = FINAL.as_bytes().to_vec();
            flipped[at] ^= 1;
            // The last character of the proof carries two bits that mean nothing; a strict decoder refuses them too.
            assert_eq!(challenge.verify(&flipped), None, "{at}");
        }
    }

    #[test]
    fn first_messages_are_taken_apart_and_odd_ones_refused() {
        let first = ClientFirst::parse(b"n,a=me,n=a=2Cb=3Dc,r=xyz,ext=1").unwrap();
        assert_eq!((first.user.as_str(), first.authorization_id.as_str(), first.gs2_header.as_str()), ("a,b=c", "me", "n,a=me,"));
        assert!(ClientFirst::parse(b"y,,n=u,r=x").is_some());
        for odd in [
            &b"p=tls-unique,,n=u,r=x"[..],
            b"n,,m=ext,n=u,r=x",
            b"n,,n=,r=x",
            b"n,,n=u,r=",
            b"n,,n=u=41,r=x",
            b"n,,n=u",
            b"n,,r=x,n=u",
            b"n,,n=u,r=x,tokenauth=true",
            b"n,,n=u,r=a b",
            b"\xff\xfe",
            b"",
        ] {
            assert_eq!(ClientFirst::parse(odd), None, "{}", String::from_utf8_lossy(odd));
        }
    }
}
