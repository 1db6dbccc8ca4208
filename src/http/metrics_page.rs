//! `docs/metrics.md`, written from what `/metrics` answers.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::*;
use crate::cluster::GroupOffset;
use crate::model::metrics::{DiskGauge, ErrorCount, RequestCount, TopicCount, UnsupportedCount};
use crate::model::{Offset, PartitionId, Timestamp, TopicId};

const HEAD: &str = "\
# Metrics

What `GET /metrics` answers, in Prometheus' text format. This page is written from the code; `UPDATE_DOCS=1 cargo test --lib metrics_page`
writes it again. What is worth an alarm: [operations.md](operations.md#health).

For one person on their own machine nobody logs in. In a classroom it wants the instructor's token ([http.md](http.md#sessions)). Counters
begin at 0 with each start of the process. With `serve --cluster` the brokers count for themselves, and only the rows with a *yes* are there.

```yaml checked
scrape_configs:
  - job_name: headwater
    static_configs:
      - targets: [\"127.0.0.1:8080\"]
    # In a classroom:
    authorization:
      credentials_file: instructor.token
```

| name | type | labels | with `--cluster` | what it is |
|---|---|---|---|---|
";

const LABELS: &str = "
| label | what stands in it |
|---|---|
| `api` | name of a request in Kafka's protocol: `Produce`, `Fetch`, `JoinGroup` |
| `api_key` | its number; -1 where more than 1,000 were told apart |
| `version` | version of the request |
| `code` | number of an error in Kafka's protocol: 3 is UNKNOWN_TOPIC_OR_PARTITION |
| `client` | what a client calls itself, 64 characters of it |
| `topic`, `partition` | as everywhere in Kafka |
| `group`, `state` | id of a consumer group; `Empty`, `PreparingRebalance`, `CompletingRebalance`, `Stable` or `Dead` |
| `le` | upper bound of a bucket in seconds; each holds all smaller ones |
";

/// A name with all that is told of it.
#[derive(Debug, PartialEq, Eq)]
struct Family {
    name: String,
    kind: String,
    help: String,
    labels: BTreeSet<String>,
}

/// What is seen where all that can be there is there.
fn everything() -> (MetricsSnapshot, Vec<TopicSummary>, GroupSummary) {
    let histogram = Histogram { bounds: vec![0.001], counts: vec![1, 1], sum_seconds: 0.1 };
    let metrics = MetricsSnapshot {
        started: Some(Timestamp(1)),
        requests: vec![RequestCount { api: "Fetch".into(), version: 1, count: 1 }],
        errors: vec![ErrorCount { api: "Fetch".into(), code: 3, count: 1 }],
        unsupported: vec![UnsupportedCount { api_key: 1, version: 1, client: "c".into(), count: 1 }],
        topics: vec![TopicCount { topic: "t".into(), messages_in: 1, bytes_in: 1, bytes_out: 1 }],
        produce_latency: histogram.clone(),
        fetch_latency: histogram,
        scrub_pass_ended: Some(Timestamp(1)),
        disk: Some(DiskGauge::default()),
        ..MetricsSnapshot::default()
    };
    let partition = PartitionSummary {
        partition: PartitionId(0),
        start_offset: Offset(0),
        end_offset: Offset(9),
        size_bytes: Some(1),
        damaged: Vec::new(),
        indexes_rebuilt: 1,
    };
    let topic = TopicSummary { name: "t".into(), id: TopicId([7; 16]), internal: false, durability: None, partitions: vec![partition] };
    let offset = GroupOffset { topic: "t".into(), partition: PartitionId(0), committed: Some(Offset(1)), end_offset: Offset(9) };
    let group = GroupSummary { id: "g".into(), protocol: "classic".into(), state: "Stable".into(), members: 1, offsets: vec![offset] };
    (metrics, vec![topic], group)
}

/// The families of a page, in its order.
fn families(page: &str) -> Vec<Family> {
    let mut families: Vec<Family> = Vec::new();
    for line in page.lines() {
        if let Some((name, help)) = line.strip_prefix("# HELP ").and_then(|rest| rest.split_once(' ')) {
            families.push(Family { name: name.to_owned(), kind: String::new(), help: help.to_owned(), labels: BTreeSet::new() });
        } else if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' ')) {
            let family = families.last_mut().filter(|family| family.name == name).expect("its HELP in front");
            family.kind = kind.to_owned();
        } else {
            let family = families.last_mut().filter(|family| line.starts_with(&family.name)).expect("a sample of the family above it");
            let labels = line.split_once('{').and_then(|(_, rest)| rest.split_once('}')).map_or("", |(labels, _)| labels);
            family.labels.extend(labels.split(',').filter_map(|label| label.split_once('=')).map(|(name, _)| name.to_owned()));
            family.labels.insert(String::new());
        }
    }
    families
}

fn both() -> (Vec<Family>, Vec<Family>) {
    let (metrics, topics, group) = everything();
    (families(&render(&metrics, &topics, &[&group], true)), families(&of_another(&topics, &[&group], true)))
}

fn page() -> String {
    let (own, another) = both();
    let elsewhere: BTreeMap<&str, &Family> = another.iter().map(|family| (family.name.as_str(), family)).collect();
    let mut page = HEAD.to_owned();
    for family in &own {
        let labels: Vec<String> = family.labels.iter().filter(|label| !label.is_empty()).map(|label| format!("`{label}`")).collect();
        let there = if elsewhere.contains_key(family.name.as_str()) { "yes" } else { "" };
        writeln!(page, "| `{}` | {} | {} | {there} | {} |", family.name, family.kind, labels.join(", "), family.help).unwrap();
    }
    page + LABELS
}

#[test]
fn the_committed_metrics_page_is_what_the_code_answers() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/metrics.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, page()).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == page(), "docs/metrics.md is old; `UPDATE_DOCS=1 cargo test --lib metrics_page` writes it again");
}

#[test]
fn what_the_page_has_is_told_to_a_stranger_with_its_unit() {
    let (own, another) = both();
    let (names, more): (Vec<&str>, Vec<&str>) =
        (own.iter().map(|family| family.name.as_str()).collect(), another.iter().map(|family| family.name.as_str()).collect());
    assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len(), "a family is there twice");
    for family in &another {
        // What the process says of itself may be missing there, but nothing is told otherwise.
        assert!(own.contains(family), "{} is another thing with --cluster", family.name);
    }
    assert!(more.contains(&"headwater_up") && more.contains(&"headwater_group_lag"), "{more:?}");
    for Family { name, kind, help, labels } in &own {
        assert!(!labels.is_empty(), "{name} has no sample: `everything` has to have one, or its labels are not known");
        assert!(help.len() > 25 && help.ends_with('.'), "{name}: {help}");
        assert_eq!(kind == "counter", name.ends_with("_total"), "{name} is a {kind}");
        for unit in ["bytes", "seconds"] {
            assert_eq!(name.contains(&format!("_{unit}")), help.to_lowercase().contains(unit), "{name}: {help}");
        }
        let described = |label: &String| label.is_empty() || LABELS.contains(&format!("`{label}`"));
        assert!(labels.iter().all(described), "{name}: {labels:?}");
    }
}
