//! Prometheus' text format, read strictly.

use std::collections::{BTreeMap, BTreeSet};

/// The text format by its grammar: HELP and TYPE once and before the samples of a family, which stand together; names and labels
/// well-formed; no series twice; values are numbers; buckets rise to +Inf, which is the count. Returns the number of families.
pub fn assert_prometheus(page: &str) -> usize {
    assert!(page.ends_with('\n'));
    let mut families: BTreeMap<&str, &str> = BTreeMap::new();
    let mut helps = BTreeSet::new();
    let mut series = BTreeSet::new();
    let mut current = "";
    for line in page.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').expect("a text");
            assert!(helps.insert(name) && !help.is_empty(), "{line}");
            current = name;
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').expect("a type");
            assert!(name == current && ["counter", "gauge", "histogram"].contains(&kind), "{line}");
            assert!(families.insert(name, kind).is_none(), "{line}: twice");
            assert_eq!(kind == "counter", name.ends_with("_total"), "{line}");
        } else {
            let (name, labels, value) = sample(line);
            let family = families.get(current).map_or(current, |kind| match *kind {
                "histogram" => ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end)).expect("a histogram's sample"),
                _ => name,
            });
            assert_eq!(family, current, "{line}: outside its family");
            assert!(value == "+Inf" || value.parse::<f64>().is_ok_and(f64::is_finite), "{line}");
            assert!(series.insert((name, labels)), "{line}: twice");
        }
    }
    assert_eq!(helps.len(), families.len());
    for (name, _) in families.iter().filter(|(_, kind)| **kind == "histogram") {
        let of = |end: &str| -> Vec<f64> {
            let begin = format!("{name}{end}");
            let lines = page.lines().filter(|line| line.split(['{', ' ']).next() == Some(begin.as_str()));
            lines.map(|line| line.rsplit_once(' ').unwrap().1.parse().unwrap()).collect()
        };
        let buckets = of("_bucket");
        assert!(buckets.is_sorted() && buckets.len() > 3, "{name}: {buckets:?}");
        assert_eq!(of("_count"), buckets[buckets.len() - 1..], "{name}");
        assert_eq!(of("_sum").len(), 1, "{name}");
    }
    families.len()
}

/// Name, labels and value of a sample line.
fn sample(line: &str) -> (&str, Vec<(String, String)>, &str) {
    let end = line.find(['{', ' ']).expect("a name");
    let (name, mut rest) = line.split_at(end);
    let is_name = |text: &str| {
        text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') && text.bytes().next().is_some_and(|b| !b.is_ascii_digit())
    };
    assert!(is_name(name), "{line}");
    let mut labels = Vec::new();
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside;
        loop {
            let (label, quoted) = rest.split_once("=\"").expect("a label");
            assert!(is_name(label) && !labels.iter().any(|(l, _)| l == label), "{line}");
            let mut value = String::new();
            let mut chars = quoted.char_indices();
            let end = loop {
                match chars.next().expect("a closing quote") {
                    (at, '"') => break at,
                    (_, '\\') => match chars.next().expect("an escaped character").1 {
                        'n' => value.push('\n'),
                        c @ ('\\' | '"') => value.push(c),
                        c => panic!("{line}: \\{c}"),
                    },
                    (_, c) => value.push(c),
                }
            };
            labels.push((label.to_owned(), value));
            rest = &quoted[end + 1..];
            match rest.strip_prefix(',') {
                Some(next) => rest = next,
                None => break rest = rest.strip_prefix('}').expect("a closing brace"),
            }
        }
    }
    (name, labels, rest.strip_prefix(' ').expect("a value"))
}
