//! What is kept of a password: per hash a salt, a count of iterations and two keys derived from it (RFC 5802, RFC 7677). Nobody can log
//! in with them.

use std::collections::BTreeMap;
use std::ops::Bound;

use hmac::digest::KeyInit;
use hmac::{Hmac, Mac};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256, Sha512};
use subtle::{Choice, ConstantTimeEq};

/// Kafka's bounds on iterations.
pub const ITERATIONS_MIN: u32 = 4_096;
pub const ITERATIONS_MAX: u32 = 16_384;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Hash {
    #[serde(rename = "SCRAM-SHA-256")]
    Sha256,
    #[serde(rename = "SCRAM-SHA-512")]
    Sha512,
}

impl Hash {
    pub const ALL: [Hash; 2] = [Hash::Sha256, Hash::Sha512];

    /// Bytes of a digest.
    #[allow(clippy::len_without_is_empty, reason = "no digest is empty")]
    pub fn len(self) -> usize {
        match self {
            Hash::Sha256 => 32,
            Hash::Sha512 => 64,
        }
    }

    pub fn digest(self, bytes: &[u8]) -> Vec<u8> {
        match self {
            Hash::Sha256 => Sha256::digest(bytes).to_vec(),
            Hash::Sha512 => Sha512::digest(bytes).to_vec(),
        }
    }

    pub fn hmac(self, key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
        match self {
            Hash::Sha256 => keyed::<Hmac<Sha256>>(key, parts),
            Hash::Sha512 => keyed::<Hmac<Sha512>>(key, parts),
        }
    }

    /// What the RFC calls SaltedPassword. Milliseconds of work.
    pub fn salted_password(self, password: &[u8], salt: &[u8], iterations: u32) -> Vec<u8> {
        let mut salted = vec![0; self.len()];
        match self {
            Hash::Sha256 => pbkdf2::pbkdf2_hmac::<Sha256>(password, salt, iterations, &mut salted),
            Hash::Sha512 => pbkdf2::pbkdf2_hmac::<Sha512>(password, salt, iterations, &mut salted),
        }
        salted
    }
}

fn keyed<M: Mac + KeyInit>(key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    // A key of any length will do for HMAC.
    let Ok(mut mac) = <M as KeyInit>::new_from_slice(key) else { return Vec::new() };
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().to_vec()
}

/// Verifies one user's password under one hash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verifier {
    pub hash: Hash,
    pub iterations: u32,
    pub salt: Vec<u8>,
    pub(super) stored_key: Vec<u8>,
    pub(super) server_key: Vec<u8>,
}

impl Verifier {
    pub fn of_password(hash: Hash, password: &str, salt: Vec<u8>, iterations: u32) -> Verifier {
        let salted = hash.salted_password(password.as_bytes(), &salt, iterations);
        Verifier::of_salted_password(hash, &salted, salt, iterations)
    }

    /// From what an admin client computed of a password.
    pub fn of_salted_password(hash: Hash, salted: &[u8], salt: Vec<u8>, iterations: u32) -> Verifier {
        let stored_key = hash.digest(&hash.hmac(salted, &[b"Client Key"]));
        let server_key = hash.hmac(salted, &[b"Server Key"]);
        Verifier { hash, iterations, salt, stored_key, server_key }
    }

    /// What a user gets who does not exist: a salt that is always the same, and keys that no password fits.
    pub fn of_nobody(hash: Hash, secret: &[u8], user: &str) -> Verifier {
        let of = |what: &[u8]| hash.hmac(secret, &[what, user.as_bytes()]);
        let salt = of(b"salt").into_iter().take(SALT_LEN).collect();
        Verifier { hash, iterations: ITERATIONS_MIN, salt, stored_key: of(b"stored"), server_key: of(b"server") }
    }

    /// Whether it is the password; takes as long if it is not.
    pub fn fits(&self, password: &str) -> bool {
        let of_password = Verifier::of_password(self.hash, password, self.salt.clone(), self.iterations);
        self.stored_key.ct_eq(&of_password.stored_key).into()
    }

    /// Whether a client's proof shows that it knows the password.
    pub(super) fn proves(&self, proof: &[u8], auth_message: &[u8]) -> bool {
        let signature = self.hash.hmac(&self.stored_key, &[auth_message]);
        if proof.len() != signature.len() {
            return false;
        }
        let client_key: Vec<u8> = proof.iter().zip(&signature).map(|(a, b)| a ^ b).collect();
        let proved: Choice = self.hash.digest(&client_key).ct_eq(&self.stored_key);
        proved.into()
    }
}

/// Bytes of a new salt.
pub const SALT_LEN: usize = 24;
/// Of a salt that an admin client made.
pub const SALT_BYTES_MAX: usize = 256;

