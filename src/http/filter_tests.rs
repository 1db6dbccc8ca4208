//! What the filter language says, and that no text of any kind breaks it.

use proptest::prelude::*;

use super::*;
use crate::model::{Offset, PartitionId, Timestamp};

fn record(key: Option<&str>, value: Option<&str>) -> StoredRecord {
    let bytes = |text: &str| bytes::Bytes::copy_from_slice(text.as_bytes());
    StoredRecord {
        partition: PartitionId(2),
        offset: Offset(100),
        timestamp: Timestamp(1_795_428_000_000),
        key: key.map(bytes),
        value: value.map(bytes),
        headers: vec![("trace".to_owned(), Some(bytes("AbC-9"))), ("flag".to_owned(), None)],
    }
}

const EVENT: &str = r#"{"event_type":"Purchase","price":600.5,"quantity":2,"gift":false,"note":null,"tags":["New","sale"],
    "timestamp":"2026-11-23T10:15:30.123Z","value":-999.0,"payload":{"amount":12,"user":{"name":"Zoë"}},"a.b":"dotted","key":"inner","at":1795428000000}"#;

fn fits(filter: &str, record: &StoredRecord) -> bool {
    Filter::parse(filter).unwrap_or_else(|wrong| panic!("{filter}: {wrong:?}")).fits(record)
}

#[test]
fn words_fit_what_they_say() {
    let event = record(Some("user-42"), Some(EVENT));
    for filter in [
        "",
        "   ",
        "purchase",
        "USER-42",
        "abc-9",
        "trace",
        "\"new\",\"sale\"".split(',').next().unwrap(),
        "event_type:purch",
        "event_type:\"PURCHASE\"",
        "price:600.5",
        "price:\"600.50\"",
        "quantity:2",
        "gift:false",
        "note:null",
        "price:*",
        "tags:sale",
        "tags:\"new\"",
        "price:>600 price:<=600.5",
        "payload.amount:>=12",
        "payload.user.name:zoë",
        "payload.user.name:ZOË",
        "payload:12",
        "a.b:dotted",
        "timestamp:>2026-11-23",
        "timestamp:<2026-11-23T10:15:31",
        "timestamp:>=\"2026-11-23 10:15:30.123Z\"",
        "at:>=2026-11-23T10:00Z",
        "key:user",
        "key:\"user-42\"",
        "key:*",
        "value:<0",
        "value:-999",
        "value:*",
        ".key:inner",
        "header.trace:bc",
        "header.trace:\"abc-9\"",
        "header.flag:null",
        "partition:2",
        "offset:>=100 offset:<101",
        "-event_type:view",
        "-missing:*",
        "-nothing-like-it",
        "-\"not a phrase\"",
        "-value:null",
        "-header.none:*",
    ] {
        assert!(fits(filter, &event), "{filter}");
    }
    for filter in [
        "refund",
        "event_type:view",
        "event_type:\"purch\"",
        "EVENT_TYPE:purchase",
        "quantity:20",
        "price:600",
        "price:60",
        "price:>600.5",
        "note:*",
        "note:purchase",
        "missing:null",
        "missing:x",
        "event_type:>5",
        "price:>2026-11-23",
        "timestamp:>5",
        "key:null",
        "key:\"user\"",
        "value:null",
        "value:999",
        "value:purchase",
        "partition:1",
        "offset:10",
        "header.trace:null",
        "header.flag:*",
        "-purchase",
        "purchase refund",
        "-partition:2",
    ] {
        assert!(!fits(filter, &event), "{filter}");
    }
}

