//! The folders of challenges: they load, what is made from a solution is made from the one that there is, and what they refer to exists.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use headwater::model::lexicon::{BLAME, PRAISE};
use headwater::workshop::{Challenge, Challenges};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wrong {
    mistake: String,
    solution: String,
    change: Vec<Change>,
    /// See `tests/challenges/folders.py`.
    #[serde(default)]
    rare: bool,
    #[serde(default)]
    dirt: bool,
    #[serde(default)]
    timing: bool,
}

#[derive(Deserialize)]
struct Change {
    from: String,
    to: String,
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn own() -> Challenges {
    Challenges::own().unwrap()
}

fn text(challenge: &Challenge, name: &str) -> String {
    String::from_utf8(challenge.file(name).unwrap_or_else(|| panic!("{}/{name}", challenge.slug)).to_vec()).unwrap()
}

fn wrong_ones(challenge: &Challenge) -> BTreeMap<String, Wrong> {
    let files = challenge.files().filter_map(|name| name.strip_prefix("wrong/")?.strip_suffix(".toml"));
    files.map(|name| (name.to_owned(), toml::from_str(&text(challenge, &format!("wrong/{name}.toml"))).unwrap())).collect()
}

#[test]
fn starters_are_those_of_the_solutions() {
    let write = std::env::var_os("UPDATE_DOCS").is_some();
    for challenge in own().all() {
        for name in challenge.starters() {
            let (made, file) = (challenge.starter(&name).unwrap(), root().join("challenges").join(&challenge.slug).join(&name));
            if write {
                std::fs::write(&file, &made).unwrap();
            }
            let there = std::fs::read_to_string(&file).unwrap_or_default();
            assert!(there == made, "{}/{name} is not what its solution makes; UPDATE_DOCS=1 writes it", challenge.slug);
        }
    }
}

#[test]
fn every_mistake_has_a_wrong_solution_made_from_a_right_one() {
    for challenge in own().all() {
        let mut shown = BTreeSet::new();
        for (name, wrong) in wrong_ones(challenge) {
            let place = format!("{}/wrong/{name}.toml", challenge.slug);
            assert!(challenge.sheet.solutions.contains_key(&wrong.solution), "{place}");
            let mut solution = text(challenge, &wrong.solution);
            for change in &wrong.change {
                assert_eq!(solution.matches(&change.from).count(), 1, "{place}: {:?}", change.from);
                solution = solution.replace(&change.from, &change.to);
            }
            let known = challenge.sheet.mistakes.iter().any(|text| text.id == wrong.mistake);
            assert!(known || wrong.mistake.is_empty(), "{place}: there is no mistake {:?}", wrong.mistake);
            assert!(!wrong.rare || !(wrong.dirt || wrong.timing), "{place}");
            shown.insert(wrong.mistake);
        }
        let missing: Vec<_> = challenge.sheet.mistakes.iter().filter(|text| !shown.contains(&text.id)).map(|text| &text.id).collect();
        assert!(missing.is_empty() && shown.len() >= 4, "{} has no wrong solution for {missing:?}", challenge.slug);
    }
}

/// As GitHub makes them.
fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
    kept.map(|c| if c == ' ' { '-' } else { c.to_ascii_lowercase() }).collect()
}

#[test]
fn what_a_verdict_refers_to_can_be_read() {
    for challenge in own().all() {
        let sheet = &challenge.sheet;
        let docs = sheet.checks.iter().map(|text| &text.doc).chain(sheet.mistakes.iter().map(|text| &text.doc));
        for doc in docs {
            let (file, wanted) = doc.split_once('#').unwrap_or((doc, ""));
            let page = std::fs::read_to_string(root().join(file)).unwrap_or_else(|_| panic!("{}: there is no {file}", challenge.slug));
            let headings: Vec<String> = page.lines().filter_map(|line| Some(anchor(line.strip_prefix("## ")?))).collect();
            assert!(
                wanted.is_empty() || headings.iter().any(|heading| heading == wanted),
                "{}: {doc} is not among {headings:?}",
                challenge.slug
            );
        }
    }
}

#[test]
fn a_sheet_says_all_that_a_student_needs() {
    for challenge in own().all() {
        let (sheet, slug) = (&challenge.sheet, &challenge.slug);
        assert_eq!(sheet.points, if sheet.core { 100 } else { 150 }, "{slug}");
        assert!(sheet.stars.iter().all(|star| star.points == 25), "{slug}");
        assert!((3..=6).contains(&sheet.hints.len()), "{slug} has {} hints", sheet.hints.len());
        assert_eq!(sheet.explain.choices.iter().filter(|choice| choice.right).count(), 1, "{slug}");
        let headings = [
            "Scenario",
            "Environment",
            "Connection focus",
            "Task",
            "Success criteria",
            "What to hand in",
            "How you are checked",
            "AI tips",
        ];
        for heading in headings {
            assert!(challenge.readme.contains(&format!("\n## {heading}\n")), "{slug}/README.md has no {heading:?}");
        }
        assert_eq!(challenge.readme.matches("Verify by: ").count(), sheet.prompts.len(), "{slug}/README.md");
        for prompt in &sheet.prompts {
            let beginning: String = prompt.ask.chars().take(40).collect();
            assert!(challenge.readme.contains(&format!("*{beginning}")), "{slug}/README.md has no {beginning:?}");
        }
        let schema: serde_json::Value = serde_json::from_str(&challenge.submission_schema).unwrap();
        jsonschema::validator_for(&schema).unwrap_or_else(|error| panic!("{slug}/submission.json: {error}"));
    }
}

#[test]
fn the_lexicon_that_students_get_is_the_one_that_checks() {
    #[derive(Deserialize)]
    struct Lexicon {
        praise: Vec<String>,
        blame: Vec<String>,
    }
    let challenges = own();
    let challenge = challenges.get("c09").unwrap();
    let lexicon: Lexicon = serde_json::from_str(&text(challenge, "lexicon.json")).unwrap();
    assert_eq!((lexicon.praise, lexicon.blame), (PRAISE.map(str::to_owned).to_vec(), BLAME.map(str::to_owned).to_vec()));
    let needs = challenges.needs(challenge, "confluent-kafka");
    assert!(["lexicon.json", "workshop.py", "requirements.txt"].iter().all(|name| needs.contains(*name)));
    assert!(!needs.iter().any(|name| name.contains("spark") || name == "lakehouse.py"), "{needs:?}");
}