/// All users and their verifiers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credentials {
    users: BTreeMap<String, Vec<Verifier>>,
}

impl Credentials {
    pub fn get(&self, user: &str, hash: Hash) -> Option<&Verifier> {
        self.users.get(user)?.iter().find(|verifier| verifier.hash == hash)
    }

    /// All of a user's verifiers; none if there is no such user.
    pub fn of(&self, user: &str) -> &[Verifier] {
        self.users.get(user).map_or(&[], Vec::as_slice)
    }

    /// Any of a user's verifiers: a plain password can be held against each.
    pub fn any(&self, user: &str) -> Option<&Verifier> {
        self.users.get(user)?.first()
    }

    /// Changes with each change of a user's password, and says nothing about it. `None`: there is no such user.
    pub fn mark(&self, user: &str) -> Option<Vec<u8>> {
        let parts: Vec<&[u8]> = self.users.get(user)?.iter().flat_map(|one| [&one.salt[..], &one.stored_key]).collect();
        Some(Hash::Sha256.digest(&parts.concat()))
    }

    /// The user's verifier, or the made-up one; either way the same is done, so that the time taken does not tell which.
    pub fn get_or_made_up(&self, user: &str, hash: Hash, secret: &[u8]) -> Verifier {
        let nobody = Verifier::of_nobody(hash, secret, user);
        // Who is not there has a neighbour, whose verifier is read as their own would be.
        // Looked up by a name that nobody has, so that no search ends early because it has found somebody.
        let behind = format!("{user}\0");
        let nearest = self.users.range::<str, _>((Bound::Unbounded, Bound::Included(behind.as_str()))).next_back();
        let found = nearest.and_then(|(_, verifiers)| verifiers.iter().find(|verifier| verifier.hash == hash)).unwrap_or(&nobody);
        // Read in either case, so that what is copied then lies in the same caches.
        std::hint::black_box(found.clone());
        let chosen = if nearest.is_some_and(|(name, _)| name == user) { found } else { &nobody };
        chosen.clone()
    }

    pub fn put(&mut self, user: &str, verifier: Verifier) {
        let verifiers = self.users.entry(user.to_owned()).or_default();
        verifiers.retain(|other| other.hash != verifier.hash);
        verifiers.push(verifier);
        verifiers.sort_by_key(|verifier| verifier.hash);
    }

    /// Whether there was one.
    pub fn remove(&mut self, user: &str, hash: Hash) -> bool {
        let Some(verifiers) = self.users.get_mut(user) else { return false };
        let before = verifiers.len();
        verifiers.retain(|verifier| verifier.hash != hash);
        let removed = verifiers.len() < before;
        if verifiers.is_empty() {
            self.users.remove(user);
        }
        removed
    }

    pub fn remove_user(&mut self, user: &str) {
        self.users.remove(user);
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &[Verifier])> {
        self.users.iter().map(|(user, verifiers)| (user.as_str(), verifiers.as_slice()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_password_fits() {
        for hash in Hash::ALL {
            let verifier = Verifier::of_password(hash, "pencil", b"salt".to_vec(), ITERATIONS_MIN);
            assert!(verifier.fits("pencil") && !verifier.fits("Pencil") && !verifier.fits(""));
            let nobody = Verifier::of_nobody(hash, b"secret", "ghost");
            assert_eq!(nobody, Verifier::of_nobody(hash, b"secret", "ghost"), "the same each time it is asked");
            assert_ne!(nobody.salt, Verifier::of_nobody(hash, b"secret", "other").salt);
            assert!(!nobody.fits("") && nobody.salt.len() == SALT_LEN);
        }
    }

    #[test]
    fn users_have_one_verifier_for_each_hash() {
        let mut credentials = Credentials::default();
        let made = |hash, password: &str| Verifier::of_password(hash, password, vec![1; SALT_LEN], ITERATIONS_MIN);
        credentials.put("ada", made(Hash::Sha512, "one"));
        credentials.put("ada", made(Hash::Sha256, "one"));
        credentials.put("ada", made(Hash::Sha256, "two"));
        assert_eq!(credentials.iter().map(|(user, verifiers)| (user, verifiers.len())).collect::<Vec<_>>(), [("ada", 2)]);
        assert!(credentials.get("ada", Hash::Sha256).unwrap().fits("two"));
        assert!(credentials.remove("ada", Hash::Sha256) && !credentials.remove("ada", Hash::Sha256));
        assert!(credentials.remove("ada", Hash::Sha512) && credentials.iter().next().is_none());
        let text = serde_json::to_string(&credentials).unwrap();
        assert!(!text.contains("two"));
    }
}
