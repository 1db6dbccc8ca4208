//! A small lexicon of sentiment: 60 words of praise and 60 of blame. A text's score is the number of the ones less that of the others.

pub static PRAISE: [&str; 60] = [
    "amazing",
    "awesome",
    "beautiful",
    "best",
    "bravo",
    "brilliant",
    "charming",
    "cheerful",
    "clever",
    "comfortable",
    "cosy",
    "delighted",
    "delightful",
    "dependable",
    "elegant",
    "enjoy",
    "enjoyable",
    "exceeded",
    "excellent",
    "excited",
    "fan",
    "fantastic",
    "favourite",
    "flawless",
    "generous",
    "gentle",
    "glad",
    "good",
    "graceful",
    "great",
    "handy",
    "happier",
    "happy",
    "impressive",
    "joy",
    "keeper",
    "love",
    "lovely",
    "marvellous",
    "neat",
    "outstanding",
    "perfect",
    "pleasant",
    "pleased",
    "practical",
    "precise",
    "recommended",
    "reliable",
    "satisfying",
    "smile",
    "smooth",
    "solid",
    "splendid",
    "sturdy",
    "superb",
    "superior",
    "thrilled",
    "treat",
    "useful",
    "wonderful",
];

pub static BLAME: [&str; 60] = [
    "angry",
    "annoyed",
    "annoying",
    "awful",
    "awkward",
    "bad",
    "badly",
    "boring",
    "broke",
    "broken",
    "careless",
    "cheap",
    "clumsy",
    "creaky",
    "crooked",
    "defective",
    "disappointed",
    "disappointing",
    "dreadful",
    "dull",
    "fail",
    "failed",
    "failure",
    "faulty",
    "flimsy",
    "fragile",
    "frustrating",
    "horrible",
    "impractical",
    "irritating",
    "mediocre",
    "meh",
    "messy",
    "overpriced",
    "pity",
    "poor",
    "poorly",
    "refund",
    "regret",
    "rough",
    "sad",
    "sadly",
    "shabby",
    "shame",
    "stiff",
    "terrible",
    "tiresome",
    "ugly",
    "uncomfortable",
    "unfinished",
    "unhappy",
    "unreliable",
    "unusable",
    "useless",
    "waste",
    "weak",
    "wobbly",
    "worse",
    "worst",
    "wrong",
];

/// Words of praise less words of blame. A word is a run of ASCII letters, in either case.
pub fn score(text: &str) -> i64 {
    let words = text.split(|letter: char| !letter.is_ascii_alphabetic()).filter(|word| !word.is_empty());
    words
        .map(|word| word.to_ascii_lowercase())
        .map(|word| i64::from(PRAISE.binary_search(&word.as_str()).is_ok()) - i64::from(BLAME.binary_search(&word.as_str()).is_ok()))
        .sum()
}

/// `positive`, `negative` or `neutral`, by the score's sign.
pub fn label(text: &str) -> &'static str {
    match score(text) {
        1.. => "positive",
        0 => "neutral",
        _ => "negative",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_are_sorted_and_on_one_side_only() {
        for words in [&PRAISE, &BLAME] {
            assert!(words.is_sorted() && words.iter().all(|word| word.bytes().all(|letter| letter.is_ascii_lowercase())));
        }
        assert!(PRAISE.iter().all(|word| !BLAME.contains(word)));
    }

    #[test]
    fn a_text_is_labelled_by_the_sign_of_its_score() {
        assert_eq!((score("Great, GREAT; but flimsy."), label("Great, GREAT; but flimsy.")), (1, "positive"));
        assert_eq!((score("On its way."), label("")), (0, "neutral"));
        assert_eq!(label("It goes back: what a shame!"), "negative");
        // Parts of words do not count.
        assert_eq!(score("badger, goodness"), 0);
    }
}
