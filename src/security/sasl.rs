//! What a connection goes through before it may ask for anything: a state machine over the bytes of SaslAuthenticate.
//!
//! Done means proved: `SaslStep::Done` is made in two places, behind a verified proof and behind a fitting password.

use super::credentials::{Credentials, Hash, Verifier};
use super::principal::Principal;
use super::scram::{Challenge, ClientFirst, USER_MAX};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mechanism {
    Plain,
    Scram(Hash),
}

impl Mechanism {
    pub const ALL: [Mechanism; 3] = [Mechanism::Scram(Hash::Sha256), Mechanism::Scram(Hash::Sha512), Mechanism::Plain];

    pub fn name(self) -> &'static str {
        match self {
            Mechanism::Plain => "PLAIN",
            Mechanism::Scram(Hash::Sha256) => "SCRAM-SHA-256",
            Mechanism::Scram(Hash::Sha512) => "SCRAM-SHA-512",
        }
    }

    pub fn by_name(name: &str) -> Option<Mechanism> {
        Mechanism::ALL.into_iter().find(|mechanism| mechanism.name() == name)
    }
}

/// What comes of a client's message.
#[derive(Debug)]
pub enum SaslStep {
    /// Bytes to answer with; the client has to say more.
    Continue(Vec<u8>),
    /// Bytes to answer with; it is who it says.
    Done(Principal, Vec<u8>),
    /// A password that has to be held against a verifier: milliseconds of work, so not here.
    Check(PasswordCheck),
}

/// Why nobody comes in. The user is the one that was claimed, as far as it was understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SaslRefused {
    pub user: Option<String>,
    pub mechanism: Mechanism,
}

impl SaslRefused {
    /// Says nothing about which part was wrong.
    pub fn message(&self) -> String {
        format!("Authentication failed during authentication due to invalid credentials with SASL mechanism {}", self.mechanism.name())
    }
}

/// A plain password and what to hold it against.
#[derive(Debug)]
pub struct PasswordCheck {
    user: String,
    password: String,
    verifier: Verifier,
}

impl PasswordCheck {
    pub fn new(user: &str, password: &str, credentials: &Credentials, secret: &[u8]) -> PasswordCheck {
        let hash = credentials.any(user).map_or(Hash::Sha256, |verifier| verifier.hash);
        let verifier = credentials.get_or_made_up(user, hash, secret);
        PasswordCheck { user: user.to_owned(), password: password.to_owned(), verifier }
    }

    pub fn user(&self) -> &str {
        &self.user
    }

    /// The same for the same user, password and verifier; without the secret it says nothing about them.
    pub fn fingerprint(&self, secret: &[u8]) -> Vec<u8> {
        Hash::Sha256.hmac(secret, &[&self.verifier.salt, &[0], self.user.as_bytes(), &[0], self.password.as_bytes()])
    }

    /// Milliseconds of work, whether there is such a user or not.
    pub fn run(self) -> Result<Principal, SaslRefused> {
        if self.verifier.fits(&self.password) {
            Ok(Principal::user(&self.user))
        } else {
            Err(SaslRefused { user: Some(self.user), mechanism: Mechanism::Plain })
        }
    }
}

/// One login in the making.
#[derive(Debug)]
pub struct SaslExchange {
    mechanism: Mechanism,
    state: State,
}

#[derive(Debug)]
enum State {
    First,
    Challenged { user: String, challenge: Box<Challenge> },
    Over,
}

/// A longer message is no login.
pub const MESSAGE_MAX: usize = 16 * 1024;

impl SaslExchange {
    pub fn new(mechanism: Mechanism) -> SaslExchange {
        SaslExchange { mechanism, state: State::First }
    }

    pub fn mechanism(&self) -> Mechanism {
        self.mechanism
    }

    /// Takes a client's message. `secret` makes up verifiers for users that do not exist; `nonce` is fresh, printable and has no comma.
    pub fn step(&mut self, message: &[u8], credentials: &Credentials, secret: &[u8], nonce: &str) -> Result<SaslStep, SaslRefused> {
        let state = std::mem::replace(&mut self.state, State::Over);
        let refused = |user: Option<String>| SaslRefused { user, mechanism: self.mechanism };
        if message.len() > MESSAGE_MAX {
            return Err(refused(None));
        }
        match (self.mechanism, state) {
            (Mechanism::Plain, State::First) => {
                let check = plain(message).ok_or_else(|| refused(None))?;
                Ok(SaslStep::Check(PasswordCheck::new(&check.0, &check.1, credentials, secret)))
            }
            (Mechanism::Scram(hash), State::First) => {
                let first = ClientFirst::parse(message).ok_or_else(|| refused(None))?;
                let user = first.user.clone();
                if !first.authorization_id.is_empty() && first.authorization_id != user {
                    return Err(refused(Some(user)));
                }
                let verifier = credentials.get_or_made_up(&user, hash, secret);
                let (answer, challenge) = first.challenge(verifier, nonce);
                self.state = State::Challenged { user, challenge: Box::new(challenge) };
                Ok(SaslStep::Continue(answer.into_bytes()))
            }
            (mechanism, State::Challenged { user, challenge }) => match challenge.verify(message) {
                // A password that was changed meanwhile is the old one.
                Some(_) if !still_verifies(mechanism, &user, &challenge, credentials) => Err(refused(Some(user))),
                Some(signature) => Ok(SaslStep::Done(Principal::user(&user), signature.into_bytes())),
                None => Err(refused(Some(user))),
            },
            (_, State::Over) => Err(refused(None)),
        }
    }
}

