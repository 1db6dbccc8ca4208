use headwater::workshop::truth::kind;

const KINDS: [(&str, &str); 5] = [
    ("first-records", "topic = \"a\"\ncount = 50\n"),
    ("running-totals", "topic = \"a\"\nevent_type = \"purchase\"\nprice_over = 500\nevery = 10\n"),
    ("live-board", "topic = \"a\"\n"),
    ("threshold-alerts", "topic = \"a\"\nsensor_type = \"temperature\"\nbelow = 0\nabove = 40.5\n"),
    ("processed-feed", "topic = \"a\"\n"),
];

fn error(name: &str, parameters: &str) -> String {
    kind(name, &parameters.parse().unwrap()).err().unwrap_or_else(|| panic!("{name} takes {parameters:?}"))
}

#[test]
fn a_kind_names_the_parameter_that_is_missing_wrong_or_unknown() {
    for (name, parameters) in KINDS {
        for (at, line) in parameters.lines().enumerate() {
            let parameter = line.split_once(" =").unwrap().0;
            let without: String = parameters.lines().enumerate().filter(|(n, _)| *n != at).map(|(_, line)| format!("{line}\n")).collect();
            let missing = error(name, &without);
            assert!(missing.contains(name) && missing.contains(&format!("{parameter:?} is missing")), "{missing}");
            let wrong = error(name, &format!("{without}{parameter} = [true]\n"));
            assert!(wrong.contains(&format!("{parameter:?} is not")), "{wrong}");
        }
        let unknown = error(name, &format!("{parameters}colour = 1\n"));
        assert!(unknown.contains("there is no parameter \"colour\"") && unknown.contains("topic"), "{unknown}");
        let wish = kind(name, &format!("{parameters}history_minutes = [3, 4]\nlive_seconds = 2\n").parse().unwrap()).unwrap().wish();
        assert_eq!((wish.topics.len(), wish.history_ms, wish.live_ms), (1, 180_000..240_000, 2_000));
    }
    assert!(error("no-such-kind", "").contains("running-totals"));
    assert!(error("running-totals", "topic = \"a\"\nevent_type = \"b\"\nprice_over = -1\nevery = 1").contains("price_over"));
    assert!(error("threshold-alerts", "topic = \"a\"\nsensor_type = \"b\"\nbelow = 2\nabove = 1").contains("below"));
    assert!(error("first-records", "topic = \"a\"\ncount = 900000").contains("count"));
}

#[test]
fn the_ids_of_a_kind_are_different_and_each_is_a_word_for_a_file_name() {
    for (name, parameters) in KINDS {
        let truth = kind(name, &parameters.parse().unwrap()).unwrap();
        for ids in [truth.checks(), truth.mistakes(), truth.stars()] {
            let different: std::collections::BTreeSet<&str> = ids.iter().copied().collect();
            assert_eq!(different.len(), ids.len());
            assert!(ids.iter().all(|id| id.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-')));
        }
        assert!(truth.mistakes().len() >= 4);
    }
}
