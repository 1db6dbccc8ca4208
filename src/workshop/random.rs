//! Chance, from a source that is passed in: in the binary the system's, in tests whatever is wanted.

use std::sync::Arc;

/// Each call gives 32 bytes that nobody can guess.
pub type Source = dyn Fn() -> [u8; 32] + Send + Sync;

#[derive(Clone)]
pub struct Random {
    source: Arc<Source>,
}

/// Crockford's base32: no letter that is taken for another.
const LETTERS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const PASSWORD_LETTERS: usize = 20;
const GROUP_LETTERS: usize = 5;
const INVITE_LETTERS: usize = 6;

impl Random {
    pub fn new(source: impl Fn() -> [u8; 32] + Send + Sync + 'static) -> Random {
        Random { source: Arc::new(source) }
    }

    pub fn bytes(&self) -> [u8; 32] {
        (self.source)()
    }

    /// A number below `end`; to so few ends that the modulus favours none.
    pub fn below(&self, end: usize) -> usize {
        let [a, b, c, d, e, f, g, h, ..] = self.bytes();
        let number = u64::from_be_bytes([a, b, c, d, e, f, g, h]);
        usize::try_from(number % (end.max(1) as u64)).unwrap_or(0)
    }

    pub fn one_of<'a>(&self, words: &[&'a str]) -> &'a str {
        words.get(self.below(words.len())).copied().unwrap_or_default()
    }

    fn letters(&self, count: usize) -> String {
        let letter = |byte: &u8| LETTERS.get(usize::from(byte % 32)).copied().map_or('0', char::from);
        self.bytes().iter().take(count).map(letter).collect()
    }

    /// 100 bits, in groups that can be read out: `k3v9x-8m2pq-...`.
    pub fn password(&self) -> String {
        let letters: Vec<char> = self.letters(PASSWORD_LETTERS).chars().collect();
        let groups: Vec<String> = letters.chunks(GROUP_LETTERS).map(|group| group.iter().collect()).collect();
        groups.join("-")
    }

    /// 100 bits that stand for a ticket.
    pub fn nonce(&self) -> String {
        self.letters(PASSWORD_LETTERS)
    }

    /// `7F3K2M`.
    pub fn invite(&self) -> String {
        self.letters(INVITE_LETTERS).to_uppercase()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU8, Ordering};

    #[test]
    fn passwords_are_twenty_letters_in_groups_and_invites_six() {
        let calls = AtomicU8::new(0);
        let random = Random::new(move || [calls.fetch_add(7, Ordering::Relaxed); 32]);
        assert_eq!(random.password(), "00000-00000-00000-00000");
        assert_eq!(random.password(), "77777-77777-77777-77777");
        assert_eq!(random.invite(), "EEEEEE");
        assert!(random.below(10) < 10);
    }
}