fn still_verifies(mechanism: Mechanism, user: &str, challenge: &Challenge, credentials: &Credentials) -> bool {
    match mechanism {
        Mechanism::Scram(hash) => credentials.get(user, hash) == Some(&challenge.verifier),
        Mechanism::Plain => false,
    }
}

/// `[authorization id] NUL user NUL password` (RFC 4616). Whoever wants to be somebody else is refused.
fn plain(message: &[u8]) -> Option<(String, String)> {
    let text = std::str::from_utf8(message).ok()?;
    let mut parts = text.split('\0');
    let (authorization, user, password) = (parts.next()?, parts.next()?, parts.next()?);
    let fits = parts.next().is_none() && !user.is_empty() && user.len() <= USER_MAX && !password.is_empty();
    (fits && (authorization.is_empty() || authorization == user)).then(|| (user.to_owned(), password.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::security::credentials::{ITERATIONS_MIN, SALT_LEN};

    const SECRET: &[u8] = b"of this broker";

    fn credentials() -> Credentials {
        let mut credentials = Credentials::default();
        for hash in Hash::ALL {
            credentials.put("ada", Verifier::of_password(hash, "lovelace", vec![7; SALT_LEN], ITERATIONS_MIN));
        }
        credentials
    }

    fn login(message: &[u8]) -> Result<Principal, SaslRefused> {
        match SaslExchange::new(Mechanism::Plain).step(message, &credentials(), SECRET, "n")? {
            SaslStep::Check(check) => check.run(),
            step => panic!("{step:?}"),
        }
    }

    #[test]
    fn a_plain_password_is_checked_and_nobody_becomes_somebody_else() {
        assert_eq!(login(b"\0ada\0lovelace").unwrap(), Principal::user("ada"));
        assert_eq!(login(b"ada\0ada\0lovelace").unwrap(), Principal::user("ada"));
        for wrong in [
            &b"\0ada\0Lovelace"[..],
            b"bob\0ada\0lovelace",
            b"\0bob\0lovelace",
            b"\0ada\0",
            b"\0\0x",
            b"ada lovelace",
            b"\0ada\0lovelace\0",
            // What is counted by user must not take much memory for each.
            format!("\0{}\0x", "a".repeat(256)).as_bytes(),
            b"\xff",
        ] {
            let refused = login(wrong).unwrap_err();
            assert!(refused.message().ends_with("invalid credentials with SASL mechanism PLAIN"));
        }
    }

    #[test]
    fn a_user_that_does_not_exist_is_challenged_like_one_that_does() {
        let challenge = |user: &str, nonce| {
            let mut exchange = SaslExchange::new(Mechanism::Scram(Hash::Sha256));
            let first = format!("n,,n={user},r=abc");
            match exchange.step(first.as_bytes(), &credentials(), SECRET, nonce).unwrap() {
                SaslStep::Continue(answer) => (String::from_utf8(answer).unwrap(), exchange),
                step => panic!("{step:?}"),
            }
        };
        let (known, _) = challenge("ada", "S");
        let (unknown, mut exchange) = challenge("eve", "S");
        assert_eq!(known.len(), unknown.len());
        assert_eq!(challenge("eve", "T").0.replace("abcT", "abcS"), unknown, "and always with the same salt");
        let refused = exchange.step(b"c=biws,r=abcS,p=AAAA", &credentials(), SECRET, "S").unwrap_err();
        assert_eq!(refused.user.as_deref(), Some("eve"));
        // It is over: nothing that is said later counts.
        assert!(exchange.step(b"n,,n=ada,r=abc", &credentials(), SECRET, "S").is_err());
    }

    #[test]
    fn the_second_message_alone_proves_nothing() {
        let mut exchange = SaslExchange::new(Mechanism::Scram(Hash::Sha512));
        assert!(exchange.step(b"c=biws,r=abc,p=AAAA", &credentials(), SECRET, "S").is_err());
        let mut exchange = SaslExchange::new(Mechanism::Scram(Hash::Sha512));
        assert!(exchange.step(b"n,a=root,n=ada,r=abc", &credentials(), SECRET, "S").is_err());
        assert!(SaslExchange::new(Mechanism::Plain).step(&[b'a'; MESSAGE_MAX + 1], &credentials(), SECRET, "S").is_err());
    }
}
