//! What pseudonyms are made of. Any of the first may stand before any of the second without hurting anyone.

#[rustfmt::skip]
pub const ADJECTIVES: [&str; 66] = [
    "agile", "amber", "brave", "breezy", "bright", "calm", "cheerful", "clever", "cosmic", "crisp", "curious", "daring", "dreamy",
    "eager", "early", "fair", "festive", "fleet", "fluent", "frank", "fresh", "gentle", "glad", "golden", "graceful", "grand", "handy",
    "happy", "hardy", "helpful", "honest", "jolly", "jovial", "keen", "kind", "lively", "loyal", "lucky", "mellow", "merry", "mighty",
    "misty", "modest", "neat", "nimble", "noble", "patient", "plucky", "polite", "proud", "quick", "quiet", "rapid", "serene", "shiny",
    "silver", "smart", "snug", "sunny", "swift", "tidy", "tranquil", "upbeat", "vivid", "witty", "zesty",
];

/// None begins with another: a group name that begins with one pseudonym must not begin with a second.
#[rustfmt::skip]
pub const ANIMALS: [&str; 72] = [
    "alpaca", "badger", "bison", "bobcat", "caribou", "cheetah", "chipmunk", "condor", "crane", "cricket", "dolphin", "dove", "eagle",
    "egret", "falcon", "ferret", "finch", "firefly", "flamingo", "gazelle", "gecko", "giraffe", "hare", "hedgehog", "heron", "ibex",
    "iguana", "impala", "jackdaw", "jaguar", "kestrel", "kingfisher", "kiwi", "koala", "lark", "lemur", "leopard", "llama", "lynx",
    "manatee", "marmot", "marten", "meerkat", "moose", "narwhal", "ocelot", "octopus", "oriole", "osprey", "otter", "owl", "panda",
    "pelican", "penguin", "petrel", "plover", "puffin", "quail", "rabbit", "raven", "reindeer", "robin", "salmon", "sparrow", "starling",
    "stork", "swan", "tern", "tiger", "toucan", "walrus", "wombat",
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn words_are_plain_distinct_and_none_is_the_beginning_of_another() {
        for list in [&ADJECTIVES[..], &ANIMALS[..]] {
            assert!(list.len() >= 60);
            assert_eq!(list.iter().collect::<BTreeSet<_>>().len(), list.len());
            for word in list {
                assert!(word.bytes().all(|b| b.is_ascii_lowercase()) && (3..=10).contains(&word.len()), "{word}");
                assert!(!list.iter().any(|other| other != word && other.starts_with(word)), "{word}");
            }
        }
    }
}
