//! Names that say nothing about who bears them: `quiet-otter`.

use super::Random;
use super::words::{ADJECTIVES, ANIMALS};

/// Draws in vain before the names that are left are gone through.
const DRAWS: usize = 40;

/// A new one. `None` when all are in use.
pub(super) fn draw(random: &Random, taken: &dyn Fn(&str) -> bool) -> Option<String> {
    for _ in 0..DRAWS {
        let name = format!("{}-{}", random.one_of(&ADJECTIVES), random.one_of(&ANIMALS));
        if !taken(&name) {
            return Some(name);
        }
    }
    let start = random.below(ADJECTIVES.len());
    let adjectives = ADJECTIVES.iter().cycle().skip(start).take(ADJECTIVES.len());
    let all = adjectives.flat_map(|adjective| ANIMALS.iter().map(move |animal| format!("{adjective}-{animal}")));
    let mut free = all.filter(|name| !taken(name));
    free.next()
}

/// What lets people in, for a workshop that was given no code: `otter-4821`.
pub(super) fn code(random: &Random) -> String {
    format!("{}-{}", random.one_of(&ANIMALS), 1000 + random.below(9000))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_name_is_given_once_and_then_there_is_none() {
        // A source that always says the same draws the same name each time.
        let random = Random::new(|| [3; 32]);
        let mut given = HashSet::new();
        while let Some(name) = draw(&random, &|name| given.contains(name)) {
            let (adjective, animal) = name.split_once('-').unwrap();
            assert!(ADJECTIVES.contains(&adjective) && ANIMALS.contains(&animal));
            assert!(given.insert(name));
        }
        assert_eq!(given.len(), ADJECTIVES.len() * ANIMALS.len());
        let code = code(&random);
        let (animal, number) = code.split_once('-').unwrap();
        assert!(ANIMALS.contains(&animal) && number.len() == 4 && number.bytes().all(|b| b.is_ascii_digit()));
    }
}