#[test]
fn what_is_no_json_is_looked_at_as_text() {
    let tombstone = record(None, None);
    assert!(fits("value:null key:null", &tombstone) && fits("-price:*", &tombstone) && !fits("value:*", &tombstone));
    assert!(!fits("anything", &tombstone) && fits("abc", &tombstone), "headers count");
    let plain = record(Some("7"), Some("Hello  World 17:30"));
    assert!(fits("\"hello  world\"", &plain) && fits("value:world", &plain) && fits("key:>6", &plain) && fits("\"17:30\"", &plain));
    assert!(!fits("price:1", &plain) && fits("-price:1", &plain) && !fits("value:null", &plain));
    let mut binary = record(None, None);
    binary.value = Some(bytes::Bytes::from_static(b"\xff\xfeOtter\x00"));
    assert!(fits("otter", &binary) && fits("value:OTTER", &binary) && !fits("ötter", &binary));
    let number = record(None, Some("41.5"));
    assert!(fits("value:>41 value:<42", &number) && fits("value:41.5", &number));
    let many = record(None, Some(r#"[{"n":1},{"n":5}]"#));
    assert!(fits("n:5", &many) && fits("n:>4", &many) && !fits("n:3", &many));
}

#[test]
fn a_bad_filter_is_told_where_it_is_wrong() {
    for (filter, at) in [
        ("a \"open", 3),
        ("field:", 7),
        (":x", 1),
        ("ok -", 4),
        ("price:>", 8),
        ("price:>=abc", 9),
        ("partition:x", 11),
        ("offset:null", 8),
        ("a\"b", 2),
        ("\"a\"b", 4),
        ("header.:x", 1),
        (".:x", 1),
        ("a.b.c.d.e.f.g.h.i.j.k.l:x", 1),
    ] {
        let wrong = Filter::parse(filter).unwrap_err();
        assert_eq!(wrong.at, at, "{filter}: {}", wrong.what);
    }
    assert!(Filter::parse(&"x".repeat(501)).is_err() && Filter::parse(&"x ".repeat(21)).is_err());
    assert!(Filter::parse(&"x ".repeat(20)).is_ok());
}

#[test]
fn long_contents_take_no_longer_than_they_are_long() {
    let value = "a".repeat(1 << 20);
    let record = record(None, Some(&value));
    let needle = format!("{}b", "a".repeat(450));
    let begun = std::time::Instant::now();
    assert!(!fits(&needle, &record) && !fits(&format!("-{}", "a".repeat(400)), &record));
    assert!(!fits(&format!("value:{needle}"), &record));
    assert!(begun.elapsed() < std::time::Duration::from_secs(5), "{:?}", begun.elapsed());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn any_text_is_a_filter_or_is_wrong_within_it(text in "\\PC{0,60}", value in proptest::collection::vec(any::<u8>(), 0..80)) {
        match Filter::parse(&text) {
            Err(wrong) => prop_assert!(wrong.at >= 1 && wrong.at <= text.chars().count() + 1),
            Ok(filter) => {
                let mut record = record(Some("k"), None);
                record.value = Some(value.into());
                filter.fits(&record);
            }
        }
    }

    #[test]
    fn a_not_is_the_opposite(word in "[a-z]{1,4}(:[<>]?=?[0-9a-z]{1,3})?", value in "\\{\"[a-c]\":(\"[a-c]{0,3}\"|[0-9]{1,2}|null)\\}") {
        let record = record(Some("abc"), Some(&value));
        if let (Ok(is), Ok(not)) = (Filter::parse(&word), Filter::parse(&format!("-{word}"))) {
            prop_assert_ne!(is.fits(&record), not.fits(&record));
        }
    }

    #[test]
    fn all_words_have_to_fit(a in "[a-z]{1,3}", b in "[a-z]{1,3}", value in "[a-z ]{0,20}") {
        let record = record(None, Some(&value));
        let one = |word: &str| Filter::parse(word).unwrap().fits(&record);
        prop_assert_eq!(one(&format!("{a} {b}")), one(&a) && one(&b));
    }

    #[test]
    fn a_field_is_found_by_what_it_holds(name in "[a-z_]{1,8}", text in "[a-zA-Z0-9äöü ]{1,20}", number in -1e6..1e6_f64) {
        let name = format!("f_{name}");
        let value = serde_json::json!({ (name.clone()): text, "inner": { (name.clone()): number } }).to_string();
        let record = record(None, Some(&value));
        let fits = |filter: String| Filter::parse(&filter).unwrap().fits(&record);
        let exact = format!("{name}:\"{}\"", text.to_uppercase());
        prop_assert!(fits(exact));
        let above = format!("inner.{name}:>{} inner.{name}:<{}", number - 1.0, number + 1.0);
        prop_assert!(fits(above));
    }
}
