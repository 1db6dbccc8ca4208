//! What the ledger says of events, held against what the kinds of truth read from their bytes.

use std::collections::BTreeSet;

use headwater::model::lexicon;
use serde_json::Value;

use crate::support::{Town, event, towns};

fn ids<'a>(events: impl Iterator<Item = &'a Value>) -> BTreeSet<String> {
    events.map(|event| event["event_id"].as_str().unwrap().to_owned()).collect()
}

fn events(town: &Town, topic: &str) -> Vec<Value> {
    let of_topic = town.log.partitions.iter().filter(|((name, _), _)| name == topic);
    of_topic.flat_map(|(_, records)| records).filter_map(event).collect()
}

/// The ids of a topic's notes of which this is true, among events that can be read.
fn noted(town: &Town, events: &[Value], is: impl Fn(&Value) -> bool) -> BTreeSet<String> {
    let known = ids(events.iter());
    ids(town.notes.iter().filter(|note| note["event_id"].is_string() && is(note))).intersection(&known).cloned().collect()
}

/// All that is noted was found. Of a copy at the beginning, the note is from before.
fn agree(town: &Town, what: &str, found: &BTreeSet<String>, noted: &BTreeSet<String>) {
    let surplus = found.difference(noted).count();
    assert!(noted.is_subset(found) && surplus <= 3, "seed {}, dirt {}, {what}: {surplus} too many", town.seed, town.dirt);
}

#[test]
fn fahrenheit_and_sentinels_are_where_the_ledger_says() {
    for town in towns() {
        let events = events(town, "iot-sensor-data");
        let fahrenheit = ids(events.iter().filter(|event| event["unit"] == "F"));
        assert!(fahrenheit.len() > 100);
        agree(town, "unit", &fahrenheit, &noted(town, &events, |note| note["unit"] == "F"));
        let sentinels = ids(events.iter().filter(|event| event["value"] == -999.0));
        agree(town, "sentinel", &sentinels, &noted(town, &events, |note| note["fault"] == "sentinel"));
        assert_eq!(sentinels.is_empty(), town.dirt == 0);
    }
}

#[test]
fn texts_that_are_prices_are_where_the_ledger_says() {
    for town in towns() {
        let events = events(town, "ecommerce-events");
        let texts = ids(events.iter().filter(|event| event["price"].is_string()));
        agree(town, "text", &texts, &noted(town, &events, |note| note["fault"] == "price-as-text"));
    }
}

#[test]
fn the_lexicon_finds_most_of_the_sentiment_that_was_meant() {
    for town in towns() {
        let events = events(town, "social-media-feed");
        let by_id = |label: &str| {
            let is = |event: &&Value| {
                let text = event["content_preview"].as_str().unwrap_or_default();
                event["action_type"] != "like" && !text.is_empty() && lexicon::label(text) == label
            };
            ids(events.iter().filter(is))
        };
        for label in ["positive", "neutral", "negative"] {
            let ours = by_id(label);
            let theirs = noted(town, &events, |note| note["sentiment"] == label && note["fault"] != "empty-text");
            assert!(ours.len() > 50);
            let both = ours.intersection(&theirs).count();
            let all = ours.union(&theirs).count();
            assert!(both * 100 > all * 80, "seed {}, dirt {}, {label}: {both} of {all} agree", town.seed, town.dirt);
        }
    }
}
